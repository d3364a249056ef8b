using System.Text.Json;
using System.Text.RegularExpressions;

namespace PolicyStreams.Rules.Tests.Diagnostics;

public partial class ReferencePageTests
{
    private static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "PolicyStreams.sln"))) { folder = Path.GetDirectoryName(folder); }
        return folder ?? throw new InvalidOperationException("The tests run inside the repository.");
    }

    [GeneratedRegex(@"^\| `(PS\d{4})` \| (.*) \|\r?$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [Fact]
    public void Diagnostics_PageListsEveryCodeAndNoOther()
    {
        string page = File.ReadAllText(Path.Combine(Root(), "docs", "reference", "diagnostics.md"));
        Assert.Equal(
            DiagnosticCodes.All.Select(entry => $"{entry.Key} {entry.Value}"),
            Row().Matches(page).Select(match => $"{match.Groups[1].Value} {match.Groups[2].Value}"));
    }

    [Fact]
    public void Codes_AreInOrderAndEachIsListed()
    {
        Assert.Equal(DiagnosticCodes.All.Select(entry => entry.Key).Order(StringComparer.Ordinal), DiagnosticCodes.All.Select(entry => entry.Key));
        string[] constants = [.. typeof(DiagnosticCodes).GetFields().Where(field => field.IsLiteral).Select(field => (string)field.GetRawConstantValue()!).Order(StringComparer.Ordinal)];
        Assert.Equal(constants, DiagnosticCodes.All.Select(entry => entry.Key));
    }

    // PS0209 is a net for conditions: nothing is known to fall into it.
    [Fact]
    public void Codes_EachIsExpectedBySomeTest()
    {
        Dictionary<string, string> names = typeof(DiagnosticCodes).GetFields().Where(field => field.IsLiteral).ToDictionary(field => (string)field.GetRawConstantValue()!, field => $"{nameof(DiagnosticCodes)}.{field.Name}");
        string tests = string.Concat(Directory.EnumerateFiles(Path.Combine(Root(), "tests"), "*.cs", SearchOption.AllDirectories).Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)).Select(File.ReadAllText));
        Assert.DoesNotContain(DiagnosticCodes.All.Select(entry => entry.Key), code => !tests.Contains(code, StringComparison.Ordinal) && !Regex.IsMatch(tests, names[code] + @"\b"));
    }

    [Fact]
    public void JsonSchema_KnowsTheKeysThatTheReaderKnows()
    {
        JsonElement schema = JsonDocument.Parse(PolicyJsonSchema.Text).RootElement;
        Assert.Equal("https://json-schema.org/draft/2020-12/schema", schema.GetProperty("$schema").GetString());
        JsonElement defs = schema.GetProperty("$defs");
        foreach ((string type, string example) in ((string, string)[])[("hold", "the hold"), ("binding", "binding"), ("rule", "rule"), ("mask", "the mask")])
        {
            // The reader's own list of keys is in its help: an unknown key names those that are known.
            string[] keys = [.. defs.GetProperty(type).GetProperty("properties").EnumerateObject().Select(member => member.Name)];
            string yaml = type switch
            {
                "hold" => Bench.Yaml("- { id: a, hold: { approvers: [x], zzzzzzzzzzzz: 1 } }"),
                "binding" => Bench.Yaml("[]", "zzzzzzzzzzzz: 1"),
                "rule" => Bench.Yaml("- { id: a, deny: {}, zzzzzzzzzzzz: 1 }"),
                _ => Bench.Yaml("- { id: a, mask: { field: x, redact: true, zzzzzzzzzzzz: 1 } }"),
            };
            Diagnostic unknown = PolicySet.Load([new PolicyFile("p", yaml)]).Diagnostics.Single(diagnostic => diagnostic.Code == DiagnosticCodes.UnknownKey);
            Assert.Contains(example, unknown.Message, StringComparison.Ordinal);
            Assert.Equal(keys.Order(StringComparer.Ordinal), unknown.Help!.Replace("keys here: ", "", StringComparison.Ordinal).Split(", ").Order(StringComparer.Ordinal));
        }
    }
}
