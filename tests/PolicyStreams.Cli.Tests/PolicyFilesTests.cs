using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace PolicyStreams.Cli.Tests;

/// <summary>Files and pipes that are given in place of a policy's: a line with a place and a code, or why it could not run; never a stack trace, never half a file.</summary>
public sealed partial class PolicyFilesTests : IDisposable
{
    private const int MiB = 1024 * 1024;

    private const string Policy = """
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: p }
        bindings:
          - name: p
            format: json
        rules:
          - id: first
            when: value.a == 1.0
            deny: { reason: first }

        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("policy-files-").FullName;

    private string PolicyPath => Path.Combine(_folder, "p.policy.yaml");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string, string> BadFiles() => new()
    {
        { "100 MB of comments", "PS0001" },
        { "4 MiB and a byte", "PS0001" },
        { "rules behind 8 MiB of CJK comments", "PS0001" },
        { "UTF-16", "PS0002" },
        { "UTF-16 without a mark", "PS0002" },
        { "UTF-16 big-endian", "PS0002" },
        { "a byte order mark", "PS0002" },
        { "not UTF-8", "PS0002" },
        { "NULs", "PS0002" },
        { "tabs", "PS0003" },
        { "nothing", "PS0009" },
    };

    [Theory]
    [MemberData(nameof(BadFiles))]
    public async Task Lint_BadFile_IsADiagnostic(string kind, string code)
    {
        await File.WriteAllBytesAsync(PolicyPath, Bytes(kind));
        var clock = Stopwatch.StartNew();
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("lint", _folder);
        Assert.Equal(1, ran.Code);
        string[] said = [.. ran.Lines.Where(line => !line.StartsWith(' '))];
        Assert.Matches(DiagnosticLine(), Assert.Single(said));
        Assert.Contains($": {code} error: ", said[0]);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), clock.Elapsed.ToString());
    }

    [Fact]
    public async Task Lint_FileOfFourMiB_IsRead()
    {
        await File.WriteAllBytesAsync(PolicyPath, Padded(4 * MiB));
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("lint", _folder);
        Assert.Equal((0, ""), (ran.Code, ran.Output));
    }

    [Fact]
    public async Task Fmt_FileThatIsTooLarge_IsLeftAsItIs()
    {
        byte[] before = Bytes("rules behind 8 MiB of CJK comments");
        await File.WriteAllBytesAsync(PolicyPath, before);
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("fmt", _folder);
        Assert.Equal((1, ""), (ran.Code, ran.Output));
        Assert.Contains(": PS0001 error: ", ran.Error);
        byte[] after = await File.ReadAllBytesAsync(PolicyPath);
        Assert.True(before.AsSpan().SequenceEqual(after));
    }

    [Fact]
    public async Task Decide_SchemaThatIsTooLarge_CouldNotRun()
    {
        // A JSON Schema whose part within the first 8 MiB is one too.
        await File.WriteAllTextAsync(PolicyPath, Policy.Replace("format: json", "format: json\n    schema: s.json", StringComparison.Ordinal));
        await File.WriteAllTextAsync(Path.Combine(_folder, "s.json"), "{}" + new string(' ', 12 * MiB) + "]");
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync(new BuiltCommand.Given("{}\n"), "decide", "--policy", PolicyPath, "--binding", "p", "--schema", Path.Combine(_folder, "s.json"), "--input", "-", "--input-format", "json");
        Assert.Equal((2, ""), (ran.Code, ran.Output));
        Assert.Contains("10 MB", ran.Error);
    }

    [Fact]
    public async Task Lint_FromAPipe_IsRead()
    {
        BuiltCommand.Ran good = await BuiltCommand.RunAsync(new BuiltCommand.Given(Policy), "lint", "/dev/stdin");
        Assert.Equal((0, ""), (good.Code, good.Output));
        BuiltCommand.Ran bad = await BuiltCommand.RunAsync(new BuiltCommand.Given(Policy.Replace("deny:", "dney:", StringComparison.Ordinal)), "lint", "/dev/stdin");
        Assert.Equal(1, bad.Code);
        Assert.Contains("/dev/stdin:10:5: PS0100 error", bad.Output);
        BuiltCommand.Ran large = await BuiltCommand.RunAsync(new BuiltCommand.Given(Policy + new string('#', 4 * MiB)), "lint", "/dev/stdin");
        Assert.Equal(1, large.Code);
        Assert.Contains("PS0001 error", large.Output);
    }

    [Fact]
    public async Task Decide_PolicySchemaAndKeyFromPipes_AreRead()
    {
        await File.WriteAllTextAsync(PolicyPath, Policy.Replace("rules:\n", "rules:\n  - { id: h, mask: { field: b, hmac: k } }\n", StringComparison.Ordinal));
        string key = "0123456789-0123456789-0123456789", records = Path.Combine(_folder, "records");
        await File.WriteAllTextAsync(records, "{\"a\":2,\"b\":\"x\"}\n");
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync(new BuiltCommand.Given(key), "decide", "--policy", PolicyPath, "--binding", "p", "--input", records, "--input-format", "json", "--key", "k=file:/dev/stdin");
        Assert.Equal((0, ""), (ran.Code, ran.Error));
        Assert.Contains("\"masked\":[\"b\"]", ran.Output);
        BuiltCommand.Ran large = await BuiltCommand.RunAsync(new BuiltCommand.Given(new string('k', 70_000)), "decide", "--policy", PolicyPath, "--binding", "p", "--input", records, "--input-format", "json", "--key", "k=file:/dev/stdin");
        Assert.Equal((2, ""), (large.Code, large.Output));
        Assert.Contains("larger than 65536 bytes", large.Error);
        BuiltCommand.Ran schema = await BuiltCommand.RunAsync(new BuiltCommand.Given("""{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"string"}},"required":["a","b"]}"""), "decide", "--policy", PolicyPath, "--binding", "p", "--schema", "/dev/stdin", "--input", records, "--input-format", "json", "--key", $"k=file:{PolicyPath}");
        Assert.Equal((0, ""), (schema.Code, schema.Error));
    }

    [Fact]
    public async Task Fmt_APipe_IsNotReplacedByAFile()
    {
        using (Process mkfifo = Process.Start("mkfifo", [PolicyPath])) { await mkfifo.WaitForExitAsync(TestContext.Current.CancellationToken); }
        string untidy = Policy.Replace("{ name: p }", "{name:   p}", StringComparison.Ordinal);
        foreach ((string[] options, int code) in new (string[], int)[] { ([], 2), (["--stdout"], 0) })
        {
            // A writer waits for a reader: longer than the command has is never.
            Task writer = Task.Run(() => File.WriteAllText(PolicyPath, untidy), TestContext.Current.CancellationToken);
            BuiltCommand.Ran ran = await BuiltCommand.RunAsync(["fmt", .. options, PolicyPath]);
            await writer.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
            Assert.Equal((code, code == 0), (ran.Code, ran.Output.Contains("metadata: { name: p }\n", StringComparison.Ordinal)));
            Assert.Equal([PolicyPath], Directory.GetFiles(_folder));
            using Process test = Process.Start("test", ["-p", PolicyPath]);
            await test.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.Equal(0, test.ExitCode);
        }
    }

    [Fact]
    public async Task AnyCommand_WhatNobodyForesaw_IsOneLine()
    {
        await File.WriteAllTextAsync(PolicyPath, Policy);
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("decide", "--policy", PolicyPath, "--binding", "p", "--input", "", "--input-format", "json");
        Assert.Equal((2, ""), (ran.Code, ran.Output));
        Assert.StartsWith("policystreams: ", Assert.Single(ran.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    [Theory]
    [InlineData("10:30")]
    [InlineData("1.5")]
    [InlineData("01/02/2026")]
    [InlineData("2026-01-02")]
    [InlineData("2026-01-02T03:04:05")]
    [InlineData("2026-01-02T03:04:05.00001Z")]
    public async Task Decide_TimeThatIsNoInstant_CouldNotRun(string time)
    {
        await File.WriteAllTextAsync(PolicyPath, Policy);
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync(new BuiltCommand.Given("{}\n"), "decide", "--policy", PolicyPath, "--binding", "p", "--input", "-", "--input-format", "json", "--time", time);
        Assert.Equal((2, ""), (ran.Code, ran.Output));
        Assert.Contains($"--time: `{time}` is no instant", ran.Error);
    }

    [Fact]
    public async Task Decide_Time_IsTheDecisions()
    {
        await File.WriteAllTextAsync(PolicyPath, Policy);
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync(new BuiltCommand.Given("{\"a\":2}\n"), "decide", "--policy", PolicyPath, "--binding", "p", "--input", "-", "--input-format", "json", "--time", "2026-01-02T05:04:05.678+02:00");
        Assert.Equal((0, ""), (ran.Code, ran.Error));
        Assert.Contains("\"time\":\"2026-01-02T03:04:05.678Z\"", ran.Output);
    }

    private static byte[] Bytes(string kind) => kind switch
    {
        "100 MB of comments" => Encoding.UTF8.GetBytes(new string('#', 100 * MiB)),
        "4 MiB and a byte" => Padded((4 * MiB) + 1),
        "rules behind 8 MiB of CJK comments" => BehindComments(),
        "UTF-16" => [.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes(Policy)],
        "UTF-16 without a mark" => Encoding.Unicode.GetBytes(Policy),
        "UTF-16 big-endian" => [.. Encoding.BigEndianUnicode.GetPreamble(), .. Encoding.BigEndianUnicode.GetBytes(Policy)],
        "a byte order mark" => [.. Encoding.UTF8.GetPreamble(), .. Encoding.UTF8.GetBytes(Policy)],
        "not UTF-8" => Encoding.Latin1.GetBytes(Policy.Replace("reason: first", "reason: pröva", StringComparison.Ordinal)),
        "NULs" => new byte[10_000],
        "tabs" => Encoding.UTF8.GetBytes(Policy.Replace("    deny", "\tdeny", StringComparison.Ordinal)),
        _ => [],
    };

    private static byte[] Padded(int length) => [.. Encoding.UTF8.GetBytes(Policy), .. Enumerable.Repeat((byte)'#', length - Policy.Length)];

    /// <summary>A policy whose first 8 MiB are a whole policy too, of fewer than 4 Mi characters; a rule that denies stands behind them.</summary>
    private static byte[] BehindComments()
    {
        var text = new StringBuilder(Policy);
        string line = "  # " + new string('字', 1_000) + "\n";
        int size = Encoding.UTF8.GetByteCount(line), rest = (8 * MiB) - Policy.Length;
        text.Append('#').Append(' ', (rest % size) - 2).Append('\n');
        text.Insert(text.Length, line, (rest / size) + 300);
        text.Append("  - id: last\n    deny: { reason: last }\n");
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    [GeneratedRegex(@"^.+:\d+:\d+: PS000\d error: .+$")]
    private static partial Regex DiagnosticLine();
}
