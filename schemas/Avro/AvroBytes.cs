using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text.Unicode;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Avro;

/// <summary>A zig-zag number that was read, and where the next byte is; a negative <paramref name="Next"/> is an outcome negated.</summary>
internal readonly record struct AvroNumber(long Value, int Next)
{
    public static AvroNumber Bad(DecodeOutcome outcome) => new(0, -(int)outcome);

    public DecodeOutcome Outcome => (DecodeOutcome)(-Next);
}

/// <summary>Avro's primitive encodings on bytes. Nothing here reads beyond the length it is given.</summary>
internal static class AvroBytes
{
    private const ulong StopBits = 0x8080_8080_8080_8080;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static AvroNumber ReadLong(ref byte data, int pos, int length)
    {
        if ((uint)pos < (uint)length)
        {
            uint first = Unsafe.Add(ref data, pos);
            if (first < 0x80) { return new AvroNumber((first >> 1) ^ -(int)(first & 1), pos + 1); }
        }

        return ReadLongSlow(ref data, pos, length);
    }

    /// <summary>An int: at most 5 bytes, 32 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static AvroNumber ReadInt(ref byte data, int pos, int length)
    {
        if ((uint)pos < (uint)length)
        {
            uint first = Unsafe.Add(ref data, pos);
            if (first < 0x80) { return new AvroNumber((first >> 1) ^ -(int)(first & 1), pos + 1); }
        }

        return ReadIntSlow(ref data, pos, length);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static AvroNumber ReadLongSlow(ref byte data, int pos, int length)
    {
        if (length - pos >= 8 && Bmi2.X64.IsSupported && BitConverter.IsLittleEndian)
        {
            ulong word = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref data, pos));
            ulong stop = ~word & StopBits;
            if (stop != 0)
            {
                int bits = BitOperations.TrailingZeroCount(stop) + 1;
                ulong raw = Bmi2.X64.ParallelBitExtract(word & (stop ^ (stop - 1)), ~StopBits);
                return new AvroNumber((long)(raw >> 1) ^ -(long)(raw & 1), pos + (bits >> 3));
            }
        }

        ulong value = 0;
        for (int shift = 0; shift <= 63; shift += 7)
        {
            if ((uint)pos >= (uint)length) { return AvroNumber.Bad(DecodeOutcome.Truncated); }
            uint part = Unsafe.Add(ref data, pos++);
            if (shift == 63 && part > 1) { return AvroNumber.Bad(DecodeOutcome.BadVarint); }
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80) { return new AvroNumber((long)(value >> 1) ^ -(long)(value & 1), pos); }
        }

        return AvroNumber.Bad(DecodeOutcome.BadVarint);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static AvroNumber ReadIntSlow(ref byte data, int pos, int length)
    {
        uint value = 0;
        for (int shift = 0; shift <= 28; shift += 7)
        {
            if ((uint)pos >= (uint)length) { return AvroNumber.Bad(DecodeOutcome.Truncated); }
            uint part = Unsafe.Add(ref data, pos++);
            if (shift == 28 && part > 0x0F) { return AvroNumber.Bad(DecodeOutcome.BadVarint); }
            value |= (part & 0x7F) << shift;
            if (part < 0x80) { return new AvroNumber((int)(value >> 1) ^ -(int)(value & 1), pos); }
        }

        return AvroNumber.Bad(DecodeOutcome.BadVarint);
    }

    /// <summary>Reads a number of a value that a walk has found good.</summary>
    public static long Number(ReadOnlySpan<byte> value, ref int pos)
    {
        AvroNumber number = ReadLong(ref MemoryMarshal.GetReference(value), pos, value.Length);
        if (number.Next < 0) { throw new InvalidOperationException("Bytes that were not walked."); }
        pos = number.Next;
        return number.Value;
    }

    /// <summary>True for valid UTF-8. Short ASCII, which most text is, does not leave registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsUtf8(ref byte start, int length)
    {
        if (length is >= 8 and <= 32)
        {
            ulong bits = Unsafe.ReadUnaligned<ulong>(ref start) | Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref start, length - 8));
            if (length > 16)
            {
                bits |= Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref start, 8)) | Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref start, length - 16));
            }

            if ((bits & StopBits) == 0) { return true; }
        }
        else if (length < 8)
        {
            uint bits = 0;
            if (length >= 4)
            {
                bits = Unsafe.ReadUnaligned<uint>(ref start) | Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref start, length - 4));
            }
            else
            {
                for (int i = 0; i < length; i++) { bits |= Unsafe.Add(ref start, i); }
            }

            if ((bits & 0x8080_8080u) == 0) { return true; }
        }

        return IsUtf8Slow(ref start, length);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool IsUtf8Slow(ref byte start, int length) => Utf8.IsValid(MemoryMarshal.CreateReadOnlySpan(ref start, length));

    public static void WriteLong(ByteBuffer output, long value)
    {
        Span<byte> bytes = output.GetSpan(10);
        output.Advance(WriteLong(bytes, value));
    }

    public static int WriteLong(Span<byte> bytes, long value)
    {
        ulong raw = ((ulong)value << 1) ^ (ulong)(value >> 63);
        int length = 0;
        while (raw >= 0x80)
        {
            bytes[length++] = (byte)(raw | 0x80);
            raw >>= 7;
        }

        bytes[length++] = (byte)raw;
        return length;
    }

    public static void WriteFloat(ByteBuffer output, float value)
    {
        BinaryPrimitives.WriteSingleLittleEndian(output.GetSpan(4), value);
        output.Advance(4);
    }

    public static void WriteDouble(ByteBuffer output, double value)
    {
        BinaryPrimitives.WriteDoubleLittleEndian(output.GetSpan(8), value);
        output.Advance(8);
    }

    public static void WriteBytes(ByteBuffer output, ReadOnlySpan<byte> bytes)
    {
        WriteLong(output, bytes.Length);
        output.Append(bytes);
    }
}
