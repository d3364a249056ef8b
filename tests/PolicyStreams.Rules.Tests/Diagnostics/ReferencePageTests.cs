using System.Text.Json;
using System.Text.RegularExpressions;
using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Schemas;

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

    private static string Section(string page, string heading) =>
        Regex.Match(File.ReadAllText(Path.Combine(Root(), "docs", "reference", page)), $@"^## {heading}\r?$(.*?)(?=^## |\z)", RegexOptions.Multiline | RegexOptions.Singleline).Groups[1].Value;

    [GeneratedRegex(@"`([a-z-]+)`")]
    private static partial Regex Code();

    [Fact]
    public void Cel_PageListsEveryErrorCodeAndNoOther() => Assert.Equal(
        Enum.GetValues<EvalError>().Where(error => error != EvalError.None).Select(EvalErrors.Code).Order(StringComparer.Ordinal),
        Section("cel.md", "Errors of evaluation").Split('\n').Where(line => line.StartsWith("| `", StringComparison.Ordinal)).SelectMany(line => Code().Matches(line.Split('|')[1])).Select(match => match.Groups[1].Value).Order(StringComparer.Ordinal));

    [GeneratedRegex(@"`([A-Za-z_.]+)[`(]")]
    private static partial Regex Macro();

    [Fact]
    public void Cel_PageListsEveryMacroAndNoOther() => Assert.Equal(
        ((string[])[.. CelChecker.MacroNames, "cel.bind", "cel.block", "cel.index", "cel.iterVar"]).Order(StringComparer.Ordinal),
        Macro().Matches(Section("cel.md", "Macros")).Select(match => match.Groups[1].Value).Distinct().Order(StringComparer.Ordinal));

    // What the sources write as a cause or a code of a decision.
    [GeneratedRegex(@"(?:Fail|MaskFailed|Cause|Judge\.Deny|DecisionError)\(.*|(?:Refusal|string code|string\? why) = .*")]
    private static partial Regex Written();

    [GeneratedRegex(@"""([a-z]+(?:[:-][a-z0-9]+)+)""")]
    private static partial Regex Literal();

    [Fact]
    public void Decisions_PageListsEveryCauseAndCode()
    {
        string page = Section("decisions.md", "How a verdict comes about");
        IEnumerable<string> sources = ((string[])["rules/Decisions", "rules/Policies", "processor/Tasks"]).SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Root(), folder), "*.cs")).Select(File.ReadAllText);
        string[] literals = [.. sources.SelectMany(text => Written().Matches(text)).SelectMany(line => Literal().Matches(line.Value)).Select(match => match.Groups[1].Value).Distinct()];
        Assert.Empty(((string[])["record-bytes", "null-value", "not-a-version", "record-name", "mask-type", "mask-value", "mask-schema", "refused-by-broker", "held-record-altered", "no-hold-key"]).Except(literals));
        string[] codes = [.. literals, .. typeof(SystemCauses).GetFields().Where(field => field.IsLiteral).Select(field => (string)field.GetRawConstantValue()!), .. Enum.GetValues<DecodeOutcome>().Where(outcome => outcome != DecodeOutcome.Decoded).Select(DecodeOutcomes.Code)];
        Assert.Equal("", string.Join(", ", codes.Distinct().Where(code => !code.StartsWith("key-", StringComparison.Ordinal) && !page.Contains($"`{code}`", StringComparison.Ordinal))));
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
