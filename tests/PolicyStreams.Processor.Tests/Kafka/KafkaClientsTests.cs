using Confluent.Kafka;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Kafka;

namespace PolicyStreams.Processor.Tests.Kafka;

/// <summary>Client settings that the guarantees rest on.</summary>
public sealed class KafkaClientsTests
{
    [Fact]
    public void Clients_ByDefault_HaveTheSettingsThatExactlyOnceRestsOn()
    {
        KafkaClients clients = Clients();
        ConsumerConfig group = clients.GroupConsumer("g/slot/0");
        ConsumerConfig assigned = clients.AssignedConsumer("g/slot/0", "held");
        ProducerConfig producer = clients.Producer("g/slot/0");

        Assert.Equal((AutoOffsetReset.Error, IsolationLevel.ReadCommitted, false, "g", "g/slot/0", 6000, "range"), (group.AutoOffsetReset, group.IsolationLevel, group.EnableAutoCommit, group.GroupId, group.GroupInstanceId, group.SessionTimeoutMs, group.Get("partition.assignment.strategy")));
        Assert.Equal((AutoOffsetReset.Error, IsolationLevel.ReadCommitted, true), (assigned.AutoOffsetReset, assigned.IsolationLevel, assigned.EnablePartitionEof));
        Assert.Null(assigned.GroupInstanceId);
        Assert.Equal(("g/slot/0", 10_000, Acks.All), (producer.TransactionalId, producer.TransactionTimeoutMs, producer.Acks));
        Assert.True(producer.MessageTimeoutMs < producer.TransactionTimeoutMs);
    }

    [Fact]
    public void GroupConsumer_WithTheConsumerProtocol_IsADynamicMember()
    {
        ConsumerConfig group = Clients(("group.protocol", "consumer"), ("group.remote.assignor", "uniform")).GroupConsumer("g/slot/0");

        Assert.Null(group.GroupInstanceId);
        Assert.Null(group.SessionTimeoutMs);
        Assert.Null(group.Get("partition.assignment.strategy"));
        Assert.All(group, setting => Assert.NotNull(setting.Value));
        Assert.Equal(("consumer", "uniform"), (group.Get("group.protocol"), group.Get("group.remote.assignor")));
    }

    [Theory]
    [InlineData("roundrobin")]
    [InlineData("cooperative-sticky")]
    public void GroupConsumer_WithAnotherAssignor_TakesIt(string assignor)
    {
        ConsumerConfig group = Clients(("partition.assignment.strategy", assignor), ("session.timeout.ms", "12000")).GroupConsumer("g/slot/0");

        Assert.Equal((assignor, 12_000, "g/slot/0"), (group.Get("partition.assignment.strategy"), group.SessionTimeoutMs, group.GroupInstanceId));
    }

    [Fact]
    public void Profile_Latency_ShortensTransactionsAndFetches()
    {
        var options = new ProcessorOptions { Bootstrap = "localhost:9092", Group = "g", Profile = TuningProfile.Latency };
        var clients = new KafkaClients(options);

        Assert.Equal((TimeSpan.FromMilliseconds(10), "2", "100"), (options.CommitInterval, clients.GroupConsumer("m").Get("fetch.wait.max.ms"), clients.Producer("m").Get("linger.ms")));
        options.CommitInterval = TimeSpan.FromMilliseconds(70);
        Assert.Equal("7", new KafkaClients(options).GroupConsumer("m").Get("fetch.wait.max.ms"));
    }

    /// <summary>A record waits a tenth of the interval for others at most.</summary>
    [Theory]
    [InlineData(5000, "100")]
    [InlineData(100, "10")]
    [InlineData(10, "2")]
    public void GroupConsumer_CommitInterval_SaysHowLongAFetchWaits(int intervalMs, string waits)
    {
        var options = new ProcessorOptions { Bootstrap = "localhost:9092", Group = "g", CommitInterval = TimeSpan.FromMilliseconds(intervalMs) };

        Assert.Equal((waits, "65536"), (new KafkaClients(options).GroupConsumer("m").Get("fetch.wait.max.ms"), new KafkaClients(options).GroupConsumer("m").Get("fetch.min.bytes")));
        options.Kafka["fetch.wait.max.ms"] = "7";
        Assert.Equal("7", new KafkaClients(options).GroupConsumer("m").Get("fetch.wait.max.ms"));
    }

    /// <summary>What a broker turns away for a moment is sent again within the interval.</summary>
    [Theory]
    [InlineData(5000, "100")]
    [InlineData(70, "70")]
    [InlineData(1, "10")]
    public void Producer_CommitInterval_SaysWhenToTryAgain(int intervalMs, string after)
    {
        var options = new ProcessorOptions { Bootstrap = "localhost:9092", Group = "g", CommitInterval = TimeSpan.FromMilliseconds(intervalMs) };

        Assert.Equal(after, new KafkaClients(options).Producer("m").Get("retry.backoff.ms"));
        options.Kafka["retry.backoff.ms"] = "7";
        Assert.Equal("7", new KafkaClients(options).Producer("m").Get("retry.backoff.ms"));
    }

    [Fact]
    public void OtherClients_GroupSettings_AreNotTheirs()
    {
        KafkaClients clients = Clients(("group.protocol", "consumer"), ("max.poll.interval.ms", "60000"), ("client.rack", "a"));

        Assert.Null(clients.AssignedConsumer("m", "held").Get("group.protocol"));
        Assert.Null(clients.Producer("m").Get("max.poll.interval.ms"));
        Assert.Equal("a", clients.AssignedConsumer("m", "held").ClientRack);
    }

    [Theory]
    [InlineData("isolation.level", "read_uncommitted", "aborted")]
    [InlineData("isolation.level", "read_committed", "exactly once")]
    [InlineData("processing.guarantee", "at_least_once", "`at_least_once`")]
    [InlineData("enable.auto.commit", "true", "exactly once")]
    [InlineData("auto.offset.reset", "latest", "exactly once")]
    [InlineData("acks", "1", "exactly once")]
    [InlineData("enable.idempotence", "false", "exactly once")]
    [InlineData("transactional.id", "x", "exactly once")]
    [InlineData("group.instance.id", "x", "exactly once")]
    [InlineData("message.timeout.ms", "300000", "exactly once")]
    [InlineData("dotnet.consumer.consume.result.fields", "none", "exactly once")]
    [InlineData("allow.auto.create.topics", "true", "exactly once")]
    public void Refusal_WhatWouldBreakExactlyOnce_IsRefusedWithItsReason(string key, string value, string why) =>
        Assert.Contains(why, KafkaClients.Refusal(key, value), StringComparison.Ordinal);

    [Theory]
    [InlineData("security.protocol")]
    [InlineData("partition.assignment.strategy")]
    [InlineData("group.protocol")]
    [InlineData("session.timeout.ms")]
    [InlineData("linger.ms")]
    [InlineData("queued.max.messages.kbytes")]
    public void Refusal_OtherSettings_MayBeGiven(string key) => Assert.Null(KafkaClients.Refusal(key, "x"));

    private static KafkaClients Clients(params (string Key, string Value)[] settings)
    {
        var options = new ProcessorOptions { Bootstrap = "127.0.0.1:9092", Group = "g" };
        foreach ((string key, string value) in settings) { options.Kafka[key] = value; }
        return new KafkaClients(options);
    }
}
