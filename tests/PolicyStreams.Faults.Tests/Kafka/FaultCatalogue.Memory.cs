using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Confluent.Kafka;
using PolicyStreams.Faults.Tests.Lab;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Faults.Tests.Kafka;

/// <summary>Memory is bounded whatever comes in: backlogs of every shape while the broker's answers stop, become slow, and stop again, and holds are full.</summary>
internal static partial class FaultCatalogue
{
    private const int MemoryThreads = 2;
    private const int MemoryHoldsMax = 20;

    // docs/operations, How much memory. A thread: 2 x (32 + 16) MiB of records fetched and in hand, 2 x 32 of outputs, 2 x 32 of what is assigned; two of them, 128 for the process, and a third for what an allocator keeps.
    private const long MemoryMebibytesMax = 768;

    private static Fault[] MemoryFaults =>
    [
        new("back-pressure", "a backlog of large and of small records while the broker's answers stop for 12 s, come 300 ms late, and stop again, holds are full, and approvals are flooded", false, BackPressureAsync),
    ];

    /// <summary>What a backlog is of: so many bytes in the value, in a header, and in the key of each record.</summary>
    private sealed record Bulk(string What, int Records, int Value, int Header = 0, int Key = 0);

    private static readonly Bulk[] s_bulks =
    [
        new("1 MB values", 600, Value: 1_000_000),
        new("100 B values", 400_000, Value: 100),
        new("1 MB headers", 600, Value: 100, Header: 1_000_000),
        new("1 MB keys", 600, Value: 100, Key: 1_000_000),
    ];

    private static async Task BackPressureAsync(FaultRun run)
    {
        string only = TestEnvironment.Variable("POLICYSTREAMS_FAULTS_BULK") ?? "";
        run.RecoveryIs = "from the answers' return until every partition commits";
        var peaks = new List<string>();
        foreach (Bulk bulk in s_bulks.Where(bulk => bulk.What.Contains(only, StringComparison.Ordinal)))
        {
            long peak = await BulkAsync(run, bulk);
            peaks.Add(string.Create(CultureInfo.InvariantCulture, $"{bulk.What} {peak} MiB"));
            Console.WriteLine("back-pressure: " + peaks[^1]);
        }

        run.Note = $"largest resident size, {MemoryThreads} threads, {MemoryMebibytesMax} MiB allowed: {string.Join(", ", peaks)}";
    }

    private static async Task<long> BulkAsync(FaultRun run, Bulk bulk)
    {
        await using FaultLab lab = await FaultLab.OpenAsync(edit: BulkPolicy);
        KafkaProxy proxy = lab.Cluster.Proxy!;
        BulkFeed(lab, bulk);
        proxy.Inject(FrameFate.Late, 1_000_000, TimeSpan.FromMilliseconds(300), KafkaApi.Produce);
        ProcessorProcess processor = lab.Start("a", proxied: true, threads: MemoryThreads, more: ["--holds-max", MemoryHoldsMax.ToString(CultureInfo.InvariantCulture)]);
        await lab.Watch.RecoveredAsync(DateTimeOffset.UnixEpoch, FaultLab.Deadline, () => lab.Said);
        for (int i = 0; i < 2; i++, run.Injected++)
        {
            // Past the transaction's timeout; fetches are answered all the while, so that what comes in piles up wherever it can.
            proxy.Stall(KafkaApi.Produce);
            await Task.Delay(TimeSpan.FromSeconds(12));
            proxy.Flow();
            run.Recovered(await lab.Watch.RecoveredAsync(FaultLab.Now, FaultLab.Deadline, () => lab.Said));
        }

        proxy.Clear();
        await lab.Watch.DecidedAsync(bulk.Records, 2 * FaultLab.Deadline, () => lab.Said);
        long peak = PeakMebibytes(processor);
        Assert.True(peak <= MemoryMebibytesMax, string.Create(CultureInfo.InvariantCulture, $"{bulk.What}: {peak} MiB at most, and {MemoryMebibytesMax} are allowed"));
        Assert.Contains("as many as `holdsMax` allows", processor.Said, StringComparison.Ordinal);
        await lab.StopAllAsync();
        await lab.VerifyAsync(run, bytes: false);
        return peak;
    }

    /// <summary>The largest resident size that a process has had.</summary>
    private static long PeakMebibytes(ProcessorProcess processor)
    {
        string line = File.ReadLines($"/proc/{processor.Id}/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(Regex.Match(line, "[0-9]+").Value, CultureInfo.InvariantCulture) / 1024;
    }

    private static string BulkPolicy(string text)
    {
        string name = Regex.Match(text, "- name: (payments[0-9a-f]+) ").Groups[1].Value;
        return $$"""
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: {{name}}, owner: bulk }
            bindings:
              - { name: {{name}}, format: json, key_format: bytes, partitions: {{FaultLab.Partitions}}, identity: none, topics: { decisions: decisions.{{name}}, routes: [governed.{{name}}.eu] } }
            limits: { record_bytes: 2097152 }
            on_error: deny
            on_schema_mismatch: deny
            rules:
              - { id: large, when: value.amount > 1000.0, hold: { approvers: [risk], quorum: 1, expires: 5s, on_expiry: deny, reason: large } }
              - { id: closed, when: value.amount < 0.0, deny: { reason: negative } }
              - { id: card, mask: { field: card, keep_last: 4 } }
            """;
    }

    /// <summary>All of it before the processor starts: allowed, denied, and held by turns, and statements on holds that never were.</summary>
    private static void BulkFeed(FaultLab lab, Bulk bulk)
    {
        using IProducer<byte[]?, byte[]?> producer = new ProducerBuilder<byte[]?, byte[]?>(
            new ProducerConfig { BootstrapServers = lab.Cluster.Bootstrap, EnableIdempotence = true, LingerMs = 20, MessageMaxBytes = 1_048_576, QueueBufferingMaxKbytes = 65_536 }).SetLogHandler((_, _) => { }).Build();
        string? failure = null;
        for (int i = 0; i < bulk.Records; i++)
        {
            // Held ones fill each partition three times: it goes on only as they expire.
            bool hold = i / FaultLab.Partitions % (bulk.Records / FaultLab.Partitions / (3 * MemoryHoldsMax)) == 0;
            string amount = hold ? "5000" : i % 10 == 7 ? "-1" : "1";
            string start = $$"""{"n":{{i}},"amount":{{amount}},"card":"4111111111111111","pad":" """;
            string pad = Convert.ToBase64String(RandomNumberGenerator.GetBytes(Math.Max(0, bulk.Value - start.Length - 2) * 3 / 4 / 3 * 3));
            var message = new Message<byte[]?, byte[]?>
            {
                Key = bulk.Key == 0 ? null : RandomNumberGenerator.GetBytes(bulk.Key),
                Value = Encoding.UTF8.GetBytes($$"""{{start}}{{pad}}"}"""),
                Headers = bulk.Header == 0 ? [] : new Headers { { "bulk", RandomNumberGenerator.GetBytes(bulk.Header) } },
            };
            Send(new TopicPartition(lab.Payments.Raw, i % FaultLab.Partitions), message);
        }

        for (int i = 0; i < 8_000; i++)
        {
            Send(new TopicPartition(lab.Payments.Approvals, i % FaultLab.Partitions), new Message<byte[]?, byte[]?> { Key = Encoding.UTF8.GetBytes($"{lab.Payments.Raw}-{i % FaultLab.Partitions}-900000000"), Value = RandomNumberGenerator.GetBytes(2_000) });
        }

        Assert.Equal(0, producer.Flush(TimeSpan.FromMinutes(3)));
        Assert.Null(failure);

        void Send(TopicPartition to, Message<byte[]?, byte[]?> message)
        {
            while (true)
            {
                try
                {
                    producer.Produce(to, message, report => failure ??= report.Error.IsError ? report.Error.Reason : null);
                    return;
                }
                catch (ProduceException<byte[]?, byte[]?> e) when (e.Error.Code == ErrorCode.Local_QueueFull)
                {
                    producer.Poll(TimeSpan.FromMilliseconds(20));
                }
            }
        }
    }
}
