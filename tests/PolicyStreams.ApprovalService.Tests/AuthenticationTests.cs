using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.IdentityModel.Tokens;
using PolicyStreams.ApprovalService.Dev;
using PolicyStreams.Processor.Holds;

namespace PolicyStreams.ApprovalService.Tests;

public sealed class AuthenticationTests(Service service) : IClassFixture<Service>
{
    private Provider Provider => service.Provider;

    [Theory]
    [InlineData(SecurityAlgorithms.RsaSha256)]
    [InlineData(SecurityAlgorithms.RsaSsaPssSha256)]
    [InlineData(SecurityAlgorithms.EcdsaSha256)]
    public async Task Get_TokenOfAnAllowedAlgorithm_IsTaken(string algorithm)
    {
        SecurityKey key = algorithm == SecurityAlgorithms.EcdsaSha256 ? Provider.Ec : Provider.Rsa;
        string token = Provider.Token(groups: ["risk"], credentials: new SigningCredentials(key, algorithm));
        await Service.Json(await service.Get("/holds", token));
    }

    [Fact]
    public async Task Get_NoToken_IsChallengedWithoutAnError()
    {
        HttpResponseMessage response = await service.Get("/holds", null);
        Assert.Equal("token-missing", await Service.Problem(response, 401));
        Assert.Equal("Bearer", response.Headers.WwwAuthenticate.ToString());
    }

    [Fact]
    public async Task Get_ExpiredToken_IsRefusedAndSaidSo()
    {
        HttpResponseMessage response = await service.Get("/holds", Provider.Token(groups: ["risk"], expires: TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(-5)));
        Assert.Equal("token-expired", await Service.Problem(response, 401));
        Assert.Equal("Bearer error=\"invalid_token\"", response.Headers.WwwAuthenticate.ToString());
    }

    [Fact]
    public async Task Get_WrongAudience_IsRefused() => Assert.Equal("token-audience", await Refused(Provider.Token(groups: ["risk"], audience: "another")));

    [Fact]
    public async Task Get_NoAudience_IsRefused() => Assert.Equal("token-audience", await Refused(Provider.Token(groups: ["risk"], audience: null)));

    [Fact]
    public async Task Get_WrongIssuer_IsRefused() => Assert.Equal("token-issuer", await Refused(Provider.Token(groups: ["risk"], issuer: "https://id.example")));

    [Fact]
    public async Task Get_UnsignedToken_IsRefused() => Assert.Equal("token-invalid", await Refused(Provider.Token(groups: ["risk"], unsigned: true)));

    [Fact]
    public async Task Get_AlgorithmNoneInEverySpelling_IsRefused()
    {
        string good = Provider.Token(groups: ["risk"]);
        string payload = good.Split('.')[1];
        foreach (string algorithm in new[] { "none", "None", "NONE", "" })
        {
            string header = Base64UrlEncoder.Encode($$"""{"alg":"{{algorithm}}","typ":"JWT"}""");
            Assert.Equal("token-invalid", await Refused($"{header}.{payload}."));
            Assert.Equal("token-invalid", await Refused($"{header}.{payload}.{good.Split('.')[2]}"));
        }
    }

    [Fact]
    public async Task Get_HmacWithThePublicKey_IsRefused()
    {
        foreach (byte[] secret in new[] { Provider.Rsa.Rsa.ExportSubjectPublicKeyInfo(), Encoding.ASCII.GetBytes(Provider.Rsa.Rsa.ExportSubjectPublicKeyInfoPem()), Encoding.ASCII.GetBytes(Provider.Rsa.Rsa.ExportRSAPublicKeyPem()) })
        {
            string token = Provider.Token(groups: ["risk"], credentials: new SigningCredentials(new SymmetricSecurityKey(secret) { KeyId = "r1" }, SecurityAlgorithms.HmacSha256));
            Assert.Equal("token-invalid", await Refused(token));
        }
    }

    [Fact]
    public async Task Get_AlgorithmOutsideTheList_IsRefused() =>
        Assert.Equal("token-invalid", await Refused(Provider.Token(groups: ["risk"], credentials: new SigningCredentials(Provider.Rsa, SecurityAlgorithms.RsaSha512))));

    [Fact]
    public async Task Get_AnotherKeyUnderAKnownId_IsRefused()
    {
        using var other = RSA.Create(2048);
        Assert.Equal("token-invalid", await Refused(Provider.Token(groups: ["risk"], credentials: new SigningCredentials(new RsaSecurityKey(other) { KeyId = "r1" }, SecurityAlgorithms.RsaSha256))));
    }

    [Fact]
    public async Task Get_NoSubject_IsRefused() => Assert.Equal("token-invalid", await Refused(Provider.Token(subject: null, groups: ["risk"])));

    [Theory]
    [InlineData("x")]
    [InlineData("a.b.c")]
    [InlineData("eyJhbGciOiJSUzI1NiJ9..")]
    [InlineData("....")]
    public async Task Get_NoTokenAtAll_IsRefused(string token) => Assert.Equal("token-invalid", await Refused(token));

    [Fact]
    public async Task Get_TokenWithoutGroups_IsToldWhatIsMissing() => Assert.Equal("no-groups", await Service.Problem(await service.Get("/holds", Provider.Token()), 403));

    [Theory]
    [InlineData("/live")]
    [InlineData("/ready")]
    [InlineData("/openapi/v1.json")]
    public async Task Get_HealthAndDocument_NeedNoToken(string path) => Assert.True((await service.Get(path, null)).IsSuccessStatusCode);

    [Fact]
    public async Task Get_DiscoveryNamesAnotherIssuer_ItsTokensAreRefusedAllTheSame()
    {
        await using Provider lying = await Provider.StartAsync();
        lying.ClaimedIssuer = "https://other.example";
        (WebApplication app, StatementSigner signer) = await Start(new ApprovalServiceOptions { Address = "http://127.0.0.1:0", Authority = lying.Issuer, Audience = Provider.Audience });
        using HttpClient http = Client(app, lying.Token(groups: ["risk"], issuer: "https://other.example"));
        Assert.Equal("token-issuer", await Service.Problem(await http.GetAsync("/holds"), 401));
        await app.DisposeAsync();
        signer.Dispose();
    }

    [Fact]
    public async Task Get_ProviderUnreachable_IsTheServicesTrouble()
    {
        (WebApplication app, StatementSigner signer) = await Start(new ApprovalServiceOptions { Address = "http://127.0.0.1:0", Authority = "http://127.0.0.1:1", Audience = "a" });
        using HttpClient http = Client(app, Provider.Token(groups: ["risk"]));
        Assert.Equal("provider-unreachable", await Service.Problem(await http.GetAsync("/holds"), 503));
        await app.DisposeAsync();
        signer.Dispose();
    }

    [Fact]
    public async Task DevIssuer_InTheDemo_TokensForNamedUsersAreTaken()
    {
        await using DevIssuer dev = await DevIssuer.StartAsync([new DevUser("ann", ["risk"], [])]);
        (WebApplication app, StatementSigner signer) = await Start(new ApprovalServiceOptions
        {
            Address = "http://127.0.0.1:0",
            Authority = dev.Address.ToString(),
            Issuer = DevIssuer.Issuer,
            Audience = DevIssuer.Audience,
            IsDemo = true,
        });
        using var plain = new HttpClient();
        HttpResponseMessage given = await plain.PostAsync(new Uri(dev.Address, "/token"), new FormUrlEncodedContent([new("user", "ann")]));
        using HttpClient http = Client(app, (await Service.Json(given)).GetProperty("access_token").GetString()!);
        await Service.Json(await http.GetAsync("/holds"));
        Assert.Equal(400, (int)(await plain.PostAsync(new Uri(dev.Address, "/token"), new FormUrlEncodedContent([new("user", "eve")]))).StatusCode);
        var rebound = new HttpRequestMessage(HttpMethod.Get, new Uri(dev.Address, "/jwks")) { Headers = { Host = "evil.example" } };
        Assert.Equal(400, (int)(await plain.SendAsync(rebound)).StatusCode);
        await app.DisposeAsync();
        signer.Dispose();
    }

    [Fact]
    public async Task DevIssuer_OutsideTheDemo_IsRefusedByNameEvenWhereItsKeysAre()
    {
        await using DevIssuer dev = await DevIssuer.StartAsync([]);
        using StatementSigner signer = StatementSigner.Generate();
        var named = new ApprovalServiceOptions { Authority = dev.Address.ToString(), Issuer = DevIssuer.Issuer, Audience = DevIssuer.Audience };
        Assert.Contains("dev issuer", Assert.Throws<ArgumentException>(() => ApprovalServiceApp.Build(named, new FakeView(), new FakeSink(), signer)).Message);

        (WebApplication app, StatementSigner own) = await Start(new ApprovalServiceOptions { Address = "http://127.0.0.1:0", Authority = dev.Address.ToString(), Audience = DevIssuer.Audience });
        using HttpClient http = Client(app, dev.IssueToken("ann", ["risk"], []));
        Assert.Equal("token-issuer", await Service.Problem(await http.GetAsync("/holds"), 401));
        await app.DisposeAsync();
        own.Dispose();
    }

    [Theory]
    [InlineData("http://id.example.com", "approvals", "HTTPS")]
    [InlineData("id.example.com", "approvals", "authority")]
    [InlineData("https://id.example.com", " ", "audience")]
    public void Problems_UnsafeOptions_AreNamed(string authority, string audience, string expected) =>
        Assert.Contains(expected, new ApprovalServiceOptions { Authority = authority, Audience = audience }.Problems().Single());

    [Fact]
    public void Problems_HttpsWithoutCertificate_IsNamed() =>
        Assert.Contains("tls-certificate", new ApprovalServiceOptions { Authority = "https://id.example.com", Audience = "a", Address = "https://127.0.0.1:0" }.Problems().Single());

    private async Task<string> Refused(string token) => await Service.Problem(await service.Get("/holds", token), 401);

    private static async Task<(WebApplication App, StatementSigner Signer)> Start(ApprovalServiceOptions options)
    {
        StatementSigner signer = StatementSigner.Generate();
        WebApplication app = ApprovalServiceApp.Build(options, new FakeView(), new FakeSink(), signer);
        await app.StartAsync();
        return (app, signer);
    }

    private static HttpClient Client(WebApplication app, string token) =>
        new() { BaseAddress = new Uri(app.Urls.Single()), DefaultRequestHeaders = { Authorization = new("Bearer", token) } };
}
