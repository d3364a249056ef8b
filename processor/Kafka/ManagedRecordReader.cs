using Confluent.Kafka;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Kafka;

/// <summary>Reads through Confluent's client, one record a batch.</summary>
internal sealed class ManagedRecordReader(IConsumer<byte[]?, byte[]?> consumer) : RecordReader
{
    private ConsumeResult<byte[]?, byte[]?>? _result;
    private ConsumeException? _error;
    private Headers? _headers;

    public override int Fetch(TimeSpan wait, int most)
    {
        Batch++;
        _result = null;
        _error = null;
        try
        {
            _result = consumer.Consume(wait);
        }
        catch (ConsumeException e)
        {
            _error = e;
        }

        return _result is null && _error is null ? 0 : 1;
    }

    public override bool TryTake(ref FetchedRecord record)
    {
        record = default;
        if (_error is { } error)
        {
            _error = null;
            record.Partition = error.ConsumerRecord?.TopicPartition ?? new TopicPartition("", Partition.Any);
            record.Error = error.Error;
            return true;
        }

        if (_result is not { } result) { return false; }
        _result = null;
        Message<byte[]?, byte[]?> message = result.Message;
        record.Partition = result.TopicPartition;
        record.Offset = result.Offset.Value;
        record.TimestampMs = message.Timestamp.UnixTimestampMs;
        record.HasKey = message.Key is not null;
        record.Key = message.Key;
        record.HasValue = message.Value is not null;
        record.Value = message.Value;
        _headers = message.Headers;
        return true;
    }

    public override void CopyHeaders(RecordHeaders into) => ConfluentMessages.CopyProducers(_headers, into);

    public override IConsumerGroupMetadata CaptureGroup() => consumer.ConsumerGroupMetadata;

    public override void Dispose()
    {
    }
}
