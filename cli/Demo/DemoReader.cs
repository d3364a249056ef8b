using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using PolicyStreams.Rules;

namespace PolicyStreams.Cli.Demo;

/// <summary>A record of one of the output topics.</summary>
internal sealed record DemoRecord(string Topic, int Partition, byte[]? Key, byte[]? Value, IReadOnlyDictionary<string, string> Headers);

/// <summary>Reads the output topics as any consumer would, and keeps what it has seen.</summary>
internal sealed class DemoReader : IDisposable
{
    private readonly IConsumer<byte[]?, byte[]?> _consumer;
    private readonly Thread _thread;
    private readonly CancellationTokenSource _stop = new();
    private readonly BlockingCollection<DemoRecord> _records = [];

    public DemoReader(string bootstrap, BindingTopics topics)
    {
        _consumer = new ConsumerBuilder<byte[]?, byte[]?>(new ConsumerConfig
        {
            BootstrapServers = bootstrap,
            GroupId = "demo-consumer",
            EnableAutoCommit = false,
            FetchWaitMaxMs = 20,
            AutoOffsetReset = AutoOffsetReset.Earliest,
        }).SetKeyDeserializer(Deserializers.ByteArray!).SetValueDeserializer(Deserializers.ByteArray!).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
        string[] read = [topics.Governed, .. topics.Routes, topics.Rejected, topics.Held, topics.Decisions];
        using IAdminClient admin = new DependentAdminClientBuilder(_consumer.Handle).Build();
        _consumer.Assign(read.SelectMany(topic => admin.GetMetadata(topic, TimeSpan.FromSeconds(10)).Topics[0].Partitions.Select(p => new TopicPartitionOffset(topic, p.PartitionId, Offset.Beginning))));
        _thread = new Thread(Run) { IsBackground = true, Name = "demo-consumer" };
        _thread.Start();
    }

    /// <summary>The next record, or null where none came in time.</summary>
    public DemoRecord? Next(TimeSpan timeout) => _records.TryTake(out DemoRecord? record, timeout) ? record : null;

    public void Dispose()
    {
        _stop.Cancel();
        _thread.Join();
        _consumer.Dispose();
        _records.Dispose();
        _stop.Dispose();
    }

    private void Run()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                ConsumeResult<byte[]?, byte[]?>? result = _consumer.Consume(TimeSpan.FromMilliseconds(50));
                if (result is null) { continue; }
                var headers = new Dictionary<string, string>(StringComparer.Ordinal);
                foreach (IHeader header in result.Message.Headers ?? []) { headers[header.Key] = Encoding.UTF8.GetString(header.GetValueBytes() ?? []); }
                _records.Add(new DemoRecord(result.Topic, result.Partition.Value, result.Message.Key, result.Message.Value, headers));
            }
            catch (ConsumeException)
            {
                // The embedded broker is ending, or has not made the partition yet.
            }
        }
    }
}
