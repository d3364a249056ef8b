using System.CommandLine;
using System.Globalization;
using PolicyStreams.Cli.Policies;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams test</c>: the tests that lie beside policies.</summary>
internal static class TestCommand
{
    internal static Command Create()
    {
        var inputs = new PolicyInputs();
        var path = new Argument<string>("path") { Description = "Folder with *.tests.yaml files, or one file", HelpName = "PATH" };
        var coverage = new Option<bool>("--coverage") { Description = "Say of each rule and each branch of its condition what no test reached" };
        var minCoverage = new Option<double?>("--min-coverage") { Description = "Fail below this percentage", HelpName = "PERCENT" };
        var mutate = new Option<bool>("--mutate") { Description = "Change each rule in small ways and see whether a test notices; show the changes that none does" };
        var minMutation = new Option<double?>("--min-mutation") { Description = "Fail where less than this percentage of changes is noticed; implies --mutate", HelpName = "PERCENT" };
        var junit = new Option<string>("--junit") { Description = "Write JUnit XML here; - is standard output", HelpName = "FILE" };
        var json = new Option<string>("--json") { Description = "Write JSON here; - is standard output", HelpName = "FILE" };
        var command = new Command("test", "Run the tests of policies") { path, coverage, minCoverage, mutate, minMutation, junit, json };
        inputs.AddRegistryTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                List<string> files = Find(parsed.GetValue(path)!);
                using RegistryClient? registry = inputs.Client(parsed);
                var report = new PolicyTestReport([], [], []);
                bool mutating = parsed.GetValue(mutate) || parsed.GetValue(minMutation) is not null;
                MutationReport? mutation = mutating ? new MutationReport([], []) : null;
                foreach (IGrouping<string, string> folder in files.GroupBy(PolicyInputs.FolderOf))
                {
                    PolicyTestRunner runner = await RunAsync(folder.Key, [.. folder], registry, cancellationToken).ConfigureAwait(false);
                    PolicyTestReport part = runner.Report();
                    if (mutation is not null) { mutation = runner.Mutate() is { } mutants ? new MutationReport([.. mutation.Mutants, .. mutants.Mutants], [.. mutation.Diagnostics, .. mutants.Diagnostics]) : null; }
                    report = new PolicyTestReport([.. report.Results, .. part.Results], [.. report.Diagnostics, .. part.Diagnostics], [.. report.Coverage, .. part.Coverage]);
                }

                return Say(report, parsed.GetValue(coverage), parsed.GetValue(minCoverage), mutation, mutating, parsed.GetValue(minMutation), parsed.GetValue(junit), parsed.GetValue(json));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or StartException)
            {
                return Terminal.CouldNotRun(e.Message);
            }
        });
        return command;
    }

    private static List<string> Find(string path)
    {
        if (File.Exists(path)) { return [path]; }
        if (!Directory.Exists(path)) { throw new IOException($"`{path}` is neither a folder nor a test file."); }
        List<string> files = [.. Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
            .Where(file => file.EndsWith(".tests.yaml", StringComparison.Ordinal) || file.EndsWith(".tests.yml", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        return files.Count > 0 ? files : throw new IOException($"There is no test file in `{path}`: its name ends in `.tests.yaml`.");
    }

    private static async Task<PolicyTestRunner> RunAsync(string folder, IReadOnlyList<string> files, ISchemaRegistry? registry, CancellationToken cancellationToken)
    {
        Func<string, string?> beside = PolicyInputs.Beside(folder);
        if (registry is null)
        {
            var local = new PolicyTestRunner(beside);
            foreach (string file in files) { local.Run(PolicyInputs.Read(file)); }
            return local;
        }

        // The runner is pure: the subjects that policies here name are fetched first.
        var fetched = new Dictionary<string, (IReadOnlyDictionary<string, SubjectSchemas> Schemas, List<Diagnostic> Said)>(StringComparer.Ordinal);
        foreach (string path in Directory.EnumerateFiles(folder, "*.policy.y*ml").Order(StringComparer.Ordinal))
        {
            foreach (PolicyDocument policy in PolicySet.Load([PolicyInputs.Read(path)]).Set?.Policies ?? [])
            {
                var said = new List<Diagnostic>();
                fetched[policy.Name] = (await PolicyInputs.SchemasAsync(policy, registry, said, cancellationToken).ConfigureAwait(false), said);
            }
        }

        var runner = new PolicyTestRunner(beside, (policy, diagnostics) =>
        {
            if (!fetched.TryGetValue(policy.Name, out (IReadOnlyDictionary<string, SubjectSchemas> Schemas, List<Diagnostic> Said) found)) { return LocalSchemas.Load(policy, beside, diagnostics); }
            foreach (Diagnostic diagnostic in found.Said) { diagnostics.Add(diagnostic); }
            return found.Schemas;
        });
        foreach (string file in files) { runner.Run(PolicyInputs.Read(file)); }
        return runner;
    }

    /// <param name="mutation">Null where mutants were not asked for, or not tried because a test failed.</param>
    private static int Say(PolicyTestReport report, bool coverage, double? minCoverage, MutationReport? mutation, bool mutating, double? minMutation, string? junit, string? json)
    {
        if (junit is not null)
        {
            using TextWriter writer = junit == "-" ? Console.Out : new StreamWriter(junit);
            PolicyTestOutput.WriteJUnit(report, writer);
        }

        if (json is not null)
        {
            using Stream stream = json == "-" ? Console.OpenStandardOutput() : File.Create(json);
            PolicyTestOutput.WriteJson(report, stream, mutation);
        }

        // What a program reads on standard output must not have a person's text around it.
        TextWriter text = junit == "-" || json == "-" ? Console.Error : Console.Out;
        PolicyTestOutput.WriteText(report, text, coverage);
        if (mutation is not null) { PolicyTestOutput.WriteMutation(mutation, text); }
        else if (mutating) { Console.Error.WriteLine("no mutant was tried: every test has to pass first"); }
        bool low = minCoverage is { } min && report.CoveragePercent < min;
        if (low) { Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"coverage {report.CoveragePercent:0.0} % is below {minCoverage:0.0} %")); }
        bool few = mutation is not null && minMutation is { } least && mutation.Percent < least;
        if (few) { Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"mutation {mutation!.Percent:0.0} % is below {minMutation:0.0} %")); }
        bool wrong = mutation is null ? mutating : mutation.Diagnostics.Any(diagnostic => diagnostic.Severity == Severity.Error);
        return (int)(report.Failed > 0 || report.HasErrors || low || few || wrong ? ExitCode.Found : ExitCode.Ok);
    }
}
