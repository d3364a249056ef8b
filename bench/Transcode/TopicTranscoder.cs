using System.Diagnostics;
using System.Globalization;
using Confluent.Kafka;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Bench.Transcode;

/// <summary>
/// Copies a topic of JSON payments to another, each value brought into another form: same partition, order, key, headers, and timestamp. The reference job's loader writes Avro and JSON only; this makes the same records
/// in the other formats. One JSON line at the end.
/// </summary>
internal static class TopicTranscoder
{
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(60);

    /// <summary>Runs <c>transcode --bootstrap B --format protobuf|json-schema [--from source.payments] [--to raw.payments]</c>.</summary>
    /// <remarks>The topic that is written must have as many partitions as the one that is read, and no records.</remarks>
    public static int Run(string[] arguments)
    {
        const string usage = "transcode --bootstrap B --format protobuf|json-schema [--from source.payments] [--to raw.payments]";
        string bootstrap = Option(arguments, "--bootstrap") ?? throw new ArgumentException(usage);
        string format = Option(arguments, "--format") ?? throw new ArgumentException(usage);
        if (format is not ("protobuf" or "json-schema")) { throw new ArgumentException(usage); }
        string from = Option(arguments, "--from") ?? "source.payments";
        string to = Option(arguments, "--to") ?? "raw.payments";
        var transcoder = new PaymentTranscoder(protobuf: format == "protobuf");
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
        {
            BootstrapServers = bootstrap,
            GroupId = "transcode",
            EnableAutoCommit = false,
            IsolationLevel = IsolationLevel.ReadCommitted,
            QueuedMaxMessagesKbytes = 65536,
        }).Build();
        using IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(new ProducerConfig
        {
            BootstrapServers = bootstrap,
            Acks = Acks.All,
            EnableIdempotence = true,
            LingerMs = 20,
            BatchSize = 256 * 1024,
            QueueBufferingMaxMessages = 100_000,
            EnableDeliveryReports = false,
        }).SetErrorHandler((_, error) => Console.Error.WriteLine(error.Reason)).Build();

        using IAdminClient admin = new DependentAdminClientBuilder(producer.Handle).Build();
        int partitions = admin.GetMetadata(from, Wait).Topics[0].Partitions.Count;
        var ends = new Dictionary<int, long>();
        for (int partition = 0; partition < partitions; partition++)
        {
            WatermarkOffsets offsets = consumer.QueryWatermarkOffsets(new TopicPartition(from, partition), Wait);
            if (offsets.High > offsets.Low) { ends.Add(partition, offsets.High); }
        }

        consumer.Assign(ends.Keys.Select(partition => new TopicPartitionOffset(from, partition, Offset.Beginning)));
        long begun = Stopwatch.GetTimestamp(), records = 0;
        var value = new ByteBuffer();
        while (ends.Count > 0)
        {
            ConsumeResult<byte[], byte[]> record = consumer.Consume(Wait) ?? throw new TimeoutException($"{from} gave nothing for {Wait.TotalSeconds:0} s");
            value.Clear();
            transcoder.Write(record.Message.Value, value);
            Send(producer, new TopicPartition(to, record.Partition), new Message<byte[], byte[]>
            {
                Key = record.Message.Key,
                Value = value.Written.ToArray(),
                Headers = record.Message.Headers,
                Timestamp = new Timestamp(record.Message.Timestamp.UnixTimestampMs, TimestampType.CreateTime),
            });
            records++;
            if (record.Offset + 1 >= ends[record.Partition]) { ends.Remove(record.Partition); }
        }

        producer.Flush(Wait);
        long arrived = 0;
        for (int partition = 0; partition < partitions; partition++) { arrived += consumer.QueryWatermarkOffsets(new TopicPartition(to, partition), Wait).High.Value; }
        double seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{{\"command\":\"transcode\",\"format\":\"{format}\",\"records\":{records},\"arrived\":{arrived},\"seconds\":{seconds:0.000},\"records_per_s\":{records / seconds:0}}}"));
        consumer.Close();
        return records == arrived ? 0 : 1;
    }

    private static void Send(IProducer<byte[], byte[]> producer, TopicPartition partition, Message<byte[], byte[]> message)
    {
        while (true)
        {
            try
            {
                producer.Produce(partition, message);
                return;
            }
            catch (ProduceException<byte[], byte[]> full) when (full.Error.Code == ErrorCode.Local_QueueFull)
            {
                producer.Poll(TimeSpan.FromMilliseconds(10));
            }
        }
    }

    private static string? Option(string[] arguments, string name)
    {
        int at = Array.IndexOf(arguments, name);
        return at >= 0 && at + 1 < arguments.Length ? arguments[at + 1] : null;
    }
}
