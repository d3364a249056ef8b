namespace PolicyStreams.Processor.Kafka;

/// <summary>
/// Where a record that was sent came to lie. One a record, so that a report which comes after its transaction was aborted speaks of nobody: the task reads it once the
/// transaction is known to be committed, and forgets it otherwise.
/// </summary>
internal sealed class Placement
{
    /// <summary>-1 until the broker has acknowledged the record.</summary>
    public long Offset { get; set; } = -1;

    /// <summary>The broker's clock when it appended the record, milliseconds since the Unix epoch; -1 where the topic keeps the writer's time.</summary>
    public long AppendedMs { get; set; } = -1;
}
