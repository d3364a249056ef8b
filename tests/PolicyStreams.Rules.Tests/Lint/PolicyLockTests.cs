using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;

namespace PolicyStreams.Rules.Tests.Lint;

/// <summary>What a lock says, and what lint says where policy or schemas are another's.</summary>
public sealed class PolicyLockTests
{
    private const string Rules = "- { id: a, when: value.amount > 100.0, deny: {} }";
    private const string KeySchema = """{"type":"record","name":"K","fields":[{"name":"id","type":"string","tags":["PII"]}]}""";
    private static readonly string s_withSsn = Bench.PaymentSchema.Replace("""{"name":"age",""", """{"name":"ssn","type":["null","string"],"default":null},{"name":"age",""", StringComparison.Ordinal);

    private static Dictionary<string, SubjectSchemas> Subjects(params string[] schemas) => new()
    {
        ["payments"] = new("raw.payments-value", [.. schemas.Select((text, i) => new SchemaVersion(i + 1, i + 1, AvroSchema.Parse(text, [])))]),
        ["payments/key"] = new("raw.payments-key", [new SchemaVersion(1, 9, AvroSchema.Parse(KeySchema, []))]),
    };

    private static string Yaml(string rules = Rules) => Bench.Yaml(rules).Replace("key_format: string", "key_format: avro", StringComparison.Ordinal);

    private static string Lock(Dictionary<string, SubjectSchemas> subjects, string rules = Rules)
    {
        var said = new List<Diagnostic>();
        CompiledPolicy? policy = CompiledPolicy.Compile(PolicySet.Load([new PolicyFile("p.policy.yaml", Yaml(rules))]).Set!.Policies[0], subjects, Bench.Keys(), said);
        Assert.True(policy is not null, string.Join("\n", said));
        return PolicyLock.Write(policy, said)!;
    }

    private static string[] Lint(string? text, Dictionary<string, SubjectSchemas> subjects, string rules = Rules) =>
        [.. PolicyLinter.Lint([new PolicyFile("p.policy.yaml", Yaml(rules))], (_, _) => subjects, locks: policy => text is null ? null : new PolicyFile(PolicyLock.PathOf(policy.Path), text))
            .Where(one => one.Severity == Severity.Error).Select(one => $"{one.Code} {one.Message}")];

    [Fact]
    public void Write_Again_GivesTheSameText()
    {
        string text = Lock(Subjects(Bench.PaymentSchema));
        Assert.Equal(text, Lock(Subjects(Bench.PaymentSchema)));
        Assert.Contains("\n      \"card_number\": { type: \"string\", tags: [\"PAN\"] }\n", text, StringComparison.Ordinal);
        Assert.Contains("\n      \"customer.email\": { type: \"string or null\", tags: [\"PII\"] }\n", text, StringComparison.Ordinal);
        Assert.Contains("\n      \"items[*].quantity\": { type: \"int\" }\n", text, StringComparison.Ordinal);
        Assert.Contains("\n  \"payments/key\":\n    subject: \"raw.payments-key\"\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("\r", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Lint_WhatWasLocked_HasNothingToSay()
    {
        string text = Lock(Subjects(Bench.PaymentSchema));
        Assert.Empty(Lint(text, Subjects(Bench.PaymentSchema)));

        // A registry writes JSON anew; conditions and their spelling are one policy.
        Assert.Empty(Lint(text, Subjects(System.Text.Json.JsonSerializer.Serialize(System.Text.Json.JsonDocument.Parse(Bench.PaymentSchema)))));
        Assert.Empty(Lint(text, Subjects(Bench.PaymentSchema), "- { id: a, when: (value.amount>100.0), deny: {} }"));
    }

    [Fact]
    public void Lint_NewField_IsNamed()
    {
        string text = Lock(Subjects(Bench.PaymentSchema));
        Assert.Equal(
            ["PS0441 field `customer.ssn` (string or null) of version 2 of subject `raw.payments-value` is not in the lock: nobody has looked at it"],
            Lint(text, Subjects(Bench.PaymentSchema, s_withSsn)));
        Assert.Empty(Lint(Lock(Subjects(Bench.PaymentSchema, s_withSsn)), Subjects(Bench.PaymentSchema, s_withSsn)));

        // A version that was looked at among others may come alone.
        Assert.Empty(Lint(Lock(Subjects(Bench.PaymentSchema, s_withSsn)), Subjects(s_withSsn)));
    }

    [Fact]
    public void Lint_FieldOfAnotherType_IsNamed() => Assert.Equal(
        ["PS0441 field `merchant` of version 1 of subject `raw.payments-value` is bytes, and was string when it was looked at"],
        Lint(Lock(Subjects(Bench.PaymentSchema)), Subjects(Bench.PaymentSchema.Replace("""{"name":"merchant","type":"string"}""", """{"name":"merchant","type":"bytes"}""", StringComparison.Ordinal))));

    [Fact]
    public void Lint_TagDropped_IsNamed() => Assert.Equal(
        ["PS0442 version 1 of subject `raw.payments-value` is not in the lock", "PS0443 field `card_number` of binding `payments` had tag `PAN` when it was locked, and no version has it any more"],
        Lint(Lock(Subjects(Bench.PaymentSchema)), Subjects(Bench.PaymentSchema.Replace(",\"confluent:tags\":[\"PAN\"]", "", StringComparison.Ordinal))).Order(StringComparer.Ordinal));

    // Where another version still carries it, it counts for all.
    [Fact]
    public void Lint_TagThatAnotherVersionHas_IsNotLost() => Assert.Equal(
        ["PS0442 version 2 of subject `raw.payments-value` is not in the lock"],
        Lint(Lock(Subjects(Bench.PaymentSchema)), Subjects(Bench.PaymentSchema, Bench.PaymentSchema.Replace(",\"confluent:tags\":[\"PAN\"]", "", StringComparison.Ordinal))));

    [Fact]
    public void Lint_PolicyThatChanged_IsSaid() => Assert.Equal(
        ["PS0442 policy `payments` is not the one that was locked"],
        Lint(Lock(Subjects(Bench.PaymentSchema)), Subjects(Bench.PaymentSchema), "- { id: a, when: value.amount > 1000.0, deny: {} }"));

    [Theory]
    [InlineData(null, "PS0440")]
    [InlineData("", "PS0440")]
    [InlineData("apiVersion: policystreams/v1\nkind: Policy\n", "PS0440")]
    [InlineData("apiVersion: policystreams/v1\nkind: Lock\npolicy: payments\ndigest: x\n", "PS0440")]
    [InlineData("apiVersion: policystreams/v1\nkind: Lock\npolicy: payments\ndigest: x\nschemas: { payments: { subject: s, versions: x, fields: [] } }\n", "PS0442")]
    [InlineData("apiVersion: policystreams/v1\nkind: Lock\npolicy: payments\ndigest: x\nschemas: {}\n", "PS0442")]
    public void Lint_LockThatIsNoneOrEmpty_IsAnError(string? text, string code) => Assert.Contains(Lint(text, Subjects(Bench.PaymentSchema)), one => one.StartsWith(code, StringComparison.Ordinal));

    [Fact]
    public void Lint_LockOfAnyBytes_NeverFailsOtherwiseThanByADiagnostic()
    {
        string good = Lock(Subjects(Bench.PaymentSchema));
        const int Seed = 11;
        var random = new Random(Seed);
        for (int i = 0; i < 300; i++)
        {
            char[] text = good.ToCharArray();
            for (int edits = random.Next(1, 4); edits > 0; edits--) { text[random.Next(text.Length)] = "{}[]:,-'\"# \nab0"[random.Next(15)]; }
            Lint(new string(text), Subjects(Bench.PaymentSchema));
        }
    }

    [Theory]
    [InlineData("payments.policy.yaml", "payments.policy.lock")]
    [InlineData("a/b.policy.yml", "a/b.policy.lock")]
    [InlineData("odd", "odd.lock")]
    public void PathOf_Policy_IsBesideIt(string policy, string path) => Assert.Equal(path, PolicyLock.PathOf(policy));
}
