using System.Text.Json;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Tests.Avro;

public sealed class AvroJsonTests
{
    [Theory]
    [InlineData("\"int\"", "2147483647", "feffffff0f")]
    [InlineData("\"double\"", "\"NaN\"", "000000000000f8ff")]
    [InlineData("\"float\"", "\"-Infinity\"", "000080ff")]
    [InlineData("\"bytes\"", "{\"$bytes\":\"AQI=\"}", "04 0102")]
    [InlineData("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":6,\"scale\":2}", "\"12.5\"", "04 04e2")]
    [InlineData("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":6,\"scale\":2}", "-1e1", "04 fc18")]
    [InlineData("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":6,\"scale\":2}", "{\"$bytes\":\"AAAAAQ==\"}", "08 00000001")]
    [InlineData("{\"type\":\"fixed\",\"name\":\"F\",\"size\":4,\"logicalType\":\"decimal\",\"precision\":6,\"scale\":2}", "-0.01", "ffffffff")]
    [InlineData("{\"type\":\"fixed\",\"name\":\"F\",\"size\":12,\"logicalType\":\"duration\"}", "{\"days\":1}", "00000000 01000000 00000000")]
    [InlineData("{\"type\":\"int\",\"logicalType\":\"date\"}", "\"1970-01-03\"", "04")]
    [InlineData("{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "\"1970-01-01T00:00:01.500Z\"", "b817")]
    [InlineData("{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "1500", "b817")]
    [InlineData("{\"type\":\"int\",\"logicalType\":\"time-millis\"}", "\"00:00:01\"", "d00f")]
    [InlineData("[\"null\",\"int\",\"double\",\"string\"]", "3", "02 06")]
    [InlineData("[\"null\",\"int\",\"double\",\"string\"]", "0.5", "04 000000000000e03f")]
    [InlineData("[\"null\",\"int\",\"double\",\"string\"]", "\"a\"", "06 0261")]
    [InlineData("{\"type\":\"array\",\"items\":\"int\"}", "[]", "00")]
    [InlineData("{\"type\":\"map\",\"values\":\"int\"}", "{\"a\":1}", "02 0261 02 00")]
    public void EncodeJson_WhatFits_IsEncoded(string schema, string json, string hex)
    {
        Assert.Equal(AvroFixture.Hex(hex), AvroFixture.Encode(AvroSchema.Parse(schema), json));
    }

    [Theory]
    [InlineData("\"int\"", "2147483648")]
    [InlineData("\"int\"", "1.5")]
    [InlineData("\"int\"", "\"1\"")]
    [InlineData("\"long\"", "9223372036854775808")]
    [InlineData("\"double\"", "1e400")]
    [InlineData("\"float\"", "1e39")]
    [InlineData("\"string\"", "null")]
    [InlineData("\"string\"", "\"\\ud800\"")]
    [InlineData("\"bytes\"", "\"AQI=\"")]
    [InlineData("\"bytes\"", "{\"$bytes\":\"*\"}")]
    [InlineData("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "{\"$bytes\":\"AQ==\"}")]
    [InlineData("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "\"B\"")]
    [InlineData("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2}", "\"100\"")]
    [InlineData("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2}", "\"1.005\"")]
    [InlineData("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2}", "\"1e999999999\"")]
    [InlineData("{\"type\":\"int\",\"logicalType\":\"date\"}", "\"2025-02-29\"")]
    [InlineData("{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "\"1970-01-01T00:00:01.5001Z\"")]
    [InlineData("{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "\"yesterday\"")]
    [InlineData("[\"null\",\"int\"]", "\"a\"")]
    [InlineData("[\"int\",\"string\"]", "null")]
    [InlineData("{\"type\":\"array\",\"items\":\"int\"}", "{}")]
    [InlineData("{\"type\":\"map\",\"values\":\"int\"}", "{\"a\":1,\"a\":2}")]
    [InlineData("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}", "{}")]
    [InlineData("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}", "{\"a\":1,\"b\":2}")]
    [InlineData("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}", "{\"a\":1,\"a\":2}")]
    public void EncodeJson_WhatDoesNotFit_IsRefusedAndLeavesNothing(string schema, string json)
    {
        var output = new ByteBuffer();
        using JsonDocument document = JsonDocument.Parse(json);

        Assert.Throws<SchemaException>(() => AvroSchema.Parse(schema).EncodeJson(document.RootElement, output));

        Assert.Equal(0, output.Length);
    }

    [Fact]
    public void EncodeJson_Refusal_NamesThePathAndNoValue()
    {
        AvroSchema schema = AvroFixture.Record("""{"name":"items","type":{"type":"array","items":{"type":"record","name":"I","fields":[{"name":"pan","type":["null","long"]}]}}}""");

        var refused = Assert.Throws<SchemaException>(() => AvroFixture.Encode(schema, """{"items":[{"pan":1},{"pan":"4111111111111111"}]}"""));

        Assert.Contains("`items[1].pan`", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("4111", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EncodeJson_FieldsLeftOut_TakeTheirDefaults()
    {
        AvroSchema schema = AvroFixture.Record("""
            {"name":"a","type":["null","string"],"default":null},{"name":"b","type":"bytes","default":"\u00ff"},{"name":"c","type":{"type":"record","name":"C","fields":[{"name":"x","type":"int","default":4}]},"default":{}},
            {"name":"d","type":{"type":"map","values":"int"},"default":{"k":1}}
            """);

        Assert.Equal("""{"a":null,"b":{"$bytes":"/w=="},"c":{"x":4},"d":{"k":1}}""", AvroFixture.Json(schema, AvroFixture.Encode(schema, "{}")));
    }

    [Fact]
    public void WriteJson_BadBytes_WritesNothing()
    {
        var output = new ByteBuffer();
        using var writer = new Utf8JsonWriter(output);

        Assert.Equal(DecodeOutcome.BadUtf8, AvroFixture.Record("""{"name":"a","type":"int"},{"name":"s","type":"string"}""").WriteJson(AvroFixture.Hex("02 02ff"), writer));

        Assert.Equal(0, writer.BytesPending + writer.BytesCommitted);
    }

    [Fact]
    public void EncodeJson_UnionsOfRecordsInsideOneAnother_EndInTime()
    {
        AvroSchema schema = AvroSchema.Parse("""
            [{"type":"record","name":"A","fields":[{"name":"x","type":["null","A",{"type":"record","name":"B","fields":[{"name":"x","type":["null","A","B"]},{"name":"y","type":"int","default":0}]}]},{"name":"z","type":"int","default":0}]},"B"]
            """);
        string json = string.Concat(Enumerable.Repeat("{\"x\":", 55)) + "7" + new string('}', 55);

        Assert.Throws<SchemaException>(() => AvroFixture.Encode(schema, json));
    }
}
