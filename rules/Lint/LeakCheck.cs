using PolicyStreams.Rules.Cel.Proof;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Rules.Yaml;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>
/// Proves of one binding that nothing which the conventions call sensitive reaches a governed or routed topic unmasked, whatever version writes the record: each such field is masked, or its record
/// is denied. What cannot be proven is an error: a mask with a condition counts where the condition is shown to hold, or where other masks and denials are shown to take the rest.
/// </summary>
internal sealed class LeakCheck
{
    private const int PathsMax = 20_000;

    private readonly CompiledBinding _binding;
    private readonly ConventionsDocument _conventions;
    private readonly DiagnosticBag _bag;
    private readonly ProofBudget _budget = new();
    private readonly Prover _prover;
    private readonly Dictionary<string, SensitiveTag> _sensitive;
    private readonly List<(string Topic, ArraySegment<CompiledRule> Before, CompiledRule? By)> _ways = [];
    private readonly Dictionary<string, Leak> _leaks = new(StringComparer.Ordinal);
    private readonly List<CompiledRule> _denies;
    private int _paths;

    private LeakCheck(CompiledBinding binding, ConventionsDocument conventions, DiagnosticBag bag)
    {
        _binding = binding;
        _conventions = conventions;
        _bag = bag;

        // A version with more symbols may come while the policy runs, and nobody lints then.
        _prover = new Prover(ProofFacts.Of(binding, withPrincipal: true, laterToo: true), _budget);
        _sensitive = conventions.Sensitive.ToDictionary(one => one.Tag, StringComparer.Ordinal);
        _denies = [.. binding.Rules.Where(rule => rule.Document is { Effect: Effect.Deny, Shadow: false })];
        CompiledRule[] routes = [.. binding.Rules.Where(rule => rule.Document is { Effect: Effect.Route, Shadow: false })];
        for (int i = 0; i < routes.Length; i++) { _ways.Add((routes[i].Document.RouteTo!, new ArraySegment<CompiledRule>(routes, 0, i), routes[i])); }
        _ways.Add((binding.Document.Topics.Governed, routes, null));
    }

    public static void Check(CompiledBinding binding, ConventionsDocument conventions, DiagnosticBag bag)
    {
        bool key = conventions.IsKeySensitive(binding.Document.Name);
        if (conventions.Sensitive.Count == 0 && conventions.SensitiveHeaders.Count == 0 && !key) { return; }
        var check = new LeakCheck(binding, conventions, bag);
        check.Values();
        check.Keys(key);
        check.Headers();
        check.Say();
    }

    /// <summary>A mask that stands before what is sensitive.</summary>
    private readonly record struct Cover(CompiledRule Rule, MaskDocument Mask)
    {
        /// <summary>True where it may leave a value as it is: there is nothing in it that it looks for.</summary>
        public bool Partial => Mask.MethodName is "pattern" or "detect";
    }

    private sealed class Leak
    {
        public required string What { get; init; }
        public SortedSet<string> Topics { get; } = new(StringComparer.Ordinal);
        public List<string> Versions { get; } = [];
        public bool OfNullValues { get; set; }
        public List<Cover> Covers { get; } = [];
    }

    private void Values()
    {
        List<Cover> masks = Selected(_binding.Masks);
        Walk(_binding.Subject, _binding.Writers, masks, _binding.Plan.Selectors, _binding.Plan.TagsByPath, key: false, first: [], sensitive: []);
    }

    private void Keys(bool whole)
    {
        List<Cover> ofKey = Selected(_binding.WholeKeyMasks);
        HashSet<string> all = whole ? [""] : [];
        if (_binding.Key is { Subject: { } subject, Writers: { } writers })
        {
            Walk(subject, writers, Selected(_binding.Key.Masks), _binding.Key.Selectors, _binding.Key.Tags, key: true, ofKey, all);
        }
        else if (whole) { Prove("key", all, [], ofKey, version: null, nullValues: true); }
    }

    private void Headers()
    {
        BindingDocument document = _binding.Document;
        foreach (string name in _conventions.SensitiveHeaders)
        {
            bool goes = document.Headers == HeaderChoice.Keep || (document.Headers == HeaderChoice.Names && document.HeaderNames.Contains(name));
            if (!goes || name.StartsWith("ps-", StringComparison.Ordinal)) { continue; }
            Prove($"headers[\"{name}\"]", [""], [], [.. Selected(_binding.HeaderMasks).Where(cover => cover.Mask.Path!.Header == name)], version: null, nullValues: true);
        }
    }

    private List<Cover> Selected(CompiledMask[] masks) => [.. masks.Select(mask => new Cover(_binding.Rules[mask.Rule], mask.Document))];

    private void Walk(
        SubjectSchemas subject, WriterTable writers, List<Cover> masks, IReadOnlyList<MaskSelector> selectors, IReadOnlyDictionary<string, IReadOnlySet<string>> tags, bool key, List<Cover> first, HashSet<string> sensitive)
    {
        foreach (SchemaVersion version in subject.Versions)
        {
            // Without frames every record is of the checked version.
            if (writers.Unframed && version.Version != subject.CheckedVersion.Version) { continue; }
            Writer? writer = writers.Unframed ? writers.Only : writers.Find(SchemaRef.ById(version.Id));

            // Records of such a version never come out: they are denied, or held until it is mended.
            if (writer is not { Program: not null, Refusal: null, Mismatches.Count: 0 }) { continue; }
            var walk = new VersionWalk(this, masks, selectors, tags, version, key, first);
            walk.Visit(version.Schema.Type, [], new HashSet<string>(), [], sensitive, []);
        }
    }

    /// <summary>One version's fields, from the root down.</summary>
    private sealed class VersionWalk(
        LeakCheck check, List<Cover> masks, IReadOnlyList<MaskSelector> selectors, IReadOnlyDictionary<string, IReadOnlySet<string>> tags, SchemaVersion version, bool key, List<Cover> first)
    {
        /// <param name="carried">Tags of the field whose value this is; empty for elements.</param>
        /// <param name="outer">Masks of what it lies in.</param>
        /// <param name="sensitive">Sensitive tags of what it lies in; an empty text for what is sensitive as a whole.</param>
        public void Visit(SchemaType type, List<PathStep> steps, IReadOnlySet<string> carried, List<Cover> outer, HashSet<string> sensitive, List<object> open)
        {
            if (check._paths > PathsMax) { return; }
            string path = new FieldPath(PathRoot.Value, null, [.. steps]).ToString();

            // Paths name a level of a record that holds itself, tags every one.
            bool deep = open.GroupBy(one => one).Any(group => group.Count() > 2);
            List<Cover> own = Own(path, carried, deep);
            HashSet<string> now = carried.Any(check._sensitive.ContainsKey) ? [.. sensitive, .. carried.Where(check._sensitive.ContainsKey)] : sensitive;
            Inside(type, path, steps, own, outer, now, open);
        }

        private void Inside(SchemaType type, string path, List<PathStep> steps, List<Cover> own, List<Cover> outer, HashSet<string> sensitive, List<object> open)
        {
            switch (type.Kind)
            {
                case ValueKind.Dyn when type.Branches.Count > 0:
                    foreach (SchemaType branch in type.Branches) { Inside(branch, path, steps, own, outer, sensitive, open); }
                    return;
                case ValueKind.Record:
                    if (steps.Count > PathText.StepsMax || open.Count(one => ReferenceEquals(one, type.Fields)) > 2) { return; }
                    open.Add(type.Fields);
                    foreach (SchemaField field in type.Fields)
                    {
                        check._paths++;
                        steps.Add(new PathStep(PathStepKind.Field, field.Name));
                        var carried = new HashSet<string>(field.Tags, StringComparer.Ordinal);
                        if (tags.TryGetValue(new FieldPath(PathRoot.Value, null, [.. steps]).ToString(), out IReadOnlySet<string>? all)) { carried.UnionWith(all); }
                        Visit(field.Type, steps, carried, [.. outer, .. own], sensitive, open);
                        steps.RemoveAt(steps.Count - 1);
                    }

                    open.RemoveAt(open.Count - 1);
                    return;
                case ValueKind.List or ValueKind.Map when steps.Count <= PathText.StepsMax:
                    steps.Add(PathStep.All);
                    Visit(type.Element!, steps, new HashSet<string>(), [.. outer, .. own], sensitive, open);
                    steps.RemoveAt(steps.Count - 1);
                    return;
                case ValueKind.Null:
                    return;
                default:
                    if (sensitive.Count > 0) { check.Prove(key ? KeyCodec.KeyPath(path) : path, sensitive, outer, [.. first, .. own], version, nullValues: key); }
                    return;
            }
        }

        private List<Cover> Own(string path, IReadOnlySet<string> carried, bool deep)
        {
            var own = new List<Cover>();
            for (int i = 0; i < masks.Count; i++)
            {
                if (selectors[i].Tag is { } tag ? carried.Contains(tag) : !deep && selectors[i].Path!.ToString() == path) { own.Add(masks[i]); }
            }

            return own;
        }
    }

    /// <param name="sensitive">Why it is sensitive: tags, or an empty text.</param>
    /// <param name="outer">Masks of what it lies in: where one of them applies, nothing of it is left.</param>
    /// <param name="own">Masks of the value itself, the first that applies wins.</param>
    /// <param name="nullValues">True for keys and headers, which records with a null value have too.</param>
    private void Prove(string path, HashSet<string> sensitive, List<Cover> outer, List<Cover> own, SchemaVersion? version, bool nullValues)
    {
        outer = [.. outer.Where(cover => !cover.Rule.Document.Shadow)];
        List<Cover> enforced = [.. own.Where(cover => !cover.Rule.Document.Shadow)];
        foreach ((string topic, ArraySegment<CompiledRule> before, CompiledRule? by) in _ways)
        {
            if (sensitive.All(tag => tag.Length > 0 && _sensitive[tag].UnmaskedOn.Contains(topic))) { continue; }
            bool ofNull = false;
            if (!IsOpen(outer, enforced, before, by, noValue: false))
            {
                ofNull = nullValues && _binding.Document.Tombstones != TombstoneChoice.Deny && IsOpen(outer, enforced, before, by, noValue: true);
                if (!ofNull) { continue; }
            }

            if (!_leaks.TryGetValue(path, out Leak? leak))
            {
                string tags = string.Join(", ", sensitive.Where(tag => tag.Length > 0).Order(StringComparer.Ordinal).Select(tag => $"tag `{tag}`"));
                _leaks[path] = leak = new Leak { What = tags.Length > 0 ? $"`{path}` ({tags})" : $"`{path}`", OfNullValues = ofNull };
            }

            leak.Topics.Add(topic);
            leak.OfNullValues &= ofNull;
            leak.Covers.AddRange(outer.Concat(own).Where(cover => !leak.Covers.Contains(cover)));
            string number = version is null ? "" : ConventionsDocument.Number(version.Version);
            if (number.Length > 0 && !leak.Versions.Contains(number)) { leak.Versions.Add(number); }
        }
    }

    /// <summary>True unless it is proven that no record takes this way with the value as it came.</summary>
    private bool IsOpen(List<Cover> outer, List<Cover> own, ArraySegment<CompiledRule> before, CompiledRule? by, bool noValue)
    {
        if (outer.Exists(cover => cover.Rule.When is null) || own is [{ Rule.When: null, Partial: false }, ..]) { return false; }
        if (!_budget.Spend(1 + _denies.Count + before.Count + outer.Count + own.Count)) { return true; }
        var claims = new List<(Expr, Claim)>();
        bool failsClosed = _binding.PolicyDocument.OnError is null;

        // A deny that fails to evaluate denies too, unless `on_error` holds: then people may let the record through.
        foreach (CompiledRule deny in _denies)
        {
            if (!Add(deny, failsClosed ? Claim.False : Claim.NotTrue)) { return false; }
        }

        foreach (CompiledRule route in before)
        {
            if (!Add(route, Claim.NotTrue)) { return false; }
        }

        if (by is not null && (noValue && by.ReadsValue || !Must(by, claims))) { return false; }

        // A mask whose condition fails is never passed over: its record is denied, or held and never released.
        foreach (Cover cover in outer)
        {
            if (!Add(cover.Rule, Claim.False)) { return false; }
        }

        foreach (Cover cover in own)
        {
            if (noValue && cover.Rule.ReadsValue) { continue; }
            var through = new List<(Expr, Claim)>(claims);
            if (cover.Partial && Must(cover.Rule, through) && _prover.CanHold(through)) { return true; }
            if (!Add(cover.Rule, Claim.False)) { return false; }
        }

        return _prover.CanHold(claims);

        // False where the rule always fires, so that it cannot have failed to.
        bool Add(CompiledRule rule, Claim claim)
        {
            // Of a null value a rule that reads it does not speak.
            if (noValue && rule.ReadsValue) { return true; }
            if (rule.When is null) { return false; }
            claims.Add((rule.When.Syntax, claim));
            return true;
        }

        static bool Must(CompiledRule rule, List<(Expr, Claim)> to)
        {
            if (rule.When is { } when) { to.Add((when.Syntax, Claim.True)); }
            return true;
        }
    }

    private void Say()
    {
        BindingDocument document = _binding.Document;
        if (_paths > PathsMax) { _bag.Error(document.Node, DiagnosticCodes.SensitiveLeak, $"the schemas of binding `{document.Name}` have more than {ConventionsDocument.Number(PathsMax)} fields, and not all of them were looked at{ConventionsCheck.By(_conventions)}"); }
        foreach ((string path, Leak leak) in _leaks.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            bool ofKey = path == "key" || path.StartsWith("key.", StringComparison.Ordinal) || path.StartsWith("key[", StringComparison.Ordinal);
            SubjectSchemas? subject = ofKey ? _binding.Key.Subject : _binding.Subject;
            int usable = subject?.Versions.Count ?? 0;
            string versions = leak.Versions.Count == 0 || leak.Versions.Count == usable ? "" : $" in version {string.Join(", ", leak.Versions)} of subject `{subject!.Subject}`";
            string where = string.Join(", ", leak.Topics.Select(topic => $"`{topic}`"));
            (string why, YamlNode at) = Why(leak);
            _bag.Error(
                at, DiagnosticCodes.SensitiveLeak,
                $"{leak.What} of binding `{document.Name}` may leave unmasked to {where}{versions}{(leak.OfNullValues ? ", on records with a null value" : "")}: {why}{ConventionsCheck.By(_conventions)}",
                "mask it on every way out, or deny the records that keep it");
        }
    }

    private (string Why, YamlNode At) Why(Leak leak)
    {
        List<Cover> covers = [.. leak.Covers.DistinctBy(cover => cover.Rule.Document.Id)];
        if (covers.Count == 0) { return ("no rule masks it", _binding.Document.Node); }
        List<string> parts = [];
        foreach (Cover cover in covers.Take(8))
        {
            RuleDocument rule = cover.Rule.Document;
            parts.Add(rule.Shadow ? $"rule `{rule.Id}` masks it in shadow mode only"
                : cover.Rule.When is { } when ? $"rule `{rule.Id}` masks it only where `{when.Canonical}`"
                : cover.Partial ? $"`{cover.Mask.MethodName}` of rule `{rule.Id}` leaves a text as it is where it finds nothing in it"
                : $"rule `{rule.Id}` comes too late");
        }

        RuleDocument first = covers[0].Rule.Document;
        return (string.Join("; ", parts), first.WhenNode ?? first.EffectNode);
    }
}
