using System.Text;
using System.Text.Json;
using System.Xml.Linq;

namespace PolicyStreams.Rules.Tests.Testing;

public class PolicyTestRunnerTests
{
    private const string Policy = """
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: payments }
        bindings:
          - name: payments
            format: json
            key_format: string
            identity: { topic: { id: checkout, groups: [producers] } }
            topics: { routes: [eu] }
        rules:
          - { id: big, when: value.amount > 100.0 && principal.id == "checkout", hold: { approvers: [risk], reason: big } }
          - { id: card, mask: { field: card, keep_last: 4 } }
          - { id: eu, when: 'headers["region"] == "eu"', route: { to: eu } }
          - { id: t, when: value.amount < 0.0, tag: { odd: minus } }
        """;

    private static PolicyTestReport Run(string tests, string policy = Policy)
    {
        var runner = new PolicyTestRunner(path => path == "p.policy.yaml" ? policy : path == "payment.avsc" ? Bench.PaymentSchema : null);
        runner.Run(new PolicyFile("p.policy.tests.yaml", "policy: p.policy.yaml\nkeys: { k: 'test-key-0123456789-0123456789-0123' }\n" + tests));
        return runner.Report();
    }

    [Fact]
    public void Run_AllKindsOfExpectations_Pass()
    {
        PolicyTestReport report = Run("""
            tests:
              - name: small
                given: { binding: payments, key: k-1, headers: { region: eu, many: [a, b] }, value: { amount: 5.0, card: "41111111", more: { x: 1, y: [1, 2] } } }
                expect: { outcome: allow, rules: [eu, card], route: eu, to: eu, masked: [card], keys: [], tags: {}, shadow: [], reasons: [], errors: [], key: k-1, headers: { region: eu, many: [a, b] }, value: { card: "****1111", more: { y: [1, 2] } } }
              - name: held, and shown as released
                given: { headers: { region: us }, value: { amount: 500.0, card: "41111111" } }
                expect: { outcome: hold, reasons: [big], to: held.payments, value: { card: "****1111" } }
              - name: an error
                given: { value: { card: x } }
                expect: { outcome: deny, rules: ["ps:error", card], errors: [{ rule: big, code: no-such-field }, { rule: eu, code: no-such-key }, { rule: t, code: no-such-field }] }
              - name: raw bytes
                given: { bytes: "7b 22" }
                expect: { outcome: deny, rules: ["ps:undecodable"] }
              - name: nobody
                given: { principal: null, headers: { region: us }, value: { amount: 500.0 } }
                expect: { outcome: allow, rules: [] }
            """);
        Assert.Empty(report.Diagnostics);
        Assert.All(report.Results, result => Assert.True(result.Passed, $"{result.Name}: {string.Join("; ", result.Failures)}"));
        Assert.Equal(5, report.Passed);
    }

    // One record that has something of everything: what is expected of it rightly, wrongly, and what is then said.
    private const string Everything = """
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: payments }
        bindings:
          - { name: payments, format: json, key_format: string, topics: { routes: [eu] } }
        rules:
          - { id: big, when: value.amount > 100.0, hold: { approvers: [risk], reason: big } }
          - { id: minus, when: value.amount < 0.0, deny: { reason: minus } }
          - { id: card, mask: { field: card, hmac: k } }
          - { id: who, mask: { field: key, keep_last: 1 } }
          - { id: head, mask: { field: 'headers["h"]', constant: x } }
          - { id: t, tag: { odd: "yes" } }
          - { id: look, when: value.amount > 1.0, deny: {}, mode: shadow }
          - { id: bad, when: value.gone == 1.0, tag: { never: so }, mode: shadow }
        """;

    private const string OfEverything = """{ key: k-1, headers: { h: a, n: null }, value: { amount: 5.0, card: "4111", list: [1, { a: 2 }], none: null } }""";

    public static TheoryData<string, string, string> Expectations() => new()
    {
        { "outcome: allow", "outcome: hold", "outcome: expected hold, got allow (bad: no-such-field)" },
        { "rules: [t, head, who, card]", "rules: [card, who, head]", "rules: expected [card, who, head], got [card, who, head, t]; not expected t (p.policy.yaml:12)" },
        { "shadow: [look]", "shadow: []", "shadow: expected [], got [look]; not expected look (p.policy.yaml:13)" },
        { "reasons: []", "reasons: [big]", "reasons: expected [big], got []; missing big" },
        { "errors: [no-such-field]", "errors: []", "errors: expected [], got [bad: no-such-field]" },
        { "errors: [no-such-field]", "errors: [null-use]", "errors: expected [null-use], got [bad: no-such-field]" },
        { "errors: [{ rule: bad, code: no-such-field }]", "errors: [{ rule: t, code: no-such-field }]", "errors: expected [t: no-such-field], got [bad: no-such-field]" },
        { "tags: { odd: yes }", "tags: {}", "tags: expected [], got [odd: yes]" },
        { "tags: { odd: yes }", "tags: { odd: maybe }", "tags: expected [odd: maybe], got [odd: yes]" },
        { "holds: {}", "holds: { big: { quorum: 1 } }", "holds: expected big (p.policy.yaml:7) to hold, got []" },
        { "masked: [card, key, 'headers[\"h\"]']", "masked: [card, key]", "masked: expected [card, key], got [card, key, headers[\"h\"]]; not expected headers[\"h\"]" },
        { "keys: [k@1]", "keys: []", "keys: expected [], got [k@1]; not expected k@1" },
        { "to: governed.payments", "to: eu", "to: expected eu, got governed.payments" },
        { "route: governed.payments", "route: eu", "route: expected eu, got governed.payments" },
        { "key: '**1'", "key: k-1", "key: expected k-1, got **1" },
        { "key: '**1'", "key: null", "key: expected null, got **1" },
        { "headers: { h: x, n: null }", "headers: { h: x }", "headers: expected [h: x], got [h: x, n: null]" },
        { "headers: { n: null, h: x }", "headers: { h: [x, x], n: null }", "headers: expected [h: x, h: x, n: null], got [h: x, n: null]" },
        { "headers: { h: x, n: null }", "headers: { h: x, n: 'null' }", "headers: expected [h: x, n: \"null\"], got [h: x, n: null]" },
        { "value: { none: null }", "value: { amount: 5.5 }", "value.amount: expected 5.5, got 5.0" },
        { "value: { amount: 5, list: [1, { a: 2 }] }", "value: { list: [1, { a: 3 }] }", "value.list[1].a: expected 3, got 2" },
        { "value: { list: [1, {}] }", "value: { list: [1] }", "value.list: expected [1], got [1,{\"a\":2}]" },
        { "value: {}", "value: { none: {} }", "value.none: expected {}, got null" },
        { "absent: [gone, list.a]", "absent: [gone, none]", "absent: none is there" },
    };

    [Theory]
    [MemberData(nameof(Expectations))]
    public void Run_EveryKindOfExpectation_IsComparedAndSaid(string right, string wrong, string failure)
    {
        PolicyTestReport report = Run($"tests:\n  - {{ name: right, given: {OfEverything}, expect: {{ {right} }} }}\n  - {{ name: wrong, given: {OfEverything}, expect: {{ {wrong} }} }}", Everything);
        Assert.Empty(report.Diagnostics);
        Assert.Empty(report.Results[0].Failures);
        Assert.Equal([failure], report.Results[1].Failures);
    }

    [Fact]
    public void Expectations_HaveEveryKey() =>
        Assert.Equal(PolicyTestCase.ExpectKeys.Order(StringComparer.Ordinal), Expectations().Select(row => row.Data.Item2.Split(':')[0]).Distinct().Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("value: null", "expect: { value: null }", "")]
    [InlineData("value: null", "expect: { value: {} }", "value: expected one, got null")]
    [InlineData("value: { amount: 5.0 }", "expect: { value: null }", "value: expected null, got {\"amount\":5.0}")]
    [InlineData("value: { amount: -5.0 }", "expect: { value: null, reasons: [minus], to: rejected.payments }", "")]
    [InlineData("value: { amount: -5.0 }", "expect: { value: {} }", "value: expected one, and nothing would be published (deny)")]
    [InlineData("value: { amount: -5.0 }", "expect: { absent: [card] }", "absent: nothing would be published (deny)")]
    [InlineData("value: { amount: 5.0 }, key: 'null'", "expect: { key: null }", "key: expected null, got \"null\"")]
    [InlineData("value: { amount: 5.0 }, key: 'null'", "expect: { key: 'null' }", "")]
    [InlineData("value: { amount: 5.0 }", "expect: { key: null, headers: {} }", "")]
    public void Run_NothingWhereSomethingIsExpected_IsSaid(string given, string expect, string failure)
    {
        string policy = Everything.Replace("key_format: string,", "key_format: string, tombstones: allow,", StringComparison.Ordinal).Replace("  - { id: who, mask: { field: key, keep_last: 1 } }\n", "", StringComparison.Ordinal);
        PolicyTestReport report = Run($"tests:\n  - {{ name: one, given: {{ {given} }}, {expect} }}", policy);
        Assert.Empty(report.Diagnostics);
        Assert.Equal(failure, string.Join("; ", Assert.Single(report.Results).Failures));
    }

    // What a test gives is what conditions see; what it leaves out is what policy.md says.
    [Theory]
    [InlineData("value: {}", "[defaults]")]
    [InlineData("time: 2026-02-03T04:05:06.007Z, value: {}", "[time]")]
    [InlineData("time: 1770091506007, value: {}", "[time]")]
    [InlineData("partition: 3, value: {}", "[partition]")]
    [InlineData("offset: 77, value: {}", "[offset]")]
    [InlineData("principal: null, value: {}", "[nobody]")]
    [InlineData("principal: { id: ada }, value: {}", "[ada]")]
    [InlineData("principal: { id: checkout, groups: [g, h] }, value: {}", "[grouped]")]
    [InlineData("principal: { id: checkout, via: oidc }, value: {}", "[oidc]")]
    [InlineData("key: 7, value: {}", "[key]")]
    [InlineData("key: -9223372036854775808, value: {}", "[lowest]")]
    [InlineData("headers: { h: a }, value: {}", "[header]")]
    [InlineData("headers: { h: [a, b] }, value: {}", "[repeated]")]
    [InlineData("headers: { n: null }, value: {}", "[null-header]")]
    [InlineData("value: { n: 1 }", "[defaults, value]")]
    [InlineData("bytes: '7b226e223a317d'", "[defaults, value]")]
    [InlineData("bytes: 7B 22 6e 22 3a 31 7d", "[defaults, value]")]
    [InlineData("bytes: ''", "['ps:undecodable']")]
    [InlineData("value: null", "['ps:tombstone']")]
    [InlineData("binding: other, value: {}", "[other]")]
    public void Run_EveryKindOfGiven_ReachesTheRecord(string given, string rules)
    {
        const string Policy = """
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: payments }
            bindings:
              - { name: payments, format: json, key_format: long, identity: { topic: { id: checkout, groups: [producers] } } }
              - { name: other, format: json }
            rules:
              - id: defaults
                bindings: [payments]
                when: >-
                  timestamp == timestamp("2026-01-01T00:00:00Z") && partition == 0 && offset == 0 && key == null && topic == "raw.payments" && size(headerValues("h")) == 0 && !("n" in headers)
                  && principal.id == "checkout" && principal.groups == ["producers"] && principal.via == "topic"
                tag: { a: b }
              - { id: time, bindings: [payments], when: timestamp == timestamp("2026-02-03T04:05:06.007Z"), tag: { a: b } }
              - { id: partition, bindings: [payments], when: partition == 3, tag: { a: b } }
              - { id: offset, bindings: [payments], when: offset == 77, tag: { a: b } }
              - { id: nobody, bindings: [payments], when: principal.id == "" && principal.via == "none", tag: { a: b } }
              - { id: ada, bindings: [payments], when: 'principal.id == "ada" && principal.groups == []', tag: { a: b } }
              - { id: grouped, bindings: [payments], when: 'principal.groups == ["g", "h"]', tag: { a: b } }
              - { id: oidc, bindings: [payments], when: principal.via == "oidc", tag: { a: b } }
              - { id: key, bindings: [payments], when: key != null && key == 7, tag: { a: b } }
              - { id: lowest, bindings: [payments], when: key != null && key < -9223372036854775807, tag: { a: b } }
              - { id: header, bindings: [payments], when: 'headerValues("h") == [b"a"] && headers["h"] == "a"', tag: { a: b } }
              - { id: repeated, bindings: [payments], when: 'headerValues("h") == [b"a", b"b"]', tag: { a: b } }
              - { id: null-header, bindings: [payments], when: '"n" in headers', tag: { a: b } }
              - { id: value, bindings: [payments], when: has(value.n) && value.n == 1.0, tag: { a: b } }
              - { id: other, bindings: [other], tag: { a: b } }
            """;
        PolicyTestReport report = Run($"tests:\n  - {{ name: one, given: {{ {(given.StartsWith("binding", StringComparison.Ordinal) ? "" : "binding: payments, ")}{given} }}, expect: {{ rules: {rules}{(rules.Contains("ps:", StringComparison.Ordinal) ? "" : ", errors: []")} }} }}", Policy);
        Assert.Empty(report.Diagnostics);
        Assert.Empty(Assert.Single(report.Results).Failures);
    }

    private const string Keyed = """
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: orders }
        bindings:
          - { name: orders, format: avro, key_format: avro, tombstones: allow }
        rules:
          - { id: embargo, when: 'key != null && key.region == "KP"', deny: {} }
          - { id: card, mask: { field: card, constant: x } }
          - { id: who, mask: { field: key.id, keep_last: 1 } }
        """;

    private const string First = """{"type":"record","name":"O","fields":[{"name":"id","type":"string"},{"name":"card","type":"string"}]}""";
    private const string KeySchema = """{"type":"record","name":"K","fields":[{"name":"id","type":"string"},{"name":"region","type":"string","default":"EU"}]}""";

    [Theory]
    [InlineData("")]
    [InlineData("schemas: { orders: [first.avsc, second.avsc], orders/key: [key1.avsc, key2.avsc] }")]
    public void Run_SeveralVersionsAndAvroKeys_AreMadeFromFiles(string schemas)
    {
        string second = First.Replace("\"card\"", "\"pan\",\"aliases\":[\"card\"]", StringComparison.Ordinal);
        string third = First.Replace("{\"name\":\"id\"", "{\"name\":\"n\",\"type\":\"int\",\"default\":0},{\"name\":\"id\"", StringComparison.Ordinal);
        string olderKey = KeySchema.Replace(",{\"name\":\"region\",\"type\":\"string\",\"default\":\"EU\"}", "", StringComparison.Ordinal);
        var runner = new PolicyTestRunner(path => path switch
        {
            "p.policy.yaml" => Keyed,
            "raw.orders-value.v1.avsc" or "first.avsc" => First,
            "raw.orders-value.v2.avsc" or "second.avsc" => schemas.Length > 0 ? third : second,
            "raw.orders-value.v3.avsc" => third,
            "raw.orders-key.v1.avsc" or "key1.avsc" => olderKey,
            "raw.orders-key.v2.avsc" or "key2.avsc" => KeySchema,
            _ => null,
        });
        runner.Run(new PolicyFile("p.policy.tests.yaml", $$"""
            policy: p.policy.yaml
            {{schemas}}
            tests:
              - name: the latest
                given: { key: { id: c-1, region: EU }, value: { n: 1, id: a, card: "4111" } }
                expect: { outcome: allow, rules: [card, who], masked: [card, key.id], value: { card: x, n: 1 }, key: { id: "**1", region: EU } }
              - name: the first version
                given: { version: 1, key_version: 1, key: { id: c-2 }, value: { id: a, card: "4111" } }
                expect: { outcome: allow, value: { card: x }, key: { id: "**2" } }
              - name: a key alone
                given: { key: { id: c-3, region: KP }, value: null }
                expect: { outcome: deny, rules: [embargo, who] }
              - name: a version that is not there
                given: { version: 9, value: { id: a, card: "4111" } }
                expect: { outcome: allow }
            """));
        PolicyTestReport report = runner.Report();
        Assert.All(report.Results, result => Assert.True(result.Passed, $"{result.Name}: {string.Join("; ", result.Failures)}"));
        Assert.Equal(3, report.Passed);
        Assert.Contains("have no version 9", Assert.Single(report.Diagnostics).Message, StringComparison.Ordinal);
    }

    // `bytes` are the value as it is on the topic: framed where the subject has several versions.
    [Fact]
    public void Run_BytesOfASubjectOfSeveralVersions_CarryTheirFrame()
    {
        string second = First.Replace("{\"name\":\"id\"", "{\"name\":\"n\",\"type\":\"int\",\"default\":0},{\"name\":\"id\"", StringComparison.Ordinal);
        var runner = new PolicyTestRunner(path => path switch { "p.policy.yaml" => Keyed, "v1.avsc" => First, "v2.avsc" => second, "key.avsc" => KeySchema, _ => null });
        runner.Run(new PolicyFile("p.policy.tests.yaml", """
            policy: p.policy.yaml
            schemas: { orders: [v1.avsc, v2.avsc], orders/key: key.avsc }
            tests:
              - { name: first, given: { bytes: "00 00000001 0261 0834313131" }, expect: { outcome: allow, value: { id: a, card: x } } }
              - { name: second, given: { bytes: "00 00000002 0e 0261 0834313131" }, expect: { outcome: allow, value: { n: 7, id: a, card: x } } }
              - { name: no frame, given: { bytes: "0261 0834313131" }, expect: { outcome: deny, errors: [not-framed] } }
            """));
        PolicyTestReport report = runner.Report();
        Assert.Empty(report.Diagnostics);
        Assert.All(report.Results, result => Assert.True(result.Passed, $"{result.Name}: {string.Join("; ", result.Failures)}"));
    }

    [Fact]
    public void Run_SubjectBothPlainAndNumbered_IsRefused()
    {
        var runner = new PolicyTestRunner(path => path.EndsWith(".yaml", StringComparison.Ordinal) ? Keyed : path.Contains("key", StringComparison.Ordinal) ? KeySchema : First);
        runner.Run(new PolicyFile("p.policy.tests.yaml", "policy: p.policy.yaml\ntests:\n  - { name: a, given: { value: null }, expect: { outcome: allow } }"));
        Assert.Contains(runner.Report().Diagnostics, diagnostic => diagnostic.Message.Contains("are both there", StringComparison.Ordinal));
    }

    [Fact]
    public void Run_WhatIsWrong_IsSaid()
    {
        PolicyTestReport report = Run("""
            tests:
              - name: wrong
                given: { headers: { region: eu }, value: { amount: 5.0, card: "41111111" } }
                expect: { outcome: deny, rules: [card, big], route: governed.payments, value: { card: "1", gone: 2 } }
            """);
        PolicyTestResult result = Assert.Single(report.Results);
        Assert.Equal(
            [
                "outcome: expected deny, got allow",
                "rules: expected [card, big], got [card, eu]; missing big (p.policy.yaml:11); not expected eu (p.policy.yaml:13)",
                "route: expected governed.payments, got eu",
                "value.card: expected \"1\", got \"****1111\" (masked by card (p.policy.yaml:12))",
                "value.gone: expected 2, and it is not there",
            ],
            result.Failures);
        var text = new StringWriter();
        PolicyTestOutput.WriteText(report, text, coverage: true);
        Assert.Contains("FAIL wrong", text.ToString(), StringComparison.Ordinal);
        Assert.Contains("0 passed, 1 failed", text.ToString(), StringComparison.Ordinal);
        var junit = new StringWriter();
        PolicyTestOutput.WriteJUnit(report, junit);
        Assert.Equal("1", XDocument.Parse(junit.ToString()).Root!.Attribute("failures")!.Value);
        using var json = new MemoryStream();
        PolicyTestOutput.WriteJson(report, json);
        Assert.Equal(1, JsonDocument.Parse(json.ToArray()).RootElement.GetProperty("failed").GetInt32());
    }

    [Fact]
    public void Run_WrongOutcome_NamesTheRulesThatBroughtItAbout()
    {
        PolicyTestReport report = Run("""
            tests:
              - { name: held, given: { headers: { region: eu }, value: { amount: 500.0, card: "41111111" } }, expect: { outcome: allow } }
              - { name: broken, given: { headers: { region: eu }, value: {} }, expect: { outcome: hold } }
            """);
        Assert.Equal("outcome: expected allow, got hold, because of big (p.policy.yaml:11)", Assert.Single(report.Results[0].Failures));
        Assert.Equal("outcome: expected hold, got deny, because of ps:error (big: no-such-field, t: no-such-field)", Assert.Single(report.Results[1].Failures));
    }

    // What Jenkins, GitLab, and GitHub's reporters read: suites with their counts, cases with a class and a name, a failure or error with message and type.
    [Fact]
    public void WriteJUnit_PassedFailedAndBrokenFiles_HasTheFormThatCiSystemsRead()
    {
        PolicyTestReport report = Run("""
            tests:
              - { name: "<right> & \"quoted\" \u0001", given: { headers: { region: us }, value: { amount: 5.0 } }, expect: { outcome: allow } }
              - { name: wrong, given: { headers: { region: us }, value: { amount: 5.0 } }, expect: { outcome: deny } }
              - { name: broken, given: { bytes: xyz }, expect: { outcome: deny } }
            """);
        var text = new StringWriter();
        PolicyTestOutput.WriteJUnit(report, text);
        XElement root = XDocument.Parse(text.ToString()).Root!;
        Assert.Equal(("testsuites", "2", "1", "1"), (root.Name.LocalName, root.Attribute("tests")!.Value, root.Attribute("failures")!.Value, root.Attribute("errors")!.Value));
        Assert.All(root.Elements(), suite =>
        {
            Assert.Equal("testsuite", suite.Name.LocalName);
            Assert.Equal(suite.Elements("testcase").Count(), int.Parse(suite.Attribute("tests")!.Value, System.Globalization.CultureInfo.InvariantCulture));
            Assert.Equal(suite.Descendants("failure").Count(), int.Parse(suite.Attribute("failures")!.Value, System.Globalization.CultureInfo.InvariantCulture));
            Assert.Equal(suite.Descendants("error").Count(), int.Parse(suite.Attribute("errors")!.Value, System.Globalization.CultureInfo.InvariantCulture));
            Assert.NotEmpty(suite.Attribute("name")!.Value);
            Assert.All(suite.Elements(), one =>
            {
                Assert.Equal("testcase", one.Name.LocalName);
                Assert.NotEmpty(one.Attribute("classname")!.Value);
                Assert.NotEmpty(one.Attribute("name")!.Value);
                Assert.True(one.Elements().Count() <= 1);
                Assert.All(one.Elements(), outcome =>
                {
                    Assert.Contains(outcome.Name.LocalName, (string[])["failure", "error"]);
                    Assert.NotEmpty(outcome.Attribute("message")!.Value);
                    Assert.NotEmpty(outcome.Attribute("type")!.Value);
                    Assert.NotEmpty(outcome.Value);
                });
            });
        });
        Assert.Equal("<right> & \"quoted\" ?", root.Descendants("testcase").First().Attribute("name")!.Value);
    }

    [Fact]
    public void Run_TableCases_LayTheirOwnOverWhatIsShared()
    {
        PolicyTestReport report = Run("""
            tests:
              - name: amounts
                given: { headers: { region: us }, value: { amount: 1.0, card: "41111111" } }
                expect: { outcome: allow }
                cases:
                  - { name: small }
                  - { name: big, given: { value: { amount: 101.0 } }, expect: { outcome: hold, rules: [big, card] } }
                  - { given: { value: { amount: -1.0 } }, expect: { tags: { odd: minus } } }
            """);
        Assert.Empty(report.Diagnostics);
        Assert.Equal(["amounts: small", "amounts: big", "amounts: case 3"], report.Results.Select(result => result.Name));
        Assert.All(report.Results, result => Assert.True(result.Passed, string.Join("; ", result.Failures)));
    }

    [Theory]
    [InlineData("tests: []", "PS0501")]
    [InlineData("", "PS0101")]
    [InlineData("tests:\n  - { name: a, given: { binding: x, value: {} }, expect: { outcome: allow } }", "PS0502")]
    [InlineData("tests:\n  - { name: a, given: { value: {}, bytes: '00' }, expect: { outcome: allow } }", "PS0503")]
    [InlineData("tests:\n  - { name: a, given: { bytes: xyz }, expect: { outcome: allow } }", "PS0503")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: {} }", "PS0504")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { outcme: allow } }", "PS0100")]
    [InlineData("tests:\n  - { name: a, given: { value: { x: 010 } }, expect: { outcome: allow } }", "PS0103")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { errors: x } }", "PS0102")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { errors: { rule: a, code: b } } }", "PS0102")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { errors: [{ rule: a, cod: x }] } }", "PS0100")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { errors: [{ rule: a }] } }", "PS0101")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { errors: [[a]] } }", "PS0102")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { errors: [1] } }", "PS0103")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { tags: x } }", "PS0102")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { tags: [x] } }", "PS0102")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { tags: { odd: [minus] } } }", "PS0102")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { headers: x } }", "PS0102")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { headers: [x] } }", "PS0102")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { headers: { a: { b: c } } } }", "PS0102")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { headers: { a: [[b]] } } }", "PS0102")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { to: [x] } }", "PS0102")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { key: [x] } }", "PS0102")]
    [InlineData("tests:\n  - { name: a, given: { value: {} }, expect: { key: { a: b } } }", "PS0102")]
    [InlineData("tests:\n  - { name: a, given: { bytes: [7b] }, expect: { outcome: deny } }", "PS0503")]
    [InlineData("tests:\n  - { name: a, given: { bytes: { a: b } }, expect: { outcome: deny } }", "PS0503")]
    [InlineData("tests:\n  - { name: a, given: { bytes:  }, expect: { outcome: deny } }", "PS0503")]
    [InlineData("tests:\n  - { name: a, given: { value: {}, time: \"10:30\" }, expect: { outcome: deny } }", "PS0503")]
    [InlineData("tests:\n  - { name: a, given: { value: {}, time: 1.5 }, expect: { outcome: deny } }", "PS0503")]
    [InlineData("tests:\n  - { name: a, given: { value: {}, time: 01/02/2026 }, expect: { outcome: deny } }", "PS0503")]
    [InlineData("tests:\n  - { name: a, given: { value: {}, time: 2026-01-02 }, expect: { outcome: deny } }", "PS0503")]
    [InlineData("tests:\n  - { name: a, given: { value: {}, time: 2026-01-02T03:04:05 }, expect: { outcome: deny } }", "PS0503")]
    [InlineData("tests:\n  - { name: a, given: { value: {}, time: 2026-01-02T03:04:05.67891Z }, expect: { outcome: deny } }", "PS0503")]
    [InlineData("tests:\n  - { name: a, given: { value: {}, time: 2026-02-30T03:04:05Z }, expect: { outcome: deny } }", "PS0503")]
    [InlineData("tests:\n  - { name: a, given: { value: {}, time: [1] }, expect: { outcome: deny } }", "PS0503")]
    public void Run_BadFile_IsADiagnostic(string tests, string code)
    {
        PolicyTestReport report = Run(tests);
        Assert.Contains(report.Diagnostics, diagnostic => diagnostic.Code == code);
        Assert.True(report.HasErrors);
    }

    [Fact]
    public void Run_ErrorsByCodeAndByRule_MayStandInOneList()
    {
        PolicyTestReport report = Run("""
            tests:
              - name: mixed
                given: { value: { card: x } }
                expect: { errors: [no-such-field, { rule: eu, code: no-such-key }, no-such-field] }
              - name: another rule
                given: { value: { card: x } }
                expect: { errors: [no-such-field, { rule: big, code: no-such-key }, no-such-field] }
            """);
        Assert.Empty(report.Diagnostics);
        Assert.Equal([true, false], report.Results.Select(result => result.Passed));
    }

    [Theory]
    [InlineData("2026-01-02T03:04:05Z", "true")]
    [InlineData("2026-01-02T05:04:05.000+02:00", "true")]
    [InlineData("1767323045000", "true")]
    [InlineData("2026-01-02T03:04:05.001Z", "false")]
    public void Run_Time_IsTheInstantThatTheRecordHas(string time, string same)
    {
        PolicyTestReport report = Run(
            $$"""
            tests:
              - { name: a, given: { time: {{time}}, value: {} }, expect: { rules: [at-{{same}}] } }
            """,
            """
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: p }
            bindings: [{ name: p, format: json }]
            rules:
              - { id: at-true, when: 'timestamp == timestamp("2026-01-02T03:04:05Z")', tag: { at: yes } }
              - { id: at-false, when: 'timestamp != timestamp("2026-01-02T03:04:05Z")', tag: { at: no } }
            """);
        Assert.Empty(report.Diagnostics);
        Assert.True(Assert.Single(report.Results).Passed, string.Join("; ", report.Results[0].Failures));
    }

    [Fact]
    public void Coverage_CountsRulesAndBranchesBothWays()
    {
        PolicyTestReport report = Run("""
            tests:
              - name: big only
                given: { headers: { region: eu }, value: { amount: 500.0, card: "41111111" } }
                expect: { outcome: hold }
            """);
        RuleCoverage big = report.Coverage.Single(rule => rule.Rule == "big"), card = report.Coverage.Single(rule => rule.Rule == "card");
        Assert.True(big.Fired);
        Assert.False(big.NotFired);
        Assert.NotEmpty(big.Branches);
        Assert.All(big.Branches, branch => Assert.True(branch is { True: true, False: false }, branch.Text));
        Assert.Equal((1, 1), (card.Items, card.Reached));
        Assert.InRange(report.CoveragePercent, 1, 99);
    }

    [Theory]
    [InlineData("\"type\":\"long\",\"logicalType\":\"timestamp-millis\"", "\"2026-01-02T03:04:05Z\"", "\"2026-01-02T05:04:05.000+02:00\"", true)]
    [InlineData("\"type\":\"long\",\"logicalType\":\"timestamp-nanos\"", "1767323045000000001", "\"2026-01-02T03:04:05Z\"", false)]
    [InlineData("\"type\":\"long\",\"logicalType\":\"timestamp-nanos\"", "1767323045000000001", "\"2026-01-02T03:04:05.000000001Z\"", true)]
    [InlineData("\"type\":\"long\",\"logicalType\":\"timestamp-millis\"", "\"2026-01-02T00:00:00Z\"", "\"01/02/2026\"", false)]
    [InlineData("\"type\":\"long\",\"logicalType\":\"timestamp-millis\"", "\"2026-01-02T00:00:00Z\"", "\"2 January 2026\"", false)]
    [InlineData("\"type\":\"int\",\"logicalType\":\"date\"", "\"2026-01-02\"", "\"2026-01-02\"", true)]
    [InlineData("\"type\":\"int\",\"logicalType\":\"date\"", "\"2026-01-02\"", "\"2026-1-2\"", false)]
    [InlineData("\"type\":\"int\",\"logicalType\":\"time-millis\"", "\"03:04:05\"", "\"03:04:05.000\"", true)]
    [InlineData("\"type\":\"int\",\"logicalType\":\"time-millis\"", "\"03:04:00\"", "\"3:4\"", false)]
    public void Avro_ExpectedText_IsReadAsTheGivenOnesAre(string type, string given, string expected, bool same)
    {
        string schema = "{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"f\",\"type\":{" + type + "}}]}";
        var runner = new PolicyTestRunner(path => path == "t.avsc" ? schema : "apiVersion: policystreams/v1\nkind: Policy\nmetadata: { name: p }\nbindings: [{ name: p, format: avro, schema: t.avsc }]\nrules: []\n");
        runner.Run(new PolicyFile("p.policy.tests.yaml", $"policy: p.policy.yaml\ntests: [{{ name: a, given: {{ value: {{ f: {given} }} }}, expect: {{ value: {{ f: {expected} }} }} }}]"));
        PolicyTestReport report = runner.Report();
        Assert.Empty(report.Diagnostics);
        Assert.Equal(same, Assert.Single(report.Results).Passed);
    }

    [Fact]
    public void WriteText_Coverage_NamesWhatNoTestReached()
    {
        PolicyTestReport report = Run("""
            tests:
              - { name: big only, given: { headers: { region: eu }, value: { amount: 500.0, card: "41111111" } }, expect: { outcome: hold } }
            """);
        Assert.Equal(
            [
                "p.policy.tests.yaml",
                "  ok   big only",
                "coverage 52.9 %",
                "    4/8   payments/big: always fired; `value.amount > 100.0 && principal.id == \"checkout\"` was never false; `value.amount > 100.0` was never false; `principal.id == \"checkout\"` was never false",
                "    1/1   payments/card",
                "    2/4   payments/eu: always fired; `headers[\"region\"] == \"eu\"` was never false",
                "    2/4   payments/t: never fired; `value.amount < 0.0` was never true",
                "1 passed, 0 failed",
            ],
            Lines(report, coverage: true));
        Assert.Equal(["p.policy.tests.yaml", "  ok   big only", "1 passed, 0 failed"], Lines(report, coverage: false));

        PolicyTestReport whole = Run("""
            tests:
              - name: both ways
                given: { headers: { region: eu }, value: { amount: 500.0, card: "41111111" } }
                expect: { outcome: hold }
                cases:
                  - { name: big }
                  - { name: small, given: { headers: { region: us }, value: { amount: -1.0 } }, expect: { outcome: allow } }
                  - { name: of another, given: { principal: null }, expect: { outcome: allow } }
            """);
        Assert.Empty(whole.Diagnostics);
        Assert.Equal(100, whole.CoveragePercent);
        Assert.All(Lines(whole, coverage: true).Where(line => line.Contains("payments/", StringComparison.Ordinal)), line => Assert.DoesNotContain(":", line));

        static string[] Lines(PolicyTestReport report, bool coverage)
        {
            var text = new StringWriter();
            PolicyTestOutput.WriteText(report, text, coverage);
            return text.ToString().ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
        }
    }

    [Fact]
    public void WriteJson_HasResultsFailuresDiagnosticsAndCoverage()
    {
        PolicyTestReport report = Run("""
            tests:
              - { name: right, given: { headers: { region: eu }, value: { amount: 500.0 } }, expect: { outcome: hold } }
              - { name: wrong, given: { headers: { region: eu }, value: { amount: 500.0 } }, expect: { outcome: allow, reasons: [] } }
              - { name: broken, given: { bytes: xyz }, expect: { outcome: deny } }
            """);
        using var json = new MemoryStream();
        PolicyTestOutput.WriteJson(report, json);
        JsonElement root = JsonDocument.Parse(json.ToArray()).RootElement;
        Assert.Equal(["passed", "failed", "tests", "diagnostics", "coverage"], root.EnumerateObject().Select(member => member.Name));
        Assert.Equal((1, 1), (root.GetProperty("passed").GetInt32(), root.GetProperty("failed").GetInt32()));
        Assert.Equal(
            [
                """{"file":"p.policy.tests.yaml","line":4,"name":"right","passed":true,"failures":[]}""",
                """{"file":"p.policy.tests.yaml","line":5,"name":"wrong","passed":false,"failures":["outcome: expected allow, got hold, because of big (p.policy.yaml:11)","reasons: expected [], got [big]; not expected big"]}""",
            ],
            root.GetProperty("tests").EnumerateArray().Select(test => JsonSerializer.Serialize(test, Plain)));
        Assert.StartsWith("p.policy.tests.yaml:6:", Assert.Single(root.GetProperty("diagnostics").EnumerateArray()).GetString(), StringComparison.Ordinal);
        JsonElement coverage = root.GetProperty("coverage");
        Assert.Equal(Math.Round(report.CoveragePercent, 2), coverage.GetProperty("percent").GetDouble());
        Assert.Equal(["big", "card", "eu", "t"], coverage.GetProperty("rules").EnumerateArray().Select(rule => rule.GetProperty("rule").GetString()));
        Assert.Equal(
            """{"policy":"payments","rule":"big","fired":true,"not_fired":false,"branches":[{"condition":"value.amount > 100.0 && principal.id == \"checkout\"","true":true,"false":false},{"condition":"value.amount > 100.0","true":true,"false":false},{"condition":"principal.id == \"checkout\"","true":true,"false":false}]}""",
            JsonSerializer.Serialize(coverage.GetProperty("rules")[0], Plain));
        Assert.Equal("""{"policy":"payments","rule":"t","fired":false,"not_fired":true,"branches":[{"condition":"value.amount < 0.0","true":false,"false":true}]}""", JsonSerializer.Serialize(coverage.GetProperty("rules")[3], Plain));
    }

    private static readonly JsonSerializerOptions Plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    [Fact]
    public void Avro_LogicalTypes_CompareByTheirText()
    {
        const string Yaml = """
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: p }
            bindings: [{ name: p, format: avro, schema: payment.avsc }]
            rules: [{ id: d, mask: { field: created_at, date: day } }]
            """;
        PolicyTestReport report = Run($$"""
            tests:
              - name: day
                given: { value: {{Bench.Payment.Replace("1767225600000", "\"2026-01-02T15:04:05.678Z\"", StringComparison.Ordinal).ReplaceLineEndings(" ")}} }
                expect: { outcome: allow, value: { created_at: "2026-01-02T00:00:00Z", amount: 120.5 } }
            """, Yaml);
        Assert.Empty(report.Diagnostics);
        Assert.All(report.Results, result => Assert.True(result.Passed, string.Join("; ", result.Failures)));
    }

    [Fact]
    public void OfflineJudge_AnswersALineARecord()
    {
        Bench bench = Bench.Of(Policy);
        using var judge = new OfflineJudge(bench.Binding, timeMs: 1_767_323_045_678);
        var answers = new PolicyStreams.Schemas.Capture.ByteBuffer();
        Assert.Null(judge.Judge("""{"amount":-1.0,"card":"41111111"}"""u8, RecordLineFormat.Json, 0, answers));
        Assert.Null(judge.Judge("zz"u8.ToArray().AsSpan(0, 0), RecordLineFormat.Hex, 1, answers));
        Assert.Null(judge.Judge("{"u8, RecordLineFormat.Json, 2, answers));
        Assert.NotNull(judge.Judge("xyz"u8, RecordLineFormat.Hex, 3, answers));
        string[] lines = Encoding.UTF8.GetString(answers.Written).TrimEnd('\n').Split('\n');
        Assert.Equal(4, lines.Length);
        JsonElement denied = JsonDocument.Parse(lines[1]).RootElement;
        Assert.Equal("raw.payments-0-1", denied.GetProperty("decision").GetProperty("id").GetString());
        Assert.Equal("deny", denied.GetProperty("decision").GetProperty("outcome").GetString());
        Assert.Equal(JsonValueKind.Null, denied.GetProperty("value").ValueKind);
        Assert.Equal(JsonValueKind.Null, denied.GetProperty("hex").ValueKind);
        Assert.Equal("malformed", JsonDocument.Parse(lines[3]).RootElement.GetProperty("decision").GetProperty("errors")[0].GetProperty("code").GetString());
    }

    [Fact]
    public void OfflineJudge_Allowed_GivesValueAndItsBytes()
    {
        Bench bench = Bench.Of(Policy.Replace("""  - { id: eu, when: 'headers["region"] == "eu"', route: { to: eu } }""", "", StringComparison.Ordinal).Replace("topics: { routes: [eu] }", "stamp: none", StringComparison.Ordinal));
        using var judge = new OfflineJudge(bench.Binding);
        var answers = new PolicyStreams.Schemas.Capture.ByteBuffer();
        judge.Judge("""{"amount":1.0,"card":"41111111"}"""u8, RecordLineFormat.Json, 7, answers);
        JsonElement answer = JsonDocument.Parse(Encoding.UTF8.GetString(answers.Written)).RootElement;
        const string Masked = """{"amount":1.0,"card":"****1111"}""";
        Assert.Equal(Masked, answer.GetProperty("value").GetRawText());
        Assert.Equal(Convert.ToHexStringLower(Encoding.UTF8.GetBytes(Masked)), answer.GetProperty("hex").GetString());
        Assert.Equal("""["card"]""", answer.GetProperty("decision").GetProperty("masked").GetRawText());
        Assert.Equal("[]", answer.GetProperty("decision").GetProperty("errors").GetRawText());
    }
}
