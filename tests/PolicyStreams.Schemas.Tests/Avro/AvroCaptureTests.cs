using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Tests;

namespace PolicyStreams.Schemas.Tests.Avro;

public sealed class AvroCaptureTests
{
    [Fact]
    public void Walk_ScalarsOfEveryKind_AreInTheirSlots()
    {
        AvroSchema schema = AvroFixture.Record("""
            {"name":"b","type":"boolean"},{"name":"i","type":"int"},{"name":"l","type":"long"},{"name":"f","type":"float"},{"name":"d","type":"double"},
            {"name":"s","type":"string"},{"name":"y","type":"bytes"},{"name":"x","type":{"type":"fixed","name":"X","size":2}},
            {"name":"e","type":{"type":"enum","name":"E","symbols":["ONE","TWO"]}},
            {"name":"m","type":{"type":"bytes","logicalType":"decimal","precision":6,"scale":2}},
            {"name":"u","type":{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}},
            {"name":"date","type":{"type":"int","logicalType":"date"}},
            {"name":"tms","type":{"type":"long","logicalType":"timestamp-millis"}},
            {"name":"tus","type":{"type":"long","logicalType":"timestamp-micros"}},
            {"name":"tns","type":{"type":"long","logicalType":"local-timestamp-nanos"}},
            {"name":"cms","type":{"type":"int","logicalType":"time-millis"}},
            {"name":"cus","type":{"type":"long","logicalType":"time-micros"}},
            {"name":"n","type":"null"}
            """);
        byte[] value = AvroFixture.Encode(schema, """
            {"b":true,"i":-5,"l":9223372036854775807,"f":0.5,"d":-2.25,"s":"héllo","y":{"$bytes":"AQI="},"x":{"$bytes":"/wA="},"e":"TWO","m":"-12.34",
             "u":"123e4567-e89b-12d3-a456-426614174000","date":"1969-12-31","tms":"1969-12-31T23:59:59.999Z","tus":"2026-01-02T03:04:05.678901+01:00","tns":"2026-01-02T03:04:05.000000001",
             "cms":"23:59:59.5","cus":"00:00:00.000001","n":null}
            """);
        CapturePlan plan = AvroFixture.Masks(schema);
        string[] names = [.. schema.Type.Fields.Select(field => field.Name)];
        foreach (string name in names) { plan.Root.Capture(name); }

        RecordProgram program = schema.Compile(plan);
        CaptureFrame frame = program.Walked(value);
        object? read(string name) => program.Materialize(frame.Slots[Array.IndexOf(names, name)], value, frame);

        Assert.Equal(true, read("b"));
        Assert.Equal(-5L, read("i"));
        Assert.Equal(long.MaxValue, read("l"));
        Assert.Equal(0.5, read("f"));
        Assert.Equal(-2.25, read("d"));
        Assert.Equal("héllo", read("s"));
        Assert.Equal(new byte[] { 1, 2 }, read("y"));
        Assert.Equal(new byte[] { 255, 0 }, read("x"));
        Assert.Equal("TWO", read("e"));
        Assert.Equal(new DecimalValue(-1234, 2), read("m"));
        Assert.Equal("123e4567-e89b-12d3-a456-426614174000", read("u"));
        Assert.Equal(new Timestamp(-86_400, 0), read("date"));
        Assert.Equal(new Timestamp(-1, 999_000_000), read("tms"));
        Assert.Equal(new Timestamp(1_767_319_445, 678_901_000), read("tus"));
        Assert.Equal(new Timestamp(1_767_323_045, 1), read("tns"));
        Assert.Equal(new Duration(86_399, 500_000_000), read("cms"));
        Assert.Equal(new Duration(0, 1_000), read("cus"));
        Assert.Null(read("n"));
        Assert.Equal(ValueKind.Null, frame.Slots[names.Length - 1].Kind);
    }

    [Fact]
    public void Walk_NullsAndWhatIsBelowThem_AreNullAndAbsent()
    {
        AvroSchema schema = AvroFixture.Record("""
            {"name":"a","type":["null",{"type":"record","name":"A","fields":[{"name":"x","type":["long","null"]},{"name":"y","type":"string"}]}]},{"name":"z","type":"int"}
            """);
        CapturePlan plan = AvroFixture.Masks(schema);
        plan.Root.Capture("a");
        plan.Root.Capture("a.x");
        plan.Root.Capture("a.y");
        plan.Root.Capture("z");
        RecordProgram program = schema.Compile(plan);

        ValueKind[] kinds(string json) => [.. program.Walked(AvroFixture.Encode(schema, json)).Slots.Take(4).Select(slot => slot.Kind)];

        Assert.Equal([ValueKind.Null, ValueKind.Absent, ValueKind.Absent, ValueKind.Int], kinds("""{"a":null,"z":1}"""));
        Assert.Equal([ValueKind.Record, ValueKind.Null, ValueKind.String, ValueKind.Int], kinds("""{"a":{"x":null,"y":""},"z":1}"""));
        Assert.Equal([ValueKind.Record, ValueKind.Int, ValueKind.String, ValueKind.Int], kinds("""{"a":{"x":3,"y":""},"z":1}"""));
    }

    [Fact]
    public void Walk_ListRows_LieTogetherHoweverTheBlocksFall()
    {
        AvroSchema schema = AvroFixture.Record("""
            {"name":"items","type":{"type":"array","items":["null",{"type":"record","name":"I","fields":[
              {"name":"sku","type":"string"},{"name":"sizes","type":{"type":"array","items":"int"}}]}]}}
            """);
        CapturePlan plan = AvroFixture.Masks(schema);
        CaptureNode items = plan.Root.Capture("items", CaptureMode.Elements);
        items.Row = new CaptureRow { Node = new CaptureNode { Type = items.Type.Element! } };
        items.Row.Capture("sku");
        CaptureNode sizes = items.Row.Capture("sizes", CaptureMode.Elements);
        sizes.Row = new CaptureRow { Node = new CaptureNode { Type = sizes.Type.Element!, Mode = CaptureMode.Scalar } };
        sizes.Row.Node.Slot = sizes.Row.Add();
        RecordProgram program = schema.Compile(plan);

        // Blocks: [A(1 2)] then, sized, [null, B()] then [C(3)] then [D(4)].
        byte[] value = AvroFixture.Hex("02 02 0241 04 02 04 00  03 0a 00 02 0242 00 02 02 0243 02 06 00 02 02 0244 02 08 00 00");
        CaptureFrame frame = program.Walked(value);

        Slot list = frame.Slots[0];
        Assert.Equal((ValueKind.List, 5), (list.Kind, list.Aux));
        var read = new List<string>();
        for (int i = 0; i < list.Aux; i++)
        {
            int row = (int)list.Bits + (i * items.Row.SlotCount);
            Slot inner = frame.Slots[row + 1];
            read.Add(frame.Slots[row].Kind == ValueKind.Absent ? "-" : frame.Text(row, value) + string.Concat(Enumerable.Range((int)inner.Bits, inner.Aux).Select(at => frame.Slots[at].Bits)));
        }

        Assert.Equal(["A12", "-", "B", "C3", "D4"], read);

        // Nothing of an earlier record is left in a slot, the room to grow included.
        var used = new CaptureFrame();
        Array.Fill(used.Slots, new Slot { Kind = ValueKind.Int, Bits = 77 });
        Assert.Equal(DecodeOutcome.Decoded, program.Walk(value, used));
        Assert.Equal(frame.SlotsUsed, used.SlotsUsed);
        Assert.Equal(frame.Slots[..frame.SlotsUsed].Select(slot => (slot.Kind, slot.Bits)), used.Slots[..used.SlotsUsed].Select(slot => (slot.Kind, slot.Bits)));
    }

    [Fact]
    public void Walk_LengthsOnly_NeedNoRows()
    {
        AvroSchema schema = AvroFixture.Record("""{"name":"l","type":{"type":"array","items":"string"}},{"name":"m","type":{"type":"map","values":"int"}}""");
        CapturePlan plan = AvroFixture.Masks(schema);
        plan.Root.Capture("l", CaptureMode.Elements);
        plan.Root.Capture("m", CaptureMode.Elements);
        plan.Root.Capture("m.b");
        plan.Root.Capture("m.zz");

        CaptureFrame frame = schema.Compile(plan).Walked(AvroFixture.Encode(schema, """{"l":["","x"],"m":{"a":1,"b":2,"c":3}}"""));

        Assert.Equal((ValueKind.List, 2), (frame.Slots[0].Kind, frame.Slots[0].Aux));
        Assert.Equal((ValueKind.Map, 3), (frame.Slots[1].Kind, frame.Slots[1].Aux));
        Assert.Equal(2, frame.Slots[2].Bits);
        Assert.Equal(ValueKind.Absent, frame.Slots[3].Kind);
        Assert.Equal(4, frame.SlotsUsed);
    }

    [Fact]
    public void Walk_RawAndUnions_MaterializeWithTheirBranch()
    {
        AvroSchema schema = AvroFixture.Record("""
            {"name":"u","type":["null","long","string",{"type":"record","name":"shop.Card","fields":[{"name":"no","type":"string"}]}]},
            {"name":"d","type":{"type":"fixed","name":"D","size":12,"logicalType":"duration"}},
            {"name":"l","type":{"type":"array","items":"int"}}
            """);
        CapturePlan plan = AvroFixture.Masks(schema);
        plan.Root.Capture("u", CaptureMode.Raw);
        CaptureNode scalar = new() { Type = schema.Type.Field("u")!.Type, Mode = CaptureMode.Scalar, Slot = plan.Root.Add() };
        plan.Root.Capture("d");
        plan.Root.Capture("l", CaptureMode.Raw);
        RecordProgram raw = schema.Compile(plan);
        (object? plain, ValueKind kind, object? duration, object? list) read(string json)
        {
            byte[] value = AvroFixture.Encode(schema, json);
            CaptureFrame frame = raw.Walked(value);
            return (raw.Materialize(frame.Slots[0], value, frame), frame.Slots[0].Kind, raw.Materialize(frame.Slots[2], value, frame), raw.Materialize(frame.Slots[3], value, frame));
        }

        const string rest = ""","d":{"months":1,"days":2,"millis":4294967295},"l":[7]}""";
        (object? number, ValueKind numberKind, object? duration, object? list) = read("{\"u\":5" + rest);
        Assert.Equal((new UnionValue("long", 5L), ValueKind.Int), ((UnionValue)number!, numberKind));
        Assert.Equal(4294967295L, ((MapValue)duration!)["millis"]);
        Assert.Equal([7L], (List<object?>)list!);
        Assert.Equal("shop.Card", ((UnionValue)read("{\"u\":{\"no\":\"4\"}" + rest).plain!).Branch);
        Assert.Null(read("{\"u\":null" + rest).plain);

        // As a scalar, what is one at run time is in the slot itself, and the rest as bytes.
        plan.Root.Node.Children["u"] = scalar;
        plan.Root.Node.Children["u"].Children.Add("no", new CaptureNode { Type = SchemaType.AnyJson, Mode = CaptureMode.Scalar, Slot = plan.Root.Add() });
        RecordProgram program = schema.Compile(plan);
        byte[] text = AvroFixture.Encode(schema, "{\"u\":\"x\"" + rest);
        CaptureFrame frame = program.Walked(text);
        Assert.Equal("x", frame.Text(1, text));
        byte[] card = AvroFixture.Encode(schema, "{\"u\":{\"no\":\"41\"}" + rest);
        frame = program.Walked(card);
        Assert.Equal(ValueKind.Record, frame.Slots[1].Kind);
        Assert.Equal("shop.Card", ((UnionValue)program.Materialize(frame.Slots[1], card, frame)!).Branch);
        Assert.Equal("41", frame.Text(4, card));
    }

    [Fact]
    public void Compile_FieldThatTheWriterLacks_ReadsAsItsDefault()
    {
        AvroSchema writer = AvroFixture.Record("""{"name":"id","type":"int"}""");
        AvroSchema latest = AvroFixture.Record("""
            {"name":"id","type":"int"},{"name":"s","type":"string","default":"none"},{"name":"n","type":["null","int"],"default":null},
            {"name":"r","type":{"type":"record","name":"In","fields":[{"name":"a","type":"long"},{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2},"default":"\u0001"}]},"default":{"a":9}},
            {"name":"l","type":{"type":"array","items":"string"},"default":["p","q"]},{"name":"e","type":{"type":"array","items":"int"},"default":[]},
            {"name":"gone","type":"int"}
            """);
        CapturePlan plan = AvroFixture.Masks(latest);
        plan.Root.Capture("id");
        plan.Root.Capture("s");
        plan.Root.Capture("n");
        plan.Root.Capture("r.a");
        plan.Root.Capture("r.d");
        CaptureNode list = plan.Root.Capture("l", CaptureMode.Elements);
        list.Row = new CaptureRow { Node = new CaptureNode { Type = list.Type.Element!, Mode = CaptureMode.Scalar } };
        list.Row.Node.Slot = list.Row.Add();
        plan.Root.Capture("e", CaptureMode.Raw);
        plan.Root.Capture("gone");

        RecordProgram program = writer.Compile(plan, out List<SchemaMismatch> mismatches);
        CaptureFrame frame = program.Walked([2]);

        SchemaMismatch mismatch = Assert.Single(mismatches);
        Assert.Equal(("gone", false), (mismatch.Path, mismatch.OlderIsFine));
        Assert.Equal(1, frame.Slots[0].Bits);
        Assert.Equal("none", frame.Text(1, []));
        Assert.Equal(ValueKind.Null, frame.Slots[2].Kind);
        Assert.Equal(9, frame.Slots[3].Bits);
        Assert.Equal([1], frame.Bytes(frame.Slots[4], []).ToArray());
        Assert.Equal((ValueKind.List, 2), (frame.Slots[5].Kind, frame.Slots[5].Aux));
        Assert.Equal("q", frame.Text((int)frame.Slots[5].Bits + 1, []));
        Assert.Empty((List<object?>)program.Materialize(frame.Slots[6], [], frame)!);
        Assert.Equal(ValueKind.Absent, frame.Slots[7].Kind);
    }

    [Theory]
    [InlineData("\"int\"", "\"string\"", true)]
    [InlineData("\"int\"", "\"double\"", true)]
    [InlineData("[\"null\",\"int\"]", "\"int\"", true)]
    [InlineData("\"int\"", "[\"null\",\"int\"]", false)]
    [InlineData("\"int\"", "\"long\"", false)]
    [InlineData("\"float\"", "\"double\"", false)]
    [InlineData("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "\"string\"", false)]
    [InlineData("{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}", false)]
    [InlineData("\"long\"", "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}", true)]
    [InlineData("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2}", "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":1}", true)]
    [InlineData("[\"int\",\"string\"]", "[\"int\",\"string\",\"boolean\"]", false)]
    [InlineData("[\"int\",\"string\"]", "\"int\"", true)]
    public void Compile_FieldOfAnotherType_IsAMismatchWhereItsKindIs(string writer, string latest, bool mismatch)
    {
        AvroSchema latestSchema = AvroFixture.Record($$"""{"name":"f","type":{{latest}}}""");
        CapturePlan plan = AvroFixture.Masks(latestSchema);
        plan.Root.Capture("f");

        AvroFixture.Record($$"""{"name":"f","type":{{writer}}}""").Compile(plan, out List<SchemaMismatch> mismatches);

        Assert.Equal(mismatch, mismatches.Count == 1);
        Assert.All(mismatches, one => Assert.False(one.OlderIsFine));
    }

    [Fact]
    public void Walk_Again_AllocatesNothing()
    {
        AvroSchema schema = AvroFixture.Record("""
            {"name":"s","type":"string"},{"name":"n","type":["null","string"]},{"name":"m","type":{"type":"map","values":"string"}},
            {"name":"l","type":{"type":"array","items":{"type":"record","name":"I","fields":[{"name":"q","type":"int"}]}}},{"name":"u","type":["int","string"]}
            """);
        byte[] value = AvroFixture.Encode(schema, """{"s":"a","n":"b","m":{"1":"","2":"","3":"","4":"","5":"","6":"","7":"","8":"","9":""},"l":[{"q":1},{"q":2}],"u":"x"}""");
        CapturePlan plan = AvroFixture.Masks(schema, "s", "n", "m[*]", "l[*].q", "u");
        plan.Root.Capture("s");
        CaptureNode list = plan.Root.Capture("l", CaptureMode.Elements);
        list.Row = new CaptureRow { Node = new CaptureNode { Type = list.Type.Element! } };
        list.Row.Capture("q");
        RecordProgram program = schema.Compile(plan);
        var frame = new CaptureFrame();
        var output = new ByteBuffer();
        var masker = new AvroFixture.Masker(static (sites, text, replacement) =>
        {
            if (sites[0].Kind != ValueKind.String) { return new SiteResult(SiteAction.Number, 9); }
            replacement.Append("***"u8);
            return new SiteResult(SiteAction.Text);
        });
        Run(200);
        Assert.Equal(0, Allocated.By(() => Run(1000)));

        void Run(int count)
        {
            for (int i = 0; i < count; i++)
            {
                program.Walk(value, frame);
                output.Clear();
                program.Rewrite(value, frame, masker, output);
            }
        }
    }
}
