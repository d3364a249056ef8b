using Confluent.Kafka;

namespace PolicyStreams.Processor.Kafka;

/// <summary>
/// Exactly once on Confluent's client. Delivery reports are watched, because a commit can succeed for records that timed out locally; they are
/// served on the stream thread, inside <see cref="Poll"/> and the end of the transaction.
/// </summary>
internal sealed class TransactionalProducer : OutputProducer
{
    // As long as the broker keeps a transaction open: after it, there is nothing left to wait for.
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan SliceTime = TimeSpan.FromMilliseconds(250);

    // A flush ends the wait of batches while it lasts: long enough for the client's own threads to see it.
    private static readonly TimeSpan SendNowTime = TimeSpan.FromMilliseconds(2);

    // Once the process stops: what cannot be ended soon is left to the broker, which aborts it.
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(3);

    private readonly CancellationToken _stopping;
    private readonly IProducer<byte[]?, byte[]?> _producer;
    private readonly Action<DeliveryReport<byte[]?, byte[]?>> _onDelivery;
    private readonly Action<DeliveryReport<byte[]?, byte[]?>> _onOwnDelivery;
    private readonly TimeSpan _queueFullWait = TimeSpan.FromMilliseconds(5);
    private readonly CallThread _calls;

    public TransactionalProducer(ProducerConfig config, Action<string> log, CancellationToken stopping)
    {
        _stopping = stopping;
        Id = config.TransactionalId;
        _calls = new CallThread("offsets of " + Id);
        _producer = new ProducerBuilder<byte[]?, byte[]?>(config)
            .SetKeySerializer(Serializers.ByteArray!)
            .SetValueSerializer(Serializers.ByteArray!)
            .SetErrorHandler((_, error) => { if (error.IsFatal) { log($"producer {Id}: {error.Reason}"); } })
            .SetLogHandler((_, message) => { if (message.Level <= SyslogLevel.Error) { log($"producer {Id}: {message.Facility}: {message.Message}"); } })
            .Build();
        _onDelivery = report => OnDelivery(report, ownTime: false);
        _onOwnDelivery = report => OnDelivery(report, ownTime: true);
    }

    public override string Id { get; }

    public override void Initialize(TimeSpan timeout) => _producer.InitTransactions(timeout);

    public override void Settle(TimeSpan rest) => _ = _stopping.WaitHandle.WaitOne(rest);

    public override void Begin()
    {
        Forget();
        _producer.BeginTransaction();
    }

    private TimeSpan Timeout => _stopping.IsCancellationRequested ? StopTimeout : EndTimeout;

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
            catch (ProduceException<byte[]?, byte[]?> e) when (e.Error.Code == ErrorCode.Local_QueueFull && !_stopping.IsCancellationRequested)
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

    public override void SendNow() => _ = _producer.Flush(SendNowTime);

    public override TransactionOutcome Commit(IReadOnlyList<TopicPartitionOffset> offsets, IConsumerGroupMetadata group)
    {
        try
        {
            if (Undelivered > 0) { return Abort(); }
            void Offsets() => _producer.SendOffsetsToTransaction(offsets, group, Timeout);
            _calls.Start(Offsets);
            if (!Flush(Offsets)) { LastError = "records were not delivered in time"; }
            if (!_calls.TryJoin(Timeout + Grace))
            {
                LastError = OffsetsNotTaken;
                return TransactionOutcome.Unknown;
            }

            if (Undelivered > 0 || LastError.Length > 0) { return Abort(); }

            _producer.CommitTransaction(Timeout);
            return TransactionOutcome.Committed;
        }
        catch (KafkaTxnRequiresAbortException e)
        {
            if (LastError.Length == 0) { LastError = e.Error.Reason; }
            return Abort();
        }
        catch (KafkaException e)
        {
            // Timed out, fatal, or otherwise unanswered: whether the broker took the offsets or the commit is not known, and an abort now might cross it.
            LastError = e.Error.Reason;
            return TransactionOutcome.Unknown;
        }
    }

    /// <summary>
    /// Waits for the records' acknowledgements while the offsets are sent; in slices, so that a process that is told to stop does not wait the whole time. Where a transaction has failed, the library keeps
    /// its records until they time out: that it has, the offsets are told, which are therefore sent again as long as records are left.
    /// </summary>
    private bool Flush(Action offsets)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            if (_producer.Flush(SliceTime) <= 0 || Undelivered > 0 || _calls.HasFailed) { return true; }
            if (TimeProvider.System.GetElapsedTime(start) > Timeout) { return false; }
            if (_calls.HasSucceeded) { _calls.Start(offsets); }
        }
    }

    public override TransactionOutcome Abort()
    {
        try
        {
            _producer.AbortTransaction(Timeout);
            return RefusedPartition >= 0 ? TransactionOutcome.Refused : TransactionOutcome.Aborted;
        }
        catch (KafkaException e)
        {
            LastError = e.Error.Reason;
            return TransactionOutcome.Unknown;
        }
    }

    public override void Poll() => _producer.Poll(TimeSpan.Zero);

    /// <summary>A call that was given up still stands in the client: it is disposed of once that has come back.</summary>
    public override void Dispose() => _calls.End(_producer.Dispose);

    private void OnDelivery(DeliveryReport<byte[]?, byte[]?> report, bool ownTime)
    {
        if (report.Error.IsError) { Failed(report.Error, ownTime, report.Topic, report.Partition.Value); }
    }
}
