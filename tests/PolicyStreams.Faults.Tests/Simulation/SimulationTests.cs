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

    [Fact]
    public void Schedules_OfAnySeed_KeepThePromises()
    {
        int? only = Number("POLICYSTREAMS_SIM_SEED");
        int from = only ?? Number("POLICYSTREAMS_SIM_FROM") ?? 1;
        int count = only is null ? Number("POLICYSTREAMS_SIM_SCHEDULES") ?? Schedules : 1;
        long started = Stopwatch.GetTimestamp();
        var failures = new ConcurrentDictionary<int, string>();
        long records = 0, transactions = 0;
        int next = from - 1, ran = 0;
        Parallel.For(0, Math.Min(count, Environment.ProcessorCount), _ =>
        {
            using var world = new SimWorld();
            for (int seed = Interlocked.Increment(ref next); seed < from + count && failures.IsEmpty; seed = Interlocked.Increment(ref next))
            {
                SimResult result = Simulator.Run(world, Schedule.Draw(seed), seed % 8 == 0 || only is not null);
                Interlocked.Add(ref records, result.Records);
                Interlocked.Add(ref transactions, result.Transactions);
                Interlocked.Increment(ref ran);
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
    }

    [Fact]
    public void Draw_TheSameSeed_GivesTheSameRun()
    {
        using var world = new SimWorld();
        Assert.Equal(Schedule.Draw(7), Schedule.Draw(7));
        Assert.Equal(Simulator.Run(world, Schedule.Draw(7), true), Simulator.Run(world, Schedule.Draw(7), true));
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
        IReadOnlyList<SimStep> steps = Schedule.Shrink(Schedule.Draw(seed), some => Simulator.Run(world, some, true).Broken is not null);
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Seed {seed}: {broken}").AppendLine(CultureInfo.InvariantCulture, $"To run it again: make simulate SEED={seed}");
        text.AppendLine(CultureInfo.InvariantCulture, $"Shrunk to {steps.Count} steps: {Simulator.Run(world, steps, true).Broken}");
        foreach (SimStep step in steps) { text.AppendLine(CultureInfo.InvariantCulture, $"  {step}"); }
        return text.ToString();
    }

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.Integer, CultureInfo.InvariantCulture, out int number) ? number : null;
}
