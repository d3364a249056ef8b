using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>A test file as it was run: what mutants of its policy are run against.</summary>
/// <param name="PolicyPath">As the file names it.</param>
internal sealed record TestedFile(string Path, string PolicyPath, CompiledPolicy Policy, KeyRing Keys, IReadOnlyList<SurvivorNote> Survivors)
{
    public List<TestedCase> Cases { get; } = [];
}

/// <summary>One case, what it shares laid under it.</summary>
internal sealed record TestedCase(string Name, YamlNode Given, YamlNode Expect);

/// <summary>Why no test can notice a mutant, in the author's words.</summary>
internal sealed record SurvivorNote(YamlNode At, string Mutant, string Why);

/// <summary>Reads <c>survivors</c> of a test file: <c>[{ mutant: ID, why: TEXT }]</c>.</summary>
internal static class SurvivorReader
{
    private const int NotesMax = 1_000;

    public static IReadOnlyList<SurvivorNote> Read(Section file, DiagnosticBag bag)
    {
        if (file.Find("survivors") is not { } node) { return []; }
        if (node.Kind != YamlKind.Sequence || node.Items.Count > NotesMax)
        {
            bag.Error(node, DiagnosticCodes.WrongShape, $"`survivors` of the test file is a list of at most {NotesMax} explanations", "- { mutant: ID, why: TEXT }");
            return [];
        }

        var notes = new List<SurvivorNote>();
        foreach (YamlNode item in node.Items)
        {
            var note = new Section(item, bag, "an explanation in `survivors`", ["mutant", "why"]);
            if (item.Kind != YamlKind.Mapping) { continue; }
            string? mutant = note.Require("mutant") is { } id ? note.Text(id, "mutant", 65_536) : null, why = note.Require("why") is { } text ? note.Text(text, "why", 4096) : null;
            if (mutant is null || why is null) { continue; }
            if (why.Length == 0) { bag.Error(note.Find("why")!, DiagnosticCodes.BadValue, $"`why` of mutant `{YamlReader.Shown(mutant)}` is empty"); }
            else if (notes.Exists(other => other.Mutant == mutant)) { bag.Error(item, DiagnosticCodes.DuplicateName, $"mutant `{YamlReader.Shown(mutant)}` is explained twice"); }
            else { notes.Add(new SurvivorNote(item, mutant, why)); }
        }

        return notes;
    }
}
