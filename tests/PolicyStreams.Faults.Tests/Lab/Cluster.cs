using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Faults.Tests.Lab;

/// <summary>
/// Brokers of these tests' own, which they may end, fill up, and cut off: from the script that POLICYSTREAMS_TEST_KAFKA names. A single broker is reached in two ways:
/// directly (<see cref="Bootstrap"/>, for feeding and checking), and through <see cref="Proxy"/> (<see cref="Proxied"/>, for the processor under test).
/// </summary>
internal sealed class Cluster : IAsyncDisposable
{
    private static readonly SemaphoreSlim s_gate = new(1);
    private static readonly Dictionary<int, Cluster> s_shared = [];

    private readonly ScriptedService _service;

    private Cluster(ScriptedService service, int brokers, KafkaProxy? proxy)
    {
        _service = service;
        Brokers = brokers;
        Proxy = proxy;
    }

    public int Brokers { get; }

    public string Bootstrap => _service.Address;

    public string Folder => _service.Folder;

    /// <summary>Null with more brokers than one.</summary>
    public KafkaProxy? Proxy { get; }

    public string Proxied => $"127.0.0.1:{Proxy!.Port}";

    /// <summary>One that all faults of this run share; ended with the process.</summary>
    public static async Task<Cluster> SharedAsync(int brokers)
    {
        await s_gate.WaitAsync();
        try
        {
            if (!s_shared.TryGetValue(brokers, out Cluster? found)) { s_shared[brokers] = found = await StartAsync(brokers); }
            return found;
        }
        finally
        {
            s_gate.Release();
        }
    }

    public static async Task StopSharedAsync()
    {
        foreach (Cluster cluster in s_shared.Values) { await cluster.DisposeAsync(); }
        s_shared.Clear();
    }

    /// <param name="settings">Broker settings, <c>name=value</c>.</param>
    /// <param name="secure">Clients authenticate, and ACLs are enforced; <see cref="AdminConfig"/> may do anything.</param>
    /// <param name="users">With <paramref name="secure"/>: <c>name:password</c>.</param>
    public static async Task<Cluster> StartAsync(int brokers, IReadOnlyList<string>? settings = null, bool secure = false, params string[] users)
    {
        string? script = TestEnvironment.Variable("POLICYSTREAMS_TEST_KAFKA");
        if (script is null || !File.Exists(script)) { TestEnvironment.SkipOrFail("No broker to end at will: set POLICYSTREAMS_TEST_KAFKA to a script (start, stop, kill, revive)."); }
        int port = FreePorts(2 * brokers + 3);
        List<string> options = brokers > 1 ? ["--brokers", brokers.ToString(CultureInfo.InvariantCulture)] : [];
        if (secure) { options.Add("--secure"); }
        foreach (string user in users) { options.AddRange(["--user", user]); }

        // Dead transactions are looked for often, so that their time is the transaction's own.
        foreach (string setting in (string[])["transaction.abort.timed.out.transaction.cleanup.interval.ms=500", .. settings ?? []]) { options.AddRange(["--set", setting]); }
        KafkaProxy? proxy = null;
        if (brokers == 1 && !secure)
        {
            (int near, int far) = (port + 3, port + 4);
            proxy = new KafkaProxy(near, far);
            foreach (string setting in (string[])
                [
                    FormattableString.Invariant($"listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{port + 1},PROXIED://127.0.0.1:{far}"),
                    FormattableString.Invariant($"advertised.listeners=CLIENT://127.0.0.1:{port},PROXIED://127.0.0.1:{near}"),
                    "listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT",
                ])
            {
                options.AddRange(["--set", setting]);
            }
        }

        return new Cluster(await ScriptedService.StartAsync(script!, "faults", port, [.. options]), brokers, proxy);
    }

    /// <summary>Client properties of the super user, where the cluster is secure.</summary>
    public string AdminConfig()
    {
        string file = Path.Combine(Folder, "admin-librdkafka.properties");
        File.WriteAllLines(file, ["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN", "sasl.username=admin", "sasl.password=admin-secret"]);
        return file;
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync(int broker) => (await _service.ScriptAsync("kill", Number(broker))).Succeeded();

    /// <summary>SIGTERM: the broker hands over what it leads, where there is somebody to take it.</summary>
    public async Task StopAsync(int broker)
    {
        string file = Path.Combine(Folder, $"broker-{broker}.pid");
        string pid = (await File.ReadAllTextAsync(file)).Trim();
        await Run.ProgramAsync("kill", ["-TERM", pid], TimeSpan.FromSeconds(5));
        await Eventually.TrueAsync(() => !Directory.Exists($"/proc/{pid}"), TimeSpan.FromMinutes(1), () => $"broker {broker} has not ended");
        File.Delete(file);
    }

    /// <summary>What the brokers' logs complained of last.</summary>
    public string Complaints() => string.Join('\n', Enumerable.Range(1, Brokers).SelectMany(broker =>
    {
        return Log(broker).Split('\n').Where(line => line.Contains("ERROR", StringComparison.Ordinal) || line.Contains("FATAL", StringComparison.Ordinal)).TakeLast(8).Select(line => $"broker {broker}: {line}").ToArray();
    }));

    /// <summary>One of Kafka's own tools, as the super user where the cluster is secure.</summary>
    public async Task<RunResult> ToolAsync(string tool, params string[] arguments)
    {
        string properties = Path.Combine(Folder, "admin.properties");
        string[] config = File.Exists(properties) ? ["--command-config", properties] : [];
        return await Run.ProgramAsync(TestEnvironment.Variable("POLICYSTREAMS_TEST_KAFKA")!, [tool, "--bootstrap-server", Bootstrap, .. config, .. arguments], TimeSpan.FromMinutes(1));
    }

    public async Task ReviveAsync(int broker)
    {
        (await _service.ScriptAsync("revive", Number(broker))).Succeeded();
        if (Brokers == 1 && Log(broker).Contains("likely deleted already and hence can be skipped", StringComparison.Ordinal)) { throw new KafkaLostAnEndException(); }
    }

    /// <summary>Waits until every replica of a topic's partitions is in sync.</summary>
    public async Task InSyncAsync(params string[] topics)
    {
        using IAdminClient admin = Admin();
        await Eventually.TrueAsync(
            () =>
            {
                try
                {
                    return topics.All(topic => admin.GetMetadata(topic, TimeSpan.FromSeconds(5)).Topics[0].Partitions.All(partition => partition.InSyncReplicas.Length == partition.Replicas.Length && partition.Leader >= 0));
                }
                catch (KafkaException)
                {
                    return false;
                }
            },
            TimeSpan.FromMinutes(2),
            () => "replicas are not in sync");
    }

    public IAdminClient Admin() => new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Bootstrap }).SetLogHandler((_, _) => { }).Build();

    public async Task ConfigureTopicAsync(string topic, string name, string value)
    {
        using IAdminClient admin = Admin();
        await admin.IncrementalAlterConfigsAsync(new Dictionary<ConfigResource, List<ConfigEntry>>
        {
            [new ConfigResource { Type = ResourceType.Topic, Name = topic }] = [new ConfigEntry { Name = name, Value = value, IncrementalOperation = AlterConfigOpType.Set }],
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (Proxy is not null) { await Proxy.DisposeAsync(); }
        await _service.DisposeAsync();
    }

    /// <summary>Ports that are free, one after the other, from POLICYSTREAMS_FAULTS_PORT (default 29100) upwards: below those that clients get by themselves.</summary>
    private static int FreePorts(int count)
    {
        int from = int.TryParse(TestEnvironment.Variable("POLICYSTREAMS_FAULTS_PORT"), out int set) ? set : 29100;
        for (int port = from; port < from + 2000; port += count)
        {
            if (Enumerable.Range(port, count).All(IsFree)) { return port; }
        }

        throw new InvalidOperationException($"No {count} free ports from {from}.");
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private string Log(int broker)
    {
        string log = Path.Combine(Folder, $"broker-{broker}.log");
        if (!File.Exists(log)) { return ""; }
        using var stream = new FileStream(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
}

/// <summary>
/// The broker itself dropped the end of a transaction while it started. A lone broker that starts again within its old session leads its partitions while its controller does not know it yet: transactions that were
/// ending when it was killed, or that it aborts for their age, then get no end, because once the controller has fenced the old session no partition has a leader, and the coordinator skips what has none. The transaction
/// may so be committed on some partitions and open for ever on others: what comes after it says nothing of the processor.
/// </summary>
internal sealed class KafkaLostAnEndException() : Exception("Kafka lost the end of a transaction; docs/operations, A transaction that does not end.");
