using System.Globalization;
using System.Text;
using PolicyStreams.Schemas.Patterns;

namespace PolicyStreams.Rules.Tests.Cel;

/// <summary>
/// RE2's own published cases: where each pattern matches, and its groups. Those in this folder always, and files of the same form in the folder that POLICYSTREAMS_RE2_CASES names
/// (<c>re2-exhaustive.txt</c>, 64 MB, is too large to lie here).
/// </summary>
public sealed class Re2PublishedTests(ITestOutputHelper output)
{
    private const string Variable = "POLICYSTREAMS_RE2_CASES";

    public static TheoryData<string> Files()
    {
        string[] folders = [Path.Combine(AppContext.BaseDirectory, "Cel", "Re2Cases"), Environment.GetEnvironmentVariable(Variable) ?? ""];
        return new TheoryData<string>(folders.Where(folder => folder.Length > 0).SelectMany(folder => Directory.GetFiles(folder, "*.txt").Order(StringComparer.Ordinal)));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Search_PublishedCases_Agrees(string file)
    {
        var texts = new List<byte[]>();
        bool readingTexts = false;
        int agreed = 0, total = 0, refused = 0, at = 0;
        string pattern = "";
        Candidate? candidate = null;
        var disagreements = new List<string>();

        // A carriage return is one of the texts, and ends no line.
        foreach (string line in File.ReadAllText(file).Split('\n'))
        {
            switch (line)
            {
                case "" or ['#', ..]:
                    break;
                case "strings":
                    readingTexts = true;
                    texts.Clear();
                    break;
                case "regexps":
                    readingTexts = false;
                    break;
                case ['"', ..] when readingTexts:
                    texts.Add(Unquote(line));
                    break;
                case ['"', ..]:
                    pattern = Encoding.UTF8.GetString(Unquote(line));
                    candidate = Candidate.Of(pattern);
                    at = 0;

                    // \C takes single bytes, which no text has; scripts are not known.
                    if (candidate is null) { refused++; }
                    Assert.True(candidate is not null || pattern.Contains(@"\C", StringComparison.Ordinal) || pattern.Contains("Greek", StringComparison.Ordinal), $"`{pattern}` is refused");
                    break;
                case [(>= '0' and <= '9') or '-', ..]:
                    byte[] text = texts[at++];
                    if (candidate is null) { break; }
                    total++;
                    string[] expected = line.Split(';');
                    string? difference = candidate.Differs(text, expected[0], expected[1]);
                    if (difference is null) { agreed++; }
                    else if (disagreements.Count < 20) { disagreements.Add($"`{pattern}` on \"{Encoding.UTF8.GetString(text)}\": {difference}"); }
                    break;
            }
        }

        output.WriteLine($"{Path.GetFileName(file)}: agree {agreed} of {total}; {refused} patterns refused");
        Assert.True(total > 0);
        Assert.True(agreed == total, string.Join("\n", disagreements));
    }

    private static byte[] Unquote(string line)
    {
        var bytes = new List<byte>();
        for (int i = 1; i < line.Length - 1; i++)
        {
            if (line[i] != '\\')
            {
                var rune = Rune.GetRuneAt(line, i);
                i += rune.Utf16SequenceLength - 1;
                bytes.AddRange(Encoding.UTF8.GetBytes(rune.ToString()));
                continue;
            }

            switch (line[++i])
            {
                case 'n': bytes.Add((byte)'\n'); break;
                case 'a': bytes.Add(7); break;
                case 'b': bytes.Add(8); break;
                case 'f': bytes.Add(12); break;
                case 'r': bytes.Add((byte)'\r'); break;
                case 't': bytes.Add((byte)'\t'); break;
                case 'v': bytes.Add(11); break;
                case 'x': bytes.Add(byte.Parse(line.AsSpan(i + 1, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)); i += 2; break;
                case 'u': bytes.AddRange(Encoding.UTF8.GetBytes(((char)int.Parse(line.AsSpan(i + 1, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture)).ToString())); i += 4; break;
                default: bytes.Add((byte)line[i]); break;
            }
        }

        return [.. bytes];
    }

    /// <summary>One pattern in every form that runs it.</summary>
    private sealed class Candidate
    {
        public required Re2 Whole { get; init; }

        public required Re2 Anywhere { get; init; }

        public required Re2Matcher Automaton { get; init; }

        public required Re2Search SearchWhole { get; init; }

        public required Re2Search SearchAnywhere { get; init; }

        public required int Groups { get; init; }

        public static Candidate? Of(string pattern)
        {
            string whole = $@"\A(?:{pattern})\z";
            if (!Re2.TryParse(pattern, out Re2? anywhere, out _) || !Re2.TryParse(whole, out Re2? wholeText, out _)) { return null; }
            Re2Node root = Re2Parser.Parse(pattern);
            int groups = GroupsOf(root);
            return new Candidate
            {
                Anywhere = anywhere,
                Whole = wholeText,
                Automaton = new Re2Matcher(Re2Program.Compile(root)),
                SearchAnywhere = new Re2Search(root, groups),
                SearchWhole = new Re2Search(Re2Parser.Parse(whole), groups),
                Groups = groups,
            };
        }

        public string? Differs(byte[] text, string whole, string anywhere)
        {
            string found = Find(SearchWhole, text);
            if (found != whole) { return $"whole: {found}, not {whole}"; }
            found = Find(SearchAnywhere, text);

            // RE2 also finds nothing between the bytes of one code point (`\B`), where a mask must not write.
            bool inside = int.TryParse(anywhere.Split('-')[0], NumberStyles.None, CultureInfo.InvariantCulture, out int begin) && begin < text.Length && (text[begin] & 0xC0) == 0x80;
            if (found != anywhere && !inside) { return $"anywhere: {found}, not {anywhere}"; }
            if (Whole.IsMatch(text) != (whole != "-")) { return "whole, whether"; }
            if (Anywhere.IsMatch(text) != (anywhere != "-")) { return "anywhere, whether"; }
            return Automaton.IsMatch(text) != (anywhere != "-") ? "the automaton, whether" : null;
        }

        private string Find(Re2Search search, byte[] text)
        {
            int[] places = new int[2 * (Groups + 1)];
            long work = 1_000_000;
            if (!search.Find(text, 0, places, ref work)) { return "-"; }
            return string.Join(' ', Enumerable.Range(0, Groups + 1).Select(i => places[2 * i] < 0 ? "-" : string.Create(CultureInfo.InvariantCulture, $"{places[2 * i]}-{places[(2 * i) + 1]}")));
        }

        private static int GroupsOf(Re2Node node) => node.Children.Select(GroupsOf).Append(node.Number).Max();
    }
}
