using System.Text;
using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>
/// Runs policy tests (<c>*.tests.yaml</c>) with the same core as the processor. Texts in, results out: files are read by the host.
/// </summary>
/// <param name="read">Gives a file's text by a path relative to the test file's folder; null where there is none.</param>
/// <param name="schemas">Gives the schemas of a policy's bindings, adding diagnostics for what is missing; null takes files beside the policy (see <see cref="LocalSchemas"/>).</param>
public sealed class PolicyTestRunner(Func<string, string?> read, Func<PolicyDocument, ICollection<Diagnostic>, IReadOnlyDictionary<string, SubjectSchemas>>? schemas = null)
{
    internal static readonly string[] FileKeys = ["policy", "keys", "schemas", "tests", "survivors"];

    /// <summary>Most cases of a file.</summary>
    private const int CasesMax = 10_000;

    // What the cases of a table share is laid under each of them: small files could otherwise have very large tests.
    private const long CharactersMax = 64 * 1024 * 1024;

    private readonly List<PolicyTestResult> _results = [];
    private readonly List<Diagnostic> _diagnostics = [];
    private readonly CoverageTally _tally = new();
    private readonly List<TestedFile> _files = [];

    /// <summary>Runs the tests of one file. May be called for several; <see cref="Report"/> speaks of them all.</summary>
    public void Run(PolicyFile file)
    {
        var bag = new DiagnosticBag(file.Path);
        RunFile(file, bag);
        _diagnostics.AddRange(bag.ToList());
    }

    /// <summary>
    /// Changes each policy whose tests were run in small ways, one at a time, and sees whether a test notices. Call it after <see cref="Run"/>; where a test failed or could not be run there is
    /// nothing to notice by.
    /// </summary>
    /// <returns>Null where not every test passed.</returns>
    public MutationReport? Mutate()
    {
        if (_files.Count == 0 || _results.Exists(result => !result.Passed) || _diagnostics.Exists(diagnostic => diagnostic.Severity == Severity.Error)) { return null; }
        return MutationRun.Of(_files);
    }

    /// <summary>The policy that a test file names, as it names it; null where it names none.</summary>
    public static string? PolicyOf(PolicyFile file) => YamlReader.Read(file.Text, new DiagnosticBag(file.Path))?.Find("policy") is { Kind: YamlKind.Scalar } policy ? policy.Text : null;

    public PolicyTestReport Report() => new([.. _results], [.. _diagnostics], _tally.Rules());

    private void RunFile(PolicyFile file, DiagnosticBag bag)
    {
        if (YamlReader.Read(file.Text, bag) is not { } root) { return; }
        var section = new Section(root, bag, "the test file", FileKeys);
        if (root.Kind != YamlKind.Mapping) { return; }
        KeyRing keys = Keys(section, bag);
        YamlNode? tests = section.Require("tests");
        if (tests is not null && (tests.Kind != YamlKind.Sequence || tests.Items.Count == 0))
        {
            bag.Error(tests, DiagnosticCodes.NoTests, "the file has no test", "a test file without a test proves nothing");
            return;
        }

        if (section.Require("policy") is not { } policyNode || section.Text(policyNode, "policy") is not { } path || bag.ErrorCount > 0) { return; }
        if (Compile(path, policyNode, section, keys, bag) is not { } policy || tests is null) { return; }
        _tally.Add(policy);
        var tested = new TestedFile(file.Path, path, policy, keys, SurvivorReader.Read(section, bag));
        _files.Add(tested);
        if (!Bounded(tests, bag)) { return; }
        foreach (YamlNode test in tests.Items) { RunTest(tested, test, bag); }
    }

    private static bool Bounded(YamlNode tests, DiagnosticBag bag)
    {
        long cases = 0, characters = 0;
        foreach (YamlNode test in tests.Items)
        {
            int own = test.Find("cases")?.Items.Count ?? 1;
            cases += own;
            characters += Weight(test) + (own * ((test.Find("given") is { } given ? Weight(given) : 0) + (test.Find("expect") is { } expect ? Weight(expect) : 0)));
        }

        if (cases > CasesMax) { bag.Error(tests, DiagnosticCodes.TooMany, $"{cases} cases; a test file has at most {CasesMax}", "several files may test one policy"); }
        else if (characters > CharactersMax) { bag.Error(tests, DiagnosticCodes.TooMany, $"the cases have {characters} characters, with what they share counted once for each; a test file has at most {CharactersMax}", "let cases share less"); }
        else { return true; }
        return false;
    }

    private static long Weight(YamlNode node)
    {
        long weight = 16 + node.Text.Length;
        foreach (YamlNode item in node.Items) { weight += Weight(item); }
        foreach (YamlEntry entry in node.Entries) { weight += Weight(entry.Key) + Weight(entry.Value); }
        return weight;
    }

    private static KeyRing Keys(Section section, DiagnosticBag bag)
    {
        var keys = new KeyRing();
        if (section.Find("keys") is not { } node) { return keys; }
        var all = new Section(node, bag, "`keys`", null);
        foreach (YamlEntry entry in node.Entries)
        {
            if (all.Text(entry.Value, "a key", 8192) is { } text && keys.Add(entry.Key.Text, Encoding.UTF8.GetBytes(text)) is { } fault)
            {
                bag.Error(entry.Value, DiagnosticCodes.UnknownMaskKey, fault);
            }
        }

        return keys;
    }

    private CompiledPolicy? Compile(string path, YamlNode at, Section section, KeyRing keys, DiagnosticBag bag)
    {
        if (read(path) is not { } text)
        {
            bag.Error(at, DiagnosticCodes.UnknownPolicy, $"there is no policy file `{YamlReader.Shown(path)}`");
            return null;
        }

        PolicyLoad load = PolicySet.Load([new PolicyFile(path, text)]);
        _diagnostics.AddRange(load.Diagnostics);
        if (load.Set is null) { return null; }
        PolicyDocument document = load.Set.Policies[0];
        var said = new List<Diagnostic>();
        Dictionary<string, SubjectSchemas> subjects = Named(section, document, bag);
        if (subjects.Count < document.Bindings.Sum(binding => binding.KeyFormat == KeyFormat.Avro ? 2 : 1))
        {
            // Files that the test names come first; the rest is found as the host finds it.
            int slash = path.LastIndexOf('/');
            string folder = slash < 0 ? "" : path[..(slash + 1)];
            IReadOnlyDictionary<string, SubjectSchemas> found = schemas is null
                ? LocalSchemas.Load(document, candidate => read(folder + candidate), said)
                : schemas(document, said);
            foreach ((string name, SubjectSchemas subject) in found) { subjects.TryAdd(name, subject); }
            said.RemoveAll(diagnostic => diagnostic.Code == DiagnosticCodes.SchemaMissing && subjects.Keys.Any(name => diagnostic.Message.Contains($"`{name}`", StringComparison.Ordinal)));
        }

        if (bag.ErrorCount > 0) { return null; }
        CompiledPolicy? policy = said.Exists(diagnostic => diagnostic.Severity == Severity.Error) ? null : CompiledPolicy.Compile(document, subjects, keys, said);
        _diagnostics.AddRange(said.Where(diagnostic => diagnostic.Severity == Severity.Error));
        return policy;
    }

    private Dictionary<string, SubjectSchemas> Named(Section section, PolicyDocument document, DiagnosticBag bag)
    {
        var subjects = new Dictionary<string, SubjectSchemas>(StringComparer.Ordinal);
        if (section.Find("schemas") is not { } node) { return subjects; }
        var all = new Section(node, bag, "`schemas`", [.. document.Bindings.Select(binding => binding.Name), .. document.Bindings.Select(binding => binding.Name + "/key")]);
        foreach (YamlEntry entry in node.Entries)
        {
            bool key = entry.Key.Text.EndsWith("/key", StringComparison.Ordinal);
            if (document.Binding(key ? entry.Key.Text[..^4] : entry.Key.Text) is not { } binding) { continue; }
            if (entry.Value.Kind == YamlKind.Sequence)
            {
                // Several versions of the subject, oldest first.
                IReadOnlyList<string>? paths = all.Texts(entry.Key.Text, 1_000);
                List<string> versions = [.. (paths ?? []).Select(path => Text(path, entry.Value, bag)).OfType<string>()];
                if (paths is null || versions.Count < paths.Count) { continue; }
                try { subjects[entry.Key.Text] = LocalSchemas.Several((key ? binding.KeySubject : binding.Subject) ?? "", key ? PolicyStreams.Schemas.SchemaFormat.Avro : binding.Format, versions, import => read(FolderOf(paths[0]) + import) ?? read(import)); }
                catch (PolicyStreams.Schemas.SchemaException fault) { bag.Error(entry.Value, DiagnosticCodes.SchemaUnusable, $"schemas of `{entry.Key.Text}`: {fault.Message}"); }
                continue;
            }

            if (all.Text(entry.Value, entry.Key.Text) is not { } path || Text(path, entry.Value, bag) is not { } text) { continue; }
            try { subjects[entry.Key.Text] = key ? LocalSchemas.SingleKey(binding, text) : LocalSchemas.Single(binding, text, import => read(FolderOf(path) + import) ?? read(import)); }
            catch (PolicyStreams.Schemas.SchemaException fault) { bag.Error(entry.Value, DiagnosticCodes.SchemaUnusable, $"schema `{YamlReader.Shown(path)}`: {fault.Message}"); }
        }

        return subjects;
    }

    private static string FolderOf(string path) => path[..(path.LastIndexOf('/') + 1)];

    private string? Text(string path, YamlNode at, DiagnosticBag bag)
    {
        string? text = read(path);
        if (text is null) { bag.Error(at, DiagnosticCodes.SchemaMissing, $"there is no schema file `{YamlReader.Shown(path)}`"); }
        return text;
    }

    private void RunTest(TestedFile file, YamlNode node, DiagnosticBag bag)
    {
        string name = node.Find("name") is { Kind: YamlKind.Scalar } given ? given.Text : $"test at line {node.Line}";
        var section = new Section(node, bag, $"test `{YamlReader.Shown(name)}`", ["name", "given", "expect", "cases"]);
        if (node.Kind != YamlKind.Mapping) { return; }
        section.Require("name");
        if (section.Find("cases") is not { } cases)
        {
            RunCase(file, node.Line, name, section.Require("given"), section.Require("expect"), bag);
            return;
        }

        if (cases.Kind != YamlKind.Sequence || cases.Items.Count == 0)
        {
            bag.Error(cases, DiagnosticCodes.NoTests, $"`cases` of test `{YamlReader.Shown(name)}` is a list of at least one case");
            return;
        }

        for (int i = 0; i < cases.Items.Count; i++)
        {
            YamlNode one = cases.Items[i];
            string label = one.Find("name") is { Kind: YamlKind.Scalar } own ? own.Text : $"case {i + 1}";
            _ = new Section(one, bag, $"{label} of test `{YamlReader.Shown(name)}`", ["name", "given", "expect"]);
            if (one.Kind != YamlKind.Mapping) { continue; }
            RunCase(file, one.Line, $"{name}: {label}", YamlMerge.Over(section.Find("given"), one.Find("given")), YamlMerge.Over(section.Find("expect"), one.Find("expect")), bag);
        }
    }

    private void RunCase(TestedFile file, int line, string name, YamlNode? given, YamlNode? expect, DiagnosticBag bag)
    {
        if (given is null || expect is null)
        {
            if (given is null != expect is null || given is null) { bag.Add(line, 1, DiagnosticCodes.BadExpectation, Severity.Error, $"test `{YamlReader.Shown(name)}` needs `given` and `expect`"); }
            return;
        }

        int errors = bag.ErrorCount;
        file.Cases.Add(new TestedCase(name, given, expect));
        var run = new PolicyTestCase(file.Policy, name, bag);
        IReadOnlyList<string>? failures = run.Run(given, expect, _tally);
        if (failures is not null && bag.ErrorCount == errors) { _results.Add(new PolicyTestResult(file.Path, line, name, failures)); }
    }
}
