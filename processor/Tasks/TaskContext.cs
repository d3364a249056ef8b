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
    public TaskContext(IRecordSink sink, IHeldReader heldReader, TimeProvider time, TaskKeys keys, ITaskObserver observer, string group, string writer, TaskLimits? limits = null, RecordPath recordPath = RecordPath.Native)
    {
        Sink = sink;
        Limits = limits ?? TaskLimits.Default;
        Seals = new Sealer(keys.Ring ?? KeyRing.Empty);
        HeldReader = heldReader;
        Time = time;
        Observer = observer;
        Group = group;
        Writer = writer;
        Digests = new RecordDigests(keys.AuditKey.Span, recordPath);
        RecordPath = recordPath;
        Judge = new Judge(key => Sha256Digest.Keyed(recordPath, key));
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

    public TaskLimits Limits { get; }

    /// <summary>Seals and opens values of bindings that say <c>seal</c>.</summary>
    public Sealer Seals { get; }

    /// <summary>Shares what many holds have in common.</summary>
    public HoldPool Pool { get; } = new();

    public Judge Judge { get; }

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
    public ByteBuffer Sealed { get; } = new(256);
    public RecordHeaders Headers { get; } = new();
    public HeldRecord Held { get; } = new();

    public void Dispose()
    {
        Digests.Dispose();
        Seals.Dispose();
        HoldHmac?.Dispose();
    }
}

/// <summary>Keys of the runtime's own. Never printed.</summary>
/// <param name="Ring">All keys by name and version: for seals. Null for none.</param>
internal sealed record TaskKeys(ReadOnlyMemory<byte> AuditKey, ReadOnlyMemory<byte> HoldKey, StatementVerifier? Approvals, KeyRing? Ring = null)
{
    public static TaskKeys None { get; } = new(default, default, null);

    public override string ToString() => "keys";
}

/// <summary>What a task keeps in memory at most.</summary>
/// <param name="HoldsMax">Open holds. At the limit the task does not take the next record that must be held, until holds have ended.</param>
/// <param name="ViewBytesMax">Bytes of masked views and keys; those beyond it stay on the state topic and are read back when their hold is written again.</param>
internal sealed record TaskLimits(int HoldsMax, long ViewBytesMax)
{
    public static TaskLimits Default { get; } = new(250_000, 32L << 20);
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
