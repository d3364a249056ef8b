using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;

namespace PolicyStreams.Rules.Masking;

/// <summary>
/// Format-preserving encryption by FF1 (NIST SP 800-38G revision 1, section 5.1): numerals of a radix to as many numerals of it. The key schedule is held, and so is what hangs on the
/// tweak and the length alone: a call is ten AES blocks (twenty where a half takes more than 12 bytes), and allocates nothing once its length was seen. Not thread-safe.
/// </summary>
internal sealed class Ff1 : IDisposable
{
    /// <summary>Fewest numerals a domain must have in all: radix to the power of the length (revision 1, section 5).</summary>
    public const int DomainMin = 1_000_000;

    private const int Rounds = 10;
    private const int BlockBytes = 16;
    private const int TweakBytesMax = 1024;

    // Then a half with a byte to spare is below 2^128, and a half fits one block together with the round's number.
    private const int HalfBytesMax = 15;

    private readonly ICryptoTransform _aes;
    private readonly Aes _key;
    private readonly byte[] _tweak;
    private readonly uint _radix;
    private readonly Length?[] _lengths;
    private readonly byte[] _block = new byte[BlockBytes];
    private readonly byte[] _sealed = new byte[BlockBytes];

    /// <param name="key">16, 24, or 32 bytes.</param>
    /// <param name="radix">2 to 256.</param>
    /// <param name="tweak">At most 1,024 bytes; may be empty.</param>
    public Ff1(ReadOnlySpan<byte> key, int radix, ReadOnlySpan<byte> tweak)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(radix, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(radix, 256);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tweak.Length, TweakBytesMax);
        _radix = (uint)radix;
        _tweak = tweak.ToArray();
        _key = Aes.Create();
        _key.Mode = CipherMode.ECB;
        _key.Padding = PaddingMode.None;
        _key.Key = key.ToArray();
        _aes = _key.CreateEncryptor();

        int half = 0;
        for (UInt128 power = 1; BytesOf(power * _radix - 1) <= HalfBytesMax; power *= _radix) { half++; }
        NumeralsMax = 2 * half;
        for (UInt128 domain = 1; domain < DomainMin; domain *= _radix) { NumeralsMin++; }
        _lengths = new Length?[NumeralsMax + 1];
    }

    /// <summary>Fewest numerals: 6 of radix 10.</summary>
    public int NumeralsMin { get; }

    /// <summary>Most numerals: 72 of radix 10.</summary>
    public int NumeralsMax { get; }

    public void Dispose()
    {
        _aes.Dispose();
        _key.Dispose();
    }

    /// <summary>Encrypts in place.</summary>
    /// <param name="numerals">Each below the radix; <see cref="NumeralsMin"/> to <see cref="NumeralsMax"/> of them.</param>
    public void Encrypt(Span<byte> numerals)
    {
        Length length = Of(numerals.Length);
        UInt128 a = Number(numerals[..length.Left]), b = Number(numerals[length.Left..]);
        for (int i = 0; i < Rounds; i++)
        {
            UInt128 modulus = (i & 1) == 0 ? length.LeftModulus : length.RightModulus, c = a + Round(length, i, b, modulus);
            (a, b) = (b, c >= modulus ? c - modulus : c);
        }

        Write(a, numerals[..length.Left]);
        Write(b, numerals[length.Left..]);
    }

    /// <summary>Decrypts in place what <see cref="Encrypt"/> made with the same key, radix, and tweak.</summary>
    public void Decrypt(Span<byte> numerals)
    {
        Length length = Of(numerals.Length);
        UInt128 a = Number(numerals[..length.Left]), b = Number(numerals[length.Left..]);
        for (int i = Rounds - 1; i >= 0; i--)
        {
            UInt128 modulus = (i & 1) == 0 ? length.LeftModulus : length.RightModulus, y = Round(length, i, a, modulus);
            (a, b) = (b >= y ? b - y : b + modulus - y, a);
        }

        Write(a, numerals[..length.Left]);
        Write(b, numerals[length.Left..]);
    }

    /// <summary>Steps 6.ii to 6.v: the round's number of a half, modulo what the other half is counted in.</summary>
    private UInt128 Round(Length length, int round, UInt128 half, UInt128 modulus)
    {
        // The last block: what is left of the tweak and zeros, the round, the half. All blocks before it are in the length's state.
        Span<byte> block = _block;
        length.LastBlock.CopyTo(block);
        int bytes = length.HalfBytes;
        block[BlockBytes - bytes - 1] = (byte)round;
        for (int i = BlockBytes - 1; i >= BlockBytes - bytes; i--)
        {
            block[i] = (byte)half;
            half >>= 8;
        }

        for (int i = 0; i < BlockBytes; i++) { block[i] ^= length.State[i]; }
        _aes.TransformBlock(_block, 0, BlockBytes, _sealed, 0);
        UInt128 y = BinaryPrimitives.ReadUInt128BigEndian(_sealed);
        if (length.RoundBytes <= BlockBytes) { return (y >> (8 * (BlockBytes - length.RoundBytes))) % modulus; }

        // More bytes than a block: the next is the block's own, one bit turned, sealed once more.
        y %= modulus;
        _sealed.CopyTo(block);
        block[^1] ^= 1;
        _aes.TransformBlock(_block, 0, BlockBytes, _sealed, 0);
        for (int i = 0; i < length.RoundBytes - BlockBytes; i++) { y = ((y << 8) | _sealed[i]) % modulus; }
        return y;
    }

    private Length Of(int numerals)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(numerals, NumeralsMin);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(numerals, NumeralsMax);
        return _lengths[numerals] ??= Make(numerals);
    }

    private Length Make(int numerals)
    {
        int left = numerals / 2, right = numerals - left;
        UInt128 leftModulus = Power(left), rightModulus = Power(right);
        int halfBytes = BytesOf(rightModulus - 1);
        Span<byte> first = stackalloc byte[BlockBytes];
        first[0] = 1;
        first[1] = 2;
        first[2] = 1;
        first[3] = (byte)(_radix >> 16);
        first[4] = (byte)(_radix >> 8);
        first[5] = (byte)_radix;
        first[6] = Rounds;
        first[7] = (byte)left;
        BinaryPrimitives.WriteInt32BigEndian(first[8..], numerals);
        BinaryPrimitives.WriteInt32BigEndian(first[12..], _tweak.Length);

        // The tweak, and zeros up to where the round's number and the half end a block.
        byte[] rest = new byte[(_tweak.Length + halfBytes + 1 + BlockBytes - 1) / BlockBytes * BlockBytes];
        _tweak.CopyTo(rest, 0);
        byte[] state = new byte[BlockBytes];
        Chain(first, state);
        for (int at = 0; at < rest.Length - BlockBytes; at += BlockBytes) { Chain(rest.AsSpan(at, BlockBytes), state); }
        return new Length(left, leftModulus, rightModulus, halfBytes, (4 * ((halfBytes + 3) / 4)) + 4, state, rest[^BlockBytes..]);
    }

    private void Chain(ReadOnlySpan<byte> block, byte[] state)
    {
        for (int i = 0; i < BlockBytes; i++) { _block[i] = (byte)(block[i] ^ state[i]); }
        _aes.TransformBlock(_block, 0, BlockBytes, state, 0);
    }

    private UInt128 Power(int exponent)
    {
        UInt128 power = 1;
        for (; exponent > 0; exponent--) { power *= _radix; }
        return power;
    }

    private static int BytesOf(UInt128 number) => (128 - (int)UInt128.LeadingZeroCount(number) + 7) / 8;

    private UInt128 Number(ReadOnlySpan<byte> numerals)
    {
        UInt128 number = 0;
        foreach (byte numeral in numerals) { number = (number * _radix) + numeral; }
        return number;
    }

    private void Write(UInt128 number, Span<byte> numerals)
    {
        for (int i = numerals.Length - 1; i >= 0; i--)
        {
            (number, UInt128 numeral) = UInt128.DivRem(number, _radix);
            numerals[i] = (byte)numeral;
        }
    }

    /// <summary>What all texts of one length have in common.</summary>
    private sealed record Length(int Left, UInt128 LeftModulus, UInt128 RightModulus, int HalfBytes, int RoundBytes, byte[] State, byte[] LastBlock);
}
