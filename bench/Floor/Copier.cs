using System.Diagnostics;
using System.Globalization;
using System.Text;
using Confluent.Kafka;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Kafka;

namespace PolicyStreams.Bench.Floor;

/// <summary>
/// The project's own floor: reads an ingress topic and writes every record unchanged to the governed one, on the very clients that the processor uses, offsets in the transaction.
/// No decoding, no rule, no mask. With <c>--decisions</c> it adds a record of a decision's size for each. One JSON line when nothing has come for a while.
/// </summary>
internal static class Copier
{
    private const int PollMax = 2000;
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(60);

    // As long as a decision of the reference job with an audit key.
    private static readonly byte[] DecisionTail = Encoding.UTF8.GetBytes(new string('x', 455));

    /// <summary>Runs <c>copier --bootstrap B --group G [--decisions] [--managed] [--commit-ms 100]</c>.</summary>
    public static int Run(string[] arguments)
    {
        string bootstrap = Option(arguments, "--bootstrap") ?? throw new ArgumentException("copier --bootstrap B --group G [--decisions] [--managed] [--commit-ms 100]");
        string group = Option(arguments, "--group") ?? "floor";
        bool decisions = arguments.Contains("--decisions");
        var interval = TimeSpan.FromMilliseconds(int.Parse(Option(arguments, "--commit-ms") ?? "100", CultureInfo.InvariantCulture));
        var clients = new KafkaClients(new ProcessorOptions { Bootstrap = bootstrap, Group = group, RecordPath = arguments.Contains("--managed") ? RecordPath.Managed : RecordPath.Native });
        ConsumerConfig config = clients.GroupConsumer(group + "-0");
        config.AutoOffsetReset = AutoOffsetReset.Earliest;
        using IConsumer<byte[]?, byte[]?> consumer = new ConsumerBuilder<byte[]?, byte[]?>(config).SetKeyDeserializer(Deserializers.ByteArray!).SetValueDeserializer(Deserializers.ByteArray!).Build();
        using RecordReader reader = clients.Reader(consumer, PollMax);
        using OutputProducer producer = clients.TransactionalProducer(group + "-0", Console.Error.WriteLine);
        producer.Initialize(TimeSpan.FromSeconds(30));
        consumer.Subscribe("raw.payments");

        var next = new Dictionary<TopicPartition, long>();
        using var self = Process.GetCurrentProcess();
        long records = 0, commits = 0, openedAt = 0, firstAt = 0, seenAt = Stopwatch.GetTimestamp(), lastAt = 0;
        TimeSpan firstCpu = default, lastCpu = default;
        bool open = false;
        IConsumerGroupMetadata? metadata = null;
        byte[] id = new byte[64];
        byte[] decision = new byte[64 + DecisionTail.Length];
        FetchedRecord record = default;
        while (Stopwatch.GetElapsedTime(seenAt) < (records == 0 ? FirstWait : Idle))
        {
            reader.Fetch(TimeSpan.FromMilliseconds(10), PollMax);
            while (reader.TryTake(ref record))
            {
                if (record.Error is not null) { continue; }
                seenAt = Stopwatch.GetTimestamp();
                if (records == 0)
                {
                    firstAt = seenAt;
                    self.Refresh();
                    firstCpu = self.TotalProcessorTime;
                }

                if (!open)
                {
                    metadata = reader.CaptureGroup();
                    producer.Begin();
                    open = true;
                    openedAt = Stopwatch.GetTimestamp();
                }

                producer.Send(new OutputRecord
                {
                    Topic = "governed.payments",
                    Partition = record.Partition.Partition.Value,
                    HasKey = record.HasKey,
                    Key = record.Key,
                    HasValue = record.HasValue,
                    Value = record.Value,
                    TimestampMs = record.TimestampMs,
                });
                if (decisions)
                {
                    "raw.payments-"u8.CopyTo(id);
                    _ = record.Partition.Partition.Value.TryFormat(id.AsSpan(13), out int digits, default, CultureInfo.InvariantCulture);
                    id[13 + digits] = (byte)'-';
                    _ = record.Offset.TryFormat(id.AsSpan(14 + digits), out int more, default, CultureInfo.InvariantCulture);
                    int length = 14 + digits + more;
                    id.AsSpan(0, length).CopyTo(decision);
                    DecisionTail.CopyTo(decision.AsSpan(length));
                    producer.Send(new OutputRecord
                    {
                        Topic = "decisions",
                        Partition = record.Partition.Partition.Value,
                        HasKey = true,
                        Key = id.AsSpan(0, length),
                        HasValue = true,
                        Value = decision.AsSpan(0, length + DecisionTail.Length),
                        TimestampMs = record.TimestampMs,
                    });
                }

                next[record.Partition] = record.Offset + 1;
                records++;
            }

            producer.Poll();
            if (!open || Stopwatch.GetElapsedTime(openedAt) < interval) { continue; }
            TransactionOutcome outcome = producer.Commit([.. next.Select(pair => new TopicPartitionOffset(pair.Key, pair.Value))], metadata!);
            if (outcome != TransactionOutcome.Committed)
            {
                Console.Error.WriteLine($"copier: {outcome}: {producer.LastError}");
                return 1;
            }

            open = false;
            commits++;
            lastAt = Stopwatch.GetTimestamp();
            self.Refresh();
            lastCpu = self.TotalProcessorTime;
        }

        double seconds = Stopwatch.GetElapsedTime(firstAt, lastAt).TotalSeconds;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{{\"command\":\"floor\",\"decisions\":{(decisions ? "true" : "false")},\"records\":{records},\"seconds\":{seconds:0.000},\"records_per_s\":{records / seconds:0},\"cpu_s\":{lastCpu.TotalSeconds:0.000},\"cpu_drain_s\":{(lastCpu - firstCpu).TotalSeconds:0.000},\"cpu_us_per_record\":{(lastCpu - firstCpu).TotalMicroseconds / records:0.00},\"commits\":{commits},\"peak_rss_mb\":{self.PeakWorkingSet64 / 1048576.0:0.0}}}"));
        return 0;
    }

    private static string? Option(string[] arguments, string name)
    {
        int at = Array.IndexOf(arguments, name);
        return at >= 0 && at + 1 < arguments.Length ? arguments[at + 1] : null;
    }
}
