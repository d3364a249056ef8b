using System.Buffers.Text;
using PolicyStreams.Rules.Decisions;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>Writes decisions as DESIGN's JSON, from parts that were spelled when the policy was compiled. Thread-safe; allocates nothing.</summary>
public static class DecisionWriter
{
    private const long MillisecondsMin = -62_135_596_800_000;
    private const long MillisecondsMax = 253_402_300_799_999;

    /// <summary>Appends one decision. The verdict gives outcome, policy, rules, and the rest.</summary>
    /// <param name="principal">Left out where it is nobody (<c>via</c> none).</param>
    /// <param name="full">True writes also empty lists (for <c>policystreams decide</c>).</param>
    public static void Write(ByteBuffer output, Verdict verdict, Principal principal, in DecisionFacts facts, bool full = false)
    {
        DecisionParts parts = verdict.Binding.Parts;
        Id(output, parts, facts);
        output.Append("\",\"seq\":"u8);
        JsonText.Append(output, facts.Seq);
        if (facts.Event == "decided") { output.Append(",\"event\":\"decided\""u8); }
        else
        {
            output.Append(",\"event\":"u8);
            JsonText.Append(output, facts.Event);
        }

        FiredSet fired = verdict.Fired;
        output.Append(fired.Outcome switch
        {
            Outcome.Allow => ",\"outcome\":\"allow\",\"time\":\""u8,
            Outcome.Deny => ",\"outcome\":\"deny\",\"time\":\""u8,
            _ => ",\"outcome\":\"hold\",\"time\":\""u8,
        });
        Time(output, facts.TimeMs);
        output.Append((byte)'"');
        output.Append(parts.Policy);
        output.Append(full ? fired.ListsFull : fired.Lists);
        if (full || verdict.Errors.Count > 0) { Errors(output, verdict.Errors); }
        Who(output, principal, full);
        if (verdict.SchemaId is { } schema)
        {
            output.Append(",\"schema\":"u8);
            JsonText.Append(output, schema);
        }

        output.Append(full ? fired.TagsFull : fired.TagsJson);
        output.Append(full ? verdict.MaskedSet.JsonFull : verdict.MaskedSet.Json);

        output.Append(fired.ToJson);
        if (facts.Behind is { } behind)
        {
            output.Append(",\"behind\":"u8);
            JsonText.Append(output, behind);
        }

        if (!facts.Before.IsEmpty) { Digest(output, ",\"before\":\""u8, facts.Before); }
        if (!facts.After.IsEmpty) { Digest(output, ",\"after\":\""u8, facts.After); }
        output.Append((byte)'}');
    }

    private static void Id(ByteBuffer output, DecisionParts parts, in DecisionFacts facts)
    {
        if (ReferenceEquals(parts.Topic, facts.Topic) || parts.Topic == facts.Topic) { output.Append(parts.Start); }
        else
        {
            output.Append("{\"v\":1,\"id\":\""u8);
            JsonText.AppendEscaped(output, facts.Topic);
            output.Append((byte)'-');
        }

        JsonText.Append(output, facts.Partition);
        output.Append((byte)'-');
        JsonText.Append(output, facts.Offset);
        if (!string.IsNullOrEmpty(facts.IdSuffix)) { JsonText.AppendEscaped(output, facts.IdSuffix); }
    }

    /// <summary>ISO 8601 in UTC with milliseconds; what a date cannot hold is written as the nearest it can.</summary>
    private static void Time(ByteBuffer output, long milliseconds)
    {
        milliseconds = Math.Clamp(milliseconds, MillisecondsMin, MillisecondsMax);
        long day = Math.DivRem(milliseconds - MillisecondsMin, 86_400_000, out long within);
        DateOnly date = DateOnly.FromDayNumber((int)day);
        Span<byte> space = output.GetSpan(24);
        (int seconds, int ms) = Math.DivRem((int)within, 1000);
        Digits(space, 0, date.Year, 4);
        space[4] = (byte)'-';
        Digits(space, 5, date.Month, 2);
        space[7] = (byte)'-';
        Digits(space, 8, date.Day, 2);
        space[10] = (byte)'T';
        Digits(space, 11, seconds / 3600, 2);
        space[13] = (byte)':';
        Digits(space, 14, seconds / 60 % 60, 2);
        space[16] = (byte)':';
        Digits(space, 17, seconds % 60, 2);
        space[19] = (byte)'.';
        Digits(space, 20, ms, 3);
        space[23] = (byte)'Z';
        output.Advance(24);
    }

    private static void Digits(Span<byte> space, int at, int number, int count)
    {
        for (int i = at + count - 1; i >= at; i--)
        {
            space[i] = (byte)('0' + (number % 10));
            number /= 10;
        }
    }

    private static void Who(ByteBuffer output, Principal principal, bool full)
    {
        if (!full && principal.Id.Length == 0 && principal.Via == "none") { return; }
        output.Append(",\"principal\":{\"id\":"u8);
        JsonText.Append(output, principal.Id);
        if (principal.OwnGroups || full)
        {
            output.Append(",\"groups\":"u8);
            JsonText.AppendArray(output, principal.Groups);
        }

        output.Append(",\"via\":"u8);
        JsonText.Append(output, principal.Via);
        output.Append((byte)'}');
    }

    private static void Errors(ByteBuffer output, List<DecisionError> errors)
    {
        output.Append(",\"errors\":["u8);
        for (int i = 0; i < errors.Count; i++)
        {
            if (i > 0) { output.Append((byte)','); }
            output.Append("{\"rule\":"u8);
            JsonText.Append(output, errors[i].Rule);
            output.Append(",\"code\":"u8);
            JsonText.Append(output, errors[i].Code);
            output.Append((byte)'}');
        }

        output.Append((byte)']');
    }

    private static void Digest(ByteBuffer output, ReadOnlySpan<byte> name, ReadOnlySpan<byte> digest)
    {
        output.Append(name);
        Base64Url.EncodeToUtf8(digest, output.GetSpan(Base64Url.GetEncodedLength(digest.Length)), out _, out int written);
        output.Advance(written);
        output.Append((byte)'"');
    }
}
