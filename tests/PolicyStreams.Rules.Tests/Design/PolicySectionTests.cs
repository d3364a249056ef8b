using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Avro;

namespace PolicyStreams.Rules.Tests.Design;

/// <summary>
/// The design's section on policies, sentence by sentence: each has a test here or is named with the tests that have it, and <see cref="Reference_EverySentence_HasItsPlace"/>
/// finds it in the reference. The table of masks is in <see cref="Masking.MaskTableTests"/>, bad input in <see cref="Policies.BadInputTests"/>, the digest in <see cref="Policies.DigestPropertyTests"/>.
/// </summary>
public class PolicySectionTests
{
    private const string TwoBindings = """
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: two }
        bindings:
          - { name: a, format: json }
          - { name: b, format: json }
        rules:
          - { id: both, tag: { x: "1" } }
          - { id: only-b, bindings: [b], tag: { y: "1" } }
        """;

    private static bool Fires(string when, string json = Bench.Payment)
    {
        Bench bench = Bench.Of(Bench.Yaml($"- id: a\n  when: {when}\n  tag: {{ x: y }}"));
        bench.Headers.Add("x"u8, "1"u8);
        bench.Headers.Add("twice"u8, "1"u8);
        bench.Headers.Add("twice"u8, "2"u8);
        bench.Decide(json);
        Assert.Empty(bench.Verdict.Errors);
        return bench.Verdict.Rules.Contains("a");
    }

    private static string Error(string when, string json = Bench.Payment, Action<Bench>? prepare = null)
    {
        Bench bench = Bench.Of(Bench.Yaml($"- id: a\n  when: {when}\n  tag: {{ x: y }}"));
        prepare?.Invoke(bench);
        bench.Decide(json);
        return Assert.Single(bench.Verdict.Errors).Code;
    }

    private static string Refused(string rule)
    {
        Assert.Null(Bench.TryOf(Bench.Yaml(rule), [], out IReadOnlyList<Diagnostic> diagnostics));
        return diagnostics[0].ToString();
    }

    private static string With(string from, string to) => Bench.Payment.Replace(from, to, StringComparison.Ordinal);

    // A rule applies to every binding of its policy, or to those in its `bindings: [...]`.
    [Fact]
    public void Rule_AppliesToEveryBinding_OrToThoseItNames()
    {
        Bench bench = Bench.Of(TwoBindings);
        bench.Decide("{}");
        Assert.Equal(["both"], bench.Verdict.Rules);
        bench.Binding = bench.Policy.Bindings["b"];
        bench.Decide("{}");
        Assert.Equal(["both", "only-b"], bench.Verdict.Rules);
    }

    // Durations are `90s`, `15m`, `4h`, `7d`.
    [Theory]
    [InlineData("90s", 90)]
    [InlineData("15m", 900)]
    [InlineData("4h", 14_400)]
    [InlineData("7d", 604_800)]
    public void Durations_AreSecondsMinutesHoursDays(string text, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), Bench.Of(Bench.Yaml($"- {{ id: a, hold: {{ approvers: [x], expires: {text} }} }}")).Policy.Document.Rules[0].Hold!.Expires);

    [Theory]
    [InlineData("90")]
    [InlineData("1.5h")]
    [InlineData("1w")]
    [InlineData("PT4H")]
    [InlineData("-1h")]
    [InlineData("2147483647d")]
    [InlineData("9223372036854775807s")]
    public void Durations_AnythingElse_IsRefused(string text) => Assert.Contains("PS0103", Refused($"- {{ id: a, hold: {{ approvers: [x], expires: {text} }} }}"));

    // Every default is in the reference.
    [Fact]
    public void Defaults_OfTheJsonSchema_AreInTheReference()
    {
        string page = Page("policy.md") + Page("masks.md");
        var missing = new List<string>();
        Walk(JsonDocument.Parse(PolicyJsonSchema.Text).RootElement);
        Assert.Empty(missing);

        void Walk(JsonElement at)
        {
            if (at.ValueKind == JsonValueKind.Array) { foreach (JsonElement item in at.EnumerateArray()) { Walk(item); } }
            if (at.ValueKind != JsonValueKind.Object) { return; }
            foreach (JsonProperty member in at.EnumerateObject())
            {
                if (member.Name == "properties")
                {
                    foreach (JsonProperty key in member.Value.EnumerateObject())
                    {
                        if (key.Value.TryGetProperty("default", out JsonElement says) && !page.Split('\n').Any(line => line.Contains(key.Name, StringComparison.Ordinal) && line.Contains(says.ToString().ToLowerInvariant(), StringComparison.Ordinal))) { missing.Add($"{key.Name}: {says}"); }
                    }
                }

                Walk(member.Value);
            }
        }
    }

    // A writer schema must be a version of the binding's subject, else the record is denied (`ps:schema-not-admitted`).
    [Fact]
    public void WriterSchema_OfAnotherSubject_IsDenied()
    {
        Bench bench = Bench.Of(Bench.Yaml("[]"));
        bench.Binding.AddWriter(99, WriterAdmission.NotAdmitted, null);
        bench.Decide(bench.Encode(Bench.Payment, id: 99));
        Assert.Equal((Outcome.Deny, "ps:schema-not-admitted"), (bench.Verdict.Outcome, bench.Verdict.Rules.Single()));
    }

    // Tags are the union, by path, over all versions of the subject: an untagged later version does not unmask.
    // A new field that carries a tag is masked from its first record.
    [Fact]
    public void Tags_AreTheUnionOverVersions_AndNewFieldsAreMaskedFromTheirFirstRecord()
    {
        string untagged = Bench.PaymentSchema.Replace(",\"confluent:tags\":[\"PAN\"]", "", StringComparison.Ordinal);
        string later = untagged.Replace("{\"name\":\"merchant\",\"type\":\"string\"}", "{\"name\":\"merchant\",\"type\":\"string\"},{\"name\":\"iban\",\"type\":\"string\",\"tags\":[\"PAN\"],\"default\":\"\"}", StringComparison.Ordinal);
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { tag: PAN, constant: x } }"), (7, Bench.PaymentSchema), (8, untagged));
        Assert.Equal("x", bench.Mask(Bench.Payment).GetProperty("card_number").GetString());
        AvroSchema added = AvroSchema.Parse(later, []);
        bench.Binding.AddWriter(9, WriterAdmission.Admitted, new SchemaVersion(3, 9, added));
        bench.Decide(bench.Encode(With("\"merchant\":\"Books\"", "\"merchant\":\"Books\",\"iban\":\"DE00\""), added, 9));
        Assert.Equal(["card_number", "iban"], bench.Verdict.Masked);
    }

    // A mask whose selector finds a field in the checked schema and none in a later writer schema, a field that a rule names and that was retyped or is gone without a default, is a schema mismatch.
    [Theory]
    [InlineData("- { id: m, mask: { field: merchant, constant: x } }", "{\"name\":\"merchant\",\"type\":\"string\"},", "", "merchant")]
    [InlineData("- { id: r, when: value.amount > 1.0, deny: {} }", "{\"name\":\"amount\",\"type\":\"double\"}", "{\"name\":\"amount\",\"type\":\"string\"}", "amount")]
    [InlineData("- { id: r, when: value.merchant == \"x\", deny: {} }", "{\"name\":\"merchant\",\"type\":\"string\"},", "", "merchant")]
    public void LaterSchema_ThatLostOrRetypedWhatThePolicyNames_IsAMismatch(string rule, string from, string to, string path)
    {
        Bench bench = Bench.Of(Bench.Yaml(rule));
        string text = Bench.PaymentSchema.Replace(from, to, StringComparison.Ordinal);
        Assert.NotEqual(Bench.PaymentSchema, text);
        AvroSchema later = AvroSchema.Parse(text, []);
        bench.Binding.AddWriter(8, WriterAdmission.Admitted, new SchemaVersion(2, 8, later));
        bench.Decide(bench.Encode(path == "amount" ? With("\"amount\":120.5", "\"amount\":\"1\"") : With("\"merchant\":\"Books\",", ""), later, 8));
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal(["ps:schema-mismatch"], bench.Verdict.Rules);
        Assert.Equal([new DecisionError("ps:schema-mismatch", path)], bench.Verdict.Errors);
    }

    // A field that an older writer schema lacks reads as its default in the checked schema; a mask on it does nothing.
    [Fact]
    public void OlderSchema_WithoutAField_ReadsItsDefaultAndMasksNothing()
    {
        string later = Bench.PaymentSchema.Replace("{\"name\":\"merchant\",\"type\":\"string\"}", "{\"name\":\"merchant\",\"type\":\"string\"},{\"name\":\"tier\",\"type\":\"string\",\"default\":\"gold\"}", StringComparison.Ordinal);
        Bench bench = Bench.Of(Bench.Yaml("- { id: r, when: value.tier == \"gold\", tag: { tier: gold } }\n- { id: m, mask: { field: tier, constant: x } }"), (7, Bench.PaymentSchema), (8, later));
        bench.Decide(bench.Encode(Bench.Payment, AvroSchema.Parse(Bench.PaymentSchema, []), 7));
        Assert.Equal(["r"], bench.Verdict.Rules);
        Assert.False(bench.Verdict.ValueRewritten);
    }

    // Conditions are CEL, type-checked at load: an unknown field is an error with line, column, and the nearest name.
    [Fact]
    public void Condition_WithAnUnknownField_IsAnErrorAtItsPlaceWithTheNearestName()
    {
        Assert.Matches(@"^payments\.policy\.yaml:13:16: PS0107 error: unknown field `value\.amout` in rule `a`[^\n]*\n  help: did you mean `value\.amount`\?$", Refused("- id: a\n  when: value.amout > 1.0\n  deny: {}"));
    }

    // Variables: value, key, headers, principal, topic, partition, offset, timestamp, schema.
    [Theory]
    [InlineData("value.country == \"DE\"")]
    [InlineData("key == \"c-1\"")]
    [InlineData("'headers[\"x\"] == \"1\"'")]
    [InlineData("principal.id == \"checkout\" && \"payments-producers\" in principal.groups && principal.via == \"topic\"")]
    [InlineData("topic == \"raw.payments\"")]
    [InlineData("partition == 0")]
    [InlineData("offset == 42")]
    [InlineData("timestamp == timestamp(\"2026-01-01T00:00:00Z\")")]
    [InlineData("schema.id == 7 && schema.version == 1 && schema.subject == \"raw.payments-value\"")]
    public void Variable_IsThere(string when) => Assert.True(Fires(when));

    [Fact]
    public void Variable_OfAnotherName_IsRefused() => Assert.Contains("PS0203", Refused("- { id: a, when: record.x == 1, deny: {} }"));

    // Nullable: T or null. `x == null` always checks and never fails; any other use of a null is an evaluation error, and lint warns where it is not guarded; `has(x.f)` is "present and not null".
    [Theory]
    [InlineData("value.note == null", true)]
    [InlineData("value.note != null", false)]
    [InlineData("has(value.note)", false)]
    [InlineData("has(value.customer.email)", true)]
    [InlineData("value.note != null && value.note == \"a\"", false)]
    public void Null_ComparedWithNullOrGuarded_NeverFails(string when, bool fires) => Assert.Equal(fires, Fires(when));

    [Theory]
    [InlineData("value.note == \"a\"")]
    [InlineData("value.note in [\"a\"]")]
    [InlineData("value.note.startsWith(\"a\")")]
    [InlineData("size(value.note) > 0")]
    public void Null_UsedOtherwise_IsAnErrorAndLintWarns(string when)
    {
        Assert.Equal("null-use", Error(when));
        Bench.TryOf(Bench.Yaml($"- id: a\n  when: {when}\n  deny: {{}}"), [], out IReadOnlyList<Diagnostic> diagnostics);
        Assert.Equal(("PS0401", Severity.Warning), (diagnostics.Single().Code, diagnostics.Single().Severity));
    }

    // Other unions: dyn; `branch(x)` is the branch's full name. Decimal: compared exactly with numbers and decimal("1.50"). Dates, times, Avro durations.
    [Theory]
    [InlineData("value.u == 5 && branch(value.u) == \"int\" && value.w == \"x\" && branch(value.w) == \"string\" && branch(value.r) == \"n.R\"")]
    [InlineData("value.d == decimal(\"1.50\") && value.d > 1 && value.d < 1.51 && value.d == 1.5")]
    // As written, not as the nearest double: 0.1 is a little more than a tenth, and no double is 9007199254740993.
    [InlineData("decimal(\"0.1\") != 0.1 && decimal(\"0.1\") < 0.1 && 0.1 > decimal(\"0.1\") && decimal(\"0.1000000000000000055511151231257827021181583404541015625\") == 0.1")]
    [InlineData("decimal(\"9007199254740993\") > 9007199254740992.0 && decimal(\"9007199254740993\") != 9007199254740992.0 && decimal(\"-9007199254740993\") < -9007199254740992.0 && decimal(\"9007199254740993\") == 9007199254740993")]
    [InlineData("decimal(\"1.50\") == decimal(\"1.5\") && decimal(\"1.50\") == 1.5 && decimal(\"-0.00\") == 0 && decimal(\"18446744073709551615\") == 18446744073709551615u && decimal(\"18446744073709551614.9\") < 18446744073709551615u")]
    [InlineData("value.d == decimal(\"1.5\") && value.d > 1u && 2u > value.d && value.d != 1u && value.d < 1.5000000000000002 && value.d > 1.4999999999999998 && value.d in [1.5] && decimal(\"1.50\") in [value.d]")]
    [InlineData("!(value.d < double(\"NaN\")) && !(value.d >= double(\"NaN\")) && value.d != double(\"NaN\") && value.d < double(\"Infinity\") && value.d > double(\"-Infinity\") && value.d != double(\"Infinity\") && value.d > 5e-324 && value.d < 1.7976931348623157e308")]
    [InlineData("value.day == timestamp(\"2026-01-02T00:00:00Z\") && value.at.getFullYear() == 2026 && value.local == timestamp(\"2026-01-02T03:04:05Z\")")]
    [InlineData("value.clock == duration(\"1h\") && value.span.months == 1 && value.span[\"days\"] == 2 && value.span.millis == 3")]
    [InlineData("value.i + 1 == 8 && value.f + 0.5 == 2.0 && value.e == \"B\" && value.id.isUuid() && value.b == b\"ab\" && value.x == b\"cd\"")]
    [InlineData("value.i == 7.0 && value.f < 2 && value.i < 7.5 && 1u < value.i")]
    public void Types_AreAsTheTableHasThem(string when)
    {
        const string Schema = """
            {"type":"record","name":"T","namespace":"n","fields":[{"name":"u","type":["int","string"]},{"name":"w","type":["int","string"]},{"name":"r","type":["int",{"type":"record","name":"R","fields":[]}]},
             {"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},{"name":"day","type":{"type":"int","logicalType":"date"}},{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},
             {"name":"local","type":{"type":"long","logicalType":"local-timestamp-millis"}},{"name":"clock","type":{"type":"long","logicalType":"time-micros"}},{"name":"span","type":{"type":"fixed","name":"S","size":12,"logicalType":"duration"}},
             {"name":"i","type":"int"},{"name":"f","type":"float"},{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},{"name":"id","type":{"type":"string","logicalType":"uuid"}},{"name":"b","type":"bytes"},{"name":"x","type":{"type":"fixed","name":"X","size":2}}]}
            """;
        Bench bench = Bench.Of(Bench.Yaml($"- id: a\n  when: '{when}'\n  tag: {{ x: y }}"), (7, Schema));
        bench.Decide("""
            {"u":5,"w":"x","r":{},"d":"1.50","day":"2026-01-02","at":"2026-01-02T03:04:05Z","local":"2026-01-02T03:04:05","clock":"01:00:00","span":{"months":1,"days":2,"millis":3},"i":7,"f":1.5,"e":"B",
             "id":"2f1c1c56-8f3a-4c1b-9d53-0a51c3d4e5f6","b":{"$bytes":"YWI="},"x":{"$bytes":"Y2Q="}}
            """);
        Assert.Equal(["a"], bench.Verdict.Rules);
    }

    [Theory]
    [InlineData("value.millis == timestamp(\"2026-01-02T03:04:05.123Z\")")]
    [InlineData("value.micros == timestamp(\"2026-01-02T03:04:05.123456Z\") && value.micros > timestamp(\"2026-01-02T03:04:05.123455999Z\")")]
    [InlineData("value.nanos == timestamp(\"2026-01-02T03:04:05.123456789Z\") && value.nanos > timestamp(\"2026-01-02T03:04:05.123456788Z\")")]
    [InlineData("value.lmillis == timestamp(\"2026-01-02T03:04:05.123Z\")")]
    [InlineData("value.lmicros == timestamp(\"2026-01-02T03:04:05.123456Z\")")]
    [InlineData("value.lnanos == timestamp(\"2026-01-02T03:04:05.123456789Z\")")]
    [InlineData("value.tmillis == duration(\"1h0.5s\") && value.tmicros == duration(\"1h0.000001s\")")]
    public void Types_OfTime_AreReadInTheirUnit(string when)
    {
        (string Name, string Type, string Logical)[] types =
        [
            ("millis", "long", "timestamp-millis"), ("micros", "long", "timestamp-micros"), ("nanos", "long", "timestamp-nanos"), ("lmillis", "long", "local-timestamp-millis"), ("lmicros", "long", "local-timestamp-micros"),
            ("lnanos", "long", "local-timestamp-nanos"), ("tmillis", "int", "time-millis"), ("tmicros", "long", "time-micros"),
        ];
        string fields = string.Join(",", types.Select(field => $$$"""{"name":"{{{field.Name}}}","type":{"type":"{{{field.Type}}}","logicalType":"{{{field.Logical}}}"}}"""));
        Bench bench = Bench.Of(Bench.Yaml($"- id: a\n  when: '{when}'\n  tag: {{ x: y }}"), (7, $$"""{"type":"record","name":"T","fields":[{{fields}}]}"""));
        bench.Decide("""{"millis":1767323045123,"micros":1767323045123456,"nanos":1767323045123456789,"lmillis":1767323045123,"lmicros":1767323045123456,"lnanos":1767323045123456789,"tmillis":3600500,"tmicros":3600000001}""");
        Assert.Empty(bench.Verdict.Errors);
        Assert.Equal(["a"], bench.Verdict.Rules);
    }

    // JSON without a schema: a number is double (an integer beyond 2^53 that is read is an error), a missing property is an error.
    [Theory]
    [InlineData("value.n == 9007199254740992.0", "{\"n\":9007199254740992}", "")]
    [InlineData("value.n > 1.0", "{\"n\":9007199254740993}", "number-range")]
    [InlineData("value.n > 1.0", "{\"m\":1}", "no-such-field")]
    [InlineData("value.m == 1.0", "{\"m\":1,\"n\":9007199254740993}", "")]
    [InlineData("type(value.n) == double", "{\"n\":1}", "")]
    public void JsonWithoutASchema_IsReadSo(string when, string json, string error)
    {
        Bench bench = Bench.Of(Bench.JsonYaml($"- {{ id: a, when: '{when}', tag: {{ x: y }} }}"));
        bench.Decide(json);
        Assert.Equal(error, bench.Verdict.Errors.Count > 0 ? bench.Verdict.Errors[0].Code : "");
        Assert.Equal(error.Length == 0, bench.Verdict.Rules.Contains("a"));
    }

    // `key` by key_format, nullable; `headers`: map(string, string), reading a name that is repeated or not UTF-8 is an error; `headerValues(name)` is list(bytes).
    [Fact]
    public void KeyAndHeaders_AreReadSo()
    {
        Assert.True(Fires("'headerValues(\"twice\") == [b\"1\", b\"2\"] && headerValues(\"none\") == [] && \"x\" in headers && key != null'"));
        Assert.Equal("repeated-header", Error("'headers[\"x\"] == \"1\"'", prepare: bench => { bench.Headers.Add("x"u8, "1"u8); bench.Headers.Add("x"u8, "2"u8); }));
        Assert.Equal("header-text", Error("'headers[\"x\"] == \"1\"'", prepare: bench => bench.Headers.Add("x"u8, [0xFF])));
        Assert.Equal("null-use", Error("key == \"c\"", prepare: bench => bench.Key = null));
        Assert.Equal("key-format", Error("key == \"c\"", prepare: bench => bench.Key = [0xFF]));
    }

    // key_format: string, bytes, long, avro, json. Avro keys: AvroKeyTests.
    [Theory]
    [InlineData("long", "0000000000000006", "key > 5", true)]
    [InlineData("long", "0000000000000006", "key + 1 == 7", true)]
    [InlineData("long", "ffffffffffffffff", "key > 5", false)]
    [InlineData("bytes", "63ff", "key == b\"c\\xff\"", true)]
    [InlineData("bytes", "", "size(key) == 0", true)]
    [InlineData("string", "632d31", "key == \"c-1\"", true)]
    [InlineData("json", "7b226964223a377d", "key.id == 7.0", true)]
    [InlineData("json", "22632d3122", "key == \"c-1\"", true)]
    [InlineData("json", "6e756c6c", "key == null", true)]
    public void Key_ByItsFormat_IsReadSo(string format, string hex, string when, bool fires)
    {
        Bench bench = KeyOf(format, hex, when);
        bench.Decide(Bench.Payment);
        Assert.Empty(bench.Verdict.Errors);
        Assert.Equal(fires ? ["a"] : [], bench.Verdict.Rules);
    }

    [Theory]
    [InlineData("long", "00000000000006", "key > 5")]
    [InlineData("long", "000000000000000006", "key > 5")]
    [InlineData("long", "", "key > 5")]
    [InlineData("string", "ff", "key == \"c\"")]
    public void Key_ThatIsNotOfItsFormat_IsTheRulesError(string format, string hex, string when)
    {
        Bench bench = KeyOf(format, hex, when);
        bench.Decide(Bench.Payment);
        Assert.Equal([new DecisionError("a", "key-format")], bench.Verdict.Errors);
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
    }

    private static Bench KeyOf(string format, string hex, string when)
    {
        Bench bench = Bench.Of(Bench.Yaml($"- id: a\n  when: '{when}'\n  tag: {{ x: y }}").Replace("key_format: string", $"key_format: {format}", StringComparison.Ordinal));
        bench.Key = Convert.FromHexString(hex);
        return bench;
    }

    // Numbers of different types compare; they do not mix in arithmetic.
    [Theory]
    [InlineData("value.amount + 1 > 2.0")]
    [InlineData("1 * 1.5 > 1.0")]
    [InlineData("1u + 1 == 2u")]
    public void Numbers_OfDifferentTypes_DoNotMixInArithmetic(string when) => Assert.Contains("PS0205", Refused($"- id: a\n  when: {when}\n  deny: {{}}"));

    // `matches` has RE2's syntax and meaning on code points (`$` is the end of the text, `\d` is `[0-9]`), and a pattern outside it is a load error. RE2's own cases: Re2PublishedTests.
    [Theory]
    [InlineData("'value.merchant.matches(\"^.$\")'", "𝄞", true)]
    [InlineData("'value.merchant.matches(\"a$\")'", "a\\n", false)]
    [InlineData("'value.merchant.matches(\"^[[:digit:]]$\")'", "٣", false)]
    [InlineData("'value.merchant.matches(r\"^\\d$\")'", "٣", false)]
    public void Matches_IsRe2s(string when, string merchant, bool fires) => Assert.Equal(fires, Fires(when, With("Books", merchant)));

    [Theory]
    [InlineData("(?=a)")]
    [InlineData("(a)\\\\1")]
    [InlineData("(")]
    public void Matches_PatternOutsideRe2_IsALoadError(string pattern) => Assert.Contains("PS0206", Refused($"- id: a\n  when: 'value.merchant.matches(\"{pattern}\")'\n  deny: {{}}"));

    // Paths: customer.email, items[*].sku, attributes[*], attributes["ssn"], key, headers["x"].
    [Theory]
    [InlineData("a.b", """{"a":{"b":"s"}}""", """{"a":{"b":"#"}}""")]
    [InlineData("l[*].b", """{"l":[{"b":"s"},{"b":"t"}]}""", """{"l":[{"b":"#"},{"b":"#"}]}""")]
    [InlineData("m[*]", """{"m":["s","t"]}""", """{"m":["#","#"]}""")]
    [InlineData("m[\"a b\"]", """{"m":{"a b":"s","c":"t"}}""", """{"m":{"a b":"#","c":"t"}}""")]
    [InlineData("[\"key\"]", """{"key":"s"}""", """{"key":"#"}""")]
    public void Path_SelectsWhatItSays(string path, string json, string published)
    {
        Bench bench = Bench.Of(Bench.JsonYaml($"- {{ id: m, mask: {{ field: '{path}', constant: \"#\" }} }}"));
        bench.Decide(json);
        Assert.Equal(published, Encoding.UTF8.GetString(bench.Output.Written));
    }

    // One mask a value, computed from the original: an explicit path beats a tag, then document order; an enclosing redact or remove wins; where a mask's `when` is false the next applies.
    [Theory]
    [InlineData("- { id: t, mask: { tag: PAN, constant: tag } }\n- { id: p, mask: { field: card_number, keep_last: 4 } }", "************1111")]
    [InlineData("- { id: p, mask: { field: card_number, constant: one } }\n- { id: q, mask: { field: card_number, constant: two } }", "one")]
    [InlineData("- { id: p, when: value.amount > 1e9, mask: { field: card_number, constant: one } }\n- { id: q, mask: { field: card_number, keep_last: 2 } }", "**************11")]
    public void Masks_OnOneValue_AreOneMaskOfTheOriginal(string rules, string expected) => Assert.Equal(expected, Bench.Of(Bench.Yaml(rules)).Mask(Bench.Payment).GetProperty("card_number").GetString());

    // Masks shape what is governed or routed, never held or rejected bytes.
    [Theory]
    [InlineData("hold: { approvers: [x], expires: 1h }", Outcome.Hold)]
    [InlineData("deny: {}", Outcome.Deny)]
    public void Masks_OfHeldAndRejectedRecords_ChangeNothing(string effect, Outcome outcome)
    {
        Bench bench = Bench.Of(Bench.Yaml($"- {{ id: e, {effect} }}\n- {{ id: m, mask: {{ tag: PAN, constant: x }} }}"));
        bench.Decide(Bench.Payment);
        Assert.Equal((outcome, false, 0), (bench.Verdict.Outcome, bench.Verdict.ValueRewritten, bench.Output.Length));
        Assert.Equal(["e", "m"], bench.Verdict.Rules);
        Assert.Empty(bench.Verdict.Masked);
    }

    // Keys: the file's bytes less one final newline, `base64:` in front decodes, at least 32 bytes, an id and versions for rotation.
    [Fact]
    public void Keys_AreReadSo()
    {
        byte[] raw = [.. Enumerable.Range(0, 32).Select(i => (byte)(i + 65))];
        foreach (byte[] material in (byte[][])[raw, [.. raw, (byte)'\n'], Encoding.ASCII.GetBytes("base64:" + Convert.ToBase64String(raw)), Encoding.ASCII.GetBytes("base64:" + Convert.ToBase64String(raw) + "\n")])
        {
            var keys = new KeyRing();
            Assert.Null(keys.Add("k", material));
            Assert.True(keys.TryGet("k", out ReadOnlyMemory<byte> key, out string id));
            Assert.Equal(("k@1", Convert.ToHexString(raw)), (id, Convert.ToHexString(key.Span)));
        }

        Assert.Contains("at least 32", new KeyRing().Add("k", raw.AsSpan(1)));
        var two = new KeyRing();
        Assert.Null(two.Add("k", [.. raw, (byte)'\n', (byte)'\n']));
        Assert.True(two.TryGet("k", out ReadOnlyMemory<byte> kept, out _));
        Assert.Equal(33, kept.Length);
    }

    [Theory]
    [InlineData("{raw}\r\n", "")]
    [InlineData("base64:{head}{tail}\r\n", "")]
    [InlineData("base64:{head} {tail} ", "")]
    [InlineData("base64:{head}\r\n{tail}\n", "")]
    [InlineData("base64:{head}{tail}=", "is not base64")]
    [InlineData("base64:{head}*{tail}", "is not base64")]
    [InlineData("Base64:{head}{tail}", "as it is")]
    public void Keys_EndingsAndBase64_AreTakenAsThePageSays(string text, string said)
    {
        string raw = string.Concat(Enumerable.Range(0, 33).Select(i => (char)(i + 65))), base64 = Convert.ToBase64String(Encoding.ASCII.GetBytes(raw));
        string material = text.Replace("{raw}", raw, StringComparison.Ordinal).Replace("{head}", base64[..20], StringComparison.Ordinal).Replace("{tail}", base64[20..], StringComparison.Ordinal);
        var keys = new KeyRing();
        string? fault = keys.Add("k", Encoding.ASCII.GetBytes(material));
        if (said.StartsWith("is not", StringComparison.Ordinal))
        {
            Assert.Contains(said, fault, StringComparison.Ordinal);
            Assert.DoesNotContain(base64[..20], fault, StringComparison.Ordinal);
            return;
        }

        Assert.Null(fault);
        Assert.True(keys.TryGet("k", out ReadOnlyMemory<byte> key, out _));
        Assert.Equal(said.Length > 0 ? material : raw, Encoding.ASCII.GetString(key.Span));
    }

    [Theory]
    [InlineData(31, false)]
    [InlineData(32, true)]
    [InlineData(4096, true)]
    [InlineData(4097, false)]
    public void Keys_OfALength_AreTakenWithinTheBounds(int length, bool taken)
    {
        byte[] raw = [.. Enumerable.Repeat((byte)'k', length)];
        foreach (byte[] material in (byte[][])[raw, [.. raw, (byte)'\n'], Encoding.ASCII.GetBytes("base64:" + Convert.ToBase64String(raw))]) { Assert.Equal(taken, new KeyRing().Add("k", material) is null); }
    }

    // `hmac: KEY`: lower-case hex of the first 16 bytes of HMAC-SHA-256 over the UTF-8 text. `encrypt`: nonce derived by HMAC from key, position, path, and text.
    [Fact]
    public void Encrypt_AtAnotherPositionOrPath_IsAnotherText()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { field: merchant, encrypt: other-key } }\n- { id: n, mask: { field: customer.name, encrypt: other-key } }"));
        string json = With("Ada Lovelace", "Books");
        string first = Nonce(bench, json);
        Assert.NotEqual(first, bench.Mask(json).GetProperty("customer").GetProperty("name").GetString()!.Split(':')[2][..16]);
        Assert.NotEqual(first, Nonce(bench, With("Books", "Book")));
        var nonces = new HashSet<string> { first };
        foreach ((string? topic, int partition, long offset) in ((string?, int, long)[])[("raw.others", 0, 42), (null, 1, 42), (null, 0, 43), (null, 0, 42L << 32), (null, 42, 0)])
        {
            (bench.Topic, bench.Partition, bench.Offset) = (topic, partition, offset);
            Assert.True(nonces.Add(Nonce(bench, json)), $"{topic}-{partition}-{offset}");
        }

        // Where it stood it is what it was, by the judge that released it too.
        (bench.Topic, bench.Partition, bench.Offset) = (null, 0, 42);
        Assert.Equal(first, Nonce(bench, json));
        bench.Release(json);
        Assert.Equal(first, bench.Published(bench.Encode(json)).GetProperty("merchant").GetString()!.Split(':')[2][..16]);

        // Another key, and another version of it.
        KeyRing rotated = Bench.Keys();
        Assert.Null(rotated.Add("other-key@4", Encoding.UTF8.GetBytes("a-later-key-0123456789-0123456789-01")));
        Assert.True(nonces.Add(Nonce(Bench.Of(Bench.Yaml("- { id: m, mask: { field: merchant, encrypt: other-key } }"), rotated), json)));

        static string Nonce(Bench bench, string json) => bench.Mask(json).GetProperty("merchant").GetString()!.Split(':')[2][..16];
    }

    // Made by another program from what masks.md says: HMAC-SHA-256 and AES-256-GCM of Python's cryptography.
    [Fact]
    public void Encrypt_OfAKnownRecord_IsTheTextThatAnotherProgramMakes() => Assert.Equal(
        "psenc1:other-key@3:54s8k-hYhmZ6Z7g9GXJaKAj0MpM02W-cm50TlB2BJTyA",
        Bench.Of(Bench.Yaml("- { id: m, mask: { field: merchant, encrypt: other-key } }")).Mask(Bench.Payment).GetProperty("merchant").GetString());

    // Tests lie beside the policy: the design's own example, with its one case.
    [Fact]
    public void Tests_TheExampleOfTheDesign_Passes()
    {
        const string Policy = """
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: payments, owner: risk-platform }
            bindings:
              - { name: payments, format: avro, subject: raw.payments-value, key_format: string, identity: { topic: { id: checkout, groups: [payments-producers] } } }
            rules:
              - { id: card-number, mask: { tag: PAN, keep_last: 4 } }
              - { id: customer-email, mask: { field: customer.email, hmac: customer-key } }
              - { id: large-payment, when: value.amount > 10000.0, hold: { approvers: [risk], quorum: 2, expires: 4h, on_expiry: deny, reason: large payment } }
            """;
        var runner = new PolicyTestRunner(path => path switch { "payments.policy.yaml" => Policy, "raw.payments-value.avsc" => Bench.PaymentSchema, _ => null });
        runner.Run(new PolicyFile("payments.policy.tests.yaml", $$"""
            policy: payments.policy.yaml
            keys: { customer-key: "test-key-0123456789-0123456789-0123" }
            tests:
              - name: twelve thousand waits for two people
                given: { binding: payments, principal: { id: checkout, groups: [payments-producers] }, key: c-1, value: {{With("120.5", "12000.0").ReplaceLineEndings(" ")}} }
                expect: { outcome: hold, rules: [card-number, customer-email, large-payment], value: { card_number: "************1111" } }
            """));
        PolicyTestReport report = runner.Report();
        Assert.Empty(report.Diagnostics);
        Assert.Empty(Assert.Single(report.Results).Failures);
    }

    // A mask rule fires where its `when` holds and it selects a value that is not null; `rules` are in the order of the document.
    [Fact]
    public void MaskRule_FiresWhereItSelectsAValue_AndRulesAreInTheOrderOfTheDocument()
    {
        Bench bench = Bench.Of(Bench.Yaml("""
            - { id: z, mask: { field: merchant, constant: x } }
            - { id: y, mask: { field: note, constant: x } }
            - { id: b, tag: { q: r } }
            - { id: x, when: value.amount > 1e9, mask: { field: card_number, constant: x } }
            - { id: a, deny: { reason: no } }
            """));
        bench.Decide(Bench.Payment);
        Assert.Equal(["z", "b", "a"], bench.Verdict.Rules);
    }

    // No payload value, map key, or token is ever in a decision.
    [Fact]
    public void Decision_HoldsNothingOfTheRecord()
    {
        const string Marker = "zq7payload";
        Bench bench = Bench.Of(Bench.JsonYaml("""
            - { id: r, when: 'value.a == 1.0 && headers["h"] == "x" && key == "k"', deny: {} }
            - { id: m, mask: { field: 'm[*]', keep_last: 2 } }
            - { id: n, mask: { field: s, keep_last: 2 } }
            - { id: t, mask: { field: 'headers["h"]', hmac: customer-key } }
            """));
        bench.Headers.Add("h"u8, Encoding.UTF8.GetBytes(Marker));
        bench.Key = Encoding.UTF8.GetBytes(Marker);
        foreach (string record in (string[])[$"{{\"a\":\"{Marker}\",\"s\":\"{Marker}\"}}", $"{{\"a\":2,\"m\":{{\"{Marker}\":\"{Marker}\"}}}}", $"{{\"{Marker}\":1,\"s\":1}}", Marker, $"{{\"{Marker}\":1,\"{Marker}\":1}}"])
        {
            bench.Decide(Encoding.UTF8.GetBytes(record));
            Assert.DoesNotContain(Marker, bench.Json(), StringComparison.Ordinal);
            Assert.DoesNotContain(Marker, bench.Json(full: true), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("policy.md", "`bindings: [...]` (all of the policy where left out)")]
    [InlineData("policy.md", "Durations are `90s`, `15m`, `4h`, `7d`")]
    [InlineData("policy.md", "A writer's schema must be a version of the subject (`ps:schema-not-admitted`)")]
    [InlineData("policy.md", "are the union, by path, over all versions: an untagged later version does not unmask")]
    [InlineData("policy.md", "conditions read its default in the checked schema, and a mask on it does nothing")]
    [InlineData("policy.md", "is a *schema mismatch* where it lost what the policy names")]
    [InlineData("policy.md", "Deny beats hold, hold beats allow; masks and tags accumulate")]
    [InlineData("policy.md", "A file whose policy fails to load never replaces one that runs")]
    [InlineData("policy.md", "`NAME.policy.tests.yaml` lies beside the policy")]
    [InlineData("policy.md", "An ingress topic is in one binding only")]
    [InlineData("policy.md", "key that held and rejected values are encrypted with")]
    [InlineData("cel.md", "| `headers` | `map(string, string)`")]
    [InlineData("cel.md", "`x == null` and `x != null` always check and never fail")]
    [InlineData("cel.md", "They do not mix in arithmetic")]
    [InlineData("cel.md", "full name of the branch that a union holds")]
    [InlineData("cel.md", "It runs in time linear in the text")]
    [InlineData("cel.md", "compared exactly with numbers and with `decimal(\"1.50\")`")]
    [InlineData("cel.md", "an integer of schemaless JSON beyond 2^53")]
    [InlineData("masks.md", "`attributes[\"ssn\"]` | one entry of a map")]
    [InlineData("masks.md", "carries the tag (`confluent:tags` or `tags` on the schema's field")]
    [InlineData("masks.md", "Null stays null, whatever the mask")]
    [InlineData("masks.md", "An explicit path beats a tag; then the rule that comes first in the document")]
    [InlineData("masks.md", "An enclosing `redact` or `remove` that applies wins")]
    [InlineData("masks.md", "`on_error` decides")]
    [InlineData("masks.md", "Held and rejected records keep their original bytes")]
    [InlineData("masks.md", "at least 32 bytes")]
    [InlineData("masks.md", "The nonce is made by HMAC from key, topic, partition, offset, path, and text")]
    [InlineData("masks.md", "A mask's rule is among a decision's `rules` where its `when` holds and it selects a value that is not null")]
    [InlineData("decisions.md", "No payload value, map key, or token is ever in one")]
    [InlineData("decisions.md", "rules that fired, in the order of the document")]
    [InlineData("decisions.md", "**Obligations**")]
    [InlineData("policy.md", "What no rule says still denies")]
    [InlineData("masks.md", "One final newline (`\\n` or `\\r\\n`) is dropped")]
    public void Reference_EverySentence_HasItsPlace(string page, string text) => Assert.Contains(text, Page(page), StringComparison.Ordinal);

    [Fact]
    public void Reference_EveryFunctionOfConditions_IsOnThePage()
    {
        string page = Page("cel.md");
        string[] missing = [.. PolicyStreams.Rules.Cel.Library.StandardLibrary.Functions.Names.Where(name => char.IsAsciiLetter(name[0])).Where(name => !page.Contains($"`{name}`", StringComparison.Ordinal)
            && !page.Contains($"`{name[(name.LastIndexOf('.') + 1)..]}`", StringComparison.Ordinal) && !page.Contains($"`{name}(", StringComparison.Ordinal) && !page.Contains($".{name}(", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        Assert.Empty(missing);
    }

    private static string Page(string name)
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "PolicyStreams.sln"))) { folder = Path.GetDirectoryName(folder)!; }
        return File.ReadAllText(Path.Combine(folder, "docs", "reference", name));
    }
}
