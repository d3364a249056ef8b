using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace PolicyStreams.ApprovalService.Tests;

/// <summary>An OIDC provider on loopback, with one RSA and one EC key: what the service meets on the wire.</summary>
public sealed class Provider : IAsyncDisposable
{
    internal const string Audience = "approvals";
    private readonly WebApplication _app;

    private Provider(WebApplication app, RsaSecurityKey rsa, ECDsaSecurityKey ec)
    {
        _app = app;
        Rsa = rsa;
        Ec = ec;
    }

    internal RsaSecurityKey Rsa { get; }

    internal ECDsaSecurityKey Ec { get; }

    internal string Issuer => _app.Urls.Single();

    /// <summary>What discovery names as the issuer, where it is to lie.</summary>
    internal string? ClaimedIssuer { get; set; }

    internal static async Task<Provider> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Services.AddRoutingCore();
        WebApplication app = builder.Build();
        var provider = new Provider(app, new RsaSecurityKey(RSA.Create(2048)) { KeyId = "r1" }, new ECDsaSecurityKey(ECDsa.Create(ECCurve.NamedCurves.nistP256)) { KeyId = "e1" });
        app.UseRouting();
        app.MapGet("/.well-known/openid-configuration", () => Results.Json(new Dictionary<string, string> { ["issuer"] = provider.ClaimedIssuer ?? provider.Issuer, ["jwks_uri"] = provider.Issuer + "/keys" }));
        app.MapGet("/keys", () =>
        {
            JsonWebKey rsa = JsonWebKeyConverter.ConvertFromRSASecurityKey(provider.Rsa);
            JsonWebKey ec = JsonWebKeyConverter.ConvertFromECDsaSecurityKey(provider.Ec);
            return Results.Json(new { keys = new object[] { new { kty = "RSA", use = "sig", kid = "r1", n = rsa.N, e = rsa.E }, new { kty = "EC", use = "sig", kid = "e1", crv = ec.Crv, x = ec.X, y = ec.Y } } });
        });
        await app.StartAsync();
        return provider;
    }

    /// <summary>A good token of a person, unless told otherwise.</summary>
    internal string Token(
        string? subject = "ann",
        string[]? groups = null,
        string[]? roles = null,
        string? issuer = null,
        string? audience = Audience,
        DateTime? expires = null,
        SigningCredentials? credentials = null,
        bool unsigned = false)
    {
        var claims = new Dictionary<string, object>();
        if (subject is not null) { claims["sub"] = subject; }
        if (groups is not null) { claims["groups"] = groups; }
        if (roles is not null) { claims["roles"] = roles; }
        DateTime end = expires ?? TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(5);
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer ?? Issuer,
            Audience = audience,
            NotBefore = end.AddHours(-1),
            IssuedAt = end.AddHours(-1),
            Expires = end,
            Claims = claims,
            SigningCredentials = unsigned ? null : credentials ?? new SigningCredentials(Rsa, SecurityAlgorithms.RsaSha256),
        });
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        Rsa.Rsa.Dispose();
        Ec.ECDsa.Dispose();
    }
}
