using System.Globalization;
using Confluent.Kafka;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Streams;

/// <summary>The group's callbacks, and restore.</summary>
internal sealed partial class StreamThread : IGroupListener
{
    private static readonly TimeSpan QueryTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan TellAfter = TimeSpan.FromSeconds(5);

    /// <summary>A transaction of ours that is open for so long should have been ended three times over: the broker forgot it, or it is not ours.</summary>
    private static readonly TimeSpan HangsAfter = TimeSpan.FromSeconds(30);
    private const int ParsedAtATime = 2000;

    private readonly Dictionary<TopicPartition, TaskRestore> _restoring = [];
    private readonly Dictionary<TopicPartition, TaskRunner> _approvals = [];
    private readonly List<TopicPartition> _toPause = [];
    private readonly Dictionary<string, string> _topicIds = new(StringComparer.Ordinal);

    // True while the assigned consumer has work: then the group's consumer is not waited for.
    private bool _assignedBusy;

    IEnumerable<TopicPartitionOffset> IGroupListener.Assigned(IReadOnlyList<TopicPartition> partitions)
    {
        Guarded(() => OnAssigned(partitions));

        // Read from nowhere in particular: each is paused at once, and its restore says where it goes on.
        return partitions.Select(partition => new TopicPartitionOffset(partition, Offset.Beginning));
    }

    void IGroupListener.Revoked(IReadOnlyList<TopicPartitionOffset> partitions) => Guarded(() => OnRevoked(partitions));

    void IGroupListener.Lost(IReadOnlyList<TopicPartitionOffset> partitions) => Guarded(() => OnLost(partitions));

    private void OnAssigned(IReadOnlyList<TopicPartition> partitions)
    {
        StreamLog.Assigned(_logger, _id, string.Join(", ", partitions.Select(Name)));
        foreach (TopicPartition partition in partitions)
        {
            if (!_snapshot.ByIngressTopic.TryGetValue(partition.Topic, out CompiledBinding? binding)) { continue; }
            var runner = new TaskRunner(partition, new StreamTask(_context, binding, partition.Partition.Value, ""), _metrics.Task(partition.Topic, partition.Partition.Value));
            _tasks[partition] = runner;
            BeginRestore(runner);
            _toPause.Add(partition);
        }
    }

    private void OnRevoked(IReadOnlyList<TopicPartitionOffset> partitions)
    {
        // Ends the transaction inside the callback: after it, the partition may be another's.
        if (_open && partitions.Any(p => _tasks.TryGetValue(p.TopicPartition, out TaskRunner? runner) && runner.Task.Touched)) { CommitTransaction(); }
        Forget(partitions.Select(p => p.TopicPartition), "");
    }

    private void OnLost(IReadOnlyList<TopicPartitionOffset> partitions)
    {
        // The lost tasks go first: what is dropped with them must not be read again here.
        Forget(partitions.Select(p => p.TopicPartition), " (lost)");
        AbortTransaction();
    }

    private void Forget(IEnumerable<TopicPartition> partitions, string how)
    {
        var names = new List<string>();
        foreach (TopicPartition partition in partitions)
        {
            if (!_tasks.Remove(partition, out TaskRunner? runner)) { continue; }
            names.Add(Name(partition));
            Drop(runner);
            _metrics.RemoveTask(partition.Topic, partition.Partition.Value);
        }

        if (names.Count > 0) { StreamLog.Revoked(_logger, _id, string.Join(", ", names), how); }
    }

    private void Drop(TaskRunner runner)
    {
        _health.Good(runner.Component);
        EndAssigned(runner);
        runner.Gauges.Running = false;
        runner.Task.Dispose();
    }

    private void EndAssigned(TaskRunner runner)
    {
        EndRestore(runner);
        if (_approvals.Remove(runner.Approvals)) { _assigned.IncrementalUnassign([runner.Approvals]); }
    }

    private void EndRestore(TaskRunner runner)
    {
        runner.Gauges.RestoreLeft = 0;
        if (runner.Restore is not { } restore) { return; }
        Unassign(restore.State);
        Unassign(restore.Held);
        restore.Release();
        runner.Restore = null;
    }

    private void Unassign(TopicPartition partition)
    {
        if (_restoring.Remove(partition)) { _assigned.IncrementalUnassign([partition]); }
    }

    /// <summary>Pauses partitions that were just assigned. Their first records may have come already: they are passed over, and read again after the restore.</summary>
    private void PauseNew()
    {
        if (_toPause.Count == 0) { return; }
        _consumer.Pause(_toPause.Where(partition => _tasks.TryGetValue(partition, out TaskRunner? runner) && runner.Phase != TaskPhase.Running));
        _toPause.Clear();
    }

    private void BeginRestore(TaskRunner runner)
    {
        runner.Phase = TaskPhase.Restoring;
        runner.Gauges.Running = false;
        runner.ExpiryMs = -1;
        runner.Lookup = null;
        runner.ApprovalsAfter = 0;
        long now = _time.GetTimestamp();
        runner.Restore = new TaskRestore(runner, runner.Task.Binding.Document.Topics, _restoreBudget) { StartedAt = now, ToldAt = now, MovedAt = now };
        _health.Bad(runner.Component, "restoring");
    }

    private void RestoreAnew(TaskRunner runner)
    {
        EndAssigned(runner);
        MakeTask(runner, runner.Task.TopicId);
        BeginRestore(runner);
        _consumer.Pause([runner.Ingress]);
    }

    /// <summary>A task begins with nothing: whatever the one before had in memory is gone.</summary>
    private void MakeTask(TaskRunner runner, string topicId)
    {
        CompiledBinding binding = runner.Task.Binding;
        runner.Task.Dispose();
        runner.Task = new StreamTask(_context, binding, runner.Ingress.Partition.Value, topicId);
    }

    private void Restore()
    {
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (runner.Phase != TaskPhase.Restoring || runner.Restore is not { } restore || _time.GetTimestamp() < restore.NotBefore) { continue; }
            try
            {
                Advance(runner, restore);
                Tell(runner, restore);
            }
            catch (KafkaException e) when (!e.Error.IsFatal)
            {
                restore.Ends = null;
                restore.NotBefore = After(RetryAfter);
                if (_health.Bad(runner.Component, "restore waits for the broker: " + e.Error.Reason)) { StreamLog.TaskWaits(_logger, runner.ToString(), e.Error.Reason); }
            }
        }
    }

    private void Tell(TaskRunner runner, TaskRestore restore)
    {
        if (runner.Phase != TaskPhase.Restoring || restore.At == TaskRestore.Step.Committed) { return; }
        runner.Gauges.RestoreLeft = restore.Left;
        if (_time.GetElapsedTime(restore.ToldAt) < TellAfter) { return; }
        restore.ToldAt = _time.GetTimestamp();
        if (restore.Left != restore.LeftLast) { (restore.LeftLast, restore.MovedAt) = (restore.Left, restore.ToldAt); }
        StreamLog.Restoring(_logger, runner.ToString(), restore.RecordsRead, restore.Left, (long)_time.GetElapsedTime(restore.StartedAt).TotalMilliseconds);
        if (restore.OpenFrom is { } open && _time.GetElapsedTime(restore.MovedAt) >= HangsAfter)
        {
            TellHanging(runner, restore, open);
            return;
        }

        _health.Bad(runner.Component, string.Create(CultureInfo.InvariantCulture, $"restoring: {restore.Left} offsets of {restore.State.Topic} and {restore.Held.Topic} to go"));
    }

    /// <summary>Only the broker or an operator can end such a transaction; to go on without what is behind it would be to guess.</summary>
    private void TellHanging(TaskRunner runner, TaskRestore restore, TopicPartitionOffset open)
    {
        string why = string.Create(
            CultureInfo.InvariantCulture,
            $"a transaction on {open.Topic}-{open.Partition.Value} that begins at offset {open.Offset.Value} does not end: Kafka has lost its end, or it is another writer's. Nobody can read past it until it is aborted");
        why += restore.IsCommittedElsewhere
            ? ". Do not do that yet: the group's offset is past what is visible here, so Kafka has committed it on other partitions. docs/operations, A transaction that does not end, says how to go on without losing records"
            : string.Create(
                CultureInfo.InvariantCulture,
                $": `kafka-transactions.sh --bootstrap-server BROKER abort --topic {open.Topic} --partition {open.Partition.Value} --start-offset {open.Offset.Value}`; `kafka-transactions.sh --bootstrap-server BROKER find-hanging --broker-id ID` shows whether others hang too");
        if (!_health.Bad(runner.Component, why)) { return; }
        _metrics.AddEvent("alarms");
        StreamLog.TaskWaits(_logger, runner.ToString(), why);
    }

    private void Advance(TaskRunner runner, TaskRestore restore)
    {
        switch (restore.At)
        {
            case TaskRestore.Step.Committed:
                // On a read-committed consumer this waits out offset commits that are pending in a transaction: what it gives is final.
                foreach (TopicPartitionOffset committed in _consumer.Committed([runner.Ingress, runner.Approvals], QueryTimeout))
                {
                    long offset = committed.Offset.IsSpecial ? -1 : committed.Offset.Value;
                    if (committed.TopicPartition == runner.Ingress) { restore.CommittedIngress = offset; }
                    else { restore.CommittedApprovals = offset; }
                }

                restore.LowIngress = _assigned.QueryWatermarkOffsets(runner.Ingress, QueryTimeout).Low.Value;
                restore.LowApprovals = _assigned.QueryWatermarkOffsets(runner.Approvals, QueryTimeout).Low.Value;
                LearnTopicId(runner.Ingress.Topic);
                restore.At = TaskRestore.Step.Ends;
                break;

            case TaskRestore.Step.Ends:
                restore.Ends ??= _clients.EndOffsetsAsync(_assigned, restore.State, restore.Held);
                if (!restore.Ends.IsCompleted) { break; }
                (restore.StateEnd, restore.HeldEnd) = restore.Ends.GetAwaiter().GetResult();
                restore.Ends = null;
                restore.StateRead = restore.StateEnd == 0;
                restore.HeldRead = restore.HeldEnd == 0;
                restore.At = TaskRestore.Step.Reading;
                foreach (TopicPartition partition in (TopicPartition[])[.. restore.StateRead ? [] : new[] { restore.State }, .. restore.HeldRead ? [] : new[] { restore.Held }])
                {
                    _restoring[partition] = restore;
                    _assigned.IncrementalAssign([new TopicPartitionOffset(partition, Offset.Beginning)]);
                }

                break;

            case TaskRestore.Step.Reading when restore.StateRead && restore.HeldRead:
                // The topic's id is part of the task: made anew with it, before it takes its holds.
                MakeTask(runner, _topicIds.GetValueOrDefault(runner.Ingress.Topic, ""));
                restore.At = TaskRestore.Step.Parsing;
                bool all = restore.Parse(ParsedAtATime);
                if (!all && restore.NeedsSecondPass)
                {
                    restore.StateRead = false;
                    _assigned.Seek(new TopicPartitionOffset(restore.State, restore.SecondPassFrom));
                }

                break;

            case TaskRestore.Step.Parsing:
                if (restore.Parse(ParsedAtATime)) { Finish(runner, restore); }
                else if (restore.StateRead && restore.NeedsSecondPass) { StopTask(runner, $"a hold on {restore.State.Topic} was there at the first reading and is not at the second: somebody else writes or deletes there"); }
                break;
        }
    }

    private void Finish(TaskRunner runner, TaskRestore restore)
    {
        string? quarrel = restore.Finish(_options.Group, runner.Task.TopicId, _options.AdoptOffsets, !_clients.Embedded, out bool adopted);
        if (quarrel is not null)
        {
            StopTask(runner, quarrel);
            return;
        }

        if (adopted)
        {
            EnsureTransaction();
            runner.Task.RecordAdoption();
            StreamLog.OffsetsAdopted(_logger, runner.ToString(), runner.Task.NextIngress);
        }
        else if (restore.Head is null || restore.CommittedIngress < 0 || restore.CommittedApprovals < 0)
        {
            // A task without a committed offset gets one: a first transaction with nothing but its head.
            EnsureTransaction();
            runner.Task.Touch();
        }

        _approvals[runner.Approvals] = runner;
        _assigned.IncrementalAssign([new TopicPartitionOffset(runner.Approvals, runner.Task.NextApprovals)]);
        runner.ApprovalsSeen = runner.Task.NextApprovals;
        long records = restore.RecordsRead;
        EndRestore(runner);
        runner.Phase = TaskPhase.Running;
        runner.Gauges.Running = true;
        runner.Gauges.NextOffset = runner.Task.NextIngress;
        runner.Gauges.OpenHolds = runner.Task.OpenHolds;
        Resume(runner);
        if (runner.Phase != TaskPhase.Running) { return; }
        _health.Good(runner.Component);
        TimeSpan took = _time.GetElapsedTime(restore.StartedAt);
        _metrics.AddEvent("restores");
        _metrics.Restored(took);
        StreamLog.Restored(_logger, runner.ToString(), (long)took.TotalMilliseconds, runner.Task.OpenHolds, records, runner.Task.NextIngress);
    }

    private void StopTask(TaskRunner runner, string why)
    {
        if (runner.Phase == TaskPhase.Stopped)
        {
            // It stays stopped; what an operator must know of it may have changed.
            if (_health.Bad(runner.Component, why)) { StreamLog.TaskStopped(_logger, runner.ToString(), why); }
            return;
        }

        EndAssigned(runner);
        runner.Phase = TaskPhase.Stopped;
        runner.Gauges.Running = false;
        _consumer.Pause([runner.Ingress]);
        _health.Bad(runner.Component, why);
        _metrics.AddEvent("alarms");
        StreamLog.TaskStopped(_logger, runner.ToString(), why);
    }

    private void Take(TaskRestore restore, ConsumeResult<byte[]?, byte[]?> result)
    {
        bool state = result.TopicPartition == restore.State;
        if (result.IsPartitionEOF)
        {
            // It fires at the last stable offset, so it proves nothing unless that has passed the end.
            long stable = result.Offset.Value;
            if (state) { (restore.StateStable, restore.StateRead) = (stable, restore.StateRead || stable >= restore.StateEnd); }
            else { (restore.HeldStable, restore.HeldRead) = (stable, restore.HeldRead || stable >= restore.HeldEnd); }
            return;
        }

        if (!state)
        {
            restore.TakeHeld(result);
        }
        else if (restore.TakeState(result) is { } why)
        {
            StopTask(restore.Runner, why + ". Nothing is processed until an operator has looked");
        }
    }

    /// <summary>The task takes records again, from its next one: the client drops what it had fetched before. A partition that cannot be moved is restored.</summary>
    private void Resume(TaskRunner runner)
    {
        Seek(runner);
        if (runner.Phase == TaskPhase.Running && _pausedUntil == 0) { _consumer.Resume([runner.Ingress]); }
    }

    private void Seek(TaskRunner runner)
    {
        runner.StaleBatch = _reader!.Batch;
        if (_fetching) { _seekAgain.Add(runner); }
        try
        {
            _consumer.Seek(new TopicPartitionOffset(runner.Ingress, runner.Task.NextIngress));
        }
        catch (KafkaException)
        {
            RestoreAnew(runner);
        }
    }

    private static string Name(TopicPartition partition) => $"{partition.Topic}-{partition.Partition.Value}";
}
