using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace PolicyStreams.Integration.Tests.Support;

/// <summary>Topics of one test, deleted with it.</summary>
internal sealed class TemporaryTopics : IAsyncDisposable
{
    private readonly IAdminClient _admin;
    private readonly string[] _names;

    private TemporaryTopics(IAdminClient admin, string[] names)
    {
        _admin = admin;
        _names = names;
    }

    public static async Task<TemporaryTopics> CreateAsync(string bootstrap, int partitions, params string[] names)
    {
        IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = bootstrap }).Build();
        await admin.CreateTopicsAsync(names.Select(name => new TopicSpecification { Name = name, NumPartitions = partitions, ReplicationFactor = -1 }));
        return new TemporaryTopics(admin, names);
    }

    public async ValueTask DisposeAsync()
    {
        await _admin.DeleteTopicsAsync(_names);
        _admin.Dispose();
    }
}
