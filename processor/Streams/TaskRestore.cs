using System.Text;
using Confluent.Kafka;
using PolicyStreams.Processor.Audit;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Streams;

/// <summary>
/// Restores one task, a step at a time so that its thread keeps polling: committed offsets first (the broker waits out pending offset commits), then the end
/// offsets of state and held including open transactions, then both topics read-committed until they have passed those ends.
/// </summary>
internal sealed class TaskRestore(TaskRunner runner, BindingTopics topics)
{
    private readonly Dictionary<string, HoldState> _states = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _held = new(StringComparer.Ordinal);
    private TaskHead? _head;

    public enum Step { Committed, Ends, Reading, Done }

    public Step At { get; set; }

    public TaskRunner Runner { get; } = runner;

    public TopicPartition State { get; } = new(topics.State, runner.Ingress.Partition);

    public TopicPartition Held { get; } = new(topics.Held, runner.Ingress.Partition);

    public long StartedAt { get; set; }

    /// <summary>Not before this timestamp is the next attempt of a step that failed.</summary>
    public long NotBefore { get; set; }

    /// <summary>Committed next offsets; -1 where the group has none.</summary>
    public long CommittedIngress { get; set; } = -1;

    public long CommittedApprovals { get; set; } = -1;

    /// <summary>First offsets there are: where a task without a head begins.</summary>
    public long LowIngress { get; set; }

    public long LowApprovals { get; set; }

    public long StateEnd { get; set; }

    public long HeldEnd { get; set; }

    public bool StateRead { get; set; }

    public bool HeldRead { get; set; }

    public long RecordsRead { get; private set; }

    public Task<(long State, long Held)>? Ends { get; set; }

    public TaskHead? Head => _head;

    /// <summary>Takes in one record of the state topic. Returns why the task must stop, or null.</summary>
    public string? TakeState(ConsumeResult<byte[]?, byte[]?> record)
    {
        RecordsRead++;
        byte[]? key = record.Message.Key;
        byte[]? value = record.Message.Value;
        if (key is null) { return $"record {Position(record)} has no key"; }
        if (key.AsSpan().SequenceEqual(TaskHead.Key))
        {
            if (value is null) { return $"the head at {Position(record)} is a tombstone"; }
            _head = TaskHead.TryParse(value, out string why);
            return _head is null ? $"the head at {Position(record)} cannot be used: {why}" : null;
        }

        string id = Encoding.UTF8.GetString(key);
        if (value is null)
        {
            _states.Remove(id);
            return null;
        }

        if (HoldState.TryParse(value, out string? error) is not { } state) { return $"the hold at {Position(record)} cannot be used: {error}"; }
        if (state.Id != id) { return $"the hold at {Position(record)} is under another hold's key"; }
        _states[id] = state;
        return null;
    }

    /// <summary>Takes in one record of the held topic: only where it is.</summary>
    public void TakeHeld(ConsumeResult<byte[]?, byte[]?> record)
    {
        RecordsRead++;
        if (record.Message.Key is null) { return; }
        string id = Encoding.UTF8.GetString(record.Message.Key);
        if (record.Message.Value is null) { _held.Remove(id); }
        else { _held[id] = record.Offset.Value; }
    }

    /// <summary>Checks what was read against the group, and starts the task. Returns why the task must stop, or null.</summary>
    /// <param name="adopt">Take the group's offsets (else the head's) where they disagree.</param>
    /// <param name="adopted">True where they did and were taken.</param>
    public string? Finish(string group, string topicId, bool adopt, bool checkOffsets, out bool adopted)
    {
        adopted = false;
        long nextIngress, nextApprovals;
        if (_head is null)
        {
            if (checkOffsets && CommittedIngress >= 0 && !adopt)
            {
                return $"the group has committed offset {CommittedIngress}, and there is no head on {State.Topic}: its state was lost. "
                    + "Find out why; `--adopt-offsets` goes on from the committed offset, without the holds that were open";
            }

            adopted = CommittedIngress >= 0 && checkOffsets;
            nextIngress = CommittedIngress >= 0 ? CommittedIngress : LowIngress;
            nextApprovals = CommittedApprovals >= 0 ? CommittedApprovals : LowApprovals;
        }
        else
        {
            string? quarrel =
                _head.Topic != Runner.Ingress.Topic || _head.Partition != Runner.Ingress.Partition.Value ? $"the head is of {_head.Topic}-{_head.Partition}"
                : _head.Group != group ? $"the head was written by group `{_head.Group}`, and this is group `{group}`"
                : _head.TopicId.Length > 0 && topicId.Length > 0 && _head.TopicId != topicId ? $"the ingress topic was deleted and made anew (its id was {_head.TopicId} and is {topicId})"
                : checkOffsets && CommittedIngress >= 0 && CommittedIngress != _head.NextIngress ? $"the group's committed offset is {CommittedIngress}, and the head's is {_head.NextIngress}"
                : checkOffsets && CommittedApprovals >= 0 && CommittedApprovals != _head.NextApprovals ? $"the group's committed offset on approvals is {CommittedApprovals}, and the head's is {_head.NextApprovals}"
                : null;
            if (quarrel is not null && !adopt) { return quarrel + ". Nothing is processed until an operator has looked; `--adopt-offsets` goes on from the group's offset and records it"; }
            adopted = quarrel is not null;
            bool group0 = adopted && CommittedIngress >= 0;
            nextIngress = group0 ? CommittedIngress : _head.NextIngress;
            nextApprovals = adopted && CommittedApprovals >= 0 ? CommittedApprovals : _head.NextApprovals;
            if (adopted && _head.TopicId.Length > 0 && topicId.Length > 0 && _head.TopicId != topicId && CommittedIngress < 0) { nextIngress = LowIngress; }
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

        StreamTask task = Runner.Task;
        string prefix = $"{Runner.Ingress.Topic}-{Runner.Ingress.Partition.Value}-";
        foreach ((string id, HoldState state) in _states)
        {
            if (!id.StartsWith(prefix, StringComparison.Ordinal) || !long.TryParse(id.AsSpan(prefix.Length), out long offset))
            {
                return $"the state topic has a hold of another partition under {id.Length} characters of key";
            }

            task.RestoreHold(new TaskHold(offset, state) { HeldOffset = _held.GetValueOrDefault(id, -1) });
        }

        task.Start(new TaskPosition(nextIngress, nextApprovals, _head?.PolicyDigest ?? ""), _head?.Chain ?? ChainState.Start);
        return null;
    }

    private static string Position(ConsumeResult<byte[]?, byte[]?> record) => $"{record.Topic}-{record.Partition.Value}-{record.Offset.Value}";
}
