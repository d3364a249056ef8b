using System.Globalization;
using Confluent.Kafka;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Processor.Metrics;
using PolicyStreams.Processor.Policies;
using PolicyStreams.Processor.Streams;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Processor.Topics;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Processor.Hosting;

/// <summary>The processor cannot start as it was told to: the message says what, where, and how to mend it, one thing a line.</summary>
public sealed class StartException(string message, bool found = false) : Exception(message)
{
    /// <summary>True where it ran far enough to find mistakes in policies (exit code 1), false where it could not run (2).</summary>
    public bool Found { get; } = found;
}

/// <summary>
/// The processor as a service: policies, keys, slot, topics, and stream threads. <see cref="PrepareAsync"/> does everything that can be refused, so that nothing is started
/// where something is wrong; unreachable infrastructure is waited for.
/// </summary>
public sealed partial class ProcessorHost : BackgroundService
{
    // Below the host's own limit, so that the log still says how it ended.
    private static readonly TimeSpan StopWithin = TimeSpan.FromSeconds(15);

    private readonly ProcessorOptions _options;
    private readonly ISchemaRegistry? _registry;
    private readonly TimeProvider _time;
    private readonly ILogger<ProcessorHost> _logger;
    private readonly TaskCompletionSource _prepared = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private InstanceSlot? _slot;
    private PolicyStore? _policies;
    private TaskKeys _keys = TaskKeys.None;
    private IReadOnlyList<BindingDocument> _bindings = [];

    /// <param name="registry">Null where no binding needs one.</param>
    public ProcessorHost(ProcessorOptions options, ISchemaRegistry? registry, Health health, ProcessorMetrics metrics, TimeProvider time, ILogger<ProcessorHost> logger)
    {
        _options = options;
        _registry = registry;
        Health = health;
        Metrics = metrics;
        _time = time;
        _logger = logger;
        Metrics.Unhealthy = () => [.. Health.Reasons.Keys];
        Metrics.Policies = () => [.. _policies?.Current?.Policies.Select(policy => (policy.Document.Name, policy.Digest)) ?? []];
    }

    public Health Health { get; }

    public ProcessorMetrics Metrics { get; }

    /// <summary>Completes once stream threads run.</summary>
    public Task Prepared => _prepared.Task;

    /// <summary>Checks options, keys, and policy files, as far as that needs neither broker nor registry.</summary>
    /// <exception cref="StartException">Something is wrong; nothing was started.</exception>
    public void Check()
    {
        string[] refused = [.. _options.Kafka.Select(pair => (pair.Key, Why: KafkaClients.Refusal(pair.Key, pair.Value))).Where(pair => pair.Why is not null)
            .Select(pair => $"Kafka property `{pair.Key}` cannot be set: {pair.Why}. Take it out of the configuration.")];
        if (refused.Length > 0) { throw new StartException(string.Join('\n', refused)); }
        if (_options.Guarantee == DeliveryGuarantee.EmbeddedAtLeastOnce && !IsLoopback(_options.Bootstrap))
        {
            throw new StartException($"At-least-once delivery is for the embedded broker in this process alone, not for {_options.Bootstrap}.");
        }

        KeyRing ring = ReadKeys();
        _keys = new TaskKeys(Named(ring, _options.AuditKey, "audit-key"), Named(ring, _options.HoldKey, "hold-key"), ReadApprovalKeys(), ring);
        PolicyLoad load;
        try
        {
            load = PolicySet.Load(PolicyFolder.Read(_options.Policies));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartException(e.Message);
        }

        if (load.Set is null) { throw new StartException(string.Join('\n', load.Diagnostics), found: true); }
        _bindings = load.Set.Bindings;
        if (RuntimeSupport.Check(load.Set, !_keys.HoldKey.IsEmpty) is { Count: > 0 } notRun) { throw new StartException(string.Join('\n', notRun), found: true); }
        if (_registry is null && _bindings.FirstOrDefault(binding => (binding.Subject ?? binding.KeySubject) is not null) is { } needy)
        {
            throw new StartException($"Binding `{needy.Name}` has subject `{needy.Subject ?? needy.KeySubject}`: give the registry with --registry URL.");
        }

        try
        {
            _slot = InstanceSlot.Take(_options.StateDir.Length > 0 ? _options.StateDir : InstanceSlot.DefaultDirectory(), _options.Group, _options.Instance);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartException(e.Message);
        }

        _policies = new PolicyStore(_options.Policies, ring, _registry, Health, _time, _logger, Metrics) { HasHoldKey = !_keys.HoldKey.IsEmpty };
    }

    public override void Dispose()
    {
        base.Dispose();
        _slot?.Dispose();
        _policies?.Dispose();
        _keys.Approvals?.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            if (_policies is null) { Check(); }
            Health.Bad("start", "not started yet");
            IReadOnlyList<Diagnostic> diagnostics = await _policies!.StartAsync(stoppingToken).ConfigureAwait(false);
            if (_policies.Current is null) { throw new StartException(string.Join('\n', diagnostics), found: true); }
            await CheckTopicsAsync(stoppingToken).ConfigureAwait(false);
            WarnOfMissingKeys();
            HostLog.Started(_logger, _options.Group, _slot!.Name, _options.Threads, string.Join(", ", _bindings.Select(binding => binding.Topics.Ingress)));
            await RunThreadsAsync(stoppingToken).ConfigureAwait(false);
            HostLog.Stopped(_logger);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            _prepared.TrySetCanceled(CancellationToken.None);
        }
        catch (Exception e)
        {
            _prepared.TrySetException(e);
            throw;
        }
    }

    private async Task RunThreadsAsync(CancellationToken stopping)
    {
        var threads = new List<(Thread Thread, StreamThread Stream)>();
        for (int i = 0; i < _options.Threads; i++)
        {
            string id = string.Create(CultureInfo.InvariantCulture, $"{_options.Group}/{_slot!.Name}/{i}");
            var stream = new StreamThread(id, _options, _policies!, _keys, Health, Metrics, _time, _logger, stopping);
            var thread = new Thread(stream.Run) { Name = id, IsBackground = true };
            thread.Start();
            threads.Add((thread, stream));
        }

        Health.Good("start");
        _prepared.TrySetResult();
        try
        {
            await _policies!.WatchAsync(stopping).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
        }

        HostLog.Stopping(_logger);
        long start = _time.GetTimestamp();
        foreach ((Thread thread, StreamThread stream) in threads)
        {
            TimeSpan left = StopWithin - _time.GetElapsedTime(start);
            bool ended = await Task.Run(() => thread.Join(left > TimeSpan.Zero ? left : TimeSpan.Zero), CancellationToken.None).ConfigureAwait(false);

            // One that hangs in the client is left to the end of the process: its transaction is aborted by the broker. Its clients are its own until then.
            if (ended) { stream.Dispose(); }
            else { HostLog.ThreadLeft(_logger, thread.Name!, (long)StopWithin.TotalSeconds); }
        }
    }

    /// <summary>Waits for the broker, then refuses topics that would break a promise, and warns of the rest.</summary>
    private async Task CheckTopicsAsync(CancellationToken stopping)
    {
        if (_options.Guarantee == DeliveryGuarantee.EmbeddedAtLeastOnce) { return; }
        TimeSpan backoff = TimeSpan.FromMilliseconds(250);
        while (true)
        {
            try
            {
                using IAdminClient admin = new AdminClientBuilder(new KafkaClients(_options).Admin()).SetLogHandler((_, _) => { }).Build();
                (IReadOnlyList<TopicChange> changes, int? batchBytesMax) = await new TopicPlan(_bindings, admin).CompareAsync().ConfigureAwait(false);
                string[] fatal = [.. changes.Where(change => change.Fatal).Select(change => $"topic {change.Topic}: {change.What}")];
                if (fatal.Length > 0)
                {
                    throw new StartException(
                        string.Join('\n', fatal) + $"\n  help: policystreams topics apply --bootstrap {_options.Bootstrap} --policies {_options.Policies}", found: true);
                }

                foreach (TopicChange change in changes) { HostLog.TopicsWarning(_logger, change.Topic, change.What); }
                if (batchBytesMax is { } bytes) { _options.BatchBytes = Math.Clamp(bytes, 1, _options.BatchBytes); }
                Health.Good("broker");
                return;
            }
            catch (KafkaException e)
            {
                if (Health.Bad("broker", $"{_options.Bootstrap}: {e.Error.Reason}")) { HostLog.BrokerUnreachable(_logger, _options.Bootstrap, e.Error.Reason); }
            }

            await Task.Delay(backoff, _time, stopping).ConfigureAwait(false);
            backoff = TimeSpan.FromTicks(Math.Min(2 * backoff.Ticks, TimeSpan.FromSeconds(5).Ticks));
        }
    }

    private static bool IsLoopback(string bootstrap) =>
        bootstrap.Split(',').All(address => address[..Math.Max(address.LastIndexOf(':'), 0)].Trim('[', ']', ' ') is "localhost" or "::1" || address.TrimStart().StartsWith("127.", StringComparison.Ordinal));

    private KeyRing ReadKeys()
    {
        var ring = new KeyRing();
        foreach ((string name, string reference) in _options.Keys)
        {
            string? wrong;
            try
            {
                wrong = ring.Add(name, SecretReference.Read(reference, $"Key `{name}`"));
            }
            catch (IOException e)
            {
                throw new StartException(e.Message);
            }

            if (wrong is not null) { throw new StartException($"Key `{name}` ({reference}): {wrong}"); }
        }

        return ring;
    }

    private static ReadOnlyMemory<byte> Named(KeyRing ring, string name, string option)
    {
        if (name.Length == 0) { return default; }
        return ring.TryGet(name, out ReadOnlyMemory<byte> key, out _) ? key : throw new StartException($"--{option} names key `{name}`, and no --key {name}=file:PATH or {name}=env:VARIABLE gives it.");
    }

    private StatementVerifier? ReadApprovalKeys()
    {
        if (_options.ApprovalKeys.Length == 0) { return null; }
        try
        {
            return StatementVerifier.TryParse(File.ReadAllText(_options.ApprovalKeys), out string? error)
                ?? throw new StartException($"--approval-keys {_options.ApprovalKeys}: {error}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartException($"--approval-keys: {e.Message}");
        }
    }

    private void WarnOfMissingKeys()
    {
        if (!_keys.HoldKey.IsEmpty && _keys.Approvals is not null) { return; }
        string missing = _keys.HoldKey.IsEmpty && _keys.Approvals is null ? "no --hold-key and no --approval-keys" : _keys.HoldKey.IsEmpty ? "no --hold-key" : "no --approval-keys";
        HostLog.HoldsWithoutKeys(_logger, missing);
        HoldsNotice = $"{missing}: holds are taken and expire, none is released";
    }

    /// <summary>Shown by <c>/ready</c> beside the reasons; empty where holds can be released. It does not make the processor unready.</summary>
    public string HoldsNotice { get; private set; } = "";
}

internal static partial class HostLog
{
    [LoggerMessage(EventIds.Started, LogLevel.Information, "Started: group {Group}, slot {Slot}, {Threads} stream thread(s), ingress {Topics}")]
    public static partial void Started(ILogger logger, string group, string slot, int threads, string topics);

    [LoggerMessage(EventIds.Stopping, LogLevel.Information, "Stopping: open transactions are committed")]
    public static partial void Stopping(ILogger logger);

    [LoggerMessage(EventIds.Stopped, LogLevel.Information, "Stopped")]
    public static partial void Stopped(ILogger logger);

    [LoggerMessage(EventIds.ThreadLeft, LogLevel.Error, "{Thread} did not end within {Seconds} s: the process ends without it. What it had not committed is aborted by the broker and read again at the next start")]
    public static partial void ThreadLeft(ILogger logger, string thread, long seconds);

    [LoggerMessage(EventIds.HoldsWithoutKeys, LogLevel.Warning, "There is {Missing}: holds are taken and expire, none is released")]
    public static partial void HoldsWithoutKeys(ILogger logger, string missing);

    [LoggerMessage(EventIds.TopicsWarning, LogLevel.Warning, "Topic {Topic}: {What}")]
    public static partial void TopicsWarning(ILogger logger, string topic, string what);

    [LoggerMessage(EventIds.BrokerUnreachable, LogLevel.Warning, "Broker {Bootstrap} cannot be reached: {Why}; trying again")]
    public static partial void BrokerUnreachable(ILogger logger, string bootstrap, string why);
}
