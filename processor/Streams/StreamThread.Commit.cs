using Confluent.Kafka;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Processor.Tasks;

namespace PolicyStreams.Processor.Streams;

/// <summary>Commit: outputs, decisions, state, and offsets in one transaction.</summary>
internal sealed partial class StreamThread
{
    private const int EndShare = 4;
    private const int OpenShareMin = 10;
    private const int EarlyShareMax = 4;
    private const int SendsAnInterval = 3;
    private static readonly TimeSpan SettleTime = TimeSpan.FromMilliseconds(4);

    private bool _open;
    private long _dueAt;
    private long _dueBehindAt;
    private long _sendAt;

    // Whether the client had more records when this thread last asked than it took.
    private bool _behind;
    private bool _settles;
    private long _endBegan;
    private long _endTook;
    private int _transactionRecords;

    // Captured when the transaction begins, never fetched later: metadata of the moment of commit would let a thread that has lost its partition commit.
    private IConsumerGroupMetadata? _group;

    // Steps of the open transaction: records, statements, and ends of holds. While a refused one is looked for, at most so many a transaction; grows back as they commit.
    private int _steps;
    private int _stepsMax = int.MaxValue;
    private TransactionStep _lastStep;

    // Meanwhile records of this partition alone are taken: others, of which there may be any number, would come first again and again. -1 where none is looked for.
    private int _searched = -1;

    private enum StepKind : byte { Record, Statement, End }

    /// <summary>What a transaction did last: what was refused, where it did nothing else.</summary>
    private readonly record struct TransactionStep(TaskRunner Runner, StepKind Kind, long Offset, string HoldId)
    {
        public override string ToString() => Kind switch
        {
            StepKind.Record => $"{Runner.Ingress.Topic}-{Runner.Ingress.Partition.Value}-{Offset}",
            StepKind.Statement => $"{Runner.Approvals.Topic}-{Runner.Approvals.Partition.Value}-{Offset}",
            _ => HoldId + "/end",
        };
    }

    private void EnsureTransaction()
    {
        if (_open) { return; }
        LetSettle();
        (_group as IDisposable)?.Dispose();
        _group = _reader!.CaptureGroup();
        _producer!.Begin();
        _open = true;
        SetDue(_time.GetTimestamp());
        _transactionRecords = 0;
        _steps = 0;
    }

    /// <summary>
    /// A broker turns a producer's next transaction away until it has written the end of the last one everywhere, and the client library asks again 20 ms later: a thread that was not behind waits for the broker.
    /// </summary>
    private void LetSettle()
    {
        if (!_settles) { return; }
        TimeSpan most = _options.CommitInterval < SettleTime ? _options.CommitInterval : SettleTime;
        TimeSpan rest = most - _time.GetElapsedTime(_endBegan + _endTook);
        if (rest > TimeSpan.Zero) { _producer!.Settle(rest); }
    }

    /// <summary>
    /// When a transaction that opens now is to end: so long before an interval has passed since the last one's end began as that end took, so that records are published at the interval and not at it and
    /// what each end takes; by a quarter of the interval at most. Where more records wait than were taken, it stays open for four times what the last end took, so that a thread that is behind spends its
    /// time on records. Never longer than the interval, nor shorter than a tenth of it.
    /// </summary>
    private void SetDue(long now)
    {
        long interval = Interval;
        long next = _endBegan + interval;
        _dueAt = Math.Max(next - Math.Min(_endTook, interval / EarlyShareMax), now + (interval / OpenShareMin));
        _dueBehindAt = Math.Max(Math.Max(_dueAt, next), now + Math.Min(EndShare * _endTook, interval));
        _sendAt = now + (interval / SendsAnInterval);
    }

    /// <summary>
    /// A thread that is not behind has time to spare: it lets records leave before their batches are full, so that each partition has had its first one, which a broker looks at longest, before the end.
    /// </summary>
    private void SendEarly()
    {
        long now = _time.GetTimestamp();
        if (!_open || _behind || now < _sendAt) { return; }
        _sendAt = now + (Interval / SendsAnInterval);
        _producer!.SendNow();
    }

    private long Interval => (long)(_options.CommitInterval.TotalSeconds * _time.TimestampFrequency);

    private TimeSpan Remaining()
    {
        long now = _time.GetTimestamp();
        TimeSpan left = now < _dueAt ? _time.GetElapsedTime(now, _dueAt) : TimeSpan.Zero;
        return left < PollIdle ? left : PollIdle;
    }

    private bool CommitIsDue() =>
        _open
        && (_transactionRecords >= _options.CommitRecords
            || _steps >= _stepsMax
            || _producer!.PendingBytes >= (long)_options.CommitMebibytes << 20
            || _time.GetTimestamp() >= (_behind ? _dueBehindAt : _dueAt));

    private TransactionOutcome CommitTransaction()
    {
        if (!_open) { return TransactionOutcome.Committed; }
        _open = false;
        _settles = !_behind;
        bool held = HoldFetching();
        _endBegan = _time.GetTimestamp();
        TransactionOutcome outcome = EndTransaction();
        _endTook = _time.GetTimestamp() - _endBegan;
        if (!held || _pausedUntil != 0) { return outcome; }
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (runner.Phase == TaskPhase.Running) { Resume(runner); }
        }

        return outcome;
    }

    /// <summary>
    /// While the thread waits for the broker, the client goes on to fetch up to its queue's bounds, and those do not count keys and headers. Where records come that are large there, nothing is
    /// fetched meanwhile: what was fetched before is fetched again.
    /// </summary>
    private bool HoldFetching()
    {
        if (_pausedUntil != 0 || _time.GetTimestamp() >= _holdFetchingUntil) { return false; }
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (runner.Phase == TaskPhase.Running) { _consumer.Pause([runner.Ingress]); }
        }

        return true;
    }

    private TransactionOutcome EndTransaction()
    {
        long start = _time.GetTimestamp();
        long sentMs = _time.GetUtcNow().ToUnixTimeMilliseconds();
        var offsets = new List<TopicPartitionOffset>();
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (!runner.Task.Touched) { continue; }
            runner.Task.EndTransaction();

            // Both offsets of every task that is touched, changed or not: a transaction without offsets is not fenced by the group.
            offsets.Add(new TopicPartitionOffset(runner.Ingress, runner.Task.NextIngress));
            offsets.Add(new TopicPartitionOffset(runner.Approvals, runner.Task.NextApprovals));
        }

        TransactionOutcome outcome = offsets.Count == 0 ? _producer!.Abort() : _producer!.Commit(offsets, _group!);
        if (offsets.Count == 0)
        {
            if (outcome == TransactionOutcome.Unknown) { AfterUnknown(); }
            return outcome;
        }

        switch (outcome)
        {
            case TransactionOutcome.Committed:
                AfterCommit(start, sentMs);
                break;
            case TransactionOutcome.Unknown:
                AfterUnknown();
                break;
            default:
                AfterAbort(outcome);
                break;
        }

        return outcome;
    }

    /// <summary>Drops what is open: its task is gone, or must not go on.</summary>
    private void AbortTransaction()
    {
        if (!_open) { return; }
        _open = false;
        TransactionOutcome outcome = _producer!.Abort();
        if (outcome == TransactionOutcome.Unknown) { AfterUnknown(); }
        else { RollBack(); }
    }

    private void AfterCommit(long start, long sentMs)
    {
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (!runner.Task.Touched) { continue; }
            runner.Task.Commit();
            runner.Gauges.NextOffset = runner.Task.CommittedIngress;
            runner.Gauges.OpenHolds = runner.Task.OpenHolds;
            runner.Gauges.EndOffset = Math.Max(runner.Gauges.EndOffset, EndOffset(runner));
            runner.Backoff = TimeSpan.Zero;
            if (!_clients.Embedded && runner.Task.HeadAt is { } head) { _clock.Measured(start, sentMs, head.AppendedMs); }
        }

        _observer.Committed();
        _metrics.Committed(_time.GetElapsedTime(start));
        _metrics.AddEvent("commits");
        if (_stepsMax != int.MaxValue) { _stepsMax = _stepsMax > _options.CommitRecords ? int.MaxValue : _stepsMax * 2; }
        _backoff = TimeSpan.Zero;
        _health.Good("broker");
    }

    /// <summary>Certainly not visible: the tasks drop it and do its steps again, fewer at a time where the broker refused a record for what it is.</summary>
    private void AfterAbort(TransactionOutcome outcome)
    {
        _metrics.AddEvent("aborts");
        string why = _producer!.LastError;
        int refused = _producer.RefusedPartition;
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (runner.Ingress.Partition.Value == refused && runner.Task.Touched) { runner.SearchedTo = runner.Task.NextIngress; }
        }

        RollBack();
        if (outcome != TransactionOutcome.Refused || _steps == 0)
        {
            StreamLog.Aborted(_logger, _id, why);
            Backoff(why);
            return;
        }

        if (_steps > 1)
        {
            _stepsMax = Math.Max(1, _steps / 2);
            EndSearch();
            _searched = refused;
            StreamLog.BatchHalved(_logger, _id, why, _stepsMax);
            return;
        }

        // Only what is refused alone in its transaction is denied as refused.
        EndSearch();
        TransactionStep step = _lastStep;
        bool denies = step.Kind switch
        {
            StepKind.Record => step.Runner.Task.Refuse(step.Offset),
            StepKind.Statement => step.Runner.Task.RefuseStatement(step.Offset),
            _ => step.Runner.Task.RefuseEnd(step.HoldId),
        };
        if (denies)
        {
            StreamLog.RecordRefused(_logger, step.ToString(), why);
            _metrics.AddEvent("records_refused");
            return;
        }

        // The denial itself is refused: its topic is set up so that the original does not fit, and that is no verdict.
        BackOff(step.Runner, $"the broker refuses what {step} needs ({why}): raise that topic's max.message.bytes (`policystreams topics plan` says to what)");
    }

    /// <summary>Until those records of the partition that were in the refused transaction are committed, or one of them is denied.</summary>
    private bool StillSearched()
    {
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (runner.Ingress.Partition.Value == _searched && runner.Phase == TaskPhase.Running && runner.Task.CommittedIngress < runner.SearchedTo) { return true; }
        }

        return false;
    }

    /// <summary>A task whose records wait while one of another partition is looked for.</summary>
    private void SetAside(TaskRunner runner)
    {
        runner.SetAside = true;
        _consumer.Pause([runner.Ingress]);
        Seek(runner);
    }

    private void EndSearch()
    {
        _searched = -1;
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (!runner.SetAside) { continue; }
            runner.SetAside = false;
            if (runner.Phase == TaskPhase.Running) { Resume(runner); }
        }
    }

    /// <summary>The outcome is not known, or the producer cannot go on: it is made anew under its id, which ends what it left open, and the tasks restore.</summary>
    private void AfterUnknown()
    {
        string why = _producer!.LastError;
        _observer.RolledBack();
        if (_stopping.IsCancellationRequested)
        {
            // Whoever takes the slot next ends it, or the broker does once its transaction timeout is over.
            StreamLog.LeftOpen(_logger, _id, why);
            return;
        }

        StreamLog.ProducerRebuilt(_logger, _id, why);
        _metrics.AddEvent("producer_rebuilds");
        _producer.Dispose();
        OpenProducer();
        _context.Sink = _producer;
        EndSearch();
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (runner.Phase != TaskPhase.Stopped) { RestoreAnew(runner); }
        }
    }

    private void RollBack()
    {
        _observer.RolledBack();
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (!runner.Task.Touched) { continue; }
            runner.Task.Rollback();
            runner.ExpiryMs = -1;
            if (runner.Phase is TaskPhase.Running or TaskPhase.Waiting or TaskPhase.Full or TaskPhase.BackingOff)
            {
                Seek(runner);
                SeekApprovals(runner);
            }
        }
    }

    /// <summary>Infrastructure is a pause: nothing is read for a while that grows, and health says why.</summary>
    private void Backoff(string why)
    {
        _backoff = _backoff == TimeSpan.Zero ? TimeSpan.FromMilliseconds(100) : TimeSpan.FromTicks(Math.Min(2 * _backoff.Ticks, BackoffMax.Ticks));
        _health.Bad("broker", why.Length > 0 ? why : "a transaction was aborted");
        _pausedUntil = After(_backoff);
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (runner.Phase == TaskPhase.Running) { _consumer.Pause([runner.Ingress]); }
        }
    }

    private bool BackingOff()
    {
        if (_pausedUntil == 0) { return false; }
        if (_time.GetTimestamp() < _pausedUntil) { return true; }
        _pausedUntil = 0;
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (runner.Phase == TaskPhase.Running) { _consumer.Resume([runner.Ingress]); }
        }

        return false;
    }

    /// <summary>The same for one task; the others of the thread go on.</summary>
    private void BackOff(TaskRunner runner, string why)
    {
        runner.Backoff = runner.Backoff == TimeSpan.Zero ? TimeSpan.FromSeconds(1) : TimeSpan.FromTicks(Math.Min(2 * runner.Backoff.Ticks, BackoffMax.Ticks));
        runner.BackoffUntil = After(runner.Backoff);
        runner.Phase = TaskPhase.BackingOff;
        runner.Gauges.Running = false;
        _consumer.Pause([runner.Ingress]);
        _assigned.Pause([runner.Approvals]);
        if (_health.Bad(runner.Component, why)) { StreamLog.TaskWaits(_logger, runner.ToString(), why); }
    }

    private long After(TimeSpan delay) => _time.GetTimestamp() + (long)(delay.TotalSeconds * _time.TimestampFrequency);

    private long EndOffset(TaskRunner runner)
    {
        WatermarkOffsets known = _consumer.GetWatermarkOffsets(runner.Ingress);
        return known.High == Offset.Unset ? -1 : known.High.Value;
    }
}
