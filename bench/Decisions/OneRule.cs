using System.Globalization;
using System.Text.Json;
using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Bench.Decisions;

/// <summary>A policy of one rule on one Avro schema, and records for it.</summary>
internal static class OneRule
{
    private const int RecordBytesMax = 1 << 20;

    /// <param name="rule">A rule's YAML without its id. Key <c>k</c> is there.</param>
    /// <param name="recordBytes">The policy's <c>limits.record_bytes</c>.</param>
    public static CompiledBinding Compile(string schema, string rule, int recordBytes = RecordBytesMax)
    {
        string yaml = $"apiVersion: policystreams/v1\nkind: Policy\nmetadata: {{ name: bench, owner: bench }}\nbindings:\n  - {{ name: b, format: avro, subject: raw.b-value }}\nlimits: {{ record_bytes: {recordBytes.ToString(CultureInfo.InvariantCulture)} }}\nrules:\n  - {{ id: r, {rule} }}\n";
        PolicyLoad load = PolicySet.Load([new PolicyFile("bench.policy.yaml", yaml)]);
        var diagnostics = new List<Diagnostic>(load.Diagnostics);
        var keys = new KeyRing();
        keys.Add("k", "a-key-for-nothing-but-a-benchmark-01"u8);
        var subjects = new Dictionary<string, SubjectSchemas> { ["b"] = new("raw.b-value", [new SchemaVersion(1, 1, AvroSchema.Parse(schema))]) };
        CompiledPolicy? policy = load.Set is null ? null : CompiledPolicy.Compile(load.Set.Policies[0], subjects, keys, diagnostics);
        return policy?.Bindings["b"] ?? throw new InvalidOperationException(string.Join('\n', diagnostics));
    }

    /// <summary>A record's value in Confluent's frame, from Avro's JSON encoding.</summary>
    public static byte[] Record(string schema, string json)
    {
        var payload = new ByteBuffer();
        payload.Append([0, 0, 0, 0, 1]);
        using JsonDocument document = JsonDocument.Parse(json);
        AvroSchema.Parse(schema).EncodeJson(document.RootElement, payload);
        return payload.Written.ToArray();
    }
}
