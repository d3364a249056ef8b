using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Evaluation;

/// <summary>Finds what a checked expression reads of the record's key, so that versions of the key's schema can be compared in what rules name and in nothing else.</summary>
internal static class KeyReads
{
    /// <summary>Paths into the key, each read whole; an empty one is the key itself. A comparison of the key with null reads nothing of it.</summary>
    public static IReadOnlyList<PathStep[]> Of(Expr expr)
    {
        var found = new List<PathStep[]>();
        Visit(expr, found);
        return found;
    }

    private static void Visit(Expr expr, List<PathStep[]> found)
    {
        if (expr is CallExpr { Function: Operators.Equal or Operators.NotEqual } call && Array.Exists(call.Children.ToArray(), IsNull) && Array.Exists(call.Children.ToArray(), IsKey)) { return; }
        var steps = new List<PathStep>();
        if (Chain(expr, steps))
        {
            found.Add([.. steps]);
            return;
        }

        foreach (Expr child in expr.Children) { Visit(child, found); }
    }

    private static bool IsKey(Expr expr) => expr is IdentExpr { Reference: VariableReference { Name: "key" } };

    private static bool IsNull(Expr expr) => expr is ConstExpr { Value: null };

    private static bool Chain(Expr expr, List<PathStep> steps)
    {
        switch (expr)
        {
            case SelectExpr { Reference: null } select when Chain(select.Operand, steps):
                steps.Add(new PathStep(PathStepKind.Field, select.Field));
                return true;
            case CallExpr { Function: Operators.Index or Operators.OptionalIndex } index when Chain(index.Children[0], steps):
                steps.Add(index.Children[1] is ConstExpr { Value: string name } ? new PathStep(PathStepKind.MapKey, name) : PathStep.All);
                return true;
            default:
                return IsKey(expr);
        }
    }
}
