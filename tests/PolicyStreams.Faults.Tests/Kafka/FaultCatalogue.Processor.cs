using PolicyStreams.Faults.Tests.Lab;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Faults.Tests.Kafka;

/// <summary>Every fault that is injected on a real Kafka.</summary>
internal static partial class FaultCatalogue
{
    public static IReadOnlyList<Fault> All { get; } =
    [
        .. ProcessorFaults, .. TransactionFaults, .. BrokerFaults, .. TopicFaults, .. RegistryFaults, .. RecoveryFaults, .. MemoryFaults, .. CopyFaults,
    ];

    private static Fault[] ProcessorFaults =>
    [
        new("processor-kill", "SIGKILL of the processor at random moments, restarted in its slot", true, ProcessorKillAsync),
        new("processor-stop", "SIGTERM of the processor at random moments, commits under way included", true, ProcessorStopAsync),
        new("stop-in-commit", "SIGTERM while a request of the commit is on its way: it arrives, is lost, arrives after the process has ended, or after its successor has committed", true, StopInCommitAsync),
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

    private static async Task StopInCommitAsync(FaultRun run)
    {
        // The host gives its threads 15 s; the process may take a moment more.
        TimeSpan stopsWithin = TimeSpan.FromSeconds(18);
        await using FaultLab lab = await FaultLab.OpenAsync();
        KafkaProxy proxy = lab.Cluster.Proxy!;
        await lab.FeedAsync(200);
        ProcessorProcess processor = lab.Start("a", proxied: true, threads: 2);
        await lab.RunningAsync();
        run.RecoveryIs = "from SIGTERM to the end of the process";
        for (int times = run.Times(24, 2); run.Injected < times; run.Injected++)
        {
            // Two requests and four endings, so that the short form has the frame that comes after a successor, and one that is lost.
            KafkaApi api = run.Injected % 2 == 0 ? KafkaApi.EndTxn : KafkaApi.TxnOffsetCommit;
            FrameEnding ending = (FrameEnding)((run.Injected / 2 + run.Injected) % 4);
            HeldFrame frame = proxy.Hold(api);
            await Eventually.TrueAsync(() => frame.IsHere, FaultLab.Deadline, () => $"no {api} came\n{lab.Said}");
            DateTimeOffset told = FaultLab.Now;
            await processor.SignalAsync("TERM");
            await lab.SaysAsync(processor, "Stopping");
            if (ending == FrameEnding.Arrives) { frame.Forward(); }
            if (ending == FrameEnding.IsLost) { frame.Lose(); }
            int code = await processor.ExitAsync(stopsWithin);
            run.Recovered(FaultLab.Now - told);
            Assert.True(code == 0, $"exit {code} after SIGTERM\n{processor.Said}");
            await lab.ForgetAsync(processor);
            if (ending == FrameEnding.ArrivesAfterItsProcess) { frame.Forward(); }
            DateTimeOffset restarted = FaultLab.Now;
            processor = lab.Start("a", proxied: true, threads: 2);
            await lab.Watch.RecoveredAsync(restarted, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3);
            if (ending == FrameEnding.ArrivesAfterItsSuccessor)
            {
                frame.Forward();
                await lab.RunningAsync();
            }
        }

        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }

    private enum FrameEnding { ArrivesAfterItsSuccessor, IsLost, Arrives, ArrivesAfterItsProcess }

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
        await using FaultLab lab = await FaultLab.OpenAsync();
        string library = Path.Combine(lab.Payments.Folder, "clock.so"), offset = Path.Combine(lab.Payments.Folder, "clock");
        string source = Path.Combine(TestEnvironment.Root, "tests", "PolicyStreams.Faults.Tests", "Lab", "clock.c");
        try
        {
            (await Run.ProgramAsync("cc", ["-shared", "-fPIC", "-o", library, source, "-ldl"], TimeSpan.FromMinutes(1))).Succeeded();
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("clock: no C compiler to make the library with that moves it.");
        }

        DateTimeOffset started = FaultLab.Now;
        await MoveAsync(0);
        var environment = new Dictionary<string, string> { ["LD_PRELOAD"] = library, ["CLOCK_OFFSET_FILE"] = offset };
        await lab.FeedAsync(100);
        ProcessorProcess processor = lab.Start("a", threads: 2, environment: environment);
        await lab.Watch.DecidedAsync(200, FaultLab.Deadline, () => lab.Said);
        run.RecoveryIs = "from the move until 100 more records are decided (a second's feed)";
        foreach (int moved in run.Full ? (int[])[3600, 0, -3600, 0, 3600, -3600, 0] : [3600, -3600])
        {
            long before = lab.Watch.Decided;
            DateTimeOffset at = FaultLab.Now;
            await MoveAsync(moved);
            run.Injected++;
            await lab.Watch.DecidedAsync(before + 100, FaultLab.Deadline, () => lab.Said);
            run.Recovered(FaultLab.Now - at);
            await lab.Watch.DecidedAsync(before + 600, FaultLab.Deadline, () => lab.Said);
        }

        Assert.Contains(Ledger.ReadAll(lab.Cluster.Bootstrap, null, lab.Payments.Decisions), record => Time(record) > FaultLab.Now.AddMinutes(30));

        async Task MoveAsync(long seconds)
        {
            // In place: the process has the file in its memory.
            await using var file = new FileStream(offset, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite);
            await file.WriteAsync(BitConverter.GetBytes(seconds));
        }

        static DateTimeOffset Time(LedgerRecord record) => System.Text.Json.JsonDocument.Parse(record.Value!).RootElement.GetProperty("time").GetDateTimeOffset();

        await lab.DrainAsync();
        Ledger ledger = await lab.VerifyAsync(run);

        // None expires while the clock is ahead of the broker's. One that was taken while the clock was an hour behind has that clock's time, and expires by it.
        Dictionary<string, DateTimeOffset> decided = [];
        int expired = 0;
        foreach (LedgerRecord record in Ledger.ReadAll(lab.Cluster.Bootstrap, null, lab.Payments.Decisions))
        {
            System.Text.Json.JsonElement decision = System.Text.Json.JsonDocument.Parse(record.Value!).RootElement;
            string name = decision.GetProperty("event").GetString()!;
            if (name == "decided") { decided[decision.GetProperty("id").GetString()!] = Time(record); }
            if (name != "expired") { continue; }
            expired++;
            string id = decision.GetProperty("id").GetString()!;
            Assert.True(decided[id[..id.LastIndexOf('/')]] < started.AddMinutes(-30), $"{id} of {decided[id[..id.LastIndexOf('/')]]:O} expired at {Time(record):O}");
        }

        run.Note = $"{ledger.Outcomes.GetValueOrDefault("hold")} holds; none expired by the clock that was ahead, {expired} that were taken while it was behind by the right one";
    }
}
