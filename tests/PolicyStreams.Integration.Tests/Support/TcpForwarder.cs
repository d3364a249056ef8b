using System.Net;
using System.Net.Sockets;

namespace PolicyStreams.Integration.Tests.Support;

/// <summary>A loopback port that leads to another one, once it is opened: stands for a service that is not there yet.</summary>
internal sealed class TcpForwarder : IAsyncDisposable
{
    private readonly CancellationTokenSource _ended = new();
    private readonly string _host;
    private readonly int _port;
    private readonly TcpListener _listener;
    private Task _accepting = Task.CompletedTask;

    /// <param name="at">A port that another forwarder had, to come back there; null for a free one.</param>
    public TcpForwarder(string host, int port, int? at = null)
    {
        _host = host;
        _port = port;
        // Asked for by number only: until Open, connections to it are refused.
        Port = at ?? ScriptedService.FreePorts();
        _listener = new TcpListener(IPAddress.Loopback, Port);
    }

    public int Port { get; }

    public void Open()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _ended.Dispose();
    }

    private async Task AcceptAsync()
    {
        var pumps = new List<Task>();
        try
        {
            while (true) { pumps.Add(ForwardAsync(await _listener.AcceptTcpClientAsync(_ended.Token))); }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(pumps);
        }
    }

    private async Task ForwardAsync(TcpClient near)
    {
        using TcpClient client = near;
        using var far = new TcpClient();
        try
        {
            await far.ConnectAsync(_host, _port, _ended.Token);
            await using NetworkStream here = client.GetStream(), there = far.GetStream();
            await Task.WhenAny(here.CopyToAsync(there, _ended.Token), there.CopyToAsync(here, _ended.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or IOException)
        {
            // Either end has gone: so does the other.
        }
    }
}
