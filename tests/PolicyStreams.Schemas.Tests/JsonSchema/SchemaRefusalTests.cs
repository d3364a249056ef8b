using System.Diagnostics;
using System.Text;
using PolicyStreams.Schemas.JsonSchema;

namespace PolicyStreams.Schemas.Tests.JsonSchema;

/// <summary>What of a schema is refused when it is loaded, and what of a record costs too much.</summary>
public class SchemaRefusalTests
{
    private const string Newer = "\"$schema\":\"https://json-schema.org/draft/2020-12/schema\"";

    private static string Refused(string schema)
    {
        SchemaException fault = Assert.Throws<SchemaException>(() => ValidatedJson.Parse(schema));
        return fault.Message;
    }

    [Theory]
    [InlineData("""{"properties":{"a":{"minimun":3}}}""", "#/properties/a/minimun", "`minimun`")]
    [InlineData("""{"prefixItems":[true]}""", "#/prefixItems", "2020-12")]
    [InlineData("""{"nullable":true}""", "#/nullable", "`nullable`")]
    [InlineData("""{"$schema":"http://json-schema.org/draft-04/schema#"}""", "#/$schema", "draft 7")]
    [InlineData("""{"$ref":"https://example.com/other.json"}""", "#/$ref", "never fetched")]
    [InlineData("""{"$ref":"file:///etc/passwd"}""", "#/$ref", "never fetched")]
    [InlineData("""{"$ref":"other.json#/definitions/a"}""", "#/$ref", "never fetched")]
    [InlineData("""{"$ref":"#/definitions/b"}""", "#/$ref", "leads to no schema")]
    [InlineData("""{"$ref":"#"}""", "#", "refers to itself")]
    [InlineData("""{"definitions":{"a":{"$ref":"#/definitions/b"},"b":{"allOf":[{"$ref":"#/definitions/a"}]}}}""", "#/definitions", "refers to itself")]
    [InlineData("""{"definitions":{"a":{"not":{"$ref":"#/definitions/a"}}}}""", "#/definitions/a", "refers to itself")]
    [InlineData("""{"pattern":"(?=a)b"}""", "#/pattern", "linear time")]
    [InlineData("""{"pattern":"(a)\\1"}""", "#/pattern", "linear time")]
    [InlineData("""{"patternProperties":{"(?!x)":true}}""", "#/patternProperties/(?!x)", "linear time")]
    [InlineData("""{"pattern":"a{1,5000}"}""", "#/pattern", "1000")]
    [InlineData("""{"pattern":"["}""", "#/pattern", "not closed")]
    [InlineData("""{"type":"text"}""", "#/type", "no type")]
    [InlineData("""{"minLength":-1}""", "#/minLength", "whole number")]
    [InlineData("""{"multipleOf":0}""", "#/multipleOf", "above zero")]
    [InlineData("""{"type":"string","type":"number"}""", "#/type", "twice")]
    [InlineData("""{"properties":{"a":true,"a":false}}""", "#/properties/a", "twice")]
    [InlineData("""{"enum":[{"a":1,"a":2}]}""", "#/enum", "duplicate-key")]
    [InlineData("""{"allOf":[]}""", "#/allOf", "at least one")]
    [InlineData("""{"$id":"http://a/b","definitions":{"x":{"$id":"http://a/b"}}}""", "#/definitions/x", "identity")]
    [InlineData("[]", "#", "an object")]
    [InlineData("{", "#", "not JSON")]
    [InlineData("""{"title":"\ud800"}""", "#", "surrogate")]
    public void Parse_WhatIsNotUnderstood_IsRefusedByNameAndPlace(string schema, string place, string why)
    {
        string message = Refused(schema);
        Assert.Contains(place, message, StringComparison.Ordinal);
        Assert.Contains(why, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("dependencies", "{}")]
    [InlineData("additionalItems", "true")]
    [InlineData("$recursiveRef", "\"#\"")]
    public void Parse_KeywordOfAnotherDraft_IsRefused(string keyword, string value) => Assert.Contains($"`{keyword}`", Refused($"{{{Newer},\"{keyword}\":{value}}}"), StringComparison.Ordinal);

    [Fact]
    public void Parse_Annotations_AreTaken()
    {
        ValidatedJson schema = ValidatedJson.Parse("""{"title":"T","description":"d","examples":[1],"default":1,"$comment":"c","readOnly":true,"x-owner":"me","connect.type":"map","confluent:version":1,"javaType":"a.B"}""");
        Assert.Equal(DecodeOutcome.Decoded, schema.Validate("1"u8));
    }

    [Fact]
    public void Parse_ElevenMegabytes_IsRefusedAtOnce()
    {
        var watch = Stopwatch.StartNew();
        Assert.Contains("10 MB", Refused($"{{\"description\":\"{new string('a', 11_000_000)}\"}}"), StringComparison.Ordinal);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"{watch.Elapsed}");
    }

    [Fact]
    public void Parse_NineMegabytesOfProperties_IsReadInBoundedTime()
    {
        var text = new StringBuilder("{\"type\":\"object\",\"properties\":{");
        for (int i = 0; i < 120_000; i++) { text.Append(i > 0 ? "," : "").Append($"\"property_{i}\":{{\"type\":\"string\",\"maxLength\":{i},\"description\":\"a property\"}}"); }
        text.Append("}}");
        Assert.True(text.Length > 8_000_000);
        var watch = Stopwatch.StartNew();
        ValidatedJson schema = ValidatedJson.Parse(text.ToString());
        Assert.Equal(DecodeOutcome.Decoded, schema.Validate("{\"property_3\":\"abc\"}"u8));
        Assert.Equal(DecodeOutcome.Invalid, schema.Validate("{\"property_2\":\"abc\"}"u8));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60), $"{watch.Elapsed}");
    }

    [Fact]
    public void Parse_TooManySchemas_IsRefused()
    {
        string text = "{\"allOf\":[" + string.Join(',', Enumerable.Repeat("{}", SchemaReader.NodesMax + 1)) + "]}";
        Assert.Contains("schemas", Refused(text), StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_NestedTooDeep_IsRefused()
    {
        Assert.Contains("deeper", Refused(string.Concat(Enumerable.Repeat("{\"items\":", 100_000)) + "{}" + new string('}', 100_000)), StringComparison.Ordinal);
        string chain = string.Join(',', Enumerable.Range(0, 300).Select(i => $"\"d{i}\":{{\"$ref\":\"#/definitions/d{i + 1}\"}}"));
        Assert.Contains("lead to one another", Refused($"{{\"definitions\":{{{chain},\"d300\":{{}}}}}}"), StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_ReferenceOfTheCallers_IsFollowedByName()
    {
        SchemaReferenceText[] references = [new("address.json", """{"type":"object","properties":{"zip":{"$ref":"zip.json"}}}"""), new("zip.json", """{"type":"string","minLength":5}""")];
        ValidatedJson schema = ValidatedJson.Parse("""{"properties":{"home":{"$ref":"address.json"}}}""", references);
        Assert.Equal(DecodeOutcome.Decoded, schema.Validate("""{"home":{"zip":"12345"}}"""u8));
        Assert.Equal(DecodeOutcome.Invalid, schema.Validate("""{"home":{"zip":"1"}}"""u8, out string? refusal));
        Assert.Equal("zip.json#/minLength", refusal);
    }

    [Theory]
    [InlineData("""{"properties":{"a":{"minimum":3}}}""", """{"a":2}""", "#/properties/a/minimum")]
    [InlineData("""{"required":["a"]}""", "{}", "#/required")]
    [InlineData("""{"additionalProperties":false}""", """{"secret-name":1}""", "#/additionalProperties")]
    [InlineData("""{"anyOf":[{"type":"string"},{"minimum":5}]}""", "1", "#/anyOf")]
    [InlineData("""{"enum":["a"]}""", "\"secret\"", "#/enum")]
    public void Validate_RefusedRecord_NamesTheKeywordAndNothingOfTheRecord(string schema, string record, string refusal)
    {
        Assert.Equal(DecodeOutcome.Invalid, ValidatedJson.Parse(schema).Validate(Encoding.UTF8.GetBytes(record), out string? found));
        Assert.Equal(refusal, found);
    }

    [Fact]
    public void Validate_WorkBeyondTheBound_IsTooComplex()
    {
        // Each level judges what is below it twice.
        string schema = """{"definitions":{"n":{"anyOf":[{"required":["x"],"properties":{"c":{"$ref":"#/definitions/n"}}},{"properties":{"c":{"$ref":"#/definitions/n"}}},{"required":["y"],"properties":{"c":{"$ref":"#/definitions/n"}}}],"not":{"required":["z"],"properties":{"c":{"$ref":"#/definitions/n"}}},"allOf":[{"oneOf":[{"properties":{"c":{"$ref":"#/definitions/n"}}},{"properties":{"c":{"$ref":"#/definitions/n"}},"required":["w"]}]}]}},"$ref":"#/definitions/n"}""";
        string record = string.Concat(Enumerable.Repeat("{\"c\":", 60)) + "1" + new string('}', 60);
        var watch = Stopwatch.StartNew();
        Assert.Equal(DecodeOutcome.TooComplex, ValidatedJson.Parse(schema).Validate(Encoding.UTF8.GetBytes(record)));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"{watch.Elapsed}");
    }

    [Fact]
    public void Validate_ManyEqualHashes_EndsInTime()
    {
        string record = "[" + string.Join(',', Enumerable.Range(0, 100_000).Select(i => $"[{i}]")) + "]";
        var watch = Stopwatch.StartNew();
        Assert.Equal(DecodeOutcome.Decoded, ValidatedJson.Parse("""{"uniqueItems":true}""").Validate(Encoding.UTF8.GetBytes(record)));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"{watch.Elapsed}");
    }

    [Theory]
    [InlineData("""{"multipleOf":0.01}""", "19.99", true)]
    [InlineData("""{"multipleOf":0.01}""", "19.999", false)]
    [InlineData("""{"multipleOf":0.1}""", "0.30000000000000000000000000000001", false)]
    [InlineData("""{"multipleOf":3}""", "1e300", false)]
    [InlineData("""{"multipleOf":1e300}""", "2e300", true)]
    [InlineData("""{"maximum":9007199254740993}""", "9007199254740993", true)]
    [InlineData("""{"maximum":9007199254740992}""", "9007199254740993", false)]
    [InlineData("""{"exclusiveMinimum":0.1}""", "0.10", false)]
    [InlineData("""{"const":1.0}""", "100e-2", true)]
    [InlineData("""{"type":"integer"}""", "1.0e1", true)]
    [InlineData("""{"type":"integer"}""", "12345678901234567890123456789012345678901234567890", true)]
    [InlineData("""{"type":"integer"}""", "1.5", false)]
    [InlineData("""{"minimum":-0.0}""", "-0", true)]
    [InlineData("""{"uniqueItems":true}""", "[1, 1.0]", false)]
    public void Validate_Numbers_AreComparedByTheirDigits(string schema, string record, bool valid) =>
        Assert.Equal(valid ? DecodeOutcome.Decoded : DecodeOutcome.Invalid, ValidatedJson.Parse(schema).Validate(Encoding.UTF8.GetBytes(record)));

    [Fact]
    public void Validate_Damaged_IsWhatTheWalkSays()
    {
        ValidatedJson schema = ValidatedJson.Parse("{}");
        Assert.Equal(DecodeOutcome.DuplicateKey, schema.Validate("""{"a":1,"a":2}"""u8));
        Assert.Equal(DecodeOutcome.Truncated, schema.Validate("""{"a":"""u8));
        Assert.Equal(DecodeOutcome.TooDeep, schema.Validate(Encoding.UTF8.GetBytes(new string('[', 1000))));
    }

    [Fact]
    public void Walk_OrdinaryRecord_AllocatesNothingOnceTheFrameHasGrown()
    {
        var kit = new SchemaKit("""{"type":"object","required":["id"],"properties":{"id":{"type":"string","pattern":"^[a-z]+$","maxLength":9},"n":{"type":"number","multipleOf":0.5},"e":{"enum":["A","B"]},"l":{"type":"array","uniqueItems":true,"items":{"type":"integer","minimum":0}},"o":{"oneOf":[{"type":"null"},{"type":"object","additionalProperties":{"type":"string"}}]}},"additionalProperties":false}""");
        byte[] record = """{"id":"abc","n":2.5,"e":"B","l":[1,2,3,4],"o":{"x":"y\n"}}"""u8.ToArray();
        for (int i = 0; i < 200; i++) { Assert.Equal(DecodeOutcome.Decoded, kit.Program.Walk(record, kit.Frame)); }
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) { kit.Program.Walk(record, kit.Frame); }
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1000, $"{GC.GetAllocatedBytesForCurrentThread() - before} bytes in 1000 walks");
    }
}
