using System.Globalization;
using System.Text;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Tests.Examples;

/// <summary>examples/orders-protobuf as it ships: its policy compiles without a word, its tests pass, and its records come to what its page says.</summary>
public sealed class OrdersProtobufExampleTests
{
    private static readonly string s_folder = Path.Combine(Root(), "examples", "orders-protobuf");

    [Fact]
    public void Tests_OfTheExample_Pass()
    {
        string text = File.ReadAllText(Path.Combine(s_folder, "orders.policy.tests.yaml"));
        var runner = new PolicyTestRunner(Read);
        runner.Run(new PolicyFile("orders.policy.tests.yaml", text));
        PolicyTestReport report = runner.Report();
        Assert.DoesNotContain(report.Diagnostics, diagnostic => diagnostic.Severity != Severity.Note);
        Assert.NotEmpty(report.Results);
        Assert.All(report.Results, result => Assert.True(result.Passed, $"{result.Name}: {string.Join("; ", result.Failures)}"));
    }

    [Fact]
    public void Decide_EveryRecordOfTheExample_ComesToWhatItsPageSays()
    {
        var said = new List<Diagnostic>();
        PolicyDocument document = PolicySet.Load([new PolicyFile("orders.policy.yaml", Read("orders.policy.yaml")!)]).Set!.Policies[0];
        CompiledPolicy? policy = CompiledPolicy.Compile(document, LocalSchemas.Load(document, Read, said), Bench.Keys(), said);
        Assert.Empty(said);
        using var judge = new OfflineJudge(policy!.Bindings["orders"]);
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        long number = 0;
        foreach (string line in File.ReadLines(Path.Combine(s_folder, "records.jsonl")))
        {
            var answer = new ByteBuffer();
            Assert.Null(judge.Judge(Encoding.UTF8.GetBytes(line), RecordLineFormat.Json, number++, answer));
            string json = Encoding.UTF8.GetString(answer.Written);
            string outcome = ((string[])["allow", "deny", "hold"]).Single(word => json.Contains($"\"outcome\":\"{word}\"", StringComparison.Ordinal));
            counts[outcome] = counts.GetValueOrDefault(outcome) + 1;
            Assert.DoesNotContain("Okafor", json, StringComparison.Ordinal);
        }

        string page = Read("README.md")!;
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"It says {counts["allow"]} `allow`, {counts["deny"]} `deny`, {counts["hold"]} `hold`."), page, StringComparison.Ordinal);
    }

    private static string? Read(string relative) => File.Exists(Path.Combine(s_folder, relative)) ? File.ReadAllText(Path.Combine(s_folder, relative)) : null;

    private static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "PolicyStreams.sln"))) { folder = Path.GetDirectoryName(folder); }
        return folder!;
    }
}
