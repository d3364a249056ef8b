using System.Globalization;
using System.Text;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Protobuf;
using PolicyStreams.Schemas.Tests.Avro;
using PolicyStreams.Tests;

namespace PolicyStreams.Schemas.Tests.Protobuf;

/// <summary>Random schemas, random records in odd but valid spellings, and damaged copies of both. <c>POLICYSTREAMS_FUZZ_SECONDS</c> makes it longer, <c>POLICYSTREAMS_FUZZ_SEED</c> repeats a run.</summary>
public sealed class ProtobufFuzzTests(ITestOutputHelper log)
{
    [Fact]
    public void Walk_RandomAndDamagedRecords_NeverThrowsAndStaysInBounds()
    {
        int good = 0, damaged = 0, refused = 0;
        int rounds = FuzzRounds.Run(log, 6, random => Round(random, ref good, ref damaged, ref refused));
        log.WriteLine($"{rounds} schemas, {good} good records, {refused} of {damaged} damaged ones refused");
        Assert.True(good > rounds && refused > damaged / 4 && refused < damaged);
    }

    [Fact]
    public void Parse_DamagedSchemas_OnlyEverSaysSo()
    {
        log.WriteLine($"POLICYSTREAMS_FUZZ_SEED={FuzzRounds.Seed}");
        var random = new Random(FuzzRounds.Seed);
        for (int i = 0; i < 2_000; i++)
        {
            string text = Encoding.Latin1.GetString(Damage(Encoding.Latin1.GetBytes(new Maker(random).Schema()), random));
            try { ProtobufSchema.Parse(text, []); }
            catch (SchemaException fault) { Assert.Matches(@"^\d+:\d+: ", fault.Message); }
        }
    }

    [Fact]
    public void Walk_TheSameRecordsAgain_AllocatesNothing()
    {
        var random = new Random(11);
        for (int round = 0; round < 40; round++)
        {
            var maker = new Maker(random);
            ProtobufSchema schema = ProtobufSchema.Parse(maker.Schema(), []);
            RecordProgram program = schema.Compile(Plan(schema, random, UnknownFields.Drop), WalkLimits.Default, []);
            byte[] value = maker.Record(random);
            var frame = new CaptureFrame();
            var output = new ByteBuffer();
            var masker = new Keeper();
            Assert.Equal(DecodeOutcome.Decoded, program.Walk(value, frame));
            program.Rewrite(value, frame, masker, output);

            Assert.Equal(0, Allocated.By(() =>
            {
                output.Clear();
                program.Walk(value, frame);
                program.Rewrite(value, frame, masker, output);
            }));
        }
    }

    private sealed class Keeper : ISiteMasker
    {
        public SiteResult Mask(ReadOnlySpan<MaskSite> sites, ReadOnlySpan<byte> text, ByteBuffer replacement) => new(SiteAction.Keep);
    }

    private static void Round(Random random, ref int good, ref int damaged, ref int refused)
    {
        var maker = new Maker(random);
        ProtobufSchema schema = ProtobufSchema.Parse(maker.Schema(), []);
        RecordProgram program = schema.Compile(Plan(schema, random, UnknownFields.Keep), WalkLimits.Default, []);
        RecordProgram dropping = schema.Compile(Plan(schema, random, UnknownFields.Drop), WalkLimits.Default, []);
        RecordProgram denying = schema.Compile(Plan(schema, random, UnknownFields.Deny), WalkLimits.Default, []);
        var frame = new CaptureFrame();
        var output = new ByteBuffer();
        for (int i = 0; i < 4; i++)
        {
            byte[] value = maker.Record(random);
            DecodeOutcome first = program.Walk(value, frame);

            // Now and then a record is beyond what one may unfold to: only a long one can be.
            if (first == DecodeOutcome.TooLarge && value.Length > 1000) { continue; }
            Assert.True(first == DecodeOutcome.Decoded, $"{first}, {value.Length} bytes");
            Assert.Equal(DecodeOutcome.Decoded, schema.Decode(value, out object? _));
            Rewrite(schema, program, value, frame, output, random);
            Drop(dropping, denying, value, frame, output);
            good++;
            for (int j = 0; j < 12; j++)
            {
                byte[] bad = Damage(value, random);
                long before = GC.GetAllocatedBytesForCurrentThread();
                DecodeOutcome outcome = program.Walk(bad, new CaptureFrame());
                long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                Assert.True(allocated <= 32_768 + (4096L * bad.Length), $"{allocated} bytes for {bad.Length}");
                Assert.Equal(outcome, program.Walk(bad, frame));
                Assert.Equal(outcome, schema.Decode(bad, out object? _));
                if (outcome == DecodeOutcome.Decoded)
                {
                    Rewrite(schema, program, bad, frame, output, random);
                    Drop(dropping, denying, bad, frame, output);
                }
                else { refused++; }
                damaged++;
            }
        }
    }

    /// <summary>What is left once unknown fields are cut has none.</summary>
    private static void Drop(RecordProgram dropping, RecordProgram denying, byte[] value, CaptureFrame frame, ByteBuffer output)
    {
        DecodeOutcome outcome = dropping.Walk(value, frame);
        if (outcome != DecodeOutcome.Decoded)
        {
            Assert.Equal(DecodeOutcome.BadEnumIndex, outcome);             // An enum's number without a name is kept only where unknown fields are.
            return;
        }

        bool cut = frame.MustRewrite;
        output.Clear();
        Assert.Equal(RewriteOutcome.Written, dropping.Rewrite(value, frame, new Keeper(), output));
        Assert.Equal(cut, output.Length < value.Length);
        Assert.Equal(DecodeOutcome.Decoded, denying.Walk(output.Written, frame));
    }

    private static void Rewrite(ProtobufSchema schema, RecordProgram program, byte[] value, CaptureFrame frame, ByteBuffer output, Random random)
    {
        output.Clear();
        Assert.Equal(RewriteOutcome.Written, program.Rewrite(value, frame, new Keeper(), output));
        Assert.Equal(value, output.Written.ToArray());
        foreach (MaskSite site in frame.Sites.AsSpan(0, frame.SiteCount))
        {
            Assert.InRange(site.Start, 0, site.End);
            Assert.InRange(site.End, site.Start, value.Length);
            Assert.NotEmpty(program.SitePath(site));
        }

        output.Clear();
        var masker = new AvroFixture.Masker((sites, _, replacement) =>
        {
            // Whatever the answer: only a text's counts.
            replacement.Append(Encoding.UTF8.GetBytes(new string('*', random.Next(300))));
            switch (random.Next(5))
            {
                case 0: return new SiteResult(SiteAction.Keep);
                case 1: return new SiteResult(SiteAction.Redact);
                case 2: return new SiteResult(SiteAction.Remove);
                default:
                    if (sites[0].Kind is ValueKind.Int or ValueKind.UInt or ValueKind.Double or ValueKind.Timestamp) { return new SiteResult(SiteAction.Number, random.Next()); }
                    if (sites[0].Kind != ValueKind.String || program.SiteType(sites[0]).Symbols.Count > 0) { return new SiteResult(SiteAction.Keep); }
                    return new SiteResult(SiteAction.Text);
            }
        });
        if (program.Rewrite(value, frame, masker, output) == RewriteOutcome.Written) { Assert.Equal(DecodeOutcome.Decoded, schema.Decode(output.Written, out _)); }
    }

    private static CapturePlan Plan(ProtobufSchema schema, Random random, UnknownFields unknown)
    {
        var root = new CaptureRow { Node = new CaptureNode { Type = schema.Type } };
        Want(root, root.Node, random, 0);
        string[] paths = ["f0", "f1[*]", "f0.f0", "f1.f1", "f2[*].f0", "f1[\"a\"]", "f2.f1[*]", "f0[*].f1[*]", "f3", "f4"];
        return new CapturePlan
        {
            Root = root,
            Selectors = [new MaskSelector(null, "PII"), .. paths.Where(_ => random.Next(2) == 0).Select(path => new MaskSelector(AvroFixture.Path(path), null)), new MaskSelector(null, "PAN")],
            TagsByPath = new Dictionary<string, IReadOnlySet<string>> { ["f1.f0"] = new HashSet<string> { "PAN" }, ["f2[*].f1"] = new HashSet<string> { "PII" } },
            UnknownFields = unknown,
        };
    }

    private static void Want(CaptureRow row, CaptureNode node, Random random, int depth)
    {
        if (depth > 4) { return; }
        bool list = node.Type.Kind is ValueKind.List or ValueKind.Map;
        node.Mode = (CaptureMode)random.Next(4);
        if (node.Mode == CaptureMode.Elements && !list) { node.Mode = CaptureMode.Raw; }
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

        if (node.Type is { Kind: ValueKind.Map, MapKey: null } && random.Next(2) == 0)
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

    /// <summary>Makes schemas, and records of them by its own hand, not by the code under test: fields out of order, packed in pieces, varints longer than they need be, unknown fields between.</summary>
    private sealed class Maker(Random random)
    {
        private static readonly string[] _scalars = ["int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64", "bool", "string", "string", "bytes", "float", "double", "E"];
        private readonly List<List<(string Type, int Number, string Label, string Key)>> _messages = [];

        public string Schema()
        {
            int count = random.Next(1, 4);
            for (int i = 0; i < count; i++)
            {
                var fields = new List<(string, int, string, string)>();
                int number = 0;
                for (int j = random.Next(1, 7); j > 0; j--)
                {
                    number += random.Next(3) == 0 ? random.Next(1, 200) : 1;
                    string type = random.Next(3) == 0 ? "M" + random.Next(count) : random.Next(12) == 0 ? "google.protobuf.Timestamp" : random.Next(12) == 0 ? "google.protobuf.StringValue" : _scalars[random.Next(_scalars.Length)];
                    string label = ((string[])["optional", "optional", "repeated", "map", "oneof"])[random.Next(5)];
                    fields.Add((type, number, label, ((string[])["string", "string", "int32", "sfixed64", "bool"])[random.Next(5)]));
                }

                _messages.Add(fields);
            }

            var text = new StringBuilder("syntax = \"proto2\"; import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/wrappers.proto\"; enum E { E0 = 0; E1 = 1; E9 = -9; }\n");
            for (int i = 0; i < count; i++)
            {
                text.Append(CultureInfo.InvariantCulture, $"message M{i} {{ ");
                var oneof = new StringBuilder();
                for (int j = 0; j < _messages[i].Count; j++)
                {
                    (string type, int number, string label, string key) = _messages[i][j];
                    string tags = random.Next(3) == 0 ? " [(confluent.field_meta).tags = \"PII\"]" : "";
                    if (label == "map") { text.Append(CultureInfo.InvariantCulture, $"map<{key}, {type}> f{j} = {number}{tags}; "); }
                    else if (label == "oneof") { oneof.Append(CultureInfo.InvariantCulture, $"{type} f{j} = {number}{tags}; "); }
                    else { text.Append(CultureInfo.InvariantCulture, $"{label} {type} f{j} = {number}{tags}; "); }
                }

                if (oneof.Length > 0) { text.Append("oneof which { ").Append(oneof).Append("} "); }
                text.Append("}\n");
            }

            return text.ToString();
        }

        public byte[] Record(Random values) => Message(0, values, 0);

        private byte[] Message(int index, Random r, int depth)
        {
            var parts = new List<byte[]>();
            bool chosen = false;
            foreach ((string type, int number, string label, string key) in _messages[index])
            {
                bool message = type[0] == 'M';
                if (depth > 5 && message) { continue; }
                switch (label)
                {
                    case "repeated":
                        for (int n = r.Next(4); n > 0; n--)
                        {
                            bool packable = !message && type is not ("string" or "bytes") && !type.StartsWith("google", StringComparison.Ordinal);
                            if (packable && r.Next(2) == 0) { parts.Add([.. Tag(number, 2, r), .. Framed([.. Enumerable.Range(0, r.Next(4)).SelectMany(_ => Value(type, r, depth))], r)]); }
                            else { parts.Add([.. Tag(number, WireOf(type), r), .. Value(type, r, depth)]); }
                        }

                        break;
                    case "map":
                        int keys = r.Next(4);
                        for (int n = 0; n < (key == "bool" ? Math.Min(keys, 2) : keys); n++)
                        {
                            byte[] name = key switch { "string" => Framed([(byte)('a' + n)], r), "sfixed64" => BitConverter.GetBytes((long)n), _ => Varint((ulong)n, r) };
                            byte[] keyPart = [.. Tag(1, WireOf(key), r), .. name], valuePart = r.Next(4) == 0 ? [] : [.. Tag(2, WireOf(type), r), .. Value(type, r, depth)];
                            parts.Add([.. Tag(number, 2, r), .. Framed(r.Next(2) == 0 ? [.. keyPart, .. valuePart] : [.. valuePart, .. keyPart], r)]);
                        }

                        break;
                    case "oneof" when chosen:
                        break;
                    default:
                        if (r.Next(3) == 0) { break; }
                        chosen |= label == "oneof";
                        parts.Add([.. Tag(number, WireOf(type), r), .. Value(type, r, depth)]);
                        break;
                }
            }

            if (r.Next(3) == 0) { parts.Add([.. Tag(5_000, 0, r), .. Varint((ulong)r.NextInt64(), r)]); }
            if (r.Next(4) == 0) { parts.Add([.. Tag(5_001, 3, r), .. Tag(1, 2, r), .. Framed([1, 2, 3], r), .. Tag(2, 5, r), 0xFF, 0xFF, 0xFF, 0xFF, .. Tag(5_001, 4, r)]); }
            byte[][] mixed = [.. parts];
            r.Shuffle(mixed);
            return [.. mixed.SelectMany(part => part)];
        }

        private byte[] Value(string type, Random r, int depth)
        {
            long number = r.NextInt64(long.MinValue, long.MaxValue) >> r.Next(64);
            return type switch
            {
                "int32" => Varint((ulong)(int)number, r),
                "int64" or "uint64" or "sint64" => Varint((ulong)number, r),
                "uint32" or "sint32" => Varint((uint)number, r),
                "bool" => Varint((ulong)r.Next(2), r),
                "E" => Varint((ulong)(long)((int[])[0, 1, -9])[r.Next(3)], r),
                "fixed32" or "sfixed32" or "float" => BitConverter.GetBytes((int)number),
                "fixed64" or "sfixed64" or "double" => BitConverter.GetBytes(number),
                "string" => Framed(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, r.Next(4) == 0 ? r.Next(200) : r.Next(5)).Select(_ => r.Next(5) == 0 ? "é" : "k"))), r),
                "bytes" => Framed([(byte)number, 0xFF], r),
                "google.protobuf.Timestamp" => Framed(r.Next(2) == 0 ? [] : [.. Tag(2, 0, r), .. Varint((ulong)r.Next(1_000_000_000), r), .. Tag(1, 0, r), .. Varint((ulong)r.Next(), r)], r),
                "google.protobuf.StringValue" => Framed(r.Next(2) == 0 ? [] : [.. Tag(1, 2, r), .. Framed("wrapped"u8.ToArray(), r)], r),
                _ => Framed(Message(type[1] - '0', r, depth + 1), r),
            };
        }

        private static int WireOf(string type) => type switch
        {
            "fixed32" or "sfixed32" or "float" => 5,
            "fixed64" or "sfixed64" or "double" => 1,
            "string" or "bytes" => 2,
            _ => type[0] is 'M' or 'g' ? 2 : 0,
        };

        private static byte[] Tag(int number, int wire, Random r) => Varint(((ulong)number << 3) | (uint)wire, r);

        private static byte[] Framed(byte[] content, Random r) => [.. Varint((ulong)content.Length, r), .. content];

        /// <summary>A varint, now and then longer than it need be.</summary>
        private static byte[] Varint(ulong value, Random r)
        {
            var bytes = new List<byte>();
            for (; value >= 0x80; value >>= 7) { bytes.Add((byte)(value | 0x80)); }
            bytes.Add((byte)value);
            if (bytes.Count < 9 && r.Next(16) == 0)
            {
                bytes[^1] |= 0x80;
                bytes.Add(0);
            }

            return [.. bytes];
        }
    }
}
