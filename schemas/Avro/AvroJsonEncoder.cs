using System.Buffers;
using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Avro;

/// <summary>
/// Encodes plain JSON under a type. Two dialects: what people write in policy tests (<see cref="Encode"/>), and defaults in schemas (<see cref="TryDefault"/>),
/// where bytes are text of code points 0 to 255 and logical types have no text. Messages name the path and the type, never a value.
/// </summary>
internal sealed class AvroJsonEncoder
{
    private const int DepthMax = 512;
    private const int DefaultBytesMax = 1 << 20;

    /// <summary>Values looked at, branches tried in vain included: unions inside one another could else multiply.</summary>
    private const int StepsMax = 20_000_000;

    private bool _inDefault;
    private Action<AvroField>? _needed;
    private int _steps;
    private string _why = "";

    /// <exception cref="SchemaException">The JSON does not fit.</exception>
    public static void Encode(AvroType type, JsonElement json, ByteBuffer output)
    {
        var encoder = new AvroJsonEncoder();
        int start = output.Length;
        try
        {
            if (encoder.Value(type, json, output, "", 0)) { return; }
        }
        catch (InvalidOperationException)
        {
            encoder._why = "the value: a text in it is not Unicode, it has half a surrogate pair.";
        }

        output.Truncate(start);
        throw new SchemaException(encoder._why);
    }

    /// <summary>Encodes a field's default; the reason where it does not fit, else null.</summary>
    /// <param name="needed">Called with a field whose own default must be known first.</param>
    public static string? TryDefault(AvroType type, JsonElement json, Action<AvroField> needed, out byte[] bytes)
    {
        var encoder = new AvroJsonEncoder { _inDefault = true, _needed = needed };
        var output = new ByteBuffer(16);
        bool fits = encoder.Value(type, json, output, "", 0);
        bytes = fits ? output.Written.ToArray() : [];
        return fits ? null : encoder._why;
    }

    private bool Value(AvroType type, JsonElement json, ByteBuffer output, string path, int depth)
    {
        if (depth > DepthMax) { return No(path, $"nested deeper than {DepthMax}"); }
        if (++_steps > StepsMax) { return No(path, "too many values"); }
        if (_inDefault && output.Length > DefaultBytesMax) { return No(path, "the default is too large"); }
        JsonValueKind kind = json.ValueKind;
        switch (type.Kind)
        {
            case AvroKind.Null:
                return kind == JsonValueKind.Null || No(path, "not null");
            case AvroKind.Boolean:
                if (kind is not (JsonValueKind.True or JsonValueKind.False)) { return No(path, "not a boolean"); }
                output.Append(kind == JsonValueKind.True ? (byte)1 : (byte)0);
                return true;
            case AvroKind.Int or AvroKind.Long:
                return Integer(type, json, output, path);
            case AvroKind.Float:
                {
                    if (!Floating(json, path, out double number)) { return false; }
                    float narrow = (float)number;
                    if (double.IsFinite(number) && !float.IsFinite(narrow)) { return No(path, "not in the range of a float"); }
                    AvroBytes.WriteFloat(output, narrow);
                    return true;
                }
            case AvroKind.Double:
                {
                    if (!Floating(json, path, out double number)) { return false; }
                    AvroBytes.WriteDouble(output, number);
                    return true;
                }
            case AvroKind.String:
                if (kind != JsonValueKind.String || !TryText(json, out string text)) { return No(path, "not a string"); }
                WriteText(output, text);
                return true;
            case AvroKind.Bytes:
                {
                    if (!Binary(type, json, path, out byte[] bytes)) { return false; }
                    AvroBytes.WriteBytes(output, bytes);
                    return true;
                }
            case AvroKind.Fixed:
                {
                    if (!Binary(type, json, path, out byte[] bytes)) { return false; }
                    if (bytes.Length != type.Size) { return No(path, $"not {type.Size} bytes, the size of `{type.Name}`"); }
                    output.Append(bytes);
                    return true;
                }
            case AvroKind.Enum:
                {
                    int symbol = kind == JsonValueKind.String && TryText(json, out string name) ? System.Array.IndexOf(type.Symbols, name) : -1;
                    if (symbol < 0) { return No(path, $"not a symbol of the enum `{type.Name}`"); }
                    AvroBytes.WriteLong(output, symbol);
                    return true;
                }
            case AvroKind.Record:
                return Record(type, json, output, path, depth);
            case AvroKind.Array:
                return List(type, json, output, path, depth);
            case AvroKind.Map:
                return Map(type, json, output, path, depth);
            default:
                return Union(type, json, output, path, depth);
        }
    }

    private bool Record(AvroType type, JsonElement json, ByteBuffer output, string path, int depth)
    {
        if (json.ValueKind != JsonValueKind.Object) { return No(path, $"not an object, which the record `{type.Name}` is"); }
        int known = 0;
        foreach (AvroField field in type.Fields)
        {
            if (json.TryGetProperty(field.Name, out JsonElement inner))
            {
                known++;
                if (!Value(field.Type, inner, output, path.Length == 0 ? field.Name : path + "." + field.Name, depth + 1)) { return false; }
            }
            else if (field.HasDefault)
            {
                _needed?.Invoke(field);
                output.Append(field.Default);
            }
            else
            {
                return No(path, $"the field `{field.Name}` of `{type.Name}` is missing and has no default");
            }
        }

        if (json.GetPropertyCount() == known) { return true; }
        foreach (JsonProperty property in json.EnumerateObject())
        {
            if (type.FieldIndex(property.Name) < 0) { return No(path, $"the record `{type.Name}` has no field of a name that is given"); }
        }

        return No(path, $"a field of the record `{type.Name}` is given twice");
    }

    private bool List(AvroType type, JsonElement json, ByteBuffer output, string path, int depth)
    {
        if (json.ValueKind != JsonValueKind.Array) { return No(path, "not an array"); }
        int count = json.GetArrayLength();
        if (count > 0)
        {
            AvroBytes.WriteLong(output, count);
            int i = 0;
            foreach (JsonElement item in json.EnumerateArray())
            {
                if (!Value(type.Element, item, output, $"{path}[{i++}]", depth + 1)) { return false; }
            }
        }

        output.Append(0);
        return true;
    }

    private bool Map(AvroType type, JsonElement json, ByteBuffer output, string path, int depth)
    {
        if (json.ValueKind != JsonValueKind.Object) { return No(path, "not an object, which a map is"); }
        int count = json.GetPropertyCount();
        if (count > 0)
        {
            AvroBytes.WriteLong(output, count);
            var keys = new HashSet<string>(count, StringComparer.Ordinal);
            foreach (JsonProperty property in json.EnumerateObject())
            {
                if (!keys.Add(property.Name)) { return No(path, "a key of the map comes twice"); }
                if (!WellFormed(property.Name)) { return No(path, "a key of the map is not Unicode text"); }
                WriteText(output, property.Name);
                if (!Value(type.Element, property.Value, output, path + "[*]", depth + 1)) { return false; }
            }
        }

        output.Append(0);
        return true;
    }

    private bool Union(AvroType type, JsonElement json, ByteBuffer output, string path, int depth)
    {
        int start = output.Length;
        for (int i = 0; i < type.Branches.Length; i++)
        {
            // A value goes to the first branch that it fits; so `3` is an int where the union also has a double.
            AvroBytes.WriteLong(output, i);
            if (Value(type.Branches[i], json, output, path, depth + 1)) { return true; }
            output.Truncate(start);
            if (_steps > StepsMax) { return false; }
        }

        // With one branch beside null its own reason says more than that none fits.
        if (type.Single is not null && json.ValueKind != JsonValueKind.Null)
        {
            AvroBytes.WriteLong(output, 0);
            Value(type.Single, json, output, path, depth + 1);
            output.Truncate(start);
            return false;
        }

        return No(path, $"no branch of the union fits: {string.Join(", ", type.Branches.Select(branch => branch.Name))}");
    }

    private bool Integer(AvroType type, JsonElement json, ByteBuffer output, string path)
    {
        long value;
        if (json.ValueKind == JsonValueKind.String && !_inDefault && type.Logical != AvroLogical.None)
        {
            if (!TryText(json, out string text) || !AvroText.TryParse(type.Logical, text, out value)) { return No(path, $"not a {type.NativeName} in its number or ISO 8601 text, at the type's precision"); }
        }
        else if (json.ValueKind != JsonValueKind.Number || !json.TryGetInt64(out value))
        {
            return No(path, $"not a whole number in the range of a{(type.Kind == AvroKind.Int ? "n int" : " long")}");
        }

        if (type.Kind == AvroKind.Int && value is < int.MinValue or > int.MaxValue) { return No(path, "not in the range of an int"); }
        AvroBytes.WriteLong(output, value);
        return true;
    }

    private bool Floating(JsonElement json, string path, out double number)
    {
        number = 0;
        if (json.ValueKind == JsonValueKind.Number)
        {
            return (json.TryGetDouble(out number) && double.IsFinite(number)) || No(path, "not in the range of a double");
        }

        if (json.ValueKind == JsonValueKind.String && !_inDefault && TryText(json, out string text))
        {
            number = text switch { "NaN" => double.NaN, "Infinity" => double.PositiveInfinity, "-Infinity" => double.NegativeInfinity, _ => 0 };
            if (number != 0) { return true; }
        }

        return No(path, "not a number");
    }

    private bool Binary(AvroType type, JsonElement json, string path, out byte[] bytes)
    {
        bytes = [];
        if (_inDefault)
        {
            if (json.ValueKind != JsonValueKind.String || !TryText(json, out string latin)) { return No(path, "not a string of code points 0 to 255"); }
            foreach (char c in latin)
            {
                if (c > 255) { return No(path, "not a string of code points 0 to 255"); }
            }

            bytes = Encoding.Latin1.GetBytes(latin);
            return type.Logical != AvroLogical.Decimal || AvroLogicalTypes.FitsPrecision(bytes, type.Precision) || No(path, "not a decimal of the type's precision");
        }

        if (json.ValueKind == JsonValueKind.Object && json.GetPropertyCount() == 1 && json.TryGetProperty("$bytes", out JsonElement inner))
        {
            if (inner.ValueKind != JsonValueKind.String || !inner.TryGetBytesFromBase64(out byte[]? decoded)) { return No(path, "`$bytes` is not base64"); }
            bytes = decoded;
            return type.Logical != AvroLogical.Decimal || AvroLogicalTypes.FitsPrecision(bytes, type.Precision) || No(path, "not a decimal of the type's precision");
        }

        switch (type.Logical)
        {
            case AvroLogical.Decimal:
                {
                    string text = json.ValueKind == JsonValueKind.Number ? json.GetRawText() : json.ValueKind == JsonValueKind.String && TryText(json, out string given) ? given : "";
                    if (!AvroText.TryParseDecimal(text, type.Scale, type.Precision, out BigInteger unscaled)) { return No(path, $"not a decimal of precision {type.Precision} and scale {type.Scale}"); }
                    bytes = unscaled.ToByteArray(isBigEndian: true);
                    if (type.Kind != AvroKind.Fixed || bytes.Length == type.Size) { return true; }
                    if (bytes.Length > type.Size) { return No(path, $"a decimal that does not fit {type.Size} bytes"); }
                    byte[] padded = new byte[type.Size];
                    padded.AsSpan().Fill(unscaled.Sign < 0 ? (byte)0xFF : (byte)0);
                    bytes.CopyTo(padded.AsSpan(type.Size - bytes.Length));
                    bytes = padded;
                    return true;
                }
            case AvroLogical.Uuid:
                if (json.ValueKind != JsonValueKind.String || !Guid.TryParseExact(json.GetString(), "D", out Guid uuid)) { return No(path, "not a uuid"); }
                bytes = uuid.ToByteArray(bigEndian: true);
                return true;
            case AvroLogical.Duration:
                return AvroText.TryDuration(json, out bytes) || No(path, "not a duration such as P1M2DT3.004S, or an object of `months`, `days`, and `millis`, each 0 to 4294967295");
            default:
                return No(path, "not {\"$bytes\": base64}");
        }
    }

    private bool No(string path, string why)
    {
        _why = $"{(path.Length == 0 ? "the value" : $"`{path}`")}: {why}.";
        return false;
    }

    private static void WriteText(ByteBuffer output, string text)
    {
        int bytes = Encoding.UTF8.GetByteCount(text);
        AvroBytes.WriteLong(output, bytes);
        Encoding.UTF8.GetBytes(text, output.GetSpan(bytes));
        output.Advance(bytes);
    }

    private static bool TryText(JsonElement json, out string text)
    {
        // A lone surrogate (`"\ud800"`) is no text that UTF-8 can hold.
        try
        {
            text = json.GetString()!;
        }
        catch (InvalidOperationException)
        {
            text = "";
            return false;
        }

        return WellFormed(text);
    }

    private static bool WellFormed(string text)
    {
        ReadOnlySpan<char> rest = text;
        while (!rest.IsEmpty)
        {
            if (Rune.DecodeFromUtf16(rest, out _, out int used) != OperationStatus.Done) { return false; }
            rest = rest[used..];
        }

        return true;
    }
}
