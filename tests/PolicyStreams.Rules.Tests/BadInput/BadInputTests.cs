using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;

namespace PolicyStreams.Rules.Tests.BadInput;

/// <summary>Every row of <c>docs/reference/bad-input.md</c>: what a decision says of it.</summary>
public sealed partial class BadInputTests
{
    private const string Tag = "- { id: t, tag: { a: b } }";

    /// <summary>How each row's record is made and judged, by the words of the page.</summary>
    private static readonly Dictionary<string, Func<Verdict>> s_rows = new()
    {
        ["null value"] = () => Value(null),
        ["empty value"] = () => Value(""),
        ["magic byte alone"] = () => Value("00"),
        ["truncated schema id"] = () => Value("000000"),
        ["truncated GUID"] = () => Value("01" + new string('a', 30)),
        ["another first byte"] = () => Value("0200000007" + new string('0', 40)),
        ["schema id zero"] = () => Value("0000000000aa"),
        ["negative schema id"] = () => Value("00ffffffffaa"),
        ["prefix and header name different schemas"] = () => Value("0000000007aa", ("__value_schema_id", "0000000008")),
        ["prefix names an id, schema header another schema's GUID"] = () => Value("0000000007aa", ("__value_schema_id", GuidFrame(8))),
        ["prefix names an id, schema header an unknown GUID"] = () => Value("0000000007aa", ("__value_schema_id", GuidFrame(99))),
        ["prefix names another subject's schema by id, schema header a version by GUID"] = () => Answered("00000003e7aa", WriterAdmission.NotAdmitted, GuidFrame(7)),
        ["prefix names a GUID, schema header another schema's id"] = () => Value(GuidFrame(7) + "aa", ("__value_schema_id", "0000000008")),
        ["schema header where values have no framing"] = () => Value(Bench.Of(Bench.Yaml(Tag, "framing: none")), "aa", ("__value_schema_id", "0000000007")),
        ["schema header twice"] = () => Value("0000000007aa", ("__value_schema_id", "0000000007"), ("__value_schema_id", "0000000007")),
        ["schema header that is no frame"] = () => Value("aa", ("__value_schema_id", "000000")),
        ["unknown schema id"] = () => Answered("00000003e7aa", WriterAdmission.UnknownId),
        ["unknown GUID"] = () => Answered("0189791762233641869674299b90a802e2aa", WriterAdmission.UnknownId),
        ["schema of another subject"] = () => Answered("00000003e7aa", WriterAdmission.NotAdmitted),
        ["schema of another format"] = () => Answered("00000003e7aa", WriterAdmission.OtherFormat),
        ["schema that cannot be used"] = () => Answered("00000003e7aa", WriterAdmission.Unusable),
        ["schema of another record than the subject is named after"] = OtherRecord,
        ["larger than `record_bytes`"] = () => Bench.Of(Bench.Yaml(Tag, top: "limits: { record_bytes: 10 }")).Decide(new byte[11]),
        ["string of 50 MB"] = FiftyMegabytes,
        ["more headers than `headers`"] = () => Headers(65),

        ["value cut short"] = () => Avro("\"long\"", "80"),
        ["block without an end"] = () => Avro("{\"type\":\"array\",\"items\":\"int\"}", "0202"),
        ["bytes behind the value"] = () => Avro("\"int\"", "0000"),
        ["varint of more than 10 bytes"] = () => Avro("\"long\"", "8080808080808080808000"),
        ["varint that overflows a long"] = () => Avro("\"long\"", "ffffffffffffffffff02"),
        ["varint that overflows an int"] = () => Avro("\"int\"", "8080808010"),
        ["varint of an int of more than 5 bytes"] = () => Avro("\"int\"", "808080808000"),
        ["union index out of range"] = () => Avro("[\"null\",\"int\"]", "04"),
        ["enum index out of range"] = () => Avro("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "04"),
        ["boolean byte other than 0 and 1"] = () => Avro("\"boolean\"", "02"),
        ["length beyond the end"] = () => Avro("\"string\"", "0441"),
        ["negative length"] = () => Avro("\"string\"", "01"),
        ["length of 2^62"] = () => Avro("\"string\"", "80808080808080808001"),
        ["array of 2^62 items"] = () => Avro("{\"type\":\"array\",\"items\":\"int\"}", "8080808080808080800100"),
        ["array of more items than there are bytes"] = () => Avro("{\"type\":\"array\",\"items\":\"int\"}", "0402"),
        ["array of 2^62 items of zero size"] = () => Avro("{\"type\":\"array\",\"items\":\"null\"}", "8080808080808080800100"),
        ["more items of zero size than 1,024 and 16 for each byte of the record"] = () => Avro("{\"type\":\"array\",\"items\":\"null\"}", "981100"),
        ["block size that disagrees with its items"] = () => Avro("{\"type\":\"array\",\"items\":\"int\"}", "01040200"),
        ["recursion 100,000 deep"] = () => Avro("{\"type\":\"record\",\"name\":\"N\",\"fields\":[{\"name\":\"next\",\"type\":[\"null\",\"N\"]}]}", string.Concat(Enumerable.Repeat("02", 100_000)) + "00"),
        ["text that is not UTF-8"] = () => Avro("\"string\"", "02ff"),
        ["decimal beyond its precision"] = () => Avro("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2}", "042710"),
        ["decimal without a byte"] = () => Avro("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2}", "00"),
        ["map key twice"] = () => Avro("{\"type\":\"map\",\"values\":\"int\"}", "0402410202410400"),
        ["timestamp beyond the year 9999 that a rule reads"] = () => Avro("{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "80f0fea1fa9d73", "- { id: r, when: value.f.getFullYear() > 1, tag: { a: b } }"),

        ["empty text"] = () => Json(""),
        ["text cut short"] = () => Json("{\"a\":"),
        ["property twice"] = () => Json("{\"a\":1,\"a\":2}"),
        ["property twice, once escaped"] = () => Json("{\"a\":1,\"\\u0061\":2}"),
        ["half a surrogate pair"] = () => Json("\"\\ud800\""),
        ["bytes that are not UTF-8"] = () => Bench.Of(Bench.JsonYaml(Tag)).Decide([(byte)'"', 0xFF, (byte)'"']),
        ["byte order mark"] = () => Json("\uFEFF{}"),
        ["two documents"] = () => Json("{} {}"),
        ["bytes behind the text that begin no other"] = () => Json("{}]"),
        ["NaN"] = () => Json("{\"a\":NaN}"),
        ["Infinity, also negative"] = () => Json("[-Infinity]"),
        ["comment"] = () => Json("/* c */ {}"),
        ["text of another grammar"] = () => Json("{'a':1}"),
        ["nested 100,000 deep"] = () => Json(new string('[', 100_000)),
        ["number beyond a double"] = () => Json("1e400"),

        ["no message indexes"] = () => Protobuf("", frame: "0000000007"),
        ["negative message index"] = () => Protobuf("", frame: "00000000070201"),
        ["message indexes without an end"] = () => Protobuf("", frame: "0000000007fffffffff1" + string.Concat(Enumerable.Repeat("00", 20))),
        ["message index out of range"] = () => Protobuf("", frame: "00000000070214"),
        ["another message of the schema than the binding's"] = () => Protobuf("", frame: "00000000070202"),
        ["message cut short"] = () => Protobuf("08"),
        ["group without an end"] = () => Protobuf("1b0801"),
        ["length of a message past the end"] = () => Protobuf("1205"),
        ["length of 2^63"] = () => Protobuf("128080808080808080800112"),
        ["tag of more than 10 bytes"] = () => Protobuf("8080808080808080808001"),
        ["int32 beyond 32 bits"] = () => Protobuf("08808080808001"),
        ["field number 0"] = () => Protobuf("0001"),
        ["field number above 2^29-1"] = () => Protobuf("808080801001"),
        ["wire type 6"] = () => Protobuf("0e01"),
        ["end of a group that did not begin"] = () => Protobuf("1c"),
        ["end of another group than began"] = () => Protobuf("1b24"),
        ["known field in another encoding"] = () => Protobuf("0d00000000"),
        ["singular field twice"] = () => Protobuf("08010802"),
        ["value of a map entry twice"] = () => Protobuf("220410001000"),
        ["two members of one oneof"] = () => Protobuf("28013001"),
        ["two entries of a map with one key"] = () => Protobuf("22030a0161" + "22050a01611001"),
        ["required field that is not there"] = () => Protobuf("5200"),
        ["string that is not UTF-8, proto2's too"] = () => Protobuf("3a01ff"),
        ["enum number without a name"] = () => Protobuf("4009"),
        ["bool other than 0 and 1"] = () => Protobuf("4802"),
        ["field that the writer's schema does not have"] = () => Protobuf("a00601"),
        ["unknown field inside a timestamp, whatever `unknown_fields` says"] = () => Protobuf("5a021801", "unknown_fields: keep"),
        ["unknown groups 100,000 deep"] = () => Protobuf(string.Concat(Enumerable.Repeat("a306", 100_000)), "unknown_fields: keep"),
        ["messages 100,000 deep"] = () => Protobuf(Convert.ToHexString(Nested(100_000))),
        ["messages of many fields in very many elements"] = ManyFields,
        ["timestamp beyond the year 9999"] = () => Protobuf("5a0708ffffffffff7f"),
        ["value that its JSON Schema refuses"] = () => Validated("""{"type":"object","required":["a"]}""", "{}"),
        ["value that takes more steps to judge than a record may"] = () => Validated(
            """{"definitions":{"n":{"anyOf":[{"required":["x"],"properties":{"c":{"$ref":"#/definitions/n"}}},{"required":["y"],"properties":{"c":{"$ref":"#/definitions/n"}}},{"properties":{"c":{"$ref":"#/definitions/n"}}}],"not":{"required":["z"],"properties":{"c":{"$ref":"#/definitions/n"}}}}},"$ref":"#/definitions/n"}""",
            string.Concat(Enumerable.Repeat("{\"c\":", 60)) + "1" + new string('}', 60)),

        ["Avro key without a frame"] = () => Key("633d31"),
        ["Avro key without a byte"] = () => Key(""),
        ["Avro key whose schema id is cut short"] = () => Key("0000000b"),
        ["Avro key cut short"] = () => Key("000000000b"),
        ["Avro key whose prefix and header disagree"] = () => Key("000000000b02", "000000000c"),
        ["Avro key whose prefix names an id, and header another schema's GUID"] = () => Key("000000000b02", GuidFrame(12)),
        ["schema header where keys have no framing"] = () => Key("02", GuidFrame(11), "key_framing: none"),
        ["Avro key of an unknown schema"] = () => KeyAnswered(WriterAdmission.UnknownId),
        ["Avro key of another subject's schema"] = () => KeyAnswered(WriterAdmission.NotAdmitted),
        ["JSON key with a property twice"] = () => JsonKey("{\"a\":1,\"a\":2}"),
    };

    public static TheoryData<string, string, string> Rows => [.. Row().Matches(Page()).Select(match => (match.Groups[1].Value, match.Groups[2].Value, match.Groups[3].Value))];

    [Theory, MemberData(nameof(Rows))]
    public void Record_ThatIsBad_IsDeniedWithItsCode(string what, string cause, string code)
    {
        Assert.True(s_rows.TryGetValue(what, out Func<Verdict>? judge), $"No test makes `{what}`.");
        var watch = Stopwatch.StartNew();
        Verdict verdict = judge();
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), "It took too long.");
        Assert.Equal(Outcome.Deny, verdict.Outcome);
        Assert.Equal([cause], verdict.Rules);
        Assert.Equal(new DecisionError(cause, code), verdict.Errors[0]);

        // What follows is a place in the schema.
        Assert.All(verdict.Errors.Skip(1), error => Assert.StartsWith("#", error.Code, StringComparison.Ordinal));
    }

    [Fact]
    public void Page_HasEveryRowOfTheTests() => Assert.Equal(s_rows.Keys.Order(StringComparer.Ordinal), Row().Matches(Page()).Select(match => match.Groups[1].Value).Order(StringComparer.Ordinal));

    [Fact]
    public void Page_HasEveryCodeThatAWalkGives()
    {
        string page = Page();
        foreach (DecodeOutcome outcome in Enum.GetValues<DecodeOutcome>().Where(outcome => outcome != DecodeOutcome.Decoded)) { Assert.Contains($"`{DecodeOutcomes.Code(outcome)}`", page, StringComparison.Ordinal); }
    }

    /// <summary>Faults that an operator must be able to tell apart by the code alone.</summary>
    [Fact]
    public void Page_DifferentFaults_HaveDifferentCodes()
    {
        string[] faults =
        [
            "null value", "empty value", "magic byte alone", "truncated schema id", "another first byte", "unknown schema id", "schema of another format", "schema of another subject",
            "varint of more than 10 bytes", "varint that overflows a long", "union index out of range", "enum index out of range", "boolean byte other than 0 and 1", "length beyond the end", "negative length",
            "length of 2^62", "array of 2^62 items of zero size", "block without an end", "value cut short", "recursion 100,000 deep", "text that is not UTF-8", "bytes behind the value", "decimal beyond its precision",
            "map key twice", "property twice, once escaped", "half a surrogate pair", "byte order mark", "two documents", "NaN", "comment", "text of another grammar", "string of 50 MB", "value that its JSON Schema refuses",
        ];
        Dictionary<string, string> codes = Row().Matches(Page()).ToDictionary(match => match.Groups[1].Value, match => match.Groups[3].Value);
        Assert.Empty(faults.GroupBy(fault => codes[fault]).Where(same => same.Count() > 1).Select(same => $"{same.Key}: {string.Join(", ", same)}"));
    }

    private const string ProtobufSchema = """
        syntax = "proto2";
        import "google/protobuf/timestamp.proto";
        message M {
          optional int32 i = 1; optional M m = 2; optional group G = 3 { optional int32 i = 1; } map<string, int32> map = 4;
          oneof o { int32 a = 5; int32 b = 6; } optional string s = 7; optional E e = 8; optional bool t = 9; optional R r = 10; optional google.protobuf.Timestamp at = 11;
        }
        message R { required int32 i = 1; }
        enum E { ZERO = 0; ONE = 1; }
        """;

    private static Verdict Protobuf(string hex, string binding = "", string frame = "000000000700") =>
        Bench.Of(Bench.Yaml(Tag, binding).Replace("format: avro", "format: protobuf", StringComparison.Ordinal), (7, ProtobufSchema)).Decide(Convert.FromHexString(frame + hex));

    /// <summary>A message in a message in a message; lengths are those that its depth makes.</summary>
    private static byte[] Nested(int depth)
    {
        var bytes = new List<byte>();
        for (int i = 0; i < depth; i++)
        {
            // Written from the end to the start.
            var length = new List<byte>();
            ulong rest = (ulong)bytes.Count;
            for (; rest >= 0x80; rest >>= 7) { length.Add((byte)(rest | 0x80)); }
            length.Add((byte)rest);
            length.Reverse();
            bytes.AddRange(length);
            bytes.Add(0x12);
        }

        bytes.Reverse();
        return [.. bytes];
    }

    private static Verdict ManyFields()
    {
        string schema = "syntax = \"proto3\"; message M { repeated W w = 1; } message W { " + string.Concat(Enumerable.Range(1, 5_000).Select(n => $"int32 f{n} = {n}; ")) + "}";
        byte[] value = [0, 0, 0, 0, 7, 0, .. Enumerable.Repeat((byte[])[0x0A, 0], 100_000).SelectMany(pair => pair)];
        return Bench.Of(Bench.Yaml(Tag).Replace("format: avro", "format: protobuf", StringComparison.Ordinal), (7, schema)).Decide(value);
    }

    [GeneratedRegex(@"^\| (.+?) \| `(ps:[a-z-]+)` \| `([a-z0-9-]+)` \|\r?$", RegexOptions.Multiline)]
    private static partial Regex Row();

    private static string Page()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "PolicyStreams.sln"))) { folder = Path.GetDirectoryName(folder); }
        return File.ReadAllText(Path.Combine(folder!, "docs", "reference", "bad-input.md"));
    }

    /// <summary>What names the schema of an id by GUID.</summary>
    private static string GuidFrame(int id) => Convert.ToHexString(Bench.GuidFrame(id));

    private static Verdict Value(string? hex, params (string Name, string Hex)[] headers) => Value(Bench.Of(Bench.Yaml(Tag), (7, Bench.PaymentSchema), (8, Bench.PaymentSchema)), hex, headers);

    private static Verdict Value(Bench bench, string? hex, params (string Name, string Hex)[] headers)
    {
        foreach ((string name, string value) in headers) { bench.Headers.Add(Encoding.UTF8.GetBytes(name), Convert.FromHexString(value)); }
        return bench.Decide(hex is null ? null : Convert.FromHexString(hex));
    }

    private static Verdict Headers(int count)
    {
        Bench bench = Bench.Of(Bench.Yaml(Tag));
        for (int i = 0; i < count; i++) { bench.Headers.Add("h"u8, "v"u8); }
        return bench.Decide(Bench.Payment);
    }

    private static Verdict Answered(string hex, WriterAdmission admission, string? header = null)
    {
        Bench bench = Bench.Of(Bench.Yaml(Tag));
        if (header is not null) { bench.Headers.Add(FrameReader.ValueHeader, Convert.FromHexString(header)); }
        byte[] value = Convert.FromHexString(hex);
        JudgeResult needed = bench.Judge.Decide(bench.Binding, bench.Input(value), bench.Output, bench.Verdict);
        Assert.False(needed.Decided);
        bench.Binding.Answer(needed, needed.NeededSchemaId, admission, null);
        return bench.Decide(value);
    }

    private static Verdict OtherRecord()
    {
        string yaml = Bench.Yaml(Tag).Replace("subject: raw.payments-value", "subject: { naming: record, record: bench.Payment }", StringComparison.Ordinal);
        Bench bench = Bench.Of(yaml);
        string other = Bench.PaymentSchema.Replace("\"Payment\"", "\"Refund\"", StringComparison.Ordinal);
        bench.Binding.AddWriter(8, WriterAdmission.Admitted, new SchemaVersion(2, 8, AvroSchema.Parse(other)));
        return bench.Decide(bench.Encode(Bench.Payment, AvroSchema.Parse(other), 8));
    }

    private static Verdict FiftyMegabytes()
    {
        byte[] value = new byte[50_000_000];
        value[4] = 7;
        return Bench.Of(Bench.Yaml(Tag, top: "limits: { record_bytes: 10485760 }")).Decide(value);
    }

    private static Verdict Avro(string type, string hex, string rules = Tag)
    {
        Bench bench = Bench.Of(Bench.Yaml(rules), (7, $$"""{"type":"record","name":"R","fields":[{"name":"f","type":{{type}}}]}"""));
        return bench.Decide(Bench.Framed(7, Convert.FromHexString(hex)));
    }

    private static Verdict Json(string text) => Bench.Of(Bench.JsonYaml(Tag)).Decide(Encoding.UTF8.GetBytes(text));

    private static Verdict Validated(string schema, string text)
    {
        PolicyLoad load = PolicySet.Load([new PolicyFile("payments.policy.yaml", Bench.Yaml(Tag).Replace("format: avro", "format: json", StringComparison.Ordinal))]);
        var subject = new SubjectSchemas("raw.payments-value", [new SchemaVersion(1, 7, PolicyStreams.Schemas.JsonSchema.ValidatedJson.Parse(schema))]);
        CompiledPolicy policy = CompiledPolicy.Compile(load.Set!.Policies[0], new Dictionary<string, SubjectSchemas> { ["payments"] = subject }, Bench.Keys(), [])!;
        Bench bench = Bench.Of(Bench.Yaml(Tag)).With(policy);
        return bench.Decide(Bench.Framed(7, Encoding.UTF8.GetBytes(text)));
    }

    private static Verdict Key(string hex, string? header = null, string binding = "")
    {
        KeyBench bench = KeyBench.Of(Tag, binding);
        if (header is not null) { bench.Headers.Add(FrameReader.KeyHeader, Convert.FromHexString(header)); }
        return bench.Decide(Convert.FromHexString(hex));
    }

    private static Verdict KeyAnswered(WriterAdmission admission)
    {
        KeyBench bench = KeyBench.Of(Tag);
        byte[] key = bench.Encode(KeyBench.Key);
        BinaryPrimitives.WriteInt32BigEndian(key.AsSpan(1), 999);
        JudgeResult needed = bench.Judge.Decide(bench.Binding, bench.Input(key), bench.Output, bench.Verdict);
        bench.Binding.Answer(needed, 999, admission, null);
        return bench.Decide(key);
    }

    private static Verdict JsonKey(string text)
    {
        Bench bench = Bench.Of(Bench.Yaml(Tag).Replace("key_format: string", "key_format: json", StringComparison.Ordinal));
        bench.Key = Encoding.UTF8.GetBytes(text);
        return bench.Decide(Bench.Payment);
    }
}
