using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Holds;

/// <summary>What a statement is worth to a hold.</summary>
public enum TallyOutcome : byte
{
    Counted,
    /// <summary>No such hold is open.</summary>
    UnknownHold,
    /// <summary>The statement speaks of another hold than its record's key.</summary>
    WrongHold,
    /// <summary>Made for other bytes, another policy, or another view than the hold has.</summary>
    DigestMismatch,
    /// <summary>Appended when the hold had expired, or at that instant.</summary>
    Late,
    /// <summary>The person is in none of the groups that the terms ask for.</summary>
    Unentitled,
    /// <summary>The person is of the producer's own, and no term that asks for their groups lets such a one decide.</summary>
    OwnGroup,
    /// <summary>The person has said the same before.</summary>
    Repeat,
}

/// <summary>Where a hold stands.</summary>
public enum HoldStanding : byte { Open, Met, Rejected }

/// <summary>How far one term is: distinct entitled people who approved.</summary>
public readonly record struct TermProgress(HoldTerms Terms, int Approved)
{
    public bool IsMet => Approved >= Terms.Quorum;
}

/// <summary>
/// Counts statements. Pure: no clock, no I/O. A person is issuer and subject together. A person may decide under a term who is in one of its approver groups and
/// not of the producer's own (in one of its groups, or the producing subject itself), unless the term says <c>own_group_may_approve</c>; one person may count for several terms.
/// </summary>
public static class HoldTally
{
    /// <summary>Whether a statement, its signature already checked, counts.</summary>
    /// <param name="key">The record's key on the approvals topic.</param>
    /// <param name="appendedMs">When the broker appended it (LogAppendTime), milliseconds since the Unix epoch.</param>
    /// <remarks>A reject counts after the same person's approve: whoever doubts may still stop it.</remarks>
    public static TallyOutcome Check(HoldState hold, Statement statement, string key, long appendedMs)
    {
        ArgumentNullException.ThrowIfNull(hold);
        ArgumentNullException.ThrowIfNull(statement);
        if (statement.Hold != hold.Id || key != hold.Id) { return TallyOutcome.WrongHold; }
        if (statement.Record != hold.Record || statement.Policy != hold.Digest || statement.View != hold.ViewDigest) { return TallyOutcome.DigestMismatch; }
        if (appendedMs >= hold.ExpiresMs) { return TallyOutcome.Late; }
        TallyOutcome entitled = Entitled(hold, statement.Subject, statement.Groups);
        if (entitled != TallyOutcome.Counted) { return entitled; }
        foreach (CountedStatement earlier in hold.Statements)
        {
            if (earlier.Verdict == statement.Verdict && earlier.Issuer == statement.Issuer && earlier.Subject == statement.Subject) { return TallyOutcome.Repeat; }
        }
        return TallyOutcome.Counted;
    }

    /// <summary>The hold with a statement that <see cref="Check"/> counted.</summary>
    /// <param name="offset">The statement's offset on the approvals topic.</param>
    public static HoldState Add(HoldState hold, Statement statement, long offset, long appendedMs)
    {
        ArgumentNullException.ThrowIfNull(hold);
        ArgumentNullException.ThrowIfNull(statement);
        var counted = new CountedStatement(offset, statement.Verdict, statement.Issuer, statement.Subject, statement.Groups, appendedMs);
        return hold with { Statements = [.. hold.Statements, counted] };
    }

    /// <summary>One entitled reject refuses; else the hold is met where every term is. A hold without terms of its own is met.</summary>
    public static HoldStanding Standing(HoldState hold)
    {
        ArgumentNullException.ThrowIfNull(hold);
        foreach (CountedStatement statement in hold.Statements)
        {
            if (statement.Verdict == StatementVerdict.Reject && Entitled(hold, statement.Subject, statement.Groups) == TallyOutcome.Counted) { return HoldStanding.Rejected; }
        }
        foreach (HoldTerms terms in hold.Terms)
        {
            if (Approved(hold, terms) < terms.Quorum) { return HoldStanding.Open; }
        }
        return HoldStanding.Met;
    }

    /// <summary>How far each term is, in the order of the hold's terms.</summary>
    public static IReadOnlyList<TermProgress> Progress(HoldState hold)
    {
        ArgumentNullException.ThrowIfNull(hold);
        return [.. hold.Terms.Select(terms => new TermProgress(terms, Approved(hold, terms)))];
    }

    /// <summary>Whether a person may decide under any term: <see cref="TallyOutcome.Counted"/>, <see cref="TallyOutcome.Unentitled"/>, or <see cref="TallyOutcome.OwnGroup"/>.</summary>
    public static TallyOutcome Entitled(HoldState hold, string subject, IReadOnlyList<string> groups)
    {
        ArgumentNullException.ThrowIfNull(hold);
        bool own = IsProducersOwn(hold.Principal, subject, groups);
        TallyOutcome outcome = TallyOutcome.Unentitled;
        foreach (HoldTerms terms in hold.Terms)
        {
            if (!Meet(terms.Approvers, groups)) { continue; }
            if (!own || terms.OwnGroupMayApprove) { return TallyOutcome.Counted; }
            outcome = TallyOutcome.OwnGroup;
        }
        return outcome;
    }

    /// <summary>Kebab-case, as the decision of event <c>approval</c> names it: <c>digest-mismatch</c>.</summary>
    public static string Code(this TallyOutcome outcome) => outcome switch
    {
        TallyOutcome.Counted => "counted",
        TallyOutcome.UnknownHold => "unknown-hold",
        TallyOutcome.WrongHold => "wrong-hold",
        TallyOutcome.DigestMismatch => "digest-mismatch",
        TallyOutcome.Late => "late",
        TallyOutcome.Unentitled => "unentitled",
        TallyOutcome.OwnGroup => "own-group",
        TallyOutcome.Repeat => "repeat",
        _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, "Not an outcome."),
    };

    private static int Approved(HoldState hold, HoldTerms terms)
    {
        int people = 0;
        for (int i = 0; i < hold.Statements.Count; i++)
        {
            CountedStatement statement = hold.Statements[i];
            if (statement.Verdict == StatementVerdict.Approve && Meet(terms.Approvers, statement.Groups)
                && (terms.OwnGroupMayApprove || !IsProducersOwn(hold.Principal, statement.Subject, statement.Groups)) && !IsCountedBefore(hold, terms, i)) { people++; }
        }
        return people;
    }

    // Stored statements are distinct people already; the count must not rest on that.
    private static bool IsCountedBefore(HoldState hold, HoldTerms terms, int index)
    {
        CountedStatement statement = hold.Statements[index];
        for (int i = 0; i < index; i++)
        {
            CountedStatement earlier = hold.Statements[i];
            if (earlier.Verdict == StatementVerdict.Approve && earlier.Issuer == statement.Issuer && earlier.Subject == statement.Subject && Meet(terms.Approvers, earlier.Groups)
                && (terms.OwnGroupMayApprove || !IsProducersOwn(hold.Principal, earlier.Subject, earlier.Groups))) { return true; }
        }
        return false;
    }

    private static bool IsProducersOwn(Principal producer, string subject, IReadOnlyList<string> groups) =>
        Meet(producer.Groups, groups) || (producer.Id.Length > 0 && producer.Id == subject);

    private static bool Meet(IReadOnlyList<string> some, IReadOnlyList<string> others)
    {
        for (int i = 0; i < some.Count; i++)
        {
            for (int j = 0; j < others.Count; j++)
            {
                if (some[i] == others[j]) { return true; }
            }
        }
        return false;
    }
}
