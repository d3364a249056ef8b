using System.Numerics;
using System.Text.Json;

namespace PolicyStreams.Schemas.Avro;

/// <summary>Which logical type annotates which type, and the bounds that go with it.</summary>
internal static class AvroLogicalTypes
{
    /// <summary>Sets the logical type where it is known and fits the type it annotates; else leaves the type as it is, as the specification asks.</summary>
    public static void Apply(AvroType type, string name, JsonElement json)
    {
        AvroLogical logical = (name, type.Kind) switch
        {
            ("decimal", AvroKind.Bytes or AvroKind.Fixed) => Decimal(type, json),
            ("uuid", AvroKind.String) => AvroLogical.Uuid,
            ("uuid", AvroKind.Fixed) when type.Size == 16 => AvroLogical.Uuid,
            ("date" or "time-millis", AvroKind.Int) => OfTime(name),
            (_, AvroKind.Long) when name is not ("date" or "time-millis") => OfTime(name),
            ("duration", AvroKind.Fixed) when type.Size == 12 => AvroLogical.Duration,
            _ => AvroLogical.None,
        };
        if (logical == AvroLogical.None) { return; }
        type.Logical = logical;
        type.NativeName = name;
    }

    /// <summary>The logical type of a date, time of day, or instant by its name; none for any other.</summary>
    public static AvroLogical OfTime(string name) => name switch
    {
        "date" => AvroLogical.Date,
        "time-millis" => AvroLogical.TimeMillis,
        "time-micros" => AvroLogical.TimeMicros,
        "timestamp-millis" or "local-timestamp-millis" => AvroLogical.TimestampMillis,
        "timestamp-micros" or "local-timestamp-micros" => AvroLogical.TimestampMicros,
        "timestamp-nanos" or "local-timestamp-nanos" => AvroLogical.TimestampNanos,
        _ => AvroLogical.None,
    };

    private static AvroLogical Decimal(AvroType type, JsonElement json)
    {
        if (!json.TryGetProperty("precision", out JsonElement precisionJson) || precisionJson.ValueKind != JsonValueKind.Number
            || !precisionJson.TryGetInt32(out int precision) || precision < 1) { return AvroLogical.None; }
        int scale = 0;
        if (json.TryGetProperty("scale", out JsonElement scaleJson)
            && (scaleJson.ValueKind != JsonValueKind.Number || !scaleJson.TryGetInt32(out scale) || scale < 0 || scale > precision)) { return AvroLogical.None; }

        // Digits beyond this have no use, and their power of ten is kept for every decimal that is read.
        if (precision > 2000) { return AvroLogical.None; }
        if (type.Kind == AvroKind.Fixed && precision > (int)Math.Floor(((8.0 * type.Size) - 1) * Math.Log10(2))) { return AvroLogical.None; }
        type.Precision = precision;
        type.Scale = scale;
        return AvroLogical.Decimal;
    }

    /// <summary>True where the two's-complement bytes are a number of at most so many digits. No bytes at all are no number.</summary>
    public static bool FitsPrecision(ReadOnlySpan<byte> bytes, int precision)
    {
        if (bytes.Length == 0) { return false; }

        // n bytes hold less than 10^(2.41 n - 0.3): where that is within the precision there is no need to look at them.
        if (100L * precision >= (241L * bytes.Length) - 30) { return true; }
        if (bytes.Length <= 8)
        {
            long value = (sbyte)bytes[0];
            for (int i = 1; i < bytes.Length; i++) { value = (value << 8) | bytes[i]; }
            return precision >= 19 || (value < Power(precision) && value > -Power(precision));
        }

        byte sign = (sbyte)bytes[0] < 0 ? (byte)0xFF : (byte)0;
        int skip = 0;
        while (skip < bytes.Length - 1 && bytes[skip] == sign && ((bytes[skip + 1] ^ sign) & 0x80) == 0) { skip++; }
        if (skip > 0) { return FitsPrecision(bytes[skip..], precision); }

        // More than the longest number of so many digits may take.
        if (bytes.Length > (precision * 5 / 12) + 2) { return false; }
        return BigInteger.Abs(new BigInteger(bytes, isBigEndian: true)) < BigInteger.Pow(10, precision);
    }

    private static long Power(int digits)
    {
        long power = 1;
        for (int i = 0; i < digits; i++) { power *= 10; }
        return power;
    }
}
