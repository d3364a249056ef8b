using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Avro;

/// <content>The emitted walk: when it is made, and what it calls of the program.</content>
internal sealed partial class AvroProgram
{
    /// <summary>Walks that a program must have seen before it is worth a few milliseconds of compilation.</summary>
    private const int WalksBeforeEmit = 64;

    /// <summary>Beyond so many operations compiled code would be large and slow to make; such programs stay with the loop.</summary>
    private const int EmittedOpsMax = 1500;

    private static readonly bool _emits = RuntimeFeature.IsDynamicCodeCompiled && Vector256.IsHardwareAccelerated && BitConverter.IsLittleEndian
        && !(AppContext.TryGetSwitch("PolicyStreams.InterpretOnly", out bool interpretOnly) && interpretOnly);

    private AvroWalk? _emitted;
    private Slot[][]? _enumSlots;
    private int _walks;

    public override DecodeOutcome Walk(ReadOnlySpan<byte> value, CaptureFrame frame)
    {
        ArgumentNullException.ThrowIfNull(frame);
        if (_emitted is not null)
        {
            if (WalkEmitted(value, frame)) { return DecodeOutcome.Decoded; }
        }
        else if (_walks < WalksBeforeEmit && ++_walks == WalksBeforeEmit)
        {
            Emit();
        }

        return Interpret(value, frame);
    }

    /// <summary>The emitted walk alone; false where there is none, or where it leaves the value to the interpreter.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool WalkEmitted(ReadOnlySpan<byte> value, CaptureFrame frame) =>
        value.Length >= AvroFast.Window && _emitted is { } emitted && emitted(ref MemoryMarshal.GetReference(value), value.Length, frame);

    /// <summary>Makes the emitted walk now, where there can be one. Safe on any thread: it is made once or, at worst, twice.</summary>
    internal bool Emit()
    {
        if (_emitted is null && _emits && _ops.Length <= EmittedOpsMax && !Array.Exists(_loops, loop => loop.ItemBytesMin == 0))
        {
            _enumSlots ??= [.. _enums.Select(EnumSlots)];
            Volatile.Write(ref _emitted, new AvroEmitter(this, _ops, _loops, _jumps, _nodes, _enums, _rootSlots, _depthMax).Emit());
        }

        return _emitted is not null;
    }

    /// <summary>An enum's slots by symbol.</summary>
    private static Slot[] EnumSlots(int[] table)
    {
        var slots = new Slot[table.Length / 2];
        for (int i = 0; i < slots.Length; i++) { Put(ref slots[i], ValueKind.String, table[2 * i], table[(2 * i) + 1], SlotSource.Constant); }
        return slots;
    }

    // What emitted walks call. False and negative: the interpreter has to look.

    internal static void BeginFast(AvroProgram program, CaptureFrame frame)
    {
        int slots = program._rootSlots;
        if (frame.Slots.Length < slots) { frame.Slots = new Slot[Math.Max(slots, 2 * frame.Slots.Length)]; }
        frame.SlotsUsed = slots;
        frame.SiteCount = 0;
        frame.ScratchUsed = 0;
        frame.MustRewrite = false;
        if (!ReferenceEquals(frame.Constants, program._constants)) { frame.Constants = program._constants; }
        (frame.AvroScratch ??= new AvroScratch()).Begin();
    }

    internal static ref Slot RowFast(CaptureFrame frame, int row) => ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(frame.Slots), row);

    internal static void ClearRootFast(AvroProgram program, CaptureFrame frame) => Array.Clear(frame.Slots, 0, program._rootSlots);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ref Slot EnumFast(AvroProgram program, int table, int symbol) => ref program._enumSlots![table][symbol];

    /// <summary>Rows for a block of a list, cleared; false beyond the limit.</summary>
    internal static bool RowsFast(AvroProgram program, CaptureFrame frame, int stride, int from, int count, ref int first, ref int capacity)
    {
        if (from == 0)
        {
            int used = frame.SlotsUsed;
            long end = used + ((long)count * stride);
            if (end > frame.Slots.Length || end > program._slotsMax) { return program.MakeRows(frame, stride, 0, count, ref first, ref capacity); }
            first = used;
            capacity = count;
            frame.SlotsUsed = (int)end;
            MemoryMarshal.CreateSpan(ref frame.Slots[used], (int)end - used).Clear();
            return true;
        }

        return program.MakeRows(frame, stride, from, from + count, ref first, ref capacity);
    }

    internal static int OpenBlockFast(CaptureFrame frame, int start, int items, int count, int end) =>
        frame.AvroScratch!.AddBlock(new AvroBlock { Start = start, ItemsStart = items, Count = count, FirstSite = frame.SiteCount, Sized = end >= 0 });

    internal static void CloseBlockFast(CaptureFrame frame, int index, int pos)
    {
        ref AvroBlock block = ref frame.AvroScratch!.Blocks[index];
        block.End = pos;
        block.SitesEnd = frame.SiteCount;
    }

    internal static bool DefaultFast(AvroProgram program, CaptureFrame frame, int number, int row) => program.FillDefault(frame, program._defaults[number], row);

    internal static bool HasSitesFast(AvroProgram program, CaptureFrame frame, int count) => frame.SiteCount + count <= program._sitesMax;

    internal static bool TextSitesFast(AvroProgram program, CaptureFrame frame, int start, int textStart, int size, int node) =>
        AvroFast.AddTextSites(frame, start, textStart, size, program._nodes[node], node);

    internal static bool BeginNodeFast(AvroProgram program, CaptureFrame frame, int node, int pos)
    {
        var state = new State { Frame = frame, Scratch = frame.AvroScratch! };
        return program.BeginNode(ref state, program._nodes[node], (ushort)node, pos);
    }

    internal static void FinishNodeFast(AvroProgram program, ref byte data, int length, CaptureFrame frame, int node, int pos, int row)
    {
        var state = new State { Value = MemoryMarshal.CreateReadOnlySpan(ref data, length), Frame = frame, Scratch = frame.AvroScratch! };
        program.FinishNode(ref state, program._nodes[node], (ushort)node, pos, row);
    }

    internal static bool FitsFast(AvroProgram program, ref byte data, int pos, int size, int precision) =>
        AvroLogicalTypes.FitsPrecision(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref data, pos), size), precision);

    internal static int UuidFast(ref byte data, int pos, CaptureFrame frame) => Scratch(frame, MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref data, pos), 16));

    /// <summary>A map, or a block that is called, by the interpreter; where it ends, or negative.</summary>
    [SuppressMessage("Performance", "CA1822", Justification = "Called with the program as its first argument.")]
    internal static int RunFast(AvroProgram program, ref byte data, int length, CaptureFrame frame, int pc, int pos, int row, int depth)
    {
        ref readonly AvroOp op = ref program._ops[pc];
        var state = new State { Value = MemoryMarshal.CreateReadOnlySpan(ref data, length), Frame = frame, Scratch = frame.AvroScratch!, Pos = pos };
        DecodeOutcome outcome = op.Code == AvroOpCode.Map ? program.RunMap(ref state, op, row, depth)
            : depth + op.Node > program._depthMax ? DecodeOutcome.TooDeep : program.Run(ref state, op.Arg, row, depth + op.Node);
        return outcome == DecodeOutcome.Decoded ? state.Pos : -1;
    }
}
