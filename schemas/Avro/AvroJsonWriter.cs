using System.Buffers.Binary;
using System.Text.Json;

namespace PolicyStreams.Schemas.Avro;

/// <summary>
/// Writes bytes that a walk has found good as plain JSON: bytes, fixed, and decimals as <c>{"$bytes": base64}</c>, unions as the value of their branch, numbers of dates and times
/// as they are, a uuid as its text, and what JSON has no number for as <c>"NaN"</c>, <c>"Infinity"</c>, <c>"-Infinity"</c>.
/// </summary>
internal static class AvroJsonWriter
{
    /// <summary>Values written at most: only a schema of records of nothing reaches it.</summary>
    private const int ValuesMax = 16_000_000;

    /// <summary>False where the value unfolds to more than can be written.</summary>
    public static bool Write(AvroType type, ReadOnlySpan<byte> value, Utf8JsonWriter writer)
    {
        int pos = 0;
        int left = ValuesMax;
        return Write(type, value, ref pos, writer, ref left);
    }

    private static bool Write(AvroType type, ReadOnlySpan<byte> value, ref int pos, Utf8JsonWriter writer, ref int left)
    {
        if (--left < 0) { return false; }
        switch (type.Kind)
        {
            case AvroKind.Null:
                writer.WriteNullValue();
                return true;
            case AvroKind.Boolean:
                writer.WriteBooleanValue(value[pos++] != 0);
                return true;
            case AvroKind.Int or AvroKind.Long:
                writer.WriteNumberValue(AvroBytes.Number(value, ref pos));
                return true;
            case AvroKind.Float:
                {
                    // As the double that rules see: 0.1f is 0.10000000149011612.
                    double number = BinaryPrimitives.ReadSingleLittleEndian(value[pos..]);
                    pos += 4;
                    if (double.IsFinite(number)) { writer.WriteNumberValue(number); }
                    else { NotFinite(number, writer); }
                    return true;
                }
            case AvroKind.Double:
                {
                    double number = BinaryPrimitives.ReadDoubleLittleEndian(value[pos..]);
                    pos += 8;
                    if (double.IsFinite(number)) { writer.WriteNumberValue(number); }
                    else { NotFinite(number, writer); }
                    return true;
                }
            case AvroKind.String:
                writer.WriteStringValue(AvroPlainReader.Take(value, ref pos, AvroBytes.Number(value, ref pos)));
                return true;
            case AvroKind.Bytes:
                Binary(AvroPlainReader.Take(value, ref pos, AvroBytes.Number(value, ref pos)), writer);
                return true;
            case AvroKind.Fixed:
                {
                    ReadOnlySpan<byte> bytes = AvroPlainReader.Take(value, ref pos, type.Size);
                    if (type.Logical == AvroLogical.Uuid) { writer.WriteStringValue(AvroPlainReader.Uuid(bytes)); }
                    else { Binary(bytes, writer); }
                    return true;
                }
            case AvroKind.Enum:
                writer.WriteStringValue(type.SymbolBytes[(int)AvroBytes.Number(value, ref pos)]);
                return true;
            case AvroKind.Record:
                writer.WriteStartObject();
                foreach (AvroField field in type.Fields)
                {
                    writer.WritePropertyName(field.Name);
                    if (!Write(field.Type, value, ref pos, writer, ref left)) { return false; }
                }

                writer.WriteEndObject();
                return true;
            case AvroKind.Array:
                writer.WriteStartArray();
                for (long count = AvroPlainReader.Block(value, ref pos); count > 0; count = AvroPlainReader.Block(value, ref pos))
                {
                    for (long i = 0; i < count; i++)
                    {
                        if (!Write(type.Element, value, ref pos, writer, ref left)) { return false; }
                    }
                }

                writer.WriteEndArray();
                return true;
            case AvroKind.Map:
                writer.WriteStartObject();
                for (long count = AvroPlainReader.Block(value, ref pos); count > 0; count = AvroPlainReader.Block(value, ref pos))
                {
                    for (long i = 0; i < count; i++)
                    {
                        writer.WritePropertyName(AvroPlainReader.Take(value, ref pos, AvroBytes.Number(value, ref pos)));
                        if (!Write(type.Element, value, ref pos, writer, ref left)) { return false; }
                    }
                }

                writer.WriteEndObject();
                return true;
            default:
                return Write(type.Branches[(int)AvroBytes.Number(value, ref pos)], value, ref pos, writer, ref left);
        }
    }

    private static void Binary(ReadOnlySpan<byte> bytes, Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteBase64String("$bytes"u8, bytes);
        writer.WriteEndObject();
    }

    private static void NotFinite(double number, Utf8JsonWriter writer) =>
        writer.WriteStringValue(double.IsNaN(number) ? "NaN"u8 : number > 0 ? "Infinity"u8 : "-Infinity"u8);
}
