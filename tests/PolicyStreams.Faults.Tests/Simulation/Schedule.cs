using System.Globalization;

namespace PolicyStreams.Faults.Tests.Simulation;

/// <summary>One thing that happens in a schedule. What its numbers mean is <see cref="Simulator"/>'s.</summary>
internal enum SimAct
{
    Append, Deliver, DeliverAgain, State, DeliverStatement, DeliverStatementAgain, Punctuate, Commit, CommitUnknownDone, CommitUnknownNotDone, CommitAborted, CommitCrashBefore, CommitCrashAfter,
    Abort, Crash, CrashAfterSends, Revoke, Lose, Clock, ClockBack, Policy, RegistryDown, RegistryUp, HeldDown, HeldUp, Compact, ReportsLate, ReportsSoon,
}

internal readonly record struct SimStep(SimAct Act, int A, int B, int C)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Act} {A} {B} {C}");
}

/// <summary>A schedule: steps drawn from a seed. The same seed gives the same steps, and the same steps the same run.</summary>
internal static class Schedule
{
    // How often each comes up. Progress outweighs trouble, or nothing would ever commit.
    private static readonly (SimAct Act, int Weight)[] s_weights =
    [
        (SimAct.Append, 24), (SimAct.Deliver, 34), (SimAct.DeliverAgain, 2), (SimAct.State, 18), (SimAct.DeliverStatement, 22), (SimAct.DeliverStatementAgain, 2), (SimAct.Punctuate, 10),
        (SimAct.Commit, 22), (SimAct.CommitUnknownDone, 2), (SimAct.CommitUnknownNotDone, 2), (SimAct.CommitAborted, 3), (SimAct.CommitCrashBefore, 2), (SimAct.CommitCrashAfter, 2),
        (SimAct.Abort, 2), (SimAct.Crash, 2), (SimAct.CrashAfterSends, 3), (SimAct.Revoke, 2), (SimAct.Lose, 2), (SimAct.Clock, 8), (SimAct.ClockBack, 1), (SimAct.Policy, 4),
        (SimAct.RegistryDown, 1), (SimAct.RegistryUp, 2), (SimAct.HeldDown, 1), (SimAct.HeldUp, 2), (SimAct.Compact, 3), (SimAct.ReportsLate, 1), (SimAct.ReportsSoon, 1),
    ];

    private static readonly SimAct[] s_acts = [.. s_weights.SelectMany(weight => Enumerable.Repeat(weight.Act, weight.Weight))];

    public static IReadOnlyList<SimStep> Draw(int seed)
    {
        var random = new Random(seed);
        var steps = new SimStep[random.Next(20, 90)];
        for (int i = 0; i < steps.Length; i++) { steps[i] = new SimStep(s_acts[random.Next(s_acts.Length)], random.Next(1 << 16), random.Next(1 << 16), random.Next(1 << 16)); }
        return steps;
    }

    /// <summary>Leaves out steps for as long as what is left still fails: first many at a time, then single ones.</summary>
    public static IReadOnlyList<SimStep> Shrink(IReadOnlyList<SimStep> steps, Func<IReadOnlyList<SimStep>, bool> fails)
    {
        for (int size = Math.Max(1, steps.Count / 2); ; size = Math.Max(1, size / 2))
        {
            bool shrunk = false;
            for (int at = 0; at < steps.Count;)
            {
                SimStep[] fewer = [.. steps.Take(at), .. steps.Skip(at + size)];
                if (fails(fewer))
                {
                    steps = fewer;
                    shrunk = true;
                }
                else
                {
                    at += size;
                }
            }

            if (size == 1 && !shrunk) { return steps; }
        }
    }
}
