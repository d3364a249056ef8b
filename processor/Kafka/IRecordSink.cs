using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Kafka;

/// <summary>One record to write. Points into the caller's buffers: the sink copies before it returns.</summary>
internal ref struct OutputRecord
{
    public required string Topic;
    public required int Partition;
    public bool HasKey;
    public ReadOnlySpan<byte> Key;

    /// <summary>False for a null value: a tombstone.</summary>
    public bool HasValue;
    public ReadOnlySpan<byte> Value;

    /// <summary>Milliseconds since the Unix epoch; output topics are CreateTime.</summary>
    public long TimestampMs;

    /// <summary>True where the timestamp is this host's clock and not the record's own: where the broker refuses it, that says nothing of the record.</summary>
    public bool OwnTime;

    /// <summary>Null for none.</summary>
    public RecordHeaders? Headers;
}

/// <summary>Where a task writes. Everything sent between two commits is one transaction.</summary>
internal interface IRecordSink
{
    /// <summary>Hands a record over. Refusals show when the transaction ends, not here.</summary>
    /// <param name="placed">Learns where the record came to lie; null where nobody asks.</param>
    void Send(in OutputRecord record, Placement? placed = null);
}
