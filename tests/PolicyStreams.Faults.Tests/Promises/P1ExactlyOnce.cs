using PolicyStreams.Faults.Tests.Simulation;

namespace PolicyStreams.Faults.Tests.Promises;

/// <summary>
/// P1: every ingress offset has exactly one <c>decided</c> decision and exactly one outcome among governed, held, and rejected, in one transaction. Here every place where a
/// process may end in the life of holds is tried, one after the other; the simulation tries what nobody thought of, and the faults do it on a real Kafka.
/// </summary>
public sealed class P1ExactlyOnce : IDisposable
{
    private const int SendsOfTheStory = 60;

    // Records of every outcome on two partitions, approvals, an expiry, a policy change under open holds, with commits in between.
    private static readonly SimStep[] s_story =
    [
        new(SimAct.Append, 0, 0, 1), new(SimAct.Append, 0, 5, 1), new(SimAct.Append, 0, 8, 2), new(SimAct.Append, 1, 10, 1), new(SimAct.Append, 1, 4, 0), new(SimAct.Append, 0, 12, 0),
        new(SimAct.Deliver, 0, 1, 0), new(SimAct.Commit, 0, 0, 0), new(SimAct.Deliver, 0, 3, 0), new(SimAct.Deliver, 1, 3, 0), new(SimAct.Commit, 0, 0, 0),
        new(SimAct.State, 0, 16, 0), new(SimAct.State, 0, 16, 8), new(SimAct.State, 1, 16, 0), new(SimAct.DeliverStatement, 0, 2, 0), new(SimAct.Policy, 1, 0, 0), new(SimAct.Punctuate, 0, 1, 0), new(SimAct.Commit, 0, 0, 0),
        new(SimAct.Append, 0, 0, 3), new(SimAct.Deliver, 0, 1, 0), new(SimAct.DeliverStatement, 1, 2, 0), new(SimAct.Punctuate, 0, 1, 0), new(SimAct.Commit, 0, 0, 0),
        new(SimAct.Clock, 4, 0, 0), new(SimAct.Clock, 4, 0, 0), new(SimAct.Punctuate, 0, 1, 0), new(SimAct.Commit, 0, 0, 0),
    ];

    private readonly SimWorld _world = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void Story_WithNothingInItsWay_ComesToEveryEnd(int policy)
    {
        SimResult result = Run(policy, []);
        Assert.Null(result.Broken);
        Assert.All((string[])["decided", "counted", "reheld", "expired"], what => Assert.True(result.Seen.ContainsKey(what), what + " did not come up"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void Process_EndsAtAnySend_EachRecordIsDecidedOnceWithOneOutcome(int policy)
    {
        for (int sends = 0; sends < SendsOfTheStory; sends++)
        {
            // Armed before each step in turn: the process ends so many sends later, inside whatever it does then.
            for (int at = 0; at < s_story.Length; at += 3)
            {
                SimStep[] steps = [.. s_story[..at], new SimStep(SimAct.CrashAfterSends, sends, 0, 0), .. s_story[at..]];
                SimResult result = Run(policy, steps);
                Assert.True(result.Broken is null, $"ending {sends} sends after step {at}: {result.Broken}");
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void Transaction_EndsInAnyWay_EachRecordIsDecidedOnceWithOneOutcome(int policy)
    {
        SimAct[] ends = [SimAct.CommitUnknownDone, SimAct.CommitUnknownNotDone, SimAct.CommitAborted, SimAct.CommitCrashBefore, SimAct.CommitCrashAfter, SimAct.Abort, SimAct.Crash, SimAct.Revoke, SimAct.Lose];
        for (int at = 0; at <= s_story.Length; at++)
        {
            foreach (SimAct end in ends)
            {
                SimResult result = Run(policy, [.. s_story[..at], new SimStep(end, 0, 0, 0), .. s_story[at..]]);
                Assert.True(result.Broken is null, $"{end} before step {at}: {result.Broken}");
            }
        }
    }

    private SimResult Run(int policy, SimStep[] steps) =>
        Simulator.Run(_world, [new SimStep(SimAct.RegistryUp, policy, 0, 0), .. steps.Length == 0 ? s_story : steps], checkDeterminism: true, small: false);
}
