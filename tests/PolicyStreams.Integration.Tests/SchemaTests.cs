using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Integration.Tests;

/// <summary>Schemas as stock serializers register and write them, and registries as they come and go.</summary>
public sealed class SchemaTests(KafkaFixture kafka, RegistryFixture registry) : IDisposable
{
    private const string Value = """
        {"type":"record","name":"Payment","namespace":"shop","fields":[
          {"name":"id","type":"string"},
          {"name":"note","type":"string"},
          {"name":"card","type":"string","confluent:tags":["PAN"]}]}
        """;

    private const string Key = """{"type":"record","name":"CustomerKey","namespace":"shop","fields":[{"name":"id","type":"string","confluent:tags":["PAN"]},{"name":"region","type":"string"}]}""";

    private const string Payment = """{"id":"p-1","note":"n","card":"4111111111111111"}""";

    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("schemas-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("topic", "raw.orders-value")]
    [InlineData("record", "shop.Payment")]
    [InlineData("topic-record", "raw.orders-shop.Payment")]
    public async Task StockSerializer_AgainstTheDevRegistry_RegistersLooksUpAndFetches(string naming, string subject)
    {
        await Clients.RequireAsync();
        await using DevRegistryProcess dev = await DevRegistryProcess.StartAsync();
        string schema = Write("value.avsc", Value);
        RunResult unknown = await Clients.AvroAsync("serialize", Payment, "--registry", dev.Url, "--topic", "raw.orders", "--value-schema", schema, "--naming", naming, "--look-up");
        Assert.Equal(3, unknown.ExitCode);
        Assert.StartsWith("refused 404 40401 ", unknown.Error);

        string hex = (await Clients.AvroAsync("serialize", Payment, "--registry", dev.Url, "--topic", "raw.orders", "--value-schema", schema, "--naming", naming)).Succeeded();
        Assert.StartsWith("0000000001", hex);
        Assert.Equal(hex, (await Clients.AvroAsync("serialize", Payment, "--registry", dev.Url, "--topic", "raw.orders", "--value-schema", schema, "--naming", naming, "--look-up")).Succeeded());
        string read = (await Clients.AvroAsync("deserialize", hex, "--registry", dev.Url)).Succeeded();
        Assert.Equal("4111111111111111", JsonDocument.Parse(read).RootElement.GetProperty("card").GetString());
        using var http = new HttpClient();
        Assert.Equal($"[\"{subject}\"]", await http.GetStringAsync(new Uri($"{dev.Url}/subjects"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task StockClient_AgainstTheDevRegistry_IsRefusedInConfluentsForm()
    {
        await Clients.RequireAsync();
        await using DevRegistryProcess dev = await DevRegistryProcess.StartAsync("--compatibility", "BACKWARD_TRANSITIVE");
        (await RegisterAsync(dev.Url, "s", Value)).Succeeded();
        RunResult incompatible = await RegisterAsync(dev.Url, "s", Value.Replace("\"note\",\"type\":\"string\"", "\"memo\",\"type\":\"string\"", StringComparison.Ordinal));
        Assert.Equal(3, incompatible.ExitCode);
        Assert.StartsWith("refused 409 409 Schema being registered is incompatible with an earlier schema for subject \"s\"", incompatible.Error);
        Assert.Contains("memo", incompatible.Error);
        RunResult invalid = await RegisterAsync(dev.Url, "s", Value.Replace("\"string\"", "\"strung\"", StringComparison.Ordinal));
        Assert.StartsWith("refused 422 42201 Invalid schema: ", invalid.Error);
    }

    [Fact]
    public async Task Run_AvroKeysOfAStockSerializer_AreReadMaskedAndReadableAfterwards()
    {
        using PaymentsCase payments = await CaseAsync(
            """
              - { id: embargo, when: 'key != null && key.region == "KP"', deny: { reason: embargo } }
              - { id: pan, mask: { tag: PAN, keep_last: 4 } }
            """,
            "key_format: avro, key_subject: { naming: topic-record, record: shop.CustomerKey }");
        string value = Write("value.avsc", Value), key = Write("key.avsc", Key);
        string[] produce = ["--bootstrap", payments.Bootstrap, "--registry", payments.Registry, "--topic", payments.Raw, "--value-schema", value, "--key-schema", key, "--key-naming", "topic-record"];

        // The serializers register both; the example's own schema is another version of the value's subject.
        (await Clients.AvroAsync("produce", $$$"""
            {"partition":0,"key":{"id":"c-4711-0815","region":"DE"},"value":{{{Payment}}}}
            {"partition":0,"key":{"id":"c-4711-0816","region":"KP"},"value":{{{Payment}}}}
            {"partition":0,"value":{{{Payment}}}}
            """, produce)).Succeeded();
        await using ProcessorProcess processor = ProcessorProcess.Start(payments);
        await processor.DrainedAsync(s_deadline);

        // A later version of the key's schema tags the region: keys of both versions are masked from then on.
        Write("key.avsc", Key.Replace("\"region\",\"type\":\"string\"", "\"region\",\"type\":\"string\",\"confluent:tags\":[\"PAN\"]", StringComparison.Ordinal));
        string later = $$$"""{"partition":0,"key":{"id":"c-1","region":"Germany"},"value":{{{Payment}}}}""" + "\n";
        (await Clients.AvroAsync("produce", later, produce)).Succeeded();
        await processor.DrainedAsync(s_deadline);
        Write("key.avsc", Key);
        (await Clients.AvroAsync("produce", later, produce)).Succeeded();
        await processor.DrainedAsync(s_deadline);

        string consumed = (await Clients.AvroAsync("consume", null, "--bootstrap", payments.Bootstrap, "--registry", payments.Registry, "--topic", payments.Governed, "--avro-keys")).Succeeded();
        List<JsonElement> governed = [.. consumed.Split('\n').Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.Equal(["************1111"], governed.Select(record => record.GetProperty("value").GetProperty("card").GetString()).Distinct());
        Assert.Equal(
            ["""{"id":"*******0815","region":"DE"}""", "null", """{"id":"***","region":"***many"}""", """{"id":"***","region":"***many"}"""],
            governed.Select(record => Regex.Replace(record.GetProperty("key").GetRawText(), @"\s", "")));
        IReadOnlyList<ConsumedRecord> decisions = await Clients.ConsumeAsync(payments.Bootstrap, payments.Decisions);
        Assert.Equal(["allow", "deny", "allow", "allow", "allow"], decisions.Where(record => record.Json().GetProperty("event").GetString() == "decided").Select(record => record.Json().GetProperty("outcome").GetString()));
        Assert.Equal(2, decisions.Count(record => record.Key!.StartsWith("policy/", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("record")]
    [InlineData("topic-record")]
    public async Task Run_SubjectNamedByRecord_AdmitsWhatAStockSerializerRegistersThere(string naming)
    {
        // The record's own name names the subject; it is the test's own, since record subjects are everybody's.
        string record = "shop.P" + Convert.ToHexStringLower(Guid.NewGuid().ToByteArray().AsSpan(0, 6));
        string schema = Value.Replace("\"Payment\",\"namespace\":\"shop\"", $"\"{record[5..]}\",\"namespace\":\"shop\"", StringComparison.Ordinal);
        using PaymentsCase payments = await CaseAsync("  - { id: pan, mask: { tag: PAN, keep_last: 4 } }", $"subject: {{ naming: {naming}, record: {record} }}");
        string file = Write("value.avsc", schema);
        string[] produce = ["--bootstrap", payments.Bootstrap, "--registry", payments.Registry, "--topic", payments.Raw, "--value-schema", file];
        string line = $$$"""{"partition":0,"value":{{{Payment}}}}""" + "\n";
        (await Clients.AvroAsync("produce", line, [.. produce, "--naming", naming])).Succeeded();

        // Another record, registered under the topic's subject, is no version of the record's.
        Write("value.avsc", Value);
        (await Clients.AvroAsync("produce", line, [.. produce, "--naming", "topic"])).Succeeded();
        await using ProcessorProcess processor = ProcessorProcess.Start(payments);
        await processor.DrainedAsync(s_deadline);
        IReadOnlyList<JsonElement> decided = await DecidedAsync(payments);
        Assert.Equal(["allow", "deny"], decided.Select(decision => decision.GetProperty("outcome").GetString()));
        Assert.Equal("not-a-version", decided[1].GetProperty("errors")[0].GetProperty("code").GetString());
    }

    [Fact]
    public async Task Run_RegistryGoneWhileItRuns_PausesOnlyTheTaskThatNeedsIt()
    {
        using PaymentsCase payments = await CaseAsync("  - { id: pan, mask: { tag: PAN, keep_last: 4 } }", "description: x");
        string file = Write("value.avsc", Value);
        string[] produce = ["--bootstrap", payments.Bootstrap, "--registry", payments.Registry, "--topic", payments.Raw, "--value-schema", file];
        string On(int partition) => $$$"""{"partition":{{{partition}}},"value":{{{Payment}}}}""" + "\n";
        (await Clients.AvroAsync("produce", On(0), produce)).Succeeded();
        var real = new Uri(payments.Registry);
        var way = new TcpForwarder(real.Host, real.Port);
        way.Open();
        await using ProcessorProcess processor = ProcessorProcess.Start(payments, registry: $"http://127.0.0.1:{way.Port}{real.AbsolutePath}");
        await processor.DrainedAsync(s_deadline);
        await processor.ReadyAsync(s_deadline);
        await way.DisposeAsync();

        // Partition 0 gets a record of a version that nobody knows yet; partition 1 one of a known version.
        Write("value.avsc", Value.Replace("\"name\":\"note\"", "\"name\":\"note\",\"default\":\"\"", StringComparison.Ordinal));
        (await Clients.AvroAsync("produce", On(0), produce)).Succeeded();
        Write("value.avsc", Value);
        (await Clients.AvroAsync("produce", On(1), produce)).Succeeded();
        await Eventually.TrueAsync(async () => (await DecidedAsync(payments)).Count == 2, s_deadline, () => processor.Said);
        Assert.Equal([$"{payments.Raw}-0-0", $"{payments.Raw}-1-0"], (await DecidedAsync(payments)).Select(decision => decision.GetProperty("id").GetString()).Order());
        string ready = "";
        await Eventually.TrueAsync(async () =>
        {
            using HttpResponseMessage answer = await processor.Http.GetAsync(new Uri("/ready", UriKind.Relative));
            ready = await answer.Content.ReadAsStringAsync();
            return (int)answer.StatusCode == 503;
        }, s_deadline, () => ready);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"task {payments.Raw}-0: waits for the schema registry"), ready, StringComparison.Ordinal);
        Assert.DoesNotContain($"task {payments.Raw}-1", ready, StringComparison.Ordinal);

        await using var back = new TcpForwarder(real.Host, real.Port, way.Port);
        back.Open();
        await processor.DrainedAsync(s_deadline);
        await processor.ReadyAsync(s_deadline);
        Assert.Equal(["allow"], (await DecidedAsync(payments)).Select(decision => decision.GetProperty("outcome").GetString()).Distinct());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Lint_WithARegistry_SaysOfEachSubjectAndVersionWhatItLacks(bool real)
    {
        DevRegistryProcess? dev = real ? null : await DevRegistryProcess.StartAsync("--compatibility", "NONE");
        try
        {
            string url = dev?.Url ?? await registry.RequireAsync();
            string name = "lint" + Convert.ToHexStringLower(Guid.NewGuid().ToByteArray().AsSpan(0, 4));
            using var http = new HttpClient();
            await RegisterAsync(http, url, $"raw.{name}-value", Value.Replace("\"note\",\"type\":\"string\"", "\"note\",\"type\":\"int\"", StringComparison.Ordinal));
            await RegisterAsync(http, url, $"raw.{name}-value", Value.Replace(",\"confluent:tags\":[\"PAN\"]", "", StringComparison.Ordinal));
            await RegisterAsync(http, url, $"raw.{name}-key", Key.Replace("\"region\",\"type\":\"string\"", "\"region\",\"type\":\"int\"", StringComparison.Ordinal));
            await RegisterAsync(http, url, $"raw.{name}-key", Key);
            string policy = Write($"{name}.policy.yaml", $$"""
                apiVersion: policystreams/v1
                kind: Policy
                metadata: { name: {{name}} }
                bindings:
                  - { name: {{name}}, format: avro, key_format: avro }
                rules:
                  - { id: note, when: value.note == "x", deny: { reason: x } }
                  - { id: region, when: 'key != null && key.region == "KP"', deny: { reason: x } }
                  - { id: pan, mask: { tag: PAN, keep_last: 4 } }
                """);
            RunResult lint = await Run.PolicyStreamsAsync("lint", policy, "--registry", url);
            Assert.Equal(0, lint.ExitCode);
            Assert.Contains($"PS0307 warning: version 1 of subject `raw.{name}-value`: `note` is of type int here, of type string in the checked schema", lint.Output, StringComparison.Ordinal);
            Assert.Contains($"PS0307 warning: version 1 of keys of subject `raw.{name}-key`: `key.region` is an integer here, a string in the checked schema", lint.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("version 2", lint.Output, StringComparison.Ordinal);
            Assert.Equal(1, (await Run.PolicyStreamsAsync("lint", policy, "--registry", url, "--strict")).ExitCode);

            // A masked field that the latest version has under another name, without its tag, is said of that version.
            string renamed = Value.Replace("\"card\"", "\"pan\"", StringComparison.Ordinal).Replace(",\"confluent:tags\":[\"PAN\"]", "", StringComparison.Ordinal);
            await RegisterAsync(http, url, $"raw.{name}-value", renamed);
            RunResult lost = await Run.PolicyStreamsAsync("lint", policy, "--registry", url);
            Assert.Equal(0, lost.ExitCode);
            Assert.Contains($"PS0307 warning: version 3 of subject `raw.{name}-value`: `card` is masked, and not in this schema since version 3, which brought `pan` without a tag or mask", lost.Output, StringComparison.Ordinal);
            Assert.Equal(1, (await Run.PolicyStreamsAsync("lint", policy, "--registry", url, "--strict")).ExitCode);

            // What the latest version lacks is an error of the rule that names it, with subject and field.
            await RegisterAsync(http, url, $"raw.{name}-value", renamed.Replace("\"note\"", "\"memo\"", StringComparison.Ordinal));
            RunResult broken = await Run.PolicyStreamsAsync("lint", policy, "--registry", url);
            Assert.Equal(1, broken.ExitCode);
            Assert.Contains($"unknown field `value.note` in rule `note` (subject `raw.{name}-value`)", broken.Output, StringComparison.Ordinal);

            RunResult missing = await Run.PolicyStreamsAsync("lint", Write("none.policy.yaml", (await File.ReadAllTextAsync(policy, TestContext.Current.CancellationToken)).Replace(name, name + "x", StringComparison.Ordinal)), "--registry", url);
            Assert.Equal(1, missing.ExitCode);
            Assert.Contains($"PS0301 error: the registry has no subject `raw.{name}x-value`, which binding `{name}x` names", missing.Output, StringComparison.Ordinal);
            Assert.Contains($"PS0301 error: the registry has no subject `raw.{name}x-key`, which keys of binding `{name}x` name", missing.Output, StringComparison.Ordinal);
        }
        finally
        {
            if (dev is not null) { await dev.DisposeAsync(); }
        }
    }

    private async Task<PaymentsCase> CaseAsync(string rules, string binding)
    {
        PaymentsCase payments = await PaymentsCase.CreateAsync(kafka, registry, text =>
        {
            string name = Regex.Match(text, "name: (payments[0-9a-f]+)").Groups[1].Value;
            return $$"""
                apiVersion: policystreams/v1
                kind: Policy
                metadata: { name: {{name}} }
                bindings:
                  - { name: {{name}}, format: avro, topics: { decisions: decisions.{{name}} }, partitions: 2, {{binding}} }
                rules:
                {{rules}}
                """;
        });

        // The example's schema has other fields: versions of this subject are this class's alone.
        using var http = new HttpClient();
        using HttpResponseMessage deleted = await http.DeleteAsync(new Uri($"{payments.Registry}/subjects/{payments.Raw}-value"), TestContext.Current.CancellationToken);
        deleted.EnsureSuccessStatusCode();
        return payments;
    }

    private static async Task<IReadOnlyList<JsonElement>> DecidedAsync(PaymentsCase payments) =>
        [.. (await Clients.ConsumeAsync(payments.Bootstrap, payments.Decisions)).Select(record => record.Json()).Where(decision => decision.GetProperty("event").GetString() == "decided")];

    private Task<RunResult> RegisterAsync(string url, string subject, string schema) => Clients.AvroAsync("register", null, "--registry", url, "--subject", subject, "--value-schema", Write("register.avsc", schema));

    private static async Task RegisterAsync(HttpClient http, string url, string subject, string schema)
    {
        // Registries differ in how strict they are unless told: what is tried here is incompatible on purpose.
        using var none = new StringContent("""{"compatibility":"NONE"}""", null, "application/vnd.schemaregistry.v1+json");
        using HttpResponseMessage level = await http.PutAsync(new Uri($"{url}/config/{subject}"), none, TestContext.Current.CancellationToken);
        using var body = new StringContent(JsonSerializer.Serialize(new { schema }), null, "application/vnd.schemaregistry.v1+json");
        using HttpResponseMessage answer = await http.PostAsync(new Uri($"{url}/subjects/{subject}/versions"), body, TestContext.Current.CancellationToken);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    /// <summary><c>policystreams registry</c> on its own.</summary>
    private sealed class DevRegistryProcess(IEnumerable<string> arguments) : CommandProcess(arguments)
    {
        public string Url { get; private set; } = "";

        public static async Task<DevRegistryProcess> StartAsync(params string[] more)
        {
            var process = new DevRegistryProcess(["registry", "--port", "0", .. more]);
            await Eventually.TrueAsync(() => Task.FromResult(process.Said.Contains("http://127.0.0.1:", StringComparison.Ordinal)), s_deadline, () => process.Said);
            process.Url = Regex.Match(process.Said, "http://127\\.0\\.0\\.1:[0-9]+").Value;
            return process;
        }
    }
}
