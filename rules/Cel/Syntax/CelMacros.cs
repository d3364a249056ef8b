namespace PolicyStreams.Rules.Cel.Syntax;

/// <summary>Turns calls of macros into their nodes. A call with another number of arguments is no macro, and an unknown function later.</summary>
internal static class CelMacros
{
    public static Expr? Expand(int position, string name, Expr? target, List<Expr> args)
    {
        if (target is null) { return name == "has" && args.Count == 1 ? Has(position, args[0]) : null; }
        if (target is IdentExpr { Name: "cel", Absolute: false } && Cel(position, name, args) is { } cel) { return cel; }
        (ComprehensionKind kind, int single, int pair)? macro = name switch
        {
            // Arguments with one variable, and with two; a filter is one more where the kind takes one.
            "all" => (ComprehensionKind.All, 2, 3),
            "exists" => (ComprehensionKind.Exists, 2, 3),
            "exists_one" or "existsOne" => (ComprehensionKind.ExistsOne, 2, 3),
            "map" => (ComprehensionKind.Map, 2, 0),
            "filter" => (ComprehensionKind.Filter, 2, 0),
            "transformList" => (ComprehensionKind.TransformList, 0, 3),
            "transformMap" => (ComprehensionKind.TransformMap, 0, 3),
            "transformMapEntry" => (ComprehensionKind.TransformMapEntry, 0, 3),
            "sortBy" => (ComprehensionKind.SortBy, 2, 0),
            "optMap" => (ComprehensionKind.OptMap, 2, 0),
            "optFlatMap" => (ComprehensionKind.OptFlatMap, 2, 0),
            _ => null,
        };
        if (macro is not (ComprehensionKind kind, int single, int pair)) { return null; }
        if (args.Count == single && single > 0) { return new ComprehensionExpr(position, name, kind, Variable(args[0]), null, target, args[1]); }
        if (args.Count == 3 && kind == ComprehensionKind.Map) { return new ComprehensionExpr(position, name, kind, Variable(args[0]), null, target, args[1], args[2]); }
        if (pair == 0 || args.Count < pair) { return null; }
        if (args.Count > pair && (args.Count > pair + 1 || kind < ComprehensionKind.TransformList)) { return null; }
        string first = Variable(args[0]), second = Variable(args[1]);
        if (first == second) { throw new CelException(args[1].Position, CelCodes.Syntax, "the two variables of a macro need different names"); }
        return args.Count == pair
            ? new ComprehensionExpr(position, name, kind, first, second, target, args[2])
            : new ComprehensionExpr(position, name, kind, first, second, target, args[2], args[3]);
    }

    private static SelectExpr Has(int position, Expr arg) => arg is SelectExpr { Test: false } select
        ? new SelectExpr(position, select.Operand, select.Field, test: true, select.Optional)
        : throw new CelException(arg.Position, CelCodes.Syntax, "has() takes a field: has(x.f)");

    private static Expr? Cel(int position, string name, List<Expr> args)
    {
        switch (name)
        {
            case "bind" when args.Count == 3:
                return new BindExpr(position, Variable(args[0]), args[1], args[2]);
            case "block" when args.Count == 2:
                return args[0] is ListExpr list
                    ? new BlockExpr(position, [.. list.Children, args[1]])
                    : throw new CelException(args[0].Position, CelCodes.Syntax, "cel.block() takes a list literal first");
            case "index" when args is [ConstExpr { Value: long index }] && index >= 0:
                return new IdentExpr(position, $"@index{index}");
            case "iterVar" when args is [ConstExpr { Value: long depth }, ConstExpr { Value: long unique }] && depth >= 0 && unique >= 0:
                return new IdentExpr(position, $"@it:{depth}:{unique}");
            default:
                return null;
        }
    }

    private static string Variable(Expr arg) => arg is IdentExpr { Absolute: false } ident
        ? ident.Name
        : throw new CelException(arg.Position, CelCodes.Syntax, "a macro's variable must be a plain name");
}
