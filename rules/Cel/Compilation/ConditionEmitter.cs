using System.Buffers.Binary;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Cel.Compilation;

/// <summary>Up to 64 conditions as code: a bit a condition that holds, and a bit for each of which nothing is known, because something in it is not plainly there.</summary>
internal delegate void EmittedConditions(ref ConditionInput input, out ulong holds, out ulong unsure);

/// <summary>
/// Emits the steps of conditions as one method over the slots. It knows no errors: what is null, absent, or of another kind makes the whole condition unsure, and its steps are then taken
/// one by one (<see cref="Condition.Evaluate(ref ConditionInput, out EvalError)"/>), which says what it comes to. Conditions have no side effects, so nothing is lost by beginning anew.
/// </summary>
internal sealed class ConditionEmitter
{
    public const int ConditionsMax = 64;

    private const int SlotBytes = 16;
    private const int AuxAt = 8;
    private const int KindAt = 12;

    private static readonly Type[] _arguments = [typeof(object[]), typeof(ConditionInput).MakeByRefType(), typeof(ulong).MakeByRefType(), typeof(ulong).MakeByRefType()];
    private static readonly MethodInfo _evalBool = typeof(BoolNode).GetMethod(nameof(BoolNode.Eval))!;

    private readonly DynamicMethod _method = new("Conditions", typeof(void), _arguments, typeof(ConditionEmitter).Module, skipVisibility: true);
    private readonly List<object> _constants = [];
    private readonly LocalBuilder?[] _rows = new LocalBuilder?[CompiledState.DepthMax + 1];
    private readonly LocalBuilder _state;
    private readonly LocalBuilder _truth;
    private readonly (LocalBuilder Start, LocalBuilder Length)[] _texts;

    private ConditionEmitter()
    {
        Il = _method.GetILGenerator(4096);
        _state = Il.DeclareLocal(typeof(CompiledState));
        _truth = Il.DeclareLocal(typeof(int));
        _texts = [(Il.DeclareLocal(typeof(byte).MakeByRefType()), Il.DeclareLocal(typeof(int))), (Il.DeclareLocal(typeof(byte).MakeByRefType()), Il.DeclareLocal(typeof(int)))];
    }

    /// <summary>False where code cannot be made at run time, or shall not be: conditions are then taken step by step.</summary>
    public static bool Works { get; } = RuntimeFeature.IsDynamicCodeCompiled && BitConverter.IsLittleEndian && Unsafe.SizeOf<Slot>() == SlotBytes
        && !(AppContext.TryGetSwitch("PolicyStreams.InterpretOnly", out bool interpretOnly) && interpretOnly);

    public ILGenerator Il { get; }

    /// <summary>Where the condition at hand goes when it is not plain.</summary>
    public Label Unsure { get; private set; }

    /// <summary>Emits conditions; bit i is of the i-th. A null one is always unsure.</summary>
    /// <param name="rootSlots">Slots of the plan's root row, complete.</param>
    public static EmittedConditions Emit(ReadOnlySpan<BoolNode?> conditions, int rootSlots)
    {
        var emitter = new ConditionEmitter();
        emitter.All(conditions, rootSlots);
        return emitter._method.CreateDelegate<EmittedConditions>(emitter._constants.ToArray());
    }

    private void All(ReadOnlySpan<BoolNode?> conditions, int rootSlots)
    {
        LocalBuilder holds = Il.DeclareLocal(typeof(ulong)), unsure = Il.DeclareLocal(typeof(ulong));
        Label end = Il.DefineLabel(), noFrame = Il.DefineLabel();
        LocalBuilder root = _rows[0] = Il.DeclareLocal(typeof(Slot).MakeByRefType());
        Il.Emit(OpCodes.Ldarg_1);
        Int(rootSlots);
        Call(nameof(ConditionSteps.HasRoot));
        Il.Emit(OpCodes.Brfalse, noFrame);
        Il.Emit(OpCodes.Ldarg_1);
        Int(0);
        Call(nameof(ConditionSteps.Row));
        Il.Emit(OpCodes.Stloc, root);
        for (int i = 0; i < conditions.Length; i++)
        {
            Label yes = Il.DefineLabel(), next = Il.DefineLabel();
            Unsure = Il.DefineLabel();
            if (conditions[i] is { } condition) { condition.Emit(this, yes, next); }
            Il.MarkLabel(Unsure);
            SetBit(unsure, i);
            Il.Emit(OpCodes.Br, next);
            Il.MarkLabel(yes);
            SetBit(holds, i);
            Il.MarkLabel(next);
        }

        Il.MarkLabel(end);
        Il.Emit(OpCodes.Ldarg_2);
        Il.Emit(OpCodes.Ldloc, holds);
        Il.Emit(OpCodes.Stind_I8);
        Il.Emit(OpCodes.Ldarg_3);
        Il.Emit(OpCodes.Ldloc, unsure);
        Il.Emit(OpCodes.Stind_I8);
        Il.Emit(OpCodes.Ret);
        Il.MarkLabel(noFrame);
        Il.Emit(OpCodes.Ldc_I8, -1L);
        Il.Emit(OpCodes.Stloc, unsure);
        Il.Emit(OpCodes.Br, end);
    }

    private void SetBit(LocalBuilder word, int bit)
    {
        Il.Emit(OpCodes.Ldloc, word);
        Il.Emit(OpCodes.Ldc_I8, 1L << bit);
        Il.Emit(OpCodes.Or);
        Il.Emit(OpCodes.Stloc, word);
    }

    // Steps

    /// <summary>Calls a step that has no code of its own.</summary>
    public void Invoke(BoolNode node, Label whenTrue, Label whenFalse)
    {
        Constant(node);
        Il.Emit(OpCodes.Ldarg_1);
        Il.Emit(OpCodes.Ldloca, _state);
        Il.Emit(OpCodes.Callvirt, _evalBool);
        Il.Emit(OpCodes.Stloc, _truth);
        Il.Emit(OpCodes.Ldloc, _truth);
        Int((int)Truth.True);
        Il.Emit(OpCodes.Beq, whenTrue);
        Il.Emit(OpCodes.Ldloc, _truth);
        Il.Emit(OpCodes.Brfalse, whenFalse);
        Il.Emit(OpCodes.Br, Unsure);
    }

    /// <summary>Takes a bool off the stack.</summary>
    public void Branch(Label whenTrue, Label whenFalse)
    {
        Il.Emit(OpCodes.Brtrue, whenTrue);
        Il.Emit(OpCodes.Br, whenFalse);
    }

    /// <summary>Emits a second operand behind the one on the stack, which waits elsewhere meanwhile: the way to <see cref="Unsure"/> leaves nothing behind.</summary>
    public void Both(Type type, Action second)
    {
        LocalBuilder first = Il.DeclareLocal(type), other = Il.DeclareLocal(type);
        Il.Emit(OpCodes.Stloc, first);
        second();
        Il.Emit(OpCodes.Stloc, other);
        Il.Emit(OpCodes.Ldloc, first);
        Il.Emit(OpCodes.Ldloc, other);
    }

    /// <summary>Takes two integers or two doubles off the stack. A comparison with NaN is false but for `!=`.</summary>
    public void Compare(Comparison comparison, Label whenTrue, Label whenFalse)
    {
        Il.Emit(comparison switch
        {
            Comparison.Equal => OpCodes.Beq,
            Comparison.NotEqual => OpCodes.Bne_Un,
            Comparison.Less => OpCodes.Blt,
            Comparison.LessOrEqual => OpCodes.Ble,
            Comparison.Greater => OpCodes.Bgt,
            _ => OpCodes.Bge,
        }, whenTrue);
        Il.Emit(OpCodes.Br, whenFalse);
    }

    // Slots

    /// <summary>Leaves a slot's address on the stack.</summary>
    public void Address(in SlotAddress address, int at = 0)
    {
        Il.Emit(OpCodes.Ldloc, _rows[address.Depth]!);
        at += address.Slot * SlotBytes;
        if (at == 0) { return; }
        Int(at);
        Il.Emit(OpCodes.Add);
    }

    /// <summary>Leaves a slot's kind on the stack.</summary>
    public void Kind(in SlotAddress address)
    {
        Address(address, KindAt);
        Il.Emit(OpCodes.Ldind_U1);
    }

    /// <summary>Unsure unless the slot is of the kind that its address says.</summary>
    public void CheckKind(in SlotAddress address)
    {
        Kind(address);
        Int((int)address.Kind);
        Il.Emit(OpCodes.Bne_Un, Unsure);
    }

    public void Bits(in SlotAddress address)
    {
        Address(address);
        Il.Emit(OpCodes.Ldind_I8);
    }

    public void Aux(in SlotAddress address)
    {
        Address(address, AuxAt);
        Il.Emit(OpCodes.Ldind_I4);
    }

    /// <summary>Unsure unless the slot is a number that a double holds; leaves it on the stack.</summary>
    public void Double(in SlotAddress address)
    {
        CheckKind(address);
        Aux(address);
        Il.Emit(OpCodes.Brtrue, Unsure);
        Address(address);
        Il.Emit(OpCodes.Ldind_R8);
    }

    /// <summary>Text or bytes of a slot into one of two places.</summary>
    public void Text(in SlotAddress address, int place)
    {
        CheckKind(address);
        Address(address);
        Il.Emit(OpCodes.Ldarg_1);
        Call(nameof(ConditionSteps.TextStart));
        Il.Emit(OpCodes.Stloc, _texts[place].Start);
        Aux(address);
        Il.Emit(OpCodes.Stloc, _texts[place].Length);
    }

    /// <summary>Text of a constant into a place.</summary>
    public void Text(byte[] constant, int place)
    {
        Constant(constant);
        Call(nameof(ConditionSteps.ConstantStart));
        Il.Emit(OpCodes.Stloc, _texts[place].Start);
        Int(constant.Length);
        Il.Emit(OpCodes.Stloc, _texts[place].Length);
    }

    public void TextLength(int place) => Il.Emit(OpCodes.Ldloc, _texts[place].Length);

    /// <summary>Leaves start and length on the stack, as the steps take text.</summary>
    public void LoadText(int place)
    {
        Il.Emit(OpCodes.Ldloc, _texts[place].Start);
        Il.Emit(OpCodes.Ldloc, _texts[place].Length);
    }

    /// <summary>Branches by whether the text in the first place is one of some constants: by length first, then short ones as one number.</summary>
    public void IsOneOf(IEnumerable<byte[]> constants, Label whenTrue, Label whenFalse)
    {
        foreach (IGrouping<int, byte[]> group in constants.GroupBy(constant => constant.Length))
        {
            Label other = Il.DefineLabel();
            TextLength(0);
            Int(group.Key);
            Il.Emit(OpCodes.Bne_Un, other);
            if (group.Key == 0)
            {
                Il.Emit(OpCodes.Br, whenTrue);
            }
            else if (group.Key <= 8)
            {
                LocalBuilder key = Il.DeclareLocal(typeof(ulong));
                Il.Emit(OpCodes.Ldloc, _texts[0].Start);
                Call(group.Key switch { 1 => nameof(ConditionSteps.Key1), 2 => nameof(ConditionSteps.Key2), 3 => nameof(ConditionSteps.Key3), 4 => nameof(ConditionSteps.Key4), _ => nameof(ConditionSteps.Key8) }, group.Key);
                Il.Emit(OpCodes.Stloc, key);
                foreach (byte[] constant in group)
                {
                    Il.Emit(OpCodes.Ldloc, key);
                    Il.Emit(OpCodes.Ldc_I8, (long)ConditionSteps.KeyOf(constant));
                    Il.Emit(OpCodes.Beq, whenTrue);
                }
            }
            else
            {
                foreach (byte[] constant in group)
                {
                    LoadText(0);
                    Constant(constant);
                    Call(nameof(ConditionSteps.AreEqual));
                    Il.Emit(OpCodes.Brtrue, whenTrue);
                }
            }

            Il.Emit(OpCodes.Br, whenFalse);
            Il.MarkLabel(other);
        }

        Il.Emit(OpCodes.Br, whenFalse);
    }

    /// <summary>Goes over the rows of a captured list; <paramref name="body"/> is emitted once, with the row's slots at <paramref name="depth"/>.</summary>
    /// <param name="done">Where to go when all rows are through.</param>
    /// <param name="body">Gets the label of the next row.</param>
    public void Rows(in SlotAddress list, int stride, int depth, Label done, Action<Label> body)
    {
        LocalBuilder left = Il.DeclareLocal(typeof(int)), row = Il.DeclareLocal(typeof(int));
        Label loop = Il.DefineLabel(), next = Il.DefineLabel();
        CheckKind(list);
        Aux(list);
        Il.Emit(OpCodes.Stloc, left);
        Bits(list);
        Il.Emit(OpCodes.Conv_I4);
        Il.Emit(OpCodes.Stloc, row);
        Il.Emit(OpCodes.Ldarg_1);
        Il.Emit(OpCodes.Ldloc, row);
        Il.Emit(OpCodes.Ldloc, left);
        Int(stride);
        Call(nameof(ConditionSteps.HasRows));
        Il.Emit(OpCodes.Brfalse, Unsure);
        LocalBuilder? outer = _rows[depth];
        LocalBuilder slots = _rows[depth] = Il.DeclareLocal(typeof(Slot).MakeByRefType());
        Il.MarkLabel(loop);
        Il.Emit(OpCodes.Ldloc, left);
        Il.Emit(OpCodes.Brfalse, done);
        Il.Emit(OpCodes.Ldarg_1);
        Il.Emit(OpCodes.Ldloc, row);
        Call(nameof(ConditionSteps.Row));
        Il.Emit(OpCodes.Stloc, slots);
        Il.Emit(OpCodes.Ldloca, _state);
        Int(depth);
        Il.Emit(OpCodes.Ldloc, row);
        Call(nameof(ConditionSteps.SetRow));
        body(next);
        Il.MarkLabel(next);
        Il.Emit(OpCodes.Ldloc, row);
        Int(stride);
        Il.Emit(OpCodes.Add);
        Il.Emit(OpCodes.Stloc, row);
        Il.Emit(OpCodes.Ldloc, left);
        Il.Emit(OpCodes.Ldc_I4_1);
        Il.Emit(OpCodes.Sub);
        Il.Emit(OpCodes.Stloc, left);
        Il.Emit(OpCodes.Br, loop);
        _rows[depth] = outer;
    }

    // Instructions

    public void Int(int value) => Il.Emit(OpCodes.Ldc_I4, value);

    public void Long(long value) => Il.Emit(OpCodes.Ldc_I8, value);

    public void Input() => Il.Emit(OpCodes.Ldarg_1);

    /// <summary>Leaves an object on the stack; its type is known to whoever takes it.</summary>
    public void Constant(object constant)
    {
        int index = _constants.IndexOf(constant);
        if (index < 0)
        {
            index = _constants.Count;
            _constants.Add(constant);
        }

        Il.Emit(OpCodes.Ldarg_0);
        Int(index);
        Il.Emit(OpCodes.Ldelem_Ref);
    }

    /// <summary>Calls one of <see cref="ConditionSteps"/>.</summary>
    public void Call(string step) => Il.Emit(OpCodes.Call, typeof(ConditionSteps).GetMethod(step)!);

    private void Call(string step, int length)
    {
        if (step == nameof(ConditionSteps.Key8)) { Int(length); }
        Call(step);
    }
}

/// <summary>What emitted conditions call: everything that is more than a few instructions, and everything that must look at bounds.</summary>
internal static class ConditionSteps
{
    public static bool HasRoot(ref ConditionInput input, int slots) => input.Frame is { } frame && frame.Slots.Length >= slots;

    /// <summary>True where a list's rows lie in the frame, and are not more than a condition may go over.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HasRows(ref ConditionInput input, int row, int count, int stride) =>
        (uint)count <= Evaluation.EvalState.StepsMax && row >= 0 && row + ((long)count * stride) <= input.Frame.Slots.Length;

    /// <summary>A slot whose bounds were looked at.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref Slot Row(ref ConditionInput input, int row) => ref Unsafe.Add(ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(input.Frame.Slots), row);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetRow(ref CompiledState state, int depth, int row) => state.Rows[depth] = row;

    /// <summary>Where a slot's bytes start; they are as many as the slot says.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref byte TextStart(ref Slot slot, ref ConditionInput input) => ref System.Runtime.InteropServices.MemoryMarshal.GetReference(input.Frame.Bytes(slot, input.Value));

    public static ref byte ConstantStart(byte[] constant) => ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(constant);

    /// <summary>Short text as a number: alike where the bytes are, for texts of one length.</summary>
    public static ulong KeyOf(ReadOnlySpan<byte> text) => text.Length switch
    {
        1 => text[0],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(text),
        3 => BinaryPrimitives.ReadUInt16LittleEndian(text) | ((ulong)text[2] << 16),
        4 => BinaryPrimitives.ReadUInt32LittleEndian(text),
        _ => BinaryPrimitives.ReadUInt32LittleEndian(text) | ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(text[^4..]) << 32),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Key1(ref byte text) => text;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Key2(ref byte text) => Unsafe.ReadUnaligned<ushort>(ref text);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Key3(ref byte text) => Unsafe.ReadUnaligned<ushort>(ref text) | ((ulong)Unsafe.Add(ref text, 2) << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Key4(ref byte text) => Unsafe.ReadUnaligned<uint>(ref text);

    /// <summary>Of 5 to 8 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Key8(ref byte text, int length) => Unsafe.ReadUnaligned<uint>(ref text) | ((ulong)Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref text, length - 4)) << 32);

    public static bool AreEqual(ref byte text, int length, byte[] constant) => Span(ref text, length).SequenceEqual(constant);

    public static bool AreSame(ref byte text, int length, ref byte other, int otherLength) => Span(ref text, length).SequenceEqual(Span(ref other, otherLength));

    public static int Order(ref byte text, int length, ref byte other, int otherLength) => Span(ref text, length).SequenceCompareTo(Span(ref other, otherLength));

    public static bool StartsWith(ref byte text, int length, ref byte part, int partLength) => Span(ref text, length).StartsWith(Span(ref part, partLength));

    public static bool EndsWith(ref byte text, int length, ref byte part, int partLength) => Span(ref text, length).EndsWith(Span(ref part, partLength));

    public static bool Contains(ref byte text, int length, ref byte part, int partLength) => Span(ref text, length).IndexOf(Span(ref part, partLength)) >= 0;

    public static bool Matches(ref byte text, int length, PolicyStreams.Schemas.Patterns.Re2 pattern) => pattern.IsMatch(Span(ref text, length));

    public static bool HasFormat(ref byte text, int length, TextFormat format) => format(Span(ref text, length));

    public static bool IsAmong(ref byte text, int length, TextIn constants) => constants.Holds(Span(ref text, length));

    public static long CodePoints(ref byte text, int length) => TextSizeInt.CodePoints(Span(ref text, length));

    public static bool IsAmongNumbers(long number, long[] sorted) => sorted.AsSpan().BinarySearch(number) >= 0;

    public static long Partition(ref ConditionInput input) => input.Partition;

    public static long Offset(ref ConditionInput input) => input.Offset;

    private static ReadOnlySpan<byte> Span(ref byte start, int length) => System.Runtime.InteropServices.MemoryMarshal.CreateReadOnlySpan(ref start, length);
}
