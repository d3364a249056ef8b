using System.Globalization;
using System.Text;
using System.Text.Json;
using PolicyStreams.Processor.Audit;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Tasks;

/// <summary>What became of a record or a statement that was given to a task.</summary>
internal enum TaskStep
{
    /// <summary>Its outputs and decision are in the open transaction.</summary>
    Done,

    /// <summary>It had been processed before: nothing was written.</summary>
    Skipped,

    /// <summary>Its schema id is not known yet: see <see cref="StreamTask.Needed"/>. Give the same record again once it is.</summary>
    NeedsSchema,

    /// <summary>Something it needs cannot be read now. Give it again later.</summary>
    NotNow,

    /// <summary>It would be held, and as many holds are open as memory allows. Give it again once some have ended.</summary>
    Full,
}

/// <summary>
/// Partition <em>p</em> of a binding: owns <em>p</em> of ingress, governed, rejected, held, state, approvals, and decisions. Knows no Kafka: it is given records,
/// statements, and the clock, writes to a sink, and is told how each transaction ended. Everything since the last commit is undone by <see cref="Rollback"/>.
/// </summary>
internal sealed partial class StreamTask : IDisposable
{
    private readonly TaskContext _context;
    private readonly AuditChain _chain;
    private readonly Utf8JsonWriter _json = new(Stream.Null);

    // `raw.payments-0-`: what every id of the task's records begins with, spelled once.
    private readonly byte[] _idPrefix;

    private BindingTopics _topics;
    private CompiledBinding _binding;
    private TaskPosition _committed;
    private TaskPosition _now;
    private long _refusedOffset = -1;

    // The rejected record's timestamp was refused as well: it goes out with the time of now, and its own in a header.
    private bool _refusedTime;

    public StreamTask(TaskContext context, CompiledBinding binding, int partition, string topicId)
    {
        _context = context;
        _binding = binding;
        _topics = binding.Document.Topics;
        Partition = partition;
        TopicId = topicId;
        _chain = new AuditChain(_topics.Ingress, partition, context.RecordPath);
        _idPrefix = DigestText.Utf8(string.Create(CultureInfo.InvariantCulture, $"{_topics.Ingress}-{partition}-"));
    }

    public string IngressTopic => _topics.Ingress;

    public string ApprovalsTopic => _topics.Approvals;

    public int Partition { get; }

    public string TopicId { get; }

    public CompiledBinding Binding => _binding;

    /// <summary>Next offset of the ingress partition that the open transaction will commit.</summary>
    public long NextIngress => _now.NextIngress;

    public long NextApprovals => _now.NextApprovals;

    /// <summary>As of the last commit.</summary>
    public long CommittedIngress => _committed.NextIngress;

    public long CommittedApprovals => _committed.NextApprovals;

    /// <summary>Set where <see cref="Process"/> said <see cref="TaskStep.NeedsSchema"/>.</summary>
    public JudgeResult Needed { get; private set; }

    /// <summary>True once the open transaction has anything of this task, so that its head and offsets go into it.</summary>
    public bool Touched { get; private set; }

    /// <summary>Starts from a head, or from the beginning where there is none.</summary>
    public void Start(TaskPosition position, ChainState chain)
    {
        _committed = _now = position;
        _chain.Restore(chain);
        StartHolds();
        Touched = false;
    }

    /// <summary>Gives the task the policy in force. Between transactions only.</summary>
    public void UsePolicy(CompiledBinding binding)
    {
        if (ReferenceEquals(binding, _binding)) { return; }
        _binding = binding;
        _topics = binding.Document.Topics;
    }

    /// <summary>Says that the record at this offset was refused by the broker, alone in its transaction: the next time it is given, it is denied for that.</summary>
    /// <returns>False where it was denied for that already, with a timestamp of now at last, and what is refused is the denial.</returns>
    public bool Refuse(long offset)
    {
        bool again = _refusedOffset == offset;
        _refusedOffset = offset;
        return RefuseTime(again);
    }

    private bool RefuseTime(bool again)
    {
        if (again && _refusedTime) { return false; }
        _refusedTime = again;
        return true;
    }

    /// <summary>Judges one ingress record and writes what follows from it. Offsets only grow; one that was processed is skipped.</summary>
    public TaskStep Process(in RecordInput input)
    {
        if (input.Offset < _now.NextIngress) { return TaskStep.Skipped; }
        TaskContext context = _context;
        context.Output.Clear();
        Verdict verdict = context.Verdict;
        KeyQueue? queue = null;
        bool refused = input.Offset == _refusedOffset;
        if (refused)
        {
            context.Judge.Deny(_binding, input, "ps:output-refused", "refused-by-broker", verdict);
        }
        else
        {
            JudgeResult judged = context.Judge.Decide(_binding, input, context.Output, verdict);
            if (!judged.Decided)
            {
                Needed = judged;
                return TaskStep.NeedsSchema;
            }

            queue = QueueOf(input);
            if (queue is not null) { verdict.HoldBehind(_topics.Held); }
            if (verdict.Outcome == Outcome.Hold && IsFull) { return TaskStep.Full; }
        }

        long nowMs = context.Time.GetUtcNow().ToUnixTimeMilliseconds();
        Open(nowMs);
        switch (verdict.Outcome)
        {
            case Outcome.Allow:
                WriteDecision(input, verdict, "decided", "", nowMs, SendGoverned(input, verdict));
                break;
            case Outcome.Deny:
                WriteDecision(input, verdict, "decided", "", nowMs, SendRejected(input, verdict, withOwnTime: refused && _refusedTime));
                break;
            default:
                // The decision goes first: what is held carries its id, and both are in one transaction.
                ReadOnlySpan<byte> held = SendHeld(input, verdict, nowMs, queue, out string? behind);
                WriteDecision(input, verdict, "decided", "", nowMs, held, behind);
                break;
        }

        _now = _now with { NextIngress = input.Offset + 1 };
        context.Observer.Decided(verdict);
        return TaskStep.Done;
    }

    /// <summary>Where the head of the last transaction came to lie: its time is the broker's own.</summary>
    public Placement? HeadAt { get; private set; }

    /// <summary>Ends the task's part of a transaction: the checkpoint on decisions and the same head on state.</summary>
    public void EndTransaction()
    {
        if (!Touched) { return; }
        DateTimeOffset now = _context.Time.GetUtcNow();
        ReadOnlySpan<byte> checkpoint = _chain.Checkpoint(now);
        if (!checkpoint.IsEmpty)
        {
            _context.Sink.Send(new OutputRecord
            {
                Topic = _topics.Decisions,
                Partition = Partition,
                HasKey = true,
                Key = _chain.CheckpointKey,
                HasValue = true,
                Value = checkpoint,
                TimestampMs = now.ToUnixTimeMilliseconds(),
                OwnTime = true,
            });
        }

        HeadAt = new Placement();
        SendHead(now.ToUnixTimeMilliseconds(), HeadAt);
    }

    /// <summary>
    /// Begins the task's part of a transaction with the head as it stands: brokers look a partition's transaction up at its first batch, and so do that for state while records still come, and not at the end.
    /// </summary>
    private void Open(long nowMs)
    {
        if (Touched) { return; }
        Touched = true;
        SendHead(nowMs);
    }

    private void SendHead(long nowMs, Placement? placed = null)
    {
        ByteBuffer state = _context.State;
        state.Clear();
        _json.Reset(state);
        Head().Write(_json);
        _json.Flush();
        SendState(TaskHead.Key, state.Written, nowMs, placed);
    }

    /// <summary>The transaction is visible: what it did stands.</summary>
    public void Commit()
    {
        _committed = _now;
        _chain.Commit();
        CommitHolds();
        if (_refusedOffset >= 0 && _refusedOffset < _now.NextIngress) { (_refusedOffset, _refusedTime) = (-1, false); }
        if (_refusedEnd.Length > 0 && !_holds.ContainsKey(_refusedEnd)) { (_refusedEnd, _refusedTime) = ("", false); }
        Touched = false;
    }

    /// <summary>The transaction is certainly not visible: what it did is dropped, all of it.</summary>
    public void Rollback()
    {
        _now = _committed;
        _chain.Rollback();
        RollbackHolds();
        Touched = false;
    }

    /// <summary>Puts the task into the open transaction with nothing but its head: a task gets its first committed offset so.</summary>
    public void Touch() => Touched = true;

    /// <summary>Records that an operator let the task go on from offsets that its head did not have: part of the audit log, in the first transaction.</summary>
    public void RecordAdoption()
    {
        long nowMs = _context.Time.GetUtcNow().ToUnixTimeMilliseconds();
        Touch();
        string id = string.Create(CultureInfo.InvariantCulture, $"{this}/adopted-{_chain.NextSeq}");
        ByteBuffer text = _context.State;
        text.Clear();
        _json.Reset(text);
        _json.WriteStartObject();
        _json.WriteNumber("v", 1);
        _json.WriteString("id", id);
        _json.WriteNumber("seq", _chain.NextSeq);
        _json.WriteString("event", "adopted");
        HoldJson.WriteInstant(_json, "time", nowMs);
        _json.WriteNumber("ingress", _now.NextIngress);
        _json.WriteNumber("approvals", _now.NextApprovals);
        _json.WriteString("topic_id", TopicId);
        _json.WriteEndObject();
        _json.Flush();
        SendDecision(DigestText.Utf8(id), text.Written, nowMs);
    }

    public TaskHead Head() => new()
    {
        Topic = _topics.Ingress,
        TopicId = TopicId,
        Partition = Partition,
        Group = _context.Group,
        Writer = _context.Writer,
        NextIngress = _now.NextIngress,
        NextApprovals = _now.NextApprovals,
        Chain = _chain.State,
        PolicyDigest = _now.PolicyDigest,
    };

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{_topics.Ingress}-{Partition}");

    public void Dispose()
    {
        _chain.Dispose();
        _json.Dispose();
    }

    /// <summary>Writes the verdict's decision. <paramref name="after"/> is the value that went out; empty where none did.</summary>
    private void WriteDecision(in RecordInput input, Verdict verdict, string eventName, string idSuffix, long nowMs, ReadOnlySpan<byte> after, string? behind = null)
    {
        AnnouncePolicy(nowMs);
        TaskContext context = _context;
        context.Decision.Clear();
        DecisionWriter.Write(context.Decision, verdict, input.Principal, new DecisionFacts
        {
            Topic = input.Topic,
            Partition = input.Partition,
            Offset = input.Offset,
            IdSuffix = idSuffix,
            Event = eventName,
            Seq = _chain.NextSeq,
            TimeMs = nowMs,
            Behind = behind,
            Before = input.HasValue ? context.Digests.Before(input.Value) : default,
            // Without an audit key a digest of an original, as held and rejected topics have it, would undo the masks by enumeration, as `before` would.
            After = after.IsEmpty || (verdict.Outcome != Outcome.Allow && !context.Digests.Keyed && _binding.Document.Seal is null) ? default : context.Digests.After(after),
        });
        WriteId(input.Offset, idSuffix);
        SendDecision(context.Key.Written, context.Decision.Written, nowMs);
    }

    /// <summary>Before its first decision under a digest, a task says what the digest stands for.</summary>
    private void AnnouncePolicy(long nowMs)
    {
        CompiledPolicy policy = _binding.Policy;
        if (_now.PolicyDigest == policy.Digest) { return; }
        _now = _now with { PolicyDigest = policy.Digest };
        ByteBuffer text = _context.State;
        text.Clear();
        _json.Reset(text);
        _json.WriteStartObject();
        _json.WriteNumber("v", 1);
        _json.WriteString("id", "policy/" + policy.Digest);
        _json.WriteNumber("seq", _chain.NextSeq);
        _json.WriteString("event", "policy");
        HoldJson.WriteInstant(_json, "time", nowMs);
        _json.WriteString("policy", policy.Document.Name);
        _json.WriteString("digest", policy.Digest);
        _json.WriteString("canonical", policy.CanonicalDigest);
        _json.WriteStartObject("schemas");
        foreach ((string binding, IReadOnlyList<int> ids) in policy.SchemaIds)
        {
            _json.WriteStartArray(binding);
            foreach (int id in ids) { _json.WriteNumberValue(id); }
            _json.WriteEndArray();
        }

        _json.WriteEndObject();
        _json.WriteEndObject();
        _json.Flush();
        SendDecision(Encoding.UTF8.GetBytes("policy/" + policy.Digest), text.Written, nowMs);
    }

    private void SendDecision(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, long nowMs)
    {
        _chain.Add(value);
        _context.Sink.Send(new OutputRecord
        {
            Topic = _topics.Decisions,
            Partition = Partition,
            HasKey = true,
            Key = key,
            HasValue = true,
            Value = value,
            TimestampMs = nowMs,
            OwnTime = true,
        });
    }

    private void SendState(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, long nowMs, Placement? placed = null, bool tombstone = false) =>
        _context.Sink.Send(
            new OutputRecord
            {
                Topic = _topics.State,
                Partition = Partition,
                HasKey = true,
                Key = key,
                HasValue = !tombstone,
                Value = value,
                TimestampMs = nowMs,
                OwnTime = true,
            },
            placed);

    /// <summary>Puts the id of the record at <paramref name="offset"/> into the key scratch.</summary>
    private void WriteId(long offset, string suffix)
    {
        ByteBuffer key = _context.Key;
        key.Clear();
        key.Append(_idPrefix);
        AppendNumber(key, offset);
        AppendText(key, suffix);
    }

    private static void AppendText(ByteBuffer buffer, string text)
    {
        if (text.Length == 0) { return; }
        int written = Encoding.UTF8.GetBytes(text, buffer.GetSpan(Encoding.UTF8.GetMaxByteCount(text.Length)));
        buffer.Advance(written);
    }

    private static void AppendNumber(ByteBuffer buffer, long number)
    {
        _ = number.TryFormat(buffer.GetSpan(20), out int written, default, CultureInfo.InvariantCulture);
        buffer.Advance(written);
    }
}

/// <summary>Where a task stands beside its chain and holds.</summary>
/// <param name="PolicyDigest">Digest whose <c>policy</c> event was written last; empty before the first.</param>
internal readonly record struct TaskPosition(long NextIngress, long NextApprovals, string PolicyDigest);
