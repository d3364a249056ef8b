using System.Globalization;
using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Cel.Library;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Rules.Yaml;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>
/// Looks for a record that a policy and its mutant judge differently: a record of a test, as it is, or with one or two of the fields that the rule reads set to the rule's own literals and what
/// lies beside them. What is found was judged by both.
/// </summary>
internal static class TellingRecord
{
    private const int TriesMax = 2_000;
    private const int ValuesMax = 24;

    public static string? Find(TestedFile file, CompiledPolicy mutant, RuleMutation mutation)
    {
        List<Setting> settings = Settings(mutation);
        int tries = 0;
        foreach (IReadOnlyList<Setting> chosen in Choices(settings))
        {
            foreach (TestedCase one in file.Cases)
            {
                if (tries++ >= TriesMax) { return null; }
                YamlNode? overlay = null;
                foreach (Setting setting in chosen) { overlay = YamlMerge.Over(overlay, setting.Overlay(one.Given)); }
                YamlNode given = YamlMerge.Over(one.Given, overlay)!;
                if (Tell(file.Policy, given) is not { } said || Tell(mutant, given) is not { } other || said.Whole == other.Whole) { continue; }
                string record = $"the record of test `{one.Name}`{(overlay is null ? "" : $" with {Spell(overlay)}")}";
                return said.Short == other.Short ? $"{record}: {said.Short} by both, with other terms or other values written" : $"{record}: {said.Short}; by the mutant {other.Short}";
            }
        }

        return null;
    }

    private static (string Whole, string Short)? Tell(CompiledPolicy policy, YamlNode given) => new PolicyTestCase(policy, "record", new DiagnosticBag("record")).Tell(given);

    /// <summary>Nothing changed, then one thing, then two things at a time.</summary>
    private static IEnumerable<IReadOnlyList<Setting>> Choices(List<Setting> settings)
    {
        yield return [];
        foreach (Setting one in settings) { yield return [one]; }
        for (int i = 0; i < settings.Count; i++)
        {
            for (int j = 0; j < i; j++)
            {
                if (settings[i].Place != settings[j].Place) { yield return [settings[j], settings[i]]; }
            }
        }
    }

    /// <summary>A value for a place of a record: <c>value.customer.age</c>, <c>headers.x</c>, <c>principal.groups</c>, <c>key</c>. A step <c>[*]</c> is the first element.</summary>
    private sealed record Setting(string Place, string[] Steps, YamlNode Value)
    {
        public YamlNode Overlay(YamlNode given) => Below(given, 0);

        private YamlNode Below(YamlNode? at, int step)
        {
            if (step == Steps.Length) { return Value; }
            if (Steps[step] == "[*]") { return at is { Kind: YamlKind.Sequence, Items.Count: > 0 } ? Sequence([YamlMerge.Over(at.Items[0], Below(at.Items[0], step + 1))!, .. at.Items.Skip(1)]) : Sequence([]); }
            return Mapping(Steps[step], Below(at?.Find(Steps[step]), step + 1));
        }
    }

    private static List<Setting> Settings(RuleMutation mutation)
    {
        var found = new List<Setting>();
        foreach (string? when in (string?[])[mutation.Rule.When, mutation.Changed?.When])
        {
            if (when is not null && CelParser.Parse(new CelSource(when), []) is { } expr) { Visit(expr, [], found); }
        }

        return [.. found.DistinctBy(setting => $"{setting.Place}={setting.Value.Kind}{setting.Value.Style}{Spell(setting.Value)}").GroupBy(setting => setting.Place).SelectMany(group => group.Take(ValuesMax))];
    }

    private static void Visit(Expr expr, Dictionary<string, string[]> locals, List<Setting> found)
    {
        switch (expr)
        {
            case CallExpr { HasTarget: false, Children.Length: 2 } call when call.Function is Operators.Equal or Operators.NotEqual or Operators.Less or Operators.LessOrEqual or Operators.Greater or Operators.GreaterOrEqual:
                Compared(call.Children[0], call.Children[1], locals, found);
                Compared(call.Children[1], call.Children[0], locals, found);
                break;
            case CallExpr { Function: Operators.In } call when call.Children[1] is ListExpr list:
                foreach (Expr item in list.Children) { Compared(call.Children[0], item, locals, found); }
                break;
            case CallExpr { Function: Operators.In } call when call.Children[0] is ConstExpr { Value: string text } && Path(call.Children[1], locals) is { } path:
                Add(path, Sequence([]), found);
                Add(path, Sequence([Text(text)]), found);
                break;
            case SelectExpr or IdentExpr when Path(expr, locals) is { } flag:
                Add(flag, Plain("true"), found);
                Add(flag, Plain("false"), found);
                break;
            case ComprehensionExpr { Variable2: null } macro when Path(macro.Range, locals) is { } range:
                locals = new Dictionary<string, string[]>(locals) { [macro.Variable] = [.. range, "[*]"] };
                break;
        }

        foreach (Expr child in expr.Children) { Visit(child, locals, found); }
    }

    private static void Compared(Expr place, Expr literal, Dictionary<string, string[]> locals, List<Setting> found)
    {
        bool hours = place is CallExpr { Function: "getHours", HasTarget: true, Children.Length: 1 };
        if (Path(hours ? place.Children[0] : place, locals) is not { } path) { return; }
        if (literal is CallExpr { Function: "timestamp" or "decimal", Children.Length: 1 } made) { literal = made.Children[0]; }
        if (literal is CallExpr { Function: Operators.Negate, Children.Length: 1 } negated && negated.Children[0] is ConstExpr { Value: long or double } positive) { literal = new ConstExpr(0, positive.Value is long whole ? -whole : -(double)positive.Value!); }
        if (literal is not ConstExpr constant) { return; }
        switch (constant.Value)
        {
            case null:
                Add(path, Plain("null"), found);
                break;
            case long hour when hours:
                foreach (long at in (long[])[hour - 1, hour, hour + 1])
                {
                    if (at is >= 0 and < 24) { Add(path, Text(string.Create(CultureInfo.InvariantCulture, $"2026-01-18T{at:00}:30:00Z")), found); }
                }

                break;
            case string text:
                Add(path, Text(text), found);
                if (CelTime.TryParse(text, out Timestamp instant))
                {
                    foreach (long second in (long[])[instant.Seconds - 1, instant.Seconds + 1])
                    {
                        if (second is >= CelTime.SecondsMin and <= CelTime.SecondsMax) { Add(path, Text(DateTimeOffset.FromUnixTimeSeconds(second).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)), found); }
                    }
                }
                else if (decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number)) { Numbers(path, number, found); }
                break;
            case long or ulong or double:
                if (decimal.TryParse(Convert.ToString(constant.Value, CultureInfo.InvariantCulture), NumberStyles.Float, CultureInfo.InvariantCulture, out decimal exact)) { Numbers(path, exact, found); }
                break;
        }
    }

    private static void Numbers(string[] path, decimal at, List<Setting> found)
    {
        if (Math.Abs(at) > 1_000_000_000_000_000m) { return; }
        foreach (decimal step in (decimal[])[0, 0.01m, -0.01m, 1, -1, 0.5m, -0.5m])
        {
            string text = ((at + step) / 1.000000000000000000000000000m).ToString(CultureInfo.InvariantCulture);
            Add(path, Plain(text), found);

            // A decimal is a text in plain JSON too, and an integer of the schema takes no point.
            if (!text.Contains('.', StringComparison.Ordinal)) { Add(path, Plain(text + ".0"), found); }
        }
    }

    /// <summary>Where in a test's <c>given</c> something is that a condition reads; null for what is computed.</summary>
    private static string[]? Path(Expr expr, Dictionary<string, string[]> locals) => expr switch
    {
        IdentExpr { Name: "key" or "value" } ident => [ident.Name],
        IdentExpr ident => locals.GetValueOrDefault(ident.Name),
        SelectExpr { Operand: IdentExpr { Name: "principal" }, Field: "id" or "groups" } select => ["principal", select.Field],
        SelectExpr { Optional: false } select => Path(select.Operand, locals) is { } path ? [.. path, select.Field] : null,
        CallExpr { Function: Operators.Index } index when index.Children[1] is ConstExpr { Value: string name } =>
            index.Children[0] is IdentExpr { Name: "headers" } ? ["headers", name] : Path(index.Children[0], locals) is { } path ? [.. path, name] : null,
        _ => null,
    };

    private static void Add(string[] path, YamlNode value, List<Setting> found)
    {
        if (path is not ["value"]) { found.Add(new Setting(string.Join('.', path), path, value)); }
    }

    private static YamlNode Plain(string text) => new() { Kind = YamlKind.Scalar, Text = text, Line = 1, Column = 1 };

    private static YamlNode Text(string text) => new() { Kind = YamlKind.Scalar, Text = text, Style = YamlStyle.DoubleQuoted, Line = 1, Column = 1 };

    private static YamlNode Sequence(IReadOnlyList<YamlNode> items) => new() { Kind = YamlKind.Sequence, Items = items, Line = 1, Column = 1 };

    private static YamlNode Mapping(string key, YamlNode value) => new() { Kind = YamlKind.Mapping, Entries = [new YamlEntry(Plain(key), value)], Line = 1, Column = 1 };

    /// <summary>As a test file may have it.</summary>
    private static string Spell(YamlNode node) => node.Kind switch
    {
        YamlKind.Mapping => $"{{ {string.Join(", ", node.Entries.Select(entry => $"{entry.Key.Text}: {Spell(entry.Value)}"))} }}",
        YamlKind.Sequence => $"[{string.Join(", ", node.Items.Select(Spell))}]",
        _ => node.Style == YamlStyle.Plain ? node.Text : $"\"{node.Text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"",
    };
}
