using System.Globalization;
using Confluent.Kafka;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Native;

namespace PolicyStreams.Processor.Kafka;

/// <summary>Builds the clients of a stream thread: the guarantees' settings over what the operator gave.</summary>
internal sealed class KafkaClients
{
    /// <summary>Properties that the guarantees rest on: nobody may set them.</summary>
    public static readonly IReadOnlySet<string> Protected = new HashSet<string>(StringComparer.Ordinal)
    {
        "isolation.level", "enable.auto.commit", "enable.auto.offset.store", "auto.offset.reset", "auto.commit.enable", "transactional.id", "enable.idempotence",
        "group.id", "group.instance.id", "acks", "request.required.acks", "bootstrap.servers", "metadata.broker.list", "delivery.report.only.error",
        "enable.partition.eof", "message.timeout.ms", "delivery.timeout.ms", "max.in.flight", "max.in.flight.requests.per.connection", "retries", "message.send.max.retries",
        "enable.gapless.guarantee", "test.mock.num.brokers", "transaction.timeout.ms", "allow.auto.create.topics", "topic.blacklist", "offset.store.method",
        "auto.commit.interval.ms",
    };

    private const int FetchesAnInterval = 10;
    private const int FetchWaitMinMs = 2;
    private const int FetchWaitMaxMs = 100;
    private const int RetryMinMs = 10;
    private const int RetryMaxMs = 100;

    // What only a group's member may be told: an assigned consumer, a producer, and an admin client each take some of it amiss.
    private static readonly string[] GroupOnly =
    [
        "group.protocol", "group.remote.assignor", "group.protocol.type", "partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms", "max.poll.interval.ms", "coordinator.query.interval.ms",
    ];

    /// <summary>Why a property may not be set; null where it may.</summary>
    public static string? Refusal(string key, string value)
    {
        if (key is "processing.guarantee") { return $"`{value}` cannot be chosen: outputs, decisions, and offsets are always committed exactly once, in one transaction (only the embedded broker of `policystreams demo` has none)"; }
        if (key is "isolation.level" && value.Contains("uncommitted", StringComparison.Ordinal)) { return "it would read records of transactions that are aborted; the processor always reads committed ones"; }
        if (Protected.Contains(key)) { return "exactly once rests on it"; }
        return key.StartsWith("dotnet.", StringComparison.Ordinal) ? "it speaks to the client library and not to Kafka, and exactly once rests on it" : null;
    }

    private readonly ProcessorOptions _options;

    public KafkaClients(ProcessorOptions options)
    {
        _options = options;
    }

    public bool Embedded => _options.Guarantee == DeliveryGuarantee.EmbeddedAtLeastOnce;

    /// <summary>Whether records go through librdkafka's own functions, or through the managed client's.</summary>
    public bool IsNative => _options.RecordPath == RecordPath.Native && !Embedded && LibRdKafka.IsAvailable;

    /// <summary>The group's consumer of a thread.</summary>
    public ConsumerConfig GroupConsumer(string memberId)
    {
        var config = new ConsumerConfig(Common(forGroup: true))
        {
            GroupId = _options.Group,
            IsolationLevel = IsolationLevel.ReadCommitted,
            EnableAutoCommit = false,
            EnableAutoOffsetStore = false,
            AutoOffsetReset = AutoOffsetReset.Error,
            ClientId = memberId,
        };
        bool classic = !_options.Kafka.TryGetValue("group.protocol", out string? protocol) || protocol.Equals("classic", StringComparison.OrdinalIgnoreCase);
        if (classic)
        {
            // The consumer protocol leaves these to the broker, and refuses a static member that restarts: its members are dynamic.
            Default(config, "partition.assignment.strategy", "range");
            Default(config, "session.timeout.ms", "6000");
            Default(config, "heartbeat.interval.ms", "2000");
            if (!Embedded) { config.GroupInstanceId = memberId; }
        }

        // A broker answers as soon as it has one byte by default: at some thousand records a second each answer holds a handful, and answering costs it more than all else.
        Default(config, "fetch.min.bytes", "65536");
        Default(config, "fetch.wait.max.ms", Math.Clamp((int)_options.CommitInterval.TotalMilliseconds / FetchesAnInterval, FetchWaitMinMs, FetchWaitMaxMs).ToString(CultureInfo.InvariantCulture));

        // The client counts values alone against the kilobytes. Keys and headers are bounded by the number of records, and while the thread does not read by StreamThread.HoldFetching.
        Default(config, "queued.min.messages", "10000");
        Default(config, "queued.max.messages.kbytes", "32768");
        Default(config, "fetch.queue.backoff.ms", "5");
        Default(config, "max.partition.fetch.bytes", "4194304");
        return config;
    }

    /// <summary>A consumer that is only ever assigned: restore, approvals, held records.</summary>
    public ConsumerConfig AssignedConsumer(string memberId, string use)
    {
        var config = new ConsumerConfig(Common())
        {
            GroupId = _options.Group + "-" + use,
            IsolationLevel = IsolationLevel.ReadCommitted,
            EnableAutoCommit = false,
            EnableAutoOffsetStore = false,
            AutoOffsetReset = AutoOffsetReset.Error,
            EnablePartitionEof = true,
            FetchWaitMaxMs = 100,
            QueuedMaxMessagesKbytes = 16_384,
            ClientId = memberId + "-" + use,
        };

        Default(config, "queued.min.messages", "10000");

        // A full queue is looked at again at once: by default the client leaves a partition alone for a second, and a restore waits that long again and again.
        Default(config, "fetch.queue.backoff.ms", "5");
        Default(config, "max.partition.fetch.bytes", "4194304");
        return config;
    }

    public ProducerConfig Producer(string transactionalId)
    {
        var config = new ProducerConfig(Common())
        {
            ClientId = transactionalId,
            Acks = Acks.All,
            EnableDeliveryReports = true,
            EnableBackgroundPoll = false,
            DeliveryReportFields = "status,timestamp",
        };
        if (Embedded)
        {
            config.LingerMs = 1;
        }
        else
        {
            // Below the transaction's: a record that cannot be delivered is known before the broker ends the transaction.
            config.TransactionalId = transactionalId;
            config.TransactionTimeoutMs = 10_000;
            config.MessageTimeoutMs = 9_000;

            // A broker that still writes the end of the last transaction turns offsets of the next one away: they are sent again within the interval, and from then on at growing distances.
            Default(config, "retry.backoff.ms", Math.Clamp((int)_options.CommitInterval.TotalMilliseconds, RetryMinMs, RetryMaxMs).ToString(CultureInfo.InvariantCulture));
        }

        // The end of a transaction ends the wait, and so does a thread that is not behind. Until then few large batches cost the broker, and this process, far less than many small ones.
        Default(config, "linger.ms", "100");
        Default(config, "batch.num.messages", "10000");
        Default(config, "batch.size", _options.BatchBytes.ToString(CultureInfo.InvariantCulture));
        Default(config, "queue.buffering.max.messages", "500000");
        Default(config, "queue.buffering.max.kbytes", "131072");

        // The broker says what is too large, not the client: a refusal must be the same whoever runs.
        Default(config, "message.max.bytes", "100000000");
        return config;
    }

    /// <summary>The reader of a group's consumer.</summary>
    /// <param name="capacity">Most records in hand.</param>
    public RecordReader Reader(IConsumer<byte[]?, byte[]?> consumer, int capacity) => IsNative ? new NativeRecordReader(consumer, capacity) : new ManagedRecordReader(consumer);

    /// <summary>The transactional producer of a thread.</summary>
    public OutputProducer TransactionalProducer(string transactionalId, Action<string> log, CancellationToken stopping = default) =>
        IsNative ? new NativeProducer(Producer(transactionalId), log, stopping) : new TransactionalProducer(Producer(transactionalId), log, stopping);

    public AdminClientConfig Admin() => new(Common());

    private ClientConfig Common(bool forGroup = false)
    {
        var given = new Dictionary<string, string>(_options.Kafka);
        if (!forGroup)
        {
            foreach (string key in GroupOnly) { given.Remove(key); }
        }

        var config = new ClientConfig(given) { BootstrapServers = _options.Bootstrap };
        Default(config, "socket.keepalive.enable", "true");
        Default(config, "reconnect.backoff.max.ms", "2000");
        Default(config, "socket.nagle.disable", "true");
        return config;
    }

    private void Default(ClientConfig config, string key, string value)
    {
        if (!_options.Kafka.ContainsKey(key)) { config.Set(key, value); }
    }
}
