using System.Diagnostics;
using System.Text;

namespace PolicyStreams.Cli.Tests;

/// <summary>The command as built in the configuration of these tests, run as a process of its own: what a script sees of it.</summary>
internal static class BuiltCommand
{
    // Long enough for a machine that is busy with other tests; a command that hangs ends the test with its name.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <summary>The repository's root.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>examples/payments.</summary>
    public static string Payments { get; } = Path.Combine(Root, "examples", "payments");

    public static Task<Ran> RunAsync(params string[] arguments) => RunAsync(new Given(), arguments);

    public static async Task<Ran> RunAsync(Given given, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = given.Folder ?? Root,
        };
        start.ArgumentList.Add(Program());
        foreach (string argument in arguments) { start.ArgumentList.Add(argument); }

        // What the machine has configured is not what is tested.
        foreach (string name in start.Environment.Keys.Where(name => name.StartsWith("PolicyStreams__", StringComparison.OrdinalIgnoreCase)).ToArray()) { start.Environment.Remove(name); }
        foreach ((string name, string value) in given.Environment ?? []) { start.Environment[name] = value; }
        using Process process = Process.Start(start)!;
        using var patience = new CancellationTokenSource(s_patience);
        try
        {
            Task<string> output = ReadAsync(process.StandardOutput, given.Line, patience.Token);
            Task<string> error = process.StandardError.ReadToEndAsync(patience.Token);
            await process.StandardInput.WriteAsync((given.Input ?? "").AsMemory(), patience.Token);
            process.StandardInput.Close();
            await process.WaitForExitAsync(patience.Token);
            return new Ran(process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"policystreams {string.Join(' ', arguments)} did not end within {s_patience.TotalSeconds} s");
        }
    }

    private static async Task<string> ReadAsync(StreamReader output, Func<string, Task>? take, CancellationToken patience)
    {
        if (take is null) { return await output.ReadToEndAsync(patience); }
        var all = new StringBuilder();
        while (await output.ReadLineAsync(patience) is { } line)
        {
            all.Append(line).Append('\n');
            await take(line);
        }

        return all.ToString();
    }

    private static string Program()
    {
        string[] parts = AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar);
        return Path.Combine(Root, "cli", "bin", parts[^2], parts[^1], "policystreams.dll");
    }

    private static string FindRoot()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "PolicyStreams.sln"))) { folder = Path.GetDirectoryName(folder)!; }
        return folder;
    }

    /// <param name="Input">What is on standard input.</param>
    /// <param name="Folder">The working folder; default the repository's root.</param>
    /// <param name="Line">Gets each line of standard output while the command runs.</param>
    internal sealed record Given(string? Input = null, string? Folder = null, Dictionary<string, string>? Environment = null, Func<string, Task>? Line = null);

    internal sealed record Ran(int Code, string Output, string Error)
    {
        /// <summary>Lines of standard output.</summary>
        public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
