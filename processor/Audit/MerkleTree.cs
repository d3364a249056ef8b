using PolicyStreams.Processor.Hosting;

namespace PolicyStreams.Processor.Audit;

/// <summary>
/// The Merkle tree hash of RFC 9162, section 2.1.1, built as leaves come: leaf hash SHA-256(0x00 ‖ bytes), node hash SHA-256(0x01 ‖ left ‖ right).
/// Keeps one hash a level, so memory is logarithmic. Not thread-safe; reused by <see cref="Clear"/>.
/// </summary>
public sealed class MerkleTree : IDisposable
{
    public const int HashBytes = 32;

    private readonly Sha256Digest _leaf;
    private readonly Sha256Digest _inner;

    // Roots of the full subtrees that the leaves so far make, largest first: one for each bit set in the count.
    private readonly byte[] _subtrees = new byte[64 * HashBytes];
    private int _levels;

    /// <param name="recordPath">How hashes are computed; the result is the same.</param>
    public MerkleTree(RecordPath recordPath = RecordPath.Native)
    {
        _leaf = Sha256Digest.Plain(recordPath, [0]);
        _inner = Sha256Digest.Plain(recordPath, [1]);
    }

    /// <summary>Leaves added since <see cref="Clear"/>.</summary>
    public long Count { get; private set; }

    public void Add(ReadOnlySpan<byte> leaf)
    {
        _leaf.Compute(leaf, Subtree(_levels));
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
            System.Security.Cryptography.SHA256.HashData([], destination);
            return;
        }

        Span<byte> pair = stackalloc byte[2 * HashBytes];
        Span<byte> right = pair[HashBytes..];
        Subtree(_levels - 1).CopyTo(right);
        for (int level = _levels - 2; level >= 0; level--)
        {
            Subtree(level).CopyTo(pair);
            _inner.Compute(pair, right);
        }

        right.CopyTo(destination);
    }

    public void Clear()
    {
        _levels = 0;
        Count = 0;
    }

    public void Dispose()
    {
        _leaf.Dispose();
        _inner.Dispose();
    }

    private void Merge()
    {
        _inner.Compute(_subtrees.AsSpan((_levels - 2) * HashBytes, 2 * HashBytes), Subtree(_levels - 2));
        _levels--;
    }

    private Span<byte> Subtree(int level) => _subtrees.AsSpan(level * HashBytes, HashBytes);
}
