using Confluent.Kafka;

namespace PolicyStreams.Cli.Demo;

/// <summary>
/// librdkafka's mock cluster, in this process and in memory: one broker on loopback that other clients can reach while it lives. For looking: it keeps no transactions.
/// </summary>
internal sealed class EmbeddedKafka : IDisposable
{
    private readonly IProducer<byte[]?, byte[]?> _host;

    private EmbeddedKafka(IProducer<byte[]?, byte[]?> host, string bootstrap)
    {
        _host = host;
        Bootstrap = bootstrap;
    }

    /// <summary><c>127.0.0.1:port</c>.</summary>
    public string Bootstrap { get; }

    public static EmbeddedKafka Start()
    {
        // A client with this property starts the cluster and is its first user; the broker's address is in the metadata.
        var config = new ProducerConfig { BootstrapServers = "127.0.0.1:1", AllowAutoCreateTopics = true };
        config.Set("test.mock.num.brokers", "1");
        IProducer<byte[]?, byte[]?> host = new ProducerBuilder<byte[]?, byte[]?>(config).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
        using IAdminClient admin = new DependentAdminClientBuilder(host.Handle).Build();
        BrokerMetadata broker = admin.GetMetadata(TimeSpan.FromSeconds(10)).Brokers[0];
        return new EmbeddedKafka(host, $"{broker.Host}:{broker.Port}");
    }

    /// <summary>Makes topics by asking for them: the mock cluster has no CreateTopics. It gives each four partitions.</summary>
    public void Create(IEnumerable<string> topics)
    {
        using IAdminClient admin = new DependentAdminClientBuilder(_host.Handle).Build();
        foreach (string topic in topics) { admin.GetMetadata(topic, TimeSpan.FromSeconds(10)); }
    }

    public void Dispose() => _host.Dispose();
}
