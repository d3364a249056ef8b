using PolicyStreams.Processor.Streams;

namespace PolicyStreams.Processor.Tests.Streams;

/// <summary>Holding this host's clock against the broker's: what was measured before somebody set the clock says nothing of it.</summary>
public sealed class BrokerClockTests
{
    private readonly SteppedClock _time = new();
    private readonly BrokerClock _clock;

    public BrokerClockTests() => _clock = new BrokerClock(_time);

    [Theory]
    [InlineData(0, "Good")]
    [InlineData(-59, "Good")]
    [InlineData(-61, "Ahead")]
    [InlineData(3600, "Good")]
    public void Standing_AfterAMeasurement_SaysWhetherItIsAhead(int brokerSeconds, string standing)
    {
        Measure(brokerSeconds);
        Assert.Equal(standing, _clock.Standing.ToString());
    }

    [Theory]
    [InlineData(3600)]
    [InlineData(-3600)]
    [InlineData(2)]
    public void Standing_TheClockWasSetSince_IsUnknown(int seconds)
    {
        Measure(0);
        _time.Pass(TimeSpan.FromSeconds(3));
        Assert.Equal(ClockStanding.Good, _clock.Standing);

        _time.Set(TimeSpan.FromSeconds(seconds));
        Assert.Equal(ClockStanding.Unknown, _clock.Standing);
        Measure(-seconds);
        Assert.Equal(seconds > 60 ? ClockStanding.Ahead : ClockStanding.Good, _clock.Standing);
    }

    [Fact]
    public void Standing_TheClockWasSetWhileAHeadWasUnderWay_IsUnknown()
    {
        (long at, long sentMs) = (_time.GetTimestamp(), _time.GetUtcNow().ToUnixTimeMilliseconds());
        _time.Set(TimeSpan.FromHours(1));
        _clock.Measured(at, sentMs, sentMs);
        Assert.Equal(ClockStanding.Unknown, _clock.Standing);
    }

    [Fact]
    public void Standing_LongAfterAMeasurement_IsUnknown()
    {
        Measure(0);
        _time.Pass(TimeSpan.FromSeconds(11));
        Assert.Equal(ClockStanding.Unknown, _clock.Standing);
    }

    private void Measure(int brokerSeconds)
    {
        long now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        _clock.Measured(_time.GetTimestamp(), now, now + (brokerSeconds * 1000L));
    }

    /// <summary>A wall clock that may be set, beside one that only goes on.</summary>
    private sealed class SteppedClock : TimeProvider
    {
        private DateTimeOffset _wall = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        private long _ticks = 1;

        public override DateTimeOffset GetUtcNow() => _wall;

        public override long GetTimestamp() => _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public void Pass(TimeSpan time)
        {
            _wall += time;
            _ticks += time.Ticks;
        }

        public void Set(TimeSpan by) => _wall += by;
    }
}
