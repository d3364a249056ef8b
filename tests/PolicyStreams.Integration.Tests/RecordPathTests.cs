using System.Globalization;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using PolicyStreams.Integration.Tests.Support;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Rules;

namespace PolicyStreams.Integration.Tests;

/// <summary>The two ways to the broker, straight on librdkafka and through the managed client: what one writes or reads, the other does.</summary>
public sealed class RecordPathTests(KafkaFixture kafka, RegistryFixture registry)
{
    private const int Records = 3000;
    private const int Partitions = 3;
    private static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(1);

    [Theory]
    [InlineData(RecordPath.Native)]
    [InlineData(RecordPath.Managed)]
    public async Task Producer_RecordsOfEveryShape_BothReadersGiveThemBack(RecordPath writer)
    {
        string bootstrap = await kafka.RequireAsync();
        int seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        string topic = $"record-path-{Guid.NewGuid():N}";
        await using TemporaryTopics topics = await TemporaryTopics.CreateAsync(bootstrap, Partitions, topic);
        Sample[] samples = Samples(new Random(seed));
        Write(bootstrap, topic, writer, samples);

        Assert.Equal(Read(bootstrap, topic, RecordPath.Managed, samples.Length), Read(bootstrap, topic, RecordPath.Native, samples.Length));
        Assert.Equal(samples.Select((sample, i) => sample.Text(i)).Order(StringComparer.Ordinal), Read(bootstrap, topic, RecordPath.Native, samples.Length).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Producer_Aborted_NothingIsReadAndTheOutcomeIsTheSame()
    {
        string bootstrap = await kafka.RequireAsync();
        string topic = $"record-path-{Guid.NewGuid():N}";
        await using TemporaryTopics topics = await TemporaryTopics.CreateAsync(bootstrap, Partitions, topic);
        foreach (RecordPath path in Enum.GetValues<RecordPath>())
        {
            (KafkaClients clients, IConsumer<byte[]?, byte[]?> member) = Member(bootstrap, path, topic);
            using IConsumer<byte[]?, byte[]?> consumer = member;
            using RecordReader reader = clients.Reader(consumer, 1);
            using OutputProducer producer = clients.TransactionalProducer($"{topic}-{path}", _ => { });
            producer.Initialize(s_deadline);

            producer.Begin();
            new Sample([1], [2], 0, []).Send(producer, topic, 0);
            Assert.Equal(TransactionOutcome.Aborted, producer.Abort());

            // Larger than the topic takes: refused for what it is, and the producer goes on.
            producer.Begin();
            new Sample([1], new byte[3 << 20], 0, []).Send(producer, topic, 0);
            Assert.Equal(TransactionOutcome.Refused, producer.Commit([new TopicPartitionOffset(topic, 0, 0)], reader.CaptureGroup()));
            producer.Begin();
            new Sample([1], [3], 0, []).Send(producer, topic, 1);
            Assert.Equal(TransactionOutcome.Committed, producer.Commit([new TopicPartitionOffset(topic, 0, 0)], reader.CaptureGroup()));
        }

        Assert.Equal(2, Read(bootstrap, topic, RecordPath.Native, 2).Length);
    }

    [Fact]
    public async Task Run_ManagedRecordPath_EachRecordHasItsDecisionAndItsBytes()
    {
        using PaymentsCase payments = await PaymentsCase.CreateAsync(kafka, registry);
        string records = Path.Combine(payments.Folder, "records.jsonl");
        int seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"records of seed {seed}");
        await Clients.GenerateAsync(records, 5000, seed);
        await Clients.ProduceAsync(payments.Bootstrap, payments.Raw, records, payments.SchemaId);
        await using ProcessorProcess processor = ProcessorProcess.Start(payments, withHttp: false, more: ["--record-path", "managed"]);
        await processor.DrainedAsync(s_deadline);
        Assert.Equal(0, await processor.StopAsync());

        JsonElement report = await Clients.VerifyAsync(payments.Bootstrap, payments, records, payments.SchemaId);
        Assert.Equal(5000, report.GetProperty("decided").GetInt32());
    }

    private static Sample[] Samples(Random random)
    {
        var samples = new Sample[Records];
        for (int i = 0; i < samples.Length; i++)
        {
            var headers = new List<(byte[] Name, byte[]? Value)>();
            for (int h = random.Next(4); h > 0; h--)
            {
                string name = random.Next(6) switch { 0 => "", 1 => "ps-decision", 2 => "ps", 3 => "naïve-Ω", _ => $"h{random.Next(3)}" };
                headers.Add((Encoding.UTF8.GetBytes(name), Bytes(random, 40)));
            }

            byte[]? value = random.Next(200) == 0 ? new byte[200_000] : Bytes(random, 600);
            samples[i] = new Sample(Bytes(random, 30), value, 1_700_000_000_000 + random.Next(), headers);
        }

        return samples;
    }

    /// <summary>Null, empty, or random bytes.</summary>
    private static byte[]? Bytes(Random random, int most)
    {
        int kind = random.Next(10);
        if (kind == 0) { return null; }
        byte[] bytes = new byte[kind == 1 ? 0 : random.Next(1, most)];
        random.NextBytes(bytes);
        return bytes;
    }

    private static void Write(string bootstrap, string topic, RecordPath path, Sample[] samples)
    {
        (KafkaClients clients, IConsumer<byte[]?, byte[]?> member) = Member(bootstrap, path, topic);
        using IConsumer<byte[]?, byte[]?> consumer = member;
        using RecordReader reader = clients.Reader(consumer, 1);
        using OutputProducer producer = clients.TransactionalProducer($"{topic}-{path}", _ => { });
        producer.Initialize(s_deadline);
        long until = Environment.TickCount64 + (long)s_deadline.TotalMilliseconds;
        for (int first = 0; first < samples.Length; first += 1000)
        {
            // A broker that has only just made the topic or the group may ask for another try; what was aborted is not read.
            TransactionOutcome outcome;
            do
            {
                Assert.True(Environment.TickCount64 < until, producer.LastError);
                producer.Begin();
                for (int i = first; i < Math.Min(first + 1000, samples.Length); i++) { samples[i].Send(producer, topic, i % Partitions, i); }
                outcome = producer.Commit([new TopicPartitionOffset(topic, 0, first)], reader.CaptureGroup());
            }
            while (outcome == TransactionOutcome.Aborted);
            Assert.True(outcome == TransactionOutcome.Committed, producer.LastError);
        }
    }

    /// <summary>Reads as a stream thread does: partition by partition in order, the whole as text.</summary>
    private static string[] Read(string bootstrap, string topic, RecordPath path, int count)
    {
        (KafkaClients clients, IConsumer<byte[]?, byte[]?> consumer) = Member(bootstrap, path, topic);
        var read = new List<string>[Partitions];
        for (int p = 0; p < Partitions; p++) { read[p] = []; }
        using (RecordReader reader = clients.Reader(consumer, 500))
        {
            Assert.Equal(path == RecordPath.Native, reader.GetType().Name == "NativeRecordReader");
            var headers = new RecordHeaders();
            FetchedRecord record = default;
            long until = Environment.TickCount64 + (long)s_deadline.TotalMilliseconds;
            while (read.Sum(p => p.Count) < count)
            {
                Assert.True(Environment.TickCount64 < until, $"read {read.Sum(p => p.Count)} of {count}");
                reader.Fetch(TimeSpan.FromMilliseconds(100), 500);
                while (reader.TryTake(ref record))
                {
                    if (record.Error is not null) { continue; }
                    reader.CopyHeaders(headers);
                    read[record.Partition.Partition.Value].Add(Sample.Text(record, headers));
                }
            }
        }

        consumer.Close();
        consumer.Dispose();
        return [.. read.SelectMany(p => p)];
    }

    /// <summary>A member of a group of its own that has its partitions.</summary>
    private static (KafkaClients Clients, IConsumer<byte[]?, byte[]?> Consumer) Member(string bootstrap, RecordPath path, string topic)
    {
        var clients = new KafkaClients(new ProcessorOptions { Bootstrap = bootstrap, Group = $"{topic}-{Guid.NewGuid():N}", RecordPath = path });
        ConsumerConfig config = clients.GroupConsumer("member");
        config.AutoOffsetReset = AutoOffsetReset.Earliest;
        IConsumer<byte[]?, byte[]?> consumer = new ConsumerBuilder<byte[]?, byte[]?>(config).SetKeyDeserializer(Deserializers.ByteArray!).SetValueDeserializer(Deserializers.ByteArray!).Build();
        consumer.Subscribe(topic);
        return (clients, consumer);
    }

    private sealed record Sample(byte[]? Key, byte[]? Value, long TimestampMs, IReadOnlyList<(byte[] Name, byte[]? Value)> Headers)
    {
        /// <summary>Sends it; the timestamp's last digits say which it is.</summary>
        public void Send(OutputProducer producer, string topic, int partition, int number = 0)
        {
            var headers = new RecordHeaders();
            foreach ((byte[] name, byte[]? value) in Headers) { headers.Add(name, value, value is null); }
            producer.Send(new OutputRecord
            {
                Topic = topic,
                Partition = partition,
                HasKey = Key is not null,
                Key = Key,
                HasValue = Value is not null,
                Value = Value,
                TimestampMs = TimestampMs + number,
                Headers = headers,
            });
        }

        public string Text(int number) => Text(Key is not null, Key, Value is not null, Value, TimestampMs + number,
            Headers.Where(header => !Encoding.UTF8.GetString(header.Name).StartsWith("ps-", StringComparison.Ordinal)).Select(header => Header(header.Name, header.Value is null, header.Value)));

        public static string Text(in FetchedRecord record, RecordHeaders headers) => Text(record.HasKey, record.Key, record.HasValue, record.Value, record.TimestampMs,
            Enumerable.Range(0, headers.Count).Select(i => Header(headers.Name(i), headers.IsNull(i), headers.Value(i))));

        private static string Text(bool hasKey, ReadOnlySpan<byte> key, bool hasValue, ReadOnlySpan<byte> value, long timestamp, IEnumerable<string> headers) =>
            string.Create(CultureInfo.InvariantCulture, $"{timestamp} {(hasKey ? "k" + Convert.ToHexString(key) : "-")} {(hasValue ? "v" + Convert.ToHexString(value) : "-")} {string.Join(' ', headers)}");

        private static string Header(ReadOnlySpan<byte> name, bool isNull, ReadOnlySpan<byte> value) => $"{Encoding.UTF8.GetString(name)}={(isNull ? "-" : Convert.ToHexString(value))}";
    }
}
