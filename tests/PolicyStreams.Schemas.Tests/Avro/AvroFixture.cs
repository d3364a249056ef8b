using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Tests.Avro;

/// <summary>Small words for tests: schemas, plans by path, bytes from JSON and hex, and masks by a delegate.</summary>
internal static class AvroFixture
{
    public static AvroSchema Record(string fields) => AvroSchema.Parse($$"""{"type":"record","name":"R","fields":[{{fields}}]}""");

    public static byte[] Encode(RecordSchema schema, string json)
    {
        var output = new ByteBuffer();
        using JsonDocument document = JsonDocument.Parse(json);
        schema.EncodeJson(document.RootElement, output);
        return output.Written.ToArray();
    }

    public static string Json(RecordSchema schema, ReadOnlySpan<byte> value)
    {
        var output = new ByteBuffer();
        using (var writer = new Utf8JsonWriter(output)) { Assert.Equal(DecodeOutcome.Decoded, schema.WriteJson(value, writer)); }
        return Encoding.UTF8.GetString(output.Written);
    }

    public static byte[] Hex(string hex) => Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));

    public static FieldPath Path(string text)
    {
        var steps = new List<PathStep>();
        int at = 0;
        while (at < text.Length)
        {
            if (text[at] == '[')
            {
                int close = text.IndexOf(']', at);
                string inner = text[(at + 1)..close];
                steps.Add(inner == "*" ? PathStep.All : new PathStep(PathStepKind.MapKey, inner.Trim('"')));
                at = close + 1;
                continue;
            }

            if (text[at] == '.') { at++; }
            int end = text.IndexOfAny(['.', '['], at);
            if (end < 0) { end = text.Length; }
            steps.Add(new PathStep(PathStepKind.Field, text[at..end]));
            at = end;
        }

        return new FieldPath(PathRoot.Value, null, [.. steps]);
    }

    public static CapturePlan Masks(RecordSchema checkedSchema, params string[] selectors) => new()
    {
        Root = new CaptureRow { Node = new CaptureNode { Type = checkedSchema.Type } },
        Selectors = [.. selectors.Select(selector => selector.StartsWith('#') ? new MaskSelector(null, selector[1..]) : new MaskSelector(Path(selector), null))],
    };

    /// <summary>Adds a capture of a path of fields below <paramref name="row"/>.</summary>
    public static CaptureNode Capture(this CaptureRow row, string path, CaptureMode mode = CaptureMode.Scalar)
    {
        CaptureNode node = row.Node;
        foreach (string name in path.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!node.Children.TryGetValue(name, out CaptureNode? child))
            {
                SchemaType type = node.Type.Kind switch
                {
                    ValueKind.Record => node.Type.Field(name)!.Type,
                    ValueKind.Map => node.Type.Element!,
                    _ => SchemaType.AnyJson,
                };
                node.Children.Add(name, child = new CaptureNode { Type = type });
            }

            node = child;
        }

        node.Mode = mode;
        node.Slot = row.Add();
        return node;
    }

    public static RecordProgram Compile(this RecordSchema schema, CapturePlan plan, out List<SchemaMismatch> mismatches)
    {
        mismatches = [];
        return schema.Compile(plan, WalkLimits.Default, mismatches);
    }

    public static RecordProgram Compile(this RecordSchema schema, CapturePlan plan)
    {
        RecordProgram program = schema.Compile(plan, out List<SchemaMismatch> mismatches);
        Assert.Empty(mismatches);
        return program;
    }

    public static CaptureFrame Walked(this RecordProgram program, byte[] value)
    {
        var frame = new CaptureFrame();
        Assert.Equal(DecodeOutcome.Decoded, program.Walk(value, frame));
        return frame;
    }

    public static string Text(this CaptureFrame frame, int slot, byte[] value) => Encoding.UTF8.GetString(frame.Bytes(frame.Slots[slot], value));

    /// <summary>Masks every site of some selectors with one answer; null where the mask fails.</summary>
    public static byte[]? Mask(RecordSchema schema, byte[] value, SiteResult answer, string text, params string[] selectors)
    {
        RecordProgram program = schema.Compile(Masks(schema, selectors));
        var output = new ByteBuffer();
        output.Append(0xEE);                                   // What was there before stays.
        var masker = new Masker((_, _, replacement) =>
        {
            replacement.Append(Encoding.UTF8.GetBytes(text));
            return answer;
        });
        if (program.Rewrite(value, program.Walked(value), masker, output) != RewriteOutcome.Written) { return null; }
        Assert.Equal(0xEE, output.Written[0]);
        byte[] written = output.Written[1..].ToArray();
        Assert.Equal(DecodeOutcome.Decoded, schema.Decode(written, out _));
        return written;
    }

    public static byte[]? MaskText(RecordSchema schema, byte[] value, string text, params string[] selectors) => Mask(schema, value, new SiteResult(SiteAction.Text), text, selectors);

    public delegate SiteResult MaskOne(ReadOnlySpan<MaskSite> sites, ReadOnlySpan<byte> text, ByteBuffer replacement);

    public sealed class Masker(MaskOne mask) : ISiteMasker
    {
        public SiteResult Mask(ReadOnlySpan<MaskSite> sites, ReadOnlySpan<byte> text, ByteBuffer replacement) => mask(sites, text, replacement);
    }
}
