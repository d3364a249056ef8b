using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace PolicyStreams.Schemas.Tests;

/// <summary>The client against the registry that POLICYSTREAMS_TEST_REGISTRY names: a URL, or a script with `start DIR [--port N]` and `stop DIR`.</summary>
public class RealRegistryTests
{
    [Fact]
    public async Task Client_AgainstARealRegistry_FindsEverything()
    {
        string? registry = Environment.GetEnvironmentVariable("POLICYSTREAMS_TEST_REGISTRY");
        if (string.IsNullOrEmpty(registry) && Environment.GetEnvironmentVariable("CI") == "true") { Assert.Fail("POLICYSTREAMS_TEST_REGISTRY is not set."); }
        Assert.SkipWhen(string.IsNullOrEmpty(registry), "POLICYSTREAMS_TEST_REGISTRY is not set.");
        using var http = new HttpClient();
        if (registry!.StartsWith("http", StringComparison.Ordinal))
        {
            await RegistryScenario.RunAsync(registry.TrimEnd('/'), http, guids: false);
            return;
        }

        DirectoryInfo folder = Directory.CreateTempSubdirectory("policystreams-");
        try
        {
            string url = await RunAsync(registry, "start", folder.FullName, "--port", FreePort().ToString(System.Globalization.CultureInfo.InvariantCulture));
            await RegistryScenario.RunAsync(url.Trim(), http, guids: false);
        }
        finally
        {
            await RunAsync(registry, "stop", folder.FullName);
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The first line of what the script prints; what it starts may keep its output open.</summary>
    private static async Task<string> RunAsync(string script, params string[] arguments)
    {
        using var process = new Process { StartInfo = new ProcessStartInfo(script, arguments) { RedirectStandardOutput = true } };
        process.Start();
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        string line = await process.StandardOutput.ReadLineAsync(deadline.Token) ?? "";
        await process.WaitForExitAsync(deadline.Token);
        Assert.Equal(0, process.ExitCode);
        return line;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
