using System.Globalization;
using System.Numerics;
using System.Text;

namespace PolicyStreams.Rules.Cel.Library;

/// <summary>Numbers as text, the way cel-go spells them.</summary>
internal static class GoNumbers
{
    /// <summary>The shortest text that reads back as the number; with an exponent below 1e-4 and from 1e21 on.</summary>
    public static string Shortest(double value)
    {
        if (double.IsNaN(value)) { return "NaN"; }
        if (double.IsInfinity(value)) { return value > 0 ? "Infinity" : "-Infinity"; }
        string shortest = value.ToString("R", CultureInfo.InvariantCulture);
        (string digits, int exponent, bool negative) = Split(shortest);
        if (digits == "0") { return negative ? "-0" : "0"; }
        if (exponent < -4 || exponent >= 21)
        {
            string mantissa = digits.Length == 1 ? digits : $"{digits[0]}.{digits[1..]}";
            return $"{(negative ? "-" : "")}{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture)}";
        }

        return (negative ? "-" : "") + Plain(digits, exponent);
    }

    private static string Plain(string digits, int exponent)
    {
        if (exponent < 0) { return "0." + new string('0', -exponent - 1) + digits; }
        return digits.Length <= exponent + 1 ? digits.PadRight(exponent + 1, '0') : $"{digits[..(exponent + 1)]}.{digits[(exponent + 1)..]}";
    }

    // Digits without leading or trailing zeros, and the power of ten of the first.
    private static (string Digits, int Exponent, bool Negative) Split(string text)
    {
        bool negative = text[0] == '-';
        if (negative) { text = text[1..]; }
        int e = text.IndexOf('E', StringComparison.Ordinal);
        int exponent = e < 0 ? 0 : int.Parse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string mantissa = e < 0 ? text : text[..e];
        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        string digits = point < 0 ? mantissa : mantissa.Remove(point, 1);
        exponent += (point < 0 ? mantissa.Length : point) - 1;
        int zeros = 0;
        while (zeros < digits.Length - 1 && digits[zeros] == '0') { zeros++; }
        exponent -= zeros;
        digits = digits[zeros..].TrimEnd('0');
        return digits.Length == 0 ? ("0", 0, negative) : (digits, exponent, negative);
    }

    /// <summary>With so many digits after the point, the exact binary value rounded to nearest, ties to even.</summary>
    public static string Fixed(double value, int precision)
    {
        (BigInteger scaled, bool negative) = Scale(value, precision);
        string digits = scaled.ToString(CultureInfo.InvariantCulture).PadLeft(precision + 1, '0');
        string text = precision == 0 ? digits : $"{digits[..^precision]}.{digits[^precision..]}";
        return negative ? "-" + text : text;
    }

    /// <summary>Mantissa and a two-digit exponent.</summary>
    public static string Scientific(double value, int precision)
    {
        string text = value.ToString("e" + precision.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        int e = text.IndexOf('e', StringComparison.Ordinal);
        var result = new StringBuilder(text, 0, e + 2, text.Length);
        string exponent = text[(e + 2)..].TrimStart('0');
        return result.Append(exponent.PadLeft(2, '0')).ToString();
    }

    // |value| × 10^precision, rounded to the nearest integer, ties to even.
    private static (BigInteger Scaled, bool Negative) Scale(double value, int precision)
    {
        long bits = BitConverter.DoubleToInt64Bits(value);
        int exponent = (int)((bits >> 52) & 0x7FF);
        long mantissa = bits & 0xFFFFFFFFFFFFFL;
        if (exponent == 0) { exponent++; }
        else { mantissa |= 1L << 52; }
        exponent -= 1075;
        BigInteger numerator = mantissa * BigInteger.Pow(10, precision);
        if (exponent >= 0) { return (numerator << exponent, bits < 0); }
        BigInteger quotient = numerator >> -exponent;
        BigInteger rest = numerator - (quotient << -exponent);
        int order = (rest << 1).CompareTo(BigInteger.One << -exponent);
        if (order > 0 || (order == 0 && !quotient.IsEven)) { quotient++; }
        return (quotient, bits < 0);
    }
}
