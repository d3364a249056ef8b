namespace PolicyStreams.Rules.Tests.Examples;

/// <summary>Every policy under <c>examples</c> is held to the same: tests that reach all of it and notice every change of it, and nothing for lint to say.</summary>
public sealed class ExamplesProofTests
{
    private static string Examples()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "PolicyStreams.sln"))) { folder = Path.GetDirectoryName(folder)!; }
        return Path.Combine(folder, "examples");
    }

    public static TheoryData<string> Policies() =>
        new(Directory.EnumerateFiles(Examples(), "*.policy.yaml", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(Examples(), path)).Order(StringComparer.Ordinal));

    private static Func<string, string?> Beside(string folder) => path => File.Exists(Path.Combine(folder, path)) ? File.ReadAllText(Path.Combine(folder, path)) : null;

    private static PolicyTestRunner Run(string policy)
    {
        string folder = Path.GetDirectoryName(Path.Combine(Examples(), policy))!;
        var runner = new PolicyTestRunner(Beside(folder));
        foreach (string file in Directory.EnumerateFiles(folder, "*.tests.yaml").Order(StringComparer.Ordinal))
        {
            var tests = new PolicyFile(Path.GetFileName(file), File.ReadAllText(file));
            if (PolicyTestRunner.PolicyOf(tests) == Path.GetFileName(policy)) { runner.Run(tests); }
        }

        return runner;
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void Tests_OfEveryExample_ReachEveryRuleAndNoticeEveryMutant(string policy)
    {
        PolicyTestRunner runner = Run(policy);
        PolicyTestReport report = runner.Report();
        Assert.Empty(report.Diagnostics);
        Assert.NotEmpty(report.Results);
        Assert.Empty(report.Results.Where(result => !result.Passed).Select(result => $"{result.Name}: {string.Join("; ", result.Failures)}"));
        Assert.Empty(report.Coverage.Where(rule => rule.Reached < rule.Items).Select(rule => rule.Rule));
        Assert.Equal(100, report.CoveragePercent);
        MutationReport mutation = runner.Mutate()!;
        Assert.Empty(mutation.Diagnostics);
        Assert.NotEmpty(mutation.Mutants);
        Assert.Empty(mutation.Mutants.Where(mutant => mutant.Fate == MutantFate.Survived).Select(mutant => $"{mutant.Id}: {mutant.Telling}"));
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void Lint_OfEveryExample_HasNothingToSay(string policy)
    {
        string folder = Path.GetDirectoryName(Path.Combine(Examples(), policy))!;
        var said = new List<Diagnostic>();
        List<ConventionsDocument> conventions = [.. Directory.EnumerateFiles(folder, "*.conventions.yaml").Select(file => ConventionsDocument.Read(new PolicyFile(file, File.ReadAllText(file)), said)).OfType<ConventionsDocument>()];
        Assert.Empty(said);
        HashSet<string> fired = [.. Run(policy).Report().Coverage.Where(rule => rule.Fired).Select(rule => rule.Rule)];
        IReadOnlyList<Diagnostic> found = PolicyLinter.Lint(
            [new PolicyFile(policy, File.ReadAllText(Path.Combine(Examples(), policy)))], (document, diagnostics) => LocalSchemas.Load(document, Beside(folder), diagnostics), conventions: conventions, tested: _ => fired);
        Assert.DoesNotContain(found, one => one.Severity != Severity.Note);
    }
}
