using PolicyStreams.Rules.Cel.Library;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>Instants as people write them in policy tests and options. Nothing is guessed: date, time, and zone are there.</summary>
public static class InstantText
{
    /// <summary>RFC 3339, <c>2026-01-02T03:04:05.678Z</c> or with an offset, as milliseconds since the Unix epoch. False for anything else, and for what is finer than a millisecond.</summary>
    public static bool TryParse(string text, out long milliseconds)
    {
        bool whole = CelTime.TryParse(text, out Timestamp instant) && instant.Nanos % 1_000_000 == 0;
        milliseconds = whole ? (instant.Seconds * 1_000) + (instant.Nanos / 1_000_000) : 0;
        return whole;
    }
}
