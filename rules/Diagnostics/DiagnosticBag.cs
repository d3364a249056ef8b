using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>Collects the diagnostics of one file, at most <see cref="ErrorsMax"/>: a file of 100,000 mistakes has a readable answer too.</summary>
internal sealed class DiagnosticBag(string file)
{
    public const int ErrorsMax = 200;

    private readonly List<Diagnostic> _all = [];
    private readonly HashSet<(int, int, string, string)> _seen = [];
    private int _dropped;

    public string File { get; } = file;

    public int ErrorCount { get; private set; }

    /// <summary>True where what is added from here on is counted and not listed: help for it is not worth looking for.</summary>
    public bool IsFull => _all.Count >= ErrorsMax;

    public void Error(YamlNode at, string code, string message, string? help = null) => Add(at.Line, at.Column, code, Severity.Error, message, help);

    public void Warning(YamlNode at, string code, string message, string? help = null) => Add(at.Line, at.Column, code, Severity.Warning, message, help);

    public void Add(int line, int column, string code, Severity severity, string message, string? help = null)
    {
        if (severity == Severity.Error) { ErrorCount++; }
        if (_all.Count >= ErrorsMax)
        {
            _dropped++;
            return;
        }

        // A rule that applies to several bindings is checked once for each: what is said of all of them is said once.
        if (_seen.Add((line, column, code, message))) { _all.Add(new Diagnostic(File, line, column, code, severity, message, help)); }
    }

    /// <summary>In the order of the text.</summary>
    public IReadOnlyList<Diagnostic> ToList()
    {
        List<Diagnostic> sorted = [.. _all.OrderBy(d => d.Line).ThenBy(d => d.Column)];
        if (_dropped > 0) { sorted.Add(new Diagnostic(File, 0, 0, DiagnosticCodes.TooManyDiagnostics, Severity.Error, $"{_dropped} more mistakes are not listed")); }
        return sorted;
    }
}
