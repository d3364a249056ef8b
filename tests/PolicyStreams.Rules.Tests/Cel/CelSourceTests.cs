using System.Diagnostics;
using PolicyStreams.Rules.Cel.Syntax;

namespace PolicyStreams.Rules.Tests.Cel;

public class CelSourceTests
{
    [Fact]
    public void Locate_EveryPlaceOfALongText_IsExactAndInTime()
    {
        // Lines of all lengths around the marks, and characters of two units.
        string text = string.Concat(Enumerable.Range(0, 1_400).Select(i => new string('a', i % 700) + "\U0001D11E\n"));
        var source = new CelSource(text);
        var clock = Stopwatch.StartNew();
        (int line, int column) = (1, 1);
        for (int i = 0; i <= text.Length; i++)
        {
            Assert.Equal((line, column), source.Locate(i));
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), $"at {i} of {text.Length}");
            if (i == text.Length) { break; }
            if (text[i] == '\n') { (line, column) = (line + 1, 1); }
            else if (!char.IsLowSurrogate(text[i])) { column++; }
        }

        Assert.Equal((line, column), source.Locate(int.MaxValue));
    }
}
