namespace PolicyStreams.Rules.Cel;

/// <summary>Prints expressions canonically: one spelling whatever the whitespace, comments, quotes, and needless parentheses of the source.</summary>
public static class CelPrinter
{
    /// <summary>The canonical spelling of an expression, for digests and formatting. Needs no schema.</summary>
    /// <param name="diagnostics">Syntax errors are added.</param>
    /// <returns>Null where the expression does not parse.</returns>
    public static string? Canonical(string expression, ICollection<CelDiagnostic> diagnostics) => throw new NotImplementedException();
}
