using System.CommandLine;

namespace PolicyStreams.Cli.Approvals;

/// <summary>Ends an approvals command: 1 where the service was asked and said no, 2 where the command could not run.</summary>
internal sealed class ApprovalsFailure(ExitCode exitCode, string message, string? help = null) : Exception(message)
{
    internal ExitCode ExitCode { get; } = exitCode;

    internal string? Help { get; } = help;

    /// <summary>Runs a command's body; a failure becomes its message on standard error and its exit code.</summary>
    internal static async Task<int> Run(ParseResult parse, Func<Task> body)
    {
        try
        {
            await body().ConfigureAwait(false);
            return (int)ExitCode.Ok;
        }
        catch (ApprovalsFailure failure)
        {
            TextWriter error = parse.InvocationConfiguration.Error;
            await error.WriteLineAsync($"policystreams: {failure.Message}").ConfigureAwait(false);
            if (failure.Help is not null) { await error.WriteLineAsync($"  help: {failure.Help}").ConfigureAwait(false); }
            return (int)failure.ExitCode;
        }
    }
}
