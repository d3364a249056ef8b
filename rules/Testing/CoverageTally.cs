using PolicyStreams.Rules.Cel;

namespace PolicyStreams.Rules;

/// <summary>Counts over a run which rules fired, which did not, and which ways their conditions went.</summary>
internal sealed class CoverageTally
{
    private readonly List<(string Policy, CompiledRule Rule)> _rules = [];
    private readonly HashSet<(string, string)> _fired = [];
    private readonly HashSet<(string, string)> _notFired = [];

    public ConditionCoverage Conditions { get; } = new();

    public void Add(CompiledPolicy policy)
    {
        foreach (CompiledBinding binding in policy.Bindings.Values)
        {
            foreach (CompiledRule rule in binding.Rules) { _rules.Add((policy.Document.Name, rule)); }
        }
    }

    public void Count(CompiledBinding binding, Verdict verdict)
    {
        foreach (CompiledRule rule in binding.Rules)
        {
            var id = (binding.PolicyDocument.Name, rule.Document.Id);
            bool fired = (rule.Document.Shadow ? verdict.Shadow : verdict.Rules).Contains(rule.Document.Id);

            // A record that was refused before the rules were asked says nothing of them.
            if (fired) { _fired.Add(id); }
            else if (!(verdict.Rules.Count > 0 && verdict.Rules[0].StartsWith("ps:", StringComparison.Ordinal))) { _notFired.Add(id); }
        }
    }

    public IReadOnlyList<RuleCoverage> Rules()
    {
        var all = new List<RuleCoverage>();
        foreach (var group in _rules.GroupBy(entry => (entry.Policy, entry.Rule.Document.Id)))
        {
            CompiledRule first = group.First().Rule;
            var branches = new List<BranchReach>();
            for (int i = 0; i < (first.When?.BranchSyntax.Count ?? 0); i++)
            {
                bool onTrue = false, onFalse = false;
                foreach ((_, CompiledRule rule) in group)
                {
                    // The same text typed against another binding's schema has the same branches.
                    if (Conditions.Seen(rule) is not { } seen || i >= rule.When!.BranchSyntax.Count) { continue; }
                    onTrue |= seen.Seen(i, Truth.True);
                    onFalse |= seen.Seen(i, Truth.False);
                }

                branches.Add(new BranchReach(first.When!.Branches[i].Text, onTrue, onFalse));
            }

            bool conditional = first.When is not null;
            all.Add(new RuleCoverage(group.Key.Policy, group.Key.Id, _fired.Contains(group.Key), _notFired.Contains(group.Key), conditional, branches));
        }

        return all;
    }
}
