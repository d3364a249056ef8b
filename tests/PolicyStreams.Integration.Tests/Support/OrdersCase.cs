using System.Globalization;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace PolicyStreams.Integration.Tests.Support;

/// <summary>Orders in JSON without a schema, under names of one test's own: no registry, and records that the test writes itself.</summary>
internal sealed class OrdersCase : IDisposable
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(30);

    private OrdersCase(string bootstrap, int partitions, string binding, string rules)
    {
        Bootstrap = bootstrap;
        Name = "orders" + Convert.ToHexStringLower(Guid.NewGuid().ToByteArray().AsSpan(0, 4));
        Partitions = partitions;
        Folder = Directory.CreateTempSubdirectory("policystreams-orders-").FullName;
        Policies = Directory.CreateDirectory(Path.Combine(Folder, "policies")).FullName;
        File.WriteAllText(Path.Combine(Folder, "hold.key"), "hold-key-0123456789-0123456789-0123");
        File.WriteAllText(Path.Combine(Folder, "seal.key"), "seal-key-0123456789-0123456789-0123");
        File.WriteAllText(
            Path.Combine(Policies, "orders.policy.yaml"),
            $$"""
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: {{Name}}, owner: shop }
            bindings:
              - { name: {{Name}}, format: json, key_format: string, partitions: {{partitions}}, identity: { topic: { id: shop, groups: [shop] } }, topics: { decisions: {{Decisions}} }{{binding}} }
            on_error: deny
            on_schema_mismatch: deny
            rules:
            {{rules}}
            """);
    }

    public string Bootstrap { get; }

    public string Name { get; }

    public int Partitions { get; }

    public string Folder { get; }

    public string Policies { get; }

    public string Raw => $"raw.{Name}";

    public string Decisions => $"decisions.{Name}";

    public string Group => $"g-{Name}";

    public static async Task<OrdersCase> CreateAsync(string bootstrap, int partitions = 1, string binding = "", string rules = "  - { id: card, mask: { field: card, keep_last: 4 } }")
    {
        var made = new OrdersCase(bootstrap, partitions, binding, rules);
        await made.ApplyAsync();
        return made;
    }

    public async Task ApplyAsync() => (await Run.PolicyStreamsAsync("topics", "apply", "--bootstrap", Bootstrap, "--policies", Policies)).Succeeded();

    public CommandProcess Start(string instance, params string[] more) => new(
    [
        "run", "--bootstrap", Bootstrap, "--policies", Policies, "--group", Group, "--instance", instance, "--state-dir", Path.Combine(Folder, "state"),
        "--key", $"hold-key=file:{Path.Combine(Folder, "hold.key")}", "--hold-key", "hold-key", "--key", $"seal-key=file:{Path.Combine(Folder, "seal.key")}", .. more,
    ]);

    /// <summary>A file for <c>--kafka-config</c>.</summary>
    public string KafkaConfig(params string[] lines)
    {
        string file = Path.Combine(Folder, $"{Guid.NewGuid():N}.properties");
        File.WriteAllLines(file, lines);
        return file;
    }

    /// <summary>Writes orders <paramref name="from"/> up to <paramref name="to"/>, one key and partition each in turn.</summary>
    public void Produce(int from, int to, Func<int, string>? value = null, Func<int, string>? key = null)
    {
        using IProducer<string, byte[]> producer = new ProducerBuilder<string, byte[]>(new ProducerConfig { BootstrapServers = Bootstrap, EnableIdempotence = true }).Build();
        for (int i = from; i < to; i++)
        {
            string text = value?.Invoke(i) ?? string.Create(CultureInfo.InvariantCulture, $$"""{"n":{{i}},"amount":1,"card":"4111111111111111"}""");
            producer.Produce(new TopicPartition(Raw, i % Partitions), new Message<string, byte[]> { Key = key?.Invoke(i) ?? $"k{i % 7}", Value = Encoding.UTF8.GetBytes(text) });
        }

        producer.Flush(s_deadline);
    }

    public async Task<IReadOnlyList<ConsumedRecord>> ReadAsync(string topic) => await Clients.ConsumeAsync(Bootstrap, topic);

    public async Task<IReadOnlyList<JsonElement>> DecisionsAsync(string? @event = "decided") =>
        [.. (await ReadAsync(Decisions)).Select(record => record.Json()).Where(decision => @event is null || decision.GetProperty("event").GetString() == @event)];

    /// <summary>Every order from 0 on was decided exactly once, and governed exactly once in the order of its partition.</summary>
    public async Task IsWholeAsync(int orders)
    {
        IReadOnlyList<JsonElement> decided = await DecisionsAsync();
        Assert.Equal(orders, decided.Count);
        Assert.Equal(orders, decided.Select(decision => decision.GetProperty("id").GetString()).Distinct().Count());
        IReadOnlyList<ConsumedRecord> governed = await ReadAsync($"governed.{Name}");
        Assert.Equal(Enumerable.Range(0, orders), governed.Select(record => record.Json().GetProperty("n").GetInt32()).Order());
        foreach (IGrouping<int, ConsumedRecord> partition in governed.GroupBy(record => record.Partition))
        {
            int[] numbers = [.. partition.Select(record => record.Json().GetProperty("n").GetInt32())];
            Assert.Equal(numbers.Order(), numbers);
        }
    }

    public Task DecidedAsync(int count, Func<string> said) => Eventually.TrueAsync(async () => (await DecisionsAsync()).Count >= count, s_deadline * 2, said);

    public async Task ConfigureTopicAsync(string topic, string name, string value)
    {
        using IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Bootstrap }).Build();
        await admin.IncrementalAlterConfigsAsync(new Dictionary<ConfigResource, List<ConfigEntry>>
        {
            [new() { Type = ResourceType.Topic, Name = topic }] = [new() { Name = name, Value = value, IncrementalOperation = AlterConfigOpType.Set }],
        });
    }

    public async Task DeleteTopicAsync(string topic)
    {
        using IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Bootstrap }).Build();
        await admin.DeleteTopicsAsync([topic]);
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
