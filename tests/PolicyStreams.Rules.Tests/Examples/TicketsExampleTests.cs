namespace PolicyStreams.Rules.Tests.Examples;

/// <summary>examples/tickets as it ships: its tests pass and reach every rule, and lint has nothing to say.</summary>
public sealed class TicketsExampleTests
{
    private static readonly string s_folder = Path.Combine(Root(), "examples", "tickets");

    [Fact]
    public void Tests_OfTheExample_PassAndReachEveryRule()
    {
        var runner = new PolicyTestRunner(Read);
        runner.Run(new PolicyFile("tickets.policy.tests.yaml", Read("tickets.policy.tests.yaml")!));
        PolicyTestReport report = runner.Report();
        Assert.Empty(report.Diagnostics);
        Assert.True(report.Results.Count >= 6);
        Assert.All(report.Results, result => Assert.Empty(result.Failures));
        Assert.Equal(100, report.CoveragePercent);
    }

    [Fact]
    public void Lint_OfTheExample_SaysNothing() => Assert.Empty(PolicyLinter.Lint(
        [new PolicyFile("tickets.policy.yaml", Read("tickets.policy.yaml")!)],
        (policy, diagnostics) => LocalSchemas.Load(policy, Read, diagnostics)));

    private static string? Read(string name) => File.Exists(Path.Combine(s_folder, name)) ? File.ReadAllText(Path.Combine(s_folder, name)) : null;

    private static string Root()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "PolicyStreams.sln"))) { folder = Path.GetDirectoryName(folder)!; }
        return folder;
    }
}
