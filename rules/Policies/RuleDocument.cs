using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>What a rule does where it fires.</summary>
public enum Effect : byte { Deny, Hold, Mask, Route, Tag }

/// <summary>A rule as its author wrote it. Immutable.</summary>
public sealed record RuleDocument
{
    public required string Id { get; init; }

    /// <summary>The condition's CEL text; null for always.</summary>
    public string? When { get; init; }

    public required Effect Effect { get; init; }

    /// <summary>True for <c>mode: shadow</c>, on the rule or on its policy: recorded, not enforced.</summary>
    public bool Shadow { get; init; }

    /// <summary>Names of the bindings it applies to; null for all of its policy.</summary>
    public IReadOnlyList<string>? Bindings { get; init; }

    /// <summary>Reason of a deny or hold; empty where none is given.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Terms of a hold; else null.</summary>
    public HoldTerms? Hold { get; init; }

    /// <summary>What a mask does; else null.</summary>
    public MaskDocument? Mask { get; init; }

    /// <summary>Topic of a route; else null.</summary>
    public string? RouteTo { get; init; }

    /// <summary>Header names (without <c>ps-tag-</c>) and values of a tag effect, in document order; else empty.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Tags { get; init; } = [];

    internal YamlNode Node { get; init; } = null!;

    internal YamlNode? WhenNode { get; init; }

    internal YamlNode EffectNode { get; init; } = null!;

    /// <summary>True where the rule has mistakes: it is there for what else can be said of it, and never run.</summary>
    internal bool Incomplete { get; init; }

    /// <summary>As diagnostics name it.</summary>
    internal string Named => Id.Length > 0 ? $"rule `{Id}`" : $"the rule in line {Node.Line}";

    /// <summary>Where a setting of the rule stands in its file: <c>hold</c>, <c>scope</c>. The deepest of the keys that is there.</summary>
    public (int Line, int Column) PlaceOf(params ReadOnlySpan<string> keys) => Node.PlaceOf(keys);

    /// <summary>True where the rule applies to the binding.</summary>
    public bool AppliesTo(string binding) => Bindings is null || Bindings.Contains(binding);
}
