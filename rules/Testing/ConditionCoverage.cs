using PolicyStreams.Rules.Cel;

namespace PolicyStreams.Rules;

/// <summary>Which way the conditions of rules went over the tests of a policy. Not thread-safe.</summary>
internal sealed class ConditionCoverage
{
    private readonly Dictionary<CompiledRule, BranchCoverage> _byRule = new(ReferenceEqualityComparer.Instance);

    /// <summary>Counts of one rule's condition in one binding.</summary>
    public BranchCoverage? Of(CompiledBinding binding, CompiledRule rule)
    {
        if (rule.When is null) { return null; }
        if (!_byRule.TryGetValue(rule, out BranchCoverage? found)) { _byRule[rule] = found = new BranchCoverage(rule.When); }
        return found;
    }

    /// <summary>Counts so far; null where the rule was never evaluated.</summary>
    public BranchCoverage? Seen(CompiledRule rule) => _byRule.GetValueOrDefault(rule);
}
