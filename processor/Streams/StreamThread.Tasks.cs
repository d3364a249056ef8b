using Confluent.Kafka;
using Confluent.Kafka.Admin;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Streams;

/// <summary>The group's callbacks, restore, approvals, and the clock.</summary>
internal sealed partial class StreamThread
{
    private static readonly TimeSpan QueryTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(250);
    private const int EndsAtATime = 200;

    private readonly Dictionary<TopicPartition, TaskRestore> _restoring = [];
    private readonly Dictionary<TopicPartition, TaskRunner> _approvals = [];
    private readonly List<TopicPartition> _toPause = [];
    private readonly Dictionary<string, string> _topicIds = new(StringComparer.Ordinal);

    // True while the assigned consumer has work: then the group's consumer is not waited for.
    private bool _assignedBusy;

    private void OnAssigned(List<TopicPartition> partitions)
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

    // Read from nowhere in particular: each is paused at once, and its restore says where it goes on.
    private static IEnumerable<TopicPartitionOffset> StartOf(List<TopicPartition> partitions) => partitions.Select(partition => new TopicPartitionOffset(partition, Offset.Beginning));

    private void OnRevoked(List<TopicPartitionOffset> partitions)
    {
        // Ends the transaction inside the callback: after it, the partition may be another's.
        if (_open && partitions.Exists(p => _tasks.TryGetValue(p.TopicPartition, out TaskRunner? runner) && runner.Task.Touched)) { CommitTransaction(); }
        Forget(partitions.Select(p => p.TopicPartition), "");
    }

    private void OnLost(List<TopicPartitionOffset> partitions)
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
        if (runner.Restore is { } restore)
        {
            Unassign(restore.State);
            Unassign(restore.Held);
            runner.Restore = null;
        }

        if (_approvals.Remove(runner.Approvals)) { _assigned.IncrementalUnassign([runner.Approvals]); }
    }

    private void Unassign(TopicPartition partition)
    {
        if (_restoring.Remove(partition)) { _assigned.IncrementalUnassign([partition]); }
    }

    /// <summary>Pauses partitions that were just assigned. Their first records may have come already: they are passed over, and read again after the restore.</summary>
    private void PauseNew()
    {
        if (_toPause.Count == 0) { return; }
        _consumer.Pause(_toPause.Where(_tasks.ContainsKey));
        _toPause.Clear();
    }

    private void BeginRestore(TaskRunner runner)
    {
        runner.Phase = TaskPhase.Restoring;
        runner.Gauges.Running = false;
        runner.ExpiryMs = -1;
        runner.Lookup = null;
        runner.Restore = new TaskRestore(runner, runner.Task.Binding.Document.Topics) { StartedAt = _time.GetTimestamp() };
        _health.Bad(runner.Component, "restoring");
    }

    private void RestoreAnew(TaskRunner runner)
    {
        EndAssigned(runner);
        CompiledBinding binding = runner.Task.Binding;
        runner.Task.Dispose();
        runner.Task = new StreamTask(_context, binding, runner.Ingress.Partition.Value, runner.Task.TopicId);
        BeginRestore(runner);
        _consumer.Pause([runner.Ingress]);
    }

    private void Restore()
    {
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (runner.Phase != TaskPhase.Restoring || runner.Restore is not { } restore || _time.GetTimestamp() < restore.NotBefore) { continue; }
            try
            {
                Advance(runner, restore);
            }
            catch (KafkaException e) when (!e.Error.IsFatal)
            {
                restore.NotBefore = _time.GetTimestamp() + (long)(RetryAfter.TotalSeconds * _time.TimestampFrequency);
                if (_health.Bad(runner.Component, "restore waits for the broker: " + e.Error.Reason)) { StreamLog.TaskWaits(_logger, runner.ToString(), e.Error.Reason); }
            }
        }
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
                restore.Ends ??= EndOffsets(restore);
                if (!restore.Ends.IsCompleted) { break; }
                Task<(long State, long Held)> ends = restore.Ends;
                restore.Ends = null;
                (restore.StateEnd, restore.HeldEnd) = ends.GetAwaiter().GetResult();
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
                Finish(runner, restore);
                break;
        }
    }

    private void Finish(TaskRunner runner, TaskRestore restore)
    {
        // The id is part of the task: made anew with it, before it takes its holds.
        runner.Task.Dispose();
        runner.Task = new StreamTask(_context, runner.Task.Binding, runner.Ingress.Partition.Value, _topicIds.GetValueOrDefault(runner.Ingress.Topic, ""));
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
        Unassign(restore.State);
        Unassign(restore.Held);
        runner.Restore = null;
        runner.Phase = TaskPhase.Running;
        runner.Gauges.Running = true;
        runner.Gauges.NextOffset = runner.Task.NextIngress;
        runner.Gauges.OpenHolds = runner.Task.OpenHolds;
        Seek(runner);
        if (_pausedUntil == 0) { _consumer.Resume([runner.Ingress]); }
        _health.Good(runner.Component);
        _metrics.AddEvent("restores");
        StreamLog.Restored(_logger, runner.ToString(), (long)_time.GetElapsedTime(restore.StartedAt).TotalMilliseconds, runner.Task.OpenHolds, restore.RecordsRead, runner.Task.NextIngress);
    }

    private void StopTask(TaskRunner runner, string why)
    {
        EndAssigned(runner);
        runner.Phase = TaskPhase.Stopped;
        runner.Gauges.Running = false;
        _consumer.Pause([runner.Ingress]);
        _health.Bad(runner.Component, why);
        _metrics.AddEvent("alarms");
        StreamLog.TaskStopped(_logger, runner.ToString(), why);
    }

    /// <summary>End offsets with open transactions counted in: what a read-committed reader must have passed before it has seen everything.</summary>
    private async Task<(long State, long Held)> EndOffsets(TaskRestore restore)
    {
        if (_clients.Embedded)
        {
            return (_assigned.QueryWatermarkOffsets(restore.State, QueryTimeout).High.Value, _assigned.QueryWatermarkOffsets(restore.Held, QueryTimeout).High.Value);
        }

        using IAdminClient admin = new DependentAdminClientBuilder(_assigned.Handle).Build();
        ListOffsetsResult result = await admin.ListOffsetsAsync(
            [new() { TopicPartition = restore.State, OffsetSpec = OffsetSpec.Latest() }, new() { TopicPartition = restore.Held, OffsetSpec = OffsetSpec.Latest() }],
            new ListOffsetsOptions { IsolationLevel = IsolationLevel.ReadUncommitted, RequestTimeout = QueryTimeout }).ConfigureAwait(false);
        long state = -1, held = -1;
        foreach (ListOffsetsResultInfo info in result.ResultInfos)
        {
            TopicPartitionOffsetError offset = info.TopicPartitionOffsetError;
            if (offset.Error.IsError) { throw new KafkaException(offset.Error); }
            if (offset.TopicPartition == restore.State) { state = offset.Offset.Value; }
            else { held = offset.Offset.Value; }
        }

        return (state, held);
    }

    private void LearnTopicId(string topic)
    {
        if (_clients.Embedded) { return; }
        using IAdminClient admin = new DependentAdminClientBuilder(_assigned.Handle).Build();
        Task<DescribeTopicsResult> described = admin.DescribeTopicsAsync(TopicCollection.OfTopicNames([topic]), new DescribeTopicsOptions { RequestTimeout = QueryTimeout });
        TopicDescription description = described.WaitAsync(_stopping).GetAwaiter().GetResult().TopicDescriptions[0];
        if (description.Error.IsError) { throw new KafkaException(description.Error); }
        _topicIds[topic] = description.TopicId.ToString();
    }

    /// <summary>Restores' and approvals' records, as many as are there.</summary>
    private void PollAssigned()
    {
        _assignedBusy = false;
        if (_restoring.Count == 0 && _approvals.Count == 0) { return; }
        for (int i = 0; i < PollRecordsMax; i++)
        {
            ConsumeResult<byte[]?, byte[]?>? result;
            try
            {
                result = _assigned.Consume(TimeSpan.Zero);
            }
            catch (ConsumeException e) when (!e.Error.IsFatal)
            {
                if (_approvals.TryGetValue(e.ConsumerRecord.TopicPartition, out TaskRunner? broken) && e.Error.Code is ErrorCode.Local_AutoOffsetReset)
                {
                    StopTask(broken, "its next statement is not on the approvals topic any more: the topic was truncated or made anew");
                }

                continue;
            }

            if (result is null) { return; }
            _assignedBusy = true;
            if (_restoring.TryGetValue(result.TopicPartition, out TaskRestore? restore)) { Take(restore, result); }
            else if (_approvals.TryGetValue(result.TopicPartition, out TaskRunner? runner)) { Take(runner, result); }
        }
    }

    private void Take(TaskRestore restore, ConsumeResult<byte[]?, byte[]?> result)
    {
        bool state = result.TopicPartition == restore.State;
        if (result.IsPartitionEOF)
        {
            // It fires at the last stable offset, so it proves nothing unless that has passed the end.
            if (state) { restore.StateRead |= result.Offset.Value >= restore.StateEnd; }
            else { restore.HeldRead |= result.Offset.Value >= restore.HeldEnd; }
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

    private void Take(TaskRunner runner, ConsumeResult<byte[]?, byte[]?> result)
    {
        if (runner.Phase == TaskPhase.Stopped) { return; }
        if (result.IsPartitionEOF)
        {
            runner.ApprovalsSeen = Math.Max(runner.ApprovalsSeen, result.Offset.Value);
            return;
        }

        EnsureTransaction();
        runner.Task.Statement(result.Offset.Value, result.Message.Timestamp.UnixTimestampMs, result.Message.Key, result.Message.Value);
        runner.ApprovalsSeen = Math.Max(runner.ApprovalsSeen, result.Offset.Value + 1);
    }

    /// <summary>Ends holds: those that are met or rejected at once, those past their time once approvals are consumed to an end fetched after it.</summary>
    private void Punctuate()
    {
        if (BackingOff()) { return; }
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (runner.Phase is not (TaskPhase.Running or TaskPhase.Waiting)) { continue; }
            StreamTask task = runner.Task;
            if (runner.ExpiryMs < 0 && task.NextExpiryMs is { } expires)
            {
                long nowMs = _time.GetUtcNow().ToUnixTimeMilliseconds();
                if (expires <= nowMs) { FetchFence(runner, nowMs); }
            }

            bool due = runner.ExpiryMs >= 0 && runner.ApprovalsSeen >= runner.ExpiryFence;
            if (!due && !task.HasEnding) { continue; }
            EnsureTransaction();
            _assignedBusy |= task.EndHolds(due ? runner.ExpiryMs : 0, EndsAtATime) == EndsAtATime;
            if (due && !task.HasEnding) { runner.ExpiryMs = -1; }
            if (task.ReleaseNeeds is { } needed && runner.Lookup is null) { runner.Lookup = _policies.ResolveAsync(task.Binding, needed, _stopping); }
        }
    }

    private void FetchFence(TaskRunner runner, long nowMs)
    {
        try
        {
            runner.ExpiryFence = _assigned.QueryWatermarkOffsets(runner.Approvals, QueryTimeout).High.Value;
            runner.ExpiryMs = nowMs;
        }
        catch (KafkaException e)
        {
            _health.Bad("broker", e.Error.Reason);
        }
    }

    /// <summary>A task whose next record names an unknown schema waits, and the others go on.</summary>
    private void Wait(TaskRunner runner)
    {
        runner.Phase = TaskPhase.Waiting;
        _consumer.Pause([runner.Ingress]);
        runner.LookupBackoff = TimeSpan.FromMilliseconds(100);
        runner.Lookup = _policies.ResolveAsync(runner.Task.Binding, runner.Task.Needed, _stopping);
    }

    private void Lookups()
    {
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (runner.Phase == TaskPhase.Waiting && runner.Lookup is null && _time.GetTimestamp() >= runner.LookupAfter)
            {
                runner.Lookup = _policies.ResolveAsync(runner.Task.Binding, runner.Task.Needed, _stopping);
            }

            if (runner.Lookup is not { IsCompleted: true } lookup) { continue; }
            runner.Lookup = null;
            if (lookup.GetAwaiter().GetResult() is { } why)
            {
                if (_health.Bad(runner.Component, "waits for the schema registry: " + why)) { StreamLog.TaskWaits(_logger, runner.ToString(), why); }
                runner.LookupAfter = _time.GetTimestamp() + (long)(runner.LookupBackoff.TotalSeconds * _time.TimestampFrequency);
                runner.LookupBackoff = TimeSpan.FromTicks(Math.Min(Math.Max(2 * runner.LookupBackoff.Ticks, TimeSpan.TicksPerMillisecond * 100), TimeSpan.FromSeconds(5).Ticks));
                continue;
            }

            _health.Good(runner.Component);
            if (runner.Phase != TaskPhase.Waiting) { continue; }
            runner.Phase = TaskPhase.Running;
            Seek(runner);
            if (_pausedUntil == 0) { _consumer.Resume([runner.Ingress]); }
        }
    }

    /// <summary>The next record that comes is the task's next one: the client drops what it had fetched before. A partition that cannot be moved is restored.</summary>
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
