using System.Collections.Concurrent;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Rules;

namespace PolicyStreams.ApprovalService.Tests;

/// <summary>Holds that a test puts there.</summary>
internal sealed class FakeView : IHoldView
{
    internal SortedDictionary<string, OpenHold> Holds { get; } = new(StringComparer.Ordinal);

    public HoldViewStatus Status { get; set; } = new(true, []);

    public OpenHold? Find(string id) => Holds.GetValueOrDefault(id);

    public IReadOnlyList<OpenHold> Page(HoldCursor? after, int limit, Func<OpenHold, bool> filter) =>
        [.. Holds.Values.Where(filter).OrderBy(hold => hold.State.DecidedMs).ThenBy(hold => hold.State.Id, StringComparer.Ordinal)
            .Where(hold => after is not { } place || hold.State.DecidedMs > place.DecidedMs || (hold.State.DecidedMs == place.DecidedMs && string.CompareOrdinal(hold.State.Id, place.Id) > 0))
            .Take(limit)];
}

/// <summary>Keeps what the service wrote.</summary>
internal sealed class FakeSink : IStatementSink
{
    internal ConcurrentQueue<(OpenHold Hold, byte[] Jws)> Written { get; } = [];

    internal bool Fails { get; set; }

    public Task<long> WriteAsync(OpenHold hold, byte[] jws, CancellationToken cancellation)
    {
        if (Fails) { throw new StatementNotWrittenException("No broker."); }
        Written.Enqueue((hold, jws));
        return Task.FromResult(Written.Count - 1L);
    }
}

internal static class Samples
{
    internal const string Id = "raw.payments-3-42";

    internal static OpenHold Hold(string id = Id, string approvers = "risk", string binding = "payments", int quorum = 2, bool own = false, long decidedMs = 1_767_323_045_678, string view = """{"amount":12000.0}""")
    {
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(view);
        var state = new HoldState
        {
            Id = id,
            Binding = binding,
            Policy = "payments",
            Digest = HoldState.DigestOf("policy"u8),
            Rules = ["large-payment"],
            Reasons = ["large payment"],
            Terms = [new HoldTerms { Rule = "large-payment", Approvers = [approvers], Quorum = quorum, Expires = TimeSpan.FromHours(4), Reason = "large payment", OwnGroupMayApprove = own }],
            Principal = new Principal("checkout", ["payments-producers"], "topic"),
            Key = "c-1",
            Schema = 7,
            DecidedMs = decidedMs,
            ExpiresMs = decidedMs + 14_400_000,
            View = bytes,
            Record = HoldState.DigestOf("record"u8),
            ViewDigest = HoldState.DigestOf(bytes),
        };
        return new OpenHold(state, new HoldTopics("state." + binding, "approvals." + binding), 3);
    }
}
