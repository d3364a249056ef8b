using System.CommandLine;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams registry</c>: the dev registry on its own, for a desk.</summary>
internal static class RegistryCommand
{
    internal static Command Create()
    {
        var schemas = new Option<string>("--schemas") { Description = "Folder of schema files to register at start; a file's name is its subject: raw.payments-value.avsc", HelpName = "DIR" };
        var port = new Option<int>("--port") { Description = "Port on 127.0.0.1; 0 takes a free one", HelpName = "N", DefaultValueFactory = _ => 8081 };
        var compatibility = new Option<string>("--compatibility") { Description = "NONE, BACKWARD, FORWARD, FULL, or one of these with _TRANSITIVE", HelpName = "LEVEL", DefaultValueFactory = _ => "BACKWARD" };
        var command = new Command("registry", "Run the dev schema registry on loopback, in memory: for a desk, not for production") { schemas, port, compatibility };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            string? folder = parsed.GetValue(schemas);
            if (folder is not null && !Directory.Exists(folder)) { return Terminal.CouldNotRun($"--schemas: folder `{folder}` is not there"); }
            try
            {
                await using DevRegistry registry = await DevRegistry.StartAsync(
                    new DevRegistryOptions { Folder = folder, Port = parsed.GetValue(port), Compatibility = parsed.GetValue(compatibility)! }, cancellationToken);
                Console.WriteLine(registry.Url);
                await Console.Error.WriteLineAsync("The dev registry keeps schemas in memory only. Ctrl-C ends it.");
                try
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
                }
                catch (OperationCanceledException)
                {
                }

                return (int)ExitCode.Ok;
            }
            catch (Exception e) when (e is IOException or ArgumentException or PolicyStreams.Schemas.SchemaException)
            {
                return Terminal.CouldNotRun(e.Message);
            }
        });
        return command;
    }
}
