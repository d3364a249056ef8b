using System.Text.RegularExpressions;

namespace PolicyStreams.Cli.Tests;

/// <summary>docs/reference/cli.md says what --help says: every command, every option with its value, default, and whether it must be given; and nothing else.</summary>
public sealed partial class ReferencePageTests(ReferencePageTests.Helps helps) : IClassFixture<ReferencePageTests.Helps>
{
    private static readonly Dictionary<string, string> s_page = Sections(File.ReadAllText(Path.Combine(BuiltCommand.Root, "docs", "reference", "cli.md")));

    [Fact]
    public void Help_EveryCommand_IsListedAndOnThePage()
    {
        Assert.Equal(["approval-service", "approvals", "cost", "decide", "decisions", "decrypt", "demo", "detokenize", "fmt", "lint", "lock", "registry", "run", "schema", "test", "topics", "unseal"], Commands(helps.All[""]).Order(StringComparer.Ordinal));
        Assert.Equal(["approve", "keygen", "list", "reject", "show"], Commands(helps.All["approvals"]).Order(StringComparer.Ordinal));
        Assert.Equal(["apply", "plan"], Commands(helps.All["topics"]).Order(StringComparer.Ordinal));
        Assert.Equal(["tail"], Commands(helps.All["decisions"]));
        Assert.Equal(helps.All.Where(help => Commands(help.Value).Length == 0).Select(help => help.Key).Order(StringComparer.Ordinal), s_page.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Help_EveryOption_IsOnThePageWithItsDefault()
    {
        foreach ((string command, string section) in s_page)
        {
            Assert.Equal(
                Options(helps.All[command]).Select(option => $"{command}: {option}").Order(StringComparer.Ordinal),
                Rows(section).Select(row => $"{command}: {row}").Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public void Page_EveryCommand_SaysItsExitCodes() =>
        Assert.All(s_page, section => Assert.Contains("Exit code", section.Value, StringComparison.Ordinal));

    /// <summary>Names under `Commands:`.</summary>
    private static string[] Commands(string help) =>
        help.Split("\nCommands:\n") is [_, var list, ..] ? [.. CommandLine().Matches(list).Select(line => line.Groups[1].Value)] : [];

    /// <summary>`--option VALUE = default` of each option, `PATH = required` of each argument.</summary>
    private static IEnumerable<string> Options(string help)
    {
        foreach (Match line in OptionLine().Matches(help))
        {
            (string name, string value, string rest) = (line.Groups["name"].Value, line.Groups["value"].Value, line.Groups["rest"].Value);
            if (name is "--help" or "--version") { continue; }
            string @default = Default().Match(rest) is { Success: true } given ? given.Groups[1].Value : line.Groups["required"].Success || name.Length == 0 ? "required" : "";
            yield return $"{$"{name} {value}".Trim()} = {@default}";
        }
    }

    private static IEnumerable<string> Rows(string section) =>
        Row().Matches(section).Select(row => $"{row.Groups[1].Value.Replace("\\|", "|", StringComparison.Ordinal)} = {row.Groups[2].Value.Trim()}");

    private static Dictionary<string, string> Sections(string page) =>
        page.Split("\n## `policystreams ")[1..].ToDictionary(section => section.Split('`')[0], section => section);

    [GeneratedRegex(@"(?m)^  ([a-z-]+)(?: \[?<\w+>\]?)*(?:\s{2,}.*)?$")]
    private static partial Regex CommandLine();

    [GeneratedRegex(@"(?m)^  (?:(?:-\S, )*(?<name>--[a-z-]+)(?: <(?<value>[^>]+)>)?|<(?<value>[^>]+)>)(?<required> \(REQUIRED\))?(?:\s{2,}(?<rest>.*))?$")]
    private static partial Regex OptionLine();

    [GeneratedRegex(@"\[default: (.*)\]$")]
    private static partial Regex Default();

    [GeneratedRegex(@"(?m)^\| `((?:\\\||[^`|])+)` \|(?:\\\||[^|])*\|([^|]*)\|$")]
    private static partial Regex Row();

    /// <summary>--help of every command that --help names, asked once.</summary>
    public sealed class Helps : IAsyncLifetime
    {
        public Dictionary<string, string> All { get; } = [];

        public async ValueTask InitializeAsync()
        {
            string[] ask = [""];
            while (ask.Length > 0)
            {
                (string Command, BuiltCommand.Ran Ran)[] answers = await Task.WhenAll(ask.Select(async command => (command, await BuiltCommand.RunAsync([.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]))));
                foreach ((string command, BuiltCommand.Ran ran) in answers)
                {
                    Assert.Equal((0, ""), (ran.Code, ran.Error));
                    All[command] = ran.Output;
                }

                ask = [.. answers.SelectMany(answer => Commands(answer.Ran.Output).Select(name => $"{answer.Command} {name}".Trim()))];
            }
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
