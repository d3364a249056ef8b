using PolicyStreams.Schemas.Capture;
using PolicyStreams.Tests;

namespace PolicyStreams.Schemas.Tests;

public class JsonRewriteTests
{
    private const string Sample = """{ "a" : "x\u0079z" , "b":[ "one", 2,{"c":null, "d":"é"} ],"e":{} }""";

    [Fact]
    public void Rewrite_Keep_GivesTheSameBytes() =>
        Assert.Equal(Sample, new JsonKit().Select("a", "b[*]", "b[*].d", "e", "").Rewrite(Sample, ScriptedMasker.Always(SiteAction.Keep)));

    [Fact]
    public void Rewrite_Text_ReplacesTheValueAlone()
    {
        var seen = new List<string>();
        string? written = new JsonKit().Select("a", "b[*].d").Rewrite(Sample, new ScriptedMasker((_, text) =>
        {
            seen.Add(text);
            return (new SiteResult(SiteAction.Text), $"<{text}>");
        }));
        Assert.Equal("""{ "a" : "<xyz>" , "b":[ "one", 2,{"c":null, "d":"<é>"} ],"e":{} }""", written);
        Assert.Equal(["xyz", "é"], seen);
    }

    [Fact]
    public void Rewrite_Text_IsTheShortestString() =>
        Assert.Equal(
            "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\u007fé😀\"",
            new JsonKit().Select("").Rewrite("1", ScriptedMasker.Always(SiteAction.Text, "\"\\/\b\f\n\r\t\0\u001f\u007fé😀")));

    [Theory]
    [InlineData(SiteAction.Keep, """[1,{"a":"x","b":2},"y"]""")]
    [InlineData(SiteAction.Redact, """[null,null,null]""")]
    [InlineData(SiteAction.Remove, "[]")]
    [InlineData(SiteAction.Number, "[0,0,0]")]
    [InlineData(SiteAction.Fail, null)]
    public void Rewrite_MaskAppendsAndAnswersOtherwise_NothingOfItIsLeft(SiteAction action, string? expected) =>
        Assert.Equal(expected, new JsonKit().Select("[*]", "[*].a").Rewrite("""[1,{"a":"x","b":2},"y"]""", ScriptedMasker.Always(action, "junk\n")));

    [Fact]
    public void Rewrite_ManyAnswers_EachInItsPlace()
    {
        // Kept, a removed first member, text with an escape, text without, a removed last one: each behind what the one before it left.
        SiteAction[] answers = [SiteAction.Keep, SiteAction.Remove, SiteAction.Text, SiteAction.Text, SiteAction.Remove];
        string[] texts = ["junk", "junk", "a\"b", "***", "junk"];
        int asked = 0;
        string? written = new JsonKit().Select("k", "o", "o.a", "o.b", "o.c", "o.d").Rewrite(
            """{"k":"v", "o":{"a" : 1 , "b":"\u0078", "c":"y", "d":2}, "z":3}""",
            new ScriptedMasker((site, _) => site.Kind == ValueKind.Map ? (new SiteResult(SiteAction.Keep), "junk") : (new SiteResult(answers[asked]), texts[asked++])));
        Assert.Equal("""{"k":"v", "o":{ "b":"a\"b", "c":"***"}, "z":3}""", written);
    }

    [Fact]
    public void Rewrite_TextThatIsNotUtf8_Fails()
    {
        byte[] json = "[7]"u8.ToArray();
        JsonKit kit = new JsonKit().Select("[*]");
        kit.Walk(json);
        Assert.Equal(RewriteOutcome.MaskFailed, kit.Program.Rewrite(json, kit.Frame, new BadTextMasker(), new ByteBuffer()));
    }

    [Fact]
    public void Rewrite_Redact_WritesNull() =>
        Assert.Equal("""{ "a" : null , "b":null,"e":{} }""", new JsonKit().Select("a", "b", "b[*]").Rewrite(Sample, ScriptedMasker.Always(SiteAction.Redact)));

    [Fact]
    public void Rewrite_EnclosingSiteIsAskedFirstAndInnerOnesOnlyWhereItIsKept()
    {
        var asked = new List<int>();
        var kit = new JsonKit().Select("b[*].d", "b", "b[*]");
        kit.Rewrite(Sample, new ScriptedMasker((site, _) =>
        {
            asked.Add(site.Selector);
            return (new SiteResult(site.Kind == ValueKind.Map ? SiteAction.Redact : SiteAction.Keep), "");
        }));
        Assert.Equal([1, 2, 2, 2], asked);
    }

    [Fact]
    public void Rewrite_SeveralSelectorsOfOneValue_AreAskedOnceTogether()
    {
        var masker = new CountingMasker();
        var kit = new JsonKit().Select("a", "b[*]", "a", "a");
        kit.Rewrite(Sample, masker);
        Assert.Equal(["0,2,3", "1", "1", "1"], masker.Runs);
    }

    [Theory]
    [InlineData(12.5, "12.5")]
    [InlineData(-0.0, "-0")]
    [InlineData(1e300, "1E+300")]
    [InlineData(1e21, "1E+21")]
    public void Rewrite_Number_IsWrittenShortest(double number, string expected) =>
        Assert.Equal($"[{expected}]", new JsonKit().Select("[*]").Rewrite("[7]", ScriptedMasker.Always(SiteAction.Number, bits: BitConverter.DoubleToInt64Bits(number))));

    [Theory]
    [InlineData(SiteAction.Fail, 0L)]
    [InlineData(SiteAction.Number, 0x7FF0000000000000L)]
    [InlineData(SiteAction.Number, 0x7FF8000000000000L)]
    public void Rewrite_WhatCannotBeWritten_Fails(SiteAction action, long bits) =>
        Assert.Null(new JsonKit().Select("[*]").Rewrite("[7]", ScriptedMasker.Always(action, bits: bits)));

    [Theory]
    [InlineData("""{"a":1}""", "a", "{}")]
    [InlineData("""{ "a" : 1 }""", "a", "{  }")]
    [InlineData("""{"a":1,"b":2}""", "a", """{"b":2}""")]
    [InlineData("""{ "a":1 , "b":2 }""", "a", """{  "b":2 }""")]
    [InlineData("""{ "a":1 , "b":2 }""", "b", """{ "a":1  }""")]
    [InlineData("""{"a":1,"b":2,"c":3}""", "b", """{"a":1,"c":3}""")]
    [InlineData("""{"a":1,"b":2,"c":3}""", "a,b", """{"c":3}""")]
    [InlineData("""{"a":1,"b":2,"c":3}""", "b,c", """{"a":1}""")]
    [InlineData("""{"a":1,"b":2,"c":3}""", "a,c", """{"b":2}""")]
    [InlineData("""{"a":1,"b":2,"c":3}""", "a,b,c", "{}")]
    [InlineData("[1 , 2 , 3]", "[*]", "[  ]")]
    [InlineData("""{"x":[{"a":1,"b":"}"},{"a":[1,{}]},{}]}""", "x[*].a", """{"x":[{"b":"}"},{},{}]}""")]
    [InlineData("""{"x\"":0,"\\\"a\\":"q","y":1}""", "\\\"a\\", """{"x\"":0,"y":1}""")]
    [InlineData("""{"\\\"a\\" : "q","y":1}""", "\\\"a\\", """{"y":1}""")]
    public void Rewrite_Remove_TakesNameAndOneComma(string json, string paths, string expected) =>
        Assert.Equal(expected, new JsonKit().Select(paths.Split(',')).Rewrite(json, ScriptedMasker.Always(SiteAction.Remove)));

    [Fact]
    public void Rewrite_RemoveTop_Fails() => Assert.Null(new JsonKit().Select("").Rewrite(" 1 ", ScriptedMasker.Always(SiteAction.Remove)));

    [Fact]
    public void Rewrite_GrownBuffers_AllocatesNothing()
    {
        byte[] json = System.Text.Encoding.UTF8.GetBytes(Sample);
        JsonKit kit = new JsonKit().Select("a", "b[*].d", "e");
        var output = new ByteBuffer();
        var masker = new ConstantMasker();
        kit.Walk(json);
        kit.Program.Rewrite(json, kit.Frame, masker, output);
        Assert.Equal(0, Allocated.By(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                output.Clear();
                kit.Program.Walk(json, kit.Frame);
                kit.Program.Rewrite(json, kit.Frame, masker, output);
            }
        }));
    }

    [Fact]
    public void SitePath_IsTheSelectorsPath()
    {
        JsonKit kit = new JsonKit().Select("b[*].d");
        kit.Walk(Sample);
        Assert.Equal("b[*].d", kit.Program.SitePath(kit.Frame.Sites[0]));
        Assert.Equal(["b[*].d"], kit.Program.SelectedPaths(0));
    }

    private sealed class CountingMasker : ISiteMasker
    {
        public List<string> Runs { get; } = [];

        public SiteResult Mask(ReadOnlySpan<MaskSite> sites, ReadOnlySpan<byte> text, ByteBuffer replacement)
        {
            Runs.Add(string.Join(",", sites.ToArray().Select(site => site.Selector)));
            return new SiteResult(SiteAction.Keep);
        }
    }

    private sealed class BadTextMasker : ISiteMasker
    {
        public SiteResult Mask(ReadOnlySpan<MaskSite> sites, ReadOnlySpan<byte> text, ByteBuffer replacement)
        {
            replacement.Append(0xFF);
            return new SiteResult(SiteAction.Text);
        }
    }

    private sealed class ConstantMasker : ISiteMasker
    {
        public SiteResult Mask(ReadOnlySpan<MaskSite> sites, ReadOnlySpan<byte> text, ByteBuffer replacement)
        {
            replacement.Append("***"u8);
            return new SiteResult(SiteAction.Text);
        }
    }
}
