using PolicyStreams.Schemas;
using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>How a mask changes a value.</summary>
public enum MaskMethod : byte { Redact, Constant, KeepLast, KeepFirst, Hmac, Encrypt, Email, Pattern, Bucket, Date, Remove, Token, Detect }

/// <summary>What the <c>date</c> mask cuts an instant back to.</summary>
public enum DatePart : byte { Year, Month, Day, Hour }

/// <summary>A mask as its author wrote it: a selector and a method with what it needs. Immutable.</summary>
public sealed record MaskDocument
{
    /// <summary>The explicit path; null for a tag.</summary>
    public FieldPath? Path { get; init; }

    /// <summary>The tag; null for a path.</summary>
    public string? Tag { get; init; }

    public required MaskMethod Method { get; init; }

    /// <summary>What <c>detect</c> looks for, in the detectors' own order; empty for other methods.</summary>
    public IReadOnlyList<string> Detect { get; init; } = [];

    /// <summary>What <c>detect</c> does to what it finds; null puts a label in its place. Always null for other methods.</summary>
    public MaskMethod? HitMethod { get; init; }

    /// <summary>Text of <c>constant</c>; else empty.</summary>
    public string Constant { get; init; } = "";

    /// <summary>Code points of <c>keep_last</c>, <c>keep_first</c>, or <c>email</c>'s <c>keep_first</c>; else 0.</summary>
    public int Keep { get; init; }

    /// <summary>True where <c>email</c> keeps the part behind the last <c>@</c>.</summary>
    public bool KeepDomain { get; init; } = true;

    /// <summary>Key name of <c>hmac</c>, <c>encrypt</c>, and <c>token</c>; else null.</summary>
    public string? KeyName { get; init; }

    /// <summary>What tells the tokens of one <c>token</c> mask from those of another under the same key; empty where nothing shall.</summary>
    public string Tweak { get; init; } = "";

    /// <summary><c>pattern</c>'s RE2 expression and replacement; else empty.</summary>
    public string Match { get; init; } = "";

    public string Replace { get; init; } = "";

    /// <summary>Width of <c>bucket</c>: greater than 0; else 0.</summary>
    public double Bucket { get; init; }

    /// <summary>The width as integers take it: null where it is not whole, or 2^63 and more.</summary>
    internal long? WholeBucket => Bucket == Math.Floor(Bucket) && Bucket < 9_223_372_036_854_775_808.0 ? (long)Bucket : null;

    public DatePart Date { get; init; }

    internal YamlNode Node { get; init; } = null!;

    internal YamlNode SelectorNode { get; init; } = null!;

    internal YamlNode MethodNode { get; init; } = null!;

    /// <summary>The method as policies spell it.</summary>
    public string MethodName => NameOf(Method);

    internal static string NameOf(MaskMethod method) => method == MaskMethod.Detect ? "detect" : Names[(int)method];

    internal static readonly string[] Names = ["redact", "constant", "keep_last", "keep_first", "hmac", "encrypt", "email", "pattern", "bucket", "date", "remove", "token"];
}
