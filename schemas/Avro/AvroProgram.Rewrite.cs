using System.Runtime.InteropServices;
using System.Text.Unicode;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Avro;

internal sealed partial class AvroProgram
{
    public override RewriteOutcome Rewrite(ReadOnlySpan<byte> value, CaptureFrame frame, ISiteMasker masker, ByteBuffer output)
    {
        ArgumentNullException.ThrowIfNull(frame);
        ArgumentNullException.ThrowIfNull(masker);
        ArgumentNullException.ThrowIfNull(output);
        var writer = new Writer { Value = value, Frame = frame, Scratch = frame.AvroScratch!, Masker = masker, Output = output };
        if (!Write(ref writer, frame.SiteCount, out _)) { return RewriteOutcome.MaskFailed; }
        output.Append(value[writer.Pos..]);
        return RewriteOutcome.Written;
    }

    private ref struct Writer
    {
        public ReadOnlySpan<byte> Value;
        public CaptureFrame Frame;
        public AvroScratch Scratch;
        public ISiteMasker Masker;
        public ByteBuffer Output;

        /// <summary>Written up to here.</summary>
        public int Pos;

        /// <summary>Next site and next block.</summary>
        public int Site;
        public int Block;
    }

    /// <summary>Writes up to the last site before <paramref name="sitesEnd"/>; <paramref name="removed"/> elements of the list or map around it were left out.</summary>
    private bool Write(ref Writer w, int sitesEnd, out int removed)
    {
        removed = 0;
        AvroBlock[] blocks = w.Scratch.Blocks;
        while (w.Site < sitesEnd)
        {
            // Blocks come in the order of their start, each with the range of sites inside: one that starts before the next site and holds it is next.
            while (w.Block < w.Scratch.BlockCount && blocks[w.Block].SitesEnd <= w.Site) { w.Block++; }
            int outside = w.Block < w.Scratch.BlockCount ? Math.Min(blocks[w.Block].FirstSite, sitesEnd) : sitesEnd;
            if (!(outside > w.Site ? WriteSites(ref w, outside, ref removed) : WriteBlock(ref w, blocks[w.Block++]))) { return false; }
        }

        return true;
    }

    private bool WriteBlock(ref Writer w, in AvroBlock block)
    {
        w.Output.Append(w.Value[w.Pos..block.ItemsStart]);
        int start = w.Output.Length;
        int header = block.ItemsStart - block.Start;
        w.Pos = block.ItemsStart;
        if (!Write(ref w, block.SitesEnd, out int removed)) { return false; }
        w.Output.Append(w.Value[w.Pos..block.End]);
        w.Pos = block.End;
        // As many items in as many bytes: the header stands, however it is spelled.
        if (removed == 0 && (!block.Sized || w.Output.Length - start == block.End - block.ItemsStart)) { return true; }

        // The count, and the size that is known only now. A block without items would end the list: it goes altogether.
        int count = block.Count - removed;
        if (count == 0)
        {
            w.Output.Truncate(start - header);
            return true;
        }

        Span<byte> fresh = stackalloc byte[20];
        int length = AvroBytes.WriteLong(fresh, block.Sized ? -(long)count : count);
        if (block.Sized) { length += AvroBytes.WriteLong(fresh[length..], w.Output.Length - start); }
        if (length > header)
        {
            w.Output.Insert(start - header, length - header);
        }
        else if (length < header)
        {
            int items = w.Output.Length - start;
            w.Output.Array.AsSpan(start, items).CopyTo(w.Output.Array.AsSpan(start - header + length));
            w.Output.Truncate(start - header + length + items);
        }

        fresh[..length].CopyTo(w.Output.Array.AsSpan(start - header));
        return true;
    }

    /// <summary>Writes sites that no block begins between. Texts, or texts or null, are what nearly all of them are: of those a mask writes its text where it is to stand.</summary>
    private bool WriteSites(ref Writer w, int sitesEnd, ref int removed)
    {
        // In locals: through the writer each site would wait for what the one before it stored.
        ReadOnlySpan<byte> value = w.Value;
        MaskSite[] sites = w.Frame.Sites;
        (int EntryStart, int SitesEnd)[] extras = w.Scratch.Extras;
        ByteBuffer output = w.Output;
        ISiteMasker masker = w.Masker;
        AvroNode[] nodes = _nodes;
        int pos = w.Pos;
        int next = w.Site;
        while (next < sitesEnd)
        {
            ref readonly MaskSite site = ref sites[next];
            AvroNode node = nodes[site.Node];
            SiteResult result;
            int lengthAt = site.Start + node.TextIndexBytes;

            // A union's index may be spelled longer than it need be.
            if (lengthAt >= site.Start && (lengthAt == site.Start || value[site.Start] < 0x80))
            {
                // One byte more than what is kept: where the new length goes.
                output.Append(value[pos..(lengthAt + 1)]);
                int start = output.Length;
                int behind = extras[next].SitesEnd;
                result = masker.Mask(sites.AsSpan(next, behind - next), value.Slice(site.TextStart, site.TextLength), output);
                if (result.Action == SiteAction.Text)
                {
                    int length = output.Length - start;
                    if (!AvroBytes.IsUtf8(ref MemoryMarshal.GetReference(output.Slice(start, length)), length)) { return false; }
                    if (length < 64) { output.Array[start - 1] = (byte)(length << 1); }
                    else { AvroBytes.WriteLengthBefore(output, start); }
                    pos = site.End;
                    next = behind;
                    continue;
                }

                bool keep = result.Action == SiteAction.Keep;
                output.Truncate(keep ? start - 1 : start - 1 - (lengthAt - pos));
                if (keep) { pos = lengthAt; }
            }
            else { result = Ask(ref w, next, node); }

            w.Pos = pos;
            w.Site = next;
            if (!WriteAnswer(ref w, node, result, ref removed)) { return false; }
            pos = w.Pos;
            next = w.Site;
        }

        w.Pos = pos;
        w.Site = next;
        return true;
    }

    private SiteResult Ask(ref Writer w, int next, AvroNode node)
    {
        ref readonly MaskSite site = ref w.Frame.Sites[next];
        ReadOnlySpan<byte> content = site.TextSource switch
        {
            SlotSource.Record => w.Value.Slice(site.TextStart, site.TextLength),
            SlotSource.Constant => _constants.AsSpan(site.TextStart, site.TextLength),
            _ => w.Frame.Scratch.AsSpan(site.TextStart, site.TextLength),
        };
        w.Scratch.Replacement.Clear();
        return w.Masker.Mask(w.Frame.Sites.AsSpan(next, node.Selectors.Length), content, w.Scratch.Replacement);
    }

    /// <summary>Does what a mask answered about the writer's site; a text, where it was asked for one, lies in the scratch.</summary>
    private static bool WriteAnswer(ref Writer w, AvroNode node, SiteResult result, ref int removed)
    {
        ref readonly MaskSite site = ref w.Frame.Sites[w.Site];
        (int entryStart, int sitesEnd) = w.Scratch.Extras[w.Site];
        switch (result.Action)
        {
            case SiteAction.Keep:
                w.Site += node.Selectors.Length;
                return true;
            case SiteAction.Fail:
            case SiteAction.Remove when !node.ListElement && !node.MapEntry:
                return false;
            case SiteAction.Remove:
                w.Output.Append(w.Value[w.Pos..(node.MapEntry ? entryStart : site.Start)]);
                removed++;
                break;
            default:
                w.Output.Append(w.Value[w.Pos..site.Start]);
                if (!Replace(w.Value, site, node.Type, result, w.Scratch.Replacement, w.Output)) { return false; }
                break;
        }

        w.Pos = site.End;
        w.Site = sitesEnd;
        return true;
    }

    private static bool Replace(ReadOnlySpan<byte> value, in MaskSite site, AvroType type, in SiteResult result, ByteBuffer replacement, ByteBuffer output)
    {
        AvroType branch = type;
        int pos = site.Start;
        if (type.Kind == AvroKind.Union)
        {
            int index = (int)AvroBytes.Number(value, ref pos);
            branch = type.Branches[index];
            if (result.Action == SiteAction.Redact && type.NullBranch >= 0)
            {
                AvroBytes.WriteLong(output, type.NullBranch);
                return true;
            }

            output.Append(value[site.Start..pos]);
        }

        switch (result.Action)
        {
            case SiteAction.Text:
                return ReplaceText(branch, replacement.Written, output);
            case SiteAction.Number:
                return ReplaceNumber(branch, result.Bits, output);
            case SiteAction.Redact:
                {
                    byte[]? redacted = AvroRedaction.Of(branch);
                    if (redacted is null) { return false; }
                    output.Append(redacted);
                    return true;
                }
            default:
                return false;
        }
    }

    private static bool ReplaceText(AvroType type, ReadOnlySpan<byte> text, ByteBuffer output)
    {
        switch (type.Kind)
        {
            case AvroKind.String:
                if (!Utf8.IsValid(text)) { return false; }
                AvroBytes.WriteBytes(output, text);
                return true;
            case AvroKind.Bytes when type.Logical == AvroLogical.None:
                AvroBytes.WriteBytes(output, text);
                return true;
            case AvroKind.Enum:
                for (int i = 0; i < type.SymbolBytes.Length; i++)
                {
                    if (!text.SequenceEqual(type.SymbolBytes[i])) { continue; }
                    AvroBytes.WriteLong(output, i);
                    return true;
                }

                return false;
            case AvroKind.Fixed when type.Logical == AvroLogical.Uuid:
                {
                    if (!Guid.TryParseExact(System.Text.Encoding.Latin1.GetString(text), "D", out Guid uuid)) { return false; }
                    uuid.TryWriteBytes(output.GetSpan(16), bigEndian: true, out _);
                    output.Advance(16);
                    return true;
                }
            case AvroKind.Fixed when type.Logical == AvroLogical.None && text.Length == type.Size:
                output.Append(text);
                return true;
            default:
                return false;
        }
    }

    private static bool ReplaceNumber(AvroType type, long bits, ByteBuffer output)
    {
        switch (type.Kind)
        {
            case AvroKind.Int:
                if (bits is < int.MinValue or > int.MaxValue) { return false; }
                AvroBytes.WriteLong(output, bits);
                return true;
            case AvroKind.Long:
                AvroBytes.WriteLong(output, bits);
                return true;
            case AvroKind.Float:
                {
                    double number = BitConverter.Int64BitsToDouble(bits);
                    float narrow = (float)number;
                    if (double.IsFinite(number) && !float.IsFinite(narrow)) { return false; }
                    AvroBytes.WriteFloat(output, narrow);
                    return true;
                }
            case AvroKind.Double:
                AvroBytes.WriteDouble(output, BitConverter.Int64BitsToDouble(bits));
                return true;
            default:
                return false;
        }
    }
}
