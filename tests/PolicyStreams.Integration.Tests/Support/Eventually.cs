using System.Diagnostics;

namespace PolicyStreams.Integration.Tests.Support;

/// <summary>Awaits a condition with a deadline.</summary>
internal static class Eventually
{
    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(50);

    public static async Task TrueAsync(Func<Task<bool>> condition, TimeSpan deadline, Func<string> otherwise)
    {
        long started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(started) > deadline) { Assert.Fail($"Not within {deadline.TotalSeconds} s: {otherwise()}"); }
            await Task.Delay(s_between);
        }
    }

    public static Task TrueAsync(Func<bool> condition, TimeSpan deadline, Func<string> otherwise) =>
        TrueAsync(() => Task.FromResult(condition()), deadline, otherwise);

    /// <summary>The first answer that is not null.</summary>
    public static async Task<T> NotNullAsync<T>(Func<Task<T?>> ask, TimeSpan deadline, Func<string> otherwise)
        where T : class
    {
        T? answer = null;
        await TrueAsync(async () => (answer = await ask()) is not null, deadline, otherwise);
        return answer!;
    }
}
