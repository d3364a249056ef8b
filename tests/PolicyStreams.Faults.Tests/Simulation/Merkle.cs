using System.Security.Cryptography;

namespace PolicyStreams.Faults.Tests.Simulation;

/// <summary>The Merkle tree hash as RFC 9162 defines it, section 2.1.1, word for word: not the processor's code.</summary>
internal static class Merkle
{
    public static byte[] Root(IReadOnlyList<byte[]> leaves, int from, int to)
    {
        int count = to - from;
        if (count == 0) { return SHA256.HashData([]); }
        if (count == 1) { return SHA256.HashData([0, .. leaves[from]]); }
        int split = 1;
        while (split * 2 < count) { split *= 2; }
        return SHA256.HashData([1, .. Root(leaves, from, from + split), .. Root(leaves, from + split, to)]);
    }
}
