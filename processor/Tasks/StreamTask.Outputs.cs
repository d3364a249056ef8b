using System.Text;
using PolicyStreams.Processor.Audit;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Tasks;

/// <summary>Enforce: what goes to governed, rejected, and held.</summary>
internal sealed partial class StreamTask
{
    // A masked view larger than this is not kept: an approver cannot read it anyway, and the state topic's records stay small.
    private const int ViewBytesMax = 262_144;

    /// <summary>Writes the clean record. Returns the value that was written; empty for a null value.</summary>
    private ReadOnlySpan<byte> SendGoverned(in RecordInput input, Verdict verdict)
    {
        TaskContext context = _context;
        RecordHeaders headers = verdict.Headers;
        if (_binding.Document.Stamp)
        {
            WriteId(input.Offset, "");
            headers.Add(HeaderNames.Decision, context.Key.Written);
        }

        for (int i = 0; i < verdict.Tags.Count; i++)
        {
            context.Text.Clear();
            context.Text.Append(HeaderNames.Tag);
            AppendText(context.Text, verdict.Tags[i].Key);
            int name = context.Text.Length;
            AppendText(context.Text, verdict.Tags[i].Value);
            headers.Add(context.Text.Slice(0, name), context.Text.Slice(name, context.Text.Length - name));
        }

        ReadOnlySpan<byte> value = verdict.ValueRewritten ? context.Output.Slice(verdict.ValueStart, verdict.ValueLength) : input.Value;
        context.Sink.Send(new OutputRecord
        {
            Topic = verdict.To,
            Partition = Partition,
            HasKey = !verdict.KeyNulled && (input.HasKey || verdict.KeyRewritten),
            Key = verdict.KeyRewritten ? context.Output.Slice(verdict.KeyStart, verdict.KeyLength) : input.Key,
            HasValue = input.HasValue,
            Value = value,
            TimestampMs = input.TimestampMs,
            Headers = headers,
        });
        return input.HasValue ? value : default;
    }

    /// <summary>Writes the original bytes to the rejected topic, with the reasons in headers. Returns the value that was written.</summary>
    private ReadOnlySpan<byte> SendRejected(in RecordInput input, Verdict verdict, IReadOnlyList<string>? rules = null, IReadOnlyList<string>? reasons = null)
    {
        TaskContext context = _context;
        RecordHeaders headers = context.Headers;
        headers.Clear();
        CopyByChoice(input.Headers, headers);
        WriteId(input.Offset, "");
        headers.Add(HeaderNames.Decision, context.Key.Written);
        AddJoined(headers, HeaderNames.Rules, rules ?? verdict.Rules, ",");
        AddJoined(headers, HeaderNames.Reason, reasons ?? verdict.Reasons, "; ");
        context.Sink.Send(new OutputRecord
        {
            Topic = _topics.Rejected,
            Partition = Partition,
            HasKey = input.HasKey,
            Key = input.Key,
            HasValue = input.HasValue,
            Value = input.Value,
            TimestampMs = input.TimestampMs,
            Headers = headers,
        });
        return input.Value;
    }

    /// <summary>Writes the original bytes to the held topic, and the hold with its terms and masked view to the state topic. Returns the value that was written.</summary>
    private ReadOnlySpan<byte> SendHeld(in RecordInput input, Verdict verdict, long nowMs)
    {
        string id = $"{_topics.Ingress}-{Partition}-{input.Offset}";
        HoldTerms[] terms = [.. verdict.Holds];
        TimeSpan expires = terms.Min(term => term.Expires);
        _context.Text.Clear(zero: true);
        _context.Judge.WriteMaskedView(_binding, input, verdict, _context.Text, out string? key);
        byte[] view = _context.Text.Length is 0 or > ViewBytesMax ? "null"u8.ToArray() : _context.Text.Written.ToArray();
        string? hmac = _context.HoldHmac?.Compute(id, input.HasKey, input.Key, input.Headers, input.HasValue, input.Value, input.TimestampMs, terms);
        var state = new HoldState
        {
            Id = id,
            Binding = _binding.Document.Name,
            Policy = _binding.Policy.Document.Name,
            Digest = _binding.Policy.Digest,
            Rules = [.. verdict.Rules],
            Reasons = [.. verdict.Reasons],
            Terms = terms,
            Principal = input.Principal,
            Key = key,
            Schema = verdict.SchemaId,
            DecidedMs = nowMs,
            ExpiresMs = nowMs + (long)expires.TotalMilliseconds,
            View = view,
            ViewDigest = HoldState.DigestOf(view),
            Record = hmac,
        };
        var hold = new TaskHold(input.Offset, state);
        SendHeldRecord(input, hold, verdict.Rules, verdict.Reasons);
        PutHold(hold, nowMs);
        return input.Value;
    }

    private void SendHeldRecord(in RecordInput input, TaskHold hold, IReadOnlyList<string> rules, IReadOnlyList<string> reasons)
    {
        TaskContext context = _context;
        RecordHeaders headers = context.Headers;
        headers.Clear();
        CopyAll(input.Headers, headers);
        WriteId(input.Offset, "");
        headers.Add(HeaderNames.Decision, context.Key.Written);
        AddJoined(headers, HeaderNames.Rules, rules, ",");
        AddJoined(headers, HeaderNames.Reason, reasons, "; ");
        if (input.HasKey) { headers.Add(HeaderNames.Key, input.Key); }
        if (!input.HasValue) { headers.Add(HeaderNames.Null, "1"u8); }
        hold.InTransaction = true;
        if (hold.State.Record is { } hmac) { headers.Add(HeaderNames.Hmac, DigestText.Utf8(hmac)); }
        context.Sink.Send(
            new OutputRecord
            {
                Topic = _topics.Held,
                Partition = Partition,
                HasKey = true,
                Key = context.Key.Written,
                HasValue = true,
                Value = input.Value,
                TimestampMs = input.TimestampMs,
                Headers = headers,
            },
            hold);
    }

    private void CopyByChoice(RecordHeaders from, RecordHeaders to)
    {
        switch (_binding.Document.Headers)
        {
            case HeaderChoice.Keep:
                CopyAll(from, to);
                break;
            case HeaderChoice.Names:
                for (int i = 0; i < from.Count; i++)
                {
                    if (_binding.Document.HeaderNames.Contains(Encoding.UTF8.GetString(from.Name(i)))) { to.Add(from.Name(i), from.Value(i), from.IsNull(i)); }
                }

                break;
        }
    }

    private static void CopyAll(RecordHeaders from, RecordHeaders to)
    {
        for (int i = 0; i < from.Count; i++) { to.Add(from.Name(i), from.Value(i), from.IsNull(i)); }
    }

    private void AddJoined(RecordHeaders headers, ReadOnlySpan<byte> name, IReadOnlyList<string> texts, string separator)
    {
        ByteBuffer text = _context.Text;
        text.Clear();
        for (int i = 0; i < texts.Count; i++)
        {
            if (i > 0) { AppendText(text, separator); }
            AppendText(text, texts[i]);
        }

        headers.Add(name, text.Written);
    }
}
