using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Library;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Cel.Evaluation;

/// <summary>A step of the interpreter. Results are plain values or an <see cref="ErrorValue"/>; nothing throws on any record.</summary>
internal abstract class Node
{
    public abstract object? Eval(ref ConditionInput input, EvalState state);
}

internal sealed class ConstNode(object? value) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state) => value;
}

internal sealed class LocalNode(int index) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state) => state.Locals[index];
}

/// <summary>A slot of <c>cel.block</c>: evaluated when first read.</summary>
internal sealed class BlockSlotNode(int index, Node init) : Node
{
    public static readonly object Unset = new();

    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        object? value = state.Locals[index];
        return ReferenceEquals(value, Unset) ? state.Locals[index] = init.Eval(ref input, state) : value;
    }
}

internal sealed class BlockNode(int[] slots, Node result) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        foreach (int slot in slots) { state.Locals[slot] = BlockSlotNode.Unset; }
        return result.Eval(ref input, state);
    }
}

internal sealed class BindNode(int index, Node init, Node body) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        // An error is bound like a value: it is one only where the variable is used.
        state.Locals[index] = init.Eval(ref input, state);
        return body.Eval(ref input, state);
    }
}

/// <summary>A variable that the caller gave by name.</summary>
internal sealed class NamedVariableNode(string name) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state) =>
        state.Variables is { } variables && variables.TryGetValue(name, out object? value) ? value : ErrorValue.NoSuchField;
}

/// <summary>Reads a captured value.</summary>
internal sealed class SlotNode(CaptureSlot slot) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        int at = slot.Slot + (slot.Row is null ? 0 : state.Rows[slot.Row.Index]);
        return Read(ref input, at, slot.Node, slot.Absent);
    }

    private static object? Read(ref ConditionInput input, int at, CaptureNode node, EvalError absent)
    {
        ref Slot captured = ref input.Frame.Slots[at];
        switch (captured.Kind)
        {
            case ValueKind.Absent: return absent == EvalError.NullUse ? null : ErrorValue.Of(absent);
            case ValueKind.Null: return null;
        }

        if (node.Mode == CaptureMode.Elements) { return ReadList(ref input, captured, node); }
        if (node.Mode == CaptureMode.Raw) { return input.Program.Materialize(captured, input.Value, input.Frame); }
        switch (captured.Kind)
        {
            case ValueKind.Bool: return Values.Boxed(captured.Bits != 0);
            case ValueKind.Int: return captured.Bits;
            case ValueKind.UInt: return (ulong)captured.Bits;
            case ValueKind.Double: return captured.Double;
            case ValueKind.String: return System.Text.Encoding.UTF8.GetString(input.Frame.Bytes(captured, input.Value));
            case ValueKind.Bytes: return input.Frame.Bytes(captured, input.Value).ToArray();
            case ValueKind.Decimal: return new DecimalValue(new System.Numerics.BigInteger(input.Frame.Bytes(captured, input.Value), isUnsigned: false, isBigEndian: true), node.Type.Scale);
            case ValueKind.Timestamp: return new Timestamp(captured.Bits, captured.Aux);
            case ValueKind.Duration: return new Duration(captured.Bits, captured.Aux);
            default: return ErrorValue.Type;
        }
    }

    private static object? ReadList(ref ConditionInput input, in Slot captured, CaptureNode node)
    {
        int first = (int)captured.Bits, count = captured.Aux;
        var list = new List<object?>(count);
        if (node.Row is not { Node.Slot: >= 0 } row) { return ErrorValue.Type; }
        for (int i = 0; i < count; i++) { list.Add(Read(ref input, first + (i * row.SlotCount) + row.Node.Slot, row.Node, EvalError.NoSuchField)); }
        return list;
    }
}

/// <summary><c>path == null</c>, <c>path != null</c>, <c>has(path)</c>, and <c>"key" in path</c> over a captured value.</summary>
internal sealed class PresenceNode(CaptureSlot slot, PresenceTest test) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        ValueKind kind = input.Frame.Slots[slot.Slot + (slot.Row is null ? 0 : state.Rows[slot.Row.Index])].Kind;
        return test switch
        {
            PresenceTest.Has => Values.Boxed(kind is not (ValueKind.Absent or ValueKind.Null)),
            _ when kind == ValueKind.Absent && slot.Absent != EvalError.NullUse => ErrorValue.Of(slot.Absent),
            PresenceTest.IsNull => Values.Boxed(kind is ValueKind.Null or ValueKind.Absent),
            _ => Values.Boxed(kind is not (ValueKind.Null or ValueKind.Absent)),
        };
    }
}

internal enum PresenceTest : byte { Has, IsNull, IsNotNull }

/// <summary><c>size(list)</c> over a captured list.</summary>
internal sealed class ListSizeNode(CaptureSlot slot) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        ref Slot captured = ref input.Frame.Slots[slot.Slot + (slot.Row is null ? 0 : state.Rows[slot.Row.Index])];
        return captured.Kind switch
        {
            ValueKind.List => (long)captured.Aux,
            ValueKind.Null => ErrorValue.NullUse,
            ValueKind.Absent => ErrorValue.Of(slot.Absent),
            _ => ErrorValue.Type,
        };
    }
}

internal sealed class SelectNode(Node operand, string field, bool optional) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        object? value = Values.Unwrap(operand.Eval(ref input, state));
        if (value is ErrorValue) { return value; }
        bool wrap = optional;
        if (value is OptionalValue held)
        {
            if (!held.HasValue) { return OptionalValue.None; }
            value = Values.Unwrap(held.Value);
            wrap = true;
        }

        object? found = Field(value, field);
        if (!wrap) { return found; }
        return found is ErrorValue { Code: EvalError.NoSuchKey or EvalError.NoSuchField } && value is not null ? OptionalValue.None : found is ErrorValue ? found : OptionalValue.Of(found);
    }

    internal static object? Field(object? value, string field)
    {
        switch (value)
        {
            case MapValue map:
                return map.TryGetValue(field, out object? entry) ? entry : ErrorValue.NoSuchKey;
            case RecordValue record:
                for (int i = 0; i < record.Type.Fields.Count && i < record.Values.Length; i++)
                {
                    if (record.Type.Fields[i].Name == field) { return !ReferenceEquals(record.Values[i], RecordValue.Missing) ? record.Values[i] : record.Type.Fields[i].Type is { Nullable: true, Kind: not ValueKind.Dyn } ? null : ErrorValue.NoSuchField; }
                }

                return ErrorValue.NoSuchField;
            case null:
                return ErrorValue.NoSuchField;
            default:
                return ErrorValue.Type;
        }
    }
}

/// <summary><c>has(e.f)</c>: there and not null, a record around it being null or not there included.</summary>
internal sealed class HasNode(Node operand, string field) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        object? value = Values.Unwrap(operand.Eval(ref input, state));
        if (value is ErrorValue { Code: EvalError.NoSuchField }) { return Values.False; }
        if (value is OptionalValue held)
        {
            if (!held.HasValue) { return Values.False; }
            value = Values.Unwrap(held.Value);
        }

        if (value is ErrorValue) { return value; }
        object? found = SelectNode.Field(value, field);
        if (found is not ErrorValue failed) { return Values.Boxed(found is not null); }
        // A header that is repeated is there, though reading it fails.
        return failed.Code is EvalError.NoSuchField or EvalError.NoSuchKey or EvalError.NullUse ? Values.False : value is MapValue ? Values.True : failed;
    }
}

/// <summary>Calls the overload that the arguments' types at run time choose.</summary>
internal sealed class CallNode(IReadOnlyList<Overload> overloads, bool member, Node[] args, bool keepUnions) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        var values = new object?[args.Length];
        for (int i = 0; i < args.Length; i++)
        {
            object? value = args[i].Eval(ref input, state);
            if (value is ErrorValue) { return value; }
            values[i] = keepUnions ? value : Values.Unwrap(value);
        }

        return Invoke(overloads, member, values);
    }

    internal static object? Invoke(IReadOnlyList<Overload> overloads, bool member, object?[] values)
    {
        foreach (Overload overload in overloads)
        {
            if (overload.Member == member && overload.Takes(values.Length) && Fit(overload, values)) { return overload.Implementation is { } run ? run(values) : ErrorValue.Type; }
        }

        return Array.IndexOf(values, null) >= 0 ? ErrorValue.NullUse : ErrorValue.Type;
    }

    private static bool Fit(Overload overload, object?[] values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            if (!Values.Fits(overload.Signature[Math.Min(i, overload.Arity - 1)], values[i])) { return false; }
        }

        return true;
    }
}

/// <summary>Fails where the value is null.</summary>
internal sealed class NotNullNode(Node inner) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state) => inner.Eval(ref input, state) ?? ErrorValue.NullUse;
}

/// <summary><c>a.or(b)</c> and <c>a.orValue(b)</c>: b only where it is needed.</summary>
internal sealed class OrNode(Node optional, Node otherwise, bool unwrap) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        object? value = Values.Unwrap(optional.Eval(ref input, state));
        if (value is ErrorValue) { return value; }
        if (value is not OptionalValue held) { return ErrorValue.Type; }
        if (held.HasValue) { return unwrap ? held.Value : held; }
        value = otherwise.Eval(ref input, state);
        return unwrap || value is OptionalValue or ErrorValue ? value : ErrorValue.Type;
    }
}

/// <summary>Absorbs errors: an operand that decides wins over one that fails, wherever it stands.</summary>
internal sealed class LogicNode(bool and, Node[] operands) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        object? failed = null;
        foreach (Node operand in operands)
        {
            object? value = Values.Unwrap(operand.Eval(ref input, state));
            if (value is bool flag)
            {
                if (flag != and) { return Values.Boxed(flag); }
            }
            else { failed ??= value is ErrorValue ? value : value is null ? ErrorValue.NullUse : ErrorValue.Type; }
        }

        return failed ?? Values.Boxed(and);
    }
}

internal sealed class ConditionalNode(Node test, Node then, Node otherwise) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        object? value = Values.Unwrap(test.Eval(ref input, state));
        return value is bool flag ? (flag ? then : otherwise).Eval(ref input, state) : value is ErrorValue ? value : value is null ? ErrorValue.NullUse : ErrorValue.Type;
    }
}

internal sealed class ListNode(Node[] elements, bool[] optional) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        var list = new List<object?>(elements.Length);
        for (int i = 0; i < elements.Length; i++)
        {
            object? value = elements[i].Eval(ref input, state);
            if (value is ErrorValue) { return value; }
            if (!optional[i]) { list.Add(value); }
            else if (value is not OptionalValue held) { return ErrorValue.Type; }
            else if (held.HasValue) { list.Add(held.Value); }
        }

        return list;
    }
}

internal sealed class MapNode(Node[] keys, Node[] values, bool[] optional) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        var map = new MapValue();
        for (int i = 0; i < keys.Length; i++)
        {
            object? key = Values.Unwrap(keys[i].Eval(ref input, state));
            if (key is ErrorValue) { return key; }
            if (!Values.IsKey(key)) { return ErrorValue.Type; }
            object? value = values[i].Eval(ref input, state);
            if (value is ErrorValue) { return value; }
            if (optional[i])
            {
                if (value is not OptionalValue held) { return ErrorValue.Type; }
                if (!held.HasValue) { continue; }
                value = held.Value;
            }

            if (Values.TryGet(map, key, out _)) { return ErrorValue.Of(EvalError.DuplicateKey); }
            map[key!] = value;
        }

        return map;
    }
}

/// <summary>Marks which way a branch went, where somebody counts.</summary>
internal sealed class BranchNode(int branch, Node inner) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        object? value = inner.Eval(ref input, state);
        state.Coverage?.Mark(branch, Values.Unwrap(value) is bool flag ? (flag ? Truth.True : Truth.False) : Truth.Error);
        return value;
    }
}

/// <summary>An expression whose names could not be resolved: fails when it is evaluated.</summary>
internal sealed class FailNode(ErrorValue error) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state) => error;
}
