using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Protobuf;

namespace PolicyStreams.Conformance.Tests;

/// <summary>Random schemas and messages that protoc encoded (<c>protobuf/generate.py</c> made them): values, masked bytes, and damaged copies.</summary>
public class ProtobufConformance(ITestOutputHelper output)
{
    [Fact]
    public void Decode_EveryMessageOfProtoc_GivesItsValue()
    {
        Agree(static (schema, bytes, root) =>
        {
            using JsonDocument read = JsonDocument.Parse(Json(schema, bytes));
            return JsonElement.DeepEquals(read.RootElement, root.GetProperty("json")) ? "" : $"value: {read.RootElement.GetRawText()}";
        });
    }

    [Fact]
    public void EncodeJson_EveryValue_GivesTheMessageOfProtoc()
    {
        Agree(static (schema, bytes, root) =>
        {
            var encoded = new ByteBuffer();
            schema.EncodeJson(root.GetProperty("json"), encoded);

            // Entries of maps are in protoc's order there and in the text's here: as many bytes, and the same value.
            return encoded.Length == bytes.Length && Same(Json(schema, encoded.Written), Json(schema, bytes)) ? "" : $"bytes: {Convert.ToHexStringLower(encoded.Written)}";
        });
    }

    [Fact]
    public void Rewrite_EveryMask_GivesTheBytesOfProtoc()
    {
        Agree(static (schema, bytes, root) =>
        {
            foreach (JsonElement mask in root.GetProperty("masks").EnumerateArray())
            {
                string path = mask.GetProperty("path").GetString()!;
                string? to = mask.GetProperty("to").GetString();
                byte[]? written = Mask(schema, bytes, path, to);
                if (written is null) { return $"mask of {path} failed"; }
                if (Convert.ToHexStringLower(written) != mask.GetProperty("hex").GetString()) { return $"mask of {path} to {to?.Length}: {Convert.ToHexStringLower(written)}"; }
            }

            return "";
        });
    }

    [Fact]
    public void Walk_EveryDamagedMessage_NeverThrowsAndAgreesWithItself()
    {
        int refused = 0, walked = 0;
        Agree((schema, bytes, root) =>
        {
            var random = new Random(bytes.Length);
            RecordProgram program = schema.Compile(Plan(schema), WalkLimits.Default, []);
            var frame = new CaptureFrame();
            for (int i = 0; i <= bytes.Length; i += 1 + (bytes.Length / 40))
            {
                byte[] cut = bytes[..i], flipped = [.. bytes];
                if (i < bytes.Length) { flipped[i] ^= (byte)(1 << random.Next(8)); }
                foreach (byte[] bad in (byte[][])[cut, flipped])
                {
                    walked++;
                    DecodeOutcome outcome = program.Walk(bad, frame);
                    if (outcome != schema.Decode(bad, out object? _)) { return $"two outcomes of {Convert.ToHexStringLower(bad)}"; }
                    if (outcome != DecodeOutcome.Decoded) { refused++; }
                }
            }

            return "";
        });
        output.WriteLine($"{refused} of {walked} damaged messages were refused");
        Assert.True(refused > walked / 4);
    }

    private void Agree(Func<ProtobufSchema, byte[], JsonElement, string> run)
    {
        int agreeing = 0, all = 0;
        foreach (string line in File.ReadLines(Path.Combine(Folder(), "cases.jsonl")))
        {
            all++;
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement root = document.RootElement;
            var schema = (ProtobufSchema)ProtobufSchema.Parse(root.GetProperty("schema").GetString()!, []).ForRecord(root.GetProperty("message").GetString());
            string disagreement = run(schema, Convert.FromHexString(root.GetProperty("hex").GetString()!), root);
            if (disagreement.Length == 0) { agreeing++; }
            else { output.WriteLine($"cases.jsonl:{all}: {disagreement}"); }
        }

        output.WriteLine($"agree {agreeing} of {all}");
        Assert.True(all > 300);
        Assert.Equal(all, agreeing);
    }

    private static CapturePlan Plan(RecordSchema schema, params MaskSelector[] selectors) => new()
    {
        Root = new CaptureRow { Node = new CaptureNode { Type = schema.Type } },
        Selectors = selectors,
        UnknownFields = UnknownFields.Keep,
    };

    private static byte[]? Mask(ProtobufSchema schema, byte[] bytes, string path, string? to)
    {
        var steps = new List<PathStep>();
        foreach (string part in path.Replace("[*]", ".*", StringComparison.Ordinal).Split('.')) { steps.Add(part == "*" ? PathStep.All : new PathStep(PathStepKind.Field, part)); }
        RecordProgram program = schema.Compile(Plan(schema, new MaskSelector(new FieldPath(PathRoot.Value, null, [.. steps]), null)), WalkLimits.Default, []);
        var frame = new CaptureFrame();
        var written = new ByteBuffer();
        if (program.Walk(bytes, frame) != DecodeOutcome.Decoded) { return null; }
        return program.Rewrite(bytes, frame, new CaseMasker(to), written) == RewriteOutcome.Written ? written.Written.ToArray() : null;
    }

    private static string Json(ProtobufSchema schema, ReadOnlySpan<byte> bytes)
    {
        var text = new ByteBuffer();
        using (var writer = new Utf8JsonWriter(text)) { Assert.Equal(DecodeOutcome.Decoded, schema.WriteJson(bytes, writer)); }
        return Encoding.UTF8.GetString(text.Written);
    }

    private static bool Same(string one, string other)
    {
        using JsonDocument left = JsonDocument.Parse(one), right = JsonDocument.Parse(other);
        return JsonElement.DeepEquals(left.RootElement, right.RootElement);
    }

    private static string Folder()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "PolicyStreams.sln"))) { folder = Path.GetDirectoryName(folder); }
        return Path.Combine(folder!, "tests", "PolicyStreams.Conformance.Tests", "protobuf");
    }

    private sealed class CaseMasker(string? to) : ISiteMasker
    {
        public SiteResult Mask(ReadOnlySpan<MaskSite> sites, ReadOnlySpan<byte> text, ByteBuffer replacement)
        {
            if (to is null) { return new SiteResult(SiteAction.Redact); }
            replacement.Append(Encoding.UTF8.GetBytes(to));
            return new SiteResult(SiteAction.Text);
        }
    }
}
