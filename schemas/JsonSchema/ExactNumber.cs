using System.Numerics;

namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>
/// A JSON number by its own digits: nothing is rounded, whatever its size. Digits have no zeros at either end; the value is 0.DIGITS × 10^<see cref="Magnitude"/>. Reads the text in place.
/// </summary>
internal readonly ref struct ExactNumber
{
    private const long ExponentMax = 1_000_000_000_000;

    private readonly ReadOnlySpan<byte> _text;
    private readonly int _first;
    private readonly int _point;

    private ExactNumber(ReadOnlySpan<byte> text, int first, int point, int count, long magnitude, bool negative)
    {
        _text = text;
        _first = first;
        _point = point;
        Count = count;
        Magnitude = magnitude;
        Negative = negative;
    }

    /// <summary>How many digits; 0 for zero.</summary>
    public int Count { get; }

    public long Magnitude { get; }

    public bool Negative { get; }

    public bool IsInteger => Count == 0 || Magnitude >= Count;

    /// <summary>Reads a number that was scanned.</summary>
    public static ExactNumber Of(ReadOnlySpan<byte> text)
    {
        int at = text[0] == (byte)'-' ? 1 : 0;
        int start = at;
        int point = -1;
        int first = -1;
        int last = -1;
        for (; at < text.Length; at++)
        {
            byte character = text[at];
            if (character == (byte)'.') { point = at; }
            else if ((character | 0x20) == (byte)'e') { break; }
            else if (character != (byte)'0')
            {
                if (first < 0) { first = at; }
                last = at;
            }
        }

        if (first < 0) { return default; }
        int end = at;
        long exponent = 0;
        if (at < text.Length)
        {
            at++;
            bool down = text[at] == (byte)'-';
            if (text[at] is (byte)'-' or (byte)'+') { at++; }
            for (; at < text.Length && exponent < ExponentMax; at++) { exponent = (10 * exponent) + (text[at] - '0'); }
            if (down) { exponent = -exponent; }
        }

        int whole = (point < 0 ? end : point) - start;
        int before = point >= 0 && first > point ? first - start - 1 : first - start;
        int count = last - first + 1 - (point > first && point < last ? 1 : 0);
        return new ExactNumber(text, first, point, count, exponent + whole - before, start == 1);
    }

    /// <summary>Less than zero, zero, or more, as with any comparison.</summary>
    public static int Compare(in ExactNumber one, in ExactNumber other)
    {
        int oneSign = one.Sign, otherSign = other.Sign;
        if (oneSign != otherSign) { return oneSign.CompareTo(otherSign); }
        if (oneSign == 0) { return 0; }
        int order = one.Magnitude.CompareTo(other.Magnitude);
        for (int i = 0; order == 0 && i < Math.Max(one.Count, other.Count); i++)
        {
            order = (i < one.Count ? one.Digit(i) : 0).CompareTo(i < other.Count ? other.Digit(i) : 0);
        }

        return order * oneSign;
    }

    private int Sign => Count == 0 ? 0 : Negative ? -1 : 1;

    private int Digit(int index)
    {
        int at = _first + index;
        return _text[_point > _first && at >= _point ? at + 1 : at] - '0';
    }

    /// <summary>The same for equal numbers, however they are written.</summary>
    public uint Hash()
    {
        uint hash = Negative ? 7u : 3u;
        hash = (hash * 31) + (uint)Magnitude;
        for (int i = 0; i < Count; i++) { hash = (hash * 31) + (uint)Digit(i); }
        return hash;
    }

    /// <summary>True where it is a whole multiple of a divisor. Linear in the digits.</summary>
    public bool IsMultipleOf(ExactDivisor divisor)
    {
        if (Count == 0) { return true; }

        // Neither has zeros at the end: with fewer places than the divisor has, ten would have to divide it.
        long shift = Magnitude - Count - divisor.Exponent;
        if (shift < 0) { return false; }
        if (divisor.Small != 0)
        {
            UInt128 rest = 0;
            for (int i = 0; i < Count; i++) { rest = ((rest * 10) + (UInt128)Digit(i)) % divisor.Small; }
            if (rest == 0) { return true; }
            return (BigInteger)rest * BigInteger.ModPow(10, shift, divisor.Digits) % divisor.Digits == 0;
        }

        BigInteger large = 0;
        for (int i = 0; i < Count; i++) { large = ((large * 10) + Digit(i)) % divisor.Digits; }
        return large * BigInteger.ModPow(10, shift, divisor.Digits) % divisor.Digits == 0;
    }

    /// <summary>The value where it is a whole number of 64 bits.</summary>
    public bool TryInt64(out long value)
    {
        value = 0;
        if (Count == 0) { return true; }
        if (!IsInteger || Magnitude > 19) { return false; }
        UInt128 all = 0;
        for (int i = 0; i < Magnitude; i++) { all = (all * 10) + (UInt128)(i < Count ? Digit(i) : 0); }
        if (all > (UInt128)long.MaxValue + (Negative ? 1u : 0u)) { return false; }
        value = Negative ? (long)-(Int128)all : (long)all;
        return true;
    }

    public ExactDivisor ToDivisor()
    {
        BigInteger digits = 0;
        for (int i = 0; i < Count; i++) { digits = (digits * 10) + Digit(i); }
        return new ExactDivisor(digits, Count <= 18 ? (ulong)digits : 0, Magnitude - Count);
    }
}

/// <summary>What <c>multipleOf</c> divides by: <paramref name="Digits"/> × 10^<paramref name="Exponent"/>, digits without zeros at the end; <paramref name="Small"/> is the same or 0 where it is large.</summary>
internal sealed record ExactDivisor(BigInteger Digits, ulong Small, long Exponent);

/// <summary>A number of a schema.</summary>
internal sealed class NumberBound(byte[] text)
{
    private readonly long _plain = ExactNumber.Of(text).TryInt64(out long value) ? value : 0;
    private readonly bool _isPlain = ExactNumber.Of(text).TryInt64(out _);

    /// <summary>Compares a number of a record with this one.</summary>
    /// <param name="plain">True where it has neither point nor exponent.</param>
    public int Compare(ReadOnlySpan<byte> number, bool plain)
    {
        if (plain && _isPlain && number.Length <= 18)
        {
            bool negative = number[0] == (byte)'-';
            long value = 0;
            foreach (byte digit in negative ? number[1..] : number) { value = (10 * value) + (digit - '0'); }
            return (negative ? -value : value).CompareTo(_plain);
        }

        return ExactNumber.Compare(ExactNumber.Of(number), ExactNumber.Of(text));
    }
}
