namespace PolicyStreams.Rules.Cel;

/// <summary>A mistake in an expression, or a note about it.</summary>
/// <param name="Line">From 1, inside the expression.</param>
/// <param name="Column">From 1, in characters, inside the expression.</param>
/// <param name="Code">Stable and kebab-case: see <see cref="CelCodes"/>.</param>
/// <param name="Help">How to mend it (<c>did you mean `customer.email`?</c>), or null.</param>
public readonly record struct CelDiagnostic(int Line, int Column, string Code, string Message, string? Help = null);

/// <summary>Codes of <see cref="CelDiagnostic"/>. Fixed: policies' diagnostics are made from them.</summary>
public static class CelCodes
{
    /// <summary>Not the grammar of CEL, a bad literal, or a macro with the wrong arguments.</summary>
    public const string Syntax = "syntax";

    /// <summary>Nested too deep, too long, or too many nodes.</summary>
    public const string TooLarge = "too-large";
    public const string UnknownVariable = "unknown-variable";
    public const string UnknownField = "unknown-field";
    public const string UnknownFunction = "unknown-function";

    /// <summary>Operands or arguments whose types do not fit.</summary>
    public const string Type = "type";

    /// <summary>A regular expression that is not RE2's, or beyond its bounds.</summary>
    public const string Pattern = "pattern";

    /// <summary>A constant argument that can never work: an unknown time zone, a malformed timestamp, CIDR, or decimal.</summary>
    public const string Constant = "constant";

    /// <summary>The whole expression is not a bool.</summary>
    public const string NotBool = "not-bool";

    /// <summary>Note: a nullable value is used where nothing makes sure that it is not null.</summary>
    public const string UnguardedNull = "unguarded-null";

    /// <summary>Note: compared with a text that is no symbol of the enum.</summary>
    public const string NotASymbol = "not-a-symbol";
}
