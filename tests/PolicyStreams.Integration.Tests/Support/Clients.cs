using System.Globalization;
using System.Text.Json;

namespace PolicyStreams.Integration.Tests.Support;

/// <summary>Clients that are not ours: the programs of tests/clients, and kcat.</summary>
internal static class Clients
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(3);
    private static bool? s_there;

    public static async Task RequireAsync()
    {
        s_there ??= (await Run.ProgramAsync(TestEnvironment.Python, ["-c", "import confluent_kafka"], TimeSpan.FromSeconds(30))).ExitCode == 0;
        if (s_there == false) { TestEnvironment.SkipOrFail($"{TestEnvironment.Python} lacks confluent_kafka (Debian: python3-confluent-kafka)."); }
    }

    /// <summary>Registers the schema of the example under a subject; its id.</summary>
    public static async Task<int> RegisterAsync(string registry, string subject, string schemaFile)
    {
        RunResult result = await PythonAsync("register.py", "--registry", registry, "--subject", subject, "--file", schemaFile);
        return int.Parse(result.Succeeded(), CultureInfo.InvariantCulture);
    }

    /// <summary>Makes records with the example's generator, the exact bytes of what must be published included.</summary>
    public static async Task GenerateAsync(string file, int count, int seed)
    {
        RunResult result = await Run.ProgramAsync(
            TestEnvironment.Python,
            [Path.Combine(TestEnvironment.Example, "generate.py"), "--published", "--count", count.ToString(CultureInfo.InvariantCulture), "--seed", seed.ToString(CultureInfo.InvariantCulture), "--key", PaymentsCase.MaskKey],
            s_deadline,
            outputFile: file);
        result.Succeeded();
    }

    /// <summary>Produces a file of records. Runs on until all are delivered.</summary>
    public static async Task ProduceAsync(string bootstrap, string topic, string file, int schemaId, double? perSecond = null)
    {
        List<string> arguments = ["--bootstrap", bootstrap, "--topic", topic, "--file", file, "--schema-id", schemaId.ToString(CultureInfo.InvariantCulture)];
        if (perSecond is { } rate) { arguments.AddRange(["--rate", rate.ToString(CultureInfo.InvariantCulture)]); }
        (await PythonAsync("produce.py", [.. arguments])).Succeeded();
    }

    /// <summary>What a read-committed reader sees of some topics, from beginning to end.</summary>
    public static async Task<IReadOnlyList<ConsumedRecord>> ConsumeAsync(string bootstrap, params string[] topics)
    {
        RunResult result = await PythonAsync("consume.py", ["--bootstrap", bootstrap, .. topics]);
        return [.. result.Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<ConsumedRecord>(line, JsonSerializerOptions.Web)!)];
    }

    /// <summary>Holds what was written for a binding against its ingress topic and the file of records. See tests/clients/verify.py.</summary>
    public static async Task<JsonElement> VerifyAsync(string bootstrap, PaymentsCase payments, string file, int schemaId, bool partial = false)
    {
        List<string> arguments =
        [
            "--bootstrap", bootstrap, "--binding", payments.Name, "--decisions", payments.Decisions, "--records", file,
            "--schema-id", schemaId.ToString(CultureInfo.InvariantCulture),
        ];
        if (partial) { arguments.Add("--partial"); }
        RunResult result = await PythonAsync("verify.py", [.. arguments]);
        Assert.True(result.ExitCode is 0 or 1, result.Error);
        JsonElement report = JsonDocument.Parse(result.Output).RootElement;
        Assert.True(result.ExitCode == 0, result.Output);
        return report;
    }

    /// <summary>Produces one record with kcat: librdkafka's own command, another build of it than ours.</summary>
    public static async Task KcatProduceAsync(string bootstrap, string topic, int partition, string key, string text)
    {
        RunResult result = await Run.ProgramAsync(
            "kcat", ["-P", "-b", bootstrap, "-t", topic, "-p", partition.ToString(CultureInfo.InvariantCulture), "-k", key], s_deadline, input: text);
        result.Succeeded();
    }

    /// <summary>Runs Confluent's own Avro serializers and registry client. See tests/clients/avro_client.py.</summary>
    public static Task<RunResult> AvroAsync(string verb, string? input, params string[] arguments) =>
        Run.ProgramAsync(TestEnvironment.Python, [Path.Combine(TestEnvironment.Clients, "avro_client.py"), verb, .. arguments], s_deadline, input: input ?? "");

    private static Task<RunResult> PythonAsync(string program, params string[] arguments) =>
        Run.ProgramAsync(TestEnvironment.Python, [Path.Combine(TestEnvironment.Clients, program), .. arguments], s_deadline);
}

/// <summary>One record as consume.py prints it.</summary>
/// <param name="Value">Hex; null for a tombstone.</param>
internal sealed record ConsumedRecord(string Topic, int Partition, long Offset, long Timestamp, string? Key, IReadOnlyList<IReadOnlyList<string?>> Headers, string? Value)
{
    public string? Header(string name) => Headers.SingleOrDefault(header => header[0] == name)?[1];

    public JsonElement Json() => JsonDocument.Parse(Convert.FromHexString(Value!)).RootElement;
}
