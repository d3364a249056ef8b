using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Masking;

/// <summary>The <c>date</c> mask: cuts an instant back to the start of its year, month, day, or hour, in UTC.</summary>
internal static class DateMask
{
    private const long DaySeconds = 86_400;

    /// <summary>Start of the part that an instant lies in.</summary>
    public static long Cut(long seconds, DatePart part)
    {
        if (part == DatePart.Hour) { return seconds - FloorMod(seconds, 3600); }
        long days = FloorDiv(seconds, DaySeconds);
        if (part == DatePart.Day) { return days * DaySeconds; }
        if (days is < -719_162 or > 2_932_896) { return days * DaySeconds; }
        DateOnly date = DateOnly.FromDayNumber((int)days + 719_162);
        var start = new DateOnly(date.Year, part == DatePart.Month ? date.Month : 1, 1);
        return (start.DayNumber - 719_162L) * DaySeconds;
    }

    /// <summary>The seconds in the unit that the field's encoding counts in; null for a type that is no instant.</summary>
    public static long? InUnit(long seconds, string nativeName) => nativeName switch
    {
        "date" => FloorDiv(seconds, DaySeconds),
        "google.protobuf.Timestamp" => seconds,
        _ when nativeName.EndsWith("-millis", StringComparison.Ordinal) => Scale(seconds, 1_000),
        _ when nativeName.EndsWith("-micros", StringComparison.Ordinal) => Scale(seconds, 1_000_000),
        _ when nativeName.EndsWith("-nanos", StringComparison.Ordinal) => Scale(seconds, 1_000_000_000),
        _ => null,
    };

    /// <summary>
    /// Cuts an RFC 3339 date, or date and time, in the zone that it has: what is finer than the part becomes its start, a time of day stays where there was one. Seconds and zone may be missing;
    /// a text with anything else in it is none, for what is not understood must not be let through.
    /// </summary>
    public static bool TryCut(ReadOnlySpan<byte> text, DatePart part, ByteBuffer output)
    {
        if (text.Length < 10 || !TwoDigits(text, 99, out int century) || !TwoDigits(text[2..], 99, out int year) || text[4] != '-' || !TwoDigits(text[5..], 12, out int month) || text[7] != '-'
            || !TwoDigits(text[8..], 31, out int day) || (year += 100 * century) == 0 || month == 0 || day == 0 || day > DateTime.DaysInMonth(year, month)) { return false; }
        bool time = text.Length > 10;
        ReadOnlySpan<byte> zone = [];
        if (time && (text[10] is not ((byte)'T' or (byte)'t' or (byte)' ') || !TryTime(text[11..], out zone))) { return false; }
        output.Append(text[..4]);
        output.Append(part == DatePart.Year ? "-01"u8 : text.Slice(4, 3));
        output.Append(part is DatePart.Year or DatePart.Month ? "-01"u8 : text.Slice(7, 3));
        if (!time) { return true; }
        output.Append(text.Slice(10, 1));
        output.Append(part == DatePart.Hour ? text.Slice(11, 2) : "00"u8);
        output.Append(":00:00"u8);
        output.Append(zone);
        return true;
    }

    // hh:mm[:ss[.fraction]] and the zone, which is all that may follow.
    private static bool TryTime(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> zone)
    {
        zone = default;
        if (text.Length < 5 || !TwoDigits(text, 23, out _) || text[2] != ':' || !TwoDigits(text[3..], 59, out _)) { return false; }
        text = text[5..];
        if (text.Length >= 3 && text[0] == ':')
        {
            if (!TwoDigits(text[1..], 60, out _)) { return false; }
            text = text[3..];
            if (text.Length > 0 && text[0] == '.')
            {
                int end = text[1..].IndexOfAnyExceptInRange((byte)'0', (byte)'9') is var past && past < 0 ? text.Length : past + 1;
                if (end == 1) { return false; }
                text = text[end..];
            }
        }

        zone = text;
        return text.Length switch
        {
            0 => true,
            1 => text[0] is (byte)'Z' or (byte)'z',
            6 => text[0] is (byte)'+' or (byte)'-' && TwoDigits(text[1..], 23, out _) && text[3] == ':' && TwoDigits(text[4..], 59, out _),
            _ => false,
        };
    }

    private static bool TwoDigits(ReadOnlySpan<byte> text, int max, out int value)
    {
        value = ((text[0] - '0') * 10) + text[1] - '0';
        return char.IsAsciiDigit((char)text[0]) && char.IsAsciiDigit((char)text[1]) && value <= max;
    }

    private static long? Scale(long seconds, long factor)
    {
        Int128 product = (Int128)seconds * factor;
        return product < long.MinValue || product > long.MaxValue ? null : (long)product;
    }

    private static long FloorDiv(long a, long b) => (a - FloorMod(a, b)) / b;

    private static long FloorMod(long a, long b) => ((a % b) + b) % b;
}
