using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Avro;

internal sealed partial class AvroProgram
{
    public override object? Materialize(in Slot slot, ReadOnlySpan<byte> value, CaptureFrame frame)
    {
        ArgumentNullException.ThrowIfNull(frame);
        if (slot.Node == ObjectNode) { return _objects[(int)slot.Bits]; }
        if (slot.Node != 0 && !_nodes[slot.Node].ScaleOnly && slot.Kind is not (ValueKind.Null or ValueKind.Absent))
        {
            int pos = (int)slot.Bits;
            return AvroPlainReader.Read(_nodes[slot.Node].Type, value, ref pos);
        }

        return slot.Kind switch
        {
            ValueKind.Absent => RecordValue.Missing,
            ValueKind.Null => null,
            ValueKind.Bool => slot.Bits != 0,
            ValueKind.Int => slot.Bits,
            ValueKind.Double => slot.Double,
            ValueKind.String => Encoding.UTF8.GetString(frame.Bytes(slot, value)),
            ValueKind.Bytes => frame.Bytes(slot, value).ToArray(),
            ValueKind.Decimal => new DecimalValue(new BigInteger(frame.Bytes(slot, value), isBigEndian: true), slot.Node == 0 ? 0 : _nodes[slot.Node].Type.Scale),
            ValueKind.Timestamp => new Timestamp(slot.Bits, slot.Aux),
            ValueKind.Duration => new Duration(slot.Bits, slot.Aux),
            _ => throw new ArgumentException("A slot that holds a length or a presence only, and no value.", nameof(slot)),
        };
    }

    /// <summary>A value that is selected or kept as bytes starts here; false where there are too many sites.</summary>
    private bool BeginNode(ref State state, AvroNode node, ushort number, int pos)
    {
        CaptureFrame frame = state.Frame;
        AvroScratch scratch = state.Scratch;
        scratch.PushOpen(pos, frame.SiteCount);
        int count = node.Selectors.Length;
        if (count == 0) { return true; }
        if (frame.SiteCount + count > _sitesMax) { return false; }
        if (frame.Sites.Length < frame.SiteCount + count) { Array.Resize(ref frame.Sites, Math.Max(2 * frame.Sites.Length, frame.SiteCount + count)); }
        if (scratch.Extras.Length < frame.SiteCount + count) { Array.Resize(ref scratch.Extras, frame.Sites.Length); }
        for (int i = 0; i < count; i++)
        {
            scratch.Extras[frame.SiteCount] = (state.EntryStart, 0);
            frame.Sites[frame.SiteCount++] = new MaskSite { Start = pos, Selector = node.Selectors[i], Node = number };
        }

        return true;
    }

    private void FinishNode(ref State state, AvroNode node, ushort number, int end, int row)
    {
        CaptureFrame frame = state.Frame;
        AvroScratch scratch = state.Scratch;
        (int start, int first) = scratch.Open[--scratch.OpenCount];
        int count = node.Selectors.Length;
        AvroType type = node.Type;
        int pos = start;
        if (type.Kind == AvroKind.Union) { type = type.Branches[(int)AvroBytes.Number(state.Value, ref pos)]; }
        ValueKind kind = AvroTypeView.KindOf(type);
        if (node.RawSlot >= 0 && (kind == ValueKind.Null || !node.RawUnlessScalar || kind is ValueKind.Record or ValueKind.List or ValueKind.Map or ValueKind.CalendarDuration))
        {
            frame.Slots[row + node.RawSlot] = kind == ValueKind.Null ? new Slot { Kind = kind } : new Slot { Kind = kind, Bits = start, Aux = end - start, Node = number };
        }

        if (count == 0) { return; }
        if (kind == ValueKind.Null)
        {
            // Null stays null: no mask is asked about it.
            frame.SiteCount = first;
            return;
        }

        MaskSite content = frame.Sites[first];
        content.End = end;
        content.Kind = kind;
        Content(ref content, type, pos, end, state.Value, frame);
        for (int i = 0; i < count; i++)
        {
            ushort selector = frame.Sites[first + i].Selector;
            frame.Sites[first + i] = content;
            frame.Sites[first + i].Selector = selector;
            scratch.Extras[first + i].SitesEnd = frame.SiteCount;
        }
    }

    /// <summary>Says where a site's content is and, of numbers and times, what it is.</summary>
    private void Content(ref MaskSite site, AvroType type, int pos, int end, ReadOnlySpan<byte> value, CaptureFrame frame)
    {
        site.TextStart = pos;
        site.TextLength = end - pos;
        switch (type.Kind)
        {
            case AvroKind.String or AvroKind.Bytes:
                site.TextLength = (int)AvroBytes.Number(value, ref pos);
                site.TextStart = pos;
                break;
            case AvroKind.Enum:
                {
                    // Symbols lie among the constants in the order of the schema.
                    int symbol = (int)AvroBytes.Number(value, ref pos);
                    int[] table = EnumTable(type);
                    site.TextStart = table[2 * symbol];
                    site.TextLength = table[(2 * symbol) + 1];
                    site.TextSource = SlotSource.Constant;
                    break;
                }
            case AvroKind.Fixed when type.Logical == AvroLogical.Uuid:
                site.TextStart = Scratch(frame, value.Slice(pos, 16));
                site.TextLength = 36;
                site.TextSource = SlotSource.Scratch;
                break;
            case AvroKind.Boolean:
                site.Bits = value[pos];
                break;
            case AvroKind.Int or AvroKind.Long:
                site.Bits = AvroBytes.Number(value, ref pos);
                if (type.Logical != AvroLogical.None) { (site.Bits, site.Aux) = AvroTime.Split(type.Logical, site.Bits); }
                break;
            case AvroKind.Float:
                site.Bits = BitConverter.DoubleToInt64Bits(BitConverter.UInt32BitsToSingle(Little32(ref MemoryMarshal.GetReference(value[pos..]))));
                break;
            case AvroKind.Double:
                site.Bits = (long)Little64(ref MemoryMarshal.GetReference(value[pos..]));
                break;
        }
    }

    private int[] EnumTable(AvroType type) => _enums[_enumTables[type]];
}
