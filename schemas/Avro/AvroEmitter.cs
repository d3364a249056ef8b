using System.Collections;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Avro;

/// <summary>A walk as code. True: the value is good and the frame is filled. False: nothing is known, the interpreter walks it anew.</summary>
internal delegate bool AvroWalk(ref byte data, int length, CaptureFrame frame);

/// <summary>
/// Emits a program's operations as one method: straight code for one schema and plan, with the position in a register. It has no errors of its own. Whatever is not plainly good (a bad
/// length, an index out of range, a spelling of a number that is longer than it need be where that is rare) ends it, and the interpreter says what is wrong, or that nothing is.
/// Nothing is checked less: what the emitted walk accepts, the interpreter accepts, with the same frame.
/// </summary>
internal sealed class AvroEmitter(AvroProgram program, AvroOp[] ops, AvroLoop[] loops, int[][] jumps, AvroNode[] nodes, int[][] enums, int rootSlots, int depthMax)
{
    private const int SlotBytes = 16;

    private static readonly Type[] _arguments = [typeof(AvroProgram), typeof(byte).MakeByRefType(), typeof(int), typeof(CaptureFrame)];
    private static readonly FieldInfo _siteCount = typeof(CaptureFrame).GetField(nameof(CaptureFrame.SiteCount))!;
    private static readonly FieldInfo _slotsUsed = typeof(CaptureFrame).GetField(nameof(CaptureFrame.SlotsUsed))!;

    private readonly DynamicMethod _method = new("AvroWalk", typeof(bool), _arguments, typeof(AvroProgram).Module, skipVisibility: true);
    private readonly Dictionary<int, Label> _labels = [];
    private readonly HashSet<int> _bodies = [];
    private readonly List<Action> _cold = [];
    private ILGenerator _il = null!;
    private LocalBuilder _pos = null!;
    private LocalBuilder _size = null!;
    private LocalBuilder _number = null!;
    private LocalBuilder _length = null!;

    /// <summary>Locals whose address is taken, which keeps them out of registers: they carry results of calls, no more.</summary>
    private LocalBuilder _next = null!;
    private LocalBuilder _other = null!;
    private Label _slow;

    /// <summary>Bytes that are known to be there from the position on.</summary>
    private int _ahead;

    /// <summary>Where a block's slots are, and how deep it is.</summary>
    private sealed record Row(LocalBuilder Ref, LocalBuilder? Index, int Depth);

    public AvroWalk Emit()
    {
        _il = _method.GetILGenerator(64 * ops.Length);
        _pos = _il.DeclareLocal(typeof(nint));
        _size = _il.DeclareLocal(typeof(nint));
        _length = _il.DeclareLocal(typeof(nint));
        _number = _il.DeclareLocal(typeof(long));
        _next = _il.DeclareLocal(typeof(int));
        _other = _il.DeclareLocal(typeof(int));
        _slow = _il.DefineLabel();
        FindLabels();
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldarg_3);
        Call(nameof(AvroProgram.BeginFast));
        _il.Emit(OpCodes.Ldarg_2);
        _il.Emit(OpCodes.Conv_I);
        Store(_length);
        var root = new Row(_il.DeclareLocal(typeof(Slot).MakeByRefType()), null, 0);
        LoadRow(root);
        ClearSlots(root);
        Label end = _il.DefineLabel();
        Block(0, root, end);
        _il.MarkLabel(end);
        Load(_pos);
        Load(_length);
        _il.Emit(OpCodes.Ceq);
        _il.Emit(OpCodes.Ret);
        for (int i = 0; i < _cold.Count; i++) { _cold[i](); }
        _il.MarkLabel(_slow);
        _il.Emit(OpCodes.Ldc_I4_0);
        _il.Emit(OpCodes.Ret);
        return _method.CreateDelegate<AvroWalk>(program);
    }

    /// <summary>A slot's second half as it lies in memory.</summary>
    internal static long Half(ValueKind kind, int aux = 0, SlotSource source = SlotSource.Record, ushort node = 0) =>
        (uint)aux | ((long)kind << 32) | ((long)source << 40) | ((long)node << 48);

    private void FindLabels()
    {
        foreach (AvroLoop loop in loops)
        {
            _bodies.Add(loop.Body);
            foreach ((byte[] _, int body) in loop.Keys) { _bodies.Add(body); }
        }

        for (int pc = 0; pc < ops.Length; pc++)
        {
            ref AvroOp op = ref ops[pc];
            if (op.Null != 0) { Label(op.Next); }
            if (op.Code == AvroOpCode.Jump && !_bodies.Contains(pc + 1)) { Label(op.Arg); }
            if (op.Code == AvroOpCode.Union)
            {
                foreach (int target in jumps[op.Arg]) { Label(target); }
            }
        }

        void Label(int pc) => _labels.TryAdd(pc, _il.DefineLabel());
    }

    /// <summary>Root slots that not every record writes start absent.</summary>
    private void ClearSlots(Row root)
    {
        BitArray sure = SureSlots();
        int unsure = 0;
        for (int slot = 0; slot < rootSlots; slot++) { unsure += sure[slot] ? 0 : 1; }
        if (unsure > 12)
        {
            _il.Emit(OpCodes.Ldarg_0);
            _il.Emit(OpCodes.Ldarg_3);
            Call(nameof(AvroProgram.ClearRootFast));
            return;
        }

        for (int slot = 0; slot < rootSlots; slot++)
        {
            if (!sure[slot]) { Put(root, slot, () => _il.Emit(OpCodes.Ldc_I8, 0L), 0); }
        }
    }

    /// <summary>
    /// The root slots that every way from the start to the end writes. Ways only lead forward, so one pass will do: what is written before an operation is what all the ways into it have
    /// written.
    /// </summary>
    private BitArray SureSlots()
    {
        var before = new BitArray?[ops.Length];
        before[0] = new BitArray(rootSlots);
        for (int pc = 0; ; pc++)
        {
            if (before[pc] is not { } written) { continue; }
            AvroOp op = ops[pc];
            if (op.Code == AvroOpCode.End) { return written; }
            if (op.Null != 0)
            {
                var ofNull = new BitArray(written);
                if (op.Slot >= 0) { ofNull[op.Slot] = true; }
                Meet(op.Next, ofNull);
            }

            switch (op.Code)
            {
                case AvroOpCode.Jump:
                    Meet(op.Arg, written);
                    continue;
                case AvroOpCode.Union:
                    foreach (int target in jumps[op.Arg]) { Meet(target, written); }
                    continue;
                case AvroOpCode.Map or AvroOpCode.Default or AvroOpCode.Call:
                    Meet(pc + 1, written);
                    continue;
                default:
                    var after = new BitArray(written);
                    if (op.Slot >= 0) { after[op.Slot] = true; }
                    Meet(pc + 1, after);
                    continue;
            }
        }

        void Meet(int pc, BitArray written) => before[pc] = before[pc] is { } other ? new BitArray(other).And(written) : written;
    }

    private void Block(int pc, Row row, Label end)
    {
        _ahead = 0;
        while (true)
        {
            if (_labels.TryGetValue(pc, out Label here))
            {
                _il.MarkLabel(here);
                _ahead = 0;
            }

            AvroOp op = ops[pc];
            switch (op.Code)
            {
                case AvroOpCode.End:
                    _il.Emit(OpCodes.Br, end);
                    return;
                case AvroOpCode.Jump when _bodies.Contains(pc + 1):
                    // Around a block that is emitted where it is used.
                    pc = op.Arg;
                    continue;
                case AvroOpCode.Jump:
                    _il.Emit(OpCodes.Br, _labels[op.Arg]);
                    _ahead = 0;
                    pc++;
                    if (!_labels.ContainsKey(pc)) { return; }
                    continue;
                case AvroOpCode.Begin when IsTextSite(pc):
                    TextSite(pc, row);
                    pc += 3;
                    continue;
                default:
                    if (op.Null != 0) { Nullable(op, row, _labels[op.Next]); }
                    Operation(pc, op, row);
                    pc++;
                    continue;
            }
        }
    }

    private void Operation(int pc, AvroOp op, Row row)
    {
        switch (op.Code)
        {
            case AvroOpCode.Null:
                if (op.Slot >= 0) { Put(row, op.Slot, () => _il.Emit(OpCodes.Ldc_I8, 0L), Half(ValueKind.Null)); }
                return;
            case AvroOpCode.Boolean:
                Need(1);
                LoadByte();
                Store(_size);
                Load(_size);
                _il.Emit(OpCodes.Ldc_I4_1);
                _il.Emit(OpCodes.Bgt_Un, _slow);
                Advance(1);
                if (op.Slot >= 0) { Put(row, op.Slot, () => LoadLong(_size), Half(ValueKind.Bool)); }
                return;
            case AvroOpCode.Int or AvroOpCode.Long:
                Number(op.Code == AvroOpCode.Int, op.Slot >= 0);
                if (op.Slot >= 0) { Put(row, op.Slot, () => Load(_number), Half(ValueKind.Int)); }
                return;
            case AvroOpCode.Date or AvroOpCode.TimeMillis or AvroOpCode.TimestampMillis or AvroOpCode.TimestampMicros or AvroOpCode.TimestampNanos or AvroOpCode.TimeMicros:
                Number(op.Code is AvroOpCode.Date or AvroOpCode.TimeMillis, wanted: true);
                (long perSecond, int nanosPerUnit) = op.Code switch
                {
                    AvroOpCode.TimestampMillis => (1_000, 1_000_000),
                    AvroOpCode.TimestampMicros => (1_000_000, 1_000),
                    AvroOpCode.TimestampNanos => (1_000_000_000, 1),
                    _ => (0L, 0),
                };
                if (perSecond > 0)
                {
                    Address(row, op.Slot);
                    Load(_number);
                    _il.Emit(OpCodes.Ldc_I8, perSecond);
                    Int(nanosPerUnit);
                    CallShared(nameof(AvroFast.PutInstant));
                }
                else
                {
                    Int((int)op.Code);
                    Load(_number);
                    Address(row, op.Slot);
                    Call(nameof(AvroProgram.Time));
                }

                _il.Emit(OpCodes.Brfalse, _slow);
                return;
            case AvroOpCode.Float:
                Need(4);
                if (op.Slot >= 0)
                {
                    Put(row, op.Slot, () =>
                    {
                        LoadData();
                        _il.Emit(OpCodes.Unaligned, (byte)1);
                        _il.Emit(OpCodes.Ldind_R4);
                        _il.Emit(OpCodes.Conv_R8);
                        _il.Emit(OpCodes.Call, typeof(BitConverter).GetMethod(nameof(BitConverter.DoubleToInt64Bits))!);
                    }, Half(ValueKind.Double));
                }

                Advance(4);
                return;
            case AvroOpCode.Double:
                Need(8);
                if (op.Slot >= 0)
                {
                    Put(row, op.Slot, () =>
                    {
                        LoadData();
                        _il.Emit(OpCodes.Unaligned, (byte)1);
                        _il.Emit(OpCodes.Ldind_I8);
                    }, Half(ValueKind.Double));
                }

                Advance(8);
                return;
            case AvroOpCode.String:
                Text(pc + 1);
                if (op.Slot >= 0) { PutContent(row, op.Slot, Half(ValueKind.String)); }
                AdvanceSize();
                return;
            case AvroOpCode.Bytes:
                Length(pc + 1);
                if (op.Arg > 0) { Fits(_size, op.Arg); }
                if (op.Slot >= 0) { PutContent(row, op.Slot, Half(op.Arg > 0 ? ValueKind.Decimal : ValueKind.Bytes, 0, SlotSource.Record, op.Node)); }
                AdvanceSize();
                return;
            case AvroOpCode.Enum:
                Index(enums[op.Arg].Length / 2);
                if (op.Slot >= 0)
                {
                    Address(row, op.Slot);
                    _il.Emit(OpCodes.Ldarg_0);
                    Int(op.Arg);
                    LoadInt(_size);
                    Call(nameof(AvroProgram.EnumFast));
                    _il.Emit(OpCodes.Ldobj, typeof(Slot));
                    _il.Emit(OpCodes.Stobj, typeof(Slot));
                }

                return;
            case AvroOpCode.Fixed:
                Need(op.Arg);
                if (op.Slot >= 0) { Put(row, op.Slot, () => LoadLong(_pos), Half(ValueKind.Bytes, op.Arg)); }
                Advance(op.Arg);
                return;
            case AvroOpCode.FixedDecimal:
                {
                    AvroType type = nodes[op.Node].Type;
                    Need(type.Size);
                    Int(type.Size);
                    _il.Emit(OpCodes.Conv_I);
                    Store(_size);
                    Fits(_size, type.Precision);
                    if (op.Slot >= 0) { Put(row, op.Slot, () => LoadLong(_pos), Half(ValueKind.Decimal, type.Size, SlotSource.Record, op.Node)); }
                    Advance(type.Size);
                    return;
                }
            case AvroOpCode.FixedUuid:
                Need(16);
                if (op.Slot >= 0)
                {
                    _il.Emit(OpCodes.Ldarg_1);
                    LoadInt(_pos);
                    _il.Emit(OpCodes.Ldarg_3);
                    Call(nameof(AvroProgram.UuidFast));
                    _il.Emit(OpCodes.Conv_I);
                    Store(_size);
                    Put(row, op.Slot, () => LoadLong(_size), Half(ValueKind.String, 36, SlotSource.Scratch));
                }

                Advance(16);
                return;
            case AvroOpCode.Record:
                if (row.Depth + op.Arg > depthMax) { _il.Emit(OpCodes.Br, _slow); }
                else if (op.Slot >= 0) { Put(row, op.Slot, () => _il.Emit(OpCodes.Ldc_I8, 0L), Half(ValueKind.Record)); }
                return;
            case AvroOpCode.Union:
                {
                    int[] targets = jumps[op.Arg];
                    Index(targets.Length);
                    LoadInt(_size);
                    _il.Emit(OpCodes.Switch, [.. targets.Select(target => _labels[target])]);
                    _il.Emit(OpCodes.Br, _slow);
                    _ahead = 0;
                    return;
                }
            case AvroOpCode.Array:
                List(op, row);
                return;
            case AvroOpCode.Map or AvroOpCode.Call:
                Embedded(pc, row);
                return;
            case AvroOpCode.Default:
                _il.Emit(OpCodes.Ldarg_0);
                _il.Emit(OpCodes.Ldarg_3);
                Int(op.Arg);
                LoadIndex(row);
                Call(nameof(AvroProgram.DefaultFast));
                _il.Emit(OpCodes.Brfalse, _slow);
                LoadRow(row);
                return;
            case AvroOpCode.Begin:
                _il.Emit(OpCodes.Ldarg_0);
                _il.Emit(OpCodes.Ldarg_3);
                Int(op.Node);
                LoadInt(_pos);
                Call(nameof(AvroProgram.BeginNodeFast));
                _il.Emit(OpCodes.Brfalse, _slow);
                return;
            case AvroOpCode.Finish:
                _il.Emit(OpCodes.Ldarg_0);
                _il.Emit(OpCodes.Ldarg_1);
                _il.Emit(OpCodes.Ldarg_2);
                _il.Emit(OpCodes.Ldarg_3);
                Int(op.Node);
                LoadInt(_pos);
                LoadIndex(row);
                Call(nameof(AvroProgram.FinishNodeFast));
                return;
            default:
                _il.Emit(OpCodes.Br, _slow);
                return;
        }
    }

    /// <summary>The commonest site: a text, or text or null, that masks select and no condition reads as bytes.</summary>
    private bool IsTextSite(int pc) =>
        ops[pc + 1].Code == AvroOpCode.String && ops[pc + 2].Code == AvroOpCode.Finish && ops[pc + 2].Node == ops[pc].Node
        && nodes[ops[pc].Node] is { RawSlot: < 0, Selectors.Length: > 0 } && !_labels.ContainsKey(pc + 1);

    private void TextSite(int pc, Row row)
    {
        AvroNode node = nodes[ops[pc].Node];
        AvroOp text = ops[pc + 1];
        LocalBuilder start = _il.DeclareLocal(typeof(int));
        Label done = _il.DefineLabel();

        // A null has no site; that there would be room is asked all the same, as the interpreter does.
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldarg_3);
        Int(node.Selectors.Length);
        Call(nameof(AvroProgram.HasSitesFast));
        _il.Emit(OpCodes.Brfalse, _slow);
        LoadInt(_pos);
        Store(start);
        if (text.Null != 0) { Nullable(text, row, done); }
        Text(text.Null != 0 ? -1 : pc + 3);
        if (text.Slot >= 0) { PutContent(row, text.Slot, Half(ValueKind.String)); }
        if (node.Selectors.Length > 1) { _il.Emit(OpCodes.Ldarg_0); }
        _il.Emit(OpCodes.Ldarg_3);
        Load(start);
        LoadInt(_pos);
        LoadInt(_size);
        if (node.Selectors.Length == 1) { Int(node.Selectors[0]); }
        Int(ops[pc].Node);
        if (node.Selectors.Length == 1) { _il.Emit(OpCodes.Call, typeof(AvroFast).GetMethod(nameof(AvroFast.AddTextSite))!); }
        else { Call(nameof(AvroProgram.TextSitesFast)); }
        _il.Emit(OpCodes.Brfalse, _slow);
        AdvanceSize();
        _il.MarkLabel(done);

        // Labels of the three are used by nobody else.
        if (_labels.TryGetValue(pc + 2, out Label finish)) { _il.MarkLabel(finish); }
        if (text.Null != 0) { _ahead = 0; }
    }

    /// <summary>The index of a nullable union: on null the slot is null and the walk goes on elsewhere.</summary>
    private void Nullable(AvroOp op, Row row, Label next)
    {
        Need(1);
        LoadByte();
        Store(_size);
        Advance(1);
        Label present = _il.DefineLabel();
        int isNull = 2 * (op.Null - 1);
        Load(_size);
        Int(2 - isNull);
        _il.Emit(OpCodes.Beq, present);
        Load(_size);
        Int(isNull);
        _il.Emit(OpCodes.Bne_Un, _slow);
        if (op.Slot >= 0) { Put(row, op.Slot, () => _il.Emit(OpCodes.Ldc_I8, 0L), Half(ValueKind.Null)); }
        _il.Emit(OpCodes.Br, next);
        _il.MarkLabel(present);
    }

    /// <summary>A map, or a block that is shared or inside itself: by the interpreter.</summary>
    private void Embedded(int pc, Row row)
    {
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldarg_1);
        _il.Emit(OpCodes.Ldarg_2);
        _il.Emit(OpCodes.Ldarg_3);
        Int(pc);
        LoadInt(_pos);
        LoadIndex(row);
        Int(row.Depth);
        Call(nameof(AvroProgram.RunFast));
        StorePosition();
        LoadRow(row);
        _ahead = 0;
    }

    private void List(AvroOp op, Row row)
    {
        AvroLoop loop = loops[op.Arg];
        int depth = row.Depth + loop.Level + 1;
        if (depth > depthMax)
        {
            _il.Emit(OpCodes.Br, _slow);
            return;
        }

        LocalBuilder start = _il.DeclareLocal(typeof(int)), count = _il.DeclareLocal(typeof(int)), end = _il.DeclareLocal(typeof(int)), total = _il.DeclareLocal(typeof(int)),
            left = _il.DeclareLocal(typeof(int)), first = _il.DeclareLocal(typeof(int)), capacity = _il.DeclareLocal(typeof(int)), block = _il.DeclareLocal(typeof(int));
        Label next = _il.DefineLabel(), counted = _il.DefineLabel(), slowCount = _il.DefineLabel(), item = _il.DefineLabel(), itemDone = _il.DefineLabel(), done = _il.DefineLabel();
        Row items = loop.Stride == 0 ? row with { Depth = depth } : new Row(_il.DeclareLocal(typeof(Slot).MakeByRefType()), _il.DeclareLocal(typeof(int)), depth);
        Int(0);
        Store(total);
        Int(0);
        Store(capacity);
        _il.Emit(OpCodes.Ldarg_3);
        _il.Emit(OpCodes.Ldfld, _slotsUsed);
        Store(first);

        // A block: its count, its items.
        _il.MarkLabel(next);
        _ahead = 0;
        LoadInt(_pos);
        Store(start);
        Need(1);
        LoadByte();
        _il.Emit(OpCodes.Conv_I4);
        Store(count);
        Load(count);
        Int(0x81);
        _il.Emit(OpCodes.And);
        _il.Emit(OpCodes.Brtrue, slowCount);
        Load(count);
        _il.Emit(OpCodes.Ldc_I4_1);
        _il.Emit(OpCodes.Shr);
        Store(count);
        Int(-1);
        Store(end);
        Advance(1);
        _il.MarkLabel(counted);
        _ahead = 0;
        Load(count);
        _il.Emit(OpCodes.Brfalse, done);
        LoadLong(count);
        _il.Emit(OpCodes.Ldc_I8, (long)loop.ItemBytesMin);
        _il.Emit(OpCodes.Mul);
        Load(_length);
        Load(_pos);
        _il.Emit(OpCodes.Sub);
        _il.Emit(OpCodes.Conv_I8);
        _il.Emit(OpCodes.Bgt, _slow);
        if (loop.Stride > 0) { MakeRows(items, loop.Stride, total, count, first, capacity); }
        if (loop.Sites)
        {
            _il.Emit(OpCodes.Ldarg_3);
            Load(start);
            LoadInt(_pos);
            Load(count);
            Load(end);
            Call(nameof(AvroProgram.OpenBlockFast));
            Store(block);
        }

        Load(count);
        Store(left);
        _il.MarkLabel(item);
        if (loop.Stride > 0) { LoadRow(items); }
        Block(loop.Body, items, itemDone);
        _il.MarkLabel(itemDone);
        if (loop.Stride > 0)
        {
            Load(items.Index!);
            Int(loop.Stride);
            _il.Emit(OpCodes.Add);
            Store(items.Index!);
        }

        Load(left);
        _il.Emit(OpCodes.Ldc_I4_1);
        _il.Emit(OpCodes.Sub);
        Store(left);
        Load(left);
        _il.Emit(OpCodes.Brtrue, item);
        EndBlock(loop, end, block);
        Load(total);
        Load(count);
        _il.Emit(OpCodes.Add);
        Store(total);
        _il.Emit(OpCodes.Br, next);
        _il.MarkLabel(done);
        _ahead = 0;
        LoadRow(row);
        if (op.Slot >= 0)
        {
            Put(row, op.Slot, () =>
            {
                if (loop.Stride > 0) { LoadLong(first); }
                else { _il.Emit(OpCodes.Ldc_I8, 0L); }
            }, Half(ValueKind.List), total);
        }

        _cold.Add(() =>
        {
            // Many items, or a block that says its size.
            _il.MarkLabel(slowCount);
            _il.Emit(OpCodes.Ldarg_1);
            LoadInt(_pos);
            _il.Emit(OpCodes.Ldarg_2);
            _il.Emit(OpCodes.Ldloca, _next);
            _il.Emit(OpCodes.Ldloca, _other);
            CallShared(nameof(AvroFast.ReadCount));
            StorePosition();
            Load(_next);
            Store(count);
            Load(_other);
            Store(end);
            _il.Emit(OpCodes.Br, counted);
        });
    }

    private void MakeRows(Row items, int stride, LocalBuilder total, LocalBuilder count, LocalBuilder first, LocalBuilder capacity)
    {
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldarg_3);
        Int(stride);
        Load(total);
        Load(count);
        _il.Emit(OpCodes.Ldloca, first);
        _il.Emit(OpCodes.Ldloca, capacity);
        Call(nameof(AvroProgram.RowsFast));
        _il.Emit(OpCodes.Brfalse, _slow);
        Load(first);
        Load(total);
        Int(stride);
        _il.Emit(OpCodes.Mul);
        _il.Emit(OpCodes.Add);
        Store(items.Index!);
    }

    private void EndBlock(AvroLoop loop, LocalBuilder end, LocalBuilder block)
    {
        Label unsized = _il.DefineLabel();
        Load(end);
        _il.Emit(OpCodes.Ldc_I4_0);
        _il.Emit(OpCodes.Blt, unsized);
        Load(end);
        LoadInt(_pos);
        _il.Emit(OpCodes.Bne_Un, _slow);
        _il.MarkLabel(unsized);
        if (!loop.Sites) { return; }
        _il.Emit(OpCodes.Ldarg_3);
        Load(block);
        LoadInt(_pos);
        Call(nameof(AvroProgram.CloseBlockFast));
    }

    // Numbers and lengths

    private void Number(bool isInt, bool wanted)
    {
        Label more = _il.DefineLabel(), have = _il.DefineLabel();
        Need(1);
        LoadByte();
        Store(_size);
        Load(_size);
        Int(0x80);
        _il.Emit(OpCodes.And);
        _il.Emit(OpCodes.Brtrue, more);
        Advance(1);
        if (wanted)
        {
            Load(_size);
            _il.Emit(OpCodes.Ldc_I4_1);
            _il.Emit(OpCodes.Shr);
            Load(_size);
            _il.Emit(OpCodes.Ldc_I4_1);
            _il.Emit(OpCodes.And);
            _il.Emit(OpCodes.Neg);
            _il.Emit(OpCodes.Xor);
            _il.Emit(OpCodes.Conv_I8);
            Store(_number);
        }

        _il.MarkLabel(have);
        _ahead = 0;
        _cold.Add(() =>
        {
            _il.MarkLabel(more);
            ReadSlow(isInt);
            Load(_next);
            _il.Emit(OpCodes.Conv_I);
            Store(_pos);
            _il.Emit(OpCodes.Br, have);
        });
    }

    private void ReadSlow(bool isInt)
    {
        _il.Emit(OpCodes.Ldarg_1);
        LoadInt(_pos);
        _il.Emit(OpCodes.Ldarg_2);
        _il.Emit(OpCodes.Ldloca, _next);
        _il.Emit(OpCodes.Call, typeof(AvroBytes).GetMethod(isInt ? nameof(AvroBytes.ReadIntSlow) : nameof(AvroBytes.ReadLongSlow))!);
        Store(_number);
        Load(_next);
        _il.Emit(OpCodes.Ldc_I4_0);
        _il.Emit(OpCodes.Blt, _slow);
    }

    /// <summary>An index below <paramref name="count"/>, left in the size.</summary>
    private void Index(int count)
    {
        Label more = _il.DefineLabel(), have = _il.DefineLabel();
        Need(1);
        LoadByte();
        Store(_size);
        Load(_size);
        Int(0x81);
        _il.Emit(OpCodes.And);
        _il.Emit(OpCodes.Brtrue, more);
        Load(_size);
        _il.Emit(OpCodes.Ldc_I4_1);
        _il.Emit(OpCodes.Shr);
        Store(_size);
        Advance(1);
        if (count < 64)
        {
            Load(_size);
            Int(count);
            _il.Emit(OpCodes.Bge_Un, _slow);
        }

        _il.MarkLabel(have);
        _ahead = 0;
        _cold.Add(() =>
        {
            _il.MarkLabel(more);
            ReadSlow(isInt: true);
            Load(_number);
            _il.Emit(OpCodes.Ldc_I8, (long)count);
            _il.Emit(OpCodes.Bge_Un, _slow);
            Load(_number);
            _il.Emit(OpCodes.Conv_I);
            Store(_size);
            Load(_next);
            _il.Emit(OpCodes.Conv_I);
            Store(_pos);
            _il.Emit(OpCodes.Br, have);
        });
    }

    /// <summary>The length of a text or bytes, left in the size; the content is there, and what the next operation needs behind it.</summary>
    private void Length(int nextPc)
    {
        Label more = _il.DefineLabel(), have = _il.DefineLabel();
        Need(1);
        LoadByte();
        Store(_size);
        Load(_size);
        Int(0x81);
        _il.Emit(OpCodes.And);
        _il.Emit(OpCodes.Brtrue, more);
        Load(_size);
        _il.Emit(OpCodes.Ldc_I4_1);
        _il.Emit(OpCodes.Shr);
        Store(_size);
        Advance(1);
        _il.MarkLabel(have);
        _ahead = nextPc < 0 ? 0 : Ahead(nextPc);
        Load(_size);
        Load(_length);
        Load(_pos);
        _il.Emit(OpCodes.Sub);
        if (_ahead > 0)
        {
            Int(_ahead);
            _il.Emit(OpCodes.Sub);
        }

        _il.Emit(OpCodes.Bgt, _slow);
        _cold.Add(() =>
        {
            _il.MarkLabel(more);
            _il.Emit(OpCodes.Ldarg_1);
            LoadInt(_pos);
            _il.Emit(OpCodes.Ldarg_2);
            _il.Emit(OpCodes.Ldloca, _next);
            CallShared(nameof(AvroFast.ReadLength));
            StorePosition();
            Load(_next);
            _il.Emit(OpCodes.Conv_I);
            Store(_size);
            _il.Emit(OpCodes.Br, have);
        });
    }

    private void Text(int nextPc)
    {
        Length(nextPc);
        Label unusual = _il.DefineLabel(), good = _il.DefineLabel();
        Load(_size);
        Int(AvroFast.Window);
        _il.Emit(OpCodes.Bgt, unusual);
        _il.Emit(OpCodes.Ldarg_1);
        Load(_pos);
        Load(_length);
        Load(_size);
        CallShared(nameof(AvroFast.IsShortAscii));
        _il.Emit(OpCodes.Brfalse, unusual);
        _il.MarkLabel(good);
        _cold.Add(() =>
        {
            // Long, or not ASCII.
            _il.MarkLabel(unusual);
            _il.Emit(OpCodes.Ldarg_1);
            LoadInt(_pos);
            LoadInt(_size);
            CallShared(nameof(AvroFast.IsText));
            _il.Emit(OpCodes.Brtrue, good);
            _il.Emit(OpCodes.Br, _slow);
        });
    }

    /// <summary>Bytes that the operations from here on take at least, as far as no other way leads into them.</summary>
    private int Ahead(int pc)
    {
        int bytes = 0;
        for (; bytes < 4096; pc++)
        {
            if (_labels.ContainsKey(pc)) { return bytes; }
            AvroOp op = ops[pc];
            if (op.Null != 0) { return bytes + 1; }
            switch (op.Code)
            {
                case AvroOpCode.Boolean: bytes++; break;
                case AvroOpCode.Float: bytes += 4; break;
                case AvroOpCode.Double: bytes += 8; break;
                case AvroOpCode.Fixed when op.Arg < 4096: bytes += op.Arg; break;
                case AvroOpCode.FixedUuid: bytes += 16; break;
                case AvroOpCode.Null or AvroOpCode.Record or AvroOpCode.Begin or AvroOpCode.Finish: break;
                case AvroOpCode.Int or AvroOpCode.Long or AvroOpCode.String or AvroOpCode.Bytes or AvroOpCode.Enum or AvroOpCode.Union:
                case AvroOpCode.Date or AvroOpCode.TimeMillis or AvroOpCode.TimestampMillis or AvroOpCode.TimestampMicros or AvroOpCode.TimestampNanos or AvroOpCode.TimeMicros:
                    return bytes + 1;
                default: return bytes;
            }
        }

        return bytes;
    }

    /// <summary>Ends the walk unless so many bytes are there.</summary>
    private void Need(int bytes)
    {
        if (_ahead >= bytes) { return; }
        Load(_length);
        Load(_pos);
        _il.Emit(OpCodes.Sub);
        Int(bytes);
        _il.Emit(OpCodes.Blt, _slow);
        _ahead = bytes;
    }

    private void Advance(int bytes)
    {
        Load(_pos);
        Int(bytes);
        _il.Emit(OpCodes.Add);
        Store(_pos);
        _ahead = Math.Max(0, _ahead - bytes);
    }

    private void AdvanceSize()
    {
        Load(_pos);
        Load(_size);
        _il.Emit(OpCodes.Add);
        Store(_pos);
    }

    private void Fits(LocalBuilder size, int precision)
    {
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldarg_1);
        LoadInt(_pos);
        LoadInt(size);
        Int(precision);
        Call(nameof(AvroProgram.FitsFast));
        _il.Emit(OpCodes.Brfalse, _slow);
    }

    // Slots

    private void Address(Row row, int slot)
    {
        Load(row.Ref);
        if (slot == 0) { return; }
        Int(slot * SlotBytes);
        _il.Emit(OpCodes.Add);
    }

    /// <summary>Writes a slot in two halves.</summary>
    private void Put(Row row, int slot, Action bits, long half, LocalBuilder? aux = null)
    {
        Address(row, slot);
        bits();
        _il.Emit(OpCodes.Stind_I8);
        Address(row, slot);
        Int(8);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldc_I8, half);
        if (aux is not null)
        {
            Load(aux);
            _il.Emit(OpCodes.Conv_U8);
            _il.Emit(OpCodes.Or);
        }

        _il.Emit(OpCodes.Stind_I8);
    }

    private void PutContent(Row row, int slot, long half) => Put(row, slot, () => LoadLong(_pos), half, _size);

    private void LoadRow(Row row)
    {
        _il.Emit(OpCodes.Ldarg_3);
        LoadIndex(row);
        Call(nameof(AvroProgram.RowFast));
        Store(row.Ref);
    }

    private void LoadIndex(Row row)
    {
        if (row.Index is null) { Int(0); }
        else { Load(row.Index); }
    }

    // Instructions

    private void LoadData()
    {
        _il.Emit(OpCodes.Ldarg_1);
        Load(_pos);
        _il.Emit(OpCodes.Add);
    }

    private void LoadByte()
    {
        LoadData();
        _il.Emit(OpCodes.Ldind_U1);
        _il.Emit(OpCodes.Conv_U);
    }

    private void LoadLong(LocalBuilder integer)
    {
        Load(integer);
        _il.Emit(OpCodes.Conv_I8);
    }

    private void LoadInt(LocalBuilder native)
    {
        Load(native);
        _il.Emit(OpCodes.Conv_I4);
    }

    /// <summary>Takes a call's position: negative ends the walk.</summary>
    private void StorePosition()
    {
        _il.Emit(OpCodes.Conv_I);
        Store(_pos);
        Load(_pos);
        _il.Emit(OpCodes.Ldc_I4_0);
        _il.Emit(OpCodes.Blt, _slow);
    }

    private void Load(LocalBuilder local) => _il.Emit(OpCodes.Ldloc, local);

    private void Store(LocalBuilder local) => _il.Emit(OpCodes.Stloc, local);

    private void Int(int value) => _il.Emit(OpCodes.Ldc_I4, value);

    private void Call(string name) => _il.Emit(OpCodes.Call, typeof(AvroProgram).GetMethod(name, BindingFlags.Static | BindingFlags.NonPublic)!);

    private void CallShared(string name) => _il.Emit(OpCodes.Call, typeof(AvroFast).GetMethod(name)!);
}
