using PolicyStreams.Rules.Cel;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>Checks policies beyond what running them needs: everything that loading and compiling say, and warnings of what is legal and probably meant otherwise.</summary>
public static class PolicyLinter
{
    /// <summary>Lints the policies of one folder.</summary>
    /// <param name="files">All policy files of it.</param>
    /// <param name="schemas">Gives the schemas of a policy's bindings, adding diagnostics for what is missing. Null checks the documents alone.</param>
    /// <param name="keys">Null takes every key that a policy names as supplied: lint runs where keys are not.</param>
    /// <param name="conventions">What a platform team permits; null permits nothing beyond what is legal everywhere.</param>
    /// <param name="tested">Ids of the rules that fire in tests of a policy, for conventions that ask for tests; null where nobody ran any.</param>
    /// <param name="locks">The lock beside a policy, or null where there is none; null where locks are not asked for.</param>
    /// <param name="more">Further checks of what could be read of the files: what the host knows and this library does not.</param>
    /// <returns>In the order of files and lines. Mistakes of one kind hide none of another: what can be read of a file that has errors is checked all the same.</returns>
    public static IReadOnlyList<Diagnostic> Lint(
        IReadOnlyList<PolicyFile> files,
        Func<PolicyDocument, ICollection<Diagnostic>, IReadOnlyDictionary<string, SubjectSchemas>>? schemas,
        KeyRing? keys = null,
        IReadOnlyList<ConventionsDocument>? conventions = null,
        Func<IReadOnlyList<PolicyDocument>, IReadOnlyList<Diagnostic>>? more = null,
        Func<PolicyDocument, IReadOnlySet<string>?>? tested = null,
        Func<PolicyDocument, PolicyFile?>? locks = null)
    {
        conventions ??= [];
        PolicyLoad load = PolicySet.Load(files);
        var all = new List<Diagnostic>(load.Diagnostics);
        foreach (PolicyDocument policy in load.Documents)
        {
            if (schemas is null)
            {
                Check(policy, conventions, tested, null, all);
                CheckSyntax(policy, policy.Rules, all);
                continue;
            }

            var said = new List<Diagnostic>();
            IReadOnlyDictionary<string, SubjectSchemas> subjects = schemas(policy, said);

            // A binding without its schema keeps no other from being checked; of rules that are then checked nowhere at least the syntax is.
            string[] typed = [.. policy.Bindings.Select(binding => binding.Name).Where(subjects.ContainsKey)];
            CompiledPolicy? compiled = CompiledPolicy.Compile(policy.Only(typed), subjects, keys ?? Stand(policy), said);
            Check(policy, conventions, tested, compiled, all);
            if (locks is not null && compiled is not null)
            {
                var bag = new DiagnosticBag(policy.Path);
                PolicyLock.Check(policy, compiled, locks(policy), bag, all);
                all.AddRange(bag.ToList());
            }

            if (compiled is not null) { said.AddRange(CostLint.Check(policy, compiled)); }
            CheckSyntax(policy, [.. policy.Rules.Where(rule => !typed.Any(rule.AppliesTo))], all);
            all.AddRange(said);
        }

        if (more is not null) { all.AddRange(more(load.Documents)); }
        return [.. all.Distinct().OrderBy(diagnostic => diagnostic.File, StringComparer.Ordinal).ThenBy(diagnostic => diagnostic.Line).ThenBy(diagnostic => diagnostic.Column)];
    }

    /// <summary>Keys that stand in for the ones a policy names; no output of theirs is seen.</summary>
    public static KeyRing Stand(PolicyDocument policy)
    {
        var keys = new KeyRing();
        foreach (string name in policy.Bindings.SelectMany(binding => binding.KeyNames).Distinct()) { keys.Add(name, "stands-in-for-a-key-that-is-elsewhere"u8); }
        return keys;
    }

    private static void CheckSyntax(PolicyDocument policy, IReadOnlyList<RuleDocument> rules, List<Diagnostic> all)
    {
        var bag = new DiagnosticBag(policy.Path);
        foreach (RuleDocument rule in rules)
        {
            if (rule.When is null) { continue; }
            var found = new List<CelDiagnostic>();
            CelPrinter.Canonical(rule.When, found);
            foreach (CelDiagnostic one in found)
            {
                (int line, int column) = rule.WhenNode!.Locate(one.Line, one.Column);
                bag.Add(line, column, DiagnosticCodes.ConditionSyntax, Severity.Error, $"{one.Message} in {rule.Named}", one.Help);
            }
        }

        all.AddRange(bag.ToList());
    }

    /// <param name="compiled">Null where there are no schemas, or the policy has errors: then nothing is proven of it.</param>
    private static void Check(PolicyDocument policy, IReadOnlyList<ConventionsDocument> conventions, Func<PolicyDocument, IReadOnlySet<string>?>? tested, CompiledPolicy? compiled, List<Diagnostic> all)
    {
        var bag = new DiagnosticBag(policy.Path);
        RuleProofs? proofs = compiled is null ? null : new RuleProofs(compiled);
        CheckDocument(policy, conventions, proofs, bag);
        ConventionsCheck.Check(policy, conventions, tested?.Invoke(policy), bag);
        HoldCheck.Check(policy, conventions, bag);
        proofs?.Check(bag);
        foreach (CompiledBinding binding in compiled?.Bindings.Values ?? [])
        {
            ConventionsCheck.CheckMasks(binding, conventions, bag);
            foreach (ConventionsDocument one in conventions) { LeakCheck.Check(binding, one, bag); }
        }

        all.AddRange(bag.ToList());
    }

    private static void CheckDocument(PolicyDocument policy, IReadOnlyList<ConventionsDocument> conventions, RuleProofs? proofs, DiagnosticBag bag)
    {
        // What is missing may be what the mistakes took away.
        bool whole = !policy.HasErrors;
        if (whole && policy.Rules.Count == 0) { bag.Warning(policy.NameNode, DiagnosticCodes.NoRules, $"policy `{policy.Name}` has no rules: every readable record is allowed"); }
        var tags = new Dictionary<string, RuleDocument>(StringComparer.Ordinal);
        var masks = new Dictionary<string, List<MaskedBindings>>(StringComparer.Ordinal);
        ILookup<string, RuleDocument> routing = policy.Rules.Where(rule => rule.RouteTo is not null).ToLookup(rule => rule.RouteTo!, StringComparer.Ordinal);
        foreach (RuleDocument rule in policy.Rules)
        {
            if (rule.Incomplete) { continue; }
            if (rule is { Effect: Effect.Deny, When: null, Shadow: false }) { bag.Warning(rule.EffectNode, DiagnosticCodes.AlwaysDenies, $"rule `{rule.Id}` denies every record", "give it a condition: when: …"); }
            if (rule.Hold is { OnExpiry: OnExpiry.Allow }) { Expiry(rule.PlaceOf("hold", "on_expiry"), $"rule `{rule.Id}`"); }
            foreach (KeyValuePair<string, string> tag in rule.Tags)
            {
                if (!tags.TryAdd(tag.Key, rule)) { bag.Warning(rule.EffectNode, DiagnosticCodes.TagTwice, $"rule `{rule.Id}` sets tag `{tag.Key}`, which rule `{tags[tag.Key].Id}` sets too", "where both fire, the first one's value holds"); }
            }

            if (rule is { Mask: { } mask, Shadow: false })
            {
                string selected = mask.Tag is { } name ? "tag " + name : $"{mask.Path!.Root} {mask.Path}";
                if (!masks.TryGetValue(selected, out List<MaskedBindings>? earlier)) { masks[selected] = earlier = []; }
                var own = new MaskedBindings(rule, (rule.Bindings ?? policy.Bindings.Select(binding => binding.Name)).ToHashSet(StringComparer.Ordinal));
                CheckMasks(earlier, own, proofs, bag);
                earlier.Add(own);
            }
        }

        if (policy.OnError is { OnExpiry: OnExpiry.Allow }) { Expiry(policy.PlaceOf("on_error", "hold", "on_expiry"), "`on_error`"); }
        if (policy.OnSchemaMismatch is { OnExpiry: OnExpiry.Allow }) { Expiry(policy.PlaceOf("on_schema_mismatch", "hold", "on_expiry"), "`on_schema_mismatch`"); }
        foreach (BindingDocument binding in policy.Bindings)
        {
            if (binding.TombstoneTerms is { OnExpiry: OnExpiry.Allow }) { Expiry(binding.PlaceOf("tombstones", "hold", "on_expiry"), $"`tombstones` of binding `{binding.Name}`"); }
            foreach (string route in whole ? binding.Topics.Routes : [])
            {
                if (!routing[route].Any(rule => rule.AppliesTo(binding.Name))) { bag.Warning(RouteNode(binding, route), DiagnosticCodes.RouteNeverUsed, $"no rule of binding `{binding.Name}` routes to `{route}`"); }
            }
        }

        void Expiry((int Line, int Column) place, string what)
        {
            if (conventions.Any(document => document.PermitsExpiryAllow(policy.Name))) { return; }
            bag.Add(place.Line, place.Column, DiagnosticCodes.ExpiryAllows, Severity.Error, $"the hold of {what} lets the record through when nobody decides", "write on_expiry: deny, or have a Conventions document permit it");
        }
    }

    private static Yaml.YamlNode RouteNode(BindingDocument binding, string route) =>
        binding.Whole.Find("topics")?.Find("routes")?.Items.FirstOrDefault(item => item.Text == route) ?? binding.Node;

    /// <summary>A rule that masks, and the bindings that it applies to.</summary>
    private readonly record struct MaskedBindings(RuleDocument Rule, HashSet<string> Bindings);

    /// <param name="before">The rules in front of it that mask the same: by an explicit path, or by a tag. A tag's mask under an explicit one is a safety net.</param>
    private static void CheckMasks(List<MaskedBindings> before, MaskedBindings own, RuleProofs? proofs, DiagnosticBag bag)
    {
        RuleDocument rule = own.Rule;
        foreach ((RuleDocument earlier, HashSet<string> bindings) in before)
        {
            if (!bindings.Overlaps(own.Bindings)) { continue; }
            MaskDocument mask = earlier.Mask!;
            string what = mask.Tag is { } tag ? $"fields of tag `{tag}`" : $"`{mask.Path}`";
            if (earlier.When is null && own.Bindings.IsSubsetOf(bindings)) { bag.Warning(rule.EffectNode, DiagnosticCodes.NeverMasks, $"the mask of rule `{rule.Id}` never applies: rule `{earlier.Id}` masks {what} before it, always"); }
            else if (proofs?.Implies(rule, earlier) == true) { bag.Warning(rule.EffectNode, DiagnosticCodes.NeverMasks, $"the mask of rule `{rule.Id}` never applies: rule `{earlier.Id}` masks {what} before it wherever it fires"); }
            else if (mask.Path is null || proofs?.Exclude(earlier, rule) == true) { continue; }
            else { bag.Warning(rule.EffectNode, DiagnosticCodes.TwoMasksOneField, $"rules `{earlier.Id}` and `{rule.Id}` both mask `{mask.Path}`", "where both apply, the first one holds"); }
            return;
        }
    }
}
