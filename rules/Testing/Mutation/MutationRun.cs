using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>Runs the tests of policies with each of their mutants. The same tests and policies give the same report.</summary>
internal static class MutationRun
{
    public static MutationReport Of(IReadOnlyList<TestedFile> files)
    {
        var mutants = new List<Mutant>();
        var diagnostics = new List<Diagnostic>();

        // Several files may test one policy: a mutant that one of them notices is noticed.
        foreach (IGrouping<string, TestedFile> group in files.GroupBy(file => file.PolicyPath, StringComparer.Ordinal))
        {
            TestedFile[] together = [.. group];
            Dictionary<string, SurvivorNote> notes = [];
            foreach (SurvivorNote note in together.SelectMany(file => file.Survivors)) { notes.TryAdd(note.Mutant, note); }
            RuleMutation[] all = [.. PolicyMutations.Of(together[0].Policy.Document).Take(PolicyMutations.MutantsMax + 1)];
            var found = new Mutant?[Math.Min(all.Length, PolicyMutations.MutantsMax)];
            if (all.Length > found.Length) { diagnostics.Add(new Diagnostic(group.Key, 0, 0, DiagnosticCodes.TooMany, Severity.Warning, $"only the first {PolicyMutations.MutantsMax} mutants of the policy are tried")); }
            Parallel.For(0, found.Length, i => found[i] = Try(together, all[i], notes));
            mutants.AddRange(found.OfType<Mutant>());
            foreach (TestedFile file in together)
            {
                foreach (SurvivorNote note in file.Survivors)
                {
                    Mutant? mutant = Array.Find(found, one => one?.Id == note.Mutant);
                    if (mutant?.Fate == MutantFate.Explained) { continue; }
                    string why = mutant is null ? "there is no such mutant" : $"test `{mutant.By}` notices it";
                    string? help = mutant is null ? NearestName.Find(note.Mutant, found.OfType<Mutant>().Where(one => one.Fate == MutantFate.Survived).Select(one => one.Id)) is { } near ? $"did you mean `{near}`?" : "leave the explanation out" : "leave the explanation out";
                    diagnostics.Add(new Diagnostic(file.Path, note.At.Line, note.At.Column, DiagnosticCodes.NoSuchSurvivor, Severity.Error, $"mutant `{YamlReader.Shown(note.Mutant)}` needs no explanation: {why}", help));
                }
            }
        }

        return new MutationReport(mutants, diagnostics);
    }

    /// <summary>Null where the mutant is no policy: what does not compile is noticed by everybody.</summary>
    private static Mutant? Try(TestedFile[] files, RuleMutation mutation, Dictionary<string, SurvivorNote> notes)
    {
        PolicyDocument document = files[0].Policy.Document;
        var compiled = new CompiledPolicy?[files.Length];
        string? by = null;
        for (int i = 0; i < files.Length && by is null; i++)
        {
            PolicyDocument changed = files[i].Policy.Document with { Rules = [.. files[i].Policy.Document.Rules.Where(rule => rule.Id != mutation.Rule.Id || mutation.Changed is not null).Select(rule => rule.Id == mutation.Rule.Id ? mutation.Changed! : rule)] };
            if ((compiled[i] = CompiledPolicy.Compile(changed, files[i].Policy.Subjects, files[i].Keys, new List<Diagnostic>())) is not { } policy) { return null; }
            by = NoticedBy(files[i], policy);
        }

        bool explained = notes.TryGetValue(mutation.Id, out SurvivorNote? note);
        MutantFate fate = by is not null ? MutantFate.Noticed : explained ? MutantFate.Explained : MutantFate.Survived;
        string? telling = null;
        for (int i = 0; fate == MutantFate.Survived && telling is null && i < files.Length; i++) { telling = TellingRecord.Find(files[i], compiled[i]!, mutation); }
        return new Mutant(document.Name, mutation.Rule.Id, mutation.Id, document.Path, mutation.Rule.PlaceOf("id").Line, fate, by ?? "", fate == MutantFate.Explained ? note!.Why : "", mutation.Diff, telling);
    }

    private static string? NoticedBy(TestedFile file, CompiledPolicy policy)
    {
        foreach (TestedCase one in file.Cases)
        {
            var bag = new DiagnosticBag(file.Path);
            if (new PolicyTestCase(policy, one.Name, bag).Run(one.Given, one.Expect, null) is not { Count: 0 }) { return one.Name; }
        }

        return null;
    }
}
