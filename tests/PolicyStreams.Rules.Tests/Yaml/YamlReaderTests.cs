using System.Diagnostics;
using System.Text;
using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules.Tests.Yaml;

public class YamlReaderTests
{
    private static string Code(string text)
    {
        var bag = new DiagnosticBag("x");
        YamlReader.Read(text, bag);
        return bag.ToList() is [{ } first, ..] ? $"{first.Code} {first.Line}:{first.Column}" : "";
    }

    [Theory]
    [InlineData("", "PS0009 1:1")]
    [InlineData("# only a comment\n", "PS0009 1:1")]
    [InlineData("~", "PS0009 1:1")]
    [InlineData("a: &x 1\nb: *x\n", "PS0006 1:4")]
    [InlineData("b: *x\n", "PS0006 1:4")]
    [InlineData("a: { <<: { b: 1 } }\n", "PS0006 1:6")]
    [InlineData("a: !!str 1\n", "PS0006 1:4")]
    [InlineData("a: !x 1\n", "PS0006 1:4")]
    [InlineData("%YAML 1.2\n---\na: 1\n", "PS0006 1:1")]
    [InlineData("a: 1\n---\nb: 1\n", "PS0008 2:1")]
    [InlineData("a:\n\tb: 1\n", "PS0003 2:1")]
    [InlineData("a: 1\na: 2\n", "PS0007 2:1")]
    [InlineData("a: { b: 1, \"b\": 2 }\n", "PS0007 1:12")]
    [InlineData("\uFEFFa: 1\n", "PS0002 1:1")]
    [InlineData("a\0:\0 1\n", "PS0002 1:2")]
    [InlineData("a: \u0007\n", "PS0002 1:4")]
    [InlineData("a: \uFFFD\n", "PS0002 1:4")]
    [InlineData("? [a]\n: 1\n", "PS0102 1:3")]
    [InlineData("a: [1, 2\n", "PS0004")]
    [InlineData("a: 'x\n", "PS0004")]
    [InlineData("a: 1\n", "")]
    [InlineData("a: <<\n", "")]
    public void Read_RefusesWhatItMust(string text, string expected) => Assert.StartsWith(expected, Code(text), StringComparison.Ordinal);

    [Theory]
    [InlineData("[")]
    [InlineData("{a: ")]
    [InlineData("- ")]
    [InlineData("? ")]
    [InlineData("[{a: ")]
    public void Read_TwentyThousandLevels_IsRefusedInTime(string level)
    {
        var watch = Stopwatch.StartNew();
        Assert.StartsWith("PS00", Code(string.Concat(Enumerable.Repeat(level, 20_000))), StringComparison.Ordinal);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), watch.Elapsed.ToString());
    }

    [Fact]
    public void Read_TwentyThousandIndentedLevels_IsRefusedInTime()
    {
        var text = new StringBuilder();
        for (int i = 0; i < 2_000; i++) { text.Append(' ', i).Append("a:\n"); }
        Assert.StartsWith("PS0005", Code(text.ToString()), StringComparison.Ordinal);
    }

    [Fact]
    public void Read_HundredMegabytes_IsRefusedBeforeItIsParsed() => Assert.StartsWith("PS0001", Code(new string('a', 100 * 1024 * 1024)), StringComparison.Ordinal);

    [Theory]
    [InlineData("yes", "Text")]
    [InlineData("on", "Text")]
    [InlineData("NO", "Text")]
    [InlineData("true", "Bool")]
    [InlineData("null", "Null")]
    [InlineData("~", "Null")]
    [InlineData("12", "Int")]
    [InlineData("-12", "Int")]
    [InlineData("012", "Unclear")]
    [InlineData("0o14", "Unclear")]
    [InlineData("0x1F", "Unclear")]
    [InlineData("1_000", "Unclear")]
    [InlineData("1.5", "Float")]
    [InlineData("1e3", "Float")]
    [InlineData("-.inf", "Float")]
    [InlineData(".nan", "Float")]
    [InlineData("4h", "Text")]
    [InlineData("1.2.3", "Text")]
    [InlineData("2026-01-02", "Text")]
    [InlineData("12:30:45", "Text")]
    [InlineData("'12'", "Text")]
    [InlineData("\"true\"", "Text")]
    public void TypeOf_IsYaml12CoreAndNeverGuesses(string text, string expected)
    {
        var bag = new DiagnosticBag("x");
        Assert.Equal(expected, CoreScalar.TypeOf(YamlReader.Read($"a: {text}\n", bag)!.Entries[0].Value).ToString());
    }

    [Theory]
    [InlineData("when: value.x", 7, "1:13")]
    [InlineData("when: 'a == ''b'' && c'", 12, "1:21")]
    [InlineData("when: \"a == \\\"b\\\" && c\"", 12, "1:21")]
    [InlineData("when: |\n    first\n    second", 3, "2:7")]
    public void Locate_FindsThePlaceInTheFile(string text, int column, string expected)
    {
        YamlNode node = YamlReader.Read(text, new DiagnosticBag("x"))!.Entries[0].Value;
        (int line, int at) = node.Locate(1, column);
        Assert.Equal(expected, $"{line}:{at}");
    }
}
