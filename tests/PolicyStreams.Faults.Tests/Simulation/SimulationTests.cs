using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace PolicyStreams.Faults.Tests.Simulation;

/// <summary>
/// Seeded random schedules of records, statements, policies, clocks, crashes, and commits of unknown outcome against the tasks that stream threads run. After every step all
/// that became visible is held against a model that shares no code with the processor.
/// POLICYSTREAMS_SIM_SEED runs one schedule, POLICYSTREAMS_SIM_SCHEDULES another number than 10,000, POLICYSTREAMS_SIM_FROM another first seed.
/// </summary>
public sealed class SimulationTests
{
    private const int Schedules = 10_000;

    private static readonly string[] s_mustSee =
    [
        "decided", "approval", "released", "refused", "expired", "reheld", "policy", "behind", "counted", "late", "repeat", "unentitled", "digest-mismatch", "unknown-hold", "unknown-key", "malformed", "wrong-hold",
    ];

    [Fact]
    public void Schedules_OfAnySeed_KeepThePromises()
    {
        int? only = Number("POLICYSTREAMS_SIM_SEED");
        int from = only ?? Number("POLICYSTREAMS_SIM_FROM") ?? 1;
        int count = only is null ? Number("POLICYSTREAMS_SIM_SCHEDULES") ?? Schedules : 1;
        long started = Stopwatch.GetTimestamp();
        var failures = new ConcurrentDictionary<int, string>();
        var seen = new ConcurrentDictionary<string, int>();
        long records = 0, transactions = 0;
        int next = from - 1, ran = 0;
        Parallel.For(0, Math.Min(count, Environment.ProcessorCount), _ =>
        {
            using var world = new SimWorld();
            for (int seed = Interlocked.Increment(ref next); seed < from + count && failures.IsEmpty; seed = Interlocked.Increment(ref next))
            {
                SimResult result = Simulator.Run(world, Schedule.Draw(seed), seed % 8 == 0 || only is not null, seed % 2 == 0);
                Interlocked.Add(ref records, result.Records);
                Interlocked.Add(ref transactions, result.Transactions);
                Interlocked.Increment(ref ran);
                foreach ((string what, int times) in result.Seen) { seen.AddOrUpdate(what, times, (_, before) => before + times); }
                if (result.Broken is not null) { failures[seed] = result.Broken; }
            }
        });
        if (!failures.IsEmpty)
        {
            (int seed, string broken) = failures.MinBy(failure => failure.Key);
            Assert.Fail(Report(seed, broken));
        }

        string done = string.Create(CultureInfo.InvariantCulture, $"{ran} schedules from seed {from}: {records} records, {transactions} transactions, {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s");
        TestContext.Current.TestOutputHelper?.WriteLine(done);
        Console.WriteLine("simulation: " + done);
        Console.WriteLine("simulation: " + string.Join(", ", seen.OrderByDescending(pair => pair.Value).Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key} {pair.Value}"))));

        // A simulation that never comes to something says nothing of it.
        if (count < Schedules) { return; }
        Assert.All(s_mustSee, what => Assert.True(seen.GetValueOrDefault(what) > 100, $"`{what}` came up {seen.GetValueOrDefault(what)} times"));
    }

    [Fact]
    public void Draw_TheSameSeed_GivesTheSameRun()
    {
        using var world = new SimWorld();
        Assert.Equal(Schedule.Draw(7), Schedule.Draw(7));
        SimResult some = Simulator.Run(world, Schedule.Draw(7), true, false), again = Simulator.Run(world, Schedule.Draw(7), true, false);
        Assert.Equal((some.Broken, some.Records, some.Transactions), (again.Broken, again.Records, again.Transactions));
        Assert.Equal(some.Seen, again.Seen);
    }

    [Fact]
    public void Shrink_AFailingSchedule_KeepsOnlyWhatItNeeds()
    {
        IReadOnlyList<SimStep> steps = Schedule.Draw(3);
        IReadOnlyList<SimStep> left = Schedule.Shrink(steps, some => some.Contains(steps[2]) && some.Contains(steps[9]));
        Assert.Equal([steps[2], steps[9]], left);
    }

    private static string Report(int seed, string broken)
    {
        using var world = new SimWorld();
        IReadOnlyList<SimStep> steps = Schedule.Shrink(Schedule.Draw(seed), some => Simulator.Run(world, some, true, seed % 2 == 0).Broken is not null);
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Seed {seed}: {broken}").AppendLine(CultureInfo.InvariantCulture, $"To run it again: make simulate SEED={seed}");
        text.AppendLine(CultureInfo.InvariantCulture, $"Shrunk to {steps.Count} steps: {Simulator.Run(world, steps, true, seed % 2 == 0).Broken}");
        foreach (SimStep step in steps) { text.AppendLine(CultureInfo.InvariantCulture, $"  {step}"); }
        return text.ToString();
    }

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.Integer, CultureInfo.InvariantCulture, out int number) ? number : null;
}
