using System.Text.Json;

namespace PolicyStreams.Rules.Tests.Testing;

/// <summary>Mutants of policies: what is changed, what tests notice of it, and what is told of those that survive.</summary>
public sealed class MutationTests
{
    private const string Head = "apiVersion: policystreams/v1\nkind: Policy\nmetadata: { name: p }\nbindings:\n  - { name: p, format: avro, schema: p.avsc, key_format: string, topics: { routes: [eu] } }\nrules:\n";

    private static PolicyTestRunner Run(string rules, string tests, string more = "")
    {
        var runner = new PolicyTestRunner(path => path switch { "p.policy.yaml" => Head + rules, "p.avsc" => Bench.PaymentSchema, _ => null });
        runner.Run(new PolicyFile("p.policy.tests.yaml", $"policy: p.policy.yaml\nkeys: {{ k: '{Bench.HmacKey}' }}\n{more}\ntests:\n{tests}"));
        return runner;
    }

    private static MutationReport Mutate(string rules, string tests, string more = "")
    {
        PolicyTestRunner runner = Run(rules, tests, more);
        MutationReport? report = runner.Mutate();
        Assert.True(report is not null, string.Join("\n", [.. runner.Report().Diagnostics.Select(one => one.ToString()), .. runner.Report().Results.SelectMany(one => one.Failures)]));
        return report;
    }

    private static string Given(string change = "") => $"given: {{ key: c-1, value: {{ payment_id: p, created_at: '2026-01-18T12:00:00Z', amount: 120.5, currency: EUR, country: DE, channel: APP, card_number: '4111111111111111', customer: {{ id: c, name: n, email: null, age: null }}, merchant: m, note: null, items: []{(change.Length > 0 ? ", " + change : "")} }} }}";

    private static string Case(string name, string change, string expect) => $"  - {{ name: {name}, {Given(change).Replace("amount: 120.5, ", change.Contains("amount:", StringComparison.Ordinal) ? "" : "amount: 120.5, ", StringComparison.Ordinal).Replace("country: DE, ", change.Contains("country:", StringComparison.Ordinal) ? "" : "country: DE, ", StringComparison.Ordinal)}, expect: {{ {expect} }} }}\n";

    private static string[] Survivors(MutationReport report) => [.. report.Mutants.Where(mutant => mutant.Fate == MutantFate.Survived).Select(mutant => mutant.Id)];

    [Fact]
    public void Mutate_ThresholdTestedFarFromIt_ShowsWhatSurvivesAndARecordThatTells()
    {
        MutationReport report = Mutate("  - { id: big, when: value.amount > 100.0, deny: {} }\n", Case("much", "amount: 500.0", "outcome: deny") + Case("little", "amount: 1.0", "outcome: allow"));
        Assert.Equal(["big/value.amount > 100.0 -> value.amount >= 100.0", "big/100.0 -> 101.0", "big/100.0 -> 99.0"], Survivors(report));
        Mutant mutant = report.Mutants.Single(one => one.Id == "big/value.amount > 100.0 -> value.amount >= 100.0");
        Assert.Equal(["- when: value.amount > 100.0", "+ when: value.amount >= 100.0"], mutant.Diff);
        Assert.Equal(("p", "big", "p.policy.yaml", 7), (mutant.Policy, mutant.Rule, mutant.File, mutant.Line));
        Assert.Equal("the record of test `much` with { value: { amount: 100 } }: allow [], to governed.p; by the mutant deny [big], to rejected.p", mutant.Telling);
        Assert.Equal(["delete", "negate", "always", "deny -> hold"], report.Mutants.Where(one => one.Fate == MutantFate.Noticed).Select(one => one.Id["big/".Length..]));
        Assert.Equal(100.0 * 4 / 7, report.Percent, 6);
    }

    [Fact]
    public void Mutate_ThresholdTestedBesideIt_IsNoticedWhole()
    {
        MutationReport report = Mutate("  - { id: big, when: value.amount > 100.0, deny: {} }\n", Case("above", "amount: 100.5", "outcome: deny") + Case("at", "amount: 100.0", "outcome: allow"));
        Assert.Empty(Survivors(report));
        Assert.Equal(100, report.Percent);
        Assert.All(report.Mutants, mutant => Assert.Contains(mutant.By, (string[])["above", "at"]));
    }

    [Theory]
    [InlineData("value.country in [\"DE\", \"FR\"]", "without \"DE\"", "without \"FR\"", "value.country in [\"DE\", \"FR\"] -> !(value.country in [\"DE\", \"FR\"])")]
    [InlineData("value.amount > 1.0 && value.country == \"DE\"", "without value.amount > 1.0", "without value.country == \"DE\"", "value.amount > 1.0 && value.country == \"DE\" -> value.amount > 1.0 || value.country == \"DE\"")]
    [InlineData("!(value.note == null)", "!(value.note == null) -> value.note == null")]
    [InlineData("value.items.exists(i, i.quantity == 0)", "value.items.exists(i, i.quantity == 0) -> value.items.all(i, i.quantity == 0)", "0 -> 1", "0 -> -1", "i.quantity == 0 -> i.quantity != 0")]
    [InlineData("value.amount > 0.25 ? true : false", "0.25 -> 0.26", "0.25 -> 0.24", "value.amount > 0.25 ? true : false -> value.amount > 0.25 ? false : true", "true -> false")]
    [InlineData("value.created_at > timestamp(\"2026-01-01T00:00:00Z\")", "timestamp(\"2026-01-01T00:00:00Z\") -> timestamp(\"2026-01-01T00:00:00Z\") + duration(\"1s\")")]
    [InlineData("value.amount > 1.0 || value.amount > 1.0", "without value.amount > 1.0", "1.0 -> 2.0", "1.0 -> 2.0#2")]
    public void Mutate_Condition_IsChangedInEachOfItsParts(string when, params string[] ids)
    {
        string[] found = [.. Mutate($"  - {{ id: r, when: '{when}', tag: {{ a: b }} }}\n", Case("any", "", "outcome: allow")).Mutants.Select(mutant => mutant.Id["r/".Length..])];
        Assert.All(ids, id => Assert.Contains(id, found));
        Assert.Equal(found.Length, found.Distinct().Count());
    }

    // An effect that is weaker than it was: only what tests look at is noticed.
    [Theory]
    [InlineData("deny: {}", "rules: [r]", "deny -> hold")]
    [InlineData("deny: {}", "outcome: deny")]
    [InlineData("hold: { approvers: [a], quorum: 2 }", "outcome: hold", "quorum 2 -> 1", "on_expiry deny -> allow", "own_group_may_approve false -> true")]
    [InlineData("hold: { approvers: [a], quorum: 2 }", "holds: { r: { quorum: 2, on_expiry: deny, own_group_may_approve: false } }")]
    [InlineData("mask: { field: card_number, keep_last: 4 }", "rules: [r]", "unmasked", "keep_last 4 -> 5")]
    [InlineData("mask: { field: card_number, keep_last: 4 }", "masked: [card_number]", "keep_last 4 -> 5")]
    [InlineData("mask: { field: card_number, keep_last: 4 }", "value: { card_number: '************1111' }")]
    [InlineData("mask: { field: card_number, hmac: k }", "rules: [r]", "unmasked")]
    [InlineData("mask: { field: created_at, date: year }", "rules: [r]", "date year -> month")]
    [InlineData("mask: { field: amount, redact: true }", "rules: [r]")]
    [InlineData("mask: { field: key, constant: x }", "rules: [r]", "unmasked")]
    [InlineData("route: { to: eu }", "rules: [r]", "to eu -> governed.p")]
    [InlineData("route: { to: eu }", "route: eu")]
    [InlineData("tag: { a: b }", "rules: [r]", "tag a")]
    [InlineData("tag: { a: b }", "tags: { a: b }")]
    [InlineData("deny: {}, mode: shadow", "outcome: allow", "delete")]
    [InlineData("deny: {}, mode: shadow", "shadow: [r]")]
    public void Mutate_Effect_IsWeakened(string effect, string expect, params string[] survivors) =>
        Assert.Equal(survivors, Survivors(Mutate($"  - {{ id: r, {effect} }}\n", Case("any", "", expect))).Select(id => id["r/".Length..]));

    [Fact]
    public void Mutate_TermsThatNoTestLooksAt_AreToldByTheRecordThatIsHeld() => Assert.Contains(
        "the record of test `any`: hold [r], to held.p by both, with other terms or other values written",
        Mutate("  - { id: r, hold: { approvers: [a], quorum: 2 } }\n", Case("any", "", "outcome: hold")).Mutants.Select(mutant => mutant.Telling));

    [Theory]
    [InlineData("'\"ops\" in principal.groups'", "{ principal: { groups: [\"ops\"] } }")]
    [InlineData("'value.note != null && value.note == \"x\"'", "{ value: { note: \"x\" } }")]
    [InlineData("'headers[\"region\"] == \"eu\"'", "{ headers: { region: \"eu\" } }")]
    [InlineData("'key == \"c-2\"'", "{ key: \"c-2\" }")]
    public void Mutate_Survivor_IsToldByAnyPartOfARecord(string when, string record)
    {
        // The one test there is fires nothing, so that the rule may be gone.
        MutationReport report = Mutate($"  - {{ id: r, when: {when}, tag: {{ a: b }} }}\n", Case("any", "", when.Contains("headers", StringComparison.Ordinal) ? "outcome: deny" : "rules: []"));
        Assert.Contains(report.Mutants, mutant => mutant.Telling?.Contains($" with {record}: allow [r]", StringComparison.Ordinal) == true);
    }

    // Two fields at once: neither alone makes the rule fire.
    [Fact]
    public void Mutate_SurvivorOfTwoFields_IsToldByBoth() => Assert.Contains(
        Mutate("  - { id: r, when: value.country == \"KP\" && value.amount > 1000.0, deny: {} }\n", Case("any", "", "rules: []")).Mutants,
        mutant => mutant.Id == "r/delete" && mutant.Telling!.Contains("country: \"KP\"", StringComparison.Ordinal) && mutant.Telling.Contains("amount: 1000.01", StringComparison.Ordinal));

    [Fact]
    public void Mutate_MutantThatNothingTellsApart_SaysThatNoRecordWasFound()
    {
        MutationReport report = Mutate("  - { id: r, when: size(value.items) >= 0 && value.country == \"DE\", deny: {} }\n", Case("de", "", "outcome: deny") + Case("fr", "country: FR", "outcome: allow"));
        Assert.Contains("r/without size(value.items) >= 0", Survivors(report));
        Assert.Null(report.Mutants.Single(mutant => mutant.Id == "r/without size(value.items) >= 0").Telling);
        var text = new StringWriter();
        PolicyTestOutput.WriteMutation(report, text);
        Assert.Contains("survivors: [{ mutant: 'r/without size(value.items) >= 0', why: … }]", text.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Mutate_ExplainedSurvivor_DoesNotCount()
    {
        const string Rules = "  - { id: r, hold: { approvers: [a] } }\n";
        string tests = Case("any", "", "holds: { r: { on_expiry: deny } }");
        Assert.Equal(["r/own_group_may_approve false -> true"], Survivors(Mutate(Rules, tests)));
        MutationReport report = Mutate(Rules, tests, "survivors:\n  - { mutant: r/own_group_may_approve false -> true, why: producers are in no group of people }");
        Assert.Empty(report.Diagnostics);
        Assert.Equal((100.0, 1, 0), (report.Percent, report.Explained, report.Survived));
        Assert.Equal("producers are in no group of people", report.Mutants.Single(mutant => mutant.Fate == MutantFate.Explained).Why);
    }

    [Theory]
    [InlineData("r/delete", "test `any` notices it")]
    [InlineData("r/own_group_may_approve false -> tru", "there is no such mutant")]
    [InlineData("nobody/delete", "there is no such mutant")]
    public void Mutate_ExplanationOfNoSurvivor_IsAnError(string mutant, string why)
    {
        Diagnostic found = Assert.Single(Mutate("  - { id: r, hold: { approvers: [a] } }\n", Case("any", "", "outcome: hold"), $"survivors: [{{ mutant: '{mutant}', why: x }}]").Diagnostics);
        Assert.Equal((DiagnosticCodes.NoSuchSurvivor, Severity.Error, 3), (found.Code, found.Severity, found.Line));
        Assert.Contains(why, found.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("survivors: x", "PS0102")]
    [InlineData("survivors: [x]", "PS0102")]
    [InlineData("survivors: [{ mutant: r/delete }]", "PS0101")]
    [InlineData("survivors: [{ mutant: r/delete, why: '' }]", "PS0103")]
    [InlineData("survivors: [{ mutant: a, why: x }, { mutant: a, why: y }]", "PS0105")]
    [InlineData("survivors: [{ mutant: a, wy: x, why: y }]", "PS0100")]
    public void Run_ExplanationWithAMistake_IsAnError(string more, string code)
    {
        PolicyTestRunner runner = Run("  - { id: r, tag: { a: b } }\n", Case("any", "", "outcome: allow"), more);
        Assert.Equal(code, Assert.Single(runner.Report().Diagnostics).Code);
        Assert.Null(runner.Mutate());
    }

    [Fact]
    public void Mutate_WhereATestFails_IsNotTried() => Assert.Null(Run("  - { id: r, tag: { a: b } }\n", Case("any", "", "outcome: deny")).Mutate());

    // A mutant of a policy that two files test is noticed by either.
    [Fact]
    public void Mutate_TwoFilesOfOnePolicy_NoticeTogether()
    {
        PolicyTestRunner runner = Run("  - { id: r, when: value.amount > 100.0, deny: {} }\n", Case("above", "amount: 100.5", "outcome: deny"));
        Assert.NotEmpty(Survivors(runner.Mutate()!));
        runner.Run(new PolicyFile("more.tests.yaml", "policy: p.policy.yaml\ntests:\n" + Case("at", "amount: 100.0", "outcome: allow")));
        Assert.Empty(Survivors(runner.Mutate()!));
    }

    [Fact]
    public void Mutate_Again_GivesTheSame()
    {
        PolicyTestRunner runner = Run("  - { id: r, when: 'value.amount > 100.0 && (value.note == null || value.country in [\"DE\"])', deny: {} }\n  - { id: s, mask: { tag: PII, constant: x } }\n", Case("above", "amount: 100.5", "outcome: deny"));
        Assert.Equal(Json(runner), Json(runner));

        static string Json(PolicyTestRunner of)
        {
            using var stream = new MemoryStream();
            PolicyTestOutput.WriteJson(of.Report(), stream, of.Mutate());
            return JsonDocument.Parse(stream.ToArray()).RootElement.GetProperty("mutation").GetRawText();
        }
    }

    [Theory]
    [InlineData("holds: { r: { quorum: 2 } }", "holds.r.quorum: expected 2, got 1 (r (p.policy.yaml:7))")]
    [InlineData("holds: { r: { approvers: [b] } }", "holds.r.approvers: expected [b], got [a] (r (p.policy.yaml:7))")]
    [InlineData("holds: { r: { expires: 2h } }", "holds.r.expires: expected 2h, got 1d (r (p.policy.yaml:7))")]
    [InlineData("holds: { r: { on_expiry: allow } }", "holds.r.on_expiry: expected allow, got deny (r (p.policy.yaml:7))")]
    [InlineData("holds: { r: { scope: key } }", "holds.r.scope: expected key, got record (r (p.policy.yaml:7))")]
    [InlineData("holds: { r: { reason: x } }", "holds.r.reason: expected x, got why (r (p.policy.yaml:7))")]
    [InlineData("holds: { s: { quorum: 1 } }", "holds: expected s (p.policy.yaml:8) to hold, got [r]")]
    public void Run_TermsOfAHold_AreCompared(string expect, string failure) => Assert.Equal(
        failure,
        Assert.Single(Assert.Single(Run("  - { id: r, hold: { approvers: [a], reason: why } }\n  - { id: s, when: value.amount > 1000.0, hold: { approvers: [a] } }\n", Case("any", "", expect)).Report().Results).Failures));

    [Fact]
    public void Run_HoldsOfARuleThatIsNotThere_IsAnError() =>
        Assert.Equal("PS0100", Assert.Single(Run("  - { id: r, hold: { approvers: [a] } }\n", Case("any", "", "holds: { q: { quorum: 1 } }")).Report().Diagnostics).Code);

    [Theory]
    [InlineData("customer.name", "absent: customer.name is there")]
    [InlineData("customer.email", "absent: customer.email is there")]
    [InlineData("items[*].quantity", "absent: items[*].quantity is there")]
    [InlineData("customer.street", null)]
    [InlineData("items[*].street", null)]
    [InlineData("note.more", null)]
    public void Run_WhatIsToBeAbsent_IsLookedFor(string path, string? failure) => Assert.Equal(
        failure is null ? [] : [failure],
        Assert.Single(Run("  - { id: r, tag: { a: b } }\n", Case("any", "", $"absent: ['{path}']").Replace("items: []", "items: [{ sku: a, quantity: 1, price: 1.0 }]", StringComparison.Ordinal)).Report().Results).Failures);

    [Theory]
    [InlineData("a..b")]
    [InlineData("headers[\"x\"]")]
    public void Run_AbsentPathThatIsNoneOfTheValue_IsAnError(string path) =>
        Assert.Equal("PS0504", Assert.Single(Run("  - { id: r, tag: { a: b } }\n", Case("any", "", $"absent: ['{path}']")).Report().Diagnostics).Code);
}
