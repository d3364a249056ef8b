using System.Text;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Tests.Holds;

internal static class HoldSamples
{
    internal static readonly string Digest = HoldState.DigestOf("policy"u8);
    internal static readonly string Record = HoldState.DigestOf("record"u8);
    internal static readonly byte[] View = """{"amount":12000.0,"customer":{"email":"***"}}"""u8.ToArray();
    internal const long Decided = 1_767_323_045_678;

    internal static readonly HoldTerms Large = new() { Rule = "large-payment", Approvers = ["risk"], Quorum = 2, Expires = TimeSpan.FromHours(4), Reason = "large payment" };
    internal static readonly HoldTerms Steward = new() { Rule = "new-field", Approvers = ["data-platform", "risk-leads"], Expires = TimeSpan.FromHours(72) };

    internal static HoldState Hold(params HoldTerms[] terms) => new()
    {
        Id = "raw.payments-0-42",
        Binding = "payments",
        Policy = "payments",
        Digest = Digest,
        Rules = ["card-number", "large-payment"],
        Reasons = ["large payment"],
        Terms = terms.Length == 0 ? [Large] : terms,
        Principal = new Principal("checkout", ["payments-producers"], "topic"),
        Key = "c-1",
        Schema = 7,
        DecidedMs = Decided,
        ExpiresMs = Decided + 4 * 3_600_000,
        View = View,
        Record = Record,
        ViewDigest = HoldState.DigestOf(View),
    };

    internal static Statement Says(HoldState hold, string subject, StatementVerdict verdict = StatementVerdict.Approve, string issuer = "https://id.example", params string[] groups) => new()
    {
        Hold = hold.Id,
        Verdict = verdict,
        Issuer = issuer,
        Subject = subject,
        Groups = groups.Length == 0 ? ["risk"] : groups,
        Reason = "checked with the customer",
        Record = hold.Record,
        Policy = hold.Digest,
        View = hold.ViewDigest,
        IssuedAt = Decided / 1000,
        Id = "5f0c1f3e",
    };

    internal static byte[] Bytes(HoldState state)
    {
        var output = new ByteBuffer();
        state.Write(output);
        return output.Written.ToArray();
    }

    internal static string Text(HoldState state) => Encoding.UTF8.GetString(Bytes(state));

    /// <summary>Text of any kind: quotes, controls, and characters beyond the basic plane, but no lone surrogate.</summary>
    internal static string AnyText(Random random, int lengthMax)
    {
        string[] parts = ["a", "Z", "9", "\"", "\\", "\n", "\u0001", "é", "漢", "😀", " ", "/", "<", "\u2028"];
        return string.Concat(Enumerable.Range(0, random.Next(1, lengthMax)).Select(_ => parts[random.Next(parts.Length)]));
    }
}
