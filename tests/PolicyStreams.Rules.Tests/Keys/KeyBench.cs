using System.Text.Json;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Tests;

/// <summary>A policy whose values are JSON without a schema and whose keys are Avro, so that a test is about keys alone.</summary>
internal sealed class KeyBench
{
    public const string Schema = """
        {"type":"record","name":"CustomerKey","namespace":"shop","fields":[
          {"name":"id","type":"string","confluent:tags":["PII"]},
          {"name":"region","type":"string","default":"EU"},
          {"name":"shard","type":"int"}]}
        """;

    public const string Key = """{"id":"c-4711","region":"US","shard":3}""";

    private readonly List<AvroSchema> _schemas = [];

    private KeyBench(CompiledPolicy policy) => Binding = policy.Bindings.Values.First();

    public CompiledBinding Binding { get; }

    public Judge Judge { get; } = new();

    public Verdict Verdict { get; } = new();

    public ByteBuffer Output { get; } = new();

    public RecordHeaders Headers { get; } = new();

    public IReadOnlyList<Diagnostic> Said { get; private init; } = [];

    /// <summary>Versions of the keys' subject have the ids 11, 12, …</summary>
    public static KeyBench Of(string rules, string binding = "", params string[] schemas)
    {
        KeyBench? bench = TryOf(rules, binding, schemas, out IReadOnlyList<Diagnostic> said);
        Assert.True(bench is not null, string.Join("\n", said));
        return bench;
    }

    public static KeyBench? TryOf(string rules, string binding, string[] schemas, out IReadOnlyList<Diagnostic> diagnostics)
    {
        string yaml = Bench.JsonYaml(rules, binding + (binding.Contains("tombstones", StringComparison.Ordinal) ? "" : "\ntombstones: allow")).Replace("key_format: string", "key_format: avro", StringComparison.Ordinal);
        PolicyLoad load = PolicySet.Load([new PolicyFile("payments.policy.yaml", yaml)]);
        var said = new List<Diagnostic>(load.Diagnostics);
        diagnostics = said;
        if (load.Set is null) { return null; }
        List<AvroSchema> parsed = [.. (schemas.Length == 0 ? [Schema] : schemas).Select(schema => AvroSchema.Parse(schema, []))];
        var subjects = new Dictionary<string, SubjectSchemas>
        {
            ["payments"] = new("", [new SchemaVersion(1, 0, PolicyStreams.Schemas.Json.SchemalessJson.Instance)]),
            ["payments/key"] = new(load.Set.Bindings[0].KeySubject!, [.. parsed.Select((schema, i) => new SchemaVersion(i + 1, 11 + i, schema) { Guid = Bench.GuidOf(11 + i) })]),
        };
        CompiledPolicy? policy = CompiledPolicy.Compile(load.Set.Policies[0], subjects, Bench.Keys(), said);
        if (policy is null) { return null; }
        var bench = new KeyBench(policy) { Said = said };
        bench._schemas.AddRange(parsed);
        return bench;
    }

    /// <summary>A key of a version, counted from 1, framed with its id.</summary>
    public byte[] Encode(string json, int version = 1)
    {
        var buffer = new ByteBuffer();
        using JsonDocument document = JsonDocument.Parse(json);
        _schemas[version - 1].EncodeJson(document.RootElement, buffer);
        return Bench.Framed(10 + version, buffer.Written.ToArray());
    }

    public RecordInput Input(byte[]? key, string? value = "{}") => new()
    {
        Topic = Binding.Document.Topics.Ingress,
        HasKey = key is not null,
        Key = key,
        HasValue = value is not null,
        Value = value is null ? null : System.Text.Encoding.UTF8.GetBytes(value),
        Headers = Headers,
        Principal = Principal.None,
    };

    public Verdict Decide(byte[]? key, string? value = "{}")
    {
        Output.Clear();
        Assert.True(Judge.Decide(Binding, Input(key, value), Output, Verdict).Decided);
        return Verdict;
    }

    public byte[] PublishedKey(byte[] key) => Verdict.KeyRewritten ? Verdict.Output.Slice(Verdict.KeyStart, Verdict.KeyLength).ToArray() : key;

    public JsonElement Read(byte[] key, int version = 1)
    {
        var json = new ByteBuffer();
        using (var writer = new Utf8JsonWriter(json)) { Assert.Equal(DecodeOutcome.Decoded, _schemas[version - 1].WriteJson(key.AsSpan(5), writer)); }
        return JsonDocument.Parse(json.Written.ToArray()).RootElement;
    }
}
