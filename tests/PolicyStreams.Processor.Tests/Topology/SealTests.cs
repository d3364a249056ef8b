using System.Text.Json;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Processor.Testing;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Tests.Topology;

/// <summary><c>seal: KEY</c>: held and rejected values are for the key's owner alone.</summary>
public sealed class SealTests : IDisposable
{
    private const string Id = "raw.payments-0-0";
    private static readonly byte[] OldKey = Payments.Utf8("seal-key-1-0123456789-0123456789-01");
    private static readonly byte[] NewKey = Payments.Utf8("seal-key-2-0123456789-0123456789-02");

    private readonly TestClock _clock = new();
    private readonly StatementSigner _signer = StatementSigner.Generate();
    private readonly StatementVerifier _verifier;
    private readonly KeyRing _ring = Ring(("seal-key", OldKey));
    private readonly Sealer _sealer;
    private readonly TopologyDriver _driver;
    private readonly byte[] _value = Payments.Value(amount: 5000);

    public SealTests()
    {
        _verifier = StatementVerifier.TryParse(_signer.PublicJwks(), out _)!;
        _sealer = new Sealer(_ring);
        _driver = Driver(_ring);
    }

    public void Dispose()
    {
        _driver.Dispose();
        _sealer.Dispose();
        _verifier.Dispose();
        _signer.Dispose();
    }

    [Fact]
    public void Hold_Sealed_HasNoByteOfTheValueAndIsReleasedMasked()
    {
        _driver.Pipe(Payments.Ingress, Payments.Utf8("c-1"), _value);
        DriverRecord held = Assert.Single(_driver.Read("held.payments"));
        Assert.Equal("seal-key@1", held.Header("ps-seal"));
        Assert.Equal(_value.Length + Sealer.Overhead, held.Value!.Length);
        Assert.Equal(-1, held.Value.AsSpan().IndexOf(Payments.Utf8("4111")));
        JsonElement decided = Assert.Single(_driver.Decisions());
        Assert.NotEqual(decided.GetProperty("before").GetString(), decided.GetProperty("after").GetString());

        Approve(_driver, Id);
        Assert.Equal("************1111", Payments.Read(Assert.Single(_driver.Read("governed.payments")).Value!).GetProperty("card").GetString());
    }

    [Fact]
    public void Reject_Sealed_OpensForTheOwnerAndForNoOtherRecord()
    {
        _driver.Pipe(Payments.Ingress, Payments.Utf8("c-1"), Payments.Value(country: "KP"));
        DriverRecord rejected = Assert.Single(_driver.Read("rejected.payments"));

        Assert.Equal(SealOutcome.Opened, _sealer.TryOpen(rejected.Header("ps-seal")!, Payments.Utf8(rejected.Header("ps-decision")!), rejected.Value, out byte[] open));
        Assert.Equal(Payments.Value(country: "KP"), open);
        foreach (string other in (string[])["raw.payments-0-1", "raw.payments-1-0", "raw.cards-0-0"])
        {
            Assert.Equal(SealOutcome.Damaged, _sealer.TryOpen("seal-key@1", Payments.Utf8(other), rejected.Value, out _));
        }

        for (int i = 0; i < rejected.Value!.Length; i++)
        {
            byte[] altered = [.. rejected.Value];
            altered[i] ^= 1;
            Assert.Equal(SealOutcome.Damaged, _sealer.TryOpen("seal-key@1", Payments.Utf8(Id), altered, out _));
            Assert.Equal(SealOutcome.Damaged, _sealer.TryOpen("seal-key@1", Payments.Utf8(Id), rejected.Value.AsSpan(0, i), out _));
        }

        Assert.Equal(SealOutcome.NoKey, _sealer.TryOpen("seal-key@2", Payments.Utf8(Id), rejected.Value, out _));
    }

    [Fact]
    public void Seal_OfTheSameRecord_GivesTheSameBytes_AndOfAnotherValueAnotherNonce()
    {
        byte[] Once(string value)
        {
            var output = new ByteBuffer();
            Assert.Equal("seal-key@1", _sealer.Seal("seal-key", Payments.Utf8(Id), Payments.Utf8(value), output));
            return output.Written.ToArray();
        }

        Assert.Equal(Once("a"), Once("a"));
        Assert.NotEqual(Once("a")[1..13], Once("b")[1..13]);
        Assert.Equal(Sealer.Overhead, Once("").Length);
    }

    [Fact]
    public void Release_AfterTheKeyWasRotated_OpensWithTheVersionThatSealed()
    {
        using TopologyDriver driver = Driver(_ring);
        driver.Pipe(Payments.Ingress, Payments.Utf8("c-1"), _value);
        Assert.Null(_ring.Add("seal-key@2", NewKey));
        driver.Crash();
        driver.Pipe(Payments.Ingress, Payments.Utf8("c-1"), _value);
        Approve(driver, Id);
        Approve(driver, "raw.payments-0-1");

        Assert.Equal(["seal-key@1", "seal-key@2"], driver.Read("held.payments").Where(record => record.Value is not null).Select(record => record.Header("ps-seal")));
        Assert.Equal(2, driver.Read("governed.payments").Count);
    }

    [Fact]
    public void Release_WithoutTheKeyThatSealed_NeverHappens_AndTheRefusedValueStaysSealed()
    {
        _driver.Pipe(Payments.Ingress, Payments.Utf8("c-1"), _value);
        using TopologyDriver without = Driver(Ring(("other", NewKey)));
        without.Take(_driver);
        Approve(without, Id);
        Assert.Empty(without.Read("governed.payments"));
        Assert.Contains("seal-key@1", Assert.Single(without.Alarms), StringComparison.Ordinal);

        _clock.Advance(TimeSpan.FromHours(2));
        without.Punctuate();
        DriverRecord rejected = Assert.Single(without.Read("rejected.payments"));
        Assert.Equal("seal-key@1", rejected.Header("ps-seal"));
        Assert.Equal(SealOutcome.Opened, _sealer.TryOpen("seal-key@1", Payments.Utf8(Id), rejected.Value, out byte[] open));
        Assert.Equal(_value, open);
        Assert.Equal("no-seal-key", Assert.Single(without.Decisions("expired")).GetProperty("errors")[0].GetProperty("code").GetString());
    }

    [Fact]
    public void Release_OfASealedRecordThatWasAltered_NeverHappens()
    {
        _driver.Pipe(Payments.Ingress, Payments.Utf8("c-1"), _value);
        _driver.Read("held.payments")[0].Value![20] ^= 1;
        Approve(_driver, Id);

        Assert.Empty(_driver.Read("governed.payments"));
        Assert.Contains("held.payments-0-0", Assert.Single(_driver.Alarms), StringComparison.Ordinal);
    }

    [Fact]
    public void Expiry_OfASealedHold_RejectsItSealed()
    {
        _driver.Pipe(Payments.Ingress, Payments.Utf8("c-1"), _value);
        _clock.Advance(TimeSpan.FromHours(2));
        _driver.Punctuate();

        DriverRecord rejected = Assert.Single(_driver.Read("rejected.payments"));
        Assert.Equal(SealOutcome.Opened, _sealer.TryOpen(rejected.Header("ps-seal")!, Payments.Utf8(Id), rejected.Value, out byte[] open));
        Assert.Equal(_value, open);
    }

    [Fact]
    public void Reject_OfANullValue_StaysNull()
    {
        _driver.Pipe(Payments.Ingress, Payments.Utf8("c-1"), null);

        DriverRecord rejected = Assert.Single(_driver.Read("rejected.payments"));
        Assert.Null(rejected.Value);
        Assert.Null(rejected.Header("ps-seal"));
    }

    private static KeyRing Ring(params (string Name, byte[] Key)[] keys)
    {
        var ring = new KeyRing();
        foreach ((string name, byte[] key) in keys) { Assert.Null(ring.Add(name, key)); }
        return ring;
    }

    private TopologyDriver Driver(KeyRing ring) =>
        new(Payments.Policy(Payments.Rules.Replace("quorum: 2", "quorum: 1", StringComparison.Ordinal), "seal: seal-key"), _clock, new DriverKeys(Payments.AuditKey, Payments.HoldKey, _verifier, ring));

    private void Approve(TopologyDriver driver, string id) => driver.PipeStatement(Payments.Ingress, id, Payments.Statement(_signer, Payments.Hold(driver, id)!, "ana"));
}
