using System.Buffers.Text;
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

    /// <summary>Cuts a text that begins with an RFC 3339 date: what is finer than the part becomes its start, a time of day stays where there was one.</summary>
    public static bool TryCut(ReadOnlySpan<byte> text, DatePart part, ByteBuffer output)
    {
        if (text.Length < 10 || !Utf8Parser.TryParse(text[..4], out int year, out int used) || used != 4 || text[4] != '-' || text[7] != '-'
            || !TwoDigits(text[5..], out int month) || !TwoDigits(text[8..], out int day) || year < 1 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month)) { return false; }
        bool time = text.Length > 10;
        int hour = 0;
        if (time && (text[10] is not ((byte)'T' or (byte)'t' or (byte)' ') || text.Length < 16 || !TwoDigits(text[11..], out hour) || hour > 23)) { return false; }
        output.Append(text[..4]);
        output.Append(part == DatePart.Year ? "-01"u8 : text.Slice(4, 3));
        output.Append(part is DatePart.Year or DatePart.Month ? "-01"u8 : text.Slice(7, 3));
        if (!time) { return true; }
        output.Append(text.Slice(10, 1));
        output.Append(part == DatePart.Hour ? text.Slice(11, 2) : "00"u8);
        output.Append(":00:00"u8);
        int zone = text[16..].IndexOfAny("Zz+-"u8);
        if (zone >= 0) { output.Append(text[(16 + zone)..]); }
        return true;
    }

    private static bool TwoDigits(ReadOnlySpan<byte> text, out int value)
    {
        value = ((text[0] - '0') * 10) + text[1] - '0';
        return char.IsAsciiDigit((char)text[0]) && char.IsAsciiDigit((char)text[1]);
    }

    private static long? Scale(long seconds, long factor)
    {
        Int128 product = (Int128)seconds * factor;
        return product < long.MinValue || product > long.MaxValue ? null : (long)product;
    }

    private static long FloorDiv(long a, long b) => (a - FloorMod(a, b)) / b;

    private static long FloorMod(long a, long b) => ((a % b) + b) % b;
}
