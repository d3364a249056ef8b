using System.Buffers.Binary;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Metrics;
using PolicyStreams.Processor.Policies;
using PolicyStreams.Processor.Testing;
using PolicyStreams.Processor.Tests.Topology;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Tests.Registry;

/// <summary>JSON Schemas of a registry, end to end but for the broker: references, framing, versions that come while it runs.</summary>
public sealed class JsonSchemaResolutionTests : IAsyncDisposable
{
    private const string Customer = """{"type":"object","required":["email"],"properties":{"email":{"type":"string","confluent:tags":["PII"]}}}""";

    private const string Order = """
        {"type":"object","required":["id","amount"],"additionalProperties":false,
         "properties":{"id":{"type":"string"},"amount":{"type":"integer","minimum":0},"customer":{"$ref":"customer.json"},"note":{"type":"string"}}}
        """;

    private const string Policy = """
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: orders, owner: tests }
        bindings:
          - { name: orders, format: json, subject: raw.orders-value }
        rules:
          - { id: large, when: value.amount > 9007199254740992, deny: { reason: too large } }
          - { id: pii, mask: { tag: PII, constant: "***" } }
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("ps-json-").FullName;
    private readonly HttpClient _http = new();
    private RegistryCase _registry = null!;
    private PolicyStore? _store;
    private TopologyDriver? _driver;

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        _driver?.Dispose();
        _store?.Dispose();
        _http.Dispose();
        if (_registry is not null) { await _registry.DisposeAsync(); }
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<int> RegisterAsync(string subject, string schema, object[]? references = null)
    {
        using HttpResponseMessage answer = await _http.PostAsJsonAsync($"{_registry.Url}/subjects/{subject}/versions", new { schema, schemaType = "JSON", references = references ?? [] }, Stopping);
        string text = await answer.Content.ReadAsStringAsync(Stopping);
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement.GetProperty("id").GetInt32();
    }

    private async Task<int> StartAsync()
    {
        _registry = await RegistryCase.StartAsync();
        await RegisterAsync("customer-value", Customer);
        int id = await RegisterAsync("raw.orders-value", Order, [new { name = "customer.json", subject = "customer-value", version = 1 }]);
        await File.WriteAllTextAsync(Path.Combine(_folder, "orders.policy.yaml"), Policy, Stopping);
        _store = new PolicyStore(_folder, new KeyRing(), _registry.Client, new Health(), TimeProvider.System, NullLogger.Instance, new ProcessorMetrics());
        IReadOnlyList<Diagnostic> said = await _store.StartAsync(Stopping);
        Assert.True(_store.Current is not null, string.Join('\n', said));
        _driver = new TopologyDriver(_store.Current.Policies.Single(), new TestClock()) { Registry = Resolve };
        return id;
    }

    private CompiledPolicy? Resolve(CompiledBinding binding, JudgeResult needed) =>
        Task.Run(() => _store!.ResolveAsync(binding, needed, Stopping)).GetAwaiter().GetResult() is null ? _store!.Current!.Policies.Single() : null;

    private static byte[] Framed(int id, string json)
    {
        byte[] value = [0, 0, 0, 0, 0, .. Encoding.UTF8.GetBytes(json)];
        BinaryPrimitives.WriteInt32BigEndian(value.AsSpan(1), id);
        return value;
    }

    [Fact]
    public async Task Pipe_RecordOfASchemaWithReferences_IsValidatedAndMasked()
    {
        int id = await StartAsync();
        _driver!.Pipe("raw.orders", "k"u8.ToArray(), Framed(id, """{"id":"o-1","amount":9007199254740992,"customer":{"email":"ada@example.com"}}"""));
        _driver.Pipe("raw.orders", "k"u8.ToArray(), Framed(id, """{"id":"o-2","amount":9007199254740993}"""));
        _driver.Pipe("raw.orders", "k"u8.ToArray(), Framed(id, """{"id":"o-3","amount":1,"customer":{"email":7}}"""));
        _driver.Pipe("raw.orders", "k"u8.ToArray(), Framed(id, """{"id":"o-4","amount":1,"secret":"s3cr3t"}"""));

        DriverRecord governed = Assert.Single(_driver.Read("governed.orders"));
        Assert.Equal(Framed(id, """{"id":"o-1","amount":9007199254740992,"customer":{"email":"***"}}"""), governed.Value);
        Assert.Equal(3, _driver.Read("rejected.orders").Count);
        JsonElement[] decisions = [.. _driver.Decisions()];
        Assert.Equal(["allow", "deny", "deny", "deny"], decisions.Select(decision => decision.GetProperty("outcome").GetString()));
        Assert.Equal("""["customer.email"]""", decisions[0].GetProperty("masked").GetRawText());
        Assert.Equal("""["large"]""", decisions[1].GetProperty("rules").GetRawText());
        Assert.Equal("""[{"rule":"ps:undecodable","code":"invalid"},{"rule":"ps:undecodable","code":"customer.json#/properties/email/type"}]""", decisions[2].GetProperty("errors").GetRawText());
        Assert.Equal("""[{"rule":"ps:undecodable","code":"invalid"},{"rule":"ps:undecodable","code":"#/additionalProperties"}]""", decisions[3].GetProperty("errors").GetRawText());
        Assert.DoesNotContain("s3cr3t", string.Concat(decisions.Select(decision => decision.GetRawText())), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", string.Concat(decisions.Select(decision => decision.GetRawText())), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pipe_VersionThatComesWhileItRuns_BringsItsTagsToAll()
    {
        int first = await StartAsync();
        object[] references = [new { name = "customer.json", subject = "customer-value", version = 1 }];
        int second = await RegisterAsync("raw.orders-value", Order.Replace("\"note\":{\"type\":\"string\"}", "\"note\":{\"type\":\"string\",\"tags\":[\"PII\"]}", StringComparison.Ordinal), references);
        _driver!.Pipe("raw.orders", "k"u8.ToArray(), Framed(second, """{"id":"o-1","amount":1,"note":"call Ada"}"""));
        _driver.Pipe("raw.orders", "k"u8.ToArray(), Framed(first, """{"id":"o-2","amount":1,"note":"call Ada"}"""));
        Assert.Equal(["""{"id":"o-1","amount":1,"note":"***"}""", """{"id":"o-2","amount":1,"note":"***"}"""], _driver.Read("governed.orders").Select(record => Encoding.UTF8.GetString(record.Value.AsSpan(5))));
    }

    [Fact]
    public async Task Pipe_VersionThatCannotBeUsed_DeniesItsRecordsAlone()
    {
        int first = await StartAsync();
        int second = await RegisterAsync("raw.orders-value", """{"type":"object","properties":{"id":{"pattern":"(?=x)y"}}}""");
        _driver!.Pipe("raw.orders", "k"u8.ToArray(), Framed(second, """{"id":"o-1"}"""));
        _driver.Pipe("raw.orders", "k"u8.ToArray(), Framed(first, """{"id":"o-2","amount":1}"""));
        JsonElement[] decisions = [.. _driver.Decisions()];
        Assert.Equal("""[{"rule":"ps:schema-not-admitted","code":"unusable-schema"}]""", decisions[0].GetProperty("errors").GetRawText());
        Assert.Equal("allow", decisions[1].GetProperty("outcome").GetString());
    }
}
