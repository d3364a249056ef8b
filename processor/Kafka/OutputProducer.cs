using Confluent.Kafka;

namespace PolicyStreams.Processor.Kafka;

/// <summary>How the end of a transaction came out.</summary>
internal enum TransactionOutcome
{
    Committed,

    /// <summary>Certainly not visible: the task drops the transaction's changes and reads the records again.</summary>
    Aborted,

    /// <summary>Certainly aborted, and because the broker refused a record for what it is (size, timestamp): the batch is halved.</summary>
    Refused,

    /// <summary>Not known, or the producer cannot go on: it is closed and made anew under its id, and the tasks restore.</summary>
    Unknown,
}

/// <summary>A producer whose records become visible together with the offsets that they came from. One a stream thread, used by that thread alone.</summary>
internal abstract class OutputProducer : IRecordSink, IDisposable
{
    /// <summary>The <c>transactional.id</c>, or a name where there are no transactions.</summary>
    public abstract string Id { get; }

    /// <summary>What went wrong last, without payload; empty while nothing has.</summary>
    public string LastError { get; protected set; } = "";

    /// <summary>The partition of the record that the broker refused first since <see cref="Begin"/>, for what the record is; -1 where it refused none.</summary>
    public int RefusedPartition { get; protected set; } = -1;

    /// <summary>Records and bytes sent since <see cref="Begin"/>; keys and headers count, which the client's own queue does not count.</summary>
    public int PendingRecords { get; protected set; }

    public long PendingBytes { get; protected set; }

    /// <summary>Records since <see cref="Begin"/> that were not delivered.</summary>
    protected int Undelivered { get; private set; }

    /// <summary>Nothing was sent, and nothing went wrong, in the transaction that begins.</summary>
    protected void Forget()
    {
        Undelivered = 0;
        RefusedPartition = -1;
        LastError = "";
        PendingRecords = 0;
        PendingBytes = 0;
    }

    /// <summary>Takes down that a record was not delivered.</summary>
    protected void Failed(Error error, bool ownTime, string topic, int partition)
    {
        // Records purged by the abort itself say nothing new.
        if (error.Code is ErrorCode.Local_PurgeQueue or ErrorCode.Local_PurgeInflight) { return; }
        Undelivered++;
        if (RefusedPartition < 0 && IsRefusal(error.Code, ownTime)) { RefusedPartition = partition; }
        LastError = Describe(error, ownTime, topic);
    }

    protected void Count(in OutputRecord record)
    {
        PendingRecords++;
        PendingBytes += record.Value.Length + record.Key.Length + (record.Headers?.Bytes ?? 0);
    }

    /// <summary>Fences earlier producers of the id and ends their transactions. Throws <see cref="KafkaException"/> where the broker cannot be reached.</summary>
    public abstract void Initialize(TimeSpan timeout);

    public abstract void Begin();

    /// <summary>Waits for so long before <see cref="Begin"/>, or until the process stops.</summary>
    public virtual void Settle(TimeSpan rest)
    {
    }

    public abstract void Send(in OutputRecord record, Placement? placed = null);

    /// <summary>Lets what was sent leave now, whatever <c>linger.ms</c> says, and does not wait for it.</summary>
    public virtual void SendNow()
    {
    }

    /// <summary>Commits everything sent since <see cref="Begin"/> and the offsets, or nothing.</summary>
    /// <param name="offsets">Next offsets of ingress and approvals for every task that the transaction touches, changed or not.</param>
    /// <param name="group">As captured when the transaction began: metadata fetched now would let a thread that has lost its partition commit.</param>
    public abstract TransactionOutcome Commit(IReadOnlyList<TopicPartitionOffset> offsets, IConsumerGroupMetadata group);

    public abstract TransactionOutcome Abort();

    /// <summary>Serves delivery reports without waiting.</summary>
    public abstract void Poll();

    public abstract void Dispose();

    /// <summary>What <see cref="LastError"/> says where offsets were given up.</summary>
    protected const string OffsetsNotTaken = "the group's coordinator did not take the offsets in time";

    /// <summary>How much longer than its own timeout the client library is waited for.</summary>
    protected static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    /// <summary>What <see cref="LastError"/> says of a record that was not delivered.</summary>
    protected static string Describe(Error error, bool ownTime, string topic) =>
        ownTime && error.Code is (ErrorCode.InvalidTimestamp or ErrorCode.InvalidRecord) ? $"{topic}: {error.Reason}: is this host's clock right?" : $"{topic}: {error.Reason}";

    /// <summary>True where an error speaks of the record itself, so that sending it again cannot help.</summary>
    /// <param name="ownTime">See <see cref="OutputRecord.OwnTime"/>: a clock that is wrong is no fault of the record's.</param>
    protected static bool IsRefusal(ErrorCode code, bool ownTime) => !(ownTime && code is (ErrorCode.InvalidTimestamp or ErrorCode.InvalidRecord)) && code is ErrorCode.MsgSizeTooLarge or ErrorCode.InvalidTimestamp or ErrorCode.InvalidRecord or ErrorCode.InvalidMsg or ErrorCode.RecordListTooLarge;
}
