using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Native;

/// <summary>
/// Exactly once, straight on librdkafka: a record goes from the task's buffers into the library's queue without a managed object in between. What it promises and how it judges
/// errors is <see cref="TransactionalOutput"/>'s; its managed twin is <see cref="TransactionalProducer"/>. Every delivery report is looked at, on the stream thread.
/// </summary>
internal sealed unsafe class NativeProducer : TransactionalOutput
{
    private const int QueueFullWaitMs = 5;
    private const int ErrorSize = 512;
    private const int CopyPayload = 2;
    private const int LogAppendTime = 2;

    // What a record carries back in its delivery report: nothing, this where its timestamp is the host's clock, or a number in _placed.
    private const nint OwnTimeOnly = -1;
    private const int TopicsCached = 16;

    // Where the arguments of a record are in _arguments; the last two are there only where a record has them.
    private const int TopicAt = 0, PartitionAt = 1, FlagsAt = 2, TimestampAt = 3, ValueAt = 4, KeyAt = 5, OptionalAt = 6, ArgumentsMax = 8;

    private readonly Action<string> _log;
    private readonly Dictionary<string, nint> _topics = new(StringComparer.Ordinal);
    private readonly (string? Name, nint Topic)[] _recent = new (string?, nint)[TopicsCached];
    private readonly Dictionary<long, (Placement Placement, bool OwnTime)> _placed = [];
    private readonly LibRdKafka.Argument* _arguments;
    private GCHandle _self;
    private nint _client;
    private long _lastPlaced;
    private int _recentNext;

    public NativeProducer(ProducerConfig config, Action<string> log, CancellationToken stopping)
        : base(config.TransactionalId, stopping)
    {
        _log = log;
        _self = GCHandle.Alloc(this);
        try
        {
            _client = Create(config, GCHandle.ToIntPtr(_self));
        }
        catch
        {
            _self.Free();
            throw;
        }

        _arguments = (LibRdKafka.Argument*)NativeMemory.AllocZeroed(ArgumentsMax, (nuint)sizeof(LibRdKafka.Argument));
        _arguments[TopicAt].Kind = LibRdKafka.ArgumentKind.Topic;
        _arguments[PartitionAt].Kind = LibRdKafka.ArgumentKind.Partition;
        _arguments[FlagsAt].Kind = LibRdKafka.ArgumentKind.Flags;
        _arguments[FlagsAt].Int = CopyPayload;
        _arguments[TimestampAt].Kind = LibRdKafka.ArgumentKind.Timestamp;
        _arguments[ValueAt].Kind = LibRdKafka.ArgumentKind.Value;
        _arguments[KeyAt].Kind = LibRdKafka.ArgumentKind.Key;
    }

    public override void Initialize(TimeSpan timeout) => LibRdKafka.Check(LibRdKafka.InitTransactions(_client, (int)timeout.TotalMilliseconds));

    public override void Send(in OutputRecord record, Placement? placed = null)
    {
        Count(record);
        LibRdKafka.Argument* arguments = _arguments;
        byte empty;
        fixed (byte* value = record.Value, key = record.Key)
        {
            arguments[TopicAt].Pointer = (void*)Topic(record.Topic);
            arguments[PartitionAt].Int = record.Partition;
            arguments[TimestampAt].Long = record.TimestampMs;

            // `fixed` of an empty span is a null pointer, and a null pointer is a null value or key: one that is only empty points somewhere.
            arguments[ValueAt].Pointer = !record.HasValue ? null : value is null ? &empty : value;
            arguments[ValueAt].Size = record.HasValue ? (nuint)record.Value.Length : 0;
            arguments[KeyAt].Pointer = !record.HasKey ? null : key is null ? &empty : key;
            arguments[KeyAt].Size = record.HasKey ? (nuint)record.Key.Length : 0;
            nuint count = OptionalAt;
            nint headers = 0;
            if (record.Headers is { Count: > 0 })
            {
                headers = Headers(record.Headers);
                arguments[count].Kind = LibRdKafka.ArgumentKind.Headers;
                arguments[count++].Pointer = (void*)headers;
            }

            if (placed is not null || record.OwnTime)
            {
                if (placed is not null) { _placed[++_lastPlaced] = (placed, record.OwnTime); }
                arguments[count].Kind = LibRdKafka.ArgumentKind.Opaque;
                arguments[count++].Pointer = (void*)(nint)(placed is not null ? _lastPlaced : OwnTimeOnly);
            }

            nint error;
            while ((error = LibRdKafka.Produce(_client, arguments, count)) != 0 && (ErrorCode)LibRdKafka.ErrorCode(error) == ErrorCode.Local_QueueFull && !IsStopping)
            {
                LibRdKafka.ErrorDestroy(error);
                _ = LibRdKafka.Poll(_client, QueueFullWaitMs);
            }

            if (error == 0) { return; }

            // The headers are the library's only where it took the record. The transaction cannot be committed any more; what is certain shows at its end.
            if (headers != 0) { LibRdKafka.HeadersDestroy(headers); }
            if (placed is not null) { _placed.Remove(_lastPlaced); }
            Failed(LibRdKafka.Exception(error).Error, record.OwnTime, record.Topic, record.Partition);
        }
    }

    public override void Poll() => _ = LibRdKafka.Poll(_client, 0);

    protected override void BeginTransaction() => LibRdKafka.Check(LibRdKafka.BeginTransaction(_client));

    protected override int Flush(TimeSpan limit)
    {
        _ = LibRdKafka.Flush(_client, (int)limit.TotalMilliseconds);
        return LibRdKafka.QueueLength(_client);
    }

    protected override void SendOffsets(IReadOnlyList<TopicPartitionOffset> offsets, IConsumerGroupMetadata group)
    {
        nint list = LibRdKafka.PartitionsNew(offsets.Count);
        try
        {
            foreach (TopicPartitionOffset offset in offsets)
            {
                LibRdKafka.PartitionsAdd(list, offset.Topic, offset.Partition.Value)->Offset = offset.Offset.Value;
            }

            LibRdKafka.Check(LibRdKafka.SendOffsets(_client, list, (NativeGroup)group, TimeoutMs));
        }
        finally
        {
            LibRdKafka.PartitionsDestroy(list);
        }
    }

    protected override void CommitTransaction() => LibRdKafka.Check(LibRdKafka.CommitTransaction(_client, TimeoutMs));

    protected override void AbortTransaction() => LibRdKafka.Check(LibRdKafka.AbortTransaction(_client, TimeoutMs));

    protected override void Destroy()
    {
        foreach (nint topic in _topics.Values) { LibRdKafka.TopicDestroy(topic); }
        _topics.Clear();

        // Waits for the client's threads: no callback comes after it.
        LibRdKafka.Destroy(_client);
        _client = 0;
        NativeMemory.Free(_arguments);
        _self.Free();
    }

    private int TimeoutMs => (int)Timeout.TotalMilliseconds;

    private static nint Create(ProducerConfig config, nint self)
    {
        nint conf = LibRdKafka.ConfNew();
        byte* error = stackalloc byte[ErrorSize];
        foreach ((string name, string value) in config)
        {
            // The managed client's own settings, which the library does not know.
            if (name.StartsWith("dotnet.", StringComparison.Ordinal)) { continue; }
            if (LibRdKafka.ConfSet(conf, name, value, error, ErrorSize) == 0) { continue; }
            string reason = Marshal.PtrToStringUTF8((nint)error) ?? "";
            LibRdKafka.ConfDestroy(conf);
            throw new ArgumentException(reason);
        }

        LibRdKafka.ConfSetOpaque(conf, self);
        LibRdKafka.ConfSetDeliveryCallback(conf, &OnDelivery);
        LibRdKafka.ConfSetErrorCallback(conf, &OnError);
        LibRdKafka.ConfSetLogCallback(conf, &OnLog);
        nint client = LibRdKafka.New(0, conf, error, ErrorSize);
        if (client != 0) { return client; }
        LibRdKafka.ConfDestroy(conf);
        throw new InvalidOperationException(Marshal.PtrToStringUTF8((nint)error));
    }

    private static nint Headers(RecordHeaders from)
    {
        nint headers = LibRdKafka.HeadersNew((nuint)from.Count);
        byte empty;
        for (int i = 0; i < from.Count; i++)
        {
            ReadOnlySpan<byte> bytes = from.Value(i);
            fixed (byte* name = from.Name(i), value = bytes)
            {
                if (LibRdKafka.HeaderAdd(headers, name is null ? &empty : name, from.Name(i).Length, from.IsNull(i) ? null : value is null ? &empty : value, bytes.Length) != 0)
                {
                    throw new InvalidOperationException("A header was not taken.");
                }
            }
        }

        return headers;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private nint Topic(string name)
    {
        // Tasks hand over the same string each time: nearly always this is one comparison of references.
        foreach (ref (string? Name, nint Topic) recent in _recent.AsSpan())
        {
            if (ReferenceEquals(recent.Name, name)) { return recent.Topic; }
        }

        return FindTopic(name);
    }

    private nint FindTopic(string name)
    {
        if (!_topics.TryGetValue(name, out nint topic))
        {
            topic = LibRdKafka.TopicNew(_client, name, 0);
            if (topic == 0) { throw new KafkaException(new Error(ErrorCode.Local_InvalidArg, $"`{name}` is no name for a topic.")); }
            _topics[name] = topic;
        }

        _recent[_recentNext] = (name, topic);
        _recentNext = (_recentNext + 1) % TopicsCached;
        return topic;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnDelivery(nint client, LibRdKafka.Message* message, nint self)
    {
        if (message->Error == 0 && message->Opaque <= 0) { return; }
        var producer = (NativeProducer)GCHandle.FromIntPtr(self).Target!;
        bool ownTime = message->Opaque == OwnTimeOnly;
        if (message->Opaque > 0 && producer._placed.Remove(message->Opaque, out (Placement Placement, bool OwnTime) sent))
        {
            int type;
            long timestamp = LibRdKafka.MessageTimestamp(message, &type);
            sent.Placement.Offset = message->Offset;
            if (type == LogAppendTime) { sent.Placement.AppendedMs = timestamp; }
            ownTime = sent.OwnTime;
        }

        if (message->Error == 0) { return; }
        string topic = message->Topic == 0 ? "" : Marshal.PtrToStringUTF8((nint)LibRdKafka.TopicName(message->Topic)) ?? "";
        producer.Failed(new Error((ErrorCode)message->Error, Marshal.PtrToStringUTF8((nint)LibRdKafka.ErrorText(message->Error)) ?? ""), ownTime, topic, message->Partition);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnError(nint client, int code, byte* reason, nint self)
    {
        if ((ErrorCode)code != ErrorCode.Local_Fatal || GCHandle.FromIntPtr(self).Target is not NativeProducer producer) { return; }
        byte* text = stackalloc byte[ErrorSize];
        _ = LibRdKafka.FatalError(client, text, ErrorSize);
        producer.Log(Marshal.PtrToStringUTF8((nint)text) ?? "");
    }

    /// <summary>Comes on the library's own threads.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnLog(nint client, int level, byte* facility, byte* message)
    {
        if (level > (int)SyslogLevel.Error) { return; }
        nint self = LibRdKafka.Opaque(client);
        if (self == 0 || GCHandle.FromIntPtr(self).Target is not NativeProducer producer) { return; }
        producer.Log($"{Marshal.PtrToStringUTF8((nint)facility)}: {Marshal.PtrToStringUTF8((nint)message)}");
    }

    private void Log(string what)
    {
        try
        {
            _log($"producer {Id}: {what}");
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A log that fails may not unwind into the library.
        }
    }
}
