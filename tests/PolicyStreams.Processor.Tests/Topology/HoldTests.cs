using System.Text.Json;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Testing;

namespace PolicyStreams.Processor.Tests.Topology;

public sealed class HoldTests : IDisposable
{
    private const string Id = "raw.payments-0-0";

    private readonly TestClock _clock = new();
    private readonly StatementSigner _signer = StatementSigner.Generate();
    private readonly StatementVerifier _verifier;
    private readonly TopologyDriver _driver;
    private readonly byte[] _value = Payments.Value(amount: 5000);

    public HoldTests()
    {
        _verifier = StatementVerifier.TryParse(_signer.PublicJwks(), out _)!;
        _driver = new TopologyDriver(Payments.Policy(), _clock, new DriverKeys(Payments.AuditKey, Payments.HoldKey, _verifier));
        _driver.Pipe(Payments.Ingress, Payments.Utf8("c-1"), _value, [new("trace", Payments.Utf8("t-1"))], timestampMs: 1234);
    }

    public void Dispose()
    {
        _driver.Dispose();
        _verifier.Dispose();
        _signer.Dispose();
    }

    [Fact]
    public void Hold_KeepsTheOriginalBytes_AndShowsAMaskedView()
    {
        DriverRecord held = Assert.Single(_driver.Read("held.payments"));
        HoldState state = Payments.Hold(_driver, Id)!;

        Assert.Equal(_value, held.Value);
        Assert.Equal((Id, "c-1", "t-1", 1234L), (held.KeyText, held.Header("ps-key"), held.Header("trace"), held.TimestampMs));
        string view = System.Text.Encoding.UTF8.GetString(state.View.Span);
        Assert.Contains("************1111", view, StringComparison.Ordinal);
        Assert.DoesNotContain("4111", view, StringComparison.Ordinal);
        Assert.DoesNotContain("ana@example.com", view, StringComparison.Ordinal);
        Assert.Equal("c-1", state.Key);
        Assert.Empty(_driver.Read("governed.payments"));
    }

    [Fact]
    public void Hold_OfARecordWithAMaskedKey_ShowsTheMaskedKey()
    {
        _driver.UsePolicy(Payments.Policy(Payments.Rules + "\n  - { id: key, mask: { field: key, constant: '***' } }"));
        _driver.Pipe(Payments.Ingress, Payments.Utf8("c-2"), _value);

        Assert.Equal("***", Payments.Hold(_driver, "raw.payments-0-1")!.Key);
    }

    [Fact]
    public void Approve_ByTwoPeople_ReleasesOnceMasked()
    {
        Say("ana");
        Assert.Empty(_driver.Read("governed.payments"));
        Say("ben");

        DriverRecord governed = Assert.Single(_driver.Read("governed.payments"));
        Assert.Equal("************1111", Payments.Read(governed.Value!).GetProperty("card").GetString());
        Assert.Equal(("c-1", "t-1", 1234L), (governed.KeyText, governed.Header("trace"), governed.TimestampMs));
        Assert.Null(Payments.Hold(_driver, Id));
        Assert.Null(_driver.Read("held.payments")[^1].Value);
        JsonElement released = Assert.Single(_driver.Decisions("released"));
        Assert.Equal((Id + "/end", "allow"), (released.GetProperty("id").GetString(), released.GetProperty("outcome").GetString()));
        Assert.Equal(0, _driver.OpenHolds);
    }

    [Fact]
    public void Approve_TwiceByOnePerson_CountsOnce()
    {
        Say("ana");
        Say("ana");

        Assert.Equal([true, false], _driver.Decisions("approval").Select(decision => decision.GetProperty("counted").GetBoolean()));
        Assert.Equal("repeat", _driver.Decisions("approval")[1].GetProperty("why").GetString());
        Assert.Equal(1, _driver.OpenHolds);
    }

    [Theory]
    [InlineData("outsiders", "unentitled")]
    [InlineData("payments-producers", "unentitled")]
    public void Approve_ByWhoMayNot_ChangesNothingAndIsADecision(string group, string why)
    {
        HoldState hold = Payments.Hold(_driver, Id)!;
        _driver.PipeStatement(Payments.Ingress, Id, Payments.Statement(_signer, hold, "eve", group: group));

        Assert.Equal(why, _driver.Decisions("approval").Single().GetProperty("why").GetString());
        Assert.Empty(Payments.Hold(_driver, Id)!.Statements);
    }

    [Fact]
    public void Statement_OfAnotherKey_IsNotCountedAndAlarms()
    {
        using StatementSigner forger = StatementSigner.Generate();
        _driver.PipeStatement(Payments.Ingress, Id, Payments.Statement(forger, Payments.Hold(_driver, Id)!, "ana"));

        Assert.False(_driver.Decisions("approval").Single().GetProperty("counted").GetBoolean());
        Assert.Single(_driver.Alarms);
    }

    [Theory]
    [InlineData("cut", "malformed")]
    [InlineData("noise", "malformed")]
    [InlineData("changed", "bad-signature")]
    public void Statement_ThatCannotBeRead_IsADecisionAndAlarmsWithItsPosition_AndThoseBehindItCount(string how, string why)
    {
        byte[] good = Payments.Statement(_signer, Payments.Hold(_driver, Id)!, "ana"), bad = [.. good];
        switch (how)
        {
            case "cut":
                bad = good[..(good.Length / 2)];
                break;
            case "noise":
                new Random(7).NextBytes(bad);
                break;
            default:
                bad[^10] = bad[^10] == 'A' ? (byte)'B' : (byte)'A';
                break;
        }

        _driver.PipeStatement(Payments.Ingress, Id, bad);
        JsonElement decision = _driver.Decisions("approval").Single();
        Assert.Equal((false, why), (decision.GetProperty("counted").GetBoolean(), decision.GetProperty("why").GetString()));
        Assert.Contains($"approvals.payments-0-0 was not counted: {why}", Assert.Single(_driver.Alarms), StringComparison.Ordinal);

        _driver.PipeStatement(Payments.Ingress, Id, good);
        Assert.True(_driver.Decisions("approval")[^1].GetProperty("counted").GetBoolean());
    }

    [Fact]
    public void Statement_ForAnUnknownHold_IsADecisionWithoutItsKey()
    {
        HoldState hold = Payments.Hold(_driver, Id)!;
        _driver.PipeStatement(Payments.Ingress, "card 4111111111111111", Payments.Statement(_signer, hold, "ana"));

        JsonElement decision = _driver.Decisions("approval").Single();
        Assert.Equal("approvals.payments-0-0", decision.GetProperty("id").GetString());
        Assert.False(decision.GetProperty("counted").GetBoolean());
    }

    [Fact]
    public void Reject_ByOne_Refuses()
    {
        Say("ana", StatementVerdict.Reject);

        Assert.Equal("deny", Assert.Single(_driver.Decisions("refused")).GetProperty("outcome").GetString());
        Assert.Equal(_value, Assert.Single(_driver.Read("rejected.payments")).Value);
        Assert.Empty(_driver.Read("governed.payments"));
        Assert.Equal(0, _driver.OpenHolds);
    }

    [Fact]
    public void Expiry_AfterItsTime_DeniesOnce()
    {
        _clock.Advance(TimeSpan.FromMinutes(59));
        _driver.Punctuate();
        Assert.Equal(1, _driver.OpenHolds);

        _clock.Advance(TimeSpan.FromMinutes(2));
        _driver.Punctuate();
        _driver.Punctuate();

        Assert.Equal("deny", Assert.Single(_driver.Decisions("expired")).GetProperty("outcome").GetString());
        Assert.Equal(_value, Assert.Single(_driver.Read("rejected.payments")).Value);
    }

    [Fact]
    public void Approve_AppendedAfterExpiry_IsLate()
    {
        Say("ana");
        HoldState hold = Payments.Hold(_driver, Id)!;
        _driver.PipeStatement(Payments.Ingress, Id, Payments.Statement(_signer, hold, "ben"), appendedMs: hold.ExpiresMs!.Value);

        Assert.Equal("late", _driver.Decisions("approval")[^1].GetProperty("why").GetString());
        Assert.Equal(1, _driver.OpenHolds);
    }

    [Fact]
    public void Crash_BetweenTwoApprovals_RestoresTheHoldAndReleasesIt()
    {
        Say("ana");
        _driver.Crash();
        Assert.Equal(1, _driver.OpenHolds);
        Say("ben");

        Assert.Single(_driver.Decisions("released"));
        Assert.Single(_driver.Read("governed.payments"));
    }

    [Fact]
    public void Abort_OfARelease_ReleasesItOnceAfterwards()
    {
        Say("ana");
        _driver.AutoCommit = false;
        Say("ben");
        _driver.Abort();
        Assert.Empty(_driver.Read("governed.payments"));
        Assert.Equal(1, _driver.OpenHolds);

        _driver.Redeliver();
        _driver.Commit();

        Assert.Single(_driver.Read("governed.payments"));
        Assert.Single(_driver.Decisions("released"));
        Assert.Equal(0, _driver.OpenHolds);
    }

    [Fact]
    public void Release_WhenThePolicyOfNowDenies_Refuses()
    {
        Say("ana");
        _driver.UsePolicy(Payments.Policy(Payments.Rules + "\n  - { id: closed, when: value.amount > 4000.0, deny: { reason: closed } }"));
        HoldState hold = Payments.Hold(_driver, Id)!;
        _driver.PipeStatement(Payments.Ingress, Id, Payments.Statement(_signer, hold, "ben"));

        JsonElement refused = Assert.Single(_driver.Decisions("refused"));
        Assert.Contains("closed", refused.GetProperty("rules").EnumerateArray().Select(rule => rule.GetString()));
        Assert.Empty(_driver.Read("governed.payments"));
    }

    [Fact]
    public void Release_WhenThePolicyOfNowHoldsForOthers_HoldsAgainAndVoidsStatements()
    {
        Say("ana");
        _driver.UsePolicy(Payments.Policy(Payments.Rules.Replace("approvers: [risk], quorum: 2", "approvers: [board], quorum: 1", StringComparison.Ordinal)));
        _driver.PipeStatement(Payments.Ingress, Id, Payments.Statement(_signer, Payments.Hold(_driver, Id)!, "ben"));

        HoldState again = Payments.Hold(_driver, Id)!;
        Assert.Equal(1, again.Reheld);
        Assert.Empty(again.Statements);
        Assert.Equal(["board"], again.Terms.Single().Approvers);
        JsonElement reheld = Assert.Single(_driver.Decisions("reheld"));
        Assert.Equal($"{Id}/r-{reheld.GetProperty("seq").GetInt64()}", reheld.GetProperty("id").GetString());

        _driver.PipeStatement(Payments.Ingress, Id, Payments.Statement(_signer, again, "cy", group: "board"));
        Assert.Single(_driver.Decisions("released"));
    }

    [Fact]
    public void Expiry_ThatAllows_WhenThePolicyOfNowHoldsForOthers_HoldsAgainUnderItsDecisionsNumber()
    {
        string allows = Payments.Rules.Replace("on_expiry: deny", "on_expiry: allow", StringComparison.Ordinal);
        using var driver = new TopologyDriver(Payments.Policy(allows), _clock, new DriverKeys(Payments.AuditKey, Payments.HoldKey, _verifier));
        driver.Pipe(Payments.Ingress, null, _value);
        driver.UsePolicy(Payments.Policy(allows.Replace("approvers: [risk]", "approvers: [board]", StringComparison.Ordinal)));
        _clock.Advance(TimeSpan.FromHours(2));
        driver.Punctuate();

        JsonElement reheld = Assert.Single(driver.Decisions("reheld"));
        Assert.Equal($"{Id}/r-{reheld.GetProperty("seq").GetInt64()}", reheld.GetProperty("id").GetString());
        Assert.Empty(driver.Read("governed.payments"));
    }

    [Fact]
    public void Release_OfAnAlteredHeldRecord_NeverHappens()
    {
        using var unkeyed = new TopologyDriver(Payments.Policy(), _clock, new DriverKeys(Payments.AuditKey, default, _verifier));
        unkeyed.Pipe(Payments.Ingress, null, _value);
        HoldState hold = Payments.Hold(unkeyed, Id)!;
        foreach (string person in (string[])["ana", "ben"]) { unkeyed.PipeStatement(Payments.Ingress, Id, Payments.Statement(_signer, hold, person)); }

        Assert.All(unkeyed.Decisions("approval"), decision => Assert.Equal("no-hold-key", decision.GetProperty("why").GetString()));
        Assert.Empty(unkeyed.Read("governed.payments"));
        Assert.Equal(1, unkeyed.OpenHolds);
    }

    [Fact]
    public void Release_OfAHeldRecordWithOneBitChanged_NeverHappensAndAlarmsWithItsPosition()
    {
        _driver.Read("held.payments")[0].Value![^1] ^= 1;
        Say("ana");
        Say("ben");
        Assert.Empty(_driver.Read("governed.payments"));
        Assert.Contains("held.payments-0-0", Assert.Single(_driver.Alarms), StringComparison.Ordinal);

        _clock.Advance(TimeSpan.FromHours(2));
        _driver.Punctuate();
        Assert.Equal("held-record-altered", Assert.Single(_driver.Decisions("expired")).GetProperty("errors")[0].GetProperty("code").GetString());
        Assert.Empty(_driver.Read("governed.payments"));
    }

    private void Say(string subject, StatementVerdict verdict = StatementVerdict.Approve) =>
        _driver.PipeStatement(Payments.Ingress, Id, Payments.Statement(_signer, Payments.Hold(_driver, Id)!, subject, verdict));
}
