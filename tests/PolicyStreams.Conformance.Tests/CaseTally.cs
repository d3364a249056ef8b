namespace PolicyStreams.Conformance.Tests;

/// <summary>Counts cases, says each that disagrees, and says the totals whatever happens: a case that throws disagrees, and the rest is run.</summary>
internal sealed class CaseTally(Action<string> say) : IDisposable
{
    private int _inFile;
    private int _disagreeingInFile;

    public int Cases { get; private set; }

    public int Disagreeing { get; private set; }

    /// <param name="disagreement">Null where the case agrees, else why it does not.</param>
    public void Case(string name, Func<string?> disagreement)
    {
        string? why = null;
        try
        {
            why = disagreement();
        }
        catch (Exception fault)
        {
            why = Thrown(fault);
        }

        Count(name, why);
    }

    /// <summary>Cases that are read together: where that fails, it counts as one that disagrees.</summary>
    public void Group(string name, Action cases)
    {
        try
        {
            cases();
        }
        catch (Exception fault)
        {
            Count(name, Thrown(fault));
        }
    }

    public void EndFile(string name)
    {
        say($"{name}: agree {_inFile - _disagreeingInFile} of {_inFile}");
        _inFile = _disagreeingInFile = 0;
    }

    public void Dispose() => say($"in all: agree {Cases - Disagreeing} of {Cases}");

    private static string Thrown(Exception fault) => $"threw {fault.GetType().Name}: {fault.Message}";

    private void Count(string name, string? why)
    {
        Cases++;
        _inFile++;
        if (why is null) { return; }
        Disagreeing++;
        _disagreeingInFile++;
        say($"disagree: {name}: {why}");
    }
}
