namespace PolicyStreams.Faults.Tests.Lab;

/// <summary>A request that a <see cref="KafkaProxy"/> keeps until the test says what becomes of it.</summary>
internal sealed class HeldFrame
{
    private readonly TaskCompletionSource _came = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<bool> _goesOn = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>True once it is here.</summary>
    public bool IsHere => _came.Task.IsCompleted;

    public void Forward() => _goesOn.TrySetResult(true);

    /// <summary>It never arrives, and its connection breaks.</summary>
    public void Lose() => _goesOn.TrySetResult(false);

    /// <summary>Called by the proxy that has it: true where it goes on to the broker.</summary>
    public async Task<bool> TakeAsync(CancellationToken ended)
    {
        _came.TrySetResult();
        return await _goesOn.Task.WaitAsync(ended);
    }
}
