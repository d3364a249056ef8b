using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text.Unicode;

namespace PolicyStreams.Bench.Decisions;

/// <summary>
/// The tests of the reference job's rules as a programmer would write them for this one schema: one straight method that decodes and tests on the bytes. A bit a rule that fires.
/// With <c>check</c> it also refuses what the walk refuses (text that is no UTF-8, lengths, indexes, and counts out of range); without, only the ends of the bytes hold.
/// </summary>
internal static class HandWrittenDecision
{
    private const long Year2020 = 1_577_836_800_000;

    public static int Decide(ReadOnlySpan<byte> framed, bool check)
    {
        if (framed.Length > 65_536 || framed[0] != 0 || BinaryPrimitives.ReadInt32BigEndian(framed[1..]) != 1) { return -1; }
        ReadOnlySpan<byte> data = framed[5..];
        int pos = 0;
        int fired = 0;
        ReadOnlySpan<byte> paymentId = Text(data, ref pos, check);
        if (CodePoints(paymentId) != 36) { fired |= 1 << 5; }
        if (Long(data, ref pos) < Year2020) { fired |= 1 << 11; }
        double amount = BitConverter.ToDouble(data[pos..]);
        pos += 8;
        if (amount <= 0) { fired |= 1 << 2; }
        if (amount > 10_000) { fired |= 1 << 13; }
        ReadOnlySpan<byte> currency = Text(data, ref pos, check);
        if (!(currency.SequenceEqual("EUR"u8) || currency.SequenceEqual("USD"u8) || currency.SequenceEqual("GBP"u8) || currency.SequenceEqual("JPY"u8) || currency.SequenceEqual("CHF"u8))) { fired |= 1 << 3; }
        ReadOnlySpan<byte> country = Text(data, ref pos, check);
        if (country.SequenceEqual("KP"u8) || country.SequenceEqual("IR"u8) || country.SequenceEqual("SY"u8) || country.SequenceEqual("CU"u8)) { fired |= 1 << 4; }
        if (amount > 2000 && country.SequenceEqual("NG"u8)) { fired |= 1 << 15; }
        long channel = Long(data, ref pos);
        if (check && (ulong)channel > 3) { return -1; }
        if (channel == 3 && amount > 5000) { fired |= 1 << 14; }
        if (channel == 2) { fired |= 1 << 17; }
        ReadOnlySpan<byte> card = Text(data, ref pos, check);
        if (card.Length is < 13 or > 19 || card.ContainsAnyExceptInRange((byte)'0', (byte)'9')) { fired |= 1 << 10; }
        Text(data, ref pos, check);
        Text(data, ref pos, check);
        if (Present(data, ref pos, check)) { Text(data, ref pos, check); }
        if (Present(data, ref pos, check) && Long(data, ref pos) < 18) { fired |= 1 << 9; }
        if (Text(data, ref pos, check).Length == 0) { fired |= 1 << 6; }
        if (Present(data, ref pos, check) && HoldsKey(Text(data, ref pos, check))) { fired |= 1 << 12; }
        long items = 0;
        for (long count = Long(data, ref pos); count != 0; count = Long(data, ref pos))
        {
            if (count < 0)
            {
                count = -count;
                Long(data, ref pos);
            }

            if (check && count > data.Length - pos) { return -1; }
            items += count;
            for (; count > 0; count--)
            {
                Text(data, ref pos, check);
                if (Long(data, ref pos) <= 0) { fired |= 1 << 8; }
                if (BitConverter.ToDouble(data[pos..]) > 9000) { fired |= 1 << 16; }
                pos += 8;
            }
        }

        if (items is 0 or > 50) { fired |= 1 << 7; }
        return pos == data.Length ? fired : -1;
    }

    private static bool HoldsKey(ReadOnlySpan<byte> note)
    {
        for (int at = note.IndexOf("AKIA"u8); at >= 0; at = note.IndexOf("AKIA"u8))
        {
            note = note[(at + 4)..];
            if (note.Length < 16) { return false; }
            int i = 0;
            while (i < 16 && (note[i] is >= (byte)'0' and <= (byte)'9' or >= (byte)'A' and <= (byte)'Z')) { i++; }
            if (i == 16) { return true; }
        }

        return false;
    }

    private static int CodePoints(ReadOnlySpan<byte> text)
    {
        if (System.Text.Ascii.IsValid(text)) { return text.Length; }
        int count = 0;
        foreach (byte octet in text) { count += (sbyte)octet >= -64 ? 1 : 0; }
        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Present(ReadOnlySpan<byte> data, ref int pos, bool check)
    {
        long index = Long(data, ref pos);
        if (check && (ulong)index > 1) { throw new InvalidOperationException(); }
        return index != 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long Long(ReadOnlySpan<byte> data, ref int pos)
    {
        ulong value = data[pos++];
        if (value >= 0x80)
        {
            value &= 0x7F;
            for (int shift = 7; ; shift += 7)
            {
                ulong part = data[pos++];
                value |= (part & 0x7F) << shift;
                if (part < 0x80) { break; }
            }
        }

        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ReadOnlySpan<byte> Text(ReadOnlySpan<byte> data, ref int pos, bool check)
    {
        int length = (int)Long(data, ref pos);
        ReadOnlySpan<byte> text = data.Slice(pos, length);
        if (check && !Utf8.IsValid(text)) { throw new InvalidOperationException(); }
        pos += length;
        return text;
    }
}
