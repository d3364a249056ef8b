using System.Security.Cryptography;
using PolicyStreams.Processor.Audit;
using PolicyStreams.Processor.Hosting;

namespace PolicyStreams.Processor.Tests.Audit;

public sealed class MerkleTreeTests
{
    [Fact]
    public void Root_OfNothing_IsTheHashOfNothing()
    {
        using var tree = new MerkleTree();

        Assert.Equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", Convert.ToHexStringLower(RootOf(tree)));
    }

    // The test vectors of Certificate Transparency's reference tree: leaves "", 00, 10, 2021, 3031, 40414243, 5051525354555657, 606162636465666768696a6b6c6d6e6f.
    [Theory]
    [InlineData(1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")]
    [InlineData(2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125")]
    [InlineData(3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77")]
    [InlineData(7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c")]
    [InlineData(8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")]
    public void Root_OfKnownLeaves_IsThePublishedOne(int leaves, string expected)
    {
        string[] hex = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        using var tree = new MerkleTree();
        foreach (string leaf in hex.Take(leaves)) { tree.Add(Convert.FromHexString(leaf)); }

        Assert.Equal(expected, Convert.ToHexStringLower(RootOf(tree)));
    }

    [Theory]
    [InlineData(RecordPath.Native)]
    [InlineData(RecordPath.Managed)]
    public void Root_OfAnyNumberOfLeaves_AgreesWithTheDefinition(RecordPath path)
    {
        using var tree = new MerkleTree(path);
        var leaves = new List<byte[]>();
        for (int count = 1; count <= 130; count++)
        {
            byte[] leaf = [(byte)count, (byte)(count * 7)];
            leaves.Add(leaf);
            tree.Add(leaf);

            Assert.Equal(Definition(leaves), RootOf(tree));
        }
    }

    [Fact]
    public void Clear_StartsAnew()
    {
        using var tree = new MerkleTree();
        tree.Add([1]);
        tree.Add([2]);
        tree.Clear();
        tree.Add([3]);

        Assert.Equal(Definition([[3]]), RootOf(tree));
        Assert.Equal(1, tree.Count);
    }

    private static byte[] RootOf(MerkleTree tree)
    {
        byte[] root = new byte[MerkleTree.HashBytes];
        tree.Root(root);
        return root;
    }

    // RFC 9162, 2.1.1, word for word: split at the largest power of two smaller than n.
    private static byte[] Definition(List<byte[]> leaves)
    {
        if (leaves.Count == 1) { return SHA256.HashData([0, .. leaves[0]]); }
        int split = 1;
        while (split * 2 < leaves.Count) { split *= 2; }
        return SHA256.HashData([1, .. Definition([.. leaves.Take(split)]), .. Definition([.. leaves.Skip(split)])]);
    }
}
