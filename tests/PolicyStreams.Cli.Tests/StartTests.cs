using System.Net;
using System.Net.Sockets;

namespace PolicyStreams.Cli.Tests;

/// <summary>What is refused before anything is started: by name, with exit code 2, and without a secret in what is said.</summary>
public sealed class StartTests : IDisposable
{
    private const string Secret = "hunter2-hunter2-hunter2-hunter2-hunter2";
    private readonly string _folder = Directory.CreateTempSubdirectory("start-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task TopicsPlan_BrokerThatIsNotThere_NamesIt()
    {
        string broker = $"127.0.0.1:{ClosedPort()}";
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("topics", "plan", "--bootstrap", broker, "--policies", BuiltCommand.Payments);
        Assert.Equal((2, ""), (ran.Code, ran.Output));
        Assert.Contains($"broker {broker}: it cannot be reached", ran.Error);
    }

    [Fact]
    public async Task Run_UnknownConfigurationKey_IsRefusedWithTheNearestName()
    {
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("run", "--config", Write("config.json", """{ "PolicyStreams": { "comitInterval": "50ms" } }"""));
        Refused(ran, "`PolicyStreams:comitInterval` does not exist; did you mean `commitInterval`?");
    }

    [Fact]
    public async Task Run_UnknownConfigurationKeyInTheEnvironment_IsRefused()
    {
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync(new BuiltCommand.Given(Environment: new() { ["PolicyStreams__Thread"] = "2" }), "run");
        Refused(ran, "did you mean `threads`?");
    }

    [Fact]
    public async Task Run_Nothing_SaysWhatIsMissing()
    {
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("run");
        Refused(ran, "--bootstrap");
        Refused(ran, "--policies");
    }

    [Fact]
    public async Task Run_ProtectedKafkaProperty_IsRefusedByName() =>
        Refused(await Run("--key", "customer-key=env:CUSTOMER_KEY", "--kafka-config", Write("kafka.properties", "client.id=x\nisolation.level=read_uncommitted\n")), "`isolation.level` cannot be set");

    [Fact]
    public async Task Run_KeyFileThatIsNotThere_IsNamed() =>
        Refused(await Run("--key", "customer-key=file:/no/such.key"), "/no/such.key");

    [Fact]
    public async Task Run_KeyVariableThatIsNotSet_IsNamed() =>
        Refused(await Run("--key", "customer-key=env:POLICYSTREAMS_NO_SUCH_VARIABLE"), "POLICYSTREAMS_NO_SUCH_VARIABLE");

    [Theory]
    [InlineData("--key", "customer-key=" + Secret)]
    [InlineData("--key", Secret)]
    [InlineData("--key", Secret + "=")]
    [InlineData("--registry-password", Secret)]
    public async Task Run_SecretItself_IsRefusedAndNotRepeated(string option, string value)
    {
        BuiltCommand.Ran ran = await Run("--key", "customer-key=env:CUSTOMER_KEY", "--registry-user", "me", option, value);
        Refused(ran, "file:PATH");
        Assert.DoesNotContain(Secret, ran.Error);
    }

    [Fact]
    public async Task Run_PolicyWithAnError_StartsNothing()
    {
        string policy = Write("payments.policy.yaml", "apiVersion: policystreams/v1\nkind: Policy\nmetadata: { name: payments }\nbindings: 5\nruls: []\n");
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("run", "--bootstrap", $"127.0.0.1:{ClosedPort()}", "--policies", policy, "--state-dir", _folder);
        Assert.Equal(1, ran.Code);
        Assert.Contains($"{policy}:4:", ran.Error);
        Assert.Contains($"{policy}:5:", ran.Error);
    }

    [Fact]
    public async Task Registry_FolderThatIsNotThere_IsRefused() =>
        Refused(await BuiltCommand.RunAsync("registry", "--port", "0", "--schemas", "/no/such/folder"), "/no/such/folder");

    [Theory]
    [InlineData("policystreams --help", "bogus")]
    [InlineData("policystreams run --help", "run", "--polices", "x")]
    [InlineData("policystreams topics --help", "topics")]
    [InlineData("policystreams decisions tail --help", "decisions", "tail", "--bootstrap", "b:1", "--output", "xml")]
    public async Task Anything_Misspelt_SaysWhereHelpIs(string expected, params string[] arguments) => Refused(await BuiltCommand.RunAsync(arguments), expected);

    private static void Refused(BuiltCommand.Ran ran, string expected)
    {
        Assert.Equal((2, ""), (ran.Code, ran.Output));
        Assert.StartsWith("policystreams: ", ran.Error);
        Assert.Contains(expected, ran.Error);
    }

    private Task<BuiltCommand.Ran> Run(params string[] more) => BuiltCommand.RunAsync(
        new BuiltCommand.Given(Environment: new() { ["CUSTOMER_KEY"] = "test-key-0123456789-0123456789-0123" }),
        ["run", "--bootstrap", $"127.0.0.1:{ClosedPort()}", "--registry", $"http://127.0.0.1:{ClosedPort()}", "--policies", BuiltCommand.Payments, "--state-dir", _folder, .. more]);

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    /// <summary>A port that nobody listens on.</summary>
    private static int ClosedPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
