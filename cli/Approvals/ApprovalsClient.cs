using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace PolicyStreams.Cli.Approvals;

/// <summary>Talks to an approval service. Follows no redirect: the token is for this service alone.</summary>
internal sealed class ApprovalsClient : IDisposable
{
    private const int AnswerBytesMax = 64 * 1024 * 1024;
    private readonly HttpClient _http;
    private readonly Uri _url;

    private ApprovalsClient(Uri url, string token)
    {
        _url = url;
        _http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = TimeSpan.FromSeconds(10) })
        {
            Timeout = TimeSpan.FromSeconds(60),
            MaxResponseContentBufferSize = AnswerBytesMax,
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token), Accept = { new MediaTypeWithQualityHeaderValue("application/json") } },
        };
    }

    /// <exception cref="ApprovalsFailure">The address is none, or would send the token in the clear; or the token is no token.</exception>
    internal static ApprovalsClient Create(string url, string token)
    {
        if (!Uri.TryCreate(url.TrimEnd('/') + "/", UriKind.Absolute, out Uri? address) || address.Scheme is not ("http" or "https"))
        {
            throw new ApprovalsFailure(ExitCode.CouldNotRun, "`--url` is not an address.", "It looks like https://approvals.example.com.");
        }
        if (address.Scheme == "http" && !address.IsLoopback)
        {
            throw new ApprovalsFailure(ExitCode.CouldNotRun, $"`--url` {address.Host} is not HTTPS: the token would cross the network in the clear.", "Use https://, or reach the service through loopback.");
        }
        return token.Length > 0 && token.All(character => char.IsAsciiLetterOrDigit(character) || character is '-' or '_' or '.' or '~' or '+' or '/' or '=')
            ? new ApprovalsClient(address, token)
            : throw new ApprovalsFailure(ExitCode.CouldNotRun, "The token is empty or has characters that no bearer token has.", "The file (or POLICYSTREAMS_TOKEN) holds the token alone, on one line.");
    }

    internal Task<JsonElement> Get(string path, CancellationToken cancellation) => Send(new HttpRequestMessage(HttpMethod.Get, new Uri(_url, path)), cancellation);

    internal Task<JsonElement> Post(string path, object body, CancellationToken cancellation) =>
        Send(new HttpRequestMessage(HttpMethod.Post, new Uri(_url, path)) { Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } } }, cancellation);

    public void Dispose() => _http.Dispose();

    private async Task<JsonElement> Send(HttpRequestMessage request, CancellationToken cancellation)
    {
        using HttpRequestMessage owned = request;
        try
        {
            using HttpResponseMessage response = await _http.SendAsync(request, cancellation).ConfigureAwait(false);
            byte[] body = await response.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false);
            JsonElement? answer = Parse(body);
            if (!response.IsSuccessStatusCode) { throw Failure(response.StatusCode, answer); }
            return answer ?? throw new ApprovalsFailure(ExitCode.CouldNotRun, $"{_url} did not answer with JSON.", "Is this the approval service's address?");
        }
        catch (HttpRequestException unreachable)
        {
            throw new ApprovalsFailure(ExitCode.CouldNotRun, $"{_url} cannot be reached: {unreachable.Message}", "Is the approval service running, and `--url` right?");
        }
        catch (TaskCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new ApprovalsFailure(ExitCode.CouldNotRun, $"{_url} did not answer within {_http.Timeout.TotalSeconds:0} s.", "A statement may have been written all the same; to say it again is safe.");
        }
    }

    private ApprovalsFailure Failure(HttpStatusCode status, JsonElement? answer)
    {
        int number = (int)status;
        string code = Text(answer, "code") is { } named ? $"{number} {named}" : number.ToString(CultureInfo.InvariantCulture);

        // Asked and refused is an outcome; no valid token, too often, or the service's own trouble is not.
        bool isOutcome = number is >= 400 and < 500 and not (401 or 405 or 429) && Text(answer, "code") is not null;
        return new ApprovalsFailure(
            isOutcome ? ExitCode.Found : ExitCode.CouldNotRun,
            $"{Text(answer, "title") ?? "The service refused the request"} ({code}, from {_url})",
            Text(answer, "detail") ?? (answer is null ? "Is this the approval service's address?" : null));
    }

    private static string? Text(JsonElement? answer, string name) =>
        answer is { ValueKind: JsonValueKind.Object } problem && problem.TryGetProperty(name, out JsonElement text) && text.ValueKind == JsonValueKind.String ? ApprovalsOutput.Plain(text.GetString()!) : null;

    private static JsonElement? Parse(byte[] body)
    {
        try
        {
            using var document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 1024 });
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
