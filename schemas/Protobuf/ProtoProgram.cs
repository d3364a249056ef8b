using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Unicode;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Protobuf;

/// <summary>
/// The walk of a message type for one plan: tables of fields by number, one for each place where something is wanted. Every byte is checked, wanted or not; a field that parsers
/// could take for two things is refused.
/// </summary>
internal sealed partial class ProtoProgram : RecordProgram
{
    /// <summary>Deepest limit that is honoured: the walk uses the thread's stack.</summary>
    public const int DepthCap = 1000;

    /// <summary>Nodes of slots that hold an empty list or map: of a field that this writer lacks.</summary>
    public const ushort EmptyList = ushort.MaxValue - 1;
    public const ushort EmptyMap = ushort.MaxValue;

    private const int UnfoldedMax = 4_000_000;

    private readonly ProtoTable _root;
    private readonly ProtoNode[] _nodes;
    private readonly Dictionary<ProtoEnum, int[]> _symbols;
    private readonly byte[] _constants;
    private readonly string[][] _selected;
    private readonly SchemaType _view;
    private readonly int _rootSlots;
    private readonly (int Slot, bool Whole) _rootCapture;
    private readonly WalkLimits _limits;
    private readonly int _depthMax;
    private readonly UnknownFields _unknown;

    public ProtoProgram(ProtoTable root, ProtoNode[] nodes, Dictionary<ProtoEnum, int[]> symbols, byte[] constants, string[][] selected, SchemaType view, CapturePlan plan, WalkLimits limits)
    {
        _root = root;
        _nodes = nodes;
        _symbols = symbols;
        _constants = constants;
        _selected = selected;
        _view = view;
        _rootSlots = plan.Root.SlotCount;
        CaptureNode node = plan.Root.Node;
        _rootCapture = (node.Mode == CaptureMode.None ? -1 : node.Slot, node.Mode == CaptureMode.Raw);
        _limits = limits;
        _depthMax = Math.Clamp(limits.DepthMax, 1, DepthCap);
        _unknown = plan.UnknownFields;
    }

    public override IReadOnlyList<string> SelectedPaths(int selector) => _selected[selector];

    public override string SitePath(in MaskSite site) => _nodes[site.Node].Path;

    public override SchemaType SiteType(in MaskSite site) => _nodes[site.Node].View;

    public override DecodeOutcome Walk(ReadOnlySpan<byte> value, CaptureFrame frame)
    {
        frame.Begin(_rootSlots, _constants);
        ProtoScratch scratch = frame.ProtoScratch ??= new ProtoScratch();
        scratch.Begin();
        var state = new State { Value = value, Frame = frame, Scratch = scratch };
        DecodeOutcome outcome = Message(ref state, _root, value.Length, 0, 0, 1, out _);
        if (outcome != DecodeOutcome.Decoded) { return outcome; }
        if (_rootCapture.Slot >= 0) { frame.Slots[_rootCapture.Slot] = new Slot { Kind = ValueKind.Record, Bits = 0, Aux = _rootCapture.Whole ? value.Length : 0 }; }
        return DecodeOutcome.Decoded;
    }

    public override object? Materialize(in Slot slot, ReadOnlySpan<byte> value, CaptureFrame frame)
    {
        switch (slot.Kind)
        {
            case ValueKind.Absent: return RecordValue.Missing;
            case ValueKind.Null: return null;
            case ValueKind.Bool: return slot.Bits != 0;
            case ValueKind.Int: return slot.Bits;
            case ValueKind.UInt: return (ulong)slot.Bits;
            case ValueKind.Double: return slot.Double;
            case ValueKind.String: return Encoding.UTF8.GetString(frame.Bytes(slot, value));
            case ValueKind.Bytes: return frame.Bytes(slot, value).ToArray();
            case ValueKind.Timestamp: return new Timestamp(slot.Bits, slot.Aux);
            case ValueKind.Duration: return new Duration(slot.Bits, slot.Aux);
        }

        if (slot.Node == EmptyList) { return new List<object?>(); }
        if (slot.Node == EmptyMap) { return new MapValue(); }
        ReadOnlySpan<byte> content = value.Slice((int)slot.Bits, slot.Aux);
        if (slot.Kind == ValueKind.Record) { return ProtoPlainReader.Message(slot.Node == 0 ? _root.Message : _nodes[slot.Node].Field.Message!, content); }
        return ProtoPlainReader.Field(_nodes[slot.Node].Field, content);
    }

    private ref struct State
    {
        public ReadOnlySpan<byte> Value;
        public CaptureFrame Frame;
        public ProtoScratch Scratch;
        public int Pos;

        /// <summary>Fields that the messages so far have, there or not: a message of many fields takes two bytes.</summary>
        public int Unfolded;
    }

    /// <summary>A scalar that was read: as its slot has it.</summary>
    private struct Scalar
    {
        public ValueKind Kind;
        public SlotSource Source;
        public long Bits;
        public int Aux;
    }

    /// <summary>Walks the fields of a message.</summary>
    /// <param name="end">Where its bytes end; of a group, where those around it do.</param>
    /// <param name="group">Number of the group that it is; 0 for none.</param>
    /// <param name="contentEnd">Behind its last field.</param>
    private DecodeOutcome Message(ref State state, ProtoTable table, int end, int group, int row, int depth, out int contentEnd)
    {
        contentEnd = 0;
        if (depth > _depthMax) { return DecodeOutcome.TooDeep; }
        if ((state.Unfolded += table.Message.Fields.Count) > UnfoldedMax) { return DecodeOutcome.TooLarge; }
        ProtoScratch scratch = state.Scratch;
        int seen = scratch.PushSeen(table.SeenWords);
        int start = state.Pos;
        while (true)
        {
            int tagStart = state.Pos;
            if (tagStart == end)
            {
                if (group != 0) { return DecodeOutcome.Truncated; }
                contentEnd = end;
                break;
            }

            DecodeOutcome outcome = ProtoBytes.ReadTag(state.Value, ref state.Pos, end, out int number, out int wire);
            if (outcome != DecodeOutcome.Decoded) { return outcome; }
            if (wire == ProtoWire.EndGroup)
            {
                if (number != group) { return DecodeOutcome.Malformed; }
                contentEnd = tagStart;
                break;
            }

            ProtoEntry? entry = table.Find(number);
            if (entry is null) { outcome = Unknown(ref state, tagStart, number, wire, end, depth); }
            else if (entry.Field.IsMap) { outcome = MapEntry(ref state, entry, tagStart, wire, end, seen, row, depth); }
            else if (entry.Field.Repeated) { outcome = Element(ref state, entry, tagStart, wire, end, group, row, depth); }
            else { outcome = Singular(ref state, entry, tagStart, wire, end, seen, row, depth); }
            if (outcome != DecodeOutcome.Decoded) { return outcome; }
        }

        return Finish(ref state, table, start, contentEnd, seen, row);
    }

    private DecodeOutcome Finish(ref State state, ProtoTable table, int start, int contentEnd, int seen, int row)
    {
        ProtoScratch scratch = state.Scratch;
        foreach (int bit in table.Required)
        {
            if (!Has(scratch, seen, bit)) { return DecodeOutcome.MissingField; }
        }

        Slot[] slots = state.Frame.Slots;
        foreach ((int bit, int slot, Slot value) in table.Fills)
        {
            if (bit < 0 ? slots[row + slot].Kind == ValueKind.Absent : !Has(scratch, seen, bit)) { slots[row + slot] = value; }
        }

        foreach ((int slot, ushort node, ValueKind kind) in table.Spans) { slots[row + slot] = new Slot { Kind = kind, Bits = start, Aux = contentEnd - start, Node = node }; }
        foreach (ProtoEntry map in table.Maps)
        {
            if (Has(scratch, seen, map.SeenBit + 1) && HasKeyTwice(ref state, map, start, contentEnd)) { return DecodeOutcome.DuplicateMapKey; }
        }

        scratch.SeenCount = seen;
        return DecodeOutcome.Decoded;
    }

    private static bool Has(ProtoScratch scratch, int seen, int bit) => (scratch.Seen[seen + (bit >> 6)] & (1UL << (bit & 63))) != 0;

    private static bool SetSeen(ProtoScratch scratch, int seen, int bit)
    {
        ref ulong word = ref scratch.Seen[seen + (bit >> 6)];
        ulong mask = 1UL << (bit & 63);
        bool was = (word & mask) != 0;
        word |= mask;
        return was;
    }

    private DecodeOutcome Unknown(ref State state, int tagStart, int number, int wire, int end, int depth)
    {
        if (_unknown == UnknownFields.Deny) { return DecodeOutcome.UnknownField; }
        DecodeOutcome outcome = ProtoBytes.Skip(state.Value, ref state.Pos, end, number, wire, _depthMax - depth);
        if (outcome != DecodeOutcome.Decoded || _unknown == UnknownFields.Keep) { return outcome; }
        state.Scratch.Close(state.Scratch.PushMark(ProtoMarkKind.Cut, tagStart, tagStart), state.Pos);
        state.Frame.MustRewrite = true;
        return DecodeOutcome.Decoded;
    }

    private DecodeOutcome Singular(ref State state, ProtoEntry entry, int tagStart, int wire, int end, int seen, int row, int depth)
    {
        if (wire != entry.Wire) { return DecodeOutcome.WireType; }
        if (SetSeen(state.Scratch, seen, entry.SeenBit)) { return DecodeOutcome.RepeatedField; }
        if (entry.OneofBit >= 0 && SetSeen(state.Scratch, seen, entry.OneofBit)) { return DecodeOutcome.OneofConflict; }
        return Value(ref state, entry.Value, tagStart, state.Pos, end, row, depth);
    }

    private DecodeOutcome Element(ref State state, ProtoEntry entry, int tagStart, int wire, int end, int group, int row, int depth)
    {
        bool packed = wire == ProtoWire.Length && entry.Field.Packable;
        if (wire != entry.Wire && !packed) { return DecodeOutcome.WireType; }
        ProtoScratch scratch = state.Scratch;
        int whole = -1;
        if (entry.Whole is { Selectors.Length: > 0 } list && !BeginSite(ref state, list, tagStart, state.Pos, out whole)) { return DecodeOutcome.TooLarge; }

        DecodeOutcome outcome;
        if (!packed) { outcome = OneElement(ref state, entry, tagStart, state.Pos, tagStart, end, group, row, depth); }
        else
        {
            int box = entry.Value.Selectors.Length > 0 ? scratch.PushMark(ProtoMarkKind.Box, tagStart, state.Pos) : -1;
            outcome = ProtoBytes.ReadLength(state.Value, ref state.Pos, end, out int contentEnd);
            int content = state.Pos;
            while (outcome == DecodeOutcome.Decoded && state.Pos < contentEnd)
            {
                outcome = OneElement(ref state, entry, state.Pos, state.Pos, tagStart, contentEnd, group, row, depth, end);
            }

            if (box >= 0 && outcome == DecodeOutcome.Decoded) { scratch.CloseBox(box, content, contentEnd); }
        }

        if (whole >= 0 && outcome == DecodeOutcome.Decoded) { FinishSite(ref state, entry.Whole!, whole, new Scalar { Kind = ValueKind.List }); }

        return outcome;
    }

    /// <param name="start">Of the element: its tag, where it has one of its own.</param>
    /// <param name="fieldStart">The tag of the field that it is in.</param>
    /// <param name="messageEnd">Where the message around a packed field ends; 0: <paramref name="end"/>.</param>
    private DecodeOutcome OneElement(ref State state, ProtoEntry entry, int start, int valueStart, int fieldStart, int end, int group, int row, int depth, int messageEnd = 0)
    {
        int elementRow = row;
        if (entry.Whole is { Slot: >= 0, Mode: CaptureMode.Elements } list)
        {
            CaptureFrame frame = state.Frame;
            int at = row + list.Slot;
            if (frame.Slots[at].Kind != ValueKind.List)
            {
                // Elements lie apart in the bytes, and their rows together: how many there are is counted before the first is walked.
                int first = frame.SlotsUsed;
                if (entry.RowSlots > 0 && !AddRows(frame, Count(state.Value, entry, fieldStart, messageEnd == 0 ? end : messageEnd, group), entry.RowSlots)) { return DecodeOutcome.TooLarge; }
                frame.Slots[at] = new Slot { Kind = ValueKind.List, Bits = entry.RowSlots > 0 ? first : 0 };
            }

            if (entry.RowSlots > 0)
            {
                elementRow = (int)frame.Slots[at].Bits + (frame.Slots[at].Aux * entry.RowSlots);

                // The count came out short: this element is bad, and the walk says how.
                if (elementRow + entry.RowSlots > frame.SlotsUsed)
                {
                    if (!AddRows(frame, 1, entry.RowSlots)) { return DecodeOutcome.TooLarge; }
                    elementRow = frame.SlotsUsed - entry.RowSlots;
                }
            }

            frame.Slots[at].Aux++;
        }

        return Value(ref state, entry.Value, start, valueStart, end, elementRow, depth);
    }

    private bool AddRows(CaptureFrame frame, int rows, int rowSlots)
    {
        long wanted = frame.SlotsUsed + ((long)rows * rowSlots);
        if (wanted > _limits.SlotsMax) { return false; }
        if (wanted > frame.Slots.Length) { Array.Resize(ref frame.Slots, (int)Math.Max(wanted, 2L * frame.Slots.Length)); }
        Array.Clear(frame.Slots, frame.SlotsUsed, (int)wanted - frame.SlotsUsed);
        frame.SlotsUsed = (int)wanted;
        return true;
    }

    /// <summary>Elements of a repeated field from here to the end of its message, as far as the bytes can be read.</summary>
    private int Count(ReadOnlySpan<byte> data, ProtoEntry entry, int pos, int end, int group)
    {
        int count = 0;
        while (pos < end)
        {
            if (ProtoBytes.ReadTag(data, ref pos, end, out int number, out int wire) != DecodeOutcome.Decoded || (wire == ProtoWire.EndGroup && number == group)) { break; }
            int start = pos;
            if (ProtoBytes.Skip(data, ref pos, end, number, wire, _depthMax) != DecodeOutcome.Decoded) { break; }
            if (number != entry.Number) { continue; }
            if (wire != ProtoWire.Length || !entry.Field.Packable)
            {
                count++;
                continue;
            }

            ProtoBytes.ReadVarint(data, ref start, pos, out _);
            count += entry.Wire switch
            {
                ProtoWire.Fixed32 => (pos - start) / 4,
                ProtoWire.Fixed64 => (pos - start) / 8,
                _ => Varints(data[start..pos]),
            };
        }

        return count;
    }

    private static int Varints(ReadOnlySpan<byte> packed)
    {
        int count = 0;
        foreach (byte one in packed) { count += one < 0x80 ? 1 : 0; }
        return count;
    }

    private DecodeOutcome MapEntry(ref State state, ProtoEntry entry, int tagStart, int wire, int end, int seen, int row, int depth)
    {
        if (wire != ProtoWire.Length) { return DecodeOutcome.WireType; }
        if (depth + 1 > _depthMax) { return DecodeOutcome.TooDeep; }
        ProtoScratch scratch = state.Scratch;
        ReadOnlySpan<byte> data = state.Value;
        if (SetSeen(scratch, seen, entry.SeenBit)) { SetSeen(scratch, seen, entry.SeenBit + 1); }
        int whole = -1;
        if (entry.Whole is { Selectors.Length: > 0 } map && !BeginSite(ref state, map, tagStart, state.Pos, out whole)) { return DecodeOutcome.TooLarge; }
        bool boxed = entry.Marks || _unknown == UnknownFields.Drop;
        int box = boxed ? scratch.PushMark(ProtoMarkKind.Box, tagStart, state.Pos) : -1;
        if (boxed) { scratch.Marks[box].Entry = true; }
        DecodeOutcome outcome = ProtoBytes.ReadLength(data, ref state.Pos, end, out int entryEnd);
        if (outcome != DecodeOutcome.Decoded) { return outcome; }
        int content = state.Pos;

        // The key may stand behind the value: it is found first, since it says what is wanted of the value.
        int keyStart = 0, keyEnd = 0, valueTag = -1;
        ProtoField key = entry.Field.MapKey!, value = entry.Field.MapValue!;
        int pos = content;
        while (pos < entryEnd)
        {
            int at = pos;
            outcome = ProtoBytes.ReadTag(data, ref pos, entryEnd, out int number, out int inner);
            if (outcome != DecodeOutcome.Decoded) { return outcome; }
            if (number == 1)
            {
                if (inner != key.Wire) { return DecodeOutcome.WireType; }
                if (keyStart != 0) { return DecodeOutcome.RepeatedField; }
                keyStart = pos;
            }
            else if (number == 2)
            {
                if (inner != value.Wire) { return DecodeOutcome.WireType; }
                if (valueTag >= 0) { return DecodeOutcome.RepeatedField; }
                valueTag = at;
            }
            else if (_unknown == UnknownFields.Deny) { return DecodeOutcome.UnknownField; }
            outcome = ProtoBytes.Skip(data, ref pos, entryEnd, number, inner, _depthMax - depth);
            if (outcome != DecodeOutcome.Decoded) { return outcome; }
            if (number == 1) { keyEnd = pos; }
        }

        ReadOnlySpan<byte> name = default;
        if (keyStart != 0)
        {
            state.Pos = keyStart;
            outcome = Read(ref state, key, keyEnd, out Scalar read);
            if (outcome != DecodeOutcome.Decoded) { return outcome; }
            if (key.Type == ProtoType.String) { name = data.Slice((int)read.Bits, read.Aux); }
        }

        ProtoNode node = entry.Value;
        foreach ((byte[] known, ProtoNode own) in entry.Keys)
        {
            if (name.SequenceEqual(known)) { node = own; }
        }

        outcome = Entry(ref state, entry, node, content, entryEnd, valueTag, row, depth);
        if (outcome != DecodeOutcome.Decoded) { return outcome; }
        state.Pos = entryEnd;
        if (box >= 0) { scratch.CloseBox(box, content, entryEnd); }
        if (entry.Whole is { Slot: >= 0, Mode: CaptureMode.Elements } counted)
        {
            ref Slot slot = ref state.Frame.Slots[row + counted.Slot];
            slot = new Slot { Kind = ValueKind.Map, Aux = slot.Aux + 1 };
        }

        if (whole >= 0) { FinishSite(ref state, entry.Whole!, whole, new Scalar { Kind = ValueKind.Map }); }
        return DecodeOutcome.Decoded;
    }

    /// <summary>The value of an entry whose fields are in order, and cuts of what is unknown beside it, by their place in the bytes.</summary>
    private DecodeOutcome Entry(ref State state, ProtoEntry entry, ProtoNode node, int content, int entryEnd, int valueTag, int row, int depth)
    {
        if (_unknown == UnknownFields.Drop)
        {
            CutUnknown(ref state, content, valueTag >= 0 ? valueTag : entryEnd);
        }

        state.Pos = valueTag;
        if (valueTag >= 0)
        {
            ProtoBytes.ReadTag(state.Value, ref state.Pos, entryEnd, out _, out _);
            DecodeOutcome outcome = Value(ref state, node, valueTag, state.Pos, entryEnd, row, depth + 1);
            if (outcome != DecodeOutcome.Decoded) { return outcome; }
            if (_unknown == UnknownFields.Drop) { CutUnknown(ref state, state.Pos, entryEnd); }
            return DecodeOutcome.Decoded;
        }

        // Without a value the entry has its type's zero, which masks and conditions see like any other.
        if (entry.Field.MapValue!.Message is { WellKnown: ProtoWellKnown.None })
        {
            state.Pos = entryEnd;
            DecodeOutcome outcome = Inside(ref state, node, entryEnd, entryEnd, 0, row, depth + 1);
            if (outcome != DecodeOutcome.Decoded) { return outcome; }
        }

        Scalar zero = Zero(entry.Field.MapValue!, entryEnd);
        if (zero.Kind != ValueKind.Record && node.Slot >= 0) { state.Frame.Slots[row + node.Slot] = new Slot { Kind = zero.Kind, Bits = zero.Bits, Aux = zero.Aux, Source = zero.Source }; }
        if (node.Selectors.Length == 0) { return DecodeOutcome.Decoded; }
        state.Pos = entryEnd;
        if (!BeginSite(ref state, node, entryEnd, entryEnd, out int mark)) { return DecodeOutcome.TooLarge; }
        FinishSite(ref state, node, mark, zero);
        return DecodeOutcome.Decoded;
    }

    private void CutUnknown(ref State state, int from, int to)
    {
        for (int pos = from; pos < to;)
        {
            int start = pos;
            ProtoBytes.ReadTag(state.Value, ref pos, to, out int number, out int wire);
            ProtoBytes.Skip(state.Value, ref pos, to, number, wire, _depthMax);
            if (number is 1 or 2) { continue; }
            state.Scratch.Close(state.Scratch.PushMark(ProtoMarkKind.Cut, start, start), pos);
            state.Frame.MustRewrite = true;
        }
    }

    private Scalar Zero(ProtoField field, int at)
    {
        ValueKind kind = ProtoTypeView.KindOf(field);
        if (field.Type != ProtoType.Enum) { return new Scalar { Kind = kind, Bits = kind is ValueKind.String or ValueKind.Bytes ? at : 0 }; }
        int[] table = _symbols[field.Enum!];
        return new Scalar { Kind = kind, Source = SlotSource.Constant, Bits = table[0], Aux = table[1] };
    }

    /// <summary>Reads one value behind its tag, puts it into its slot, and marks it where masks select it.</summary>
    /// <param name="start">Where a rewrite may begin to replace it: its tag, where it has one.</param>
    private DecodeOutcome Value(ref State state, ProtoNode node, int start, int valueStart, int end, int row, int depth)
    {
        int mark = -1;
        if (node.Selectors.Length > 0 && !BeginSite(ref state, node, start, valueStart, out mark)) { return DecodeOutcome.TooLarge; }
        DecodeOutcome outcome;
        Scalar scalar;
        if (node.Table is null)
        {
            outcome = Read(ref state, node.Field, end, out scalar);
            if (outcome != DecodeOutcome.Decoded) { return outcome; }
            if (node.Slot >= 0) { state.Frame.Slots[row + node.Slot] = new Slot { Kind = scalar.Kind, Bits = scalar.Bits, Aux = scalar.Aux, Source = scalar.Source }; }
        }
        else
        {
            scalar = new Scalar { Kind = ValueKind.Record };
            if (node.Field.Type == ProtoType.Group) { outcome = Inside(ref state, node, state.Pos, end, node.Field.Number, row, depth + 1); }
            else
            {
                ProtoScratch scratch = state.Scratch;
                int box = node.Marks || _unknown == UnknownFields.Drop ? scratch.PushMark(ProtoMarkKind.Box, start, valueStart) : -1;
                outcome = ProtoBytes.ReadLength(state.Value, ref state.Pos, end, out int contentEnd);
                if (outcome != DecodeOutcome.Decoded) { return outcome; }
                int content = state.Pos;
                outcome = Inside(ref state, node, content, contentEnd, 0, row, depth + 1);
                if (outcome == DecodeOutcome.Decoded && box >= 0) { scratch.CloseBox(box, content, contentEnd); }
            }

            if (outcome != DecodeOutcome.Decoded) { return outcome; }
        }

        if (mark >= 0) { FinishSite(ref state, node, mark, scalar); }
        return DecodeOutcome.Decoded;
    }

    private DecodeOutcome Inside(ref State state, ProtoNode node, int content, int end, int group, int row, int depth)
    {
        DecodeOutcome outcome = Message(ref state, node.Table!, end, group, row, depth, out int contentEnd);
        if (outcome == DecodeOutcome.Decoded && node.Slot >= 0)
        {
            state.Frame.Slots[row + node.Slot] = node.Mode == CaptureMode.Raw
                ? new Slot { Kind = ValueKind.Record, Bits = content, Aux = contentEnd - content, Node = node.Id }
                : new Slot { Kind = ValueKind.Record };
        }

        return outcome;
    }

    // Scalars

    private DecodeOutcome Read(ref State state, ProtoField field, int end, out Scalar scalar)
    {
        scalar = default;
        ReadOnlySpan<byte> data = state.Value;
        DecodeOutcome outcome;
        switch (field.Type)
        {
            case ProtoType.String or ProtoType.Bytes:
                outcome = ProtoBytes.ReadLength(data, ref state.Pos, end, out int contentEnd);
                if (outcome != DecodeOutcome.Decoded) { return outcome; }
                scalar.Kind = field.Type == ProtoType.String ? ValueKind.String : ValueKind.Bytes;
                scalar.Bits = state.Pos;
                scalar.Aux = contentEnd - state.Pos;

                // proto2's parsers let it through: a text that is none could be neither compared nor masked.
                if (field.Type == ProtoType.String && !Utf8.IsValid(data[state.Pos..contentEnd])) { return DecodeOutcome.BadUtf8; }
                state.Pos = contentEnd;
                return DecodeOutcome.Decoded;
            case ProtoType.Double or ProtoType.Fixed64 or ProtoType.SFixed64:
                if (end - state.Pos < 8) { return DecodeOutcome.Truncated; }
                scalar.Kind = ProtoTypeView.KindOf(field);
                scalar.Bits = BinaryPrimitives.ReadInt64LittleEndian(data[state.Pos..]);
                state.Pos += 8;
                return DecodeOutcome.Decoded;
            case ProtoType.Float or ProtoType.Fixed32 or ProtoType.SFixed32:
                if (end - state.Pos < 4) { return DecodeOutcome.Truncated; }
                scalar.Kind = ProtoTypeView.KindOf(field);
                int four = BinaryPrimitives.ReadInt32LittleEndian(data[state.Pos..]);
                scalar.Bits = field.Type == ProtoType.Float ? BitConverter.DoubleToInt64Bits(BitConverter.Int32BitsToSingle(four)) : field.Type == ProtoType.Fixed32 ? (uint)four : four;
                state.Pos += 4;
                return DecodeOutcome.Decoded;
            case ProtoType.Message:
                return ReadKnown(ref state, field.Message!, end, out scalar);
            default:
                outcome = ProtoBytes.ReadVarint(data, ref state.Pos, end, out ulong raw);
                return outcome == DecodeOutcome.Decoded ? Number(state.Frame, field, raw, out scalar) : outcome;
        }
    }

    /// <summary>A varint as its type has it. Parsers cut what is too large to size, which makes two numbers of one: it is refused.</summary>
    private DecodeOutcome Number(CaptureFrame frame, ProtoField field, ulong raw, out Scalar scalar)
    {
        scalar = default;
        scalar.Kind = ValueKind.Int;
        switch (field.Type)
        {
            case ProtoType.Int64:
                scalar.Bits = (long)raw;
                return DecodeOutcome.Decoded;
            case ProtoType.UInt64:
                scalar.Kind = ValueKind.UInt;
                scalar.Bits = (long)raw;
                return DecodeOutcome.Decoded;
            case ProtoType.SInt64:
                scalar.Bits = ProtoBytes.UnZigZag(raw);
                return DecodeOutcome.Decoded;
            case ProtoType.UInt32:
                scalar.Kind = ValueKind.UInt;
                scalar.Bits = (long)raw;
                return raw <= uint.MaxValue ? DecodeOutcome.Decoded : DecodeOutcome.VarintOverflow;
            case ProtoType.SInt32:
                scalar.Bits = ProtoBytes.UnZigZag(raw);
                return raw <= uint.MaxValue ? DecodeOutcome.Decoded : DecodeOutcome.VarintOverflow;
            case ProtoType.Bool:
                scalar.Kind = ValueKind.Bool;
                scalar.Bits = (long)raw;
                return raw <= 1 ? DecodeOutcome.Decoded : DecodeOutcome.BadBoolean;
        }

        // A negative number is written in ten bytes; some write the five of its 32 bits.
        if (raw > uint.MaxValue && (long)raw is < int.MinValue or > uint.MaxValue) { return DecodeOutcome.VarintOverflow; }
        int number = (int)raw;
        scalar.Bits = number;
        if (field.Type == ProtoType.Int32) { return DecodeOutcome.Decoded; }
        scalar.Kind = ValueKind.String;
        if (field.Enum!.IndexOf.TryGetValue(number, out int symbol))
        {
            int[] table = _symbols[field.Enum];
            scalar.Source = SlotSource.Constant;
            scalar.Bits = table[2 * symbol];
            scalar.Aux = table[(2 * symbol) + 1];
            return DecodeOutcome.Decoded;
        }

        // A number without a name is as unknown as a field without one.
        if (_unknown != UnknownFields.Keep) { return DecodeOutcome.BadEnumIndex; }
        if (frame.Scratch.Length - frame.ScratchUsed < 12) { Array.Resize(ref frame.Scratch, Math.Max(2 * frame.Scratch.Length, frame.ScratchUsed + 12)); }
        number.TryFormat(frame.Scratch.AsSpan(frame.ScratchUsed), out int digits, provider: CultureInfo.InvariantCulture);
        scalar.Source = SlotSource.Scratch;
        scalar.Bits = frame.ScratchUsed;
        scalar.Aux = digits;
        frame.ScratchUsed += digits;
        return DecodeOutcome.Decoded;
    }

    /// <summary>A message that rules see as a scalar. Nothing unknown is taken inside, whatever the binding says of unknown fields.</summary>
    private DecodeOutcome ReadKnown(ref State state, ProtoMessage message, int end, out Scalar scalar)
    {
        scalar = default;
        ReadOnlySpan<byte> data = state.Value;
        DecodeOutcome outcome = ProtoBytes.ReadLength(data, ref state.Pos, end, out int contentEnd);
        if (outcome != DecodeOutcome.Decoded) { return outcome; }
        scalar = Zero(message.Fields[0], contentEnd);
        long seconds = 0, nanos = 0;
        int seen = 0;
        while (state.Pos < contentEnd)
        {
            outcome = ProtoBytes.ReadTag(data, ref state.Pos, contentEnd, out int number, out int wire);
            if (outcome != DecodeOutcome.Decoded) { return outcome; }
            if (message.Find(number) is not { } field) { return DecodeOutcome.UnknownField; }
            if (wire != field.Wire) { return DecodeOutcome.WireType; }
            if ((seen & (1 << number)) != 0) { return DecodeOutcome.RepeatedField; }
            seen |= 1 << number;
            outcome = Read(ref state, field, contentEnd, out scalar);
            if (outcome != DecodeOutcome.Decoded) { return outcome; }
            if (number == 1) { seconds = scalar.Bits; }
            else { nanos = scalar.Bits; }
        }

        if (message.WellKnown == ProtoWellKnown.Wrapper) { return DecodeOutcome.Decoded; }
        bool instant = message.WellKnown == ProtoWellKnown.Timestamp;
        scalar = new Scalar { Kind = instant ? ValueKind.Timestamp : ValueKind.Duration, Bits = seconds, Aux = (int)nanos };
        return (instant ? ProtoTime.IsTimestamp(seconds, nanos) : ProtoTime.IsDuration(seconds, nanos)) ? DecodeOutcome.Decoded : DecodeOutcome.NumberRange;
    }

    // Sites

    private bool BeginSite(ref State state, ProtoNode node, int start, int valueStart, out int mark)
    {
        CaptureFrame frame = state.Frame;
        int count = node.Selectors.Length;
        mark = -1;
        if (frame.SiteCount + count > _limits.SitesMax) { return false; }
        if (frame.Sites.Length < frame.SiteCount + count) { Array.Resize(ref frame.Sites, Math.Max(2 * frame.Sites.Length, frame.SiteCount + count)); }
        mark = state.Scratch.PushMark(ProtoMarkKind.Site, start, valueStart);
        state.Scratch.Marks[mark].Site = frame.SiteCount;
        for (int i = 0; i < count; i++) { frame.Sites[frame.SiteCount++] = new MaskSite { Start = start, Selector = node.Selectors[i], Node = node.Id }; }
        return true;
    }

    private static void FinishSite(ref State state, ProtoNode node, int mark, in Scalar scalar)
    {
        ref ProtoMark place = ref state.Scratch.Marks[mark];
        state.Scratch.Close(mark, state.Pos);
        bool text = scalar.Kind is ValueKind.String or ValueKind.Bytes;
        for (int i = 0; i < node.Selectors.Length; i++)
        {
            state.Frame.Sites[place.Site + i] = new MaskSite
            {
                Start = place.Start,
                End = state.Pos,
                TextStart = text ? (int)scalar.Bits : place.Start,
                TextLength = text ? scalar.Aux : state.Pos - place.Start,
                TextSource = scalar.Source,
                Kind = scalar.Kind,
                Selector = node.Selectors[i],
                Node = node.Id,
                Bits = text ? 0 : scalar.Bits,
                Aux = text ? 0 : scalar.Aux,
            };
        }
    }

    // Keys of maps

    /// <summary>True where two entries of a map have one key. The message was walked: its bytes are good.</summary>
    private bool HasKeyTwice(ref State state, ProtoEntry map, int start, int end)
    {
        ProtoScratch scratch = state.Scratch;
        scratch.NumberCount = 0;
        scratch.Names.KeyCount = 0;
        bool names = map.Field.MapKey!.Type == ProtoType.String;
        ReadOnlySpan<byte> data = state.Value[..end];
        for (int pos = start; pos < end;)
        {
            ProtoBytes.ReadTag(data, ref pos, end, out int number, out int wire);
            int at = pos;
            ProtoBytes.Skip(data, ref pos, end, number, wire, _depthMax);
            if (number != map.Number) { continue; }
            ProtoBytes.ReadLength(data, ref at, pos, out int entryEnd);
            ulong key = 0;
            int textStart = at, textLength = 0;
            while (at < entryEnd)
            {
                ProtoBytes.ReadTag(data, ref at, entryEnd, out int inner, out int innerWire);
                if (inner != 1)
                {
                    ProtoBytes.Skip(data, ref at, entryEnd, inner, innerWire, _depthMax);
                    continue;
                }

                switch (innerWire)
                {
                    case ProtoWire.Length:
                        ProtoBytes.ReadLength(data, ref at, entryEnd, out int textEnd);
                        (textStart, textLength) = (at, textEnd - at);
                        break;
                    case ProtoWire.Fixed32:
                        key = BinaryPrimitives.ReadUInt32LittleEndian(data[at..]);
                        break;
                    case ProtoWire.Fixed64:
                        key = BinaryPrimitives.ReadUInt64LittleEndian(data[at..]);
                        break;
                    default:
                        // The five and the ten bytes of a negative number are one key.
                        ProtoBytes.ReadVarint(data, ref at, entryEnd, out key);
                        if (map.Field.MapKey.Type == ProtoType.Int32) { key = (uint)key; }
                        break;
                }

                break;
            }

            if (names) { scratch.Names.PushKey(textStart, textLength); }
            else { scratch.PushNumber(key); }
        }

        return names ? scratch.Names.HasDuplicateKeys(0, state.Value) : scratch.HasDuplicateNumbers();
    }
}
