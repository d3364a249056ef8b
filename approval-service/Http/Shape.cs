using PolicyStreams.Processor.Holds;

namespace PolicyStreams.ApprovalService.Http;

/// <summary>Holds as the API tells them.</summary>
internal static class Shape
{
    internal static HoldSummary Summary(OpenHold hold)
    {
        HoldState state = hold.State;
        return new HoldSummary
        {
            Id = state.Id,
            Binding = state.Binding,
            Policy = state.Policy,
            Rules = state.Rules,
            Reasons = state.Reasons,
            Key = state.Key,
            Decided = DateTimeOffset.FromUnixTimeMilliseconds(state.DecidedMs),
            Expires = Instant(state.ExpiresMs),
            Behind = state.Behind,
            Terms = Terms(state),
        };
    }

    internal static HoldDetail Detail(OpenHold hold, bool mayDecide)
    {
        HoldState state = hold.State;
        return new HoldDetail
        {
            Id = state.Id,
            Binding = state.Binding,
            Policy = state.Policy,
            Rules = state.Rules,
            Reasons = state.Reasons,
            Key = state.Key,
            Decided = DateTimeOffset.FromUnixTimeMilliseconds(state.DecidedMs),
            Expires = Instant(state.ExpiresMs),
            Behind = state.Behind,
            Terms = Terms(state),
            Digest = state.Digest,
            Principal = new HoldProducer(state.Principal.Id, state.Principal.Groups, state.Principal.Via),
            Schema = state.Schema,
            Reheld = state.Reheld,
            View = new RawJson(state.View),
            ViewDigest = state.ViewDigest,
            Record = state.Record,
            Statements = [.. state.Statements.Select(statement => new HoldStatement(statement.Verdict, statement.Issuer, statement.Subject, statement.Groups, DateTimeOffset.FromUnixTimeMilliseconds(statement.TimeMs)))],
            MayDecide = mayDecide,
        };
    }

    private static DateTimeOffset? Instant(long? unixMs) => unixMs is { } ms ? DateTimeOffset.FromUnixTimeMilliseconds(ms) : null;

    private static IReadOnlyList<HoldTerm> Terms(HoldState state) =>
        [.. HoldTally.Progress(state).Select(term => new HoldTerm(
            term.Terms.Rule, term.Terms.Reason, term.Terms.Approvers, term.Terms.Quorum, term.Approved, term.Terms.OnExpiry, term.Terms.Scope, term.Terms.OwnGroupMayApprove))];
}
