using Confluent.Kafka;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Kafka;

/// <summary>One record as the group's consumer gave it. Points into the reader's memory: good until the next is taken.</summary>
internal ref struct FetchedRecord
{
    public TopicPartition Partition;
    public long Offset;

    /// <summary>Milliseconds since the Unix epoch.</summary>
    public long TimestampMs;

    /// <summary>False for a null key.</summary>
    public bool HasKey;
    public ReadOnlySpan<byte> Key;

    /// <summary>False for a null value.</summary>
    public bool HasValue;
    public ReadOnlySpan<byte> Value;

    /// <summary>Set where this is no record but an error of the partition, or of the consumer.</summary>
    public Error? Error;
}

/// <summary>
/// Takes what the group's consumer has fetched, a batch at a time. The group's callbacks come inside <see cref="Fetch"/>. Used by its stream thread alone;
/// disposed before its consumer.
/// </summary>
internal abstract class RecordReader : IDisposable
{
    /// <summary>Counts batches. What is still in hand of a batch when its partition is sought elsewhere is out of date: whoever seeks notes this number, and passes over the rest.</summary>
    public long Batch { get; protected set; }

    /// <summary>Takes up to <paramref name="most"/> records in hand, in place of what was left of the batch before. Waits only while there is not one.</summary>
    public abstract int Fetch(TimeSpan wait, int most);

    /// <summary>The next record in hand.</summary>
    public abstract bool TryTake(ref FetchedRecord record);

    /// <summary>Headers of the record that was taken last, without those under the system's prefix: a producer cannot speak for the system.</summary>
    public abstract void CopyHeaders(RecordHeaders into);

    /// <summary>The group's metadata as it is now, for the transaction that begins.</summary>
    public abstract IConsumerGroupMetadata CaptureGroup();

    public abstract void Dispose();
}
