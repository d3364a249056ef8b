using System.Text.Json;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Processor.Testing;

namespace PolicyStreams.Processor.Tests.Topology;

/// <summary><c>scope: key</c>: what comes later of a held record's key waits, and follows in order.</summary>
public sealed class KeyScopeTests : IDisposable
{
    private static readonly string Rules = Payments.Rules.Replace("quorum: 2", "quorum: 1, scope: key", StringComparison.Ordinal);

    private readonly TestClock _clock = new();
    private readonly StatementSigner _signer = StatementSigner.Generate();
    private readonly StatementVerifier _verifier;
    private readonly TopologyDriver _driver;

    public KeyScopeTests()
    {
        _verifier = StatementVerifier.TryParse(_signer.PublicJwks(), out _)!;
        _driver = new TopologyDriver(Payments.Policy(Rules), _clock, new DriverKeys(Payments.AuditKey, Payments.HoldKey, _verifier));
    }

    public void Dispose()
    {
        _driver.Dispose();
        _verifier.Dispose();
        _signer.Dispose();
    }

    [Fact]
    public void Pipe_LaterRecordsOfTheKey_AreHeldBehindTheOneBefore()
    {
        Pipe("c-1", 5000, "a");
        Pipe("c-1", 10, "b");
        Pipe("c-2", 10, "other");
        Pipe("c-1", 10, "c", country: "KP");
        _driver.Pipe(Payments.Ingress, Payments.Utf8("c-1"), [1, 2, 3]);

        Assert.Equal(["hold", "hold", "allow", "hold", "hold"], _driver.Decisions().Select(Outcome));
        Assert.Equal([null, Id(0), null, Id(1), Id(3)], _driver.Decisions().Select(Behind));
        Assert.Equal(["other"], Governed());
        Assert.Empty(_driver.Read("rejected.payments"));
        Assert.Equal(4, _driver.OpenHolds);
        HoldState waits = Payments.Hold(_driver, Id(1))!;
        Assert.Equal((Id(0), null, true), (waits.Behind, waits.ExpiresMs, waits.Ordered));
        Assert.Empty(waits.Terms);
        JsonElement decided = _driver.Decisions()[1];
        Assert.Equal("held.payments", decided.GetProperty("to").GetString());
        Assert.False(decided.TryGetProperty("masked", out _));
        Assert.False(decided.TryGetProperty("reasons", out _));
    }

    [Fact]
    public void Release_OfTheFirst_LetsTheOthersFollowInOrderAsThePolicyInForceSays()
    {
        Pipe("c-1", 5000, "a");
        Pipe("c-1", 10, "b");
        Pipe("c-1", 10, "denied", country: "KP");
        Pipe("c-1", 10, "c");
        Say(0);

        Assert.Equal(["a", "b", "c"], Governed());
        Assert.Equal([Id(0) + "/end", Id(1) + "/end", Id(3) + "/end"], _driver.Decisions("released").Select(Name));
        Assert.Equal([Id(2) + "/end"], _driver.Decisions("refused").Select(Name));
        Assert.Equal(0, _driver.OpenHolds);
        Pipe("c-1", 10, "d");
        Assert.Equal(["a", "b", "c", "d"], Governed());
    }

    [Fact]
    public void Refusal_OfTheFirst_LetsTheOthersFollow()
    {
        Pipe("c-1", 5000, "a");
        Pipe("c-1", 10, "b");
        Say(0, StatementVerdict.Reject);

        Assert.Equal(["b"], Governed());
        Assert.Single(_driver.Decisions("refused"));
    }

    [Fact]
    public void Expiry_OfTheFirst_LetsTheOthersFollow()
    {
        Pipe("c-1", 5000, "a");
        Pipe("c-1", 10, "b");
        _clock.Advance(TimeSpan.FromHours(2));
        _driver.Punctuate();

        Assert.Equal(["b"], Governed());
        Assert.Equal([Id(0) + "/end"], _driver.Decisions("expired").Select(Name));
    }

    [Fact]
    public void Approve_OfOneThatWaits_ReleasesItOnlyInItsTurn()
    {
        Pipe("c-1", 5000, "a");
        Pipe("c-1", 10, "b");
        Pipe("c-1", 6000, "c");
        Say(2);
        Assert.Empty(Governed());
        Assert.Equal(3, _driver.OpenHolds);

        Say(0);
        Assert.Equal(["a", "b", "c"], Governed());
    }

    [Fact]
    public void Expiry_OfOneThatWaits_EndsItInItsTurn()
    {
        Pipe("c-1", 5000, "a");
        _clock.Advance(TimeSpan.FromMinutes(50));
        _driver.UsePolicy(Payments.Policy(Rules.Replace("expires: 1h", "expires: 1m", StringComparison.Ordinal)));
        Pipe("c-1", 6000, "b");
        _clock.Advance(TimeSpan.FromMinutes(2));
        _driver.Punctuate();
        Assert.Equal(2, _driver.OpenHolds);

        _clock.Advance(TimeSpan.FromMinutes(20));
        _driver.Punctuate();
        Assert.Equal([Id(0) + "/end", Id(1) + "/end"], _driver.Decisions("expired").Select(Name));
    }

    [Fact]
    public void Release_WhenThePolicyOfNowHoldsOneThatWaited_HoldsItAgainAndTheRestBehindIt()
    {
        Pipe("c-1", 5000, "a");
        Pipe("c-1", 900, "b");
        Pipe("c-1", 10, "c");
        _driver.UsePolicy(Payments.Policy(Rules.Replace("1000.0", "800.0", StringComparison.Ordinal)));
        Say(0);

        Assert.Equal(["a"], Governed());
        Assert.Single(_driver.Decisions("reheld"));
        HoldState again = Payments.Hold(_driver, Id(1))!;
        Assert.Null(again.Behind);
        Assert.Single(again.Terms);
        Pipe("c-1", 20, "d");
        Assert.Equal(Id(2), Behind(_driver.Decisions()[^1]));

        _driver.Crash();
        Say(1);
        Assert.Equal(["a", "b", "c", "d"], Governed());
    }

    [Fact]
    public void Release_WhenThePolicyOfNowHoldsWithoutKeyScope_NobodyElseWaits()
    {
        Pipe("c-1", 5000, "a");
        _driver.UsePolicy(Payments.Policy(Rules.Replace("quorum: 1, scope: key", "quorum: 2", StringComparison.Ordinal)));
        Say(0);
        Assert.Single(_driver.Decisions("reheld"));
        Pipe("c-1", 10, "b");

        Assert.Equal(["b"], Governed());
        Assert.False(Payments.Hold(_driver, Id(0))!.Ordered);
    }

    [Fact]
    public void Release_OfARecordHoldThatIsHeldAgainByKey_JoinsBeforeLaterOnes()
    {
        _driver.UsePolicy(Payments.Policy(Rules.Replace(", scope: key", "", StringComparison.Ordinal)));
        Pipe("c-1", 5000, "a");
        _driver.UsePolicy(Payments.Policy(Rules));
        Pipe("c-1", 6000, "b");
        Say(0);

        // Held again by key, and its record is the earlier one: what waited for nobody waits for it now.
        Assert.Single(_driver.Decisions("reheld"));
        Say(1);
        Assert.Empty(Governed());
        Say(0);
        Assert.Equal(["a", "b"], Governed());
    }

    [Fact]
    public void Crash_WithAQueue_RestoresItsOrder()
    {
        Pipe("c-1", 5000, "a");
        for (int i = 1; i <= 12; i++) { Pipe("c-1", 10, $"r{i}"); }
        _driver.Crash();
        Pipe("c-1", 10, "last");
        Assert.Equal(Id(12), Behind(_driver.Decisions()[^1]));
        _driver.Crash();
        Say(0);

        Assert.Equal(["a", .. Enumerable.Range(1, 12).Select(i => $"r{i}"), "last"], Governed());
    }

    [Fact]
    public void Abort_OfHoldsAndReleases_LeavesNothingOfThem()
    {
        Pipe("c-1", 5000, "a");
        _driver.AutoCommit = false;
        Pipe("c-1", 10, "b");
        Say(0);
        _driver.Abort();
        Assert.Equal(1, _driver.OpenHolds);

        _driver.Redeliver();
        _driver.Commit();
        _driver.Punctuate();
        _driver.Commit();

        Assert.Equal(["a", "b"], Governed());
        Assert.Equal(2, _driver.Decisions("released").Count);
        Assert.Equal(0, _driver.OpenHolds);
    }

    [Fact]
    public void Abort_OfAReleaseWithAQueue_KeepsTheQueue()
    {
        Pipe("c-1", 5000, "a");
        Pipe("c-1", 10, "b");
        Pipe("c-1", 10, "c");
        _driver.AutoCommit = false;
        Say(0);
        _driver.Abort();
        Pipe("c-1", 10, "d");
        Assert.Equal(4, _driver.OpenHolds);
        _driver.Abort();

        _driver.Redeliver();
        _driver.Commit();
        _driver.Punctuate();
        _driver.Commit();

        Assert.Equal(["a", "b", "c", "d"], Governed());
    }

    [Fact]
    public void Release_AndARecordBehindIt_InOneTransaction_EndsTheSecondInTheNext()
    {
        Pipe("c-1", 5000, "a");
        _driver.AutoCommit = false;
        Pipe("c-1", 10, "b");
        Say(0);
        _driver.Commit();
        Assert.Equal(["a"], Governed());
        _driver.Punctuate();
        _driver.Commit();

        Assert.Equal(["a", "b"], Governed());
    }

    [Fact]
    public void Pipe_WithoutAKey_IsHeldAlone()
    {
        _driver.Pipe(Payments.Ingress, null, Payments.Value("a", 5000));
        _driver.Pipe(Payments.Ingress, null, Payments.Value("b", 10));

        Assert.Equal(["hold", "allow"], _driver.Decisions().Select(Outcome));
        Assert.False(Payments.Hold(_driver, Id(0))!.Ordered);
    }

    [Fact]
    public void Pipe_AnEmptyKey_IsAKey()
    {
        Pipe("", 5000, "a");
        Pipe("", 10, "b");

        Assert.Equal(["hold", "hold"], _driver.Decisions().Select(Outcome));
    }

    [Fact]
    public void Pipe_BeyondTheLimitOfHolds_TakesNoMoreUntilSomeEnded()
    {
        _driver.Limits = new TaskLimits(3, 0);
        Pipe("c-1", 5000, "a");
        Pipe("c-1", 10, "b");
        Pipe("c-1", 10, "c");
        Pipe("c-1", 10, "d");
        Pipe("c-1", 10, "e");

        Assert.Equal(3, _driver.OpenHolds);
        Assert.Equal(3, _driver.Decisions().Count);
        Say(0);
        _driver.Redeliver();

        Assert.Equal(["a", "b", "c", "d", "e"], Governed());
        Assert.Equal(5, _driver.Decisions().Count);
    }

    [Fact]
    public void Statement_OnAHoldWhoseViewIsNotInMemory_KeepsTheView()
    {
        _driver.Limits = new TaskLimits(100, 0);
        _driver.UsePolicy(Payments.Policy(Rules.Replace("quorum: 1", "quorum: 2", StringComparison.Ordinal)));
        Pipe("c-1", 5000, "a");
        HoldState before = Payments.Hold(_driver, Id(0))!;
        Say(0);

        HoldState after = Payments.Hold(_driver, Id(0))!;
        Assert.Single(after.Statements);
        Assert.Equal((before.Key, before.ViewDigest), (after.Key, after.ViewDigest));
        Assert.Equal(before.View.ToArray(), after.View.ToArray());
        _driver.PipeStatement(Payments.Ingress, Id(0), Payments.Statement(_signer, after, "ben"));
        Assert.Equal(["a"], Governed());
    }

    [Fact]
    public void Crash_WithAnOrderedHoldWhoseRecordIsGone_IsRefusedByName()
    {
        Pipe("c-1", 5000, "a");
        _driver.Forget("held.payments");

        InvalidOperationException refused = Assert.Throws<InvalidOperationException>(_driver.Crash);
        Assert.Contains($"the held record of {Id(0)} is not on held.payments", refused.Message, StringComparison.Ordinal);
    }

    private static string Id(long offset) => $"raw.payments-0-{offset}";

    private static string? Outcome(JsonElement decision) => decision.GetProperty("outcome").GetString();

    private static string? Name(JsonElement decision) => decision.GetProperty("id").GetString();

    private static string? Behind(JsonElement decision) => decision.TryGetProperty("behind", out JsonElement behind) ? behind.GetString() : null;

    private void Pipe(string key, double amount, string id, string country = "US") => _driver.Pipe(Payments.Ingress, Payments.Utf8(key), Payments.Value(id, amount, country));

    private void Say(long offset, StatementVerdict verdict = StatementVerdict.Approve) =>
        _driver.PipeStatement(Payments.Ingress, Id(offset), Payments.Statement(_signer, Payments.Hold(_driver, Id(offset))!, "ana", verdict));

    private string[] Governed() => [.. _driver.Read("governed.payments").Select(record => Payments.Read(record.Value!).GetProperty("id").GetString()!)];
}
