using System.Text;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Tests.Avro;

public sealed class AvroRewriteTests
{
    private static readonly SiteResult Redact = new(SiteAction.Redact);
    private static readonly SiteResult Remove = new(SiteAction.Remove);

    [Fact]
    public void Rewrite_Text_ChangesOnlyTheValue()
    {
        AvroSchema schema = AvroFixture.Record("""{"name":"a","type":"int"},{"name":"s","type":["string","null"]},{"name":"z","type":"int"}""");

        // The int before is a varint longer than it need be: a byte that is kept.
        byte[]? masked = AvroFixture.MaskText(schema, AvroFixture.Hex("8200 00 0661626 3 02"), "*", "s");

        Assert.Equal(AvroFixture.Hex("8200 00 022a 02"), masked);
        Assert.Equal(AvroFixture.Hex("8200 02 02"), AvroFixture.MaskText(schema, AvroFixture.Hex("8200 02 02"), "*", "s"));
        Assert.Null(AvroFixture.MaskText(schema, AvroFixture.Hex("02 00 0261 02"), "x", "a"));
    }

    [Theory]
    [InlineData("\"string\"", "")]
    [InlineData("[\"null\",\"string\"]", "02")]
    [InlineData("[\"string\",\"null\"]", "00")]
    [InlineData("[\"null\",\"string\"]", "8200")]                       // An index longer than it need be.
    public void Rewrite_TextOfEveryLength_HasItsLengthBefore(string type, string index)
    {
        AvroSchema schema = AvroFixture.Record($$"""{"name":"a","type":"int"},{"name":"s","type":{{type}}},{"name":"z","type":"int"}""");
        foreach (int before in (int[])[0, 1, 63, 64, 8_191, 8_192])
        {
            foreach (int after in (int[])[0, 1, 63, 64, 8_191, 8_192, 20_000])
            {
                byte[]? masked = AvroFixture.MaskText(schema, Of(before, 'x'), new string('y', after), "s");
                Assert.Equal(Convert.ToHexString(Of(after, 'y')), Convert.ToHexString(masked!));
            }
        }

        byte[] Of(int length, char what)
        {
            var bytes = new ByteBuffer();
            bytes.Append([2, .. AvroFixture.Hex(index)]);
            AvroBytes.WriteBytes(bytes, Encoding.UTF8.GetBytes(new string(what, length)));
            bytes.Append(6);
            return bytes.Written.ToArray();
        }
    }

    [Theory]
    [InlineData(SiteAction.Keep, "l[*]", """{"l":["a",null,"b"],"m":{"x":"1","y":"3"},"s":"t","e":null}""")]
    [InlineData(SiteAction.Keep, "s", """{"l":["a",null,"b"],"m":{"x":"1","y":"3"},"s":"t","e":null}""")]
    [InlineData(SiteAction.Redact, "l[*]", """{"l":[null,null,null],"m":{"x":"1","y":"3"},"s":"t","e":null}""")]
    [InlineData(SiteAction.Redact, "m[*]", """{"l":["a",null,"b"],"m":{"x":"","y":""},"s":"t","e":null}""")]
    [InlineData(SiteAction.Remove, "l[*]", """{"l":[null],"m":{"x":"1","y":"3"},"s":"t","e":null}""")]
    [InlineData(SiteAction.Remove, "m[\"y\"]", """{"l":["a",null,"b"],"m":{"x":"1"},"s":"t","e":null}""")]
    [InlineData(SiteAction.Remove, "s", null)]
    [InlineData(SiteAction.Number, "s", null)]
    [InlineData(SiteAction.Fail, "s", null)]
    public void Rewrite_MaskAppendsAndAnswersOtherwise_NothingOfItIsLeft(SiteAction action, string path, string? expected)
    {
        AvroSchema schema = AvroFixture.Record("""
            {"name":"l","type":{"type":"array","items":["null","string"]}},{"name":"m","type":{"type":"map","values":"string"}},{"name":"s","type":"string"},{"name":"e","type":["null","string"]}
            """);
        byte[] value = AvroFixture.Encode(schema, """{"l":["a",null,"b"],"m":{"x":"1","y":"3"},"s":"t","e":null}""");

        byte[]? written = AvroFixture.Mask(schema, value, new SiteResult(action), "junk", path);

        Assert.Equal(expected, written is null ? null : AvroFixture.Json(schema, written));
    }

    [Theory]
    [InlineData("\"string\"", "0261")]
    [InlineData("[\"null\",\"string\"]", "02 0261")]
    [InlineData("[\"null\",\"string\"]", "8200 0261")]
    public void Rewrite_TextThatIsNotUtf8_Fails(string type, string before)
    {
        AvroSchema schema = AvroFixture.Record($$"""{"name":"f","type":{{type}}}""");
        byte[] value = AvroFixture.Hex(before);
        RecordProgram program = schema.Compile(AvroFixture.Masks(schema, "f"));
        var masker = new AvroFixture.Masker(static (_, _, replacement) =>
        {
            replacement.Append(0xFF);
            return new SiteResult(SiteAction.Text);
        });

        Assert.Equal(RewriteOutcome.MaskFailed, program.Rewrite(value, program.Walked(value), masker, new ByteBuffer()));
    }

    [Theory]
    [InlineData("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "00", "B", "02")]
    [InlineData("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "00", "C", null)]
    [InlineData("\"bytes\"", "04 0102", "xyz", "06 78797a")]
    [InlineData("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "0102", "xy", "7879")]
    [InlineData("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "0102", "xyz", null)]
    [InlineData("{\"type\":\"fixed\",\"name\":\"F\",\"size\":16,\"logicalType\":\"uuid\"}", "00000000000000000000000000000000", "00112233-4455-6677-8899-aabbccddeeff", "00112233445566778899aabbccddeeff")]
    [InlineData("{\"type\":\"fixed\",\"name\":\"F\",\"size\":16,\"logicalType\":\"uuid\"}", "00000000000000000000000000000000", "***", null)]
    [InlineData("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4}", "02 05", "9", null)]
    [InlineData("\"boolean\"", "01", "true", null)]
    [InlineData("[\"int\",\"string\"]", "02 0261", "*", "02 022a")]
    [InlineData("[\"int\",\"string\"]", "00 02", "*", null)]
    public void Rewrite_TextOfEachType_FitsOrFails(string type, string before, string text, string? after)
    {
        AvroSchema schema = AvroFixture.Record($$"""{"name":"f","type":{{type}}}""");

        Assert.Equal(after is null ? null : AvroFixture.Hex(after), AvroFixture.MaskText(schema, AvroFixture.Hex(before), text, "f"));
    }

    [Theory]
    [InlineData("\"int\"", "02", 2147483647, "feffffff0f")]
    [InlineData("\"int\"", "02", 2147483648, null)]
    [InlineData("\"long\"", "02", -1, "01")]
    [InlineData("{\"type\":\"int\",\"logicalType\":\"date\"}", "02", 3, "06")]
    [InlineData("{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "02", 4, "08")]
    [InlineData("\"double\"", "0000000000000000", 0x4000000000000000, "0000000000000040")]
    [InlineData("\"float\"", "00000000", 0x4000000000000000, "00000040")]
    [InlineData("\"float\"", "00000000", 0x7fe0000000000000, null)]
    [InlineData("[\"null\",\"int\"]", "02 02", 3, "02 06")]
    [InlineData("\"string\"", "00", 3, null)]
    public void Rewrite_NumberOfEachType_FitsOrFails(string type, string before, long number, string? after)
    {
        AvroSchema schema = AvroFixture.Record($$"""{"name":"f","type":{{type}}}""");

        Assert.Equal(after is null ? null : AvroFixture.Hex(after), AvroFixture.Mask(schema, AvroFixture.Hex(before), new SiteResult(SiteAction.Number, number), "", "f"));
    }

    [Theory]
    [InlineData("\"boolean\"", "01", "00")]
    [InlineData("\"int\"", "05", "00")]
    [InlineData("\"double\"", "0000000000000040", "0000000000000000")]
    [InlineData("\"string\"", "0261", "00")]
    [InlineData("{\"type\":\"string\",\"logicalType\":\"uuid\"}", "0261", "48 30303030303030302d303030302d303030302d303030302d303030303030303030303030")]
    [InlineData("\"bytes\"", "0261", "00")]
    [InlineData("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4}", "02 05", "02 00")]
    [InlineData("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "0102", "0000")]
    [InlineData("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"],\"default\":\"B\"}", "00", "02")]
    [InlineData("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "00", null)]
    [InlineData("[\"null\",\"string\"]", "02 0261", "00")]
    [InlineData("[\"string\",\"null\"]", "00 0261", "02")]
    [InlineData("[\"int\",\"string\"]", "02 0261", "02 00")]
    [InlineData("{\"type\":\"array\",\"items\":\"int\"}", "02 02 00", "00")]
    [InlineData("{\"type\":\"map\",\"values\":\"int\"}", "02 0261 02 00", "00")]
    [InlineData("{\"type\":\"record\",\"name\":\"I\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\",\"type\":[\"null\",\"string\"]},{\"name\":\"c\",\"type\":[\"long\",\"string\"]}]}", "02 02 0261 02 0261", "00 00 0000")]
    public void Rewrite_Redact_WritesTheTypesEmptyValue(string type, string before, string? after)
    {
        AvroSchema schema = AvroFixture.Record($$"""{"name":"f","type":{{type}}}""");

        Assert.Equal(after is null ? null : AvroFixture.Hex(after), AvroFixture.Mask(schema, AvroFixture.Hex(before), Redact, "", "f"));
    }

    [Fact]
    public void Rewrite_PathOfElements_SelectsEach()
    {
        AvroSchema schema = AvroFixture.Record("""{"name":"items","type":{"type":"array","items":"string"}}""");

        Assert.Equal(AvroFixture.Hex("02 022a 00"), AvroFixture.MaskText(schema, AvroFixture.Hex("02 06616263 00"), "*", "items[*]"));
        Assert.Equal(AvroFixture.Hex("04 022a 022a 00"), AvroFixture.MaskText(schema, AvroFixture.Hex("04 06616263 0261 00"), "*", "items[*]"));
    }

    [Fact]
    public void Rewrite_InsideSizedBlocks_SetsTheirSizesAnew()
    {
        AvroSchema schema = AvroFixture.Record("""
            {"name":"m","type":{"type":"map","values":{"type":"array","items":{"type":"record","name":"I","fields":[{"name":"s","type":"string"},{"name":"n","type":"int"}]}}}},{"name":"z","type":"int"}
            """);

        // {"k": [{"s":"abc","n":1}, {"s":"d","n":2}]}: every block with its size.
        int inner = 4 + 1 + 2 + 1;
        byte[] value = [1, (byte)(2 * (2 + 1 + 1 + inner + 1)), 2, (byte)'k', 3, (byte)(2 * inner), 6, .. "abc"u8, 2, 2, (byte)'d', 4, 0, 0, 6];
        Assert.Equal(DecodeOutcome.Decoded, schema.Decode(value, out _));

        byte[] grown = AvroFixture.MaskText(schema, value, new string('x', 100), "m[*][*].s")!;
        byte[] shrunk = AvroFixture.MaskText(schema, value, "", "m[*][*].s")!;

        string json = AvroFixture.Json(schema, grown);
        Assert.Equal(2, json.Split(new string('x', 100)).Length - 1);
        Assert.Equal(1, grown[0]);
        Assert.Equal("""{"m":{"k":[{"s":"","n":1},{"s":"","n":2}]},"z":3}""", AvroFixture.Json(schema, shrunk));
        Assert.Equal(value.Length - 4, shrunk.Length);
    }

    [Fact]
    public void Rewrite_NothingMasked_KeepsHeadersThatAreLongerThanTheyNeedBe()
    {
        AvroSchema schema = AvroFixture.Record("""{"name":"l","type":{"type":"array","items":"string"}}""");

        // A count of -1 and a size of 2, each in three bytes.
        byte[] value = AvroFixture.Hex("818000 848000 0261 00");

        Assert.Equal(value, AvroFixture.Mask(schema, value, new SiteResult(SiteAction.Keep), "", "l[*]"));
        Assert.Equal(AvroFixture.Hex("818000 848000 022a 00"), AvroFixture.MaskText(schema, value, "*", "l[*]"));
        Assert.Equal(AvroFixture.Hex("01 06 042a2a 00"), AvroFixture.MaskText(schema, value, "**", "l[*]"));
    }

    [Fact]
    public void Rewrite_Remove_TakesElementsAndEntriesOut()
    {
        AvroSchema schema = AvroFixture.Record("""{"name":"l","type":{"type":"array","items":["null","string"]}},{"name":"m","type":{"type":"map","values":"string"}},{"name":"s","type":"string"}""");
        byte[] value = AvroFixture.Encode(schema, """{"l":["a",null,"b"],"m":{"x":"1","ssn":"2","y":"3"},"s":"t"}""");

        Assert.Equal("""{"l":[null],"m":{"x":"1","ssn":"2","y":"3"},"s":"t"}""", AvroFixture.Json(schema, AvroFixture.Mask(schema, value, Remove, "", "l[*]")!));
        Assert.Equal("""{"l":["a",null,"b"],"m":{"x":"1","y":"3"},"s":"t"}""", AvroFixture.Json(schema, AvroFixture.Mask(schema, value, Remove, "", "m[\"ssn\"]")!));
        Assert.Equal("""{"l":["a",null,"b"],"m":{},"s":"t"}""", AvroFixture.Json(schema, AvroFixture.Mask(schema, value, Remove, "", "m[*]")!));
        Assert.Null(AvroFixture.Mask(schema, value, Remove, "", "s"));

        // Two blocks, the first sized and emptied: a count of 0 in its place would end the map.
        byte[] blocks = AvroFixture.Hex("00  01 08 0278 0231 02 0279 0232 00 00");
        Assert.Equal(AvroFixture.Hex("00 02 0279 0232 00 00"), AvroFixture.Mask(schema, blocks, Remove, "", "m[\"x\"]"));
        Assert.Equal(AvroFixture.Hex("00 01 08 0278 0231 00 00"), AvroFixture.Mask(schema, blocks, Remove, "", "m[\"y\"]"));
    }

    [Fact]
    public void Rewrite_ManyRemovedOfManyEntries_RewritesALongCount()
    {
        AvroSchema schema = AvroFixture.Record("""{"name":"m","type":{"type":"map","values":"int"}}""");
        byte[] value = AvroFixture.Encode(schema, "{\"m\":{" + string.Join(",", Enumerable.Range(0, 100).Select(i => $"\"k{i}\":{i}")) + "}}");
        RecordProgram program = schema.Compile(AvroFixture.Masks(schema, "m[*]"));
        var output = new ByteBuffer();

        RewriteOutcome outcome = program.Rewrite(value, program.Walked(value), new AvroFixture.Masker((sites, _, _) => sites[0].Bits == 42 ? new SiteResult(SiteAction.Keep) : Remove), output);

        Assert.Equal(RewriteOutcome.Written, outcome);
        Assert.Equal("""{"m":{"k42":42}}""", AvroFixture.Json(schema, output.Written));
    }

    [Fact]
    public void Rewrite_EnclosingAndNested_AsksWhatIsNotReplaced()
    {
        AvroSchema schema = AvroFixture.Record("""
            {"name":"c","tags":["PII"],"type":{"type":"record","name":"C","fields":[{"name":"n","type":"string","tags":["NAME","PII"]},{"name":"l","type":{"type":"array","items":"string"}}]}},
            {"name":"z","type":"string","tags":["NAME"]}
            """);
        byte[] value = AvroFixture.Encode(schema, """{"c":{"n":"ada","l":["x"]},"z":"zed"}""");
        RecordProgram program = schema.Compile(AvroFixture.Masks(schema, "#PII", "c.n", "#NAME", "c.l[*]"));
        CaptureFrame frame = program.Walked(value);
        var asked = new List<string>();
        string run(SiteAction first)
        {
            asked.Clear();
            var output = new ByteBuffer();
            var masker = new AvroFixture.Masker((sites, text, replacement) =>
            {
                asked.Add($"{program.SitePath(sites[0])}:{string.Join(",", sites.ToArray().Select(site => site.Selector))}");
                if (asked.Count == 1) { return new SiteResult(first); }
                replacement.Append("*"u8);
                return new SiteResult(SiteAction.Text);
            });
            Assert.Equal(RewriteOutcome.Written, program.Rewrite(value, frame, masker, output));
            return AvroFixture.Json(schema, output.Written);
        }

        Assert.Equal("""{"c":{"n":"*","l":["*"]},"z":"*"}""", run(SiteAction.Keep));
        Assert.Equal(["c:0", "c.n:0,1,2", "c.l[*]:3", "z:2"], asked);
        Assert.Equal("""{"c":{"n":"","l":[]},"z":"*"}""", run(SiteAction.Redact));
        Assert.Equal(["c:0", "z:2"], asked);
        Assert.Equal([["c", "c.n"], ["c.n"], ["c.n", "z"], ["c.l[*]"]], Enumerable.Range(0, 4).Select(program.SelectedPaths));
        Assert.Equal(ValueKind.Record, program.SiteType(frame.Sites[0]).Kind);
    }

    [Fact]
    public void Rewrite_EveryBranchThatMatches_IsMasked()
    {
        AvroSchema schema = AvroFixture.Record("""
            {"name":"p","type":["null",{"type":"record","name":"Card","fields":[{"name":"no","type":"string"}]},{"type":"record","name":"Bank","fields":[{"name":"x","type":"int"},{"name":"no","type":["null","string"]}]},
              {"type":"array","items":"Card"}]}
            """);

        byte[]? mask(string json, string path) => AvroFixture.MaskText(schema, AvroFixture.Encode(schema, json), "*", path);

        Assert.Equal("""{"p":{"no":"*"}}""", AvroFixture.Json(schema, mask("""{"p":{"no":"1"}}""", "p.no")!));
        Assert.Equal("""{"p":{"x":1,"no":"*"}}""", AvroFixture.Json(schema, mask("""{"p":{"x":1,"no":"1"}}""", "p.no")!));
        Assert.Equal("""{"p":[{"no":"*"}]}""", AvroFixture.Json(schema, mask("""{"p":[{"no":"1"}]}""", "p[*].no")!));
        Assert.Equal("""{"p":null}""", AvroFixture.Json(schema, mask("""{"p":null}""", "p.no")!));
    }

    [Fact]
    public void Rewrite_TagInsideRecursion_MasksAtEveryDepth()
    {
        AvroSchema tagged = AvroFixture.Record("""{"name":"a","type":{"type":"record","name":"N","fields":[{"name":"email","type":"string","tags":["PII"]},{"name":"next","type":["null","N"]},{"name":"kids","type":{"type":"map","values":"N"}}]}},{"name":"b","type":["null","N"]}""");
        const string json = """{"a":{"email":"1","next":{"email":"2","next":{"email":"3","next":null,"kids":{}},"kids":{}},"kids":{"k":{"email":"4","next":null,"kids":{}}}},"b":{"email":"5","next":null,"kids":{}}}""";
        string masked = System.Text.RegularExpressions.Regex.Replace(json, "\"email\":\"\\d\"", "\"email\":\"*\"");

        Assert.Equal(masked, AvroFixture.Json(tagged, AvroFixture.MaskText(tagged, AvroFixture.Encode(tagged, json), "*", "#PII")!));
        Assert.Equal(["a.email", "b.email"], tagged.Compile(AvroFixture.Masks(tagged, "#PII")).SelectedPaths(0).Order());

        // A later version without the tag: the tags by path, which can only go so deep, still mean every depth.
        AvroSchema untagged = AvroSchema.Parse(tagged.Text.Replace(",\"tags\":[\"PII\"]", "", StringComparison.Ordinal));
        CapturePlan plan = new()
        {
            Root = new CaptureRow { Node = new CaptureNode { Type = tagged.Type } },
            Selectors = [new MaskSelector(null, "PII")],
            TagsByPath = new Dictionary<string, IReadOnlySet<string>> { ["a.email"] = new HashSet<string> { "PII" }, ["b.email"] = new HashSet<string> { "PII" } },
        };
        RecordProgram program = untagged.Compile(plan);
        byte[] value = AvroFixture.Encode(untagged, json);
        var output = new ByteBuffer();
        program.Rewrite(value, program.Walked(value), new AvroFixture.Masker((_, _, replacement) =>
        {
            replacement.Append("*"u8);
            return new SiteResult(SiteAction.Text);
        }), output);
        Assert.Equal(masked, AvroFixture.Json(untagged, output.Written));

        // An explicit path is only as deep as it says.
        Assert.Contains("\"email\":\"1\"", AvroFixture.Json(tagged, AvroFixture.MaskText(tagged, value, "*", "a.next.email")!), StringComparison.Ordinal);
        Assert.Contains("\"email\":\"*\",\"next\":{\"email\":\"3\"", AvroFixture.Json(tagged, AvroFixture.MaskText(tagged, value, "*", "a.next.email")!), StringComparison.Ordinal);
    }

    [Fact]
    public void Compile_TagsByPath_MaskWhatALaterVersionUntagged()
    {
        AvroSchema schema = AvroFixture.Record("""{"name":"items","type":{"type":"array","items":{"type":"record","name":"I","fields":[{"name":"pan","type":"string"},{"name":"own","type":"string","tags":["PAN"]},{"name":"x","type":"string"}]}}}""");
        CapturePlan plan = new()
        {
            Root = new CaptureRow { Node = new CaptureNode { Type = schema.Type } },
            Selectors = [new MaskSelector(null, "PAN")],
            TagsByPath = new Dictionary<string, IReadOnlySet<string>> { ["items[*].pan"] = new HashSet<string> { "PAN" }, ["items[*].x"] = new HashSet<string> { "OTHER" } },
        };

        Assert.Equal(["items[*].pan", "items[*].own"], schema.Compile(plan).SelectedPaths(0));
    }

    [Theory]
    [InlineData("{\"name\":\"pan2\",\"type\":\"string\"}", "pan")]                                            // renamed
    [InlineData("{\"name\":\"pan\",\"type\":{\"type\":\"record\",\"name\":\"P\",\"fields\":[]}}", "pan")]      // retyped
    [InlineData("{\"name\":\"other\",\"type\":\"int\"}", "pan")]                                               // gone
    public void Compile_MaskedFieldLost_IsAMismatch(string field, string path)
    {
        AvroSchema latest = AvroFixture.Record("""{"name":"pan","type":"string","tags":["PAN"]}""");
        AvroSchema later = AvroFixture.Record(field);

        foreach (string selector in (string[])["pan", "#PAN"])
        {
            RecordProgram program = later.Compile(AvroFixture.Masks(latest, selector), out List<SchemaMismatch> mismatches);
            if (selector == "#PAN" && field.Contains("\"pan\"", StringComparison.Ordinal)) { Assert.Empty(program.SelectedPaths(0)); }
            SchemaMismatch mismatch = Assert.Single(mismatches);
            Assert.Equal((path, true), (mismatch.Path, mismatch.OlderIsFine));
        }
    }

    [Fact]
    public void Compile_SelectorThatNobodyHas_SelectsNothing()
    {
        AvroSchema schema = AvroFixture.Record("""{"name":"a","type":"string"}""");

        RecordProgram program = schema.Compile(AvroFixture.Masks(schema, "b", "#PII", "a.b", "a[*]"));

        Assert.All(Enumerable.Range(0, 4), selector => Assert.Empty(program.SelectedPaths(selector)));
    }

    [Fact]
    public void Walk_Sites_SayWhatIsThere()
    {
        AvroSchema schema = AvroFixture.Record("""
            {"name":"e","type":["null",{"type":"enum","name":"E","symbols":["ONE"]}]},{"name":"t","type":{"type":"long","logicalType":"timestamp-millis"}},
            {"name":"u","type":{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}},{"name":"n","type":["null","string"]}
            """);
        byte[] value = AvroFixture.Encode(schema, """{"e":"ONE","t":1500,"u":"123e4567-e89b-12d3-a456-426614174000","n":null}""");
        RecordProgram program = schema.Compile(AvroFixture.Masks(schema, "e", "t", "u", "n"));
        var texts = new List<string>();

        CaptureFrame frame = program.Walked(value);
        program.Rewrite(value, frame, new AvroFixture.Masker((sites, text, _) =>
        {
            texts.Add(Encoding.UTF8.GetString(text));
            return new SiteResult(SiteAction.Keep);
        }), new ByteBuffer());

        Assert.Equal(3, frame.SiteCount);
        Assert.Equal((0, 2, ValueKind.String), (frame.Sites[0].Start, frame.Sites[0].End, frame.Sites[0].Kind));
        Assert.Equal((1L, 500_000_000, ValueKind.Timestamp), (frame.Sites[1].Bits, frame.Sites[1].Aux, frame.Sites[1].Kind));
        Assert.Equal("ONE", texts[0]);
        Assert.Equal("123e4567-e89b-12d3-a456-426614174000", texts[2]);
    }
}
