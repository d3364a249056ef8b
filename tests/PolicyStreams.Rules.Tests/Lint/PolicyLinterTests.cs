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

    [Theory]
    [InlineData("m[*]", "PS0308 Note")]
    [InlineData("a.l[*].x", "PS0308 Note")]
    [InlineData("m.x", "")]
    public void Lint_StarInJsonWithoutASchema_IsNotedToBeOfLists(string field, string expected) => Assert.Equal(
        expected,
        string.Join(",", PolicyLinter.Lint([new PolicyFile("p.policy.yaml", Bench.JsonYaml($"- {{ id: m, mask: {{ field: '{field}', constant: x }} }}"))], (policy, said) => LocalSchemas.Load(policy, _ => null, said)).Select(diagnostic => $"{diagnostic.Code} {diagnostic.Severity}")));

    [Fact]
    public void Lint_GoodPolicy_HasNothingToSay() => Assert.Empty(Lint("""
        - { id: a, when: value.customer.age != null && value.customer.age < 18, deny: { reason: age } }
        - { id: b, mask: { tag: PII, constant: x } }
        - { id: c, mask: { field: customer.email, hmac: no-key-is-needed-here } }
        """));

    [Fact]
    public void Lint_MistakesOfStructureAndOfConditions_SaysAllOfThem()
    {
        string[] found = [.. Lint("""
            - { id: a, when: value.amout > 1.0, deny: { resaon: x } }
            - { id: b, when: value.amount > "x", mask: { field: merchant, keep_lst: 4 } }
            - { id: c, when: value.nothing == 1, deny: {}, hold: { approvers: [x] } }
            - { when: value.contry == "DE", tag: { a: b } }
            - { id: d, bindings: [paymnts], when: value.x >, deny: {} }
            - { id: a, when: value.chanel == "APP", deny: {} }
            - { id: e, mask: { field: merchnt, redact: true } }
            - { id: f, hold: { approvers: [x], on_expiry: allow } }
            """, "headrs: keep", "limits: { record_bytes: 0 }").Select(diagnostic => $"{diagnostic.Code} {diagnostic.Message}")];
        Assert.Collection(
            found.Order(StringComparer.Ordinal),
            one => Assert.Equal("PS0100 unknown key `headrs` in binding `payments`", one),
            one => Assert.Equal("PS0100 unknown key `keep_lst` in the mask of rule `b`", one),
            one => Assert.Equal("PS0100 unknown key `resaon` in the deny of rule `a`", one),
            one => Assert.Equal("PS0101 a rule needs `id`", one),
            one => Assert.StartsWith("PS0103 `record_bytes` of `limits`", one),
            one => Assert.Equal("PS0105 rule `a` comes twice", one),
            one => Assert.StartsWith("PS0106 rule `d` names binding `paymnts`", one),
            one => Assert.StartsWith("PS0107 unknown field `merchnt` in rule `e`", one),
            one => Assert.StartsWith("PS0107 unknown field `value.amout` in rule `a`", one),
            one => Assert.StartsWith("PS0107 unknown field `value.chanel` in rule `a`", one),
            one => Assert.StartsWith("PS0107 unknown field `value.contry` in the rule in line 15", one),
            one => Assert.StartsWith("PS0107 unknown field `value.nothing` in rule `c`", one),
            one => Assert.Equal("PS0108 rule `c` has more than one effect", one),
            one => Assert.Equal("PS0108 the mask of rule `b` has no method", one),
            one => Assert.StartsWith("PS0201 ", one),
            one => Assert.Equal("PS0205 `>` does not take double and string in rule `b`", one),
            one => Assert.StartsWith("PS0403 the hold of rule `f`", one));
    }

    [Fact]
    public void Lint_BindingOfUnknownFormat_GuessesNothingOfItsFields()
    {
        string yaml = Bench.Yaml("- { id: a, when: value.anything > 1.0 && size(1) > 0, deny: {} }\n- { id: b, mask: { tag: PAN, redact: true } }").Replace("format: avro", "format: avor", StringComparison.Ordinal);
        IReadOnlyList<Diagnostic> found = PolicyLinter.Lint([new PolicyFile("p", yaml)], (policy, said) => LocalSchemas.Load(policy, _ => null, said));
        Assert.Equal(["PS0103", "PS0205"], found.Select(diagnostic => diagnostic.Code));
    }

    [Fact]
    public void Lint_OneBindingWithoutItsSchema_ChecksTheOthers()
    {
        const string Yaml = """
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: two }
            bindings:
              - { name: a, format: avro }
              - { name: b, format: avro }
            rules:
              - { id: x, when: value.amout > 1.0, deny: {} }
              - { id: y, bindings: [b], when: value.amount >, deny: {} }
            """;
        IReadOnlyList<Diagnostic> found = PolicyLinter.Lint([new PolicyFile("p", Yaml)], (policy, said) => LocalSchemas.Load(policy, path => path == "raw.a-value.avsc" ? Bench.PaymentSchema : null, said));
        Assert.Equal(["PS0301 6", "PS0107 8", "PS0201 9"], found.Select(diagnostic => $"{diagnostic.Code} {diagnostic.Line}"));
    }

    [Theory]
    [InlineData("permit: { on_expiry_allow: true }", true)]
    [InlineData("permit: { on_expiry_allow: [other, payments] }", true)]
    [InlineData("permit: { on_expiry_allow: [other] }", false)]
    [InlineData("permit: { on_expiry_allow: false }", false)]
    [InlineData("permit: {}", false)]
    [InlineData("", false)]
    public void Lint_ExpiryThatAllows_IsAnErrorUnlessConventionsPermitIt(string permit, bool permitted)
    {
        var said = new List<Diagnostic>();
        ConventionsDocument? conventions = ConventionsDocument.Read(new PolicyFile("c", $"apiVersion: policystreams/v1\nkind: Conventions\nmetadata: {{ name: platform }}\n{permit}\n"), said);
        Assert.Empty(said);
        IReadOnlyList<Diagnostic> found = PolicyLinter.Lint(
            [new PolicyFile("p", Bench.Yaml("- { id: a, hold: { approvers: [x], on_expiry: allow } }", "tombstones: { hold: { approvers: [x], on_expiry: allow } }", "on_error: { hold: { approvers: [x], on_expiry: allow } }"))], null, conventions: [conventions!]);
        Assert.Equal(permitted ? [] : ["PS0403 9:54", "PS0403 10:48", "PS0403 12:49"], found.Select(diagnostic => $"{diagnostic.Code} {diagnostic.Line}:{diagnostic.Column}"));
    }

    [Theory]
    [InlineData("kind: Policy", "PS0114")]
    [InlineData("kind: Conventions\nmetadata: { name: a }\npermit: { on_expiry_alow: true }", "PS0100")]
    [InlineData("kind: Conventions\nmetadata: { name: a }\npermit: { on_expiry_allow: sometimes }", "PS0103")]
    [InlineData("kind: Conventions", "PS0101")]
    public void Conventions_WithAMistake_PermitNothing(string text, string code)
    {
        var said = new List<Diagnostic>();
        Assert.Null(ConventionsDocument.Read(new PolicyFile("c", "apiVersion: policystreams/v1\n" + text), said));
        Assert.Equal(code, Assert.Single(said).Code);
    }

    [Fact]
    public void Lint_WithoutSchemas_ChecksSyntax()
    {
        IReadOnlyList<Diagnostic> diagnostics = PolicyLinter.Lint([new PolicyFile("p.policy.yaml", Bench.Yaml("- { id: a, when: value.x >, deny: {} }"))], null);
        Assert.Equal(DiagnosticCodes.ConditionSyntax, Assert.Single(diagnostics, diagnostic => diagnostic.Severity == Severity.Error).Code);
    }
}
