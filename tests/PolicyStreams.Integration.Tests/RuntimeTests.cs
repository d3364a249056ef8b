using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using PolicyStreams.Integration.Tests.Support;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Kafka;

namespace PolicyStreams.Integration.Tests;

/// <summary>The stream runtime on a real broker: groups, holds by key, seals, topics that go away, and an end in bounded time.</summary>
public sealed class RuntimeTests(KafkaFixture kafka)
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(1);

    [Theory]
    [InlineData("partition.assignment.strategy=range")]
    [InlineData("partition.assignment.strategy=roundrobin")]
    [InlineData("partition.assignment.strategy=cooperative-sticky")]
    [InlineData("group.protocol=consumer")]
    public async Task Run_TwoProcessesComeAndGo_ShareThePartitionsExactlyOnce(string setting)
    {
        using OrdersCase orders = await OrdersCase.CreateAsync(await kafka.RequireAsync(), partitions: 4);
        string config = orders.KafkaConfig(setting);
        await using CommandProcess first = orders.Start("a", "--kafka-config", config);
        orders.Produce(0, 500);
        await orders.DecidedAsync(500, () => first.Said);
        await using CommandProcess second = orders.Start("b", "--kafka-config", config);
        orders.Produce(500, 1500);
        await Eventually.TrueAsync(() => Task.FromResult(second.Said.Contains(" restored in ", StringComparison.Ordinal)), s_deadline, () => first.Said + "\n----\n" + second.Said);
        orders.Produce(1500, 2500);
        await orders.DecidedAsync(2500, () => first.Said + "\n----\n" + second.Said);

        Assert.Equal(0, await first.StopAsync());
        orders.Produce(2500, 3000);
        await orders.DecidedAsync(3000, () => second.Said);
        Assert.Equal(0, await second.StopAsync());
        await orders.IsWholeAsync(3000);
        Assert.DoesNotContain("failed and starts anew", first.Said + second.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_HoldsByKey_FollowInOrderAcrossAKill()
    {
        using OrdersCase orders = await OrdersCase.CreateAsync(
            await kafka.RequireAsync(), rules: "  - { id: large, when: value.amount > 1000.0, hold: { approvers: [risk], expires: 6s, on_expiry: deny, reason: large, scope: key } }");
        await using (CommandProcess killed = orders.Start("a"))
        {
            orders.Produce(0, 1, i => """{"n":0,"amount":5000}""", _ => "k");
            orders.Produce(1, 20, key: i => i % 2 == 0 ? "k" : "other");
            await orders.DecidedAsync(20, () => killed.Said);
            await killed.KillAsync();
        }

        Assert.Equal(10, (await orders.DecisionsAsync()).Count(decision => decision.GetProperty("outcome").GetString() == "hold"));
        await using CommandProcess processor = orders.Start("a");
        orders.Produce(20, 30, key: _ => "k");
        int[] ofKey = [];
        await Eventually.TrueAsync(
            async () => (ofKey = [.. (await orders.ReadAsync($"governed.{orders.Name}")).Where(record => record.Key == "k").Select(record => record.Json().GetProperty("n").GetInt32())]).Length == 19,
            s_deadline,
            () => processor.Said);

        // The hold itself nobody approved; what waited for it came after, in order.
        Assert.Single(await orders.DecisionsAsync("expired"));
        Assert.True((await orders.DecisionsAsync("released")).Count >= 9);
        Assert.Equal([.. Enumerable.Range(1, 9).Select(i => 2 * i), .. Enumerable.Range(20, 10)], ofKey);
        Assert.Equal(0, await processor.StopAsync());
    }

    [Fact]
    public async Task Run_Sealed_OpensForTheKeysOwnerAlone()
    {
        using OrdersCase orders = await OrdersCase.CreateAsync(
            await kafka.RequireAsync(), binding: ", seal: seal-key", rules: "  - { id: closed, when: value.amount > 0.0, deny: { reason: closed } }");
        await using CommandProcess processor = orders.Start("a");
        orders.Produce(0, 2);
        await orders.DecidedAsync(2, () => processor.Said);
        ConsumedRecord rejected = (await orders.ReadAsync($"rejected.{orders.Name}"))[0];
        Assert.DoesNotContain(Convert.ToHexStringLower("411111"u8), rejected.Value, StringComparison.Ordinal);
        string key = $"seal-key=file:{Path.Combine(orders.Folder, "seal.key")}";

        RunResult all = await Run.PolicyStreamsAsync("unseal", "--bootstrap", orders.Bootstrap, "--topic", $"rejected.{orders.Name}", "--key", key);
        string[] lines = all.Succeeded().Split('\n');
        Assert.Equal(2, lines.Length);
        JsonElement first = JsonDocument.Parse(lines[0]).RootElement;
        Assert.Contains("\"card\":\"4111111111111111\"", Encoding.UTF8.GetString(first.GetProperty("value_base64").GetBytesFromBase64()), StringComparison.Ordinal);
        Assert.Equal(("seal-key@1", "closed"), (first.GetProperty("sealed").GetString(), first.GetProperty("reason").GetString()));
        RunResult raw = await Run.PolicyStreamsAsync("unseal", "--bootstrap", orders.Bootstrap, "--topic", $"rejected.{orders.Name}", "--key", key, "--id", $"{orders.Raw}-0-1", "--raw");
        Assert.StartsWith("{\"n\":1,", raw.Succeeded(), StringComparison.Ordinal);
        RunResult other = await Run.PolicyStreamsAsync("unseal", "--bootstrap", orders.Bootstrap, "--topic", $"rejected.{orders.Name}", "--key", $"seal-key=file:{Path.Combine(orders.Folder, "hold.key")}");
        Assert.Equal((1, ""), (other.ExitCode, other.Output));
        Assert.Contains("cannot be opened", other.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_IngressMadeAnew_StopsWithAnAlarmAndGoesOnWhenToldTo()
    {
        using OrdersCase orders = await OrdersCase.CreateAsync(await kafka.RequireAsync());
        await using (CommandProcess processor = orders.Start("a"))
        {
            orders.Produce(0, 10);
            await orders.DecidedAsync(10, () => processor.Said);
            await orders.DeleteTopicAsync(orders.Raw);
            await Eventually.TrueAsync(() => Task.FromResult(processor.Said.Contains("the ingress topic is not there: it was deleted", StringComparison.Ordinal)), s_deadline, () => processor.Said);
            await Eventually.TrueAsync(async () => (await Run.PolicyStreamsAsync("topics", "apply", "--bootstrap", orders.Bootstrap, "--policies", orders.Policies)).ExitCode == 0, s_deadline, () => "the topic cannot be made anew");
            orders.Produce(10, 40);
            await Eventually.TrueAsync(() => Task.FromResult(processor.Said.Contains("deleted and made anew", StringComparison.Ordinal)), s_deadline, () => processor.Said);
            Assert.Equal(0, await processor.StopAsync());
        }

        Assert.Equal(10, (await orders.DecisionsAsync()).Count);
        await using CommandProcess told = orders.Start("a", "--adopt-offsets");
        await orders.DecidedAsync(40, () => told.Said);
        Assert.Single(await orders.DecisionsAsync("adopted"));
        Assert.Equal(0, await told.StopAsync());
    }

    [Fact]
    public async Task Run_TopicsWhosePartitionsDisagree_AreRefusedWithTheCommandThatMendsIt()
    {
        using OrdersCase orders = await OrdersCase.CreateAsync(await kafka.RequireAsync());
        using IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = orders.Bootstrap }).Build();
        await admin.CreatePartitionsAsync([new Confluent.Kafka.Admin.PartitionsSpecification { Topic = orders.Raw, IncreaseTo = 2 }]);

        await using CommandProcess refused = orders.Start("a");
        Assert.Equal(1, await refused.ExitAsync(s_deadline));
        Assert.All((string[])["governed", "held", "rejected", "state", "approvals", "decisions"], topic => Assert.Contains($"topic {topic}.{orders.Name}: has 1 partition and needs 2", refused.Said, StringComparison.Ordinal));
        Assert.Contains("help: policystreams topics apply", refused.Said, StringComparison.Ordinal);

        await orders.ApplyAsync();
        await using CommandProcess mended = orders.Start("a");
        orders.Produce(0, 3);
        await orders.DecidedAsync(3, () => mended.Said);
    }

    [Fact]
    public async Task Run_StateTopicThatIsNotCompacted_IsRefusedWithTheCommandThatMendsIt()
    {
        using OrdersCase orders = await OrdersCase.CreateAsync(await kafka.RequireAsync());
        await orders.ConfigureTopicAsync($"state.{orders.Name}", "cleanup.policy", "delete");
        await orders.ConfigureTopicAsync($"held.{orders.Name}", "cleanup.policy", "delete");

        await using CommandProcess refused = orders.Start("a");
        Assert.Equal(1, await refused.ExitAsync(s_deadline));
        Assert.Contains($"topic state.{orders.Name}: cleanup.policy is delete and must be compact", refused.Said, StringComparison.Ordinal);
        Assert.Contains($"topic held.{orders.Name}: cleanup.policy is delete and must be compact", refused.Said, StringComparison.Ordinal);
        Assert.Contains("help: policystreams topics apply", refused.Said, StringComparison.Ordinal);

        await orders.ApplyAsync();
        await using CommandProcess mended = orders.Start("a");
        orders.Produce(0, 3);
        await orders.DecidedAsync(3, () => mended.Said);
    }

    [Fact]
    public async Task Run_ATopicThatTakesSmallBatches_GetsNoneThatItRefuses()
    {
        using OrdersCase orders = await OrdersCase.CreateAsync(await kafka.RequireAsync());
        await orders.ConfigureTopicAsync($"governed.{orders.Name}", "max.message.bytes", "2000");
        orders.Produce(0, 500);
        await using CommandProcess processor = orders.Start("a");
        await orders.DecidedAsync(500, () => processor.Said);
        await orders.IsWholeAsync(500);
        Assert.Equal(0, await processor.StopAsync());

        Assert.DoesNotContain("refused", processor.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_HeadWrittenBySomebodyElse_StopsWithItsPosition()
    {
        using OrdersCase orders = await OrdersCase.CreateAsync(await kafka.RequireAsync());
        await using (CommandProcess processor = orders.Start("a"))
        {
            orders.Produce(0, 5);
            await orders.DecidedAsync(5, () => processor.Said);
            Assert.Equal(0, await processor.StopAsync());
        }

        using IProducer<string, string> producer = new ProducerBuilder<string, string>(new ProducerConfig { BootstrapServers = orders.Bootstrap }).Build();
        DeliveryResult<string, string> written = await producer.ProduceAsync($"state.{orders.Name}", new Message<string, string> { Key = "head", Value = """{"v":9}""" });
        await using CommandProcess stopped = orders.Start("a");
        await Eventually.TrueAsync(() => Task.FromResult(stopped.Said.Contains("is stopped", StringComparison.Ordinal)), s_deadline, () => stopped.Said);

        Assert.Contains($"the head at state.{orders.Name}-0-{written.Offset.Value} cannot be used: it was written by a newer version", stopped.Said, StringComparison.Ordinal);
        Assert.Contains("--adopt-offsets", stopped.Said, StringComparison.Ordinal);
        Assert.Equal(0, await stopped.StopAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Stop_WhileTheBrokerIsGone_EndsInBoundedTimeAndSaysHow(bool midTransaction)
    {
        await kafka.RequireAsync();
        string? script = TestEnvironment.Variable("POLICYSTREAMS_TEST_KAFKA");
        if (script is null || !File.Exists(script)) { TestEnvironment.SkipOrFail("A broker that may be killed: set POLICYSTREAMS_TEST_KAFKA to a start script."); }
        await using ScriptedService broker = await ScriptedService.StartAsync(script!, "kafka");
        using OrdersCase orders = await OrdersCase.CreateAsync(broker.Address);
        await using CommandProcess processor = orders.Start("a", "--commit-interval", midTransaction ? "5s" : "50ms");
        orders.Produce(0, 10);
        await orders.DecidedAsync(10, () => processor.Said);
        if (midTransaction) { orders.Produce(10, 20); }
        (await broker.ScriptAsync("kill", "1")).Succeeded();
        long start = Stopwatch.GetTimestamp();

        Assert.Equal(0, await processor.StopAsync());
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(20), processor.Said);
        Assert.Contains("Stopped", processor.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stop_WithAnOpenTransaction_CommitsIt()
    {
        using OrdersCase orders = await OrdersCase.CreateAsync(await kafka.RequireAsync());
        await using CommandProcess processor = orders.Start("a", "--commit-interval", "5s");
        orders.Produce(0, 10);
        await orders.DecidedAsync(10, () => processor.Said);
        orders.Produce(10, 20);

        // Read, and not committed: the next commit is seconds away.
        await Task.Delay(TimeSpan.FromMilliseconds(300), TestContext.Current.CancellationToken);
        Assert.Equal(0, await processor.StopAsync());
        int decided = (await orders.DecisionsAsync()).Count;
        Assert.Contains(decided, (int[])[10, 20]);
        await using CommandProcess next = orders.Start("a");
        await orders.DecidedAsync(20, () => next.Said);
        await orders.IsWholeAsync(20);
    }

    [Fact]
    public async Task Commit_ARecordThatWasNotDelivered_IsNeverTakenForSent()
    {
        using OrdersCase orders = await OrdersCase.CreateAsync(await kafka.RequireAsync());
        using TransactionalProducer producer = Producer(orders);
        producer.Initialize(s_deadline);
        producer.Begin();
        producer.Send(new OutputRecord { Topic = $"governed.{orders.Name}", Partition = 0, HasValue = true, Value = "kept"u8, TimestampMs = 1 });
        producer.Send(new OutputRecord { Topic = $"governed.{orders.Name}", Partition = 99, HasValue = true, Value = "lost"u8, TimestampMs = 1 });

        Assert.NotEqual(TransactionOutcome.Committed, producer.Commit([new TopicPartitionOffset(orders.Raw, 0, 5)], Metadata(orders)));
        Assert.Empty(await orders.ReadAsync($"governed.{orders.Name}"));
    }

    [Fact]
    public async Task Commit_WithMetadataOfAGenerationThatIsOver_IsFencedByTheGroup()
    {
        using OrdersCase orders = await OrdersCase.CreateAsync(await kafka.RequireAsync());
        using IConsumer<Ignore, Ignore> member = Member(orders);
        IConsumerGroupMetadata old = await JoinedAsync(member, orders);
        using IConsumer<Ignore, Ignore> other = Member(orders);
        int polls = 0;
        await Eventually.TrueAsync(
            () =>
            {
                member.Consume(TimeSpan.FromMilliseconds(50));
                other.Consume(TimeSpan.FromMilliseconds(50));
                return Task.FromResult(member.Assignment.Count + other.Assignment.Count == 1 && other.MemberId.Length > 0 && polls++ > 100);
            },
            s_deadline,
            () => "the group did not rebalance");
        using TransactionalProducer producer = Producer(orders);
        producer.Initialize(s_deadline);
        producer.Begin();
        producer.Send(new OutputRecord { Topic = $"governed.{orders.Name}", Partition = 0, HasValue = true, Value = "zombie"u8, TimestampMs = 1 });

        Assert.NotEqual(TransactionOutcome.Committed, producer.Commit([new TopicPartitionOffset(orders.Raw, 0, 5)], old));
        Assert.Empty(await orders.ReadAsync($"governed.{orders.Name}"));
    }

    private static TransactionalProducer Producer(OrdersCase orders) =>
        new(new KafkaClients(new ProcessorOptions { Bootstrap = orders.Bootstrap, Group = orders.Group }).Producer($"{orders.Group}/test/0"), _ => { }, CancellationToken.None);

    private static IConsumer<Ignore, Ignore> Member(OrdersCase orders)
    {
        IConsumer<Ignore, Ignore> consumer = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig { BootstrapServers = orders.Bootstrap, GroupId = orders.Group, EnableAutoCommit = false, AutoOffsetReset = AutoOffsetReset.Earliest }).Build();
        consumer.Subscribe(orders.Raw);
        return consumer;
    }

    private static IConsumerGroupMetadata Metadata(OrdersCase orders)
    {
        using IConsumer<Ignore, Ignore> member = Member(orders);
        return member.ConsumerGroupMetadata;
    }

    private static async Task<IConsumerGroupMetadata> JoinedAsync(IConsumer<Ignore, Ignore> member, OrdersCase orders)
    {
        await Eventually.TrueAsync(
            () =>
            {
                member.Consume(TimeSpan.FromMilliseconds(50));
                return Task.FromResult(member.Assignment.Count == 1);
            },
            s_deadline,
            () => $"nobody has {orders.Raw}");
        return member.ConsumerGroupMetadata;
    }
}
