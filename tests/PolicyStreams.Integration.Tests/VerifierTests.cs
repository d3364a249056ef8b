using System.Text.Json;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Integration.Tests;

/// <summary>The verifier that the other tests trust: it passes what is right, and each single thing that is wrong is found.</summary>
public sealed class VerifierTests(KafkaFixture kafka) : IAsyncLifetime
{
    private const int SchemaId = 7;
    private static readonly string[] s_wrongs =
        ["undecided", "decided-twice", "lost", "doubled", "unmasked", "other-partition", "out-of-order", "seq-gap", "elsewhere", "header-lost", "timestamp", "rules"];

    private readonly string _records = Path.GetTempFileName();

    public static TheoryData<string> Wrongs { get; } = [.. s_wrongs];

    public async ValueTask InitializeAsync() => await Clients.GenerateAsync(_records, 332, seed: 5);

    public ValueTask DisposeAsync()
    {
        File.Delete(_records);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Verify_WhatTheFileCallsFor_IsOk()
    {
        (RunResult result, JsonElement report) = await VerifyAsync(null);
        Assert.True(result.ExitCode == 0, result.Output);
        Assert.Equal(332, report.GetProperty("decided").GetInt32());
        Assert.Equal(252, report.GetProperty("outcomes").GetProperty("allow").GetInt32());
    }

    [Theory]
    [MemberData(nameof(Wrongs))]
    public async Task Verify_OneThingWrong_IsFound(string wrong)
    {
        (RunResult result, JsonElement report) = await VerifyAsync(wrong);
        Assert.Equal(1, result.ExitCode);
        Assert.NotEmpty(report.GetProperty("problems").EnumerateObject());
    }

    private async Task<(RunResult Result, JsonElement Report)> VerifyAsync(string? wrong)
    {
        string bootstrap = await kafka.RequireAsync();
        string name = "verifier" + Convert.ToHexStringLower(Guid.NewGuid().ToByteArray().AsSpan(0, 4));
        string[] topics = [$"raw.{name}", $"governed.{name}", $"governed.{name}.eu", $"rejected.{name}", $"held.{name}", $"decisions.{name}"];
        await using TemporaryTopics made = await TemporaryTopics.CreateAsync(bootstrap, 4, topics);
        await Clients.ProduceAsync(bootstrap, topics[0], _records, SchemaId);
        string[] common = ["--bootstrap", bootstrap, "--binding", name, "--decisions", topics[^1], "--records", _records];
        string[] sabotage = wrong is null ? [] : ["--wrong", wrong];
        (await PythonAsync("pretend.py", [.. common, .. sabotage])).Succeeded();
        RunResult result = await PythonAsync("verify.py", [.. common, "--schema-id", "7"]);
        Assert.True(result.ExitCode is 0 or 1, result.Error);
        return (result, JsonDocument.Parse(result.Output).RootElement);
    }

    private static Task<RunResult> PythonAsync(string program, string[] arguments) =>
        Run.ProgramAsync(TestEnvironment.Python, [Path.Combine(TestEnvironment.Clients, program), .. arguments], TimeSpan.FromMinutes(1));
}
