using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.JsonSchema;

namespace PolicyStreams.Rules.Tests.JsonSchema;

/// <summary>Policies over records that a JSON Schema validates: what lint says, what rules see, what masks may write.</summary>
public sealed class JsonSchemaPolicyTests
{
    private const string Schema = """
        {"type":"object","required":["id","n","state"],
         "properties":{
          "id":{"type":"string","pattern":"^[A-Z0-9*]{8}$","confluent:tags":["ID"]},
          "n":{"type":"integer","minimum":10},
          "state":{"enum":["ON","OFF"]},
          "at":{"type":"string","format":"date-time"},
          "mail":{"type":["string","null"],"format":"email"},
          "free":{"type":"string"},
          "both":{"type":"array","uniqueItems":true,"items":{"type":"string"}}}}
        """;

    [Fact]
    public void LocalSchemas_FindWhatAJsonSchemaRefersTo()
    {
        const string text = """
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: p, owner: tests }
            bindings: [{ name: b, format: json, subject: raw.b-value }]
            on_error: deny
            rules:
              - { id: pii, mask: { tag: PII, constant: x } }
            """;
        var files = new Dictionary<string, string>
        {
            ["raw.b-value.json"] = """{"type":"object","properties":{"who":{"$ref":"common/person.json#/definitions/person"}}}""",
            ["common/person.json"] = """{"definitions":{"person":{"type":"object","properties":{"name":{"type":"string","confluent:tags":["PII"]}}}}}""",
        };
        PolicyDocument document = PolicySet.Load([new PolicyFile("p.policy.yaml", text)]).Set!.Policies[0];
        CompiledPolicy policy = Load()!;
        var verdict = new Verdict();
        var output = new ByteBuffer();
        var input = new RecordInput { Topic = "raw.b", HasValue = true, Value = """{"who":{"name":"Ada"}}"""u8, Headers = RecordHeaders.Empty, Principal = Principal.None };
        Assert.True(new Judge().Decide(policy.Bindings["b"], input, output, verdict).Decided);
        Assert.Equal("""{"who":{"name":"x"}}""", Encoding.UTF8.GetString(output.Slice(verdict.ValueStart, verdict.ValueLength)));

        // What it refers to is part of what the policy was reviewed with.
        files["common/person.json"] = files["common/person.json"].Replace("PII", "PII\",\"NAME", StringComparison.Ordinal);
        Assert.NotEqual(policy.Digest, Load()!.Digest);

        CompiledPolicy? Load()
        {
            var said = new List<Diagnostic>();
            IReadOnlyDictionary<string, SubjectSchemas> subjects = LocalSchemas.Load(document, path => files.GetValueOrDefault(path), said);
            CompiledPolicy? compiled = CompiledPolicy.Compile(document, subjects, Bench.Keys(), said);
            Assert.Empty(said);
            return compiled;
        }
    }

    private static CompiledPolicy? Compile(string rules, out IReadOnlyList<Diagnostic> diagnostics, string binding = "", params string[] more)
    {
        string text = $$"""
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: p, owner: tests }
            bindings: [{ name: b, format: json, subject: s{{binding}} }]
            on_error: deny
            rules:
              {{rules}}
            """;
        PolicyLoad load = PolicySet.Load([new PolicyFile("p.policy.yaml", text)]);
        var all = new List<Diagnostic>(load.Diagnostics);
        diagnostics = all;
        if (load.Set is null) { return null; }
        var versions = new List<SchemaVersion>();
        foreach (string schema in (string[])[Schema, .. more]) { versions.Add(new SchemaVersion(versions.Count + 1, versions.Count + 7, ValidatedJson.Parse(schema))); }
        return CompiledPolicy.Compile(load.Set.Policies[0], new Dictionary<string, SubjectSchemas> { ["b"] = new("s", versions) }, Bench.Keys(), all);
    }

    private static Verdict Decide(CompiledPolicy policy, string json, out string published, int id = 7)
    {
        var judge = new Judge();
        var verdict = new Verdict();
        var output = new ByteBuffer();
        byte[] value = Bench.Framed(id, Encoding.UTF8.GetBytes(json));
        var input = new RecordInput { Topic = "raw.b", HasValue = true, Value = value, Headers = RecordHeaders.Empty, Principal = Principal.None };
        Assert.True(judge.Decide(policy.Bindings["b"], input, output, verdict).Decided);
        published = Encoding.UTF8.GetString((verdict.ValueRewritten ? output.Slice(verdict.ValueStart, verdict.ValueLength).ToArray() : value).AsSpan(5));
        return verdict;
    }

    private static string Refused(string rules, string binding = "")
    {
        Assert.Null(Compile(rules, out IReadOnlyList<Diagnostic> diagnostics, binding));
        return string.Join('\n', diagnostics);
    }

    [Theory]
    [InlineData("""- { id: r, when: 'value.stat == "ON"', deny: { reason: x } }""", "did you mean `value.state`")]
    [InlineData("""- { id: r, when: value.n > "a", deny: { reason: x } }""", "int and string")]
    [InlineData("""- { id: r, mask: { tag: ID, hmac: customer-key } }""", "#/properties/id/pattern")]
    [InlineData("""- { id: r, mask: { field: id, constant: none } }""", "refuses the constant (`#/properties/id/pattern`)")]
    [InlineData("""- { id: r, mask: { field: id, redact: true } }""", "#/properties/id/pattern")]
    [InlineData("""- { id: r, mask: { field: n, redact: true } }""", "#/properties/n/minimum")]
    [InlineData("""- { id: r, mask: { field: state, constant: GONE } }""", "no symbol")]
    [InlineData("""- { id: r, mask: { field: id, remove: true } }""", "cannot be removed")]
    [InlineData("""- { id: r, mask: { tag: PAN, redact: true } }""", "carries tag `PAN`")]
    public void Compile_MistakeAgainstTheSchema_IsAnError(string rule, string said) => Assert.Contains(said, Refused(rule), StringComparison.Ordinal);

    [Fact]
    public void Compile_SymbolThatIsNone_IsSaid()
    {
        Compile("""- { id: r, when: 'value.state == "GONE"', deny: { reason: x } }""", out IReadOnlyList<Diagnostic> diagnostics);
        Assert.Contains(diagnostics, one => one.ToString().Contains("GONE", StringComparison.Ordinal));
    }

    [Fact]
    public void Compile_AssertedFormat_CountsForMasks()
    {
        const string Rule = """- { id: r, mask: { field: mail, constant: hidden } }""";
        Assert.NotNull(Compile(Rule, out _));
        Assert.Contains("#/properties/mail/format", Refused(Rule, ", formats: assert"), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_FormatsWithoutASchema_IsAnError()
    {
        PolicyLoad load = PolicySet.Load([new PolicyFile("p.policy.yaml", Bench.JsonYaml("- { id: t, tag: { a: b } }", "formats: assert"))]);
        Assert.Contains(load.Diagnostics, one => one.ToString().Contains("`formats`", StringComparison.Ordinal));
    }

    [Fact]
    public void Decide_TypedValues_AreReadAsTheirTypes()
    {
        CompiledPolicy policy = Compile("""
            - { id: int, when: value.n == 9007199254740993, tag: { a: int } }
              - { id: at, when: 'value.at > timestamp("2026-01-01T00:00:00Z")', tag: { b: at } }
              - { id: none, when: value.mail == null && !has(value.free), tag: { c: none } }
            """, out IReadOnlyList<Diagnostic> diagnostics) ?? throw new InvalidOperationException(string.Join('\n', diagnostics));
        Verdict verdict = Decide(policy, """{"id":"AAAAAAAA","n":9007199254740993,"state":"ON","at":"2026-01-01T01:00:00.5+00:30"}""", out _);
        Assert.Empty(verdict.Errors);
        Assert.Equal(["int", "at", "none"], verdict.Rules);
    }

    // `has(x.f)` is "present and not null", in every format.
    [Theory]
    [InlineData("has(value.free)", "\"free\":\"\"", true)]
    [InlineData("has(value.free)", "\"at\":\"2026-01-01T00:00:00Z\"", false)]
    [InlineData("has(value.mail)", "\"mail\":\"ada@example.com\"", true)]
    [InlineData("has(value.mail)", "\"mail\":null", false)]
    [InlineData("has(value.mail)", "\"free\":\"x\"", false)]
    [InlineData("has(value.id)", "\"free\":\"x\"", true)]
    public void Decide_HasOfAProperty_IsPresentAndNotNull(string when, string member, bool fires)
    {
        CompiledPolicy policy = Compile($"- {{ id: r, when: '{when}', tag: {{ a: b }} }}", out IReadOnlyList<Diagnostic> diagnostics) ?? throw new InvalidOperationException(string.Join('\n', diagnostics));
        Verdict verdict = Decide(policy, $$"""{"id":"AAAAAAAA","n":12,"state":"ON",{{member}}}""", out _);
        Assert.Empty(verdict.Errors);
        Assert.Equal(fires, verdict.Rules.Contains("r"));
    }

    [Theory]
    [InlineData("value.n > 5", """{"id":"AAAAAAAA","n":92233720368547758080,"state":"ON","at":"2026-01-01T00:00:00Z"}""", "number-range")]
    [InlineData("""value.at > timestamp("2026-01-01T00:00:00Z")""", """{"id":"AAAAAAAA","n":12,"state":"ON","at":"soon"}""", "number-range")]
    [InlineData("""value.at != timestamp("2026-01-01T00:00:00Z") || value.n + 1 == 3""", """{"id":"AAAAAAAA","n":12,"state":"ON","at":"soon"}""", "number-range")]
    public void Decide_ValueThatItsTypeDoesNotHold_IsAnErrorWhereItIsRead(string when, string record, string code)
    {
        CompiledPolicy policy = Compile($"- {{ id: r, when: '{when}', tag: {{ a: b }} }}", out IReadOnlyList<Diagnostic> diagnostics) ?? throw new InvalidOperationException(string.Join('\n', diagnostics));
        Verdict verdict = Decide(policy, record, out _);
        Assert.Equal(Outcome.Deny, verdict.Outcome);
        Assert.Equal([new DecisionError("r", code)], verdict.Errors);
    }

    [Fact]
    public void Decide_MaskThatTheSchemaRefusesOnThisRecord_DeniesIt()
    {
        CompiledPolicy policy = Compile("""- { id: r, mask: { field: 'both[*]', constant: x } }""", out _)!;
        Assert.Equal(Outcome.Allow, Decide(policy, """{"id":"AAAAAAAA","n":12,"state":"ON","both":["a"]}""", out string published).Outcome);
        Assert.Contains("\"both\":[\"x\"]", published, StringComparison.Ordinal);
        Verdict verdict = Decide(policy, """{"id":"AAAAAAAA","n":12,"state":"ON","both":["a","b"]}""", out _);
        Assert.Equal((Outcome.Deny, "ps:mask", new DecisionError("ps:mask", "mask-schema")), (verdict.Outcome, verdict.Rules.Last(), verdict.Errors.Single()));
    }

    [Fact]
    public void Decide_RedactBucketAndRemove_WriteWhatTheSchemaTakes()
    {
        CompiledPolicy policy = Compile("""
            - { id: a, mask: { field: mail, redact: true } }
              - { id: b, mask: { field: n, bucket: 10 } }
              - { id: c, mask: { field: free, remove: true } }
              - { id: d, mask: { field: id, keep_last: 2 } }
              - { id: e, mask: { field: at, date: day } }
            """, out IReadOnlyList<Diagnostic> diagnostics) ?? throw new InvalidOperationException(string.Join('\n', diagnostics));
        Verdict verdict = Decide(policy, """{"id":"ABCDEFGH","n":123,"free":"x","state":"ON","at":"2026-01-18T14:17:12Z","mail":"a@b.cd"}""", out string published);
        Assert.Empty(verdict.Errors);
        using JsonDocument document = JsonDocument.Parse(published);
        Assert.Equal("******GH", document.RootElement.GetProperty("id").GetString());
        Assert.Equal(120, document.RootElement.GetProperty("n").GetInt32());
        Assert.False(document.RootElement.TryGetProperty("free", out _));
        Assert.Equal(JsonValueKind.Null, document.RootElement.GetProperty("mail").ValueKind);
        Assert.StartsWith("2026-01-18", document.RootElement.GetProperty("at").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Decide_TagOfALaterVersion_MasksRecordsOfTheEarlier()
    {
        string later = Schema.Replace("\"free\":{\"type\":\"string\"}", "\"free\":{\"type\":\"string\",\"tags\":[\"PII\"]}", StringComparison.Ordinal);
        CompiledPolicy policy = Compile("""- { id: r, mask: { tag: PII, constant: "***" } }""", out IReadOnlyList<Diagnostic> diagnostics, "", later) ?? throw new InvalidOperationException(string.Join('\n', diagnostics));
        Decide(policy, """{"id":"AAAAAAAA","n":12,"state":"ON","free":"x"}""", out string first);
        Decide(policy, """{"id":"AAAAAAAA","n":12,"state":"ON","free":"x"}""", out string second, id: 8);
        Assert.Contains("\"free\":\"***\"", first, StringComparison.Ordinal);
        Assert.Contains("\"free\":\"***\"", second, StringComparison.Ordinal);
    }

    [Fact]
    public void Compile_VersionThatRetypesWhatARuleReads_IsAMismatch()
    {
        string older = """{"type":"object","required":["id"],"properties":{"id":{"type":"string"},"n":{"type":"string"},"state":{"enum":["ON"]}}}""";
        PolicyLoad load = PolicySet.Load([new PolicyFile("p.policy.yaml", """
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: p, owner: tests }
            bindings: [{ name: b, format: json, subject: s }]
            on_schema_mismatch: deny
            rules: [{ id: r, when: value.n > 5, tag: { a: b } }]
            """)]);
        var diagnostics = new List<Diagnostic>();
        CompiledPolicy policy = CompiledPolicy.Compile(load.Set!.Policies[0], new Dictionary<string, SubjectSchemas> { ["b"] = new("s", [new(1, 7, ValidatedJson.Parse(older)), new(2, 8, ValidatedJson.Parse(Schema))]) }, Bench.Keys(), diagnostics)!;
        Assert.Contains(diagnostics, one => one.ToString().Contains("`n` is of type string here", StringComparison.Ordinal));
        Verdict verdict = Decide(policy, """{"id":"x"}""", out _);
        Assert.Equal(["ps:schema-mismatch"], verdict.Rules);
    }

    [Fact]
    public void PolicyTests_OfTheTelemetryExample_PassAndReachEveryRuleBothWays()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "PolicyStreams.sln"))) { folder = Path.GetDirectoryName(folder)!; }
        folder = Path.Combine(folder, "examples", "telemetry-json");
        var runner = new PolicyTestRunner(path => File.Exists(Path.Combine(folder, path)) ? File.ReadAllText(Path.Combine(folder, path)) : null);
        runner.Run(new PolicyFile("telemetry.policy.tests.yaml", File.ReadAllText(Path.Combine(folder, "telemetry.policy.tests.yaml"))));
        PolicyTestReport report = runner.Report();
        Assert.Empty(report.Diagnostics);
        Assert.Empty(report.Results.Where(result => !result.Passed).Select(result => $"{result.Name}: {string.Join("; ", result.Failures)}"));
        Assert.NotEmpty(report.Results);
        Assert.Empty(report.Coverage.Where(rule => !rule.Fired || (rule.NeedsNotFired && !rule.NotFired)).Select(rule => rule.Rule));
    }

    [Fact]
    public void Decide_EveryRecordOfTheTelemetryExample_ComesToWhatItsPageSays()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "PolicyStreams.sln"))) { folder = Path.GetDirectoryName(folder)!; }
        folder = Path.Combine(folder, "examples", "telemetry-json");
        var said = new List<Diagnostic>();
        string text = File.ReadAllText(Path.Combine(folder, "telemetry.policy.yaml"));
        PolicyDocument document = PolicySet.Load([new PolicyFile("telemetry.policy.yaml", text)]).Set!.Policies[0];
        var keys = new KeyRing();
        Assert.Null(keys.Add("driver-key", "driver-key-0123456789-0123456789-0123"u8.ToArray()));
        CompiledPolicy policy = CompiledPolicy.Compile(document, LocalSchemas.Load(document, path => File.Exists(Path.Combine(folder, path)) ? File.ReadAllText(Path.Combine(folder, path)) : null, said), keys, said)!;
        Assert.Empty(said);
        using var judge = new OfflineJudge(policy.Bindings["telemetry"]);
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        long number = 0;
        foreach (string line in File.ReadLines(Path.Combine(folder, "records.jsonl")))
        {
            var answer = new ByteBuffer();
            Assert.Null(judge.Judge(Encoding.UTF8.GetBytes(line), RecordLineFormat.Json, number++, answer));
            JsonElement decision = JsonDocument.Parse(answer.Written.ToArray()).RootElement.GetProperty("decision");
            string outcome = decision.GetProperty("outcome").GetString()!;
            string? place = decision.GetProperty("errors").EnumerateArray().Select(error => error.GetProperty("code").GetString()!).FirstOrDefault(code => code.StartsWith('#'));
            string rule = decision.GetProperty("rules").EnumerateArray().Select(one => one.GetString()!).FirstOrDefault("");
            string row = outcome == "allow" ? "allow" : place is not null ? $"{outcome}, `invalid` at `{place}`" : $"{outcome}, `{rule}`";
            counts[row] = counts.GetValueOrDefault(row) + 1;
        }

        string page = File.ReadAllText(Path.Combine(folder, "README.md"));
        Assert.Equal(7, counts.Count);
        Assert.All(counts, row => Assert.Contains($"| {row.Value.ToString(System.Globalization.CultureInfo.InvariantCulture)} | {row.Key} |", page, StringComparison.Ordinal));
    }
}
