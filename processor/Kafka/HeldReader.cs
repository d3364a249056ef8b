using System.Text;
using Confluent.Kafka;
using PolicyStreams.Processor.Tasks;

namespace PolicyStreams.Processor.Kafka;

/// <summary>
/// Reads held records and states back by their offset, read-committed. One assigned consumer a stream thread and topic kind, made when it is first needed. Offsets that follow
/// one another are read in one go, so that ending many holds is a scan and not a seek each.
/// </summary>
internal sealed class HeldReader(Func<string, IConsumer<byte[]?, byte[]?>> makeConsumer, TimeProvider time) : IHeldReader, IDisposable
{
    private readonly PositionReader _held = new(() => makeConsumer("held"), time);
    private readonly PositionReader _state = new(() => makeConsumer("state"), time);

    public bool TryRead(string heldTopic, int partition, TaskHold hold, HeldRecord into, out bool found)
    {
        found = false;
        if (hold.HeldOffset < 0) { return true; }
        if (!_held.TryRead(new TopicPartition(heldTopic, partition), hold.HeldOffset, out ConsumeResult<byte[]?, byte[]?>? record)) { return false; }
        found = record is not null && Decode(record.Message, into);
        return true;
    }

    public bool TryReadState(string stateTopic, int partition, TaskHold hold, out byte[]? value)
    {
        value = null;
        if (hold.StateOffset < 0) { return true; }
        if (!_state.TryRead(new TopicPartition(stateTopic, partition), hold.StateOffset, out ConsumeResult<byte[]?, byte[]?>? record)) { return false; }
        value = record?.Message.Value;
        return true;
    }

    public void Dispose()
    {
        _held.Dispose();
        _state.Dispose();
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
        into.SealedBy = "";
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
                case "ps-seal":
                    into.SealedBy = Encoding.UTF8.GetString(header.GetValueBytes() ?? []);
                    break;
                case "ps-hmac":
                    into.Hmac = header.GetValueBytes() ?? [];
                    break;
            }
        }

        ConfluentMessages.CopyProducers(message.Headers, into.Headers);
        return true;
    }
}
