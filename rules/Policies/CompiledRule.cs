using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Masking;

namespace PolicyStreams.Rules;

/// <summary>A rule of one binding, its condition compiled against the binding's types.</summary>
internal sealed class CompiledRule
{
    public required RuleDocument Document { get; init; }

    /// <summary>Index among the rules that apply to the binding, in document order.</summary>
    public required int Index { get; init; }

    public Condition? When { get; init; }

    public CompiledMask? Mask { get; set; }

    /// <summary>False where the condition reads nothing of the value: such a rule speaks of tombstones too.</summary>
    public bool ReadsValue => When is { FieldsRead.Count: > 0 };
}
