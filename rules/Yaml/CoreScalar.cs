using System.Buffers;
using System.Globalization;

namespace PolicyStreams.Rules.Yaml;

internal enum CoreType : byte { Null, Bool, Int, Float, Text, Unclear }

/// <summary>
/// What a plain scalar is by YAML 1.2's core schema; quoted ones and block scalars are always text. What other YAML versions read otherwise
/// (<c>yes</c>, <c>on</c>) is text; numbers that readers disagree about (octal, hexadecimal, leading zeros, underscores) are <see cref="CoreType.Unclear"/>, and nobody guesses.
/// </summary>
internal static class CoreScalar
{
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdefABCDEF_");
    private static readonly SearchValues<char> SpacedDigits = SearchValues.Create("0123456789_");

    public static CoreType TypeOf(YamlNode node)
    {
        if (node.Style != YamlStyle.Plain) { return CoreType.Text; }
        string text = node.Text;
        if (node.IsNull) { return CoreType.Null; }
        if (text is "true" or "True" or "TRUE" or "false" or "False" or "FALSE") { return CoreType.Bool; }
        if (text is ".nan" or ".NaN" or ".NAN") { return CoreType.Float; }
        ReadOnlySpan<char> digits = text;
        if (digits[0] is '+' or '-') { digits = digits[1..]; }
        if (digits is ".inf" or ".Inf" or ".INF") { return CoreType.Float; }
        if (digits.IsEmpty || !(char.IsAsciiDigit(digits[0]) || (digits[0] == '.' && digits.Length > 1 && char.IsAsciiDigit(digits[1])))) { return CoreType.Text; }
        return Number(digits, signed: digits.Length != text.Length);
    }

    public static bool TryInt(YamlNode node, out long value)
    {
        value = 0;
        return node.Kind == YamlKind.Scalar && TypeOf(node) == CoreType.Int && long.TryParse(node.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
    }

    public static bool TryDouble(YamlNode node, out double value)
    {
        value = 0;
        if (node.Kind != YamlKind.Scalar || TypeOf(node) is not (CoreType.Int or CoreType.Float)) { return false; }
        ReadOnlySpan<char> digits = node.Text.TrimStart('+', '-');
        double sign = node.Text[0] == '-' ? -1 : 1;
        if (digits is ".inf" or ".Inf" or ".INF") { value = sign * double.PositiveInfinity; return true; }
        if (digits is ".nan" or ".NaN" or ".NAN") { value = double.NaN; return true; }
        return double.TryParse(node.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }

    public static bool IsTrue(YamlNode node) => node.Text is "true" or "True" or "TRUE";

    private static CoreType Number(ReadOnlySpan<char> digits, bool signed)
    {
        int i = 0;
        while (i < digits.Length && char.IsAsciiDigit(digits[i])) { i++; }
        if (i == digits.Length) { return digits.Length > 1 && digits[0] == '0' ? CoreType.Unclear : CoreType.Int; }
        if (!signed && digits.Length > 2 && digits[0] == '0' && (digits[1] is 'x' or 'X' or 'o' or 'O' or 'b' or 'B') && digits[2..].IndexOfAnyExcept(HexDigits) < 0) { return CoreType.Unclear; }
        if (digits.IndexOfAnyExcept(SpacedDigits) < 0) { return CoreType.Unclear; }
        if (digits[i] == '.')
        {
            i++;
            while (i < digits.Length && char.IsAsciiDigit(digits[i])) { i++; }
        }

        if (i < digits.Length && digits[i] is 'e' or 'E')
        {
            i++;
            if (i < digits.Length && digits[i] is '+' or '-') { i++; }
            int exponent = i;
            while (i < digits.Length && char.IsAsciiDigit(digits[i])) { i++; }
            if (exponent == i) { return CoreType.Text; }
        }

        return i == digits.Length ? CoreType.Float : CoreType.Text;
    }
}
