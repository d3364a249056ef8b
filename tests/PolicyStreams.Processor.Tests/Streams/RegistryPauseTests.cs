using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Metrics;
using PolicyStreams.Processor.Policies;
using PolicyStreams.Processor.Streams;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Processor.Tests.Streams.Support;
using PolicyStreams.Processor.Tests.Topology;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Processor.Tests.Streams;

/// <summary>A registry that does not answer pauses the task that asks: it is no verdict, the others go on, and the group is not left.</summary>
public sealed class RegistryPauseTests : IAsyncLifetime
{
    private const string Policy = """
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: payments, owner: shop }
        bindings:
          - { name: payments, format: avro, subject: raw.payments-value, partitions: 2, identity: { topic: { id: shop, groups: [shop] } } }
        on_error: deny
        on_schema_mismatch: deny
        rules:
          - { id: card, mask: { tag: PAN, keep_last: 4 } }
        """;

    private readonly TestClock _clock = new();
    private readonly ScriptedCluster _cluster;
    private readonly Health _health = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("policystreams-registry-");
    private readonly OneSchema _registry = new();
    private StreamThread _thread = null!;

    public RegistryPauseTests() => _cluster = new ScriptedCluster(_clock);

    public async ValueTask InitializeAsync()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "payments.policy.yaml"), Policy, TestContext.Current.CancellationToken);
        var policies = new PolicyStore(_folder.FullName, new KeyRing(), _registry, _health, _clock, NullLogger.Instance);
        Assert.Empty(await policies.StartAsync(TestContext.Current.CancellationToken));
        var options = new ProcessorOptions { Bootstrap = "scripted", Policies = "-", Group = "g" };
        _thread = new StreamThread("g/slot/0", options, policies, TaskKeys.None, _health, new ProcessorMetrics(), _clock, NullLogger.Instance, CancellationToken.None, _cluster);
        _thread.Open();
        _cluster.Assign(Payments.Ingress, 0, 1);
        Turn(10);
    }

    public ValueTask DisposeAsync()
    {
        _thread.Dispose();
        _folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public void Record_WhoseSchemaCannotBeAskedFor_WaitsAlone_AndIsDecidedOnceTheRegistryAnswers()
    {
        _registry.IsDown = true;
        byte[] unknown = Payments.Value("later");
        unknown[4] = 8;
        _cluster.Append(Payments.Ingress, 0, null, unknown);
        _cluster.Append(Payments.Ingress, 0, null, Payments.Value("behind it"));
        _cluster.Append(Payments.Ingress, 1, null, Payments.Value("elsewhere"));
        Turn(30);
        Assert.Contains("waits for the schema registry", _health.Reasons["task raw.payments-0"], StringComparison.Ordinal);
        Assert.Empty(_cluster.Read("governed.payments"));
        Assert.Empty(_cluster.Read("rejected.payments"));
        Assert.Single(_cluster.Read("governed.payments", 1));
        Assert.Equal([new TopicPartition(Payments.Ingress, 0)], _cluster.Member.Paused);
        int polls = _cluster.Member.Consumed;
        Turn(10);
        Assert.True(_cluster.Member.Consumed >= polls + 10);
        Assert.Equal(2, _cluster.Member.Assignment.Count);

        _registry.IsDown = false;
        _clock.Advance(TimeSpan.FromMinutes(1));
        Turn(20);
        Assert.Equal(["later", "behind it"], _cluster.Read("governed.payments").Select(record => Payments.Read(record.Value!).GetProperty("id").GetString()));
        Assert.DoesNotContain("task raw.payments-0", _health.Reasons.Keys);
    }

    private void Turn(int times)
    {
        for (int i = 0; i < times; i++)
        {
            _thread.Step();
            _clock.Advance(TimeSpan.FromMilliseconds(60));
        }
    }

    /// <summary>The payments schema under two ids.</summary>
    private sealed class OneSchema : ISchemaRegistry
    {
        public bool IsDown { get; set; }

        public Task<RegistryAnswer<RegisteredSchema>> GetByIdAsync(int id, string? subject, CancellationToken cancellationToken) =>
            Task.FromResult(IsDown ? RegistryAnswer<RegisteredSchema>.Unreachable("nobody answers") : RegistryAnswer<RegisteredSchema>.Found(Schema(id, subject!)));

        public Task<RegistryAnswer<RegisteredSchema>> GetByGuidAsync(Guid guid, string? subject, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<RegistryAnswer<IReadOnlyList<RegisteredSchema>>> GetSubjectAsync(string subject, CancellationToken cancellationToken) =>
            Task.FromResult(RegistryAnswer<IReadOnlyList<RegisteredSchema>>.Found([Schema(Payments.SchemaId, subject)]));

        private static RegisteredSchema Schema(int id, string subject) => new() { Id = id, Version = id - Payments.SchemaId + 1, Text = Payments.SchemaText, Versions = [new SubjectVersion(subject, id - Payments.SchemaId + 1)] };
    }
}
