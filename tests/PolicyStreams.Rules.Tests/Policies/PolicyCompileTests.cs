using System.Text;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Rules.Tests.Policies;

public class PolicyCompileTests
{
    private static string Errors(string rules, string binding = "", params (int, string)[] schemas)
    {
        Bench.TryOf(Bench.Yaml(rules, binding), schemas, out IReadOnlyList<Diagnostic> diagnostics);
        return string.Join("\n", diagnostics);
    }

    [Theory]
    [InlineData("- { id: a, mask: { field: customer.emial, redact: true } }", "PS0107 error: unknown field `customer.emial` in rule `a` (subject `raw.payments-value`)\n  help: did you mean `customer.email`?")]
    [InlineData("- { id: a, mask: { field: value.amount, redact: true } }", "PS0107 error: unknown field `value.amount` in rule `a` (subject `raw.payments-value`)\n  help: paths of masks start inside the value")]
    [InlineData("- { id: a, mask: { field: items.sku, redact: true } }", "PS0107 error: `items` is a list in rule `a` (subject `raw.payments-value`)\n  help: every element is `items[*]`")]
    [InlineData("- { id: a, mask: { field: amount.x, redact: true } }", "PS0107")]
    [InlineData("- { id: a, mask: { field: key.id, redact: true } }", "PS0107")]
    [InlineData("- { id: a, mask: { tag: PANN, redact: true } }", "PS0304 error: no field of subject `raw.payments-value` carries tag `PANN` of rule `a`\n  help: did you mean `PAN`?")]
    [InlineData("- { id: a, mask: { field: amount, keep_last: 4 } }", "PS0305 error: `keep_last` of rule `a` cannot mask `amount`: it is a floating-point number, not a string")]
    [InlineData("- { id: a, mask: { field: customer, constant: x } }", "PS0305")]
    [InlineData("- { id: a, mask: { field: channel, constant: x } }", "PS0305")]
    [InlineData("- { id: a, mask: { field: channel, keep_last: 1 } }", "PS0305")]
    [InlineData("- { id: a, mask: { field: channel, redact: true } }", "PS0305")]
    [InlineData("- { id: a, mask: { field: merchant, bucket: 5 } }", "PS0305")]
    [InlineData("- { id: a, mask: { field: amount, date: day } }", "PS0305")]
    [InlineData("- { id: a, mask: { field: merchant, remove: true } }", "PS0305")]
    [InlineData("- { id: a, mask: { field: customer.age, bucket: 2.5 } }", "PS0305")]
    [InlineData("- { id: a, mask: { field: key, remove: true } }", "PS0305")]
    [InlineData("- { id: a, mask: { field: 'headers[\"ps-x\"]', redact: true } }", "PS0112")]
    [InlineData("- { id: a, mask: { field: merchant, hmac: custmer-key } }", "PS0306 error: key `custmer-key` of rule `a` is not supplied\n  help: did you mean `customer-key`?")]
    [InlineData("- { id: a, mask: { field: merchant, pattern: { match: '(', replace: x } } }", "PS0206")]
    [InlineData("- { id: a, mask: { field: merchant, pattern: { match: 'a', replace: '\\1' } } }", "PS0206 error: the pattern of rule `a` cannot be used: `replace` speaks of group 1, and `match` has 0")]
    [InlineData("- { id: a, mask: { field: merchant, pattern: { match: 'a', replace: '\\x' } } }", "PS0206")]
    [InlineData("- { id: a, mask: { field: merchant, pattern: { match: 'a', replace: 'x\\' } } }", "PS0206")]
    [InlineData("- { id: a, mask: { field: merchant, pattern: { match: '(?P<n>a)(?P<n>b)', replace: x } } }", "PS0206")]
    [InlineData("- { id: a, mask: { field: merchant, pattern: { match: '(a)\\1', replace: x } } }", "PS0206")]
    [InlineData("- { id: a, mask: { field: merchant, pattern: { match: 'a(?=b)', replace: 'x' } } }", "PS0206")]
    [InlineData("- { id: a, when: value.customer.emial == null, deny: {} }", "PS0107")]
    [InlineData("- { id: a, when: value.amount >, deny: {} }", "PS0201")]
    [InlineData("- { id: a, when: value.amount + 1.0, deny: {} }", "PS0208")]
    [InlineData("- { id: a, when: nothing(value), deny: {} }", "PS0204")]
    [InlineData("- { id: a, when: valu.amount > 1.0, deny: {} }", "PS0203")]
    [InlineData("- { id: a, when: value.merchant > 1.0, deny: {} }", "PS0205")]
    public void Compile_Mistake_IsSaidWithHelp(string rules, string expected) => Assert.Contains(expected, Errors(rules), StringComparison.Ordinal);

    [Theory]
    [InlineData("- { id: a, mask: { field: channel, constant: WEB } }")]
    [InlineData("- { id: a, mask: { field: created_at, date: day } }")]
    [InlineData("- { id: a, mask: { field: 'items[*]', remove: true } }")]
    [InlineData("- { id: a, mask: { field: 'items[*].price', bucket: 0.5 } }")]
    [InlineData("- { id: a, mask: { field: 'headers[\"x\"]', encrypt: other-key } }")]
    public void Compile_MaskThatFits_IsTaken(string rules) => Assert.Equal("", Errors(rules));

    // What a host gives may be of another format than the policy says: files and registries are asked for the binding's own.
    [Theory]
    [InlineData("", "payments", "PS0302 error: binding `payments` has format avro, and its schema is json")]
    [InlineData("key_format: avro", "payments/key", "PS0302 error: binding `payments` has `key_format: avro`, and no Avro schema for its keys")]
    [InlineData("", "none", "PS0301 error: binding `payments` has no schema")]
    [InlineData("key_format: avro", "none/key", "PS0301 error: binding `payments` has `key_format: avro`, and no Avro schema for its keys")]
    public void Compile_SchemaOfAnotherFormat_IsSaid(string binding, string name, string expected)
    {
        string yaml = Bench.Yaml("[]", binding);
        if (binding.Length > 0) { yaml = yaml.Replace("    key_format: string\n", "", StringComparison.Ordinal); }
        PolicyDocument document = PolicySet.Load([new PolicyFile("payments.policy.yaml", yaml)]).Set!.Policies[0];
        var subjects = new Dictionary<string, SubjectSchemas> { [name] = new("s", [new SchemaVersion(1, 0, SchemalessJson.Instance)]) };
        if (binding.Length > 0) { subjects["payments"] = new("s", [new SchemaVersion(1, 7, AvroSchema.Parse(Bench.PaymentSchema, []))]); }
        var said = new List<Diagnostic>();
        Assert.Null(CompiledPolicy.Compile(document, subjects, Bench.Keys(), said));
        Assert.Contains(expected, Assert.Single(said).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Compile_ConditionError_PointsIntoTheFile()
    {
        string errors = Errors("- id: a\n  when: value.amount > 1.0 && value.customer.emial == null\n  deny: {}");

        // The rule begins in line 11 of the bench's policy.
        Assert.Matches(@"payments\.policy\.yaml:\d+:(4[0-9]|5[0-9]): PS0107 error: ", errors);
        Assert.Contains("did you mean `customer.email`?", errors.Replace("value.", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public void Compile_RuleForAnotherBinding_IsNotCheckedHere()
    {
        const string Yaml = """
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: two }
            bindings:
              - { name: payments, format: avro, subject: raw.payments-value }
              - { name: free, format: json }
            rules:
              - { id: a, bindings: [free], mask: { field: anything.at.all, redact: true } }
              - { id: b, bindings: [payments], mask: { field: merchant, constant: x } }
            """;
        Bench bench = Bench.Of(Yaml);
        bench.Decide(Bench.Payment);
        Assert.Equal(["b"], bench.Verdict.Rules);
    }

    [Fact]
    public void Digest_ChangesWithMeaningOnly()
    {
        string text = Decisions.ReferenceJobTests.Policy;
        string digest = Bench.Of(text).Policy.Digest;
        Assert.Equal(digest, Bench.Of("# a comment\n" + text.Replace("rules:\n", "rules:   # all of them\n\n", StringComparison.Ordinal)).Policy.Digest);
        Assert.Equal(digest, Bench.Of(text.Replace("metadata: { name: payments, owner: bench }", "metadata:\n  owner: \"bench\"\n  name: 'payments'", StringComparison.Ordinal)).Policy.Digest);
        Assert.Equal(digest, Bench.Of(text.Replace("'value.amount <= 0.0'", "\"value.amount   <=  0.0\"", StringComparison.Ordinal)).Policy.Digest);
        Assert.Equal(digest, Bench.Of(text.Replace("expires: 4h", "expires: 240m", StringComparison.Ordinal)).Policy.Digest);
        Assert.Equal(digest, Bench.Of(text.Replace("quorum: 1, ", "", StringComparison.Ordinal)).Policy.Digest);
        (string From, string To)[] changes =
        [
            ("value.amount <= 0.0", "value.amount < 0.0"), ("quorum: 1", "quorum: 2"), ("expires: 4h", "expires: 5h"), ("reason: large", "reason: big"), ("keep_last: 4", "keep_last: 3"), ("constant: \"***\"", "constant: \"**\""),
            ("stamp: none", "stamp: decision"), ("record_bytes: 65536", "record_bytes: 65537"), ("on_error: deny", "on_error: { hold: { approvers: [x] } }"), ("source: mobile", "source: app"), ("id: r17", "id: r99"),
            ("customer-key", "other-key"), ("id: bench", "id: other"), ("groups: [payments-producers]", "groups: []"), ("rules:\n", "mode: shadow\nrules:\n"), ("tag: { source: mobile }", "tag: { source: mobile }, mode: shadow"),
            ("partitions: 4", "tombstones: allow"), ("partitions: 4", "headers: drop"), ("partitions: 4", "key_format: string"), ("partitions: 4", "topics: { governed: elsewhere }"), ("field: customer.name", "field: merchant"),
        ];
        var seen = new HashSet<string> { digest };
        foreach ((string from, string to) in changes)
        {
            string changed = text.Replace(from, to, StringComparison.Ordinal);
            Assert.NotEqual(text, changed);
            Assert.True(seen.Add(Bench.Of(changed).Policy.Digest), $"{from} → {to}");
        }

        Assert.True(seen.Add(Bench.Of(text, (8, Bench.PaymentSchema)).Policy.Digest), "another schema id");
        Assert.Equal(Bench.Of(text).Policy.CanonicalDigest, Bench.Of(text, (8, Bench.PaymentSchema)).Policy.CanonicalDigest);
    }

    // How long it takes is measured by `bench -- rules`.
    [Fact]
    public void Compile_ThousandRules_EachCanFire()
    {
        var rules = new StringBuilder();
        for (int i = 0; i < 1_000; i++) { rules.Append($"- {{ id: r{i}, when: 'value.amount > {i}.0', tag: {{ t{i}: x }} }}\n"); }
        Bench bench = Bench.Of(Bench.Yaml(rules.ToString()));
        bench.Decide(Bench.Payment);

        Assert.Equal(1_000, bench.Binding.Rules.Length);
        Assert.Equal(Enumerable.Range(0, 1_000).Select(i => $"r{i}").TakeWhile(id => double.Parse(id[1..], System.Globalization.CultureInfo.InvariantCulture) < Amount()), bench.Verdict.Fired.Rules.ToArray());

        static double Amount() => System.Text.Json.JsonDocument.Parse(Bench.Payment).RootElement.GetProperty("amount").GetDouble();
    }

    [Fact]
    public void KeyRing_TakesTheLatestVersion_AndSaysWhatIsWrong()
    {
        var keys = new KeyRing();
        Assert.Contains("at least 32", keys.Add("short", "too-short"u8), StringComparison.Ordinal);
        Assert.Contains("base64", keys.Add("bad", "base64:!!!"u8), StringComparison.Ordinal);
        Assert.NotNull(keys.Add("a b", new byte[32]));
        Assert.NotNull(keys.Add("a@x", new byte[32]));
        Assert.Null(keys.Add("k", Encoding.UTF8.GetBytes(new string('1', 32) + "\n")));
        Assert.True(keys.TryGet("k", out ReadOnlyMemory<byte> key, out string id));
        Assert.Equal((32, "k@1"), (key.Length, id));
        Assert.Null(keys.Add("k@2", Encoding.UTF8.GetBytes("base64:" + Convert.ToBase64String(new byte[40]))));
        Assert.True(keys.TryGet("k", out key, out id));
        Assert.Equal((40, "k@2"), (key.Length, id));
        Assert.True(keys.TryGetById("k@1", out key));
        Assert.Equal(32, key.Length);
        Assert.DoesNotContain("1111", keys.ToString(), StringComparison.Ordinal);
        Assert.False(KeyRing.Empty.Contains("k"));
    }
}
