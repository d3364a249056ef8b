using Confluent.Kafka;
using PolicyStreams.Processor.Tasks;

namespace PolicyStreams.Processor.Streams;

/// <summary>Approvals, the clock, and what a task waits for.</summary>
internal sealed partial class StreamThread
{
    private const int EndsAtATime = 200;

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
                    StopTask(broken, "its next statement is not on the approvals topic any more: the topic was truncated or made anew. `--adopt-offsets` goes on and records it");
                }
                else if (_restoring.TryGetValue(e.ConsumerRecord.TopicPartition, out TaskRestore? failed) && e.Error.Code is ErrorCode.Local_AutoOffsetReset)
                {
                    // Compaction and retention move the beginning of a topic while it is read: the restore begins anew.
                    RestoreAnew(failed.Runner);
                }

                continue;
            }

            if (result is null) { return; }
            _assignedBusy = true;
            if (_restoring.TryGetValue(result.TopicPartition, out TaskRestore? restore)) { Take(restore, result); }
            else if (_approvals.TryGetValue(result.TopicPartition, out TaskRunner? runner)) { Take(runner, result); }
            if (CommitIsDue()) { CommitTransaction(); }
        }
    }

    private void Take(TaskRunner runner, ConsumeResult<byte[]?, byte[]?> result)
    {
        if (!runner.MayEnd || runner.ApprovalsAfter != 0) { return; }
        if (result.IsPartitionEOF)
        {
            runner.ApprovalsSeen = Math.Max(runner.ApprovalsSeen, result.Offset.Value);
            return;
        }

        EnsureTransaction();
        if (runner.Task.Statement(result.Offset.Value, result.Message.Timestamp.UnixTimestampMs, result.Message.Key, result.Message.Value) == TaskStep.NotNow)
        {
            // Its hold cannot be read back now: this statement and those behind it are read again.
            runner.ApprovalsAfter = After(RetryAfter);
            _assigned.Pause([runner.Approvals]);
            _health.Bad(runner.Component, $"the state of a hold cannot be read back from {runner.Task.Binding.Document.Topics.State}: statements wait");
            return;
        }

        Did(runner, StepKind.Statement, result.Offset.Value, "");
        runner.ApprovalsSeen = Math.Max(runner.ApprovalsSeen, result.Offset.Value + 1);
    }

    /// <summary>Ends holds: those that are met or rejected at once, those past their time once approvals are consumed to an end fetched after it.</summary>
    private void Punctuate()
    {
        if (BackingOff()) { return; }
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (!runner.MayEnd) { continue; }
            StreamTask task = runner.Task;
            if (runner.ExpiryMs < 0 && task.NextExpiryMs is { } expires)
            {
                long nowMs = _time.GetUtcNow().ToUnixTimeMilliseconds();
                if (expires <= nowMs && ClockIsGood(runner)) { FetchFence(runner, nowMs); }
            }

            bool due = runner.ExpiryMs >= 0 && runner.ApprovalsSeen >= runner.ExpiryFence;
            if (!due && !task.HasEnding) { continue; }
            if (_open && _steps >= _stepsMax) { continue; }
            EnsureTransaction();
            int most = Math.Min(EndsAtATime, _stepsMax - _steps);
            int ended = task.EndHolds(due ? runner.ExpiryMs : 0, most);
            if (ended > 0)
            {
                Did(runner, StepKind.End, -1, task.LastEnd);
                _steps += ended - 1;
            }

            _assignedBusy |= ended == most;
            if (due && !task.HasEnding) { runner.ExpiryMs = -1; }
            if (task.ReleaseNeeds is { } needed && runner.Lookup is null) { runner.Lookup = _policies.ResolveAsync(task.Binding, needed, _stopping); }
        }
    }

    /// <summary>Whether holds may expire by this host's clock. Where nothing tells, a transaction with nothing but a head asks the broker for its time.</summary>
    private bool ClockIsGood(TaskRunner runner)
    {
        if (_clients.Embedded) { return true; }
        switch (_clock.Standing)
        {
            case ClockStanding.Good:
                _health.Good("clock");
                return true;
            case ClockStanding.Unknown:
                EnsureTransaction();
                runner.Task.Touch();
                return false;
            case ClockStanding.Ahead:
                TellClock($"this host's clock is ahead of the broker's by {_clock.AheadText}: no hold expires until it is put right");
                return false;
            default:
                TellClock($"{runner.Task.Binding.Document.Topics.State} does not keep the broker's time, so that this host's clock cannot be held against it: no hold expires until message.timestamp.type is LogAppendTime there (`policystreams topics apply`)");
                return false;
        }
    }

    private void TellClock(string why)
    {
        if (!_health.Bad("clock", why)) { return; }
        _metrics.AddEvent("alarms");
        StreamLog.Alarm(_logger, _id, why);
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

    /// <summary>A task whose next record would be one hold too many waits until some have ended, and the others go on.</summary>
    private void WaitForRoom(TaskRunner runner)
    {
        runner.Phase = TaskPhase.Full;
        runner.Gauges.Running = false;
        _consumer.Pause([runner.Ingress]);
        string why = $"{runner.Task.OpenHolds} holds are open, as many as `holdsMax` allows: no record is taken until some have ended. Have them decided, or raise --holds-max";
        if (_health.Bad(runner.Component, why)) { StreamLog.TaskWaits(_logger, runner.ToString(), why); }
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
                runner.LookupAfter = After(runner.LookupBackoff);
                runner.LookupBackoff = TimeSpan.FromTicks(Math.Min(Math.Max(2 * runner.LookupBackoff.Ticks, TimeSpan.TicksPerMillisecond * 100), TimeSpan.FromSeconds(5).Ticks));
                continue;
            }

            if (runner.Phase is TaskPhase.Running or TaskPhase.Waiting) { _health.Good(runner.Component); }
            if (runner.Phase != TaskPhase.Waiting) { continue; }
            runner.Phase = TaskPhase.Running;
            Resume(runner);
        }
    }

    /// <summary>Tasks go on whose wait is over: there is room for holds, or the time of a back-off has passed.</summary>
    private void ResumeTasks()
    {
        foreach (TaskRunner runner in _tasks.Values)
        {
            bool full = runner.Phase == TaskPhase.Full && runner.Task.HasRoom;
            bool backedOff = runner.Phase == TaskPhase.BackingOff && _time.GetTimestamp() >= runner.BackoffUntil;
            if (full || backedOff)
            {
                runner.Phase = TaskPhase.Running;
                runner.Gauges.Running = true;
                if (full) { _health.Good(runner.Component); }
                Resume(runner);
                if (backedOff && runner.Phase == TaskPhase.Running) { SeekApprovals(runner); }
            }

            // What a back-off was for is only known to be over once something was committed.
            if (runner.Phase == TaskPhase.Running && runner.BackoffUntil != 0 && runner.Backoff == TimeSpan.Zero)
            {
                runner.BackoffUntil = 0;
                _health.Good(runner.Component);
            }

            if (runner.ApprovalsAfter != 0 && runner.MayEnd && _time.GetTimestamp() >= runner.ApprovalsAfter)
            {
                runner.ApprovalsAfter = 0;
                _health.Good(runner.Component);
                SeekApprovals(runner);
            }
        }

        ResumeAgain();
    }

    /// <summary>
    /// The client drops a resume that crosses a rebalance, and says nothing (librdkafka issue 5591): the partition would stay silent for good. It is asked again now and then; where
    /// nothing is paused that does nothing.
    /// </summary>
    private void ResumeAgain()
    {
        if (_pausedUntil != 0 || _time.GetElapsedTime(_resumedAt) < ResumeAgainAfter) { return; }
        _resumedAt = _time.GetTimestamp();
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (runner.Phase == TaskPhase.Running) { _consumer.Resume([runner.Ingress]); }
        }
    }

    private void SeekApprovals(TaskRunner runner)
    {
        if (!_approvals.ContainsKey(runner.Approvals)) { return; }
        _assigned.Seek(new TopicPartitionOffset(runner.Approvals, runner.Task.NextApprovals));
        if (runner.MayEnd) { _assigned.Resume([runner.Approvals]); }
    }
}
