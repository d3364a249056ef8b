using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Protobuf;

/// <summary>Varints, tags, and fields that are skipped. Nothing throws on bytes; nothing reads behind <c>end</c>.</summary>
internal static class ProtoBytes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DecodeOutcome ReadVarint(ReadOnlySpan<byte> data, ref int pos, int end, out ulong value)
    {
        if (pos < end && data[pos] < 0x80)
        {
            value = data[pos++];
            return DecodeOutcome.Decoded;
        }

        return ReadLong(data, ref pos, end, out value);
    }

    /// <summary>A tag: its field number, 1 to 2^29-1, and how its value lies in the bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DecodeOutcome ReadTag(ReadOnlySpan<byte> data, ref int pos, int end, out int number, out int wire)
    {
        DecodeOutcome outcome = ReadVarint(data, ref pos, end, out ulong tag);
        number = (int)(tag >> 3);
        wire = (int)tag & 7;
        if (outcome != DecodeOutcome.Decoded) { return outcome; }
        return tag is < 8 or > uint.MaxValue || wire > ProtoWire.Fixed32 ? DecodeOutcome.Malformed : DecodeOutcome.Decoded;
    }

    /// <summary>A length, and the bytes that it promises: where they end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DecodeOutcome ReadLength(ReadOnlySpan<byte> data, ref int pos, int end, out int contentEnd)
    {
        DecodeOutcome outcome = ReadVarint(data, ref pos, end, out ulong length);
        contentEnd = 0;
        if (outcome != DecodeOutcome.Decoded) { return outcome; }
        if (length > (ulong)(end - pos)) { return length > int.MaxValue ? DecodeOutcome.LengthTooLarge : DecodeOutcome.LengthBeyondEnd; }
        contentEnd = pos + (int)length;
        return DecodeOutcome.Decoded;
    }

    /// <summary>Goes past the value of a field that is not looked into: bounds and groups are checked.</summary>
    /// <param name="depth">Levels that groups inside may yet have.</param>
    public static DecodeOutcome Skip(ReadOnlySpan<byte> data, ref int pos, int end, int number, int wire, int depth)
    {
        switch (wire)
        {
            case ProtoWire.Varint:
                return ReadVarint(data, ref pos, end, out _);
            case ProtoWire.Fixed64:
                if (end - pos < 8) { return DecodeOutcome.Truncated; }
                pos += 8;
                return DecodeOutcome.Decoded;
            case ProtoWire.Fixed32:
                if (end - pos < 4) { return DecodeOutcome.Truncated; }
                pos += 4;
                return DecodeOutcome.Decoded;
            case ProtoWire.Length:
                DecodeOutcome outcome = ReadLength(data, ref pos, end, out int contentEnd);
                if (outcome == DecodeOutcome.Decoded) { pos = contentEnd; }
                return outcome;
            case ProtoWire.StartGroup:
                return SkipGroup(data, ref pos, end, number, depth);
            default:
                return DecodeOutcome.Malformed;
        }
    }

    private static DecodeOutcome SkipGroup(ReadOnlySpan<byte> data, ref int pos, int end, int group, int depth)
    {
        if (depth <= 0) { return DecodeOutcome.TooDeep; }
        while (true)
        {
            DecodeOutcome outcome = ReadTag(data, ref pos, end, out int number, out int wire);
            if (outcome != DecodeOutcome.Decoded) { return outcome; }
            if (wire == ProtoWire.EndGroup) { return number == group ? DecodeOutcome.Decoded : DecodeOutcome.Malformed; }
            outcome = Skip(data, ref pos, end, number, wire, depth - 1);
            if (outcome != DecodeOutcome.Decoded) { return outcome; }
        }
    }

    /// <summary>A varint of bytes that a walk has found good.</summary>
    public static ulong Varint(ReadOnlySpan<byte> data, ref int pos)
    {
        ReadVarint(data, ref pos, data.Length, out ulong value);
        return value;
    }

    /// <summary>The number of a field of good bytes, its wire type, and where its content lies: for a length, without it; for a group, without the tag behind it.</summary>
    public static int Field(ReadOnlySpan<byte> data, ref int pos, out int wire, out int start, out int end)
    {
        ReadTag(data, ref pos, data.Length, out int number, out wire);
        start = pos;
        if (wire == ProtoWire.Length)
        {
            ReadLength(data, ref pos, data.Length, out end);
            start = pos;
            pos = end;
            return number;
        }

        end = pos;
        if (wire != ProtoWire.StartGroup)
        {
            Skip(data, ref pos, data.Length, number, wire, 0);
            end = pos;
            return number;
        }

        while (true)
        {
            end = pos;
            ReadTag(data, ref pos, data.Length, out int inner, out int innerWire);
            if (innerWire == ProtoWire.EndGroup) { return number; }
            Skip(data, ref pos, data.Length, inner, innerWire, int.MaxValue);
        }
    }

    public static int VarintSize(ulong value) => (BitOperations.Log2(value | 1) / 7) + 1;

    public static void WriteVarint(ByteBuffer output, ulong value)
    {
        Span<byte> room = output.GetSpan(10);
        int length = 0;
        for (; value >= 0x80; value >>= 7) { room[length++] = (byte)(value | 0x80); }
        room[length++] = (byte)value;
        output.Advance(length);
    }

    public static void WriteTag(ByteBuffer output, int number, int wire) => WriteVarint(output, ((ulong)(uint)number << 3) | (uint)wire);

    public static void WriteBytes(ByteBuffer output, ReadOnlySpan<byte> bytes)
    {
        WriteVarint(output, (ulong)bytes.Length);
        output.Append(bytes);
    }

    public static void WriteFixed32(ByteBuffer output, uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(output.GetSpan(4), value);
        output.Advance(4);
    }

    public static void WriteFixed64(ByteBuffer output, ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(output.GetSpan(8), value);
        output.Advance(8);
    }

    public static ulong ZigZag(long value) => ((ulong)value << 1) ^ (ulong)(value >> 63);

    public static long UnZigZag(ulong raw) => (long)(raw >> 1) ^ -(long)(raw & 1);

    /// <summary>Puts the length before bytes that were appended from <paramref name="start"/> on.</summary>
    /// <param name="reserved">Bytes before them that are there for it: 0 or 1.</param>
    public static void WriteLengthBefore(ByteBuffer output, int start, int reserved = 0)
    {
        int length = output.Length - start;
        int size = VarintSize((ulong)length);
        if (size > reserved) { output.Insert(start, size - reserved); }
        Span<byte> room = output.Array.AsSpan(start - reserved, size);
        ulong rest = (ulong)length;
        for (int i = 0; i < size; i++, rest >>= 7) { room[i] = (byte)((rest & 0x7F) | (i + 1 < size ? 0x80u : 0)); }
    }

    /// <summary>Writes a number or enum as its type lies in the bytes, tag not included. The value's range is the caller's word.</summary>
    public static void WriteNumber(ByteBuffer output, ProtoType type, long value)
    {
        switch (type)
        {
            case ProtoType.SInt32 or ProtoType.SInt64:
                WriteVarint(output, ZigZag(value));
                break;
            case ProtoType.Fixed32 or ProtoType.SFixed32:
                WriteFixed32(output, (uint)value);
                break;
            case ProtoType.Fixed64 or ProtoType.SFixed64:
                WriteFixed64(output, (ulong)value);
                break;
            default:
                WriteVarint(output, (ulong)value);
                break;
        }
    }

    private static DecodeOutcome ReadLong(ReadOnlySpan<byte> data, ref int pos, int end, out ulong value)
    {
        value = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            if (pos >= end) { return DecodeOutcome.Truncated; }
            byte one = data[pos++];
            value |= (ulong)(one & 0x7F) << shift;
            if (one >= 0x80) { continue; }
            return shift == 63 && one > 1 ? DecodeOutcome.VarintOverflow : DecodeOutcome.Decoded;
        }

        return DecodeOutcome.VarintTooLong;
    }
}
