using System.Net;
using System.Net.Sockets;
using System.Text;

namespace PolicyStreams.Faults.Tests.Lab;

/// <summary>How a registry answers through <see cref="HttpProxy"/>.</summary>
internal enum HttpMode { Well, Down, Slow, ServerError, Garbage, NotFoundPage, Silent }

/// <summary>A way to a schema registry that can be down, slow, or wrong.</summary>
internal sealed class HttpProxy : IAsyncDisposable
{
    private readonly CancellationTokenSource _ended = new();
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly HttpClient _client = new() { Timeout = TimeSpan.FromSeconds(30) };
    private readonly Uri _far;
    private readonly Task _accepting;
    private int _answered;

    public HttpProxy(string far)
    {
        _far = new Uri(far);
        _listener.Start();
        Url = $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";
        _accepting = AcceptAsync();
    }

    public string Url { get; }

    public HttpMode Mode { get; set; }

    public TimeSpan Slowness { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Requests that were not answered as the registry would.</summary>
    public int Injected => Volatile.Read(ref _answered);

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _client.Dispose();
        _ended.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) { _ = AnswerAsync(await _listener.AcceptTcpClientAsync(_ended.Token)); }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task AnswerAsync(TcpClient near)
    {
        using TcpClient client = near;
        try
        {
            HttpMode mode = Mode;
            if (mode != HttpMode.Well) { Interlocked.Increment(ref _answered); }
            if (mode == HttpMode.Down)
            {
                client.LingerState = new LingerOption(true, 0);
                return;
            }

            await using NetworkStream stream = client.GetStream();
            using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
            string? request = await reader.ReadLineAsync(_ended.Token);
            if (request is null) { return; }
            while (await reader.ReadLineAsync(_ended.Token) is { Length: > 0 }) { }
            if (mode == HttpMode.Silent)
            {
                await Task.Delay(TimeSpan.FromMinutes(2), _ended.Token);
                return;
            }

            if (mode == HttpMode.Slow) { await Task.Delay(Slowness, _ended.Token); }
            (int status, byte[] body) = mode switch
            {
                HttpMode.ServerError => (500, "{\"error_code\":50001,\"message\":\"Error in the backend data store\"}"u8.ToArray()),
                HttpMode.Garbage => (200, "<html>welcome</html>"u8.ToArray()),
                HttpMode.NotFoundPage => (404, "<html>no such page</html>"u8.ToArray()),
                _ => await AskAsync(request),
            };
            byte[] head = Encoding.ASCII.GetBytes(FormattableString.Invariant($"HTTP/1.1 {status} Answer\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n"));
            await stream.WriteAsync((byte[])[.. head, .. body], _ended.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException or HttpRequestException)
        {
            // The asker gave up, or there is no registry behind.
        }
    }

    private async Task<(int Status, byte[] Body)> AskAsync(string request)
    {
        using HttpResponseMessage answer = await _client.GetAsync(new Uri(_far, request.Split(' ')[1]), _ended.Token);
        return ((int)answer.StatusCode, await answer.Content.ReadAsByteArrayAsync(_ended.Token));
    }
}
