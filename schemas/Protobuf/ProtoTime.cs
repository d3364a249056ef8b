using System.Globalization;

namespace PolicyStreams.Schemas.Protobuf;

/// <summary>The ranges of timestamps and durations, and their text in Protobuf's JSON.</summary>
internal static class ProtoTime
{
    private const long SecondsMin = -62_135_596_800;
    private const long SecondsMax = 253_402_300_799;
    private const long DurationMax = 315_576_000_000;

    /// <summary>Years 1 to 9999.</summary>
    public static bool IsTimestamp(long seconds, long nanos) => seconds is >= SecondsMin and <= SecondsMax && nanos is >= 0 and <= 999_999_999;

    /// <summary>About 10,000 years either way, both parts of one sign.</summary>
    public static bool IsDuration(long seconds, long nanos) =>
        seconds is >= -DurationMax and <= DurationMax && nanos is >= -999_999_999 and <= 999_999_999 && !(seconds > 0 && nanos < 0) && !(seconds < 0 && nanos > 0);

    public static string Text(Timestamp instant) =>
        DateTime.UnixEpoch.AddSeconds(instant.Seconds).ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture) + Fraction(instant.Nanos) + "Z";

    public static string Text(Duration span) =>
        (span.Seconds < 0 || span.Nanos < 0 ? "-" : "") + Math.Abs(span.Seconds).ToString(CultureInfo.InvariantCulture) + Fraction(Math.Abs(span.Nanos)) + "s";

    /// <summary>RFC 3339, up to nine digits behind the point.</summary>
    public static bool TryTimestamp(string text, out Timestamp instant)
    {
        instant = default;
        if (text.Length < 20 || text[10] is not ('T' or 't')) { return false; }
        int at = 19, nanos = 0;
        if (text[at] == '.' && !TryFraction(text, ref at, out nanos)) { return false; }
        string zone = text[at..];
        if (!DateTimeOffset.TryParseExact(text[..10] + "T" + text[11..19] + (zone is "z" ? "Z" : zone), "yyyy-MM-dd'T'HH:mm:ssK", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset parsed) || zone.Length == 0)
        {
            return false;
        }

        instant = new Timestamp(parsed.ToUnixTimeSeconds(), nanos);
        return IsTimestamp(instant.Seconds, nanos);
    }

    /// <summary>Seconds with up to nine digits behind the point, and <c>s</c>.</summary>
    public static bool TryDuration(string text, out Duration span)
    {
        span = default;
        if (!text.EndsWith('s')) { return false; }
        bool negative = text.StartsWith('-');
        string digits = text[(negative ? 1 : 0)..^1];
        int at = digits.IndexOf('.', StringComparison.Ordinal) is >= 0 and int point ? point : digits.Length, nanos = 0;
        if (!long.TryParse(digits.AsSpan(0, at), NumberStyles.None, CultureInfo.InvariantCulture, out long seconds)) { return false; }
        if (at < digits.Length && (!TryFraction(digits, ref at, out nanos) || at != digits.Length)) { return false; }
        span = negative ? new Duration(-seconds, -nanos) : new Duration(seconds, nanos);
        return IsDuration(span.Seconds, span.Nanos);
    }

    private static bool TryFraction(string text, ref int at, out int nanos)
    {
        int start = ++at, digits = 0;
        nanos = 0;
        for (; at < text.Length && char.IsAsciiDigit(text[at]); at++)
        {
            if (++digits > 9) { return false; }
            nanos = (nanos * 10) + text[at] - '0';
        }

        for (int i = digits; i < 9; i++) { nanos *= 10; }
        return at > start;
    }

    /// <summary>Three, six, or nine digits.</summary>
    private static string Fraction(int nanos) =>
        nanos == 0 ? "" : nanos % 1_000_000 == 0 ? $".{nanos / 1_000_000:000}" : nanos % 1_000 == 0 ? $".{nanos / 1_000:000000}" : $".{nanos:000000000}";
}
