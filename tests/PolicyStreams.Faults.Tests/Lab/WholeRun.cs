using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Faults.Tests.Lab;

/// <summary>Tests that take too long, or too much of the machine, for every run.</summary>
internal static class WholeRun
{
    /// <summary>Skips the test unless POLICYSTREAMS_FAULTS says <c>all</c>.</summary>
    public static void Require()
    {
        if (TestEnvironment.Variable("POLICYSTREAMS_FAULTS") != "all") { Assert.Skip("Part of the whole run alone: POLICYSTREAMS_FAULTS=all."); }
    }
}
