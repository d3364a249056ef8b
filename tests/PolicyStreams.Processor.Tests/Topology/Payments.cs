using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Testing;
using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Tests.Topology;

/// <summary>A small policy with every effect, its schema, keys, and records, for tests of the topology.</summary>
internal static class Payments
{
    public const string Ingress = "raw.payments";
    public const int SchemaId = 7;

    public const string SchemaText = """
        {"type":"record","name":"Payment","fields":[
          {"name":"id","type":"string"},
          {"name":"amount","type":"double"},
          {"name":"country","type":"string"},
          {"name":"card","type":"string","confluent:tags":["PAN"]},
          {"name":"email","type":["null","string"],"default":null}]}
        """;

    public const string Rules = """
          - { id: sanctioned, when: 'value.country == "KP"', deny: { reason: country is under embargo } }
          - { id: card, mask: { tag: PAN, keep_last: 4 } }
          - { id: email, mask: { field: email, hmac: customer-key } }
          - { id: large, when: value.amount > 1000.0, hold: { approvers: [risk], quorum: 2, expires: 1h, on_expiry: deny, reason: large payment } }
          - { id: eu, when: 'value.country == "DE"', route: { to: governed.payments.eu } }
          - { id: mobile, when: 'value.id.startsWith("app-")', tag: { source: mobile } }
        """;

    private static readonly AvroSchema Schema = AvroSchema.Parse(SchemaText);

    public static ReadOnlyMemory<byte> HoldKey { get; } = "hold-key-0123456789-0123456789-01"u8.ToArray();

    public static ReadOnlyMemory<byte> AuditKey { get; } = "audit-key-0123456789-0123456789-0"u8.ToArray();

    public static CompiledPolicy Policy(string rules = Rules, string binding = "")
    {
        string text = $$"""
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: payments, owner: risk-platform }
            bindings:
              - name: payments
                format: avro
                subject: raw.payments-value
                key_format: string
                identity: { topic: { id: checkout, groups: [payments-producers] } }
                topics: { routes: [governed.payments.eu] }
                {{binding}}
            on_error: deny
            on_schema_mismatch: deny
            rules:
            {{rules}}
            """;
        PolicyLoad load = PolicySet.Load([new PolicyFile("payments.policy.yaml", text)]);
        Assert.True(load.Set is not null, string.Join('\n', load.Diagnostics));
        var keys = new KeyRing();
        Assert.Null(keys.Add("customer-key", "customer-key-0123456789-0123456789"u8));
        Assert.Null(keys.Add("seal-key", "seal-key-0-0123456789-0123456789-00"u8));
        var diagnostics = new List<Diagnostic>();
        CompiledPolicy? policy = CompiledPolicy.Compile(
            load.Set.Policies[0],
            new Dictionary<string, SubjectSchemas> { ["payments"] = new("raw.payments-value", [new SchemaVersion(1, SchemaId, Schema)]) },
            keys, diagnostics);
        Assert.True(policy is not null, string.Join('\n', diagnostics));
        return policy;
    }

    public static byte[] Value(string id = "p-1", double amount = 10, string country = "US", string card = "4111111111111111", string? email = "ana@example.com")
    {
        var output = new ByteBuffer();
        output.Append([0, 0, 0, 0, 0]);
        Schema.EncodeJson(JsonSerializer.SerializeToElement(new { id, amount, country, card, email }), output);
        byte[] value = output.Written.ToArray();
        BinaryPrimitives.WriteInt32BigEndian(value.AsSpan(1), SchemaId);
        return value;
    }

    public static JsonElement Read(byte[] value)
    {
        var json = new ByteBuffer();
        using (var writer = new Utf8JsonWriter(json)) { Assert.Equal(DecodeOutcome.Decoded, Schema.WriteJson(value.AsSpan(5), writer)); }
        return JsonDocument.Parse(json.Written.ToArray()).RootElement;
    }

    public static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>The open hold as the state topic has it now; null where it has ended.</summary>
    public static HoldState? Hold(TopologyDriver driver, string id)
    {
        DriverRecord? last = driver.Read("state.payments").LastOrDefault(record => record.KeyText == id);
        return last?.Value is null ? null : HoldState.TryParse(last.Value, out _);
    }

    public static byte[] Statement(StatementSigner signer, HoldState hold, string subject, StatementVerdict verdict = StatementVerdict.Approve, string group = "risk") =>
        signer.Sign(new Statement
        {
            Hold = hold.Id,
            Verdict = verdict,
            Issuer = "https://id.example.com",
            Subject = subject,
            Groups = [group],
            Reason = "looked at it",
            Record = hold.Record,
            Policy = hold.Digest,
            View = hold.ViewDigest,
            IssuedAt = 1,
            Id = subject + verdict,
        });
}

/// <summary>A clock that the test alone moves.</summary>
internal sealed class TestClock : TimeProvider
{
    private DateTimeOffset _now = new(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero);

    public override DateTimeOffset GetUtcNow() => _now;

    public override long GetTimestamp() => _now.UtcTicks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public void Advance(TimeSpan by) => _now += by;
}
