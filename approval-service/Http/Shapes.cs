using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Rules;

namespace PolicyStreams.ApprovalService.Http;

/// <summary>A page of open holds, oldest first.</summary>
/// <param name="Next">Hand it back as <c>after</c> for the next page; absent on the last.</param>
internal sealed record HoldPage(IReadOnlyList<HoldSummary> Holds, string? Next);

/// <summary>An open hold in a list.</summary>
internal record HoldSummary
{
    [Description("The id of the decision that held the record: ingress topic, partition, offset.")]
    public required string Id { get; init; }

    public required string Binding { get; init; }

    [Description("Name of the policy.")]
    public required string Policy { get; init; }

    [Description("Rules and causes that fired.")]
    public required IReadOnlyList<string> Rules { get; init; }

    public required IReadOnlyList<string> Reasons { get; init; }

    [Description("The masked view of the record's key.")]
    public string? Key { get; init; }

    public required DateTimeOffset Decided { get; init; }

    [Description("Statements that the broker appends from this instant on are late. Absent for a record that only waits behind another.")]
    public DateTimeOffset? Expires { get; init; }

    [Description("The hold of the same key that this one waits behind.")]
    public string? Behind { get; init; }

    [Description("All of them must be met.")]
    public required IReadOnlyList<HoldTerm> Terms { get; init; }
}

/// <summary>An open hold with all that is known of it.</summary>
internal sealed record HoldDetail : HoldSummary
{
    [Description("Digest of the policy that the hold was decided under.")]
    public required string Digest { get; init; }

    public required HoldProducer Principal { get; init; }

    [Description("Schema id of the record's value.")]
    public int? Schema { get; init; }

    [Description("How often it was held again under other terms.")]
    public int Reheld { get; init; }

    [Description("The record as a release would publish it, masks applied.")]
    public required RawJson View { get; init; }

    [Description("SHA-256 (base64url) of the bytes of `view`.")]
    public required string ViewDigest { get; init; }

    [Description("HMAC of the held record; absent where the processor has no hold key, and then nothing is ever released.")]
    public string? Record { get; init; }

    [Description("Statements that counted so far.")]
    public required IReadOnlyList<HoldStatement> Statements { get; init; }

    [Description("Whether the caller may decide it.")]
    public required bool MayDecide { get; init; }
}

/// <summary>Who produced the record.</summary>
internal sealed record HoldProducer(string Id, IReadOnlyList<string> Groups, string Via);

/// <summary>One rule's terms, and how far they are.</summary>
internal sealed record HoldTerm(string Rule, string Reason, IReadOnlyList<string> Approvers, int Quorum, int Approved, OnExpiry OnExpiry, HoldScope Scope, bool OwnGroupMayApprove);

/// <summary>A statement that counted.</summary>
internal sealed record HoldStatement(StatementVerdict Verdict, string Issuer, string Subject, IReadOnlyList<string> Groups, DateTimeOffset Time);

/// <summary>What an approver says.</summary>
internal sealed record Judgement
{
    [Description("Why: 1 to 1000 characters. It goes into the signed statement.")]
    public string? Reason { get; init; }

    [Description("The `view_digest` of what the approver saw; where given, another one is refused.")]
    public string? View { get; init; }
}

/// <summary>A statement that Kafka has. The processor decides what it is worth: see the decision `HOLD/a-OFFSET`.</summary>
internal sealed record Stated(string Statement, string Hold, StatementVerdict Verdict, string Decision);

/// <summary>Health.</summary>
internal sealed record Health(string Status, IReadOnlyList<string> Reasons);

/// <summary>JSON that is passed on byte for byte.</summary>
[JsonConverter(typeof(Converter))]
internal readonly record struct RawJson(ReadOnlyMemory<byte> Utf8)
{
    public override string ToString() => "JSON";

    [SuppressMessage("Performance", "CA1812:Avoid uninstantiated internal classes", Justification = "Made by the serializer.")]
    private sealed class Converter : JsonConverter<RawJson>
    {
        public override RawJson Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException("Only written.");

        public override void Write(Utf8JsonWriter writer, RawJson value, JsonSerializerOptions options) => writer.WriteRawValue(value.Utf8.Span, skipInputValidation: true);
    }
}
