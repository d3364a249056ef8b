using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Json;
using PolicyStreams.Tests;

namespace PolicyStreams.Schemas.Tests;

public class JsonCaptureTests
{
    [Theory]
    [InlineData("null", ValueKind.Null, 0)]
    [InlineData("true", ValueKind.Bool, 1)]
    [InlineData("false", ValueKind.Bool, 0)]
    public void Walk_Scalar_HasItsKind(string json, ValueKind kind, long bits)
    {
        var kit = new JsonKit();
        int slot = kit.Capture(CaptureMode.Scalar, "a", "b");
        Assert.Equal(DecodeOutcome.Decoded, kit.Walk($$"""{"x":1,"a":{"c":[2],"b" : {{json}} } }"""));
        Assert.Equal((kind, bits), (kit.Frame.Slots[slot].Kind, kit.Frame.Slots[slot].Bits));
    }

    [Theory]
    [InlineData("0", 0.0, true)]
    [InlineData("-0", -0.0, true)]
    [InlineData("42", 42.0, true)]
    [InlineData("-17.25", -17.25, true)]
    [InlineData("1E+2", 100.0, true)]
    [InlineData("0.1000", 0.1, true)]
    [InlineData("9007199254740992", 9007199254740992.0, true)]
    [InlineData("-9007199254740992", -9007199254740992.0, true)]
    [InlineData("9007199254740993", 9007199254740992.0, false)]
    [InlineData("-9007199254740993", -9007199254740992.0, false)]
    [InlineData("100000000000000000000", 1e20, false)]
    [InlineData("9007199254740993.0", 9007199254740992.0, false)]
    [InlineData("90071992547409930e0", 90071992547409930.0, false)]
    [InlineData("1e300", 1e300, true)]
    [InlineData("1.5e300", 1.5e300, true)]
    [InlineData("0.12345678901234567890", 0.12345678901234567890, true)]
    public void Walk_Number_IsDoubleAndTellsWhetherExact(string json, double value, bool exact)
    {
        var kit = new JsonKit();
        int slot = kit.Capture(CaptureMode.Scalar);
        Assert.Equal(DecodeOutcome.Decoded, kit.Walk(json));
        Slot captured = kit.Frame.Slots[slot];
        Assert.Equal((ValueKind.Double, BitConverter.DoubleToInt64Bits(value), exact ? 0 : 1), (captured.Kind, captured.Bits, captured.Aux));
        Assert.Equal(exact ? value : InexactNumber.Instance, kit.Program.Materialize(captured, Encoding.UTF8.GetBytes(json), kit.Frame));
    }

    [Fact]
    public void Walk_RandomDecimals_AreRoundedAsTheRuntimeRounds()
    {
        int seed = Fuzz.Seed();
        var random = new Random(seed);
        var kit = new JsonKit();
        int slot = kit.Capture(CaptureMode.Scalar);
        for (int i = 0; i < 20_000; i++)
        {
            string text = $"{(random.Next(2) == 0 ? "-" : "")}{random.NextInt64((long)Math.Pow(10, random.Next(1, 18)))}.{random.NextInt64((long)Math.Pow(10, random.Next(1, 18)))}";
            Assert.Equal(DecodeOutcome.Decoded, kit.Walk(text));
            double expected = double.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
            Assert.True(BitConverter.DoubleToInt64Bits(expected) == kit.Frame.Slots[slot].Bits, $"seed {seed}: {text}");
        }
    }

    [Theory]
    [InlineData("\"plain\"", "plain", SlotSource.Record)]
    [InlineData("\"\"", "", SlotSource.Record)]
    [InlineData("\"日本\"", "日本", SlotSource.Record)]
    [InlineData("\"\\u65e5\\u672C\\n\\/\\\"\\\\\"", "日本\n/\"\\", SlotSource.Scratch)]
    [InlineData("\"\\ud83d\\ude00x\"", "😀x", SlotSource.Scratch)]
    [InlineData("\"\\u0000\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "\0\u007f\u0080\u07ff\u0800\uffff", SlotSource.Scratch)]
    public void Walk_String_IsItsPlainText(string json, string expected, SlotSource source)
    {
        var kit = new JsonKit();
        int slot = kit.Capture(CaptureMode.Scalar, "s");
        string text = $$"""{"\u0074":0,"s":{{json}}}""";
        Assert.Equal(DecodeOutcome.Decoded, kit.Walk(text));
        Assert.Equal(expected, kit.Text(slot, text));
        Assert.Equal(source, kit.Frame.Slots[slot].Source);
    }

    [Fact]
    public void Walk_EscapedName_MatchesItsPlainForm()
    {
        var kit = new JsonKit();
        int slot = kit.Capture(CaptureMode.Scalar, "card_number", "é/");
        Assert.Equal(DecodeOutcome.Decoded, kit.Walk("""{"\u0063ard\u005fnumber":{"\u00e9\/":true}}"""));
        Assert.Equal(ValueKind.Bool, kit.Frame.Slots[slot].Kind);
    }

    [Fact]
    public void Walk_MissingOrBelowNull_IsAbsent()
    {
        var kit = new JsonKit();
        int slot = kit.Capture(CaptureMode.Scalar, "a", "b");
        foreach (string json in (string[])["""{"a":{"b":1}}""", "{}", """{"a":null}""", """{"a":{"c":1}}""", """{"a":[{"b":1}]}""", """{"b":1}""", "[]", "7"])
        {
            Assert.Equal(DecodeOutcome.Decoded, kit.Walk(json));
            Assert.Equal(json.StartsWith("""{"a":{"b""", StringComparison.Ordinal) ? ValueKind.Double : ValueKind.Absent, kit.Frame.Slots[slot].Kind);
        }
    }

    [Theory]
    [InlineData("""[1, "x", null]""", ValueKind.List)]
    [InlineData("""{"k": {"\u006d": []}}""", ValueKind.Map)]
    [InlineData("\"a\\u0062\"", ValueKind.String)]
    [InlineData("12.5", ValueKind.Double)]
    [InlineData("null", ValueKind.Null)]
    public void Walk_Raw_KeepsKindAndEncoding(string json, ValueKind kind)
    {
        var kit = new JsonKit();
        int slot = kit.Capture(CaptureMode.Raw, "a");
        string text = $$"""{"a": {{json}} }""";
        Assert.Equal(DecodeOutcome.Decoded, kit.Walk(text));
        Slot captured = kit.Frame.Slots[slot];
        Assert.Equal(kind, captured.Kind);
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Assert.Equal(json, Encoding.UTF8.GetString(bytes.AsSpan((int)captured.Bits, captured.Aux)));
        SchemalessJson.Instance.Decode(Encoding.UTF8.GetBytes(json), out object? plain);
        Assert.Equivalent(plain, kit.Program.Materialize(captured, bytes, kit.Frame), strict: true);
    }

    [Fact]
    public void Walk_ContainerWhereScalarIsWanted_IsKeptRaw()
    {
        var kit = new JsonKit();
        int slot = kit.Capture(CaptureMode.Scalar, "a");
        const string Text = """{"a":[1,{"b":"c"}]}""";
        kit.Walk(Text);
        Assert.Equal(ValueKind.List, kit.Frame.Slots[slot].Kind);
        var list = Assert.IsType<List<object?>>(kit.Program.Materialize(kit.Frame.Slots[slot], Encoding.UTF8.GetBytes(Text), kit.Frame));
        Assert.Equal(1.0, list[0]);
        Assert.Equal("c", Assert.IsType<MapValue>(list[1])["b"]);
    }

    [Fact]
    public void Walk_Elements_CountsListsAndMaps()
    {
        var kit = new JsonKit();
        int list = kit.Capture(CaptureMode.Elements, "l");
        int map = kit.Capture(CaptureMode.Elements, "m");
        int text = kit.Capture(CaptureMode.Elements, "t");
        const string Text = """{"l":[1,[2,3],{}],"m":{"a":1,"b":{"c":2}},"t":"abc"}""";
        kit.Walk(Text);
        Assert.Equal((ValueKind.List, 3), (kit.Frame.Slots[list].Kind, kit.Frame.Slots[list].Aux));
        Assert.Equal((ValueKind.Map, 2), (kit.Frame.Slots[map].Kind, kit.Frame.Slots[map].Aux));
        Assert.Equal("abc", kit.Text(text, Text));
    }

    [Fact]
    public void Walk_NestedRows_LieTogether()
    {
        var kit = new JsonKit();
        CaptureRow orders = JsonKit.Rows(kit.Root, "orders");
        int list = kit.Root.Node.Children["orders"].Slot;
        int id = JsonKit.Capture(orders, CaptureMode.Scalar, "id");
        CaptureRow lines = JsonKit.Rows(orders, "lines");
        int linesSlot = orders.Node.Children["lines"].Slot;
        int sku = JsonKit.Capture(lines, CaptureMode.Scalar, "sku");
        const string Text = """
            {"orders":[ {"id":1,"lines":[{"sku":"a"},{"sku":"b\u005d,"},{}]} , {"lines":[],"id":2}, 7, {"id":3,"lines":[{"sku":"c"}]} ]}
            """;
        for (int i = 0; i < 2; i++)
        {
            Assert.Equal(DecodeOutcome.Decoded, kit.Walk(Text));
            Slot[] slots = kit.Frame.Slots;
            Assert.Equal(4, slots[list].Aux);
            int first = (int)slots[list].Bits;
            int stride = orders.SlotCount;
            Assert.Equal([1.0, 2.0, 0.0, 3.0], Enumerable.Range(0, 4).Select(row => slots[first + (row * stride) + id].Double));
            Assert.Equal(ValueKind.Absent, slots[first + (2 * stride) + id].Kind);
            Assert.Equal([3, 0, 0, 1], Enumerable.Range(0, 4).Select(row => slots[first + (row * stride) + linesSlot].Aux));
            int firstLine = (int)slots[first + linesSlot].Bits;
            Assert.Equal("b],", kit.Text(firstLine + lines.SlotCount + sku, Text));
            Assert.Equal(ValueKind.Absent, slots[firstLine + (2 * lines.SlotCount) + sku].Kind);
            int lastLine = (int)slots[first + (3 * stride) + linesSlot].Bits;
            Assert.Equal("c", kit.Text(lastLine + sku, Text));
        }
    }

    [Fact]
    public void Walk_GrownFrame_AllocatesNothing()
    {
        JsonKit kit = new JsonKit().Select("customer.email", "items[*].sku", "items[*]");
        kit.Capture(CaptureMode.Scalar, "amount");
        kit.Capture(CaptureMode.Scalar, "customer", "name");
        CaptureRow items = JsonKit.Rows(kit.Root, "items");
        JsonKit.Capture(items, CaptureMode.Scalar, "qty");
        string many = string.Join(",", Enumerable.Range(0, 40).Select(i => $"\"p{i}\":{i}"));
        byte[] json = Encoding.UTF8.GetBytes($$"""{"amount":12.5,"customer":{"name":"J\u00fcrgen","email":"a@b.c","\u0078":1},"items":[{"sku":"x","qty":1},{"sku":"y\n","qty":2}],{{many}}}""");
        Assert.Equal(DecodeOutcome.Decoded, kit.Walk(json));
        Assert.Equal(DecodeOutcome.Decoded, kit.Walk(json));
        Assert.Equal(0, Allocated.By(() => { for (int i = 0; i < 1000; i++) { kit.Program.Walk(json, kit.Frame); } }));
        Assert.Equal(5, kit.Frame.SiteCount);
    }

    [Fact]
    public void Decode_SoundText_GivesPlainValues()
    {
        Assert.Equal(DecodeOutcome.Decoded, SchemalessJson.Instance.Decode("""{"a":[1,-2.5,"x\ty",null,true,false],"":{"b":12345678901234567890}}"""u8, out object? plain));
        var map = Assert.IsType<MapValue>(plain);
        Assert.Equal([1.0, -2.5, "x\ty", null, true, false], Assert.IsType<List<object?>>(map["a"]));
        Assert.Same(InexactNumber.Instance, Assert.IsType<MapValue>(map[""])["b"]);
    }

    [Fact]
    public void EncodeJson_ThenWriteJson_GivesTheSameValue()
    {
        const string Text = """{"a": [1.50, "\u00fc", {"b": null}], "n": 12345678901234567890}""";
        using JsonDocument document = JsonDocument.Parse(Text);
        var bytes = new ByteBuffer();
        SchemalessJson.Instance.EncodeJson(document.RootElement, bytes);
        var written = new ByteBuffer();
        using (var writer = new Utf8JsonWriter(written)) { Assert.Equal(DecodeOutcome.Decoded, SchemalessJson.Instance.WriteJson(bytes.Written, writer)); }
        using JsonDocument back = JsonDocument.Parse(written.Written.ToArray());
        Assert.True(JsonElement.DeepEquals(document.RootElement, back.RootElement));
        Assert.Contains("12345678901234567890", Encoding.UTF8.GetString(written.Written), StringComparison.Ordinal);
    }

    [Fact]
    public void EncodeJson_PropertyTwice_Throws()
    {
        using JsonDocument document = JsonDocument.Parse("""{"a":1,"a":2}""");
        SchemaException thrown = Assert.Throws<SchemaException>(() => SchemalessJson.Instance.EncodeJson(document.RootElement, new ByteBuffer()));
        Assert.Contains("duplicate-key", thrown.Message, StringComparison.Ordinal);
    }
}
