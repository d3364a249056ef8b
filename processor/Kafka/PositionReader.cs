using Confluent.Kafka;

namespace PolicyStreams.Processor.Kafka;

/// <summary>Reads single records by their position on one assigned consumer.</summary>
internal sealed class PositionReader(Func<IConsumer<byte[]?, byte[]?>> makeConsumer, TimeProvider time) : IDisposable
{
    // A gap smaller than this is read over.
    private const long ScanMax = 2000;
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(5);

    private IConsumer<byte[]?, byte[]?>? _consumer;
    private TopicPartition? _assigned;
    private long _position;

    /// <summary>False where it cannot be had now; true with null where it is certainly not there.</summary>
    public bool TryRead(TopicPartition partition, long offset, out ConsumeResult<byte[]?, byte[]?>? record)
    {
        record = null;
        try
        {
            Position(partition, offset);
            long start = time.GetTimestamp();
            while (time.GetElapsedTime(start) < ReadTimeout)
            {
                ConsumeResult<byte[]?, byte[]?>? result = _consumer!.Consume(TimeSpan.FromMilliseconds(100));
                if (result is null || result.TopicPartition != _assigned) { continue; }
                if (result.IsPartitionEOF)
                {
                    // The end for a read-committed reader: what is not there by now was compacted away or never committed.
                    if (result.Offset.Value > offset) { return true; }
                    continue;
                }

                _position = result.Offset.Value + 1;
                if (result.Offset.Value < offset) { continue; }
                if (result.Offset.Value == offset) { record = result; }
                return true;
            }

            return false;
        }
        catch (KafkaException)
        {
            _assigned = null;
            return false;
        }
    }

    public void Dispose()
    {
        if (_consumer is null) { return; }
        _consumer.Close();
        _consumer.Dispose();
    }

    private void Position(TopicPartition partition, long offset)
    {
        _consumer ??= makeConsumer();
        if (_assigned == partition && offset >= _position && offset - _position < ScanMax) { return; }
        _consumer.Assign(new TopicPartitionOffset(partition, offset));
        _assigned = partition;
        _position = offset;
    }
}
