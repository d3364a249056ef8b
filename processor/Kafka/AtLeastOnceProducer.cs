using Confluent.Kafka;

namespace PolicyStreams.Processor.Kafka;

/// <summary>
/// The embedded mode's producer: librdkafka's mock cluster keeps no transactions, so records are flushed and offsets committed after them. A crash in between
/// repeats records: at least once. Never used against a real broker.
/// </summary>
internal sealed class AtLeastOnceProducer : OutputProducer
{
    private readonly IProducer<byte[]?, byte[]?> _producer;
    private readonly Action<IReadOnlyList<TopicPartitionOffset>> _commitOffsets;
    private int _failed;
    private bool _refused;

    public AtLeastOnceProducer(ProducerConfig config, string id, Action<IReadOnlyList<TopicPartitionOffset>> commitOffsets)
    {
        Id = id;
        _commitOffsets = commitOffsets;
        _producer = new ProducerBuilder<byte[]?, byte[]?>(config)
            .SetKeySerializer(Serializers.ByteArray!)
            .SetValueSerializer(Serializers.ByteArray!)
            .SetLogHandler((_, _) => { })
            .Build();
    }

    public override string Id { get; }

    public override void Initialize(TimeSpan timeout)
    {
    }

    public override void Begin()
    {
        _failed = 0;
        _refused = false;
        PendingRecords = 0;
        PendingBytes = 0;
    }

    public override void Send(in OutputRecord record, Placement? placed = null)
    {
        Count(record);
        bool ownTime = record.OwnTime;
        try
        {
            _producer.Produce(new TopicPartition(record.Topic, record.Partition), ConfluentMessages.Of(record), report =>
            {
                if (placed is not null) { placed.Offset = report.Offset.Value; }
                if (report.Error.IsError) { Failed(report.Error, ownTime); }
            });
        }
        catch (ProduceException<byte[]?, byte[]?> e)
        {
            Failed(e.Error, ownTime);
        }
    }

    public override TransactionOutcome Commit(IReadOnlyList<TopicPartitionOffset> offsets, IConsumerGroupMetadata group)
    {
        try
        {
            _producer.Flush(TimeSpan.FromSeconds(15));
            if (_failed > 0) { return Abort(); }
            _commitOffsets(offsets);
            return TransactionOutcome.Committed;
        }
        catch (KafkaException e)
        {
            LastError = e.Error.Reason;
            return TransactionOutcome.Unknown;
        }
    }

    public override TransactionOutcome Abort() => _refused ? TransactionOutcome.Refused : TransactionOutcome.Aborted;

    public override void Poll() => _producer.Poll(TimeSpan.Zero);

    public override void Dispose() => _producer.Dispose();

    private void Failed(Error error, bool ownTime)
    {
        _failed++;
        _refused |= IsRefusal(error.Code, ownTime);
        LastError = error.Reason;
    }
}
