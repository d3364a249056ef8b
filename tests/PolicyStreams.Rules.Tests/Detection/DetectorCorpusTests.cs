using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using PolicyStreams.Rules.Detection;

namespace PolicyStreams.Rules.Tests.Detection;

/// <summary>
/// Precision and recall of every detector over the corpus beside it: hits are compared by their exact places. The table of <c>docs/reference/detectors.md</c> is what is measured here,
/// and may not fall below the floors.
/// </summary>
public sealed partial class DetectorCorpusTests(ITestOutputHelper output)
{
    // A change that finds less, or more that is not there, must say so here.
    private static readonly Dictionary<string, (double Precision, double Recall)> Floors = new(StringComparer.Ordinal)
    {
        ["private-key"] = (0.99, 0.97),
        ["jwt"] = (0.99, 0.98),
        ["aws-key"] = (0.99, 0.97),
        ["email"] = (0.97, 0.96),
        ["iban"] = (0.99, 0.96),
        ["card"] = (0.90, 0.95),
        ["ssn"] = (0.97, 0.95),
        ["phone"] = (0.88, 0.96),
    };

    internal static IEnumerable<(string Text, List<(string Name, int Start, int End)> Marks)> Corpus()
    {
        foreach (string file in (string[])["generated.txt", "hard.txt"])
        {
            foreach (string line in File.ReadLines(Path.Combine(Root(), "tests", "PolicyStreams.Rules.Tests", "Detection", "Corpus", file)))
            {
                if (line.Length == 0 || line[0] == '#') { continue; }
                var text = new StringBuilder();
                var marks = new List<(string, int, int)>();
                string rest = line.Replace('⏎', '\n');
                while (Mark().Match(rest) is { Success: true } mark)
                {
                    text.Append(rest[..mark.Index]);
                    int start = Encoding.UTF8.GetByteCount(text.ToString());
                    text.Append(mark.Groups[2].Value);
                    marks.Add((mark.Groups[1].Value, start, Encoding.UTF8.GetByteCount(text.ToString())));
                    rest = rest[(mark.Index + mark.Length)..];
                }

                yield return (text.Append(rest).ToString(), marks);
            }
        }
    }

    [Fact]
    public void Detectors_OnTheCorpus_AreAsRightAsThePageSays()
    {
        var counts = Detectors.Names.ToDictionary(name => name, _ => new Count(), StringComparer.Ordinal);
        int lines = 0;
        foreach ((string text, List<(string Name, int Start, int End)> marks) in Corpus())
        {
            lines++;
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            foreach (string name in Detectors.Names)
            {
                Assert.True(Detectors.TryParse(name, out Detector detector));
                List<Hit> found = All(detector, bytes), wanted = [.. marks.Where(mark => mark.Name == name).Select(mark => new Hit(mark.Start, mark.End))];
                counts[name].Marked += wanted.Count;
                counts[name].Right += found.Intersect(wanted).Count();
                counts[name].Wrong += found.Except(wanted).Count();
                foreach (Hit hit in found.Except(wanted)) { output.WriteLine($"{name} wrong: «{Encoding.UTF8.GetString(bytes.AsSpan(hit.Start, hit.End - hit.Start))}» in «{text}»"); }
                foreach (Hit hit in wanted.Except(found)) { output.WriteLine($"{name} missed: «{Encoding.UTF8.GetString(bytes.AsSpan(hit.Start, hit.End - hit.Start))}» in «{text}»"); }
            }
        }

        Assert.True(lines >= 1_000, $"{lines} lines");
        var table = new StringBuilder();
        foreach ((string name, Count count) in counts)
        {
            (double precision, double recall) = ((double)count.Right / (count.Right + count.Wrong), (double)count.Right / count.Marked);
            table.Append(CultureInfo.InvariantCulture, $"| `{name}` | {count.Marked} | {count.Right} | {count.Wrong} | {precision:0.000} | {recall:0.000} |\n");
            Assert.True(count.Marked >= 50, $"{name} is marked {count.Marked} times");
            Assert.True(precision >= Floors[name].Precision && recall >= Floors[name].Recall, $"{name}: precision {precision:0.000}, recall {recall:0.000}; the floors are {Floors[name]}");
        }

        output.WriteLine($"{lines} lines\n{table}");
        string page = File.ReadAllText(Path.Combine(Root(), "docs", "reference", "detectors.md"));
        Assert.True(page.Contains(table.ToString(), StringComparison.Ordinal), $"docs/reference/detectors.md must have what is measured:\n{table}");
        Assert.Contains($"{lines.ToString("N0", CultureInfo.InvariantCulture)} lines", page, StringComparison.Ordinal);
    }

    internal static List<Hit> All(Detector detector, ReadOnlySpan<byte> text)
    {
        var hits = new List<Hit>();
        for (int from = 0; Detectors.Find(detector, text, from, out Hit hit); from = hit.End) { hits.Add(hit); }
        return hits;
    }

    private static string Root()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "PolicyStreams.sln"))) { folder = Path.GetDirectoryName(folder)!; }
        return folder;
    }

    [GeneratedRegex("⟦([a-z-]+)\\|([^⟧]*)⟧")]
    private static partial Regex Mark();

    private sealed class Count
    {
        public int Marked;
        public int Right;
        public int Wrong;
    }
}
