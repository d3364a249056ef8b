using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace PolicyStreams.Faults.Tests.Mock;

/// <summary>librdkafka's mock cluster, with the errors that it shall answer next. It keeps no transactions: what it proves is how a client takes an error, not what a broker does.</summary>
internal sealed partial class MockCluster : IDisposable
{
    private readonly IProducer<byte[], byte[]> _owner;
    private readonly nint _cluster;

    /// <param name="brokers">Numbered from 1.</param>
    public MockCluster(int brokers = 1)
    {
        _owner = new ProducerBuilder<byte[], byte[]>(new Dictionary<string, string> { ["bootstrap.servers"] = "localhost:1", ["test.mock.num.brokers"] = brokers.ToString(System.Globalization.CultureInfo.InvariantCulture) }).SetLogHandler((_, _) => { }).Build();

        // The client's own handle: the mock cluster hangs on it.
        object handle = _owner.Handle.GetType().GetProperty("LibrdkafkaHandle", System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic)!.GetValue(_owner.Handle)!;
        _cluster = MockOf(((SafeHandle)handle).DangerousGetHandle());
        Assert.NotEqual(0, _cluster);
        Bootstrap = Marshal.PtrToStringUTF8(Bootstraps(_cluster))!;
    }

    public string Bootstrap { get; }

    /// <summary>The next requests of a kind are answered so, in order.</summary>
    public void Answer(short api, params ErrorCode[] codes) => Push(_cluster, api, (nuint)codes.Length, [.. codes.Select(code => (int)code)]);

    public void CreateTopic(string topic, int partitions) => Assert.Equal(0, Create(_cluster, topic, partitions, 1));

    /// <summary>Which broker coordinates a group (<c>group</c>) or a producer's transactions (<c>transaction</c>).</summary>
    public void Coordinate(string kind, string key, int broker) => Assert.Equal(0, SetCoordinator(_cluster, kind, key, broker));

    public void Lead(string topic, int partition, int broker) => Assert.Equal(0, SetLeader(_cluster, topic, partition, broker));

    /// <summary>The broker breaks its connections, and takes none.</summary>
    public void TakeDown(int broker) => Assert.Equal(0, SetDown(_cluster, broker));

    /// <summary>Forgets the errors that are still to be answered.</summary>
    public void Clear(short api) => ClearErrors(_cluster, api);

    public void Dispose() => _owner.Dispose();

    [LibraryImport("librdkafka", EntryPoint = "rd_kafka_handle_mock_cluster")]
    private static partial nint MockOf(nint client);

    [LibraryImport("librdkafka", EntryPoint = "rd_kafka_mock_cluster_bootstraps")]
    private static partial nint Bootstraps(nint cluster);

    [LibraryImport("librdkafka", EntryPoint = "rd_kafka_mock_push_request_errors_array")]
    private static partial void Push(nint cluster, short api, nuint count, int[] errors);

    [LibraryImport("librdkafka", EntryPoint = "rd_kafka_mock_clear_request_errors")]
    private static partial void ClearErrors(nint cluster, short api);

    [LibraryImport("librdkafka", EntryPoint = "rd_kafka_mock_coordinator_set", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetCoordinator(nint cluster, string kind, string key, int broker);

    [LibraryImport("librdkafka", EntryPoint = "rd_kafka_mock_partition_set_leader", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetLeader(nint cluster, string topic, int partition, int broker);

    [LibraryImport("librdkafka", EntryPoint = "rd_kafka_mock_broker_set_down")]
    private static partial int SetDown(nint cluster, int broker);

    [LibraryImport("librdkafka", EntryPoint = "rd_kafka_mock_topic_create", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Create(nint cluster, string topic, int partitions, int replicas);
}
