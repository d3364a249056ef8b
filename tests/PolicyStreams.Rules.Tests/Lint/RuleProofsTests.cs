namespace PolicyStreams.Rules.Tests.Lint;

/// <summary>Lint beyond types: rules that can never fire, always do, or change nothing, and holds that nobody can approve.</summary>
public sealed class RuleProofsTests
{
    [Theory]
    [InlineData("value.amount > 100.0 && value.amount < 50.0", "rule `a` can never fire: `value.amount > 100.0` and `value.amount < 50.0` exclude each other")]
    [InlineData("value.country == \"DE\" && value.channel == \"FAX\"", "rule `a` can never fire: `value.channel == \"FAX\"` is never true")]
    [InlineData("value.note == null ? value.note == \"x\" : false", "rule `a` can never fire: its condition is never true")]
    [InlineData("principal.id == \"nobody\"", "rule `a` can never fire: its condition is never true where `checkout` produces every record of binding `payments`")]
    [InlineData("\"ops\" in principal.groups", "rule `a` can never fire: its condition is never true where `checkout` produces every record of binding `payments`")]
    public void Lint_RuleThatCannotFire_IsAWarning(string when, string message)
    {
        IReadOnlyList<Diagnostic> found = LintBench.Lint(Bench.Yaml($"- {{ id: a, when: '{when}', deny: {{}} }}", "identity: { topic: { id: checkout, groups: [shop] } }"));
        Assert.Equal([message], found.Of("PS0420"));
        Assert.Equal(Severity.Warning, found.Single(one => one.Code == "PS0420").Severity);
    }

    [Theory]
    [InlineData("true", true)]
    [InlineData("value.country == \"DE\" || value.country != \"DE\"", true)]
    [InlineData("principal.id == \"checkout\"", true)]
    [InlineData("size(value.items) >= 0", true)]
    [InlineData("value.amount >= 0.0 || value.amount < 0.0", false)]
    [InlineData("value.note != \"a\" || value.note == \"a\"", false)]
    public void Lint_RuleThatAlwaysFires_IsAWarning(string when, bool always)
    {
        IReadOnlyList<Diagnostic> found = LintBench.Lint(Bench.Yaml($"- {{ id: a, when: '{when}', tag: {{ x: y }} }}", "identity: { topic: { id: checkout, groups: [shop] } }"));
        Assert.Equal(always, found.Of("PS0421").Length == 1);
    }

    [Fact]
    public void Lint_EnumSymbolOfAnotherVersion_IsNotCalledImpossible()
    {
        string older = Bench.PaymentSchema.Replace("\"PHONE\"]", "\"PHONE\",\"FAX\"]", StringComparison.Ordinal);
        Assert.Single(LintBench.Lint(Bench.Yaml("- { id: a, when: 'value.channel == \"FAX\"', deny: {} }")).Of("PS0420"));
        Assert.Empty(LintBench.Lint(Bench.Yaml("- { id: a, when: 'value.channel == \"FAX\"', deny: {} }"), schemas: [older, Bench.PaymentSchema]).Of("PS0420"));
    }

    [Theory]
    [InlineData("deny: {}", "rule `b` changes nothing: every record that it denies is denied by rule `a` as well")]
    [InlineData("hold: { approvers: [risk] }", "rule `b` changes nothing: every record that it fires for is denied by rule `a`")]
    [InlineData("mask: { tag: PAN, redact: true }", "rule `b` changes nothing: every record that it fires for is denied by rule `a`")]
    [InlineData("route: { to: governed.payments }", "rule `b` changes nothing: every record that it fires for is denied by rule `a`")]
    [InlineData("tag: { x: y }", null)]
    public void Lint_RuleShadowedByADeny_IsAWarning(string effect, string? message) => Assert.Equal(
        message is null ? [] : [message],
        LintBench.Lint(Bench.Yaml($"- {{ id: b, when: value.amount > 200.0 && value.country == \"DE\", {effect} }}\n- {{ id: a, when: value.amount > 100.0, deny: {{}} }}")).Of("PS0422"));

    [Theory]
    [InlineData("value.amount > 100.0", "", "", 1)]
    [InlineData("value.amount < 150.0", "", "", 0)]
    [InlineData("value.amount > 100.0 || value.note == null", "", "", 1)]
    [InlineData("value.country == \"DE\"", "", "", 0)]
    [InlineData("value.amount > 200.0", ", mode: shadow", "", 0)]
    [InlineData("value.amount > 200.0", "", ", mode: shadow", 0)]
    public void Lint_RuleThatAnotherDoesNotCover_IsNotCalledShadowed(string when, string modeOfOne, string modeOfOther, int found) => Assert.Equal(
        found,
        LintBench.Lint(Bench.Yaml($"- {{ id: a, when: value.amount > 100.0, deny: {{}}{modeOfOne} }}\n- {{ id: b, when: '{when}', deny: {{}}{modeOfOther} }}")).Of("PS0422").Length);

    [Fact]
    public void Lint_RuleShadowedInOneOfItsBindingsOnly_IsNotCalledShadowed()
    {
        string yaml = Bench.Yaml("- { id: a, bindings: [payments], when: value.amount > 100.0, deny: {} }\n- { id: b, when: value.amount > 200.0, deny: {} }")
            .Replace("rules:", "  - { name: refunds, format: avro, subject: raw.payments-value }\nrules:", StringComparison.Ordinal);
        Assert.Empty(LintBench.Lint(yaml).Of("PS0422"));
        Assert.Single(LintBench.Lint(yaml.Replace("bindings: [payments], ", "", StringComparison.Ordinal)).Of("PS0422"));
    }

    [Fact]
    public void Lint_RouteAfterOneThatTakesItsRecords_IsAWarning() => Assert.Equal(
        ["rule `b` changes nothing: every record that it routes is routed by rule `a` before it"],
        LintBench.Lint(Bench.Yaml("- { id: a, when: 'value.country in [\"DE\", \"FR\"]', route: { to: eu } }\n- { id: b, when: value.country == \"DE\", route: { to: de } }", "topics: { routes: [eu, de] }")).Of("PS0422"));

    // A null value has no fields: of two denials only the one that reads none speaks of it.
    [Theory]
    [InlineData("deny", 1)]
    [InlineData("allow", 0)]
    public void Lint_RuleOfNullValues_IsNotShadowedByOneThatReadsTheValue(string tombstones, int found) => Assert.Equal(
        found,
        LintBench.Lint(Bench.Yaml("- { id: a, when: principal.id == \"x\" || value.amount > 1.0, deny: {} }\n- { id: b, when: principal.id == \"x\", hold: { approvers: [risk] } }", $"tombstones: {tombstones}")).Of("PS0422").Length);

    [Theory]
    [InlineData("value.country == \"DE\"", "value.country != \"DE\"", null)]
    [InlineData("value.amount > 1.0", "value.country == \"DE\"", "PS0404")]
    [InlineData("value.amount > 1.0", "value.amount > 2.0", "PS0406")]
    [InlineData("value.amount > 2.0", "value.amount > 1.0", "PS0404")]
    public void Lint_TwoMasksOnOneField_AreToldByWhatTheirConditionsSay(string first, string second, string? code) => Assert.Equal(
        code is null ? [] : [code],
        LintBench.Lint(Bench.Yaml($"- {{ id: a, when: '{first}', mask: {{ field: merchant, redact: true }} }}\n- {{ id: b, when: '{second}', mask: {{ field: merchant, constant: x }} }}")).Select(one => one.Code));

    [Theory]
    [InlineData("- { id: a, mask: { tag: PII, redact: true } }\n- { id: b, mask: { field: customer.email, constant: x } }", null)]
    [InlineData("- { id: a, mask: { tag: PAN, redact: true } }\n- { id: b, mask: { tag: PAN, constant: x } }", "PS0406")]
    public void Lint_TagsMaskUnderAnExplicitOne_IsASafetyNet(string rules, string? code) =>
        Assert.Equal(code is null ? [] : [code], LintBench.Lint(Bench.Yaml(rules)).Select(one => one.Code));

    [Theory]
    [InlineData("approvers: [shop]", "nobody can approve the hold of rule `a`: its approvers are groups of `checkout`, who produces the records of binding `payments`")]
    [InlineData("approvers: [shop], own_group_may_approve: true", null)]
    [InlineData("approvers: [shop, risk]", null)]
    [InlineData("approvers: [risk], quorum: 3", "the hold of rule `a` asks for 3 people, and there are 2 in risk (conventions `platform`)")]
    [InlineData("approvers: [risk, shop], quorum: 3", "the hold of rule `a` asks for 3 people, and there are 2 in risk (conventions `platform`)")]
    [InlineData("approvers: [risk, fraud], quorum: 3", null)]
    [InlineData("approvers: [nobody]", "the hold of rule `a` asks for 1 people, and there are 0 in nobody (conventions `platform`)")]
    [InlineData("approvers: [rsk]", "group `rsk` of the hold of rule `a` is not there (conventions `platform`)")]
    public void Lint_HoldThatNobodyCanApprove_IsAnError(string terms, string? message) => Assert.Equal(
        message is null ? [] : [message],
        LintBench.Lint(Bench.Yaml($"- {{ id: a, hold: {{ {terms} }} }}", "identity: { topic: { id: checkout, groups: [shop] } }"), "groups: { risk: 2, fraud: 1, shop: 9, nobody: 0 }").Of("PS0423"));

    [Fact]
    public void Lint_HoldsOfTheSystemsOwn_AreLookedAtToo() => Assert.Equal(
        ["`on_error`", "`on_schema_mismatch`", "`tombstones` of binding `payments`"],
        LintBench.Lint(
            Bench.Yaml("- { id: a, tag: { x: y } }", "identity: { topic: { id: checkout, groups: [shop] } }\ntombstones: { hold: { approvers: [shop] } }", "on_error: { hold: { approvers: [shop] } }\non_schema_mismatch: { hold: { approvers: [shop] } }"))
        .Of("PS0423").Select(message => message["nobody can approve the hold of ".Length..message.IndexOf(": its", StringComparison.Ordinal)]).Order(StringComparer.Ordinal));

    // Kept from before: types, symbols, and topics are errors of loading.
    [Theory]
    [InlineData("- { id: a, mask: { field: amount, constant: x } }", "PS0305")]
    [InlineData("- { id: a, mask: { field: channel, constant: FAX } }", "PS0305")]
    [InlineData("- { id: a, route: { to: somewhere } }", "PS0111")]
    public void Lint_WhatCannotBe_IsAnError(string rules, string code) =>
        Assert.Contains(LintBench.Lint(Bench.Yaml(rules)), one => one.Code == code && one.Severity == Severity.Error);
}
