using System.Globalization;
using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Tests.Examples;

/// <summary>examples/payments as it ships: every record of its file is judged, and gets what the generator says, which knows nothing of the policy's text.</summary>
public sealed class PaymentsExampleTests
{
    private const int SchemaId = 7;
    private static readonly string s_folder = Path.Combine(Root(), "examples", "payments");

    [Fact]
    public void Decide_EveryRecordOfTheExample_GivesWhatItsLineExpects()
    {
        CompiledBinding binding = Compile().Bindings["payments"];
        var judge = new Judge();
        var verdict = new Verdict();
        var output = new ByteBuffer();
        var problems = new List<string>();
        string[] lines = File.ReadAllLines(Path.Combine(s_folder, "records.jsonl"));
        Assert.True(lines.Length >= 300);
        for (int number = 0; number < lines.Length; number++)
        {
            using JsonDocument line = JsonDocument.Parse(lines[number]);
            JsonElement record = line.RootElement, expect = record.GetProperty("expect");
            byte[]? value = Framed(record);
            var headers = new RecordHeaders();
            foreach (JsonProperty header in record.GetProperty("headers").EnumerateObject())
            {
                headers.Add(Encoding.UTF8.GetBytes(header.Name), Encoding.UTF8.GetBytes(header.Value.GetString()!));
            }

            var input = new RecordInput
            {
                Topic = "raw.payments",
                Partition = record.GetProperty("partition").GetInt32(),
                Offset = number,
                HasKey = true,
                Key = Encoding.UTF8.GetBytes(record.GetProperty("key").GetString()!),
                HasValue = value is not null,
                Value = value,
                Headers = headers,
                Principal = binding.Document.TopicPrincipal,
            };
            output.Clear();
            JudgeResult result = judge.Decide(binding, input, output, verdict);
            while (!result.Decided)
            {
                binding.AddWriter(result.NeededSchemaId, WriterAdmission.UnknownId, null);
                result = judge.Decide(binding, input, output, verdict);
            }

            string to = verdict.Outcome switch { Outcome.Deny => "rejected.payments", Outcome.Hold => "held.payments", _ => expect.GetProperty("to").GetString()! };
            string tags = expect.TryGetProperty("tags", out JsonElement named) ? string.Join(',', named.EnumerateObject().Select(tag => $"{tag.Name}={tag.Value}")) : "";
            Compare(number, "outcome", verdict.Outcome.ToString().ToLower(CultureInfo.InvariantCulture), expect.GetProperty("outcome").GetString());
            Compare(number, "rules", string.Join(',', verdict.Rules), Joined(expect, "rules"));
            Compare(number, "shadow", string.Join(',', verdict.Shadow), Joined(expect, "shadow"));
            Compare(number, "masked", Sorted(verdict.Masked), Sorted(Joined(expect, "masked").Split(',', StringSplitOptions.RemoveEmptyEntries)));
            Compare(number, "tags", string.Join(',', verdict.Tags.Select(tag => $"{tag.Key}={tag.Value}")), tags);
            Compare(number, "to", verdict.To, to);
            if (expect.TryGetProperty("errors", out JsonElement errors))
            {
                string wanted = string.Join(',', errors.EnumerateArray().Select(error => $"{error.GetProperty("rule")}:{error.GetProperty("code")}"));
                Compare(number, "errors", string.Join(',', verdict.Errors.Select(error => $"{error.Rule}:{error.Code}")), wanted);
            }
        }

        Assert.True(problems.Count == 0, string.Join('\n', problems.Take(20)));

        void Compare(int number, string what, string? found, string? wanted)
        {
            if (found != wanted) { problems.Add($"records.jsonl:{number + 1}: {what} is `{found}`, and `{wanted}` is expected"); }
        }
    }

    [Fact]
    public void PolicyTests_OfTheExample_PassAndReachEveryRuleBothWays()
    {
        var runner = new PolicyTestRunner(path => File.Exists(Path.Combine(s_folder, path)) ? File.ReadAllText(Path.Combine(s_folder, path)) : null);
        runner.Run(new PolicyFile("payments.policy.tests.yaml", File.ReadAllText(Path.Combine(s_folder, "payments.policy.tests.yaml"))));
        PolicyTestReport report = runner.Report();
        Assert.Empty(report.Diagnostics);
        Assert.Empty(report.Results.Where(result => !result.Passed).Select(result => $"{result.Name}: {string.Join("; ", result.Failures)}"));
        Assert.NotEmpty(report.Results);
        Assert.Empty(report.Coverage.Where(rule => !rule.Fired || (rule.NeedsNotFired && !rule.NotFired)).Select(rule => rule.Rule));
    }

    private static CompiledPolicy Compile()
    {
        PolicyLoad load = PolicySet.Load([new PolicyFile("payments.policy.yaml", File.ReadAllText(Path.Combine(s_folder, "payments.policy.yaml")))]);
        var keys = new KeyRing();
        keys.Add("customer-key", "test-key-0123456789-0123456789-0123"u8);
        var schema = new SchemaVersion(1, SchemaId, AvroSchema.Parse(File.ReadAllText(Path.Combine(s_folder, "raw.payments-value.avsc")), []));
        List<Diagnostic> diagnostics = [.. load.Diagnostics];
        CompiledPolicy? compiled = load.Set is null ? null : CompiledPolicy.Compile(
            load.Set.Policies.Single(), new Dictionary<string, SubjectSchemas> { ["payments"] = new("raw.payments-value", [schema]) }, keys, diagnostics);
        // The first policy that anybody sees: not even a warning.
        Assert.Empty(diagnostics);
        return compiled!;
    }

    private static byte[]? Framed(JsonElement record)
    {
        if (record.GetProperty("value").GetString() is not { } hex) { return null; }
        byte[] value = Convert.FromHexString(hex);
        JsonElement frame = record.GetProperty("frame");
        if (frame.ValueKind == JsonValueKind.Null) { return value; }
        int id = frame.ValueKind == JsonValueKind.Number ? frame.GetInt32() : SchemaId;
        return [0, (byte)(id >> 24), (byte)(id >> 16), (byte)(id >> 8), (byte)id, .. value];
    }

    private static string Joined(JsonElement expect, string name) =>
        expect.TryGetProperty(name, out JsonElement list) ? string.Join(',', list.EnumerateArray().Select(item => item.GetString())) : "";

    private static string Sorted(IEnumerable<string> names) => string.Join(',', names.Order(StringComparer.Ordinal));

    private static string Root()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "PolicyStreams.sln"))) { folder = Path.GetDirectoryName(folder)!; }
        return folder;
    }
}
