using System.Globalization;
using System.Text;
using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Evaluation;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Library;

internal static partial class StandardLibrary
{
    private static readonly System.Buffers.SearchValues<char> RealCharacters = System.Buffers.SearchValues.Create("0123456789.eE+-");

    private static void AddConversions(FunctionTable table)
    {
        table.Add("dyn", "(A)dyn", a => a[0]);
        table.Add("type", "(A)type<A>", a => (object?)Values.TypeOf(Values.Unwrap(a[0])) ?? ErrorValue.Type);
        table.Add("bool", "(bool)bool", a => a[0]);
        table.Add("bool", "(string)bool", a => (string)a[0]! switch
        {
            "1" or "t" or "T" or "true" or "TRUE" or "True" => Values.True,
            "0" or "f" or "F" or "false" or "FALSE" or "False" => Values.False,
            _ => ErrorValue.Conversion,
        });
        table.Add("int", "(int)int", a => a[0]);
        table.Add("int", "(uint)int", a => (ulong)a[0]! <= long.MaxValue ? (long)(ulong)a[0]! : ErrorValue.Overflow);
        // The bounds are open: 2^63 is the double next to long.MaxValue, and -2^63 is refused as cel-go does.
        table.Add("int", "(double)int", a => (double)a[0]! is > -9223372036854775808.0 and < 9223372036854775808.0 ? (long)(double)a[0]! : ErrorValue.Overflow);
        table.Add("int", "(string)int", a => ParseInt((string)a[0]!, out long value) ? value : ErrorValue.Conversion);
        table.Add("int", "(timestamp)int", a => ((Timestamp)a[0]!).Seconds);
        table.Add("uint", "(uint)uint", a => a[0]);
        table.Add("uint", "(int)uint", a => (long)a[0]! >= 0 ? (ulong)(long)a[0]! : ErrorValue.Overflow);
        table.Add("uint", "(double)uint", a => (double)a[0]! is > -1.0 and < 18446744073709551616.0 ? (ulong)(double)a[0]! : ErrorValue.Overflow);
        table.Add("uint", "(string)uint", a => ulong.TryParse((string)a[0]!, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value) ? value : ErrorValue.Conversion);
        table.Add("double", "(double)double", a => a[0]);
        table.Add("double", "(int)double", a => (double)(long)a[0]!);
        table.Add("double", "(uint)double", a => (double)(ulong)a[0]!);
        table.Add("double", "(decimal)double", a => double.Parse(Values.Format((DecimalValue)a[0]!), CultureInfo.InvariantCulture));
        table.Add("double", "(string)double", a => ParseDouble((string)a[0]!, out double value) ? value : ErrorValue.Conversion);
        table.Add("string", "(string)string", a => a[0]);
        table.Add("string", "(bool)string", a => (bool)a[0]! ? "true" : "false");
        table.Add("string", "(int)string", a => ((long)a[0]!).ToString(CultureInfo.InvariantCulture));
        table.Add("string", "(uint)string", a => ((ulong)a[0]!).ToString(CultureInfo.InvariantCulture));
        table.Add("string", "(double)string", a => Values.Format((double)a[0]!));
        table.Add("string", "(decimal)string", a => Values.Format((DecimalValue)a[0]!));
        table.Add("string", "(bytes)string", a => Utf8((byte[])a[0]!));
        table.Add("string", "(timestamp)string", a => (object?)CelTime.Format((Timestamp)a[0]!) ?? ErrorValue.Overflow);
        table.Add("string", "(duration)string", a => CelTime.Format((Duration)a[0]!));
        table.Add("bytes", "(bytes)bytes", a => a[0]);
        table.Add("bytes", "(string)bytes", a => Encoding.UTF8.GetBytes((string)a[0]!));
        table.Add("timestamp", "(timestamp)timestamp", a => a[0]);
        table.Add("timestamp", "(int)timestamp", a => CelTime.Checked(new Timestamp((long)a[0]!, 0)));
        table.Add("timestamp", "(string)timestamp", a => CelTime.TryParse((string)a[0]!, out Timestamp value) ? CelTime.Checked(value) : ErrorValue.Conversion);
        table.Add("duration", "(duration)duration", a => a[0]);
        table.Add("duration", "(string)duration", a => CelTime.TryParse((string)a[0]!, out Duration value) ? CelTime.Checked(value) : ErrorValue.Conversion);
    }

    internal static object Utf8(byte[] bytes)
    {
        try { return Values.StrictUtf8.GetString(bytes); }
        catch (DecoderFallbackException) { return ErrorValue.Conversion; }
    }

    internal static bool ParseInt(string text, out long value)
    {
        value = 0;
        return text.Length > 0 && (char.IsAsciiDigit(text[^1])) && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
    }

    internal static bool ParseDouble(string text, out double value)
    {
        value = 0;
        if (text.Length == 0) { return false; }
        ReadOnlySpan<char> word = text.AsSpan(text[0] is '+' or '-' ? 1 : 0);
        if (word.Equals("inf", StringComparison.OrdinalIgnoreCase) || word.Equals("infinity", StringComparison.OrdinalIgnoreCase))
        {
            value = text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            return true;
        }

        if (text.Equals("nan", StringComparison.OrdinalIgnoreCase))
        {
            value = double.NaN;
            return true;
        }

        return word.Length > 0 && word.ContainsAnyInRange('0', '9') && !word.ContainsAnyExcept(RealCharacters)
            && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && !double.IsInfinity(value);
    }
}
