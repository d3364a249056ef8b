using System.Buffers;
using System.Buffers.Text;
using System.Numerics;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Avro;

/// <summary>
/// Encodes plain JSON in one pass over its text, for the common case: properties in the order of the schema, unions of null and one type, nothing that is wrong. False for anything else;
/// <see cref="AvroJsonEncoder"/> then encodes it, or says what is wrong. What both encode they encode alike.
/// </summary>
internal static class AvroJsonFast
{
    private const int DepthMax = 512;

    /// <summary>Keys of a map that are compared one by one.</summary>
    private const int KeysMax = 32;

    private static readonly JsonReaderOptions _options = new() { MaxDepth = DepthMax };

    /// <summary>Appends the encoding; false, and nothing appended, where the other encoder has to look. Never throws.</summary>
    public static bool TryEncode(AvroType type, ReadOnlySpan<byte> json, ByteBuffer output)
    {
        int start = output.Length;
        try
        {
            var reader = new Utf8JsonReader(json, _options);
            if (reader.Read() && Value(type, ref reader, output, 0) && !json[(int)reader.BytesConsumed..].ContainsAnyExcept(" \t\r\n"u8)) { return true; }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // No JSON, or text that is not Unicode: the other encoder has the words for it.
        }

        output.Truncate(start);
        return false;
    }

    /// <summary>Encodes the value that the reader stands on, and leaves it on the value's last token.</summary>
    private static bool Value(AvroType type, ref Utf8JsonReader reader, ByteBuffer output, int depth)
    {
        if (depth > DepthMax) { return false; }
        switch (type.Kind)
        {
            case AvroKind.Null:
                return reader.TokenType == JsonTokenType.Null;
            case AvroKind.Boolean:
                if (reader.TokenType is not (JsonTokenType.True or JsonTokenType.False)) { return false; }
                output.Append(reader.TokenType == JsonTokenType.True ? (byte)1 : (byte)0);
                return true;
            case AvroKind.Int or AvroKind.Long:
                {
                    if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long number)) { return false; }
                    if (type.Kind == AvroKind.Int && number is < int.MinValue or > int.MaxValue) { return false; }
                    AvroBytes.WriteLong(output, number);
                    return true;
                }
            case AvroKind.Float:
                {
                    if (reader.TokenType != JsonTokenType.Number || !reader.TryGetDouble(out double number)) { return false; }
                    float narrow = (float)number;
                    if (!float.IsFinite(narrow)) { return false; }
                    AvroBytes.WriteFloat(output, narrow);
                    return true;
                }
            case AvroKind.Double:
                {
                    if (reader.TokenType != JsonTokenType.Number || !reader.TryGetDouble(out double number) || !double.IsFinite(number)) { return false; }
                    AvroBytes.WriteDouble(output, number);
                    return true;
                }
            case AvroKind.String:
                return reader.TokenType == JsonTokenType.String && Text(ref reader, output);
            case AvroKind.Bytes or AvroKind.Fixed:
                return Binary(type, ref reader, output);
            case AvroKind.Enum:
                if (reader.TokenType != JsonTokenType.String) { return false; }
                for (int i = 0; i < type.SymbolBytes.Length; i++)
                {
                    if (!reader.ValueTextEquals(type.SymbolBytes[i])) { continue; }
                    AvroBytes.WriteLong(output, i);
                    return true;
                }

                return false;
            case AvroKind.Record:
                return Record(type, ref reader, output, depth);
            case AvroKind.Array:
                return List(type, ref reader, output, depth);
            case AvroKind.Map:
                return Map(type, ref reader, output, depth);
            default:
                if (type.Single is null || type.NullBranch < 0) { return false; }
                if (reader.TokenType == JsonTokenType.Null)
                {
                    AvroBytes.WriteLong(output, type.NullBranch);
                    return true;
                }

                AvroBytes.WriteLong(output, 1 - type.NullBranch);
                return Value(type.Single, ref reader, output, depth + 1);
        }
    }

    private static bool Record(AvroType type, ref Utf8JsonReader reader, ByteBuffer output, int depth)
    {
        if (reader.TokenType != JsonTokenType.StartObject || !reader.Read()) { return false; }
        foreach (AvroField field in type.Fields)
        {
            if (reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals(field.NameBytes))
            {
                if (!reader.Read() || !Value(field.Type, ref reader, output, depth + 1) || !reader.Read()) { return false; }
            }
            else if (field.HasDefault) { output.Append(field.Default); }
            else { return false; }
        }

        // A property that is left is unknown, comes twice, or is out of order.
        return reader.TokenType == JsonTokenType.EndObject;
    }

    private static bool List(AvroType type, ref Utf8JsonReader reader, ByteBuffer output, int depth)
    {
        if (reader.TokenType != JsonTokenType.StartArray) { return false; }
        int start = output.Length;
        long count = 0;
        output.Append(0);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (!Value(type.Element, ref reader, output, depth + 1)) { return false; }
            count++;
        }

        End(output, start, count);
        return true;
    }

    private static bool Map(AvroType type, ref Utf8JsonReader reader, ByteBuffer output, int depth)
    {
        if (reader.TokenType != JsonTokenType.StartObject) { return false; }
        int start = output.Length;
        int count = 0;
        Span<(int Start, int Length)> keys = stackalloc (int, int)[KeysMax];
        output.Append(0);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            if (count == KeysMax) { return false; }
            int at = output.Length;
            if (!Text(ref reader, output)) { return false; }
            ReadOnlySpan<byte> key = output.Slice(at, output.Length - at);
            foreach ((int known, int length) in keys[..count])
            {
                if (key.SequenceEqual(output.Slice(known, length))) { return false; }
            }

            keys[count++] = (at, key.Length);
            if (!reader.Read() || !Value(type.Element, ref reader, output, depth + 1)) { return false; }
        }

        End(output, start, count);
        return true;
    }

    /// <summary>Writes the count where one byte was kept for it, and the block that ends it all.</summary>
    private static void End(ByteBuffer output, int start, long count)
    {
        if (count > 0)
        {
            Span<byte> spelled = stackalloc byte[10];
            int length = AvroBytes.WriteLong(spelled, count);
            if (length > 1) { output.Insert(start, length - 1); }
            spelled[..length].CopyTo(output.Array.AsSpan(start));
            output.Append(0);
        }
    }

    /// <summary>A string or a property's name, length first.</summary>
    private static bool Text(ref Utf8JsonReader reader, ByteBuffer output)
    {
        ReadOnlySpan<byte> raw = reader.ValueSpan;
        if (!reader.ValueIsEscaped)
        {
            if (!Utf8.IsValid(raw)) { return false; }
            AvroBytes.WriteBytes(output, raw);
            return true;
        }

        // Plain text is shorter than its escapes: a length of so many bytes will do, and where it needs fewer the text moves down.
        int start = output.Length;
        int room = AvroBytes.WriteLong(output.GetSpan(10), raw.Length);
        output.Advance(room);
        int plain = reader.CopyString(output.GetSpan(raw.Length));
        if (!Utf8.IsValid(output.Array.AsSpan(start + room, plain))) { return false; }
        Span<byte> spelled = stackalloc byte[10];
        int length = AvroBytes.WriteLong(spelled, plain);
        if (length < room) { output.Array.AsSpan(start + room, plain).CopyTo(output.Array.AsSpan(start + length)); }
        spelled[..length].CopyTo(output.Array.AsSpan(start));
        output.Truncate(start);
        output.Advance(length + plain);
        return true;
    }

    private static bool Binary(AvroType type, ref Utf8JsonReader reader, ByteBuffer output)
    {
        if (reader.TokenType != JsonTokenType.StartObject) { return type.Logical == AvroLogical.Decimal && type.Kind == AvroKind.Bytes && Decimal(type, ref reader, output); }
        if (!reader.Read() || reader.TokenType != JsonTokenType.PropertyName || !reader.ValueTextEquals("$bytes"u8) || !reader.Read() || reader.TokenType != JsonTokenType.String || reader.ValueIsEscaped) { return false; }
        ReadOnlySpan<byte> text = reader.ValueSpan;
        int start = output.Length;
        int room = 0;
        if (type.Kind == AvroKind.Bytes)
        {
            room = AvroBytes.WriteLong(output.GetSpan(10), text.Length);
            output.Advance(room);
        }

        if (Base64.DecodeFromUtf8(text, output.GetSpan(text.Length + 3), out int used, out int written) != OperationStatus.Done || used != text.Length) { return false; }
        Span<byte> bytes = output.Array.AsSpan(start + room, written);
        if (type.Kind == AvroKind.Fixed && written != type.Size) { return false; }
        if (type.Logical == AvroLogical.Decimal && !AvroLogicalTypes.FitsPrecision(bytes, type.Precision)) { return false; }
        if (type.Kind == AvroKind.Bytes)
        {
            Span<byte> spelled = stackalloc byte[10];
            int length = AvroBytes.WriteLong(spelled, written);
            if (length < room) { bytes.CopyTo(output.Array.AsSpan(start + length)); }
            spelled[..length].CopyTo(output.Array.AsSpan(start));
            output.Truncate(start);
            output.Advance(length);
        }

        output.Advance(written);
        return reader.Read() && reader.TokenType == JsonTokenType.EndObject;
    }

    /// <summary>A decimal in its usual text, as a number or a string.</summary>
    private static bool Decimal(AvroType type, ref Utf8JsonReader reader, ByteBuffer output)
    {
        if (reader.TokenType is not (JsonTokenType.Number or JsonTokenType.String) || reader.ValueIsEscaped) { return false; }
        ReadOnlySpan<byte> text = reader.ValueSpan;
        if (text.Length > 100 || !Ascii.IsValid(text) || !AvroText.TryParseDecimal(Encoding.ASCII.GetString(text), type.Scale, type.Precision, out BigInteger unscaled)) { return false; }
        int length = unscaled.GetByteCount();
        AvroBytes.WriteLong(output, length);
        if (!unscaled.TryWriteBytes(output.GetSpan(length), out int written, isBigEndian: true)) { return false; }
        output.Advance(written);
        return true;
    }
}
