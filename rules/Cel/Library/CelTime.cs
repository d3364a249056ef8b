using System.Globalization;
using System.Text;
using PolicyStreams.Rules.Cel.Evaluation;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Library;

/// <summary>Instants and spans: parsing, printing, arithmetic, and the calendar, as cel-spec has them.</summary>
internal static class CelTime
{
    /// <summary>0001-01-01T00:00:00Z.</summary>
    public const long SecondsMin = -62_135_596_800;

    /// <summary>9999-12-31T23:59:59Z.</summary>
    public const long SecondsMax = 253_402_300_799;

    /// <summary>About 10,000 years, as google.protobuf.Duration.</summary>
    public const long SpanMax = 315_576_000_000;

    private const int Giga = 1_000_000_000;

    public static object Checked(Timestamp instant) => instant.Seconds is >= SecondsMin and <= SecondsMax ? instant : ErrorValue.Overflow;

    public static object Checked(Duration span) => span.Seconds is > -SpanMax and < SpanMax || (Math.Abs(span.Seconds) == SpanMax && span.Nanos == 0) ? span : ErrorValue.Overflow;

    public static Duration Negate(Duration span) => new(-span.Seconds, -span.Nanos);

    public static object Add(Timestamp instant, Duration span)
    {
        // Both terms are bounded, so that neither sum can overflow 64 bits unless a record's own instant is out of range.
        if (instant.Seconds is < SecondsMin or > SecondsMax) { return ErrorValue.Overflow; }
        return Checked(NewTimestamp(instant.Seconds + span.Seconds, (long)instant.Nanos + span.Nanos));
    }

    public static object Add(Duration left, Duration right) => Checked(NewDuration(left.Seconds + right.Seconds, (long)left.Nanos + right.Nanos));

    public static object Subtract(Timestamp left, Timestamp right) =>
        left.Seconds is < SecondsMin or > SecondsMax || right.Seconds is < SecondsMin or > SecondsMax
            ? ErrorValue.Overflow
            : Checked(NewDuration(left.Seconds - right.Seconds, (long)left.Nanos - right.Nanos));

    private static Timestamp NewTimestamp(long seconds, long nanos)
    {
        long carry = Math.DivRem(nanos, Giga, out long rest);
        if (rest < 0)
        {
            rest += Giga;
            carry--;
        }

        return new Timestamp(seconds + carry, (int)rest);
    }

    private static Duration NewDuration(long seconds, long nanos)
    {
        seconds += Math.DivRem(nanos, Giga, out nanos);
        if (seconds > 0 && nanos < 0) { return new Duration(seconds - 1, (int)nanos + Giga); }
        return seconds < 0 && nanos > 0 ? new Duration(seconds + 1, (int)nanos - Giga) : new Duration(seconds, (int)nanos);
    }

    /// <summary>RFC 3339: <c>2009-02-13T23:31:30.123456789Z</c>, or with an offset.</summary>
    public static bool TryParse(string text, out Timestamp instant)
    {
        instant = default;
        if (text.Length < 20 || text[4] != '-' || text[7] != '-' || text[10] is not ('T' or 't') || text[13] != ':' || text[16] != ':') { return false; }
        if (!Digits(text, 0, 4, out int year) || !Digits(text, 5, 2, out int month) || !Digits(text, 8, 2, out int day) || !Digits(text, 11, 2, out int hour)
            || !Digits(text, 14, 2, out int minute) || !Digits(text, 17, 2, out int second)) { return false; }
        if (year < 1 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 59) { return false; }
        int at = 19, nanos = 0;
        if (text[at] == '.')
        {
            int start = ++at;
            for (int scale = Giga / 10; at < text.Length && char.IsAsciiDigit(text[at]); at++, scale /= 10) { nanos += (text[at] - '0') * scale; }
            if (at == start || at - start > 9) { return false; }
        }

        if (at >= text.Length) { return false; }
        int offset = 0;
        if (text[at] is 'Z' or 'z') { at++; }
        else if (text[at] is '+' or '-' && at + 6 <= text.Length && text[at + 3] == ':' && Digits(text, at + 1, 2, out int hours) && Digits(text, at + 4, 2, out int minutes) && hours < 24 && minutes < 60)
        {
            offset = ((hours * 60) + minutes) * (text[at] == '-' ? -60 : 60);
            at += 6;
        }
        else { return false; }
        long ticks = new DateTime(year, month, day, hour, minute, second, DateTimeKind.Utc).Ticks;
        instant = new Timestamp((ticks / TimeSpan.TicksPerSecond) + SecondsMin - offset, nanos);
        return at == text.Length;
    }

    private static bool Digits(string text, int start, int count, out int value)
    {
        value = 0;
        for (int i = start; i < start + count; i++)
        {
            if (!char.IsAsciiDigit(text[i])) { return false; }
            value = (value * 10) + text[i] - '0';
        }

        return true;
    }

    /// <summary>RFC 3339 in UTC, with as many digits of the fraction as there are; null beyond years 1 to 9999.</summary>
    public static string? Format(Timestamp instant)
    {
        if (instant.Seconds is < SecondsMin or > SecondsMax) { return null; }
        string text = At(instant).ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture);
        return text + Fraction(instant.Nanos) + "Z";
    }

    private static string Fraction(int nanos) => nanos == 0 ? "" : "." + Math.Abs(nanos).ToString("000000000", CultureInfo.InvariantCulture).TrimEnd('0');

    private static DateTime At(Timestamp instant) => new((instant.Seconds - SecondsMin) * TimeSpan.TicksPerSecond, DateTimeKind.Utc);

    /// <summary>Go's: <c>1h30m</c>, <c>-1.5s</c>, <c>300ms</c>; <c>0</c>.</summary>
    public static bool TryParse(string text, out Duration span)
    {
        span = default;
        int at = 0;
        bool negative = text.Length > 0 && text[0] == '-';
        if (text.Length > 0 && text[0] is '-' or '+') { at++; }
        if (at == text.Length) { return false; }
        if (text.AsSpan(at) is "0") { return true; }
        Int128 total = 0;
        while (at < text.Length)
        {
            Int128 whole = 0;
            int start = at;
            for (; at < text.Length && char.IsAsciiDigit(text[at]); at++)
            {
                whole = (whole * 10) + (text[at] - '0');
                if (whole > long.MaxValue) { return false; }
            }

            int digits = at - start;
            long fraction = 0, scale = 1;
            if (at < text.Length && text[at] == '.')
            {
                start = ++at;
                for (; at < text.Length && char.IsAsciiDigit(text[at]); at++)
                {
                    if (scale < 1_000_000_000_000_000)
                    {
                        fraction = (fraction * 10) + (text[at] - '0');
                        scale *= 10;
                    }
                }

                digits += at - start;
            }

            if (digits == 0) { return false; }
            int unitStart = at;
            while (at < text.Length && text[at] != '.' && !char.IsAsciiDigit(text[at])) { at++; }
            long unit = text.AsSpan(unitStart, at - unitStart) switch
            {
                "ns" => 1,
                "us" or "µs" or "μs" => 1000,
                "ms" => 1_000_000,
                "s" => Giga,
                "m" => 60L * Giga,
                "h" => 3600L * Giga,
                _ => 0,
            };
            if (unit == 0) { return false; }
            total += (whole * unit) + ((Int128)fraction * unit / scale);
            if (total > (Int128)long.MaxValue * Giga) { return false; }
        }

        if (negative) { total = -total; }
        span = new Duration((long)(total / Giga), (int)(total % Giga));
        return true;
    }

    /// <summary>Seconds with the fraction that there is: <c>6347s</c>, <c>-0.5s</c>.</summary>
    public static string Format(Duration span)
    {
        var text = new StringBuilder();
        if (span.Seconds < 0 || span.Nanos < 0) { text.Append('-'); }
        return text.Append(Math.Abs(span.Seconds).ToString(CultureInfo.InvariantCulture)).Append(Fraction(span.Nanos)).Append('s').ToString();
    }

    /// <summary>The calendar's fields in a zone: an IANA name, or an offset like <c>02:00</c> and <c>-09:30</c>; UTC for null.</summary>
    /// <returns>False for an unknown zone, or an instant beyond years 1 to 9999.</returns>
    public static bool TryLocal(Timestamp instant, string? zone, out DateTime local)
    {
        local = default;
        if (instant.Seconds is < SecondsMin or > SecondsMax) { return false; }
        DateTime utc = At(instant);
        if (zone is null)
        {
            local = utc;
            return true;
        }

        if (TryOffset(zone, out TimeSpan offset))
        {
            long ticks = utc.Ticks + offset.Ticks;
            if (ticks < 0 || ticks > DateTime.MaxValue.Ticks) { return false; }
            local = new DateTime(ticks);
            return true;
        }

        if (!TryZone(zone, out TimeZoneInfo? info)) { return false; }
        local = TimeZoneInfo.ConvertTimeFromUtc(utc, info);
        return true;
    }

    public static bool IsZone(string zone) => TryOffset(zone, out _) || TryZone(zone, out _);

    private static bool TryZone(string zone, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out TimeZoneInfo? info)
    {
        info = null;
        // A zone's name may come from a record: nothing that could be a path outside the zones' folder is looked up.
        if (zone.Length is 0 or > 64) { return false; }
        foreach (char c in zone)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('/' or '_' or '-' or '+')) { return false; }
        }

        return zone[0] != '/' && TimeZoneInfo.TryFindSystemTimeZoneById(zone, out info);
    }

    private static bool TryOffset(string zone, out TimeSpan offset)
    {
        offset = default;
        int start = zone.Length > 0 && zone[0] is '+' or '-' ? 1 : 0;
        if (zone.Length != start + 5 || zone[start + 2] != ':' || !Digits(zone, start, 2, out int hours) || !Digits(zone, start + 3, 2, out int minutes) || hours > 23 || minutes > 59) { return false; }
        offset = new TimeSpan(hours, minutes, 0);
        if (zone[0] == '-') { offset = -offset; }
        return true;
    }
}
