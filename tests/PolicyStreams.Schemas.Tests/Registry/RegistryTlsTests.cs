using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Schemas.Tests;

public sealed class RegistryTlsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("policystreams-");

    [Fact]
    public async Task GetById_AuthorityNotTrusted_IsUnreachable()
    {
        await using WebApplication server = await StartAsync(Certificate("server"), ClientCertificateMode.NoCertificate, _ => true);
        using RegistryClient system = Client(server, caFile: null);
        Assert.Equal(RegistryAnswerKind.Unreachable, (await system.GetByIdAsync(1, null, CancellationToken.None)).Kind);

        Certificate("stranger");
        using RegistryClient stranger = Client(server, Pem("stranger"));
        Assert.Equal(RegistryAnswerKind.Unreachable, (await stranger.GetByIdAsync(1, null, CancellationToken.None)).Kind);
    }

    [Fact]
    public async Task GetById_AuthorityOfCaFile_IsFound()
    {
        await using WebApplication server = await StartAsync(Certificate("server"), ClientCertificateMode.NoCertificate, _ => true);
        using RegistryClient client = Client(server, Pem("server"));
        RegistryAnswer<RegisteredSchema> answer = await client.GetByIdAsync(1, null, CancellationToken.None);
        Assert.True(answer.IsFound, answer.Reason);
    }

    [Fact]
    public async Task GetById_ClientCertificate_IsShown()
    {
        string own = Certificate("client").Thumbprint;
        await using WebApplication server = await StartAsync(Certificate("server"), ClientCertificateMode.RequireCertificate, shown => shown.Thumbprint == own);
        using RegistryClient without = Client(server, Pem("server"));
        Assert.Equal(RegistryAnswerKind.Unreachable, (await without.GetByIdAsync(1, null, CancellationToken.None)).Kind);
        using RegistryClient with = Client(server, Pem("server"), Pem("client"));
        RegistryAnswer<RegisteredSchema> answer = await with.GetByIdAsync(1, null, CancellationToken.None);
        Assert.True(answer.IsFound, answer.Reason);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private string Pem(string name) => Path.Combine(_folder.FullName, name + ".pem");

    /// <summary>A self-signed certificate for loopback, with its key in the PEM file of that name.</summary>
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
        File.WriteAllText(Pem(name), made.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem());
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), null);
    }

    private static async Task<WebApplication> StartAsync(X509Certificate2 certificate, ClientCertificateMode mode, Func<X509Certificate2, bool> accept)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(https =>
        {
            https.ServerCertificate = certificate;
            https.ClientCertificateMode = mode;
            https.ClientCertificateValidation = (shown, _, _) => accept(shown);
        })));
        WebApplication app = builder.Build();
        app.Run(context => context.Response.WriteAsync("""{"schema":"\"string\""}"""));
        await app.StartAsync();
        return app;
    }

    private static RegistryClient Client(WebApplication server, string? caFile, string? clientFile = null) => new(new RegistryClientOptions
    {
        Urls = [server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()],
        Retries = 0,
        RequestTimeout = TimeSpan.FromSeconds(30),
        CaFile = caFile,
        ClientCertificateFile = clientFile,
    });
}
