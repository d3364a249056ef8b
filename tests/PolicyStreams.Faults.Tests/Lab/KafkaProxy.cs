using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace PolicyStreams.Faults.Tests.Lab;

/// <summary>Requests of Kafka's protocol that faults aim at, by their key.</summary>
internal enum KafkaApi : short { Produce = 0, Fetch = 1, OffsetCommit = 8, OffsetFetch = 9, JoinGroup = 11, Heartbeat = 12, InitProducerId = 22, AddPartitionsToTxn = 24, AddOffsetsToTxn = 25, EndTxn = 26, TxnOffsetCommit = 28 }

/// <summary>What becomes of a frame.</summary>
internal enum FrameFate
{
    /// <summary>It goes on later; what comes behind it on its connection waits too.</summary>
    Late,

    /// <summary>The request never arrives, and the connection breaks.</summary>
    RequestLost,

    /// <summary>The broker does what was asked, and the connection breaks before its answer.</summary>
    ResponseLost,
}

/// <summary>
/// A way to one broker over loopback that reads the heads of Kafka's frames (size, api key, correlation id) and can hold or lose single requests or responses, or cut everything.
/// </summary>
internal sealed class KafkaProxy : IAsyncDisposable
{
    private readonly CancellationTokenSource _ended = new();
    private readonly TcpListener _listener;
    private readonly int _far;
    private readonly Task _accepting;
    private readonly ConcurrentDictionary<TcpClient, byte> _clients = new();
    private readonly Lock _lock = new();
    private readonly List<Rule> _rules = [];
    private readonly List<(HeldFrame Frame, short[] Apis)> _holds = [];
    private volatile Stalled? _stalled;
    private volatile bool _cut;
    private int _injected;

    public KafkaProxy(int near, int far)
    {
        Port = near;
        _far = far;
        _listener = new TcpListener(IPAddress.Loopback, near);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>Frames that a rule was applied to.</summary>
    public int Injected => Volatile.Read(ref _injected);

    /// <summary>Lets the next frames of these requests meet a fate.</summary>
    public void Inject(FrameFate fate, int times, TimeSpan delay, params KafkaApi[] apis)
    {
        lock (_lock) { _rules.Add(new Rule(fate, delay, [.. apis.Select(api => (short)api)]) { Left = times }); }
    }

    /// <summary>Keeps the next request of one of these kinds until the test says what becomes of it; what comes behind it on its connection waits too.</summary>
    public HeldFrame Hold(params KafkaApi[] apis)
    {
        var frame = new HeldFrame();
        lock (_lock) { _holds.Add((frame, [.. apis.Select(api => (short)api)])); }
        return frame;
    }

    /// <summary>Answers to these requests (to all where none is named) stay here until <see cref="Flow"/>, and what comes behind them on their connections. No connection breaks.</summary>
    public void Stall(params KafkaApi[] apis)
    {
        Flow();
        _stalled = new Stalled([.. apis.Select(api => (short)api)], new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
    }

    public void Flow()
    {
        Stalled? stalled = _stalled;
        _stalled = null;
        stalled?.Over.TrySetResult();
    }

    /// <summary>Forgets every rule; frames that are held or stalled go on.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _rules.Clear();
            foreach ((HeldFrame frame, _) in _holds) { frame.Forward(); }
            _holds.Clear();
        }

        Flow();
    }

    /// <summary>Breaks every connection, and lets none through until <see cref="Mend"/>.</summary>
    public void Cut()
    {
        _cut = true;
        foreach (TcpClient client in _clients.Keys) { client.Close(); }
    }

    public void Mend() => _cut = false;

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        _listener.Dispose();
        foreach (TcpClient client in _clients.Keys) { client.Close(); }
        await _accepting;
        _ended.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                TcpClient near = await _listener.AcceptTcpClientAsync(_ended.Token);
                if (_cut) { near.Close(); }
                else { _ = ForwardAsync(near); }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task ForwardAsync(TcpClient near)
    {
        using TcpClient client = near;
        using var broker = new TcpClient { NoDelay = true };
        client.NoDelay = true;
        _clients[client] = 0;
        try
        {
            await broker.ConnectAsync(IPAddress.Loopback, _far, _ended.Token);
            await using NetworkStream here = client.GetStream(), there = broker.GetStream();
            var asked = new ConcurrentDictionary<int, short>();
            await await Task.WhenAny(RequestsAsync(here, there, asked), ResponsesAsync(there, here, asked));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or IOException or ObjectDisposedException)
        {
            // Either end has gone, or a rule lost a frame: so does the other.
        }
        finally
        {
            _clients.TryRemove(client, out _);
        }
    }

    private async Task RequestsAsync(NetworkStream from, NetworkStream to, ConcurrentDictionary<int, short> asked)
    {
        while (true)
        {
            byte[] frame = await FrameAsync(from);
            short api = BinaryPrimitives.ReadInt16BigEndian(frame.AsSpan(4));
            asked[BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(8))] = api;
            if (RuleFor(api, FrameFate.RequestLost, FrameFate.Late) is { } rule)
            {
                if (rule.Fate == FrameFate.RequestLost) { throw new IOException("lost"); }
                await Task.Delay(rule.Delay, _ended.Token);
            }

            if (HoldFor(api) is { } held && !await held.TakeAsync(_ended.Token)) { throw new IOException("lost"); }
            await to.WriteAsync(frame, _ended.Token);
        }
    }

    private async Task ResponsesAsync(NetworkStream from, NetworkStream to, ConcurrentDictionary<int, short> asked)
    {
        while (true)
        {
            byte[] frame = await FrameAsync(from);
            if (asked.TryRemove(BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(4)), out short api) && RuleFor(api, FrameFate.ResponseLost, FrameFate.ResponseLost) is not null) { throw new IOException("lost"); }
            while (_stalled is { } stalled && (stalled.Apis.Length == 0 || stalled.Apis.Contains(api))) { await stalled.Over.Task.WaitAsync(_ended.Token); }
            await to.WriteAsync(frame, _ended.Token);
        }
    }

    private async Task<byte[]> FrameAsync(NetworkStream from)
    {
        byte[] size = new byte[4];
        await from.ReadExactlyAsync(size, _ended.Token);
        int length = BinaryPrimitives.ReadInt32BigEndian(size);
        if (length is < 4 or > 256 * 1024 * 1024) { throw new IOException("not a frame"); }
        byte[] frame = new byte[4 + length];
        size.CopyTo(frame, 0);
        await from.ReadExactlyAsync(frame.AsMemory(4), _ended.Token);
        return frame;
    }

    private Rule? RuleFor(short api, FrameFate some, FrameFate other)
    {
        lock (_lock)
        {
            foreach (Rule rule in _rules)
            {
                if (rule.Left <= 0 || (rule.Fate != some && rule.Fate != other) || !rule.Apis.Contains(api)) { continue; }
                rule.Left--;
                Interlocked.Increment(ref _injected);
                return rule;
            }
        }

        return null;
    }

    private HeldFrame? HoldFor(short api)
    {
        lock (_lock)
        {
            int at = _holds.FindIndex(hold => hold.Apis.Contains(api));
            if (at < 0) { return null; }
            HeldFrame frame = _holds[at].Frame;
            _holds.RemoveAt(at);
            return frame;
        }
    }

    private sealed record Stalled(short[] Apis, TaskCompletionSource Over);

    private sealed record Rule(FrameFate Fate, TimeSpan Delay, short[] Apis)
    {
        public int Left { get; set; }
    }
}
