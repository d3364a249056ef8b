using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using PolicyStreams.Rules.Cel.Compilation;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Schemas.Patterns;
using PolicyStreams.Tests;

namespace PolicyStreams.Rules.Tests.Cel;

public sealed class Re2Tests(ITestOutputHelper output)
{
    // What policies use runs from a table, and is compiled soon.
    [Theory]
    [InlineData("^[0-9]{13,19}$")]
    [InlineData("AKIA[0-9A-Z]{16}")]
    [InlineData("^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$")]
    [InlineData("(?i)(password|secret|token)[:=]\\s*\\S+")]
    [InlineData("\\b[0-9]{3}-[0-9]{2}-[0-9]{4}\\b")]
    [InlineData("^\\pL+( \\pL+)*$")]
    [InlineData("^[^@\\s]+@[^@\\s]+\\.[a-z]{2,}$")]
    public void TryParse_PatternsOfPolicies_RunFromATable(string pattern)
    {
        var clock = Stopwatch.StartNew();
        Assert.True(Re2.TryParse(pattern, out Re2? re2, out _));
        output.WriteLine($"{pattern}: {re2.States} states, {clock.Elapsed.TotalMilliseconds:F1} ms");
        Assert.True(re2.IsTabled);
    }

    // Whether a pattern is found, as RE2's own search tests have it (BSD licence, Copyright The RE2 Authors), and its documented syntax.
    [Theory]
    [InlineData("a", "zyzzyva", true)]
    [InlineData("^(?:a)$", "zyzzyva", false)]
    [InlineData("(?:a)$", "zyzzyva", true)]
    [InlineData("(a+|b)+", "ab", true)]
    [InlineData("^(?:ab|cd)", "xabcdx", false)]
    [InlineData("h.*od?", "hello\ngoodbye\n", true)]
    [InlineData("(?:h.*o)$", "goodbye\nhello\n", false)]
    [InlineData("[^\\s\\S]", "aaaaaaa", false)]
    [InlineData("a*", "", true)]
    [InlineData("aa", "aA", false)]
    [InlineData("(?i)aa", "aA", true)]
    [InlineData("(foo|bar|[A-Z])$", "foo\n", false)]
    [InlineData("^(foo|bar|[A-Z])$", "XY", false)]
    [InlineData("^^^^^^^^$$$$$$$$", "", true)]
    [InlineData("^$", "x", false)]
    [InlineData("$", "x", true)]
    [InlineData("\\bfoo\\b", "nofoo foo that", true)]
    [InlineData("\\b(foo|bar|[A-Z])\\b", "XY", false)]
    [InlineData("\\b(foo|bar|[A-Z])\\b", "ffoo bbar N x", true)]
    [InlineData("\\b", "", false)]
    [InlineData("\\b$", "y x", true)]
    [InlineData("\\Bbar", "foobar", true)]
    [InlineData("\\Bfoo\\B", "xfoo", false)]
    [InlineData("(?m)^bar$", "foo\nbar\nx", true)]
    [InlineData("^bar$", "foo\nbar\nx", false)]
    [InlineData("(?m)\\Abar", "foo\nbar", false)]
    [InlineData("(?s)a.b", "a\nb", true)]
    [InlineData("a.b", "a\nb", false)]
    [InlineData("\\d", "٣", false)]
    [InlineData("\\pN", "٣", true)]
    [InlineData("^\\p{Lu}\\p{Ll}+$", "Élan", true)]
    [InlineData("^\\PL+$", "123", true)]
    [InlineData("\\w", "é", false)]
    [InlineData("\\bx", "éx", true)]
    [InlineData("^.$", "\U0001F600", true)]
    [InlineData("^..$", "\U0001F600", false)]
    [InlineData("^[😀-😂]{2}$", "😁😂", true)]
    [InlineData("(?i)straße", "STRAßE", true)]
    [InlineData("(?i)k", "\u212A", true)]
    [InlineData("(?i)[^k]", "\u212A", false)]
    [InlineData("[[:alpha:]]+[[:^digit:]]", "ab", true)]
    [InlineData("\\Qa.b\\E+", "a.bb", true)]
    [InlineData("\\Qa.b", "axb", false)]
    [InlineData("a{,2}", "a{,2}", true)]
    [InlineData("x{2,3}y", "xy", false)]
    [InlineData("^(?:a{0}b)$", "b", true)]
    [InlineData("\\x41\\x{42}\\103", "ABC", true)]
    [InlineData("[]a]", "]", true)]
    [InlineData("[^]a]", "]", false)]
    [InlineData("[a\\]b-]", "-", true)]
    [InlineData("(?P<n>a)(?<m>b)", "ab", true)]
    [InlineData("(?i:a)b", "AB", false)]
    [InlineData("((?i)a)b", "Ab", true)]
    [InlineData("a|", "zzz", true)]
    [InlineData("^[0-9]{13,19}$", "4111111111111111", true)]
    [InlineData("^[0-9]{13,19}$", "4111111111111111x", false)]
    [InlineData("AKIA[0-9A-Z]{16}", "key AKIAABCDEFGHIJKLMNOP.", true)]
    [InlineData("AKIA[0-9A-Z]{16}", "AKIA-AKIAABCDEFGHIJKLMNOP", true)]
    [InlineData("AKIA[0-9A-Z]{16}", "AKIAKIAABCDEFGHIJKL", false)]
    public void IsMatch_CasesOfRe2_Agrees(string pattern, string text, bool expected)
    {
        Assert.True(Re2.TryParse(pattern, out Re2? re2, out string? mistake), mistake);
        Assert.Equal(expected, re2.IsMatch(text));
        Assert.Equal(expected, re2.IsMatch(Encoding.UTF8.GetBytes(text)));
        Assert.Equal(expected, new Re2Matcher(Re2Program.Compile(Re2Parser.Parse(pattern))).IsMatch(Encoding.UTF8.GetBytes(text)));
    }

    [Theory]
    [InlineData("(")]
    [InlineData(")")]
    [InlineData("a)")]
    [InlineData("[a")]
    [InlineData("[z-a]")]
    [InlineData("[a-\\d]")]
    [InlineData("*a")]
    [InlineData("a**")]
    [InlineData("a{2}{3}")]
    [InlineData("a{1001}")]
    [InlineData("a{3,2}")]
    [InlineData("(?=a)")]
    [InlineData("(?<=a)b")]
    [InlineData("(a)\\1")]
    [InlineData("\\p{Greek}")]
    [InlineData("\\p{X}")]
    [InlineData("\\C")]
    [InlineData("\\")]
    [InlineData("\\x{110000}")]
    [InlineData("\\xZ")]
    [InlineData("(?P<>a)")]
    [InlineData("(?z)a")]
    [InlineData("[[:nope:]]")]
    [InlineData("((a{1000}){1000}){1000}")]
    public void TryParse_WhatIsNotRe2_SaysWhy(string pattern)
    {
        Assert.False(Re2.TryParse(pattern, out _, out string? mistake));
        Assert.NotEmpty(mistake!);
    }

    [Fact]
    public void TryParse_HugePatterns_AreRefusedSoon()
    {
        var clock = Stopwatch.StartNew();
        foreach (string pattern in new[] { new string('a', 1_000_000), new string('(', 9_000), "(" + string.Join("|", Enumerable.Repeat("\\pL{900}", 1000)) + ")", string.Concat(Enumerable.Repeat("(x+x+)+", 1300)), "(.{1,400}){1,90}z" })
        {
            _ = Re2.TryParse(pattern, out Re2? re2, out string? mistake);
            Assert.True(re2 is null ? mistake is not null : !re2.IsMatch(new string('x', 2000)));
        }

        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"{clock.Elapsed}");
    }

    [Fact]
    public void IsMatch_ManyStates_StillMatches()
    {
        Assert.True(Re2.TryParse("a[ab]{41}c", out Re2? re2, out _));
        Assert.False(re2.IsTabled);
        string text = string.Concat(Enumerable.Repeat("ab", 200));
        Assert.False(re2.IsMatch(text));
        Assert.True(re2.IsMatch(text + "c"));
    }

    [Fact]
    public void IsMatch_RandomPatterns_AgreeWithAnotherEngine()
    {
        int seed = Fuzz.Seed();
        var random = new Random(seed);
        for (int i = 0; i < 1000; i++)
        {
            string pattern = Pattern(random, 3);
            Assert.True(Re2.TryParse(pattern, out Re2? re2, out string? mistake), $"seed {seed}: {pattern}: {mistake}");
            var other = new Regex(pattern.Replace("$", "\\z", StringComparison.Ordinal), RegexOptions.CultureInvariant, TimeSpan.FromSeconds(10));
            var automaton = new Re2Matcher(Re2Program.Compile(Re2Parser.Parse(pattern)));
            for (int j = 0; j < 8; j++)
            {
                string text = string.Concat(Enumerable.Range(0, random.Next(8)).Select(_ => "ab_ \n"[random.Next(5)]));
                bool expected = other.IsMatch(text);
                Assert.True(expected == re2.IsMatch(text), $"seed {seed}: {pattern} on {text.Replace("\n", "\\n", StringComparison.Ordinal)}");
                Assert.True(expected == automaton.IsMatch(Encoding.UTF8.GetBytes(text)), $"seed {seed}: {pattern} by the automaton");
            }
        }
    }

    // What authors and schemas write may be anything: a mistake is said, and nothing else is thrown.
    [Fact]
    public void TryParse_RandomText_IsAPatternOrAMistake()
    {
        int seed = Fuzz.Seed();
        var random = new Random(seed);
        string[] parts =
        [
            "(", ")", "(?", "(?:", "(?P<", "(?<", "n>", "(?P<n>", "(?i)", "(?s-m:", "(?U", "(?=", "[", "]", "[^", "[[:", ":]]", "[:alpha:]", "[:^word:]", "a-", "-", "\\", "\\Q", "\\E", "\\x", "\\x{", "\\x{10FFFF}", "{", "}", "{1", ",", "{2,3}", "{,2}", "{1000}", "\\p", "\\p{",
            "\\pL", "\\P{^Lu}", "\\p{Greek}", "\\u", "\\u{", "\\uD834", "\\uDD1E", "\\k<", "\\k<n>", "\\1", "\\07", "\\c", "\\cA", "\\C", "\\b", "\\B", "\\A", "\\z", "\\8", "*", "+", "?", "+?", "|", "^", "$", ".", "a", "b", "é", "𝄞", "\uD800", "\uDC00", "\0", "\n", "0", "F",
        ];
        string[] published = [.. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Cel", "Re2Cases"), "*.txt").Order(StringComparer.Ordinal).SelectMany(File.ReadLines).Where(line => line.Length is > 2 and < 200 && line[0] == '"').Select(line => line[1..^1])];
        var clock = Stopwatch.StartNew();
        int taken = 0, refused = 0;
        for (int i = 0; i < 60_000 && clock.Elapsed < Fuzz.Time(5); i++)
        {
            string text = random.Next(2) == 0 ? Fuzz.Concat(random, parts, 12) : Fuzz.Mutate(random, published[random.Next(published.Length)], parts);
            try
            {
                foreach (bool ecma in (bool[])[false, true])
                {
                    Re2? re2;
                    string? mistake;
                    bool works = ecma ? Re2.TryParseEcma(text, out re2, out mistake) : Re2.TryParse(text, out re2, out mistake);
                    Assert.Equal(works, mistake is null);
                    re2?.IsMatch("ab \né𝄞");
                    _ = works ? taken++ : refused++;
                }

                EcmaParser.IsPattern(text);
                PatternMask.Create(text, "\\0", new PatternTable(), out _);
            }
            catch (Exception fault) when (fault is not OutOfMemoryException)
            {
                Assert.Fail($"seed {seed}: {fault.GetType().Name} {fault.Message}: {text}");
            }
        }

        Assert.True(taken > 100 && refused > 100, $"seed {seed}: {taken} taken, {refused} refused");
    }

    private static string Pattern(Random random, int depth) => random.Next(depth > 0 ? 12 : 7) switch
    {
        0 => "a",
        1 => "b",
        2 => ".",
        3 => "[ab]",
        4 => "[^a]",
        5 => random.Next(2) == 0 ? "^" : "$",
        6 => random.Next(2) == 0 ? "\\b" : "\\B",
        7 or 8 => Pattern(random, depth - 1) + Pattern(random, depth - 1),
        9 => $"(?:{Pattern(random, depth - 1)}|{Pattern(random, depth - 1)})",
        10 => $"(?:{Pattern(random, depth - 1)}){"*+?"[random.Next(3)]}",
        _ => $"(?:{Pattern(random, depth - 1)}){{{random.Next(3)},{3 + random.Next(2)}}}",
    };
}
