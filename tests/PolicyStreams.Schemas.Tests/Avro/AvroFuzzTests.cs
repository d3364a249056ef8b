using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Tests.Avro;

/// <summary>Random schemas, random records in odd but valid spellings, and damaged copies of them. <c>POLICYSTREAMS_FUZZ_SECONDS</c> makes it longer, <c>POLICYSTREAMS_FUZZ_SEED</c> repeats a run.</summary>
public sealed class AvroFuzzTests(ITestOutputHelper log)
{
    [Fact]
    public void Walk_RandomAndDamagedRecords_NeverThrowsAndStaysInBounds()
    {
        int walked = 0;
        _accepted = _good = _encoded = 0;
        int rounds = FuzzRounds.Run(log, 8, random => walked += Round(random));
        log.WriteLine($"{rounds} schemas, {walked} values, {_accepted} of {_good} good ones long enough taken by emitted code, {_encoded} texts encoded in one pass");
        Assert.True(walked > rounds);
        Assert.True(_encoded > rounds);
        Assert.True(_accepted > _good / 2 || !RuntimeFeature.IsDynamicCodeCompiled);
    }

    [Fact]
    public void Parse_DamagedSchemas_OnlyThrowsSchemaException()
    {
        log.WriteLine($"POLICYSTREAMS_FUZZ_SEED={FuzzRounds.Seed}");
        int taken = 0, refused = 0;
        for (int i = 0; i < 4_000; i++)
        {
            var random = new Random(FuzzRounds.Seed + i);
            var text = new StringBuilder(new Maker(random).Schema());
            for (int changes = random.Next(1, 4); changes > 0 && text.Length > 0; changes--)
            {
                int at = random.Next(text.Length);
                int size = Math.Min(text.Length - at, random.Next(1, 20));
                switch (random.Next(5))
                {
                    case 0: text[at] = (char)random.Next(256); break;
                    case 1: text.Remove(at, size); break;
                    case 2: text.Insert(at, text.ToString(at, size)); break;
                    case 3: text.Insert(at, _spice[random.Next(_spice.Length)]); break;
                    default: text[at] = "{}[]\",:0#/\\"[random.Next(11)]; break;
                }
            }

            try
            {
                AvroSchema schema = AvroSchema.Parse(text.ToString());
                taken++;
                schema.Decode([0, 0, 0, 0], out _);
                Assert.Equal(schema.CanonicalForm, AvroSchema.Parse(schema.CanonicalForm).CanonicalForm);
            }
            catch (SchemaException)
            {
                refused++;
            }
            catch (Exception other) when (other is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"POLICYSTREAMS_FUZZ_SEED={FuzzRounds.Seed + i} repeats this; schema {text}: {other}");
            }
        }

        log.WriteLine($"{taken} taken, {refused} refused");
        Assert.True(taken > 0 && refused > taken);
    }

    private static readonly string[] _spice =
        ["\\ud800", "\ud800", "\\udc00\\ud800", "\\u0000", "\"default\":", "\"aliases\":[\"\\ud800\"],", "\"order\":\"\\ud800\",", "\"tags\":[\"\\ud800\"],", "\"logicalType\":\"decimal\",", "1e999", "null", "\ufeff"];

    /// <summary>What bytes may cost: so much each, arrays that grow by half too much included, and what a frame and buffers are at first.</summary>
    private const int BytesPerByte = 1024, BytesAtFirst = 32_768;

    /// <summary>What an element without bytes may cost, and how many of them a record may have.</summary>
    private const int BytesPerElement = 4096;

    private static long BytesMax(AvroSchema schema, int length) =>
        BytesAtFirst + ((long)BytesPerByte * length) + (HasWeightless(schema.Root, []) ? BytesPerElement * (1024 + (16L * length)) : 0);

    private static bool HasWeightless(AvroType type, HashSet<AvroType> seen) => seen.Add(type) && type.Kind switch
    {
        AvroKind.Array => type.Element.SizeMin == 0 || HasWeightless(type.Element, seen),
        AvroKind.Map => HasWeightless(type.Element, seen),
        AvroKind.Record => type.Fields.Any(field => HasWeightless(field.Type, seen)),
        AvroKind.Union => type.Branches.Any(branch => HasWeightless(branch, seen)),
        _ => false,
    };

    private static int _accepted;
    private static int _good;
    private static int _encoded;

    private static void Twins(RecordProgram program, byte[] value)
    {
        Assert.Null(WalkTwins.Disagreement(program, value, out bool accepted));
        if (accepted) { _accepted++; }
        if (value.Length >= AvroFast.Window && program.Walk(value, new CaptureFrame()) == DecodeOutcome.Decoded) { _good++; }
    }

    private static int Round(Random random)
    {
        string text = new Maker(random).Schema();
        AvroSchema schema = AvroSchema.Parse(text);
        Assert.Equal(schema.CanonicalForm, AvroSchema.Parse(schema.CanonicalForm).CanonicalForm);
        Assert.Empty(AvroCompatibility.Check(schema, schema));
        CapturePlan plan = Plan(schema, random);
        RecordProgram program = schema.Compile(plan);
        var frame = new CaptureFrame();
        var output = new ByteBuffer();
        int walked = 0;
        for (int i = 0; i < 4; i++)
        {
            var bytes = new ByteBuffer();
            Maker.Value(schema.Root, random, bytes, 0);
            byte[] value = bytes.Written.ToArray();
            Assert.Equal(DecodeOutcome.Decoded, schema.Decode(value, out object? plain));
            Assert.Equal(DecodeOutcome.Decoded, program.Walk(value, frame));
            Twins(program, value);
            RoundTrip(schema, value, plain, random);
            Rewrite(schema, program, value, frame, output, random);
            for (int j = 0; j < 12; j++)
            {
                byte[] bad = Damage(value, random);
                long most = BytesMax(schema, bad.Length);
                DecodeOutcome outcome = default;
                Costs("walk", most, () => outcome = program.Walk(bad, new CaptureFrame()));
                Assert.Equal(outcome, program.Walk(bad, frame));
                Costs("decode", most, () => Assert.Equal(outcome, schema.Decode(bad, out object? _)));
                Costs("json", most, () =>
                {
                    using var writer = new Utf8JsonWriter(new ByteBuffer());
                    DecodeOutcome written = schema.WriteJson(bad, writer);
                    Assert.True(written == outcome || written == DecodeOutcome.TooLarge);
                });
                if (outcome == DecodeOutcome.Decoded) { Costs("rewrite", most, () => program.Rewrite(bad, frame, _keeper, new ByteBuffer())); }
                if (outcome == DecodeOutcome.Decoded) { Rewrite(schema, program, bad, frame, output, random); }
                Twins(program, bad);
                walked++;
            }
        }

        return walked;
    }

    /// <summary>Runs it, and sees that it takes no more memory than it may.</summary>
    private static void Costs(string what, long most, Action run)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        run();
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated <= most, $"{what}: {allocated} bytes, {most} at most");
    }

    private static readonly AvroFixture.Masker _keeper = new(static (_, _, _) => new SiteResult(SiteAction.Keep));

    private static void RoundTrip(AvroSchema schema, byte[] value, object? plain, Random random)
    {
        string json = AvroFixture.Json(schema, value);
        if (json.Length > 20_000) { return; }
        byte[] again = AvroFixture.Encode(schema, json);
        Assert.Equal(json, AvroFixture.Json(schema, again));
        GC.KeepAlive(plain);
        byte[] text = Encoding.UTF8.GetBytes(json);
        AgreeOnJson(schema, text);
        for (int i = 0; i < 4; i++) { AgreeOnJson(schema, Damage(text, random)); }
    }

    /// <summary>The encoder of one pass takes only what the other takes, and encodes it alike.</summary>
    private static void AgreeOnJson(AvroSchema schema, byte[] json)
    {
        var quick = new ByteBuffer();
        quick.Append(7);
        if (!schema.TryEncodeJson(json, quick))
        {
            Assert.Equal(1, quick.Length);
            return;
        }

        using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 512 });
        var slow = new ByteBuffer();
        schema.EncodeJson(document.RootElement, slow);
        Assert.Equal(Convert.ToHexString(slow.Written), Convert.ToHexString(quick.Written[1..]));
        _encoded++;
    }

    /// <summary>Kept, the bytes are the same; masked, they are still a value of the schema.</summary>
    private static void Rewrite(AvroSchema schema, RecordProgram program, byte[] value, CaptureFrame frame, ByteBuffer output, Random random)
    {
        output.Clear();
        Assert.Equal(RewriteOutcome.Written, program.Rewrite(value, frame, new AvroFixture.Masker(static (_, _, _) => new SiteResult(SiteAction.Keep)), output));
        Assert.Equal(value, output.Written.ToArray());

        // Materialized slots and sites are within the value.
        foreach (MaskSite site in frame.Sites.AsSpan(0, frame.SiteCount))
        {
            Assert.InRange(site.Start, 0, site.End);
            Assert.InRange(site.End, site.Start, value.Length);
            Assert.NotEmpty(program.SitePath(site));
        }

        output.Clear();
        var masker = new AvroFixture.Masker((sites, content, replacement) =>
        {
            // Whatever the answer: only a text's counts.
            replacement.Append(Encoding.UTF8.GetBytes(new string('*', random.Next(200))));
            switch (random.Next(5))
            {
                case 0: return new SiteResult(SiteAction.Keep);
                case 1: return new SiteResult(SiteAction.Redact);
                case 2 when program.SitePath(sites[0]).EndsWith(']'): return new SiteResult(SiteAction.Remove);
                default:
                    if (sites[0].Kind is ValueKind.Int or ValueKind.Double or ValueKind.Timestamp or ValueKind.Duration) { return new SiteResult(SiteAction.Number, random.Next()); }
                    if (sites[0].Kind != ValueKind.String) { return new SiteResult(SiteAction.Keep); }
                    return new SiteResult(SiteAction.Text);
            }
        });
        if (program.Rewrite(value, frame, masker, output) == RewriteOutcome.Written) { Assert.Equal(DecodeOutcome.Decoded, schema.Decode(output.Written, out _)); }
        SameTexts(schema, program, value, frame, output);
    }

    /// <summary>Texts that are replaced by themselves change no value.</summary>
    private static void SameTexts(AvroSchema schema, RecordProgram program, byte[] value, CaptureFrame frame, ByteBuffer output)
    {
        output.Clear();
        var masker = new AvroFixture.Masker(static (sites, text, replacement) =>
        {
            replacement.Append(text);
            return new SiteResult(sites[0].Kind == ValueKind.String ? SiteAction.Text : SiteAction.Keep);
        });
        Assert.Equal(RewriteOutcome.Written, program.Rewrite(value, frame, masker, output));
        string before = AvroFixture.Json(schema, value);
        if (before.Length < 20_000) { Assert.Equal(before, AvroFixture.Json(schema, output.Written)); }
    }

    private static CapturePlan Plan(AvroSchema schema, Random random)
    {
        var root = new CaptureRow { Node = new CaptureNode { Type = schema.Type } };
        Want(root, root.Node, random, 0);
        string[] paths = ["f0", "f1[*]", "f0.f0", "f1.f1", "f2[*].f0", "f1[\"a\"]", "f2.f1[*]", "f0[*][*]"];
        return new CapturePlan
        {
            Root = root,
            Selectors = [new MaskSelector(null, "PII"), .. paths.Where(_ => random.Next(2) == 0).Select(path => new MaskSelector(AvroFixture.Path(path), null)), new MaskSelector(null, "PAN")],
            TagsByPath = new Dictionary<string, IReadOnlySet<string>> { ["f1.f0"] = new HashSet<string> { "PAN" }, ["f2[*].f1"] = new HashSet<string> { "PII" } },
        };
    }

    private static void Want(CaptureRow row, CaptureNode node, Random random, int depth)
    {
        if (depth > 4) { return; }
        bool time = node.Type.Kind == ValueKind.Timestamp;
        node.Mode = time ? CaptureMode.None : (CaptureMode)random.Next(4);
        if (node.Mode == CaptureMode.Elements && node.Type.Kind is not (ValueKind.List or ValueKind.Map)) { node.Mode = CaptureMode.Raw; }
        if (node.Mode != CaptureMode.None) { node.Slot = row.Add(); }
        foreach (SchemaField field in node.Type.Kind == ValueKind.Record ? node.Type.Fields : [])
        {
            if (random.Next(2) == 0) { continue; }
            var child = new CaptureNode { Type = field.Type };
            node.Children.Add(field.Name, child);
            Want(row, child, random, depth + 1);
        }

        if (node.Type.Kind == ValueKind.List && node.Mode == CaptureMode.Elements && random.Next(2) == 0)
        {
            node.Row = new CaptureRow { Node = new CaptureNode { Type = node.Type.Element! } };
            Want(node.Row, node.Row.Node, random, depth + 1);
        }

        if (node.Type.Kind == ValueKind.Map && random.Next(2) == 0)
        {
            var child = new CaptureNode { Type = node.Type.Element! };
            node.Children.Add("a", child);
            Want(row, child, random, depth + 1);
        }
    }

    private static byte[] Damage(byte[] value, Random random)
    {
        var bytes = new List<byte>(value);
        for (int n = random.Next(1, 4); n > 0; n--)
        {
            int at = random.Next(bytes.Count + 1);
            switch (random.Next(6))
            {
                case 0: bytes.Insert(at, (byte)random.Next(256)); break;
                case 1 when at < bytes.Count: bytes.RemoveAt(at); break;
                case 2 when at < bytes.Count: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 3 when at < bytes.Count: bytes[at] = (byte)(random.Next(3) * 127); break;
                case 4: bytes.InsertRange(at, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]); break;
                default: bytes.RemoveRange(at, bytes.Count - at); break;
            }
        }

        return [.. bytes];
    }

    /// <summary>Makes schemas, and values of them by its own hand, not by the code under test.</summary>
    private sealed class Maker(Random random)
    {
        private readonly List<string> _open = [];
        private int _names;

        public string Schema() => Record(0);

        public static void Value(AvroType type, Random random, ByteBuffer output, int depth)
        {
            switch (type.Kind)
            {
                case AvroKind.Boolean: output.Append((byte)random.Next(2)); break;
                case AvroKind.Int: Long(output, type.Logical == AvroLogical.None ? random.Next(int.MinValue, int.MaxValue) >> random.Next(32) : random.Next(20_000), random, 5); break;
                case AvroKind.Long: Long(output, random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(64), random); break;
                case AvroKind.Float: output.Append(BitConverter.GetBytes((float)random.NextDouble())); break;
                case AvroKind.Double: output.Append(BitConverter.GetBytes(random.NextDouble())); break;
                case AvroKind.Bytes or AvroKind.String:
                    {
                        byte[] content = type.Logical == AvroLogical.Decimal ? [(byte)random.Next(128)]
                            : Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, random.Next(4) == 0 ? random.Next(80) : random.Next(6)).Select(_ => random.Next(5) == 0 ? "é€😀"[..(random.Next(2) * 2)] : "k")).Replace("\ud83d", "", StringComparison.Ordinal));
                        Long(output, content.Length, random);
                        output.Append(content);
                        break;
                    }
                case AvroKind.Fixed:
                    {
                        byte[] content = new byte[type.Size];
                        if (type.Logical != AvroLogical.Decimal) { random.NextBytes(content); }
                        output.Append(content);
                        break;
                    }
                case AvroKind.Enum: Long(output, random.Next(type.Symbols.Length), random, 5); break;
                case AvroKind.Record:
                    foreach (AvroField field in type.Fields) { Value(field.Type, random, output, depth + 1); }
                    break;
                case AvroKind.Array or AvroKind.Map:
                    {
                        int key = 0;
                        for (int blocks = depth > 8 ? 0 : random.Next(3); blocks > 0; blocks--)
                        {
                            int count = random.Next(1, 4);
                            var items = new ByteBuffer();
                            for (int i = 0; i < count; i++)
                            {
                                if (type.Kind == AvroKind.Map)
                                {
                                    byte[] name = Encoding.UTF8.GetBytes(((char)('a' + (key % 26))).ToString() + (key < 26 ? "" : key.ToString(CultureInfo.InvariantCulture)));
                                    key++;
                                    Long(items, name.Length, random);
                                    items.Append(name);
                                }

                                Value(type.Element, random, items, depth + 1);
                            }

                            bool sized = random.Next(2) == 0;
                            Long(output, sized ? -count : count, random);
                            if (sized) { Long(output, items.Length, random); }
                            output.Append(items.Written);
                        }

                        output.Append(0);
                        break;
                    }
                case AvroKind.Union:
                    {
                        int branch = depth > 8 && type.NullBranch >= 0 ? type.NullBranch : random.Next(type.Branches.Length);
                        Long(output, branch, random, 5);
                        Value(type.Branches[branch], random, output, depth + 1);
                        break;
                    }
            }
        }

        /// <summary>A varint, now and then longer than it need be.</summary>
        /// <param name="bytesMax">How long it may be: 10, an int's 5.</param>
        private static void Long(ByteBuffer output, long value, Random random, int bytesMax = 10)
        {
            ulong raw = ((ulong)value << 1) ^ (ulong)(value >> 63);
            int bytes = 1;
            for (; raw >= 0x80; raw >>= 7, bytes++) { output.Append((byte)(raw | 0x80)); }
            int more = bytes < bytesMax && random.Next(8) == 0 ? random.Next(1, bytesMax - bytes + 1) : 0;
            if (more == 0)
            {
                output.Append((byte)raw);
                return;
            }

            output.Append((byte)(raw | 0x80));
            for (; more > 1; more--) { output.Append(0x80); }
            output.Append(0);
        }

        private string Name() => string.Create(CultureInfo.InvariantCulture, $"N{_names++}");

        private string Record(int depth)
        {
            string name = Name();
            _open.Add(name);
            var fields = new StringBuilder();
            int count = random.Next(1, 6);
            for (int i = 0; i < count; i++)
            {
                string tags = random.Next(4) == 0 ? random.Next(2) == 0 ? ",\"tags\":[\"PII\"]" : ",\"confluent:tags\":[\"PAN\",\"PII\"]" : "";
                fields.Append(CultureInfo.InvariantCulture, $"{(i == 0 ? "" : ",")}{{\"name\":\"f{i}\",\"type\":{Type(depth + 1)}{tags}}}");
            }

            _open.RemoveAt(_open.Count - 1);
            return $"{{\"type\":\"record\",\"name\":\"{name}\",\"fields\":[{fields}]}}";
        }

        private string Type(int depth)
        {
            switch (random.Next(depth > 4 ? 12 : 20))
            {
                case 0: return "\"null\"";
                case 1: return "\"boolean\"";
                case 2: return "\"int\"";
                case 3: return "\"long\"";
                case 4: return random.Next(2) == 0 ? "\"float\"" : "\"double\"";
                case 5 or 6: return "\"string\"";
                case 7: return "\"bytes\"";
                case 8: return $"{{\"type\":\"fixed\",\"name\":\"{Name()}\",\"size\":{random.Next(5)}}}";
                case 9: return $"{{\"type\":\"enum\",\"name\":\"{Name()}\",\"symbols\":[\"A\",\"B\"]{(random.Next(2) == 0 ? ",\"default\":\"A\"" : "")}}}";
                case 10:
                    return random.Next(4) switch
                    {
                        0 => "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":1}",
                        1 => "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}",
                        2 => "{\"type\":\"int\",\"logicalType\":\"date\"}",
                        _ => $"{{\"type\":\"fixed\",\"name\":\"{Name()}\",\"size\":16,\"logicalType\":\"uuid\"}}",
                    };
                case 11: return "[\"null\",\"string\"]";
                case 12 or 13: return $"{{\"type\":\"array\",\"items\":{Type(depth + 1)}}}";
                case 14: return $"{{\"type\":\"map\",\"values\":{Type(depth + 1)}}}";
                case 15: return $"[\"null\",{Record(depth + 1)}]";
                case 16: return $"[\"long\",\"string\",{Record(depth + 1)},{{\"type\":\"array\",\"items\":\"int\"}}]";
                case 17: return $"[\"null\",\"{_open[random.Next(_open.Count)]}\"]";
                case 18: return $"{{\"type\":\"array\",\"items\":\"{_open[random.Next(_open.Count)]}\"}}";
                default: return Record(depth + 1);
            }
        }
    }
}
