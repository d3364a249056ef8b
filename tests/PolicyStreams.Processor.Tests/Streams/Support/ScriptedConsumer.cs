using Confluent.Kafka;

namespace PolicyStreams.Processor.Tests.Streams.Support;

/// <summary>A read-committed consumer of a <see cref="ScriptedCluster"/>: it reads up to the first record of an open transaction, and says end-of-partition there.</summary>
internal sealed class ScriptedConsumer(ScriptedCluster cluster, bool saysEnds, Action<TimeSpan>? onIdle = null) : IConsumer<byte[]?, byte[]?>
{
    private readonly Dictionary<TopicPartition, long> _positions = [];
    private readonly HashSet<TopicPartition> _paused = [];
    private readonly HashSet<(TopicPartition, long)> _endsSaid = [];

    public Queue<Action> Events { get; } = new();

    public int Consumed { get; private set; }

    public IReadOnlySet<TopicPartition> Paused => _paused;

    public List<TopicPartition> Assignment => [.. _positions.Keys];

    public IConsumerGroupMetadata ConsumerGroupMetadata => cluster.Metadata;

    public string MemberId => "member";

    public List<string> Subscription { get; } = [];

    public string Name => "scripted";

    public Handle Handle => throw new NotSupportedException();

    public long Position(string topic, int partition) => _positions[new TopicPartition(topic, partition)];

    public ConsumeResult<byte[]?, byte[]?>? Consume(TimeSpan timeout)
    {
        Consumed++;
        while (Events.TryDequeue(out Action? what)) { what(); }
        foreach ((TopicPartition partition, long position) in _positions.OrderBy(pair => pair.Key.Topic, StringComparer.Ordinal).ThenBy(pair => pair.Key.Partition.Value))
        {
            if (_paused.Contains(partition)) { continue; }
            (ScriptedRecord? record, long end) = cluster.Next(partition, position);
            if (record is not null)
            {
                _positions[partition] = record.Offset + 1;
                return Result(partition, record);
            }

            // The client's position passes what a read-committed reader does not see; the end it tells is the last stable offset.
            _positions[partition] = Math.Max(position, end);
            if (saysEnds && _endsSaid.Add((partition, end))) { return new ConsumeResult<byte[]?, byte[]?> { Topic = partition.Topic, Partition = partition.Partition, Offset = end, IsPartitionEOF = true }; }
        }

        onIdle?.Invoke(timeout);
        return null;
    }

    public void Assign(TopicPartitionOffset partition)
    {
        _positions.Clear();
        _endsSaid.Clear();
        _positions[partition.TopicPartition] = Start(partition);
    }

    public void IncrementalAssign(IEnumerable<TopicPartitionOffset> partitions)
    {
        foreach (TopicPartitionOffset partition in partitions)
        {
            cluster.Calls.Add($"assign {partition.Topic}");
            _positions[partition.TopicPartition] = Start(partition);
            _endsSaid.RemoveWhere(said => said.Item1 == partition.TopicPartition);
        }
    }

    public void IncrementalUnassign(IEnumerable<TopicPartition> partitions)
    {
        foreach (TopicPartition partition in partitions)
        {
            _positions.Remove(partition);
            _paused.Remove(partition);
        }
    }

    public void Pause(IEnumerable<TopicPartition> partitions) => _paused.UnionWith(partitions);

    /// <summary>So many calls of <see cref="Resume"/> do nothing, as the client's may.</summary>
    public int ResumesToDrop { get; set; }

    public void Resume(IEnumerable<TopicPartition> partitions)
    {
        if (ResumesToDrop-- > 0) { return; }
        ResumesToDrop = 0;
        _paused.ExceptWith(partitions);
    }

    public void Seek(TopicPartitionOffset tpo)
    {
        _positions[tpo.TopicPartition] = Start(tpo);
        _endsSaid.RemoveWhere(said => said.Item1 == tpo.TopicPartition);
    }

    public List<TopicPartitionOffset> Committed(IEnumerable<TopicPartition> partitions, TimeSpan timeout) => cluster.CommittedOf(partitions);

    public WatermarkOffsets QueryWatermarkOffsets(TopicPartition topicPartition, TimeSpan timeout) => cluster.Watermarks(topicPartition);

    public WatermarkOffsets GetWatermarkOffsets(TopicPartition topicPartition) => cluster.Watermarks(topicPartition);

    public void Subscribe(IEnumerable<string> topics)
    {
        Subscription.Clear();
        Subscription.AddRange(topics);
    }

    public void Close()
    {
    }

    public void Dispose()
    {
    }

    public int AddBrokers(string brokers) => throw new NotSupportedException();

    public void SetSaslCredentials(string username, string password) => throw new NotSupportedException();

    public void Assign(TopicPartition partition) => throw new NotSupportedException();

    public void Assign(IEnumerable<TopicPartitionOffset> partitions) => throw new NotSupportedException();

    public void Assign(IEnumerable<TopicPartition> partitions) => throw new NotSupportedException();

    public List<TopicPartitionOffset> Commit() => throw new NotSupportedException();

    public void Commit(IEnumerable<TopicPartitionOffset> offsets) => throw new NotSupportedException();

    public void Commit(ConsumeResult<byte[]?, byte[]?> result) => throw new NotSupportedException();

    public List<TopicPartitionOffset> Committed(TimeSpan timeout) => throw new NotSupportedException();

    public ConsumeResult<byte[]?, byte[]?> Consume(int millisecondsTimeout) => throw new NotSupportedException();

    public ConsumeResult<byte[]?, byte[]?> Consume(CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public void IncrementalAssign(IEnumerable<TopicPartition> partitions) => throw new NotSupportedException();

    public List<TopicPartitionOffset> OffsetsForTimes(IEnumerable<TopicPartitionTimestamp> timestampsToSearch, TimeSpan timeout) => throw new NotSupportedException();

    public Offset Position(TopicPartition partition) => throw new NotSupportedException();

    public void StoreOffset(ConsumeResult<byte[]?, byte[]?> result) => throw new NotSupportedException();

    public void StoreOffset(TopicPartitionOffset offset) => throw new NotSupportedException();

    public void Subscribe(string topic) => throw new NotSupportedException();

    public void Unassign() => throw new NotSupportedException();

    public void Unsubscribe() => throw new NotSupportedException();

    private long Start(TopicPartitionOffset partition) => partition.Offset == Offset.Beginning ? cluster.Watermarks(partition.TopicPartition).Low.Value : partition.Offset.Value;

    private static ConsumeResult<byte[]?, byte[]?> Result(TopicPartition partition, ScriptedRecord record)
    {
        var headers = new Headers();
        foreach ((string name, byte[]? value) in record.Headers) { headers.Add(name, value); }
        return new ConsumeResult<byte[]?, byte[]?>
        {
            Topic = partition.Topic,
            Partition = partition.Partition,
            Offset = record.Offset,
            Message = new Message<byte[]?, byte[]?> { Key = record.Key, Value = record.Value, Headers = headers, Timestamp = new Timestamp(record.TimestampMs, TimestampType.LogAppendTime) },
        };
    }
}
