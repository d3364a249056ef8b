using System.Buffers.Binary;
using System.Text;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Tests;

namespace PolicyStreams.Rules.Tests.Keys;

public class AvroKeyTests
{
    private const string Tag = "- { id: t, tag: { a: b } }";

    [Theory]
    [InlineData("key.region == \"US\"", true)]
    [InlineData("key.shard > 3", false)]
    [InlineData("key.shard + 1 == 4", true)]
    [InlineData("key == null", false)]
    [InlineData("has(key.id) && key.id.startsWith(\"c-\")", true)]
    public void Condition_OnAFieldOfTheKey_IsEvaluated(string when, bool denied)
    {
        KeyBench bench = KeyBench.Of($"- {{ id: r, when: '{when}', deny: {{}} }}");
        bench.Decide(bench.Encode(KeyBench.Key));
        Assert.Equal(denied ? Outcome.Deny : Outcome.Allow, bench.Verdict.Outcome);
        Assert.Empty(bench.Verdict.Errors);
    }

    [Fact]
    public void Condition_OnAKeyThatIsText_IsEvaluated()
    {
        KeyBench bench = KeyBench.Of("- { id: r, when: 'key.startsWith(\"x\")', deny: {} }", "", "\"string\"");
        Assert.Equal(Outcome.Deny, bench.Decide(bench.Encode("\"xyz\"")).Outcome);
        Assert.Equal(Outcome.Allow, bench.Decide(bench.Encode("\"abc\"")).Outcome);
    }

    [Fact]
    public void NullKey_IsNull_AndItsMasksDoNothing()
    {
        KeyBench bench = KeyBench.Of("""
            - { id: none, when: key == null, tag: { keyless: x } }
            - { id: m, mask: { field: key.id, redact: true } }
            """);
        Assert.Equal(Outcome.Allow, bench.Decide((byte[]?)null).Outcome);
        Assert.Equal(["none"], bench.Verdict.Rules);
        Assert.False(bench.Verdict.KeyRewritten);
    }

    [Theory]
    [InlineData("field: key.id, keep_last: 2", "****11")]
    [InlineData("tag: PII, constant: x", "x")]
    public void Mask_OfAFieldOfTheKey_RewritesTheKeyAlone(string mask, string expected)
    {
        KeyBench bench = KeyBench.Of($"- {{ id: m, mask: {{ {mask} }} }}");
        byte[] key = bench.Encode(KeyBench.Key);
        bench.Decide(key);
        Assert.Equal(Outcome.Allow, bench.Verdict.Outcome);
        Assert.Equal(["m"], bench.Verdict.Rules);
        Assert.Equal(["key.id"], bench.Verdict.Masked);
        Assert.False(bench.Verdict.ValueRewritten);
        byte[] published = bench.PublishedKey(key);
        Assert.Equal(key[..5], published[..5]);
        Assert.Equal((expected, "US", 3), (bench.Read(published).GetProperty("id").GetString(), bench.Read(published).GetProperty("region").GetString(), bench.Read(published).GetProperty("shard").GetInt32()));
    }

    [Fact]
    public void Mask_ByTag_TakesValueAndKeyBoth()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { tag: PII, constant: x } }").Replace("key_format: string", "key_format: json", StringComparison.Ordinal));
        bench.Key = "{\"id\":1}"u8.ToArray();
        Assert.Equal("x", bench.Mask(Bench.Payment).GetProperty("customer").GetProperty("name").GetString());
    }

    [Fact]
    public void Mask_OfTheKeyOfATombstone_IsApplied()
    {
        KeyBench bench = KeyBench.Of("- { id: m, mask: { field: key.id, constant: x } }");
        byte[] key = bench.Encode(KeyBench.Key);
        bench.Decide(key, null);
        Assert.Equal(Outcome.Allow, bench.Verdict.Outcome);
        Assert.Equal("x", bench.Read(bench.PublishedKey(key)).GetProperty("id").GetString());
    }

    [Fact]
    public void JsonKey_FieldMasked_IsSpelledWithKeyInFront()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { field: key.id, constant: x } }").Replace("key_format: string", "key_format: json", StringComparison.Ordinal));
        bench.Key = "{ \"id\": \"c-1\", \"n\": 1.50 }"u8.ToArray();
        bench.Decide(Bench.Payment);
        Assert.Equal("{ \"id\": \"x\", \"n\": 1.50 }", bench.KeyText());
        Assert.Equal(["key.id"], bench.Verdict.Masked);
    }

    [Theory]
    [InlineData("", "key-empty-value")]
    [InlineData("00", "key-missing-id")]
    [InlineData("0000000b", "key-truncated-id")]
    [InlineData("633d31", "key-not-framed")]
    [InlineData("000000000b", "key-truncated")]
    [InlineData("000000000b0261045553", "key-truncated")]
    [InlineData("000000000b02ff04555306", "key-bad-utf8")]
    [InlineData("000000000b02610455530600", "key-trailing-bytes")]
    [InlineData("000000000b0261045553ffffffffffffffffffff01", "key-varint-too-long")]
    [InlineData("000000000b01", "key-negative-length")]
    public void Key_ThatIsNotOfItsSchema_IsUndecodable(string hex, string code)
    {
        KeyBench bench = KeyBench.Of(Tag);
        bench.Decide(Convert.FromHexString(hex));
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal(["ps:undecodable"], bench.Verdict.Rules);
        Assert.Equal([new DecisionError("ps:undecodable", code)], bench.Verdict.Errors);
    }

    [Theory]
    [InlineData("{\"a\":1,\"\\u0061\":2}", "key-duplicate-key")]
    [InlineData("\uFEFF{}", "key-byte-order-mark")]
    [InlineData("", "key-empty-value")]
    [InlineData("{", "key-truncated")]
    [InlineData("{} {}", "key-second-document")]
    [InlineData("{]", "key-malformed")]
    public void JsonKey_ThatIsNoJson_IsUndecodable(string key, string code)
    {
        Bench bench = Bench.Of(Bench.Yaml(Tag).Replace("key_format: string", "key_format: json", StringComparison.Ordinal));
        bench.Key = Encoding.UTF8.GetBytes(key);
        bench.Decide(Bench.Payment);
        Assert.Equal(code, Assert.Single(bench.Verdict.Errors).Code);
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
    }

    [Theory]
    [InlineData(WriterAdmission.UnknownId, "key-unknown-schema-id")]
    [InlineData(WriterAdmission.NotAdmitted, "key-not-a-version")]
    [InlineData(WriterAdmission.Unusable, "key-unusable-schema")]
    [InlineData(WriterAdmission.OtherFormat, "key-other-format")]
    public void UnknownSchemaId_OfAKey_IsAskedForThenRefused(WriterAdmission admission, string code)
    {
        KeyBench bench = KeyBench.Of(Tag);
        byte[] key = bench.Encode(KeyBench.Key);
        BinaryPrimitives.WriteInt32BigEndian(key.AsSpan(1), 999);
        JudgeResult needed = bench.Judge.Decide(bench.Binding, bench.Input(key), bench.Output, bench.Verdict);
        Assert.Equal((false, 999, true), (needed.Decided, needed.NeededSchemaId, needed.OfKey));
        bench.Binding.Answer(needed, 999, admission, null);
        bench.Decide(key);
        Assert.Equal(["ps:schema-not-admitted"], bench.Verdict.Rules);
        Assert.Equal([new DecisionError("ps:schema-not-admitted", code)], bench.Verdict.Errors);
        bench.Binding.ForgetRefusals();
        Assert.False(bench.Judge.Decide(bench.Binding, bench.Input(key), bench.Output, bench.Verdict).Decided);
    }

    [Fact]
    public void Header_NamesTheKeysSchemaByGuid_AndThePayloadIsBare()
    {
        KeyBench bench = KeyBench.Of("- { id: r, when: 'key.region == \"US\"', deny: {} }");
        var guid = new Guid("89791762-2336-4186-9674-299b90a802e2");
        bench.Headers.Add("__key_schema_id"u8, [1, .. guid.ToByteArray(bigEndian: true)]);
        byte[] key = bench.Encode(KeyBench.Key)[5..];
        JudgeResult needed = bench.Judge.Decide(bench.Binding, bench.Input(key), bench.Output, bench.Verdict);
        Assert.Equal((guid, true), (needed.NeededSchemaGuid, needed.OfKey));
        bench.Binding.Answer(needed, 11, WriterAdmission.Admitted, new SchemaVersion(1, 11, AvroSchema.Parse(KeyBench.Schema)));
        Assert.Equal(Outcome.Deny, bench.Decide(key).Outcome);
        Assert.Equal(["r"], bench.Verdict.Rules);

        // The same header twice, or another schema in the prefix, means different things to different consumers.
        Assert.Equal("key-frame-conflict", bench.Decide([1, .. Guid.NewGuid().ToByteArray(), .. key]).Errors[0].Code);
        bench.Headers.Add("__key_schema_id"u8, [1, .. guid.ToByteArray(bigEndian: true)]);
        Assert.Equal("key-frame-conflict", bench.Decide(key).Errors[0].Code);
    }

    [Theory]
    [InlineData(12, null)]
    [InlineData(11, "key-frame-conflict")]
    [InlineData(99, "key-frame-conflict")]
    public void Header_OfAGuid_OverAnIdInFront_IsOfOneSchemaOrRefused(int other, string? code)
    {
        KeyBench bench = NumbersOrText();
        byte[] key = bench.Encode("\"c-4711\"", 2);
        bench.Headers.Add(FrameReader.KeyHeader, Bench.GuidFrame(other));
        bench.Decide(key);
        Assert.Equal(code, bench.Verdict.Errors.Select(error => error.Code).SingleOrDefault());
        Assert.Equal(code is null ? ["r"] : ["ps:undecodable"], bench.Verdict.Rules);
    }

    [Theory]
    [InlineData(WriterAdmission.UnknownId, null)]
    [InlineData(WriterAdmission.NotAdmitted, "key-frame-conflict")]
    public void Header_OfAGuid_OverWhatMayBeAnId_AsksWhoseItIs(WriterAdmission admission, string? code)
    {
        KeyBench bench = NumbersOrText();
        byte[] key = bench.Encode("\"c-4711\"", 2);
        key[4] = 13;
        bench.Headers.Add(FrameReader.KeyHeader, Bench.GuidFrame(11));
        JudgeResult needed = bench.Judge.Decide(bench.Binding, bench.Input(key), bench.Output, bench.Verdict);
        Assert.Equal((false, 13, true), (needed.Decided, needed.NeededSchemaId, needed.OfKey));
        bench.Binding.Answer(needed, 13, admission, null);
        bench.Decide(key);
        Assert.Equal(code, bench.Verdict.Errors.Select(error => error.Code).SingleOrDefault());
    }

    [Fact]
    public void Framing_None_RefusesASchemaHeader()
    {
        KeyBench bench = KeyBench.Of("- { id: r, when: 'key.region == \"US\"', deny: {} }", "key_framing: none");
        byte[] key = bench.Encode(KeyBench.Key)[5..];
        Assert.Equal(["r"], bench.Decide(key).Rules);
        bench.Headers.Add(FrameReader.KeyHeader, Bench.GuidFrame(11));
        Assert.Equal([new DecisionError("ps:undecodable", "key-frame-conflict")], bench.Decide(key).Errors);

        Bench json = Bench.Of(Bench.Yaml(Tag).Replace("key_format: string", "key_format: json", StringComparison.Ordinal));
        json.Key = "{}"u8.ToArray();
        json.Headers.Add(FrameReader.KeyHeader, Bench.GuidFrame(11));
        Assert.Equal([new DecisionError("ps:undecodable", "key-frame-conflict")], json.Decide(Bench.Payment).Errors);
    }

    [Fact]
    public void OlderKey_ReadsMissingFieldsAsTheirDefault()
    {
        string older = KeyBench.Schema.Replace("{\"name\":\"region\",\"type\":\"string\",\"default\":\"EU\"},", "", StringComparison.Ordinal);
        KeyBench bench = KeyBench.Of("""
            - { id: eu, when: 'key.region == "EU"', tag: { eu: x } }
            - { id: m, mask: { field: key.region, constant: x } }
            """, "", older, KeyBench.Schema);
        bench.Decide(bench.Encode("""{"id":"a","shard":1}""", 1));
        Assert.Equal(Outcome.Allow, bench.Verdict.Outcome);
        Assert.Equal(["eu"], bench.Verdict.Rules);
        Assert.False(bench.Verdict.KeyRewritten);
    }

    [Theory]
    [InlineData("when: 'key.region == \"EU\"', deny: {}", "region", "area", "key.region")]
    [InlineData("when: key.shard > 1, deny: {}", "\"int\"", "\"string\"", "key.shard")]
    [InlineData("mask: { field: key.id, constant: x }", "\"id\"", "\"ident\"", "key.id")]
    [InlineData("mask: { tag: PII, constant: x }", "\"id\"", "\"ident\"", "key.id")]
    public void LaterKey_ThatLostWhatThePolicyNames_IsAMismatch(string rule, string from, string to, string path)
    {
        // A required field more, and the field named is gone or another.
        string later = KeyBench.Schema.Replace(from, to, StringComparison.Ordinal).Replace(",\"default\":\"EU\"", "", StringComparison.Ordinal).Replace(",\"confluent:tags\":[\"PII\"]", "", StringComparison.Ordinal);
        string first = KeyBench.Schema.Replace(",\"default\":\"EU\"", "", StringComparison.Ordinal);
        KeyBench bench = KeyBench.Of($"- {{ id: r, {rule} }}", "", first);
        JudgeResult needed = new(false, 12) { OfKey = true };
        bench.Binding.Answer(needed, 12, WriterAdmission.Admitted, new SchemaVersion(2, 12, AvroSchema.Parse(later)));
        var payload = new ByteBuffer();
        AvroSchema.Parse(later).EncodeJson(System.Text.Json.JsonDocument.Parse(KeyBench.Key.Replace(from.Trim('"'), to.Trim('"'), StringComparison.Ordinal).Replace("3", to.Contains("string", StringComparison.Ordinal) ? "\"3\"" : "3", StringComparison.Ordinal)).RootElement, payload);
        bench.Decide(Bench.Framed(12, payload.Written.ToArray()));
        Assert.Equal(["ps:schema-mismatch"], bench.Verdict.Rules);
        Assert.Contains(new DecisionError("ps:schema-mismatch", path), bench.Verdict.Errors);
    }

    [Fact]
    public void LaterKey_ThatChangedWhatNoRuleNames_IsFine()
    {
        KeyBench bench = KeyBench.Of("- { id: r, when: 'key.region == \"US\"', deny: {} }");
        string later = KeyBench.Schema.Replace("\"int\"", "\"string\"", StringComparison.Ordinal);
        bench.Binding.Answer(new(false, 12) { OfKey = true }, 12, WriterAdmission.Admitted, new SchemaVersion(2, 12, AvroSchema.Parse(later)));
        var payload = new ByteBuffer();
        AvroSchema.Parse(later).EncodeJson(System.Text.Json.JsonDocument.Parse("""{"id":"a","region":"US","shard":"x"}""").RootElement, payload);
        Assert.Equal(["r"], bench.Decide(Bench.Framed(12, payload.Written.ToArray())).Rules);
    }

    [Fact]
    public void MaskedView_ShowsTheKeyAsJson()
    {
        KeyBench bench = KeyBench.Of("- { id: m, mask: { field: key.id, constant: x } }\n- { id: h, hold: { approvers: [risk], expires: 1h } }");
        byte[] key = bench.Encode(KeyBench.Key);
        bench.Decide(key);
        Assert.Equal(Outcome.Hold, bench.Verdict.Outcome);
        bench.Judge.WriteMaskedView(bench.Binding, bench.Input(key), bench.Verdict, new ByteBuffer(), out string? shown);
        Assert.Equal("""{"id":"x","region":"US","shard":3}""", shown);
    }

    [Theory]
    [InlineData("key.nothing == 1", "nothing")]
    [InlineData("key.shard == \"x\"", "")]
    public void Condition_ThatDoesNotFitTheKeysSchema_IsAnError(string when, string word)
    {
        Assert.Null(KeyBench.TryOf($"- {{ id: r, when: '{when}', deny: {{}} }}", "", [], out IReadOnlyList<Diagnostic> said));
        Assert.Contains(said, diagnostic => diagnostic.Severity == Severity.Error && diagnostic.Message.Contains(word, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("key_subject: orders-key", "orders-key", Framing.Confluent)]
    [InlineData("key_subject: { naming: record, record: shop.CustomerKey }", "shop.CustomerKey", Framing.Confluent)]
    [InlineData("key_subject: { naming: topic-record, record: shop.CustomerKey }", "raw.payments-shop.CustomerKey", Framing.Confluent)]
    [InlineData("key_subject: { naming: topic }", "raw.payments-key", Framing.Confluent)]
    [InlineData("key_framing: apicurio8", "raw.payments-key", Framing.Apicurio8)]
    [InlineData("description: x", "raw.payments-key", Framing.Confluent)]
    public void Binding_SaysWhichSchemasKeysHave(string binding, string subject, Framing framing)
    {
        BindingDocument document = KeyBench.Of(Tag, binding).Binding.Document;
        Assert.Equal((subject, framing), (document.KeySubject, document.KeyFraming));
    }

    [Fact]
    public void Decide_WithoutRulesOnTheKey_AllocatesNothing()
    {
        KeyBench bench = KeyBench.Of("- { id: m, mask: { field: key.id, constant: x } }");
        byte[] key = bench.Encode(KeyBench.Key);
        byte[] value = "{}"u8.ToArray();
        void Run(int count)
        {
            for (int i = 0; i < count; i++)
            {
                bench.Output.Clear();
                bench.Judge.Decide(bench.Binding, new RecordInput { Topic = "raw.payments", HasKey = true, Key = key, HasValue = true, Value = value, Headers = bench.Headers, Principal = Principal.None }, bench.Output, bench.Verdict);
            }
        }

        Run(200);
        Assert.Equal(0, Allocated.By(() => Run(200)));
    }

    /// <summary>Keys of version 12 are a text; the same bytes, prefix included, are a key of version 11: five small numbers and a text.</summary>
    private static KeyBench NumbersOrText() => KeyBench.Of("- { id: r, tag: { a: b } }", "",
        """{"type":"record","name":"N","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"},{"name":"c","type":"int"},{"name":"d","type":"int"},{"name":"e","type":"int"},{"name":"t","type":"string"}]}""", "\"string\"");
}
