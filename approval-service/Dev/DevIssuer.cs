using System.Net;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.HostFiltering;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace PolicyStreams.ApprovalService.Dev;

/// <summary>A person that the dev issuer knows.</summary>
public sealed record DevUser(string Name, IReadOnlyList<string> Groups, IReadOnlyList<string> Roles);

/// <summary>
/// An OIDC issuer for the demo: discovery, keys, and tokens for named users without any password. Listens on loopback only; its keys are made at start and kept in memory only.
/// Real services refuse its issuer name.
/// </summary>
public sealed class DevIssuer : IAsyncDisposable
{
    /// <summary>The <c>iss</c> of its tokens, wherever it listens. The <c>.invalid</c> domain (RFC 2606) belongs to nobody.</summary>
    public const string Issuer = "https://dev-issuer.policystreams.invalid";

    public const string Audience = "policystreams";

    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly ECDsaSecurityKey _signingKey;
    private readonly Dictionary<string, DevUser> _users;
    private readonly TimeProvider _time;
    private readonly JsonWebTokenHandler _tokens = new() { SetDefaultTimesOnTokenCreation = false };
    private WebApplication? _app;

    private DevIssuer(IEnumerable<DevUser> users, TimeProvider time)
    {
        _users = users.ToDictionary(user => user.Name, StringComparer.Ordinal);
        _time = time;
        _signingKey = new ECDsaSecurityKey(_key) { KeyId = Base64UrlEncoder.Encode(RandomNumberGenerator.GetBytes(9)) };
    }

    /// <summary>Where it listens: the <see cref="ApprovalServiceOptions.Authority"/> of the demo's service.</summary>
    public Uri Address { get; private set; } = null!;

    /// <param name="port">0 takes a free one.</param>
    public static async Task<DevIssuer> StartAsync(IEnumerable<DevUser> users, int port = 0, TimeProvider? time = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(users);
        var issuer = new DevIssuer(users, time ?? TimeProvider.System);
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { EnvironmentName = Environments.Production });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, port);
            kestrel.Limits.MaxRequestBodySize = 4096;
        });
        builder.Services.AddRoutingCore();

        // A page of the Internet may point a name of its own at loopback: only the names of this machine are answered.
        builder.Services.Configure<HostFilteringOptions>(hosts => hosts.AllowedHosts = ["localhost", "127.0.0.1"]);
        WebApplication app = builder.Build();
        app.UseHostFiltering();
        app.UseRouting();
        issuer.Map(app);
        issuer._app = app;
        await app.StartAsync(cancellation).ConfigureAwait(false);
        issuer.Address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        return issuer;
    }

    /// <summary>A token for anyone: in process only.</summary>
    public string IssueToken(string subject, IReadOnlyList<string> groups, IReadOnlyList<string> roles, TimeSpan? lifetime = null)
    {
        DateTime now = _time.GetUtcNow().UtcDateTime;
        return _tokens.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = Issuer,
            Audience = Audience,
            IssuedAt = now,
            NotBefore = now,
            Expires = now + (lifetime ?? Lifetime),
            SigningCredentials = new SigningCredentials(_signingKey, SecurityAlgorithms.EcdsaSha256),
            Claims = new Dictionary<string, object> { ["sub"] = subject, ["groups"] = groups.ToArray(), ["roles"] = roles.ToArray(), ["jti"] = Guid.NewGuid().ToString("N") },
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null) { await _app.DisposeAsync().ConfigureAwait(false); }
        _key.Dispose();
    }

    private void Map(WebApplication app)
    {
        app.MapGet("/.well-known/openid-configuration", () => Results.Json(new Dictionary<string, object>
        {
            ["issuer"] = Issuer,
            ["jwks_uri"] = new Uri(Address, "/jwks").ToString(),
            ["token_endpoint"] = new Uri(Address, "/token").ToString(),
            ["id_token_signing_alg_values_supported"] = new List<string> { SecurityAlgorithms.EcdsaSha256 },
            ["response_types_supported"] = new List<string> { "token" },
            ["subject_types_supported"] = new List<string> { "public" },
        }));
        app.MapGet("/jwks", () =>
        {
            JsonWebKey key = JsonWebKeyConverter.ConvertFromECDsaSecurityKey(_signingKey);
            return Results.Json(new { keys = new[] { new { kty = key.Kty, crv = key.Crv, use = "sig", alg = SecurityAlgorithms.EcdsaSha256, kid = key.Kid, x = key.X, y = key.Y } } });
        });

        // RFC 6749's shape with nothing behind it: whoever is on this machine may be any of the demo's people.
        app.MapPost("/token", async (HttpContext context) =>
        {
            if (!context.Request.HasFormContentType) { return Refuse("invalid_request", "Send the form `user=NAME`."); }
            IFormCollection form = await context.Request.ReadFormAsync(context.RequestAborted).ConfigureAwait(false);
            return _users.TryGetValue(form["user"].ToString(), out DevUser? user)
                ? Results.Json(new Dictionary<string, object> { ["access_token"] = IssueToken(user.Name, user.Groups, user.Roles), ["token_type"] = "Bearer", ["expires_in"] = (int)Lifetime.TotalSeconds })
                : Refuse("invalid_grant", $"Send the form `user=NAME`, one of: {string.Join(", ", _users.Keys)}.");
        });
    }

    private static IResult Refuse(string error, string description) =>
        Results.Json(new Dictionary<string, object> { ["error"] = error, ["error_description"] = description }, statusCode: StatusCodes.Status400BadRequest);
}
