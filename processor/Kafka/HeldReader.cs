using Confluent.Kafka;
using PolicyStreams.Processor.Tasks;

namespace PolicyStreams.Processor.Kafka;

/// <summary>
/// Reads held records back by their offset, read-committed. One assigned consumer a stream thread, made when it is first needed. Offsets that follow one
/// another are read in one go, so that ending many holds is a scan and not a seek each.
/// </summary>
internal sealed class HeldReader(Func<IConsumer<byte[]?, byte[]?>> makeConsumer, TimeProvider time) : IHeldReader, IDisposable
{
    // A gap smaller than this is read over.
    private const long ScanMax = 2000;
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(5);

    private IConsumer<byte[]?, byte[]?>? _consumer;
    private TopicPartition? _assigned;
    private long _position;

    public bool TryRead(string heldTopic, int partition, TaskHold hold, HeldRecord into, out bool found)
    {
        found = false;
        if (hold.HeldOffset < 0) { return true; }
        try
        {
            Position(new TopicPartition(heldTopic, partition), hold.HeldOffset);
            long start = time.GetTimestamp();
            while (time.GetElapsedTime(start) < ReadTimeout)
            {
                ConsumeResult<byte[]?, byte[]?>? result = _consumer!.Consume(TimeSpan.FromMilliseconds(100));
                if (result is null || result.TopicPartition != _assigned) { continue; }
                if (result.IsPartitionEOF)
                {
                    // The end for a read-committed reader: what is not there by now was compacted away or never committed.
                    if (result.Offset.Value > hold.HeldOffset) { return true; }
                    continue;
                }

                _position = result.Offset.Value + 1;
                if (result.Offset.Value < hold.HeldOffset) { continue; }
                found = result.Offset.Value == hold.HeldOffset && Decode(result.Message, into);
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

    /// <summary>Takes a record of the held topic apart into what it was on ingress. False for a tombstone.</summary>
    internal static bool Decode(Message<byte[]?, byte[]?> message, HeldRecord into)
    {
        if (message.Value is null) { return false; }
        into.HasKey = false;
        into.Key = [];
        into.HasValue = true;
        into.Value = message.Value;
        into.TimestampMs = message.Timestamp.UnixTimestampMs;
        into.Hmac = [];
        foreach (IHeader header in message.Headers ?? [])
        {
            switch (header.Key)
            {
                case "ps-key":
                    into.HasKey = true;
                    into.Key = header.GetValueBytes() ?? [];
                    break;
                case "ps-null":
                    into.HasValue = false;
                    into.Value = [];
                    break;
                case "ps-hmac":
                    into.Hmac = header.GetValueBytes() ?? [];
                    break;
            }
        }

        ConfluentMessages.CopyProducers(message.Headers, into.Headers);
        return true;
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
