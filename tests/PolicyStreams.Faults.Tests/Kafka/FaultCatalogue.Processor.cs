using PolicyStreams.Faults.Tests.Lab;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Faults.Tests.Kafka;

/// <summary>Every fault that is injected on a real Kafka.</summary>
internal static partial class FaultCatalogue
{
    public static IReadOnlyList<Fault> All { get; } =
    [
        .. ProcessorFaults, .. TransactionFaults, .. BrokerFaults, .. TopicFaults, .. RegistryFaults, .. CopyFaults,
    ];

    private static Fault[] ProcessorFaults =>
    [
        new("processor-kill", "SIGKILL of the processor at random moments, restarted in its slot", true, ProcessorKillAsync),
        new("processor-stop", "SIGTERM of the processor at random moments, commits under way included", true, ProcessorStopAsync),
        new("zombie", "SIGSTOP of a processor past its session timeout while another takes over, then SIGCONT", true, ZombieAsync),
        new("rebalance-storm", "a processor joins or leaves every second, by SIGTERM and by SIGKILL", false, RebalanceStormAsync),
        new("two-processes", "two processes share the partitions; one of them is killed again and again", false, TwoProcessesAsync),
        new("clock", "the processor's clock is moved by an hour, forward and back", false, ClockAsync),
    ];

    private static async Task ProcessorKillAsync(FaultRun run)
    {
        await using FaultLab lab = await FaultLab.OpenAsync();
        await lab.FeedAsync(200);
        ProcessorProcess processor = lab.Start("a", threads: 2);
        await lab.RunningAsync();
        run.RecoveryIs = "from the restarted process's first instruction to its first commit";
        for (int times = run.Times(100, 4); run.Injected < times;)
        {
            await Task.Delay(run.Random.Next(0, 700));
            await processor.KillAsync();
            await lab.ForgetAsync(processor);
            run.Injected++;
            DateTimeOffset restarted = FaultLab.Now;
            processor = lab.Start("a", threads: 2);
            if (run.Injected % 5 == 0)
            {
                // Once more without waiting: while it starts, joins, or restores.
                await Task.Delay(run.Random.Next(2000));
                continue;
            }

            run.Recovered(await lab.Watch.RecoveredAsync(restarted, FaultLab.Deadline, () => lab.Said));
        }

        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }

    private static async Task ProcessorStopAsync(FaultRun run)
    {
        await using FaultLab lab = await FaultLab.OpenAsync();
        await lab.FeedAsync(200);
        ProcessorProcess processor = lab.Start("a", threads: 2);
        await lab.RunningAsync();
        run.RecoveryIs = "from the restarted process's first instruction to its first commit";
        for (int times = run.Times(25, 2); run.Injected < times; run.Injected++)
        {
            await Task.Delay(run.Random.Next(0, 300));
            int code = await processor.StopAsync();
            Assert.True(code == 0, $"exit {code} after SIGTERM\n{processor.Said}");
            await lab.ForgetAsync(processor);
            DateTimeOffset restarted = FaultLab.Now;
            processor = lab.Start("a", threads: 2);
            run.Recovered(await lab.Watch.RecoveredAsync(restarted, FaultLab.Deadline, () => lab.Said));
        }

        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }

    private static async Task ZombieAsync(FaultRun run)
    {
        await using FaultLab lab = await FaultLab.OpenAsync();
        await lab.FeedAsync(200);
        ProcessorProcess some = lab.Start("a"), other = lab.Start("b");
        await lab.RunningAsync();
        run.RecoveryIs = "from SIGSTOP until the other commits on every partition (session timeout 6 s)";
        for (int times = run.Times(10, 1); run.Injected < times; run.Injected++)
        {
            DateTimeOffset stopped = FaultLab.Now;
            await some.SignalAsync("STOP");
            run.Recovered(await lab.Watch.RecoveredAsync(stopped.AddMilliseconds(500), FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3) + TimeSpan.FromMilliseconds(500));
            await some.SignalAsync("CONT");
            await Task.Delay(run.Random.Next(500, 2000));
            await lab.RunningAsync();
            (some, other) = (other, some);
        }

        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }

    private static async Task RebalanceStormAsync(FaultRun run)
    {
        await using FaultLab lab = await FaultLab.OpenAsync();
        await lab.FeedAsync(200);
        lab.Start("base");
        await lab.RunningAsync();
        run.RecoveryIs = "from the last change until every partition commits";
        var guests = new Queue<ProcessorProcess>();
        for (int times = run.Times(60, 8); run.Injected < times; run.Injected++)
        {
            if (guests.Count < 2 || (guests.Count < 4 && run.Random.Next(2) == 0))
            {
                guests.Enqueue(lab.Start($"guest{run.Injected % 5}-{run.Injected}"));
            }
            else
            {
                ProcessorProcess guest = guests.Dequeue();
                if (run.Random.Next(2) == 0) { await guest.KillAsync(); }
                else { await guest.SignalAsync("TERM"); }
            }

            await Task.Delay(1000);
        }

        run.Recovered(await lab.Watch.RecoveredAsync(FaultLab.Now, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }

    private static async Task TwoProcessesAsync(FaultRun run)
    {
        await using FaultLab lab = await FaultLab.OpenAsync();
        await lab.FeedAsync(200);
        lab.Start("a", threads: 2);
        ProcessorProcess other = lab.Start("b", threads: 2);
        await lab.RunningAsync();
        run.RecoveryIs = "from the restarted process's first instruction until every partition commits";
        for (int times = run.Times(20, 2); run.Injected < times; run.Injected++)
        {
            await Task.Delay(run.Random.Next(0, 1000));
            await other.KillAsync();
            await lab.ForgetAsync(other);
            DateTimeOffset restarted = FaultLab.Now;
            other = lab.Start("b", threads: 2);
            run.Recovered(await lab.Watch.RecoveredAsync(restarted, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
        }

        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }

    private static async Task ClockAsync(FaultRun run)
    {
        string? library = new[] { "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1" }.FirstOrDefault(File.Exists);
        if (library is null) { Assert.Skip("No libfaketime: apt-get install faketime."); }
        await using FaultLab lab = await FaultLab.OpenAsync();
        string offset = Path.Combine(lab.Payments.Folder, "clock");
        await File.WriteAllTextAsync(offset, "+0");
        var environment = new Dictionary<string, string>
        {
            ["LD_PRELOAD"] = library!,
            ["FAKETIME_TIMESTAMP_FILE"] = offset,
            ["FAKETIME_NO_CACHE"] = "1",
            ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1",
        };
        await lab.FeedAsync(100);
        ProcessorProcess processor = lab.Start("a", threads: 2, environment: environment, more: []);
        await lab.Watch.DecidedAsync(200, FaultLab.Deadline, () => lab.Said);
        foreach (string moved in run.Full ? (string[])["+3600", "+0", "-3600", "+0", "+3600", "-3600", "+0"] : ["+3600", "-3600"])
        {
            long before = lab.Watch.Decided;
            await File.WriteAllTextAsync(offset, moved);
            run.Injected++;
            await lab.Watch.DecidedAsync(before + 300, FaultLab.Deadline, () => lab.Said);
        }

        await lab.DrainAsync();
        Ledger ledger = await lab.VerifyAsync(run);
        run.Note = $"of {ledger.Outcomes.GetValueOrDefault("hold")} holds none expired before its time";
        Assert.DoesNotContain(Ledger.ReadAll(lab.Cluster.Bootstrap, null, lab.Payments.Decisions), record => System.Text.Encoding.UTF8.GetString(record.Value!).Contains("\"event\":\"expired\"", StringComparison.Ordinal));
    }
}
