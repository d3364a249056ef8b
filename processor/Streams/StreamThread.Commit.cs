using Confluent.Kafka;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Processor.Tasks;

namespace PolicyStreams.Processor.Streams;

/// <summary>Commit: outputs, decisions, state, and offsets in one transaction.</summary>
internal sealed partial class StreamThread
{
    private bool _open;
    private long _openedAt;
    private int _transactionRecords;

    // Captured when the transaction begins, never fetched later: metadata of the moment of commit would let a thread that has lost its partition commit.
    private IConsumerGroupMetadata? _group;

    // While a refused record is looked for: most ingress records a transaction. Grows back as transactions commit.
    private int _recordsMax = int.MaxValue;

    private void EnsureTransaction()
    {
        if (_open) { return; }
        (_group as IDisposable)?.Dispose();
        _group = _reader!.CaptureGroup();
        _producer!.Begin();
        _open = true;
        _openedAt = _time.GetTimestamp();
        _transactionRecords = 0;
    }

    private TimeSpan Remaining()
    {
        TimeSpan left = _options.CommitInterval - _time.GetElapsedTime(_openedAt);
        return left < TimeSpan.Zero ? TimeSpan.Zero : left < PollIdle ? left : PollIdle;
    }

    private bool CommitIsDue() =>
        _open
        && (_transactionRecords >= Math.Min(_options.CommitRecords, _recordsMax)
            || _producer!.PendingBytes >= (long)_options.CommitMebibytes << 20
            || _time.GetElapsedTime(_openedAt) >= _options.CommitInterval);

    private TransactionOutcome CommitTransaction()
    {
        if (!_open) { return TransactionOutcome.Committed; }
        _open = false;
        long start = _time.GetTimestamp();
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
                AfterCommit(start);
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

    private void AfterCommit(long start)
    {
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (!runner.Task.Touched) { continue; }
            runner.Task.Commit();
            runner.Gauges.NextOffset = runner.Task.CommittedIngress;
            runner.Gauges.OpenHolds = runner.Task.OpenHolds;
            runner.Gauges.EndOffset = Math.Max(runner.Gauges.EndOffset, EndOffset(runner));
        }

        _observer.Committed();
        _metrics.Committed(_time.GetElapsedTime(start));
        _metrics.AddEvent("commits");
        if (_recordsMax != int.MaxValue) { _recordsMax = _recordsMax > _options.CommitRecords ? int.MaxValue : _recordsMax * 2; }
        _backoff = TimeSpan.Zero;
        _health.Good("broker");
    }

    /// <summary>Certainly not visible: the tasks drop it and read its records again, fewer at a time where the broker refused one for what it is.</summary>
    private void AfterAbort(TransactionOutcome outcome)
    {
        _metrics.AddEvent("aborts");
        string why = _producer!.LastError;
        TaskRunner? alone = _transactionRecords <= 1 ? TouchedAlone() : null;
        long first = alone?.Task.CommittedIngress ?? -1;
        long next = alone?.Task.NextIngress ?? -1;
        RollBack();
        if (outcome != TransactionOutcome.Refused)
        {
            StreamLog.Aborted(_logger, _id, why);
            Backoff(why);
            return;
        }

        if (_transactionRecords == 1 && alone is not null && next > first)
        {
            // Only a record that is refused alone in its transaction is denied as refused.
            alone.Task.Refuse(next - 1);
            StreamLog.RecordRefused(_logger, $"{alone.Ingress.Topic}-{alone.Ingress.Partition.Value}-{next - 1}", why);
            _metrics.AddEvent("records_refused");
            return;
        }

        if (_transactionRecords == 0)
        {
            Backoff(why);
            return;
        }

        _recordsMax = Math.Max(1, _transactionRecords / 2);
        StreamLog.BatchHalved(_logger, _id, why, _recordsMax);
    }

    private TaskRunner? TouchedAlone()
    {
        TaskRunner? found = null;
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (!runner.Task.Touched) { continue; }
            if (found is not null) { return null; }
            found = runner;
        }

        return found;
    }

    /// <summary>The outcome is not known, or the producer cannot go on: it is made anew under its id, which ends what it left open, and the tasks restore.</summary>
    private void AfterUnknown()
    {
        StreamLog.ProducerRebuilt(_logger, _id, _producer!.LastError);
        _metrics.AddEvent("producer_rebuilds");
        _producer.Dispose();
        _observer.RolledBack();
        OpenProducer();
        _context.Sink = _producer;
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
            if (runner.Phase is TaskPhase.Running or TaskPhase.Waiting)
            {
                Seek(runner);
                _assigned.Seek(new TopicPartitionOffset(runner.Approvals, runner.Task.NextApprovals));
            }
        }
    }

    /// <summary>Infrastructure is a pause: nothing is read for a while that grows, and health says why.</summary>
    private void Backoff(string why)
    {
        _backoff = _backoff == TimeSpan.Zero ? TimeSpan.FromMilliseconds(100) : TimeSpan.FromTicks(Math.Min(2 * _backoff.Ticks, TimeSpan.FromSeconds(10).Ticks));
        _health.Bad("broker", why.Length > 0 ? why : "a transaction was aborted");
        _pausedUntil = _time.GetTimestamp() + (long)(_backoff.TotalSeconds * _time.TimestampFrequency);
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

    private long EndOffset(TaskRunner runner)
    {
        WatermarkOffsets known = _consumer.GetWatermarkOffsets(runner.Ingress);
        return known.High == Offset.Unset ? -1 : known.High.Value;
    }
}
