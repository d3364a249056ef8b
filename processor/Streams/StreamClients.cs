using Confluent.Kafka;
using Confluent.Kafka.Admin;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Kafka;

namespace PolicyStreams.Processor.Streams;

/// <summary>Confluent's client, with the settings that the guarantees rest on.</summary>
internal sealed class StreamClients(string id, ProcessorOptions options, Action<string> log, CancellationToken stopping) : IStreamClients
{
    private static readonly TimeSpan QueryTimeout = TimeSpan.FromSeconds(2);

    private readonly KafkaClients _clients = new(options);

    public bool Embedded => _clients.Embedded;

    public IConsumer<byte[]?, byte[]?> Group(IGroupListener listener) =>
        new ConsumerBuilder<byte[]?, byte[]?>(_clients.GroupConsumer(id))
            .SetKeyDeserializer(Deserializers.ByteArray!)
            .SetValueDeserializer(Deserializers.ByteArray!)
            .SetPartitionsAssignedHandler((_, partitions) => listener.Assigned(partitions))
            .SetPartitionsRevokedHandler((_, partitions) => listener.Revoked(partitions))
            .SetPartitionsLostHandler((_, partitions) => listener.Lost(partitions))
            .SetErrorHandler((_, error) => listener.ClientError(error))
            .SetLogHandler((_, message) => listener.ClientLog(message))
            .Build();

    public IConsumer<byte[]?, byte[]?> Assigned(string use, IGroupListener listener) =>
        new ConsumerBuilder<byte[]?, byte[]?>(_clients.AssignedConsumer(id, use))
            .SetKeyDeserializer(Deserializers.ByteArray!)
            .SetValueDeserializer(Deserializers.ByteArray!)
            .SetErrorHandler((_, error) => listener.ClientError(error))
            .SetLogHandler((_, message) => listener.ClientLog(message))
            .Build();

    public RecordReader Reader(IConsumer<byte[]?, byte[]?> group, int capacity) => _clients.Reader(group, capacity);

    public OutputProducer Producer(IConsumer<byte[]?, byte[]?> group) => _clients.Embedded
        ? new AtLeastOnceProducer(_clients.Producer(id), id, offsets => group.Commit(offsets))
        : _clients.TransactionalProducer(id, log, stopping);

    public async Task<(long State, long Held)> EndOffsetsAsync(IConsumer<byte[]?, byte[]?> assigned, TopicPartition state, TopicPartition held)
    {
        if (_clients.Embedded)
        {
            return (assigned.QueryWatermarkOffsets(state, QueryTimeout).High.Value, assigned.QueryWatermarkOffsets(held, QueryTimeout).High.Value);
        }

        using IAdminClient admin = new DependentAdminClientBuilder(assigned.Handle).Build();
        List<ListOffsetsResultInfo> ends;
        try
        {
            ends = (await admin.ListOffsetsAsync(
                [new() { TopicPartition = state, OffsetSpec = OffsetSpec.Latest() }, new() { TopicPartition = held, OffsetSpec = OffsetSpec.Latest() }],
                new ListOffsetsOptions { IsolationLevel = IsolationLevel.ReadUncommitted, RequestTimeout = QueryTimeout }).ConfigureAwait(false)).ResultInfos;
        }
        catch (ListOffsetsException e)
        {
            // The client asks with the leader's epoch that it has cached and does not ask for a new one by itself: behind a broker that came back, every further question would be refused.
            admin.GetMetadata(QueryTimeout);
            ends = e.Result.ResultInfos;
        }

        long stateEnd = -1, heldEnd = -1;
        foreach (ListOffsetsResultInfo info in ends)
        {
            TopicPartitionOffsetError offset = info.TopicPartitionOffsetError;
            if (offset.Error.IsError) { throw new KafkaException(new Error(offset.Error.Code, $"the end of {offset.TopicPartition} is not to be had: {offset.Error.Reason} ({offset.Error.Code})")); }
            if (offset.TopicPartition == state) { stateEnd = offset.Offset.Value; }
            else { heldEnd = offset.Offset.Value; }
        }

        return (stateEnd, heldEnd);
    }

    public async Task<IReadOnlyDictionary<string, string?>> TopicIdsAsync(IConsumer<byte[]?, byte[]?> assigned, IReadOnlyCollection<string> topics)
    {
        var ids = new Dictionary<string, string?>(StringComparer.Ordinal);
        if (_clients.Embedded)
        {
            foreach (string topic in topics) { ids[topic] = ""; }
            return ids;
        }

        using IAdminClient admin = new DependentAdminClientBuilder(assigned.Handle).Build();
        List<TopicDescription> described;
        try
        {
            described = (await admin.DescribeTopicsAsync(TopicCollection.OfTopicNames(topics), new DescribeTopicsOptions { RequestTimeout = QueryTimeout }).ConfigureAwait(false)).TopicDescriptions;
        }
        catch (DescribeTopicsException e)
        {
            described = e.Results.TopicDescriptions;
        }

        foreach (TopicDescription topic in described)
        {
            if (topic.Error.Code is ErrorCode.UnknownTopicOrPart) { ids[topic.Name] = null; }
            else if (topic.Error.IsError) { throw new KafkaException(topic.Error); }
            else { ids[topic.Name] = topic.TopicId.ToString(); }
        }

        return ids;
    }
}
