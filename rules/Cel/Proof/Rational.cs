using System.Numerics;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Proof;

/// <summary>An exact number: every literal of a condition is one, whatever its type. <paramref name="Under"/> is greater than zero.</summary>
internal readonly record struct Rational(BigInteger Over, BigInteger Under) : IComparable<Rational>
{
    public Rational(BigInteger whole) : this(whole, BigInteger.One)
    {
    }

    /// <summary>Null for what is no finite number.</summary>
    public static Rational? Of(object? value) => value switch
    {
        long number => new Rational(number),
        ulong number => new Rational(number),
        double number when double.IsFinite(number) => OfDouble(number),
        DecimalValue number => new Rational(number.Unscaled, BigInteger.Pow(10, number.Scale)),
        Timestamp instant => OfNanos(instant.Seconds, instant.Nanos),
        Duration span => OfNanos(span.Seconds, span.Nanos),
        _ => null,
    };

    public int CompareTo(Rational other) => (Over * other.Under).CompareTo(other.Over * Under);

    /// <summary>The greatest whole number that is not above it.</summary>
    public BigInteger Floor()
    {
        BigInteger whole = BigInteger.DivRem(Over, Under, out BigInteger rest);
        return rest.Sign < 0 ? whole - 1 : whole;
    }

    public bool IsWhole => (Over % Under).IsZero;

    private static Rational OfNanos(long seconds, int nanos) => new(((BigInteger)seconds * 1_000_000_000) + nanos);

    private static Rational OfDouble(double number)
    {
        long bits = BitConverter.DoubleToInt64Bits(number);
        int exponent = (int)((bits >> 52) & 0x7FF);
        BigInteger mantissa = bits & 0xFFFFFFFFFFFFFL;
        if (exponent == 0) { exponent++; }
        else { mantissa += BigInteger.One << 52; }
        if (bits < 0) { mantissa = -mantissa; }
        exponent -= 1075;
        return exponent >= 0 ? new Rational(mantissa << exponent) : new Rational(mantissa, BigInteger.One << -exponent);
    }
}
