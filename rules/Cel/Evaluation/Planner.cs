using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Evaluation;

/// <summary>Turns a checked tree into the interpreter's steps. What reads the value becomes slots of the capture plan.</summary>
/// <param name="capture">Null where there is no record: variables are then given by name.</param>
internal sealed class Planner(CelEnvironment environment, CapturePaths? capture, IReadOnlyDictionary<string, (RecordVariable Variable, SchemaType Type)>? record)
{
    private readonly Dictionary<LocalVariable, Node> _blockSlots = [];

    /// <summary>The branches met, in the order of <see cref="BranchNode"/>s.</summary>
    public List<Expr> Branches { get; } = [];

    public bool ReadsKey { get; private set; }

    /// <summary>Plans a whole condition.</summary>
    public Node PlanWhole(Expr expr) => Branch(expr);

    private BranchNode Branch(Expr expr)
    {
        int branch = Branches.Count;
        Branches.Add(expr);
        return new BranchNode(branch, Plan(expr));
    }

    public Node Plan(Expr expr)
    {
        if (capture?.Find(expr) is { } path) { return new SlotNode(capture.Capture(path, CaptureUse.Whole)); }
        return expr switch
        {
            ConstExpr constant => new ConstNode(constant.Value is bool flag ? Values.Boxed(flag) : constant.Value),
            IdentExpr ident => Name(ident.Reference),
            SelectExpr { Reference: { } reference } => Name(reference),
            SelectExpr select => Select(select),
            CallExpr call => Call(call),
            LogicExpr logic => new LogicNode(logic.And, [.. logic.Children.ToArray().Select(Branch)]),
            ConditionalExpr conditional => new ConditionalNode(Branch(conditional.Test), Plan(conditional.Then), Plan(conditional.Otherwise)),
            ListExpr list => new ListNode([.. list.Children.ToArray().Select(Plan)], [.. Enumerable.Range(0, list.Children.Length).Select(list.IsOptional)]),
            MapExpr map => Map(map),
            ComprehensionExpr comprehension => Comprehension(comprehension),
            BindExpr bind => new BindNode(bind.Local!.Index, Plan(bind.Init), Plan(bind.Body)),
            BlockExpr block => Block(block),
            _ => new FailNode(ErrorValue.Type),
        };
    }

    private Node Name(Reference? reference)
    {
        switch (reference)
        {
            case ConstantReference constant:
                return new ConstNode(constant.Value);
            case LocalReference local:
                return _blockSlots.TryGetValue(local.Variable, out Node? slot) ? slot : new LocalNode(local.Variable.Index);
            case VariableReference variable when record is not null && record.TryGetValue(variable.Name, out (RecordVariable Variable, SchemaType Type) known):
                ReadsKey |= known.Variable == RecordVariable.Key;
                return new RecordVariableNode(known.Variable, known.Type);
            case VariableReference variable:
                return new NamedVariableNode(variable.Name);
            default:
                return new FailNode(ErrorValue.NoSuchField);
        }
    }

    private Node Select(SelectExpr select)
    {
        if (!select.Test) { return new SelectNode(Plan(select.Operand), select.Field, select.Optional); }
        if (capture is not null && !select.Optional && capture.Find(select.Operand) is { } operand && CapturePaths.Step(operand, select.Field) is { } path)
        {
            return new PresenceNode(capture.Capture(path, CaptureUse.Presence), PresenceTest.Has);
        }

        return new HasNode(Plan(select.Operand), select.Field);
    }

    private Node Call(CallExpr call)
    {
        if (capture is not null && Captured(call) is { } node) { return node; }
        Node[] args = call.Function == Operators.Not ? [Branch(call.Children[0])] : [.. call.Operands.ToArray().Select(Plan)];
        GuardNulls(call, args);
        if (call.ResolvedMember && args.Length == 2 && call.Function is "or" or "orValue") { return new OrNode(args[0], args[1], call.Function == "orValue"); }
        if (call.ResolvedName == "headerValues" && args.Length == 1 && record is not null) { return new HeaderValuesNode(args[0]); }
        return environment.Functions.Find(call.ResolvedName) is { } overloads
            ? new CallNode(overloads, call.ResolvedMember, args, call.ResolvedName is "branch" or "dyn")
            : new FailNode(ErrorValue.Type);
    }

    // A null of a nullable type fails where it is used, `== null` and what takes any value aside: also in a comparison, which CEL would call false.
    private void GuardNulls(CallExpr call, Node[] args)
    {
        bool equality = call.Function is Operators.Equal or Operators.NotEqual;
        if (equality && (IsNull(call.Children[0]) || IsNull(call.Children[1]))) { return; }
        IReadOnlyList<Overload>? overloads = environment.Functions.Find(call.ResolvedName);
        for (int i = 0; i < args.Length; i++)
        {
            if (!call.Operands[i].Type.Nullable) { continue; }
            bool takesAny = !(equality || (call.Function == Operators.In && i == 0))
                && (overloads?.Any(o => o.Member == call.ResolvedMember && o.Takes(args.Length) && o.Signature[Math.Min(i, o.Arity - 1)].Kind is CelKind.Param or CelKind.Dyn) ?? true);
            if (!takesAny) { args[i] = new NotNullNode(args[i]); }
        }
    }

    private static bool IsNull(Expr expr) => expr is ConstExpr { Value: null } || expr.Type.Kind == CelKind.Null;

    // What wants less of a captured value than the whole.
    private Node? Captured(CallExpr call)
    {
        switch (call.Function)
        {
            case "size" when call.Operands.Length == 1 && capture!.Find(call.Operands[0]) is { Type.Kind: ValueKind.List } list:
                return new ListSizeNode(capture.Capture(list, CaptureUse.Elements));
            case Operators.Equal or Operators.NotEqual:
                Expr? other = call.Children[0] is ConstExpr { Value: null } ? call.Children[1] : call.Children[1] is ConstExpr { Value: null } ? call.Children[0] : null;
                return other is not null && capture!.Find(other) is { } path
                    ? new PresenceNode(capture.Capture(path, path.Type.Kind == ValueKind.List ? CaptureUse.Elements : CaptureUse.Presence), call.Function == Operators.Equal ? PresenceTest.IsNull : PresenceTest.IsNotNull)
                    : null;
            default:
                return null;
        }
    }

    private MapNode Map(MapExpr map)
    {
        var keys = new Node[map.Count];
        var values = new Node[map.Count];
        for (int i = 0; i < keys.Length; i++)
        {
            keys[i] = Plan(map.Children[2 * i]);
            values[i] = Plan(map.Children[(2 * i) + 1]);
        }

        return new MapNode(keys, values, [.. Enumerable.Range(0, map.Count).Select(map.IsOptional)]);
    }

    private Node Comprehension(ComprehensionExpr macro)
    {
        int local = macro.Local!.Index, local2 = macro.Local2?.Index ?? -1;
        if (macro.Kind is ComprehensionKind.OptMap or ComprehensionKind.OptFlatMap)
        {
            return new OptionalMapNode(Plan(macro.Range), local, Plan(macro.Body), macro.Kind == ComprehensionKind.OptFlatMap);
        }

        bool predicate = macro.Kind is ComprehensionKind.All or ComprehensionKind.Exists or ComprehensionKind.ExistsOne;
        // What keeps elements needs them as values; what only tests them reads rows.
        if (capture is not null && macro.Kind is not (ComprehensionKind.Filter or ComprehensionKind.SortBy) && capture.Find(macro.Range) is { Type: { Kind: ValueKind.List, Element: not null } } list)
        {
            capture.BindRow(macro.Local2 ?? macro.Local, list);
            CaptureSlot rows = capture.Capture(list, CaptureUse.Elements);
            Node? rowFilter = macro.Filter is null ? null : Branch(macro.Filter);
            return new ComprehensionNode(macro.Kind, null, rows, local, local2, rowFilter, predicate ? Branch(macro.Body) : Plan(macro.Body));
        }

        Node range = Plan(macro.Range);
        Node? filter = macro.Filter is null ? null : Branch(macro.Filter);
        return new ComprehensionNode(macro.Kind, range, null, local, local2, filter, predicate || macro.Kind == ComprehensionKind.Filter ? Branch(macro.Body) : Plan(macro.Body));
    }

    private BlockNode Block(BlockExpr block)
    {
        for (int i = 0; i < block.Locals.Length; i++)
        {
            Node init = Plan(block.Slots[i]);
            _blockSlots[block.Locals[i]] = new BlockSlotNode(block.Locals[i].Index, init);
        }

        return new BlockNode([.. block.Locals.Select(l => l.Index)], Plan(block.Result));
    }
}
