namespace PolicyStreams.Rules;

/// <summary>How bad a diagnostic is: errors stop a load, warnings are for lint.</summary>
public enum Severity : byte { Error, Warning, Note }

/// <summary>An author's mistake: where, a stable code, one sentence in policy words, and how to mend it.</summary>
/// <param name="File">As the user named it.</param>
/// <param name="Line">From 1; 0 where the whole file is meant.</param>
/// <param name="Column">From 1, in characters; 0 where the whole file is meant.</param>
/// <param name="Code">Stable: <c>PS0107</c>. Listed in docs/reference/diagnostics.md.</param>
public sealed record Diagnostic(string File, int Line, int Column, string Code, Severity Severity, string Message, string? Help = null)
{
    /// <summary><c>file:line:column: code severity: message</c>, and the help on a line of its own where there is one.</summary>
    public override string ToString()
    {
        string severity = Severity switch { Severity.Error => "error", Severity.Warning => "warning", _ => "note" };
        string line = $"{File}:{Line}:{Column}: {Code} {severity}: {Message}";
        return Help is null ? line : $"{line}\n  help: {Help}";
    }
}
