using System.Diagnostics;
using System.Globalization;
using System.Text;
using PolicyStreams.Bench.Quick;
using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Bench.Decisions;

/// <summary>
/// <c>rules</c>: what a policy of 1,000 rules over 20 bindings costs to load in a fresh process, and what a record costs by the number of rules that could apply to it: a curve.
/// </summary>
internal static class RuleCurve
{
    private static readonly string[] _conditions =
    [
        "value.amount > {0}.0", "value.country == \"Q{0}\"", "value.country in [\"X{0}\", \"Y{0}\", \"Z{0}\"]", "value.channel == \"PHONE\" && value.amount > {0}00.0",
        "value.note != null && value.note.contains(\"secret{0}\")", "size(value.items) > 5{0}", "value.items.exists(i, i.price > {0}000.0)", "value.customer.age != null && value.customer.age > 1{0}0",
        "value.merchant.startsWith(\"Evil{0}\")", "value.created_at < timestamp(\"2001-01-01T00:00:00Z\") && value.amount < {0}.5",
    ];

    private const int Many = 1000;

    public static int Run()
    {
        CompiledPolicy policy = Timed("1,000 rules over 20 bindings, the first policy of this process");
        Timed("the same again");
        byte[] record = ReferenceJob.Framed();
        var rows = new List<QuickRow>();
        foreach (int count in (int[])[1, 10, 20, 50, 200, Many]) { rows.Add(Row(string.Create(CultureInfo.InvariantCulture, $"{count} rules"), Compile(count, 1), record)); }
        foreach (int count in (int[])[1, 10, 20, 50, 200]) { rows.Add(Row(string.Create(CultureInfo.InvariantCulture, $"{count} of {Many} rules"), count == 50 ? policy : Compile(Many, Many / count), record)); }
        var table = new QuickTable("rules", "A clean record by the number of rules for its binding, none of which fires: of a policy that has no others, and of one of 1,000 rules", [.. rows]);
        table.Measure(101);
        table.Print(Console.Out);
        return 0;
    }

    private static CompiledPolicy Timed(string what)
    {
        TimeSpan cpu = Environment.CpuUsage.TotalTime;
        var watch = Stopwatch.StartNew();
        CompiledPolicy policy = Compile(Many, 20);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: loaded and compiled in {watch.ElapsedMilliseconds} ms, {(Environment.CpuUsage.TotalTime - cpu).TotalMilliseconds:0} ms of CPU on all cores"));
        return policy;
    }

    private static QuickRow Row(string name, CompiledPolicy policy, byte[] record)
    {
        CompiledBinding binding = policy.Bindings["b0"];
        var judge = new Judge();
        var verdict = new Verdict();
        var output = new ByteBuffer();
        return new QuickRow(name, () =>
        {
            output.Clear();
            judge.Decide(binding, ReferenceJob.Input(binding, record), output, verdict);
            return verdict.Outcome == Outcome.Allow ? 1 : throw new InvalidOperationException("A rule fired.");
        });
    }

    private static CompiledPolicy Compile(int rules, int bindings)
    {
        var yaml = new StringBuilder("apiVersion: policystreams/v1\nkind: Policy\nmetadata: { name: many, owner: bench }\nbindings:\n");
        for (int b = 0; b < bindings; b++) { yaml.Append(CultureInfo.InvariantCulture, $"  - {{ name: b{b}, format: avro, subject: raw.b{b}-value }}\n"); }
        yaml.Append("rules:\n");
        for (int r = 0; r < rules; r++)
        {
            // Each binding has every kind of condition in turn, however many bindings there are.
            string condition = string.Format(CultureInfo.InvariantCulture, _conditions[r / bindings % _conditions.Length], 200 + r);
            yaml.Append(CultureInfo.InvariantCulture, $"  - {{ id: r{r}, bindings: [b{r % bindings}], when: '{condition}', deny: {{ reason: rule {r} }} }}\n");
        }

        PolicyLoad load = PolicySet.Load([new PolicyFile("many.policy.yaml", yaml.ToString())]);
        var diagnostics = new List<Diagnostic>(load.Diagnostics);
        AvroSchema schema = AvroSchema.Parse(ReferenceJob.Schema);
        var subjects = Enumerable.Range(0, bindings).ToDictionary(b => $"b{b}", b => new SubjectSchemas($"raw.b{b}-value", [new SchemaVersion(1, 1, schema)]));
        CompiledPolicy? policy = load.Set is null ? null : CompiledPolicy.Compile(load.Set.Policies[0], subjects, new KeyRing(), diagnostics);
        return policy ?? throw new InvalidOperationException(string.Join('\n', diagnostics.Take(5)));
    }
}
