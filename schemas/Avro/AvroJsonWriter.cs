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

    /// <param name="forPeople">Decimals, dates, and times as their usual text.</param>
    /// <summary>False where the value unfolds to more than can be written.</summary>
    public static bool Write(AvroType type, ReadOnlySpan<byte> value, Utf8JsonWriter writer, bool forPeople = false)
    {
        int pos = 0;
        int left = ValuesMax;
        return Write(type, value, ref pos, writer, ref left, forPeople);
    }

    private static bool Write(AvroType type, ReadOnlySpan<byte> value, ref int pos, Utf8JsonWriter writer, ref int left, bool forPeople)
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
                {
                    long number = AvroBytes.Number(value, ref pos);
                    if (forPeople && AvroReadable.TryTime(type, number, out string? time)) { writer.WriteStringValue(time); }
                    else { writer.WriteNumberValue(number); }
                    return true;
                }
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
                Binary(type, AvroPlainReader.Take(value, ref pos, AvroBytes.Number(value, ref pos)), writer, forPeople);
                return true;
            case AvroKind.Fixed:
                {
                    ReadOnlySpan<byte> bytes = AvroPlainReader.Take(value, ref pos, type.Size);
                    if (type.Logical == AvroLogical.Uuid) { writer.WriteStringValue(AvroPlainReader.Uuid(bytes)); }
                    else { Binary(type, bytes, writer, forPeople); }
                    return true;
                }
            case AvroKind.Enum:
                writer.WriteStringValue(type.SymbolBytes[(int)AvroBytes.Number(value, ref pos)]);
                return true;
            case AvroKind.Record:
                writer.WriteStartObject();
                foreach (AvroField field in type.Fields)
                {
                    writer.WritePropertyName(field.JsonName);
                    if (!Write(field.Type, value, ref pos, writer, ref left, forPeople)) { return false; }
                }

                writer.WriteEndObject();
                return true;
            case AvroKind.Array:
                writer.WriteStartArray();
                for (long count = AvroPlainReader.Block(value, ref pos); count > 0; count = AvroPlainReader.Block(value, ref pos))
                {
                    for (long i = 0; i < count; i++)
                    {
                        if (!Write(type.Element, value, ref pos, writer, ref left, forPeople)) { return false; }
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
                        if (!Write(type.Element, value, ref pos, writer, ref left, forPeople)) { return false; }
                    }
                }

                writer.WriteEndObject();
                return true;
            default:
                return Write(type.Branches[(int)AvroBytes.Number(value, ref pos)], value, ref pos, writer, ref left, forPeople);
        }
    }

    private static void Binary(AvroType type, ReadOnlySpan<byte> bytes, Utf8JsonWriter writer, bool forPeople)
    {
        if (forPeople && type.Logical == AvroLogical.Decimal)
        {
            writer.WriteStringValue(AvroReadable.Decimal(type, bytes));
            return;
        }

        writer.WriteStartObject();
        writer.WriteBase64String("$bytes"u8, bytes);
        writer.WriteEndObject();
    }

    private static void NotFinite(double number, Utf8JsonWriter writer) =>
        writer.WriteStringValue(double.IsNaN(number) ? "NaN"u8 : number > 0 ? "Infinity"u8 : "-Infinity"u8);
}
