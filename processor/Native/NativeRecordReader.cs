using System.Runtime.InteropServices;
using Confluent.Kafka;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Native;

/// <summary>
/// Reads from librdkafka's own queue of the consumer, many records a call, and shows them where they lie: nothing is copied into managed memory. Group membership, its callbacks, pauses, and
/// seeks stay with Confluent's client. The managed twin is <see cref="ManagedRecordReader"/>.
/// </summary>
internal sealed unsafe class NativeRecordReader : RecordReader
{
    private readonly nint _consumer;
    private readonly int _capacity;
    private readonly LibRdKafka.Message** _messages;
    private nint _queue;
    private int _count;
    private int _next;

    // The partition of the last record: batches come a partition at a time. The topic's handle is compared only while a message of the batch holds it.
    private nint _topicHandle;
    private TopicPartition? _partition;

    /// <param name="capacity">Most records in hand.</param>
    public NativeRecordReader(IClient consumer, int capacity)
    {
        _consumer = LibRdKafka.HandleOf(consumer);
        _capacity = capacity;
        _queue = LibRdKafka.ConsumerQueue(_consumer);
        if (_queue == 0) { throw new InvalidOperationException("The consumer has no queue."); }
        _messages = (LibRdKafka.Message**)NativeMemory.AllocZeroed((nuint)capacity, (nuint)sizeof(nint));
    }

    public override int Fetch(TimeSpan wait, int most)
    {
        Release();
        Batch++;
        int size = Math.Min(most, _capacity);
        _count = Take(0, size);

        // A batch waits until it is full, so the wait is for one record alone.
        if (_count == 0 && wait > TimeSpan.Zero && LibRdKafka.ConsumerPoll(_consumer, (int)Math.Ceiling(wait.TotalMilliseconds)) is var first and not null)
        {
            _messages[0] = first;
            _count = 1;
            if (size > 1) { _count += Take(1, size - 1); }
        }

        return _count;
    }

    public override bool TryTake(ref FetchedRecord record)
    {
        if (_next >= _count) { return false; }
        LibRdKafka.Message* message = _messages[_next++];
        if (_partition is null || message->Topic != _topicHandle || message->Partition != _partition.Partition.Value) { NamePartition(message); }
        record = default;
        record.Partition = _partition!;
        record.Offset = message->Offset;
        if (message->Error != 0)
        {
            record.Error = new Error((ErrorCode)message->Error, Marshal.PtrToStringUTF8((nint)LibRdKafka.MessageErrorText(message)) ?? "", (ErrorCode)message->Error == ErrorCode.Local_Fatal);
            return true;
        }

        // Both lengths are 32-bit in Kafka's protocol; the spans live no longer than the message, which Release destroys.
        int type;
        record.TimestampMs = LibRdKafka.MessageTimestamp(message, &type);
        record.HasKey = message->Key is not null;
        record.Key = new ReadOnlySpan<byte>(message->Key, checked((int)message->KeyLength));
        record.HasValue = message->Payload is not null;
        record.Value = new ReadOnlySpan<byte>(message->Payload, checked((int)message->Length));
        return true;
    }

    public override void CopyHeaders(RecordHeaders into)
    {
        into.Clear();
        nint headers;
        if (_next == 0 || LibRdKafka.MessageHeaders(_messages[_next - 1], &headers) != 0) { return; }
        byte* name;
        byte* value;
        nuint size;
        for (nuint i = 0; LibRdKafka.HeaderAt(headers, i, &name, &value, &size) == 0; i++)
        {
            ReadOnlySpan<byte> text = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name);
            if (text.StartsWith(HeaderNames.PrefixUtf8)) { continue; }
            into.Add(text, value is null ? default : new ReadOnlySpan<byte>(value, checked((int)size)), value is null);
        }
    }

    public override IConsumerGroupMetadata CaptureGroup() => NativeGroup.Of(_consumer);

    public override void Dispose()
    {
        if (_queue == 0) { return; }
        Release();
        LibRdKafka.QueueDestroy(_queue);
        _queue = 0;
        NativeMemory.Free(_messages);
    }

    private int Take(int at, int size) => Math.Max((int)LibRdKafka.ConsumeBatch(_queue, 0, _messages + at, (nuint)size), 0);

    private void Release()
    {
        for (int i = 0; i < _count; i++) { LibRdKafka.MessageDestroy(_messages[i]); }
        _count = 0;
        _next = 0;
        _partition = null;
    }

    private void NamePartition(LibRdKafka.Message* message)
    {
        string topic = message->Topic == 0 ? "" : Marshal.PtrToStringUTF8((nint)LibRdKafka.TopicName(message->Topic)) ?? "";
        _topicHandle = message->Topic;
        _partition = new TopicPartition(topic, message->Partition);
    }
}
