using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Schemas.Tests;

/// <summary>Damaged copies of random records: nothing throws, hangs, or grows; what is taken and refused agrees with a strict reading by System.Text.Json. 4 s, or POLICYSTREAMS_FUZZ_SECONDS; POLICYSTREAMS_FUZZ_SEED repeats a run.</summary>
public class JsonFuzzTests(ITestOutputHelper output)
{
    private static readonly string[] _names = ["a", "b", "items", "sku", "\\u0061", "", "long name with spaces", "é", "\\n"];
    private static readonly byte[] _spice = "{}[]\",:\\u0123456789eE.+-ntfalsr \n\t\0\u007f"u8.ToArray();

    [Fact]
    public void Walk_DamagedRecords_AgreesWithAStrictReader()
    {
        JsonKit kit = new JsonKit { Limits = new WalkLimits { SlotsMax = 5000, SitesMax = 5000 } }.Select("a", "items[*].sku", "items[*]", "b.a", "b[*][*]", "\n");
        kit.Capture(CaptureMode.Scalar, "a");
        kit.Capture(CaptureMode.Raw, "b", "a");
        CaptureRow items = JsonKit.Rows(kit.Root, "items");
        JsonKit.Capture(items, CaptureMode.Scalar, "sku");
        JsonKit.Capture(JsonKit.Rows(items, "b"), CaptureMode.Scalar, "a");
        int taken = 0;
        int refused = 0;
        RecordProgram program = kit.Program;
        FuzzRounds.Run(output, 4, random =>
        {
            var text = new StringBuilder();
            Value(random, text, depth: 0);
            byte[] json = Encoding.UTF8.GetBytes(text.ToString());
            for (int copy = 0; copy < 20; copy++)
            {
                byte[] damaged = copy == 0 ? json : Damage(random, json);
                string what = $"text {Convert.ToBase64String(damaged)}";
                DecodeOutcome outcome = default;
                Costs(what, damaged, () => outcome = program.Walk(damaged, new CaptureFrame()));
                Assert.Equal(outcome, kit.Walk(damaged));
                if (outcome == DecodeOutcome.TooLarge) { continue; }
                Assert.True(Strict(damaged) == (outcome == DecodeOutcome.Decoded), $"{what}: {outcome}");
                Costs(what, damaged, () => { DecodeOutcome plain = SchemalessJson.Instance.Decode(damaged, out object? _); Assert.True(outcome == plain, $"{what}: {outcome}, {plain}"); });
                if (outcome != DecodeOutcome.Decoded)
                {
                    refused++;
                    continue;
                }

                taken++;
                Rewritten(random, kit, damaged, what);
            }
        });
        output.WriteLine($"taken {taken}, refused {refused}");
        Assert.True(taken > 100 && refused > 100);
    }

    /// <summary>What bytes may cost: so much each, and what a frame and buffers are at first.</summary>
    private static void Costs(string what, byte[] json, Action run)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        run();
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated <= 32_768 + (1024L * json.Length), $"{what}: {allocated} bytes for {json.Length}");
    }

    private static void Rewritten(Random random, JsonKit kit, byte[] json, string what)
    {
        var same = new ByteBuffer();
        Assert.Equal(RewriteOutcome.Written, kit.Program.Rewrite(json, kit.Frame, ScriptedMasker.Always(SiteAction.Keep), same));
        Assert.True(same.Written.SequenceEqual(json), what);

        var masker = new ScriptedMasker((site, _) =>
        {
            SiteAction action = (SiteAction)random.Next((int)SiteAction.Fail);
            return (new SiteResult(action, BitConverter.DoubleToInt64Bits(1.5)), random.Next(2) == 0 ? "\"\n*" : "***");
        });
        var masked = new ByteBuffer();
        RewriteOutcome outcome = kit.Program.Rewrite(json, kit.Frame, masker, masked);
        Assert.True(outcome == RewriteOutcome.Written, what);
        Assert.True(Strict(masked.Written.ToArray()), $"{what} rewritten to {Convert.ToBase64String(masked.Written)}");
    }

    /// <summary>The same rules, read by another reader.</summary>
    private static bool Strict(byte[] json)
    {
        if (!Utf8.IsValid(json)) { return false; }
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 64, AllowDuplicateProperties = false });
            return Sound(document.RootElement);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static bool Sound(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    if (property.Name.Length < 0 || !Sound(property.Value)) { return false; }
                }

                return true;
            case JsonValueKind.Array:
                return element.EnumerateArray().All(Sound);
            case JsonValueKind.String:
                return element.GetString() is not null;
            case JsonValueKind.Number:
                return double.IsFinite(element.GetDouble());
            default:
                return true;
        }
    }

    private static void Value(Random random, StringBuilder text, int depth)
    {
        Space(random, text);
        int kind = random.Next(depth > 6 ? 4 : 8);
        switch (kind)
        {
            case 0: text.Append(random.Next(3) switch { 0 => "true", 1 => "false", _ => "null" }); break;
            case 1: text.Append(random.Next(4) switch { 0 => "0", 1 => "-1.5e3", 2 => "12345678901234567890", _ => random.Next().ToString(CultureInfo.InvariantCulture) }); break;
            case 2 or 3: text.Append('"').Append(random.Next(4) switch { 0 => "", 1 => "plain", 2 => "\\ud83d\\ude00\\u0000\\\"", _ => "日本 ü" }).Append('"'); break;
            case 4 or 5:
                text.Append('[');
                for (int i = random.Next(5); i > 0; i--)
                {
                    Value(random, text, depth + 1);
                    if (i > 1) { text.Append(','); }
                }

                text.Append(']');
                break;
            default:
                text.Append('{');
                string[] names = [.. _names.Where(_ => random.Next(3) == 0)];
                bool many = random.Next(20) == 0;
                for (int i = 0; i < (many ? 40 : 0); i++) { text.Append("\"n").Append(i).Append("\":0").Append(i < 39 || names.Length > 0 ? "," : ""); }
                for (int i = 0; i < names.Length; i++)
                {
                    Space(random, text);
                    text.Append('"').Append(names[i]).Append("\":");
                    Value(random, text, depth + 1);
                    if (i < names.Length - 1) { text.Append(','); }
                }

                text.Append('}');
                break;
        }

        Space(random, text);
    }

    private static void Space(Random random, StringBuilder text)
    {
        if (random.Next(4) == 0) { text.Append(" \t\r\n"[random.Next(4)]); }
    }

    private static byte[] Damage(Random random, byte[] json)
    {
        var bytes = new List<byte>(json);
        for (int i = random.Next(1, 4); i > 0 && bytes.Count > 0; i--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(6))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes[at] = _spice[random.Next(_spice.Length)]; break;
                case 2: bytes.RemoveAt(at); break;
                case 3: bytes.Insert(at, _spice[random.Next(_spice.Length)]); break;
                case 4: bytes.RemoveRange(at, Math.Min(bytes.Count - at, random.Next(20))); break;
                default: bytes.InsertRange(at, bytes.GetRange(at, Math.Min(bytes.Count - at, random.Next(30)))); break;
            }
        }

        return [.. bytes];
    }
}
