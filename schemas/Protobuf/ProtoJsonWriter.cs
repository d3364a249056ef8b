using System.Globalization;
using System.Text.Json;

namespace PolicyStreams.Schemas.Protobuf;

/// <summary>Writes plain values in Protobuf's JSON form: 64-bit integers and what JSON has no number for as texts, bytes in base64, timestamps and durations as their text.</summary>
internal static class ProtoJsonWriter
{
    public static void Write(ProtoMessage message, RecordValue record, Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        for (int i = 0; i < message.Fields.Count; i++)
        {
            ProtoField field = message.Fields[i];
            object? value = record.Values[i];

            // Of a oneof only the member that is set is of interest.
            if (value is null && field.Oneof is not null) { continue; }
            writer.WritePropertyName(field.EncodedName);
            if (field.IsMap) { Map(field, (MapValue)value!, writer); }
            else if (!field.Repeated) { Value(field, value, writer); }
            else
            {
                writer.WriteStartArray();
                foreach (object? element in (List<object?>)value!) { Value(field, element, writer); }
                writer.WriteEndArray();
            }
        }

        writer.WriteEndObject();
    }

    private static void Map(ProtoField field, MapValue map, Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        foreach ((object key, object? value) in map)
        {
            writer.WritePropertyName(key switch { bool truth => truth ? "true" : "false", _ => Convert.ToString(key, CultureInfo.InvariantCulture)! });
            Value(field.MapValue!, value, writer);
        }

        writer.WriteEndObject();
    }

    private static void Value(ProtoField field, object? value, Utf8JsonWriter writer)
    {
        switch (value)
        {
            case null:
                writer.WriteNullValue();
                break;
            case RecordValue record:
                Write(field.Message!, record, writer);
                break;
            case bool truth:
                writer.WriteBooleanValue(truth);
                break;
            case string text:
                writer.WriteStringValue(text);
                break;
            case byte[] bytes:
                writer.WriteBase64StringValue(bytes);
                break;
            case double number:
                Real(field, number, writer);
                break;
            case Timestamp instant:
                writer.WriteStringValue(ProtoTime.Text(instant));
                break;
            case Duration span:
                writer.WriteStringValue(ProtoTime.Text(span));
                break;
            default:
                string digits = Convert.ToString(value, CultureInfo.InvariantCulture)!;
                if (Is64(Scalar(field).Type)) { writer.WriteStringValue(digits); }
                else { writer.WriteRawValue(digits, skipInputValidation: true); }
                break;
        }
    }

    /// <summary>The field itself, or what a wrapper is around.</summary>
    public static ProtoField Scalar(ProtoField field) => field.Message is { WellKnown: ProtoWellKnown.Wrapper } wrapper ? wrapper.Fields[0] : field;

    private static bool Is64(ProtoType type) => type is ProtoType.Int64 or ProtoType.UInt64 or ProtoType.SInt64 or ProtoType.Fixed64 or ProtoType.SFixed64;

    private static void Real(ProtoField field, double number, Utf8JsonWriter writer)
    {
        if (!double.IsFinite(number)) { writer.WriteStringValue(double.IsNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity"); }
        else if (Scalar(field).Type == ProtoType.Float) { writer.WriteNumberValue((float)number); }
        else { writer.WriteNumberValue(number); }
    }
}
