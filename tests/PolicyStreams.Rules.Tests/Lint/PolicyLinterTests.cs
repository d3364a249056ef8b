using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;

namespace PolicyStreams.Rules.Tests.Lint;

public class PolicyLinterTests
{
    private static IReadOnlyList<Diagnostic> Lint(string rules, string binding = "", string top = "") => PolicyLinter.Lint(
        [new PolicyFile("p.policy.yaml", Bench.Yaml(rules, binding, top))],
        (policy, _) => policy.Bindings.ToDictionary(one => one.Name, one => new SubjectSchemas("raw.payments-value", [new SchemaVersion(1, 7, AvroSchema.Parse(Bench.PaymentSchema, []))])));

    [Theory]
    [InlineData("[]", "", "PS0409 Warning")]
    [InlineData("- { id: a, deny: {} }", "", "PS0405 Warning")]
    [InlineData("- { id: a, hold: { approvers: [x], on_expiry: allow } }", "", "PS0403 Error")]
    [InlineData("- { id: a, tag: { x: y } }\n- { id: b, tag: { x: z } }", "", "PS0407 Warning")]
    [InlineData("- { id: a, mask: { field: merchant, redact: true } }\n- { id: b, mask: { field: merchant, constant: x } }", "", "PS0406 Warning")]
    [InlineData("- { id: a, when: value.amount > 1.0, mask: { field: merchant, redact: true } }\n- { id: b, mask: { field: merchant, constant: x } }", "", "PS0404 Warning")]
    [InlineData("- { id: a, tag: { x: y } }", "topics: { routes: [other] }", "PS0408 Warning")]
    [InlineData("- { id: a, when: value.customer.age > 18, tag: { x: y } }", "", "PS0401 Warning")]
    [InlineData("- { id: a, when: value.channel == \"FAX\", tag: { x: y } }", "", "PS0402 Warning")]
    public void Lint_ProbableMistake_IsSaid(string rules, string binding, string expected) =>
        Assert.Contains(expected, Lint(rules, binding).Select(diagnostic => $"{diagnostic.Code} {diagnostic.Severity}"));

    [Fact]
    public void Lint_GoodPolicy_HasNothingToSay() => Assert.Empty(Lint("""
        - { id: a, when: value.customer.age != null && value.customer.age < 18, deny: { reason: age } }
        - { id: b, mask: { tag: PII, constant: x } }
        - { id: c, mask: { field: customer.email, hmac: no-key-is-needed-here } }
        """));

    [Fact]
    public void Lint_WithoutSchemas_ChecksSyntax()
    {
        IReadOnlyList<Diagnostic> diagnostics = PolicyLinter.Lint([new PolicyFile("p.policy.yaml", Bench.Yaml("- { id: a, when: value.x >, deny: {} }"))], null);
        Assert.Equal(DiagnosticCodes.ConditionSyntax, Assert.Single(diagnostics, diagnostic => diagnostic.Severity == Severity.Error).Code);
    }
}
