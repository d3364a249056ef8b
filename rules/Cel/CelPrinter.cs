using System.Globalization;
using System.Text;
using PolicyStreams.Rules.Cel.Syntax;

namespace PolicyStreams.Rules.Cel;

/// <summary>Prints expressions canonically: one spelling whatever the whitespace, comments, quotes, and needless parentheses of the source.</summary>
public static class CelPrinter
{
    /// <summary>The canonical spelling of an expression, for digests and formatting. Needs no schema.</summary>
    /// <param name="diagnostics">Syntax errors are added.</param>
    /// <returns>Null where the expression does not parse.</returns>
    public static string? Canonical(string expression, ICollection<CelDiagnostic> diagnostics) =>
        CelParser.Parse(new CelSource(expression), diagnostics) is { } expr ? Print(expr) : null;

    /// <summary>Prints a tree; what it prints parses to the same tree.</summary>
    internal static string Print(Expr expr)
    {
        var text = new StringBuilder();
        Print(text, expr, 0);
        return text.ToString();
    }

    // How tightly a node binds: 0 conditional, 1 or, 2 and, 3 relations, 4 sums, 5 products, 6 unary, 7 the rest.
    private static int Precedence(Expr expr) => expr switch
    {
        ConditionalExpr => 0,
        LogicExpr logic => logic.And ? 2 : 1,
        CallExpr { Function: Operators.Not or Operators.Negate } => 6,
        CallExpr { HasTarget: false, Children.Length: 2 } call when call.Function is not (Operators.Index or Operators.OptionalIndex) && Operators.Sign(call.Function) is not null => Operators.Precedence(call.Function),
        _ => 7,
    };

    private static void Print(StringBuilder text, Expr expr, int minimum)
    {
        bool parenthesize = Precedence(expr) < minimum;
        if (parenthesize) { text.Append('('); }
        Bare(text, expr);
        if (parenthesize) { text.Append(')'); }
    }

    private static void Bare(StringBuilder text, Expr expr)
    {
        switch (expr)
        {
            case ConstExpr constant: Constant(text, constant.Value); break;
            case IdentExpr ident: text.Append(ident.Absolute ? "." : "").Append(Name(ident.Name)); break;
            case SelectExpr select:
                if (select.Test) { text.Append("has("); }
                Print(text, select.Operand, 7);
                text.Append(select.Optional ? ".?" : ".").Append(Field(select.Field));
                if (select.Test) { text.Append(')'); }
                break;
            case CallExpr call: Call(text, call); break;
            case LogicExpr logic:
                Separated(text, logic.Children, logic.And ? " && " : " || ", logic.And ? 3 : 2);
                break;
            case ConditionalExpr conditional:
                Print(text, conditional.Test, 1);
                text.Append(" ? ");
                Print(text, conditional.Then, 1);
                text.Append(" : ");
                Print(text, conditional.Otherwise, 0);
                break;
            case ListExpr list:
                text.Append('[');
                for (int i = 0; i < list.Children.Length; i++)
                {
                    text.Append(i > 0 ? ", " : "").Append(list.IsOptional(i) ? "?" : "");
                    Print(text, list.Children[i], 0);
                }

                text.Append(']');
                break;
            case MapExpr map:
                text.Append('{');
                for (int i = 0; i < map.Count; i++)
                {
                    text.Append(i > 0 ? ", " : "").Append(map.IsOptional(i) ? "?" : "");
                    Print(text, map.Children[2 * i], 0);
                    text.Append(": ");
                    Print(text, map.Children[(2 * i) + 1], 0);
                }

                text.Append('}');
                break;
            case StructExpr construct:
                text.Append(construct.TypeName).Append('{');
                for (int i = 0; i < construct.Fields.Length; i++)
                {
                    text.Append(i > 0 ? ", " : "").Append(Field(construct.Fields[i])).Append(": ");
                    Print(text, construct.Children[i], 0);
                }

                text.Append('}');
                break;
            case ComprehensionExpr macro:
                Print(text, macro.Range, 7);
                text.Append('.').Append(macro.Kind == ComprehensionKind.ExistsOne ? (macro.Variable2 is null ? "exists_one" : "existsOne") : macro.Macro).Append('(').Append(Name(macro.Variable));
                if (macro.Variable2 is not null) { text.Append(", ").Append(Name(macro.Variable2)); }
                foreach (Expr child in macro.Children[1..])
                {
                    text.Append(", ");
                    Print(text, child, 0);
                }

                text.Append(')');
                break;
            case BindExpr bind:
                text.Append("cel.bind(").Append(Name(bind.Variable)).Append(", ");
                Separated(text, bind.Children, ", ", 0);
                text.Append(')');
                break;
            case BlockExpr block:
                text.Append("cel.block([");
                Separated(text, block.Slots, ", ", 0);
                text.Append("], ");
                Print(text, block.Result, 0);
                text.Append(')');
                break;
        }
    }

    private static void Call(StringBuilder text, CallExpr call)
    {
        ReadOnlySpan<Expr> children = call.Children;
        switch (call.Function)
        {
            case Operators.Not or Operators.Negate:
                text.Append(call.Function[0]);
                // A minus before a number would be read as its sign.
                if (call.Function == Operators.Negate && Leftmost(children[0]) is ConstExpr { Value: long or double })
                {
                    text.Append('(');
                    Print(text, children[0], 0);
                    text.Append(')');
                }
                else { Print(text, children[0], 7); }
                return;
            case Operators.Index or Operators.OptionalIndex:
                Print(text, children[0], 7);
                text.Append(call.Function == Operators.Index ? "[" : "[?");
                Print(text, children[1], 0);
                text.Append(']');
                return;
        }

        if (!call.HasTarget && children.Length == 2 && Operators.Sign(call.Function) is { } sign)
        {
            int precedence = Operators.Precedence(call.Function);
            Print(text, children[0], precedence);
            text.Append(' ').Append(sign).Append(' ');
            Print(text, children[1], precedence + 1);
            return;
        }

        if (call.HasTarget)
        {
            Print(text, children[0], 7);
            text.Append('.');
            children = children[1..];
        }

        text.Append(call.Function).Append('(');
        Separated(text, children, ", ", 0);
        text.Append(')');
    }

    private static Expr Leftmost(Expr expr) => expr switch
    {
        SelectExpr { Test: false } select => Leftmost(select.Operand),
        CallExpr { HasTarget: true } or CallExpr { Function: Operators.Index or Operators.OptionalIndex } => Leftmost(expr.Children[0]),
        ComprehensionExpr macro => Leftmost(macro.Range),
        _ => expr,
    };

    private static void Separated(StringBuilder text, ReadOnlySpan<Expr> expressions, string separator, int minimum)
    {
        for (int i = 0; i < expressions.Length; i++)
        {
            if (i > 0) { text.Append(separator); }
            Print(text, expressions[i], minimum);
        }
    }

    // cel.index and cel.iterVar are names that no source can spell otherwise.
    private static string Name(string name)
    {
        if (name.StartsWith("@index", StringComparison.Ordinal)) { return $"cel.index({name[6..]})"; }
        return name.StartsWith("@it:", StringComparison.Ordinal) ? $"cel.iterVar({name[4..].Replace(":", ", ", StringComparison.Ordinal)})" : name;
    }

    private static string Field(string field)
    {
        bool plain = char.IsAsciiLetter(field[0]) || field[0] == '_';
        foreach (char c in field) { plain &= char.IsAsciiLetterOrDigit(c) || c == '_'; }
        return plain && field is not ("in" or "true" or "false" or "null") ? field : $"`{field}`";
    }

    private static void Constant(StringBuilder text, object? value)
    {
        switch (value)
        {
            case null: text.Append("null"); break;
            case bool flag: text.Append(flag ? "true" : "false"); break;
            case long number: text.Append(number.ToString(CultureInfo.InvariantCulture)); break;
            case ulong number: text.Append(number.ToString(CultureInfo.InvariantCulture)).Append('u'); break;
            case double number: text.Append(Real(number)); break;
            case string s: Quote(text, s); break;
            case byte[] bytes: Quote(text, bytes); break;
        }
    }

    private static string Real(double number)
    {
        string text = number.ToString("R", CultureInfo.InvariantCulture).Replace("E", "e", StringComparison.Ordinal);
        return text.AsSpan().ContainsAny('.', 'e') ? text : text + ".0";
    }

    private static void Quote(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (Rune rune in value.EnumerateRunes())
        {
            switch (rune.Value)
            {
                case '"': text.Append("\\\""); break;
                case '\\': text.Append("\\\\"); break;
                case '\n': text.Append("\\n"); break;
                case '\r': text.Append("\\r"); break;
                case '\t': text.Append("\\t"); break;
                case < 32 or 127: text.Append("\\x").Append(rune.Value.ToString("x2", CultureInfo.InvariantCulture)); break;
                default: text.Append(rune.ToString()); break;
            }
        }

        text.Append('"');
    }

    private static void Quote(StringBuilder text, byte[] value)
    {
        text.Append("b\"");
        foreach (byte octet in value)
        {
            if (octet is >= 32 and < 127 and not ((byte)'"' or (byte)'\\')) { text.Append((char)octet); }
            else { text.Append("\\x").Append(octet.ToString("x2", CultureInfo.InvariantCulture)); }
        }

        text.Append('"');
    }
}
