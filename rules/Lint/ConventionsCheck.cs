using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>Holds policies to conventions as far as their documents alone say; what needs schemas is <see cref="LeakCheck"/>'s and <see cref="CheckMasks"/>'s.</summary>
internal static class ConventionsCheck
{
    /// <param name="tested">Ids of rules that fire in a test of the policy; null where nobody ran any.</param>
    public static void Check(PolicyDocument policy, IReadOnlyList<ConventionsDocument> all, IReadOnlySet<string>? tested, DiagnosticBag bag)
    {
        foreach (ConventionsDocument conventions in all)
        {
            string by = By(conventions);
            if (conventions.RequiresOwner && policy.Owner.Length == 0) { bag.Error(policy.NameNode, DiagnosticCodes.ConventionText, $"policy `{policy.Name}` has no owner{by}", "add it: metadata: { owner: … }"); }
            if (conventions.RequiresDescription && policy.Description.Length == 0) { bag.Error(policy.NameNode, DiagnosticCodes.ConventionText, $"policy `{policy.Name}` has no description{by}", "add it: metadata: { description: … }"); }
            Limit("record_bytes", policy.RecordBytesMax, conventions.RecordBytesMax);
            Limit("headers", policy.HeadersMax, conventions.HeadersMax);
            foreach (BindingDocument binding in policy.Bindings) { Topics(binding, conventions, bag); }
            foreach (RuleDocument rule in policy.Rules)
            {
                if (rule.Id.Length == 0) { continue; }
                if (conventions.RequiresRuleDescription && rule.Node.Find("description") is not { Text.Length: > 0 }) { bag.Error(rule.Node, DiagnosticCodes.ConventionText, $"rule `{rule.Id}` has no description{by}", "add it: description: …"); }
                if (conventions.RequiresTests && tested is not null && !tested.Contains(rule.Id)) { bag.Error(rule.Node, DiagnosticCodes.ConventionTest, $"rule `{rule.Id}` fires in no test of policy `{policy.Name}`{by}", "add a test with a record that it speaks of"); }
                if (rule.Mask is { Tag: { } tag } mask) { Method(conventions, mask, tag, $"tag `{tag}`", rule, bag); }
            }

            void Limit(string key, int value, int? most)
            {
                if (most is not { } max || value <= max) { return; }
                (int line, int column) = policy.Root.Find("limits")?.Find(key) is null ? (policy.NameNode.Line, policy.NameNode.Column) : policy.PlaceOf("limits", key);
                bag.Add(line, column, DiagnosticCodes.ConventionLimit, Severity.Error, $"`limits: {{ {key} }}` of policy `{policy.Name}` is {ConventionsDocument.Number(value)}, and at most {ConventionsDocument.Number(max)} is allowed{by}", $"write limits: {{ {key}: {ConventionsDocument.Number(max)} }} or less");
            }
        }
    }

    /// <summary>Masks by explicit path of fields that carry a tag: which the document alone does not know.</summary>
    public static void CheckMasks(CompiledBinding binding, IReadOnlyList<ConventionsDocument> all, DiagnosticBag bag)
    {
        foreach (ConventionsDocument conventions in all)
        {
            foreach (CompiledRule rule in binding.Rules)
            {
                if (rule.Document.Mask is not { Path: { } path } mask) { continue; }
                var carried = path.Root == PolicyStreams.Schemas.PathRoot.Key ? binding.Key.Tags : path.Root == PolicyStreams.Schemas.PathRoot.Value ? binding.Plan.TagsByPath : null;
                string inside = path.Root == PolicyStreams.Schemas.PathRoot.Key ? new PolicyStreams.Schemas.FieldPath(PolicyStreams.Schemas.PathRoot.Value, null, path.Steps.ToArray()).ToString() : path.ToString();
                foreach (string tag in carried?.GetValueOrDefault(inside) ?? Enumerable.Empty<string>()) { Method(conventions, mask, tag, $"`{path}`, which carries tag `{tag}`", rule.Document, bag); }
            }
        }
    }

    /// <summary>Which conventions a diagnostic speaks of.</summary>
    public static string By(ConventionsDocument conventions) => $" (conventions `{conventions.Name}`)";

    private static void Method(ConventionsDocument conventions, MaskDocument mask, string tag, string what, RuleDocument rule, DiagnosticBag bag)
    {
        if (!conventions.Masks.TryGetValue(tag, out IReadOnlyList<string>? methods) || methods.Contains(mask.MethodName)) { return; }
        bag.Error(mask.MethodNode, DiagnosticCodes.ConventionMask, $"`{mask.MethodName}` of rule `{rule.Id}` may not mask {what}{By(conventions)}", $"allowed: {string.Join(", ", methods)}");
    }

    private static void Topics(BindingDocument binding, ConventionsDocument conventions, DiagnosticBag bag)
    {
        BindingTopics topics = binding.Topics;
        (string Role, string Topic)[] all =
        [
            ("ingress", topics.Ingress), ("governed", topics.Governed), ("rejected", topics.Rejected), ("held", topics.Held), ("state", topics.State), ("approvals", topics.Approvals), ("decisions", topics.Decisions),
            .. topics.Routes.Select(route => ("routes", route)),
        ];
        foreach ((string role, string topic) in all)
        {
            if (!conventions.Topics.TryGetValue(role, out (string Text, Cel.Patterns.Re2 Pattern) wanted) || wanted.Pattern.IsMatch(topic)) { continue; }
            YamlNode at = binding.Whole.Find("topics")?.Find(role) is not { } node ? binding.Node : node.Items.FirstOrDefault(item => item.Text == topic) ?? node;
            string what = role == "routes" ? $"topic `{topic}` in `routes`" : $"the {role} topic `{topic}`";
            bag.Error(at, DiagnosticCodes.ConventionTopic, $"{what} of binding `{binding.Name}` is not named as it must be{By(conventions)}", $"its whole name matches {wanted.Text}");
        }
    }
}
