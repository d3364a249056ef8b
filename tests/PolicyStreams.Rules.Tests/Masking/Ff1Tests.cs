using System.Numerics;
using System.Security.Cryptography;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Tests;

namespace PolicyStreams.Rules.Tests.Masking;

/// <summary>FF1 against NIST's published samples, and against a second form of it that is written down step by step as SP 800-38G has it.</summary>
public class Ff1Tests
{
    private const string Digits = "0123456789abcdefghijklmnopqrstuvwxyz";
    private const string Key128 = "2B7E151628AED2A6ABF7158809CF4F3C";
    private const string Key192 = "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F";
    private const string Key256 = "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94";

    // FF1samples.pdf of NIST's cryptographic examples, samples 1 to 9.
    [Theory]
    [InlineData(Key128, 10, "", "0123456789", "2433477484")]
    [InlineData(Key128, 10, "39383736353433323130", "0123456789", "6124200773")]
    [InlineData(Key128, 36, "3737373770717273373737", "0123456789abcdefghi", "a9tv40mll9kdu509eum")]
    [InlineData(Key192, 10, "", "0123456789", "2830668132")]
    [InlineData(Key192, 10, "39383736353433323130", "0123456789", "2496655549")]
    [InlineData(Key192, 36, "3737373770717273373737", "0123456789abcdefghi", "xbj3kv35jrawxv32ysr")]
    [InlineData(Key256, 10, "", "0123456789", "6657667009")]
    [InlineData(Key256, 10, "39383736353433323130", "0123456789", "1001623463")]
    [InlineData(Key256, 36, "3737373770717273373737", "0123456789abcdefghi", "xs8a0azh2avyalyzuwd")]
    public void Encrypt_NistSamples_AgreeBothWays(string key, int radix, string tweak, string plain, string sealedText)
    {
        using var ff1 = new Ff1(Convert.FromHexString(key), radix, Convert.FromHexString(tweak));
        byte[] numerals = Numerals(plain);
        ff1.Encrypt(numerals);
        Assert.Equal(sealedText, Text(numerals));
        ff1.Decrypt(numerals);
        Assert.Equal(plain, Text(numerals));
        Assert.Equal(sealedText, Text(Reference(Convert.FromHexString(key), radix, Convert.FromHexString(tweak), Numerals(plain))));
    }

    [Fact]
    public void Encrypt_AnyKeyRadixTweakAndLength_AgreesWithTheReferenceAndIsReadBack()
    {
        int seed = Fuzz.Seed();
        var random = new Random(seed);
        for (int round = 0; round < 1_500; round++)
        {
            byte[] key = new byte[random.Next(3) switch { 0 => 16, 1 => 24, _ => 32 }], tweak = new byte[random.Next(4) == 0 ? random.Next(1_025) : random.Next(40)];
            random.NextBytes(key);
            random.NextBytes(tweak);
            int radix = random.Next(3) == 0 ? random.Next(2, 257) : 10;
            using var ff1 = new Ff1(key, radix, tweak);
            byte[] plain = [.. Enumerable.Range(0, random.Next(ff1.NumeralsMin, ff1.NumeralsMax + 1)).Select(_ => (byte)random.Next(radix))], numerals = [.. plain];
            ff1.Encrypt(numerals);
            Assert.True(numerals.AsSpan().SequenceEqual(Reference(key, radix, tweak, plain)), $"seed {seed}, round {round}: radix {radix}, {plain.Length} numerals, tweak of {tweak.Length}");
            ff1.Decrypt(numerals);
            Assert.True(numerals.AsSpan().SequenceEqual(plain), $"seed {seed}, round {round}");
        }
    }

    [Theory]
    [InlineData(10, 6, 72)]
    [InlineData(36, 4, 46)]
    [InlineData(2, 20, 240)]
    [InlineData(256, 3, 30)]
    public void Lengths_FollowFromTheDomainAndTheHalves(int radix, int min, int max)
    {
        using var ff1 = new Ff1(new byte[32], radix, []);
        Assert.Equal((min, max), (ff1.NumeralsMin, ff1.NumeralsMax));
        Assert.Throws<ArgumentOutOfRangeException>(() => ff1.Encrypt(new byte[min - 1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => ff1.Decrypt(new byte[max + 1]));
    }

    /// <summary>Algorithm 7 with big integers and whole byte strings.</summary>
    private static byte[] Reference(byte[] key, int radix, byte[] tweak, byte[] x)
    {
        using var aes = Aes.Create();
        aes.Key = key;
        int n = x.Length, u = n / 2, v = n - u;
        byte[] left = x[..u], right = x[u..];
        int bits = (int)(BigInteger.Pow(radix, v) - 1).GetBitLength(), b = (bits + 7) / 8, d = (4 * ((b + 3) / 4)) + 4;
        byte[] p = [1, 2, 1, 0, (byte)(radix >> 8), (byte)radix, 10, (byte)u, .. BigEndian(n, 4), .. BigEndian(tweak.Length, 4)];
        for (int i = 0; i < 10; i++)
        {
            byte[] q = [.. tweak, .. new byte[(((-tweak.Length - b - 1) % 16) + 16) % 16], (byte)i, .. BigEndian(Number(right), b)];
            byte[] r = new byte[16];
            foreach (byte[] block in ((byte[])[.. p, .. q]).Chunk(16)) { r = aes.EncryptEcb([.. block.Zip(r, (one, other) => (byte)(one ^ other))], PaddingMode.None); }
            byte[] s = r;
            for (int j = 1; s.Length < d; j++) { s = [.. s, .. aes.EncryptEcb([.. r.Zip(BigEndian(j, 16), (one, other) => (byte)(one ^ other))], PaddingMode.None)]; }
            int m = i % 2 == 0 ? u : v;
            BigInteger c = (Number(left) + new BigInteger(s.AsSpan(0, d), isUnsigned: true, isBigEndian: true)) % BigInteger.Pow(radix, m);
            left = right;
            right = new byte[m];
            for (int at = m - 1; at >= 0; at--, c /= radix) { right[at] = (byte)(c % radix); }
        }

        return [.. left, .. right];

        BigInteger Number(byte[] numerals) => numerals.Aggregate(BigInteger.Zero, (number, numeral) => (number * radix) + numeral);
    }

    private static byte[] BigEndian(BigInteger number, int length)
    {
        byte[] bytes = number.ToByteArray(isUnsigned: true, isBigEndian: true);
        return number.IsZero ? new byte[length] : [.. new byte[length - bytes.Length], .. bytes];
    }

    private static byte[] Numerals(string text) => [.. text.Select(c => (byte)Digits.IndexOf(c, StringComparison.Ordinal))];

    private static string Text(byte[] numerals) => string.Concat(numerals.Select(numeral => Digits[numeral]));
}
