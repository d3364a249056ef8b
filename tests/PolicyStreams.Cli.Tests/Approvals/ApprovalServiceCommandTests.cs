using System.CommandLine;
using PolicyStreams.Cli.Commands;

namespace PolicyStreams.Cli.Tests.Approvals;

public sealed class ApprovalServiceCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("service-").FullName;

    [Theory]
    [InlineData("HTTPS", "--authority", "http://id.example.com", "--bootstrap", "b:1", "--topics", "state.a")]
    [InlineData("dev issuer", "--authority", "https://dev-issuer.policystreams.invalid", "--bootstrap", "b:1", "--topics", "state.a")]
    [InlineData("`--topics` or by `--policies`", "--authority", "https://id.example.com", "--bootstrap", "b:1")]
    [InlineData("STATE=APPROVALS", "--authority", "https://id.example.com", "--bootstrap", "b:1", "--topics", "payments")]
    [InlineData("named twice", "--authority", "https://id.example.com", "--bootstrap", "b:1", "--topics", "state.a,state.a")]
    [InlineData("no Kafka", "--authority", "https://id.example.com", "--topics", "state.a")]
    [InlineData("/no/such/folder", "--authority", "https://id.example.com", "--bootstrap", "b:1", "--policies", "/no/such/folder")]
    [InlineData("cannot be read", "--authority", "https://id.example.com", "--bootstrap", "b:1", "--topics", "state.a")]
    public async Task Invoke_UnusableOptions_SaysWhichAndDoesNotStart(string expected, params string[] arguments)
    {
        (int code, string error) = await Run([.. arguments, "--audience", "approvals", "--signing-key", Path.Combine(_folder, "none.pem")]);
        Assert.Equal(2, code);
        Assert.Contains(expected, error);
    }

    [Fact]
    public async Task Invoke_MisspelledKafkaProperty_IsAnErrorAtStart()
    {
        string file = Path.Combine(_folder, "kafka.properties");
        await File.WriteAllTextAsync(file, "# comment\nbootstrap.servers=b:1\nsasl.pasword = SECRET\n");
        (int code, string error) = await Run("--authority", "https://id.example.com", "--audience", "a", "--signing-key", "x", "--topics", "state.a", "--kafka-config", file);
        Assert.Equal(2, code);
        Assert.Contains("sasl.pasword", error);
        Assert.DoesNotContain("SECRET", error);
    }

    [Fact]
    public async Task Invoke_PolicyWithAnError_IsOneAndSaysWhere()
    {
        string file = Path.Combine(_folder, "payments.policy.yaml");
        await File.WriteAllTextAsync(file, "apiVersion: policystreams/v1\nkind: Policy\nmetadata: { name: payments }\nbindings: 5\n");
        (int code, string error) = await Run("--authority", "https://id.example.com", "--audience", "a", "--signing-key", "x", "--policies", _folder, "--bootstrap", "b:1");
        Assert.Equal(1, code);
        Assert.Contains(file + ":4:", error);
    }

    [Fact]
    public async Task Invoke_KeyThatOthersMayRead_IsRefused()
    {
        if (OperatingSystem.IsWindows()) { return; }
        string key = Path.Combine(_folder, "k.pem");
        Assert.Equal(0, await ApprovalsCommand.Create().Parse(["keygen", "--out", key]).InvokeAsync(new InvocationConfiguration { Output = TextWriter.Null }));
        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        (int code, string error) = await Run("--authority", "https://id.example.com", "--audience", "a", "--signing-key", key, "--topics", "state.a", "--bootstrap", "b:1");
        Assert.Equal(2, code);
        Assert.Contains("chmod 600", error);
    }

    [Fact]
    public async Task Invoke_GoodOptions_ServesUntilStopped()
    {
        string key = Path.Combine(_folder, "k.pem");
        await ApprovalsCommand.Create().Parse(["keygen", "--out", key]).InvokeAsync(new InvocationConfiguration { Output = TextWriter.Null });
        using var stop = new CancellationTokenSource();
        int port = FreePort();
        Task<int> served = ApprovalServiceCommand.Create()
            .Parse(["--authority", "https://id.example.com", "--audience", "a", "--signing-key", key, "--topics", "state.a", "--bootstrap", "127.0.0.1:1", "--http", $"http://127.0.0.1:{port}"])
            .InvokeAsync(new InvocationConfiguration(), stop.Token);
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        bool isLive = false;
        while (!isLive && !served.IsCompleted)
        {
            try { isLive = (await http.GetAsync("/live", deadline.Token)).IsSuccessStatusCode; }
            catch (HttpRequestException) { await Task.Delay(20, deadline.Token); }
        }
        Assert.True(isLive);
        Assert.Equal(503, (int)(await http.GetAsync("/ready", deadline.Token)).StatusCode);
        await stop.CancelAsync();
        Assert.Equal(0, await served);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static async Task<(int Code, string Error)> Run(params string[] arguments)
    {
        var error = new StringWriter();
        int code = await ApprovalServiceCommand.Create().Parse(arguments).InvokeAsync(new InvocationConfiguration { Output = TextWriter.Null, Error = error });
        return (code, error.ToString());
    }

    private static int FreePort()
    {
        using var socket = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        socket.Start();
        return ((System.Net.IPEndPoint)socket.LocalEndpoint).Port;
    }
}
