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
        var junit = new Option<string>("--junit") { Description = "Write JUnit XML here; - is standard output", HelpName = "FILE" };
        var json = new Option<string>("--json") { Description = "Write JSON here; - is standard output", HelpName = "FILE" };
        var command = new Command("test", "Run the tests of policies") { path, coverage, minCoverage, junit, json };
        inputs.AddRegistryTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                List<string> files = Find(parsed.GetValue(path)!);
                using RegistryClient? registry = inputs.Client(parsed);
                var report = new PolicyTestReport([], [], []);
                foreach (IGrouping<string, string> folder in files.GroupBy(PolicyInputs.FolderOf))
                {
                    PolicyTestReport part = await RunAsync(folder.Key, [.. folder], registry, cancellationToken).ConfigureAwait(false);
                    report = new PolicyTestReport([.. report.Results, .. part.Results], [.. report.Diagnostics, .. part.Diagnostics], [.. report.Coverage, .. part.Coverage]);
                }

                return Say(report, parsed.GetValue(coverage), parsed.GetValue(minCoverage), parsed.GetValue(junit), parsed.GetValue(json));
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

    private static async Task<PolicyTestReport> RunAsync(string folder, IReadOnlyList<string> files, ISchemaRegistry? registry, CancellationToken cancellationToken)
    {
        Func<string, string?> beside = PolicyInputs.Beside(folder);
        if (registry is null)
        {
            var local = new PolicyTestRunner(beside);
            foreach (string file in files) { local.Run(PolicyInputs.Read(file)); }
            return local.Report();
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
        return runner.Report();
    }

    private static int Say(PolicyTestReport report, bool coverage, double? minCoverage, string? junit, string? json)
    {
        if (junit is not null)
        {
            using TextWriter writer = junit == "-" ? Console.Out : new StreamWriter(junit);
            PolicyTestOutput.WriteJUnit(report, writer);
        }

        if (json is not null)
        {
            using Stream stream = json == "-" ? Console.OpenStandardOutput() : File.Create(json);
            PolicyTestOutput.WriteJson(report, stream);
        }

        // What a program reads on standard output must not have a person's text around it.
        PolicyTestOutput.WriteText(report, junit == "-" || json == "-" ? Console.Error : Console.Out, coverage);
        bool low = minCoverage is { } min && report.CoveragePercent < min;
        if (low) { Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"coverage {report.CoveragePercent:0.0} % is below {minCoverage:0.0} %")); }
        return (int)(report.Failed > 0 || report.HasErrors || low ? ExitCode.Found : ExitCode.Ok);
    }
}
