using System.Diagnostics;

namespace PolicyStreams.Rules.Tests;

/// <summary>The small form of the benchmarks: what is on a record's way allocates nothing and comes to the right result. It looks at no times.</summary>
public sealed class QuickBenchTests(ITestOutputHelper log)
{
    [Fact]
    public async Task Check_EveryTable_AllocatesNothingAndIsRight()
    {
        // bench/ is built with the solution, in the configuration of the tests.
        string configuration = Path.GetFileName(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)))!;
        string root = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../.."));
        string bench = Path.Combine(root, "bench", "bin", configuration, Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)), "PolicyStreams.Bench.dll");
        if (!File.Exists(bench) || configuration == "Debug")
        {
            Assert.False(Environment.GetEnvironmentVariable("CI") == "true" && configuration != "Debug", $"{bench} is not built.");
            Assert.Skip("bench/ is not built in Release.");
        }

        using var process = Process.Start(new ProcessStartInfo("dotnet", [bench, "--quick", "--check"]) { RedirectStandardOutput = true })!;
        string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        log.WriteLine(output);
        Assert.True(process.ExitCode == 0, output);
    }
}
