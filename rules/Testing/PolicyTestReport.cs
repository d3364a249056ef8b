namespace PolicyStreams.Rules;

/// <summary>What one test came to.</summary>
/// <param name="File">The test file, as it was named.</param>
/// <param name="Line">Where the test begins, from 1.</param>
/// <param name="Name">Its name; of a table case with the case's name behind it.</param>
/// <param name="Failures">What was expected and what came, one sentence each; empty where it passed. They may hold values of the test's own record.</param>
public sealed record PolicyTestResult(string File, int Line, string Name, IReadOnlyList<string> Failures)
{
    public bool Passed => Failures.Count == 0;
}

/// <summary>How much of one rule its tests reached.</summary>
/// <param name="NeedsNotFired">False for a rule without a condition, which always fires.</param>
public sealed record RuleCoverage(string Policy, string Rule, bool Fired, bool NotFired, bool NeedsNotFired, IReadOnlyList<BranchReach> Branches)
{
    /// <summary>Items that tests can reach: the rule fired, the rule did not fire, and both ways of each branch.</summary>
    public int Items => 1 + (NeedsNotFired ? 1 : 0) + (2 * Branches.Count);

    public int Reached => (Fired ? 1 : 0) + (NeedsNotFired && NotFired ? 1 : 0) + Branches.Sum(branch => (branch.True ? 1 : 0) + (branch.False ? 1 : 0));
}

/// <summary>Which ways a branch of a condition went.</summary>
public sealed record BranchReach(string Text, bool True, bool False);

/// <summary>What a run of policy tests came to.</summary>
/// <param name="Diagnostics">What is wrong with policies or test files; an error means that tests of that file did not run.</param>
public sealed record PolicyTestReport(IReadOnlyList<PolicyTestResult> Results, IReadOnlyList<Diagnostic> Diagnostics, IReadOnlyList<RuleCoverage> Coverage)
{
    public int Passed => Results.Count(result => result.Passed);

    public int Failed => Results.Count - Passed;

    public bool HasErrors => Diagnostics.Any(diagnostic => diagnostic.Severity == Severity.Error);

    /// <summary>Reached items of all rules in percent; 100 where there are none.</summary>
    public double CoveragePercent
    {
        get
        {
            int items = Coverage.Sum(rule => rule.Items);
            return items == 0 ? 100 : 100.0 * Coverage.Sum(rule => rule.Reached) / items;
        }
    }
}
