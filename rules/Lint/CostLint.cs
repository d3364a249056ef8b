using System.Globalization;

namespace PolicyStreams.Rules;

/// <summary>Holds the rules of each binding to <c>limits: { cost }</c>.</summary>
internal static class CostLint
{
    public static IReadOnlyList<Diagnostic> Check(PolicyDocument policy, CompiledPolicy compiled)
    {
        var bag = new DiagnosticBag(policy.Path);
        foreach (CompiledBinding binding in compiled.Bindings.Values)
        {
            IReadOnlyList<RuleCost> costs = RuleCost.Of(binding);
            double total = costs.Sum(cost => cost.Total);
            if (total <= policy.CostMax || costs.Count == 0) { continue; }

            // At the rule that costs most: it is mostly the one that is meant.
            RuleCost dearest = costs.MaxBy(cost => cost.Total);
            RuleDocument rule = binding.Rules.First(one => one.Document.Id == dearest.Rule).Document;
            bag.Error(
                rule.WhenNode ?? rule.EffectNode,
                DiagnosticCodes.CostAboveLimit,
                $"the rules of binding `{binding.Document.Name}` may cost {Units(total)} units for one record, {Units(dearest.Total)} of them rule `{dearest.Rule}`; the limit is {Units(policy.CostMax)}",
                $"a smaller `limits: {{ record_bytes }}` (now {policy.RecordBytesMax.ToString(CultureInfo.InvariantCulture)}) makes lists and texts shorter; or raise `limits: {{ cost }}`; `policystreams cost` tells what each rule takes");
        }

        return bag.ToList();
    }

    /// <summary>As many figures as say something.</summary>
    private static string Units(double units) => double.IsFinite(units) ? units.ToString(units < 1e7 ? "N0" : "0.0e+0", CultureInfo.InvariantCulture) : "any number of";
}
