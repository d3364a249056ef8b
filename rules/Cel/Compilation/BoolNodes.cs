using System.Reflection.Emit;
using PolicyStreams.Rules.Cel.Evaluation;
using PolicyStreams.Schemas.Patterns;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Cel.Compilation;

internal sealed class BoolConst(bool value) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state) => value ? Truth.True : Truth.False;

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse) => emitter.Il.Emit(OpCodes.Br, value ? whenTrue : whenFalse);
}

internal sealed class BoolSlot(SlotAddress address) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state)
    {
        ref Slot slot = ref address.Load(ref input, ref state);
        return !address.Check(slot, ref state) ? Truth.Error : slot.Bits != 0 ? Truth.True : Truth.False;
    }

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse)
    {
        emitter.CheckKind(address);
        emitter.Bits(address);
        emitter.Branch(whenTrue, whenFalse);
    }
}

/// <summary>The interpreter, for what has no compiled form.</summary>
/// <param name="rows">Macro variables whose rows the step reads, by depth from 1.</param>
internal sealed class InterpretedBool(Node node, int locals, int[] rows) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state)
    {
        EvalState scratch = EvalState.Rent(locals);
        for (int i = 0; i < rows.Length; i++) { scratch.Rows[rows[i]] = state.Rows[i + 1]; }
        object? value = Values.Unwrap(node.Eval(ref input, scratch));
        scratch.Return();
        if (value is bool flag) { return flag ? Truth.True : Truth.False; }
        state.Error = value is ErrorValue error ? error.Code : value is null ? EvalError.NullUse : EvalError.Type;
        return Truth.Error;
    }
}

internal sealed class NotBool(BoolNode inner) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state) => inner.Eval(ref input, ref state) switch
    {
        Truth.True => Truth.False,
        Truth.False => Truth.True,
        _ => Truth.Error,
    };

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse) => inner.Emit(emitter, whenFalse, whenTrue);
}

/// <summary>Ends at the operand that decides; of several errors the first counts.</summary>
internal sealed class LogicBool(bool and, BoolNode[] operands) : BoolNode
{
    private readonly Truth _decides = and ? Truth.False : Truth.True;

    public override Truth Eval(ref ConditionInput input, ref CompiledState state)
    {
        EvalError first = EvalError.None;
        foreach (BoolNode operand in operands)
        {
            Truth truth = operand.Eval(ref input, ref state);
            if (truth == _decides) { return truth; }
            if (truth == Truth.Error && first == EvalError.None) { first = state.Error; }
        }

        if (first == EvalError.None) { return and ? Truth.True : Truth.False; }
        state.Error = first;
        return Truth.Error;
    }

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse)
    {
        foreach (BoolNode operand in operands)
        {
            Label next = emitter.Il.DefineLabel();
            if (and) { operand.Emit(emitter, next, whenFalse); }
            else { operand.Emit(emitter, whenTrue, next); }
            emitter.Il.MarkLabel(next);
        }

        emitter.Il.Emit(OpCodes.Br, and ? whenTrue : whenFalse);
    }
}

internal sealed class ConditionalBool(BoolNode test, BoolNode then, BoolNode otherwise) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state)
    {
        Truth truth = test.Eval(ref input, ref state);
        return truth == Truth.Error ? truth : (truth == Truth.True ? then : otherwise).Eval(ref input, ref state);
    }

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse)
    {
        Label first = emitter.Il.DefineLabel(), second = emitter.Il.DefineLabel();
        test.Emit(emitter, first, second);
        emitter.Il.MarkLabel(first);
        then.Emit(emitter, whenTrue, whenFalse);
        emitter.Il.MarkLabel(second);
        otherwise.Emit(emitter, whenTrue, whenFalse);
    }
}

internal sealed class PresenceBool(SlotAddress address, PresenceTest test) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state)
    {
        ValueKind kind = address.Load(ref input, ref state).Kind;
        if (test == PresenceTest.Has) { return kind is ValueKind.Absent or ValueKind.Null ? Truth.False : Truth.True; }
        if (kind == ValueKind.Absent && !address.AbsentIsNull)
        {
            address.Fail(kind, ref state);
            return Truth.Error;
        }

        return (kind is ValueKind.Null or ValueKind.Absent) == (test == PresenceTest.IsNull) ? Truth.True : Truth.False;
    }

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse)
    {
        // Absent is 0 and null is 1: every other kind is a value.
        if (test != PresenceTest.Has && !address.AbsentIsNull)
        {
            emitter.Kind(address);
            emitter.Il.Emit(OpCodes.Brfalse, emitter.Unsure);
        }

        emitter.Kind(address);
        emitter.Int((int)ValueKind.Null);
        emitter.Il.Emit(OpCodes.Ble_Un, test == PresenceTest.IsNull ? whenTrue : whenFalse);
        emitter.Il.Emit(OpCodes.Br, test == PresenceTest.IsNull ? whenFalse : whenTrue);
    }
}

/// <summary>The commonest test of all: a captured double and a constant.</summary>
internal sealed class DoubleSlotCompare(SlotAddress address, Comparison comparison, double constant) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state)
    {
        ref Slot slot = ref address.Load(ref input, ref state);
        return address.CheckDouble(slot, ref state) ? comparison.Test(slot.Double, constant) : Truth.Error;
    }

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse)
    {
        emitter.Double(address);
        emitter.Il.Emit(OpCodes.Ldc_R8, constant);
        emitter.Compare(comparison, whenTrue, whenFalse);
    }
}

internal sealed class IntSlotCompare(SlotAddress address, Comparison comparison, long constant) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state)
    {
        ref Slot slot = ref address.Load(ref input, ref state);
        return address.Check(slot, ref state) ? comparison.Test(slot.Bits, constant) : Truth.Error;
    }

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse)
    {
        emitter.CheckKind(address);
        emitter.Bits(address);
        emitter.Long(constant);
        emitter.Compare(comparison, whenTrue, whenFalse);
    }
}

/// <summary>A captured decimal and a constant, exactly: both sides are brought to the larger scale.</summary>
internal sealed class DecimalSlotCompare(SlotAddress address, int scale, Comparison comparison, DecimalValue constant) : BoolNode
{
    // 10^18 times a 64-bit integer still fits 128 bits.
    private readonly bool _small = Math.Abs(constant.Scale - scale) <= 18 && constant.Unscaled >= long.MinValue && constant.Unscaled <= long.MaxValue;
    private readonly Int128 _factor = Power(constant.Scale - scale);
    private readonly Int128 _constant = constant.Unscaled >= long.MinValue && constant.Unscaled <= long.MaxValue ? (Int128)constant.Unscaled * Power(scale - constant.Scale) : 0;

    public override Truth Eval(ref ConditionInput input, ref CompiledState state)
    {
        ref Slot slot = ref address.Load(ref input, ref state);
        if (!address.Check(slot, ref state)) { return Truth.Error; }
        ReadOnlySpan<byte> bytes = input.Frame.Bytes(slot, input.Value);
        if (!_small || bytes.Length > 8)
        {
            var value = new DecimalValue(new System.Numerics.BigInteger(bytes, isUnsigned: false, isBigEndian: true), scale);
            return comparison.Test(Values.CompareDecimals(value, constant));
        }

        long unscaled = bytes.Length > 0 ? (sbyte)bytes[0] : 0;
        for (int i = 1; i < bytes.Length; i++) { unscaled = (unscaled << 8) | bytes[i]; }
        return comparison.Test((unscaled * _factor).CompareTo(_constant));
    }

    private static Int128 Power(int exponent)
    {
        Int128 power = 1;
        for (int i = 0; i < Math.Min(exponent, 18); i++) { power *= 10; }
        return power;
    }
}

internal sealed class IntCompare(IntNode left, Comparison comparison, IntNode right) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state) =>
        left.Eval(ref input, ref state, out long a) && right.Eval(ref input, ref state, out long b) ? comparison.Test(a, b) : Truth.Error;

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse)
    {
        if (!left.Emits || !right.Emits)
        {
            base.Emit(emitter, whenTrue, whenFalse);
            return;
        }

        // A text is empty or not whatever its characters: its bytes need not be counted as such.
        if (left is TextSizeInt size && right is IntConst { Value: 0 }) { size.EmitBytes(emitter); }
        else { left.Emit(emitter); }
        emitter.Both(typeof(long), () => right.Emit(emitter));
        emitter.Compare(comparison, whenTrue, whenFalse);
    }
}

internal sealed class DoubleCompare(DoubleNode left, Comparison comparison, DoubleNode right) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state) =>
        left.Eval(ref input, ref state, out double a) && right.Eval(ref input, ref state, out double b) ? comparison.Test(a, b) : Truth.Error;

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse)
    {
        if (!left.Emits || !right.Emits)
        {
            base.Emit(emitter, whenTrue, whenFalse);
            return;
        }

        left.Emit(emitter);
        emitter.Both(typeof(double), () => right.Emit(emitter));
        emitter.Compare(comparison, whenTrue, whenFalse);
    }
}

internal sealed class TimeCompare(TimeNode left, Comparison comparison, TimeNode right) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state) =>
        left.Eval(ref input, ref state, out long a, out int aNanos) && right.Eval(ref input, ref state, out long b, out int bNanos)
            ? a != b ? comparison.Test(a, b) : comparison.Test((long)aNanos, bNanos)
            : Truth.Error;

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse)
    {
        if (left is not TimeSlot { Address: var address } || right is not TimeConst constant)
        {
            base.Emit(emitter, whenTrue, whenFalse);
            return;
        }

        Label same = emitter.Il.DefineLabel();
        emitter.CheckKind(address);
        emitter.Bits(address);
        emitter.Long(constant.Seconds);
        emitter.Il.Emit(OpCodes.Beq, same);
        emitter.Bits(address);
        emitter.Long(constant.Seconds);
        emitter.Compare(comparison, whenTrue, whenFalse);
        emitter.Il.MarkLabel(same);
        emitter.Aux(address);
        emitter.Int(constant.Nanos);
        emitter.Compare(comparison, whenTrue, whenFalse);
    }
}

internal sealed class TextCompare(TextNode left, Comparison comparison, TextNode right) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state)
    {
        if (!left.Eval(ref input, ref state, out ReadOnlySpan<byte> a) || !right.Eval(ref input, ref state, out ReadOnlySpan<byte> b)) { return Truth.Error; }
        return comparison switch
        {
            Comparison.Equal => a.SequenceEqual(b) ? Truth.True : Truth.False,
            Comparison.NotEqual => a.SequenceEqual(b) ? Truth.False : Truth.True,
            // The order of UTF-8 bytes is the order of code points.
            _ => comparison.Test(a.SequenceCompareTo(b)),
        };
    }

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse)
    {
        if (!left.Emits || !right.Emits)
        {
            base.Emit(emitter, whenTrue, whenFalse);
            return;
        }

        bool equality = comparison is Comparison.Equal or Comparison.NotEqual;
        if (equality && (left as TextConst ?? right as TextConst) is { } constant)
        {
            (ReferenceEquals(left, constant) ? right : left).Emit(emitter, 0);
            emitter.IsOneOf([constant.Value], comparison == Comparison.Equal ? whenTrue : whenFalse, comparison == Comparison.Equal ? whenFalse : whenTrue);
            return;
        }

        left.Emit(emitter, 0);
        right.Emit(emitter, 1);
        emitter.LoadText(0);
        emitter.LoadText(1);
        if (equality)
        {
            emitter.Call(nameof(ConditionSteps.AreSame));
            emitter.Branch(comparison == Comparison.Equal ? whenTrue : whenFalse, comparison == Comparison.Equal ? whenFalse : whenTrue);
            return;
        }

        emitter.Call(nameof(ConditionSteps.Order));
        emitter.Int(0);
        emitter.Compare(comparison, whenTrue, whenFalse);
    }
}

internal sealed class BoolCompare(BoolNode left, bool equal, BoolNode right) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state)
    {
        Truth a = left.Eval(ref input, ref state);
        if (a == Truth.Error) { return a; }
        Truth b = right.Eval(ref input, ref state);
        return b == Truth.Error ? b : (a == b) == equal ? Truth.True : Truth.False;
    }
}

/// <summary>Membership of text in constants.</summary>
internal sealed class TextIn : BoolNode
{
    private readonly TextNode _item;
    private readonly byte[][] _constants;
    private readonly ulong[] _lengths = new ulong[4];
    private readonly int[]? _buckets;

    public TextIn(TextNode item, byte[][] constants)
    {
        _item = item;
        _constants = constants;
        foreach (byte[] constant in constants) { _lengths[Math.Min(constant.Length >> 6, 3)] |= constant.Length < 256 ? 1UL << (constant.Length & 63) : ulong.MaxValue; }
        if (constants.Length <= 8) { return; }
        _buckets = new int[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)constants.Length * 2)];
        for (int i = 0; i < constants.Length; i++)
        {
            int at = Hash(constants[i]);
            while (_buckets[at &= _buckets.Length - 1] != 0) { at++; }
            _buckets[at] = i + 1;
        }
    }

    public override Truth Eval(ref ConditionInput input, ref CompiledState state)
    {
        if (!_item.Eval(ref input, ref state, out ReadOnlySpan<byte> text)) { return Truth.Error; }
        return Holds(text) ? Truth.True : Truth.False;
    }

    public bool Holds(ReadOnlySpan<byte> text)
    {
        // Most values are told apart by their length alone.
        if ((_lengths[Math.Min(text.Length >> 6, 3)] & (1UL << (text.Length & 63))) == 0) { return false; }
        if (_buckets is { } buckets)
        {
            for (int at = Hash(text); ; at++)
            {
                int index = buckets[at &= buckets.Length - 1];
                if (index == 0) { return false; }
                if (text.SequenceEqual(_constants[index - 1])) { return true; }
            }
        }

        foreach (byte[] constant in _constants)
        {
            if (text.SequenceEqual(constant)) { return true; }
        }

        return false;
    }

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse)
    {
        if (!_item.Emits)
        {
            base.Emit(emitter, whenTrue, whenFalse);
            return;
        }

        _item.Emit(emitter, 0);
        if (_buckets is null)
        {
            emitter.IsOneOf(_constants, whenTrue, whenFalse);
            return;
        }

        emitter.LoadText(0);
        emitter.Constant(this);
        emitter.Call(nameof(ConditionSteps.IsAmong));
        emitter.Branch(whenTrue, whenFalse);
    }

    private static int Hash(ReadOnlySpan<byte> text)
    {
        uint hash = 2166136261;
        foreach (byte octet in text) { hash = (hash ^ octet) * 16777619; }
        return (int)(hash ^ (hash >> 15)) & int.MaxValue;
    }
}

internal sealed class IntIn(IntNode item, long[] sorted) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state) =>
        !item.Eval(ref input, ref state, out long value) ? Truth.Error : sorted.AsSpan().BinarySearch(value) >= 0 ? Truth.True : Truth.False;

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse)
    {
        if (!item.Emits)
        {
            base.Emit(emitter, whenTrue, whenFalse);
            return;
        }

        item.Emit(emitter);
        emitter.Constant(sorted);
        emitter.Call(nameof(ConditionSteps.IsAmongNumbers));
        emitter.Branch(whenTrue, whenFalse);
    }
}

internal enum TextTest : byte { StartsWith, EndsWith, Contains }

internal sealed class TextPart(TextNode text, TextTest test, TextNode part) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state)
    {
        if (!text.Eval(ref input, ref state, out ReadOnlySpan<byte> whole) || !part.Eval(ref input, ref state, out ReadOnlySpan<byte> wanted)) { return Truth.Error; }
        bool holds = test switch
        {
            TextTest.StartsWith => whole.StartsWith(wanted),
            TextTest.EndsWith => whole.EndsWith(wanted),
            // UTF-8 synchronises itself: bytes found are characters found.
            _ => whole.IndexOf(wanted) >= 0,
        };
        return holds ? Truth.True : Truth.False;
    }

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse)
    {
        if (!text.Emits || !part.Emits)
        {
            base.Emit(emitter, whenTrue, whenFalse);
            return;
        }

        text.Emit(emitter, 0);
        part.Emit(emitter, 1);
        emitter.LoadText(0);
        emitter.LoadText(1);
        emitter.Call(test switch { TextTest.StartsWith => nameof(ConditionSteps.StartsWith), TextTest.EndsWith => nameof(ConditionSteps.EndsWith), _ => nameof(ConditionSteps.Contains) });
        emitter.Branch(whenTrue, whenFalse);
    }
}

/// <summary>A test of a text's format.</summary>
internal delegate bool TextFormat(ReadOnlySpan<byte> text);

internal sealed class TextFormatBool(TextNode text, TextFormat format) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state) =>
        !text.Eval(ref input, ref state, out ReadOnlySpan<byte> value) ? Truth.Error : format(value) ? Truth.True : Truth.False;

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse)
    {
        if (!text.Emits)
        {
            base.Emit(emitter, whenTrue, whenFalse);
            return;
        }

        text.Emit(emitter, 0);
        emitter.LoadText(0);
        emitter.Constant(format);
        emitter.Call(nameof(ConditionSteps.HasFormat));
        emitter.Branch(whenTrue, whenFalse);
    }
}

internal sealed class TextMatches(TextNode text, Re2 pattern) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state) =>
        !text.Eval(ref input, ref state, out ReadOnlySpan<byte> value) ? Truth.Error : pattern.IsMatch(value) ? Truth.True : Truth.False;

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse)
    {
        if (!text.Emits)
        {
            base.Emit(emitter, whenTrue, whenFalse);
            return;
        }

        text.Emit(emitter, 0);
        emitter.LoadText(0);
        emitter.Constant(pattern);
        emitter.Call(nameof(ConditionSteps.Matches));
        emitter.Branch(whenTrue, whenFalse);
    }
}

/// <summary><c>all</c>, <c>exists</c>, and <c>exists_one</c> over the captured rows of a list.</summary>
internal sealed class RowsBool(ComprehensionKind kind, SlotAddress list, CaptureNode node, int depth, BoolNode body) : BoolNode
{
    public override Truth Eval(ref ConditionInput input, ref CompiledState state)
    {
        ref Slot slot = ref list.Load(ref input, ref state);
        if (!list.Check(slot, ref state)) { return Truth.Error; }
        int count = slot.Aux, row = (int)slot.Bits;
        // The stride is known once all conditions are compiled: it is read here.
        int stride = node.Row?.SlotCount ?? 0;
        Truth decides = kind == ComprehensionKind.All ? Truth.False : Truth.True;
        EvalError first = EvalError.None;
        int found = 0;
        if (count > EvalState.StepsMax)
        {
            state.Error = EvalError.TooLarge;
            return Truth.Error;
        }

        for (int i = 0; i < count; i++, row += stride)
        {
            state.Rows[depth] = row;
            Truth truth = body.Eval(ref input, ref state);
            if (kind == ComprehensionKind.ExistsOne)
            {
                if (truth == Truth.Error) { return truth; }
                found += truth == Truth.True ? 1 : 0;
            }
            else if (truth == decides) { return truth; }
            else if (truth == Truth.Error && first == EvalError.None) { first = state.Error; }
        }

        if (kind == ComprehensionKind.ExistsOne) { return found == 1 ? Truth.True : Truth.False; }
        if (first == EvalError.None) { return decides == Truth.True ? Truth.False : Truth.True; }
        state.Error = first;
        return Truth.Error;
    }

    public override void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse)
    {
        Label done = emitter.Il.DefineLabel();
        LocalBuilder? found = kind == ComprehensionKind.ExistsOne ? emitter.Il.DeclareLocal(typeof(int)) : null;
        if (found is not null)
        {
            emitter.Int(0);
            emitter.Il.Emit(OpCodes.Stloc, found);
        }

        emitter.Rows(list, node.Row?.SlotCount ?? 0, depth, done, next =>
        {
            if (kind == ComprehensionKind.All) { body.Emit(emitter, next, whenFalse); }
            else if (found is null) { body.Emit(emitter, whenTrue, next); }
            else
            {
                Label one = emitter.Il.DefineLabel();
                body.Emit(emitter, one, next);
                emitter.Il.MarkLabel(one);
                emitter.Il.Emit(OpCodes.Ldloc, found);
                emitter.Int(1);
                emitter.Il.Emit(OpCodes.Add);
                emitter.Il.Emit(OpCodes.Stloc, found);
            }
        });
        emitter.Il.MarkLabel(done);
        if (found is null)
        {
            emitter.Il.Emit(OpCodes.Br, kind == ComprehensionKind.All ? whenTrue : whenFalse);
            return;
        }

        emitter.Il.Emit(OpCodes.Ldloc, found);
        emitter.Int(1);
        emitter.Compare(Comparison.Equal, whenTrue, whenFalse);
    }
}
