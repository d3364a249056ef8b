using Confluent.Kafka;
using PolicyStreams.Processor.Kafka;

namespace PolicyStreams.Processor.Streams;

/// <summary>What the group tells its member. Called inside <see cref="IConsumer{TKey, TValue}.Consume(TimeSpan)"/> and <c>Close</c>, on the stream thread.</summary>
internal interface IGroupListener
{
    IEnumerable<TopicPartitionOffset> Assigned(IReadOnlyList<TopicPartition> partitions);

    void Revoked(IReadOnlyList<TopicPartitionOffset> partitions);

    void Lost(IReadOnlyList<TopicPartitionOffset> partitions);

    void ClientError(Error error);

    void ClientLog(LogMessage message);
}

/// <summary>The clients of one stream thread. In tests, clients that do as the test says.</summary>
internal interface IStreamClients
{
    /// <summary>True on the embedded broker: no transactions, no topic ids, no broker's time.</summary>
    bool Embedded { get; }

    /// <summary>The member of the group.</summary>
    IConsumer<byte[]?, byte[]?> Group(IGroupListener listener);

    /// <summary>A consumer that is only ever assigned.</summary>
    /// <param name="use">Part of its client id: <c>tasks</c>, <c>held</c>.</param>
    IConsumer<byte[]?, byte[]?> Assigned(string use, IGroupListener listener);

    OutputProducer Producer(IConsumer<byte[]?, byte[]?> group);

    /// <summary>Latest offsets, open transactions counted in: what a read-committed reader must have passed before it has seen everything.</summary>
    Task<(long State, long Held)> EndOffsetsAsync(IConsumer<byte[]?, byte[]?> assigned, TopicPartition state, TopicPartition held);

    /// <summary>Ids of topics; null for one that is not there.</summary>
    Task<IReadOnlyDictionary<string, string?>> TopicIdsAsync(IConsumer<byte[]?, byte[]?> assigned, IReadOnlyCollection<string> topics);
}
