using System.Buffers.Binary;
using System.Net.Http.Json;
using System.Text.Json;
using PolicyStreams.Processor.Policies;
using PolicyStreams.Processor.Testing;
using PolicyStreams.Processor.Tests.Topology;
using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Protobuf;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Processor.Tests.Registry;

/// <summary>Protobuf from a registry to governed records: references, message indexes, versions, and compatibility.</summary>
public sealed class ProtobufRegistryTests
{
    private const string Money = "syntax = \"proto3\"; package common; message Money { string currency = 1; int64 units = 2; }";

    private const string Order = """
        syntax = "proto3";
        package shop;
        import "common/money.proto";
        import "confluent/meta.proto";
        message Envelope { string trace = 1; }
        message Order { string id = 1; common.Money total = 2; string card = 3 [(confluent.field_meta).tags = "PAN"]; }
        """;

    private const string Policy = """
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: orders, owner: tests }
        bindings:
          - { name: orders, format: protobuf, message: shop.Order, identity: { topic: { id: shop } } }
        rules:
          - { id: card, mask: { tag: PAN, keep_last: 4 } }
          - { id: large, when: value.total != null && value.total.units > 1000, deny: { reason: large } }
        """;

    [Fact]
    public async Task Pipe_RecordsOfARegisteredSchema_AreJudgedAndMasked()
    {
        await using DevRegistry dev = await DevRegistry.StartAsync(new DevRegistryOptions(), TestContext.Current.CancellationToken);
        using var http = new HttpClient();
        await RegisterAsync(http, dev.Url, "common.money", Money);
        int id = await RegisterAsync(http, dev.Url, "raw.orders-value", Order, ("common/money.proto", "common.money"));
        using var client = new RegistryClient(RegistryCase.Options([dev.Url]));
        using var driver = new TopologyDriver(await CompileAsync(client), new TestClock(), new DriverKeys(Payments.AuditKey));

        driver.Pipe("raw.orders", null, Framed(id, [2, 2], """{"id":"o-1","total":{"currency":"EUR","units":12},"card":"4111111111111111"}"""));
        driver.Pipe("raw.orders", null, Framed(id, [2, 2], """{"id":"o-2","total":{"units":"2000"}}"""));
        driver.Pipe("raw.orders", null, Framed(id, [0], """{}"""));
        driver.Pipe("raw.orders", null, [.. Framed(id, [2, 2], """{}"""), 0xA0, 0x06, 0x01]);

        DriverRecord governed = Assert.Single(driver.Read("governed.orders"));
        Assert.Equal(Framed(id, [2, 2], """{"id":"o-1","total":{"currency":"EUR","units":12},"card":"************1111"}"""), governed.Value);
        Assert.Equal(["allow", "deny", "deny", "deny"], driver.Decisions().Select(decision => decision.GetProperty("outcome").GetString()));
        Assert.Equal(["card"], driver.Decisions()[0].GetProperty("masked").EnumerateArray().Select(path => path.GetString()));
        Assert.Equal(["large"], driver.Decisions()[1].GetProperty("rules").EnumerateArray().Select(rule => rule.GetString()));
        Assert.Equal(["record-name", "unknown-field"], driver.Decisions().Skip(2).Select(decision => decision.GetProperty("errors")[0].GetProperty("code").GetString()));
        Assert.Equal(3, driver.Read("rejected.orders").Count);
    }

    [Fact]
    public async Task Load_ImportThatIsNoReference_SaysWhere()
    {
        await using DevRegistry dev = await DevRegistry.StartAsync(new DevRegistryOptions(), TestContext.Current.CancellationToken);
        using var http = new HttpClient();
        using HttpResponseMessage answer = await PostAsync(http, dev.Url, "raw.orders-value", Order);
        string text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Equal(422, (int)answer.StatusCode);
        Assert.Contains("3:8: import `common/money.proto` is not among the schema's references", JsonDocument.Parse(text).RootElement.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("syntax = \"proto3\"; message P { string a = 1; int64 n = 2; }", true)]                               // A type that lies alike, and a new field.
    [InlineData("syntax = \"proto3\"; message P { string b = 1; uint32 n = 2; }", true)]                              // Another name.
    [InlineData("syntax = \"proto3\"; message P { int32 a = 1; int32 n = 2; }", false)]
    [InlineData("syntax = \"proto3\"; message Q { string a = 1; int32 n = 2; }", false)]
    [InlineData("syntax = \"proto2\"; message P { required string a = 1; optional int32 n = 2; }", false)]
    [InlineData("syntax = \"proto3\"; message P { oneof o { string a = 1; int32 n = 2; } }", false)]
    public async Task Register_AgainstAnEarlierVersion_ChecksCompatibility(string next, bool compatible)
    {
        await using DevRegistry dev = await DevRegistry.StartAsync(new DevRegistryOptions { Compatibility = "BACKWARD" }, TestContext.Current.CancellationToken);
        using var http = new HttpClient();
        await RegisterAsync(http, dev.Url, "s", "syntax = \"proto3\"; message P { string a = 1; int32 n = 2; }");
        using HttpResponseMessage answer = await PostAsync(http, dev.Url, "s", next);
        Assert.Equal(compatible ? 200 : 409, (int)answer.StatusCode);
    }

    private static async Task<CompiledPolicy> CompileAsync(RegistryClient client)
    {
        PolicyDocument document = PolicySet.Load([new PolicyFile("orders.policy.yaml", Policy)]).Set!.Policies[0];
        var said = new List<Diagnostic>();
        SubjectLoad load = await new SubjectLoader(client).LoadAsync(document, said, TestContext.Current.CancellationToken);
        Assert.True(load.Subjects is not null, string.Join('\n', said));
        CompiledPolicy? policy = CompiledPolicy.Compile(document, load.Subjects, new KeyRing(), said);
        Assert.True(policy is not null && said.Count == 0, string.Join('\n', said));
        return policy;
    }

    private static byte[] Framed(int id, byte[] indexes, string json)
    {
        var schema = ProtobufSchema.Parse(Order, [new SchemaReferenceText("common/money.proto", Money)]);
        var output = new ByteBuffer();
        schema.ForRecord(indexes.Length == 1 ? "shop.Envelope" : "shop.Order").EncodeJson(JsonDocument.Parse(json).RootElement, output);
        byte[] prefix = new byte[5];
        BinaryPrimitives.WriteInt32BigEndian(prefix.AsSpan(1), id);
        return [.. prefix, .. indexes, .. output.Written];
    }

    private static Task<HttpResponseMessage> PostAsync(HttpClient http, string url, string subject, string schema, params (string Name, string Subject)[] references) =>
        http.PostAsJsonAsync($"{url}/subjects/{subject}/versions", new { schemaType = "PROTOBUF", schema, references = references.Select(one => new { name = one.Name, subject = one.Subject, version = 1 }) }, TestContext.Current.CancellationToken);

    private static async Task<int> RegisterAsync(HttpClient http, string url, string subject, string schema, params (string Name, string Subject)[] references)
    {
        using HttpResponseMessage answer = await PostAsync(http, url, subject, schema, references);
        string text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement.GetProperty("id").GetInt32();
    }
}
