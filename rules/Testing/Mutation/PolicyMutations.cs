using System.Globalization;
using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>A change of one rule. <paramref name="Changed"/> is null where the rule is gone.</summary>
internal sealed record RuleMutation(RuleDocument Rule, string Id, RuleDocument? Changed, IReadOnlyList<string> Diff);

/// <summary>The changes that tests are asked to notice: a rule left out, turned round, without its condition; its condition changed in one place; its effect weakened.</summary>
internal static class PolicyMutations
{
    public const int MutantsMax = 20_000;

    public static IEnumerable<RuleMutation> Of(PolicyDocument policy)
    {
        foreach (RuleDocument rule in policy.Rules)
        {
            var ids = new Dictionary<string, int>(StringComparer.Ordinal);
            foreach ((string what, RuleDocument? changed, string[] diff) in Changes(policy, rule))
            {
                // The same part twice in one condition: told apart by their order.
                ids[what] = ids.GetValueOrDefault(what) + 1;
                string id = $"{rule.Id}/{what}{(ids[what] > 1 ? "#" + ids[what].ToString(CultureInfo.InvariantCulture) : "")}";
                yield return new RuleMutation(rule, id, changed, diff);
            }
        }
    }

    private static IEnumerable<(string What, RuleDocument? Changed, string[] Diff)> Changes(PolicyDocument policy, RuleDocument rule)
    {
        yield return ("delete", null, [.. Source(rule).Select(line => "- " + line)]);
        if (rule.When is { } when)
        {
            string canonical = Cel.CelPrinter.Canonical(when, []) ?? when;
            yield return When("negate", $"!({canonical})");
            yield return ("always", rule with { When = null }, [$"- when: {canonical}"]);
            foreach (ConditionMutation change in ConditionMutations.Of(when)) { yield return When(change.What, change.Whole); }

            (string, RuleDocument?, string[]) When(string what, string changed) => (what, rule with { When = changed }, [$"- when: {canonical}", $"+ when: {changed}"]);
        }

        if (rule.Shadow && !policy.Shadow) { yield return ("enforced", rule with { Shadow = false }, ["- mode: shadow"]); }

        // What is recorded and not enforced has no effect to weaken.
        IEnumerable<(string, RuleDocument?, string[])> effects = rule.Shadow ? [] : rule.Effect switch
        {
            Effect.Deny => [("deny -> hold", rule with { Effect = Effect.Hold, Hold = new HoldTerms { Rule = rule.Id, Approvers = ["anybody"], Expires = HoldReader.ExpiresDefault, Reason = rule.Reason } }, ["- deny", "+ hold"])],
            Effect.Hold => Hold(rule, rule.Hold!),
            Effect.Mask => Mask(rule, rule.Mask!),
            Effect.Route => policy.Bindings.Where(binding => rule.AppliesTo(binding.Name)).Select(binding => binding.Topics).SelectMany(topics => (IEnumerable<string>)[topics.Governed, .. topics.Routes])
                .Where(topic => topic != rule.RouteTo).Take(1).Select(topic => ($"to {rule.RouteTo} -> {topic}", (RuleDocument?)(rule with { RouteTo = topic }), (string[])[$"- route: {{ to: {rule.RouteTo} }}", $"+ route: {{ to: {topic} }}"])),
            _ => rule.Tags.Select((tag, i) => ($"tag {tag.Key}", (RuleDocument?)(rule with { Tags = [.. rule.Tags.Take(i), new(tag.Key, tag.Value + "?"), .. rule.Tags.Skip(i + 1)] }), (string[])[$"- tag: {{ {tag.Key}: {tag.Value} }}", $"+ tag: {{ {tag.Key}: {tag.Value}? }}"])),
        };
        foreach ((string, RuleDocument?, string[]) effect in effects) { yield return effect; }
    }

    /// <summary>Fewer people, people who may not, and nobody at all.</summary>
    private static IEnumerable<(string, RuleDocument?, string[])> Hold(RuleDocument rule, HoldTerms terms)
    {
        if (terms.Quorum > 1) { yield return Change("quorum", Number(terms.Quorum), Number(terms.Quorum - 1), terms with { Quorum = terms.Quorum - 1 }); }
        if (terms.OnExpiry == OnExpiry.Deny) { yield return Change("on_expiry", "deny", "allow", terms with { OnExpiry = OnExpiry.Allow }); }
        if (!terms.OwnGroupMayApprove) { yield return Change("own_group_may_approve", "false", "true", terms with { OwnGroupMayApprove = true }); }

        (string, RuleDocument?, string[]) Change(string key, string from, string to, HoldTerms changed) =>
            ($"{key} {from} -> {to}", rule with { Hold = changed }, [$"- hold: {{ {key}: {from} }}", $"+ hold: {{ {key}: {to} }}"]);

        static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>The value as it was, though the rule fires; and more of it than was meant.</summary>
    private static IEnumerable<(string, RuleDocument?, string[])> Mask(RuleDocument rule, MaskDocument mask)
    {
        // A pattern that nothing matches: the mask is there and changes nothing. Where the value is no text there is no such mask.
        yield return ("unmasked", rule with { Mask = mask with { Method = MaskMethod.Pattern, Match = "[^\\x{0}-\\x{10FFFF}]", Replace = "", KeyName = null } }, [.. Source(rule).Select(line => "- " + line), "+ a mask that changes nothing"]);
        switch (mask.Method)
        {
            case MaskMethod.KeepLast or MaskMethod.KeepFirst:
                yield return Change(mask.Keep.ToString(CultureInfo.InvariantCulture), (mask.Keep + 1).ToString(CultureInfo.InvariantCulture), mask with { Keep = mask.Keep + 1 });
                break;
            case MaskMethod.Email when !mask.KeepDomain:
                yield return Change("keep_domain: false", "keep_domain: true", mask with { KeepDomain = true });
                break;
            case MaskMethod.Date when mask.Date < DatePart.Hour:
                yield return Change(Word(mask.Date), Word(mask.Date + 1), mask with { Date = mask.Date + 1 });
                break;
        }

        (string, RuleDocument?, string[]) Change(string from, string to, MaskDocument changed) =>
            ($"{mask.MethodName} {from} -> {to}", rule with { Mask = changed }, [$"- {mask.MethodName}: {from}", $"+ {mask.MethodName}: {to}"]);

        static string Word(DatePart part) => part switch { DatePart.Year => "year", DatePart.Month => "month", DatePart.Day => "day", _ => "hour" };
    }

    /// <summary>A rule in one line a key, as its author wrote the values.</summary>
    private static IEnumerable<string> Source(RuleDocument rule) => rule.Node.Entries.Select((entry, i) => $"{(i == 0 ? "" : "  ")}{entry.Key.Text}: {Text(entry.Value)}");

    private static string Text(YamlNode node) => node.Kind switch
    {
        YamlKind.Mapping => $"{{ {string.Join(", ", node.Entries.Select(entry => $"{entry.Key.Text}: {Text(entry.Value)}"))} }}",
        YamlKind.Sequence => $"[{string.Join(", ", node.Items.Select(Text))}]",
        _ => node.Text,
    };
}
