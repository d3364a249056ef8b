using System.Text.Json;

namespace PolicyStreams.Rules.Tests.Lint;

/// <summary>What a platform team asks of all policies.</summary>
public sealed class ConventionsTests
{
    [Theory]
    [InlineData("require: { owner: true }", "PS0430 policy `payments` has no owner")]
    [InlineData("require: { description: true }", "PS0430 policy `payments` has no description")]
    [InlineData("require: { rule_description: true }", "PS0430 rule `a` has no description")]
    [InlineData("topics: { ingress: 'in\\..*' }", "PS0431 the ingress topic `raw.payments` of binding `payments` is not named as it must be")]
    [InlineData("topics: { ingress: 'raw' }", "PS0431 the ingress topic `raw.payments` of binding `payments` is not named as it must be")]
    [InlineData("topics: { routes: 'governed\\..*' }", "PS0431 topic `eu` in `routes` of binding `payments` is not named as it must be")]
    [InlineData("masks: { PAN: [redact, hmac] }", "PS0432 `keep_last` of rule `pan` may not mask tag `PAN`")]
    [InlineData("masks: { PII: [redact] }", "PS0432 `constant` of rule `mail` may not mask `customer.email`, which carries tag `PII`")]
    [InlineData("limits: { record_bytes: 65536 }", "PS0433 `limits: { record_bytes }` of policy `payments` is 1048576, and at most 65536 is allowed")]
    [InlineData("limits: { headers: 10 }", "PS0433 `limits: { headers }` of policy `payments` is 64, and at most 10 is allowed")]
    [InlineData("require: { tests: true }", "PS0434 rule `eu` fires in no test of policy `payments`")]
    [InlineData("require: { owner: false, tests: false }\ntopics: { ingress: 'raw\\.[a-z]+', routes: 'e.' }\nmasks: { PAN: [keep_last], PII: [constant] }\nlimits: { record_bytes: 1048576, headers: 64 }", null)]
    public void Lint_PolicyAgainstConventions_IsAnError(string conventions, string? message)
    {
        string yaml = Bench.Yaml(
            """
            - { id: a, tag: { x: y } }
            - { id: eu, when: value.country == "DE", route: { to: eu } }
            - { id: pan, mask: { tag: PAN, keep_last: 4 } }
            - { id: mail, mask: { field: customer.email, constant: x } }
            """, "topics: { routes: [eu] }").Replace(", owner: tests", "", StringComparison.Ordinal);
        IReadOnlyList<Diagnostic> found = LintBench.Lint(yaml, conventions, tested: new HashSet<string> { "a", "pan", "mail" });
        if (message is null) { Assert.Empty(found); }
        else
        {
            Assert.Contains(message + " (conventions `platform`)", found.Select(one => $"{one.Code} {one.Message}"));
            Assert.All(found, one => Assert.Equal((Severity.Error, message[..6]), (one.Severity, one.Code)));
        }
    }

    [Fact]
    public void Lint_PolicyThatKeepsConventions_HasNothingToSay() => Assert.Empty(LintBench.Lint(
        Bench.Yaml("- { id: a, description: why, tag: { x: y } }", top: "limits: { record_bytes: 1000 }").Replace("owner: tests", "owner: tests, description: payments", StringComparison.Ordinal),
        "require: { owner: true, description: true, rule_description: true, tests: true }\nlimits: { record_bytes: 1000 }", tested: new HashSet<string> { "a" }));

    // Where nobody ran tests nothing is said of them.
    [Fact]
    public void Lint_TestsThatNobodyRan_AreNotAskedFor() => Assert.Empty(LintBench.Lint(Bench.Yaml("- { id: a, tag: { x: y } }"), "require: { tests: true }"));

    [Theory]
    [InlineData("require: { owners: true }", "PS0100")]
    [InlineData("require: { owner: maybe }", "PS0103")]
    [InlineData("topics: { ingress: '(' }", "PS0206")]
    [InlineData("topics: { ingress: 'a)|(b' }", "PS0206")]
    [InlineData("topics: { inbound: 'a' }", "PS0100")]
    [InlineData("masks: { PAN: [redacted] }", "PS0103")]
    [InlineData("masks: { PAN: [] }", "PS0103")]
    [InlineData("masks: { PAN: redact }", "PS0102")]
    [InlineData("sensitive: PAN", "PS0102")]
    [InlineData("sensitive: []", "PS0102")]
    [InlineData("sensitive: [PAN, PAN]", "PS0105")]
    [InlineData("sensitive: [{ unmasked_on: [x] }]", "PS0101")]
    [InlineData("sensitive: [{ tag: PAN, on: [x] }]", "PS0100")]
    [InlineData("sensitive_keys: maybe", "PS0103")]
    [InlineData("limits: { record_bytes: 0 }", "PS0103")]
    [InlineData("groups: { risk: many }", "PS0103")]
    [InlineData("groups: { risk: -1 }", "PS0103")]
    public void Read_ConventionsWithAMistake_AreRefused(string lines, string code)
    {
        var said = new List<Diagnostic>();
        Assert.Null(ConventionsDocument.Read(new PolicyFile("c", $"apiVersion: policystreams/v1\nkind: Conventions\nmetadata: {{ name: platform }}\n{lines}\n"), said));
        Assert.Equal(code, Assert.Single(said).Code);
    }

    [Fact]
    public void JsonSchema_OfConventions_KnowsTheKeysThatTheReaderKnows()
    {
        JsonElement schema = JsonDocument.Parse(PolicyJsonSchema.Conventions).RootElement;
        Assert.Equal(Known("zzzzzzzzzzzz: 1"), Names(schema));
        foreach (string section in (string[])["permit", "require", "topics", "limits"])
        {
            Assert.Equal(Known($"{section}: {{ zzzzzzzzzzzz: 1 }}"), Names(schema.GetProperty("properties").GetProperty(section)));
        }

        Assert.Equal(Known("sensitive: [{ tag: x, zzzzzzzzzzzz: 1 }]"), Names(schema.GetProperty("properties").GetProperty("sensitive").GetProperty("items").GetProperty("oneOf")[1]));
        Assert.Equal(MaskDocument.Names, schema.GetProperty("$defs").GetProperty("methods").GetProperty("items").GetProperty("enum").EnumerateArray().Select(one => one.GetString()!));

        static string[] Names(JsonElement of) => [.. of.GetProperty("properties").EnumerateObject().Select(member => member.Name).Order(StringComparer.Ordinal)];

        static string[] Known(string lines)
        {
            var said = new List<Diagnostic>();
            ConventionsDocument.Read(new PolicyFile("c", $"apiVersion: policystreams/v1\nkind: Conventions\nmetadata: {{ name: platform }}\n{lines}\n"), said);
            return [.. said.Single(one => one.Code == DiagnosticCodes.UnknownKey).Help!.Replace("keys here: ", "", StringComparison.Ordinal).Split(", ").Order(StringComparer.Ordinal)];
        }
    }

    // The page's own example is one.
    [Fact]
    public void Read_ExampleOfTheReference_IsGood()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "PolicyStreams.sln"))) { root = Path.GetDirectoryName(root)!; }
        string text = System.Text.RegularExpressions.Regex.Match(File.ReadAllText(Path.Combine(root, "docs", "reference", "policy.md")), "```yaml\n(apiVersion: policystreams/v1\nkind: Conventions.*?)```", System.Text.RegularExpressions.RegexOptions.Singleline).Groups[1].Value;
        var said = new List<Diagnostic>();
        Assert.NotNull(ConventionsDocument.Read(new PolicyFile("policy.md", text), said));
        Assert.Empty(said);
    }
}
