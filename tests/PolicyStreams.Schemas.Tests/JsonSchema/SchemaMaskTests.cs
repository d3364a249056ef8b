using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.JsonSchema;

namespace PolicyStreams.Schemas.Tests.JsonSchema;

/// <summary>What tags and paths select in records that a schema validates, and what may be written there.</summary>
public class SchemaMaskTests
{
    private const string Mail = """{"type":"string","confluent:tags":["PII"]}""";

    [Theory]
    [InlineData("""{"type":"object","properties":{"a":MAIL,"b":{"type":"string"}}}""", """{"a":"x","b":"y"}""", """{"a":"***","b":"y"}""", "a")]
    [InlineData("""{"type":"object","properties":{"o":{"type":"object","properties":{"a":MAIL}}}}""", """{"o":{"a":"x"}}""", """{"o":{"a":"***"}}""", "o.a")]
    [InlineData("""{"type":"object","properties":{"l":{"type":"array","items":MAIL}}}""", """{"l":["x","y"]}""", """{"l":["***","***"]}""", "l[*]")]
    [InlineData("""{"type":"object","properties":{"m":{"type":"object","additionalProperties":MAIL}}}""", """{"m":{"k":"x","":"y"}}""", """{"m":{"k":"***","":"***"}}""", "m[*]")]
    [InlineData("""{"type":"object","properties":{"known":{"type":"string"}},"additionalProperties":MAIL}""", """{"known":"k","other":"x"}""", """{"known":"k","other":"***"}""", "[*]")]
    [InlineData("""{"type":"object","patternProperties":{"^mail_":MAIL,"^n_":{"type":"string"}}}""", """{"mail_1":"x","n_1":"y","z":"z"}""", """{"mail_1":"***","n_1":"y","z":"z"}""", "[*]")]
    [InlineData("""{"type":"object","properties":{"a":{"$ref":"#/definitions/m"}},"definitions":{"m":MAIL}}""", """{"a":"x"}""", """{"a":"***"}""", "a")]
    [InlineData("""{"type":"object","properties":{"a":{"$ref":"#/definitions/m","confluent:tags":["PII"]}},"definitions":{"m":{"type":"string"}}}""", """{"a":"x"}""", """{"a":"***"}""", "a")]
    [InlineData("""{"type":"object","oneOf":[{"properties":{"a":MAIL},"required":["a"]},{"properties":{"b":MAIL},"required":["b"]}]}""", """{"b":"x"}""", """{"b":"***"}""", "a,b")]
    [InlineData("""{"type":"object","if":{"required":["p"]},"then":{"properties":{"a":MAIL}}}""", """{"p":1,"a":"x"}""", """{"p":1,"a":"***"}""", "a")]
    [InlineData("""{"type":"object","properties":{"a":MAIL,"next":{"$ref":"#"}}}""", """{"a":"1","next":{"a":"2","next":{"a":"3","next":{"a":"4"}}}}""", """{"a":"***","next":{"a":"***","next":{"a":"***","next":{"a":"***"}}}}""", "a")]
    [InlineData("""{"type":"object","properties":{"t":{"type":"array","items":[{"type":"string"},MAIL],"additionalItems":{"type":"string"}}}}""", """{"t":["x","y","z"]}""", """{"t":["x","***","z"]}""", "t[*]")]
    [InlineData("""{"type":"object","properties":{"odd.name":MAIL}}""", """{"odd.name":"x","odd":{"name":"y"}}""", """{"odd.name":"***","odd":{"name":"y"}}""", "[\"odd.name\"]")]
    public void Rewrite_TaggedPlaces_AreMaskedWhereverTheSchemaPutsThem(string schema, string record, string masked, string paths)
    {
        SchemaKit kit = new SchemaKit(schema.Replace("MAIL", Mail, StringComparison.Ordinal)).Tag("PII");
        Assert.Equal(masked, kit.Mask(record));
        Assert.Contains(kit.Program.SelectedPaths(0), path => paths.Split(',').Contains(path));
    }

    [Fact]
    public void Rewrite_TagOfAnotherVersion_IsMaskedByItsPath()
    {
        SchemaKit kit = new SchemaKit("""{"type":"object","properties":{"o":{"type":"object","properties":{"a":{"type":"string"}}}}}""").Tag("PII", "o.a", "free");
        Assert.Equal("""{"o":{"a":"***"},"free":"***"}""", kit.Mask("""{"o":{"a":"x"},"free":"y"}"""));
    }

    [Fact]
    public void Walk_UndeclaredValueAroundAMaskedOne_MustBeWhatHoldsIt()
    {
        SchemaKit kit = new SchemaKit("""{"type":"object","properties":{"o":{"type":"object","properties":{"a":{"type":"string"}}}}}""", """{"type":"object"}""").Select("o.a");
        Assert.Equal(DecodeOutcome.Decoded, kit.Walk("""{"o":{"a":"x"}}"""));
        Assert.Equal(DecodeOutcome.Decoded, kit.Walk("""{"o":null}"""));
        Assert.Equal(DecodeOutcome.Invalid, kit.Walk("""{"o":"a text with all of it"}"""));
        Assert.Equal(DecodeOutcome.Invalid, kit.Walk("""{"o":[{"a":"x"}]}"""));
    }

    [Theory]
    [InlineData("""{"type":"string"}""", "\"\"")]
    [InlineData("""{"type":["string","null"]}""", "null")]
    [InlineData("""{"type":"integer"}""", "0")]
    [InlineData("""{"type":"integer","minimum":1}""", null)]
    [InlineData("""{"type":"string","minLength":1}""", null)]
    [InlineData("""{"type":"string","format":"date-time"}""", "\"1970-01-01T00:00:00Z\"")]
    [InlineData("""{"type":"string","format":"uuid"}""", "\"00000000-0000-0000-0000-000000000000\"")]
    [InlineData("""{"enum":["A","B"],"default":"B"}""", "\"B\"")]
    [InlineData("""{"enum":["A","B"]}""", null)]
    [InlineData("""{"type":"object","required":["n"],"properties":{"n":{"type":"integer"},"s":{"type":"string"}}}""", """{"n":0}""")]
    [InlineData("""{"type":"object","required":["n"],"properties":{"n":{"type":"integer","minimum":2}}}""", null)]
    [InlineData("""{"type":"array","items":{}}""", "[]")]
    [InlineData("{}", "null")]
    public void RedactFault_AndWhatIsWritten_AgreeWithTheSchema(string property, string? written)
    {
        string schema = """{"type":"object","required":["f"],"properties":{"f":PROPERTY}}""".Replace("PROPERTY", property, StringComparison.Ordinal);
        SchemaType type = ValidatedJson.Parse(schema).Type.Field("f")!.Type;
        Assert.Equal(written is null, type.Constraints?.RedactFault is not null);
        if (written is null) { return; }
        string record = property.Contains("\"A\"", StringComparison.Ordinal) ? "\"A\"" : type.Kind switch
        {
            ValueKind.Int => "5",
            ValueKind.Record => """{"n":3,"s":"x"}""",
            ValueKind.List => "[1]",
            _ => "\"x\"",
        };
        Assert.Equal($$"""{"f":{{written}}}""", new SchemaKit(schema).Select("f").Redact($$"""{"f":{{record}}}"""));
    }

    [Fact]
    public void Rewrite_WhatTheSchemaRefuses_IsNotWritten()
    {
        SchemaKit kit = new SchemaKit("""{"type":"object","properties":{"f":{"type":"string","pattern":"^[a-z]+$"},"u":{"type":"array","uniqueItems":true,"items":{"type":"string"}}}}""").Select("f", "u[*]");
        Assert.Equal("NotOfSchema", kit.Mask("""{"f":"abc"}"""));
        Assert.Equal("""{"u":["***"]}""", kit.Mask("""{"u":["a"]}"""));
        Assert.Equal("NotOfSchema", kit.Mask("""{"u":["a","b"]}"""));
    }

    [Fact]
    public void Rewrite_RemovingWhatIsRequired_IsNotWritten()
    {
        SchemaKit kit = new SchemaKit("""{"type":"object","required":["a"],"properties":{"a":{"type":"string"},"b":{"type":"string"}}}""").Select("a", "b");
        Assert.Equal("""{"a":"x"}""", kit.Rewrite("""{"a":"x","b":"y"}""", new ScriptedMasker((site, _) => (new SiteResult(site.Selector == 1 ? SiteAction.Remove : SiteAction.Keep), ""))));
        Assert.Equal("NotOfSchema", kit.Rewrite("""{"a":"x"}""", ScriptedMasker.Always(SiteAction.Remove)));
    }

    [Fact]
    public void Rewrite_Integer_StaysOne()
    {
        SchemaKit kit = new SchemaKit("""{"type":"object","properties":{"n":{"type":"integer"}}}""").Select("n");
        Assert.Equal("""{"n":9223372036854775800}""", kit.Rewrite("""{"n":9223372036854775807}""", new ScriptedMasker((site, _) => (new SiteResult(SiteAction.Number, site.Kind == ValueKind.Int ? site.Bits - 7 : 0), ""))));
    }

    private static readonly TextRun[] s_hmac = [new(TextAlphabet.LowerHex, 32, 32)];
    private static readonly TextRun[] s_keepFour = [new(TextAlphabet.Star, 1, -1), new(TextAlphabet.Any, 4, 4)];

    [Theory]
    [InlineData("""{"type":"string","maxLength":20}""", "maxLength", null)]
    [InlineData("""{"type":"string","minLength":40}""", "minLength", null)]
    [InlineData("""{"type":"string","pattern":"^[0-9]{16}$"}""", "pattern", "pattern")]
    [InlineData("""{"type":"string","pattern":"^[0-9*]{16}$"}""", "pattern", null)]
    [InlineData("""{"type":"string","pattern":"^[0-9a-f]+$"}""", null, "pattern")]
    [InlineData("""{"type":"string","pattern":"[0-9]$"}""", null, null)]
    [InlineData("""{"type":"string","format":"uuid"}""", "format", null)]
    [InlineData("""{"type":"string","format":"hostname"}""", null, null)]
    [InlineData("""{"type":"string"}""", null, null)]
    public void RefusesAll_ShapesThatNoTextOfWhichPasses(string property, string? hmac, string? keep)
    {
        ValueConstraints constraints = ValidatedJson.Parse("""{"type":"object","properties":{"f":PROPERTY}}""".Replace("PROPERTY", property, StringComparison.Ordinal), [], assertFormats: true).Type.Field("f")!.Type.Constraints!;
        Assert.Equal(hmac is null ? null : $"#/properties/f/{hmac}", constraints.RefusesAll(s_hmac));
        Assert.Equal(keep is null ? null : $"#/properties/f/{keep}", constraints.RefusesAll(s_keepFour));
    }
}
