using System.Buffers.Binary;
using System.Net.Http.Json;
using System.Text.Json;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Metrics;
using PolicyStreams.Processor.Policies;
using PolicyStreams.Processor.Testing;
using PolicyStreams.Processor.Tests.Streams.Support;
using PolicyStreams.Processor.Tests.Topology;
using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Processor.Tests.Registry;

/// <summary>The topology on a policy store and a dev registry, as they run, without a broker: two bindings, so that one can wait while the other goes on.</summary>
internal sealed class RegistryCase : IAsyncDisposable
{
    public const string Payments = "raw.payments", Orders = "raw.orders";

    public const string Schema = """
        {"type":"record","name":"Payment","namespace":"shop","fields":[
          {"name":"id","type":"string"},
          {"name":"note","type":"string"},
          {"name":"card","type":"string","confluent:tags":["PAN"]}]}
        """;

    private const string Policy = """
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: NAME, owner: tests }
        bindings:
          - { name: NAME, format: avro, tombstones: allowMORE }
        rules:
        RULES
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("ps-registry-").FullName;
    private readonly HttpClient _http = new();
    private readonly RegistryClient _client;
    private readonly LogLines _log = new();

    private RegistryCase(DevRegistry? dev, string url, RegistryClient client)
    {
        Dev = dev;
        Url = url;
        _client = client;
    }

    public DevRegistry? Dev { get; private set; }

    public string Url { get; }

    public Health Health { get; } = new();

    public ProcessorMetrics Metrics { get; } = new();

    public PolicyStore Store { get; private set; } = null!;

    public TopologyDriver Driver { get; private set; } = null!;

    public string Log => _log.ToString();

    public RegistryClient Client => _client;

    /// <summary>A dev registry with the first schema under both topics' value subjects, not loaded yet.</summary>
    public static async Task<RegistryCase> StartAsync(params string[] otherUrls)
    {
        DevRegistry dev = await DevRegistry.StartAsync(new DevRegistryOptions { Compatibility = "NONE" }, TestContext.Current.CancellationToken);
        return new RegistryCase(dev, dev.Url, new RegistryClient(Options([dev.Url, .. otherUrls])));
    }

    /// <summary>The same on a client that asks elsewhere, which is disposed of with it.</summary>
    public static async Task<RegistryCase> StartAsync(RegistryClient client)
    {
        DevRegistry dev = await DevRegistry.StartAsync(new DevRegistryOptions { Compatibility = "NONE" }, TestContext.Current.CancellationToken);
        return new RegistryCase(dev, dev.Url, client);
    }

    /// <summary>On another registry than the dev one.</summary>
    public static RegistryCase On(string url) => new(null, url, new RegistryClient(Options([url])));

    public static RegistryClientOptions Options(IReadOnlyList<string> urls) => new()
    {
        Urls = urls,
        Retries = 0,
        RequestTimeout = TimeSpan.FromSeconds(2),
        NegativeTtl = TimeSpan.Zero,
        ResponseBytesMax = 2 * 1024 * 1024,
    };

    /// <summary>Registers a schema; its id.</summary>
    public async Task<int> RegisterAsync(string subject, string schema)
    {
        using HttpResponseMessage answer = await _http.PostAsJsonAsync($"{Url}/subjects/{subject}/versions", new { schema }, TestContext.Current.CancellationToken);
        string text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement.GetProperty("id").GetInt32();
    }

    /// <summary>What names the schema of an id by GUID, in front of a value or in a header.</summary>
    public async Task<byte[]> GuidFrameAsync(int id)
    {
        JsonElement answer = await _http.GetFromJsonAsync<JsonElement>($"{Url}/schemas/ids/{id}", TestContext.Current.CancellationToken);
        return [1, .. answer.GetProperty("guid").GetGuid().ToByteArray(bigEndian: true)];
    }

    public async Task DeleteVersionAsync(string subject, int version)
    {
        using HttpResponseMessage answer = await _http.DeleteAsync($"{Url}/subjects/{subject}/versions/{version}", TestContext.Current.CancellationToken);
        answer.EnsureSuccessStatusCode();
    }

    public async Task StopAsync()
    {
        await Dev!.DisposeAsync();
        Dev = null;
    }

    /// <summary>The same address again, and a registry that has nothing.</summary>
    public async Task RestartAsync() =>
        Dev = await DevRegistry.StartAsync(new DevRegistryOptions { Port = new Uri(Url).Port, Compatibility = "NONE" }, TestContext.Current.CancellationToken);

    /// <summary>Puts a policy of each topic in force.</summary>
    public async Task LoadAsync(string rules = "  - { id: pan, mask: { tag: PAN, keep_last: 4 } }", string more = "", bool orders = true, Func<ISchemaRegistry, ISchemaRegistry>? registry = null)
    {
        foreach (string name in orders ? (string[])["orders", "payments"] : ["payments"]) { await WriteAsync(name, rules, more); }

        Store?.Dispose();
        Store = new PolicyStore(_folder, new KeyRing(), registry?.Invoke(_client) ?? _client, Health, TimeProvider.System, _log, Metrics);
        IReadOnlyList<Diagnostic> said = await Store.StartAsync(TestContext.Current.CancellationToken);
        Assert.True(Store.Current is not null, string.Join('\n', said));
        Driver?.Dispose();
        Driver = new TopologyDriver(PolicyOf("payments"), new TestClock()) { Registry = Resolve };
    }

    /// <summary>Writes other rules for payments: a store that watches takes them over.</summary>
    public Task ChangeAsync(string rules) => WriteAsync("payments", rules, "");

    public CompiledPolicy PolicyOf(string name) => Store.Current!.Policies.Single(policy => policy.Document.Name == name);

    /// <summary>A record of a schema, framed with its id.</summary>
    public static byte[] Encode(string schema, int id, object value)
    {
        var output = new ByteBuffer();
        output.Append([0, 0, 0, 0, 0]);
        AvroSchema.Parse(schema).EncodeJson(JsonSerializer.SerializeToElement(value), output);
        byte[] bytes = output.Written.ToArray();
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(1), id);
        return bytes;
    }

    public static JsonElement Read(string schema, byte[] value)
    {
        var json = new ByteBuffer();
        using (var writer = new Utf8JsonWriter(json)) { Assert.Equal(DecodeOutcome.Decoded, AvroSchema.Parse(schema).WriteJson(value.AsSpan(5), writer)); }
        return JsonDocument.Parse(json.Written.ToArray()).RootElement;
    }

    public async ValueTask DisposeAsync()
    {
        Driver?.Dispose();
        Store?.Dispose();
        _client.Dispose();
        _http.Dispose();
        if (Dev is not null) { await Dev.DisposeAsync(); }
        Directory.Delete(_folder, recursive: true);
    }

    private Task WriteAsync(string name, string rules, string more) => File.WriteAllTextAsync(Path.Combine(_folder, name + ".policy.yaml"),
        Policy.Replace("NAME", name, StringComparison.Ordinal).Replace("MORE", more.Length > 0 ? ", " + more : "", StringComparison.Ordinal).Replace("RULES", rules, StringComparison.Ordinal), TestContext.Current.CancellationToken);

    private CompiledPolicy? Resolve(CompiledBinding binding, JudgeResult needed)
    {
        // The driver is synchronous, as a stream thread is between two looks at its look-ups.
        string? why = Task.Run(() => Store.ResolveAsync(binding, needed, TestContext.Current.CancellationToken)).GetAwaiter().GetResult();
        LastWhy = why;
        return why is null ? PolicyOf(binding.Policy.Document.Name) : null;
    }

    public string? LastWhy { get; private set; }
}
