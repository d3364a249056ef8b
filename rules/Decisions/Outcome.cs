namespace PolicyStreams.Rules;

/// <summary>What stands for a record after an event.</summary>
public enum Outcome : byte { Allow, Deny, Hold }

/// <summary>What an expired hold does.</summary>
public enum OnExpiry : byte { Deny, Allow }

/// <summary>What a hold holds back beside its own record.</summary>
public enum HoldScope : byte { Record, Key }

/// <summary>
/// The terms of one hold effect that fired. Immutable, made at load: the same instance for every record that the rule holds.
/// Two terms are the same where every member is (groups in order of the document).
/// </summary>
public sealed record HoldTerms
{
    /// <summary>The rule's id, or the cause's (<c>ps:error</c>, <c>ps:schema-mismatch</c>, <c>ps:tombstone</c>).</summary>
    public required string Rule { get; init; }

    /// <summary>Groups whose members may decide; at least one.</summary>
    public required IReadOnlyList<string> Approvers { get; init; }

    /// <summary>Distinct people needed. Default 1; 1 to 16.</summary>
    public int Quorum { get; init; } = 1;

    /// <summary>From the decision to expiry. 1 s to 90 d.</summary>
    public required TimeSpan Expires { get; init; }

    public OnExpiry OnExpiry { get; init; } = OnExpiry.Deny;

    public HoldScope Scope { get; init; } = HoldScope.Record;

    /// <summary>True where approvers from the producing principal's own groups count. Default false.</summary>
    public bool OwnGroupMayApprove { get; init; }

    public string Reason { get; init; } = "";

    public bool Equals(HoldTerms? other) =>
        other is not null && Rule == other.Rule && Quorum == other.Quorum && Expires == other.Expires && OnExpiry == other.OnExpiry && Scope == other.Scope
        && OwnGroupMayApprove == other.OwnGroupMayApprove && Reason == other.Reason && Approvers.SequenceEqual(other.Approvers);

    public override int GetHashCode() => HashCode.Combine(Rule, Quorum, Expires, Approvers.Count);
}

/// <summary>An error among a decision's evidence: <c>errors: [{rule, code}]</c>.</summary>
public readonly record struct DecisionError(string Rule, string Code);
