using System.Diagnostics;
using System.Text;
using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Tests.Cel;
using PolicyStreams.Tests;

namespace PolicyStreams.Rules.Tests.Policies;

/// <summary>Policy files that nobody should write: each gets a diagnostic, in bounded time and memory.</summary>
public class BadInputTests
{
    // Wide margins: the machine of a test may be slow, and what is guarded against takes minutes or all memory.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private const long BytesMax = 1L << 30;

    private static string Codes(string text)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        var clock = Stopwatch.StartNew();
        PolicyLoad load = PolicySet.Load([new PolicyFile("p.policy.yaml", text)]);
        Assert.True(clock.Elapsed < Patience, clock.Elapsed.ToString());
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < BytesMax);
        Assert.Null(load.Set);
        Assert.All(load.Diagnostics, diagnostic => Assert.True(diagnostic.ToString().Length < 2_000));
        return string.Join(",", load.Diagnostics.Select(diagnostic => diagnostic.Code).Distinct());
    }

    [Fact]
    public void YamlBomb_OfAliases_IsRefused()
    {
        var bomb = new StringBuilder("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for (int i = 1; i < 30; i++) { bomb.Append($"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 9))}]\n"); }
        Assert.Equal("PS0006", Codes(bomb.ToString()));
    }

    [Fact]
    public void YamlBomb_OfMergeKeys_IsRefused() => Assert.Equal("PS0006", Codes("a: { <<: { <<: { <<: { b: 1 } } } }\n"));

    [Theory]
    [InlineData("[", "]")]
    [InlineData("{ a: ", " }")]
    [InlineData("- ", "")]
    [InlineData("? ", "")]
    public void Nesting_OfTwentyThousandLevels_IsRefused(string open, string close) =>
        Assert.Contains(Codes("rules: " + string.Concat(Enumerable.Repeat(open, 20_000)) + string.Concat(Enumerable.Repeat(close, 20_000))), (string[])["PS0004", "PS0005"]);

    [Fact]
    public void File_OfHundredMegabytes_IsRefused() => Assert.Equal("PS0001", Codes(new string('#', 100 * 1024 * 1024)));

    [Fact]
    public void File_InUtf16_IsRefused()
    {
        // As a host reads it: bytes taken for UTF-8.
        Assert.Equal("PS0002", Codes(Encoding.UTF8.GetString([.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes(Bench.Yaml("[]"))])));
        Assert.Equal("PS0002", Codes(Encoding.UTF8.GetString(Encoding.BigEndianUnicode.GetBytes(Bench.Yaml("[]")))));
        Assert.Equal("PS0002", Codes("\uFEFF" + Bench.Yaml("[]")));
    }

    [Fact]
    public void File_WithNuls_IsRefused()
    {
        Assert.Equal("PS0002", Codes(Bench.Yaml("[]").Replace("owner: tests", "owner: te\0sts", StringComparison.Ordinal)));
        Assert.Equal("PS0002", Codes(new string('\0', 10_000)));
    }

    [Fact]
    public void File_WithTabs_IsRefused() => Assert.Equal("PS0003", Codes(Bench.Yaml("[]").Replace("    format: avro", "\tformat: avro", StringComparison.Ordinal)));

    [Theory]
    [InlineData("(", ")")]
    [InlineData("!", "")]
    [InlineData("-", "")]
    [InlineData("[", "]")]
    [InlineData("true ? 1 : ", "")]
    [InlineData("size(", ")")]
    [InlineData("1 + ", "")]
    public void Condition_NestedTenThousandDeep_IsRefused(string open, string close)
    {
        string when = string.Concat(Enumerable.Repeat(open, 10_000)) + "1" + string.Concat(Enumerable.Repeat(close, 10_000));
        var clock = Stopwatch.StartNew();
        Assert.Null(Bench.TryOf(Bench.Yaml($"- {{ id: a, when: '{when}', deny: {{}} }}"), [], out IReadOnlyList<Diagnostic> diagnostics));
        Assert.Contains(diagnostics, diagnostic => diagnostic.Code is DiagnosticCodes.ConditionTooLarge or DiagnosticCodes.NotBool or DiagnosticCodes.ConditionType);
        Assert.True(clock.Elapsed < Patience, clock.Elapsed.ToString());
    }

    [Theory]
    [InlineData(65_536, null)]
    [InlineData(65_537, "PS0202")]
    public void Condition_AtItsLongest_IsTakenAndOneMoreIsNot(int length, string? code)
    {
        string yaml = Bench.Yaml($"- {{ id: a, when: 'value.merchant == \"{new string('x', length - 20)}\"', deny: {{}} }}");
        if (code is not null) { Assert.Equal(code, Codes(yaml)); }
        Assert.Equal(code is null, Bench.TryOf(yaml, [], out _) is not null);
        Assert.Equal(code is null ? "" : "maxLength", PolicySchemaTests.Check(yaml).Split(' ')[^1]);
    }

    [Fact]
    public void Rules_HundredThousand_AreRefused()
    {
        var rules = new StringBuilder();
        for (int i = 0; i < 100_000; i++) { rules.Append("\n  - { id: r").Append(i).Append(", deny: {} }"); }
        Assert.Equal("PS0113", Codes(Bench.Yaml("[]").Replace("  []", rules.ToString(), StringComparison.Ordinal)));
    }

    [Fact]
    public void RulesTimesBindings_BeyondTheBound_AreRefused()
    {
        Assert.NotNull(PolicySet.Load([new PolicyFile("p", Product(10, 10_000, "value.a == 1.0"))]).Set);
        Assert.Equal("PS0113", Codes(Product(11, 10_000, "value.a == 1.0")));
        string condition = "value.a == 1.0" + new string(' ', 65_536 - 28) + "&& value.a > 0.0";
        Assert.NotNull(PolicySet.Load([new PolicyFile("p", Product(128, 1, condition[..^2]))]).Set);
        Assert.Equal("PS0113", Codes(Product(129, 1, condition[..^2])));
    }

    [Fact]
    public void Names_OfThousandsOfRules_AreLookedUpInTime()
    {
        // 1,400 lists of 1,000 names that the policy does not have, each near to all that it has.
        string near = new('n', 30);
        var text = new StringBuilder("apiVersion: policystreams/v1\nkind: Policy\nmetadata: { name: p }\nbindings:\n");
        for (int i = 0; i < 1_000; i++) { text.Append($"  - {{ name: {near}{i}, format: json }}\n"); }
        text.Append("rules:\n");
        for (int rule = 0; rule < 100; rule++) { text.Append($"  - {{ id: r{rule}, deny: {{}}, bindings: [").AppendJoin(", ", Enumerable.Range(0, 1_000).Select(i => $"{near}x{i}")).Append("] }\n"); }
        Assert.Equal("PS0106,PS0010", Codes(text.ToString()));
    }

    [Fact]
    public void Masks_OfThousandsOfRules_AreLintedInTime()
    {
        var text = new StringBuilder(Product(1_000, 0, ""));
        for (int i = 0; i < 10_000; i++) { text.Append($"  - {{ id: m{i}, when: value.a == 1.0, bindings: [b{i % 1_000}], mask: {{ tag: PII, redact: true }} }}\n"); }
        var clock = Stopwatch.StartNew();
        Assert.Empty(PolicyLinter.Lint([new PolicyFile("p", text.ToString())], null));
        Assert.True(clock.Elapsed < Patience, clock.Elapsed.ToString());
    }

    [Theory]
    [InlineData("value.a == 1.0", " || ")]
    [InlineData("a", " || ")]
    [InlineData("a.b", " && ")]
    [InlineData("value.a.matches('x')", " && ")]
    [InlineData("nothing", " || ")]
    [InlineData("(value.a == 1.0 ? value.b : value.c)", " && ")]
    [InlineData("!(a && !(b || !(c && !(d || !(e && !(f || !(g && !h)))))))", " || ")]
    public void Conditions_OfTheLargestSize_AreLintedInTime(string part, string between)
    {
        string condition = part;
        while (condition.Length + part.Length + between.Length <= 65_536) { condition += between + part; }
        var clock = Stopwatch.StartNew();
        PolicyLinter.Lint([new PolicyFile("p", Product(4, 8, condition))], (policy, said) => LocalSchemas.Load(policy, _ => null, said));
        Assert.True(clock.Elapsed < Patience, clock.Elapsed.ToString());
    }

    [Theory]
    [InlineData("when: 'value.merchant.matches(\"[0-9]{0}[^x]{{300}}y\")', deny: {{}}")]
    [InlineData("mask: {{ field: merchant, pattern: {{ match: '[0-9]{0}[^x]{{300}}y', replace: x }} }}")]
    public void Patterns_OfAWholeFile_AreBoundedTogether(string rule)
    {
        string rules = string.Concat(Enumerable.Range(0, 1_000).Select(i => $"- {{ id: r{i}, {string.Format(System.Globalization.CultureInfo.InvariantCulture, rule, i)} }}\n"));
        var clock = Stopwatch.StartNew();
        Assert.Null(Bench.TryOf(Bench.Yaml(rules), [], out IReadOnlyList<Diagnostic> diagnostics));
        Assert.All(diagnostics, diagnostic => Assert.Contains(diagnostic.Code, (string[])["PS0206", "PS0010"]));
        Assert.Contains(diagnostics, diagnostic => diagnostic.Message.Contains("taken together", StringComparison.Ordinal));
        Assert.True(clock.Elapsed < Patience, clock.Elapsed.ToString());
    }

    [Fact]
    public void Patterns_OfThousandsOfHonestRules_Load()
    {
        string rules = string.Concat(Enumerable.Range(0, 2_000).Select(i => $"- {{ id: r{i}, when: 'value.merchant.matches(r\"^[A-Z]{{2}}{i}[0-9]{{2}}( ?[A-Z0-9]{{4}}){{3,7}}$\")', deny: {{}} }}\n"));
        Assert.NotNull(Bench.TryOf(Bench.Yaml(rules), [], out _));
    }

    [Theory]
    [InlineData("", 200_000, "PS0010,PS0100")]
    [InlineData("headers: ", 200_000, "")]
    public void TestFile_OfVeryManyNames_IsReadInTime(string under, int count, string codes)
    {
        string names = string.Concat(Enumerable.Range(0, count).Select(i => $"h{i}: a, "));
        string given = under.Length > 0 ? $"{under}{{ {names} }}" : names;
        (PolicyTestReport report, TimeSpan took) = RunTests($"tests: [{{ name: a, given: {{ value: {{}}, {given} }}, expect: {{ outcome: deny }} }}]");
        Assert.Equal(codes, string.Join(",", report.Diagnostics.Select(diagnostic => diagnostic.Code).Distinct().Order(StringComparer.Ordinal)));
        Assert.True(took < Patience / 4, took.ToString());
    }

    [Theory]
    [InlineData(10_001, 1)]
    [InlineData(100, 1_000_000)]
    public void TestFile_OfTooManyCases_IsRefused(int cases, int shared)
    {
        (PolicyTestReport report, _) = RunTests($"tests: [{{ name: a, given: {{ value: {{ a: {new string('x', shared)} }} }}, expect: {{ outcome: allow }}, cases: [{string.Join(", ", Enumerable.Repeat("{}", cases))}] }}]");
        Assert.Equal("PS0113", Assert.Single(report.Diagnostics).Code);
        Assert.Empty(report.Results);
    }

    private static (PolicyTestReport Report, TimeSpan Took) RunTests(string tests)
    {
        var runner = new PolicyTestRunner(_ => Product(1, 1, "value.a == 'a'"));
        var clock = Stopwatch.StartNew();
        runner.Run(new PolicyFile("p.policy.tests.yaml", "policy: p.policy.yaml\n" + tests));
        return (runner.Report(), clock.Elapsed);
    }

    /// <summary>A policy of JSON bindings `b0`, `b1`, … and rules that apply to all of them.</summary>
    private static string Product(int bindings, int rules, string condition)
    {
        var text = new StringBuilder("apiVersion: policystreams/v1\nkind: Policy\nmetadata: { name: p }\nbindings:\n");
        for (int i = 0; i < bindings; i++) { text.Append($"  - {{ name: b{i}, format: json }}\n"); }
        text.Append("rules:\n");
        for (int i = 0; i < rules; i++) { text.Append($"  - {{ id: r{i}, when: \"{condition}\", deny: {{}} }}\n"); }
        return text.ToString();
    }

    [Theory]
    [InlineData("a")]
    [InlineData("(a|b)*")]
    [InlineData("(?:")]
    [InlineData("[^x]{1,1000}")]
    public void Pattern_OfOneMegabyte_IsRefused(string part)
    {
        string pattern = string.Concat(Enumerable.Repeat(part, (1 << 20) / part.Length));
        var clock = Stopwatch.StartNew();
        Assert.Contains(Codes(Bench.Yaml($"- {{ id: a, when: 'value.merchant.matches(\"{pattern}\")', deny: {{}} }}")), (string[])["PS0202"]);
        var said = new List<CelDiagnostic>();
        Assert.Null(new ConditionCompiler(Payments.Type, Payments.Text, Payments.Plan()).Compile($"value.merchant.matches('{pattern[..60_000]}')", said));
        Assert.Contains(said, one => one.Code is CelCodes.Pattern or CelCodes.TooLarge);
        Assert.Contains("PS0103", Codes(Bench.Yaml($"- {{ id: a, mask: {{ field: merchant, pattern: {{ match: '{pattern}', replace: x }} }} }}")));
        Assert.True(clock.Elapsed < Patience, clock.Elapsed.ToString());
    }

    [Theory]
    [InlineData("when: nothing(value), deny: {}", "PS0204")]
    [InlineData("when: value.merchant.nothing(), deny: {}", "PS0204")]
    [InlineData("when: value.nothing == 1, deny: {}", "PS0107")]
    [InlineData("when: value.customer.emial == null, deny: {}", "PS0107")]
    [InlineData("when: valu.amount > 1.0, deny: {}", "PS0203")]
    [InlineData("when: type(value.amount) == dooble, deny: {}", "PS0203")]
    [InlineData("when: \"Nothing{} == 1\", deny: {}", "PS02")]
    [InlineData("mask: { field: merchant, hmac: no-such-key }", "PS0306")]
    [InlineData("mask: { field: merchant, encrypt: no-such-key }", "PS0306")]
    [InlineData("mask: { field: nothing, redact: true }", "PS0107")]
    [InlineData("mask: { tag: NOTHING, redact: true }", "PS0304")]
    public void Names_ThatAreNotThere_AreSaid(string rule, string code)
    {
        Assert.Null(Bench.TryOf(Bench.Yaml($"- {{ id: a, {rule} }}"), [], out IReadOnlyList<Diagnostic> diagnostics));
        Assert.StartsWith(code, Assert.Single(diagnostics).Code);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    [InlineData(32)]
    public void Key_TooShort_IsSaidAndNeverShown(int bytes)
    {
        string? fault = new KeyRing().Add("k", Encoding.ASCII.GetBytes(new string('z', bytes)));
        Assert.Equal(bytes < 32, fault is not null);
        Assert.DoesNotContain("zz", fault ?? "", StringComparison.Ordinal);
    }

    [Fact]
    public void Text_OfAnyKind_IsADiagnosticOrAPolicy()
    {
        int seed = Fuzz.Seed();

        // Longer on demand: POLICYSTREAMS_FUZZ_SECONDS.
        TimeSpan time = TimeSpan.FromSeconds(double.TryParse(Environment.GetEnvironmentVariable("POLICYSTREAMS_FUZZ_SECONDS"), System.Globalization.CultureInfo.InvariantCulture, out double seconds) ? seconds : 3);
        var random = new Random(seed);
        string[] parts =
        [
            "apiVersion: policystreams/v1\n", "kind: Policy\n", "metadata: { name: a }\n", "bindings:\n", "  - name: a\n", "    format: avro\n", "rules:\n", "  - id: a\n", "    when: ", "value.a > 1", "    mask: { field: a, keep_last: 4 }\n", "    deny: {}\n",
            "{", "}", "[", "]", ": ", ", ", "'", "\"", "#", "&a ", "*a", "!!str ", "<<: ", "|\n", ">\n", "- ", "? ", "---\n", "...\n", "%YAML 1.2\n", "\t", "\0", "\uFEFF", "\u2028", "\uD800", "é", "yes", "0x1F", "012", "~", " ", "\n", "    ",
            "hold: { approvers: [x], expires: 1h }", "route: { to: x }", "tag: { a: b }", "headers[\"x\"]", "items[*].sku", "on_error: deny\n", "limits: { record_bytes: 1 }\n",
        ];
        var clock = Stopwatch.StartNew();
        int rounds = 0;
        for (; clock.Elapsed < time && rounds < 100_000_000; rounds++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(1, 40)).Select(_ => parts[random.Next(parts.Length)]));
            if (random.Next(2) == 0) { text = Decisions.ReferenceJobTests.Policy.Insert(random.Next(Decisions.ReferenceJobTests.Policy.Length), text); }
            try
            {
                var file = new PolicyFile("p.policy.yaml", text);
                PolicyLoad load = PolicySet.Load([file]);
                Assert.True(load.Set is null == load.Diagnostics.Any(diagnostic => diagnostic.Severity == Severity.Error));
                PolicyLinter.Lint([file], (policy, said) => LocalSchemas.Load(policy, _ => Bench.PaymentSchema, said));
                if (PolicyFormatter.Format(file, new List<Diagnostic>()) is { } once) { Assert.Equal(once, PolicyFormatter.Format(new PolicyFile("p", once), new List<Diagnostic>())); }
            }
            catch (Exception fault) when (fault is not OutOfMemoryException)
            {
                Assert.Fail($"seed {seed}, round {rounds}: {fault.GetType().Name} {fault.Message}\n{text}");
            }
        }

        Assert.True(rounds > 20, $"seed {seed}: only {rounds} rounds");
    }
}
