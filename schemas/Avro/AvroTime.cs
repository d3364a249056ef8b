namespace PolicyStreams.Schemas.Avro;

/// <summary>Dates, instants, and times of day, from their numbers to seconds and nanoseconds and back.</summary>
internal static class AvroTime
{
    /// <summary>The first and last second that CEL's timestamps can hold: 0001-01-01 and 9999-12-31.</summary>
    public const long SecondsMin = -62_135_596_800;
    public const long SecondsMax = 253_402_300_799;

    public static (long Seconds, int Nanos) Split(AvroLogical logical, long value) => logical switch
    {
        AvroLogical.Date => (value * 86_400, 0),
        AvroLogical.TimestampMillis => Floor(value, 1_000, 1_000_000),
        AvroLogical.TimestampMicros => Floor(value, 1_000_000, 1_000),
        AvroLogical.TimestampNanos => Floor(value, 1_000_000_000, 1),
        AvroLogical.TimeMillis => (value / 1_000, (int)(value % 1_000) * 1_000_000),
        _ => (value / 1_000_000, (int)(value % 1_000_000) * 1_000),
    };

    public static bool InRange(long seconds) => seconds is >= SecondsMin and <= SecondsMax;

    /// <summary>The number that stands for an instant or time; false where it is finer than the type's unit or does not fit.</summary>
    public static bool TryJoin(AvroLogical logical, long seconds, int nanos, out long value)
    {
        (long perSecond, int nanosPerUnit) = logical switch
        {
            AvroLogical.TimestampMillis or AvroLogical.TimeMillis => (1_000L, 1_000_000),
            AvroLogical.TimestampMicros or AvroLogical.TimeMicros => (1_000_000L, 1_000),
            AvroLogical.TimestampNanos => (1_000_000_000L, 1),
            _ => (0L, 0),
        };
        value = 0;
        if (perSecond == 0)
        {
            if (nanos != 0 || seconds % 86_400 != 0) { return false; }
            value = seconds / 86_400;
            return true;
        }

        if (nanos % nanosPerUnit != 0) { return false; }
        Int128 joined = ((Int128)seconds * perSecond) + (nanos / nanosPerUnit);
        if (joined < long.MinValue || joined > long.MaxValue) { return false; }
        value = (long)joined;
        return true;
    }

    private static (long Seconds, int Nanos) Floor(long value, long perSecond, int nanosPerUnit)
    {
        long seconds = value / perSecond;
        long rest = value - (seconds * perSecond);
        if (rest < 0)
        {
            seconds--;
            rest += perSecond;
        }

        return (seconds, (int)rest * nanosPerUnit);
    }
}
