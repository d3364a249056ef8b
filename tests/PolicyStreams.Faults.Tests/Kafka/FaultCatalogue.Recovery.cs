using PolicyStreams.Faults.Tests.Lab;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Faults.Tests.Kafka;

/// <summary>How long a restart takes under other settings than those that P7 is promised for.</summary>
internal static partial class FaultCatalogue
{
    private static Fault[] RecoveryFaults =>
    [
        new("recovery-slot", "SIGKILL, restarted in its slot: classic protocol, static member; session 6 s, transaction 10 s", false, run => RecoverAsync(run, 10, sameSlot: true)),
        new("recovery-other-slot", "SIGKILL, restarted in another slot: classic protocol, static member; session 6 s, transaction 10 s", false, run => RecoverAsync(run, 5, sameSlot: false)),
        new("recovery-session-45", "the same with session.timeout.ms=45000", false, run => RecoverAsync(run, 2, sameSlot: false, "session.timeout.ms=45000", "heartbeat.interval.ms=3000")),
        new("recovery-cooperative", "SIGKILL, restarted in its slot: cooperative-sticky assignor", false, run => RecoverAsync(run, 5, sameSlot: true, "partition.assignment.strategy=cooperative-sticky")),
        new("recovery-consumer", "SIGKILL, restarted: consumer protocol of Kafka 4, dynamic member; session 45 s (the broker's), transaction 10 s", false, run => RecoverAsync(run, 2, sameSlot: true, "group.protocol=consumer")),
    ];

    private static async Task RecoverAsync(FaultRun run, int times, bool sameSlot, params string[] settings)
    {
        await using FaultLab lab = await FaultLab.OpenAsync();
        string[] more = settings.Length == 0 ? [] : ["--kafka-config", lab.KafkaConfig("settings", settings)];
        await lab.FeedAsync(100);
        ProcessorProcess processor = lab.Start("slot-0", more: more);
        await lab.RunningAsync();
        run.RecoveryIs = "from the restarted process's first instruction until every partition commits";
        for (; run.Injected < run.Times(times, 1); run.Injected++)
        {
            await Task.Delay(run.Random.Next(500));
            await processor.KillAsync();
            await lab.ForgetAsync(processor);
            DateTimeOffset restarted = FaultLab.Now;
            processor = lab.Start(sameSlot ? "slot-0" : $"slot-{run.Injected + 1}", more: more);
            run.Recovered(await lab.Watch.RecoveredAsync(restarted, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
        }

        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }
}
