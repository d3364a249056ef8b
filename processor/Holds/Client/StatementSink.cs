using System.Text;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace PolicyStreams.Processor.Holds;

/// <summary>Writes statements to the approvals topics with an idempotent producer, acknowledged by all in-sync replicas.</summary>
public sealed partial class StatementSink : IStatementSink, IDisposable
{
    private readonly HoldClientOptions _options;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private IProducer<byte[], byte[]>? _producer;
    private bool _disposed;

    public StatementSink(HoldClientOptions options, ILogger<StatementSink> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(logger);
        _options = options;
        _logger = logger;
    }

    public async Task<long> WriteAsync(OpenHold hold, byte[] jws, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(hold);
        ArgumentNullException.ThrowIfNull(jws);
        IProducer<byte[], byte[]> producer = Producer();
        var message = new Message<byte[], byte[]> { Key = Encoding.UTF8.GetBytes(hold.State.Id), Value = jws };
        try
        {
            // Not given up on when the caller hangs up: what was handed over is written all the same, and the answer should say so where it still can.
            DeliveryResult<byte[], byte[]> delivered = await producer.ProduceAsync(new TopicPartition(hold.Topics.Approvals, hold.Partition), message, CancellationToken.None)
                .WaitAsync(cancellation).ConfigureAwait(false);
            return delivered.Status == PersistenceStatus.Persisted
                ? delivered.Offset.Value
                : throw new StatementNotWrittenException($"The broker did not confirm the statement on `{hold.Topics.Approvals}`.");
        }
        catch (KafkaException trouble)
        {
            if (trouble.Error.IsFatal) { Renew(producer); }
            throw new StatementNotWrittenException($"The statement could not be written to `{hold.Topics.Approvals}`: {trouble.Error.Reason}", trouble);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _producer?.Dispose();
            _producer = null;
        }
    }

    private IProducer<byte[], byte[]> Producer()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _producer ??= NewProducer();
        }
    }

    // An idempotent producer that has met a fatal error takes no more records: the next statement gets a new one.
    private void Renew(IProducer<byte[], byte[]> failed)
    {
        lock (_lock)
        {
            if (!ReferenceEquals(_producer, failed)) { return; }
            _producer = null;
        }
        SinkRenewed(_logger);
        failed.Dispose();
    }

    private IProducer<byte[], byte[]> NewProducer()
    {
        var config = new ProducerConfig(_options.Kafka.Where(pair => pair.Key != "group.id").ToDictionary(StringComparer.Ordinal))
        {
            Acks = Acks.All,
            EnableIdempotence = true,
            LingerMs = 0,
            MessageTimeoutMs = (int)_options.Timeout.TotalMilliseconds,
        };
        return new ProducerBuilder<byte[], byte[]>(config).SetLogHandler((_, message) => ClientLog(_logger, message.Facility, message.Message)).Build();
    }

    [LoggerMessage(HoldClientEvents.SinkRenewed, LogLevel.Warning, "The producer of statements met a fatal error and is made anew")]
    private static partial void SinkRenewed(ILogger logger);

    [LoggerMessage(HoldClientEvents.Client, LogLevel.Debug, "Kafka client, {Facility}: {Text}")]
    private static partial void ClientLog(ILogger logger, string facility, string text);
}
