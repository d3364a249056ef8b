using System.Net.Http.Json;
using System.Text.Json;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Schemas.Tests;

/// <summary>What the client must find in any registry: the dev one and real ones. Subjects are the test's own.</summary>
internal static class RegistryScenario
{
    public static async Task RunAsync(string url, HttpClient http, bool guids)
    {
        string own = Guid.NewGuid().ToString("N")[..8];
        string address = $"address-{own}";
        string subject = $"raw.orders-{own}-value";
        string other = $"raw.others-{own}-value";
        string one = $$"""{"type":"record","name":"Address","namespace":"n{{own}}","fields":[{"name":"city","type":"string"}]}""";
        string two = $$"""{"type":"record","name":"Order","namespace":"n{{own}}","fields":[{"name":"to","type":"n{{own}}.Address"}]}""";
        string three = two[..^2] + ",{\"name\":\"n\",\"type\":\"long\",\"default\":0}]}";
        object[] references = [new { name = $"n{own}.Address", subject = address, version = 1 }];
        await Register(address, one, []);
        int first = await Register(subject, two, references);
        int second = await Register(subject, three, references);
        await Register(other, two, references);

        using var client = new RegistryClient(new RegistryClientOptions { Urls = [url] });
        RegistryAnswer<IReadOnlyList<RegisteredSchema>> versions = await client.GetSubjectAsync(subject, CancellationToken.None);
        Assert.Equal("", versions.Reason);
        Assert.Equal([(1, first), (2, second)], versions.Value!.Select(version => (version.Version, version.Id)));
        Assert.Equal("AVRO", versions.Value![0].Type);
        Assert.Equal($"n{own}.Address", Assert.Single(versions.Value![1].References).Name);

        RegisteredSchema byId = (await client.GetByIdAsync(second, subject, CancellationToken.None)).Value!;
        Assert.Equal(2, byId.Version);
        Assert.True(JsonElement.DeepEquals(JsonDocument.Parse(three).RootElement, JsonDocument.Parse(byId.Text).RootElement));
        Assert.Equal(1, (await client.GetByIdAsync(first, other, CancellationToken.None)).Value!.Version);
        RegisteredSchema foreign = (await client.GetByIdAsync(second, other, CancellationToken.None)).Value!;
        Assert.Equal(0, foreign.Version);
        Assert.Equal([new SubjectVersion(subject, 2)], foreign.Versions);

        Assert.Equal(RegistryAnswerKind.NotFound, (await client.GetByIdAsync(int.MaxValue, subject, CancellationToken.None)).Kind);
        Assert.Equal(RegistryAnswerKind.NotFound, (await client.GetSubjectAsync("none-" + own, CancellationToken.None)).Kind);
        Assert.Equal(2, (await client.GetVersionAsync(subject, null, CancellationToken.None)).Value!.Version);
        Assert.Equal(RegistryAnswerKind.NotFound, (await client.GetVersionAsync(subject, 9, CancellationToken.None)).Kind);
        Assert.Contains(subject, (await client.GetSubjectsAsync(CancellationToken.None)).Value!);
        Assert.Equal(RegistryAnswerKind.NotFound, (await client.GetByGuidAsync(Guid.NewGuid(), subject, CancellationToken.None)).Kind);
        if (guids) { Assert.Equal(second, (await client.GetByGuidAsync(byId.Guid!.Value, subject, CancellationToken.None)).Value!.Id); }
        await ProtobufAsync();
        await JsonSchemaAsync();
        Assert.Equal(0, client.Health.Conflicts);

        // A message of another file, which itself imports one, and what registries have built in.
        async Task ProtobufAsync()
        {
            string currency = $"syntax = \"proto3\"; package p{own}; message Currency {{ string code = 1; }}";
            string money = $"syntax = \"proto3\"; package p{own}; import \"shop/{own}/currency.proto\"; message Money {{ int64 units = 1; Currency currency = 2; }}";
            string order = $$"""
                syntax = "proto3";
                package p{{own}};
                import "confluent/meta.proto";
                import "google/protobuf/timestamp.proto";
                import "shop/{{own}}/money.proto";
                message Order {
                  string id = 1;
                  Money total = 2;
                  google.protobuf.Timestamp at = 3;
                  string name = 4 [(confluent.field_meta) = { tags: ["PII"] }];
                }
                """;
            string currencies = $"shop/{own}/currency.proto", moneys = $"shop/{own}/money.proto", orders = $"raw.protobuf-{own}-value";
            await Register(currencies, currency, [], "PROTOBUF");
            await Register(moneys, money, [new { name = currencies, subject = currencies, version = 1 }], "PROTOBUF");
            int id = await Register(orders, order, [new { name = moneys, subject = moneys, version = 1 }], "PROTOBUF");
            RegisteredSchema found = Assert.Single((await client.GetSubjectAsync(orders, CancellationToken.None)).Value!);
            Assert.Equal(("PROTOBUF", id, 1), (found.Type, found.Id, found.Version));
            Assert.Equal([currencies, moneys], found.References.Select(reference => reference.Name));
            RecordSchema schema = Parsed(found);
            Assert.Equal("PII", Assert.Single(schema.Type.Field("name")!.Tags));
            byte[] record = Encoded(schema, """{"id":"o-1","total":{"units":"3","currency":{"code":"EUR"}},"at":"2026-01-02T03:04:05Z","name":"Ada"}""");
            Assert.Equal(DecodeOutcome.Decoded, Parsed((await client.GetByIdAsync(id, orders, CancellationToken.None)).Value!).Decode(record, out object? plain));
            var total = (RecordValue)((RecordValue)plain!).Values[1]!;
            Assert.Equal("EUR", ((RecordValue)total.Values[1]!).Values[0]);
        }

        async Task JsonSchemaAsync()
        {
            string place = """{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","required":["city"],"properties":{"city":{"type":"string","minLength":2,"confluent:tags":["PII"]}}}""";
            string reading = """{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"at":{"$ref":"NAME"},"n":{"type":"integer"}}}""".Replace("NAME", $"place-{own}.json", StringComparison.Ordinal);
            string places = $"place-{own}", readings = $"raw.json-{own}-value";
            await Register(places, place, [], "JSON");
            int id = await Register(readings, reading, [new { name = $"place-{own}.json", subject = places, version = 1 }], "JSON");
            RegisteredSchema found = Assert.Single((await client.GetSubjectAsync(readings, CancellationToken.None)).Value!);
            Assert.Equal(("JSON", id, 1), (found.Type, found.Id, found.Version));
            Assert.Equal($"place-{own}.json", Assert.Single(found.References).Name);
            RecordSchema schema = Parsed((await client.GetByIdAsync(id, readings, CancellationToken.None)).Value!);
            Assert.Equal("PII", Assert.Single(schema.Type.Field("at")!.Type.Field("city")!.Tags));
            Assert.Equal(DecodeOutcome.Decoded, schema.Decode("""{"at":{"city":"Paris"},"n":1}"""u8, out _));
            Assert.Equal(DecodeOutcome.Invalid, schema.Decode("""{"at":{"city":"P"},"n":1}"""u8, out _));
        }

        static RecordSchema Parsed(RegisteredSchema schema) => SchemaParser.Parse(schema.Type, schema.Text, [.. schema.References.Select(reference => new SchemaReferenceText(reference.Name, reference.Text))]);

        static byte[] Encoded(RecordSchema schema, string json)
        {
            var bytes = new ByteBuffer();
            schema.EncodeJson(JsonDocument.Parse(json).RootElement, bytes);
            return bytes.Written.ToArray();
        }

        Task<int> Register(string name, string schema, object[] refs, string type = "AVRO") => RegisterAsync(url, http, name, schema, refs, type);
    }

    /// <summary>Registers a schema; its id.</summary>
    public static async Task<int> RegisterAsync(string url, HttpClient http, string subject, string schema, object[] references, string type = "AVRO")
    {
        using HttpResponseMessage response = await http.PostAsJsonAsync($"{url}/subjects/{Uri.EscapeDataString(subject)}/versions", new { schema, schemaType = type, references });
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement.GetProperty("id").GetInt32();
    }
}
