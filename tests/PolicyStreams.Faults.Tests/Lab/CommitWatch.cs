using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Confluent.Kafka;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Faults.Tests.Lab;

/// <summary>A read-committed reader of a decisions topic that runs beside a fault, and knows when what was decided after an instant became visible.</summary>
internal sealed class CommitWatch : IAsyncDisposable
{
    private readonly IConsumer<byte[]?, byte[]?> _consumer;
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _reading;
    private readonly long[] _newestMs;
    private readonly long[] _counts;
    private long _decided;

    public CommitWatch(string bootstrap, string topic, int partitions, string? clientConfig = null)
    {
        _newestMs = new long[partitions];
        _counts = new long[partitions];
        var config = new ConsumerConfig
        {
            BootstrapServers = bootstrap,
            GroupId = "watch",
            EnableAutoCommit = false,
            IsolationLevel = IsolationLevel.ReadCommitted,
            AutoOffsetReset = AutoOffsetReset.Earliest,
            FetchWaitMaxMs = 20,
            ReconnectBackoffMs = 20,
            ReconnectBackoffMaxMs = 200,
        };
        foreach (string line in clientConfig is null ? [] : File.ReadAllLines(clientConfig)) { config.Set(line.Split('=')[0], line.Split('=')[1]); }
        _consumer = new ConsumerBuilder<byte[]?, byte[]?>(config).SetKeyDeserializer(Deserializers.ByteArray!).SetValueDeserializer(Deserializers.ByteArray!).SetLogHandler((_, _) => { }).Build();
        _consumer.Assign(Enumerable.Range(0, partitions).Select(partition => new TopicPartitionOffset(topic, partition, Offset.Beginning)));
        _reading = Task.Factory.StartNew(Read, TaskCreationOptions.LongRunning);
    }

    /// <summary>Decisions of event <c>decided</c> that are visible.</summary>
    public long Decided => Interlocked.Read(ref _decided);

    /// <summary>Waits until this many are decided.</summary>
    public Task DecidedAsync(long count, TimeSpan deadline, Func<string> said) =>
        Eventually.TrueAsync(() => Decided >= count, deadline, () => $"{Decided} of {count} decided\n{said()}");

    /// <summary>Waits for a decision made at or after an instant to be visible, on some partitions (all that are named); how long after the instant that was.</summary>
    public async Task<TimeSpan> RecoveredAsync(DateTimeOffset since, TimeSpan deadline, Func<string> said, params int[] partitions)
    {
        long sinceMs = since.ToUnixTimeMilliseconds();
        long started = Stopwatch.GetTimestamp();
        while (partitions.Length == 0 ? !_newestMs.Any(newest => newest >= sinceMs) : partitions.Any(partition => _newestMs[partition] < sinceMs))
        {
            if (Stopwatch.GetElapsedTime(started) > deadline) { Assert.Fail($"Nothing was decided within {deadline.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s.\n{said()}"); }
            await Task.Delay(5);
        }

        return TimeProvider.System.GetUtcNow() - since;
    }

    public override string ToString() => string.Join(' ', _counts);

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _reading;
        _consumer.Dispose();
        _ended.Dispose();
    }

    private void Read()
    {
        while (!_ended.IsCancellationRequested)
        {
            try
            {
                if (_consumer.Consume(TimeSpan.FromMilliseconds(100))?.Message.Value is not { } value) { continue; }
                JsonElement decision = JsonDocument.Parse(value).RootElement;
                if (decision.GetProperty("event").GetString() != "decided") { continue; }
                string id = decision.GetProperty("id").GetString()!;
                int last = id.LastIndexOf('-');
                int partition = int.Parse(id.AsSpan(id.LastIndexOf('-', last - 1) + 1, last - id.LastIndexOf('-', last - 1) - 1), CultureInfo.InvariantCulture);
                _newestMs[partition] = Math.Max(_newestMs[partition], decision.GetProperty("time").GetDateTimeOffset().ToUnixTimeMilliseconds());
                _counts[partition]++;
                Interlocked.Increment(ref _decided);
            }
            catch (ConsumeException)
            {
                // The broker is away: the next call asks again.
            }
        }
    }
}
