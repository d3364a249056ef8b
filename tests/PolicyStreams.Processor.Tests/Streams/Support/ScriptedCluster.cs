using System.Text;
using Confluent.Kafka;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Processor.Streams;
using PolicyStreams.Processor.Tests.Topology;

namespace PolicyStreams.Processor.Tests.Streams.Support;

/// <summary>A record on a scripted topic. <see cref="IsPending"/>: of a transaction that is open, or of one that was aborted where <see cref="IsAborted"/>.</summary>
internal sealed record ScriptedRecord(long Offset, byte[]? Key, byte[]? Value, IReadOnlyList<(string Name, byte[]? Value)> Headers, long TimestampMs)
{
    public string Topic { get; init; } = "";

    public int Partition { get; init; }

    public bool IsPending { get; set; }

    public bool IsAborted { get; set; }
}

/// <summary>What the client does when it loses, gains, and reads partitions of the group.</summary>
internal sealed record ScriptedMetadata(int Generation) : IConsumerGroupMetadata;

/// <summary>Topics, a group, and transactions of one stream thread, in memory: every answer that a broker gives is the test's to choose.</summary>
internal sealed class ScriptedCluster(TestClock time) : IStreamClients
{
    private readonly Dictionary<TopicPartition, List<ScriptedRecord>> _logs = [];
    private IGroupListener _listener = null!;

    public bool Embedded => false;

    /// <summary>What was asked and told, in order.</summary>
    public List<string> Calls { get; } = [];

    public List<ScriptedTransaction> Transactions { get; } = [];

    /// <summary>How the next transactions end; committed once there is none left.</summary>
    public Queue<TransactionOutcome> Outcomes { get; } = new();

    /// <summary>How aborts that the thread asks for end.</summary>
    public TransactionOutcome AbortOutcome { get; set; } = TransactionOutcome.Aborted;

    /// <summary>True where a transaction of unknown outcome was committed after all.</summary>
    public bool CommitsAlthoughUnknown { get; set; }

    /// <summary>How long a commit takes.</summary>
    public TimeSpan CommitTakes { get; set; }

    /// <summary>When each commit began, as the clock's timestamps.</summary>
    public List<long> CommitsBegan { get; } = [];

    public void BeginCommit()
    {
        CommitsBegan.Add(time.GetTimestamp());
        time.Advance(CommitTakes);
    }

    public Func<ScriptedRecord, bool> Refuses { get; set; } = _ => false;

    public Dictionary<TopicPartition, long> Committed { get; } = [];

    /// <summary>How often offsets are pending yet when they are asked for.</summary>
    public int CommittedPending { get; set; }

    public Dictionary<string, string?> TopicIds { get; } = new(StringComparer.Ordinal);

    public ScriptedMetadata Metadata { get; set; } = new(1);

    public TimeSpan BrokerBehind { get; set; }

    public bool StateKeepsBrokerTime { get; set; } = true;

    public long BrokerMs => (time.GetUtcNow() - BrokerBehind).ToUnixTimeMilliseconds();

    public ScriptedConsumer Member { get; private set; } = null!;

    public ScriptedConsumer Reader { get; private set; } = null!;

    public List<ScriptedProducer> Producers { get; } = [];

    public Func<(long State, long Held)?> EndsOverride { get; set; } = () => null;

    public void Assign(string topic, params int[] partitions) => Member.Events.Enqueue(() =>
        Member.IncrementalAssign([.. _listener.Assigned([.. partitions.Select(partition => new TopicPartition(topic, partition))])]));

    public void Revoke(string topic, int partition, bool lost = false) => Member.Events.Enqueue(() =>
    {
        var gone = new TopicPartition(topic, partition);
        TopicPartitionOffset[] partitions = [new(gone, Offset.Unset)];
        if (lost) { _listener.Lost(partitions); }
        else { _listener.Revoked(partitions); }
        Calls.Add("revoked");
        Member.IncrementalUnassign([gone]);
    });

    public long Append(string topic, int partition, byte[]? key, byte[]? value, IReadOnlyList<(string, byte[]?)>? headers = null, long? timestampMs = null)
    {
        List<ScriptedRecord> log = Log(new TopicPartition(topic, partition));
        log.Add(new ScriptedRecord(log.Count, key, value, headers ?? [], timestampMs ?? BrokerMs) { Topic = topic, Partition = partition });
        return log.Count - 1;
    }

    public long Append(string topic, int partition, string key, string value) => Append(topic, partition, Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(value));

    public ScriptedRecord Last(string topic, int partition = 0) => Log(new TopicPartition(topic, partition))[^1];

    public IReadOnlyList<ScriptedRecord> Log(string topic, int partition = 0) => Log(new TopicPartition(topic, partition));

    public IReadOnlyList<ScriptedRecord> Read(string topic, int partition = 0) => [.. Log(new TopicPartition(topic, partition)).Where(record => !record.IsPending && !record.IsAborted)];

    public void Recreate(string topic, string id)
    {
        foreach (TopicPartition partition in _logs.Keys.Where(partition => partition.Topic == topic).ToList()) { _logs.Remove(partition); }
        TopicIds[topic] = id;
    }

    public (ScriptedRecord? Record, long End) Next(TopicPartition partition, long position)
    {
        List<ScriptedRecord> log = Log(partition);
        for (long offset = position; offset < log.Count; offset++)
        {
            ScriptedRecord record = log[(int)offset];
            if (record.IsPending) { return (null, offset); }
            if (!record.IsAborted) { return (record, 0); }
        }

        return (null, Math.Max(position, log.Count));
    }

    public List<TopicPartitionOffset> CommittedOf(IEnumerable<TopicPartition> partitions)
    {
        Calls.Add("committed");
        if (CommittedPending > 0)
        {
            CommittedPending--;
            throw new KafkaException(new Error(ErrorCode.UnstableOffsetCommit, "unstable offset commit"));
        }

        return [.. partitions.Select(partition => new TopicPartitionOffset(partition, Committed.TryGetValue(partition, out long offset) ? offset : Offset.Unset))];
    }

    public WatermarkOffsets Watermarks(TopicPartition partition) => new(0, Log(partition).Count);

    IConsumer<byte[]?, byte[]?> IStreamClients.Group(IGroupListener listener)
    {
        _listener = listener;
        return Member = new ScriptedConsumer(this, saysEnds: false);
    }

    IConsumer<byte[]?, byte[]?> IStreamClients.Assigned(string use, IGroupListener listener)
    {
        // Who waits for one record alone waits for as long as it says: the clock goes on meanwhile.
        if (use != "tasks") { return new ScriptedConsumer(this, saysEnds: true, time.Advance); }
        return Reader = new ScriptedConsumer(this, saysEnds: true);
    }

    OutputProducer IStreamClients.Producer(IConsumer<byte[]?, byte[]?> group)
    {
        Producers.Add(new ScriptedProducer(this));
        return Producers[^1];
    }

    Task<(long State, long Held)> IStreamClients.EndOffsetsAsync(IConsumer<byte[]?, byte[]?> assigned, TopicPartition state, TopicPartition held)
    {
        Calls.Add("ends");
        return Task.FromResult(EndsOverride() ?? (Log(state).Count, Log(held).Count));
    }

    Task<IReadOnlyDictionary<string, string?>> IStreamClients.TopicIdsAsync(IConsumer<byte[]?, byte[]?> assigned, IReadOnlyCollection<string> topics) =>
        Task.FromResult<IReadOnlyDictionary<string, string?>>(topics.ToDictionary(topic => topic, topic => TopicIds.GetValueOrDefault(topic, "id-1")));

    private List<ScriptedRecord> Log(TopicPartition partition)
    {
        if (!_logs.TryGetValue(partition, out List<ScriptedRecord>? log)) { _logs[partition] = log = []; }
        return log;
    }
}
