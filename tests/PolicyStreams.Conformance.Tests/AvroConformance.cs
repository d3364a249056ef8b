using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Tests.Avro;

namespace PolicyStreams.Conformance.Tests;

/// <summary>
/// Avro's shared cases: every <c>*.jsonl</c> file of records, values, masks, and damaged bytes, and every <c>*.txt</c> file of canonical forms and fingerprints.
/// </summary>
public sealed class AvroConformance(ITestOutputHelper log)
{
    private static readonly byte[] HmacKey = "case-key-0123456789abcdef01234567"u8.ToArray();
    private readonly Dictionary<string, RecordProgram> _walks = new(StringComparer.Ordinal);
    private int _accepted;

    [Fact]
    public void Cases_All_Agree()
    {
        string? folder = Environment.GetEnvironmentVariable("POLICYSTREAMS_AVRO_CASES");
        if (string.IsNullOrEmpty(folder)) { Assert.Skip("POLICYSTREAMS_AVRO_CASES is not set."); }
        Assert.Equal(0, Run(folder, log.WriteLine));
    }

    /// <summary>How many cases of a folder disagree.</summary>
    internal int Run(string folder, Action<string> say)
    {
        using var tally = new CaseTally(say);
        foreach (string file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            switch (Path.GetExtension(file))
            {
                case ".jsonl": Records(file, tally); break;
                case ".txt": tally.Group(Path.GetFileName(file), () => Schemas(file, tally)); break;
                default: continue;
            }

            tally.EndFile(Path.GetRelativePath(folder, file));
        }

        say($"{_accepted} values were taken by emitted walks");
        return tally.Disagreeing;
    }

    private void Records(string file, CaseTally tally)
    {
        int number = 0;
        foreach (string line in File.ReadLines(file))
        {
            string name = $"{Path.GetFileName(file)}:{++number}";
            if (!string.IsNullOrWhiteSpace(line)) { tally.Group(name, () => Record(name, line, tally)); }
        }
    }

    private void Record(string name, string line, CaseTally tally)
    {
        JsonNode test = JsonNode.Parse(line)!;
        byte[] bytes = Convert.FromHexString((string)test["hex"]!);
        AvroSchema schema = AvroSchema.Parse(test["schema"]!.ToJsonString());
        tally.Case(name + " value", () => Value(schema, bytes, test["value"]) ? Twins(schema, bytes) : "the value read is another");
        tally.Case(name + " encode", () => Encode(schema, test["value"], bytes) ? null : "encoding the value does not read back as the value");
        int index = 0;
        foreach (JsonNode? mask in test["masks"]?.AsArray() ?? [])
        {
            tally.Case($"{name} mask {index++} ({mask?["with"]} of {mask?["path"]})", () =>
                Mask(schema, bytes, (string)mask!["path"]!, (string)mask["with"]!) is var masked && masked == (string)mask["hex"]! ? null : $"the masked bytes are others: {masked}");
        }

        index = 0;
        foreach (JsonNode? damaged in test["damaged"]?.AsArray() ?? [])
        {
            tally.Case($"{name} damaged {index++} ({damaged?["why"]})", () =>
            {
                byte[] bad = Convert.FromHexString((string)damaged!["hex"]!);
                return schema.Decode(bad, out _) != DecodeOutcome.Decoded ? Twins(schema, bad) : "accepted";
            });
        }
    }

    /// <summary>Every case, and every damaged one, also by emitted code: it takes what the interpreter takes, and captures the same. Null where it does.</summary>
    private string? Twins(AvroSchema schema, byte[] bytes)
    {
        if (!_walks.TryGetValue(schema.Text, out RecordProgram? walk))
        {
            var root = new CaptureRow { Node = new CaptureNode { Type = schema.Type } };
            foreach (SchemaField field in schema.Type.Kind == ValueKind.Record ? schema.Type.Fields : [])
            {
                root.Node.Children.Add(field.Name, new CaptureNode { Type = field.Type, Mode = CaptureMode.Scalar, Slot = root.Add() });
            }

            _walks.Add(schema.Text, walk = schema.Compile(new CapturePlan { Root = root, Selectors = [] }, WalkLimits.Default, []));
        }

        string? disagreement = WalkTwins.Disagreement(walk, bytes, out bool accepted);
        _accepted += accepted ? 1 : 0;
        return disagreement is null ? null : "emitted walk: " + disagreement;
    }

    private static bool Value(AvroSchema schema, byte[] bytes, JsonNode? expected)
    {
        JsonNode? read = Json(schema, bytes, out bool decoded);
        return decoded && Same(read, expected) && schema.Decode(bytes, out _) == DecodeOutcome.Decoded;
    }

    private static bool Encode(AvroSchema schema, JsonNode? value, byte[] bytes)
    {
        var output = new ByteBuffer();
        using JsonDocument document = JsonDocument.Parse(value?.ToJsonString() ?? "null");
        try
        {
            schema.EncodeJson(document.RootElement, output);
        }
        catch (SchemaException)
        {
            return false;
        }

        JsonNode? read = Json(schema, output.Written, out bool decoded);
        return decoded && Same(read, value) && output.Length <= bytes.Length + 64;
    }

    private static JsonNode? Json(AvroSchema schema, ReadOnlySpan<byte> bytes, out bool decoded)
    {
        var buffer = new ByteBuffer();
        using (var writer = new Utf8JsonWriter(buffer)) { decoded = schema.WriteJson(bytes, writer) == DecodeOutcome.Decoded; }
        return decoded ? JsonNode.Parse(buffer.Written) : null;
    }

    /// <summary>Equal as JSON; numbers by their value, so that 1.0 is 1.</summary>
    private static bool Same(JsonNode? one, JsonNode? other)
    {
        if (one is null || other is null) { return one is null && other is null; }
        if (one.GetValueKind() != other.GetValueKind()) { return false; }
        switch (one)
        {
            case JsonObject left:
                return left.Count == other.AsObject().Count && left.All(entry => other.AsObject().TryGetPropertyValue(entry.Key, out JsonNode? right) && Same(entry.Value, right));
            case JsonArray left:
                return left.Count == other.AsArray().Count && left.Zip(other.AsArray()).All(pair => Same(pair.First, pair.Second));
            default:
                if (one.GetValueKind() != JsonValueKind.Number) { return JsonNode.DeepEquals(one, other); }
                if (one.AsValue().TryGetValue(out long a) && other.AsValue().TryGetValue(out long b)) { return a == b; }
                double x = double.Parse(one.ToJsonString(), CultureInfo.InvariantCulture);
                double y = double.Parse(other.ToJsonString(), CultureInfo.InvariantCulture);
                return x.Equals(y);
        }
    }

    private static string Mask(AvroSchema schema, byte[] bytes, string path, string with)
    {
        var plan = new CapturePlan
        {
            Root = new CaptureRow { Node = new CaptureNode { Type = schema.Type } },
            Selectors = [new MaskSelector(CasePath.Parse(path), null)],
        };
        var mismatches = new List<SchemaMismatch>();
        RecordProgram program = schema.Compile(plan, WalkLimits.Default, mismatches);
        if (WalkTwins.Disagreement(program, bytes, out _) is { } disagreement) { return "emitted walk: " + disagreement; }
        var frame = new CaptureFrame();
        var output = new ByteBuffer();
        if (mismatches.Count > 0) { return "mismatch"; }
        if (program.Walk(bytes, frame) != DecodeOutcome.Decoded) { return "not decoded"; }
        if (program.Rewrite(bytes, frame, new CaseMasker(with), output) != RewriteOutcome.Written) { return "mask failed"; }
        return Convert.ToHexStringLower(output.Written);
    }

    private sealed class CaseMasker(string with) : ISiteMasker
    {
        public SiteResult Mask(ReadOnlySpan<MaskSite> sites, ReadOnlySpan<byte> text, ByteBuffer replacement)
        {
            if (sites[0].Kind != ValueKind.String) { return new SiteResult(SiteAction.Fail); }
            switch (with)
            {
                case "constant":
                    replacement.Append("***"u8);
                    break;
                case "keep_last_4":
                    Rune[] runes = [.. Encoding.UTF8.GetString(text).EnumerateRunes()];
                    int kept = runes.Length > 4 ? 4 : 0;
                    replacement.Append(Encoding.UTF8.GetBytes(new string('*', runes.Length - kept) + string.Concat(runes[(runes.Length - kept)..])));
                    break;
                case "hmac":
                    replacement.Append(Encoding.ASCII.GetBytes(Convert.ToHexStringLower(HMACSHA256.HashData(HmacKey, text).AsSpan(0, 16))));
                    break;
                default:
                    return new SiteResult(SiteAction.Fail);
            }

            return new SiteResult(SiteAction.Text);
        }
    }

    /// <summary>The format of Apache Avro's share/test/data/schema-tests.txt.</summary>
    private static void Schemas(string file, CaseTally tally)
    {
        string? input = null;
        string[] lines = File.ReadAllLines(file);
        for (int i = 0; i < lines.Length; i++)
        {
            string name = $"{Path.GetFileName(file)}:{i + 1}";
            string line = lines[i];
            if (!line.StartsWith("<<", StringComparison.Ordinal)) { continue; }
            string label = line[2..].Split(' ')[0];
            string rest = line[(2 + label.Length)..].Trim();
            if (rest.Length == 0)
            {
                var text = new StringBuilder();
                while (++i < lines.Length && lines[i].Trim() != label) { text.Append(lines[i]).Append('\n'); }
                rest = text.ToString();
            }

            string schema = input ?? "";
            switch (label)
            {
                case "INPUT":
                    input = rest;
                    break;
                case "canonical":
                    tally.Case(name + " canonical", () => AvroSchema.Parse(schema).CanonicalForm == rest ? null : "another canonical form");
                    break;
                case "fingerprint":
                    tally.Case(name + " fingerprint", () => AvroSchema.Parse(schema).Fingerprint64.ToString(CultureInfo.InvariantCulture) == rest ? null : "another fingerprint");
                    break;
            }
        }
    }
}
