namespace PolicyStreams.Tests;

/// <summary>What this thread allocates on the managed heap.</summary>
internal static class Allocated
{
    private const int Times = 10;

    /// <summary>Bytes, the least of some times: a collection in between, which tests beside this one may bring about, counts what was left of this thread's allocation buffer.</summary>
    public static long By(Action action)
    {
        long least = long.MaxValue;
        for (int i = 0; i < Times && least > 0; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            action();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
