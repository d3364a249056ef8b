using System.CommandLine;
using PolicyStreams.Cli.Policies;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Policies;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams lint</c>: every mistake of every policy at once, typed against its schemas.</summary>
internal static class LintCommand
{
    internal static Command Create()
    {
        var inputs = new PolicyInputs();
        var path = new Argument<string>("path") { Description = "Folder of *.policy.yaml files, or one file", HelpName = "PATH" };
        var strict = new Option<bool>("--strict") { Description = "Warnings fail too" };
        var locked = new Option<bool>("--locked") { Description = "Fail where a policy or its schemas are not what `policystreams lock` wrote down" };
        var conventions = new Option<string>("--conventions") { Description = "A platform team's Conventions document [default: the *.conventions.yaml files in the folder]", HelpName = "FILE" };
        var command = new Command("lint", "Check policies against their schemas: every mistake at once, as file:line:column") { path, strict, locked, conventions };
        inputs.AddRegistryTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                IReadOnlyList<PolicyFile> files = PolicyFolder.Read(parsed.GetValue(path)!);
                using RegistryClient? registry = inputs.Client(parsed);
                var diagnostics = new List<Diagnostic>();
                List<ConventionsDocument> permitted = [];
                foreach (PolicyFile file in Conventions(parsed.GetValue(path)!, parsed.GetValue(conventions)))
                {
                    if (ConventionsDocument.Read(file, diagnostics) is { } document) { permitted.Add(document); }
                }

                diagnostics.AddRange(await LintAsync(files, permitted, registry, parsed.GetValue(locked), cancellationToken).ConfigureAwait(false));
                return Say(diagnostics, parsed.GetValue(strict), files.Count);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or StartException)
            {
                return Terminal.CouldNotRun(e.Message);
            }
        });
        return command;
    }

    private static IReadOnlyList<PolicyFile> Conventions(string path, string? named)
    {
        if (named is not null) { return [PolicyInputs.Read(named)]; }
        string folder = File.Exists(path) ? PolicyInputs.FolderOf(path) : path;
        return [.. Directory.EnumerateFiles(folder, "*.conventions.y*ml", File.Exists(path) ? SearchOption.TopDirectoryOnly : SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(PolicyInputs.Read)];
    }

    private static async Task<IReadOnlyList<Diagnostic>> LintAsync(
        IReadOnlyList<PolicyFile> files, IReadOnlyList<ConventionsDocument> conventions, ISchemaRegistry? registry, bool locked, CancellationToken cancellationToken)
    {
        // The linter is pure: what it may ask for is fetched first.
        var fetched = new Dictionary<string, (IReadOnlyDictionary<string, SubjectSchemas> Schemas, List<Diagnostic> Said)>(StringComparer.Ordinal);
        foreach (PolicyDocument policy in PolicySet.Load(files).Documents)
        {
            var said = new List<Diagnostic>();
            fetched[policy.Path] = (await PolicyInputs.SchemasAsync(policy, registry, said, cancellationToken).ConfigureAwait(false), said);
        }

        return PolicyLinter.Lint(
            files,
            (policy, diagnostics) =>
            {
                (IReadOnlyDictionary<string, SubjectSchemas> schemas, List<Diagnostic> said) = fetched[policy.Path];
                foreach (Diagnostic diagnostic in said) { diagnostics.Add(diagnostic); }
                return schemas;
            },
            conventions: conventions,
            more: documents => RuntimeSupport.Check(documents, Severity.Warning),
            tested: conventions.Any(one => one.RequiresTests) ? policy => Tested(policy, fetched[policy.Path].Schemas) : null,
            locks: locked ? policy => File.Exists(PolicyLock.PathOf(policy.Path)) ? PolicyInputs.Read(PolicyLock.PathOf(policy.Path)) : null : null);
    }

    /// <summary>Rules that fire in the tests beside the policy. A test that fails, or cannot be run, is the command `test`'s to tell.</summary>
    private static HashSet<string> Tested(PolicyDocument policy, IReadOnlyDictionary<string, SubjectSchemas> schemas)
    {
        string folder = PolicyInputs.FolderOf(policy.Path);
        var runner = new PolicyTestRunner(PolicyInputs.Beside(folder), (_, _) => schemas);
        foreach (string file in Directory.EnumerateFiles(folder, "*.tests.y*ml").Order(StringComparer.Ordinal))
        {
            if (PolicyTestRunner.PolicyOf(PolicyInputs.Read(file)) is { } tested && Path.GetFullPath(Path.Combine(folder, tested)) == Path.GetFullPath(policy.Path)) { runner.Run(PolicyInputs.Read(file)); }
        }

        return [.. runner.Report().Coverage.Where(rule => rule.Fired && rule.Policy == policy.Name).Select(rule => rule.Rule)];
    }

    private static int Say(IReadOnlyList<Diagnostic> diagnostics, bool strict, int files)
    {
        foreach (Diagnostic diagnostic in diagnostics) { Console.WriteLine(diagnostic.ToString()); }
        int errors = diagnostics.Count(diagnostic => diagnostic.Severity == Severity.Error);
        int warnings = diagnostics.Count(diagnostic => diagnostic.Severity == Severity.Warning);
        Console.Error.WriteLine($"{files} file(s), {errors} error(s), {warnings} warning(s)");
        return (int)(errors > 0 || (strict && warnings > 0) ? ExitCode.Found : ExitCode.Ok);
    }
}
