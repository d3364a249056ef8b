using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using PolicyStreams.Cli.Costs;
using PolicyStreams.Cli.Policies;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams cost</c>: what each rule costs, by its bound and on sample records.</summary>
internal static class CostCommand
{
    private const int RecordsMax = 100_000;
    private const long BytesMax = 256 * 1024 * 1024;

    private sealed record Costs(CompiledBinding Binding, IReadOnlyList<RuleCost> Rules, int Records, CostMeasurement? Measured);

    internal static Command Create()
    {
        var inputs = new PolicyInputs();
        var policy = new Argument<string>("policy") { Description = "The policy file", HelpName = "POLICY" };
        var records = new Argument<string>("records") { Description = "Sample records, one a line, to measure on [default: none, bounds alone]", HelpName = "RECORDS", Arity = ArgumentArity.ZeroOrOne };
        var binding = new Option<string>("--binding") { Description = "The binding of the policy [default: all; with RECORDS the only one]", HelpName = "NAME" };
        var schema = new Option<string>("--schema") { Description = "The schema, in place of the binding's subject; values are then unframed", HelpName = "FILE" };
        var format = new Option<string>("--input-format") { Description = "json: plain JSON typed by the schema; hex: the value's bytes [default: json]", HelpName = "json|hex" };
        format.AcceptOnlyFromAmong("json", "hex");
        var seconds = new Option<double?>("--seconds") { Description = "How long to measure, about [default: 5]", HelpName = "N" };
        var json = new Option<bool>("--json") { Description = "Write JSON in place of a table" };
        var command = new Command("cost", "Tell what each rule costs for a record: the most it may, and what it takes on sample records") { policy, records, binding, schema, format, seconds, json };
        inputs.AddRegistryTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                string file = parsed.GetValue(policy)!;
                PolicyLoad load = PolicySet.Load([PolicyInputs.Read(file)]);
                List<Diagnostic> diagnostics = [.. load.Diagnostics];
                if (load.Set is null) { return await RefusedAsync(diagnostics).ConfigureAwait(false); }
                PolicyDocument document = load.Set.Policies[0];
                string[] names = parsed.GetValue(binding) is { } one ? [one] : [.. document.Bindings.Select(each => each.Name)];
                if (parsed.GetValue(records) is not null && names.Length != 1) { return Terminal.CouldNotRun($"--binding is needed with RECORDS: policy `{document.Name}` has {string.Join(", ", names)}"); }
                if (parsed.GetValue(schema) is not null && names.Length != 1) { return Terminal.CouldNotRun($"--binding is needed with --schema: policy `{document.Name}` has {string.Join(", ", names)}"); }
                if (parsed.GetValue(seconds) is { } wanted && !(wanted is > 0 and <= 3600)) { return Terminal.CouldNotRun("--seconds is more than 0 and at most 3600"); }
                using RegistryClient? registry = inputs.Client(parsed);

                // What keys mask with changes no cost: nobody need have them here.
                KeyRing keys = PolicyLinter.Stand(document);
                var all = new List<Costs>();
                foreach (string name in names)
                {
                    diagnostics.Clear();
                    CompiledBinding? compiled = await DecideCommand.CompileAsync(file, name, parsed.GetValue(schema), registry, keys, diagnostics, cancellationToken).ConfigureAwait(false);
                    if (compiled is null) { return await RefusedAsync(diagnostics).ConfigureAwait(false); }
                    IReadOnlyList<RuleCost> rules = RuleCost.Of(compiled);
                    byte[][] values = parsed.GetValue(records) is { } path ? Values(compiled, path, parsed.GetValue(format) == "hex" ? RecordLineFormat.Hex : RecordLineFormat.Json) : [];
                    CostMeasurement? measured = values.Length > 0 ? CostMeasurement.Of(compiled, [.. rules.Select(rule => rule.Rule)], keys, values, parsed.GetValue(seconds) ?? 5) : null;
                    all.Add(new Costs(compiled, rules, values.Length, measured));
                }

                if (parsed.GetValue(json)) { WriteJson(all); }
                else { WriteTables(all); }
                return (int)ExitCode.Ok;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or StartException)
            {
                return Terminal.CouldNotRun(e.Message);
            }
        });
        return command;
    }

    private static async Task<int> RefusedAsync(IReadOnlyList<Diagnostic> diagnostics)
    {
        foreach (Diagnostic diagnostic in diagnostics) { await Console.Error.WriteLineAsync(diagnostic.ToString()).ConfigureAwait(false); }
        return (int)ExitCode.CouldNotRun;
    }

    /// <exception cref="IOException">A line holds no record, or there are none, or more than are taken.</exception>
    private static byte[][] Values(CompiledBinding binding, string path, RecordLineFormat format)
    {
        using var judge = new OfflineJudge(binding);
        var values = new List<byte[]>();
        long bytes = 0;
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line)) { continue; }
            if (judge.Value(System.Text.Encoding.UTF8.GetBytes(line), format, out string fault) is not { } value) { throw new IOException(string.Create(CultureInfo.InvariantCulture, $"{path}: line {number}: {fault}")); }
            values.Add(value);
            bytes += value.Length;
            if (values.Count > RecordsMax || bytes > BytesMax) { throw new IOException(string.Create(CultureInfo.InvariantCulture, $"{path}: more than {RecordsMax} records or {BytesMax} bytes of them; a sample will do")); }
        }

        return values.Count > 0 ? [.. values] : throw new IOException($"{path}: there is no record in it");
    }

    private static void WriteTables(List<Costs> all)
    {
        foreach (Costs costs in all)
        {
            BindingDocument binding = costs.Binding.Document;
            double total = costs.Rules.Sum(rule => rule.Total);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"binding {binding.Name}: {costs.Rules.Count} rules, at most {Units(total)} units for a record of {binding.RecordBytesMax:N0} bytes (limit {Units(costs.Binding.Policy.Document.CostMax)})"));
            int width = Math.Max(4, costs.Rules.Select(rule => rule.Rule.Length).DefaultIfEmpty().Max());
            Console.WriteLine();
            Console.WriteLine($"  {"rule".PadRight(width)}  {"condition",12}  {"mask",12}  {"share",7}{(costs.Measured is null ? "" : $"  {"ns a record",12}")}");
            for (int i = 0; i < costs.Rules.Count; i++)
            {
                RuleCost rule = costs.Rules[i];
                string share = total > 0 && double.IsFinite(total) ? (rule.Total / total).ToString("0.0 %", CultureInfo.InvariantCulture) : "";
                string measured = costs.Measured is { } on ? $"  {on.Rules[i].ToString("N1", CultureInfo.InvariantCulture),12}" : "";
                Console.WriteLine($"  {rule.Rule.PadRight(width)}  {Part(rule.Condition),12}  {Part(rule.Mask),12}  {share,7}{measured}");
            }

            Console.WriteLine();
            if (costs.Measured is { } times) { Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {costs.Records:N0} records: {times.Anyway:N0} ns a record takes anyway, {times.All:N0} ns with all rules\n")); }
        }
    }

    private static string Part(double units) => units == 0 ? "-" : Units(units);

    private static string Units(double units) => double.IsFinite(units) ? units.ToString(units < 1e9 ? "N0" : "0.0e+0", CultureInfo.InvariantCulture) : "unbounded";

    private static void WriteJson(List<Costs> all)
    {
        using Stream output = Console.OpenStandardOutput();
        using (var json = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("policy", all.Count > 0 ? all[0].Binding.Policy.Document.Name : "");
            json.WriteStartArray("bindings");
            foreach (Costs costs in all)
            {
                json.WriteStartObject();
                json.WriteString("binding", costs.Binding.Document.Name);
                json.WriteNumber("record_bytes", costs.Binding.Document.RecordBytesMax);
                json.WriteNumber("limit", costs.Binding.Policy.Document.CostMax);
                Number(json, "units", costs.Rules.Sum(rule => rule.Total));
                if (costs.Measured is { } measured)
                {
                    json.WriteNumber("records", costs.Records);
                    Number(json, "anyway_ns", Math.Round(measured.Anyway, 1));
                    Number(json, "all_ns", Math.Round(measured.All, 1));
                }

                json.WriteStartArray("rules");
                for (int i = 0; i < costs.Rules.Count; i++)
                {
                    json.WriteStartObject();
                    json.WriteString("rule", costs.Rules[i].Rule);
                    Number(json, "units", costs.Rules[i].Total);
                    Number(json, "condition", costs.Rules[i].Condition);
                    Number(json, "mask", costs.Rules[i].Mask);
                    if (costs.Measured is { } on) { Number(json, "ns", Math.Round(on.Rules[i], 1)); }
                    json.WriteEndObject();
                }

                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        output.WriteByte((byte)'\n');
    }

    /// <summary>Null where there is no bound.</summary>
    private static void Number(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsFinite(value)) { json.WriteNumber(name, value); }
        else { json.WriteNull(name); }
    }
}
