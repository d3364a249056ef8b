using System.Buffers;
using System.Runtime.CompilerServices;

namespace PolicyStreams.Schemas.Capture;

/// <summary>
/// A growable run of bytes on one array, reused: one a batch on the record path. Not thread-safe. Positions stay valid while it grows, spans do not.
/// </summary>
public sealed class ByteBuffer(int capacity = 4096) : IBufferWriter<byte>
{
    private byte[] _bytes = new byte[Math.Max(capacity, 16)];

    public int Length { get; private set; }

    public byte[] Array => _bytes;

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    public ReadOnlySpan<byte> Slice(int start, int length) => _bytes.AsSpan(start, length);

    /// <summary>Forgets what was written, and zeroes it where it held payload.</summary>
    public void Clear(bool zero = false)
    {
        if (zero) { System.Array.Clear(_bytes, 0, Length); }
        Length = 0;
    }

    /// <summary>Cuts back to a length that was reached before.</summary>
    public void Truncate(int length)
    {
        if ((uint)length > (uint)Length) { throw new ArgumentOutOfRangeException(nameof(length), length, "Only a length that was reached before."); }
        Length = length;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (_bytes.Length - Length < bytes.Length) { Grow(bytes.Length); }
        bytes.CopyTo(_bytes.AsSpan(Length));
        Length += bytes.Length;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Append(byte value)
    {
        if (_bytes.Length == Length) { Grow(1); }
        _bytes[Length++] = value;
    }

    /// <summary>At least <paramref name="sizeHint"/> free bytes at the end; follow with <see cref="Advance"/>.</summary>
    public Span<byte> GetSpan(int sizeHint = 1)
    {
        if (_bytes.Length - Length < sizeHint) { Grow(sizeHint); }
        return _bytes.AsSpan(Length);
    }

    public Memory<byte> GetMemory(int sizeHint = 1)
    {
        if (_bytes.Length - Length < sizeHint) { Grow(sizeHint); }
        return _bytes.AsMemory(Length);
    }

    public void Advance(int count) => Length += count;

    /// <summary>Opens a gap of <paramref name="count"/> bytes at <paramref name="position"/> (for a length whose size is known only after what follows it).</summary>
    public Span<byte> Insert(int position, int count)
    {
        if (_bytes.Length - Length < count) { Grow(count); }
        _bytes.AsSpan(position, Length - position).CopyTo(_bytes.AsSpan(position + count));
        Length += count;
        return _bytes.AsSpan(position, count);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Grow(int more)
    {
        int wanted = (int)Math.Min(Math.Max(2L * _bytes.Length, (long)Length + more), System.Array.MaxLength);
        if (wanted - Length < more) { throw new InvalidOperationException("A buffer would pass 2 GiB."); }
        System.Array.Resize(ref _bytes, wanted);
    }
}
