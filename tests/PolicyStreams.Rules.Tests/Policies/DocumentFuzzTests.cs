using System.Diagnostics;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Tests;

namespace PolicyStreams.Rules.Tests.Policies;

/// <summary>Damaged copies of the documents beside a policy: each is a diagnostic or works, and nothing is thrown. Policies themselves: <see cref="BadInputTests"/>.</summary>
public class DocumentFuzzTests
{
    private static readonly string[] s_parts =
    [
        "{", "}", "[", "]", ": ", ", ", "'", "\"", "#", "&a ", "*a", "!!str ", "<<: ", "|\n", ">\n", "- ", "? ", "---\n", "\t", "\0", "\uFEFF", "\uD800", "é", "~", "null", "true", "yes", "0x1F", "012", "1e999", "-1", "99999999999999999999", "0.1", " ", "\n", "    ", "x: y\n",
        "value: ", "bytes: ", "given: ", "expect: ", "cases: ", "keys: ", "version: ", "principal: ", "headers: ", "absent: ", "holds: ", "survivors: ", "schemas: ", "2026-01-02T03:04:05Z", "10:30",
    ];

    private const string Tests = """
        policy: p.policy.yaml
        keys: { customer-key: "test-key-0123456789-0123456789-0123" }
        schemas: { payments: payment.avsc }
        tests:
          - name: all of it
            given: { binding: payments, principal: { id: checkout, groups: [a], via: topic }, key: c-1, headers: { x: [a, b], n: null }, time: 2026-01-02T03:04:05Z, partition: 1, offset: 7, value: PAYMENT }
            expect: { outcome: hold, rules: [pan, big], shadow: [], reasons: [], errors: [], tags: {}, holds: { big: { quorum: 1, expires: 1h } }, masked: [card_number], keys: [customer-key@1], key: c-1, headers: { x: [a, b], n: null }, value: { amount: 120.5 }, absent: [gone] }
            cases:
              - { name: one }
              - { name: two, given: { value: null }, expect: { outcome: deny, errors: [{ rule: "ps:tombstone", code: null-value }] } }
        """;

    private const string Conventions = """
        apiVersion: policystreams/v1
        kind: Conventions
        metadata: { name: platform, owner: platform-team }
        require: { owner: true, description: true, rule_description: true, tests: true }
        topics: { ingress: 'raw\.[a-z.-]+', routes: 'governed\.[a-z.-]+' }
        masks: { PAN: [keep_last, hmac, redact] }
        sensitive: [PAN, { tag: PII, unmasked_on: [vault.customers] }]
        sensitive_keys: [payments]
        sensitive_headers: [x-customer]
        limits: { record_bytes: 1048576, headers: 64 }
        groups: { risk: 12, fraud: 4 }
        permit: { on_expiry_allow: [payments] }
        """;

    private static readonly string s_policy = Bench.Yaml("- { id: pan, mask: { tag: PAN, hmac: customer-key } }\n- { id: big, when: value.amount > 100.0, hold: { approvers: [risk], expires: 1h } }");

    [Fact]
    public void TestFile_OfAnyKind_IsADiagnosticOrRuns() => Each(Tests.Replace("PAYMENT", Bench.Payment.ReplaceLineEndings(" "), StringComparison.Ordinal), text =>
    {
        var runner = new PolicyTestRunner(path => path switch { "p.policy.yaml" => s_policy, "payment.avsc" => Bench.PaymentSchema, _ => null });
        runner.Run(new PolicyFile("p.policy.tests.yaml", text));
        PolicyTestReport report = runner.Report();
        Assert.True(report.HasErrors || report.Results.Count > 0);
        return !report.HasErrors;
    });

    [Fact]
    public void Conventions_OfAnyKind_AreADiagnosticOrHeldTo()
    {
        var schemas = new Dictionary<string, SubjectSchemas> { ["payments"] = new("raw.payments-value", [new SchemaVersion(1, 7, AvroSchema.Parse(Bench.PaymentSchema, []))]) };
        Each(Conventions, text =>
        {
            var said = new List<Diagnostic>();
            ConventionsDocument? conventions = ConventionsDocument.Read(new PolicyFile("c", text), said);
            Assert.Equal(conventions is null, said.Exists(one => one.Severity == Severity.Error));
            if (conventions is not null) { PolicyLinter.Lint([new PolicyFile("p.policy.yaml", s_policy)], (_, _) => schemas, conventions: [conventions]); }
            return conventions is not null;
        });
    }

    [Fact]
    public void Duration_OfAnyText_IsReadBackOrRefused()
    {
        int seed = Fuzz.Seed();
        var random = new Random(seed);
        int taken = 0;
        for (int i = 0; i < 100_000; i++)
        {
            string text = Fuzz.Concat(random, ["0", "1", "7", "90", "2147483647", "-", "+", ".", " ", "s", "m", "h", "d", "w", "S", "٣", "\0"], 5);
            if (!DurationText.TryParse(text, out TimeSpan span)) { continue; }
            taken++;
            Assert.True(DurationText.TryParse(DurationText.Format(span), out TimeSpan again) && again == span, $"seed {seed}: {text}: {DurationText.Format(span)}");
        }

        Assert.True(taken > 100, $"seed {seed}: {taken} taken");
    }

    /// <param name="works">False where the text was refused.</param>
    private static void Each(string good, Func<string, bool> works)
    {
        int seed = Fuzz.Seed(), rounds = 0, worked = 0;
        var random = new Random(seed);
        Assert.True(works(good), "the text before it was damaged");
        var clock = Stopwatch.StartNew();
        for (; clock.Elapsed < Fuzz.Time(3); rounds++)
        {
            string text = random.Next(8) == 0 ? Fuzz.Concat(random, s_parts, 30) : Fuzz.Mutate(random, good, s_parts);
            try { worked += works(text) ? 1 : 0; }
            catch (Exception fault) when (fault is not OutOfMemoryException) { Assert.Fail($"seed {seed}, round {rounds}: {fault.GetType().Name} {fault.Message}\n{text}"); }
        }

        Assert.True(worked > 0 && worked < rounds, $"seed {seed}: {worked} of {rounds} worked");
    }
}
