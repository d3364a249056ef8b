using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>Reads a policy file to a document; says every mistake that needs no schema to see.</summary>
internal sealed class DocumentReader(DiagnosticBag bag)
{
    public const string ApiVersion = "policystreams/v1";
    public const int BindingsMax = 1_000;
    public const int RulesMax = 10_000;

    /// <summary>Rules, each counted once for every binding that it applies to: what is compiled and kept.</summary>
    public const int AppliedMax = 100_000;

    /// <summary>Characters of their conditions, counted likewise.</summary>
    public const int AppliedCharactersMax = 8 * 1024 * 1024;

    /// <summary>Null where nothing usable is in the file. With errors in the bag the document is for checks across files only.</summary>
    public PolicyDocument? Read(string text)
    {
        if (YamlReader.Read(text, bag) is not { } root) { return null; }
        var section = new Section(root, bag, "the policy", ["apiVersion", "kind", "metadata", "mode", "bindings", "limits", "on_error", "on_schema_mismatch", "rules"]);
        if (root.Kind != YamlKind.Mapping || !IsKind(section, "Policy", bag)) { return null; }

        string name = "", owner = "", description = "";
        YamlNode nameNode = root;
        if (section.Require("metadata") is { } metadataNode)
        {
            var metadata = new Section(metadataNode, bag, "`metadata`", ["name", "owner", "description"]);
            nameNode = metadata.Require("name") ?? metadataNode;
            name = metadata.Name(metadata.Find("name"), "name") ?? "";
            owner = metadata.Text("owner", "");
            description = metadata.Find("description") is { Kind: YamlKind.Scalar } words ? words.Text : metadata.Text("description", "");
        }

        int recordBytesMax = 1_048_576, headersMax = 64;
        long costMax = 10_000_000_000;
        if (section.Find("limits") is { } limitsNode)
        {
            var limits = new Section(limitsNode, bag, "`limits`", ["record_bytes", "headers", "cost"]);
            recordBytesMax = limits.Int("record_bytes", 1, 104_857_600) ?? recordBytesMax;
            headersMax = limits.Int("headers", 0, 10_000) ?? headersMax;
            costMax = limits.Long("cost", 1, 1_000_000_000_000_000) ?? costMax;
        }

        bool shadow = section.Word("mode", "enforce", "shadow") == 1;
        HoldTerms? onError = DenyOrHold(section, "on_error", SystemCauses.Error);
        HoldTerms? onMismatch = DenyOrHold(section, "on_schema_mismatch", SystemCauses.SchemaMismatch);
        IReadOnlyList<RuleDocument> rules = Rules(section, shadow, out IReadOnlySet<string> bindingNames);
        if (!CheckApplied(rules, bindingNames.Count, section)) { rules = []; }
        var reader = new BindingReader(bag, name, rules, recordBytesMax, headersMax, onError ?? onMismatch);
        IReadOnlyList<BindingDocument> bindings = Bindings(section, reader);
        CheckRoutes(rules, bindings);
        return new PolicyDocument
        {
            Path = bag.File,
            Name = name,
            Owner = owner,
            Description = description,
            NameNode = nameNode,
            Root = root,
            Bindings = bindings,
            Rules = rules,
            Shadow = shadow,
            RecordBytesMax = recordBytesMax,
            HeadersMax = headersMax,
            CostMax = costMax,
            OnError = onError,
            OnSchemaMismatch = onMismatch,
        };

        IReadOnlyList<RuleDocument> Rules(Section policy, bool allShadow, out IReadOnlySet<string> names)
        {
            names = (policy.Find("bindings")?.Items ?? []).Select(item => item.Find("name")?.Text ?? "").Where(item => item.Length > 0).ToHashSet(StringComparer.Ordinal);
            if (policy.Find("rules") is not { } list) { return []; }
            if (!List(list, "rules", RulesMax)) { return []; }
            var all = new List<RuleDocument>();
            var ids = new HashSet<string>(StringComparer.Ordinal);
            var ruleReader = new RuleReader(bag, allShadow, names);
            foreach (YamlNode item in list.Items)
            {
                if (ruleReader.Read(item) is not { } rule) { continue; }
                all.Add(rule);
                if (rule.Id.Length > 0 && !ids.Add(rule.Id)) { bag.Error(item.Find("id") ?? item, DiagnosticCodes.DuplicateName, $"rule `{rule.Id}` comes twice"); }
            }

            return all;
        }

        IReadOnlyList<BindingDocument> Bindings(Section policy, BindingReader bindingReader)
        {
            if (policy.Require("bindings") is not { } list || !List(list, "bindings", BindingsMax)) { return []; }
            if (list.Items.Count == 0) { bag.Error(list, DiagnosticCodes.BadValue, "`bindings` is empty"); }
            var all = new List<BindingDocument>();
            var names = new HashSet<string>(StringComparer.Ordinal);
            foreach (YamlNode item in list.Items)
            {
                if (bindingReader.Read(item) is not { } binding) { continue; }
                if (names.Add(binding.Name)) { all.Add(binding); }
                else { bag.Error(item.Find("name") ?? item, DiagnosticCodes.DuplicateName, $"binding `{binding.Name}` comes twice"); }
            }

            return all;
        }
    }

    /// <summary>True where the document is of this version and kind, as far as it says so.</summary>
    public static bool IsKind(Section section, string kindWanted, DiagnosticBag bag)
    {
        YamlNode? version = section.Require("apiVersion"), kind = section.Require("kind");
        if (version is not null && version.Text != ApiVersion)
        {
            bag.Error(version, DiagnosticCodes.UnknownKind, $"unknown `apiVersion: {YamlReader.Shown(version.Text)}`", $"this version reads `{ApiVersion}`");
            return false;
        }

        if (kind is null || kind.Text == kindWanted) { return true; }
        bag.Error(kind, DiagnosticCodes.UnknownKind, $"unknown `kind: {YamlReader.Shown(kind.Text)}`", NearestName.Help(kind.Text, [kindWanted], "kinds"));
        return false;
    }

    private bool List(YamlNode node, string key, int max)
    {
        if (node.IsNull) { return true; }
        if (node.Kind != YamlKind.Sequence)
        {
            bag.Error(node, DiagnosticCodes.WrongShape, $"`{key}` is a list, not {node.KindName}");
            return false;
        }

        if (node.Items.Count <= max) { return true; }
        bag.Error(node, DiagnosticCodes.TooMany, $"{node.Items.Count} {key}; a policy has at most {max}");
        return false;
    }

    /// <summary>The product of rules and bindings is bounded as each of them is. False where there is no looking at the rules one by one.</summary>
    private bool CheckApplied(IReadOnlyList<RuleDocument> rules, int bindings, Section section)
    {
        long applied = 0, characters = 0;
        foreach (RuleDocument rule in rules)
        {
            int times = rule.Bindings?.Count ?? bindings;
            applied += times;
            characters += (long)times * (rule.When?.Length ?? 0);
        }

        if (applied > AppliedMax) { bag.Error(section.Find("rules")!, DiagnosticCodes.TooMany, $"{applied} rules, each counted once for every binding that it applies to; a policy has at most {AppliedMax}", "a policy of fewer bindings, or rules that name theirs"); }
        if (characters > AppliedCharactersMax) { bag.Error(section.Find("rules")!, DiagnosticCodes.TooMany, $"{characters} characters of conditions, each counted once for every binding that its rule applies to; a policy has at most {AppliedCharactersMax}", "a policy of fewer bindings, or rules that name theirs"); }
        return applied <= AppliedMax && characters <= AppliedCharactersMax;
    }

    private HoldTerms? DenyOrHold(Section section, string key, string cause)
    {
        if (section.Find(key) is not { } node || (node.Kind == YamlKind.Scalar && node.Text == "deny")) { return null; }
        if (node.Kind != YamlKind.Mapping)
        {
            bag.Error(node, DiagnosticCodes.BadValue, $"`{key}` is `deny` or `{{ hold: {{ … }} }}`");
            return null;
        }

        var choice = new Section(node, bag, $"`{key}`", ["hold"]);
        return choice.Require("hold") is { } hold ? HoldReader.Read(hold, bag, $"the hold of `{key}`", cause) : null;
    }

    private void CheckRoutes(IReadOnlyList<RuleDocument> rules, IReadOnlyList<BindingDocument> bindings)
    {
        foreach (RuleDocument rule in rules)
        {
            if (rule.RouteTo is not { } to) { continue; }
            foreach (BindingDocument binding in bindings)
            {
                if (!rule.AppliesTo(binding.Name) || to == binding.Topics.Governed || binding.Topics.Routes.Contains(to)) { continue; }
                bag.Error(
                    rule.EffectNode.Find("to") ?? rule.EffectNode, DiagnosticCodes.UnknownRoute, $"rule `{rule.Id}` routes to `{to}`, which binding `{binding.Name}` does not list",
                    bag.IsFull ? null : NearestName.Find(to, binding.Topics.Routes) is { } near ? $"did you mean `{near}`?" : $"add it to binding `{binding.Name}`: topics: {{ routes: [{to}] }}");
            }
        }
    }
}
