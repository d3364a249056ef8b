using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Text.Unicode;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Avro;

/// <summary>A zig-zag number that was read, and where the next byte is; a negative <paramref name="Next"/> is an outcome negated.</summary>
internal readonly record struct AvroNumber(long Value, int Next)
{
    public DecodeOutcome Outcome => (DecodeOutcome)(-Next);
}

/// <summary>Avro's primitive encodings on bytes. Nothing here reads beyond the length it is given.</summary>
internal static class AvroBytes
{
    private const ulong StopBits = 0x8080_8080_8080_8080;

    /// <summary>A long: at most 10 bytes, 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static AvroNumber ReadLong(ref byte data, int pos, int length)
    {
        if ((uint)pos < (uint)length)
        {
            uint first = Unsafe.Add(ref data, pos);
            if (first < 0x80) { return new AvroNumber((int)(first >> 1) ^ -(int)(first & 1), pos + 1); }
        }

        long value = ReadLongSlow(ref data, pos, length, out int next);
        return new AvroNumber(value, next);
    }

    /// <summary>A long of any length. <paramref name="next"/> is where the next byte is, or the outcome negated.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static long ReadLongSlow(ref byte data, int pos, int length, out int next)
    {
        if (length - pos >= 8 && Bmi2.X64.IsSupported && BitConverter.IsLittleEndian)
        {
            ulong word = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref data, pos));
            ulong stop = ~word & StopBits;
            if (stop != 0)
            {
                int bits = BitOperations.TrailingZeroCount(stop) + 1;
                ulong raw = Bmi2.X64.ParallelBitExtract(word & (stop ^ (stop - 1)), ~StopBits);
                next = pos + (bits >> 3);
                return (long)(raw >> 1) ^ -(long)(raw & 1);
            }
        }

        ulong value = 0;
        for (int shift = 0; shift <= 63; shift += 7)
        {
            if ((uint)pos >= (uint)length) { return Bad(DecodeOutcome.Truncated, out next); }
            uint part = Unsafe.Add(ref data, pos++);
            if (shift == 63 && part > 1) { return Bad(part < 0x80 ? DecodeOutcome.VarintOverflow : DecodeOutcome.VarintTooLong, out next); }
            value |= (ulong)(part & 0x7F) << shift;
            if (part >= 0x80) { continue; }
            next = pos;
            return (long)(value >> 1) ^ -(long)(value & 1);
        }

        return Bad(DecodeOutcome.VarintTooLong, out next);
    }

    /// <summary>An int: at most 5 bytes, 32 bits. <paramref name="next"/> as of <see cref="ReadLongSlow"/>.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static long ReadIntSlow(ref byte data, int pos, int length, out int next)
    {
        uint value = 0;
        for (int shift = 0; shift <= 28; shift += 7)
        {
            if ((uint)pos >= (uint)length) { return Bad(DecodeOutcome.Truncated, out next); }
            uint part = Unsafe.Add(ref data, pos++);
            if (shift == 28 && part > 0x0F) { return Bad(part < 0x80 ? DecodeOutcome.VarintOverflow : DecodeOutcome.VarintTooLong, out next); }
            value |= (part & 0x7F) << shift;
            if (part >= 0x80) { continue; }
            next = pos;
            return (int)(value >> 1) ^ -(int)(value & 1);
        }

        return Bad(DecodeOutcome.VarintTooLong, out next);
    }

    private static long Bad(DecodeOutcome outcome, out int next)
    {
        next = -(int)outcome;
        return 0;
    }

    /// <summary>What is wrong with a length or count that the bytes left do not have. Never inlined: the walk's loop stays small.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static DecodeOutcome BadLength(long length) =>
        length < 0 ? DecodeOutcome.NegativeLength : length > int.MaxValue ? DecodeOutcome.LengthTooLarge : DecodeOutcome.LengthBeyondEnd;

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
        if (length is >= 16 and <= 64)
        {
            Vector128<byte> bits = Vector128.LoadUnsafe(ref start) | Vector128.LoadUnsafe(ref start, (nuint)(length - 16));
            if (length > 32) { bits |= Vector128.LoadUnsafe(ref start, 16) | Vector128.LoadUnsafe(ref start, (nuint)(length - 32)); }
            if (bits.ExtractMostSignificantBits() == 0) { return true; }
        }
        else if (length is >= 8 and < 16)
        {
            ulong bits = Unsafe.ReadUnaligned<ulong>(ref start) | Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref start, length - 8));
            if ((bits & StopBits) == 0) { return true; }
        }
        else if (length < 8)
        {
            uint bits = 0;
            if (length >= 4)
            {
                bits = Unsafe.ReadUnaligned<uint>(ref start) | Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref start, length - 4));
            }
            else if (length > 0)
            {
                // First, middle, and last are all of up to three.
                bits = (uint)(start | Unsafe.Add(ref start, length >> 1) | Unsafe.Add(ref start, length - 1));
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

    /// <summary>Writes the length of what was appended from <paramref name="start"/> on; one byte before it is there for that, more are put in.</summary>
    public static void WriteLengthBefore(ByteBuffer output, int start)
    {
        Span<byte> length = stackalloc byte[10];
        int size = WriteLong(length, output.Length - start);
        if (size > 1) { output.Insert(start, size - 1); }
        length[..size].CopyTo(output.Array.AsSpan(start - 1));
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
