using System.Globalization;
using System.Text;
using PolicyStreams.Rules.Costs;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Tests;

namespace PolicyStreams.Rules.Tests.Costs;

public class RuleCostTests
{
    private static RuleCost Of(string rule, int recordBytes = 10_000) =>
        RuleCost.Of(Bench.Of(Bench.Yaml($"- {{ id: r, {rule} }}", top: $"limits: {{ record_bytes: {recordBytes.ToString(CultureInfo.InvariantCulture)} }}")).Binding).Single();

    private static double Condition(string when, int recordBytes = 10_000) => Of($"when: '{when}', tag: {{ a: b }}", recordBytes).Condition;

    // An operation, a text's bytes, a list's elements: what the page says, to the digit.
    [Theory]
    [InlineData("value.amount > 1.0", 2)]
    [InlineData("value.amount > 1.0 && value.amount < 2.0", 5)]
    [InlineData("value.channel == \"APP\"", 2.15)]
    [InlineData("value.merchant == \"Books\"", 2.25)]
    [InlineData("value.merchant == value.country", 503)]
    [InlineData("value.country in [\"DE\", \"FR\"]", 3.2)]
    [InlineData("value.merchant.startsWith(\"Bo\")", 3.1)]
    [InlineData("value.merchant.contains(\"oo\")", 1006)]
    [InlineData("value.merchant.contains(value.country)", 1_001_007)]
    [InlineData("value.merchant.matches(\"o+\")", 15_021.5)]
    [InlineData("detected(value.merchant, \"card\")", 30_011)]
    [InlineData("size(value.merchant) > 5", 503)]
    [InlineData("size(value.items) > 5", 3)]
    public void Condition_Bound_IsTheSumOfItsOperations(string when, double units) => Assert.Equal(units, Condition(when), 6);

    // An element of `items` has ten bytes at least: a text's length, an int, and a double. Each costs its test and three units; the list's own two.
    [Fact]
    public void Condition_OverAList_CountsTheElementsThatTheRecordHolds()
    {
        Assert.Equal(1 + 2 + (1_000 * (2 + 3)), Condition("value.items.exists(i, i.price > 1.0)"), 6);

        // The texts of all elements together are no longer than the record.
        Assert.Equal(1 + 2 + (1_000 * (6 + 3)) + (10_000 * 0.1), Condition("value.items.exists(i, i.sku.contains(\"x\"))"), 6);

        // A list within itself is gone over as often as it has elements.
        double inner = 1 + 2 + (1_000 * (4 + 3));
        Assert.Equal(1 + 2 + (1_000 * (inner + 3)), Condition("value.items.exists(i, value.items.exists(j, i.price + j.price > 1.0))"), 3);
    }

    [Fact]
    public void Condition_OverListsOfLists_SharesTheRecordsBytes()
    {
        const string Schema = """{"type":"record","name":"T","fields":[{"name":"rows","type":{"type":"array","items":{"type":"record","name":"R","fields":[{"name":"cells","type":{"type":"array","items":"double"}}]}}}]}""";
        Bench bench = Bench.Of(Bench.Yaml("- { id: r, when: 'value.rows.exists(r, r.cells.exists(c, c > 1.0))', tag: { a: b } }", top: "limits: { record_bytes: 8000 }"), (7, Schema));

        // 8,000 rows of one byte, or 1,000 cells of eight: not 8,000 times 1,000.
        Assert.Equal(1 + 2 + (8_000 * (1 + 2 + 3)) + (1_000 * 5), RuleCost.Of(bench.Binding).Single().Condition, 3);
    }

    [Theory]
    [InlineData("value.merchant.lowerAscii() == \"x\"")]
    [InlineData("value.items.map(i, i.sku).exists(s, s.replace(\"a\", \"b\").matches(\"x\"))")]
    [InlineData("value.items.filter(i, i.price > 1.0).map(i, i.sku + value.merchant).join(\",\").contains(\"x\")")]
    [InlineData("cel.bind(x, value.merchant + value.country, x.contains(\"y\") || x.startsWith(x))")]
    [InlineData("headers[\"x\"] == \"y\" || \"z\" in headers || headers.exists(h, h == \"a\")")]
    [InlineData("[value.merchant, \"x\"].exists(t, t.matches(\"y\"))")]
    [InlineData("value.items.all(i, value.items.all(j, value.items.all(k, i.price < j.price || j.sku.contains(k.sku))))")]
    [InlineData("\"risk\" in principal.groups && principal.id.startsWith(\"a\")")]
    [InlineData("has(value.customer.email) ? value.customer.email.contains(\"@\") : false")]
    [InlineData("key != null && key.matches(\"^c\")")]
    [InlineData("\"%s-%d\".format([value.merchant, size(value.items)]) == \"a-1\"")]
    public void Condition_OfAnyKind_HasABoundThatGrowsWithTheRecord(string when)
    {
        double small = Condition(when, 1_000), large = Condition(when, 100_000);
        Assert.True(small >= 1 && double.IsFinite(large) && large >= small, $"{small} and {large}");
    }

    [Theory]
    [InlineData("mask: { field: card_number, keep_last: 4 }", 80 + 15_000)]
    [InlineData("mask: { field: 'items[*].sku', hmac: customer-key }", (10_000 * 600) + 20_000)]
    [InlineData("mask: { tag: PII, constant: x }", 160 + 1_000)]
    [InlineData("mask: { field: 'headers[\"x\"]', redact: true }", (64 * 80) + 1_000)]
    [InlineData("mask: { detect: [card], in: note }", 100 + 200_000)]
    public void Mask_Bound_IsOfEachValueAndOfAllBytes(string mask, double units) => Assert.Equal(units, Of(mask).Mask);

    [Fact]
    public void Rules_OfABinding_AreThoseThatApplyInOrder()
    {
        IReadOnlyList<RuleCost> costs = RuleCost.Of(Bench.Of(Bench.Yaml("- { id: a, when: value.amount > 1.0, mask: { field: merchant, redact: true } }\n- { id: b, deny: {} }")).Binding);
        Assert.Equal(["a", "b"], costs.Select(cost => cost.Rule));
        Assert.Equal((2, 0, 0), (costs[0].Condition, costs[1].Condition, costs[1].Total));
        Assert.Equal(costs[0].Condition + costs[0].Mask, costs[0].Total);
    }

    [Fact]
    public void Lint_AboveTheLimit_IsAnErrorAtTheDearestRule()
    {
        IReadOnlyList<Diagnostic> said = Lint("limits: { record_bytes: 10000, cost: 1000 }");
        Diagnostic found = Assert.Single(said, diagnostic => diagnostic.Code == DiagnosticCodes.CostAboveLimit);
        Assert.Equal((Severity.Error, 14), (found.Severity, found.Line));
        Assert.Contains("may cost 5,005 units for one record, 5,003 of them rule `dear`; the limit is 1,000", found.Message, StringComparison.Ordinal);
        Assert.Contains("record_bytes", found.Help, StringComparison.Ordinal);
        Assert.DoesNotContain(Lint("limits: { record_bytes: 10000, cost: 5005 }"), diagnostic => diagnostic.Code == DiagnosticCodes.CostAboveLimit);
    }

    // Loops over one list within each other are what the default refuses, at the default size of records.
    [Theory]
    [InlineData("value.items.exists(i, i.price > 1.0)", false)]
    [InlineData("value.items.exists(i, value.items.exists(j, i.price > j.price))", true)]
    public void Lint_WithDefaults_RefusesWhatIsQuadratic(string when, bool refused) =>
        Assert.Equal(refused, Lint("", when).Any(diagnostic => diagnostic.Code == DiagnosticCodes.CostAboveLimit));

    [Fact]
    public void Lint_ThousandRules_StayWithinTheDefaultLimit()
    {
        var rules = new StringBuilder();
        for (int i = 0; i < 1_000; i++) { rules.Append(CultureInfo.InvariantCulture, $"- {{ id: r{i}, when: 'value.items.exists(i, i.sku == \"x{i}\") || value.merchant.contains(\"y{i}\")', deny: {{ reason: x }} }}\n"); }
        IReadOnlyList<RuleCost> costs = RuleCost.Of(Bench.Of(Bench.Yaml(rules.ToString())).Binding);
        Assert.InRange(costs.Sum(cost => cost.Total), 1e8, 1e10);
    }

    [Theory]
    [InlineData("cost: 0")]
    [InlineData("cost: many")]
    [InlineData("cost: 1e9")]
    [InlineData("cost: -5")]
    public void Limit_WrittenWrong_IsRefused(string limit)
    {
        Assert.Null(Bench.TryOf(Bench.Yaml("[]", top: $"limits: {{ {limit} }}"), [], out IReadOnlyList<Diagnostic> diagnostics));
        Assert.Equal(DiagnosticCodes.BadValue, Assert.Single(diagnostics).Code);
    }

    // Bounds of random sums and products are never below what they bound.
    [Fact]
    public void Polynomial_Sum_BoundsTheSumOverElements()
    {
        int seed = Fuzz.Seed();
        var random = new Random(seed);
        for (int round = 0; round < 2_000; round++)
        {
            Polynomial x = Polynomial.Variable(0), body = random.Next(20);
            double[] factors = [random.Next(5), random.Next(5), random.Next(3)];
            double constant = body.Value;
            body = body + (x * factors[0]) + (x * x * factors[1]) + (x * x * x * factors[2]);
            double[] elements = [.. Enumerable.Range(0, random.Next(12)).Select(_ => random.Next(50) + 1.0)];
            double exact = elements.Sum(e => constant + (factors[0] * e) + (factors[1] * e * e) + (factors[2] * e * e * e));
            double bound = body.Sum(0, elements.Length, elements.Sum()).Value;
            Assert.True(bound >= exact - 1e-6, $"seed {seed}, round {round}: {bound} and {exact}");
        }

        Assert.Equal(double.PositiveInfinity, (Polynomial.Variable(1) + 5).Value);
    }

    private static IReadOnlyList<Diagnostic> Lint(string limits, string when = "value.items.exists(i, i.price > 1.0)") => PolicyLinter.Lint(
        [new PolicyFile("payments.policy.yaml", Bench.Yaml($"- {{ id: cheap, when: value.amount > 1.0, tag: {{ x: y }} }}\n- id: dear\n  when: '{when}'\n  tag: {{ a: b }}", top: limits.Length > 0 ? limits : "mode: enforce"))],
        (policy, _) => policy.Bindings.ToDictionary(binding => binding.Name, binding => new SubjectSchemas(binding.Subject!, [new SchemaVersion(1, 7, AvroSchema.Parse(Bench.PaymentSchema, []))])));
}
