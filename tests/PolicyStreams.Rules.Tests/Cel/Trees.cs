using PolicyStreams.Rules.Cel.Syntax;

namespace PolicyStreams.Rules.Tests.Cel;

/// <summary>Trees of expressions compared by their shape: kind, constant, names, and children; what the checker wrote on them and where they stood aside.</summary>
internal static class Trees
{
    public static bool Same(Expr? left, Expr? right)
    {
        if (left is null || right is null || left.GetType() != right.GetType() || left.Children.Length != right.Children.Length || !SameNode(left, right)) { return false; }
        for (int i = 0; i < left.Children.Length; i++)
        {
            if (!Same(left.Children[i], right.Children[i])) { return false; }
        }

        return true;
    }

    private static bool SameNode(Expr left, Expr right) => (left, right) switch
    {
        (ConstExpr a, ConstExpr b) => SameConstant(a.Value, b.Value),
        (IdentExpr a, IdentExpr b) => (a.Name, a.Absolute) == (b.Name, b.Absolute),
        (SelectExpr a, SelectExpr b) => (a.Field, a.Test, a.Optional) == (b.Field, b.Test, b.Optional),
        (CallExpr a, CallExpr b) => (a.Function, a.HasTarget) == (b.Function, b.HasTarget),
        (LogicExpr a, LogicExpr b) => a.And == b.And,
        (ListExpr a, ListExpr b) => SameFlags(a.Children.Length, a.IsOptional, b.IsOptional),
        (MapExpr a, MapExpr b) => SameFlags(a.Count, a.IsOptional, b.IsOptional),
        (StructExpr a, StructExpr b) => a.TypeName == b.TypeName && a.Fields.SequenceEqual(b.Fields),
        (ComprehensionExpr a, ComprehensionExpr b) => (a.Kind, a.Variable, a.Variable2) == (b.Kind, b.Variable, b.Variable2),
        (BindExpr a, BindExpr b) => a.Variable == b.Variable,
        (ConditionalExpr, ConditionalExpr) or (BlockExpr, BlockExpr) => true,
        _ => throw new InvalidOperationException($"A node of type {left.GetType().Name} is not compared."),
    };

    // Of one type, doubles bit for bit: 1 and 1.0, 0.0 and -0.0 are not the same tree.
    private static bool SameConstant(object? left, object? right) => (left, right) switch
    {
        (byte[] a, byte[] b) => a.AsSpan().SequenceEqual(b),
        (double a, double b) => BitConverter.DoubleToInt64Bits(a) == BitConverter.DoubleToInt64Bits(b),
        _ => Equals(left, right),
    };

    private static bool SameFlags(int count, Func<int, bool> left, Func<int, bool> right) => Enumerable.Range(0, count).All(i => left(i) == right(i));
}
