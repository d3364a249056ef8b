using System.Diagnostics;
using PolicyStreams.Tests;

namespace PolicyStreams.Schemas.Tests;

/// <summary>
/// Runs a fuzzer's rounds on a thread of their own, each from a seed of its own: one that throws, and one that does not come back, are named by it.
/// <c>POLICYSTREAMS_FUZZ_SECONDS</c> makes it longer, <c>POLICYSTREAMS_FUZZ_SEED</c> repeats a round.
/// </summary>
internal static class FuzzRounds
{
    public static int Seed { get; } = Fuzz.Seed();

    /// <summary>How many rounds there were.</summary>
    /// <param name="seconds">How long, where nothing else is said.</param>
    public static int Run(ITestOutputHelper log, double seconds, Action<Random> round)
    {
        log.WriteLine($"POLICYSTREAMS_FUZZ_SEED={Seed}");
        return Run(Seed, Fuzz.Time(seconds), roundMax: TimeSpan.FromMinutes(1), round);
    }

    /// <param name="roundMax">A round that takes longer hangs: the slowest take some tenths of a second.</param>
    public static int Run(int seed, TimeSpan time, TimeSpan roundMax, Action<Random> round)
    {
        int rounds = 0;
        long began = Stopwatch.GetTimestamp();
        Exception? fault = null;
        var thread = new Thread(() =>
        {
            var clock = Stopwatch.StartNew();
            try
            {
                do
                {
                    Volatile.Write(ref began, Stopwatch.GetTimestamp());
                    round(new Random(seed + rounds));
                    Interlocked.Increment(ref rounds);
                }
                while (clock.Elapsed < time);
            }
            catch (Exception e)
            {
                fault = e;
            }
        })
        { IsBackground = true };
        thread.Start();
        while (!thread.Join(TimeSpan.FromMilliseconds(50)))
        {
            if (Stopwatch.GetElapsedTime(Volatile.Read(ref began)) > roundMax) { throw new TimeoutException($"A round hangs: POLICYSTREAMS_FUZZ_SEED={seed + Volatile.Read(ref rounds)} repeats it."); }
        }

        return fault is null ? rounds : throw new InvalidOperationException($"POLICYSTREAMS_FUZZ_SEED={seed + rounds} repeats this.", fault);
    }
}
