using System.Security.Cryptography;

namespace PolicyStreams.Processor.Audit;

/// <summary>
/// The Merkle tree hash of RFC 9162, section 2.1.1, built as leaves come: leaf hash SHA-256(0x00 ‖ bytes), node hash SHA-256(0x01 ‖ left ‖ right).
/// Keeps one hash a level, so memory is logarithmic. Not thread-safe; reused by <see cref="Clear"/>.
/// </summary>
public sealed class MerkleTree : IDisposable
{
    public const int HashBytes = 32;

    private static readonly byte[] LeafPrefix = [0];

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    // Roots of the full subtrees that the leaves so far make, largest first: one for each bit set in the count.
    private readonly byte[] _subtrees = new byte[64 * HashBytes];
    private readonly byte[] _node = new byte[1 + (2 * HashBytes)];
    private int _levels;

    public MerkleTree() => _node[0] = 1;

    /// <summary>Leaves added since <see cref="Clear"/>.</summary>
    public long Count { get; private set; }

    public void Add(ReadOnlySpan<byte> leaf)
    {
        _hash.AppendData(LeafPrefix);
        _hash.AppendData(leaf);
        _hash.GetHashAndReset(_subtrees.AsSpan(_levels * HashBytes, HashBytes));
        _levels++;

        // Two subtrees of one size become one: as many times as the count has low bits set.
        for (long bits = Count; (bits & 1) == 1; bits >>= 1) { Merge(); }
        Count++;
    }

    /// <summary>Writes the root of the leaves so far; of none it is SHA-256 of nothing. Leaves the tree as it is.</summary>
    public void Root(Span<byte> destination)
    {
        if (_levels == 0)
        {
            SHA256.HashData([], destination);
            return;
        }

        Span<byte> right = stackalloc byte[HashBytes];
        Subtree(_levels - 1).CopyTo(right);
        for (int level = _levels - 2; level >= 0; level--)
        {
            Subtree(level).CopyTo(_node.AsSpan(1));
            right.CopyTo(_node.AsSpan(1 + HashBytes));
            SHA256.HashData(_node, right);
        }

        right.CopyTo(destination);
    }

    public void Clear()
    {
        _levels = 0;
        Count = 0;
    }

    public void Dispose() => _hash.Dispose();

    private void Merge()
    {
        _subtrees.AsSpan((_levels - 2) * HashBytes, 2 * HashBytes).CopyTo(_node.AsSpan(1));
        SHA256.HashData(_node, Subtree(_levels - 2));
        _levels--;
    }

    private Span<byte> Subtree(int level) => _subtrees.AsSpan(level * HashBytes, HashBytes);
}
