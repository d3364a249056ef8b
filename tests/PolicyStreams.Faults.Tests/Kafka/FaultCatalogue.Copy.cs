using PolicyStreams.Faults.Tests.Lab;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Faults.Tests.Kafka;

/// <summary>Kafka's own acceptance test of transactions, in our form: records are copied under hard and clean bounces of brokers and of processors.</summary>
internal static partial class FaultCatalogue
{
    private static Fault[] CopyFaults =>
    [
        new("copy", "100,000 records a round are copied while brokers and processors are bounced, hard and clean; three rounds, three brokers", false, CopyAsync),
    ];

    private static async Task CopyAsync(FaultRun run)
    {
        int rounds = run.Times(3, 1), records = run.Times(100_000, 10_000);
        run.RecoveryIs = "from a bounce's end until every partition commits";
        for (int round = 0; round < rounds; round++)
        {
            await using FaultLab lab = await FaultLab.OpenAsync(brokers: 3);
            await lab.FeedAsync(100_000, lines: records, once: true);
            ProcessorProcess[] processors = [lab.Start("a"), lab.Start("b")];
            Task<long> fed = lab.Feeder.AllAsync();
            int slot = 0;
            while (lab.Watch.Decided < records * 9 / 10 || !fed.IsCompleted)
            {
                bool hard = run.Random.Next(2) == 0;
                if (run.Random.Next(3) == 0)
                {
                    int broker = run.Random.Next(1, 4);
                    if (hard) { await lab.Cluster.KillAsync(broker); }
                    else { await lab.Cluster.StopAsync(broker); }
                    await lab.Cluster.ReviveAsync(broker);
                    await lab.Cluster.InSyncAsync(lab.Payments.Raw, lab.Payments.Decisions, lab.Payments.State, "__transaction_state", "__consumer_offsets");
                }
                else
                {
                    slot = 1 - slot;
                    if (hard) { await processors[slot].KillAsync(); }
                    else { await processors[slot].StopAsync(); }
                    await lab.ForgetAsync(processors[slot]);
                    processors[slot] = lab.Start(slot == 0 ? "a" : "b");
                }

                run.Injected++;
                if (lab.Watch.Decided < records * 9 / 10) { run.Recovered(await lab.Watch.RecoveredAsync(FaultLab.Now, FaultLab.Deadline, () => lab.Said)); }
                await Task.Delay(run.Random.Next(1000));
            }

            await fed;
            await lab.DrainAsync();
            await lab.VerifyAsync(run);
        }
    }
}
