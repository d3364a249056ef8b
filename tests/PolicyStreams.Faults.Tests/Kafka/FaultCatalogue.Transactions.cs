using System.Text.RegularExpressions;
using Confluent.Kafka;
using PolicyStreams.Faults.Tests.Lab;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Faults.Tests.Kafka;

/// <summary>Requests and responses of transactions that are held or lost on the way.</summary>
internal static partial class FaultCatalogue
{
    private static Fault[] TransactionFaults =>
    [
        new("end-request-lost", "EndTxn never arrives, and the connection breaks", true, run => LoseAsync(run, FrameFate.RequestLost, TimeSpan.Zero, 20, KafkaApi.EndTxn)),
        new("end-response-lost", "EndTxn is done, and its answer never arrives", true, run => LoseAsync(run, FrameFate.ResponseLost, TimeSpan.Zero, 20, KafkaApi.EndTxn)),
        new("end-late", "EndTxn arrives 3 s late", false, run => LoseAsync(run, FrameFate.Late, TimeSpan.FromSeconds(3), 10, KafkaApi.EndTxn)),
        new("end-too-late", "EndTxn arrives 14 s late, when the transaction has timed out (10 s)", false, run => LoseAsync(run, FrameFate.Late, TimeSpan.FromSeconds(14), 5, KafkaApi.EndTxn)),
        new("step-request-lost", "requests of a transaction's other steps never arrive", false, run => LoseAsync(run, FrameFate.RequestLost, TimeSpan.Zero, 60, s_steps)),
        new("step-response-lost", "their answers never arrive", false, run => LoseAsync(run, FrameFate.ResponseLost, TimeSpan.Zero, 60, s_steps)),
        new("network-cut", "no connection to the broker for 30 s", false, NetworkCutAsync),
        new("hanging-transaction", "a transaction on state or held that nobody ends, aborted with the command that the processor names", false, HangingTransactionAsync),
        new("transaction-timeout", "SIGSTOP past the transaction's timeout within the session, then SIGCONT", false, TransactionTimeoutAsync),
    ];

    private static readonly KafkaApi[] s_steps = [KafkaApi.Produce, KafkaApi.AddPartitionsToTxn, KafkaApi.AddOffsetsToTxn, KafkaApi.TxnOffsetCommit, KafkaApi.InitProducerId];

    private static async Task LoseAsync(FaultRun run, FrameFate fate, TimeSpan delay, int times, params KafkaApi[] apis)
    {
        await using FaultLab lab = await FaultLab.OpenAsync();
        KafkaProxy proxy = lab.Cluster.Proxy!;
        int before = proxy.Injected;
        await lab.FeedAsync(200);
        lab.Start("a", proxied: true, threads: 2);
        await lab.RunningAsync();
        run.RecoveryIs = "from the frame until something decided after it is visible";
        for (int i = 0, rounds = run.Times(times, 2); i < rounds; i++)
        {
            int injected = proxy.Injected;
            // Several in a row now and then: what is tried again may be lost again.
            proxy.Inject(fate, delay > TimeSpan.Zero ? 1 : run.Random.Next(1, 4), delay, apis.Length == 1 ? apis : [apis[i % apis.Length]]);
            if (apis.Length > 1 && apis[i % apis.Length] == KafkaApi.InitProducerId)
            {
                // Asked for only when a producer is made.
                proxy.Inject(FrameFate.RequestLost, 1, TimeSpan.Zero, KafkaApi.EndTxn);
            }

            await Eventually.TrueAsync(() => proxy.Injected > injected, FaultLab.Deadline, () => $"no {apis[0]} came\n{lab.Said}");
            DateTimeOffset lost = FaultLab.Now;
            run.Recovered(await lab.Watch.RecoveredAsync(lost, FaultLab.Deadline, () => lab.Said));
            await Task.Delay(run.Random.Next(300));
        }

        proxy.Clear();
        run.Injected = proxy.Injected - before;
        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }

    private static async Task NetworkCutAsync(FaultRun run)
    {
        await using FaultLab lab = await FaultLab.OpenAsync();
        await lab.FeedAsync(200);
        lab.Start("a", proxied: true, threads: 2);
        await lab.RunningAsync();
        run.RecoveryIs = "from the network's return until every partition commits";
        for (int times = run.Times(3, 1); run.Injected < times; run.Injected++)
        {
            lab.Cluster.Proxy!.Cut();
            await Task.Delay(TimeSpan.FromSeconds(30));
            lab.Cluster.Proxy.Mend();
            run.Recovered(await lab.Watch.RecoveredAsync(FaultLab.Now, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
        }

        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }

    private static async Task HangingTransactionAsync(FaultRun run)
    {
        await using FaultLab lab = await FaultLab.OpenAsync();
        await lab.FeedAsync(200);
        ProcessorProcess processor = lab.Start("a", threads: 2);
        await lab.RunningAsync();
        run.RecoveryIs = "from the abort until every partition commits";
        for (int times = run.Times(4, 1); run.Injected < times; run.Injected++)
        {
            // Another writer's, that lasts as long as the broker lets it: to whoever reads it is the same as one whose end the broker has lost.
            string topic = run.Injected % 2 == 0 ? lab.Payments.State : lab.Payments.Held;
            int partition = run.Random.Next(FaultLab.Partitions);
            using IProducer<byte[], byte[]> other = new ProducerBuilder<byte[], byte[]>(
                new ProducerConfig { BootstrapServers = lab.Cluster.Bootstrap, TransactionalId = $"other-{run.Injected}", TransactionTimeoutMs = 900_000 }).SetLogHandler((_, _) => { }).Build();
            other.InitTransactions(TimeSpan.FromSeconds(20));
            other.BeginTransaction();
            await other.ProduceAsync(new TopicPartition(topic, partition), new Message<byte[], byte[]> { Key = "other"u8.ToArray(), Value = "other"u8.ToArray() });
            await processor.KillAsync();
            await lab.ForgetAsync(processor);
            processor = lab.Start("a", threads: 2);
            string[] abort = [];
            await Eventually.TrueAsync(
                () =>
                {
                    Match command = Regex.Match(processor.Said, $"abort (--topic {Regex.Escape(topic)} --partition {partition} --start-offset [0-9]+)`");
                    abort = command.Success ? command.Groups[1].Value.Split(' ') : [];
                    return command.Success;
                },
                FaultLab.Deadline,
                () => $"it never named the transaction on {topic}-{partition}\n{lab.Said}");
            (await lab.Cluster.ToolAsync("transactions", ["abort", .. abort])).Succeeded();
            run.Recovered(await lab.Watch.RecoveredAsync(FaultLab.Now, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
        }

        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }

    private static async Task TransactionTimeoutAsync(FaultRun run)
    {
        await using FaultLab lab = await FaultLab.OpenAsync();
        string config = lab.KafkaConfig("long-session", "session.timeout.ms=40000", "heartbeat.interval.ms=3000");
        await lab.FeedAsync(200);
        ProcessorProcess processor = lab.Start("a", threads: 2, more: ["--kafka-config", config]);
        await lab.RunningAsync();
        run.RecoveryIs = "from SIGCONT until every partition commits";
        for (int times = run.Times(5, 1); run.Injected < times; run.Injected++)
        {
            await processor.SignalAsync("STOP");
            await Task.Delay(TimeSpan.FromSeconds(13));
            await processor.SignalAsync("CONT");
            run.Recovered(await lab.Watch.RecoveredAsync(FaultLab.Now, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
            await Task.Delay(run.Random.Next(500));
        }

        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }
}
