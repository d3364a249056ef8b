using System.Globalization;
using System.Numerics;

namespace PolicyStreams.Schemas.Avro;

/// <summary>Logical types as people write them: <c>120.50</c>, <c>2026-01-02</c>, <c>2026-01-02T03:04:05.678Z</c>, <c>03:04:05.678</c>.</summary>
internal static class AvroReadable
{
    public static string Decimal(AvroType type, ReadOnlySpan<byte> bytes)
    {
        var unscaled = new BigInteger(bytes, isUnsigned: false, isBigEndian: true);
        string digits = BigInteger.Abs(unscaled).ToString(CultureInfo.InvariantCulture).PadLeft(type.Scale + 1, '0');
        string text = type.Scale == 0 ? digits : $"{digits[..^type.Scale]}.{digits[^type.Scale..]}";
        return unscaled.Sign < 0 ? "-" + text : text;
    }

    /// <summary>False for a plain number, and for an instant that no calendar of ours holds.</summary>
    public static bool TryTime(AvroType type, long number, out string? text)
    {
        text = null;
        if (type.Logical is AvroLogical.None or AvroLogical.Decimal or AvroLogical.Uuid or AvroLogical.Duration) { return false; }
        if (type.Logical == AvroLogical.Date && number is < -1_000_000 or > 4_000_000) { return false; }
        (long seconds, int nanos) = AvroTime.Split(type.Logical, number);
        if (type.Logical is AvroLogical.TimeMillis or AvroLogical.TimeMicros)
        {
            if (seconds is < 0 or >= 86_400 || nanos < 0) { return false; }
            text = string.Create(CultureInfo.InvariantCulture, $"{seconds / 3600:00}:{seconds / 60 % 60:00}:{seconds % 60:00}{Fraction(nanos)}");
            return true;
        }

        if (!AvroTime.InRange(seconds)) { return false; }
        DateTime instant = DateTime.UnixEpoch.AddSeconds(seconds);
        text = type.Logical == AvroLogical.Date
            ? instant.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)
            : instant.ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture) + Fraction(nanos) + (type.NativeName.StartsWith("local-", StringComparison.Ordinal) ? "" : "Z");
        return true;
    }

    private static string Fraction(int nanos) => nanos == 0 ? "" : "." + nanos.ToString("000000000", CultureInfo.InvariantCulture).TrimEnd('0');
}
