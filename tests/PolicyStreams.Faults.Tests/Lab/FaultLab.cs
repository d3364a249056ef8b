using System.Globalization;
using System.Text.Json;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using PolicyStreams.Integration.Tests.Support;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Faults.Tests.Lab;

/// <summary>What one fault works on: a case of its own on a cluster, a registry, records that keep coming, a watcher, and processors.</summary>
internal sealed class FaultLab : IAsyncDisposable
{
    public const int Partitions = 4;
    public static readonly TimeSpan Deadline = TimeSpan.FromMinutes(3);

    private readonly DevRegistry _registry;
    private readonly List<ProcessorProcess> _processors = [];
    private readonly string? _adminConfig;
    private readonly bool _ownCluster;

    private FaultLab(Cluster cluster, DevRegistry registry, HttpProxy registryWay, PaymentsCase payments, string? adminConfig, bool ownCluster)
    {
        Cluster = cluster;
        _registry = registry;
        RegistryWay = registryWay;
        Payments = payments;
        _adminConfig = adminConfig;
        _ownCluster = ownCluster;
        Watch = new CommitWatch(cluster.Bootstrap, payments.Decisions, Partitions, adminConfig);
    }

    public Cluster Cluster { get; }

    public PaymentsCase Payments { get; }

    public CommitWatch Watch { get; }

    /// <summary>Between processors and the registry.</summary>
    public HttpProxy RegistryWay { get; }

    public Feeder Feeder { get; private set; } = null!;

    public string Group => $"policystreams-{Payments.Name}";

    public string Said => string.Join("\n--\n", _processors.Select(processor => processor.Said.Length > 6000 ? processor.Said[^6000..] : processor.Said)) + "\n" + Situation();

    /// <summary>How far everybody is: committed offsets, ends, and what a read-committed reader can reach of the decisions.</summary>
    private string Situation() => Look() + "\n" + Cluster.Complaints();

    private string Look()
    {
        try
        {
            string committed = string.Join(' ', Committed());
            using IConsumer<Ignore, Ignore> reader = Asker(IsolationLevel.ReadUncommitted), stable = Asker(IsolationLevel.ReadCommitted);
            string ends = string.Join(' ', Enumerable.Range(0, Partitions).Select(p => reader.QueryWatermarkOffsets(new TopicPartition(Payments.Raw, p), TimeSpan.FromSeconds(5)).High.Value));
            string decisions = string.Join(' ', Enumerable.Range(0, Partitions).Select(p =>
                $"{stable.QueryWatermarkOffsets(new TopicPartition(Payments.Decisions, p), TimeSpan.FromSeconds(5)).High.Value}/{reader.QueryWatermarkOffsets(new TopicPartition(Payments.Decisions, p), TimeSpan.FromSeconds(5)).High.Value}"));
            foreach (ProcessorProcess processor in _processors.Where(processor => !processor.HasExited))
            {
                using HttpResponseMessage ready = processor.Http.Send(new HttpRequestMessage(HttpMethod.Get, "/ready")), metrics = processor.Http.Send(new HttpRequestMessage(HttpMethod.Get, "/metrics"));
                using var text = new StreamReader(ready.Content.ReadAsStream());
                using var counts = new StreamReader(metrics.Content.ReadAsStream());
                committed += "\nready: " + text.ReadToEnd() + "\n" + string.Join('\n', counts.ReadToEnd().Split('\n').Where(line => line.StartsWith("policystreams_runtime_events", StringComparison.Ordinal) || line.StartsWith("policystreams_task_running", StringComparison.Ordinal)));
                foreach (string thread in Directory.EnumerateDirectories($"/proc/{processor.Id}/task"))
                {
                    committed += $"\n{Path.GetFileName(thread)} {File.ReadAllText(Path.Combine(thread, "comm")).Trim()} {File.ReadAllText(Path.Combine(thread, "wchan")).Trim()}";
                }
            }

            return $"committed {committed}; ingress ends {ends}; decisions stable/end {decisions}; decided {Watch}";
        }
        catch (Exception e) when (e is KafkaException or HttpRequestException or TaskCanceledException or IOException)
        {
            return "there is no more to be had: " + e.Message;
        }

        IConsumer<Ignore, Ignore> Asker(IsolationLevel level) => new ConsumerBuilder<Ignore, Ignore>(
            new ConsumerConfig { BootstrapServers = Cluster.Bootstrap, GroupId = "asker", IsolationLevel = level }).SetLogHandler((_, _) => { }).Build();
    }

    /// <param name="edit">Changes the example's policy.</param>
    /// <param name="cluster">One of the fault's own, ended with the lab; default the shared one.</param>
    public static async Task<FaultLab> OpenAsync(int brokers = 1, Func<string, string>? edit = null, Cluster? cluster = null, bool secure = false)
    {
        await Clients.RequireAsync();
        Cluster on = cluster ?? await Cluster.SharedAsync(brokers);
        DevRegistry registry = await DevRegistry.StartAsync(new DevRegistryOptions { Port = 0 }, CancellationToken.None);
        string? admin = secure ? on.AdminConfig() : null;
        PaymentsCase payments = await PaymentsCase.CreateAsync(on.Bootstrap, registry.Url.ToString(), edit, admin);
        return new FaultLab(on, registry, new HttpProxy(registry.Url.ToString()), payments, admin, cluster is not null);
    }

    /// <summary>Records from now on.</summary>
    /// <param name="lines">Different ones; they come again under other traces unless <paramref name="once"/>.</param>
    public async Task FeedAsync(double perSecond, int lines = 10_000, Func<JsonElement, bool>? take = null, bool once = false)
    {
        Feeder = new Feeder(Cluster.Bootstrap, Payments.Raw, Payments.SchemaId, await Feeder.GenerateAsync(lines, lines), Payments.Folder, perSecond, _adminConfig);
        Feeder.Once = once;
        Feeder.Start(take);
    }

    /// <summary>A processor in a slot.</summary>
    /// <param name="proxied">Through the cluster's proxy.</param>
    public ProcessorProcess Start(string instance, bool proxied = false, int threads = 1, IReadOnlyDictionary<string, string>? environment = null, params string[] more)
    {
        ProcessorProcess started = ProcessorProcess.Start(
            Payments, environment, bootstrap: proxied ? Cluster.Proxied : null, registry: RegistryWay.Url,
            more: ["--instance", instance, "--threads", threads.ToString(CultureInfo.InvariantCulture), "--commit-interval", "50ms", .. more]);
        _processors.Add(started);
        return started;
    }

    /// <summary>Waits until the processors decide what comes now.</summary>
    public async Task RunningAsync(params int[] partitions) => await Watch.RecoveredAsync(Now, Deadline, () => Said, partitions.Length > 0 ? partitions : [.. Enumerable.Range(0, Partitions)]);

    public static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    public async Task ForgetAsync(ProcessorProcess processor)
    {
        _processors.Remove(processor);
        await processor.DisposeAsync();
    }

    /// <summary>Feeds nothing for now, and waits until all that there is has been decided.</summary>
    public async Task PauseFeedingAsync()
    {
        Feeder.Paused = true;
        await Task.Delay(200);
        await Eventually.TrueAsync(() => Feeder.Quiet && Watch.Decided >= Feeder.Delivered, Deadline, () => $"{Watch.Decided} of {Feeder.Delivered} decided\n{Said}");
    }

    /// <summary>Ends the feeding, waits until all of it is decided, and stops the processors in good order.</summary>
    public async Task<long> DrainAsync(long besides = 0)
    {
        long fed = await Feeder.StopAsync();
        await Watch.DecidedAsync(fed + besides, Deadline, () => Said);
        await StopAllAsync();
        return fed;
    }

    public async Task StopAllAsync()
    {
        foreach (ProcessorProcess processor in _processors.Where(processor => !processor.HasExited).ToArray())
        {
            int code = await processor.StopAsync();
            Assert.True(code == 0, $"exit {code} after SIGTERM\n{processor.Said}");
        }

        foreach (ProcessorProcess processor in _processors.ToArray()) { await ForgetAsync(processor); }
    }

    /// <summary>The ledger of all that is there, for the row; byte for byte as well, where the policy is the example's.</summary>
    public async Task<Ledger> VerifyAsync(FaultRun run, bool bytes = true, IReadOnlyList<LedgerRecord>? earlier = null)
    {
        Ledger ledger = Ledger.Read(Cluster.Bootstrap, Payments, earlier, _adminConfig);
        run.Add(ledger);
        if (bytes) { await Clients.VerifyAsync(Cluster.Bootstrap, Payments, Feeder.RecordsFile, Payments.SchemaId); }
        return ledger;
    }

    /// <summary>Waits until a processor complains of something.</summary>
    public async Task SaysAsync(ProcessorProcess processor, string text, TimeSpan? deadline = null) =>
        await Eventually.TrueAsync(() => processor.Said.Contains(text, StringComparison.Ordinal), deadline ?? Deadline, () => $"it never said `{text}`\n{processor.Said}");

    /// <summary>A file of client properties for <c>--kafka-config</c>.</summary>
    public string KafkaConfig(string name, params string[] properties)
    {
        string file = Path.Combine(Payments.Folder, name + ".properties");
        File.WriteAllLines(file, properties);
        return file;
    }

    /// <summary>The group's committed offsets on the ingress topic, by partition; -1 where there is none.</summary>
    public long[] Committed()
    {
        using IConsumer<Ignore, Ignore> consumer = new ConsumerBuilder<Ignore, Ignore>(
            new ConsumerConfig { BootstrapServers = Cluster.Bootstrap, GroupId = Group, EnableAutoCommit = false, IsolationLevel = IsolationLevel.ReadUncommitted }).SetLogHandler((_, _) => { }).Build();
        return [.. consumer.Committed(Enumerable.Range(0, Partitions).Select(partition => new TopicPartition(Payments.Raw, partition)), TimeSpan.FromSeconds(20)).Select(offset => offset.Offset.IsSpecial ? -1 : offset.Offset.Value)];
    }

    public async Task CreateTopicAsync(string topic, params (string Name, string Value)[] configs)
    {
        using IAdminClient admin = Cluster.Admin();
        await admin.CreateTopicsAsync([new TopicSpecification { Name = topic, NumPartitions = Partitions, ReplicationFactor = -1, Configs = configs.ToDictionary(config => config.Name, config => config.Value) }]);
    }

    public async Task DeleteTopicAsync(string topic)
    {
        using IAdminClient admin = Cluster.Admin();
        await admin.DeleteTopicsAsync([topic]);
        await Eventually.TrueAsync(() => admin.GetMetadata(TimeSpan.FromSeconds(10)).Topics.TrueForAll(known => known.Topic != topic), Deadline, () => $"{topic} is still there");
    }

    public async ValueTask DisposeAsync()
    {
        if (Cluster.Proxy is { } proxy)
        {
            proxy.Clear();
            proxy.Mend();
        }

        foreach (ProcessorProcess processor in _processors)
        {
            if (!processor.HasExited) { await processor.SignalAsync("CONT"); }
            await processor.DisposeAsync();
        }

        if (Feeder is not null) { await Feeder.DisposeAsync(); }
        await Watch.DisposeAsync();
        await RegistryWay.DisposeAsync();
        await _registry.DisposeAsync();
        if (_ownCluster) { await Cluster.DisposeAsync(); }
        if (TestEnvironment.Variable("POLICYSTREAMS_FAULTS_KEEP") is null) { Payments.Dispose(); }
    }
}
