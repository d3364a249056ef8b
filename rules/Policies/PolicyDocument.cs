using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>A policy as its author wrote it, defaults filled in. Immutable.</summary>
public sealed record PolicyDocument
{
    public required string Path { get; init; }
    public required string Name { get; init; }
    public string Owner { get; init; } = "";
    public string Description { get; init; } = "";
    public required IReadOnlyList<BindingDocument> Bindings { get; init; }

    /// <summary>In the order of the document.</summary>
    public IReadOnlyList<RuleDocument> Rules { get; init; } = [];

    /// <summary>True where the whole policy is in shadow mode: its rules are recorded, none is enforced.</summary>
    public bool Shadow { get; init; }

    /// <summary>Largest value, framing included. Default 1,048,576.</summary>
    public int RecordBytesMax { get; init; } = 1_048_576;

    /// <summary>Most headers of a record. Default 64.</summary>
    public int HeadersMax { get; init; } = 64;

    /// <summary>Most units that all rules of a binding may cost for one record, see <see cref="RuleCost"/>; lint enforces it. Default 10,000,000,000.</summary>
    public long CostMax { get; init; } = 10_000_000_000;

    /// <summary>Terms of <c>on_error: { hold: … }</c>; null for <c>deny</c>.</summary>
    public HoldTerms? OnError { get; init; }

    /// <summary>Terms of <c>on_schema_mismatch: { hold: … }</c>; null for <c>deny</c>.</summary>
    public HoldTerms? OnSchemaMismatch { get; init; }

    internal YamlNode NameNode { get; init; } = null!;

    /// <summary>The whole document.</summary>
    internal YamlNode Root { get; init; } = null!;

    /// <summary>True where the file, or one beside it, has mistakes: the document is there to be checked, and never compiles.</summary>
    internal bool HasErrors { get; set; }

    /// <summary>Where a setting of the policy stands in its file: <c>on_error</c>, <c>hold</c>, <c>scope</c>. The deepest of the keys that is there.</summary>
    public (int Line, int Column) PlaceOf(params ReadOnlySpan<string> keys) => Root.PlaceOf(keys);

    /// <summary>The same policy with one of its bindings: for judging records of that one offline. Its digest is another.</summary>
    public PolicyDocument Only(string binding) => Only([binding]);

    /// <summary>The same policy with one of its bindings, and one of its rules or none: for telling what a rule costs. Its digest is another.</summary>
    public PolicyDocument OnlyRule(string binding, string? rule) => Only([binding], one => one.Id == rule);

    internal PolicyDocument Only(IReadOnlyCollection<string> bindings) => Only(bindings, rule => bindings.Any(rule.AppliesTo));

    private PolicyDocument Only(IReadOnlyCollection<string> bindings, Func<RuleDocument, bool> rules) => this with
    {
        Bindings = [.. Bindings.Where(one => bindings.Contains(one.Name))],
        Rules = [.. Rules.Where(rules)],
    };

    /// <summary>The binding of this name, or null.</summary>
    public BindingDocument? Binding(string name)
    {
        foreach (BindingDocument binding in Bindings)
        {
            if (binding.Name == name) { return binding; }
        }

        return null;
    }
}
