namespace PolicyStreams.Processor.Holds;

/// <summary>What an approver says of a hold.</summary>
public enum StatementVerdict : byte { Approve, Reject }

/// <summary>
/// One approver's word on one hold, as the approval service signs it: on the approvals topic a compact JWS (RFC 7515, ES256) under key = hold id.
/// The processor decides what it is worth: see <see cref="HoldTally"/>.
/// </summary>
public sealed record Statement
{
    /// <summary>Longest reason, in characters; the shortest is one.</summary>
    public const int ReasonCharactersMax = 1000;

    /// <summary>Most groups that a statement may name.</summary>
    public const int GroupsMax = 256;

    /// <summary>The hold's id.</summary>
    public required string Hold { get; init; }

    public required StatementVerdict Verdict { get; init; }

    /// <summary>Issuer of the token that the approver came with. With <see cref="Subject"/> it is the person.</summary>
    public required string Issuer { get; init; }

    public required string Subject { get; init; }

    /// <summary>Of the approver's groups those that the hold's terms or its producer name: what the tally needs, and no more.</summary>
    public required IReadOnlyList<string> Groups { get; init; }

    public required string Reason { get; init; }

    /// <summary><see cref="HoldState.Record"/> as the approver saw it; null where the hold had none.</summary>
    public string? Record { get; init; }

    /// <summary><see cref="HoldState.Digest"/> as the approver saw it.</summary>
    public required string Policy { get; init; }

    /// <summary><see cref="HoldState.ViewDigest"/> as the approver saw it.</summary>
    public required string View { get; init; }

    /// <summary>When the service signed it, seconds since the Unix epoch. The broker's append time is what counts, this is for people.</summary>
    public required long IssuedAt { get; init; }

    /// <summary>The statement's own id, <c>jti</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Id, verdict, and hold: the reason is the approver's text and may say anything.</summary>
    public override string ToString() => $"{Id} {Verdict.Word()} {Hold}";
}

/// <summary>Spelling of verdicts, on the wire and in messages.</summary>
public static class StatementVerdicts
{
    public static string Word(this StatementVerdict verdict) => verdict == StatementVerdict.Reject ? "reject" : "approve";

    /// <returns>Null for any other text.</returns>
    public static StatementVerdict? Parse(string word) => word switch
    {
        "approve" => StatementVerdict.Approve,
        "reject" => StatementVerdict.Reject,
        _ => null,
    };
}
