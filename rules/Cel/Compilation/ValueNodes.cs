using System.Reflection.Emit;
using PolicyStreams.Rules.Cel.Evaluation;
using PolicyStreams.Rules.Cel.Library;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Cel.Compilation;

internal sealed class IntConst(long constant) : IntNode
{
    public long Value => constant;

    public override bool Eval(ref ConditionInput input, ref CompiledState state, out long value)
    {
        value = constant;
        return true;
    }

    public override bool Emits => true;

    public override void Emit(ConditionEmitter emitter) => emitter.Long(constant);
}

internal sealed class IntSlot(SlotAddress address) : IntNode
{
    public SlotAddress Address => address;

    public override bool Eval(ref ConditionInput input, ref CompiledState state, out long value)
    {
        ref Slot slot = ref address.Load(ref input, ref state);
        value = slot.Bits;
        return address.Check(slot, ref state);
    }

    public override bool Emits => true;

    public override void Emit(ConditionEmitter emitter)
    {
        emitter.CheckKind(address);
        emitter.Bits(address);
    }
}

internal sealed class PositionInt(RecordVariable variable) : IntNode
{
    public override bool Eval(ref ConditionInput input, ref CompiledState state, out long value)
    {
        value = variable == RecordVariable.Partition ? input.Partition : input.Offset;
        return true;
    }

    public override bool Emits => true;

    public override void Emit(ConditionEmitter emitter)
    {
        emitter.Input();
        emitter.Call(variable == RecordVariable.Partition ? nameof(ConditionSteps.Partition) : nameof(ConditionSteps.Offset));
    }
}

/// <summary>The number of elements of a captured list.</summary>
internal sealed class ListSizeInt(SlotAddress address) : IntNode
{
    public override bool Eval(ref ConditionInput input, ref CompiledState state, out long value)
    {
        ref Slot slot = ref address.Load(ref input, ref state);
        value = slot.Aux;
        return address.Check(slot, ref state);
    }

    public override bool Emits => true;

    public override void Emit(ConditionEmitter emitter)
    {
        emitter.CheckKind(address);
        emitter.Aux(address);
        emitter.Il.Emit(OpCodes.Conv_I8);
    }
}

/// <summary>The code points of text, or the length of bytes.</summary>
internal sealed class TextSizeInt(TextNode text, bool codePoints) : IntNode
{
    public override bool Eval(ref ConditionInput input, ref CompiledState state, out long value)
    {
        value = 0;
        if (!text.Eval(ref input, ref state, out ReadOnlySpan<byte> bytes)) { return false; }
        value = codePoints ? CodePoints(bytes) : bytes.Length;
        return true;
    }

    // Every byte but a continuation byte (10xxxxxx) starts a code point.
    public static int CodePoints(ReadOnlySpan<byte> utf8)
    {
        if (System.Text.Ascii.IsValid(utf8)) { return utf8.Length; }
        int count = 0;
        foreach (byte octet in utf8) { count += (sbyte)octet >= -64 ? 1 : 0; }
        return count;
    }

    public override bool Emits => text.Emits;

    public override void Emit(ConditionEmitter emitter)
    {
        if (!codePoints)
        {
            EmitBytes(emitter);
            return;
        }

        text.Emit(emitter, 0);
        emitter.LoadText(0);
        emitter.Call(nameof(ConditionSteps.CodePoints));
    }

    /// <summary>The same in bytes: 0 for 0, else above.</summary>
    public void EmitBytes(ConditionEmitter emitter)
    {
        text.Emit(emitter, 0);
        emitter.TextLength(0);
        emitter.Il.Emit(OpCodes.Conv_I8);
    }
}

internal sealed class IntArithmetic(IntNode left, string op, IntNode right) : IntNode
{
    private readonly char _op = op[1];

    public override bool Eval(ref ConditionInput input, ref CompiledState state, out long value)
    {
        value = 0;
        if (!left.Eval(ref input, ref state, out long a) || !right.Eval(ref input, ref state, out long b)) { return false; }
        EvalError error = _op switch
        {
            '+' => Checked.Add(a, b, out value) ? EvalError.None : EvalError.Overflow,
            '-' => Checked.Subtract(a, b, out value) ? EvalError.None : EvalError.Overflow,
            '*' => Checked.Multiply(a, b, out value) ? EvalError.None : EvalError.Overflow,
            '/' => Checked.Divide(a, b, out value),
            _ => Checked.Modulo(a, b, out value),
        };
        if (error == EvalError.None) { return true; }
        state.Error = error;
        return false;
    }
}

internal sealed class IntNegate(IntNode inner) : IntNode
{
    public override bool Eval(ref ConditionInput input, ref CompiledState state, out long value)
    {
        if (!inner.Eval(ref input, ref state, out value)) { return false; }
        if (value == long.MinValue)
        {
            state.Error = EvalError.Overflow;
            return false;
        }

        value = -value;
        return true;
    }
}

/// <summary>A field of the calendar or the clock, in UTC.</summary>
internal sealed class TimeFieldInt(TimeNode time, string field) : IntNode
{
    public override bool Eval(ref ConditionInput input, ref CompiledState state, out long value)
    {
        value = 0;
        if (!time.Eval(ref input, ref state, out long seconds, out int nanos)) { return false; }
        if (field == "getMilliseconds")
        {
            value = nanos / 1_000_000;
            return true;
        }

        if (seconds is < CelTime.SecondsMin or > CelTime.SecondsMax)
        {
            state.Error = EvalError.Overflow;
            return false;
        }

        long day = (seconds - CelTime.SecondsMin) % 86_400;
        value = field switch
        {
            "getHours" => day / 3600,
            "getMinutes" => day / 60 % 60,
            "getSeconds" => day % 60,
            _ => Calendar(new DateTime((seconds - CelTime.SecondsMin) * TimeSpan.TicksPerSecond, DateTimeKind.Utc)),
        };
        return true;
    }

    private long Calendar(DateTime utc) => field switch
    {
        "getFullYear" => utc.Year,
        "getMonth" => utc.Month - 1,
        "getDate" => utc.Day,
        "getDayOfMonth" => utc.Day - 1,
        "getDayOfWeek" => (long)utc.DayOfWeek,
        _ => utc.DayOfYear - 1,
    };

    public static bool Knows(string field) => field is "getHours" or "getMinutes" or "getSeconds" or "getMilliseconds" or "getFullYear" or "getMonth" or "getDate" or "getDayOfMonth" or "getDayOfWeek" or "getDayOfYear";
}

internal sealed class DoubleConst(double constant) : DoubleNode
{
    public double Value => constant;

    public override bool Eval(ref ConditionInput input, ref CompiledState state, out double value)
    {
        value = constant;
        return true;
    }

    public override bool Emits => true;

    public override void Emit(ConditionEmitter emitter) => emitter.Il.Emit(OpCodes.Ldc_R8, constant);
}

internal sealed class DoubleSlot(SlotAddress address) : DoubleNode
{
    public SlotAddress Address => address;

    public override bool Eval(ref ConditionInput input, ref CompiledState state, out double value)
    {
        ref Slot slot = ref address.Load(ref input, ref state);
        value = slot.Double;
        return address.CheckDouble(slot, ref state);
    }

    public override bool Emits => true;

    public override void Emit(ConditionEmitter emitter) => emitter.Double(address);
}

/// <summary>An int as the nearest double: <c>double(x)</c>, and comparisons of the two.</summary>
internal sealed class DoubleOfInt(IntNode inner) : DoubleNode
{
    public override bool Eval(ref ConditionInput input, ref CompiledState state, out double value)
    {
        bool known = inner.Eval(ref input, ref state, out long integer);
        value = integer;
        return known;
    }

    public override bool Emits => inner.Emits;

    public override void Emit(ConditionEmitter emitter)
    {
        inner.Emit(emitter);
        emitter.Il.Emit(OpCodes.Conv_R8);
    }
}

internal sealed class DoubleArithmetic(DoubleNode left, string op, DoubleNode right) : DoubleNode
{
    private readonly char _op = op[1];

    public override bool Eval(ref ConditionInput input, ref CompiledState state, out double value)
    {
        value = 0;
        if (!left.Eval(ref input, ref state, out double a) || !right.Eval(ref input, ref state, out double b)) { return false; }
        value = _op switch
        {
            '+' => a + b,
            '-' => a - b,
            '*' => a * b,
            _ => a / b,
        };
        return true;
    }

    public override bool Emits => left.Emits && right.Emits;

    public override void Emit(ConditionEmitter emitter)
    {
        left.Emit(emitter);
        emitter.Both(typeof(double), () => right.Emit(emitter));
        emitter.Il.Emit(_op switch
        {
            '+' => OpCodes.Add,
            '-' => OpCodes.Sub,
            '*' => OpCodes.Mul,
            _ => OpCodes.Div,
        });
    }
}

internal sealed class DoubleNegate(DoubleNode inner) : DoubleNode
{
    public override bool Eval(ref ConditionInput input, ref CompiledState state, out double value)
    {
        bool known = inner.Eval(ref input, ref state, out value);
        value = -value;
        return known;
    }

    public override bool Emits => inner.Emits;

    public override void Emit(ConditionEmitter emitter)
    {
        inner.Emit(emitter);
        emitter.Il.Emit(OpCodes.Neg);
    }
}

internal sealed class TextConst(byte[] constant) : TextNode
{
    public byte[] Value => constant;

    public override bool Eval(ref ConditionInput input, ref CompiledState state, out ReadOnlySpan<byte> value)
    {
        value = constant;
        return true;
    }

    public override bool Emits => true;

    public override void Emit(ConditionEmitter emitter, int place) => emitter.Text(constant, place);
}

internal sealed class TextSlot(SlotAddress address) : TextNode
{
    public override bool Eval(ref ConditionInput input, ref CompiledState state, out ReadOnlySpan<byte> value)
    {
        ref Slot slot = ref address.Load(ref input, ref state);
        if (!address.Check(slot, ref state))
        {
            value = default;
            return false;
        }

        value = input.Frame.Bytes(slot, input.Value);
        return true;
    }

    public override bool Emits => true;

    public override void Emit(ConditionEmitter emitter, int place) => emitter.Text(address, place);
}

/// <summary>The key, where it is text. Allocates only where the caller decodes keys.</summary>
internal sealed class KeyText : TextNode
{
    public override bool Eval(ref ConditionInput input, ref CompiledState state, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (!input.HasKey) { return Fail(EvalError.NullUse, ref state); }
        object? plain = input.KeyPlain;
        if (plain is null && input.KeyReader is { } reader)
        {
            if (!reader(input.Key, out plain)) { return Fail(EvalError.KeyFormat, ref state); }
            if (plain is null) { return Fail(EvalError.NullUse, ref state); }
        }

        if (plain is null)
        {
            value = input.Key;
            return System.Text.Unicode.Utf8.IsValid(value) || Fail(EvalError.KeyFormat, ref state);
        }

        if (Values.Unwrap(plain) is not string text) { return Fail(EvalError.Type, ref state); }
        value = System.Text.Encoding.UTF8.GetBytes(text);
        return true;
    }

    private static bool Fail(EvalError error, ref CompiledState state)
    {
        state.Error = error;
        return false;
    }
}

/// <summary><c>headers["name"]</c>.</summary>
internal sealed class HeaderText(byte[] name) : TextNode
{
    public override bool Eval(ref ConditionInput input, ref CompiledState state, out ReadOnlySpan<byte> value)
    {
        value = default;
        int found = -1;
        for (int i = 0; i < (input.Headers?.Count ?? 0); i++)
        {
            if (!input.Headers!.Name(i).SequenceEqual(name)) { continue; }
            if (found >= 0) { return Fail(EvalError.RepeatedHeader, ref state); }
            found = i;
        }

        if (found < 0) { return Fail(EvalError.NoSuchKey, ref state); }
        if (input.Headers!.IsNull(found)) { return Fail(EvalError.NullUse, ref state); }
        value = input.Headers.Value(found);
        return System.Text.Unicode.Utf8.IsValid(value) || Fail(EvalError.HeaderText, ref state);
    }

    private static bool Fail(EvalError error, ref CompiledState state)
    {
        state.Error = error;
        return false;
    }
}

internal sealed class TimeConst(long constantSeconds, int constantNanos) : TimeNode
{
    public long Seconds => constantSeconds;

    public int Nanos => constantNanos;

    public override bool Eval(ref ConditionInput input, ref CompiledState state, out long seconds, out int nanos)
    {
        seconds = constantSeconds;
        nanos = constantNanos;
        return true;
    }
}

internal sealed class TimeSlot(SlotAddress address) : TimeNode
{
    public SlotAddress Address => address;

    public override bool Eval(ref ConditionInput input, ref CompiledState state, out long seconds, out int nanos)
    {
        ref Slot slot = ref address.Load(ref input, ref state);
        seconds = slot.Bits;
        nanos = slot.Aux;
        return address.Check(slot, ref state);
    }
}

internal sealed class RecordTime : TimeNode
{
    public override bool Eval(ref ConditionInput input, ref CompiledState state, out long seconds, out int nanos)
    {
        (seconds, nanos) = RecordReads.Timestamp(input.TimestampMs);
        return true;
    }
}
