using Microsoft.Extensions.Logging;
using PolicyStreams.ApprovalService.Auth;
using PolicyStreams.ApprovalService.Http;
using PolicyStreams.Processor.Holds;

namespace PolicyStreams.ApprovalService;

/// <summary>Takes an approver's word: checks it as far as the service can, signs it, and has it written. The processor decides what it is worth.</summary>
internal sealed partial class HoldDesk(IHoldView view, IStatementSink sink, StatementSigner signer, TimeProvider time, ILogger<HoldDesk> logger)
{
    internal bool IsReady => view.Status.Ready;

    internal HoldViewStatus Status => view.Status;

    /// <summary>Null where there is none, or none that the caller may see: they cannot tell which.</summary>
    internal OpenHold? Find(Caller caller, string id) => view.Find(id) is { } hold && caller.MaySee(hold) ? hold : null;

    internal IReadOnlyList<OpenHold> Page(Caller caller, string? binding, string? group, HoldCursor? after, int limit) =>
        view.Page(after, limit, hold => caller.MaySee(hold)
            && (binding is null || hold.State.Binding == binding)
            && (group is null || hold.State.Terms.Any(terms => terms.Approvers.Contains(group))));

    internal static bool MayDecide(Caller caller, OpenHold hold) => HoldTally.Entitled(hold.State, caller.Subject, caller.Groups) == TallyOutcome.Counted;

    /// <summary>Signs and writes.</summary>
    /// <exception cref="ProblemException">It was refused, or Kafka did not confirm it.</exception>
    internal async Task<Stated> State(Caller caller, OpenHold hold, StatementVerdict verdict, string reason, CancellationToken cancellation)
    {
        HoldState state = hold.State;
        switch (HoldTally.Entitled(state, caller.Subject, caller.Groups))
        {
            case TallyOutcome.OwnGroup: throw new ProblemException(Problem.OwnGroup);
            case not TallyOutcome.Counted: throw new ProblemException(Problem.Unentitled);
        }
        foreach (CountedStatement earlier in state.Statements)
        {
            if (earlier.Verdict == verdict && earlier.Issuer == caller.Issuer && earlier.Subject == caller.Subject) { throw new ProblemException(Problem.Repeat); }
        }
        var statement = new Statement
        {
            Hold = state.Id,
            Verdict = verdict,
            Issuer = caller.Issuer,
            Subject = caller.Subject,
            Groups = caller.GroupsThatMatter(state),
            Reason = reason,
            Record = state.Record,
            Policy = state.Digest,
            View = state.ViewDigest,
            IssuedAt = time.GetUtcNow().ToUnixTimeSeconds(),
            Id = Guid.NewGuid().ToString("N"),
        };
        try
        {
            long offset = await sink.WriteAsync(hold, signer.Sign(statement), cancellation).ConfigureAwait(false);
            LogStated(logger, statement.Id, verdict.Word(), state.Id, offset);
            return new Stated(statement.Id, state.Id, verdict, FormattableString.Invariant($"{state.Id}/a-{offset}"));
        }
        catch (StatementNotWrittenException failure)
        {
            LogNotWritten(logger, statement.Id, verdict.Word(), state.Id, failure.Message);
            throw new ProblemException(Problem.NotWritten, failure);
        }
    }

    [LoggerMessage(ApprovalServiceEvents.Stated, LogLevel.Information, "Statement {Statement}: {Verdict} of {Hold}, at offset {Offset} of its partition of approvals")]
    private static partial void LogStated(ILogger logger, string statement, string verdict, string hold, long offset);

    [LoggerMessage(ApprovalServiceEvents.NotWritten, LogLevel.Error, "Statement {Statement}: {Verdict} of {Hold} was not confirmed. {Reason}")]
    private static partial void LogNotWritten(ILogger logger, string statement, string verdict, string hold, string reason);
}
