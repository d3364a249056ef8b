using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Avro;

/// <summary>
/// The walk of a writer schema as one flat array of operations, run by a loop; it calls itself only for elements of lists and maps and for shared or recursive records, so never deeper
/// than the walk's limit. Text, lengths, indexes, and counts are checked on every byte, wanted or not.
/// A program that is run often is also emitted as code (<see cref="AvroEmitter"/>), which takes what is good and leaves everything else to the loop.
/// </summary>
internal sealed partial class AvroProgram : RecordProgram
{
    /// <summary>Deepest limit that is honoured: the walk uses the thread's stack.</summary>
    public const int DepthCap = 1000;

    /// <summary>Node of a slot whose value is one of the program's objects: a default that is read whole.</summary>
    public const ushort ObjectNode = ushort.MaxValue;

    /// <summary>Items without bytes that any record may have, and more of them for each of its bytes.</summary>
    private const int WeightlessMin = 1024;
    private const int WeightlessPerByte = 16;

    private readonly AvroSchema _schema;
    private readonly AvroOp[] _ops;
    private readonly AvroNode[] _nodes;
    private readonly AvroLoop[] _loops;
    private readonly int[][] _jumps;
    private readonly int[][] _enums;
    private readonly Dictionary<AvroType, int> _enumTables;
    private readonly AvroDefault[] _defaults;
    private readonly object?[] _objects;
    private readonly byte[] _constants;
    private readonly string[][] _selected;
    private readonly int _rootSlots;
    private readonly int _slotsMax;
    private readonly int _sitesMax;
    private readonly int _depthMax;

    public AvroProgram(AvroSchema schema, AvroOp[] ops, AvroNode[] nodes, AvroLoop[] loops, int[][] jumps, int[][] enums, Dictionary<AvroType, int> enumTables, AvroDefault[] defaults, object?[] objects,
        byte[] constants, string[][] selected, int rootSlots, WalkLimits limits, int depthMax)
    {
        _schema = schema;
        _ops = ops;
        _nodes = nodes;
        _loops = loops;
        _jumps = jumps;
        _enums = enums;
        _enumTables = enumTables;
        _defaults = defaults;
        _objects = objects;
        _constants = constants;
        _selected = selected;
        _rootSlots = rootSlots;
        _slotsMax = limits.SlotsMax;
        _sitesMax = limits.SitesMax;
        _depthMax = depthMax;
    }

    public override IReadOnlyList<string> SelectedPaths(int selector) => _selected[selector];

    public override string SitePath(in MaskSite site) => _nodes[site.Node].Path;

    public override SchemaType SiteType(in MaskSite site) => _nodes[site.Node].Type.View;

    /// <summary>The walk by the loop over operations: what an emitted walk must agree with, and what says what is wrong.</summary>
    internal DecodeOutcome Interpret(ReadOnlySpan<byte> value, CaptureFrame frame)
    {
        frame.Begin(_rootSlots, _constants);
        AvroScratch scratch = frame.AvroScratch ??= new AvroScratch();
        scratch.Begin();
        var state = new State { Value = value, Frame = frame, Scratch = scratch };
        DecodeOutcome outcome = Run(ref state, 0, 0, 0);
        if (outcome != DecodeOutcome.Decoded) { return outcome; }
        return state.Pos == value.Length ? DecodeOutcome.Decoded : DecodeOutcome.TrailingBytes;
    }

    private ref struct State
    {
        public ReadOnlySpan<byte> Value;
        public CaptureFrame Frame;
        public AvroScratch Scratch;
        public int Pos;

        /// <summary>Where the key of the map entry whose value comes next starts.</summary>
        public int EntryStart;

        /// <summary>Elements without bytes so far: the only ones whose number the record's length does not bound.</summary>
        public int Weightless;
    }

    /// <summary>Runs the block at <paramref name="pc"/>.</summary>
    /// <param name="row">First slot of the row that the block's slots are in.</param>
    /// <param name="depth">Records, lists, maps, and unions around the block.</param>
    private DecodeOutcome Run(ref State state, int pc, int row, int depth)
    {
        ref byte data = ref MemoryMarshal.GetReference(state.Value);
        int length = state.Value.Length;
        int pos = state.Pos;
        int next;
        Slot[] slots = state.Frame.Slots;
        ref AvroOp ops = ref MemoryMarshal.GetArrayDataReference(_ops);
        while (true)
        {
            ref AvroOp op = ref Unsafe.Add(ref ops, pc++);
            if (op.Null != 0)
            {
                uint index = 0;
                if ((uint)pos < (uint)length && ((index = Unsafe.Add(ref data, pos)) & ~2u) == 0)
                {
                    index >>= 1;
                    pos++;
                }
                else
                {
                    long number = AvroBytes.ReadIntSlow(ref data, pos, length, out next);
                    if (next < 0) { return (DecodeOutcome)(-next); }
                    if ((ulong)number > 1) { return DecodeOutcome.BadUnionIndex; }
                    index = (uint)number;
                    pos = next;
                }

                if (index == op.Null - 1u)
                {
                    if (op.Slot >= 0) { Put(ref slots[row + op.Slot], ValueKind.Null, 0, 0); }
                    pc = op.Next;
                    continue;
                }
            }

            switch (op.Code)
            {
                case AvroOpCode.End:
                    state.Pos = pos;
                    return DecodeOutcome.Decoded;

                case AvroOpCode.Null:
                    if (op.Slot >= 0) { Put(ref slots[row + op.Slot], ValueKind.Null, 0, 0); }
                    continue;

                case AvroOpCode.Boolean:
                    {
                        if ((uint)pos >= (uint)length) { return DecodeOutcome.Truncated; }
                        uint b = Unsafe.Add(ref data, pos++);
                        if (b > 1) { return DecodeOutcome.BadBoolean; }
                        if (op.Slot >= 0) { Put(ref slots[row + op.Slot], ValueKind.Bool, b, 0); }
                        continue;
                    }

                case AvroOpCode.Int:
                    {
                        long number;
                        uint first;
                        if ((uint)pos < (uint)length && (first = Unsafe.Add(ref data, pos)) < 0x80)
                        {
                            number = (int)(first >> 1) ^ -(int)(first & 1);
                            pos++;
                        }
                        else
                        {
                            number = AvroBytes.ReadIntSlow(ref data, pos, length, out next);
                            if (next < 0) { return (DecodeOutcome)(-next); }
                            pos = next;
                        }

                        if (op.Slot >= 0) { Put(ref slots[row + op.Slot], ValueKind.Int, number, 0); }
                        continue;
                    }

                case AvroOpCode.Long:
                    {
                        long number;
                        uint first;
                        if ((uint)pos < (uint)length && (first = Unsafe.Add(ref data, pos)) < 0x80)
                        {
                            number = (int)(first >> 1) ^ -(int)(first & 1);
                            pos++;
                        }
                        else
                        {
                            number = AvroBytes.ReadLongSlow(ref data, pos, length, out next);
                            if (next < 0) { return (DecodeOutcome)(-next); }
                            pos = next;
                        }

                        if (op.Slot >= 0) { Put(ref slots[row + op.Slot], ValueKind.Int, number, 0); }
                        continue;
                    }

                case AvroOpCode.Float:
                    {
                        if (length - pos < 4) { return DecodeOutcome.Truncated; }
                        if (op.Slot >= 0)
                        {
                            double number = BitConverter.UInt32BitsToSingle(Little32(ref Unsafe.Add(ref data, pos)));
                            Put(ref slots[row + op.Slot], ValueKind.Double, BitConverter.DoubleToInt64Bits(number), 0);
                        }

                        pos += 4;
                        continue;
                    }

                case AvroOpCode.Double:
                    {
                        if (length - pos < 8) { return DecodeOutcome.Truncated; }
                        if (op.Slot >= 0) { Put(ref slots[row + op.Slot], ValueKind.Double, (long)Little64(ref Unsafe.Add(ref data, pos)), 0); }
                        pos += 8;
                        continue;
                    }

                case AvroOpCode.String:
                    {
                        long number;
                        uint first;
                        if ((uint)pos < (uint)length && (first = Unsafe.Add(ref data, pos)) < 0x80)
                        {
                            number = (int)(first >> 1) ^ -(int)(first & 1);
                            pos++;
                        }
                        else
                        {
                            number = AvroBytes.ReadLongSlow(ref data, pos, length, out next);
                            if (next < 0) { return (DecodeOutcome)(-next); }
                            pos = next;
                        }

                        if ((ulong)number > (ulong)(length - pos)) { return AvroBytes.BadLength(number); }
                        int size = (int)number;
                        if (!AvroBytes.IsUtf8(ref Unsafe.Add(ref data, pos), size)) { return DecodeOutcome.BadUtf8; }
                        if (op.Slot >= 0) { Put(ref slots[row + op.Slot], ValueKind.String, pos, size); }
                        pos += size;
                        continue;
                    }

                case AvroOpCode.Bytes:
                    {
                        long number;
                        uint first;
                        if ((uint)pos < (uint)length && (first = Unsafe.Add(ref data, pos)) < 0x80)
                        {
                            number = (int)(first >> 1) ^ -(int)(first & 1);
                            pos++;
                        }
                        else
                        {
                            number = AvroBytes.ReadLongSlow(ref data, pos, length, out next);
                            if (next < 0) { return (DecodeOutcome)(-next); }
                            pos = next;
                        }

                        if ((ulong)number > (ulong)(length - pos)) { return AvroBytes.BadLength(number); }
                        int size = (int)number;
                        if (op.Arg > 0 && !AvroLogicalTypes.FitsPrecision(state.Value.Slice(pos, size), op.Arg)) { return DecodeOutcome.DecimalSize; }
                        if (op.Slot >= 0) { Put(ref slots[row + op.Slot], op.Arg > 0 ? ValueKind.Decimal : ValueKind.Bytes, pos, size, SlotSource.Record, op.Node); }
                        pos += size;
                        continue;
                    }

                case AvroOpCode.Enum:
                    {
                        long number;
                        uint first;
                        if ((uint)pos < (uint)length && (first = Unsafe.Add(ref data, pos)) < 0x80)
                        {
                            number = (int)(first >> 1) ^ -(int)(first & 1);
                            pos++;
                        }
                        else
                        {
                            number = AvroBytes.ReadIntSlow(ref data, pos, length, out next);
                            if (next < 0) { return (DecodeOutcome)(-next); }
                            pos = next;
                        }

                        int[] table = _enums[op.Arg];
                        if ((ulong)number >= (ulong)(table.Length >> 1)) { return DecodeOutcome.BadEnumIndex; }
                        if (op.Slot >= 0)
                        {
                            int at = (int)number << 1;
                            Put(ref slots[row + op.Slot], ValueKind.String, table[at], table[at + 1], SlotSource.Constant);
                        }

                        continue;
                    }

                case AvroOpCode.Fixed:
                    if (length - pos < op.Arg) { return DecodeOutcome.Truncated; }
                    if (op.Slot >= 0) { Put(ref slots[row + op.Slot], ValueKind.Bytes, pos, op.Arg); }
                    pos += op.Arg;
                    continue;

                case AvroOpCode.FixedDecimal:
                    {
                        AvroType type = _nodes[op.Node].Type;
                        if (length - pos < type.Size) { return DecodeOutcome.Truncated; }
                        if (!AvroLogicalTypes.FitsPrecision(state.Value.Slice(pos, type.Size), type.Precision)) { return DecodeOutcome.DecimalSize; }
                        if (op.Slot >= 0) { Put(ref slots[row + op.Slot], ValueKind.Decimal, pos, type.Size, SlotSource.Record, op.Node); }
                        pos += type.Size;
                        continue;
                    }

                case AvroOpCode.FixedUuid:
                    if (length - pos < 16) { return DecodeOutcome.Truncated; }
                    if (op.Slot >= 0) { Put(ref slots[row + op.Slot], ValueKind.String, Scratch(state.Frame, state.Value.Slice(pos, 16)), 36, SlotSource.Scratch); }
                    pos += 16;
                    continue;

                case AvroOpCode.Date:
                case AvroOpCode.TimeMillis:
                    {
                        long number;
                        uint first;
                        if ((uint)pos < (uint)length && (first = Unsafe.Add(ref data, pos)) < 0x80)
                        {
                            number = (int)(first >> 1) ^ -(int)(first & 1);
                            pos++;
                        }
                        else
                        {
                            number = AvroBytes.ReadIntSlow(ref data, pos, length, out next);
                            if (next < 0) { return (DecodeOutcome)(-next); }
                            pos = next;
                        }

                        if (!Time(op.Code, number, out slots[row + op.Slot])) { return DecodeOutcome.NumberRange; }
                        continue;
                    }

                case AvroOpCode.TimestampMillis:
                case AvroOpCode.TimestampMicros:
                case AvroOpCode.TimestampNanos:
                case AvroOpCode.TimeMicros:
                    {
                        long number;
                        uint first;
                        if ((uint)pos < (uint)length && (first = Unsafe.Add(ref data, pos)) < 0x80)
                        {
                            number = (int)(first >> 1) ^ -(int)(first & 1);
                            pos++;
                        }
                        else
                        {
                            number = AvroBytes.ReadLongSlow(ref data, pos, length, out next);
                            if (next < 0) { return (DecodeOutcome)(-next); }
                            pos = next;
                        }

                        if (!Time(op.Code, number, out slots[row + op.Slot])) { return DecodeOutcome.NumberRange; }
                        continue;
                    }

                case AvroOpCode.Record:
                    if (depth + op.Arg > _depthMax) { return DecodeOutcome.TooDeep; }
                    if (op.Slot >= 0) { Put(ref slots[row + op.Slot], ValueKind.Record, 0, 0); }
                    continue;

                case AvroOpCode.Union:
                    {
                        long number;
                        uint first;
                        if ((uint)pos < (uint)length && (first = Unsafe.Add(ref data, pos)) < 0x80)
                        {
                            number = (int)(first >> 1) ^ -(int)(first & 1);
                            pos++;
                        }
                        else
                        {
                            number = AvroBytes.ReadIntSlow(ref data, pos, length, out next);
                            if (next < 0) { return (DecodeOutcome)(-next); }
                            pos = next;
                        }

                        int[] table = _jumps[op.Arg];
                        if ((ulong)number >= (ulong)table.Length) { return DecodeOutcome.BadUnionIndex; }
                        pc = table[(int)number];
                        continue;
                    }

                case AvroOpCode.Jump:
                    pc = op.Arg;
                    continue;

                case AvroOpCode.Array:
                case AvroOpCode.Map:
                    {
                        state.Pos = pos;
                        DecodeOutcome outcome = op.Code == AvroOpCode.Array ? RunList(ref state, op, row, depth) : RunMap(ref state, op, row, depth);
                        if (outcome != DecodeOutcome.Decoded) { return outcome; }
                        pos = state.Pos;
                        slots = state.Frame.Slots;
                        continue;
                    }

                case AvroOpCode.Call:
                    {
                        state.Pos = pos;
                        int inner = depth + op.Node;
                        if (inner > _depthMax) { return DecodeOutcome.TooDeep; }
                        DecodeOutcome outcome = Run(ref state, op.Arg, row, inner);
                        if (outcome != DecodeOutcome.Decoded) { return outcome; }
                        pos = state.Pos;
                        slots = state.Frame.Slots;
                        continue;
                    }

                case AvroOpCode.Default:
                    if (!FillDefault(state.Frame, _defaults[op.Arg], row)) { return DecodeOutcome.TooLarge; }
                    slots = state.Frame.Slots;
                    continue;

                case AvroOpCode.Begin:
                    if (!BeginNode(ref state, _nodes[op.Node], op.Node, pos)) { return DecodeOutcome.TooLarge; }
                    continue;

                case AvroOpCode.Finish:
                    FinishNode(ref state, _nodes[op.Node], op.Node, pos, row);
                    continue;

                default:
                    return DecodeOutcome.TooDeep;
            }
        }
    }

    private DecodeOutcome RunList(ref State state, in AvroOp op, int row, int depth)
    {
        AvroLoop loop = _loops[op.Arg];
        CaptureFrame frame = state.Frame;
        int inner = depth + loop.Level + 1;
        if (inner > _depthMax) { return DecodeOutcome.TooDeep; }
        int total = 0;
        int first = frame.SlotsUsed;
        int capacity = 0;
        while (true)
        {
            DecodeOutcome outcome = ReadBlock(ref state, loop, out AvroBlock block, out int end);
            if (outcome != DecodeOutcome.Decoded) { return total > 0 && state.Pos == state.Value.Length ? DecodeOutcome.EndlessBlock : outcome; }
            if (block.Count == 0) { break; }
            if (loop.Stride > 0 && !MakeRows(frame, loop.Stride, total, total + block.Count, ref first, ref capacity)) { return DecodeOutcome.TooLarge; }
            int index = loop.Sites ? state.Scratch.AddBlock(block) : -1;
            int itemRow = loop.Stride > 0 ? first + (total * loop.Stride) : row;
            for (int i = 0; i < block.Count; i++)
            {
                outcome = Run(ref state, loop.Body, itemRow, inner);
                if (outcome != DecodeOutcome.Decoded) { return outcome; }
                itemRow += loop.Stride;
            }

            if (end >= 0 && state.Pos != end) { return DecodeOutcome.BadLength; }
            if (index >= 0) { EndBlock(ref state, index); }
            total += block.Count;
        }

        if (op.Slot >= 0) { frame.Slots[row + op.Slot] = new Slot { Kind = ValueKind.List, Bits = loop.Stride > 0 ? first : 0, Aux = total }; }
        return DecodeOutcome.Decoded;
    }

    private DecodeOutcome RunMap(ref State state, in AvroOp op, int row, int depth)
    {
        AvroLoop loop = _loops[op.Arg];
        AvroScratch scratch = state.Scratch;
        int inner = depth + loop.Level + 1;
        if (inner > _depthMax) { return DecodeOutcome.TooDeep; }
        int firstKey = scratch.KeyCount;
        int total = 0;
        while (true)
        {
            DecodeOutcome outcome = ReadBlock(ref state, loop, out AvroBlock block, out int end);
            if (outcome != DecodeOutcome.Decoded) { return total > 0 && state.Pos == state.Value.Length ? DecodeOutcome.EndlessBlock : outcome; }
            if (block.Count == 0) { break; }
            int index = loop.Sites ? scratch.AddBlock(block) : -1;
            for (int i = 0; i < block.Count; i++)
            {
                ReadOnlySpan<byte> value = state.Value;
                int start = state.Pos;
                AvroNumber number = AvroBytes.ReadLong(ref MemoryMarshal.GetReference(value), start, value.Length);
                if (number.Next < 0) { return number.Outcome; }
                if ((ulong)number.Value > (ulong)(value.Length - number.Next)) { return AvroBytes.BadLength(number.Value); }
                ReadOnlySpan<byte> key = value.Slice(number.Next, (int)number.Value);
                if (!AvroBytes.IsUtf8(ref MemoryMarshal.GetReference(key), key.Length)) { return DecodeOutcome.BadUtf8; }
                scratch.PushKey(number.Next, key.Length);
                state.Pos = number.Next + key.Length;
                state.EntryStart = start;
                outcome = Run(ref state, loop.Keys.Length == 0 ? loop.Body : BodyOf(loop, key), row, inner);
                if (outcome != DecodeOutcome.Decoded) { return outcome; }
            }

            if (end >= 0 && state.Pos != end) { return DecodeOutcome.BadLength; }
            if (index >= 0) { EndBlock(ref state, index); }
            total += block.Count;
        }

        if (total > 1 && scratch.HasDuplicateKeys(firstKey, state.Value)) { return DecodeOutcome.DuplicateMapKey; }
        scratch.KeyCount = firstKey;
        if (op.Slot >= 0) { state.Frame.Slots[row + op.Slot] = new Slot { Kind = ValueKind.Map, Aux = total }; }
        return DecodeOutcome.Decoded;
    }

    /// <summary>Reads a block's count, and its size in bytes where one follows; <paramref name="end"/> is then where it must end, else -1.</summary>
    private DecodeOutcome ReadBlock(ref State state, AvroLoop loop, out AvroBlock block, out int end)
    {
        ref byte data = ref MemoryMarshal.GetReference(state.Value);
        int length = state.Value.Length;
        block = default;
        end = -1;
        block.Start = state.Pos;
        AvroNumber number = AvroBytes.ReadLong(ref data, state.Pos, length);
        if (number.Next < 0) { return number.Outcome; }
        long count = number.Value;
        int pos = number.Next;
        if (count < 0)
        {
            if (count == long.MinValue) { return DecodeOutcome.LengthTooLarge; }
            count = -count;
            number = AvroBytes.ReadLong(ref data, pos, length);
            if (number.Next < 0) { return number.Outcome; }
            pos = number.Next;
            if ((ulong)number.Value > (ulong)(length - pos)) { return AvroBytes.BadLength(number.Value); }
            end = pos + (int)number.Value;
            block.Sized = true;
        }

        // A count says nothing until the bytes bear it out: items that take bytes are bounded by those that are left, items that take none by a multiple of the record's.
        if (loop.ItemBytesMin > 0)
        {
            if (count > length - pos || count * loop.ItemBytesMin > length - pos) { return AvroBytes.BadLength(count); }
        }
        else
        {
            if (count > Math.Min(_slotsMax, WeightlessMin + ((long)WeightlessPerByte * length)) - state.Weightless) { return DecodeOutcome.TooLarge; }
            state.Weightless += (int)count;
        }

        block.ItemsStart = pos;
        block.Count = (int)count;
        block.FirstSite = state.Frame.SiteCount;
        state.Pos = pos;
        return DecodeOutcome.Decoded;
    }

    private static void EndBlock(ref State state, int index)
    {
        ref AvroBlock block = ref state.Scratch.Blocks[index];
        block.End = state.Pos;
        block.SitesEnd = state.Frame.SiteCount;
    }

    private static int BodyOf(AvroLoop loop, ReadOnlySpan<byte> key)
    {
        foreach ((byte[] known, int body) in loop.Keys)
        {
            if (key.SequenceEqual(known)) { return body; }
        }

        return loop.Body;
    }

    /// <summary>Makes rows for elements <paramref name="from"/> to <paramref name="to"/> of a list, behind its earlier ones; false beyond the limit.</summary>
    private bool MakeRows(CaptureFrame frame, int stride, int from, int to, ref int first, ref int capacity)
    {
        if (to > capacity)
        {
            // Rows of one list lie together. Where lists inside the elements of an earlier block have taken the place behind it, all move to the end, with room to grow.
            bool last = frame.SlotsUsed == first + (capacity * stride);
            long wanted = last || from == 0 ? to : Math.Max(to, 2L * from);
            long used = (last ? first : frame.SlotsUsed) + (wanted * stride);
            if (used > _slotsMax) { used = (last ? first : frame.SlotsUsed) + ((wanted = to) * (long)stride); }
            if (used > _slotsMax) { return false; }
            if (frame.Slots.Length < used) { Array.Resize(ref frame.Slots, (int)Math.Max(used, Math.Min(2L * frame.Slots.Length, int.MaxValue / 2))); }
            if (!last)
            {
                Array.Copy(frame.Slots, first, frame.Slots, frame.SlotsUsed, from * stride);
                first = frame.SlotsUsed;
            }

            // The room to grow is cleared with the rest: no slot in use holds what another record left.
            Array.Clear(frame.Slots, first + (from * stride), ((int)wanted - from) * stride);
            capacity = (int)wanted;
            frame.SlotsUsed = (int)used;
        }

        return true;
    }

    private bool FillDefault(CaptureFrame frame, AvroDefault filled, int row)
    {
        foreach ((int slot, Slot value) in filled.Slots) { frame.Slots[row + slot] = value; }
        foreach ((int slot, int stride, AvroDefault[] rows) in filled.Lists)
        {
            int first = frame.SlotsUsed;
            int capacity = 0;
            if (!MakeRows(frame, stride, 0, rows.Length, ref first, ref capacity)) { return false; }
            frame.Slots[row + slot] = new Slot { Kind = ValueKind.List, Bits = first, Aux = rows.Length };
            for (int i = 0; i < rows.Length; i++)
            {
                if (!FillDefault(frame, rows[i], first + (i * stride))) { return false; }
            }
        }

        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool Time(AvroOpCode code, long value, out Slot slot)
    {
        (AvroLogical logical, ValueKind kind) = code switch
        {
            AvroOpCode.Date => (AvroLogical.Date, ValueKind.Timestamp),
            AvroOpCode.TimestampMillis => (AvroLogical.TimestampMillis, ValueKind.Timestamp),
            AvroOpCode.TimestampMicros => (AvroLogical.TimestampMicros, ValueKind.Timestamp),
            AvroOpCode.TimestampNanos => (AvroLogical.TimestampNanos, ValueKind.Timestamp),
            AvroOpCode.TimeMillis => (AvroLogical.TimeMillis, ValueKind.Duration),
            _ => (AvroLogical.TimeMicros, ValueKind.Duration),
        };
        (long seconds, int nanos) = AvroTime.Split(logical, value);
        slot = default;
        Put(ref slot, kind, seconds, nanos);
        return kind == ValueKind.Duration || AvroTime.InRange(seconds);
    }

    // Field by field: built whole and then copied, a slot would be read back before its parts are written.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(ref Slot slot, ValueKind kind, long bits, int aux, SlotSource source = SlotSource.Record, ushort node = 0)
    {
        slot.Bits = bits;
        slot.Aux = aux;
        slot.Kind = kind;
        slot.Source = source;
        slot.Node = node;
    }

    private static uint Little32(ref byte at)
    {
        uint value = Unsafe.ReadUnaligned<uint>(ref at);
        return BitConverter.IsLittleEndian ? value : System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(value);
    }

    private static ulong Little64(ref byte at)
    {
        ulong value = Unsafe.ReadUnaligned<ulong>(ref at);
        return BitConverter.IsLittleEndian ? value : System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(value);
    }

    /// <summary>Writes the text of a uuid to the frame's scratch; its offset there.</summary>
    private static int Scratch(CaptureFrame frame, ReadOnlySpan<byte> uuid)
    {
        if (frame.Scratch.Length - frame.ScratchUsed < 36) { Array.Resize(ref frame.Scratch, Math.Max(2 * frame.Scratch.Length, frame.ScratchUsed + 36)); }
        new Guid(uuid, bigEndian: true).TryFormat(frame.Scratch.AsSpan(frame.ScratchUsed, 36), out _, "D");
        frame.ScratchUsed += 36;
        return frame.ScratchUsed - 36;
    }
}
