using System.Diagnostics;

namespace PolicyStreams.Integration.Tests.Support;

/// <summary>What a program printed, and how it ended.</summary>
internal sealed record RunResult(int ExitCode, string Output, string Error)
{
    /// <summary>The output, where the program ended well; else fails with what it said.</summary>
    public string Succeeded()
    {
        Assert.True(ExitCode == 0, $"exit {ExitCode}\n{Error}\n{Output}");
        return Output.Trim();
    }
}

/// <summary>Runs programs to their end.</summary>
internal static class Run
{
    public static Task<RunResult> PolicyStreamsAsync(params string[] arguments) => PolicyStreamsAsync(null, arguments);

    public static Task<RunResult> PolicyStreamsAsync(IReadOnlyDictionary<string, string>? environment, params string[] arguments) =>
        ProgramAsync(TestEnvironment.Command[0], [.. TestEnvironment.Command.Skip(1), .. arguments], TimeSpan.FromMinutes(1), environment: environment);

    /// <param name="deadline">The program is killed when it is past it, and the test fails.</param>
    /// <param name="outputFile">Takes standard output in place of <see cref="RunResult.Output"/>.</param>
    public static async Task<RunResult> ProgramAsync(
        string file, IReadOnlyList<string> arguments, TimeSpan deadline, string? input = null, string? outputFile = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(file) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (string argument in arguments) { start.ArgumentList.Add(argument); }
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>()) { start.Environment[name] = value; }
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        start.Environment["PYTHONIOENCODING"] = "utf-8";
        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"{file} did not start.");
        using var limit = new CancellationTokenSource(deadline);
        try
        {
            Task<string> error = process.StandardError.ReadToEndAsync(limit.Token);
            if (input is not null) { await process.StandardInput.WriteAsync(input.AsMemory(), limit.Token); }
            process.StandardInput.Close();
            string output = "";
            if (outputFile is null)
            {
                output = await process.StandardOutput.ReadToEndAsync(limit.Token);
            }
            else
            {
                await using FileStream to = File.Create(outputFile);
                await process.StandardOutput.BaseStream.CopyToAsync(to, limit.Token);
            }

            await process.WaitForExitAsync(limit.Token);
            return new RunResult(process.ExitCode, output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{Path.GetFileName(file)} {string.Join(' ', arguments.Take(3))} … did not end within {deadline.TotalSeconds} s.");
        }
    }
}
