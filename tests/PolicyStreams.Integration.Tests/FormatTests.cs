using System.Globalization;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Integration.Tests;

/// <summary>Protobuf, and JSON with a JSON Schema, through the processor: schemas with references in a real registry, records written by hand, governed bytes looked at one by one.</summary>
public sealed class FormatTests(KafkaFixture kafka, RegistryFixture registry)
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Run_ProtobufWithAnImport_IsDecidedAndMasked()
    {
        const string person = """syntax = "proto3"; package shop; import "confluent/meta.proto"; message Person { string name = 1 [(confluent.field_meta) = { tags: ["PII"] }]; string country = 2; }""";
        const string order = """syntax = "proto3"; package shop; import "IMPORT"; message Order { string id = 1; Person buyer = 2; int64 cents = 3; }""";

        // Field 2 holds the buyer: its name (field 1), and a country (field 2).
        byte[] allowed = [0x0A, 3, .. "o-1"u8, 0x12, 9, 0x0A, 3, .. "Ada"u8, 0x12, 2, .. "DE"u8, 0x18, 7], denied = [0x0A, 3, .. "o-2"u8, 0x12, 9, 0x0A, 3, .. "Bob"u8, 0x12, 2, .. "KP"u8, 0x18, 7];
        byte[] masked = [0x0A, 3, .. "o-1"u8, 0x12, 7, 0x0A, 1, .. "*"u8, 0x12, 2, .. "DE"u8, 0x18, 7];
        await Check("protobuf", "PROTOBUF", "person.proto", person, order, [0, .. allowed], [0, .. denied], [0, .. masked], "format: protobuf, message: shop.Order");
    }

    [Fact]
    public async Task Run_JsonSchemaWithAReference_IsDecidedAndMasked()
    {
        const string person = """{"type":"object","required":["name"],"properties":{"name":{"type":"string","confluent:tags":["PII"]},"country":{"type":"string"}}}""";
        const string order = """{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","required":["buyer"],"properties":{"id":{"type":"string"},"buyer":{"$ref":"IMPORT"}}}""";
        await Check(
            "json", "JSON", "person.json", person, order, """{"id":"o-1", "buyer":{"name":"Ada","country":"DE"}}"""u8.ToArray(), """{"id":"o-2", "buyer":{"name":"Bob","country":"KP"}}"""u8.ToArray(),
            """{"id":"o-1", "buyer":{"name":"*","country":"DE"}}"""u8.ToArray(), "format: json");
    }

    private async Task Check(string format, string type, string import, string referenced, string schema, byte[] allowed, byte[] denied, byte[] masked, string binding)
    {
        using PaymentsCase payments = await PaymentsCase.CreateAsync(kafka, registry, text =>
        {
            string name = Regex.Match(text, "name: (payments[0-9a-f]+)").Groups[1].Value;
            return $$"""
                apiVersion: policystreams/v1
                kind: Policy
                metadata: { name: {{name}} }
                bindings:
                  - { name: {{name}}, {{binding}}, subject: {{name}}-{{format}}, topics: { decisions: decisions.{{name}} }, partitions: 1 }
                rules:
                  - { id: embargo, when: 'value.buyer != null && value.buyer.country == "KP"', deny: { reason: embargo } }
                  - { id: pii, mask: { tag: PII, constant: "*" } }
                """;
        });
        string reference = $"{payments.Name}/{import}";
        using var http = new HttpClient();
        await RegisterAsync(reference, referenced, []);
        int id = await RegisterAsync($"{payments.Name}-{format}", schema.Replace("IMPORT", reference, StringComparison.Ordinal), [new { name = reference, subject = reference, version = 1 }]);
        byte[] cut = allowed[..(allowed.Length - 4)];
        string file = Path.Combine(payments.Folder, "records.jsonl");
        await File.WriteAllLinesAsync(file, ((byte[][])[allowed, denied, cut]).Select(value => JsonSerializer.Serialize(new { key = "k", value = Convert.ToHexStringLower(value), frame = "subject", partition = 0, headers = new { } })), TestContext.Current.CancellationToken);
        await Clients.ProduceAsync(payments.Bootstrap, payments.Raw, file, id);
        await using ProcessorProcess processor = ProcessorProcess.Start(payments);
        await processor.DrainedAsync(s_deadline);

        ConsumedRecord governed = Assert.Single(await Clients.ConsumeAsync(payments.Bootstrap, payments.Governed));
        string frame = "00" + id.ToString("x8", CultureInfo.InvariantCulture);
        Assert.Equal(frame + Convert.ToHexStringLower(masked), governed.Value);
        IReadOnlyList<ConsumedRecord> rejected = await Clients.ConsumeAsync(payments.Bootstrap, payments.Rejected);
        Assert.Equal([frame + Convert.ToHexStringLower(denied), frame + Convert.ToHexStringLower(cut)], rejected.Select(record => record.Value));
        Assert.Equal(["embargo,pii", "ps:undecodable"], rejected.Select(record => record.Header("ps-rules")));

        async Task<int> RegisterAsync(string subject, string text, object[] references)
        {
            using var body = new StringContent(JsonSerializer.Serialize(new { schema = text, schemaType = type, references }), Encoding.UTF8, "application/vnd.schemaregistry.v1+json");
            using HttpResponseMessage answer = await http.PostAsync(new Uri($"{payments.Registry}/subjects/{Uri.EscapeDataString(subject)}/versions"), body, TestContext.Current.CancellationToken);
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
            return (await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken)).GetProperty("id").GetInt32();
        }
    }
}
