using System.Diagnostics;
using System.Runtime.ExceptionServices;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Processor.Metrics;
using PolicyStreams.Processor.Policies;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Streams;

/// <summary>
/// One consumer of the group, one transactional producer, and the tasks of the partitions that the group gives it. Everything happens on its own thread,
/// the client's callbacks included. One record's way: <see cref="Poll"/> → <see cref="StreamTask.Process"/> → <see cref="CommitTransaction"/>.
/// </summary>
internal sealed partial class StreamThread : IDisposable
{
    private static readonly TimeSpan PollIdle = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan InitializeTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan BackoffMax = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ResumeAgainAfter = TimeSpan.FromSeconds(2);
    private const int PollRecordsMax = 2000;

    // What the client's queue does not count: a record with so much in its key and headers turns HoldFetching on, for so long.
    private const int UncountedMax = 16 << 10;
    private static readonly TimeSpan HoldFetchingFor = TimeSpan.FromMinutes(1);

    private readonly string _id;
    private readonly ProcessorOptions _options;
    private readonly IStreamClients _clients;
    private readonly PolicyStore _policies;
    private readonly TaskKeys _keys;
    private readonly Health _health;
    private readonly ProcessorMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationToken _stopping;
    private readonly Dictionary<TopicPartition, TaskRunner> _tasks = [];
    private readonly TaskObserver _observer;
    private readonly RecordHeaders _headers = new();
    private readonly BrokerClock _clock;
    private readonly RestoreBudget _restoreBudget = new(256L << 20);

    private IConsumer<byte[]?, byte[]?> _consumer = null!;
    private RecordReader? _reader;
    private IConsumer<byte[]?, byte[]?> _assigned = null!;
    private OutputProducer? _producer;
    private HeldReader _heldReader = null!;
    private TaskContext _context = null!;
    private PolicySnapshot _snapshot = null!;
    private readonly HashSet<TaskRunner> _seekAgain = [];
    private ExceptionDispatchInfo? _callbackFault;
    private bool _fetching;
    private long _pausedUntil;
    private long _holdFetchingUntil;
    private long _resumedAt;
    private TimeSpan _backoff;

    public StreamThread(string id, ProcessorOptions options, PolicyStore policies, TaskKeys keys, Health health, ProcessorMetrics metrics, TimeProvider time, ILogger logger, CancellationToken stopping, IStreamClients? clients = null)
    {
        _id = id;
        _options = options;
        _policies = policies;
        _keys = keys;
        _health = health;
        _metrics = metrics;
        _time = time;
        _logger = logger;
        _stopping = stopping;
        _clients = clients ?? new StreamClients(id, options, what => StreamLog.Client(logger, what), stopping);
        _observer = new TaskObserver(metrics, logger, id);
        _clock = new BrokerClock(time);
    }

    /// <summary>For tests, which make it small.</summary>
    internal RestoreBudget RestoreBudget => _restoreBudget;

    private string Component => "thread " + _id;

    /// <summary>Runs until stopped: after any failure everything is closed and made anew, after a pause that grows.</summary>
    public void Run()
    {
        TimeSpan backoff = TimeSpan.FromMilliseconds(100);
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                Open();
                _health.Good(Component);
                backoff = TimeSpan.FromMilliseconds(100);
                while (!_stopping.IsCancellationRequested) { Step(); }
                Finish();
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
            }
            catch (KafkaException e)
            {
                Failed(e.Error.Reason);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // A fault of ours: its message may not be trusted to hold no payload, its type and place can.
                Failed($"{e.GetType().Name} at {new StackTrace(e).GetFrame(0)?.GetMethod()?.Name ?? "unknown"}");
            }
            finally
            {
                Close();
            }

            if (_stopping.WaitHandle.WaitOne(backoff)) { break; }
            backoff = TimeSpan.FromTicks(Math.Min(2 * backoff.Ticks, TimeSpan.FromSeconds(5).Ticks));
        }
    }

    public void Dispose() => Close();

    private void Failed(string why)
    {
        _health.Bad(Component, why);
        StreamLog.ThreadFailed(_logger, _id, why);
    }

    /// <summary>Makes the clients and joins the group. For <see cref="Run"/>, and for tests that take the steps themselves.</summary>
    internal void Open()
    {
        _snapshot = _policies.Current ?? throw new InvalidOperationException("No policy is in force.");
        _consumer = _clients.Group(this);
        _reader = _clients.Reader(_consumer, PollRecordsMax);
        _assigned = _clients.Assigned("tasks", this);
        _heldReader = new HeldReader(use => _clients.Assigned(use, this), _time);
        OpenProducer();
        _context = new TaskContext(_producer!, _heldReader, _time, _keys, _observer, _options.Group, _id, new TaskLimits(_options.HoldsMax, TaskLimits.Default.ViewBytesMax), _options.RecordPath);
        Subscribe();
    }

    private void Close()
    {
        foreach (TaskRunner runner in _tasks.Values) { Drop(runner); }
        _tasks.Clear();
        _restoring.Clear();
        _approvals.Clear();
        _toPause.Clear();
        _seekAgain.Clear();
        _callbackFault = null;
        _open = false;
        _pausedUntil = 0;
        _producer?.Dispose();
        _producer = null;
        _heldReader?.Dispose();
        _heldReader = null!;
        _assigned?.Dispose();
        _assigned = null!;
        _reader?.Dispose();
        _reader = null;
        _consumer?.Dispose();
        _consumer = null!;
        _context?.Dispose();
        _context = null!;
    }

    /// <summary>Stops cleanly: commits what is open, leaves the group's offsets where they are.</summary>
    private void Finish()
    {
        CommitTransaction();
        _reader!.Dispose();
        _consumer.Close();
    }

    private void OpenProducer()
    {
        _producer = _clients.Producer(_consumer);

        // Fences whoever held the slot before, and ends what it left open.
        while (true)
        {
            try
            {
                _producer.Initialize(InitializeTimeout);
                _health.Good("broker");
                return;
            }
            catch (KafkaRetriableException e) when (!_stopping.IsCancellationRequested)
            {
                if (_health.Bad("broker", e.Error.Reason)) { StreamLog.BrokerUnreachable(_logger, e.Error.Reason); }
            }
            catch (KafkaException e) when (!e.Error.IsFatal && !_stopping.IsCancellationRequested)
            {
                if (_health.Bad("broker", e.Error.Reason)) { StreamLog.BrokerUnreachable(_logger, e.Error.Reason); }
                _stopping.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(500));
            }

            _stopping.ThrowIfCancellationRequested();
        }
    }

    private void Subscribe() => _consumer.Subscribe(_snapshot.ByIngressTopic.Keys.Order(StringComparer.Ordinal));

    /// <summary>One turn of the thread.</summary>
    internal void Step()
    {
        UsePolicies();
        Poll();
        Restore();
        PollAssigned();
        Punctuate();
        Lookups();
        ResumeTasks();
        WatchTopics();
        if (CommitIsDue()) { CommitTransaction(); }
        else { SendEarly(); }
        _producer!.Poll();
    }

    /// <summary>A changed policy takes effect between transactions.</summary>
    private void UsePolicies()
    {
        PolicySnapshot current = _policies.Current!;
        if (ReferenceEquals(current, _snapshot)) { return; }
        CommitTransaction();
        IReadOnlyDictionary<string, CompiledBinding> before = _snapshot.ByIngressTopic;
        _snapshot = current;
        foreach (TaskRunner runner in _tasks.Values)
        {
            if (current.ByIngressTopic.TryGetValue(runner.Ingress.Topic, out CompiledBinding? binding)) { runner.Task.UsePolicy(binding); }
        }

        if (!before.Keys.ToHashSet(StringComparer.Ordinal).SetEquals(current.ByIngressTopic.Keys)) { Subscribe(); }
    }

    /// <summary>Takes what the broker has delivered, as far as one transaction may go.</summary>
    private void Poll()
    {
        TimeSpan wait = _open ? Remaining() : PollIdle;
        if (_assignedBusy) { wait = TimeSpan.Zero; }
        if (_searched >= 0 && !StillSearched()) { EndSearch(); }
        FetchedRecord record = default;
        for (int taken = 0; taken < PollRecordsMax;)
        {
            int count = Fetch(taken == 0 ? wait : TimeSpan.Zero, PollRecordsMax - taken);
            _behind = count > 0;
            if (count == 0) { return; }
            taken += count;
            TaskRunner? runner = null;
            while (_reader!.TryTake(ref record))
            {
                if (record.Error is not null)
                {
                    OnConsumeError(record.Partition, record.Error);
                    continue;
                }

                // A batch comes a partition at a time. What was in hand when its partition was sought elsewhere comes again.
                if (!ReferenceEquals(runner?.Consumed, record.Partition) && _tasks.TryGetValue(record.Partition, out runner)) { runner.Consumed = record.Partition; }
                if (runner is not { Phase: TaskPhase.Running } || runner.StaleBatch == _reader.Batch) { continue; }
                if (_searched >= 0 && runner.Ingress.Partition.Value != _searched)
                {
                    SetAside(runner);
                    continue;
                }

                Process(runner, record);
                if (CommitIsDue()) { CommitTransaction(); }
            }
        }
    }

    private int Fetch(TimeSpan wait, int most)
    {
        int count;
        _fetching = true;
        try
        {
            count = _reader!.Fetch(wait, most);
        }
        finally
        {
            _fetching = false;
        }

        if (_callbackFault is { } fault)
        {
            _callbackFault = null;
            fault.Throw();
        }

        // Sought inside a callback: some of what is in hand came before, some perhaps after. All of it is passed over, and read again.
        foreach (TaskRunner runner in _seekAgain)
        {
            if (_tasks.GetValueOrDefault(runner.Ingress) == runner && runner.Phase is not (TaskPhase.Restoring or TaskPhase.Stopped)) { Seek(runner); }
        }

        _seekAgain.Clear();
        PauseNew();
        return count;
    }

    private void Process(TaskRunner runner, in FetchedRecord record)
    {
        _reader!.CopyHeaders(_headers);
        var input = new RecordInput
        {
            Topic = runner.Task.IngressTopic,
            Partition = runner.Ingress.Partition.Value,
            Offset = record.Offset,
            TimestampMs = record.TimestampMs,
            HasKey = record.HasKey,
            Key = record.Key,
            HasValue = record.HasValue,
            Value = record.Value,
            Headers = _headers,
            Principal = runner.Task.Binding.Document.TopicPrincipal,
        };
        if (record.Key.Length + _headers.Bytes > UncountedMax) { _holdFetchingUntil = After(HoldFetchingFor); }
        EnsureTransaction();
        switch (runner.Task.Process(input))
        {
            case TaskStep.Done:
                _transactionRecords++;
                Did(runner, StepKind.Record, record.Offset, "");
                break;
            case TaskStep.NeedsSchema:
                Wait(runner);
                break;
            case TaskStep.Full:
                WaitForRoom(runner);
                break;
        }
    }

    /// <summary>Runs a callback of the group. It is called from inside the client, which must not be unwound: what it throws is thrown after <see cref="Fetch"/>.</summary>
    private void Guarded(Action callback)
    {
        try
        {
            callback();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _callbackFault ??= ExceptionDispatchInfo.Capture(e);
        }
    }

    private void Did(TaskRunner runner, StepKind kind, long offset, string holdId)
    {
        _steps++;
        _lastStep = new TransactionStep(runner, kind, offset, holdId);
    }

    private void OnConsumeError(TopicPartition partition, Error error)
    {
        // A partition that restores has no position of its own yet; where it starts is the restore's to say.
        if (error.Code is ErrorCode.Local_AutoOffsetReset or ErrorCode.Local_NoOffset && _tasks.TryGetValue(partition, out TaskRunner? runner))
        {
            if (runner.Phase is not (TaskPhase.Restoring or TaskPhase.Stopped))
            {
                StopTask(runner, "its next record is not there any more: the topic was truncated or made anew, or records were deleted before they were read. `--adopt-offsets` goes on from where the topic begins and records it");
            }

            return;
        }

        if (error.Code is ErrorCode.UnknownTopicOrPart or ErrorCode.Local_UnknownTopic or ErrorCode.Local_UnknownPartition)
        {
            LookAtTopicsSoon();
            return;
        }

        if (error.IsFatal) { throw new KafkaException(error); }
        if (_health.Bad("broker", error.Reason)) { StreamLog.BrokerUnreachable(_logger, error.Reason); }
    }

    void IGroupListener.ClientError(Error error)
    {
        if (error.Code is ErrorCode.Local_AllBrokersDown && _health.Bad("broker", error.Reason)) { StreamLog.BrokerUnreachable(_logger, error.Reason); }
    }

    void IGroupListener.ClientLog(LogMessage message)
    {
        if (message.Level <= SyslogLevel.Error && message.Facility != "FAIL") { StreamLog.Client(_logger, $"{message.Facility}: {message.Message}"); }
    }
}
