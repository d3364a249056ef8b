using System.Diagnostics;
using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using PolicyStreams.Faults.Tests.Lab;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Faults.Tests.Kafka;

/// <summary>Brokers that end, move, and fill up.</summary>
internal static partial class FaultCatalogue
{
    private static Fault[] BrokerFaults =>
    [
        new("broker-kill-1", "SIGKILL of the only broker, started again", false, BrokerKillAsync),
        new("broker-kill-3", "SIGKILL of one of three brokers in turn, started again", false, BrokerKillOfThreeAsync),
        new("leadership", "every partition's leader moved every few seconds, on three brokers", false, LeadershipAsync),
        new("disk-full", "the broker's disk fills up (a tmpfs), and is emptied again", false, DiskFullAsync),
    ];

    /// <summary>For a lone broker, so that it seldom loses the end of a transaction when it starts again (<see cref="KafkaLostAnEndException"/>): its old session is soon over, and it looks for aged transactions only later.</summary>
    private static readonly string[] s_lone = ["broker.session.timeout.ms=1500", "broker.heartbeat.interval.ms=300", "transaction.abort.timed.out.transaction.cleanup.interval.ms=60000"];

    private static async Task BrokerKillAsync(FaultRun run)
    {
        await using FaultLab lab = await FaultLab.OpenAsync(cluster: await Cluster.StartAsync(1, s_lone));
        await lab.FeedAsync(200);
        lab.Start("a", threads: 2);
        await lab.RunningAsync();
        run.RecoveryIs = "from the broker's port being open again until every partition commits";
        for (int times = run.Times(8, 1); run.Injected < times; run.Injected++)
        {
            await Task.Delay(run.Random.Next(200, 1200));
            await lab.Cluster.KillAsync(1);
            await Task.Delay(run.Random.Next(0, 1500));
            await lab.Cluster.ReviveAsync(1);
            run.Recovered(await lab.Watch.RecoveredAsync(FaultLab.Now, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
        }

        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }

    private static async Task BrokerKillOfThreeAsync(FaultRun run)
    {
        await using FaultLab lab = await FaultLab.OpenAsync(brokers: 3);
        await lab.FeedAsync(150);
        lab.Start("a", threads: 2);
        await lab.RunningAsync();
        run.RecoveryIs = "from SIGKILL until every partition commits, with two brokers left";
        for (int times = run.Times(9, 2); run.Injected < times; run.Injected++)
        {
            int broker = 1 + (run.Injected % 3);
            await lab.Cluster.KillAsync(broker);
            run.Recovered(await lab.Watch.RecoveredAsync(FaultLab.Now, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
            await lab.Cluster.ReviveAsync(broker);
            await lab.Cluster.InSyncAsync(lab.Payments.Raw, lab.Payments.Decisions, lab.Payments.State, "__transaction_state", "__consumer_offsets");
        }

        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }

    private static async Task LeadershipAsync(FaultRun run)
    {
        await using FaultLab lab = await FaultLab.OpenAsync(brokers: 3);
        await lab.FeedAsync(150);
        lab.Start("a", threads: 2);
        await lab.RunningAsync();
        run.RecoveryIs = "from the election until every partition commits";
        using IAdminClient admin = lab.Cluster.Admin();
        List<TopicPartition> all =
        [
            .. new[] { lab.Payments.Raw, lab.Payments.Decisions, lab.Payments.State, lab.Payments.Held, lab.Payments.Governed, lab.Payments.Rejected, lab.Payments.Approvals, "__transaction_state", "__consumer_offsets" }
                .SelectMany(topic => admin.GetMetadata(topic, TimeSpan.FromSeconds(20)).Topics[0].Partitions.Select(partition => new TopicPartition(topic, partition.PartitionId))),
        ];
        for (int times = run.Times(30, 3); run.Injected < times; run.Injected++)
        {
            await Leadership.MoveAsync(lab.Cluster.Bootstrap.Split(',')[0], admin, all, run.Injected);
            run.Recovered(await lab.Watch.RecoveredAsync(FaultLab.Now, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
            await Task.Delay(run.Random.Next(500, 2500));
        }

        run.Note = string.Create(CultureInfo.InvariantCulture, $"{all.Count} partitions each time, those of transactions and offsets included");
        await lab.DrainAsync();
        await lab.VerifyAsync(run);
    }

    private static async Task DiskFullAsync(FaultRun run)
    {
        if (Environment.UserName != "root") { Assert.Skip("disk-full: mounting a tmpfs takes root."); }
        string disk = Directory.CreateTempSubdirectory("policystreams-disk-").FullName;
        if ((await Run.ProgramAsync("mount", ["-t", "tmpfs", "-o", "size=160m", "tmpfs", disk], TimeSpan.FromSeconds(10))).ExitCode != 0) { Assert.Skip("disk-full: a tmpfs cannot be mounted here."); }
        try
        {
            string data = Path.Combine(disk, "data");
            Cluster cluster = await Cluster.StartAsync(1, [.. s_lone, $"log.dirs={data}", "log.segment.bytes=1048576", "log.index.size.max.bytes=4096", "offsets.topic.segment.bytes=1048576", "transaction.state.log.segment.bytes=1048576"]);
            await using FaultLab lab = await FaultLab.OpenAsync(cluster: cluster);
            await lab.FeedAsync(200);
            lab.Start("a", threads: 2);
            await lab.RunningAsync();
            run.RecoveryIs = "from the broker's port being open again until every partition commits";
            string filler = Path.Combine(disk, "filler");
            for (int times = run.Times(3, 1); run.Injected < times; run.Injected++)
            {
                await Fill(filler);
                long stuck = lab.Watch.Decided;
                long seen = Stopwatch.GetTimestamp();

                // The broker notices when it cannot write: it ends, or answers with errors.
                await Eventually.TrueAsync(
                    () =>
                    {
                        long now = lab.Watch.Decided;
                        if (now != stuck) { (stuck, seen) = (now, Stopwatch.GetTimestamp()); }
                        return Stopwatch.GetElapsedTime(seen) > TimeSpan.FromSeconds(5);
                    },
                    FaultLab.Deadline,
                    () => "the disk is full, and records are still decided");
                File.Delete(filler);
                string pid = Path.Combine(lab.Cluster.Folder, "broker-1.pid");
                bool ended = !Directory.Exists($"/proc/{(await File.ReadAllTextAsync(pid)).Trim()}");
                if (!ended) { await lab.Cluster.KillAsync(1); }
                await lab.Cluster.ReviveAsync(1);
                run.Note = ended ? "the broker ended by itself" : "the broker lived on with its log directory offline, and was killed";
                run.Recovered(await lab.Watch.RecoveredAsync(FaultLab.Now, FaultLab.Deadline, () => lab.Said, 0, 1, 2, 3));
            }

            await lab.DrainAsync();
            await lab.VerifyAsync(run);
        }
        finally
        {
            await Run.ProgramAsync("umount", ["-l", disk], TimeSpan.FromSeconds(10));
        }
    }

    private static async Task Fill(string file)
    {
        await using FileStream filler = File.Create(file);
        byte[] block = new byte[64 * 1024];
        try
        {
            while (true) { await filler.WriteAsync(block); }
        }
        catch (IOException)
        {
            // Full.
        }
    }
}
