using System.Globalization;
using System.Text;
using PolicyStreams.Schemas.Avro;

namespace PolicyStreams.Schemas.Tests.Avro;

public sealed class AvroSchemaTests
{
    [Theory]
    [InlineData("", "not JSON")]
    [InlineData("string", "not JSON")]
    [InlineData("{\"type\":\"string\"", "not JSON")]
    [InlineData("{\"type\":\"record\",\"name\":\"R\",\"name\":\"S\",\"fields\":[]}", "comes twice")]
    [InlineData("\"strin\"", "not defined before it is used")]
    [InlineData("7", "a type is a name")]
    [InlineData("{}", "`type` is missing")]
    [InlineData("{\"type\":\"record\",\"name\":\"R\"}", "`fields` is missing")]
    [InlineData("{\"type\":\"record\",\"fields\":[]}", "`name` is missing")]
    [InlineData("{\"type\":\"record\",\"name\":\"1R\",\"fields\":[]}", "is not a name")]
    [InlineData("{\"type\":\"record\",\"name\":\"a..R\",\"fields\":[]}", "is not a name")]
    [InlineData("{\"type\":\"record\",\"name\":\"long\",\"fields\":[]}", "primitive")]
    [InlineData("{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a-b\",\"fields\":[]}", "namespace")]
    [InlineData("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"a\",\"type\":\"int\"}]}", "two fields")]
    [InlineData("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a-b\",\"type\":\"int\"}]}", "fields[0]: `a-b` is not a name")]
    [InlineData("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\",\"order\":\"up\"}]}", "`order`")]
    [InlineData("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\",\"default\":\"1\"}]}", "default does not fit")]
    [InlineData("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\",\"default\":2147483648}]}", "default does not fit")]
    [InlineData("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"R\",\"default\":{}}]}", "leads back to itself")]
    [InlineData("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"string\",\"confluent:tags\":\"PII\"}]}", "array of strings")]
    [InlineData("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"string\",\"tags\":[1]}]}", "array of strings")]
    [InlineData("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"A\"]}", "comes twice")]
    [InlineData("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"a b\"]}", "is not a name")]
    [InlineData("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"B\"}", "not one of its symbols")]
    [InlineData("{\"type\":\"fixed\",\"name\":\"F\",\"size\":-1}", "`size`")]
    [InlineData("{\"type\":\"fixed\",\"name\":\"F\",\"size\":1.5}", "`size`")]
    [InlineData("[\"int\",\"int\"]", "twice")]
    [InlineData("[\"int\",[\"long\"]]", "union")]
    [InlineData("[{\"type\":\"map\",\"values\":\"int\"},{\"type\":\"map\",\"values\":\"long\"}]", "twice")]
    [InlineData("{\"type\":\"array\"}", "`items` is missing")]
    [InlineData("{\"type\":\"map\"}", "`values` is missing")]
    [InlineData("[{\"type\":\"fixed\",\"name\":\"F\",\"size\":1},{\"type\":\"enum\",\"name\":\"F\",\"symbols\":[]}]", "defined twice")]
    [InlineData("\"\\ud800\"", "half a surrogate pair")]
    [InlineData("{\"type\":\"\\ud800\"}", "half a surrogate pair")]
    [InlineData("{\"\\ud800\":1,\"type\":\"int\"}", "half a surrogate pair")]
    [InlineData("{\"type\":\"record\",\"name\":\"\\ud800\",\"fields\":[]}", "half a surrogate pair")]
    [InlineData("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"string\",\"confluent:tags\":[\"\\ud800\"]}]}", "half a surrogate pair")]
    [InlineData("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\",\"order\":\"\\udc00\"}]}", "half a surrogate pair")]
    [InlineData("{\"type\":\"string\",\"logicalType\":\"\\ud800\"}", "half a surrogate pair")]
    public void Parse_NotASchema_SaysWhy(string text, string why)
    {
        var refused = Assert.Throws<SchemaException>(() => AvroSchema.Parse(text));

        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
    }

    /// <summary>Not escaped: no attribute can hold such a text.</summary>
    [Fact]
    public void Parse_HalfASurrogatePairItself_SaysWhy()
    {
        var refused = Assert.Throws<SchemaException>(() => AvroSchema.Parse("\"" + '\ud800' + "\""));

        Assert.Contains("half a surrogate pair", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_LargerThanItsBounds_IsRefused()
    {
        string fields(int count) => string.Join(",", Enumerable.Range(0, count).Select(i => string.Create(CultureInfo.InvariantCulture, $$"""{"name":"f{{i}}","type":"int"}""")));

        Assert.Equal(10_000, AvroFixture.Record(fields(10_000)).Type.Fields.Count);
        Assert.Contains("10000 fields", Assert.Throws<SchemaException>(() => AvroFixture.Record(fields(10_001))).Message, StringComparison.Ordinal);
        Assert.Contains("larger", Assert.Throws<SchemaException>(() => AvroSchema.Parse("\"string\"" + new string(' ', 1 << 20))).Message, StringComparison.Ordinal);
        string nested(int depth) => string.Concat(Enumerable.Repeat("{\"type\":\"array\",\"items\":", depth)) + "\"int\"" + new string('}', depth);
        Assert.Equal(ValueKind.List, AvroSchema.Parse(nested(256)).Type.Kind);
        Assert.Contains("nested deeper than 256", Assert.Throws<SchemaException>(() => AvroSchema.Parse(nested(257))).Message, StringComparison.Ordinal);
        Assert.Throws<SchemaException>(() => AvroSchema.Parse(nested(10_000)));
    }

    [Fact]
    public void Parse_RecordsThatUnfoldWithoutBound_StaySmall()
    {
        // 2^60 values without a byte, were they unfolded.
        var text = new StringBuilder("""[{"type":"record","name":"A0","fields":[{"name":"n","type":"null"}]}""");
        for (int i = 1; i <= 60; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $$$""",{"type":"record","name":"A{{{i}}}","fields":[{"name":"x","type":"A{{{i - 1}}}"},{"name":"y","type":"A{{{i - 1}}}","tags":["PII"]}]}""");
        }

        AvroSchema schema = AvroSchema.Parse(text + "]");
        Assert.Equal(DecodeOutcome.Decoded, schema.Decode([120], out _));
        Assert.Equal(DecodeOutcome.BadUnionIndex, schema.Decode([122], out _));
        schema.Compile(AvroFixture.Masks(schema, "#PII"), out _);
    }

    [Fact]
    public void Parse_RecordsOfRecordsThatDouble_CompileInBoundedSpace()
    {
        var text = new StringBuilder("""{"type":"record","name":"Root","fields":[{"name":"a0","type":{"type":"record","name":"A0","fields":[{"name":"s","type":"string","tags":["PII"]}]}}""");
        for (int i = 1; i <= 40; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $$$""",{"name":"a{{{i}}}","type":{"type":"record","name":"A{{{i}}}","fields":[{"name":"x","type":"A{{{i - 1}}}"},{"name":"y","type":"A{{{i - 1}}}"}]}}""");
        }

        AvroSchema schema = AvroSchema.Parse(text + "]}");

        Assert.NotEmpty(schema.Compile(AvroFixture.Masks(schema, "#PII"), out _).SelectedPaths(0));
        Assert.NotEqual(DecodeOutcome.Decoded, schema.Decode(new byte[100_000], out _));
    }

    [Fact]
    public void Parse_ChainOfTenThousandRecords_Parses()
    {
        var text = new StringBuilder("[{\"type\":\"record\",\"name\":\"A0\",\"fields\":[{\"name\":\"s\",\"type\":\"string\",\"tags\":[\"PII\"]}]}");
        for (int i = 1; i < 9_000; i++) { text.Append(CultureInfo.InvariantCulture, $$""",{"type":"record","name":"A{{i}}","fields":[{"name":"x","type":"A{{i - 1}}"}]}"""); }

        AvroSchema schema = AvroSchema.Parse(text + "]");
        schema.Compile(AvroFixture.Masks(schema, "#PII"), out _);

        Assert.Equal(DecodeOutcome.Decoded, schema.Decode(AvroFixture.Hex("08 04 6869"), out _));
        Assert.Equal(DecodeOutcome.TooDeep, schema.Decode(AvroFixture.Hex("ce8c01 04 6869"), out _));
        Assert.NotEmpty(AvroCompatibility.Check(schema, AvroSchema.Parse("\"null\"")));
    }

    [Fact]
    public void Parse_Namespaces_ResolveAsTheSpecificationSays()
    {
        AvroSchema schema = AvroSchema.Parse("""
            {"type":"record","name":"Example","namespace":"a.b","doc":"x","fields":[
              {"name":"inherited","type":{"type":"enum","name":"Kind","symbols":["X"]}},
              {"name":"other","type":{"type":"fixed","name":"c.d.Mark","namespace":"ignored","size":1}},
              {"name":"again","type":"Kind"},{"name":"full","type":"c.d.Mark"},
              {"name":"plain","type":{"type":"record","name":"Bare","namespace":"","fields":[]}},
              {"name":"bare","type":"Bare"}]}
            """);

        Assert.Equal("a.b.Example", schema.Type.FullName);
        Assert.Equal("a.b.Kind", schema.Type.Field("again")!.Type.FullName);
        Assert.Equal("c.d.Mark", schema.Type.Field("full")!.Type.FullName);
        Assert.Equal("Bare", schema.Type.Field("bare")!.Type.FullName);
    }

    [Fact]
    public void Parse_References_NameTypesOfEarlierTexts()
    {
        string address = """{"type":"record","name":"shop.Address","fields":[{"name":"city","type":"string"}]}""";
        string customer = """{"type":"record","name":"shop.Customer","fields":[{"name":"home","type":"Address"}]}""";

        AvroSchema schema = AvroSchema.Parse("""{"type":"record","name":"shop.Order","fields":[{"name":"customer","type":"shop.Customer"},{"name":"to","type":"Address"}]}""", [address, customer]);

        Assert.Equal("shop.Address", schema.Type.Field("to")!.Type.FullName);
        Assert.Equal("""{"customer":{"home":{"city":"Bonn"}},"to":{"city":"Köln"}}""".Replace("ö", "\\u00F6", StringComparison.Ordinal),
            AvroFixture.Json(schema, AvroFixture.Encode(schema, """{"customer":{"home":{"city":"Bonn"}},"to":{"city":"Köln"}}""")));
        Assert.Throws<SchemaException>(() => AvroSchema.Parse("\"shop.Customer\"", [customer]));
    }

    [Fact]
    public void Parse_CyclicNames_ParseAndStayFinite()
    {
        AvroSchema self = AvroSchema.Parse("""{"type":"record","name":"R","fields":[{"name":"r","type":"R"}]}""");
        AvroSchema mutual = AvroSchema.Parse("""
            {"type":"record","name":"A","fields":[{"name":"b","type":["null",{"type":"record","name":"B","fields":[{"name":"a","type":["null","A"]},{"name":"s","type":"string"}]}]}]}
            """);

        Assert.Equal(DecodeOutcome.TooDeep, self.Decode([], out _));
        Assert.Equal(DecodeOutcome.Decoded, mutual.Decode(AvroFixture.Hex("02 02 00 00"), out _));
        Assert.Same(self.Type, self.Type.Field("r")!.Type);
    }

    [Theory]
    [InlineData("\"boolean\"", ValueKind.Bool, "boolean")]
    [InlineData("\"int\"", ValueKind.Int, "int")]
    [InlineData("\"long\"", ValueKind.Int, "long")]
    [InlineData("\"float\"", ValueKind.Double, "float")]
    [InlineData("\"double\"", ValueKind.Double, "double")]
    [InlineData("\"bytes\"", ValueKind.Bytes, "bytes")]
    [InlineData("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2}", ValueKind.Decimal, "decimal")]
    [InlineData("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2,\"logicalType\":\"decimal\",\"precision\":4}", ValueKind.Decimal, "decimal")]
    [InlineData("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2,\"logicalType\":\"decimal\",\"precision\":5}", ValueKind.Bytes, "fixed")]
    [InlineData("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":2,\"scale\":3}", ValueKind.Bytes, "bytes")]
    [InlineData("{\"type\":\"string\",\"logicalType\":\"uuid\"}", ValueKind.String, "uuid")]
    [InlineData("{\"type\":\"fixed\",\"name\":\"F\",\"size\":16,\"logicalType\":\"uuid\"}", ValueKind.String, "uuid")]
    [InlineData("{\"type\":\"int\",\"logicalType\":\"date\"}", ValueKind.Timestamp, "date")]
    [InlineData("{\"type\":\"long\",\"logicalType\":\"date\"}", ValueKind.Int, "long")]
    [InlineData("{\"type\":\"long\",\"logicalType\":\"timestamp-nanos\"}", ValueKind.Timestamp, "timestamp-nanos")]
    [InlineData("{\"type\":\"long\",\"logicalType\":\"local-timestamp-micros\"}", ValueKind.Timestamp, "local-timestamp-micros")]
    [InlineData("{\"type\":\"int\",\"logicalType\":\"time-millis\"}", ValueKind.Duration, "time-millis")]
    [InlineData("{\"type\":\"long\",\"logicalType\":\"time-micros\"}", ValueKind.Duration, "time-micros")]
    [InlineData("{\"type\":\"fixed\",\"name\":\"F\",\"size\":12,\"logicalType\":\"duration\"}", ValueKind.CalendarDuration, "duration")]
    [InlineData("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", ValueKind.String, "enum")]
    [InlineData("{\"type\":\"string\",\"logicalType\":\"unheard-of\"}", ValueKind.String, "string")]
    public void Type_OfEachType_IsDesignsTable(string text, ValueKind kind, string native)
    {
        SchemaType type = AvroSchema.Parse(text).Type;

        Assert.Equal((kind, native, false), (type.Kind, type.NativeName, type.Nullable));
    }

    [Fact]
    public void Type_OfUnions_IsTransparentWhereOneBranchIsLeft()
    {
        SchemaType nullable = AvroSchema.Parse("""["null",{"type":"enum","name":"E","symbols":["A","B"],"default":"B"}]""").Type;
        SchemaType dyn = AvroSchema.Parse("""["long","null",{"type":"record","name":"shop.Card","fields":[]}]""").Type;

        Assert.Equal((ValueKind.String, true, "B"), (nullable.Kind, nullable.Nullable, nullable.DefaultSymbol));
        Assert.Equal(["A", "B"], nullable.Symbols);
        Assert.Equal((ValueKind.Dyn, true), (dyn.Kind, dyn.Nullable));
        Assert.Equal([ValueKind.Int, ValueKind.Record], dyn.Branches.Select(branch => branch.Kind));
        Assert.Equal(ValueKind.Null, AvroSchema.Parse("[\"null\"]").Type.Kind);
        Assert.Equal(ValueKind.Int, AvroSchema.Parse("[\"int\"]").Type.Kind);
    }

    [Fact]
    public void Type_Fields_HaveTagsAndDefaults()
    {
        SchemaType type = AvroFixture.Record("""
            {"name":"a","type":"string","confluent:tags":["PII","PAN"],"tags":["PAN","X"],"default":"x"},
            {"name":"b","type":["null","int"],"default":null},
            {"name":"c","type":["int","null"],"default":7},
            {"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":3,"scale":1},"default":"\u0000\u00ff"},
            {"name":"e","type":{"type":"long","logicalType":"timestamp-millis"},"default":1500},
            {"name":"f","type":["string","long"],"default":5},
            {"name":"g","type":{"type":"array","items":"int"},"default":[1,2]}
            """).Type;

        Assert.Equal(["PII", "PAN", "X"], type.Field("a")!.Tags);
        Assert.Equal("x", type.Field("a")!.Default);
        Assert.True(type.Field("b")!.HasDefault);
        Assert.Null(type.Field("b")!.Default);
        Assert.Equal(7L, type.Field("c")!.Default);
        Assert.Equal(new DecimalValue(255, 1), type.Field("d")!.Default);
        Assert.Equal(new Timestamp(1, 500_000_000), type.Field("e")!.Default);
        Assert.Equal(new UnionValue("long", 5L), type.Field("f")!.Default);
        Assert.Equal([1L, 2L], (List<object?>)type.Field("g")!.Default!);
    }

    [Fact]
    public void Fingerprints_OfInt_AreTheKnownOnes()
    {
        AvroSchema schema = AvroSchema.Parse("""{"type":"int","doc":"x"}""");

        Assert.Equal("\"int\"", schema.CanonicalForm);
        Assert.Equal(8247732601305521295, schema.Fingerprint64);
        Assert.Equal("ef524ea1b91e73173d938ade36c1db32", Convert.ToHexStringLower(schema.FingerprintMd5()));
        Assert.Equal("3f2b87a9fe7cc9b13835598c3981cd45e3e355309e5090aa0933d7becb6fba45", Convert.ToHexStringLower(schema.FingerprintSha256()));
    }
}
