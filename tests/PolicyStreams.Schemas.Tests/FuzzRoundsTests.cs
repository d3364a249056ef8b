namespace PolicyStreams.Schemas.Tests;

public class FuzzRoundsTests
{
    [Fact]
    public void Run_RoundThatThrows_IsNamedByItsSeed()
    {
        int first = new Random(8).Next();
        InvalidOperationException named = Assert.Throws<InvalidOperationException>(() => FuzzRounds.Run(7, TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(1), random =>
        {
            if (random.Next() == first) { throw new FormatException(); }
        }));

        Assert.Contains("POLICYSTREAMS_FUZZ_SEED=8 ", named.Message, StringComparison.Ordinal);
        Assert.IsType<FormatException>(named.InnerException);
    }

    [Fact]
    public void Run_RoundThatHangs_IsNamedByItsSeed()
    {
        using var never = new ManualResetEventSlim();
        try
        {
            TimeoutException named = Assert.Throws<TimeoutException>(() => FuzzRounds.Run(7, TimeSpan.FromMinutes(1), TimeSpan.FromMilliseconds(200), _ => never.Wait()));
            Assert.Contains("POLICYSTREAMS_FUZZ_SEED=7 ", named.Message, StringComparison.Ordinal);
        }
        finally
        {
            never.Set();
        }
    }

    [Fact]
    public void Run_SoundRounds_AreCounted() => Assert.Equal(1, FuzzRounds.Run(7, TimeSpan.Zero, TimeSpan.FromMinutes(1), _ => { }));
}
