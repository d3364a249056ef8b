using System.Diagnostics;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Tests.Avro;

/// <summary>Each way in which bytes can be bad: refused with its own outcome, whether or not anybody wants the value.</summary>
public sealed class AvroRefusalTests
{
    private const string Int = "\"int\"";
    private const string Long = "\"long\"";
    private const string Text = "\"string\"";
    private const string Ints = "{\"type\":\"array\",\"items\":\"int\"}";
    private const string Nulls = "{\"type\":\"array\",\"items\":\"null\"}";
    private const string Empties = "{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"E\",\"fields\":[]}}";
    private const string Map = "{\"type\":\"map\",\"values\":\"int\"}";
    private const string Decimal = "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2}";
    private const string Big = "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":30}";
    private const string FixedDecimal = "{\"type\":\"fixed\",\"name\":\"F\",\"size\":4,\"logicalType\":\"decimal\",\"precision\":4}";
    private const string Defaults = "{\"type\":\"record\",\"name\":\"D\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\",\"type\":\"int\",\"default\":5},{\"name\":\"c\",\"type\":[\"null\",\"int\"],\"default\":null}]}";

    public static TheoryData<string, string, DecodeOutcome> Bad => new()
    {
        { Int, "", DecodeOutcome.Truncated },
        { Text, "", DecodeOutcome.Truncated },
        { Int, "80", DecodeOutcome.Truncated },
        { Int, "8080808010", DecodeOutcome.VarintOverflow },                              // 2^32: one bit too many
        { Int, "808080808000", DecodeOutcome.VarintTooLong },                            // 6 bytes
        { Long, "ffffffffffffffffff02", DecodeOutcome.VarintOverflow },                   // 65 bits
        { Long, "8080808080808080808000", DecodeOutcome.VarintTooLong },                 // 11 bytes
        { Long, "80808080808080808080808080808000", DecodeOutcome.VarintTooLong },
        { Long, "ffffffffffffffffff", DecodeOutcome.Truncated },
        { Text, "04 41", DecodeOutcome.LengthBeyondEnd },
        { Text, "01", DecodeOutcome.NegativeLength },                                     // -1
        { Text, "80808080808080808001", DecodeOutcome.LengthTooLarge },                   // 2^62
        { Text, "ffffffffffffffffff01", DecodeOutcome.NegativeLength },                   // -2^63
        { "\"bytes\"", "ffffffff0f 00", DecodeOutcome.NegativeLength },
        { Text, "02 80", DecodeOutcome.BadUtf8 },
        { Text, "04 c080", DecodeOutcome.BadUtf8 },                                  // overlong
        { Text, "06 eda080", DecodeOutcome.BadUtf8 },                                // a surrogate
        { Text, "08 f4908080", DecodeOutcome.BadUtf8 },                              // beyond U+10FFFF
        { Text, "12 4141414141414141c3", DecodeOutcome.BadUtf8 },                    // cut inside a character
        { Text, "46 4141414141414141414141414141414141414141414141414141414141414141ff4141", DecodeOutcome.BadUtf8 },
        { "\"boolean\"", "02", DecodeOutcome.BadBoolean },
        { "\"boolean\"", "ff", DecodeOutcome.BadBoolean },
        { "\"float\"", "000000", DecodeOutcome.Truncated },
        { "\"double\"", "00000000000000", DecodeOutcome.Truncated },
        { "[\"null\",\"int\"]", "04", DecodeOutcome.BadUnionIndex },
        { "[\"null\",\"int\"]", "01", DecodeOutcome.BadUnionIndex },
        { "[\"null\",\"int\"]", "ffffffff0f", DecodeOutcome.BadUnionIndex },
        { "[\"null\",\"int\"]", "", DecodeOutcome.Truncated },
        { "[\"int\",\"string\",\"boolean\"]", "06", DecodeOutcome.BadUnionIndex },
        { "[\"int\",\"string\",\"boolean\"]", "03", DecodeOutcome.BadUnionIndex },
        { "[]", "00", DecodeOutcome.BadUnionIndex },
        { "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "04", DecodeOutcome.BadEnumIndex },
        { "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "01", DecodeOutcome.BadEnumIndex },
        { "{\"type\":\"fixed\",\"name\":\"F\",\"size\":4}", "000000", DecodeOutcome.Truncated },
        { Int, "00 00", DecodeOutcome.TrailingBytes },
        { "\"null\"", "00", DecodeOutcome.TrailingBytes },
        { Ints, "02 02", DecodeOutcome.EndlessBlock },                                  // no end
        { Ints, "04 02", DecodeOutcome.LengthBeyondEnd },                                  // two items, one byte
        { Ints, "80808080808080808001 00", DecodeOutcome.LengthTooLarge },                // 2^62 items
        { Ints, "ffffffffffffffffff01 00", DecodeOutcome.LengthTooLarge },                // -2^63 items
        { Ints, "01 04 02 00", DecodeOutcome.BadLength },                            // block of 2 bytes with 1 in it
        { Ints, "03 02 0202 00", DecodeOutcome.BadLength },                          // block of 1 byte with 2 in it
        { Ints, "01 01 02 00", DecodeOutcome.NegativeLength },                            // block of -1 bytes
        { Ints, "01 7e 02 00", DecodeOutcome.LengthBeyondEnd },                            // block beyond the end
        { Ints, "01", DecodeOutcome.Truncated },
        { Ints, "02 02 80", DecodeOutcome.Truncated },                               // a block's count cut short
        { Ints, "01 02 02", DecodeOutcome.EndlessBlock },                            // no end, in a block with its size
        { Map, "02 024102", DecodeOutcome.EndlessBlock },
        { Map, "", DecodeOutcome.Truncated },
        { Nulls, "80808080808080808001 00", DecodeOutcome.TooLarge },                // 2^62 items of nothing
        { Nulls, "82808008 00", DecodeOutcome.TooLarge },
        { Empties, "80808080808080808001 00", DecodeOutcome.TooLarge },
        { Map, "04 024102 024104 00", DecodeOutcome.DuplicateMapKey },
        { Map, "02 024102 02 024104 00", DecodeOutcome.DuplicateMapKey },               // in another block
        { Map, "02 02ff02 00", DecodeOutcome.BadUtf8 },
        { Map, "02 7e4102 00", DecodeOutcome.LengthBeyondEnd },
        { Decimal, "00", DecodeOutcome.DecimalSize },                                    // no digits at all
        { Decimal, "04 2710", DecodeOutcome.DecimalSize },                               // 10000
        { Decimal, "04 d8f0", DecodeOutcome.DecimalSize },                               // -10000
        { Big, "1a 0c9f2c9cd04674edea40000000", DecodeOutcome.DecimalSize },             // 10^30 and no less
        { Big, "28 0100000000000000000000000000000000000000", DecodeOutcome.DecimalSize },
        { FixedDecimal, "00002710", DecodeOutcome.DecimalSize },
        { Defaults, "02", DecodeOutcome.Truncated },                                 // a default stands for no byte
        { Defaults, "02 0a", DecodeOutcome.Truncated },
        { Defaults, "", DecodeOutcome.Truncated },
    };

    [Theory, MemberData(nameof(Bad))]
    public void Walk_BadBytes_IsRefusedWithItsOutcome(string schema, string hex, DecodeOutcome expected)
    {
        byte[] value = AvroFixture.Hex(hex);
        AvroSchema wanted = AvroSchema.Parse(schema);
        AvroSchema inside = AvroFixture.Record($$"""{"name":"f","type":{{schema}}}""");

        Assert.Equal(expected, wanted.Decode(value, out object? plain));
        Assert.Null(plain);

        // The same where a mask and a condition want it.
        CapturePlan plan = AvroFixture.Masks(inside, "f");
        plan.Root.Capture("f", CaptureMode.Raw);
        Assert.Equal(expected, inside.Compile(plan).Walk(value, new CaptureFrame()));
    }

    [Fact]
    public void Walk_DecimalsWithinPrecision_AreRead()
    {
        Assert.Equal(DecodeOutcome.Decoded, AvroSchema.Parse(Decimal).Decode(AvroFixture.Hex("04 270f"), out object? most));
        Assert.Equal(new DecimalValue(9999, 2), most);
        Assert.Equal(DecodeOutcome.Decoded, AvroSchema.Parse(Decimal).Decode(AvroFixture.Hex("18 ffffffffffffffffffffd8f1"), out object? least));
        Assert.Equal(new DecimalValue(-9999, 2), least);
        Assert.Equal(DecodeOutcome.Decoded, AvroSchema.Parse(Big).Decode(AvroFixture.Hex("1a 0c9f2c9cd04674edea3fffffff"), out object? big));
        Assert.Equal(new DecimalValue(System.Numerics.BigInteger.Pow(10, 30) - 1, 0), big);
    }

    [Fact]
    public void Walk_RecursionOf100000_IsTooDeepAndDoesNotOverflow()
    {
        AvroSchema list = AvroSchema.Parse("""{"type":"record","name":"N","fields":[{"name":"next","type":["null","N"]}]}""");
        AvroSchema tree = AvroSchema.Parse("""{"type":"record","name":"T","fields":[{"name":"kids","type":{"type":"array","items":"T"}}]}""");
        AvroSchema map = AvroSchema.Parse("""{"type":"record","name":"M","fields":[{"name":"kids","type":{"type":"map","values":["null","M"]}}]}""");
        byte[] deep = new byte[100_001];
        Array.Fill(deep, (byte)2, 0, 100_000);

        Assert.Equal(DecodeOutcome.TooDeep, list.Decode(deep, out _));
        Assert.Equal(DecodeOutcome.TooDeep, tree.Decode(deep, out _));
        Assert.Equal(DecodeOutcome.TooDeep, map.Decode([.. Enumerable.Range(0, 100_000).SelectMany(_ => new byte[] { 2, 0, 2 })], out _));
        Assert.Equal(DecodeOutcome.TooDeep, list.Compile(AvroFixture.Masks(list), new WalkLimits { DepthMax = int.MaxValue }, []).Walk(deep, new CaptureFrame()));
        Assert.Equal(DecodeOutcome.TooDeep, tree.Compile(AvroFixture.Masks(tree), new WalkLimits { DepthMax = int.MaxValue }, []).Walk(deep, new CaptureFrame()));
    }

    [Theory]
    [InlineData(4, DecodeOutcome.Decoded)]
    [InlineData(5, DecodeOutcome.TooDeep)]
    public void Walk_AtTheDepthLimit_IsRead(int records, DecodeOutcome expected)
    {
        AvroSchema list = AvroSchema.Parse("""{"type":"record","name":"N","fields":[{"name":"next","type":["null","N"]}]}""");
        byte[] value = [.. Enumerable.Repeat((byte)2, records - 1), 0];

        Assert.Equal(expected, list.Compile(AvroFixture.Masks(list), new WalkLimits { DepthMax = 4 }, []).Walk(value, new CaptureFrame()));
    }

    [Fact]
    public void Walk_MapOfManyKeys_FindsTheOneThatRepeats()
    {
        AvroSchema schema = AvroSchema.Parse(Map);
        byte[] distinct = AvroFixture.Encode(schema, "{" + string.Join(",", Enumerable.Range(0, 50_000).Select(i => $"\"key{i}\":{i}")) + "}");
        byte[] twice = [.. distinct[..^1], 2, 8, .. "key7"u8, 2, 0];

        var watch = Stopwatch.StartNew();
        Assert.Equal(DecodeOutcome.Decoded, schema.Decode(distinct, out _));
        Assert.Equal(DecodeOutcome.DuplicateMapKey, schema.Decode(twice, out _));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), "A map's keys took quadratic time.");
    }

    [Theory]
    [InlineData(1_000, 0, DecodeOutcome.Decoded)]
    [InlineData(1_100, 0, DecodeOutcome.TooLarge)]
    [InlineData(2_500, 100, DecodeOutcome.Decoded)]
    [InlineData(2_800, 100, DecodeOutcome.TooLarge)]
    public void Walk_ItemsWithoutBytes_AreBoundedByTheRecordsLength(int items, int more, DecodeOutcome expected)
    {
        AvroSchema schema = AvroFixture.Record($$"""{"name":"n","type":{{Nulls}}},{"name":"s","type":"string"}""");
        var value = new ByteBuffer();
        AvroBytes.WriteLong(value, items);
        value.Append(0);
        AvroBytes.WriteBytes(value, Enumerable.Repeat((byte)'a', more).ToArray());

        Assert.Equal(expected, schema.Decode(value.Written, out _));
    }

    [Fact]
    public void Walk_BeyondItsBounds_IsTooLarge()
    {
        AvroSchema schema = AvroFixture.Record($$"""{"name":"items","type":{{Ints}}}""");
        byte[] value = AvroFixture.Encode(schema, "{\"items\":[1,2,3,4]}");
        CapturePlan rows = AvroFixture.Masks(schema);
        CaptureNode items = rows.Root.Capture("items", CaptureMode.Elements);
        items.Row = new CaptureRow { Node = new CaptureNode { Type = items.Type.Element!, Mode = CaptureMode.Scalar } };
        items.Row.Node.Slot = items.Row.Add();

        Assert.Equal(DecodeOutcome.Decoded, schema.Compile(rows, new WalkLimits { SlotsMax = 5 }, []).Walk(value, new CaptureFrame()));
        Assert.Equal(DecodeOutcome.TooLarge, schema.Compile(rows, new WalkLimits { SlotsMax = 4 }, []).Walk(value, new CaptureFrame()));
        Assert.Equal(DecodeOutcome.Decoded, schema.Compile(AvroFixture.Masks(schema, "items[*]"), new WalkLimits { SitesMax = 4 }, []).Walk(value, new CaptureFrame()));
        Assert.Equal(DecodeOutcome.TooLarge, schema.Compile(AvroFixture.Masks(schema, "items[*]"), new WalkLimits { SitesMax = 3 }, []).Walk(value, new CaptureFrame()));
    }

    [Fact]
    public void Walk_TimestampBeyondCel_IsNumberRangeOnlyWhereCaptured()
    {
        AvroSchema schema = AvroFixture.Record("""{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}""");
        byte[] year10000 = AvroFixture.Encode(schema, "{\"at\":253402300800000}");
        byte[] last = AvroFixture.Encode(schema, "{\"at\":253402300799999}");
        CapturePlan plan = AvroFixture.Masks(schema);
        plan.Root.Capture("at");

        Assert.Equal(DecodeOutcome.Decoded, schema.Decode(year10000, out _));
        Assert.Equal(DecodeOutcome.NumberRange, schema.Compile(plan).Walk(year10000, new CaptureFrame()));
        Assert.Equal(DecodeOutcome.Decoded, schema.Compile(plan).Walk(last, new CaptureFrame()));
    }
}
