using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Confluent.Kafka;

namespace PolicyStreams.Integration.Tests.Support;

/// <summary>A running <c>policystreams</c> command as a child process, with what it says on standard error and standard output.</summary>
internal class CommandProcess : IAsyncDisposable
{
    private const int LinesMax = 2000;
    private static readonly TimeSpan s_stop = TimeSpan.FromSeconds(20);
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly Process _process;

    public CommandProcess(IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(TestEnvironment.Command[0]) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (string argument in TestEnvironment.Command.Skip(1).Concat(arguments)) { start.ArgumentList.Add(argument); }
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>()) { start.Environment[name] = value; }
        _process = new Process { StartInfo = start };
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.Start();
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
    }

    public bool HasExited => _process.HasExited;

    public int Id => _process.Id;

    /// <summary>What it said last.</summary>
    public string Said => string.Join('\n', _lines);

    /// <summary>SIGKILL: no handler runs.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM, and the exit code.</summary>
    public async Task<int> StopAsync()
    {
        await SignalAsync("TERM");
        return await ExitAsync(s_stop);
    }

    /// <summary>Sends a signal by its name: <c>STOP</c>, <c>CONT</c>.</summary>
    public async Task SignalAsync(string name) => (await Run.ProgramAsync("kill", ["-" + name, _process.Id.ToString(CultureInfo.InvariantCulture)], s_stop)).Succeeded();

    public async Task<int> ExitAsync(TimeSpan deadline)
    {
        using var limit = new CancellationTokenSource(deadline);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"Still running after {deadline.TotalSeconds} s:\n{Said}");
        }

        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) { await KillAsync(); }
        _process.Dispose();
        GC.SuppressFinalize(this);
    }

    private void Keep(string? line)
    {
        if (line is null) { return; }
        _lines.Enqueue(line);
        while (_lines.Count > LinesMax) { _lines.TryDequeue(out _); }
    }
}

/// <summary><c>policystreams run</c> on the policies of a case.</summary>
internal sealed class ProcessorProcess : CommandProcess
{
    private readonly PaymentsCase _case;
    private readonly string _group;

    private ProcessorProcess(PaymentsCase payments, string group, IEnumerable<string> arguments, string http, IReadOnlyDictionary<string, string>? environment)
        : base(arguments, environment)
    {
        _case = payments;
        _group = group;
        Http = new HttpClient { BaseAddress = new Uri($"http://{http}"), Timeout = TimeSpan.FromSeconds(5) };
    }

    /// <summary>To the address given with <c>--http</c>.</summary>
    public HttpClient Http { get; }

    /// <param name="bootstrap">Default: the case's.</param>
    /// <param name="registry">Default: the case's.</param>
    /// <param name="withHttp">Whether it serves health and metrics.</param>
    /// <param name="more">Further options.</param>
    public static ProcessorProcess Start(PaymentsCase payments, string? bootstrap = null, string? registry = null, bool withHttp = true, params string[] more) =>
        Start(payments, null, bootstrap, registry, withHttp, more);

    /// <param name="environment">Variables beside those of this process.</param>
    public static ProcessorProcess Start(
        PaymentsCase payments, IReadOnlyDictionary<string, string>? environment, string? bootstrap = null, string? registry = null, bool withHttp = true, params string[] more)
    {
        string group = $"policystreams-{payments.Name}";
        string http = $"127.0.0.1:{ScriptedService.FreePorts()}";
        return new ProcessorProcess(
            payments,
            group,
            [
                "run", "--bootstrap", bootstrap ?? payments.Bootstrap, "--registry", registry ?? payments.Registry, "--policies", payments.Policies, "--group", group,
                "--key", $"customer-key=file:{payments.KeyFile}", "--state-dir", payments.StateDir, .. withHttp ? (string[])["--http", http] : [], .. more,
            ],
            http,
            environment);
    }

    /// <summary>
    /// Records of the ingress topic before which the group has committed, over all partitions. Asked on a read-uncommitted consumer that is no member: the broker refuses stable
    /// offsets while a transaction is open, and offsets sent in a transaction become visible only when it commits.
    /// </summary>
    public Task<long> CommittedAsync() => Task.Run(() =>
    {
        using IConsumer<Ignore, Ignore> consumer = Consumer(_group);
        try
        {
            return consumer.Committed(Partitions(consumer), TimeSpan.FromSeconds(10)).Where(partition => partition.Offset.Value > 0).Sum(partition => partition.Offset.Value);
        }
        catch (KafkaException)
        {
            return 0;   // The group or the broker is not there yet: asked again.
        }
    });

    /// <summary>Waits until the group has committed behind the last record that is on the ingress topic now.</summary>
    public async Task DrainedAsync(TimeSpan deadline)
    {
        long end = -1;
        await Eventually.TrueAsync(() => Task.FromResult((end = IngressEnd()) >= 0), deadline, () => "the end of the ingress topic cannot be asked for");
        long committed = 0;
        await Eventually.TrueAsync(
            async () =>
            {
                if (HasExited) { Assert.Fail($"The processor has ended:\n{Said}"); }
                return (committed = await CommittedAsync()) >= end;
            },
            deadline,
            () => $"committed {committed} of {end}\n{Said}");
    }

    public async Task ReadyAsync(TimeSpan deadline) =>
        await Eventually.TrueAsync(async () => await StatusAsync("/ready") == 200, deadline, () => $"not ready\n{Said}");

    /// <summary>The status code of a GET, or 0 where nobody answers.</summary>
    public async Task<int> StatusAsync(string path)
    {
        if (HasExited) { Assert.Fail($"The processor has ended:\n{Said}"); }
        try
        {
            using HttpResponseMessage answer = await Http.GetAsync(new Uri(path, UriKind.Relative));
            return (int)answer.StatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            return 0;
        }
    }

    /// <summary>-1 where the broker cannot say yet.</summary>
    private long IngressEnd()
    {
        using IConsumer<Ignore, Ignore> consumer = Consumer("ends");
        try
        {
            return Partitions(consumer).Sum(partition => consumer.QueryWatermarkOffsets(partition, TimeSpan.FromSeconds(10)).High.Value);
        }
        catch (KafkaException)
        {
            return -1;   // A new topic's partitions may have no leader yet: asked again.
        }
    }

    private IConsumer<Ignore, Ignore> Consumer(string group) =>
        new ConsumerBuilder<Ignore, Ignore>(
            new ConsumerConfig { BootstrapServers = _case.Bootstrap, GroupId = group, EnableAutoCommit = false, IsolationLevel = IsolationLevel.ReadUncommitted }).Build();

    private List<TopicPartition> Partitions(IConsumer<Ignore, Ignore> consumer)
    {
        using IAdminClient admin = new DependentAdminClientBuilder(consumer.Handle).Build();
        return [.. admin.GetMetadata(_case.Raw, TimeSpan.FromSeconds(10)).Topics.Single().Partitions.Select(partition => new TopicPartition(_case.Raw, partition.PartitionId))];
    }
}
