using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Json;

/// <summary>
/// JSON (RFC 8259) of no known shape. Stricter than most readers, so that no two of them see different values: UTF-8 without a byte order mark, no property twice (however it is
/// spelled), no half surrogate pairs, no number beyond a double, one value and nothing behind it.
/// </summary>
public sealed class SchemalessJson : RecordSchema
{
    /// <summary>Deepest nesting, whatever <see cref="WalkLimits.DepthMax"/> allows.</summary>
    public const int DepthMax = 512;

    private static readonly CapturePlan _nothing = new() { Root = new CaptureRow { Node = new CaptureNode { Type = SchemaType.AnyJson } }, Selectors = [] };
    private static readonly JsonProgram _check = new(_nothing, WalkLimits.Default);

    private SchemalessJson()
    {
    }

    public static SchemalessJson Instance { get; } = new();

    public override SchemaFormat Format => SchemaFormat.Json;

    public override string Text => "";

    public override SchemaType Type => SchemaType.AnyJson;

    public override RecordProgram Compile(CapturePlan plan, WalkLimits limits, ICollection<SchemaMismatch> mismatches) => new JsonProgram(plan, limits);

    public override DecodeOutcome Decode(ReadOnlySpan<byte> value, out object? plain)
    {
        DecodeOutcome outcome = _check.Walk(value, new CaptureFrame());
        plain = outcome == DecodeOutcome.Decoded ? JsonPlain.Read(value) : null;
        return outcome;
    }

    public override void EncodeJson(JsonElement json, ByteBuffer output)
    {
        ReadOnlySpan<byte> text = JsonMarshal.GetRawUtf8Value(json);
        DecodeOutcome outcome = _check.Walk(text, new CaptureFrame());
        if (outcome != DecodeOutcome.Decoded) { throw new SchemaException($"The JSON would be refused as a record: {DecodeOutcomes.Code(outcome)}."); }
        output.Append(text);
    }

    public override DecodeOutcome WriteJson(ReadOnlySpan<byte> value, Utf8JsonWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        DecodeOutcome outcome = _check.Walk(value, new CaptureFrame());
        if (outcome != DecodeOutcome.Decoded) { return outcome; }
        var reader = new Utf8JsonReader(value, new JsonReaderOptions { MaxDepth = DepthMax });
        using JsonDocument document = JsonDocument.ParseValue(ref reader);
        document.RootElement.WriteTo(writer);
        return DecodeOutcome.Decoded;
    }
}
