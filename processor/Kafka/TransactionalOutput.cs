using Confluent.Kafka;

namespace PolicyStreams.Processor.Kafka;

/// <summary>
/// How a transaction ends, whichever of its twins the calls go to: <see cref="TransactionalProducer"/>, on Confluent's client, or the native one. Delivery reports are watched, because a commit can succeed for
/// records that timed out locally; they are served on the stream thread, inside <see cref="OutputProducer.Poll"/> and the end of the transaction.
/// </summary>
internal abstract class TransactionalOutput : OutputProducer
{
    // As long as the broker keeps a transaction open: after it, there is nothing left to wait for.
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(10);

    // Once the process stops: what cannot be ended soon is left to the broker, which aborts it.
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan SliceTime = TimeSpan.FromMilliseconds(250);

    // A flush ends the wait of batches while it lasts: long enough for the client's own threads to see it.
    private static readonly TimeSpan SendNowTime = TimeSpan.FromMilliseconds(2);

    private readonly CancellationToken _stopping;
    private readonly CallThread _calls;
    private bool _disposed;

    protected TransactionalOutput(string id, CancellationToken stopping)
    {
        Id = id;
        _stopping = stopping;
        _calls = new CallThread("offsets of " + id);
    }

    public override string Id { get; }

    protected bool IsStopping => _stopping.IsCancellationRequested;

    /// <summary>How long a call that ends a transaction may take.</summary>
    protected TimeSpan Timeout => IsStopping ? StopTimeout : EndTimeout;

    public override void Settle(TimeSpan rest) => _ = _stopping.WaitHandle.WaitOne(rest);

    public override void Begin()
    {
        Forget();
        BeginTransaction();
    }

    public override void SendNow() => _ = Flush(SendNowTime);

    public override TransactionOutcome Commit(IReadOnlyList<TopicPartitionOffset> offsets, IConsumerGroupMetadata group)
    {
        try
        {
            if (Undelivered > 0) { return Abort(); }
            void Offsets() => SendOffsets(offsets, group);
            _calls.Start(Offsets);
            if (!FlushAll(Offsets)) { LastError = "records were not delivered in time"; }
            if (!TryJoinOffsets())
            {
                LastError = OffsetsNotTaken;
                return TransactionOutcome.Unknown;
            }

            if (Undelivered > 0 || LastError.Length > 0) { return Abort(); }

            CommitTransaction();
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

    public override TransactionOutcome Abort()
    {
        try
        {
            AbortTransaction();
            return RefusedPartition >= 0 ? TransactionOutcome.Refused : TransactionOutcome.Aborted;
        }
        catch (KafkaException e)
        {
            LastError = e.Error.Reason;
            return TransactionOutcome.Unknown;
        }
    }

    /// <summary>A call that was given up still stands in the client: it is destroyed once that has come back. Until then it can do nothing, since the next producer of the id fences it.</summary>
    public override void Dispose()
    {
        if (_disposed) { return; }
        _disposed = true;
        _calls.End(Destroy);
    }

    protected abstract void BeginTransaction();

    /// <summary>Lets what was sent leave, and waits for its acknowledgement for so long.</summary>
    /// <returns>How many records and reports are left.</returns>
    protected abstract int Flush(TimeSpan limit);

    /// <summary>Made on a thread of its own, beside <see cref="Flush"/>.</summary>
    protected abstract void SendOffsets(IReadOnlyList<TopicPartitionOffset> offsets, IConsumerGroupMetadata group);

    protected abstract void CommitTransaction();

    protected abstract void AbortTransaction();

    /// <summary>Closes the client, at once and without a transaction's end.</summary>
    protected abstract void Destroy();

    /// <summary>Waits for the offsets; false where the call does not come back.</summary>
    private bool TryJoinOffsets()
    {
        try
        {
            return _calls.TryJoin(Timeout + Grace);
        }
        catch (KafkaException e) when (e.Error.Code == ErrorCode.Local_State)
        {
            // A record failed, and the client is about to bump its epoch: nothing of this call was sent, so an abort crosses nothing.
            LastError = e.Error.Reason;
            return true;
        }
    }

    /// <summary>
    /// Waits for the records' acknowledgements while the offsets are sent; in slices, so that a process that is told to stop does not wait the whole time. Where a transaction has failed, the library keeps
    /// its records until they time out: that it has, the offsets are told, which are therefore sent again as long as records are left.
    /// </summary>
    private bool FlushAll(Action offsets)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            if (Flush(SliceTime) == 0 || Undelivered > 0 || _calls.HasFailed) { return true; }
            if (TimeProvider.System.GetElapsedTime(start) > Timeout) { return false; }
            if (_calls.HasSucceeded) { _calls.Start(offsets); }
        }
    }
}
