using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace PolicyStreams.Integration.Tests.Support;

/// <summary>
/// A service that a script starts and stops: <c>SCRIPT start DIR [--port N]</c> prints its address, <c>SCRIPT stop DIR</c> ends it. It is stopped when the tests end, and by a
/// watchdog process when they end without saying so.
/// </summary>
internal sealed class ScriptedService : IAsyncDisposable
{
    private readonly string _script;
    private Process? _watchdog;

    private ScriptedService(string script, string folder, string address)
    {
        _script = script;
        Folder = folder;
        Address = address;
    }

    public string Folder { get; }

    public string Address { get; }

    public static Task<ScriptedService> StartAsync(string script, string name, params string[] options) => StartAsync(script, name, FreePorts(), options);

    public static async Task<ScriptedService> StartAsync(string script, string name, int port, params string[] options)
    {
        string folder = Directory.CreateTempSubdirectory($"policystreams-{name}-").FullName;
        Process watchdog = Watch(script, folder);
        RunResult result = await Run.ProgramAsync(script, ["start", folder, "--port", port.ToString(CultureInfo.InvariantCulture), .. options], TimeSpan.FromMinutes(3));
        string address = result.Succeeded().Split('\n')[^1].Trim();
        return new ScriptedService(script, folder, address) { _watchdog = watchdog };
    }

    public Task<RunResult> ScriptAsync(string verb, params string[] arguments) => Run.ProgramAsync(_script, [verb, Folder, .. arguments], TimeSpan.FromMinutes(2));

    public async ValueTask DisposeAsync()
    {
        await ScriptAsync("stop");
        _watchdog?.Kill();
        _watchdog?.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>A port that is free, and the one after it as well: a broker takes both.</summary>
    public static int FreePorts()
    {
        for (int attempt = 0; attempt < 100; attempt++)
        {
            using var first = new TcpListener(IPAddress.Loopback, 0);
            first.Start();
            int port = ((IPEndPoint)first.LocalEndpoint).Port;
            if (port == 65535) { continue; }
            try
            {
                using var second = new TcpListener(IPAddress.Loopback, port + 1);
                second.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken: another pair.
            }
        }

        throw new InvalidOperationException("No two free ports in a row.");
    }

    // A process of its own: the script is run also where this one is killed. It lives on in its own session, past a signal to the group.
    private static Process Watch(string script, string folder)
    {
        const string Program = "while kill -0 \"$1\" 2>/dev/null; do sleep 1; done; \"$2\" stop \"$3\"; rm -rf \"$3\"";
        var start = new ProcessStartInfo("setsid");
        string pid = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        foreach (string argument in (string[])["bash", "-c", Program, "watchdog", pid, script, folder]) { start.ArgumentList.Add(argument); }
        return Process.Start(start) ?? throw new InvalidOperationException("The watchdog did not start.");
    }
}
