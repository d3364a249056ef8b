using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace PolicyStreams.Cli.Tests;

/// <summary>compose/ passes only options that the commands have, and mounts only files that are there: it is checked also where no image can be pulled.</summary>
public sealed partial class ComposeTests
{
    private static readonly string s_folder = Path.Combine(BuiltCommand.Root, "compose");

    public static TheoryData<string> Services { get; } = [.. Ours().Keys];

    [Theory]
    [MemberData(nameof(Services))]
    public async Task Command_EveryOption_IsInTheCommandsHelp(string service)
    {
        string[] words = Ours()[service];
        string[] command = [.. words.TakeWhile(word => !word.StartsWith('-'))];
        string help = await HelpAsync(command);
        string[] options = [.. words.Where(word => word.StartsWith("--", StringComparison.Ordinal)).Select(word => word.Split('=')[0])];
        Assert.NotEmpty(options);
        Assert.All(options, option => Assert.Matches($@"(?m)^\s+(-\w, )?{Regex.Escape(option)}\b", help));
    }

    [Fact]
    public async Task KeysScript_EveryOption_IsInTheCommandsHelp()
    {
        string script = await File.ReadAllTextAsync(Path.Combine(s_folder, "keys.sh"));
        Match line = PolicyStreamsLine().Match(script);
        Assert.True(line.Success);
        string[] words = line.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..];
        string help = await HelpAsync([.. words.TakeWhile(word => !word.StartsWith('-'))]);
        Assert.All(words.Where(word => word.StartsWith("--", StringComparison.Ordinal)), option => Assert.Contains(option, help, StringComparison.Ordinal));
    }

    [Fact]
    public void Volumes_EveryFileOfTheRepository_IsThere()
    {
        string[] sources = [.. Compose().SelectMany(service => Items(service.Value, "volumes")).Select(volume => volume.Split(':')[0]).Where(source => source.StartsWith('.'))];
        Assert.NotEmpty(sources);
        Assert.All(sources, source => Assert.True(Path.Exists(Path.Combine(s_folder, source)), source));
    }

    [Fact]
    public void Images_EveryOneThatIsPulled_NamesAVersion()
    {
        string[] images = [.. Compose().Select(service => Text(service.Value, "image")).OfType<string>().Where(image => !image.EndsWith(":local", StringComparison.Ordinal))];
        Assert.NotEmpty(images);
        Assert.All(images, image => Assert.Matches(@":v?\d+\.\d+", image));
    }

    /// <summary>Services that run <c>policystreams</c>, with the words of their command.</summary>
    private static Dictionary<string, string[]> Ours() =>
        Compose().Where(service => Text(service.Value, "image") == "policystreams:local" && Text(service.Value, "entrypoint") is null && Items(service.Value, "command").Length > 0)
            .ToDictionary(service => service.Key, service => Items(service.Value, "command"));

    private static Dictionary<string, YamlMappingNode> Compose()
    {
        var yaml = new YamlStream();
        using StreamReader text = File.OpenText(Path.Combine(s_folder, "docker-compose.yml"));
        yaml.Load(text);
        var services = (YamlMappingNode)yaml.Documents[0].RootNode["services"];
        return services.Children.ToDictionary(service => service.Key.ToString(), service => (YamlMappingNode)service.Value);
    }

    /// <summary>A property of a service, or of what it merges.</summary>
    private static YamlNode? Property(YamlMappingNode service, string name)
    {
        if (service.Children.TryGetValue(name, out YamlNode? own)) { return own; }
        return service.Children.TryGetValue("<<", out YamlNode? merged) ? Property((YamlMappingNode)merged, name) : null;
    }

    private static string? Text(YamlMappingNode service, string name) => Property(service, name)?.ToString();

    private static string[] Items(YamlMappingNode service, string name) => Property(service, name) is YamlSequenceNode items ? [.. items.Select(item => item.ToString())] : [];

    private static async Task<string> HelpAsync(string[] command)
    {
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync([.. command, "--help"]);
        Assert.Equal(0, ran.Code);
        return ran.Output;
    }

    [GeneratedRegex(@"policystreams approvals keygen[^\n|&]*")]
    private static partial Regex PolicyStreamsLine();
}
