using System.Globalization;
using System.Text;
using System.Text.Json;
using PolicyStreams.Bench.Quick;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Bench.Decisions;

/// <summary>Bounds of rules (<see cref="RuleCost"/>) against what they take: on a record that is as large as the limit allows, where it is largest, each rule alone.</summary>
internal static class CostBench
{
    private const string Schema = """
        {"type":"record","name":"Ticket","namespace":"bench","fields":[
         {"name":"id","type":"string"},{"name":"amount","type":"double"},{"name":"count","type":"int"},{"name":"note","type":"string"},{"name":"card","type":"string"},
         {"name":"items","type":{"type":"array","items":{"type":"record","name":"Item","fields":[{"name":"sku","type":"string"},{"name":"price","type":"double"}]}}}]}
        """;

    /// <summary>A rule by what is in it; true where parts of it are left to the interpreter, which allocates.</summary>
    private static readonly (string Name, string Rule, bool Interpreted)[] _rules =
    [
        ("a number", "when: value.amount > 1e9, tag: { a: b }", false),
        ("a number and a sum", "when: value.count * 2 + 1 > 1000000 || value.amount < 0.0, tag: { a: b }", false),
        ("one of three texts", "when: 'value.id in [\"a\", \"b\", \"c\"]', tag: { a: b }", false),
        ("startsWith", "when: 'value.note.startsWith(\"zz\")', tag: { a: b }", false),
        ("contains", "when: 'value.note.contains(\"zebra\")', tag: { a: b }", false),
        ("matches", "when: 'value.note.matches(\"zeb+ra[0-9]+\")', tag: { a: b }", false),
        ("two patterns", "when: 'value.note.matches(\"zeb+ra[0-9]+\") || value.note.matches(\"q{3,9}u\")', tag: { a: b }", false),
        ("detected card", "when: 'detected(value.note, \"card\")', tag: { a: b }", false),
        ("detected phone or email", "when: 'detected(value.note, \"phone\") || detected(value.note, \"email\")', tag: { a: b }", false),
        ("exists over items", "when: 'value.items.exists(i, i.price > 1e9)', tag: { a: b }", false),
        ("exists over items, by text", "when: 'value.items.exists(i, i.sku == \"zz\" || i.sku.contains(\"qq\"))', tag: { a: b }", false),
        ("items within items", "when: 'value.items.exists(i, value.items.exists(j, i.price + j.price > 1e9))', tag: { a: b }", false),
        ("interpreted text", "when: 'value.note.lowerAscii().contains(\"zebra\")', tag: { a: b }", true),
        ("interpreted map over items", "when: 'value.items.map(i, i.price * 2.0).exists(p, p > 1e9)', tag: { a: b }", true),
        ("keep_last", "mask: { field: card, keep_last: 4 }", false),
        ("hmac", "mask: { field: card, hmac: k }", false),
        ("encrypt", "mask: { field: card, encrypt: k }", false),
        ("token", "mask: { field: card, token: k }", false),
        ("hmac of the note", "mask: { field: note, hmac: k }", false),
        ("pattern in the note", "mask: { field: note, pattern: { match: \"[0-9]{3}\", replace: \"#\" } }", false),
        ("detect in the note", "mask: { detect: [card, iban, email, phone], in: note }", false),
        ("hmac of every sku", "mask: { field: \"items[*].sku\", hmac: k }", false),
    ];

    private static double[] _units = [];

    public static QuickTable Table(List<string> faults)
    {
        byte[] record = Record();
        var rows = new List<QuickRow>();
        _units = new double[_rules.Length];
        for (int i = 0; i < _rules.Length; i++)
        {
            (string name, string rule, bool interpreted) = _rules[i];
            CompiledBinding binding = OneRule.Compile(Schema, rule, record.Length);
            _units[i] = RuleCost.Of(binding)[0].Total;
            if (!(_units[i] > 0 && double.IsFinite(_units[i]))) { faults.Add($"cost: {name}: no bound"); }
            if (RuleCost.Of(OneRule.Compile(Schema, rule, 2 * record.Length))[0].Total < _units[i]) { faults.Add($"cost: {name}: a larger record costs less"); }
            var judge = new Judge();
            var verdict = new Verdict();
            var output = new ByteBuffer();
            rows.Add(new QuickRow(string.Create(CultureInfo.InvariantCulture, $"{name}, at most {_units[i]:N0} units"), () =>
            {
                output.Clear();
                judge.Decide(binding, ReferenceJob.Input(binding, record), output, verdict);
                return verdict.Outcome == Outcome.Allow && verdict.Errors.Count == 0 ? 1 : throw new InvalidOperationException(name);
            }, interpreted));
        }

        return new QuickTable("cost", $"Rules alone on a record of {record.Length} bytes, the most that is allowed", [.. rows]);
    }

    /// <summary>How the bounds go with what was measured: by rank over all rules, and nanoseconds a unit.</summary>
    public static void Correlate(QuickTable table, TextWriter output)
    {
        // What the first rule takes is what a record takes anyway, and next to nothing.
        double[] times = [.. table.Rows.Select(row => row.Nanoseconds - table.Rows[0].Nanoseconds)];
        double[] left = Ranks(_units), right = Ranks(times);
        double mean = (left.Length + 1) / 2.0, correlation = left.Zip(right, (a, b) => (a - mean) * (b - mean)).Sum() / Math.Sqrt(left.Sum(a => (a - mean) * (a - mean)) * right.Sum(b => (b - mean) * (b - mean)));
        double[] each = [.. times.Zip(_units, (time, units) => time / units).Skip(1).Order()];
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\nrank correlation of bound and time {correlation:0.00}; nanoseconds a unit: median {each[each.Length / 2]:0.00}, most {each[^1]:0.00}"));
    }

    private static double[] Ranks(double[] values)
    {
        double[] sorted = [.. values.Order()];
        return [.. values.Select(value => 1 + ((Array.IndexOf(sorted, value) + Array.LastIndexOf(sorted, value)) / 2.0))];
    }

    private static byte[] Record()
    {
        var note = new StringBuilder();
        for (int i = 0; i < 40; i++) { note.Append(CultureInfo.InvariantCulture, $"Line {i}: the parcel {1000 + i} came on the 3rd, call back about order {i * 7919} in {i} days; "); }
        var items = Enumerable.Range(0, 60).Select(i => new { sku = $"SKU-{i:0000}", price = i * 1.5 });
        string json = JsonSerializer.Serialize(new { id = "t-1", amount = 12.5, count = 3, note = note.ToString(), card = "4111111111111111", items });
        return OneRule.Record(Schema, json);
    }
}
