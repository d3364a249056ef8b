using System.Runtime.CompilerServices;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Avro;

/// <summary>What a walk and its rewrite keep beside slots and sites; one a frame, reused.</summary>
internal sealed class AvroScratch
{
    /// <summary>Beside each site: where a map entry's key starts, and the number of sites when the value ended.</summary>
    public (int EntryStart, int SitesEnd)[] Extras = new (int, int)[16];

    /// <summary>Blocks of lists and maps that may have sites in them, in order of their start.</summary>
    public AvroBlock[] Blocks = new AvroBlock[8];
    public int BlockCount;

    /// <summary>Values that have begun and not ended: start and first site.</summary>
    public (int Start, int Site)[] Open = new (int, int)[16];
    public int OpenCount;

    /// <summary>Keys of maps that are being read, innermost last: offset and length.</summary>
    public ulong[] Keys = new ulong[32];
    public int KeyCount;
    private ulong[] _hashes = [];

    public ByteBuffer Replacement { get; } = new(256);

    public void Begin()
    {
        BlockCount = 0;
        OpenCount = 0;
        KeyCount = 0;
    }

    public void PushKey(int offset, int length)
    {
        if (KeyCount == Keys.Length) { Array.Resize(ref Keys, 2 * KeyCount); }
        Keys[KeyCount++] = ((ulong)(uint)offset << 32) | (uint)length;
    }

    public void PushOpen(int start, int site)
    {
        if (OpenCount == Open.Length) { Array.Resize(ref Open, 2 * OpenCount); }
        Open[OpenCount++] = (start, site);
    }

    public int AddBlock(in AvroBlock block)
    {
        if (BlockCount == Blocks.Length) { Array.Resize(ref Blocks, 2 * BlockCount); }
        Blocks[BlockCount] = block;
        return BlockCount++;
    }

    /// <summary>True where two of the keys from <paramref name="first"/> on are the same bytes. Changes their order.</summary>
    public bool HasDuplicateKeys(int first, ReadOnlySpan<byte> value)
    {
        Span<ulong> keys = Keys.AsSpan(first, KeyCount - first);
        return keys.Length <= 8 ? AnyTwoAlike(keys, value) : AnyTwoAlikeOfMany(keys, value);
    }

    private bool AnyTwoAlikeOfMany(Span<ulong> keys, ReadOnlySpan<byte> value)
    {
        // The hash is keyed by a secret of the process, so nobody can choose keys that collide and make this quadratic.
        if (_hashes.Length < keys.Length) { _hashes = new ulong[Math.Max(keys.Length, 2 * _hashes.Length)]; }
        Span<ulong> hashes = _hashes.AsSpan(0, keys.Length);
        for (int i = 0; i < keys.Length; i++) { hashes[i] = Hash(Bytes(keys[i], value)); }
        hashes.Sort(keys);
        int start = 0;
        for (int i = 1; i <= keys.Length; i++)
        {
            if (i < keys.Length && hashes[i] == hashes[start]) { continue; }
            if (i - start > 1 && AnyTwoAlike(keys[start..i], value)) { return true; }
            start = i;
        }

        return false;
    }

    private static bool AnyTwoAlike(ReadOnlySpan<ulong> keys, ReadOnlySpan<byte> value)
    {
        for (int i = 1; i < keys.Length; i++)
        {
            for (int j = 0; j < i; j++)
            {
                if ((uint)keys[i] == (uint)keys[j] && Bytes(keys[i], value).SequenceEqual(Bytes(keys[j], value))) { return true; }
            }
        }

        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ReadOnlySpan<byte> Bytes(ulong key, ReadOnlySpan<byte> value) => value.Slice((int)(key >> 32), (int)(uint)key);

    private static ulong Hash(ReadOnlySpan<byte> key)
    {
        ulong last = (key.Length & 1) == 0 ? 0u : (uint)key[^1] + 1;
        return ((ulong)(uint)string.GetHashCode(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, char>(key)) << 16) | last;
    }
}

/// <summary>One block of a list or map in the record.</summary>
internal struct AvroBlock
{
    /// <summary>Start of the count, start of the first item, end of the last.</summary>
    public int Start;
    public int ItemsStart;
    public int End;
    public int Count;

    /// <summary>Sites inside: from this one up to that, exclusive.</summary>
    public int FirstSite;
    public int SitesEnd;

    /// <summary>True where the count was negative and the block's size in bytes followed.</summary>
    public bool Sized;
}
