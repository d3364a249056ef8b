using System.Text;

namespace PolicyStreams.Rules.Tests.Masking;

public class HeaderTests
{
    internal static IReadOnlyList<string> Texts(RecordHeaders headers) =>
        [.. Enumerable.Range(0, headers.Count).Select(i => headers.IsNull(i) ? $"{Encoding.UTF8.GetString(headers.Name(i))} null" : $"{Encoding.UTF8.GetString(headers.Name(i))}={Encoding.UTF8.GetString(headers.Value(i))}")];

    [Theory]
    [InlineData("headers: keep", "a=1,b null")]
    [InlineData("headers: drop", "")]
    [InlineData("headers: [b]", "b null")]
    [InlineData("", "a=1,b null")]
    public void Choice_SaysWhichHeadersGoOut(string binding, string expected)
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: t, tag: { a: b } }", binding));
        bench.Headers.Add("a"u8, "1"u8);
        bench.Headers.Add("b"u8, default, isNull: true);
        bench.Headers.Add("ps-x"u8, "forged"u8);
        bench.Decide(Bench.Payment);
        Assert.Equal(expected, string.Join(",", Texts(bench.Verdict.Headers)));
    }
}
