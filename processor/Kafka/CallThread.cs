using System.Collections.Concurrent;

namespace PolicyStreams.Processor.Kafka;

/// <summary>
/// Makes calls that may never come back, one at a time, on a thread of its own, so that whoever asked can give one up. <c>rd_kafka_send_offsets_to_transaction</c> is such a call: where the
/// group's coordinator is gone it waits without an end, whatever its timeout (librdkafka issues 5456 and 5511, not mended in 2.15.1).
/// </summary>
internal sealed class CallThread
{
    private readonly string _name;
    private readonly BlockingCollection<Action> _calls = [];
    private Thread? _thread;
    private Task _running = Task.CompletedTask;

    public CallThread(string name) => _name = name;

    /// <summary>True once a call was given up. No other is made after it, but the last.</summary>
    public bool IsStuck { get; private set; }

    /// <summary>True where the call that was begun has come back, and failed.</summary>
    public bool HasFailed => _running.IsFaulted;

    /// <summary>True where it has come back, and has not.</summary>
    public bool HasSucceeded => !IsStuck && _running.IsCompletedSuccessfully;

    /// <summary>Begins a call; <see cref="TryJoin"/> tells how it came out. Nothing where one was given up.</summary>
    public void Start(Action call)
    {
        if (IsStuck) { return; }
        var made = new TaskCompletionSource();
        _running = made.Task;
        Post(() =>
        {
            try
            {
                call();
                made.SetResult();
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                made.SetException(e);
            }
        });
    }

    /// <summary>Waits for the call that was begun, and throws what it throws; false where it does not come back within <paramref name="limit"/>.</summary>
    public bool TryJoin(TimeSpan limit)
    {
        if (IsStuck || Task.WaitAny([_running], limit) < 0)
        {
            IsStuck = true;
            return false;
        }

        _running.GetAwaiter().GetResult();
        return true;
    }

    /// <summary>Makes the last call: at once, or where one was given up, after that one has come back, if ever it does.</summary>
    public void End(Action last)
    {
        if (IsStuck) { Post(last); }
        else { last(); }
        _calls.CompleteAdding();
    }

    private void Post(Action call)
    {
        if (_thread is null)
        {
            _thread = new Thread(Serve) { IsBackground = true, Name = _name };
            _thread.Start();
        }

        _calls.Add(call);
    }

    private void Serve()
    {
        foreach (Action call in _calls.GetConsumingEnumerable()) { call(); }
    }
}
