using System.Globalization;

namespace PolicyStreams.Processor.Streams;

/// <summary>What is known of this host's clock against the broker's.</summary>
internal enum ClockStanding
{
    Good,

    /// <summary>Not measured lately: a transaction will tell.</summary>
    Unknown,

    /// <summary>Ahead by more than <see cref="BrokerClock.AheadMax"/>.</summary>
    Ahead,

    /// <summary>The last transaction did not tell: the state topic does not keep the broker's time.</summary>
    Untold,
}

/// <summary>
/// How far this host's clock is ahead of the broker's. Each transaction writes a head to the state topic, which keeps the time at which the broker appended it: the broker had that
/// time after the head was sent, so a clock that was past it at the sending is ahead by at least the difference. One a stream thread.
/// </summary>
internal sealed class BrokerClock(TimeProvider time)
{
    public static readonly TimeSpan AheadMax = TimeSpan.FromSeconds(60);

    // A clock that is set wrong is found within this.
    private static readonly TimeSpan GoodFor = TimeSpan.FromSeconds(10);

    // A clock that was set since the last measurement has moved by another span than the monotonic one.
    private static readonly TimeSpan StepMax = TimeSpan.FromSeconds(1);

    private long _measuredAt;
    private long _sentMs;
    private ClockStanding _standing = ClockStanding.Unknown;

    /// <summary>At least so much is the clock ahead (negative: it is behind, or the broker was slow), as last measured.</summary>
    public TimeSpan Ahead { get; private set; }

    public string AheadText => string.Create(CultureInfo.InvariantCulture, $"{Math.Round(Ahead.TotalSeconds)} s");

    /// <summary>As measured in the last seconds, by a clock that has not been set since; else <see cref="ClockStanding.Unknown"/>.</summary>
    public ClockStanding Standing
    {
        get
        {
            TimeSpan since = time.GetElapsedTime(_measuredAt);
            return since > GoodFor || Math.Abs(time.GetUtcNow().ToUnixTimeMilliseconds() - _sentMs - since.TotalMilliseconds) > StepMax.TotalMilliseconds ? ClockStanding.Unknown : _standing;
        }
    }

    /// <param name="sentAt">The monotonic clock when <paramref name="sentMs"/> was read.</param>
    /// <param name="sentMs">This host's clock before the head was sent.</param>
    /// <param name="appendedMs">The broker's clock when it appended it; -1 where the topic does not say.</param>
    public void Measured(long sentAt, long sentMs, long appendedMs)
    {
        _measuredAt = sentAt;
        _sentMs = sentMs;
        if (appendedMs < 0)
        {
            _standing = ClockStanding.Untold;
            return;
        }

        Ahead = TimeSpan.FromMilliseconds(sentMs - appendedMs);
        _standing = Ahead > AheadMax ? ClockStanding.Ahead : ClockStanding.Good;
    }
}
