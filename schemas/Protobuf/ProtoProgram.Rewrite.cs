using System.Text.Unicode;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Protobuf;

internal sealed partial class ProtoProgram
{
    public override RewriteOutcome Rewrite(ReadOnlySpan<byte> value, CaptureFrame frame, ISiteMasker masker, ByteBuffer output)
    {
        ArgumentNullException.ThrowIfNull(frame);
        ArgumentNullException.ThrowIfNull(masker);
        ArgumentNullException.ThrowIfNull(output);
        ProtoScratch scratch = frame.ProtoScratch!;
        var writer = new Writer { Value = value, Frame = frame, Scratch = scratch, Masker = masker, Output = output };
        bool written = Write(ref writer, scratch.MarkCount);
        scratch.Replacement.Clear(zero: true);
        if (!written) { return RewriteOutcome.MaskFailed; }
        output.Append(value[writer.Pos..]);
        return RewriteOutcome.Written;
    }

    private ref struct Writer
    {
        public ReadOnlySpan<byte> Value;
        public CaptureFrame Frame;
        public ProtoScratch Scratch;
        public ISiteMasker Masker;
        public ByteBuffer Output;

        /// <summary>Written up to here.</summary>
        public int Pos;
        public int Mark;

        /// <summary>Set by the value of a map's entry that is removed: the entry goes with it.</summary>
        public bool RemoveEntry;
    }

    private bool Write(ref Writer w, int marksEnd)
    {
        while (w.Mark < marksEnd)
        {
            ref readonly ProtoMark mark = ref w.Scratch.Marks[w.Mark];
            if (mark.Kind == ProtoMarkKind.Cut)
            {
                w.Output.Append(w.Value[w.Pos..mark.Start]);
                w.Pos = mark.End;
                w.Mark++;
            }
            else if (!(mark.Kind == ProtoMarkKind.Box ? WriteBox(ref w, mark) : WriteSite(ref w, mark))) { return false; }
        }

        return true;
    }

    private bool WriteBox(ref Writer w, ProtoMark mark)
    {
        w.Output.Append(w.Value[w.Pos..mark.Content]);
        int start = w.Output.Length;
        int header = mark.Content - mark.Value;
        w.Pos = mark.Content;
        w.Mark++;
        if (!Write(ref w, mark.Next)) { return false; }
        w.Output.Append(w.Value[w.Pos..mark.End]);
        w.Pos = mark.End;
        if (mark.Entry && w.RemoveEntry)
        {
            w.RemoveEntry = false;
            w.Output.Truncate(start - (mark.Content - mark.Start));
            return true;
        }

        // As long as it was: the length stands, however it is spelled.
        int length = w.Output.Length - start;
        if (length == mark.End - mark.Content) { return true; }
        int size = ProtoBytes.VarintSize((ulong)length);
        if (size > header) { w.Output.Insert(start - header, size - header); }
        else if (size < header)
        {
            w.Output.Array.AsSpan(start, length).CopyTo(w.Output.Array.AsSpan(start - header + size));
            w.Output.Truncate(start - header + size + length);
        }

        Span<byte> room = w.Output.Array.AsSpan(start - header, size);
        for (int i = 0; i < size; i++, length >>= 7) { room[i] = (byte)((length & 0x7F) | (i + 1 < size ? 0x80 : 0)); }
        return true;
    }

    private bool WriteSite(ref Writer w, ProtoMark mark)
    {
        ref readonly MaskSite site = ref w.Frame.Sites[mark.Site];
        ProtoNode node = _nodes[site.Node];
        if (node.Field.Type == ProtoType.String && node.Place != ProtoPlace.Whole && mark.Value < mark.End) { return WriteText(ref w, site, node, mark); }
        ReadOnlySpan<byte> text = site.TextSource switch
        {
            SlotSource.Record => w.Value.Slice(site.TextStart, site.TextLength),
            SlotSource.Constant => _constants.AsSpan(site.TextStart, site.TextLength),
            _ => w.Frame.Scratch.AsSpan(site.TextStart, site.TextLength),
        };
        ByteBuffer replacement = w.Scratch.Replacement;
        replacement.Clear();
        SiteResult result = w.Masker.Mask(w.Frame.Sites.AsSpan(mark.Site, node.Selectors.Length), text, replacement);
        return WriteAnswer(ref w, node, mark, result);
    }

    /// <summary>The commonest site, a text: the mask writes where its text is to stand.</summary>
    private static bool WriteText(ref Writer w, in MaskSite site, ProtoNode node, in ProtoMark mark)
    {
        ByteBuffer output = w.Output;

        // The tag as it is spelled, and one byte more: where the new length goes.
        output.Append(w.Value[w.Pos..(mark.Value + 1)]);
        int start = output.Length;
        int tagAt = start - 1 - (mark.Value - mark.Start);
        SiteResult result = w.Masker.Mask(w.Frame.Sites.AsSpan(mark.Site, node.Selectors.Length), w.Value.Slice(site.TextStart, site.TextLength), output);
        if (result.Action != SiteAction.Text)
        {
            output.Truncate(tagAt);
            w.Pos = mark.Start;
            return WriteAnswer(ref w, node, mark, result);
        }

        int length = output.Length - start;
        if (!Utf8.IsValid(output.Slice(start, length))) { return false; }
        if (length == 0 && IsLeftOutWhereZero(node)) { output.Truncate(tagAt); }
        else if (length < 0x80) { output.Array[start - 1] = (byte)length; }
        else { ProtoBytes.WriteLengthBefore(output, start, reserved: 1); }
        w.Pos = mark.End;
        w.Mark = mark.Next;
        return true;
    }

    private static bool WriteAnswer(ref Writer w, ProtoNode node, in ProtoMark mark, in SiteResult result)
    {
        if (result.Action == SiteAction.Keep)
        {
            w.Mark++;
            return true;
        }

        if (result.Action == SiteAction.Fail) { return false; }
        w.Output.Append(w.Value[w.Pos..mark.Start]);
        if (!Replace(ref w, node, mark, result, w.Scratch.Replacement)) { return false; }
        w.Pos = mark.End;
        w.Mark = mark.Next;
        return true;
    }

    private static bool Replace(ref Writer w, ProtoNode node, in ProtoMark mark, in SiteResult result, ByteBuffer replacement)
    {
        ProtoField field = node.Field;
        switch (result.Action)
        {
            case SiteAction.Remove:
                // A field that is not there is what its type's zero, or null, is written as.
                w.RemoveEntry |= node.Place == ProtoPlace.MapValue;
                return node.Place != ProtoPlace.Singular || !field.Required;
            case SiteAction.Redact:
                if (node.Place is ProtoPlace.Whole or ProtoPlace.MapValue || (node.Place == ProtoPlace.Singular && !field.Required)) { return node.Place != ProtoPlace.MapValue || EmptyIsFine(field); }
                Tag(ref w, node, mark);
                return ProtoRedaction.TryWrite(w.Output, field, element: node.Place == ProtoPlace.Element);
            case SiteAction.Text or SiteAction.Number:
                {
                    int start = w.Output.Length;
                    Tag(ref w, node, mark);
                    int content = w.Output.Length;
                    if (!(result.Action == SiteAction.Text ? ReplaceText(field, replacement.Written, w.Output) : ReplaceNumber(field, result.Bits, w.Output))) { return false; }
                    if (IsLeftOutWhereZero(node) && !w.Output.Written[content..].ContainsAnyExcept((byte)0)) { w.Output.Truncate(start); }
                    return true;
                }
            default:
                return false;
        }
    }

    /// <summary>proto3's zero is not written where absent means the same.</summary>
    private static bool IsLeftOutWhereZero(ProtoNode node) => node.Place == ProtoPlace.Singular && !node.Field.Presence;

    /// <summary>An entry without a value has its type's zero, unless the zero of a message lacks what it requires.</summary>
    private static bool EmptyIsFine(ProtoField field) => field.Message is not { WellKnown: ProtoWellKnown.None } message || ProtoRedaction.Of(message) is { Length: 0 };

    /// <summary>The tag as it is spelled; a map's value that was left out gets one, and an element of a packed field has none.</summary>
    private static void Tag(ref Writer w, ProtoNode node, in ProtoMark mark)
    {
        w.Output.Append(w.Value[mark.Start..mark.Value]);
        if (mark.Start == mark.End && node.Place == ProtoPlace.MapValue) { ProtoBytes.WriteTag(w.Output, node.Field.Number, node.Field.Wire); }
    }

    private static bool ReplaceText(ProtoField field, ReadOnlySpan<byte> text, ByteBuffer output)
    {
        switch (field.Type)
        {
            case ProtoType.String:
                if (!Utf8.IsValid(text)) { return false; }
                ProtoBytes.WriteBytes(output, text);
                return true;
            case ProtoType.Bytes:
                ProtoBytes.WriteBytes(output, text);
                return true;
            case ProtoType.Enum:
                for (int i = 0; i < field.Enum!.SymbolBytes.Length; i++)
                {
                    if (!text.SequenceEqual(field.Enum.SymbolBytes[i])) { continue; }
                    ProtoBytes.WriteVarint(output, (ulong)(long)field.Enum.Numbers[i]);
                    return true;
                }

                return false;
            case ProtoType.Message when field.Message!.WellKnown == ProtoWellKnown.Wrapper:
                {
                    int start = output.Length;
                    ProtoField inner = field.Message.Fields[0];
                    ProtoBytes.WriteTag(output, 1, inner.Wire);
                    if (!ReplaceText(inner, text, output)) { return false; }
                    ProtoBytes.WriteLengthBefore(output, start);
                    return true;
                }
            default:
                return false;
        }
    }

    private static bool ReplaceNumber(ProtoField field, long bits, ByteBuffer output)
    {
        switch (field.Type)
        {
            case ProtoType.Double:
                ProtoBytes.WriteFixed64(output, (ulong)bits);
                return true;
            case ProtoType.Float:
                {
                    double number = BitConverter.Int64BitsToDouble(bits);
                    float narrow = (float)number;
                    if (double.IsFinite(number) && !float.IsFinite(narrow)) { return false; }
                    ProtoBytes.WriteFixed32(output, BitConverter.SingleToUInt32Bits(narrow));
                    return true;
                }
            case ProtoType.Int32 or ProtoType.SInt32 or ProtoType.SFixed32 when bits is < int.MinValue or > int.MaxValue:
            case ProtoType.UInt32 or ProtoType.Fixed32 when (ulong)bits > uint.MaxValue:
            case ProtoType.Bool or ProtoType.String or ProtoType.Bytes or ProtoType.Enum or ProtoType.Group:
                return false;
            case ProtoType.Message:
                {
                    int start = output.Length;
                    ProtoMessage message = field.Message!;
                    if (message.WellKnown is not (ProtoWellKnown.Wrapper or ProtoWellKnown.Timestamp)) { return false; }
                    if (message.WellKnown == ProtoWellKnown.Timestamp && !ProtoTime.IsTimestamp(bits, 0)) { return false; }

                    // Timestamps count in seconds.
                    ProtoField inner = message.Fields[0];
                    ProtoBytes.WriteTag(output, 1, inner.Wire);
                    if (!ReplaceNumber(inner, bits, output)) { return false; }
                    ProtoBytes.WriteLengthBefore(output, start);
                    return true;
                }
            default:
                ProtoBytes.WriteNumber(output, field.Type, bits);
                return true;
        }
    }
}
