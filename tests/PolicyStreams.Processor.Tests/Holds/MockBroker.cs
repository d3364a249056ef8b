using System.Diagnostics;
using System.Globalization;
using System.Text;
using Confluent.Kafka;

namespace PolicyStreams.Processor.Tests.Holds;

/// <summary>librdkafka's mock cluster, in process: topics come with four partitions when first written to.</summary>
internal sealed class MockBroker : IDisposable
{
    private readonly IProducer<byte[], byte[]> _producer =
        new ProducerBuilder<byte[], byte[]>(new Dictionary<string, string> { ["bootstrap.servers"] = "localhost:1", ["test.mock.num.brokers"] = "1" }).SetLogHandler((_, _) => { }).Build();

    internal MockBroker()
    {
        using IAdminClient admin = new DependentAdminClientBuilder(_producer.Handle).Build();
        BrokerMetadata broker = admin.GetMetadata(TimeSpan.FromSeconds(10)).Brokers.Single();
        Bootstrap = string.Create(CultureInfo.InvariantCulture, $"{broker.Host}:{broker.Port}");
    }

    internal string Bootstrap { get; }

    internal IReadOnlyDictionary<string, string> Kafka => new Dictionary<string, string> { ["bootstrap.servers"] = Bootstrap };

    internal async Task WriteAsync(string topic, int partition, string key, byte[]? value) =>
        await _producer.ProduceAsync(new TopicPartition(topic, partition), new Message<byte[], byte[]> { Key = Encoding.UTF8.GetBytes(key), Value = value! });

    /// <summary>Reads one record at a position.</summary>
    internal ConsumeResult<byte[], byte[]>? Read(string topic, int partition, long offset)
    {
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig { BootstrapServers = Bootstrap, GroupId = "test", EnableAutoCommit = false }).Build();
        consumer.Assign(new TopicPartitionOffset(topic, partition, offset));
        return consumer.Consume(TimeSpan.FromSeconds(10));
    }

    internal static async Task Until(Func<bool> condition)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(20), "The condition did not come true within 20 s.");
            await Task.Delay(10);
        }
    }

    public void Dispose() => _producer.Dispose();
}
