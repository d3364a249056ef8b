using System.Diagnostics;
using System.Globalization;

namespace PolicyStreams.Bench.Quick;

/// <summary>One thing that is measured.</summary>
/// <param name="Run">One operation; what it gives keeps it from being optimised away.</param>
/// <param name="Allocates">True where allocation is allowed: comparisons that are not ours.</param>
internal sealed record QuickRow(string Name, Func<long> Run, bool Allocates = false)
{
    public double Nanoseconds { get; set; }

    public double Spread { get; set; }

    public double Bytes { get; set; }
}

/// <summary>What a row may take at most, as a multiple of another row of its table. Both are named as the table names them.</summary>
internal sealed record QuickBound(string Row, string Of, double RatioMax);

/// <summary>
/// Rows that are measured side by side, in alternation, in many short rounds. What counts is the lower decile of a row's rounds: a round in which the machine did something else says nothing
/// of the code. The first row is the baseline of the ratios; the spread says how disturbed the run was (median to lower decile).
/// </summary>
internal sealed class QuickTable(string name, string title, params QuickRow[] rows)
{
    private const double RoundSeconds = 0.0005;
    private const double WarmSecondsMax = 20;
    private const double CheckSecondsMax = 60;

    public string Name => name;

    public IReadOnlyList<QuickRow> Rows => rows;

    public IReadOnlyList<QuickBound> Bounds { get; init; } = [];

    public void Measure(int rounds)
    {
        // Warm until the runtime has compiled hot methods again with what it has learnt: until nothing gets faster any more.
        double[] best = new double[rows.Length];
        Array.Fill(best, double.MaxValue);
        long begun = Stopwatch.GetTimestamp();
        for (int steady = 0; steady < 6 && Stopwatch.GetElapsedTime(begun).TotalSeconds < WarmSecondsMax;)
        {
            long slice = Stopwatch.GetTimestamp();
            bool faster = false;
            do
            {
                for (int i = 0; i < rows.Length; i++)
                {
                    double time = Seconds(rows[i].Run, 200);
                    faster |= time < 0.85 * best[i];
                    best[i] = Math.Min(best[i], time);
                }
            }
            while (Stopwatch.GetElapsedTime(slice).TotalSeconds < 0.4);
            steady = faster ? 0 : steady + 1;
        }

        int[] counts = [.. rows.Select(row => Math.Max(1, (int)(RoundSeconds / Math.Max(Seconds(row.Run, 200) / 200, 1e-9))))];
        var times = new double[rows.Length][];
        for (int i = 0; i < rows.Length; i++) { times[i] = new double[rounds]; }
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < rows.Length; i++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                times[i][round] = Seconds(rows[i].Run, counts[i]) * 1e9 / counts[i];
                double bytes = (double)(GC.GetAllocatedBytesForCurrentThread() - before) / counts[i];
                rows[i].Bytes = round == 0 ? bytes : Math.Min(rows[i].Bytes, bytes);
            }
        }

        for (int i = 0; i < rows.Length; i++)
        {
            Array.Sort(times[i]);
            rows[i].Nanoseconds = times[i][rounds / 10];
            rows[i].Spread = (times[i][rounds / 2] / times[i][rounds / 10]) - 1;
        }
    }

    /// <summary>
    /// Runs rows until each has been through some thousand operations without an allocation, or time is up: what the runtime allocates for itself while it compiles passes, what a row allocates does not.
    /// </summary>
    public void Check()
    {
        long begun = Stopwatch.GetTimestamp();
        foreach (QuickRow row in rows)
        {
            if (row.Allocates)
            {
                Loop(row.Run, 1);
                continue;
            }

            row.Bytes = double.MaxValue;
            while (row.Bytes >= 1 && Stopwatch.GetElapsedTime(begun).TotalSeconds < CheckSecondsMax)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                Loop(row.Run, 2000);
                row.Bytes = Math.Min(row.Bytes, (GC.GetAllocatedBytesForCurrentThread() - before) / 2000.0);
            }
        }
    }

    public void Print(TextWriter output)
    {
        output.WriteLine();
        output.WriteLine(title);
        output.WriteLine();
        output.WriteLine("| | ns | ratio | spread | bytes |");
        output.WriteLine("|---|--:|--:|--:|--:|");
        foreach (QuickRow row in rows)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {row.Name} | {row.Nanoseconds:0.0} | {row.Nanoseconds / rows[0].Nanoseconds:0.00} | {row.Spread:0%} | {row.Bytes:0} |"));
        }
    }

    /// <summary>Prints what the bounds come to; gives those that are exceeded.</summary>
    public List<string> PrintBounds(TextWriter output)
    {
        var exceeded = new List<string>();
        if (Bounds.Count > 0) { output.WriteLine(); }
        foreach (QuickBound bound in Bounds)
        {
            double ratio = Named(bound.Row).Nanoseconds / Named(bound.Of).Nanoseconds;
            string line = string.Create(CultureInfo.InvariantCulture, $"`{bound.Row}`: {ratio:0.00} of `{bound.Of}`, bound {bound.RatioMax:0.00}");
            output.WriteLine(ratio > bound.RatioMax ? $"{line}: EXCEEDED" : line);
            if (ratio > bound.RatioMax) { exceeded.Add(line); }
        }

        return exceeded;
    }

    private QuickRow Named(string row) => rows.Single(candidate => candidate.Name == row);

    private static double Seconds(Func<long> run, int count)
    {
        long start = Stopwatch.GetTimestamp();
        Loop(run, count);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static void Loop(Func<long> run, int count)
    {
        long kept = 0;
        for (int i = 0; i < count; i++) { kept += run(); }
        GC.KeepAlive(kept);
    }
}
