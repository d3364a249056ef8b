using System.Globalization;
using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Cel.Syntax;

namespace PolicyStreams.Rules;

/// <summary>One small change of a condition.</summary>
/// <param name="What">In one place: <c>value.amount > 1.0 -> value.amount >= 1.0</c>, or <c>without "KP"</c>.</param>
/// <param name="Whole">The changed condition.</param>
internal readonly record struct ConditionMutation(string What, string Whole);

/// <summary>
/// The changes of a condition: comparisons moved by one or turned, operands left out, <c>&amp;&amp;</c> and <c>||</c> exchanged, elements of lists left out, literals moved by their last digit.
/// Not all of them type-check; those that do not are no mutants.
/// </summary>
internal static class ConditionMutations
{
    /// <summary>Each spelling once, in the order of the text; empty where the condition does not parse.</summary>
    public static IEnumerable<ConditionMutation> Of(string when)
    {
        if (CelParser.Parse(new CelSource(when), []) is not { } whole) { yield break; }
        string before = CelPrinter.Print(whole);
        var seen = new HashSet<string>(StringComparer.Ordinal) { before };
        foreach ((Expr from, Expr to, Expr changed) in Changes(whole))
        {
            string after = CelPrinter.Print(changed);
            if (seen.Add(after)) { yield return new ConditionMutation(Say(from, to), after); }
        }
    }

    /// <summary>Of a list or chain only what is gone: the change is the same one when more is added.</summary>
    private static string Say(Expr from, Expr to)
    {
        string[] before = Parts(from, from), after = Parts(from, to);
        return before.Length == after.Length + 1 && before.Length > 1
            ? $"without {before[Gone(before, after)]}" : $"{CelPrinter.Print(from)} -> {CelPrinter.Print(to)}";
    }

    /// <summary>Elements of a list or operands of a chain; what is left of one where a single operand is.</summary>
    private static string[] Parts(Expr kind, Expr expr) => (kind, expr) switch
    {
        (ListExpr, ListExpr) => Printed(expr),
        (LogicExpr of, LogicExpr logic) when of.And == logic.And => Printed(expr),
        (LogicExpr of, LogicExpr) => Printed(of),
        (LogicExpr, _) => [CelPrinter.Print(expr)],
        _ => [],
    };

    private static string[] Printed(Expr expr) => [.. expr.Children.ToArray().Select(CelPrinter.Print)];

    private static int Gone(string[] before, string[] after)
    {
        int at = 0;
        while (at < after.Length && before[at] == after[at]) { at++; }
        return at;
    }

    private static IEnumerable<(Expr From, Expr To, Expr Whole)> Changes(Expr expr)
    {
        foreach (Expr to in Here(expr)) { yield return (expr, to, to); }
        Expr[] children = expr.Children.ToArray();
        for (int i = 0; i < children.Length; i++)
        {
            if (Fixed(expr, i)) { continue; }
            foreach ((Expr from, Expr to, Expr changed) in Changes(children[i]))
            {
                Expr[] with = [.. children];
                with[i] = changed;
                yield return (from, to, expr.WithChildren(with));
            }
        }
    }

    /// <summary>Literals that are no thresholds: arguments of constructors, which change as a whole, and what lists hold, which is left out one by one.</summary>
    private static bool Fixed(Expr expr, int child) => expr is CallExpr { Function: "timestamp" or "duration" or "decimal" } || (expr is ListExpr && expr.Children[child] is ConstExpr);

    private static IEnumerable<Expr> Here(Expr expr)
    {
        switch (expr)
        {
            case CallExpr { Function: Operators.Not } not:
                yield return not.Children[0];
                break;
            case CallExpr { HasTarget: false, Children.Length: 2 } call when Turned(call.Function) is { } function:
                yield return new CallExpr(call.Position, function, hasTarget: false, call.Children.ToArray());
                break;
            case CallExpr { Function: Operators.In } call:
                yield return new CallExpr(call.Position, Operators.Not, hasTarget: false, call);
                break;
            case CallExpr { HasTarget: false, Function: "timestamp" or "duration" } call when call.Children.Length == 1 && call.Children[0] is ConstExpr:
                foreach (string sign in (string[])[Operators.Add, Operators.Subtract])
                {
                    yield return new CallExpr(call.Position, sign, hasTarget: false, call, new CallExpr(call.Position, "duration", hasTarget: false, new ConstExpr(call.Position, "1s")));
                }

                break;
            case CallExpr { HasTarget: false, Function: "decimal" } call when call.Children.Length == 1 && call.Children[0] is ConstExpr { Value: string text }:
                foreach (string moved in Moved(text)) { yield return new CallExpr(call.Position, "decimal", hasTarget: false, new ConstExpr(call.Position, moved)); }
                break;
            case LogicExpr logic:
                Expr[] operands = logic.Children.ToArray();
                yield return new LogicExpr(logic.Position, !logic.And, operands);
                for (int i = 0; i < operands.Length; i++)
                {
                    Expr[] rest = [.. operands[..i], .. operands[(i + 1)..]];
                    yield return rest.Length == 1 ? rest[0] : new LogicExpr(logic.Position, logic.And, rest);
                }

                break;
            case ConditionalExpr conditional:
                yield return new ConditionalExpr(conditional.Position, conditional.Test, conditional.Otherwise, conditional.Then);
                break;
            case ComprehensionExpr { Kind: ComprehensionKind.All or ComprehensionKind.Exists } macro:
                bool all = macro.Kind == ComprehensionKind.Exists;
                yield return new ComprehensionExpr(macro.Position, all ? "all" : "exists", all ? ComprehensionKind.All : ComprehensionKind.Exists, macro.Variable, macro.Variable2, macro.Children.ToArray());
                break;
            case ListExpr list when list.Children.Length > 1:
                for (int i = 0; i < list.Children.Length; i++)
                {
                    if (list.IsOptional(i) || list.Children[i] is not ConstExpr) { continue; }
                    yield return new ListExpr(list.Position, [.. list.Children[..i], .. list.Children[(i + 1)..]]);
                }

                break;
            case ConstExpr constant:
                foreach (object moved in Moved(constant.Value)) { yield return new ConstExpr(constant.Position, moved); }
                break;
        }
    }

    /// <summary>The nearest other operator; null where there is none.</summary>
    private static string? Turned(string function) => function switch
    {
        Operators.Less => Operators.LessOrEqual,
        Operators.LessOrEqual => Operators.Less,
        Operators.Greater => Operators.GreaterOrEqual,
        Operators.GreaterOrEqual => Operators.Greater,
        Operators.Equal => Operators.NotEqual,
        Operators.NotEqual => Operators.Equal,
        Operators.Add => Operators.Subtract,
        Operators.Subtract => Operators.Add,
        Operators.Multiply => Operators.Divide,
        Operators.Divide => Operators.Multiply,
        _ => null,
    };

    private static IEnumerable<object> Moved(object? value)
    {
        switch (value)
        {
            case bool flag:
                yield return !flag;
                break;
            case long number:
                if (number < long.MaxValue) { yield return number + 1; }
                if (number > long.MinValue) { yield return number - 1; }
                break;
            case ulong number:
                if (number < ulong.MaxValue) { yield return number + 1; }
                if (number > 0) { yield return number - 1; }
                break;
            case double number when Math.Abs(number) < 1e15:
                foreach (string moved in Moved(number.ToString("R", CultureInfo.InvariantCulture))) { yield return double.Parse(moved, CultureInfo.InvariantCulture); }
                break;
        }
    }

    /// <summary>A decimal number one up and one down in its last digit; a zero behind the point is none.</summary>
    private static IEnumerable<string> Moved(string text)
    {
        if (!decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number)) { yield break; }
        decimal plain = number / 1.000000000000000000000000000m;
        decimal step = new(1, 0, 0, false, plain.Scale);
        yield return (plain + step).ToString(CultureInfo.InvariantCulture);
        yield return (plain - step).ToString(CultureInfo.InvariantCulture);
    }
}
