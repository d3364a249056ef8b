using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;

namespace PolicyStreams.Schemas.Registry;

/// <summary>What one GET came to, over all URLs and tries.</summary>
internal enum ReplyKind : byte
{
    Json,
    /// <summary>404 with one of the registry's own codes.</summary>
    NotFound,
    /// <summary>404 or 405 without such a code: this registry lacks the endpoint, or the URL's path is wrong.</summary>
    NoEndpoint,
    Unreachable,
}

/// <param name="Json">The document where <paramref name="Kind"/> is Json; the receiver disposes of it.</param>
internal readonly record struct Reply(ReplyKind Kind, JsonDocument? Json, string Reason)
{
    public static Reply Unreachable(string reason) => new(ReplyKind.Unreachable, null, reason);
}

/// <summary>GETs with several URLs, timeouts, and retries. Thread-safe. Reasons name host and status, never credentials or bodies.</summary>
internal sealed class RegistryTransport : IDisposable
{
    private readonly RegistryClientOptions _options;
    private readonly TimeProvider _time;
    private readonly HttpClient _http;
    private readonly Uri[] _urls;
    private readonly AuthenticationHeaderValue? _basic;
    private int _preferred;

    public RegistryTransport(RegistryClientOptions options, TimeProvider time, HttpMessageHandler? handler)
    {
        _options = options;
        _time = time;
        _urls = [.. options.Urls.Select(ParseUrl)];
        if (_urls.Length == 0) { throw new ArgumentException("A registry needs at least one URL.", nameof(options)); }
        if (options.Retries is < 0 or > 20) { throw new ArgumentOutOfRangeException(nameof(options), options.Retries, "Retries must be 0 to 20."); }
        string? userInfo = new Uri(options.Urls[0]).UserInfo is { Length: > 0 } info ? Uri.UnescapeDataString(info) : null;
        string? basic = options.BasicUser is null ? userInfo : $"{options.BasicUser}:{options.BasicPassword}";
        if (basic is not null && options.BearerToken is not null) { throw new ArgumentException("A registry takes basic or bearer credentials, not both.", nameof(options)); }
        if (basic is not null) { _basic = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(basic))); }
        _http = new HttpClient(handler ?? MakeHandler(options), disposeHandler: true) { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>GETs a path below the base URL (escaped, without a leading slash), trying every URL, and all of them again after a pause.</summary>
    public async Task<Reply> GetAsync(string path, CancellationToken cancellationToken)
    {
        Reply last = default;
        for (int round = 0; ; round++)
        {
            bool again = false;
            int first = Volatile.Read(ref _preferred);
            for (int i = 0; i < _urls.Length; i++)
            {
                int index = (first + i) % _urls.Length;
                (last, bool passing) = await GetOnceAsync(_urls[index], path, cancellationToken).ConfigureAwait(false);
                if (last.Kind is ReplyKind.Json or ReplyKind.NotFound)
                {
                    Volatile.Write(ref _preferred, index);
                    return last;
                }

                again |= passing;
            }

            if (!again || round == _options.Retries) { return last; }
            await Task.Delay(Pause(round), _time, cancellationToken).ConfigureAwait(false);
        }
    }

    public void Dispose() => _http.Dispose();

    private TimeSpan Pause(int round)
    {
        double milliseconds = Math.Min(_options.BackoffBase.TotalMilliseconds * Math.Pow(2, round), _options.BackoffMax.TotalMilliseconds);
        return TimeSpan.FromMilliseconds(milliseconds * (0.5 + (RandomNumberGenerator.GetInt32(1001) / 2000.0)));
    }

    /// <returns>The reply, and whether asking again may help.</returns>
    private async Task<(Reply Reply, bool Passing)> GetOnceAsync(Uri url, string path, CancellationToken cancellationToken)
    {
        string host = url.Authority;
        using var timeout = new CancellationTokenSource(_options.RequestTimeout, _time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, url.AbsoluteUri + path);
            request.Headers.Accept.ParseAdd("application/vnd.schemaregistry.v1+json, application/json;q=0.9");
            foreach ((string name, string value) in _options.Headers) { request.Headers.TryAddWithoutValidation(name, value); }
            request.Headers.Authorization = _options.BearerToken is null
                ? _basic
                : new AuthenticationHeaderValue("Bearer", await _options.BearerToken(linked.Token).ConfigureAwait(false));
            using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, linked.Token).ConfigureAwait(false);
            JsonDocument? json = await ReadAsync(response, linked.Token).ConfigureAwait(false);
            return Judge(response.StatusCode, json, host);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (OperationCanceledException)
        {
            return (Reply.Unreachable($"{host} did not answer within {_options.RequestTimeout.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s."), true);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or AuthenticationException or InvalidOperationException)
        {
            string why = exception is HttpRequestException http ? http.HttpRequestError.ToString() : exception.GetType().Name;
            return (Reply.Unreachable($"{host} could not be reached ({why})."), true);
        }
#pragma warning disable CA1031 // The token source is the host's own code: whatever it throws is a registry that cannot be asked, and its message may hold a secret.
        catch (Exception exception)
        {
            return (Reply.Unreachable($"{host} could not be asked ({exception.GetType().Name})."), true);
        }
#pragma warning restore CA1031
    }

    private static (Reply Reply, bool Passing) Judge(HttpStatusCode status, JsonDocument? json, string host)
    {
        int code = (int)status;
        if (status == HttpStatusCode.OK)
        {
            return json is null
                ? (Reply.Unreachable($"{host} answered something that is not JSON, or too large."), true)
                : (new Reply(ReplyKind.Json, json, ""), false);
        }

        using (json)
        {
            if (status == HttpStatusCode.NotFound && ErrorCode(json) is int error and (40401 or 40402 or 40403))
            {
                return (new Reply(ReplyKind.NotFound, null, $"{host} does not have it (error code {error.ToString(CultureInfo.InvariantCulture)})."), false);
            }

            string reason = $"{host} answered {code.ToString(CultureInfo.InvariantCulture)}.";
            if (status == HttpStatusCode.NotFound && IsApicurioAbsence(json)) { return (new Reply(ReplyKind.NotFound, null, $"{host} does not have it."), false); }
            if (status is HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed) { return (new Reply(ReplyKind.NoEndpoint, null, reason), false); }
            bool passing = code >= 500 || status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests;
            return (Reply.Unreachable(reason), passing);
        }
    }

    /// <summary>True for what Apicurio's core API says of a schema that it does not have. Where it lacks the endpoint it names another.</summary>
    private static bool IsApicurioAbsence(JsonDocument? json) =>
        json?.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("name", out JsonElement name) && name.ValueKind == JsonValueKind.String
        && (name.ValueEquals("ArtifactNotFoundException") || name.ValueEquals("ContentNotFoundException") || name.ValueEquals("VersionNotFoundException"));

    private static int? ErrorCode(JsonDocument? json) =>
        json?.RootElement is { ValueKind: JsonValueKind.Object } root
        && root.TryGetProperty("error_code", out JsonElement code) && code.ValueKind == JsonValueKind.Number && code.TryGetInt32(out int value)
            ? value
            : null;

    /// <summary>The body as JSON; null where it is none, or larger than allowed.</summary>
    private async Task<JsonDocument?> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        using Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(16 * 1024);
        try
        {
            int length = 0;
            while (true)
            {
                int read = await stream.ReadAsync(buffer.AsMemory(length), cancellationToken).ConfigureAwait(false);
                if (read == 0) { break; }
                length += read;
                if (length > _options.ResponseBytesMax) { return null; }
                if (length == buffer.Length)
                {
                    byte[] larger = ArrayPool<byte>.Shared.Rent(2 * buffer.Length);
                    buffer.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
            }

            // A copy, because the document keeps the memory that it is given.
            return JsonDocument.Parse(buffer.AsMemory(0, length).ToArray());
        }
        catch (JsonException)
        {
            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static Uri ParseUrl(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? url) || (url.Scheme != Uri.UriSchemeHttp && url.Scheme != Uri.UriSchemeHttps))
        {
            throw new ArgumentException("A registry's URL must be absolute, http or https.", nameof(text));
        }

        return new UriBuilder(url) { UserName = "", Password = "", Path = url.AbsolutePath.TrimEnd('/') + "/", Query = "", Fragment = "" }.Uri;
    }

    private static SocketsHttpHandler MakeHandler(RegistryClientOptions options)
    {
        var handler = new SocketsHttpHandler
        {
            // A redirect would carry the question, and on the same host the credentials, to where nobody configured.
            AllowAutoRedirect = false,
            UseCookies = false,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            ConnectTimeout = options.RequestTimeout,
        };
        var tls = new SslClientAuthenticationOptions();
        if (options.CaFile is not null)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.ImportFromPemFile(options.CaFile);
            tls.CertificateChainPolicy = policy;
        }

        if (options.ClientCertificateFile is not null)
        {
            X509Certificate2 certificate = options.ClientKeyPassword is null
                ? X509Certificate2.CreateFromPemFile(options.ClientCertificateFile, options.ClientKeyFile)
                : X509Certificate2.CreateFromEncryptedPemFile(options.ClientCertificateFile, options.ClientKeyPassword, options.ClientKeyFile);
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(options.ClientCertificateFile);
            tls.ClientCertificateContext = SslStreamCertificateContext.Create(certificate, chain, offline: true);
        }

        handler.SslOptions = tls;
        return handler;
    }
}
