using System.Globalization;
using System.Numerics;
using System.Text;
using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Evaluation;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Library;

/// <summary><c>"…%s…".format([…])</c> of the strings extension.</summary>
internal static class CelFormat
{
    private const int PrecisionMax = 1000;

    public static object Format(string format, List<object?> args)
    {
        var result = new StringBuilder();
        int next = 0;
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                result.Append(format[i]);
                continue;
            }

            if (++i >= format.Length) { return ErrorValue.Argument; }
            if (format[i] == '%')
            {
                result.Append('%');
                continue;
            }

            int precision = 6;
            if (format[i] == '.')
            {
                int start = ++i;
                while (i < format.Length && char.IsAsciiDigit(format[i])) { i++; }
                if (i >= format.Length || !int.TryParse(format.AsSpan(start, i - start), NumberStyles.None, CultureInfo.InvariantCulture, out precision) || precision > PrecisionMax) { return ErrorValue.Argument; }
            }

            if (next >= args.Count) { return ErrorValue.Index; }
            object? value = Values.Unwrap(args[next++]);
            if (value is ErrorValue) { return value; }
            object? text = format[i] switch
            {
                's' => Text(value),
                'd' => Decimal(value),
                'f' => Real(value, precision, GoNumbers.Fixed),
                'e' => Real(value, precision, GoNumbers.Scientific),
                'b' => value is bool flag ? (flag ? "1" : "0") : Radix(value, 2),
                'o' => Radix(value, 8),
                'x' => Hex(value, false),
                'X' => Hex(value, true),
                _ => ErrorValue.Argument,
            };
            if (text is ErrorValue error) { return error; }
            result.Append((string?)text);
            if (result.Length > StandardLibrary.SizeMax) { return ErrorValue.TooLarge; }
        }

        return result.ToString();
    }

    private static object Text(object? value)
    {
        var text = new StringBuilder();
        return Append(text, value) is { } error ? error : text.ToString();
    }

    private static ErrorValue? Append(StringBuilder text, object? value)
    {
        value = Values.Unwrap(value);
        switch (value)
        {
            case null: text.Append("null"); return null;
            case bool flag: text.Append(flag ? "true" : "false"); return null;
            case string s: text.Append(s); return null;
            case long n: text.Append(CultureInfo.InvariantCulture, $"{n}"); return null;
            case ulong n: text.Append(CultureInfo.InvariantCulture, $"{n}"); return null;
            case double n: text.Append(GoNumbers.Shortest(n)); return null;
            case DecimalValue n: text.Append(Values.Format(n)); return null;
            case byte[] bytes:
                object decoded = StandardLibrary.Utf8(bytes);
                text.Append(decoded as string);
                return decoded as ErrorValue;
            case Timestamp instant:
                string? spelled = CelTime.Format(instant);
                text.Append(spelled);
                return spelled is null ? ErrorValue.Overflow : null;
            case Duration span: text.Append(CelTime.Format(span)); return null;
            case CelType type: text.Append(type.Name); return null;
            case List<object?> list: return AppendList(text, list);
            case MapValue map: return AppendMap(text, map);
            case ErrorValue error: return error;
            default: return ErrorValue.Argument;
        }
    }

    private static ErrorValue? AppendList(StringBuilder text, List<object?> list)
    {
        text.Append('[');
        for (int i = 0; i < list.Count; i++)
        {
            if (i > 0) { text.Append(", "); }
            if (Append(text, list[i]) is { } error) { return error; }
            if (text.Length > StandardLibrary.SizeMax) { return ErrorValue.TooLarge; }
        }

        text.Append(']');
        return null;
    }

    private static ErrorValue? AppendMap(StringBuilder text, MapValue map)
    {
        var entries = new List<(string Key, object? Value)>();
        foreach ((object key, object? value) in map)
        {
            var spelled = new StringBuilder();
            if (Append(spelled, key) is { } error) { return error; }
            entries.Add((spelled.ToString(), value));
        }

        entries.Sort((a, b) => Values.CompareText(a.Key, b.Key));
        text.Append('{');
        for (int i = 0; i < entries.Count; i++)
        {
            text.Append(i > 0 ? ", " : "").Append(entries[i].Key).Append(": ");
            if (Append(text, entries[i].Value) is { } error) { return error; }
            if (text.Length > StandardLibrary.SizeMax) { return ErrorValue.TooLarge; }
        }

        text.Append('}');
        return null;
    }

    private static object Decimal(object? value) => value switch
    {
        long or ulong => Text(value),
        double number => GoNumbers.Shortest(number),
        DecimalValue number => Values.Format(number),
        _ => ErrorValue.Argument,
    };

    private static object Real(object? value, int precision, Func<double, int, string> spell)
    {
        double number;
        switch (value)
        {
            case double real: number = real; break;
            case long integer: number = integer; break;
            case ulong integer: number = integer; break;
            case DecimalValue d: number = double.Parse(Values.Format(d), CultureInfo.InvariantCulture); break;
            default: return ErrorValue.Argument;
        }

        return double.IsFinite(number) ? spell(number, precision) : GoNumbers.Shortest(number);
    }

    private static object Radix(object? value, int radix)
    {
        switch (value)
        {
            case long number:
                string digits = Digits(number < 0 ? 0 - (ulong)number : (ulong)number, radix);
                return number < 0 ? "-" + digits : digits;
            case ulong number:
                return Digits(number, radix);
            default:
                return ErrorValue.Argument;
        }
    }

    private static string Digits(ulong number, int radix)
    {
        Span<char> digits = stackalloc char[64];
        int at = digits.Length;
        do
        {
            digits[--at] = "0123456789abcdef"[(int)(number % (ulong)radix)];
            number /= (ulong)radix;
        }
        while (number > 0);
        return digits[at..].ToString();
    }

    private static object Hex(object? value, bool upper)
    {
        switch (value)
        {
            case string text: return upper ? Convert.ToHexString(Encoding.UTF8.GetBytes(text)) : Convert.ToHexStringLower(Encoding.UTF8.GetBytes(text));
            case byte[] bytes: return upper ? Convert.ToHexString(bytes) : Convert.ToHexStringLower(bytes);
            default:
                object digits = Radix(value, 16);
                return upper && digits is string lower ? lower.ToUpperInvariant() : digits;
        }
    }
}
