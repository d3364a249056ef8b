using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Rules.Tests;

/// <summary>A policy on the bench: compiled, with a judge, and records made from JSON.</summary>
internal sealed class Bench
{
    public const string PaymentSchema = """
        {"type":"record","name":"Payment","namespace":"bench","fields":[
         {"name":"payment_id","type":"string"},
         {"name":"created_at","type":{"type":"long","logicalType":"timestamp-millis"}},
         {"name":"amount","type":"double"},
         {"name":"currency","type":"string"},
         {"name":"country","type":"string"},
         {"name":"channel","type":{"type":"enum","name":"Channel","symbols":["WEB","POS","APP","PHONE"]}},
         {"name":"card_number","type":"string","confluent:tags":["PAN"]},
         {"name":"customer","type":{"type":"record","name":"Customer","fields":[
           {"name":"id","type":"string"},
           {"name":"name","type":"string","confluent:tags":["PII"]},
           {"name":"email","type":["null","string"],"default":null,"confluent:tags":["PII"]},
           {"name":"age","type":["null","int"],"default":null}]}},
         {"name":"merchant","type":"string"},
         {"name":"note","type":["null","string"],"default":null},
         {"name":"items","type":{"type":"array","items":{"type":"record","name":"Item","fields":[
           {"name":"sku","type":"string"},{"name":"quantity","type":"int"},{"name":"price","type":"double"}]}}}
        ]}
        """;

    public const string Payment = """
        {"payment_id":"2f1c1c56-8f3a-4c1b-9d53-0a51c3d4e5f6","created_at":1767225600000,"amount":120.5,"currency":"EUR","country":"DE","channel":"APP","card_number":"4111111111111111",
         "customer":{"id":"c-1","name":"Ada Lovelace","email":"ada@example.com","age":36},"merchant":"Books","note":null,"items":[{"sku":"A-1","quantity":1,"price":20.5},{"sku":"B-2","quantity":2,"price":50.0}]}
        """;

    public const string HmacKey = "test-key-0123456789-0123456789-0123";

    private readonly RecordSchema _schema;
    private readonly int _schemaId;

    private Bench(CompiledPolicy policy, RecordSchema schema, int schemaId)
    {
        Policy = policy;
        _schema = schema;
        _schemaId = schemaId;
        Binding = policy.Bindings.Values.First();
    }

    public CompiledPolicy Policy { get; }

    public CompiledBinding Binding { get; set; }

    public Judge Judge { get; } = new();

    public Verdict Verdict { get; } = new();

    public ByteBuffer Output { get; } = new();

    public RecordHeaders Headers { get; } = new();

    public Principal Principal { get; set; } = new("checkout", ["payments-producers"], "topic");

    public byte[]? Key { get; set; } = "c-1"u8.ToArray();

    /// <summary>Where records come from; null is the binding's ingress topic.</summary>
    public string? Topic { get; set; }

    public int Partition { get; set; }

    public long Offset { get; set; } = 42;

    /// <summary>A policy of one Avro binding named `payments`, with these rules and these lines in the binding and at the top.</summary>
    public static string Yaml(string rules, string binding = "", string top = "") => $$"""
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: payments, owner: tests }
        bindings:
          - name: payments
            format: avro
            subject: raw.payments-value
            key_format: string
        {{Indent(binding, 4)}}
        {{top}}
        rules:
        {{Indent(rules, 2)}}
        """;

    public static string JsonYaml(string rules, string binding = "", string top = "") =>
        Yaml(rules, binding, top).Replace("format: avro", "format: json", StringComparison.Ordinal).Replace("    subject: raw.payments-value\n", "", StringComparison.Ordinal);

    public static Bench Of(string yaml, params (int Id, string Schema)[] schemas) => Of(yaml, Keys(), schemas);

    public static Bench Of(string yaml, KeyRing keys, params (int Id, string Schema)[] schemas)
    {
        Bench? bench = TryOf(yaml, schemas, out IReadOnlyList<Diagnostic> diagnostics, keys);
        Assert.True(bench is not null, string.Join("\n", diagnostics));
        return bench;
    }

    public static Bench? TryOf(string yaml, (int Id, string Schema)[] schemas, out IReadOnlyList<Diagnostic> diagnostics, KeyRing? keys = null)
    {
        PolicyLoad load = PolicySet.Load([new PolicyFile("payments.policy.yaml", yaml)]);
        var all = new List<Diagnostic>(load.Diagnostics);
        diagnostics = all;
        if (load.Set is null) { return null; }
        PolicyDocument document = load.Set.Policies[0];
        var subjects = new Dictionary<string, SubjectSchemas>();
        RecordSchema last = SchemalessJson.Instance;
        int lastId = 0;
        foreach (BindingDocument binding in document.Bindings)
        {
            List<SchemaVersion> versions = [];
            if (binding.Format == SchemaFormat.Json) { versions.Add(new SchemaVersion(1, 0, SchemalessJson.Instance)); }
            else
            {
                (int Id, string Schema)[] given = schemas.Length > 0 ? schemas : [(7, PaymentSchema)];
                for (int i = 0; i < given.Length; i++)
                {
                    last = binding.Format == SchemaFormat.Protobuf ? Schemas.Protobuf.ProtobufSchema.Parse(given[i].Schema, []) : AvroSchema.Parse(given[i].Schema, []);
                    lastId = given[i].Id;
                    versions.Add(new SchemaVersion(i + 1, lastId, last) { Guid = GuidOf(lastId) });
                }
            }

            subjects[binding.Name] = new SubjectSchemas(binding.Subject ?? "", versions);
        }

        CompiledPolicy? policy = CompiledPolicy.Compile(document, subjects, keys ?? Keys(), all);
        return policy is null ? null : new Bench(policy, last, lastId);
    }

    /// <summary>The same records under another policy.</summary>
    public Bench With(CompiledPolicy policy) => new(policy, _schema, _schemaId);

    public static KeyRing Keys()
    {
        var keys = new KeyRing();
        Assert.Null(keys.Add("customer-key", Encoding.UTF8.GetBytes(HmacKey)));
        Assert.Null(keys.Add("other-key@3", "another-key-0123456789-0123456789-01"u8));
        return keys;
    }

    public static byte[] Framed(int id, byte[] payload)
    {
        byte[] framed = new byte[5 + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), id);
        payload.CopyTo(framed, 5);
        return framed;
    }

    /// <summary>The GUID of the schema with this id.</summary>
    public static Guid GuidOf(int id) => new(id, 0x2336, 0x4186, 0x96, 0x74, 0x29, 0x9b, 0x90, 0xa8, 0x02, 0xe2);

    /// <summary>What names that schema in front of a value, and in a header.</summary>
    public static byte[] GuidFrame(int id) => [1, .. GuidOf(id).ToByteArray(bigEndian: true)];

    public byte[] Encode(string json, RecordSchema? schema = null, int? id = null)
    {
        if ((schema ?? _schema).Format == SchemaFormat.Json) { return Encoding.UTF8.GetBytes(json); }
        var buffer = new ByteBuffer();
        using JsonDocument document = JsonDocument.Parse(json);
        (schema ?? _schema).EncodeJson(document.RootElement, buffer);
        return (id ?? _schemaId) == 0 ? buffer.Written.ToArray() : Framed(id ?? _schemaId, buffer.Written.ToArray());
    }

    public RecordInput Input(byte[]? value) => new()
    {
        Topic = Topic ?? Binding.Document.Topics.Ingress,
        Partition = Partition,
        Offset = Offset,
        TimestampMs = 1_767_225_600_000,
        HasKey = Key is not null,
        Key = Key,
        HasValue = value is not null,
        Value = value,
        Headers = Headers,
        Principal = Principal,
    };

    public Verdict Decide(string json) => Decide(Encode(json));

    public Verdict Decide(byte[]? value)
    {
        Output.Clear();
        Assert.True(Judge.Decide(Binding, Input(value), Output, Verdict).Decided);
        return Verdict;
    }

    public Verdict Release(string json)
    {
        Output.Clear();
        Assert.True(Judge.Release(Binding, Input(Encode(json)), Output, Verdict).Decided);
        return Verdict;
    }

    /// <summary>The published value of the last verdict as plain JSON.</summary>
    public JsonElement Published(byte[] value)
    {
        ReadOnlySpan<byte> bytes = Verdict.ValueRewritten ? Verdict.Output.Slice(Verdict.ValueStart, Verdict.ValueLength) : value;
        if (_schema.Format == SchemaFormat.Json) { return JsonDocument.Parse(bytes.ToArray()).RootElement; }
        var json = new ByteBuffer();
        using (var writer = new Utf8JsonWriter(json)) { Assert.Equal(DecodeOutcome.Decoded, _schema.WriteJson(bytes[5..], writer)); }
        return JsonDocument.Parse(json.Written.ToArray()).RootElement;
    }

    public JsonElement Mask(string json)
    {
        byte[] value = Encode(json);
        Decide(value);
        Assert.True(Verdict.Outcome == Outcome.Allow, string.Join(",", Verdict.Rules.Concat(Verdict.Errors.Select(error => error.ToString()))));
        return Published(value);
    }

    public string KeyText() => Encoding.UTF8.GetString(Verdict.Output.Slice(Verdict.KeyStart, Verdict.KeyLength));

    public string Json(bool full = false, byte[]? before = null, byte[]? after = null)
    {
        var json = new ByteBuffer();
        var facts = new DecisionFacts { Topic = Binding.Document.Topics.Ingress, Partition = 0, Offset = 42, IdSuffix = "", Event = "decided", Seq = 17, TimeMs = 1_767_323_045_678, Before = before, After = after };
        DecisionWriter.Write(json, Verdict, Principal, facts, full);
        return Encoding.UTF8.GetString(json.Written);
    }

    private static string Indent(string text, int spaces) =>
        string.Join("\n", text.ReplaceLineEndings("\n").Split('\n').Where(line => line.Trim().Length > 0).Select(line => new string(' ', spaces) + line));
}
