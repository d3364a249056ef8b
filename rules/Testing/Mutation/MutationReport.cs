namespace PolicyStreams.Rules;

/// <summary>What became of a mutant.</summary>
public enum MutantFate : byte
{
    /// <summary>A test fails with it.</summary>
    Noticed,
    /// <summary>Every test passes with it.</summary>
    Survived,
    /// <summary>Every test passes with it, and the test file says why that is right.</summary>
    Explained,
}

/// <summary>A policy changed in one place, and whether a test noticed.</summary>
/// <param name="Id"><c>RULE/delete</c>, <c>RULE/value.amount > 1.0 -> value.amount >= 1.0</c>: the same as long as what it changes is.</param>
/// <param name="File">The policy's file, as tests name it.</param>
/// <param name="Line">Where the rule begins, from 1.</param>
/// <param name="By">The test that noticed; empty where none did.</param>
/// <param name="Why">The explanation; empty where there is none.</param>
/// <param name="Diff">Lines that the change takes away (<c>- …</c>) and brings (<c>+ …</c>).</param>
/// <param name="Telling">A record that the policy and the mutant judge differently, and what each says of it; null where none was looked for or found. Holds values of the tests' own records.</param>
public sealed record Mutant(string Policy, string Rule, string Id, string File, int Line, MutantFate Fate, string By, string Why, IReadOnlyList<string> Diff, string? Telling);

/// <summary>What a run of mutants came to.</summary>
/// <param name="Diagnostics">Explanations of mutants that are not there or were noticed; more mutants than are tried.</param>
public sealed record MutationReport(IReadOnlyList<Mutant> Mutants, IReadOnlyList<Diagnostic> Diagnostics)
{
    public int Noticed => Mutants.Count(mutant => mutant.Fate == MutantFate.Noticed);

    public int Survived => Mutants.Count(mutant => mutant.Fate == MutantFate.Survived);

    public int Explained => Mutants.Count(mutant => mutant.Fate == MutantFate.Explained);

    /// <summary>Noticed mutants in percent of those that no explanation takes out; 100 where there are none.</summary>
    public double Percent => Noticed + Survived == 0 ? 100 : 100.0 * Noticed / (Noticed + Survived);
}
