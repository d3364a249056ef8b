using Confluent.Kafka;

namespace PolicyStreams.Processor.Kafka;

/// <summary>Exactly once on Confluent's client.</summary>
internal sealed class TransactionalProducer : TransactionalOutput
{
    private readonly IProducer<byte[]?, byte[]?> _producer;
    private readonly Action<DeliveryReport<byte[]?, byte[]?>> _onDelivery;
    private readonly Action<DeliveryReport<byte[]?, byte[]?>> _onOwnDelivery;
    private readonly TimeSpan _queueFullWait = TimeSpan.FromMilliseconds(5);

    public TransactionalProducer(ProducerConfig config, Action<string> log, CancellationToken stopping)
        : base(config.TransactionalId, stopping)
    {
        _producer = new ProducerBuilder<byte[]?, byte[]?>(config)
            .SetKeySerializer(Serializers.ByteArray!)
            .SetValueSerializer(Serializers.ByteArray!)
            .SetErrorHandler((_, error) => { if (error.IsFatal) { log($"producer {Id}: {error.Reason}"); } })
            .SetLogHandler((_, message) => { if (message.Level <= SyslogLevel.Error) { log($"producer {Id}: {message.Facility}: {message.Message}"); } })
            .Build();
        _onDelivery = report => OnDelivery(report, ownTime: false);
        _onOwnDelivery = report => OnDelivery(report, ownTime: true);
    }

    public override void Initialize(TimeSpan timeout) => _producer.InitTransactions(timeout);

    public override void Send(in OutputRecord record, Placement? placed = null)
    {
        Count(record);
        Message<byte[]?, byte[]?> message = ConfluentMessages.Of(record);
        bool ownTime = record.OwnTime;
        Action<DeliveryReport<byte[]?, byte[]?>> onDelivery = placed is null ? ownTime ? _onOwnDelivery : _onDelivery : report =>
        {
            placed.Offset = report.Offset.Value;
            if (report.Timestamp.Type == TimestampType.LogAppendTime) { placed.AppendedMs = report.Timestamp.UnixTimestampMs; }
            OnDelivery(report, ownTime);
        };

        while (true)
        {
            try
            {
                _producer.Produce(new TopicPartition(record.Topic, record.Partition), message, onDelivery);
                return;
            }
            catch (ProduceException<byte[]?, byte[]?> e) when (e.Error.Code == ErrorCode.Local_QueueFull && !IsStopping)
            {
                _producer.Poll(_queueFullWait);
            }
            catch (ProduceException<byte[]?, byte[]?> e)
            {
                // The transaction cannot be committed any more; what is certain shows at its end.
                Failed(e.Error, ownTime, record.Topic, record.Partition);
                return;
            }
        }
    }

    public override void Poll() => _producer.Poll(TimeSpan.Zero);

    protected override void BeginTransaction() => _producer.BeginTransaction();

    protected override int Flush(TimeSpan limit) => _producer.Flush(limit);

    protected override void SendOffsets(IReadOnlyList<TopicPartitionOffset> offsets, IConsumerGroupMetadata group) => _producer.SendOffsetsToTransaction(offsets, group, Timeout);

    protected override void CommitTransaction() => _producer.CommitTransaction(Timeout);

    protected override void AbortTransaction() => _producer.AbortTransaction(Timeout);

    protected override void Destroy() => _producer.Dispose();

    private void OnDelivery(DeliveryReport<byte[]?, byte[]?> report, bool ownTime)
    {
        if (report.Error.IsError) { Failed(report.Error, ownTime, report.Topic, report.Partition.Value); }
    }
}
