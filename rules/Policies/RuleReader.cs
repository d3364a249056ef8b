using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>Reads one rule.</summary>
internal sealed class RuleReader(DiagnosticBag bag, bool policyShadow, IReadOnlySet<string> bindings)
{
    public const int WhenMax = 65_536;
    private static readonly string[] Effects = ["deny", "hold", "mask", "route", "tag"];
    private static readonly string[] Keys = ["id", "description", "when", "bindings", "mode", .. Effects];

    public RuleDocument? Read(YamlNode node)
    {
        string? id = node.Kind == YamlKind.Mapping && node.Find("id") is { Kind: YamlKind.Scalar } given ? given.Text : null;
        string what = id is null ? "a rule" : $"rule `{YamlReader.Shown(id)}`";
        var section = new Section(node, bag, what, Keys);
        if (node.Kind != YamlKind.Mapping) { return null; }
        id = section.Name(section.Require("id"), "id", 64);
        if (section.Find("description") is { Kind: not YamlKind.Scalar } words) { bag.Error(words, DiagnosticCodes.WrongShape, $"`description` of {what} is text"); }
        string? when = When(section, what, out YamlNode? whenNode);
        IReadOnlyList<string>? applies = section.Texts("bindings", 1_000);
        foreach (string name in applies ?? [])
        {
            if (bindings.Contains(name)) { continue; }
            YamlNode at = section.Find("bindings")!.Items.First(item => item.Text == name);
            bag.Error(at, DiagnosticCodes.UnknownBinding, $"{what} names binding `{YamlReader.Shown(name)}`, which the policy does not have", bag.IsFull ? null : NearestName.Help(name, bindings, "bindings"));
        }

        bool shadow = section.Word("mode", "enforce", "shadow") == 1 || policyShadow;
        List<YamlEntry> effects = [.. node.Entries.Where(entry => Array.IndexOf(Effects, entry.Key.Text) >= 0)];
        if (effects.Count != 1)
        {
            bag.Error(effects.Count == 0 ? node : effects[1].Key, DiagnosticCodes.EffectCount, effects.Count == 0 ? $"{what} has no effect" : $"{what} has more than one effect", "a rule has exactly one of deny, hold, mask, route, tag");
            return new RuleDocument { Id = id ?? "", When = when, Effect = Effect.Deny, Bindings = applies, Incomplete = true, Node = node, WhenNode = whenNode, EffectNode = node };
        }

        YamlNode effectNode = effects[0].Value;
        Effect effect = (Effect)Array.IndexOf(Effects, effects[0].Key.Text);
        string reason = "";
        HoldTerms? hold = null;
        MaskDocument? mask = null;
        string? route = null;
        List<KeyValuePair<string, string>> tags = [];
        switch (effect)
        {
            case Effect.Deny:
                // `deny:` alone, without a reason, is a whole effect.
                if (!effectNode.IsNull) { reason = new Section(effectNode, bag, $"the deny of {what}", ["reason"]).Text("reason", ""); }
                break;
            case Effect.Hold:
                hold = HoldReader.Read(effectNode, bag, $"the hold of {what}", id ?? "");
                reason = hold?.Reason ?? "";
                break;
            case Effect.Mask:
                mask = new MaskReader(bag).Read(effectNode, what);
                break;
            case Effect.Route:
                var to = new Section(effectNode, bag, $"the route of {what}", ["to"]);
                route = to.Require("to") is { } topic ? to.Topic(topic, "to") : null;
                break;
            default:
                tags = Tags(effectNode, what);
                break;
        }

        bool complete = effect switch { Effect.Hold => hold is not null, Effect.Mask => mask is not null, Effect.Route => route is not null, Effect.Tag => tags.Count > 0, _ => true };
        return new RuleDocument
        {
            Id = id ?? "",
            Incomplete = id is null || !complete,
            When = when,
            Effect = effect,
            Shadow = shadow,
            Bindings = applies,
            Reason = reason,
            Hold = hold,
            Mask = mask,
            RouteTo = route,
            Tags = tags,
            Node = node,
            WhenNode = whenNode,
            EffectNode = effectNode,
        };
    }

    private string? When(Section section, string what, out YamlNode? node)
    {
        node = section.Find("when");
        if (node is null) { return null; }
        if (node.Kind != YamlKind.Scalar)
        {
            bag.Error(node, DiagnosticCodes.WrongShape, $"`when` of {what} is a condition, not {node.KindName}", "put a condition that begins with `[` or `{` in quotes");
            return null;
        }

        // A condition is text whatever it looks like: `when: true` is the condition `true`.
        if (node.IsNull) { bag.Error(node, DiagnosticCodes.BadValue, $"`when` of {what} is empty", "leave it out where the rule always applies"); return null; }
        if (node.Text.Length <= WhenMax) { return node.Text; }
        bag.Error(node, DiagnosticCodes.ConditionTooLarge, $"the condition of {what} is longer than {WhenMax} characters");
        return null;
    }

    private List<KeyValuePair<string, string>> Tags(YamlNode node, string what)
    {
        var tags = new List<KeyValuePair<string, string>>();
        if (node.Kind != YamlKind.Mapping || node.Entries.Count is 0 or > 32)
        {
            bag.Error(node, DiagnosticCodes.WrongShape, $"the tag of {what} is a mapping of 1 to 32 names to texts", "for example tag: { source: mobile }");
            return tags;
        }

        var section = new Section(node, bag, $"the tag of {what}", null);
        foreach (YamlEntry entry in node.Entries)
        {
            if (section.Name(entry.Key, "tag", 64) is { } name && section.Text(entry.Value, name, 256) is { } value) { tags.Add(new(name, value)); }
        }

        return tags;
    }
}
