using System.Globalization;
using System.Text;
using Confluent.Kafka;
using PolicyStreams.Processor.Audit;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Streams;

/// <summary>Bytes of states that the restores of one stream thread may keep until they are read; what finds no room is read a second time.</summary>
internal sealed class RestoreBudget(long bytes)
{
    public long Left { get; set; } = bytes;
}

/// <summary>
/// Restores one task, a step at a time so that its thread keeps polling: committed offsets first (the broker waits out pending offset commits), then the end
/// offsets of state and held including open transactions, then both topics read-committed until they have passed those ends. Only holds that are still open then
/// are parsed: a long history of ended ones costs its bytes and little more.
/// </summary>
internal sealed class TaskRestore
{
    private readonly Dictionary<long, StateRecord> _states = [];
    private readonly Dictionary<long, HeldPlace> _held = [];
    private readonly RestoreBudget _budget;
    private readonly byte[] _prefix;

    // Open holds in the order of their offsets, once all is read; and those of them whose bytes found no room, by where they are.
    private List<long>? _open;
    private readonly Dictionary<long, long> _missing = [];
    private int _parsed;
    private byte[]? _headValue;
    private string _headAt = "";
    private TaskHead? _head;
    private string? _damaged;
    private string? _headDamaged;

    public TaskRestore(TaskRunner runner, BindingTopics topics, RestoreBudget? budget = null)
    {
        Runner = runner;
        State = new TopicPartition(topics.State, runner.Ingress.Partition);
        Held = new TopicPartition(topics.Held, runner.Ingress.Partition);
        _budget = budget ?? new RestoreBudget(256L << 20);
        _prefix = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{runner.Ingress.Topic}-{runner.Ingress.Partition.Value}-"));
    }

    public enum Step { Committed, Ends, Reading, Parsing }

    public Step At { get; set; }

    public TaskRunner Runner { get; }

    public TopicPartition State { get; }

    public TopicPartition Held { get; }

    public long StartedAt { get; set; }

    /// <summary>Not before this timestamp is the next attempt of a step that failed.</summary>
    public long NotBefore { get; set; }

    /// <summary>When progress was logged last.</summary>
    public long ToldAt { get; set; }

    /// <summary>Committed next offsets; -1 where the group has none.</summary>
    public long CommittedIngress { get; set; } = -1;

    public long CommittedApprovals { get; set; } = -1;

    /// <summary>First offsets there are: where a task without a head begins.</summary>
    public long LowIngress { get; set; }

    public long LowApprovals { get; set; }

    public long StateEnd { get; set; }

    public long HeldEnd { get; set; }

    /// <summary>How far each topic has been read; they begin at their first offset.</summary>
    public long StatePosition { get; set; }

    public long HeldPosition { get; set; }

    public bool StateRead { get; set; }

    public bool HeldRead { get; set; }

    /// <summary>Offsets that are still to be read, of both topics.</summary>
    public long Left => Math.Max(0, StateEnd - StatePosition) + Math.Max(0, HeldEnd - HeldPosition);

    public long RecordsRead { get; private set; }

    /// <summary>What was left when it last became less, and when that was.</summary>
    public long LeftLast { get; set; }

    public long MovedAt { get; set; }

    /// <summary>Where a topic's last end-of-partition was: short of its end, that is the first record of an open transaction; -1 where there was none.</summary>
    public long StateStable { get; set; } = -1;

    public long HeldStable { get; set; } = -1;

    /// <summary>
    /// True where the group has committed offsets of a transaction that is not visible here: Kafka has committed it and written its end to some partitions only. A first transaction has no head before it.
    /// </summary>
    public bool IsCommittedElsewhere => CommittedIngress > (_headValue is null ? LowIngress : TaskHead.TryParse(_headValue, out _)?.NextIngress ?? long.MaxValue);

    /// <summary>The first record of an open transaction that is in the way, as far as that is known.</summary>
    public TopicPartitionOffset? OpenFrom =>
        !StateRead && StateStable >= 0 && StateStable < StateEnd ? new TopicPartitionOffset(State, StateStable)
        : !HeldRead && HeldStable >= 0 && HeldStable < HeldEnd ? new TopicPartitionOffset(Held, HeldStable)
        : null;

    public Task<(long State, long Held)>? Ends { get; set; }

    public TaskHead? Head => _head ??= _headValue is null ? null : TaskHead.TryParse(_headValue, out _);

    /// <summary>True while states are parsed whose bytes found no room and must be read again, from <see cref="SecondPassFrom"/>.</summary>
    public bool NeedsSecondPass => _open is not null && _missing.Count > 0;

    public long SecondPassFrom => _missing.Keys.Min();

    /// <summary>Takes in one record of the state topic. Returns why the task must stop, or null.</summary>
    public string? TakeState(ConsumeResult<byte[]?, byte[]?> record)
    {
        StatePosition = record.Offset.Value + 1;
        byte[]? key = record.Message.Key;
        byte[]? value = record.Message.Value;
        if (_open is not null) { return TakeAgain(record.Offset.Value, value); }
        RecordsRead++;
        if (key is null) { return $"record {Position(record)} has no key: it was not written by a processor"; }
        if (key.AsSpan().SequenceEqual(TaskHead.Key))
        {
            (_headValue, _headAt) = (value, Position(record));
            return null;
        }

        if (!TryOffset(key, out long offset)) { return $"record {Position(record)} is neither the head nor a hold of this partition: it was not written by this task"; }
        if (_states.Remove(offset, out StateRecord before)) { _budget.Left += before.Value?.Length ?? 0; }
        if (value is null) { return null; }
        bool room = _budget.Left >= value.Length;
        if (room) { _budget.Left -= value.Length; }
        _states[offset] = new StateRecord(room ? value : null, record.Offset.Value);
        return null;
    }

    /// <summary>Takes in one record of the held topic: only where it is, and which key it has.</summary>
    public void TakeHeld(ConsumeResult<byte[]?, byte[]?> record)
    {
        RecordsRead++;
        HeldPosition = record.Offset.Value + 1;
        if (record.Message.Key is not { } id || !TryOffset(id, out long offset)) { return; }
        if (record.Message.Value is null)
        {
            _held.Remove(offset);
            return;
        }

        bool hasKey = record.Message.Headers is { } headers && headers.TryGetLastBytes("ps-key", out byte[]? key) && key is not null;
        _held[offset] = new HeldPlace(record.Offset.Value, hasKey ? KeyQueue.KeyOf(record.Message.Headers!.GetLastBytes("ps-key")) : null);
    }

    /// <summary>Gives the task its open holds, a part at a time.</summary>
    /// <param name="most">Holds to parse in this call.</param>
    /// <returns>True once all are parsed; see <see cref="NeedsSecondPass"/> where it stays false.</returns>
    public bool Parse(int most)
    {
        if (_open is null)
        {
            _open = [.. _states.Keys.Order()];
            foreach ((long offset, StateRecord record) in _states)
            {
                if (record.Value is null) { _missing.Add(record.Offset, offset); }
            }
        }

        // In their order, so that the queues of keys are in theirs: one whose bytes are to come stops the rest.
        for (int i = 0; i < most && _parsed < _open.Count; i++, _parsed++)
        {
            long offset = _open[_parsed];
            StateRecord record = _states[offset];
            if (record.Value is null) { return false; }
            _states.Remove(offset);
            _budget.Left += record.Value.Length;
            Parse(offset, record);
        }

        return _parsed == _open.Count;
    }

    /// <summary>Checks what was read against the group, and starts the task. Returns why the task must stop, or null.</summary>
    /// <param name="adopt">Take the group's offsets (else the head's) where they disagree.</param>
    /// <param name="adopted">True where they did and were taken.</param>
    public string? Finish(string group, string topicId, bool adopt, bool checkOffsets, out bool adopted)
    {
        adopted = false;
        Parse(int.MaxValue);
        ReadHead();
        if (_damaged is not null) { return _damaged; }
        if (_headDamaged is not null && !adopt) { return _headDamaged + ". Nothing is processed until an operator has looked; `--adopt-offsets` goes on from the group's offset and records it"; }
        long nextIngress, nextApprovals;
        if (_head is null)
        {
            if (checkOffsets && CommittedIngress >= 0 && !adopt)
            {
                return $"the group has committed offset {CommittedIngress}, and there is no head on {State.Topic}: its state was lost. "
                    + "Find out why; `--adopt-offsets` goes on from the committed offset, without the holds that were open";
            }

            adopted = (CommittedIngress >= 0 && checkOffsets) || _headDamaged is not null;
            nextIngress = CommittedIngress >= 0 ? CommittedIngress : LowIngress;
            nextApprovals = CommittedApprovals >= 0 ? CommittedApprovals : LowApprovals;
        }
        else
        {
            bool anew = _head.TopicId.Length > 0 && topicId.Length > 0 && _head.TopicId != topicId;
            string? quarrel =
                _head.Topic != Runner.Ingress.Topic || _head.Partition != Runner.Ingress.Partition.Value ? $"the head is of {_head.Topic}-{_head.Partition}"
                : _head.Group != group ? $"the head was written by group `{_head.Group}`, and this is group `{group}`"
                : anew ? $"the ingress topic was deleted and made anew (its id was {_head.TopicId} and is {topicId})"
                : checkOffsets && CommittedIngress >= 0 && CommittedIngress != _head.NextIngress ? $"the group's committed offset is {CommittedIngress}, and the head's is {_head.NextIngress}"
                : checkOffsets && CommittedApprovals >= 0 && CommittedApprovals != _head.NextApprovals ? $"the group's committed offset on approvals is {CommittedApprovals}, and the head's is {_head.NextApprovals}"
                : null;
            if (quarrel is not null && !adopt) { return quarrel + ". Nothing is processed until an operator has looked; `--adopt-offsets` goes on from the group's offset and records it"; }
            adopted = quarrel is not null;
            nextIngress = adopted && CommittedIngress >= 0 ? CommittedIngress : _head.NextIngress;
            nextApprovals = adopted && CommittedApprovals >= 0 ? CommittedApprovals : _head.NextApprovals;

            // Offsets of a topic that is gone say nothing of the new one, which nobody has read: the group may still keep them.
            if (anew && adopted) { nextIngress = LowIngress; }
            if (nextIngress < LowIngress && !adopt)
            {
                return $"the next record to read is offset {nextIngress}, and the topic begins at {LowIngress}: records were deleted before they were read. `--adopt-offsets` goes on from {LowIngress} and records it";
            }

            if (nextIngress < LowIngress)
            {
                nextIngress = LowIngress;
                adopted = true;
            }

            // Statements that retention removed were for holds that have long expired.
            nextApprovals = Math.Max(nextApprovals, LowApprovals);
        }

        Runner.Task.Start(new TaskPosition(nextIngress, nextApprovals, _head?.PolicyDigest ?? ""), _head?.Chain ?? ChainState.Start);
        return null;
    }

    /// <summary>Gives back what room it took. Idempotent.</summary>
    public void Release()
    {
        foreach (StateRecord record in _states.Values) { _budget.Left += record.Value?.Length ?? 0; }
        _states.Clear();
    }

    private string? TakeAgain(long position, byte[]? value)
    {
        if (value is null || !_missing.Remove(position, out long offset)) { return null; }

        // Read, it is parsed at once or when those before it are: at most what one poll brings is kept.
        _budget.Left -= value.Length;
        _states[offset] = new StateRecord(value, position);
        return null;
    }

    private void Parse(long offset, StateRecord record)
    {
        string at = string.Create(CultureInfo.InvariantCulture, $"{State.Topic}-{State.Partition.Value}-{record.Offset}");
        string id = string.Create(CultureInfo.InvariantCulture, $"{Runner.Ingress.Topic}-{Runner.Ingress.Partition.Value}-{offset}");
        const string Mend = ". Nothing is processed until an operator has looked: put the record back as it was, or give the hold up with a tombstone under its key";
        if (HoldState.TryParse(record.Value, out string? error) is not { } state)
        {
            _damaged ??= $"the hold at {at} cannot be used: {error}{Mend}";
            return;
        }

        if (state.Id != id)
        {
            _damaged ??= $"the hold at {at} is under another hold's key{Mend}";
            return;
        }

        HeldPlace? held = _held.TryGetValue(offset, out HeldPlace place) ? place : null;
        if (state.Ordered && held?.Key is null)
        {
            _damaged ??= $"the held record of {id} is not on {Held.Topic}, and without it the order of its key is not known (its hold is at {at}){Mend}";
            return;
        }

        StreamTask task = Runner.Task;
        task.RestoreHold(new TaskHold(offset, task.Share(state)) { HeldOffset = held?.Offset ?? -1, StateOffset = record.Offset }, held?.Key);
    }

    private void ReadHead()
    {
        if (_headAt.Length == 0 || _head is not null) { return; }
        if (_headValue is null)
        {
            _headDamaged = $"the head at {_headAt} is a tombstone";
            return;
        }

        _head = TaskHead.TryParse(_headValue, out string why);
        if (_head is null) { _headDamaged = $"the head at {_headAt} cannot be used: {why}"; }
    }

    /// <summary>The offset in a hold's id, where it is one of this partition: in its one spelling.</summary>
    private bool TryOffset(ReadOnlySpan<byte> key, out long offset)
    {
        offset = 0;
        if (!key.StartsWith(_prefix)) { return false; }
        ReadOnlySpan<byte> number = key[_prefix.Length..];
        return number.Length is > 0 and < 20 && (number[0] != '0' || number.Length == 1) && long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out offset);
    }

    private static string Position(ConsumeResult<byte[]?, byte[]?> record) => $"{record.Topic}-{record.Partition.Value}-{record.Offset.Value}";

    /// <param name="Value">Null where it found no room.</param>
    private readonly record struct StateRecord(byte[]? Value, long Offset);

    private readonly record struct HeldPlace(long Offset, UInt128? Key);
}
