using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using PolicyStreams.Processor.Policies;
using PolicyStreams.Processor.Testing;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Registry;
using PolicyStreams.Schemas.Tests;

namespace PolicyStreams.Processor.Tests.Registry;

public sealed class SchemaResolutionTests
{
    private static readonly object Record = new { id = "p-1", note = "n", card = "4111111111111111" };

    [Fact]
    public async Task NewVersion_WithANewTag_MasksRecordsOfEarlierVersionsFromThenOn()
    {
        await using RegistryCase world = await RegistryCase.StartAsync();
        int first = await Both(world);
        await world.LoadAsync();
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(RegistryCase.Schema, first, Record));

        string tagged = RegistryCase.Schema.Replace("\"note\",\"type\":\"string\"", "\"note\",\"type\":\"string\",\"confluent:tags\":[\"PAN\"]", StringComparison.Ordinal);
        int second = await world.RegisterAsync("raw.payments-value", tagged);
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(tagged, second, Record));
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(RegistryCase.Schema, first, Record));

        IReadOnlyList<DriverRecord> governed = world.Driver.Read("governed.payments");
        Assert.Equal(["n", "*", "*"], governed.Select(record => RegistryCase.Read(RegistryCase.Schema, record.Value!).GetProperty("note").GetString()));
        Assert.Equal(["allow", "allow", "allow"], world.Driver.Decisions().Select(decision => decision.GetProperty("outcome").GetString()));
        Assert.Equal(2, world.Driver.Decisions("policy").Count);
        Assert.Contains("105 Information: Subject raw.payments-value has new version(s) 2", world.Log, StringComparison.Ordinal);

        // The other binding's subject has nothing new: its policy is the one it was.
        Assert.Single(world.PolicyOf("orders").SchemaIds["orders"]);
    }

    [Fact]
    public async Task Refresh_FindsATagBeforeTheFirstRecordThatBringsIt()
    {
        await using RegistryCase world = await RegistryCase.StartAsync();
        int first = await Both(world);
        await world.LoadAsync();
        CompiledPolicy before = world.PolicyOf("payments");
        await world.Store.RefreshAsync(TestContext.Current.CancellationToken);
        Assert.Same(before, world.PolicyOf("payments"));

        await world.RegisterAsync("raw.payments-value", RegistryCase.Schema.Replace("\"note\",\"type\":\"string\"", "\"note\",\"type\":\"string\",\"confluent:tags\":[\"PAN\"]", StringComparison.Ordinal));
        await world.Store.RefreshAsync(TestContext.Current.CancellationToken);
        world.Driver.UsePolicy(world.PolicyOf("payments"));
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(RegistryCase.Schema, first, Record));

        Assert.Equal("*", RegistryCase.Read(RegistryCase.Schema, world.Driver.Read("governed.payments")[0].Value!).GetProperty("note").GetString());
    }

    [Fact]
    public async Task Restart_AfterAVersionLostAMaskedField_ChangesNoDecision_AndSaysSo()
    {
        await using RegistryCase world = await RegistryCase.StartAsync();
        await Both(world);
        await world.LoadAsync(orders: false);
        string later = RegistryCase.Schema.Replace("\"name\":\"card\"", "\"name\":\"pan\"", StringComparison.Ordinal).Replace(",\"confluent:tags\":[\"PAN\"]", "", StringComparison.Ordinal);
        int second = await world.RegisterAsync("raw.payments-value", later);
        byte[] record = RegistryCase.Encode(later, second, new { id = "p-1", note = "n", pan = "4111111111111111" });
        for (int start = 0; start < 2; start++)
        {
            if (start == 1) { await world.LoadAsync(orders: false); }
            world.Driver.Pipe(RegistryCase.Payments, null, record);
            JsonElement decision = Assert.Single(world.Driver.Decisions());
            Assert.Equal(("deny", "ps:schema-mismatch", "card"), (decision.GetProperty("outcome").GetString(), decision.GetProperty("errors")[0].GetProperty("rule").GetString(), decision.GetProperty("errors")[0].GetProperty("code").GetString()));
            Assert.Empty(world.Driver.Read("governed.payments"));
        }

        Assert.Matches("108 Warning: Policy in force: .*payments.policy.yaml:5:.*: PS0307 warning: version 2 of subject `raw.payments-value`: `card` is masked, and not in this schema since version 2, which brought `pan` without a tag or mask", world.Log);
    }

    [Fact]
    public async Task Reload_OfAPolicyWithWarnings_LogsThem()
    {
        await using RegistryCase world = await RegistryCase.StartAsync();
        await Both(world);
        await world.LoadAsync(orders: false);
        await world.RegisterAsync("raw.payments-value", """{"type":"record","name":"Payment","namespace":"shop","fields":[{"name":"id","type":"string"}]}""");
        Assert.DoesNotContain("108 Warning", world.Log, StringComparison.Ordinal);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        Task watching = world.Store.WatchAsync(stopping.Token);
        await world.ChangeAsync("  - { id: pan, mask: { tag: PAN, redact: true } }");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!world.Log.Contains("108 Warning", StringComparison.Ordinal)) { await Task.Delay(20, patience.Token); }
        await stopping.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watching);

        Assert.Contains("PS0307 warning: version 2 of subject `raw.payments-value`, which is checked: `card` is masked, and gone since version 2", world.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RegistryDown_TheTaskThatNeedsItWaits_AndGoesOnWhenItIsBack()
    {
        await using RegistryCase world = await RegistryCase.StartAsync();
        int first = await Both(world);
        await world.LoadAsync();
        string later = RegistryCase.Schema.Replace("{\"name\":\"id\"", "{\"name\":\"more\",\"type\":\"int\",\"default\":0},{\"name\":\"id\"", StringComparison.Ordinal);
        int second = first + 1;
        await world.StopAsync();

        // Partition 0 needs a schema that nobody knows; partition 1 does not.
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(later, second, new { more = 1, id = "p-2", note = "n", card = "4111111111111111" }));
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(RegistryCase.Schema, first, Record));
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(RegistryCase.Schema, first, Record), partition: 1);
        Assert.Equal([(RegistryCase.Payments, 0)], world.Driver.Waiting);
        Assert.Contains("could not be reached", world.LastWhy, StringComparison.Ordinal);
        Assert.Equal([1], world.Driver.Read("governed.payments").Select(record => record.Partition));
        Assert.Empty(world.Driver.Read("rejected.payments"));

        await world.RestartAsync();
        Assert.Equal(first, await Both(world));
        Assert.Equal(second, await world.RegisterAsync("raw.payments-value", later));
        world.Driver.Redeliver();
        Assert.Empty(world.Driver.Waiting);
        Assert.Equal([1, 0, 0], world.Driver.Read("governed.payments").Select(record => record.Partition));
        Assert.Equal([1L, 2L], world.Driver.Decisions().Where(decision => decision.GetProperty("id").GetString()!.StartsWith("raw.payments-0-", StringComparison.Ordinal)).Select(decision => decision.GetProperty("seq").GetInt64() - 1));
    }

    [Fact]
    public async Task RegistryMadeAnewWithAnotherSchemaUnderAKnownId_IsRefusedAndAlarmed()
    {
        await using RegistryCase world = await RegistryCase.StartAsync();
        int first = await Both(world);
        await world.LoadAsync();
        await world.StopAsync();
        await world.RestartAsync();

        // The same id stands for a schema without the tag: who reads by it goes out unmasked.
        string bare = RegistryCase.Schema.Replace(",\"confluent:tags\":[\"PAN\"]", "", StringComparison.Ordinal);
        Assert.Equal(first, await world.RegisterAsync("raw.payments-value", bare));
        await world.Store.RefreshAsync(TestContext.Current.CancellationToken);

        Assert.Contains("another schema for id", world.Health.Reasons["registry"], StringComparison.Ordinal);
        Assert.Contains("104 Error: Schema registry contradicts itself", world.Log, StringComparison.Ordinal);
        Assert.Contains("policystreams_runtime_events_total{event=\"registry_conflicts\"} 1", world.Metrics.Write(), StringComparison.Ordinal);
        Assert.True(world.Client.Health.Conflicts > 0);

        // What was known stays: records of the id are read, and masked, as before.
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(RegistryCase.Schema, first, Record));
        Assert.Equal("************1111", RegistryCase.Read(RegistryCase.Schema, world.Driver.Read("governed.payments")[0].Value!).GetProperty("card").GetString());

        // It is said once, and taken back once the registry says again what it said before.
        await world.Store.RefreshAsync(TestContext.Current.CancellationToken);
        Assert.Contains("policystreams_runtime_events_total{event=\"registry_conflicts\"} 1", world.Metrics.Write(), StringComparison.Ordinal);
        await world.StopAsync();
        await world.RestartAsync();
        await Both(world);
        await world.Store.RefreshAsync(TestContext.Current.CancellationToken);
        Assert.False(world.Health.Reasons.ContainsKey("registry"));
    }

    [Fact]
    public async Task SecondUrlThatSaysOtherwise_IsRefusedAndAlarmed_AndTheTaskWaits()
    {
        string bare = RegistryCase.Schema.Replace(",\"confluent:tags\":[\"PAN\"]", "", StringComparison.Ordinal);
        await using ScriptedPeer liar = await ScriptedPeer.StartAsync(context => context.Request.Path.Value switch
        {
            "/schemas/ids/2" => ScriptedPeer.Json(context, JsonSerializer.Serialize(new { schema = bare })),
            "/schemas/ids/2/versions" => ScriptedPeer.Json(context, """[{"subject":"raw.payments-value","version":2}]"""),
            "/subjects/raw.payments-value/versions" => ScriptedPeer.Json(context, "[1,2]"),
            "/subjects/raw.payments-value/versions/1" => ScriptedPeer.Json(context, JsonSerializer.Serialize(new { subject = "raw.payments-value", version = 1, id = 1, schema = bare })),
            _ => ScriptedPeer.Json(context, JsonSerializer.Serialize(new { subject = "raw.payments-value", version = 2, id = 2, schema = bare })),
        });
        await using RegistryCase world = await RegistryCase.StartAsync(liar.Url);
        Assert.Equal(1, await Both(world));
        await world.LoadAsync();
        await world.StopAsync();

        // Id 2 is new, and it comes with another version 1 than the first URL gave.
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(bare, 2, Record));
        Assert.Equal([(RegistryCase.Payments, 0)], world.Driver.Waiting);
        Assert.Contains("another schema for id 1", world.Health.Reasons["registry"], StringComparison.Ordinal);
        Assert.Empty(world.Driver.Decisions());
    }

    public static TheoryData<string, Func<HttpContext, Task>> WrongAnswers => new()
    {
        { "HTML", context => Answer(context, 200, "text/html", "<html><body>Please log in</body></html>") },
        { "server error", context => ScriptedPeer.Json(context, "{\"error_code\":50001,\"message\":\"boom\"}", 500) },
        { "bad gateway in HTML", context => Answer(context, 502, "text/html", "<h1>Bad gateway</h1>") },
        { "truncated JSON", context => Answer(context, 200, "application/json", "{\"schema\":\"{\\\"type") },
        { "another shape", context => ScriptedPeer.Json(context, "[1,2,3]") },
        { "a huge body", context => Answer(context, 200, "application/json", "{\"schema\":\"" + new string(' ', 3_000_000) + "\"}") },
        { "not found of another kind", context => Answer(context, 404, "text/html", "no route") },
        { "unauthorised", context => ScriptedPeer.Json(context, "{\"error_code\":40101,\"message\":\"who?\"}", 401) },
        { "a redirect", context => { context.Response.Redirect("http://127.0.0.1:1/elsewhere"); return Task.CompletedTask; } },
        { "nothing for longer than the time-out", context => Task.Delay(TimeSpan.FromSeconds(30), context.RequestAborted) },
    };

    [Theory]
    [MemberData(nameof(WrongAnswers), DisableDiscoveryEnumeration = true)]
    public async Task WrongAnswer_IsAPauseNeverAVerdict(string what, Func<HttpContext, Task> script)
    {
        bool wrong = false;
        await using RegistryCase real = await RegistryCase.StartAsync();
        int id = await Both(real);
        string later = RegistryCase.Schema.Replace("\"name\":\"note\"", "\"name\":\"note\",\"doc\":\"more\"", StringComparison.Ordinal);
        int second = await real.RegisterAsync("other", later);
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => wrong ? script(context) : ForwardAsync(context, real.Url));
        using var client = new RegistryClient(RegistryCase.Options([peer.Url]));
        var health = new PolicyStreams.Processor.Hosting.Health();
        string folder = Directory.CreateTempSubdirectory("ps-wrong-").FullName;
        try
        {
            await File.WriteAllTextAsync(Path.Combine(folder, "p.policy.yaml"), """
                { apiVersion: policystreams/v1, kind: Policy, metadata: { name: payments }, bindings: [{ name: payments, format: avro }], rules: [{ id: pan, mask: { tag: PAN, keep_last: 4 } }] }
                """, TestContext.Current.CancellationToken);
            using var store = new PolicyStreams.Processor.Policies.PolicyStore(folder, new KeyRing(), client, health, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
            await store.StartAsync(TestContext.Current.CancellationToken);
            using var driver = new TopologyDriver(store.Current!.Policies[0], new Topology.TestClock())
            {
                Registry = (binding, needed) => Task.Run(() => store.ResolveAsync(binding, needed, TestContext.Current.CancellationToken)).GetAwaiter().GetResult() is null ? store.Current!.Policies[0] : null,
            };

            wrong = true;
            driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(later, second, Record));
            driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(RegistryCase.Schema, id, Record), partition: 1);
            Assert.True(driver.Waiting.Count == 1, what);
            Assert.Single(driver.Decisions());

            wrong = false;
            driver.Redeliver();
            Assert.Empty(driver.Waiting);
            Assert.Equal("not-a-version", driver.Decisions()[^1].GetProperty("errors")[0].GetProperty("code").GetString());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task SchemaOfAnotherSubject_IsDenied_UntilItIsAVersion()
    {
        await using RegistryCase world = await RegistryCase.StartAsync();
        await Both(world);
        await world.LoadAsync();
        string other = RegistryCase.Schema.Replace("Payment", "Elsewhere", StringComparison.Ordinal);
        int id = await world.RegisterAsync("elsewhere-value", other);
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(other, id, Record));
        Assert.Equal(id, await world.RegisterAsync("raw.payments-value", other));
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(other, id, Record));
        world.PolicyOf("payments").Bindings["payments"].ForgetRefusals();
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(other, id, Record));

        Assert.Equal(["deny", "deny", "allow"], world.Driver.Decisions().Select(decision => decision.GetProperty("outcome").GetString()));
    }

    [Fact]
    public async Task RecordsNamedByGuid_InPrefixOrHeader_AreResolvedAndMasked()
    {
        await using RegistryCase world = await RegistryCase.StartAsync();
        int first = await Both(world);
        await world.LoadAsync();
        byte[] byId = RegistryCase.Encode(RegistryCase.Schema, first, Record), bare = byId[5..], guid = await world.GuidFrameAsync(first);
        Pipe(world, byId, guid);
        Pipe(world, [.. guid, .. bare]);
        Pipe(world, bare, guid);
        Assert.Equal([5, 17, 0], world.Driver.Read("governed.payments").Select(record => Front(record.Value!)));
        Assert.All(world.Driver.Read("governed.payments"), record => Assert.Equal("************1111", Payload(record.Value!).GetProperty("card").GetString()));

        // A GUID that nobody has, and one of another subject's schema.
        string elsewhere = RegistryCase.Schema.Replace("Payment", "Elsewhere", StringComparison.Ordinal);
        int stranger = await world.RegisterAsync("elsewhere-value", elsewhere);
        Pipe(world, bare, [1, .. Guid.NewGuid().ToByteArray()]);
        Pipe(world, bare, await world.GuidFrameAsync(stranger));
        Assert.Equal(["unknown-schema-id", "not-a-version"], world.Driver.Decisions().Skip(3).Select(Code));

        // Who knows only prefixes reads by the id, another subject's though it is.
        BinaryPrimitives.WriteInt32BigEndian(byId.AsSpan(1), stranger);
        Pipe(world, byId, guid);
        Assert.Equal("frame-conflict", Code(world.Driver.Decisions()[^1]));

        // A new version, first named by its GUID.
        string tagged = RegistryCase.Schema.Replace("\"note\",\"type\":\"string\"", "\"note\",\"type\":\"string\",\"confluent:tags\":[\"PAN\"]", StringComparison.Ordinal);
        int second = await world.RegisterAsync("raw.payments-value", tagged);
        byte[] secondGuid = await world.GuidFrameAsync(second);
        Pipe(world, bare, secondGuid);
        Assert.Equal("*", Payload(world.Driver.Read("governed.payments")[^1].Value!).GetProperty("note").GetString());

        // From here on nobody needs to be asked about either.
        await world.StopAsync();
        Pipe(world, [.. secondGuid, .. bare]);
        Pipe(world, bare, guid);
        Assert.Empty(world.Driver.Waiting);
        Assert.Equal(["*", "*"], world.Driver.Read("governed.payments").TakeLast(2).Select(record => Payload(record.Value!).GetProperty("note").GetString()));
        BinaryPrimitives.WriteInt32BigEndian(byId.AsSpan(1), second);
        Pipe(world, byId, guid);
        Assert.Equal("frame-conflict", Code(world.Driver.Decisions()[^1]));

        static void Pipe(RegistryCase world, byte[] value, byte[]? header = null) =>
            world.Driver.Pipe(RegistryCase.Payments, null, value, header is null ? null : [new("__value_schema_id", header)]);

        // The records' first field is a text of three characters: a payload begins with its length.
        static int Front(byte[] value) => value[0] switch { 0 => 5, 1 => 17, _ => 0 };

        static JsonElement Payload(byte[] value) => RegistryCase.Read(RegistryCase.Schema, [.. new byte[5], .. value[Front(value)..]]);

        static string? Code(JsonElement decision) => decision.GetProperty("errors")[0].GetProperty("code").GetString();
    }

    [Fact]
    public async Task DeletedVersion_StillTagsWhatItTagged()
    {
        await using RegistryCase world = await RegistryCase.StartAsync();
        await Both(world);
        string bare = RegistryCase.Schema.Replace(",\"confluent:tags\":[\"PAN\"]", "", StringComparison.Ordinal).Replace("\"id\",\"type\":\"string\"", "\"id\",\"type\":\"string\",\"confluent:tags\":[\"PAN\"]", StringComparison.Ordinal);
        int second = await world.RegisterAsync("raw.payments-value", bare);
        await world.DeleteVersionAsync("raw.payments-value", 1);
        await world.LoadAsync(orders: false);
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(bare, second, Record));
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(RegistryCase.Schema, 1, Record));

        JsonElement published = RegistryCase.Read(bare, Assert.Single(world.Driver.Read("governed.payments")).Value!);
        Assert.Equal("************1111", published.GetProperty("card").GetString());
        Assert.Equal("not-a-version", world.Driver.Decisions()[1].GetProperty("errors")[0].GetProperty("code").GetString());
    }

    [Fact]
    public async Task NewVersion_ThatCannotBeParsed_IsDeniedAndSaid()
    {
        await using RegistryCase world = await RegistryCase.StartAsync();
        int first = await Both(world);
        await world.LoadAsync();

        // A registry is no proof that a schema is one: this one is registered as JSON Schema under an Avro subject.
        using var http = new HttpClient();
        using HttpResponseMessage answer = await http.PostAsync($"{world.Url}/subjects/raw.payments-value/versions", new StringContent("""{"schemaType":"JSON","schema":"{}"}""", null, "application/json"), TestContext.Current.CancellationToken);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        int id = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement.GetProperty("id").GetInt32();
        byte[] value = RegistryCase.Encode(RegistryCase.Schema, first, Record);
        BinaryPrimitives.WriteInt32BigEndian(value.AsSpan(1), id);
        world.Driver.Pipe(RegistryCase.Payments, null, value);
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(RegistryCase.Schema, first, Record));

        Assert.Equal(["deny", "allow"], world.Driver.Decisions().Select(decision => decision.GetProperty("outcome").GetString()));
        Assert.Equal("other-format", world.Driver.Decisions()[0].GetProperty("errors")[0].GetProperty("code").GetString());
        Assert.Contains("106 Error: Version 2 of subject raw.payments-value cannot be used", world.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NewVersion_WithHalfASurrogatePair_IsDeniedAndSaid()
    {
        // A registry takes such a text: names of properties and tags are no names to it.
        string odd = RegistryCase.Schema.Replace("[\"PAN\"]", "[\"\\ud800\"]", StringComparison.Ordinal);
        bool there = false;
        await using RegistryCase real = await RegistryCase.StartAsync();
        int first = await Both(real);
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => there ? context.Request.Path.Value switch
        {
            "/schemas/ids/99" => ScriptedPeer.Json(context, JsonSerializer.Serialize(new { schema = odd })),
            "/schemas/ids/99/versions" => ScriptedPeer.Json(context, """[{"subject":"raw.payments-value","version":2}]"""),
            "/subjects/raw.payments-value/versions" => ScriptedPeer.Json(context, "[1,2]"),
            "/subjects/raw.payments-value/versions/2" => ScriptedPeer.Json(context, JsonSerializer.Serialize(new { subject = "raw.payments-value", version = 2, id = 99, schema = odd })),
            _ => ForwardAsync(context, real.Url),
        } : ForwardAsync(context, real.Url));
        await using RegistryCase world = RegistryCase.On(peer.Url);
        await world.LoadAsync();
        there = true;
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(RegistryCase.Schema, 99, Record));
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(RegistryCase.Schema, first, Record));

        Assert.Equal(["deny", "allow"], world.Driver.Decisions().Select(decision => decision.GetProperty("outcome").GetString()));
        Assert.Equal("unusable-schema", world.Driver.Decisions()[0].GetProperty("errors")[0].GetProperty("code").GetString());
        Assert.Contains("106 Error: Version 2 of subject raw.payments-value cannot be used", world.Log, StringComparison.Ordinal);
    }

    public static TheoryData<string, string> UnusableSchemas => new()
    {
        { "text larger than 1 MiB", RegistryCase.Schema + new string(' ', 1 << 20) },
        { "more fields than 10,000", $$"""{"type":"record","name":"R","fields":[{{string.Join(',', Enumerable.Range(0, 10_001).Select(i => string.Create(CultureInfo.InvariantCulture, $$"""{"name":"f{{i}}","type":"int"}""")))}}]}""" },
        { "nested deeper than 256", string.Concat(Enumerable.Repeat("{\"type\":\"array\",\"items\":", 257)) + "\"int\"" + new string('}', 257) },
        { "a name defined twice", """[{"type":"fixed","name":"F","size":1},{"type":"fixed","name":"F","size":2}]""" },
        { "a name not defined", """{"type":"record","name":"R","fields":[{"name":"x","type":"Nobody"}]}""" },
    };

    [Theory]
    [MemberData(nameof(UnusableSchemas), DisableDiscoveryEnumeration = true)]
    public async Task NewVersion_BeyondTheBoundsOfSchemas_IsDeniedAndSaid_AndStopsALoad(string what, string schema)
    {
        // The registry takes it, as one with other bounds would: it hands it out in place of a sound one.
        string sound = RegistryCase.Schema.Replace("\"name\":\"note\"", "\"name\":\"note\",\"doc\":\"more\"", StringComparison.Ordinal);
        await using RegistryCase real = await RegistryCase.StartAsync();
        int first = await Both(real);
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => ForwardAsync(context, real.Url, text => With(text, sound, schema)));
        await using RegistryCase world = await RegistryCase.StartAsync(new RegistryClient(RegistryCase.Options([peer.Url])));
        await world.LoadAsync(orders: false);
        int second = await real.RegisterAsync("raw.payments-value", sound);
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(sound, second, Record));
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(RegistryCase.Schema, first, Record));

        Assert.True(world.Driver.Decisions().Count == 2, what + ": " + world.LastWhy);
        Assert.Equal(["deny", "allow"], world.Driver.Decisions().Select(decision => decision.GetProperty("outcome").GetString()));
        Assert.Equal("unusable-schema", world.Driver.Decisions()[0].GetProperty("errors")[0].GetProperty("code").GetString());
        Assert.Contains("106 Error: Version 2 of subject raw.payments-value cannot be used", world.Log, StringComparison.Ordinal);

        var said = new List<Diagnostic>();
        Assert.Null((await new SubjectLoader(world.Client).LoadAsync(world.PolicyOf("payments").Document, said, TestContext.Current.CancellationToken)).Subjects);
        Diagnostic error = Assert.Single(said);
        Assert.Equal(DiagnosticCodes.SchemaUnusable, error.Code);
        Assert.StartsWith("version 2 of subject `raw.payments-value` cannot be used: ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refresh_SubjectThatCannotBeLookedAt_KeepsNobodyFromTheOthers()
    {
        await using RegistryCase world = await RegistryCase.StartAsync();
        await Both(world);
        await world.LoadAsync(registry: client => new FailsFor(client, "raw.orders-value"));
        await world.RegisterAsync("raw.payments-value", RegistryCase.Schema.Replace("\"note\",\"type\":\"string\"", "\"note\",\"type\":\"string\",\"confluent:tags\":[\"PAN\"]", StringComparison.Ordinal));
        await world.Store.RefreshAsync(TestContext.Current.CancellationToken);

        Assert.Equal(2, world.PolicyOf("payments").SchemaIds["payments"].Count);
        Assert.Contains("109 Error: Subject raw.orders-value could not be looked at for new versions: NotSupportedException", world.Log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "raw.payments-key")]
    [InlineData("key_subject: { naming: record, record: shop.CustomerKey }", "shop.CustomerKey")]
    [InlineData("key_subject: { naming: topic-record, record: shop.CustomerKey }", "raw.payments-shop.CustomerKey")]
    public async Task AvroKeys_AreReadAndMaskedByTheirSubject_AndNewVersionsCount(string binding, string subject)
    {
        const string Key = """{"type":"record","name":"CustomerKey","namespace":"shop","fields":[{"name":"id","type":"string","confluent:tags":["PAN"]},{"name":"region","type":"string"}]}""";
        await using RegistryCase world = await RegistryCase.StartAsync();
        int value = await world.RegisterAsync("raw.payments-value", RegistryCase.Schema);
        int first = await world.RegisterAsync(subject, Key);
        await world.LoadAsync("""
              - { id: embargo, when: 'key != null && key.region == "KP"', deny: { reason: embargo } }
              - { id: pan, mask: { tag: PAN, keep_last: 4 } }
            """, "key_format: avro" + (binding.Length > 0 ? ", " + binding : ""), orders: false);
        byte[] payment = RegistryCase.Encode(RegistryCase.Schema, value, Record);
        world.Driver.Pipe(RegistryCase.Payments, RegistryCase.Encode(Key, first, new { id = "c-4711-0815", region = "DE" }), payment);
        world.Driver.Pipe(RegistryCase.Payments, RegistryCase.Encode(Key, first, new { id = "c-4711-0815", region = "KP" }), payment);
        string tagged = Key.Replace("\"region\",\"type\":\"string\"", "\"region\",\"type\":\"string\",\"confluent:tags\":[\"PAN\"]", StringComparison.Ordinal);
        int second = await world.RegisterAsync(subject, tagged);
        world.Driver.Pipe(RegistryCase.Payments, RegistryCase.Encode(tagged, second, new { id = "c-4711-0815", region = "Germany" }), payment);
        world.Driver.Pipe(RegistryCase.Payments, RegistryCase.Encode(Key, first, new { id = "c-4711-0815", region = "Germany" }), payment);
        world.Driver.Pipe(RegistryCase.Payments, RegistryCase.Encode(RegistryCase.Schema, value, Record), payment);
        world.Driver.Pipe(RegistryCase.Payments, [0, 0], payment);
        world.Driver.Pipe(RegistryCase.Payments, null, payment);

        IReadOnlyList<DriverRecord> governed = world.Driver.Read("governed.payments");
        Assert.Equal(["allow", "deny", "allow", "allow", "deny", "deny", "allow"], world.Driver.Decisions().Select(decision => decision.GetProperty("outcome").GetString()));
        Assert.Equal(
            [("*******0815", "DE"), ("*******0815", "***many"), ("*******0815", "***many")],
            governed.Take(3).Select(record => (RegistryCase.Read(Key, record.Key!).GetProperty("id").GetString()!, RegistryCase.Read(Key, record.Key!).GetProperty("region").GetString()!)));
        Assert.Null(governed[3].Key);
        Assert.Equal(["key-not-a-version", "key-truncated-id"], world.Driver.Decisions().Skip(4).Take(2).Select(decision => decision.GetProperty("errors")[0].GetProperty("code").GetString()));
        Assert.Contains("key.id", world.Driver.Decisions()[0].GetProperty("masked").EnumerateArray().Select(path => path.GetString()));
    }

    [Theory]
    [InlineData("subject: { naming: record, record: shop.Payment }", "shop.Payment")]
    [InlineData("subject: { naming: topic-record, record: shop.Payment }", "raw.payments-shop.Payment")]
    public async Task SubjectByNaming_AdmitsTheRecordItIsNamedAfterAlone(string binding, string subject)
    {
        await using RegistryCase world = await RegistryCase.StartAsync();
        int first = await world.RegisterAsync(subject, RegistryCase.Schema);
        int byTopic = await world.RegisterAsync("raw.payments-value", RegistryCase.Schema.Replace("\"note\"", "\"memo\"", StringComparison.Ordinal));
        await world.LoadAsync(more: binding, orders: false);
        string other = RegistryCase.Schema.Replace("\"Payment\"", "\"Refund\"", StringComparison.Ordinal);
        int second = await world.RegisterAsync(subject, other);
        byte[] record = RegistryCase.Encode(RegistryCase.Schema, first, Record);
        world.Driver.Pipe(RegistryCase.Payments, null, record);
        foreach (int id in (int[])[byTopic, second])
        {
            BinaryPrimitives.WriteInt32BigEndian(record.AsSpan(1), id);
            world.Driver.Pipe(RegistryCase.Payments, null, record);
        }

        Assert.Equal(["allow", "deny", "deny"], world.Driver.Decisions().Select(decision => decision.GetProperty("outcome").GetString()));
        Assert.Equal(["not-a-version", "record-name"], world.Driver.Decisions().Skip(1).Select(decision => decision.GetProperty("errors")[0].GetProperty("code").GetString()));
    }

    /// <summary>An answer of a registry with one schema in place of another.</summary>
    private static string With(string answer, string before, string schema)
    {
        JsonNode? json = JsonNode.Parse(answer);
        if (json is not JsonObject found || (string?)found["schema"] is not { } text || !JsonNode.DeepEquals(JsonNode.Parse(text), JsonNode.Parse(before))) { return answer; }
        found["schema"] = schema;
        return found.ToJsonString();
    }

    [Theory]
    [InlineData("global", false)]
    [InlineData("global", true)]
    [InlineData("content", false)]
    [InlineData("content", true)]
    public async Task ApicurioIds_AreLookedUpByWhatTheyMean(string ids, bool legacy)
    {
        // Version 2 has card and note the other way round. As the wrong kind of id its number is that of version 3, or 1: the bytes fit, and the mask would be on the note.
        string swapped = Swapped(RegistryCase.Schema), third = RegistryCase.Schema.Replace("\"Payment\"", "\"Payment\",\"doc\":\"again\"", StringComparison.Ordinal);
        await using ApicurioPeer apicurio = await ApicurioPeer.StartAsync();
        apicurio.LegacyIds = legacy;
        (int Global, int Content) other = apicurio.Register("elsewhere-value", RegistryCase.Schema);
        apicurio.Register("raw.payments-value", RegistryCase.Schema);
        (int Global, int Content) second = apicurio.Register("raw.payments-value", swapped);
        apicurio.Register("raw.payments-value", third);
        await using RegistryCase world = RegistryCase.On(apicurio.Url);
        await world.LoadAsync(more: $"framing: apicurio4, schema_ids: {ids}", orders: false);
        (int Global, int Content) later = apicurio.Register("raw.payments-value", swapped.Replace("\"Payment\"", "\"Payment\",\"doc\":\"later\"", StringComparison.Ordinal));
        int Of((int Global, int Content) version) => ids == "global" ? version.Global : version.Content;
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(swapped, Of(second), Record));
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(swapped, Of(later), Record));
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(RegistryCase.Schema, Of(other), Record));
        world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(RegistryCase.Schema, 99, Record));

        IReadOnlyList<JsonElement> decisions = world.Driver.Decisions();
        Assert.Equal([Of(second), Of(later)], decisions.Take(2).Select(decision => decision.GetProperty("schema").GetInt32()));

        // The text of the other subject is a version of this one too: by content id it may write, by global id it is the other's.
        Assert.Equal(["allow", "allow", ids == "global" ? "deny" : "allow", "deny"], decisions.Select(decision => decision.GetProperty("outcome").GetString()));
        Assert.Equal("unknown-schema-id", Code(decisions[3]));
        if (ids == "global") { Assert.Equal("not-a-version", Code(decisions[2])); }
        foreach (DriverRecord record in world.Driver.Read("governed.payments").Take(2))
        {
            JsonElement published = RegistryCase.Read(swapped, record.Value!);
            Assert.Equal(("n", "************1111"), (published.GetProperty("note").GetString(), published.GetProperty("card").GetString()));
        }
    }

    [Fact]
    public async Task ApicurioIds_ThatNothingTellsApart_ReadNoRecord()
    {
        await using ApicurioPeer apicurio = await ApicurioPeer.StartAsync();
        int first = apicurio.Register("raw.payments-value", RegistryCase.Schema).Global;
        await using RegistryCase world = RegistryCase.On(apicurio.Url);
        await world.LoadAsync(more: "framing: apicurio4", orders: false);
        apicurio.Register("elsewhere-value", RegistryCase.Schema);
        (int global, int content) = apicurio.Register("raw.payments-value", Swapped(RegistryCase.Schema));
        foreach (int id in (int[])[first, content, global, first]) { world.Driver.Pipe(RegistryCase.Payments, null, RegistryCase.Encode(RegistryCase.Schema, id, Record)); }

        Assert.Equal(["allow", "deny", "deny", "allow"], world.Driver.Decisions().Select(decision => decision.GetProperty("outcome").GetString()));
        Assert.Equal(["unusable-schema", "not-a-version"], world.Driver.Decisions().Skip(1).Take(2).Select(Code));
        Assert.Contains("106 Error: Version 2 of subject raw.payments-value cannot be used", world.Log, StringComparison.Ordinal);
        Assert.Contains("`schema_ids: global`", world.Log, StringComparison.Ordinal);

        // With them there from the start, the policy does not load.
        var diagnostics = new List<Diagnostic>();
        SubjectLoad load = await new SubjectLoader(world.Client).LoadAsync(world.PolicyOf("payments").Document, diagnostics, TestContext.Current.CancellationToken);
        Assert.Null(load.Subjects);
        Assert.Contains("`schema_ids: global`", Assert.Single(diagnostics).Message, StringComparison.Ordinal);
    }

    private static string Swapped(string schema)
    {
        string[] fields = schema.Split('\n');
        string note = fields[2], card = fields[3];
        return string.Join('\n', fields[0], fields[1], card.Replace("]}]}", "]},", StringComparison.Ordinal), note.TrimEnd(',') + "]}");
    }

    private static string? Code(JsonElement decision) => decision.GetProperty("errors")[0].GetProperty("code").GetString();


    /// <summary>A registry that answers at load and then fails for one subject, as none should.</summary>
    private sealed class FailsFor(ISchemaRegistry inner, string failing) : ISchemaRegistry
    {
        private int _asked;

        public Task<RegistryAnswer<RegisteredSchema>> GetByIdAsync(int id, string? subject, CancellationToken cancellationToken) => inner.GetByIdAsync(id, subject, cancellationToken);

        public Task<RegistryAnswer<RegisteredSchema>> GetByGuidAsync(Guid guid, string? subject, CancellationToken cancellationToken) => inner.GetByGuidAsync(guid, subject, cancellationToken);

        public Task<RegistryAnswer<IReadOnlyList<RegisteredSchema>>> GetSubjectAsync(string subject, CancellationToken cancellationToken) =>
            subject == failing && _asked++ > 0 ? throw new NotSupportedException() : inner.GetSubjectAsync(subject, cancellationToken);
    }

    private static async Task<int> Both(RegistryCase world)
    {
        await world.RegisterAsync("raw.orders-value", RegistryCase.Schema);
        return await world.RegisterAsync("raw.payments-value", RegistryCase.Schema);
    }

    private static Task Answer(HttpContext context, int status, string type, string body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        return context.Response.WriteAsync(body);
    }

    private static async Task ForwardAsync(HttpContext context, string url, Func<string, string>? change = null)
    {
        using var http = new HttpClient();
        using HttpResponseMessage answer = await http.GetAsync(url + context.Request.Path + context.Request.QueryString, context.RequestAborted);
        string text = await answer.Content.ReadAsStringAsync(context.RequestAborted);
        await ScriptedPeer.Json(context, change is null ? text : change(text), (int)answer.StatusCode);
    }
}
