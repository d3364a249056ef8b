using System.Net;
using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Schemas.Tests;

public class DevRegistryTests
{
    private const string V1 = """{"type":"record","name":"P","fields":[{"name":"a","type":"string"}]}""";
    private const string V2 = """{"type":"record","name":"P","fields":[{"name":"a","type":"string"},{"name":"b","type":["null","int"],"default":null}]}""";
    private const string V2Required = """{"type":"record","name":"P","fields":[{"name":"a","type":"string"},{"name":"b","type":"int"}]}""";
    private const string Retyped = """{"type":"record","name":"P","fields":[{"name":"a","type":"int"}]}""";

    [Fact]
    public async Task Register_SameSchemaAgain_GivesTheSameIdAndVersion()
    {
        await using DevRegistry registry = await DevRegistry.StartAsync(new DevRegistryOptions());
        using var http = new Http(registry);
        Answer first = await http.Register("s", V1);
        Answer again = await http.Register("s", V1.Replace(":", " : ", StringComparison.Ordinal));
        Answer elsewhere = await http.Register("t", V1);
        Assert.Equal((200, 1, 1), (first.Status, first.Int("id"), first.Int("version")));
        Assert.Equal((200, 1, 1), (again.Status, again.Int("id"), again.Int("version")));
        Assert.Equal(1, elsewhere.Int("id"));
        Assert.Equal("""[{"subject":"s","version":1},{"subject":"t","version":1}]""", (await http.Get("/schemas/ids/1/versions")).Text);
        Assert.Equal("""["s","t"]""", (await http.Get("/schemas/ids/1/subjects")).Text);
        Assert.Equal("application/vnd.schemaregistry.v1+json", first.ContentType);
    }

    [Fact]
    public async Task Get_WhatWasRegistered_IsGivenBack()
    {
        await using DevRegistry registry = await DevRegistry.StartAsync(new DevRegistryOptions());
        using var http = new Http(registry);
        await http.Register("s", V1);
        await http.Register("s", V2);
        Assert.Equal(V1, (await http.Get("/schemas/ids/1")).Str("schema"));
        Assert.Equal(V2, (await http.Get("/schemas/ids/2/schema")).Text);
        Assert.Equal("[1,2]", (await http.Get("/subjects/s/versions")).Text);
        Assert.Equal((2, 2, "s"), ((await http.Get("/subjects/s/versions/latest")).Int("id"), (await http.Get("/subjects/s/versions/-1")).Int("version"), (await http.Get("/subjects/s/versions/2")).Str("subject")));
        Assert.Equal(V1, (await http.Get("/subjects/s/versions/1/schema")).Text);
        string guid = (await http.Get("/schemas/ids/1")).Str("guid");
        Assert.Equal(V1, (await http.Get($"/schemas/guids/{guid}")).Str("schema"));
        Assert.Equal("""[{"context":".","id":1}]""", (await http.Get($"/schemas/guids/{guid}/ids")).Text);
        Assert.Equal("""["s"]""", (await http.Get("/subjects")).Text);
        Assert.Equal("""["JSON","PROTOBUF","AVRO"]""", (await http.Get("/schemas/types")).Text);
        Assert.Equal("{}", (await http.Get("/")).Text);
        Assert.Equal(2, (await http.Get("/schemas/ids/1?fetchMaxId=true")).Int("maxId"));
    }

    [Theory]
    [InlineData("GET", "/subjects/none/versions", "", 404, 40401)]
    [InlineData("GET", "/subjects/none/versions/1", "", 404, 40401)]
    [InlineData("GET", "/subjects/s/versions/9", "", 404, 40402)]
    [InlineData("GET", "/subjects/s/versions/zero", "", 422, 42202)]
    [InlineData("GET", "/schemas/ids/99", "", 404, 40403)]
    [InlineData("GET", "/schemas/ids/x", "", 404, 40403)]
    [InlineData("GET", "/schemas/ids/99/versions", "", 404, 40403)]
    [InlineData("GET", "/schemas/guids/01020304-0506-0708-090a-0b0c0d0e0f10", "", 404, 40403)]
    [InlineData("GET", "/nothing/here", "", 404, 404)]
    [InlineData("GET", "/config/s", "", 404, 40408)]
    [InlineData("POST", "/subjects/none", "{\"schema\":\"{}\"}", 404, 40401)]
    [InlineData("POST", "/subjects/s", "{\"schema\":\"\\\"long\\\"\"}", 404, 40403)]
    [InlineData("POST", "/subjects/s/versions", "{\"schema\":\"{\"}", 422, 42201)]
    [InlineData("POST", "/subjects/s/versions", "{\"schema\":\"{\\\"type\\\":\\\"nonsense\\\"}\"}", 422, 42201)]
    [InlineData("POST", "/subjects/s/versions", "{\"schema\":\"{}\",\"schemaType\":\"XML\"}", 422, 42201)]
    [InlineData("POST", "/subjects/s/versions", "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"Q\\\",\\\"fields\\\":[]}\",\"references\":[{\"name\":\"x\",\"subject\":\"gone\",\"version\":1}]}", 422, 42201)]
    [InlineData("POST", "/subjects/s/versions", "{\"schema\":\"\\\"\\\\ud800\\\"\"}", 422, 42201)]
    [InlineData("POST", "/subjects/s/versions", "{\"schema\":\"\\ud800\"}", 422, 42201)]
    [InlineData("POST", "/subjects/s/versions", "{\"schema\":7}", 422, 42201)]
    [InlineData("POST", "/subjects/s/versions", "[]", 422, 42201)]
    [InlineData("POST", "/subjects/s/versions", "nonsense", 400, 400)]
    [InlineData("POST", "/subjects/:.eu:s/versions", "{\"schema\":\"\\\"int\\\"\"}", 422, 42201)]
    [InlineData("PUT", "/config", "{\"compatibility\":\"SIDEWARD\"}", 422, 42203)]
    [InlineData("POST", "/subjects/s/versions", "{\"schema\":\"\\\"int\\\"\",\"metadata\":{\"tags\":{\"a\":[\"\\ud800\"]}}}", 422, 42201)]
    [InlineData("PUT", "/config", "{\"compatibility\":\"\\ud800\"}", 422, 42201)]
    [InlineData("PUT", "/config", "{}", 422, 42203)]
    [InlineData("DELETE", "/subjects/none", "", 404, 40401)]
    public async Task Request_Wrong_IsRefusedWithConfluentsCode(string method, string path, string body, int status, int code)
    {
        await using DevRegistry registry = await DevRegistry.StartAsync(new DevRegistryOptions());
        using var http = new Http(registry);
        await http.Register("s", V1);
        Answer answer = await http.Send(method, path, body);
        Assert.Equal((status, code), (answer.Status, answer.Int("error_code")));
        Assert.NotEqual("", answer.Str("message"));
    }

    [Fact]
    public async Task Register_BodyTooLarge_IsRefused()
    {
        await using DevRegistry registry = await DevRegistry.StartAsync(new DevRegistryOptions { BodyBytesMax = 1000 });
        using var http = new Http(registry);
        Answer answer = await http.Register("s", "\"" + new string('x', 2000) + "\"");
        Assert.Equal(413, answer.Status);
        Assert.Equal(200, (await http.Get("/subjects")).Status);
    }

    [Fact]
    public async Task Register_MoreThanItKeeps_IsRefused()
    {
        await using DevRegistry registry = await DevRegistry.StartAsync(new DevRegistryOptions { SchemasMax = 1, Compatibility = "NONE" });
        using var http = new Http(registry);
        Assert.Equal(200, (await http.Register("s", V1)).Status);
        Assert.Equal(507, (await http.Register("s", V2)).Status);
        Assert.Equal(200, (await http.Register("s", V1)).Status);
    }

    [Theory]
    [InlineData("NONE", V1, Retyped, 200)]
    [InlineData("BACKWARD", V1, V2, 200)]
    [InlineData("BACKWARD", V1, Retyped, 409)]
    [InlineData("FORWARD", V1, Retyped, 409)]
    [InlineData("FULL", V1, V2, 200)]
    [InlineData("FULL", V1, Retyped, 409)]
    [InlineData("BACKWARD", V1, V2Required, 409)]
    [InlineData("FORWARD", V1, V2Required, 200)]
    [InlineData("FULL", V1, V2Required, 409)]
    [InlineData("BACKWARD", V2Required, V1, 200)]
    [InlineData("FORWARD", V2Required, V1, 409)]
    [InlineData("FULL", V2Required, V1, 409)]
    public async Task Register_ByLevel_IsTakenOrRefused(string level, string first, string second, int status)
    {
        await using DevRegistry registry = await DevRegistry.StartAsync(new DevRegistryOptions { Compatibility = level });
        using var http = new Http(registry);
        await http.Register("s", first);
        Answer answer = await http.Register("s", second);
        Assert.Equal(status, answer.Status);
        if (status == 409) { Assert.Equal(409, answer.Int("error_code")); }

        Answer checkedFirst = await http.Send("POST", "/compatibility/subjects/s/versions/1?verbose=true", Body(second));
        Assert.Equal(status == 200, checkedFirst.Json.GetProperty("is_compatible").GetBoolean());
        Assert.Equal(status == 200, checkedFirst.Json.GetProperty("messages").GetArrayLength() == 0);
    }

    [Fact]
    public async Task Register_Transitive_ComparesWithEveryVersion()
    {
        // 1 to 2 drops `b` with a default; 2 to 3 brings `b` back as another type: each step is backward compatible, 1 to 3 is not.
        const string One = """{"type":"record","name":"P","fields":[{"name":"a","type":"string"},{"name":"b","type":"string","default":""}]}""";
        const string Three = """{"type":"record","name":"P","fields":[{"name":"a","type":"string"},{"name":"b","type":"int","default":0}]}""";
        await using DevRegistry registry = await DevRegistry.StartAsync(new DevRegistryOptions());
        using var http = new Http(registry);
        Assert.Equal(200, (await http.Register("s", One)).Status);
        Assert.Equal(200, (await http.Register("s", V1)).Status);
        Assert.Equal("{\"compatibility\":\"BACKWARD_TRANSITIVE\"}", (await http.Send("PUT", "/config/s", "{\"compatibility\":\"backward_transitive\"}")).Text);
        Assert.Equal(409, (await http.Register("s", Three)).Status);
        Assert.Equal("{\"is_compatible\":false}", (await http.Send("POST", "/compatibility/subjects/s/versions", Body(Three))).Text);
        Assert.Equal("BACKWARD_TRANSITIVE", (await http.Send("DELETE", "/config/s", "")).Json.GetString());
        Assert.Equal(200, (await http.Register("s", Three)).Status);
    }

    [Theory]
    [InlineData("BACKWARD_TRANSITIVE", "int", "long", 200)]
    [InlineData("BACKWARD_TRANSITIVE", "long", "int", 409)]
    [InlineData("FORWARD_TRANSITIVE", "int", "long", 409)]
    [InlineData("FORWARD_TRANSITIVE", "long", "int", 200)]
    [InlineData("FULL_TRANSITIVE", "int", "long", 409)]
    [InlineData("FULL_TRANSITIVE", "long", "int", 409)]
    public async Task Register_Transitive_LooksInItsDirection(string level, string first, string last, int status)
    {
        // `b` goes, and comes back as another type: every step is compatible both ways, the first and the last version only as an int is read as a long.
        string With(string type) => $$"""{"type":"record","name":"P","fields":[{"name":"a","type":"string"},{"name":"b","type":"{{type}}","default":0}]}""";
        await using DevRegistry registry = await DevRegistry.StartAsync(new DevRegistryOptions { Compatibility = level });
        using var http = new Http(registry);
        Assert.Equal(200, (await http.Register("s", With(first))).Status);
        Assert.Equal(200, (await http.Register("s", V1)).Status);
        Assert.Equal(status, (await http.Register("s", With(last))).Status);
        await http.Send("PUT", "/config/s", JsonSerializer.Serialize(new { compatibility = level.Replace("_TRANSITIVE", "", StringComparison.Ordinal) }));
        Assert.Equal(200, (await http.Register("s", With(last))).Status);
    }

    [Fact]
    public async Task Register_WithReference_IsResolved()
    {
        await using DevRegistry registry = await DevRegistry.StartAsync(new DevRegistryOptions());
        using var http = new Http(registry);
        await http.Register("b", """{"type":"record","name":"B","namespace":"x","fields":[]}""");
        Answer answer = await http.Send("POST", "/subjects/a/versions", JsonSerializer.Serialize(new
        {
            schema = """{"type":"record","name":"A","namespace":"x","fields":[{"name":"b","type":"x.B"}]}""",
            references = new[] { new { name = "x.B", subject = "b", version = 1 } },
        }));
        Assert.Equal(200, answer.Status);
        Assert.Equal("[2]", (await http.Get("/subjects/b/versions/1/referencedby")).Text);
        Assert.Equal(422, (await http.Send("DELETE", "/subjects/b", "")).Status);
    }

    [Fact]
    public async Task Delete_SoftThenHard_HidesThenForgets()
    {
        await using DevRegistry registry = await DevRegistry.StartAsync(new DevRegistryOptions());
        using var http = new Http(registry);
        await http.Register("s", V1);
        await http.Register("s", V2);
        Assert.Equal("1", (await http.Send("DELETE", "/subjects/s/versions/1", "")).Text);
        Assert.Equal("[2]", (await http.Get("/subjects/s/versions")).Text);
        Assert.Equal("[1,2]", (await http.Get("/subjects/s/versions?deleted=true")).Text);
        Assert.Equal("[]", (await http.Get("/schemas/ids/1/versions")).Text);
        Assert.Equal(200, (await http.Get("/schemas/ids/1")).Status);
        Assert.Equal("[2]", (await http.Send("DELETE", "/subjects/s", "")).Text);
        Assert.Equal("[]", (await http.Get("/subjects")).Text);
        Assert.Equal("[1,2]", (await http.Send("DELETE", "/subjects/s?permanent=true", "")).Text);
        Assert.Equal(404, (await http.Get("/subjects/s/versions?deleted=true")).Status);
    }

    [Fact]
    public async Task Start_Folder_RegistersFilesByNameInOrderOfVersion()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("policystreams-");
        try
        {
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "raw.payments-value.v2.avsc"), V2);
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "raw.payments-value.v1.avsc"), V1);
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "raw.clicks-value.json"), "{\"type\":\"object\"}");
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "README.md"), "not a schema");
            await using DevRegistry registry = await DevRegistry.StartAsync(new DevRegistryOptions { Folder = folder.FullName });
            using var http = new Http(registry);
            Assert.Equal("""["raw.clicks-value","raw.payments-value"]""", (await http.Get("/subjects")).Text);
            Assert.Equal(V2, (await http.Get("/subjects/raw.payments-value/versions/2")).Str("schema"));
            Assert.Equal("JSON", (await http.Get("/subjects/raw.clicks-value/versions/1")).Str("schemaType"));

            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "bad.avsc"), "{");
            SchemaException thrown = await Assert.ThrowsAsync<SchemaException>(() => DevRegistry.StartAsync(new DevRegistryOptions { Folder = folder.FullName }));
            Assert.Contains("bad.avsc", thrown.Message, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Start_Folder_WhatFilesReferToIsRegisteredFirst()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("policystreams-");
        try
        {
            folder.CreateSubdirectory("shop");
            await Write("raw.orders-value.proto", "syntax = \"proto3\"; import \"shop/money.proto\"; import \"zone.proto\"; message Order { shop.Money total = 1; Zone zone = 2; }");
            await Write("shop/money.proto", "syntax = \"proto3\"; package shop; import \"zone.proto\"; message Money { int64 units = 1; Zone zone = 2; }");
            await Write("zone.proto", "syntax = \"proto3\"; message Zone { string name = 1; }");
            await Write("raw.clicks-value.json", """{"$id":"https://example.com/schemas/click.json","properties":{"at":{"$ref":"shop/place.json"},"to":{"$ref":"https://example.com/schemas/shop/zone.json#/definitions/z"}}}""");
            await Write("shop/place.json", """{"type":"object","properties":{"zone":{"$ref":"zone.json#/definitions/z"}}}""");
            await Write("shop/zone.json", """{"definitions":{"z":{"type":"string"}}}""");
            await using DevRegistry registry = await DevRegistry.StartAsync(new DevRegistryOptions { Folder = folder.FullName });
            using var http = new Http(registry);
            Assert.Equal("""["raw.clicks-value","raw.orders-value","shop/money.proto","shop/place.json","shop/zone.json","zone"]""", (await http.Get("/subjects")).Text);
            using var client = new RegistryClient(new RegistryClientOptions { Urls = [registry.Url] });
            RegisteredSchema order = (await client.GetVersionAsync("raw.orders-value", null, CancellationToken.None)).Value!;
            Assert.Equal([("zone.proto", "zone"), ("shop/money.proto", "shop/money.proto")], order.References.Select(reference => (reference.Name, reference.Subject)));
            Parsed(order);
            RegisteredSchema click = (await client.GetVersionAsync("raw.clicks-value", null, CancellationToken.None)).Value!;
            RecordSchema clicks = Parsed(click);
            Assert.Equal(DecodeOutcome.Decoded, clicks.Decode("""{"at":{"zone":"EU"},"to":"US"}"""u8, out _));
            Assert.Equal(DecodeOutcome.Invalid, clicks.Decode("""{"at":{"zone":1}}"""u8, out _));
            Assert.Equal(DecodeOutcome.Invalid, clicks.Decode("""{"to":1}"""u8, out _));

            await Write("zone.proto", "syntax = \"proto3\"; import \"shop/money.proto\"; message Zone { string name = 1; }");
            SchemaException circle = await Assert.ThrowsAsync<SchemaException>(() => DevRegistry.StartAsync(new DevRegistryOptions { Folder = folder.FullName }));
            Assert.Contains("refer to one another", circle.Message, StringComparison.Ordinal);
            await Write("zone.proto", "syntax = \"proto3\"; import \"../secret.proto\"; message Zone { string name = 1; }");
            SchemaException outside = await Assert.ThrowsAsync<SchemaException>(() => DevRegistry.StartAsync(new DevRegistryOptions { Folder = folder.FullName }));
            Assert.Contains("../secret.proto", outside.Message, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        Task Write(string name, string text) => File.WriteAllTextAsync(Path.Combine(folder.FullName, name), text);

        static RecordSchema Parsed(RegisteredSchema schema) => SchemaParser.Parse(schema.Type, schema.Text, [.. schema.References.Select(reference => new SchemaReferenceText(reference.Name, reference.Text))]);
    }

    [Fact]
    public async Task Start_Folder_MissingFolderIsNamed()
    {
        SchemaException thrown = await Assert.ThrowsAsync<SchemaException>(() => DevRegistry.StartAsync(new DevRegistryOptions { Folder = "/no/such/folder" }));
        Assert.Contains("/no/such/folder", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Client_AgainstDevRegistry_FindsEverything()
    {
        await using DevRegistry registry = await DevRegistry.StartAsync(new DevRegistryOptions());
        using var http = new Http(registry);
        await RegistryScenario.RunAsync(registry.Url, http.Client, guids: true);
    }

    internal static string Body(string schema) => JsonSerializer.Serialize(new { schema });

    internal sealed record Answer(int Status, string Text, string ContentType)
    {
        public JsonElement Json => JsonDocument.Parse(Text).RootElement;

        public int Int(string name) => Json.GetProperty(name).GetInt32();

        public string Str(string name) => Json.GetProperty(name).GetString()!;
    }

    internal sealed class Http(DevRegistry registry) : IDisposable
    {
        public HttpClient Client { get; } = new();

        public Task<Answer> Get(string path) => Send("GET", path, "");

        public Task<Answer> Register(string subject, string schema) => Send("POST", $"/subjects/{subject}/versions", Body(schema));

        public async Task<Answer> Send(string method, string path, string body)
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), registry.Url + path);
            if (body.Length > 0) { request.Content = new StringContent(body, Encoding.UTF8, "application/vnd.schemaregistry.v1+json"); }
            using HttpResponseMessage response = await Client.SendAsync(request);
            return new Answer((int)response.StatusCode, await response.Content.ReadAsStringAsync(), response.Content.Headers.ContentType?.MediaType ?? "");
        }

        public void Dispose() => Client.Dispose();
    }
}
