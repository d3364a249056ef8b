using System.CommandLine;
using System.Text;
using PolicyStreams.Cli.Policies;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Policies;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams lock</c>: writes down what policies were reviewed with.</summary>
internal static class LockCommand
{
    internal static Command Create()
    {
        var inputs = new PolicyInputs();
        var path = new Argument<string>("path") { Description = "Folder of *.policy.yaml files, or one file", HelpName = "PATH" };
        var command = new Command("lock", "Write beside each policy what it was reviewed with: its digest, its schemas' fingerprints, and their fields") { path };
        inputs.AddRegistryTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                IReadOnlyList<PolicyFile> files = PolicyFolder.Read(parsed.GetValue(path)!);
                using RegistryClient? registry = inputs.Client(parsed);
                return await LockAsync(files, registry, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or StartException)
            {
                return Terminal.CouldNotRun(e.Message);
            }
        });
        return command;
    }

    private static async Task<int> LockAsync(IReadOnlyList<PolicyFile> files, ISchemaRegistry? registry, CancellationToken cancellationToken)
    {
        PolicyLoad load = PolicySet.Load(files);
        List<Diagnostic> diagnostics = [.. load.Diagnostics];
        var locks = new List<(string Path, string Text)>();
        foreach (PolicyDocument policy in load.Set?.Policies ?? [])
        {
            var said = new List<Diagnostic>();
            IReadOnlyDictionary<string, SubjectSchemas> schemas = await PolicyInputs.SchemasAsync(policy, registry, said, cancellationToken).ConfigureAwait(false);
            if (!said.Exists(IsError) && CompiledPolicy.Compile(policy, schemas, PolicyLinter.Stand(policy), said) is { } compiled && PolicyLock.Write(compiled, said) is { } text) { locks.Add((PolicyLock.PathOf(policy.Path), text)); }
            diagnostics.AddRange(said);
        }

        foreach (Diagnostic diagnostic in diagnostics.Where(IsError)) { Console.Error.WriteLine(diagnostic.ToString()); }

        // What has errors was not reviewed; all locks are of one state, or none is written.
        if (diagnostics.Exists(IsError)) { return (int)ExitCode.Found; }
        foreach ((string path, string text) in locks)
        {
            if (File.Exists(path) && PolicyInputs.Read(path).Text == text) { continue; }

            // Written beside and moved: a crash leaves the old file or the new one.
            string beside = path + ".new";
            await File.WriteAllTextAsync(beside, text, new UTF8Encoding(false), cancellationToken).ConfigureAwait(false);
            File.Move(beside, path, overwrite: true);
            Console.WriteLine(path);
        }

        return (int)ExitCode.Ok;
    }

    private static bool IsError(Diagnostic diagnostic) => diagnostic.Severity == Severity.Error;
}
