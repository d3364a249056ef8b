using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace PolicyStreams.Processor.Holds;

/// <summary>
/// Follows the state topics on a thread of its own: every partition from its beginning, read-committed, without a consumer group's assignment or commits.
/// Broker trouble is a pause with back-off and a reason in <see cref="Status"/>; what was read is dropped then, since an end may have been missed.
/// </summary>
public sealed partial class HoldView : IHoldView, IDisposable
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan BackOffMin = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan BackOffMax = TimeSpan.FromSeconds(10);

    // A position weighs about a fiftieth of a hold with its view.
    private const int DeferredPerHold = 10;
    private const int DeferredAtOnce = 1000;

    private readonly HoldClientOptions _options;
    private readonly ILogger _logger;
    private readonly Dictionary<string, HoldTopics> _topics;
    private readonly CancellationTokenSource _stop = new();
    private readonly Thread _thread;
    private volatile HoldIndex _index;
    private volatile HoldViewStatus _status = new(false, ["the state topics have not been read yet"]);
    private volatile string? _brokerTrouble;
    private long _unreadable;

    public HoldView(HoldClientOptions options, ILogger<HoldView> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(logger);
        _options = options;
        _logger = logger;
        _topics = options.Topics.ToDictionary(topics => topics.State, StringComparer.Ordinal);
        _index = new HoldIndex(options.HoldsMax, options.BytesMax);
        _thread = new Thread(Run) { IsBackground = true, Name = "hold-view" };
    }

    public HoldViewStatus Status => _status is { Ready: true } ready && _brokerTrouble is { } trouble ? ready with { Reasons = [.. ready.Reasons, trouble] } : _status;

    /// <summary>Records of the state topics that are no hold's state, since start. Each is logged with its position.</summary>
    public long Unreadable => Interlocked.Read(ref _unreadable);

    /// <summary>Starts reading; once.</summary>
    public void Start() => _thread.Start();

    public OpenHold? Find(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        return _index.Find(id);
    }

    public IReadOnlyList<OpenHold> Page(HoldCursor? after, int limit, Func<OpenHold, bool> filter)
    {
        ArgumentNullException.ThrowIfNull(filter);
        return _index.Page(after, limit, filter);
    }

    public void Dispose()
    {
        _stop.Cancel();
        if (_thread.ThreadState != ThreadState.Unstarted && _thread.IsAlive) { _thread.Join(); }
        _stop.Dispose();
    }

    private void Run()
    {
        TimeSpan backOff = BackOffMin;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                Follow();
                backOff = BackOffMin;
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception trouble) when (trouble is KafkaException or InvalidOperationException or ArgumentException)
            {
                bool wasReady = _status.Ready;
                if (wasReady) { backOff = BackOffMin; }
                _status = new HoldViewStatus(false, [trouble.Message]);
                HoldViewPaused(_logger, trouble.Message);
                _stop.Token.WaitHandle.WaitOne(backOff);
                backOff = TimeSpan.FromTicks(Math.Min(2 * backOff.Ticks, BackOffMax.Ticks));
            }
        }
    }

    /// <summary>Reads all from the beginning, and on; returns where that is to be done again.</summary>
    private void Follow()
    {
        _brokerTrouble = null;
        using IConsumer<byte[], byte[]> consumer = NewConsumer();
        var ends = new Dictionary<TopicPartition, long>();
        foreach (TopicPartition partition in Partitions(consumer))
        {
            WatermarkOffsets offsets = consumer.QueryWatermarkOffsets(partition, _options.Timeout);
            if (offsets.High > offsets.Low) { ends.Add(partition, offsets.High); }
        }
        var reading = new Reading(new HoldIndex(_options.HoldsMax, _options.BytesMax));
        _index = reading.Index;
        _status = new HoldViewStatus(false, ["the state topics are being read"]);
        consumer.Assign(Partitions(consumer).Select(partition => new TopicPartitionOffset(partition, Offset.Beginning)));
        int filled = ends.Count;
        while (ends.Count > 0 || !reading.MustStartOver)
        {
            _stop.Token.ThrowIfCancellationRequested();
            if (ends.Count == 0) { ShowReady(reading, filled); }
            ConsumeResult<byte[], byte[]>? result = consumer.Consume(PollInterval);
            if (result is not null)
            {
                _brokerTrouble = null;
                if (!result.IsPartitionEOF) { Take(reading, result); }

                // A commit marker is no record: where one is last, only the end-of-partition event tells that the position has passed it.
                long position = result.IsPartitionEOF ? result.Offset.Value : result.Offset.Value + 1;
                if (ends.TryGetValue(result.TopicPartition, out long end) && position >= end) { ends.Remove(result.TopicPartition); }
            }
            if (ends.Count == 0 && reading.Deferred.Count > 0 && reading.Index.HasRoom) { TakeDeferred(reading); }
        }

        // Compaction has to shorten the topics before the next try ends better.
        _stop.Token.WaitHandle.WaitOne(BackOffMax);
    }

    private void ShowReady(Reading reading, int filled)
    {
        bool isWhole = reading.Deferred.Count == 0 && !reading.IsIncomplete;
        bool wasReady = _status.Ready;
        if (wasReady && _status.Reasons.Count == (isWhole ? 0 : 1)) { return; }
        _status = isWhole
            ? new HoldViewStatus(true, [])
            : new HoldViewStatus(true, [string.Create(CultureInfo.InvariantCulture, $"more holds are open than the {_options.HoldsMax} (or their {_options.BytesMax} bytes) that are kept: some are not shown")]);
        if (!wasReady) { HoldViewReady(_logger, reading.Index.Count, filled); }
        if (!isWhole) { HoldViewFull(_logger, _options.HoldsMax, _options.BytesMax); }
    }

    private void Take(Reading reading, ConsumeResult<byte[], byte[]> record)
    {
        byte[]? key = record.Message.Key;
        if (key is null || !IsHoldKey(key, record.Partition.Value)) { return; }
        string id = Encoding.UTF8.GetString(key);
        reading.Deferred.Remove(id);
        byte[]? value = record.Message.Value;
        if (value is null)
        {
            reading.Index.Remove(id);
            return;
        }
        HoldState? state = HoldState.TryParse(value, out string? error);
        if (state is not null && state.Id != id) { (state, error) = (null, "Its id is not the record's key."); }

        // What is shown is what is signed for: a digest that is not the view's own must not get into a statement.
        if (state is not null && HoldState.DigestOf(state.View.Span) != state.ViewDigest) { (state, error) = (null, "Its view is not the one of its digest."); }
        if (state is null)
        {
            reading.Index.Remove(id);
            Interlocked.Increment(ref _unreadable);
            UnreadableState(_logger, record.Topic, record.Partition.Value, record.Offset.Value, error!);
            return;
        }
        if (reading.Index.Put(new OpenHold(state, _topics[record.Topic], record.Partition.Value), value.Length)) { return; }
        if (reading.Deferred.Count < DeferredPerHold * (long)_options.HoldsMax) { reading.Deferred.Add(id, record.TopicPartitionOffset); }
        else { reading.IsIncomplete = true; }
    }

    /// <summary>
    /// Holds that found no room are read again from where they were met. The main reader has not moved meanwhile, so that position is still the hold's newest,
    /// or compaction has taken it because the reader is yet to come to a newer one.
    /// </summary>
    private void TakeDeferred(Reading reading)
    {
        using IConsumer<byte[], byte[]> consumer = NewConsumer();
        foreach ((string id, TopicPartitionOffset position) in reading.Deferred.Take(DeferredAtOnce).ToList())
        {
            _stop.Token.ThrowIfCancellationRequested();
            consumer.Assign(position);
            ConsumeResult<byte[], byte[]> result = consumer.Consume(_options.Timeout) ?? throw new InvalidOperationException($"No answer from Kafka within {_options.Timeout}.");
            reading.Deferred.Remove(id);
            if (result.IsPartitionEOF || result.Offset != position.Offset) { continue; }
            Take(reading, result);
            if (reading.Deferred.ContainsKey(id)) { return; }
        }
    }

    /// <summary>One pass over the topics, from their beginning.</summary>
    private sealed class Reading(HoldIndex index)
    {
        internal HoldIndex Index { get; } = index;

        /// <summary>Open holds that found no room: where their newest state is.</summary>
        internal Dictionary<string, TopicPartitionOffset> Deferred { get; } = new(StringComparer.Ordinal);

        /// <summary>True where not even the position of every hold could be kept.</summary>
        internal bool IsIncomplete { get; set; }

        internal bool MustStartOver => IsIncomplete && Deferred.Count == 0 && Index.HasRoom;
    }

    // Holds are TOPIC-PARTITION-OFFSET of this partition; the head and whatever else a task keeps here are not.
    private static bool IsHoldKey(ReadOnlySpan<byte> key, int partition)
    {
        int offsetAt = key.LastIndexOf((byte)'-');
        int partitionAt = offsetAt < 0 ? -1 : key[..offsetAt].LastIndexOf((byte)'-');
        return partitionAt > 0 && key.Length <= 300
            && int.TryParse(key[(partitionAt + 1)..offsetAt], NumberStyles.None, CultureInfo.InvariantCulture, out int ownPartition) && ownPartition == partition
            && long.TryParse(key[(offsetAt + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out _);
    }

    private List<TopicPartition> Partitions(IConsumer<byte[], byte[]> consumer)
    {
        using IAdminClient admin = new DependentAdminClientBuilder(consumer.Handle).Build();
        var partitions = new List<TopicPartition>();
        foreach (string topic in _topics.Keys)
        {
            TopicMetadata? metadata = admin.GetMetadata(topic, _options.Timeout).Topics.Find(found => found.Topic == topic);
            if (metadata is null || metadata.Error.IsError || metadata.Partitions.Count == 0)
            {
                string reason = metadata is null || metadata.Error.Code is ErrorCode.UnknownTopicOrPart or ErrorCode.NoError
                    ? "is not there; `policystreams topics apply` creates it"
                    : $"cannot be read: {metadata.Error.Reason}";
                throw new InvalidOperationException($"The topic `{topic}` {reason}.");
            }
            partitions.AddRange(metadata.Partitions.Select(partition => new TopicPartition(topic, partition.PartitionId)));
        }
        return partitions;
    }

    private IConsumer<byte[], byte[]> NewConsumer()
    {
        var config = new ConsumerConfig(_options.Kafka.ToDictionary(StringComparer.Ordinal))
        {
            // The client asks for a group even where none is joined; nothing is ever committed to it.
            GroupId = _options.Kafka.TryGetValue("group.id", out string? group) ? group : "policystreams-approval-view",
            EnableAutoCommit = false,
            EnableAutoOffsetStore = false,
            EnablePartitionEof = true,
            IsolationLevel = IsolationLevel.ReadCommitted,
            AutoOffsetReset = AutoOffsetReset.Earliest,
            AllowAutoCreateTopics = false,
        };
        return new ConsumerBuilder<byte[], byte[]>(config)
            .SetErrorHandler((_, error) =>
            {
                if (error.Code is ErrorCode.Local_AllBrokersDown or ErrorCode.Local_Authentication or ErrorCode.Local_Ssl) { _brokerTrouble = $"Kafka: {error.Reason}"; }
            })
            .SetLogHandler((_, message) => ClientLog(_logger, message.Facility, message.Message))
            .Build();
    }
}
