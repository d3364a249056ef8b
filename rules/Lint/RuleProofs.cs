using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Cel.Proof;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>What can be proven of a policy's rules without a record: which can never fire, which always do, and which a stronger one leaves nothing to. For one policy; not thread-safe.</summary>
internal sealed class RuleProofs
{
    // Beyond it pairs of rules are left alone: a proof costs some microseconds, and 10,000 rules have 50 million pairs.
    private const int PairsMax = 50_000;

    // Looking whether two conditions read a field in common costs a hundredth of a proof, where they read a dozen fields each.
    private const int LooksMax = 5_000_000;
    private const int FieldsALook = 100;

    private readonly ProofBudget _budget = new();
    private readonly List<(CompiledBinding Binding, Prover Any, Prover Own)> _bindings;
    private readonly Dictionary<(string Rule, string Binding), CompiledRule> _compiled = [];
    private int _pairs;
    private long _looks;

    public RuleProofs(CompiledPolicy policy)
    {
        _bindings = [.. policy.Bindings.Values.Select(binding => (binding, new Prover(ProofFacts.Of(binding, withPrincipal: false), _budget), new Prover(ProofFacts.Of(binding, withPrincipal: true), _budget)))];
        foreach (CompiledBinding binding in policy.Bindings.Values)
        {
            foreach (CompiledRule rule in binding.Rules) { _compiled[(rule.Document.Id, binding.Document.Name)] = rule; }
        }

        Rules = policy.Document.Rules;
    }

    private IReadOnlyList<RuleDocument> Rules { get; }

    public void Check(DiagnosticBag bag)
    {
        var never = new HashSet<string>(StringComparer.Ordinal);
        foreach (RuleDocument rule in Rules)
        {
            if (rule.When is null) { continue; }
            if (Everywhere(rule, Claim.True, out string why))
            {
                never.Add(rule.Id);
                bag.Warning(rule.WhenNode!, DiagnosticCodes.NeverFires, $"rule `{rule.Id}` can never fire: {(why.Length > 0 ? why : "its condition is never true")}");
            }
            else if (Everywhere(rule, Claim.NotTrue, out why))
            {
                bag.Warning(rule.WhenNode!, DiagnosticCodes.AlwaysFires, $"rule `{rule.Id}` always fires: {(why.Length > 0 ? why : "its condition is true of every record with a value")}", "leave `when` out where that is meant");
            }
        }

        for (int i = 0; i < Rules.Count && _pairs < PairsMax && _looks < LooksMax; i++)
        {
            RuleDocument rule = Rules[i];
            if (rule.Shadow || never.Contains(rule.Id) || rule.Effect == Effect.Tag) { continue; }
            for (int j = 0; j < Rules.Count; j++)
            {
                if (i == j || never.Contains(Rules[j].Id) || Shadowed(rule, Rules[j], later: j > i) is not { } said) { continue; }
                YamlNode at = rule.WhenNode ?? rule.Node;
                bag.Warning(at, DiagnosticCodes.ShadowedRule, $"rule `{rule.Id}` changes nothing: {said}", "leave one of the two out, or say what tells their conditions apart");
                break;
            }
        }
    }

    /// <summary>True where the second fires wherever the first does, in every binding of the first.</summary>
    public bool Implies(RuleDocument first, RuleDocument second) => first.When is not null && second.When is not null && InAll(first, second, (prover, one, other) =>
        !prover.CanHold([.. Claims(one, Claim.True), .. Claims(other, Claim.NotTrue)]));

    /// <summary>True where no record makes both fire.</summary>
    public bool Exclude(RuleDocument first, RuleDocument second) => _bindings.TrueForAll(entry =>
        _budget.Spend(1)
        && (!_compiled.TryGetValue((first.Id, entry.Binding.Document.Name), out CompiledRule? one) || !_compiled.TryGetValue((second.Id, entry.Binding.Document.Name), out CompiledRule? other)
            || !entry.Own.CanHold([.. Claims(one, Claim.True), .. Claims(other, Claim.True)])));

    /// <summary>What the stronger rule does to everything that the rule fires for; null where nothing was proven.</summary>
    private string? Shadowed(RuleDocument rule, RuleDocument other, bool later)
    {
        if (other.Shadow) { return null; }
        switch (other.Effect)
        {
            // A deny without a condition is said of by itself.
            case Effect.Deny when other.When is not null && Proven():
                // Of two that deny the same records the later one is told.
                if (rule.Effect == Effect.Deny) { return later && Implies(other, rule) ? null : $"every record that it denies is denied by rule `{other.Id}` as well"; }
                return $"every record that it fires for is denied by rule `{other.Id}`";
            case Effect.Route when rule.Effect == Effect.Route && !later && Proven():
                return $"every record that it routes is routed by rule `{other.Id}` before it";
            default:
                return null;
        }

        bool Proven() => MayTouch(rule, other) && Implies(rule, other);
    }

    /// <summary>False where the conditions read different fields of the value: then one says nothing of the other.</summary>
    private bool MayTouch(RuleDocument rule, RuleDocument other)
    {
        if (_pairs >= PairsMax) { return false; }
        foreach ((CompiledBinding binding, _, _) in _bindings)
        {
            if (_looks++ >= LooksMax) { return false; }
            if (!_compiled.TryGetValue((rule.Id, binding.Document.Name), out CompiledRule? one)) { continue; }
            if (!_compiled.TryGetValue((other.Id, binding.Document.Name), out CompiledRule? two)) { return false; }
            if (!one.ReadsValue || !two.ReadsValue) { continue; }
            _looks += (long)one.When!.FieldsRead.Count * two.When!.FieldsRead.Count / FieldsALook;
            if (!two.When.FieldsRead.Any(one.When.FieldsRead.Contains)) { return false; }
        }

        _pairs++;
        return true;
    }

    private bool InAll(RuleDocument first, RuleDocument second, Func<Prover, CompiledRule, CompiledRule, bool> proven)
    {
        bool any = false;
        foreach ((CompiledBinding binding, _, Prover prover) in _bindings)
        {
            if (!_budget.Spend(1)) { return false; }
            if (!_compiled.TryGetValue((first.Id, binding.Document.Name), out CompiledRule? one)) { continue; }
            if (!_compiled.TryGetValue((second.Id, binding.Document.Name), out CompiledRule? other)) { return false; }

            // Of a null value only rules speak that read nothing of it.
            if (binding.Document.Tombstones != TombstoneChoice.Deny && other.ReadsValue && !one.ReadsValue) { return false; }
            if (!proven(prover, one, other)) { return false; }
            any = true;
        }

        return any;
    }

    /// <summary>True where the claim cannot hold of the rule's condition in any of its bindings.</summary>
    /// <param name="why">Which parts exclude each other, or what is known of the producer; empty where that is not it.</param>
    private bool Everywhere(RuleDocument rule, Claim claim, out string why)
    {
        why = "";
        bool any = false;
        foreach ((CompiledBinding binding, Prover plain, Prover own) in _bindings)
        {
            if (!_compiled.TryGetValue((rule.Id, binding.Document.Name), out CompiledRule? compiled)) { continue; }
            Expr condition = compiled.When!.Syntax;
            if (!plain.CanHold((condition, claim))) { why = claim == Claim.True && why.Length == 0 ? Core(plain, condition) : why; }
            else if (!own.CanHold((condition, claim))) { why = $"its condition is {(claim == Claim.True ? "never" : "always")} true where `{binding.Document.TopicPrincipal.Id}` produces every record of binding `{binding.Document.Name}`"; }
            else { return false; }
            any = true;
        }

        return any;
    }

    /// <summary>The one or two operands that cannot be true, where there are such.</summary>
    private static string Core(Prover prover, Expr condition)
    {
        if (condition is not LogicExpr { And: true } and || and.Children.Length > 64) { return ""; }
        Expr[] parts = and.Children.ToArray();
        foreach (Expr part in parts)
        {
            if (!prover.CanHold((part, Claim.True))) { return $"`{CelPrinter.Print(part)}` is never true"; }
        }

        for (int i = 0; i < parts.Length; i++)
        {
            for (int j = 0; j < i; j++)
            {
                if (!prover.CanHold((parts[j], Claim.True), (parts[i], Claim.True))) { return $"`{CelPrinter.Print(parts[j])}` and `{CelPrinter.Print(parts[i])}` exclude each other"; }
            }
        }

        return "";
    }

    private static IEnumerable<(Expr, Claim)> Claims(CompiledRule rule, Claim claim) => rule.When is { } when ? [(when.Syntax, claim)] : [];
}
