using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text.Unicode;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Avro;

/// <summary>
/// The parts of an emitted walk that are more than a few instructions. Positions come back negative, and tests false, where the interpreter has to look: it alone says what is wrong.
/// </summary>
internal static class AvroFast
{
    /// <summary>An emitted walk is for values of so many bytes at least: text is checked a window at a time.</summary>
    public const int Window = 32;

    /// <summary>True for text that is ASCII. The window lies inside the value: at the text, or, near the value's end, before it.</summary>
    /// <param name="size">At most <see cref="Window"/>, and within <paramref name="length"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsShortAscii(ref byte data, nint pos, nint length, nint size)
    {
        nint at = Math.Min(pos, length - Window);
        uint high = Vector256.LoadUnsafe(ref data, (nuint)at).ExtractMostSignificantBits() >> (int)(pos - at);
        return (high & (uint)((1UL << (int)size) - 1)) == 0;
    }

    /// <summary>True for text that is UTF-8.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool IsText(ref byte data, int pos, int size)
    {
        ref byte start = ref Unsafe.Add(ref data, pos);
        if (size >= Window)
        {
            // The last window overlaps the one before it.
            Vector256<byte> bits = Vector256.LoadUnsafe(ref start, (nuint)(uint)(size - Window));
            for (int at = 0; at < size - Window; at += Window) { bits |= Vector256.LoadUnsafe(ref start, (nuint)(uint)at); }
            if (bits.ExtractMostSignificantBits() == 0) { return true; }
        }

        return Utf8.IsValid(MemoryMarshal.CreateReadOnlySpan(ref start, size));
    }

    /// <summary>Text's or bytes' length of more than one byte, or a bad one; -1 or where the content starts.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int ReadLength(ref byte data, int pos, int length, out int size)
    {
        long number = AvroBytes.ReadLongSlow(ref data, pos, length, out int next);
        size = (int)number;
        return next < 0 || (ulong)number > (ulong)(length - next) ? -1 : next;
    }

    /// <summary>An instant's slot, of a number in its own unit; false where it is out of range.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool PutInstant(ref Slot slot, long value, long perSecond, int nanosPerUnit)
    {
        long seconds = value / perSecond;
        long rest = value - (seconds * perSecond);
        if (rest < 0)
        {
            seconds--;
            rest += perSecond;
        }

        slot.Bits = seconds;
        slot.Aux = (int)rest * nanosPerUnit;
        slot.Kind = ValueKind.Timestamp;
        slot.Source = SlotSource.Record;
        slot.Node = 0;
        return AvroTime.InRange(seconds);
    }

    /// <summary>A block's count of items, and where it ends if that is said, else -1; negative for what is wrong.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int ReadCount(ref byte data, int pos, int length, out int count, out int end)
    {
        count = 0;
        end = -1;
        AvroNumber number = AvroBytes.ReadLong(ref data, pos, length);
        if (number.Next < 0 || number.Value is > int.MaxValue or < -int.MaxValue) { return -1; }
        pos = number.Next;
        count = (int)number.Value;
        if (count >= 0) { return pos; }
        count = -count;
        number = AvroBytes.ReadLong(ref data, pos, length);
        if (number.Next < 0 || (ulong)number.Value > (ulong)(length - number.Next)) { return -1; }
        end = number.Next + (int)number.Value;
        return number.Next;
    }

    /// <summary>Adds the site of a text that one selector selects; false where there is no room.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool AddTextSite(CaptureFrame frame, int start, int textStart, int size, int selector, int node)
    {
        int index = frame.SiteCount;
        MaskSite[] sites = frame.Sites;
        (int, int)[] extras = frame.AvroScratch!.Extras;
        if ((uint)index >= (uint)sites.Length || (uint)index >= (uint)extras.Length) { return false; }
        ref MaskSite site = ref sites[index];
        site.Start = start;
        site.End = textStart + size;
        site.TextStart = textStart;
        site.TextLength = size;
        site.TextSource = SlotSource.Record;
        site.Kind = ValueKind.String;
        site.Selector = (ushort)selector;
        site.Node = (ushort)node;
        site.Bits = 0;
        site.Aux = 0;
        extras[index] = (0, index + 1);
        frame.SiteCount = index + 1;
        return true;
    }

    /// <summary>The same for several selectors, which the node has.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool AddTextSites(CaptureFrame frame, int start, int textStart, int size, AvroNode node, int number)
    {
        int first = frame.SiteCount;
        foreach (ushort selector in node.Selectors)
        {
            if (!AddTextSite(frame, start, textStart, size, selector, number)) { return false; }
        }

        for (int i = first; i < frame.SiteCount; i++) { frame.AvroScratch!.Extras[i].SitesEnd = frame.SiteCount; }
        return true;
    }
}
