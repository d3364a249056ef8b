using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Http;
using PolicyStreams.Cli.Commands;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Schemas.Registry;
using PolicyStreams.Schemas.Tests;

namespace PolicyStreams.Cli.Tests.Registry;

/// <summary>Credentials, authorities, and several URLs as options: what of them reaches the registry.</summary>
public sealed class RegistryOptionsTests : IDisposable
{
    private const string Subject = "/subjects/raw.payments-value/versions";
    private readonly string _folder = Directory.CreateTempSubdirectory("registry-").FullName;

    public RegistryOptionsTests() => File.WriteAllText(Path.Combine(_folder, "p.policy.yaml"), """
        { apiVersion: policystreams/v1, kind: Policy, metadata: { name: payments }, bindings: [{ name: payments, format: avro }], rules: [{ id: pan, mask: { tag: PAN, keep_last: 4 } }] }
        """);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Lint_WithUserAndPassword_SendsThem()
    {
        await using ScriptedPeer registry = await ScriptedPeer.StartAsync(context => Answer(context, context.Request.Headers.Authorization == Basic("lint", "p:ss wörd")));
        string password = Write("password", "p:ss wörd\n");
        Clean(await LintAsync(null, "--registry", registry.Url, "--registry-user", "lint", "--registry-password", $"file:{password}"));
        Refused(await LintAsync(null, "--registry", registry.Url), "401");
        BuiltCommand.Ran wrong = await LintAsync(null, "--registry", registry.Url, "--registry-user", "lint", "--registry-password", $"file:{Write("other", "not-it-not-it")}");
        Refused(wrong, "401");
        Assert.DoesNotContain("not-it-not-it", wrong.Output + wrong.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lint_WithAToken_SendsIt()
    {
        await using ScriptedPeer registry = await ScriptedPeer.StartAsync(context => Answer(context, context.Request.Headers.Authorization == "Bearer t0ken"));
        Clean(await LintAsync(new() { ["REGISTRY_TOKEN"] = "t0ken" }, "--registry", registry.Url, "--registry-token", "env:REGISTRY_TOKEN"));
    }

    [Fact]
    public async Task Lint_WithSeveralUrls_AsksTheOneThatAnswers()
    {
        await using ScriptedPeer registry = await ScriptedPeer.StartAsync(context => Answer(context, true));
        Clean(await LintAsync(null, "--registry", $"http://127.0.0.1:{ClosedPort()}, {registry.Url}"));
        Assert.NotEmpty(registry.Requests);
    }

    [Fact]
    public async Task Lint_WithAnAuthorityAndACertificate_IsTrustedByThem()
    {
        using X509Certificate2 own = Certificate("server"), shown = Certificate("client");
        await using ScriptedPeer registry = await ScriptedPeer.StartAsync(async context => await Answer(context, (await context.Connection.GetClientCertificateAsync())?.Thumbprint == shown.Thumbprint), own);
        string ca = Path.Combine(_folder, "server.pem"), certificate = Path.Combine(_folder, "client.pem"), key = Path.Combine(_folder, "client.key");
        Assert.StartsWith("https://", registry.Url, StringComparison.Ordinal);
        Clean(await LintAsync(null, "--registry", registry.Url, "--registry-ca", ca, "--registry-certificate", certificate, "--registry-certificate-key", key));
        Refused(await LintAsync(null, "--registry", registry.Url, "--registry-ca", ca), "401");
        Refused(await LintAsync(null, "--registry", registry.Url), "could not be reached");
    }

    [Fact]
    public async Task Run_WithUserAndPassword_SendsThem()
    {
        // The registry is asked before the broker: where it lacks the subject, `run` ends.
        var seen = new ConcurrentQueue<string>();
        await using ScriptedPeer registry = await ScriptedPeer.StartAsync(context =>
        {
            seen.Enqueue(context.Request.Headers.Authorization.ToString());
            return ScriptedPeer.NotFound(context, 40401);
        });
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync(
            new BuiltCommand.Given(Environment: new() { ["REGISTRY_PASSWORD"] = "secret" }),
            "run", "--bootstrap", $"127.0.0.1:{ClosedPort()}", "--policies", _folder, "--state-dir", _folder, "--registry", registry.Url, "--registry-user", "run", "--registry-password", "env:REGISTRY_PASSWORD");
        Assert.Equal(1, ran.Code);
        Assert.Contains("PS0301 error: the registry has no subject `raw.payments-value`", ran.Output + ran.Error, StringComparison.Ordinal);
        Assert.All(seen, authorization => Assert.Equal(Basic("run", "secret"), authorization));
        Assert.NotEmpty(seen);
    }

    [Fact]
    public async Task MakeRegistry_TokenInAFile_IsReadAgainAtEachRequest()
    {
        var seen = new ConcurrentQueue<string>();
        await using ScriptedPeer registry = await ScriptedPeer.StartAsync(context =>
        {
            seen.Enqueue(context.Request.Headers.Authorization.ToString());
            return ScriptedPeer.NotFound(context, 40403);
        });
        string file = Write("token", "one");
        using RegistryClient client = RunCommand.MakeRegistry(new ProcessorOptions { Registry = registry.Url, RegistryToken = $"file:{file}" })!;
        await client.GetByIdAsync(1, null, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(file, "two", TestContext.Current.CancellationToken);
        await client.GetByIdAsync(2, null, TestContext.Current.CancellationToken);
        Assert.Equal(["Bearer one", "Bearer two"], seen.Distinct());
    }

    private Task<BuiltCommand.Ran> LintAsync(Dictionary<string, string>? environment, params string[] options) =>
        BuiltCommand.RunAsync(new BuiltCommand.Given(Environment: environment), ["lint", _folder, .. options]);

    private static Task Answer(HttpContext context, bool admitted) => !admitted ? ScriptedPeer.Json(context, """{"error_code":401,"message":"who?"}""", 401) : context.Request.Path.Value switch
    {
        Subject => ScriptedPeer.Json(context, "[1]"),
        Subject + "/1" => ScriptedPeer.Json(context, """{"subject":"raw.payments-value","version":1,"id":7,"schema":"{\"type\":\"record\",\"name\":\"P\",\"fields\":[{\"name\":\"card\",\"type\":\"string\",\"tags\":[\"PAN\"]}]}"}"""),
        _ => ScriptedPeer.NotFound(context, 40403),
    };

    private static void Clean(BuiltCommand.Ran ran) => Assert.True((ran.Code, ran.Output) == (0, ""), ran.Output + ran.Error);

    private static void Refused(BuiltCommand.Ran ran, string why)
    {
        Assert.Equal(2, ran.Code);
        Assert.Contains(why, ran.Error, StringComparison.Ordinal);
    }

    private static string Basic(string user, string password) => "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}"));

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    /// <summary>A self-signed certificate for loopback, with its key in a file of its own.</summary>
    private X509Certificate2 Certificate(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        using X509Certificate2 made = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        Write(name + ".pem", made.ExportCertificatePem());
        Write(name + ".key", key.ExportPkcs8PrivateKeyPem());
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), null);
    }

    private static int ClosedPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
