using System.Buffers;
using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Text;
using System.Text.Unicode;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Json;

/// <summary>Reading and writing of JSON's strings and numbers on bytes (RFC 8259). The bytes are known to be UTF-8.</summary>
internal static class JsonText
{
    private static readonly SearchValues<byte> _special =
        SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(control => (byte)control), (byte)'"', (byte)'\\']);

    /// <summary>ASCII that stands in a string as it is.</summary>
    private static readonly SearchValues<byte> _plain = SearchValues.Create([.. Enumerable.Range(0x20, 0x60).Select(plain => (byte)plain).Where(plain => plain is not ((byte)'"' or (byte)'\\'))]);

    private static readonly SearchValues<byte> _quoteOrEscape = SearchValues.Create("\"\\"u8);

    private static readonly double[] _powersOfTen = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

    /// <summary>Integers beyond this are not every one a double.</summary>
    private const long ExactMax = 1L << 53;

    /// <summary>Finds the end of a string.</summary>
    /// <param name="position">Behind the opening quote; moved behind the closing one.</param>
    /// <param name="plainLength">Bytes of the text once unescaped; where it has no escapes, the bytes between the quotes.</param>
    public static DecodeOutcome ScanString(ReadOnlySpan<byte> json, ref int position, out int plainLength, out bool escaped)
    {
        int start = position;
        int saved = 0;
        escaped = false;
        plainLength = 0;
        while (true)
        {
            int found = NextSpecial(json, position);
            if (found < 0) { return DecodeOutcome.Truncated; }
            position = found;
            byte special = json[position];
            if (special == (byte)'"')
            {
                plainLength = position - start - saved;
                position++;
                return DecodeOutcome.Decoded;
            }

            if (special != (byte)'\\') { return DecodeOutcome.Malformed; }
            escaped = true;
            DecodeOutcome outcome = ScanEscape(json, ref position, ref saved);
            if (outcome != DecodeOutcome.Decoded) { return outcome; }
        }
    }

    /// <summary>The next quote, backslash, or control character; -1 where there is none. Most strings end within one vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int NextSpecial(ReadOnlySpan<byte> json, int position)
    {
        if (Vector128.IsHardwareAccelerated && json.Length - position >= Vector128<byte>.Count)
        {
            Vector128<byte> next = Vector128.Create(json.Slice(position, Vector128<byte>.Count));
            Vector128<byte> hits = Vector128.Equals(next, Vector128.Create((byte)'"')) | Vector128.Equals(next, Vector128.Create((byte)'\\'))
                | Vector128.LessThan(next, Vector128.Create((byte)0x20));
            uint mask = hits.ExtractMostSignificantBits();
            if (mask != 0) { return position + BitOperations.TrailingZeroCount(mask); }
            position += Vector128<byte>.Count;
        }

        int found = json[position..].IndexOfAny(_special);
        return found < 0 ? -1 : position + found;
    }

    /// <param name="position">On the backslash; moved behind the escape, for a surrogate pair behind both.</param>
    /// <param name="saved">Added to: how many bytes shorter the plain form is.</param>
    private static DecodeOutcome ScanEscape(ReadOnlySpan<byte> json, ref int position, ref int saved)
    {
        if (position + 1 >= json.Length) { return DecodeOutcome.Truncated; }
        switch (json[position + 1])
        {
            case (byte)'"' or (byte)'\\' or (byte)'/' or (byte)'b' or (byte)'f' or (byte)'n' or (byte)'r' or (byte)'t':
                position += 2;
                saved++;
                return DecodeOutcome.Decoded;
            case (byte)'u':
                DecodeOutcome outcome = Hex(json, position + 2, out int unit);
                if (outcome != DecodeOutcome.Decoded) { return outcome; }
                if (unit is < 0xD800 or > 0xDFFF)
                {
                    position += 6;
                    saved += unit < 0x80 ? 5 : unit < 0x800 ? 4 : 3;
                    return DecodeOutcome.Decoded;
                }

                if (unit > 0xDBFF) { return DecodeOutcome.LoneSurrogate; }
                if (position + 6 >= json.Length) { return DecodeOutcome.Truncated; }
                if (json[position + 6] != (byte)'\\') { return DecodeOutcome.LoneSurrogate; }
                if (position + 7 >= json.Length) { return DecodeOutcome.Truncated; }
                if (json[position + 7] != (byte)'u') { return DecodeOutcome.LoneSurrogate; }
                outcome = Hex(json, position + 8, out int low);
                if (outcome != DecodeOutcome.Decoded) { return outcome; }
                if (low is < 0xDC00 or > 0xDFFF) { return DecodeOutcome.LoneSurrogate; }
                position += 12;
                saved += 8;
                return DecodeOutcome.Decoded;
            default:
                return DecodeOutcome.Malformed;
        }
    }

    private static DecodeOutcome Hex(ReadOnlySpan<byte> json, int position, out int unit)
    {
        unit = 0;
        for (int i = 0; i < 4; i++)
        {
            if (position + i >= json.Length) { return DecodeOutcome.Truncated; }
            int digit = HexDigit(json[position + i]);
            if (digit < 0) { return DecodeOutcome.Malformed; }
            unit = (unit << 4) | digit;
        }

        return DecodeOutcome.Decoded;
    }

    private static int HexDigit(byte character) => character switch
    {
        >= (byte)'0' and <= (byte)'9' => character - '0',
        >= (byte)'a' and <= (byte)'f' => character - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => character - 'A' + 10,
        _ => -1,
    };

    /// <summary>Writes the plain form of a string that was scanned.</summary>
    /// <param name="content">The bytes between the quotes.</param>
    /// <param name="plain">At least as long as the scan said.</param>
    public static void Unescape(ReadOnlySpan<byte> content, Span<byte> plain)
    {
        int written = 0;
        while (true)
        {
            int found = content.IndexOf((byte)'\\');
            ReadOnlySpan<byte> run = found < 0 ? content : content[..found];
            run.CopyTo(plain[written..]);
            written += run.Length;
            if (found < 0) { return; }
            byte kind = content[found + 1];
            content = content[(found + 2)..];
            if (kind != (byte)'u')
            {
                plain[written++] = kind switch { (byte)'b' => 8, (byte)'f' => 12, (byte)'n' => 10, (byte)'r' => 13, (byte)'t' => 9, _ => kind };
                continue;
            }

            Hex(content, 0, out int scalar);
            content = content[4..];
            if (scalar is >= 0xD800 and <= 0xDBFF)
            {
                Hex(content, 2, out int low);
                scalar = 0x10000 + ((scalar - 0xD800) << 10) + (low - 0xDC00);
                content = content[6..];
            }

            written += new Rune(scalar).EncodeToUtf8(plain[written..]);
        }
    }

    /// <summary>Finds the end of a number and checks its grammar.</summary>
    /// <param name="position">On its first character; moved behind the last.</param>
    /// <param name="integer">True where it has neither point nor exponent.</param>
    public static DecodeOutcome ScanNumber(ReadOnlySpan<byte> json, ref int position, out bool integer)
    {
        int start = position;
        int at = position;
        integer = true;
        if (json[at] == (byte)'-') { at++; }
        if (at >= json.Length) { return DecodeOutcome.Truncated; }
        int digits = at;
        if (json[at] == (byte)'0') { at++; }
        else if (!SkipDigits(json, ref at)) { return IsNotANumber(json[at..]) ? DecodeOutcome.NotANumber : DecodeOutcome.Malformed; }
        bool large = at - digits > 300;
        if (at < json.Length && json[at] == (byte)'.')
        {
            integer = false;
            at++;
            if (!SkipDigits(json, ref at)) { return at >= json.Length ? DecodeOutcome.Truncated : DecodeOutcome.Malformed; }
        }

        if (at < json.Length && (json[at] | 0x20) == (byte)'e')
        {
            integer = false;
            large = true;
            at++;
            if (at < json.Length && json[at] is (byte)'+' or (byte)'-') { at++; }
            if (!SkipDigits(json, ref at)) { return at >= json.Length ? DecodeOutcome.Truncated : DecodeOutcome.Malformed; }
        }

        position = at;

        // Beyond a double readers differ: some see infinity, some fail.
        return large && !double.IsFinite(ParseDouble(json[start..at])) ? DecodeOutcome.NumberRange : DecodeOutcome.Decoded;
    }

    /// <summary>True for what some writers give for a number that is none.</summary>
    public static bool IsNotANumber(ReadOnlySpan<byte> rest) => rest.StartsWith("NaN"u8) || rest.StartsWith("Infinity"u8);

    /// <summary>The value of a number that was scanned.</summary>
    /// <param name="exact">False for an integer beyond 2^53, and for another number beyond it that says more than a double holds.</param>
    public static double Number(ReadOnlySpan<byte> text, bool integer, out bool exact)
    {
        bool negative = text[0] == (byte)'-';
        ReadOnlySpan<byte> digits = negative ? text[1..] : text;
        if (integer && digits.Length <= 18)
        {
            long value = 0;
            foreach (byte digit in digits) { value = (10 * value) + (digit - '0'); }
            exact = value <= ExactMax;
            return negative ? -(double)value : value;
        }

        if (!integer && TryShort(digits, out double fraction))
        {
            exact = true;
            return negative ? -fraction : fraction;
        }

        double parsed = ParseDouble(text);
        exact = Math.Abs(parsed) < ExactMax || (!integer && SignificantDigits(digits) <= 15);
        return parsed;
    }

    /// <summary>A number with a point, no exponent, and at most 15 digits: both its digits and the power of ten are exact doubles, so one division rounds it right.</summary>
    private static bool TryShort(ReadOnlySpan<byte> digits, out double value)
    {
        value = 0;
        if (digits.Length > 16) { return false; }
        long all = 0;
        int point = digits.Length;
        for (int i = 0; i < digits.Length; i++)
        {
            uint digit = (uint)(digits[i] - '0');
            if (digit <= 9) { all = (10 * all) + digit; }
            else if (digits[i] == (byte)'.') { point = i; }
            else { return false; }
        }

        value = all / _powersOfTen[digits.Length - 1 - point];
        return true;
    }

    /// <summary>Appends text as the shortest JSON string: only quote, backslash, and control characters are escaped, in two characters where JSON has such a form.</summary>
    public static void AppendString(ByteBuffer output, ReadOnlySpan<byte> text)
    {
        output.Append((byte)'"');
        while (true)
        {
            int found = text.IndexOfAny(_special);
            if (found < 0) { break; }
            output.Append(text[..found]);
            byte special = text[found];
            byte letter = special switch { (byte)'"' or (byte)'\\' => special, 8 => (byte)'b', 9 => (byte)'t', 10 => (byte)'n', 12 => (byte)'f', 13 => (byte)'r', _ => 0 };
            if (letter != 0)
            {
                output.Append((byte)'\\');
                output.Append(letter);
            }
            else
            {
                output.Append("\\u00"u8);
                output.Append((byte)('0' + (special >> 4)));
                output.Append((byte)"0123456789abcdef"[special & 15]);
            }

            text = text[(found + 1)..];
        }

        output.Append(text);
        output.Append((byte)'"');
    }

    /// <summary>Ends a string whose plain text was appended behind its opening quote: escapes what has to be, and puts the closing quote. False for what is no UTF-8.</summary>
    /// <param name="start">Where the text starts.</param>
    /// <param name="scratch">Holds a text that has something to escape, meanwhile.</param>
    public static bool TryEndString(ByteBuffer output, int start, ByteBuffer scratch)
    {
        ReadOnlySpan<byte> text = output.Written[start..];
        if (!text.ContainsAnyExcept(_plain))
        {
            output.Append((byte)'"');
            return true;
        }

        if (!Utf8.IsValid(text)) { return false; }
        scratch.Clear();
        scratch.Append(text);
        output.Truncate(start - 1);
        AppendString(output, scratch.Written);
        scratch.Clear(zero: true);
        return true;
    }

    /// <summary>Counts a list's elements without checking them: what comes of bytes that are no JSON is any count.</summary>
    /// <param name="json">From behind the opening bracket.</param>
    public static int CountElements(ReadOnlySpan<byte> json)
    {
        int count = 0;
        int depth = 0;
        for (int i = 0; i < json.Length; i++)
        {
            switch (json[i])
            {
                case (byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'\r':
                    continue;
                case (byte)'"':
                    i = SkipString(json, i);
                    break;
                case (byte)'[' or (byte)'{':
                    depth++;
                    break;
                case (byte)']' or (byte)'}':
                    if (depth-- == 0) { return count; }
                    break;
                case (byte)',' when depth == 0:
                    count++;
                    break;
            }

            if (count == 0) { count = 1; }
        }

        return count;
    }

    /// <returns>Where the closing quote is; the length where there is none.</returns>
    private static int SkipString(ReadOnlySpan<byte> json, int quote)
    {
        int i = quote + 1;
        while (true)
        {
            int found = i < json.Length ? json[i..].IndexOfAny(_quoteOrEscape) : -1;
            if (found < 0) { return json.Length; }
            i += found;
            if (json[i] == (byte)'"') { return i; }
            i += 2;
        }
    }

    private static double ParseDouble(ReadOnlySpan<byte> text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : double.NaN;

    private static int SignificantDigits(ReadOnlySpan<byte> text)
    {
        int count = 0;
        int zeros = 0;
        foreach (byte character in text)
        {
            if (character == (byte)'.') { continue; }
            if (character is < (byte)'0' or > (byte)'9') { break; }
            if (character == (byte)'0')
            {
                if (count > 0) { zeros++; }
                continue;
            }

            count += zeros + 1;
            zeros = 0;
        }

        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool SkipDigits(ReadOnlySpan<byte> json, ref int at)
    {
        int start = at;
        while ((uint)at < (uint)json.Length && (uint)(json[at] - '0') <= 9) { at++; }
        return at > start;
    }
}
