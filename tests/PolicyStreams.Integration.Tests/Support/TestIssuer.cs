using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;

namespace PolicyStreams.Integration.Tests.Support;

/// <summary>An OIDC provider of a few lines: discovery, one key, and tokens for whoever a test names. None of our code, nor the library's that checks them.</summary>
internal sealed class TestIssuer : IAsyncDisposable
{
    public const string Audience = "policystreams";
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly HttpListener _listener = new();
    private readonly Task _serving;

    public TestIssuer()
    {
        Address = $"http://127.0.0.1:{ScriptedService.FreePorts()}";
        _listener.Prefixes.Add(Address + "/");
        _listener.Start();
        _serving = ServeAsync();
    }

    /// <summary>Its address, and the <c>iss</c> of its tokens.</summary>
    public string Address { get; }

    public string Token(string subject, params string[] groups)
    {
        long now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        string signed = Part(new { alg = "ES256", kid = "test", typ = "JWT" }) + "." +
            Part(new { iss = Address, aud = Audience, sub = subject, groups, iat = now, nbf = now - 5, exp = now + 600 });
        return signed + "." + Base64Url.EncodeToString(_key.SignData(System.Text.Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256));
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Close();
        await _serving;
        _key.Dispose();
    }

    private static string Part(object value) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(value));

    private async Task ServeAsync()
    {
        ECPoint point = _key.ExportParameters(false).Q;
        object keys = new { keys = new[] { new { kty = "EC", crv = "P-256", alg = "ES256", use = "sig", kid = "test", x = Base64Url.EncodeToString(point.X), y = Base64Url.EncodeToString(point.Y) } } };
        object discovery = new { issuer = Address, jwks_uri = Address + "/keys", id_token_signing_alg_values_supported = new[] { "ES256" } };
        try
        {
            while (true)
            {
                HttpListenerContext context = await _listener.GetContextAsync();
                bool isKeys = context.Request.Url?.AbsolutePath == "/keys";
                byte[] body = JsonSerializer.SerializeToUtf8Bytes(isKeys ? keys : discovery);
                context.Response.ContentType = "application/json";
                await context.Response.OutputStream.WriteAsync(body);
                context.Response.Close();
            }
        }
        catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
        {
            // Closed: the test is over.
        }
    }
}
