using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace PolicyStreams.Schemas.Avro;

/// <summary>The usual text of logical types, as people write it in policy tests. Exact or refused: nothing is rounded.</summary>
internal static class AvroText
{
    /// <summary>
    /// A date (<c>2026-01-02</c>), an instant (<c>2026-01-02T03:04:05.678Z</c>, an offset in place of Z, or neither for local timestamps, read as UTC), or a time of day (<c>03:04:05.678</c>) as its number.
    /// </summary>
    public static bool TryParse(AvroLogical logical, string text, out long value)
    {
        value = 0;
        ReadOnlySpan<char> rest = text;
        switch (logical)
        {
            case AvroLogical.Date:
                return TryDate(ref rest, out long days) && rest.IsEmpty && AvroTime.TryJoin(logical, days * 86_400, 0, out value);
            case AvroLogical.TimeMillis or AvroLogical.TimeMicros:
                return TryClock(ref rest, out long second, out int nanos) && rest.IsEmpty && AvroTime.TryJoin(logical, second, nanos, out value);
            case AvroLogical.TimestampMillis or AvroLogical.TimestampMicros or AvroLogical.TimestampNanos:
                {
                    if (!TryDate(ref rest, out long day) || rest.IsEmpty || (rest[0] is not ('T' or 't' or ' '))) { return false; }
                    rest = rest[1..];
                    if (!TryClock(ref rest, out long clock, out int fraction) || !TryOffset(rest, out long offset)) { return false; }
                    return AvroTime.TryJoin(logical, (day * 86_400) + clock - offset, fraction, out value);
                }
            default:
                return false;
        }
    }

    /// <summary>A decimal's text (<c>-12.50</c>, exponent allowed) as the unscaled number at a scale; false where it has more places or digits than the type.</summary>
    public static bool TryParseDecimal(string text, int scale, int precision, out BigInteger unscaled)
    {
        unscaled = BigInteger.Zero;
        if (text.Length is 0 or > 4096) { return false; }
        int exponent = 0;
        int mark = text.AsSpan().IndexOfAny('e', 'E');
        ReadOnlySpan<char> digits = mark < 0 ? text : text.AsSpan(0, mark);
        if (mark >= 0 && (!int.TryParse(text.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent) || exponent is < -8192 or > 8192)) { return false; }
        int point = digits.IndexOf('.');
        ReadOnlySpan<char> places = point < 0 ? [] : digits[(point + 1)..];
        if (point == digits.Length - 1 || (point >= 0 && places.ContainsAnyExceptInRange('0', '9'))) { return false; }
        string whole = point < 0 ? digits.ToString() : string.Concat(digits[..point], places);
        if (!BigInteger.TryParse(whole, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out BigInteger number)) { return false; }
        int shift = scale - places.Length + exponent;
        if (number.IsZero) { return true; }
        if (shift >= 0)
        {
            if (shift > precision) { return false; }
            unscaled = number * BigInteger.Pow(10, shift);
        }
        else
        {
            unscaled = BigInteger.DivRem(number, BigInteger.Pow(10, -shift), out BigInteger rest);
            if (!rest.IsZero) { return false; }
        }

        return BigInteger.Abs(unscaled) < BigInteger.Pow(10, precision);
    }

    /// <summary>An Avro duration from <c>{"months": 1, "days": 2, "millis": 3}</c>; what is left out is 0.</summary>
    public static bool TryDuration(JsonElement json, out byte[] bytes)
    {
        bytes = new byte[12];
        if (json.ValueKind == JsonValueKind.String) { return TryIsoDuration(json.GetString()!, bytes); }
        if (json.ValueKind != JsonValueKind.Object) { return false; }
        foreach (JsonProperty property in json.EnumerateObject())
        {
            int at = property.Name switch { "months" => 0, "days" => 4, "millis" => 8, _ => -1 };
            if (at < 0 || property.Value.ValueKind != JsonValueKind.Number || !property.Value.TryGetUInt32(out uint value)) { return false; }
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), value);
        }

        return true;
    }

    /// <summary>ISO 8601's <c>P1Y2M3W4DT5H6M7.008S</c>, each part once, in order, and left out where it is zero; at least one is there.</summary>
    private static bool TryIsoDuration(ReadOnlySpan<char> text, Span<byte> bytes)
    {
        ulong months = 0, days = 0, millis = 0;
        int last = -1;
        bool time = false;
        if (text.Length < 3 || text[0] != 'P') { return false; }
        for (text = text[1..]; text.Length > 0;)
        {
            if (text[0] == 'T' && !time && text.Length > 1)
            {
                time = true;
                text = text[1..];
            }

            int digits = text.IndexOfAnyExceptInRange('0', '9'), fraction = 0;
            if (digits is < 1 or > 12) { return false; }
            ulong number = ulong.Parse(text[..digits], NumberStyles.None, CultureInfo.InvariantCulture);
            text = text[digits..];
            if (text[0] is '.' or ',')
            {
                fraction = text[1..].IndexOfAnyExceptInRange('0', '9');
                if (fraction is < 1 or > 3) { return false; }
                number = (number * 1000) + ulong.Parse(text.Slice(1, fraction), NumberStyles.None, CultureInfo.InvariantCulture) * (fraction switch { 1 => 100UL, 2 => 10UL, _ => 1UL });
                text = text[(1 + fraction)..];
            }

            (int part, ulong unit) = (time, text[0]) switch
            {
                (false, 'Y') => (0, 12UL),
                (false, 'M') => (1, 1UL),
                (false, 'W') => (2, 7UL),
                (false, 'D') => (3, 1UL),
                (true, 'H') => (4, 3_600_000UL),
                (true, 'M') => (5, 60_000UL),
                (true, 'S') => (6, fraction > 0 ? 1UL : 1000UL),
                _ => (-1, 0UL),
            };
            if (part <= last || (fraction > 0 && part != 6)) { return false; }
            last = part;
            if (part < 2) { months += number * unit; }
            else if (part < 4) { days += number * unit; }
            else { millis += number * unit; }
            text = text[1..];
        }

        if (last < 0 || months > uint.MaxValue || days > uint.MaxValue || millis > uint.MaxValue) { return false; }
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)months);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], (uint)days);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], (uint)millis);
        return true;
    }

    private static bool TryDate(ref ReadOnlySpan<char> text, out long days)
    {
        days = 0;
        if (text.Length < 10 || text[4] != '-' || text[7] != '-'
            || !Digits(text[..4], out int year) || !Digits(text.Slice(5, 2), out int month) || !Digits(text.Slice(8, 2), out int day)
            || year < 1 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month)) { return false; }
        days = new DateOnly(year, month, day).DayNumber - new DateOnly(1970, 1, 1).DayNumber;
        text = text[10..];
        return true;
    }

    private static bool TryClock(ref ReadOnlySpan<char> text, out long seconds, out int nanos)
    {
        seconds = 0;
        nanos = 0;
        if (text.Length < 8 || text[2] != ':' || text[5] != ':'
            || !Digits(text[..2], out int hour) || !Digits(text.Slice(3, 2), out int minute) || !Digits(text.Slice(6, 2), out int second)
            || hour > 23 || minute > 59 || second > 59) { return false; }
        seconds = (((hour * 60L) + minute) * 60) + second;
        text = text[8..];
        if (text.IsEmpty || text[0] != '.') { return true; }
        int length = 1;
        int scale = 100_000_000;
        while (length < text.Length && char.IsAsciiDigit(text[length]))
        {
            if (length > 9 && text[length] != '0') { return false; }
            nanos += (text[length++] - '0') * scale;
            scale /= 10;
        }

        if (length == 1) { return false; }
        text = text[length..];
        return true;
    }

    private static bool TryOffset(ReadOnlySpan<char> text, out long seconds)
    {
        seconds = 0;
        if (text.IsEmpty || text is "Z" or "z") { return true; }
        if (text.Length != 6 || text[0] is not ('+' or '-') || text[3] != ':' || !Digits(text.Slice(1, 2), out int hours) || !Digits(text.Slice(4, 2), out int minutes)
            || hours > 23 || minutes > 59) { return false; }
        seconds = ((hours * 60L) + minutes) * (text[0] == '-' ? -60 : 60);
        return true;
    }

    private static bool Digits(ReadOnlySpan<char> text, out int value) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
}
