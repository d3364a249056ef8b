using System.Globalization;
using PolicyStreams.Bench.Decide;
using PolicyStreams.Bench.Decisions;
using PolicyStreams.Bench.Masks;
using PolicyStreams.Bench.Tasks;
using PolicyStreams.Bench.Walk;
using PolicyStreams.Rules;
using PolicyStreams.Schemas;

namespace PolicyStreams.Bench.Quick;

/// <summary>
/// The tables of ratios in a few seconds and one process: <c>--quick [NAME…] [--rounds N] [--check] [--bounds]</c>. With <c>--check</c> nothing is timed. Ends in exit code 1 where something of ours allocates or comes to a
/// wrong result; because of time, which other machines and other loads make different, only with <c>--bounds</c>, which measures the tables that have bounds.
/// </summary>
internal static class QuickRun
{
    public static int Run(string[] arguments)
    {
        var names = new List<string>();
        int rounds = 151;
        bool check = false;
        bool bounds = false;
        for (int i = 0; i < arguments.Length; i++)
        {
            if (arguments[i] == "--rounds") { rounds = int.Parse(arguments[++i], CultureInfo.InvariantCulture); }
            else if (arguments[i] == "--check") { check = true; }
            else if (arguments[i] == "--bounds") { bounds = true; }
            else { names.Add(arguments[i]); }
        }

        var faults = new List<string>();
        foreach (Func<List<string>, QuickTable> make in (Func<List<string>, QuickTable>[])[Avro, Protobuf, Json, JsonSchema, Decision, Decide, MaskBenchmarks.Table, CommitBenchmarks.Table, CostBench.Table])
        {
            QuickTable table = make(faults);
            if ((names.Count > 0 && !names.Contains(table.Name)) || (bounds && table.Bounds.Count == 0)) { continue; }
            if (check) { table.Check(); }
            else
            {
                table.Measure(rounds);
                table.Print(Console.Out);
                foreach (string exceeded in table.PrintBounds(Console.Out))
                {
                    if (bounds) { faults.Add($"{table.Name}: {exceeded}"); }
                }

                if (table.Name == "cost") { CostBench.Correlate(table, Console.Out); }
            }

            foreach (QuickRow row in table.Rows)
            {
                if (row is { Allocates: false, Bytes: >= 1 }) { faults.Add(string.Create(CultureInfo.InvariantCulture, $"{table.Name}: {row.Name}: {row.Bytes:0} bytes allocated")); }
            }
        }

        Console.WriteLine();
        foreach (string fault in faults) { Console.WriteLine($"FAIL {fault}"); }
        Console.WriteLine(faults.Count == 0 ? "ok" : $"{faults.Count} faults");
        return faults.Count == 0 ? 0 : 1;
    }

    private static QuickTable Avro(List<string> faults)
    {
        var bench = new AvroWalkBenchmarks();
        Check(faults, "avro walk", bench.Walk() == DecodeOutcome.Decoded);
        Check(faults, "avro masked bytes", bench.WalkAndMaskThree() == bench.RecordBytes - 16 + 16 - 12 + 16 - 24 + 16);
        return new QuickTable("avro", $"A walk of an Avro record of {bench.RecordBytes} bytes and 25 fields, 10 of them captured",
            new QuickRow("written by hand, unchecked", bench.HandWritten),
            new QuickRow("written by hand, the same checks", bench.HandWrittenChecked),
            new QuickRow("walk", () => (long)bench.Walk()),
            new QuickRow("walk that also finds three masked fields", () => (long)bench.WalkWithSites()),
            new QuickRow("copy of the record", () => bench.Copy()),
            new QuickRow("copy and the masks alone", () => bench.CopyAndMasksAlone()),
            new QuickRow("three fields masked (after the walk)", () => bench.MaskThree()),
            new QuickRow("walk and mask", () => bench.WalkAndMaskThree()))
        {
            Bounds = [new QuickBound("walk", "written by hand, unchecked", 3), new QuickBound("three fields masked (after the walk)", "copy and the masks alone", 1)],
        };
    }

    private static QuickTable Protobuf(List<string> faults)
    {
        var bench = new ProtobufWalkBenchmarks();
        Check(faults, "protobuf walk", bench.Walk() == DecodeOutcome.Decoded && bench.Agree());
        Check(faults, "protobuf masked bytes", bench.WalkAndMaskThree() == bench.RecordBytes - 16 + 16 - 12 + 16 - 24 + 16);
        return new QuickTable("protobuf", $"A walk of the same record in Protobuf, {bench.RecordBytes} bytes and 25 fields, 10 of them captured",
            new QuickRow("written by hand, unchecked", bench.HandWritten),
            new QuickRow("written by hand, the same checks", bench.HandWrittenChecked),
            new QuickRow("walk", () => (long)bench.Walk()),
            new QuickRow("walk that also finds three masked fields", () => (long)bench.WalkWithSites()),
            new QuickRow("copy of the record", () => bench.Copy()),
            new QuickRow("copy and the masks alone", () => bench.CopyAndMasksAlone()),
            new QuickRow("three fields masked (after the walk)", () => bench.MaskThree()),
            new QuickRow("walk and mask", () => bench.WalkAndMaskThree()));
    }

    private static QuickTable Json(List<string> faults)
    {
        var bench = new JsonWalkBenchmarks();
        Check(faults, "json walk", bench.Walk() == DecodeOutcome.Decoded);
        Check(faults, "json masked bytes", bench.WalkAndMask() == bench.RecordBytes - 16 + 16 - 12 + 16 - 24 + 16);
        return new QuickTable("json", $"A walk of the same record in JSON, {bench.RecordBytes} bytes",
            new QuickRow("Utf8JsonReader to the end", () => bench.ReaderToTheEnd()),
            new QuickRow("every check, nothing captured", () => (long)bench.Check()),
            new QuickRow("walk", () => (long)bench.Walk()),
            new QuickRow("walk that also finds three masked properties", () => (long)bench.WalkWithSites()),
            new QuickRow("copy of the record", () => bench.Copy()),
            new QuickRow("copy and the masks alone", () => bench.CopyAndMasksAlone()),
            new QuickRow("three properties masked (after the walk)", () => bench.MaskThree()),
            new QuickRow("walk and mask", () => bench.WalkAndMask()))
        {
            Bounds = [new QuickBound("walk", "Utf8JsonReader to the end", 3), new QuickBound("three properties masked (after the walk)", "copy and the masks alone", 1)],
        };
    }

    private static QuickTable JsonSchema(List<string> faults)
    {
        var bench = new JsonSchemaWalkBenchmarks();
        Check(faults, "json-schema walk", bench.Walk() == DecodeOutcome.Decoded && bench.Schemaless() == DecodeOutcome.Decoded);
        Check(faults, "json-schema validation", bench.Refuses());
        Check(faults, "json-schema masked bytes", bench.WalkAndMask() == bench.RecordBytes - 16 + 3 - 24 + 3 - 12 + 3);
        return new QuickTable("json-schema", $"A walk of the same JSON with a JSON Schema of its 25 properties, {bench.RecordBytes} bytes, 10 properties captured",
            new QuickRow("walk without a schema", () => (long)bench.Schemaless()),
            new QuickRow("validated, nothing captured", () => (long)bench.Validate()),
            new QuickRow("walk", () => (long)bench.Walk()),
            new QuickRow("copy of the record", () => bench.Copy()),
            new QuickRow("three properties masked (after the walk)", () => bench.MaskThree()),
            new QuickRow("walk and mask", () => bench.WalkAndMask()));
    }

    private static QuickTable Decision(List<string> faults)
    {
        var bench = new DecisionBenchmarks();
        Check(faults, "hand-written decision", bench.HandWritten() == 1 << 17 && bench.HandWrittenChecked() == 1 << 17);
        Check(faults, "conditions", bench.Conditions() == 1 << 15);
        Check(faults, "decision of 17 rules", bench.Decide17() == Outcome.Allow);
        Check(faults, "decision of 20 rules", bench.Decide20() == Outcome.Allow);
        Check(faults, "decision with masks", bench.DecideAndMask() == Outcome.Allow);
        return new QuickTable("decision", $"A decision on a clean Avro record of the reference job, {bench.RecordBytes} bytes framed, from bytes to verdict",
            new QuickRow("written by hand, unchecked", () => bench.HandWritten()),
            new QuickRow("written by hand, the same checks", () => bench.HandWrittenChecked()),
            new QuickRow("walk alone", () => (long)bench.Walk()),
            new QuickRow("conditions alone", () => (long)bench.Conditions()),
            new QuickRow("17 rules", () => (long)bench.Decide17()),
            new QuickRow("20 rules, masks found and not written", () => (long)bench.Decide20()),
            new QuickRow("20 rules and their masks", () => (long)bench.DecideAndMask()),
            new QuickRow("decision's JSON", () => bench.DecisionJson()),
            new QuickRow("HMAC-SHA-256 of the record", () => bench.Digest()))
        {
            Bounds = [new QuickBound("20 rules, masks found and not written", "written by hand, the same checks", 3)],
        };
    }

    private static QuickTable Decide(List<string> faults)
    {
        var bench = new DecideBenchmarks();
        Check(faults, "decide", bench.JsonLine() > 1000 && bench.JsonLine() == bench.HexLine());
        return new QuickTable("decide", "A line of `policystreams decide`, the reference job's twenty rules",
            new QuickRow("decision and masks", () => (long)bench.Judge()),
            new QuickRow("a line of hex", () => bench.HexLine()),
            new QuickRow("a line of JSON", () => bench.JsonLine()));
    }

    private static void Check(List<string> faults, string what, bool right)
    {
        if (!right) { faults.Add($"{what}: a wrong result"); }
    }
}
