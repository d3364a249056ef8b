using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Cel.Compilation;

/// <summary>Scratch of one evaluation of a compiled condition, on the stack.</summary>
internal struct CompiledState
{
    /// <summary>Rows inside one another that compiled macros may go over.</summary>
    public const int DepthMax = 4;

    public EvalError Error;
    public RowBases Rows;

    /// <summary>First slot of the row that each macro goes over, outermost first; entry 0 is the root row, always 0.</summary>
    [InlineArray(DepthMax + 1)]
    public struct RowBases
    {
        private int _first;
    }
}

/// <summary>A boolean step without boxing: false, true, or an error left in <see cref="CompiledState.Error"/>.</summary>
internal abstract class BoolNode
{
    public abstract Truth Eval(ref ConditionInput input, ref CompiledState state);

    /// <summary>Emits the step as code that ends at one of the labels, or at <see cref="ConditionEmitter.Unsure"/>, where this step would not be plainly true or false.</summary>
    public virtual void Emit(ConditionEmitter emitter, Label whenTrue, Label whenFalse) => emitter.Invoke(this, whenTrue, whenFalse);
}

/// <summary>A step with a 64-bit integer; false is an error.</summary>
internal abstract class IntNode
{
    public abstract bool Eval(ref ConditionInput input, ref CompiledState state, out long value);

    /// <summary>True where <see cref="Emit"/> can be called.</summary>
    public virtual bool Emits => false;

    /// <summary>Emits code that leaves the number on the stack, or ends at <see cref="ConditionEmitter.Unsure"/>.</summary>
    public virtual void Emit(ConditionEmitter emitter) => throw new NotSupportedException();
}

internal abstract class DoubleNode
{
    public abstract bool Eval(ref ConditionInput input, ref CompiledState state, out double value);

    /// <summary>True where <see cref="Emit"/> can be called.</summary>
    public virtual bool Emits => false;

    /// <summary>Emits code that leaves the number on the stack, or ends at <see cref="ConditionEmitter.Unsure"/>.</summary>
    public virtual void Emit(ConditionEmitter emitter) => throw new NotSupportedException();
}

/// <summary>Text in UTF-8, or bytes. What it gives points into the record.</summary>
internal abstract class TextNode
{
    public abstract bool Eval(ref ConditionInput input, ref CompiledState state, out ReadOnlySpan<byte> value);

    /// <summary>True where <see cref="Emit"/> can be called.</summary>
    public virtual bool Emits => false;

    /// <summary>Emits code that puts the text in a place, or ends at <see cref="ConditionEmitter.Unsure"/>.</summary>
    public virtual void Emit(ConditionEmitter emitter, int place) => throw new NotSupportedException();
}

/// <summary>An instant or a span: seconds and nanoseconds.</summary>
internal abstract class TimeNode
{
    public abstract bool Eval(ref ConditionInput input, ref CompiledState state, out long seconds, out int nanos);
}

/// <summary>Where a compiled step finds its slot.</summary>
internal readonly struct SlotAddress(int slot, int depth, ValueKind kind, EvalError absent)
{
    public int Slot => slot;

    public int Depth => depth;

    public ValueKind Kind => kind;

    /// <summary>True where a value that is not there counts as null.</summary>
    public bool AbsentIsNull => absent == EvalError.NullUse;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref PolicyStreams.Schemas.Capture.Slot Load(ref ConditionInput input, ref CompiledState state) => ref input.Frame.Slots[slot + state.Rows[depth]];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Check(in PolicyStreams.Schemas.Capture.Slot captured, ref CompiledState state) => captured.Kind == kind || Fail(captured.Kind, ref state);

    /// <summary>As <see cref="Check"/>, and that a double holds the number: JSON's may be beyond it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool CheckDouble(in PolicyStreams.Schemas.Capture.Slot captured, ref CompiledState state) => (captured.Kind == ValueKind.Double && captured.Aux == 0) || Fail(captured.Kind, ref state);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public bool Fail(ValueKind found, ref CompiledState state)
    {
        state.Error = found switch
        {
            ValueKind.Null => EvalError.NullUse,
            ValueKind.Absent => absent,

            // A number that its kind does not hold, or a value that the schema does not promise: JSON's.
            ValueKind.Double when kind is not ValueKind.Absent => EvalError.NumberRange,
            _ => EvalError.Type,
        };
        return false;
    }
}

internal enum Comparison : byte { Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual }

internal static class Comparisons
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Truth Test(this Comparison comparison, int order) => (comparison switch
    {
        Comparison.Equal => order == 0,
        Comparison.NotEqual => order != 0,
        Comparison.Less => order < 0,
        Comparison.LessOrEqual => order <= 0,
        Comparison.Greater => order > 0,
        _ => order >= 0,
    }) ? Truth.True : Truth.False;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Truth Test(this Comparison comparison, long left, long right) => (comparison switch
    {
        Comparison.Equal => left == right,
        Comparison.NotEqual => left != right,
        Comparison.Less => left < right,
        Comparison.LessOrEqual => left <= right,
        Comparison.Greater => left > right,
        _ => left >= right,
    }) ? Truth.True : Truth.False;

    // NaN compares false but for `!=`, as IEEE 754 and cel-spec say.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Truth Test(this Comparison comparison, double left, double right) => (comparison switch
    {
        Comparison.Equal => left == right,
        Comparison.NotEqual => left != right,
        Comparison.Less => left < right,
        Comparison.LessOrEqual => left <= right,
        Comparison.Greater => left > right,
        _ => left >= right,
    }) ? Truth.True : Truth.False;

    public static Comparison Mirrored(this Comparison comparison) => comparison switch
    {
        Comparison.Less => Comparison.Greater,
        Comparison.LessOrEqual => Comparison.GreaterOrEqual,
        Comparison.Greater => Comparison.Less,
        Comparison.GreaterOrEqual => Comparison.LessOrEqual,
        _ => comparison,
    };
}
