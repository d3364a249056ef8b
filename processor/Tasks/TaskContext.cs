using PolicyStreams.Processor.Audit;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Tasks;

/// <summary>
/// What the tasks of one stream thread share: the judge with its scratch, the sink, digests, keys. Used by that thread alone.
/// </summary>
internal sealed class TaskContext : IDisposable
{
    public TaskContext(IRecordSink sink, IHeldReader heldReader, TimeProvider time, TaskKeys keys, ITaskObserver observer, string group, string writer, RecordPath recordPath = RecordPath.Native)
    {
        Sink = sink;
        HeldReader = heldReader;
        Time = time;
        Observer = observer;
        Group = group;
        Writer = writer;
        Digests = new RecordDigests(keys.AuditKey.Span, recordPath);
        RecordPath = recordPath;
        HoldHmac = keys.HoldKey.IsEmpty ? null : new HoldHmac(keys.HoldKey.Span);
        Approvals = keys.Approvals;
    }

    /// <summary>Replaced when the thread makes its producer anew.</summary>
    public IRecordSink Sink { get; set; }

    public IHeldReader HeldReader { get; }

    public TimeProvider Time { get; }

    public ITaskObserver Observer { get; }

    public string Group { get; }

    public string Writer { get; }

    public Judge Judge { get; } = new();

    public Verdict Verdict { get; } = new();

    public RecordDigests Digests { get; }

    public RecordPath RecordPath { get; }

    /// <summary>Null without a hold key: holds are then taken and expire, none is released.</summary>
    public HoldHmac? HoldHmac { get; }

    /// <summary>Null without keys to check statements with.</summary>
    public StatementVerifier? Approvals { get; }

    // Scratch, one of each a thread.
    public ByteBuffer Output { get; } = new(64 * 1024);
    public ByteBuffer Decision { get; } = new(4096);
    public ByteBuffer Key { get; } = new(256);
    public ByteBuffer State { get; } = new(4096);
    public ByteBuffer Text { get; } = new(256);
    public RecordHeaders Headers { get; } = new();
    public HeldRecord Held { get; } = new();

    public void Dispose()
    {
        Digests.Dispose();
        HoldHmac?.Dispose();
    }
}

/// <summary>Keys of the runtime's own. Never printed.</summary>
internal sealed record TaskKeys(ReadOnlyMemory<byte> AuditKey, ReadOnlyMemory<byte> HoldKey, StatementVerifier? Approvals)
{
    public static TaskKeys None { get; } = new(default, default, null);

    public override string ToString() => "keys";
}

/// <summary>Hears what a task does, for metrics and the log. Called on the stream thread; never given payload.</summary>
internal interface ITaskObserver
{
    /// <summary>A decision was written (its transaction has not ended yet).</summary>
    void Decided(Verdict verdict);

    /// <summary>A hold ended or was decided upon: <paramref name="eventName"/> as in decisions.</summary>
    void HoldEvent(string eventName, string holdId);

    /// <summary>Something that an operator must look at: a held record that was altered, a statement of an unknown key.</summary>
    void Alarm(string what);
}
