using Confluent.Kafka;
using PolicyStreams.Faults.Tests.Lab;
using PolicyStreams.Processor.Kafka;

namespace PolicyStreams.Faults.Tests.Mock;

/// <summary>
/// Errors that a real broker seldom gives, at each step of a transaction: never is a transaction taken for committed that may not be, never for aborted that may be committed,
/// and only what speaks of the record itself is a refusal.
/// </summary>
public sealed class ErrorCodeTests
{
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(20);

    /// <summary>Request, error, and the outcomes that are right for it.</summary>
    public static TheoryData<string, ErrorCode, string> Errors { get; } = new()
    {
        // What passes by itself is tried again by the client.
        { nameof(KafkaApi.AddPartitionsToTxn), ErrorCode.ConcurrentTransactions, "Committed" },
        { nameof(KafkaApi.AddPartitionsToTxn), ErrorCode.GroupCoordinatorNotAvailable, "Committed" },
        { nameof(KafkaApi.AddOffsetsToTxn), ErrorCode.GroupLoadInProgress, "Committed" },
        { nameof(KafkaApi.AddOffsetsToTxn), ErrorCode.NotCoordinatorForGroup, "Committed" },
        { nameof(KafkaApi.TxnOffsetCommit), ErrorCode.GroupCoordinatorNotAvailable, "Committed" },
        { nameof(KafkaApi.TxnOffsetCommit), ErrorCode.GroupLoadInProgress, "Committed" },
        { nameof(KafkaApi.EndTxn), ErrorCode.NotCoordinatorForGroup, "Committed" },
        { nameof(KafkaApi.EndTxn), ErrorCode.GroupLoadInProgress, "Committed" },
        { nameof(KafkaApi.Produce), ErrorCode.NotEnoughReplicas, "Committed" },
        { nameof(KafkaApi.Produce), ErrorCode.LeaderNotAvailable, "Committed" },
        { nameof(KafkaApi.Produce), ErrorCode.RequestTimedOut, "Committed" },

        // The group has gone on without us: certainly not visible.
        { nameof(KafkaApi.TxnOffsetCommit), ErrorCode.IllegalGeneration, "Aborted" },
        { nameof(KafkaApi.TxnOffsetCommit), ErrorCode.UnknownMemberId, "Aborted" },
        { nameof(KafkaApi.TxnOffsetCommit), ErrorCode.FencedInstanceId, "Aborted" },
        { nameof(KafkaApi.TxnOffsetCommit), ErrorCode.GroupAuthorizationFailed, "Aborted" },
        { nameof(KafkaApi.AddOffsetsToTxn), ErrorCode.GroupAuthorizationFailed, "Aborted" },
        { nameof(KafkaApi.AddPartitionsToTxn), ErrorCode.TopicAuthorizationFailed, "Aborted" },
        { nameof(KafkaApi.AddPartitionsToTxn), ErrorCode.UnknownTopicOrPart, "Aborted Committed" },

        // It speaks of the record.
        { nameof(KafkaApi.Produce), ErrorCode.MsgSizeTooLarge, "Refused" },
        { nameof(KafkaApi.Produce), ErrorCode.InvalidTimestamp, "Refused" },
        { nameof(KafkaApi.Produce), ErrorCode.RecordListTooLarge, "Refused" },

        // Somebody else has our id, or the broker has forgotten us: the producer cannot go on.
        { nameof(KafkaApi.AddPartitionsToTxn), ErrorCode.InvalidProducerEpoch, "Aborted Unknown" },
        { nameof(KafkaApi.AddPartitionsToTxn), ErrorCode.InvalidProducerIdMapping, "Aborted Unknown" },
        { nameof(KafkaApi.AddPartitionsToTxn), ErrorCode.InvalidTxnState, "Aborted Unknown" },
        { nameof(KafkaApi.AddPartitionsToTxn), ErrorCode.TransactionalIdAuthorizationFailed, "Aborted Unknown" },
        { nameof(KafkaApi.Produce), ErrorCode.OutOfOrderSequenceNumber, "Aborted Unknown Committed" },
        { nameof(KafkaApi.Produce), ErrorCode.UnknownProducerId, "Aborted Unknown Committed" },
        { nameof(KafkaApi.EndTxn), ErrorCode.InvalidProducerEpoch, "Unknown" },
        { nameof(KafkaApi.EndTxn), ErrorCode.ProducerFenced, "Unknown" },
        { nameof(KafkaApi.EndTxn), ErrorCode.InvalidTxnState, "Unknown" },
        { nameof(KafkaApi.EndTxn), ErrorCode.InvalidProducerIdMapping, "Aborted Unknown" },
        { nameof(KafkaApi.EndTxn), ErrorCode.TransactionalIdAuthorizationFailed, "Unknown" },
        { nameof(KafkaApi.EndTxn), ErrorCode.Unknown, "Aborted Unknown" },
    };

    [Theory]
    [MemberData(nameof(Errors))]
    public void Commit_BrokerAnswers_IsTakenForWhatItIs(string api, ErrorCode code, string right)
    {
        using var cluster = new MockCluster();
        cluster.CreateTopic("governed", 1);
        using IConsumer<byte[]?, byte[]?> consumer = new ConsumerBuilder<byte[]?, byte[]?>(new ConsumerConfig { BootstrapServers = cluster.Bootstrap, GroupId = "g", AutoOffsetReset = AutoOffsetReset.Earliest, EnableAutoCommit = false })
            .SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).SetKeyDeserializer(Deserializers.ByteArray!).SetValueDeserializer(Deserializers.ByteArray!).Build();
        consumer.Subscribe("governed");
        using TransactionalProducer producer = Open(cluster);

        cluster.Answer((short)Enum.Parse<KafkaApi>(api), code);
        TransactionOutcome outcome = Transaction(producer, consumer);
        Assert.Contains(outcome.ToString(), right.Split(' '));
        if (outcome == TransactionOutcome.Unknown)
        {
            // As the stream thread does: closed, and made anew under the same id.
            producer.Dispose();
            using TransactionalProducer again = Open(cluster);
            Assert.Equal(TransactionOutcome.Committed, Transaction(again, consumer));
        }
        else
        {
            // Tried again as the stream thread does, it comes to a certain end. (After a refused record the mock cluster refuses the client's new epoch once; a broker does not.)
            for (int i = 0; i < 5 && outcome is not (TransactionOutcome.Committed or TransactionOutcome.Unknown) || i == 0; i++) { outcome = Transaction(producer, consumer); }
            Assert.Contains(outcome, (TransactionOutcome[])[TransactionOutcome.Committed, TransactionOutcome.Unknown]);
        }
    }

    private static TransactionalProducer Open(MockCluster cluster)
    {
        var producer = new TransactionalProducer(
            new ProducerConfig
            {
                BootstrapServers = cluster.Bootstrap,
                TransactionalId = "slot",
                EnableDeliveryReports = true,
                EnableBackgroundPoll = false,
                DeliveryReportFields = "status",
                TransactionTimeoutMs = 10_000,
                MessageTimeoutMs = 9_000,
                LingerMs = 1,
                RetryBackoffMs = 20,
            },
            _ => { },
            CancellationToken.None);
        producer.Initialize(s_timeout);
        return producer;
    }

    private static TransactionOutcome Transaction(TransactionalProducer producer, IConsumer<byte[]?, byte[]?> consumer)
    {
        producer.Begin();
        producer.Send(new OutputRecord { Topic = "governed", Partition = 0, HasValue = true, Value = "x"u8, TimestampMs = 1 });
        return producer.Commit([new TopicPartitionOffset("governed", 0, 1)], consumer.ConsumerGroupMetadata);
    }
}
