using PolicyStreams.Schemas.JsonSchema;

namespace PolicyStreams.Schemas.Tests.JsonSchema;

/// <summary>JSON Schemas in files that refer to others: found beside the first, never above it, never fetched.</summary>
public class SchemaFilesTests
{
    private readonly Dictionary<string, string> _files = new()
    {
        ["place.json"] = """{"type":"object","required":["city"],"properties":{"city":{"type":"string","format":"email"},"in":{"$ref":"place.json"}}}""",
        ["common/zone.json"] = """{"definitions":{"z":{"$ref":"deep/name.json"}}}""",
        ["common/deep/name.json"] = """{"type":"string","maxLength":3}""",
        ["common/up.json"] = """{"$ref":"../place.json"}""",
        ["common/out.json"] = """{"$ref":"../../place.json"}""",
        ["common/identified.json"] = """{"$id":"https://example.com/schemas/common/identified.json","properties":{"n":{"$ref":"deep/name.json"}}}""",
    };

    private readonly List<string> _asked = [];

    [Theory]
    [InlineData("""{"$ref":"place.json"}""", """{"city":"x","in":{"city":"y"}}""", """{"city":"x","in":{}}""")]
    [InlineData("""{"items":{"$ref":"common/zone.json#/definitions/z"}}""", """["abc"]""", """["abcd"]""")]
    [InlineData("""{"$ref":"common/up.json"}""", """{"city":"x"}""", "{}")]
    [InlineData("""{"$ref":"./common/../place.json"}""", """{"city":"x"}""", "{}")]
    [InlineData("""{"$id":"https://example.com/schemas/first.json","properties":{"a":{"$ref":"place.json"}}}""", """{"a":{"city":"x"}}""", """{"a":{}}""")]
    [InlineData("""{"$id":"https://example.com/schemas/first.json","properties":{"a":{"$ref":"https://example.com/schemas/common/identified.json"}}}""", """{"a":{"n":"abc"}}""", """{"a":{"n":"abcd"}}""")]
    public void Parse_FilesBeside_AreReadAndCheckedBy(string schema, string valid, string invalid)
    {
        ValidatedJson parsed = ValidatedJson.Parse(schema, Beside);
        Assert.Equal(DecodeOutcome.Decoded, parsed.Validate(System.Text.Encoding.UTF8.GetBytes(valid)));
        Assert.Equal(DecodeOutcome.Invalid, parsed.Validate(System.Text.Encoding.UTF8.GetBytes(invalid)));
        Assert.All(parsed.References, reference => Assert.Contains(reference.Text, parsed.WholeText, StringComparison.Ordinal));
        Assert.NotEmpty(parsed.References);

        // From the registry, with the same schemas as references, it is the same schema.
        Assert.Equal(DecodeOutcome.Invalid, ValidatedJson.Parse(schema, parsed.References).Validate(System.Text.Encoding.UTF8.GetBytes(invalid)));
    }

    [Fact]
    public void AssertingFormats_WithFiles_ChecksFormatsInThemToo()
    {
        ValidatedJson parsed = ValidatedJson.Parse("""{"$ref":"place.json"}""", Beside);
        Assert.Equal(DecodeOutcome.Invalid, parsed.AssertingFormats().Decode("""{"city":"no address"}"""u8, out _));
    }

    [Theory]
    [InlineData("""{"$ref":"none.json"}""", "there is no file `none.json` beside this one")]
    [InlineData("""{"$ref":"../place.json"}""", "never fetched")]
    [InlineData("""{"$ref":"common/out.json"}""", "never fetched")]
    [InlineData("""{"$ref":"/place.json"}""", "never fetched")]
    [InlineData("""{"$ref":"file:place.json"}""", "never fetched")]
    [InlineData("""{"$ref":"https://example.com/place.json"}""", "never fetched")]
    [InlineData("""{"$id":"https://example.com/schemas/first.json","$defs":{"a":{"$ref":"https://example.com/place.json"}}}""", "never fetched")]
    [InlineData("""{"$id":"https://example.com/schemas/first.json","$defs":{"a":{"$ref":"../place.json"}}}""", "never fetched")]
    public void Parse_WhatLiesElsewhere_IsRefused(string schema, string why)
    {
        SchemaException refused = Assert.Throws<SchemaException>(() => ValidatedJson.Parse(schema, Beside));
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("place.json", _asked);
    }

    [Fact]
    public void Parse_AFileWithAMistake_IsNamedWithItsPlace()
    {
        _files["place.json"] = """{"properties":{"a":{"minimun":1}}}""";
        SchemaException refused = Assert.Throws<SchemaException>(() => ValidatedJson.Parse("""{"$ref":"place.json"}""", Beside));
        Assert.Contains("place.json#/properties/a/minimun", refused.Message, StringComparison.Ordinal);
    }

    private string? Beside(string file)
    {
        _asked.Add(file);
        return _files.GetValueOrDefault(file);
    }
}
