using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Faults.Tests.Lab;

/// <summary>
/// Keeps records coming to an ingress topic: lines that the example's generator made, in order, idempotent, waiting out whatever happens to the broker. What was
/// delivered is in <see cref="RecordsFile"/>.
/// </summary>
internal sealed class Feeder : IAsyncDisposable
{
    private static readonly Dictionary<(int Count, int Seed), string> s_generated = [];

    private readonly IProducer<byte[]?, byte[]?> _producer;
    private readonly string _topic;
    private readonly int _schemaId;
    private readonly string _lines;
    private readonly CancellationTokenSource _enough = new();
    private readonly List<string> _sent = [];
    private Task _feeding = Task.CompletedTask;
    private long _count;
    private long _delivered;
    private string _failure = "";

    /// <param name="perSecond">Records a second.</param>
    public Feeder(string bootstrap, string topic, int schemaId, string lines, string folder, double perSecond, string? clientConfig = null)
    {
        _topic = topic;
        _schemaId = schemaId;
        _lines = lines;
        PerSecond = perSecond;
        RecordsFile = Path.Combine(folder, "records.jsonl");
        var config = new ProducerConfig { BootstrapServers = bootstrap, EnableIdempotence = true, LingerMs = 5, MessageTimeoutMs = 300_000, TransactionTimeoutMs = 60_000, SocketTimeoutMs = 10_000 };
        foreach (string line in clientConfig is null ? [] : File.ReadAllLines(clientConfig)) { config.Set(line.Split('=')[0], line.Split('=')[1]); }
        _producer = new ProducerBuilder<byte[]?, byte[]?>(config).SetLogHandler((_, _) => { }).Build();
    }

    public double PerSecond { get; }

    /// <summary>True sends nothing for now.</summary>
    public bool Paused { get; set; }

    public string RecordsFile { get; }

    /// <summary>True sends each line once and no more.</summary>
    public bool Once { get; set; }

    public long Delivered => Interlocked.Read(ref _delivered);

    /// <summary>True where all that was sent has been delivered.</summary>
    public bool Quiet => Interlocked.Read(ref _count) == Delivered;

    /// <summary>A file of lines with what must be published; made once for all that ask for the same.</summary>
    public static async Task<string> GenerateAsync(int count, int seed)
    {
        if (!s_generated.TryGetValue((count, seed), out string? file))
        {
            file = Path.GetTempFileName();
            await Clients.GenerateAsync(file, count, seed);
            s_generated[(count, seed)] = file;
        }

        return file;
    }

    /// <param name="take">Which lines.</param>
    public void Start(Func<JsonElement, bool>? take = null) => _feeding = Task.Run(() => FeedAsync(take));

    /// <summary>Sends no more, waits until all that was sent is there, and gives their number.</summary>
    public async Task<long> StopAsync()
    {
        await _enough.CancelAsync();
        return await AllAsync();
    }

    /// <summary>Waits until every line has been delivered.</summary>
    public async Task<long> AllAsync()
    {
        await _feeding;
        long started = Stopwatch.GetTimestamp();
        while (_producer.Flush(TimeSpan.FromSeconds(1)) > 0)
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromMinutes(3), "Records of the feeder are not delivered.");
        }

        Assert.True(_failure.Length == 0, _failure);
        Assert.Equal(_sent.Count, Delivered);
        await File.WriteAllLinesAsync(RecordsFile, _sent);
        return Delivered;
    }

    public async ValueTask DisposeAsync()
    {
        await _enough.CancelAsync();
        await _feeding;
        _producer.Dispose();
        _enough.Dispose();
    }

    private async Task FeedAsync(Func<JsonElement, bool>? take)
    {
        long started = Stopwatch.GetTimestamp();
        double due = 0;
        foreach (string text in Lines())
        {
            JsonElement line = JsonDocument.Parse(text).RootElement;
            if (take is not null && !take(line)) { continue; }
            due += 1 / PerSecond;
            while (Stopwatch.GetElapsedTime(started).TotalSeconds < due && !_enough.IsCancellationRequested) { await Task.Delay(5); }
            while (Paused && !_enough.IsCancellationRequested)
            {
                await Task.Delay(5);
                due = Stopwatch.GetElapsedTime(started).TotalSeconds;
            }

            bool sent = false;
            while (!_enough.IsCancellationRequested && !(sent = TryProduce(line))) { await Task.Delay(20); }
            if (!sent) { return; }
            _sent.Add(text);
            Interlocked.Increment(ref _count);
        }
    }

    /// <summary>The file's lines, and once they are through the same again under other traces, unless an end was asked for.</summary>
    private IEnumerable<string> Lines()
    {
        for (int round = 0; round == 0 || !Once; round++)
        {
            foreach (string line in File.ReadLines(_lines))
            {
                yield return round == 0 ? line : line.Replace("\"trace\":\"", string.Create(CultureInfo.InvariantCulture, $"\"trace\":\"{round}."), StringComparison.Ordinal);
            }
        }
    }

    private bool TryProduce(JsonElement line)
    {
        var headers = new Headers();
        foreach (JsonProperty header in line.GetProperty("headers").EnumerateObject()) { headers.Add(header.Name, Encoding.UTF8.GetBytes(header.Value.GetString()!)); }
        try
        {
            _producer.Produce(
                new TopicPartition(_topic, line.GetProperty("partition").GetInt32()),
                new Message<byte[]?, byte[]?> { Key = line.GetProperty("key").GetString() is { } key ? Encoding.UTF8.GetBytes(key) : null, Value = Framed(line), Headers = headers },
                report =>
                {
                    if (report.Error.IsError) { _failure = string.Create(CultureInfo.InvariantCulture, $"A record of the feeder was not delivered: {report.Error.Reason}"); }
                    else { Interlocked.Increment(ref _delivered); }
                });
            return true;
        }
        catch (ProduceException<byte[]?, byte[]?> e) when (e.Error.Code == ErrorCode.Local_QueueFull)
        {
            return false;
        }
    }

    private byte[]? Framed(JsonElement line)
    {
        if (line.GetProperty("value").GetString() is not { } hex) { return null; }
        byte[] body = Convert.FromHexString(hex);
        JsonElement frame = line.GetProperty("frame");
        if (frame.ValueKind == JsonValueKind.Null) { return body; }
        byte[] value = new byte[5 + body.Length];
        BinaryPrimitives.WriteInt32BigEndian(value.AsSpan(1), frame.ValueKind == JsonValueKind.String ? _schemaId : frame.GetInt32());
        body.CopyTo(value, 5);
        return value;
    }
}
