using System.Text;
using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Evaluation;
using PolicyStreams.Rules.Cel.Library;
using PolicyStreams.Schemas.Patterns;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Rules.Detection;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Compilation;

/// <summary>
/// Compiles a checked condition to steps that work on slots and UTF-8 without allocation. A boolean part that has no such form is left to the interpreter,
/// which means the same: the rest stays compiled.
/// </summary>
internal sealed class TypedCompiler(CapturePaths paths, Func<Expr, Node> interpreter, int locals, PatternTable? patterns = null)
{
    private readonly PatternTable _patterns = patterns ?? new();
    private readonly List<LocalVariable> _rows = [];

    /// <summary>Parts left to the interpreter.</summary>
    public int Interpreted { get; private set; }

    public BoolNode Bool(Expr expr)
    {
        if (TryBool(expr) is { } node) { return node; }
        Interpreted++;
        return new InterpretedBool(interpreter(expr), locals, [.. _rows.Select(row => row.Index)]);
    }

    private SlotAddress? Address(Expr expr, params ReadOnlySpan<ValueKind> kinds) =>
        paths.Find(expr) is { } path && kinds.Contains(path.Type.Kind) ? Address(path, path.Type.Kind, CaptureUse.Whole) : null;

    private SlotAddress? Address(CapturePath path, ValueKind kind, CaptureUse use)
    {
        CaptureSlot slot = paths.Capture(path, use);
        int depth = slot.Row is null ? 0 : _rows.IndexOf(slot.Row) + 1;
        return slot.Row is not null && depth == 0 ? null : new SlotAddress(slot.Slot, depth, kind, slot.Absent);
    }

    private BoolNode? TryBool(Expr expr)
    {
        switch (expr)
        {
            case ConstExpr { Value: bool constant }:
                return new BoolConst(constant);
            case LogicExpr logic:
                var operands = new BoolNode[logic.Children.Length];
                for (int i = 0; i < operands.Length; i++) { operands[i] = Bool(logic.Children[i]); }
                return new LogicBool(logic.And, operands);
            case ConditionalExpr conditional:
                return new ConditionalBool(Bool(conditional.Test), Bool(conditional.Then), Bool(conditional.Otherwise));
            case CallExpr { Function: Operators.Not } not:
                return new NotBool(Bool(not.Children[0]));
            case SelectExpr { Test: true, Optional: false } test:
                return paths.Find(test.Operand) is { } operand && CapturePaths.Step(operand, test.Field) is { } path && Address(path, ValueKind.Absent, CaptureUse.Presence) is { } present
                    ? new PresenceBool(present, PresenceTest.Has)
                    : null;
            case ComprehensionExpr { Kind: ComprehensionKind.All or ComprehensionKind.Exists or ComprehensionKind.ExistsOne, Variable2: null } macro:
                return Rows(macro);
            case CallExpr call:
                return Call(call);
            default:
                return Address(expr, ValueKind.Bool) is { } slot ? new BoolSlot(slot) : null;
        }
    }

    private RowsBool? Rows(ComprehensionExpr macro)
    {
        if (_rows.Count >= CompiledState.DepthMax || paths.Find(macro.Range) is not { Type: { Kind: ValueKind.List, Element: not null } } list) { return null; }
        CaptureSlot captured = paths.Capture(list, CaptureUse.Elements);
        if (Address(list, ValueKind.List, CaptureUse.Elements) is not { } address) { return null; }
        paths.BindRow(macro.Local!, list);
        _rows.Add(macro.Local!);
        BoolNode body = Bool(macro.Body);
        _rows.RemoveAt(_rows.Count - 1);
        return new RowsBool(macro.Kind, address, captured.Node, _rows.Count + 1, body);
    }

    private BoolNode? Call(CallExpr call)
    {
        ReadOnlySpan<Expr> args = call.Operands;
        switch (call.Function)
        {
            case Operators.Equal or Operators.NotEqual or Operators.Less or Operators.LessOrEqual or Operators.Greater or Operators.GreaterOrEqual:
                return Compare(call.Function, args[0], args[1]);
            case Operators.In:
                return In(args[0], args[1]);
            case "startsWith" or "endsWith" or "contains" when args.Length == 2 && Text(args[0], CelKind.String) is { } text && Text(args[1], CelKind.String) is { } part:
                return new TextPart(text, call.Function switch { "startsWith" => TextTest.StartsWith, "endsWith" => TextTest.EndsWith, _ => TextTest.Contains }, part);
            case "matches" when args.Length == 2 && args[1] is ConstExpr { Value: string pattern } && _patterns.TryGet(pattern, out Re2? re2, out _) && Text(args[0], CelKind.String) is { } subject:
                return new TextMatches(subject, re2);
            case "isEmail" or "isUri" or "isUuid" or "luhn" when args.Length == 1 && Text(args[0], CelKind.String) is { } formatted:
                return new TextFormatBool(formatted, call.Function switch { "isEmail" => TextFormats.IsEmail, "isUri" => TextFormats.IsUri, "isUuid" => TextFormats.IsUuid, _ => TextFormats.IsLuhn });
            case "detected" when args.Length == 2 && args[1] is ConstExpr { Value: string name } && Detectors.TryParse(name, out Detector detector) && Text(args[0], CelKind.String) is { } searched:
                return new TextFormatBool(searched, Detectors.Test(detector));
            default:
                return null;
        }
    }

    private BoolNode? Compare(string function, Expr left, Expr right)
    {
        Comparison comparison = function switch
        {
            Operators.Equal => Comparison.Equal,
            Operators.NotEqual => Comparison.NotEqual,
            Operators.Less => Comparison.Less,
            Operators.LessOrEqual => Comparison.LessOrEqual,
            Operators.Greater => Comparison.Greater,
            _ => Comparison.GreaterOrEqual,
        };
        bool equality = comparison is Comparison.Equal or Comparison.NotEqual;
        Expr? other = left is ConstExpr { Value: null } ? right : right is ConstExpr { Value: null } ? left : null;
        if (other is not null)
        {
            return equality && paths.Find(other) is { } path && Address(path, ValueKind.Absent, path.Type.Kind == ValueKind.List ? CaptureUse.Elements : CaptureUse.Presence) is { } present
                ? new PresenceBool(present, comparison == Comparison.Equal ? PresenceTest.IsNull : PresenceTest.IsNotNull)
                : null;
        }

        switch (left.Type.Kind, right.Type.Kind)
        {
            case (CelKind.Int, CelKind.Int):
                if (Int(left) is not { } leftInt || Int(right) is not { } rightInt) { return null; }
                return (leftInt, rightInt) switch
                {
                    (IntSlot slot, IntConst constant) => new IntSlotCompare(slot.Address, comparison, constant.Value),
                    (IntConst constant, IntSlot slot) => new IntSlotCompare(slot.Address, comparison.Mirrored(), constant.Value),
                    _ => new IntCompare(leftInt, comparison, rightInt),
                };
            case (CelKind.Int or CelKind.Double, CelKind.Int or CelKind.Double):
                if (AnyDouble(left) is not { } leftDouble || AnyDouble(right) is not { } rightDouble) { return null; }
                return (leftDouble, rightDouble) switch
                {
                    (DoubleSlot slot, DoubleConst constant) => new DoubleSlotCompare(slot.Address, comparison, constant.Value),
                    (DoubleConst constant, DoubleSlot slot) => new DoubleSlotCompare(slot.Address, comparison.Mirrored(), constant.Value),
                    _ => new DoubleCompare(leftDouble, comparison, rightDouble),
                };
            case (CelKind.String, CelKind.String) or (CelKind.Bytes, CelKind.Bytes):
                return Text(left, left.Type.Kind) is { } leftText && Text(right, right.Type.Kind) is { } rightText ? new TextCompare(leftText, comparison, rightText) : null;
            case (CelKind.Timestamp, CelKind.Timestamp) or (CelKind.Duration, CelKind.Duration):
                return Time(left) is { } leftTime && Time(right) is { } rightTime ? new TimeCompare(leftTime, comparison, rightTime) : null;
            case (CelKind.Decimal, CelKind.Decimal or CelKind.Int) when Constant(right) is { } rightDecimal:
                return Decimal(left, comparison, rightDecimal);
            case (CelKind.Decimal or CelKind.Int, CelKind.Decimal) when Constant(left) is { } leftDecimal:
                return Decimal(right, comparison.Mirrored(), leftDecimal);
            case (CelKind.Bool, CelKind.Bool) when equality && TryBool(left) is { } leftBool && TryBool(right) is { } rightBool:
                return new BoolCompare(leftBool, comparison == Comparison.Equal, rightBool);
            default:
                return null;
        }
    }

    private DecimalSlotCompare? Decimal(Expr expr, Comparison comparison, DecimalValue constant) =>
        paths.Find(expr) is { Type.Kind: ValueKind.Decimal } path && Address(path, ValueKind.Decimal, CaptureUse.Whole) is { } address
            ? new DecimalSlotCompare(address, path.Type.Scale, comparison, constant)
            : null;

    private DecimalValue? Constant(Expr expr) => expr switch
    {
        ConstExpr { Value: long number } => new DecimalValue(number, 0),
        CallExpr { ResolvedName: "decimal", Children: [ConstExpr { Value: string or long }] } => Fold(expr) as DecimalValue?,
        _ => null,
    };

    // A call of constants alone.
    private object? Fold(Expr expr)
    {
        ConditionInput none = default;
        EvalState state = EvalState.Rent(0);
        object? value = interpreter(expr).Eval(ref none, state);
        state.Return();
        return value;
    }

    private BoolNode? In(Expr item, Expr list)
    {
        if (list is not ListExpr constants || constants.Children.Length == 0) { return null; }
        var values = new object?[constants.Children.Length];
        for (int i = 0; i < values.Length; i++)
        {
            if (constants.IsOptional(i) || constants.Children[i] is not ConstExpr constant) { return null; }
            values[i] = constant.Value;
        }

        if (item.Type.Kind == CelKind.String && Array.TrueForAll(values, v => v is string) && Text(item, CelKind.String) is { } text)
        {
            return new TextIn(text, [.. values.Select(v => Encoding.UTF8.GetBytes((string)v!))]);
        }

        return item.Type.Kind == CelKind.Int && Array.TrueForAll(values, v => v is long) && Int(item) is { } number
            ? new IntIn(number, [.. values.Select(v => (long)v!).Order()])
            : null;
    }

    private IntNode? Int(Expr expr)
    {
        if (expr.Type.Kind != CelKind.Int) { return null; }
        switch (expr)
        {
            case ConstExpr { Value: long constant }:
                return new IntConst(constant);
            case IdentExpr { Reference: VariableReference { Name: "partition" } }:
                return new PositionInt(RecordVariable.Partition);
            case IdentExpr { Reference: VariableReference { Name: "offset" } }:
                return new PositionInt(RecordVariable.Offset);
            case CallExpr { Function: "size" } size when size.Operands.Length == 1:
                Expr sized = size.Operands[0];
                if (paths.Find(sized) is { Type.Kind: ValueKind.List } list && Address(list, ValueKind.List, CaptureUse.Elements) is { } address) { return new ListSizeInt(address); }
                return sized.Type.Kind is CelKind.String or CelKind.Bytes && Text(sized, sized.Type.Kind) is { } text ? new TextSizeInt(text, sized.Type.Kind == CelKind.String) : null;
            case CallExpr { Function: Operators.Add or Operators.Subtract or Operators.Multiply or Operators.Divide or Operators.Modulo } arithmetic:
                return Int(arithmetic.Children[0]) is { } left && Int(arithmetic.Children[1]) is { } right ? new IntArithmetic(left, arithmetic.Function, right) : null;
            case CallExpr { Function: Operators.Negate } negate:
                return Int(negate.Children[0]) is { } inner ? new IntNegate(inner) : null;
            case CallExpr { HasTarget: true, Children.Length: 1 } field when field.Children[0].Type.Kind == CelKind.Timestamp && TimeFieldInt.Knows(field.Function):
                return Time(field.Children[0]) is { } time ? new TimeFieldInt(time, field.Function) : null;
            default:
                return Address(expr, ValueKind.Int) is { } slot ? new IntSlot(slot) : null;
        }
    }

    private DoubleNode? AnyDouble(Expr expr) => expr switch
    {
        ConstExpr { Value: long constant } => new DoubleConst(constant),
        _ when expr.Type.Kind == CelKind.Int => Int(expr) is { } integer ? new DoubleOfInt(integer) : null,
        _ => Double(expr),
    };

    private DoubleNode? Double(Expr expr)
    {
        if (expr.Type.Kind != CelKind.Double) { return null; }
        switch (expr)
        {
            case ConstExpr { Value: double constant }:
                return new DoubleConst(constant);
            case CallExpr { Function: Operators.Add or Operators.Subtract or Operators.Multiply or Operators.Divide } arithmetic:
                return Double(arithmetic.Children[0]) is { } left && Double(arithmetic.Children[1]) is { } right ? new DoubleArithmetic(left, arithmetic.Function, right) : null;
            case CallExpr { Function: Operators.Negate } negate:
                return Double(negate.Children[0]) is { } inner ? new DoubleNegate(inner) : null;
            case CallExpr { ResolvedName: "double", Children.Length: 1 } conversion:
                return AnyDouble(conversion.Children[0]);
            default:
                return Address(expr, ValueKind.Double) is { } slot ? new DoubleSlot(slot) : null;
        }
    }

    private TextNode? Text(Expr expr, CelKind kind)
    {
        if (expr.Type.Kind != kind) { return null; }
        switch (expr)
        {
            case ConstExpr { Value: string constant }:
                return new TextConst(Encoding.UTF8.GetBytes(constant));
            case ConstExpr { Value: byte[] constant }:
                return new TextConst(constant);
            case IdentExpr { Reference: VariableReference { Name: "key" } } when kind == CelKind.String:
                return new KeyText();
            case CallExpr { Function: Operators.Index } index when index.Children[0] is IdentExpr { Reference: VariableReference { Name: "headers" } } && index.Children[1] is ConstExpr { Value: string name }:
                return new HeaderText(Encoding.UTF8.GetBytes(name));
            case SelectExpr { Test: false, Optional: false, Operand: IdentExpr { Reference: VariableReference { Name: "headers" } } } header:
                return new HeaderText(Encoding.UTF8.GetBytes(header.Field));
            default:
                return Address(expr, kind == CelKind.String ? ValueKind.String : ValueKind.Bytes) is { } slot ? new TextSlot(slot) : null;
        }
    }

    private TimeNode? Time(Expr expr)
    {
        switch (expr)
        {
            case IdentExpr { Reference: VariableReference { Name: "timestamp" } }:
                return new RecordTime();
            case CallExpr { ResolvedName: "timestamp" or "duration", Children: [ConstExpr { Value: string or long }] } constant:
                return Fold(constant) switch
                {
                    Timestamp instant => new TimeConst(instant.Seconds, instant.Nanos),
                    Duration span => new TimeConst(span.Seconds, span.Nanos),
                    _ => null,
                };
            default:
                return Address(expr, ValueKind.Timestamp, ValueKind.Duration) is { } slot ? new TimeSlot(slot) : null;
        }
    }
}
