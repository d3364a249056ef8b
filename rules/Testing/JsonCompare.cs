using System.Globalization;
using System.Numerics;
using System.Text.Json;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;

namespace PolicyStreams.Rules;

/// <summary>
/// Compares what a test expects with what came: of an object the members that are expected, of everything else the whole. Logical types are written as their underlying number or their
/// usual text, as in records that tests give.
/// </summary>
internal static class JsonCompare
{
    public static void Within(JsonElement want, JsonElement got, SchemaType? type, string path, List<string> failures)
    {
        if (Text(want, got, type) is { } same)
        {
            if (!same) { failures.Add($"{path}: expected {want.GetRawText()}, got {got.GetRawText()}"); }
            return;
        }

        if (want.ValueKind == JsonValueKind.Object && got.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty member in want.EnumerateObject())
            {
                SchemaType? below = type?.Kind switch { ValueKind.Record => type.Field(member.Name)?.Type, ValueKind.Map => type.Element, _ => null };
                if (got.TryGetProperty(member.Name, out JsonElement other)) { Within(member.Value, other, below, $"{path}.{member.Name}", failures); }
                else { failures.Add($"{path}.{member.Name}: expected {member.Value.GetRawText()}, and it is not there"); }
            }

            return;
        }

        if (want.ValueKind == JsonValueKind.Array && got.ValueKind == JsonValueKind.Array && want.GetArrayLength() == got.GetArrayLength())
        {
            for (int i = 0; i < want.GetArrayLength(); i++) { Within(want[i], got[i], type?.Element, $"{path}[{i}]", failures); }
            return;
        }

        if (!Same(want, got)) { failures.Add($"{path}: expected {want.GetRawText()}, got {got.GetRawText()}"); }
    }

    /// <summary>Null where the two are not a text and the number or bytes that a logical type is written as.</summary>
    private static bool? Text(JsonElement want, JsonElement got, SchemaType? type)
    {
        if (type is null || want.ValueKind is not (JsonValueKind.String or JsonValueKind.Number)) { return null; }
        string text = want.ValueKind == JsonValueKind.String ? want.GetString()! : want.GetRawText();
        switch (type.Kind)
        {
            case ValueKind.Decimal when got.ValueKind == JsonValueKind.Object && got.TryGetProperty("$bytes", out JsonElement bytes) && bytes.TryGetBytesFromBase64(out byte[]? unscaled):
                return decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal wanted)
                    && Scaled(wanted, out BigInteger number, out int scale)
                    && number * BigInteger.Pow(10, Math.Max(type.Scale - scale, 0)) == new BigInteger(unscaled, isBigEndian: true) * BigInteger.Pow(10, Math.Max(scale - type.Scale, 0));
            case ValueKind.Timestamp when want.ValueKind == JsonValueKind.String && got.ValueKind == JsonValueKind.Number && got.TryGetInt64(out long count):
                return AvroText.TryParse(AvroLogicalTypes.OfTime(type.NativeName), text, out long instant) && instant == count;
            case ValueKind.Duration when want.ValueKind == JsonValueKind.String && got.ValueKind == JsonValueKind.Number && got.TryGetInt64(out long units):
                return AvroText.TryParse(AvroLogicalTypes.OfTime(type.NativeName), text, out long clock) && clock == units;
            case ValueKind.Int or ValueKind.UInt when want.ValueKind == JsonValueKind.Number && got.ValueKind == JsonValueKind.String:
                // Protobuf's JSON form has 64-bit integers as texts.
                return got.GetString() == text;
            default:
                return null;
        }
    }

    private static bool Scaled(decimal value, out BigInteger unscaled, out int scale)
    {
        scale = value.Scale;
        return BigInteger.TryParse(value.ToString(CultureInfo.InvariantCulture).Replace(".", "", StringComparison.Ordinal), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out unscaled);
    }

    private static bool Same(JsonElement want, JsonElement got)
    {
        if (want.ValueKind != got.ValueKind) { return false; }
        return want.ValueKind switch
        {
            JsonValueKind.Number => want.GetRawText() == got.GetRawText()
                || (want.TryGetDecimal(out decimal a) && got.TryGetDecimal(out decimal b) ? a == b : want.GetDouble() == got.GetDouble()),
            JsonValueKind.String => want.GetString() == got.GetString(),
            JsonValueKind.Array => false,
            _ => true,
        };
    }
}
