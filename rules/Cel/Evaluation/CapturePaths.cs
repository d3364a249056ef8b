using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Cel.Evaluation;

/// <summary>A path of the value, static but for the rows of lists around it: nothing is captured until it is used.</summary>
/// <param name="Parent">Null for the root and for an element of a list.</param>
/// <param name="List">Of an element: the list's own path.</param>
/// <param name="Row">Of an element: the macro's variable that says which.</param>
internal sealed record CapturePath(CapturePath? Parent, string Step, SchemaType Type, CapturePath? List = null, LocalVariable? Row = null)
{
    /// <summary>The variable whose row the slots lie in; null for the root row.</summary>
    public LocalVariable? RowVariable => Row ?? Parent?.RowVariable;

    /// <summary>As decisions and diagnostics spell it; empty for the whole value.</summary>
    public string Spell()
    {
        if (List is not null) { return List.Spell() + "[*]"; }
        if (Parent is null) { return ""; }
        string head = Parent.Spell();
        return Parent.Type.Kind == ValueKind.Map ? $"{head}[\"{Step.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"]" : head.Length == 0 ? Step : $"{head}.{Step}";
    }
}

/// <summary>What is wanted of the value at a path.</summary>
internal enum CaptureUse : byte
{
    /// <summary>The whole value.</summary>
    Whole,
    /// <summary>Whether it is there, and whether it is null.</summary>
    Presence,
    /// <summary>How many elements a list has, and their rows where the macro's body wants any.</summary>
    Elements,
}

/// <summary>Where a captured value lies.</summary>
/// <param name="Row">The variable whose row it is in; null for the root row.</param>
internal readonly record struct CaptureSlot(LocalVariable? Row, int Slot, CaptureNode Node, CaptureUse Use, bool UnderMap)
{
    /// <summary>
    /// What reading it comes to where nothing was captured. A field that may be null and is not there (JSON, Protobuf, or a record around it is null) is null;
    /// a map's key is not, and neither is a property of JSON without a schema.
    /// </summary>
    public EvalError Absent => UnderMap ? EvalError.NoSuchKey : Node.Type is { Nullable: true, Kind: not ValueKind.Dyn } ? EvalError.NullUse : EvalError.NoSuchField;
}

/// <summary>Finds the paths of expressions and adds what is used to the capture plan.</summary>
internal sealed class CapturePaths(SchemaType valueType, CaptureRow root)
{
    private readonly Dictionary<LocalVariable, CapturePath> _rows = [];

    public SortedSet<string> Read { get; } = new(StringComparer.Ordinal);

    /// <summary>The path that an expression is, or null.</summary>
    public CapturePath? Find(Expr expr)
    {
        switch (expr)
        {
            case IdentExpr { Reference: VariableReference { Name: "value" } }:
                return new CapturePath(null, "", valueType);
            case IdentExpr { Reference: LocalReference local }:
                return _rows.GetValueOrDefault(local.Variable);
            case SelectExpr { Test: false, Optional: false, Reference: null } select:
                return Find(select.Operand) is { } operand ? Step(operand, select.Field) : null;
            case CallExpr { Function: Operators.Index } index when index.Children[1] is ConstExpr { Value: string key }:
                return Find(index.Children[0]) is { Type.Kind: ValueKind.Map or ValueKind.Dyn } map ? Step(map, key) : null;
            default:
                return null;
        }
    }

    /// <summary>The field, property, or constant map key below a path; null where it cannot be captured.</summary>
    public static CapturePath? Step(CapturePath operand, string step)
    {
        SchemaType? type = operand.Type.Kind switch
        {
            ValueKind.Record => operand.Type.Field(step)?.Type,
            ValueKind.Map when operand.Type.MapKey is null or { Kind: ValueKind.String } => operand.Type.Element,
            ValueKind.Dyn when operand.Type.Branches.Count == 0 => SchemaType.AnyJson,
            _ => null,
        };
        return type is null ? null : new CapturePath(operand, step, type);
    }

    /// <summary>Makes a macro's variable stand for the elements of a list.</summary>
    public void BindRow(LocalVariable variable, CapturePath list) => _rows[variable] = new CapturePath(null, "", list.Type.Element!, list, variable);

    public CaptureSlot Capture(CapturePath path, CaptureUse use)
    {
        if (path.Spell() is { Length: > 0 } spelled) { Read.Add(spelled); }
        (CaptureNode node, CaptureRow row) = Node(path);
        Mark(node, row, use, 0);
        return new CaptureSlot(path.RowVariable, node.Slot, node, use, path.Parent?.Type.Kind is ValueKind.Map);
    }

    private static void Mark(CaptureNode node, CaptureRow row, CaptureUse use, int depth)
    {
        CaptureMode mode = node.Type.Kind switch
        {
            ValueKind.List when depth <= 16 => CaptureMode.Elements,
            ValueKind.Record => use == CaptureUse.Presence ? CaptureMode.Scalar : CaptureMode.Raw,
            // A map is always captured raw: its count alone would shut out a later condition that wants the whole.
            ValueKind.List or ValueKind.Map or ValueKind.Dyn or ValueKind.CalendarDuration or ValueKind.Null or ValueKind.Absent => CaptureMode.Raw,
            _ => CaptureMode.Scalar,
        };
        if (node.Slot < 0) { node.Slot = row.Add(); }
        // Raw says of a record also whether it is there, so it serves both uses.
        if (node.Mode is CaptureMode.None or CaptureMode.Scalar) { node.Mode = mode == CaptureMode.Scalar && node.Mode == CaptureMode.Scalar ? CaptureMode.Scalar : mode; }
        if (mode == CaptureMode.Elements && use == CaptureUse.Whole)
        {
            CaptureRow elements = RowOf(node);
            Mark(elements.Node, elements, CaptureUse.Whole, depth + 1);
        }
    }

    private static CaptureRow RowOf(CaptureNode list) => list.Row ??= new CaptureRow { Node = new CaptureNode { Type = list.Type.Element! } };

    private (CaptureNode Node, CaptureRow Row) Node(CapturePath path)
    {
        if (path.List is { } list)
        {
            (CaptureNode listNode, CaptureRow listRow) = Node(list);
            Mark(listNode, listRow, CaptureUse.Elements, 0);
            CaptureRow row = RowOf(listNode);
            return (row.Node, row);
        }

        if (path.Parent is null) { return (root.Node, root); }
        (CaptureNode parent, CaptureRow parentRow) = Node(path.Parent);
        if (!parent.Children.TryGetValue(path.Step, out CaptureNode? node)) { parent.Children[path.Step] = node = new CaptureNode { Type = path.Type }; }
        return (node, parentRow);
    }
}
