using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Processor.Streams;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Testing;

/// <summary>A record that the driver was given or wrote.</summary>
public sealed record DriverRecord(string Topic, int Partition, long Offset, byte[]? Key, byte[]? Value, IReadOnlyList<KeyValuePair<string, byte[]?>> Headers, long TimestampMs)
{
    /// <summary>Number of the transaction that wrote it, from 1; 0 for what a test gave.</summary>
    public int Transaction { get; init; }

    /// <summary>The key as UTF-8 text; empty for a null key.</summary>
    public string KeyText => Key is null ? "" : Encoding.UTF8.GetString(Key);

    /// <summary>The first header of this name as UTF-8 text; null where there is none.</summary>
    public string? Header(string name)
    {
        foreach ((string key, byte[]? value) in Headers)
        {
            if (key == name) { return value is null ? null : Encoding.UTF8.GetString(value); }
        }

        return null;
    }

    public override string ToString() => $"{Topic}-{Partition}-{Offset}";
}

/// <summary>Keys that a driver gives its tasks.</summary>
/// <param name="AuditKey">32 bytes or more, or empty for none.</param>
/// <param name="HoldKey">32 bytes or more, or empty for none: then no hold is released.</param>
/// <param name="Approvals">Checks statements; null: none counts.</param>
/// <param name="Ring">Keys by name and version, for bindings that seal; null for none.</param>
public sealed record DriverKeys(ReadOnlyMemory<byte> AuditKey = default, ReadOnlyMemory<byte> HoldKey = default, StatementVerifier? Approvals = null, KeyRing? Ring = null)
{
    public override string ToString() => "keys";
}

/// <summary>How the end of a transaction comes out.</summary>
public enum DriverCommit
{
    /// <summary>Visible, and the process knows.</summary>
    Committed,

    /// <summary>The broker refused it, and the process knows: everything since the last commit is read again.</summary>
    Aborted,

    /// <summary>Visible, and the process does not know: its tasks restore.</summary>
    UnknownCommitted,

    /// <summary>Not visible, and the process does not know: its tasks restore.</summary>
    UnknownAborted,

    /// <summary>The process ends before the broker heard of it.</summary>
    CrashBefore,

    /// <summary>The process ends once the broker has it.</summary>
    CrashAfter,
}

/// <summary>
/// Drives the processor's topology without a broker: records and statements in, records out, the clock moved by the test, a crash and restore at any point. It runs the very
/// tasks that stream threads run; topics are lists in memory, and what is sent becomes readable when the transaction commits. Not thread-safe.
/// </summary>
public sealed class TopologyDriver : IDisposable
{
    private const string Group = "driver";

    private readonly TimeProvider _time;
    private readonly DriverKeys _keys;
    private readonly DriverLog _log = new();
    private readonly SortedDictionary<(string Topic, int Partition), StreamTask> _tasks = [];
    private readonly Dictionary<(string Topic, int Partition), (long Ingress, long Approvals)> _committed = [];
    private readonly SortedSet<(string Topic, int Partition)> _waiting = [];
    private TaskContext _context;
    private CompiledPolicy _policy;
    private bool _redelivering;
    private TaskLimits _limits = TaskLimits.Default;

    /// <param name="policy">Compiled; its bindings' topics are the driver's.</param>
    /// <param name="time">The clock that decisions and expiry go by.</param>
    /// <param name="keys">Null for none.</param>
    public TopologyDriver(CompiledPolicy policy, TimeProvider time, DriverKeys? keys = null)
    {
        _policy = policy;
        _time = time;
        _keys = keys ?? new DriverKeys();
        _context = NewContext();
    }

    /// <summary>True (the default) commits after every record, statement, and punctuation. Else call <see cref="Commit"/>.</summary>
    public bool AutoCommit { get; set; } = true;

    /// <summary>
    /// Stands for the registry: given the binding and what the judge needs, tells the binding (<see cref="CompiledBinding.Answer"/>) and returns the policy to go on with, the same or
    /// one that was resolved anew; or null where it cannot say now: the record then waits, and <see cref="Redeliver"/> gives it again. Unset: what the policy was not resolved with is unknown.
    /// </summary>
    public Func<CompiledBinding, JudgeResult, CompiledPolicy?>? Registry { get; set; }

    /// <summary>Ingress partitions whose next record waits for the registry.</summary>
    public IReadOnlyCollection<(string Topic, int Partition)> Waiting => _waiting;

    /// <summary>What tasks keep in memory at most. For tests of this assembly's own.</summary>
    internal TaskLimits Limits
    {
        get => _limits;
        set
        {
            _limits = value;
            _context = NewContext();
        }
    }

    /// <summary>What an operator would have been alarmed of.</summary>
    public IReadOnlyList<string> Alarms => _log.Alarms;

    /// <summary>Holds open now, over all tasks.</summary>
    public int OpenHolds => _tasks.Values.Sum(task => task.OpenHolds);

    /// <summary>False stands for a registry that does not answer: a record of an unknown schema id waits, and the records behind it.</summary>
    public bool RegistryAnswers { get; set; } = true;

    /// <summary>False stands for a held topic that cannot be read now: what would end a hold waits.</summary>
    public bool HeldReadable { get => _log.HeldReadable; set => _log.HeldReadable = value; }

    /// <summary>True lets the client tell where held records lie only at the transaction's end. Default false: at once.</summary>
    public bool ReportsLate { get => _log.ReportsLate; set => _log.ReportsLate = value; }

    /// <summary>Appends a record to an ingress topic and processes it.</summary>
    /// <returns>Its offset.</returns>
    public long Pipe(string topic, byte[]? key, byte[]? value, IReadOnlyList<KeyValuePair<string, byte[]?>>? headers = null, int partition = 0, long? timestampMs = null)
    {
        DriverRecord record = _log.Append(topic, partition, key, value, headers ?? [], timestampMs ?? NowMs);
        Guarded(() => Process(record));
        if (AutoCommit) { Commit(); }
        return record.Offset;
    }

    /// <summary>Appends a record to an ingress topic and leaves it there: <see cref="Deliver"/> processes it.</summary>
    /// <returns>Its offset.</returns>
    public long Append(string topic, byte[]? key, byte[]? value, IReadOnlyList<KeyValuePair<string, byte[]?>>? headers = null, int partition = 0, long? timestampMs = null) =>
        _log.Append(topic, partition, key, value, headers ?? [], timestampMs ?? NowMs).Offset;

    /// <summary>Processes the next record of an ingress partition. A partition without a task gets one, restored.</summary>
    /// <param name="back">How far before its next record the task reads: what it has processed already must change nothing.</param>
    /// <returns>False where there is none, or the task must wait.</returns>
    public bool Deliver(string topic, int partition = 0, int back = 0)
    {
        bool done = false;
        Guarded(() => done = _log.Next(topic, partition, Math.Max(0, TaskOf(topic, partition).NextIngress - back)) is { } record && Process(record));
        if (done && AutoCommit) { Commit(); }
        return done;
    }

    /// <summary>Appends a signed statement to the approvals topic of a binding and processes it.</summary>
    public void PipeStatement(string ingressTopic, string holdId, byte[] jws, int partition = 0, long? appendedMs = null)
    {
        AppendStatement(ingressTopic, holdId, jws, partition, appendedMs);
        while (DeliverStatement(ingressTopic, partition)) { }
        Guarded(() => TaskOf(ingressTopic, partition).EndHolds(0, int.MaxValue));
        if (AutoCommit) { Commit(); }
    }

    /// <summary>Appends a signed statement to the approvals topic of a binding and leaves it there: <see cref="DeliverStatement"/> processes it.</summary>
    /// <returns>Its offset.</returns>
    public long AppendStatement(string ingressTopic, string holdId, byte[]? jws, int partition = 0, long? appendedMs = null) =>
        _log.Append(BindingOf(ingressTopic).Document.Topics.Approvals, partition, Encoding.UTF8.GetBytes(holdId), jws, [], appendedMs ?? NowMs).Offset;

    /// <summary>Gives a task its next statement. What it met or rejected ends at the next <see cref="Punctuate"/>.</summary>
    /// <param name="back">As for <see cref="Deliver"/>.</param>
    /// <returns>False where there is none.</returns>
    public bool DeliverStatement(string ingressTopic, int partition = 0, int back = 0)
    {
        bool done = false;
        Guarded(() =>
        {
            StreamTask task = TaskOf(ingressTopic, partition);
            if (_log.Next(task.ApprovalsTopic, partition, Math.Max(0, task.NextApprovals - back)) is not { } record) { return; }
            done = task.Statement(record.Offset, record.TimestampMs, record.Key, record.Value) != TaskStep.NotNow;
        });
        return done;
    }

    /// <summary>Does what is due by the clock and by statements: ends holds. A hold expires only once its task has consumed the statements that are there.</summary>
    /// <param name="most">Most holds that each task ends.</param>
    public void Punctuate(int most = int.MaxValue)
    {
        Guarded(() =>
        {
            foreach (StreamTask task in _tasks.Values)
            {
                bool consumed = task.NextApprovals >= _log.End(task.ApprovalsTopic, task.Partition);
                task.EndHolds(consumed ? NowMs : 0, most);
                if (task.ReleaseNeeds is { } needed && RegistryAnswers) { task.Binding.AnswerUnknown(needed); }
            }
        });
        if (AutoCommit) { Commit(); }
    }

    /// <summary>Commits what was sent since the last commit.</summary>
    public void Commit() => Commit(DriverCommit.Committed);

    /// <summary>Ends the open transaction, one way or another.</summary>
    public void Commit(DriverCommit how)
    {
        Guarded(() =>
        {
            foreach (StreamTask task in _tasks.Values) { task.EndTransaction(); }
            if (how is DriverCommit.Committed or DriverCommit.UnknownCommitted or DriverCommit.CrashAfter)
            {
                _log.Commit();
                foreach ((var partition, StreamTask task) in _tasks)
                {
                    if (task.Touched) { _committed[partition] = (task.NextIngress, task.NextApprovals); }
                }
            }

            switch (how)
            {
                case DriverCommit.Committed:
                    foreach (StreamTask task in _tasks.Values)
                    {
                        if (task.Touched) { task.Commit(); }
                    }

                    break;
                case DriverCommit.Aborted:
                    Abort();
                    break;
                case DriverCommit.UnknownCommitted or DriverCommit.UnknownAborted:
                    _log.Abort();
                    RestoreAll();
                    break;
                default:
                    Crash();
                    break;
            }
        });
    }

    /// <summary>Lets the process end at the send after the next <paramref name="sends"/>: inside whatever it does then.</summary>
    public void CrashAfter(int sends) => _log.SendsLeft = sends;

    /// <summary>The group takes a partition away in good order: the open transaction is committed first. Its next record finds a task restored.</summary>
    public void Revoke(string topic, int partition = 0)
    {
        if (!_tasks.TryGetValue((topic, partition), out StreamTask? task)) { return; }
        if (task.Touched) { Commit(); }
        Drop(topic, partition);
    }

    /// <summary>The group has taken a partition away already: what is open is aborted.</summary>
    public void Lose(string topic, int partition = 0)
    {
        Drop(topic, partition);
        Abort();
    }

    /// <summary>Compacts a topic, as the broker's cleaner may at any time: the last record of each key stays, under its offset.</summary>
    /// <param name="dropTombstones">Those too, as after <c>delete.retention.ms</c>.</param>
    public void Compact(string topic, bool dropTombstones) => _log.Compact(topic, dropTombstones);

    /// <summary>What transactions made visible since the last call, in the order of the transactions.</summary>
    public IReadOnlyList<DriverRecord> TakeCommitted() => _log.TakeNews();

    /// <summary>The group's committed offsets of a task, next to read; -1 where there are none.</summary>
    public (long Ingress, long Approvals) CommittedOffsets(string topic, int partition = 0) => _committed.GetValueOrDefault((topic, partition), (-1, -1));

    /// <summary>Aborts the open transaction: what was sent is never readable, and its records are processed again by <see cref="Redeliver"/>.</summary>
    public void Abort()
    {
        _log.Abort();
        foreach (StreamTask task in _tasks.Values)
        {
            if (task.Touched) { task.Rollback(); }
        }
    }

    /// <summary>Ends the process at once and starts another: uncommitted records are gone, tasks restore from their topics.</summary>
    public void Crash()
    {
        _log.SendsLeft = -1;
        _log.Abort();
        TaskContext old = _context;
        _context = NewContext();
        RestoreAll();
        old.Dispose();
    }

    /// <summary>Processes what tasks have not committed yet: ingress records and statements behind their offsets, as the group would deliver them again.</summary>
    public void Redeliver()
    {
        foreach (StreamTask task in _tasks.Values)
        {
            _redelivering = true;
            foreach (DriverRecord record in _log.From(task.IngressTopic, task.Partition, task.NextIngress))
            {
                Process(record);
                if (_waiting.Contains((record.Topic, record.Partition))) { break; }
            }

            _redelivering = false;
            foreach (DriverRecord record in _log.From(task.ApprovalsTopic, task.Partition, task.NextApprovals)) { task.Statement(record.Offset, record.TimestampMs, record.Key, record.Value); }
            task.EndHolds(0, int.MaxValue);
        }

        if (AutoCommit) { Commit(); }
    }

    /// <summary>Takes over another driver's topics and committed offsets, as a process with other keys does.</summary>
    internal void Take(TopologyDriver other)
    {
        _log.Take(other._log);
        foreach ((var partition, var committed) in other._committed) { _committed[partition] = committed; }
        foreach ((string topic, int partition) in other._tasks.Keys) { TaskOf(topic, partition); }
    }

    /// <summary>Loses what a topic held, as when it is deleted and made anew.</summary>
    internal void Forget(string topic) => _log.Forget(topic);

    /// <summary>Puts another policy in force, between transactions.</summary>
    public void UsePolicy(CompiledPolicy policy)
    {
        Commit();
        _policy = policy;
        foreach (StreamTask task in _tasks.Values) { task.UsePolicy(BindingOf(task.IngressTopic)); }
    }

    /// <summary>Committed records of a topic, in the order they were written.</summary>
    public IReadOnlyList<DriverRecord> Read(string topic) => _log.Read(topic);

    /// <summary>Committed decisions with this event, parsed; all events where it is null.</summary>
    public IReadOnlyList<JsonElement> Decisions(string? eventName = "decided") =>
        [.. _policy.Bindings.Values.Select(binding => binding.Document.Topics.Decisions).Distinct(StringComparer.Ordinal).SelectMany(Read)
            .Select(record => JsonDocument.Parse(record.Value!).RootElement).Where(decision => eventName is null || decision.GetProperty("event").GetString() == eventName)];

    public void Dispose()
    {
        foreach (StreamTask task in _tasks.Values) { task.Dispose(); }
        _context.Dispose();
    }

    private long NowMs => _time.GetUtcNow().ToUnixTimeMilliseconds();

    private void RestoreAll()
    {
        List<(string Topic, int Partition)> partitions = [.. _tasks.Keys];
        foreach (StreamTask task in _tasks.Values) { task.Dispose(); }
        _tasks.Clear();
        foreach ((string topic, int partition) in partitions) { TaskOf(topic, partition); }
    }

    private void Drop(string topic, int partition)
    {
        if (_tasks.Remove((topic, partition), out StreamTask? task)) { task.Dispose(); }
    }

    private void Guarded(Action step)
    {
        try
        {
            step();
        }
        catch (DriverCrashException)
        {
            Crash();
        }
    }

    private bool Process(DriverRecord record)
    {
        StreamTask task = TaskOf(record.Topic, record.Partition);
        var headers = new RecordHeaders();
        Message<byte[]?, byte[]?> message = DriverLog.Message(record);
        ConfluentMessages.CopyProducers(message.Headers, headers);
        var input = new RecordInput
        {
            Topic = task.IngressTopic,
            Partition = record.Partition,
            Offset = record.Offset,
            TimestampMs = record.TimestampMs,
            HasKey = record.Key is not null,
            Key = record.Key,
            HasValue = record.Value is not null,
            Value = record.Value,
            Headers = headers,
            Principal = task.Binding.Document.TopicPrincipal,
        };
        if (_waiting.Contains((record.Topic, record.Partition)) && !_redelivering) { return false; }
        _waiting.Remove((record.Topic, record.Partition));
        TaskStep step;
        while ((step = task.Process(input)) == TaskStep.NeedsSchema)
        {
            if (!RegistryAnswers) { return false; }
            JudgeResult needed = task.Needed;
            CompiledPolicy? policy = _policy;

            // Without a registry to ask, what the policy was not resolved with is unknown.
            if (Registry is null) { task.Binding.AnswerUnknown(needed); }
            else { policy = Registry(task.Binding, needed); }
            if (policy is null)
            {
                _waiting.Add((record.Topic, record.Partition));
                return false;
            }

            if (!ReferenceEquals(policy, _policy)) { UsePolicy(policy); }
        }

        return step is TaskStep.Done or TaskStep.Skipped;
    }

    private StreamTask TaskOf(string topic, int partition)
    {
        if (_tasks.TryGetValue((topic, partition), out StreamTask? task)) { return task; }
        CompiledBinding binding = BindingOf(topic);
        task = new StreamTask(_context, binding, partition, "driver-topic-id");
        var restore = new TaskRestore(new TaskRunner(new TopicPartition(topic, partition), task, new Metrics.TaskGauges()), binding.Document.Topics);
        if (_committed.TryGetValue((topic, partition), out (long Ingress, long Approvals) committed)) { (restore.CommittedIngress, restore.CommittedApprovals) = committed; }
        foreach (DriverRecord record in _log.Read(binding.Document.Topics.State, partition))
        {
            if (restore.TakeState(DriverLog.Result(record)) is { } why) { throw new InvalidOperationException(why); }
        }

        foreach (DriverRecord record in _log.Read(binding.Document.Topics.Held, partition)) { restore.TakeHeld(DriverLog.Result(record)); }
        if (restore.Finish(Group, "driver-topic-id", adopt: false, checkOffsets: true, out _) is { } quarrel) { throw new InvalidOperationException(quarrel); }
        return _tasks[(topic, partition)] = task;
    }

    private CompiledBinding BindingOf(string topic) =>
        _policy.Bindings.Values.FirstOrDefault(binding => binding.Document.Topics.Ingress == topic)
        ?? throw new ArgumentException($"No binding has the ingress topic `{topic}`.", nameof(topic));

    private TaskContext NewContext() => new(_log, _log, _time, new TaskKeys(_keys.AuditKey, _keys.HoldKey, _keys.Approvals, _keys.Ring), _log, Group, "driver", Limits);
}

