using Confluent.Kafka;
using PolicyStreams.Faults.Tests.Lab;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Processor.Native;

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
    public void Commit_BrokerAnswers_IsTakenForWhatItIs(string api, ErrorCode code, string right) => TakenForWhatItIs(RecordPath.Native, api, code, right);

    [Theory]
    [MemberData(nameof(Errors))]
    public void Commit_BrokerAnswersTheManagedClient_IsTakenForWhatItIs(string api, ErrorCode code, string right) => TakenForWhatItIs(RecordPath.Managed, api, code, right);

    /// <summary>To the client such a record was never part of the transaction, which could be committed without it.</summary>
    [Theory]
    [InlineData("Native")]
    [InlineData("Managed")]
    public void Commit_ARecordThatTimedOutLocally_IsNotCommitted(string path)
    {
        RecordPath of = Enum.Parse<RecordPath>(path);
        using var cluster = new MockCluster();
        cluster.CreateTopic("governed", 1);
        using IConsumer<byte[]?, byte[]?> consumer = Consumer(cluster);
        using RecordReader reader = Reader(of, consumer);
        using OutputProducer producer = Open(of, cluster, messageTimeoutMs: 1_000);
        Assert.Equal(TransactionOutcome.Committed, Transaction(producer, reader));

        cluster.Answer((short)KafkaApi.Produce, [.. Enumerable.Repeat(ErrorCode.NotEnoughReplicas, 1_000)]);
        TransactionOutcome outcome = Transaction(producer, reader);
        Assert.True(outcome == TransactionOutcome.Aborted, $"{outcome}: {producer.LastError}");
        cluster.Clear((short)KafkaApi.Produce);
        Assert.Equal(TransactionOutcome.Committed, Transaction(producer, reader));
    }

    /// <summary>The client library refuses it without taking it: to the library the transaction is whole.</summary>
    [Theory]
    [InlineData("Native")]
    [InlineData("Managed")]
    public void Commit_ARecordThatTheClientNeverTook_IsNotCommitted(string path)
    {
        RecordPath of = Enum.Parse<RecordPath>(path);
        using var cluster = new MockCluster();
        cluster.CreateTopic("governed", 1);
        using IConsumer<byte[]?, byte[]?> consumer = Consumer(cluster);
        using RecordReader reader = Reader(of, consumer);
        using OutputProducer producer = Open(of, cluster, messageBytesMax: 1_000);
        Assert.Equal(TransactionOutcome.Committed, Transaction(producer, reader));

        Assert.Equal(TransactionOutcome.Refused, Transaction(producer, reader, new byte[2_000]));
        Assert.Equal(0, producer.RefusedPartition);
        Assert.Equal(TransactionOutcome.Committed, Transaction(producer, reader));
    }

    /// <summary>The client library waits for such a coordinator without an end: the stream thread must not.</summary>
    [Theory]
    [InlineData("Native")]
    [InlineData("Managed")]
    public async Task Commit_GroupCoordinatorIsGone_IsGivenUpAndTheNextProducerGoesOn(string path)
    {
        RecordPath of = Enum.Parse<RecordPath>(path);
        using var cluster = new MockCluster(brokers: 2);
        cluster.CreateTopic("governed", 1);
        cluster.Lead("governed", 0, 1);
        cluster.Coordinate("transaction", "slot", 1);
        cluster.Coordinate("group", "g", 2);
        using IConsumer<byte[]?, byte[]?> consumer = Consumer(cluster);
        using RecordReader reader = Reader(of, consumer);
        OutputProducer producer = Open(of, cluster);
        Assert.Equal(TransactionOutcome.Committed, Transaction(producer, reader));

        cluster.TakeDown(2);
        Task<TransactionOutcome> commit = Task.Run(() => Transaction(producer, reader));
        Assert.Same(commit, await Task.WhenAny(commit, Task.Delay(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken)));
        Assert.Equal(TransactionOutcome.Unknown, await commit);

        cluster.Coordinate("group", "g", 1);
        producer.Dispose();
        using OutputProducer again = Open(of, cluster);
        Assert.Equal(TransactionOutcome.Committed, Transaction(again, reader));
    }

    private static void TakenForWhatItIs(RecordPath path, string api, ErrorCode code, string right)
    {
        using var cluster = new MockCluster();
        cluster.CreateTopic("governed", 1);
        using IConsumer<byte[]?, byte[]?> consumer = Consumer(cluster);
        using RecordReader reader = Reader(path, consumer);
        using OutputProducer producer = Open(path, cluster);

        cluster.Answer((short)Enum.Parse<KafkaApi>(api), code);
        TransactionOutcome outcome = Transaction(producer, reader);
        Assert.Contains(outcome.ToString(), right.Split(' '));
        if (outcome == TransactionOutcome.Unknown)
        {
            // As the stream thread does: closed, and made anew under the same id.
            producer.Dispose();
            using OutputProducer again = Open(path, cluster);
            Assert.Equal(TransactionOutcome.Committed, Transaction(again, reader));
        }
        else
        {
            // Tried again as the stream thread does, it comes to a certain end. (After a refused record the mock cluster refuses the client's new epoch once; a broker does not.)
            for (int i = 0; i < 5 && outcome is not (TransactionOutcome.Committed or TransactionOutcome.Unknown) || i == 0; i++) { outcome = Transaction(producer, reader); }
            Assert.Contains(outcome, (TransactionOutcome[])[TransactionOutcome.Committed, TransactionOutcome.Unknown]);
        }
    }

    private static IConsumer<byte[]?, byte[]?> Consumer(MockCluster cluster)
    {
        IConsumer<byte[]?, byte[]?> consumer = new ConsumerBuilder<byte[]?, byte[]?>(new ConsumerConfig { BootstrapServers = cluster.Bootstrap, GroupId = "g", AutoOffsetReset = AutoOffsetReset.Earliest, EnableAutoCommit = false })
            .SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).SetKeyDeserializer(Deserializers.ByteArray!).SetValueDeserializer(Deserializers.ByteArray!).Build();
        consumer.Subscribe("governed");
        return consumer;
    }

    private static RecordReader Reader(RecordPath path, IConsumer<byte[]?, byte[]?> consumer)
    {
        Assert.SkipWhen(path == RecordPath.Native && !LibRdKafka.IsAvailable, "librdkafka's own functions are not there.");
        return path == RecordPath.Native ? new NativeRecordReader(consumer, 1) : new ManagedRecordReader(consumer);
    }

    private static OutputProducer Open(RecordPath path, MockCluster cluster, int messageTimeoutMs = 9_000, int messageBytesMax = 1_000_000)
    {
        var config = new ProducerConfig
        {
            BootstrapServers = cluster.Bootstrap,
            TransactionalId = "slot",
            EnableDeliveryReports = true,
            EnableBackgroundPoll = false,
            DeliveryReportFields = "status",
            TransactionTimeoutMs = 10_000,
            MessageTimeoutMs = messageTimeoutMs,
            MessageMaxBytes = messageBytesMax,
            LingerMs = 1,
            RetryBackoffMs = 20,
        };
        OutputProducer producer = path == RecordPath.Native ? new NativeProducer(config, _ => { }, CancellationToken.None) : new TransactionalProducer(config, _ => { }, CancellationToken.None);
        producer.Initialize(s_timeout);
        return producer;
    }

    private static TransactionOutcome Transaction(OutputProducer producer, RecordReader reader, byte[]? more = null)
    {
        producer.Begin();
        producer.Send(new OutputRecord { Topic = "governed", Partition = 0, HasValue = true, Value = "x"u8, TimestampMs = 1 });
        if (more is not null) { producer.Send(new OutputRecord { Topic = "governed", Partition = 0, HasValue = true, Value = more, TimestampMs = 1 }); }

        return producer.Commit([new TopicPartitionOffset("governed", 0, 1)], reader.CaptureGroup());
    }
}
