using System.Globalization;
using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Protobuf;

/// <summary>Encodes Protobuf's JSON form, fields in the order of their numbers. What does not fit is a <see cref="SchemaException"/> that names the path, never a value.</summary>
internal static class ProtoJsonEncoder
{
    public static void Encode(ProtoMessage message, JsonElement json, ByteBuffer output)
    {
        try
        {
            Message(message, json, "value", output);
        }
        catch (InvalidOperationException)
        {
            throw Fault("value", "has a text that is not Unicode: half a surrogate pair");
        }
    }

    private static void Message(ProtoMessage message, JsonElement json, string path, ByteBuffer output)
    {
        if (!System.Runtime.CompilerServices.RuntimeHelpers.TryEnsureSufficientExecutionStack()) { throw Fault(path, "is nested too deep"); }
        if (json.ValueKind != JsonValueKind.Object) { throw Fault(path, $"is {Kind(json)}, not an object"); }
        var given = new Dictionary<ProtoField, JsonElement>();
        var oneofs = new HashSet<ProtoOneof>();
        foreach (JsonProperty property in json.EnumerateObject())
        {
            ProtoField field = message.Fields.Find(one => one.Name == property.Name) ?? message.Fields.Find(one => one.JsonName == property.Name)
                ?? throw Fault(path, $"has a property that is no field of `{message.FullName}`; its fields are {string.Join(", ", message.Fields.Take(24).Select(one => one.Name))}");
            if (property.Value.ValueKind == JsonValueKind.Null) { continue; }
            if (!given.TryAdd(field, property.Value)) { throw Fault($"{path}.{field.Name}", "comes twice"); }
            if (field.Oneof is { } oneof && !oneofs.Add(oneof)) { throw Fault($"{path}.{field.Name}", $"is a second member of oneof `{oneof.Name}`"); }
        }

        foreach (ProtoField field in message.ByNumber)
        {
            string at = $"{path}.{field.Name}";
            if (!given.TryGetValue(field, out JsonElement value))
            {
                if (field.Required) { throw Fault(at, "is required, and not there"); }
            }
            else if (field.IsMap) { Map(field, value, at, output); }
            else if (field.Repeated) { Repeated(field, value, at, output); }
            else
            {
                int start = output.Length;
                ProtoBytes.WriteTag(output, field.Number, field.Wire);
                int content = output.Length;
                Value(field, value, at, output);

                // proto3's zero is not written where absent means the same.
                if (!field.Presence && IsZero(output.Written[content..])) { output.Truncate(start); }
            }
        }
    }

    private static bool IsZero(ReadOnlySpan<byte> encoding) => !encoding.ContainsAnyExcept((byte)0);

    private static void Repeated(ProtoField field, JsonElement json, string path, ByteBuffer output)
    {
        if (json.ValueKind != JsonValueKind.Array) { throw Fault(path, $"is {Kind(json)}, not a list"); }
        bool packed = field.Packed && field.Packable;
        if (packed && json.GetArrayLength() == 0) { return; }
        if (packed) { ProtoBytes.WriteTag(output, field.Number, ProtoWire.Length); }
        int start = output.Length, index = 0;
        foreach (JsonElement element in json.EnumerateArray())
        {
            if (!packed) { ProtoBytes.WriteTag(output, field.Number, field.Wire); }
            Value(field, element, string.Create(CultureInfo.InvariantCulture, $"{path}[{index++}]"), output);
        }

        if (packed) { ProtoBytes.WriteLengthBefore(output, start); }
    }

    private static void Map(ProtoField field, JsonElement json, string path, ByteBuffer output)
    {
        if (json.ValueKind != JsonValueKind.Object) { throw Fault(path, $"is {Kind(json)}, not an object"); }
        var keys = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonProperty property in json.EnumerateObject())
        {
            if (!keys.Add(property.Name)) { throw Fault(path, "has a key twice"); }
            ProtoBytes.WriteTag(output, field.Number, ProtoWire.Length);
            int start = output.Length;
            ProtoBytes.WriteTag(output, 1, field.MapKey!.Wire);
            Key(field.MapKey, property.Name, path, output);
            ProtoBytes.WriteTag(output, 2, field.MapValue!.Wire);
            Value(field.MapValue, property.Value, path + "[*]", output);
            ProtoBytes.WriteLengthBefore(output, start);
        }
    }

    private static void Key(ProtoField key, string name, string path, ByteBuffer output)
    {
        switch (key.Type)
        {
            case ProtoType.String:
                ProtoBytes.WriteBytes(output, Utf8(name, path));
                break;
            case ProtoType.Bool when name is "true" or "false":
                output.Append(name == "true" ? (byte)1 : (byte)0);
                break;
            case ProtoType.Bool:
                throw Fault(path, "has a key that is neither true nor false");
            default:
                Integer(key, name, path, output);
                break;
        }
    }

    private static void Value(ProtoField field, JsonElement json, string path, ByteBuffer output)
    {
        switch (field.Type)
        {
            case ProtoType.Bool:
                if (json.ValueKind is not (JsonValueKind.True or JsonValueKind.False)) { throw Fault(path, $"is {Kind(json)}, not a boolean"); }
                output.Append(json.GetBoolean() ? (byte)1 : (byte)0);
                break;
            case ProtoType.Double:
                ProtoBytes.WriteFixed64(output, BitConverter.DoubleToUInt64Bits(Real(json, path)));
                break;
            case ProtoType.Float:
                double real = Real(json, path);
                if (double.IsFinite(real) && !float.IsFinite((float)real)) { throw Fault(path, "does not fit a float"); }
                ProtoBytes.WriteFixed32(output, BitConverter.SingleToUInt32Bits((float)real));
                break;
            case ProtoType.String:
                ProtoBytes.WriteBytes(output, Utf8(Text(json, path), path));
                break;
            case ProtoType.Bytes:
                ProtoBytes.WriteBytes(output, Bytes(json, path));
                break;
            case ProtoType.Enum:
                Enum(field.Enum!, json, path, output);
                break;
            case ProtoType.Group:
                Message(field.Message!, json, path, output);
                ProtoBytes.WriteTag(output, field.Number, ProtoWire.EndGroup);
                break;
            case ProtoType.Message:
                int start = output.Length;
                if (field.Message!.WellKnown == ProtoWellKnown.None) { Message(field.Message, json, path, output); }
                else { Known(field.Message, json, path, output); }
                ProtoBytes.WriteLengthBefore(output, start);
                break;
            default:
                Integer(field, json.ValueKind switch { JsonValueKind.Number => json.GetRawText(), JsonValueKind.String => json.GetString()!, _ => throw Fault(path, $"is {Kind(json)}, not a number") }, path, output);
                break;
        }
    }

    private static void Known(ProtoMessage message, JsonElement json, string path, ByteBuffer output)
    {
        long seconds, nanos;
        switch (message.WellKnown)
        {
            case ProtoWellKnown.Timestamp:
                if (json.ValueKind != JsonValueKind.String || !ProtoTime.TryTimestamp(json.GetString()!, out Timestamp instant)) { throw Fault(path, "is no instant: 2026-01-02T03:04:05Z"); }
                (seconds, nanos) = (instant.Seconds, instant.Nanos);
                break;
            case ProtoWellKnown.Duration:
                if (json.ValueKind != JsonValueKind.String || !ProtoTime.TryDuration(json.GetString()!, out Duration span)) { throw Fault(path, "is no span: 1.5s"); }
                (seconds, nanos) = (span.Seconds, span.Nanos);
                break;
            default:
                int start = output.Length;
                ProtoBytes.WriteTag(output, 1, message.Fields[0].Wire);
                int content = output.Length;
                Value(message.Fields[0], json, path, output);
                if (IsZero(output.Written[content..])) { output.Truncate(start); }
                return;
        }

        if (seconds != 0)
        {
            ProtoBytes.WriteTag(output, 1, ProtoWire.Varint);
            ProtoBytes.WriteVarint(output, (ulong)seconds);
        }

        if (nanos != 0)
        {
            ProtoBytes.WriteTag(output, 2, ProtoWire.Varint);
            ProtoBytes.WriteVarint(output, (ulong)nanos);
        }
    }

    private static void Enum(ProtoEnum type, JsonElement json, string path, ByteBuffer output)
    {
        int? number = json.ValueKind switch
        {
            JsonValueKind.String => type.NumberOf(json.GetString()!),
            JsonValueKind.Number when json.TryGetInt32(out int given) => given,
            _ => null,
        };
        ProtoBytes.WriteNumber(output, ProtoType.Enum, number ?? throw Fault(path, $"is no value of enum `{type.FullName}`; its names are {string.Join(", ", type.Symbols.Take(24))}"));
    }

    private static void Integer(ProtoField field, string text, string path, ByteBuffer output)
    {
        (decimal least, decimal most) = field.Type switch
        {
            ProtoType.Int32 or ProtoType.SInt32 or ProtoType.SFixed32 => ((decimal)int.MinValue, (decimal)int.MaxValue),
            ProtoType.UInt32 or ProtoType.Fixed32 => (0m, (decimal)uint.MaxValue),
            ProtoType.UInt64 or ProtoType.Fixed64 => (0m, (decimal)ulong.MaxValue),
            _ => ((decimal)long.MinValue, (decimal)long.MaxValue),
        };
        if (text.Length > 64 || !decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number) || number != decimal.Truncate(number)) { throw Fault(path, "is no integer"); }
        if (number < least || number > most) { throw Fault(path, $"does not fit {field.Type.ToString().ToLowerInvariant()}"); }
        ProtoBytes.WriteNumber(output, field.Type, number > long.MaxValue ? unchecked((long)(ulong)number) : (long)number);
    }

    private static double Real(JsonElement json, string path)
    {
        if (json.ValueKind == JsonValueKind.Number) { return json.TryGetDouble(out double number) && double.IsFinite(number) ? number : throw Fault(path, "does not fit a double"); }
        return json.ValueKind != JsonValueKind.String ? throw Fault(path, $"is {Kind(json)}, not a number") : json.GetString() switch
        {
            "NaN" => double.NaN,
            "Infinity" => double.PositiveInfinity,
            "-Infinity" => double.NegativeInfinity,
            string text when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number) => number,
            _ => throw Fault(path, "is no number"),
        };
    }

    private static byte[] Bytes(JsonElement json, string path)
    {
        // The form that other formats have here is read as well.
        if (json.ValueKind == JsonValueKind.Object && json.TryGetProperty("$bytes", out JsonElement inner)) { json = inner; }
        string text = Text(json, path).Replace('-', '+').Replace('_', '/');
        try
        {
            return Convert.FromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='));
        }
        catch (FormatException)
        {
            throw Fault(path, "is no base64");
        }
    }

    private static string Text(JsonElement json, string path)
    {
        if (json.ValueKind != JsonValueKind.String) { throw Fault(path, $"is {Kind(json)}, not a string"); }
        try
        {
            return json.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Fault(path, "is not valid UTF-8");
        }
    }

    private static byte[] Utf8(string text, string path)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetBytes(text);
        }
        catch (EncoderFallbackException)
        {
            throw Fault(path, "holds half a surrogate pair");
        }
    }

    private static string Kind(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "a boolean",
    };

    private static SchemaException Fault(string path, string what) => new($"`{path}` {what}");
}
