using System.Text.Json;
using PolicyStreams.Processor.Testing;

namespace PolicyStreams.Processor.Tests.Topology;

public sealed class RecordTests : IDisposable
{
    private readonly TestClock _clock = new();
    private readonly TopologyDriver _driver;

    public RecordTests() => _driver = new TopologyDriver(Payments.Policy(), _clock, new DriverKeys(Payments.AuditKey));

    public void Dispose() => _driver.Dispose();

    [Fact]
    public void Pipe_CleanRecord_IsGovernedMaskedWithItsDecision()
    {
        byte[] value = Payments.Value();
        _driver.Pipe(Payments.Ingress, Payments.Utf8("c-1"), value, [new("trace", Payments.Utf8("t-1"))], partition: 2, timestampMs: 1234);

        DriverRecord governed = Assert.Single(_driver.Read("governed.payments"));
        JsonElement plain = Payments.Read(governed.Value!);
        Assert.Equal("************1111", plain.GetProperty("card").GetString());
        Assert.Matches("^[0-9a-f]{32}$", plain.GetProperty("email").GetString()!);
        Assert.Equal("p-1", plain.GetProperty("id").GetString());
        Assert.Equal((2, 1234L, "c-1", "t-1", "raw.payments-2-0"), (governed.Partition, governed.TimestampMs, governed.KeyText, governed.Header("trace"), governed.Header("ps-decision")));
        JsonElement decision = Assert.Single(_driver.Decisions());
        Assert.Equal("raw.payments-2-0", decision.GetProperty("id").GetString());
        Assert.Equal("allow", decision.GetProperty("outcome").GetString());
        Assert.Equal(["card", "email"], decision.GetProperty("masked").EnumerateArray().Select(path => path.GetString()));
        Assert.Equal("2026-01-02T03:04:05.678Z", decision.GetProperty("time").GetString());
        Assert.Equal(43, decision.GetProperty("before").GetString()!.Length);
        Assert.NotEqual(decision.GetProperty("before").GetString(), decision.GetProperty("after").GetString());
    }

    [Fact]
    public void Pipe_DeniedRecord_KeepsItsBytesAndSaysWhy()
    {
        byte[] value = Payments.Value(country: "KP");
        _driver.Pipe(Payments.Ingress, Payments.Utf8("c-1"), value);

        DriverRecord rejected = Assert.Single(_driver.Read("rejected.payments"));
        Assert.Equal(value, rejected.Value);
        Assert.Equal(("sanctioned,card,email", "country is under embargo", "raw.payments-0-0"), (rejected.Header("ps-rules"), rejected.Header("ps-reason"), rejected.Header("ps-decision")));
        Assert.Empty(_driver.Read("governed.payments"));
        Assert.Equal("deny", _driver.Decisions().Single().GetProperty("outcome").GetString());
    }

    [Theory]
    [InlineData("", "empty-value")]
    [InlineData("00", "missing-id")]
    [InlineData("0000000007", "truncated")]
    [InlineData("7b7d7b7d7b7d", "not-framed")]
    public void Pipe_UndecodableRecord_IsDeniedAndTheNextIsNotAffected(string hex, string code)
    {
        _driver.Pipe(Payments.Ingress, null, Convert.FromHexString(hex));
        _driver.Pipe(Payments.Ingress, null, Payments.Value());

        Assert.Equal(code, _driver.Decisions()[0].GetProperty("errors")[0].GetProperty("code").GetString());
        Assert.Equal(["deny", "allow"], _driver.Decisions().Select(decision => decision.GetProperty("outcome").GetString()));
        Assert.Single(_driver.Read("governed.payments"));
    }

    [Fact]
    public void Pipe_UnknownSchemaId_IsDeniedWithItsCode()
    {
        byte[] value = Payments.Value();
        value[4] = 99;
        _driver.Pipe(Payments.Ingress, null, value);

        JsonElement decision = _driver.Decisions().Single();
        Assert.Equal("ps:schema-not-admitted", decision.GetProperty("rules")[0].GetString());
        Assert.Equal("unknown-schema-id", decision.GetProperty("errors")[0].GetProperty("code").GetString());
    }

    [Fact]
    public void Pipe_Route_AndTag_GoWhereTheySay()
    {
        _driver.Pipe(Payments.Ingress, null, Payments.Value(country: "DE"));
        _driver.Pipe(Payments.Ingress, null, Payments.Value(id: "app-1"));

        Assert.Single(_driver.Read("governed.payments.eu"));
        Assert.Equal("mobile", Assert.Single(_driver.Read("governed.payments")).Header("ps-tag-source"));
    }

    [Fact]
    public void Pipe_ProducersSystemHeaders_AreRemoved()
    {
        _driver.Pipe(Payments.Ingress, null, Payments.Value(), [new("ps-decision", Payments.Utf8("forged")), new("ps-tag-source", Payments.Utf8("forged")), new("mine", null)]);

        DriverRecord governed = Assert.Single(_driver.Read("governed.payments"));
        Assert.Equal(["mine", "ps-decision"], governed.Headers.Select(header => header.Key));
        Assert.Equal("raw.payments-0-0", governed.Header("ps-decision"));
    }

    [Theory]
    [InlineData("", "raw.payments-0-0")]
    [InlineData("stamp: decision", "raw.payments-0-0")]
    [InlineData("stamp: none", null)]
    public void Pipe_Stamp_IsTheBindingsForGovernedRecordsAlone(string binding, string? stamp)
    {
        using var driver = new TopologyDriver(Payments.Policy(binding: binding), _clock);
        driver.Pipe(Payments.Ingress, null, Payments.Value(), [new("ps-decision", Payments.Utf8("forged"))]);
        driver.Pipe(Payments.Ingress, null, Payments.Value(country: "KP"));
        driver.Pipe(Payments.Ingress, null, Payments.Value(amount: 5000));

        Assert.Equal(stamp, Assert.Single(driver.Read("governed.payments")).Header("ps-decision"));
        Assert.Equal("raw.payments-0-1", Assert.Single(driver.Read("rejected.payments")).Header("ps-decision"));
        Assert.Equal("raw.payments-0-2", Assert.Single(driver.Read("held.payments")).Header("ps-decision"));
    }

    [Fact]
    public void Decisions_CountEveryRecordWithoutAGap_AndAnnounceThePolicyOnce()
    {
        for (int i = 0; i < 20; i++) { _driver.Pipe(Payments.Ingress, null, i % 3 == 0 ? [1, 2] : Payments.Value()); }

        IReadOnlyList<JsonElement> all = [.. _driver.Decisions(null).Where(decision => decision.GetProperty("event").GetString() != "checkpoint")];
        Assert.Equal("policy", all[0].GetProperty("event").GetString());
        Assert.Single(_driver.Decisions("policy"));
        Assert.Equal(Enumerable.Range(1, 21).Select(seq => (long)seq), all.Select(decision => decision.GetProperty("seq").GetInt64()));
    }

    [Fact]
    public void Abort_ThenRedeliver_DecidesEachRecordOnceWithTheSameNumbers()
    {
        _driver.AutoCommit = false;
        _driver.Pipe(Payments.Ingress, null, Payments.Value("a"));
        _driver.Abort();
        Assert.Empty(_driver.Decisions(null));

        _driver.Redeliver();
        _driver.Commit();

        Assert.Single(_driver.Decisions());
        Assert.Equal([1L, 2L], _driver.Decisions(null).Where(d => d.GetProperty("event").GetString() != "checkpoint").Select(d => d.GetProperty("seq").GetInt64()));
        Assert.Single(_driver.Read("governed.payments"));
    }

    [Fact]
    public void Crash_BeforeACommit_LosesAndDoublesNothing()
    {
        _driver.Pipe(Payments.Ingress, null, Payments.Value("a"));
        _driver.AutoCommit = false;
        _driver.Pipe(Payments.Ingress, null, Payments.Value("b"));
        _driver.Crash();
        _driver.Redeliver();
        _driver.Commit();

        Assert.Equal(["raw.payments-0-0", "raw.payments-0-1"], _driver.Decisions().Select(decision => decision.GetProperty("id").GetString()));
        Assert.Equal(2, _driver.Read("governed.payments").Count);
        Assert.Single(_driver.Decisions("policy"));
    }

    [Fact]
    public void UsePolicy_BetweenTransactions_DecidesByTheNewDigestFromTheNextRecord()
    {
        _driver.Pipe(Payments.Ingress, null, Payments.Value());
        _driver.UsePolicy(Payments.Policy("  - { id: nothing, deny: { reason: closed } }"));
        _driver.Pipe(Payments.Ingress, null, Payments.Value());

        IReadOnlyList<JsonElement> decided = _driver.Decisions();
        Assert.Equal(["allow", "deny"], decided.Select(decision => decision.GetProperty("outcome").GetString()));
        Assert.Equal(decided.Select(decision => decision.GetProperty("digest").GetString()), _driver.Decisions("policy").Select(policy => policy.GetProperty("digest").GetString()));
    }
}
