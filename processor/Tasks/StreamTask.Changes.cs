using PolicyStreams.Processor.Holds;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Tasks;

/// <summary>Key queues, views, and the undoing of it all: what the open transaction changed stands only once it is committed.</summary>
internal sealed partial class StreamTask
{
    private readonly Dictionary<UInt128, KeyQueue> _queues = [];
    private readonly List<HoldChange> _journal = [];

    // Holds written in the open transaction: they learn their offsets when it is committed.
    private readonly List<TaskHold> _placed = [];
    private long _viewBytes;

    private enum ChangeKind : byte { Added, Removed, Changed, Joined, Left, EndingAdded, EndingRemoved, ExpiryTaken }

    /// <summary>One change of the open transaction, with what there was before: undone in reverse.</summary>
    private readonly record struct HoldChange(ChangeKind Kind, TaskHold Hold, HoldState? State = null, bool Bare = false, KeyQueue? Queue = null, long Number = 0);

    /// <summary>The queue that the record must join since an earlier record of its key is held; null for none. A record without a key waits behind nobody.</summary>
    private KeyQueue? QueueOf(in RecordInput input) =>
        _queues.Count > 0 && input.HasKey && _queues.TryGetValue(KeyQueue.KeyOf(input.Key), out KeyQueue? queue) ? queue : null;

    private KeyQueue QueueOfKey(UInt128 key) => _queues.TryGetValue(key, out KeyQueue? queue) ? queue : new KeyQueue(key);

    /// <summary>After a restore: what was met, and whose turn it is, ends.</summary>
    private void StartHolds()
    {
        foreach (TaskHold hold in _holds.Values)
        {
            if (hold.State.ExpiresMs is { } expires) { _expiries.Enqueue(hold.State.Id, expires); }
            if (!hold.Waits && HoldTally.Standing(hold.State) != HoldStanding.Open) { _ending[hold.Offset] = hold.State.Id; }
        }
    }

    private void Join(TaskHold hold, KeyQueue queue)
    {
        queue.Link(hold);
        _queues[queue.Key] = queue;
        _journal.Add(new HoldChange(ChangeKind.Joined, hold, Queue: queue));
    }

    private void Leave(TaskHold hold)
    {
        if (hold.Queue is not { } queue) { return; }
        _journal.Add(new HoldChange(ChangeKind.Left, hold, Queue: queue));
        Unlink(hold, queue);
    }

    private void Unlink(TaskHold hold, KeyQueue queue)
    {
        queue.Unlink(hold);
        if (queue.First is null) { _queues.Remove(queue.Key); }
    }

    private void AddEnding(TaskHold hold)
    {
        if (_ending.TryAdd(hold.Offset, hold.State.Id)) { _journal.Add(new HoldChange(ChangeKind.EndingAdded, hold)); }
    }

    private void RemoveEnding(long offset, string id)
    {
        _ending.Remove(offset);
        if (_holds.TryGetValue(id, out TaskHold? hold)) { _journal.Add(new HoldChange(ChangeKind.EndingRemoved, hold)); }
    }

    private void Change(TaskHold hold, HoldState state)
    {
        _journal.Add(new HoldChange(ChangeKind.Changed, hold, hold.State, hold.Bare));
        DropView(hold);
        hold.State = state;
        hold.Bare = false;
    }

    /// <summary>The state with view and key, read back where they are not in memory. False where that cannot be had now.</summary>
    private bool TryWhole(TaskHold hold, out HoldState? whole)
    {
        whole = hold.State;
        if (!hold.Bare) { return true; }
        if (!_context.HeldReader.TryReadState(_topics.State, Partition, hold, out byte[]? value)) { return false; }
        HoldState? read = value is null ? null : HoldState.TryParse(value, out _);
        if (read is null || read.Id != hold.State.Id || read.ViewDigest != hold.State.ViewDigest || HoldState.DigestOf(read.View.Span) != read.ViewDigest)
        {
            if (!hold.Alarmed) { _context.Observer.Alarm($"the state of hold {hold.State.Id} cannot be read back from {_topics.State}-{Partition}-{hold.StateOffset}: its statements wait"); }
            hold.Alarmed = true;
            return false;
        }

        whole = hold.State with { View = read.View, Key = read.Key };
        return true;
    }

    // A view counts once it is committed; within a transaction there is room for its own.
    private void KeepView(TaskHold hold)
    {
        if (hold.Bare) { return; }
        long bytes = ViewBytes(hold);
        if (_viewBytes + bytes > _context.Limits.ViewBytesMax && hold.StateOffset >= 0)
        {
            hold.State = hold.State with { View = default, Key = null };
            hold.Bare = true;
            return;
        }

        hold.ViewCounted = true;
        _viewBytes += bytes;
    }

    private void DropView(TaskHold hold)
    {
        if (!hold.ViewCounted) { return; }
        hold.ViewCounted = false;
        _viewBytes -= ViewBytes(hold);
    }

    private static long ViewBytes(TaskHold hold) => hold.State.View.Length + (2L * (hold.State.Key?.Length ?? 0));

    private void CommitHolds()
    {
        foreach (TaskHold hold in _placed)
        {
            if (hold.HeldAt is { } held) { hold.HeldOffset = held.Offset; }
            if (hold.StateAt is { } state) { hold.StateOffset = state.Offset; }
            hold.HeldAt = hold.StateAt = null;
            if (_holds.ContainsKey(hold.State.Id) && !hold.ViewCounted) { KeepView(hold); }
        }

        _placed.Clear();
        _journal.Clear();
        _expiredCommittedMs = _expiredMs;
        foreach (TaskHold hold in _endAfterCommit)
        {
            if (_holds.ContainsKey(hold.State.Id)) { _ending[hold.Offset] = hold.State.Id; }
        }

        _endAfterCommit.Clear();
    }

    private void RollbackHolds()
    {
        foreach (TaskHold hold in _placed) { hold.HeldAt = hold.StateAt = null; }
        _placed.Clear();
        _endAfterCommit.Clear();
        for (int i = _journal.Count - 1; i >= 0; i--) { Undo(_journal[i]); }
        _journal.Clear();

        // Statements of the transaction are read again: only what had expired before it has expired for certain.
        _expiredMs = _expiredCommittedMs;
    }

    private void Undo(in HoldChange change)
    {
        TaskHold hold = change.Hold;
        switch (change.Kind)
        {
            case ChangeKind.Added:
                _holds.Remove(hold.State.Id);
                DropView(hold);
                break;
            case ChangeKind.Removed:
                _holds[hold.State.Id] = hold;
                if (hold.State.ExpiresMs is { } ends) { _expiries.Enqueue(hold.State.Id, ends); }
                if (!hold.Bare && !hold.ViewCounted) { Count(hold); }
                break;
            case ChangeKind.Changed:
                DropView(hold);
                hold.State = change.State!;
                hold.Bare = change.Bare;
                if (hold.State.ExpiresMs is { } expires) { _expiries.Enqueue(hold.State.Id, expires); }
                if (!hold.Bare) { Count(hold); }
                break;
            case ChangeKind.Joined:
                Unlink(hold, change.Queue!);
                break;
            case ChangeKind.Left:
                change.Queue!.Link(hold);
                _queues[change.Queue.Key] = change.Queue;
                break;
            case ChangeKind.EndingAdded:
                _ending.Remove(hold.Offset);
                break;
            case ChangeKind.EndingRemoved:
                _ending[hold.Offset] = hold.State.Id;
                break;
            case ChangeKind.ExpiryTaken:
                _expiries.Enqueue(hold.State.Id, change.Number);
                break;
        }
    }

    private void Count(TaskHold hold)
    {
        hold.ViewCounted = true;
        _viewBytes += ViewBytes(hold);
    }
}
