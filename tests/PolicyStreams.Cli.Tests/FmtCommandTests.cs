namespace PolicyStreams.Cli.Tests;

/// <summary><c>policystreams fmt</c> on folders, to standard output, and on files that it leaves alone.</summary>
public sealed class FmtCommandTests : IDisposable
{
    private const string Canonical = "# why it is there\nmetadata: { name: a }  # and its name\nmode: shadow\n";
    private const string Odd = "mode:   shadow\n# why it is there\nmetadata: {name: 'a'}  # and its name\n";
    private const string Lossy = "metadata: # one\n  a # two\n";

    private readonly string _folder = Directory.CreateTempSubdirectory("fmt-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Fmt_Stdout_WritesTheTextAndChangesNothing()
    {
        string path = Write("a.policy.yaml", Odd);
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("fmt", "--stdout", path);
        Assert.Equal((0, Canonical, ""), (ran.Code, ran.Output, ran.Error));
        Assert.Equal(Odd, await File.ReadAllTextAsync(path));

        // What is canonical comes out as it went in, and nothing is left beside it.
        await File.WriteAllTextAsync(path, Canonical);
        Assert.Equal(Canonical, (await BuiltCommand.RunAsync("fmt", "--stdout", path)).Output);
        Assert.Equal([path], Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task Fmt_Folder_FormatsWhatItCanAndLeavesTheRestAsItIs()
    {
        string odd = Write("a.policy.yaml", Odd), lossy = Write("b.policy.yaml", Lossy), broken = Write("c.policy.yaml", "a: [\n"), clean = Write("d.policy.yaml", Canonical), tests = Write("a.policy.tests.yaml", Odd);
        BuiltCommand.Ran check = await BuiltCommand.RunAsync("fmt", "--check", _folder);
        Assert.Equal((1, odd + "\n"), (check.Code, check.Output));
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("fmt", _folder);
        Assert.Equal((1, odd + "\n"), (ran.Code, ran.Output));
        Assert.Contains($"{lossy}:1:1: PS0004 error: the file cannot be formatted without loss, and is left as it is", ran.Error);
        Assert.Matches($"{broken}:[0-9]+:[0-9]+: PS0004 error: ", ran.Error);
        Assert.Equal([Canonical, Lossy, "a: [\n", Canonical, Odd], ((string[])[odd, lossy, broken, clean, tests]).Select(File.ReadAllText));
        Assert.Equal(5, Directory.GetFiles(_folder).Length);
    }

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
