using System.Text;
using PolicyStreams.Schemas.Patterns;

namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>True where a text (UTF-8) is of the format. Allocates nothing for texts of ordinary length.</summary>
internal delegate bool FormatCheck(ReadOnlySpan<byte> text);

/// <summary>The formats that drafts define, as assertions. Names that none defines are annotations, as the drafts say.</summary>
internal static class Formats
{
    /// <summary>The assertion of a format; null where it is an annotation.</summary>
    public static FormatCheck? Find(string name) => name switch
    {
        "date-time" => DateTime,
        "date" => Date,
        "time" => Time,
        "duration" => Duration,
        "email" => text => Email(text, ascii: true),
        "idn-email" => text => Email(text, ascii: false),
        "hostname" => Hostname,
        "idn-hostname" => InternationalLabel.IsName,
        "ipv4" => Ipv4,
        "ipv6" => Ipv6,
        "uri" => text => Uri(text, absolute: true, ascii: true),
        "uri-reference" => text => Uri(text, absolute: false, ascii: true),
        "iri" => text => Uri(text, absolute: true, ascii: false),
        "iri-reference" => text => Uri(text, absolute: false, ascii: false),
        "uuid" => Uuid,
        "uri-template" => UriTemplate,
        "json-pointer" => JsonPointer,
        "relative-json-pointer" => RelativeJsonPointer,
        "regex" => text => EcmaParser.IsPattern(Encoding.UTF8.GetString(text)),
        _ => null,
    };

    private static bool Digits(ReadOnlySpan<byte> text, int at, int count, out int value)
    {
        value = 0;
        if (at + count > text.Length) { return false; }
        for (int i = at; i < at + count; i++)
        {
            if (text[i] is < (byte)'0' or > (byte)'9') { return false; }
            value = (10 * value) + (text[i] - '0');
        }

        return true;
    }

    private static bool Date(ReadOnlySpan<byte> text) => text.Length == 10 && text[4] == (byte)'-' && text[7] == (byte)'-'
        && Digits(text, 0, 4, out int year) && Digits(text, 5, 2, out int month) && Digits(text, 8, 2, out int day)
        && month is >= 1 and <= 12 && day >= 1 && day <= DaysIn(year, month);

    private static int DaysIn(int year, int month) =>
        month == 2 ? (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28) : month is 4 or 6 or 9 or 11 ? 30 : 31;

    private static bool Time(ReadOnlySpan<byte> text)
    {
        if (text.Length < 9 || text[2] != (byte)':' || text[5] != (byte)':' || !Digits(text, 0, 2, out int hours) || !Digits(text, 3, 2, out int minutes) || !Digits(text, 6, 2, out int seconds)) { return false; }
        int at = 8;
        if (text[at] == (byte)'.')
        {
            int start = ++at;
            while (at < text.Length && char.IsAsciiDigit((char)text[at])) { at++; }
            if (at == start) { return false; }
        }

        if (at >= text.Length || hours > 23 || minutes > 59 || seconds > 60) { return false; }
        int offset = 0;
        if ((text[at] | 0x20) == (byte)'z')
        {
            if (at + 1 != text.Length) { return false; }
        }
        else
        {
            if (text[at] is not ((byte)'+' or (byte)'-') || text.Length != at + 6 || text[at + 3] != (byte)':' || !Digits(text, at + 1, 2, out int offsetHours) || !Digits(text, at + 4, 2, out int offsetMinutes)
                || offsetHours > 23 || offsetMinutes > 59)
            {
                return false;
            }

            offset = ((60 * offsetHours) + offsetMinutes) * (text[at] == (byte)'-' ? -1 : 1);
        }

        // A leap second is the last of a day in UTC.
        return seconds < 60 || ((60 * hours) + minutes - offset + 2880) % 1440 == 1439;
    }

    public static bool DateTime(ReadOnlySpan<byte> text) => text.Length > 11 && (text[10] | 0x20) == (byte)'t' && Date(text[..10]) && Time(text[11..]);

    /// <summary>ISO 8601's durations as RFC 3339's appendix A spells them.</summary>
    private static bool Duration(ReadOnlySpan<byte> text)
    {
        if (text.Length < 3 || text[0] != (byte)'P') { return false; }
        int at = 1;
        if (text[1] != (byte)'T')
        {
            int unit = Units(text, ref at, "YMD"u8, out bool week);
            if (week) { return at == text.Length; }
            if (unit == 0) { return false; }
            if (at == text.Length) { return true; }
        }

        if (text[at] != (byte)'T') { return false; }
        at++;
        return Units(text, ref at, "HMS"u8, out _) > 0 && at == text.Length;
    }

    /// <summary>Numbers with units that follow one another without a gap; how many.</summary>
    private static int Units(ReadOnlySpan<byte> text, ref int at, ReadOnlySpan<byte> units, out bool week)
    {
        int found = 0;
        int last = -1;
        week = false;
        while (at < text.Length && char.IsAsciiDigit((char)text[at]))
        {
            while (at < text.Length && char.IsAsciiDigit((char)text[at])) { at++; }
            if (at == text.Length) { return 0; }
            if (text[at] == (byte)'W' && found == 0 && units[0] == (byte)'Y')
            {
                week = true;
                at++;
                return 1;
            }

            int unit = units.IndexOf(text[at]);
            if (unit < 0 || (found > 0 && unit != last + 1)) { return 0; }
            last = unit;
            found++;
            at++;
        }

        return found;
    }

    private static bool Email(ReadOnlySpan<byte> text, bool ascii)
    {
        int split = text.LastIndexOf((byte)'@');
        if (split <= 0 || split > 320) { return false; }
        ReadOnlySpan<byte> local = text[..split], domain = text[(split + 1)..];
        if (local[0] == (byte)'"')
        {
            if (local.Length < 2 || local[^1] != (byte)'"') { return false; }
            for (int i = 1; i < local.Length - 1; i++)
            {
                if (local[i] == (byte)'\\' && i + 1 < local.Length - 1) { i++; }
                else if (local[i] is (byte)'"' or (byte)'\\' or < 0x20 or 0x7F || (ascii && local[i] >= 128)) { return false; }
            }
        }
        else
        {
            bool dot = true;
            foreach (byte character in local)
            {
                bool isDot = character == (byte)'.';
                if (isDot ? dot : !(char.IsAsciiLetterOrDigit((char)character) || "!#$%&'*+-/=?^_`{|}~"u8.Contains(character) || (!ascii && character >= 128))) { return false; }
                dot = isDot;
            }

            if (dot) { return false; }
        }

        if (domain.Length > 2 && domain[0] == (byte)'[' && domain[^1] == (byte)']')
        {
            ReadOnlySpan<byte> address = domain[1..^1];
            return address.StartsWith("IPv6:"u8) ? Ipv6(address[5..]) : Ipv4(address);
        }

        return ascii ? Hostname(domain) : InternationalLabel.IsName(domain);
    }

    private static bool Hostname(ReadOnlySpan<byte> text)
    {
        if (text.Length is 0 or > 253) { return false; }
        int start = 0;
        for (int i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && text[i] != (byte)'.')
            {
                if (!(char.IsAsciiLetterOrDigit((char)text[i]) || text[i] == (byte)'-')) { return false; }
                continue;
            }

            if (i == start || i - start > 63 || text[start] == (byte)'-' || text[i - 1] == (byte)'-') { return false; }
            if (i - start >= 4 && text[start + 2] == (byte)'-' && text[start + 3] == (byte)'-' && !InternationalLabel.IsHarmless(text[start..i])) { return false; }
            start = i + 1;
        }

        return true;
    }

    private static bool Ipv4(ReadOnlySpan<byte> text)
    {
        int parts = 0;
        int start = 0;
        for (int i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && text[i] != (byte)'.')
            {
                if (!char.IsAsciiDigit((char)text[i])) { return false; }
                continue;
            }

            if (i == start || i - start > 3 || (text[start] == (byte)'0' && i - start > 1) || !Digits(text, start, i - start, out int value) || value > 255 || ++parts > 4) { return false; }
            start = i + 1;
        }

        return parts == 4;
    }

    private static bool Ipv6(ReadOnlySpan<byte> text)
    {
        int groups = 0;
        bool gap = false;
        int at = 0;
        if (text.StartsWith("::"u8))
        {
            gap = true;
            at = 2;
            if (at == text.Length) { return true; }
        }

        while (true)
        {
            int end = at;
            while (end < text.Length && char.IsAsciiHexDigit((char)text[end])) { end++; }
            if (end < text.Length && text[end] == (byte)'.') { return Ipv4(text[at..]) && (gap ? groups + 2 < 8 : groups + 2 == 8); }
            if (end == at || end - at > 4 || ++groups > 8) { return false; }
            if (end == text.Length) { return gap ? groups < 8 : groups == 8; }
            if (text[end] != (byte)':') { return false; }
            at = end + 1;
            if (at < text.Length && text[at] == (byte)':')
            {
                if (gap) { return false; }
                gap = true;
                at++;
                if (at == text.Length) { return groups < 8; }
            }
            else if (at == text.Length) { return false; }
        }
    }

    private static bool Uuid(ReadOnlySpan<byte> text)
    {
        if (text.Length != 36) { return false; }
        for (int i = 0; i < 36; i++)
        {
            if (i is 8 or 13 or 18 or 23 ? text[i] != (byte)'-' : !char.IsAsciiHexDigit((char)text[i])) { return false; }
        }

        return true;
    }

    /// <summary>RFC 3986, and RFC 3987 where it need not be ASCII.</summary>
    private static bool Uri(ReadOnlySpan<byte> text, bool absolute, bool ascii)
    {
        int hash = text.IndexOf((byte)'#');
        if (hash >= 0)
        {
            if (!Characters(text[(hash + 1)..], "/?:@"u8, ascii, isPrivate: false)) { return false; }
            text = text[..hash];
        }

        int question = text.IndexOf((byte)'?');
        if (question >= 0)
        {
            if (!Characters(text[(question + 1)..], "/?:@"u8, ascii, isPrivate: true)) { return false; }
            text = text[..question];
        }

        int colon = text.IndexOf((byte)':');
        int slash = text.IndexOf((byte)'/');
        bool scheme = colon > 0 && (slash < 0 || colon < slash);
        if (scheme)
        {
            if (!char.IsAsciiLetter((char)text[0])) { return false; }
            foreach (byte character in text[..colon])
            {
                if (!(char.IsAsciiLetterOrDigit((char)character) || character is (byte)'+' or (byte)'-' or (byte)'.')) { return false; }
            }

            text = text[(colon + 1)..];
        }
        else if (absolute || (colon >= 0 && (slash < 0 || colon < slash))) { return false; }

        if (text.StartsWith("//"u8))
        {
            text = text[2..];
            int end = text.IndexOf((byte)'/');
            if (!Authority(end < 0 ? text : text[..end], ascii)) { return false; }
            text = end < 0 ? default : text[end..];
        }

        return Characters(text, "/:@"u8, ascii, isPrivate: false);
    }

    private static bool Authority(ReadOnlySpan<byte> text, bool ascii)
    {
        int at = text.IndexOf((byte)'@');
        if (at >= 0)
        {
            if (!Characters(text[..at], ":"u8, ascii, isPrivate: false)) { return false; }
            text = text[(at + 1)..];
        }

        int port;
        if (text.Length > 0 && text[0] == (byte)'[')
        {
            int end = text.IndexOf((byte)']');
            if (end < 0 || !Literal(text[1..end])) { return false; }
            port = end + 1;
            if (port < text.Length && text[port] != (byte)':') { return false; }
        }
        else
        {
            port = text.IndexOf((byte)':');
            if (port < 0) { port = text.Length; }
            if (!Characters(text[..port], default, ascii, isPrivate: false)) { return false; }
        }

        foreach (byte digit in port < text.Length ? text[(port + 1)..] : default)
        {
            if (!char.IsAsciiDigit((char)digit)) { return false; }
        }

        return true;
    }

    /// <summary>An IPv6 address, or one of a future version.</summary>
    private static bool Literal(ReadOnlySpan<byte> text)
    {
        if (text.Length == 0 || (text[0] | 0x20) != (byte)'v') { return Ipv6(text); }
        int dot = text.IndexOf((byte)'.');
        if (dot < 2 || dot == text.Length - 1) { return false; }
        foreach (byte digit in text[1..dot])
        {
            if (!char.IsAsciiHexDigit((char)digit)) { return false; }
        }

        return Characters(text[(dot + 1)..], ":"u8, ascii: true, isPrivate: false) && !text.Contains((byte)'%');
    }

    /// <summary>Unreserved characters, sub-delimiters, percent-encoded octets, and <paramref name="more"/>.</summary>
    private static bool Characters(ReadOnlySpan<byte> text, ReadOnlySpan<byte> more, bool ascii, bool isPrivate)
    {
        for (int i = 0; i < text.Length; i++)
        {
            byte character = text[i];
            if (char.IsAsciiLetterOrDigit((char)character) || "-._~!$&'()*+,;="u8.Contains(character) || more.Contains(character)) { continue; }
            if (character == (byte)'%')
            {
                if (i + 2 >= text.Length || !char.IsAsciiHexDigit((char)text[i + 1]) || !char.IsAsciiHexDigit((char)text[i + 2])) { return false; }
                i += 2;
                continue;
            }

            if (ascii || character < 128 || Rune.DecodeFromUtf8(text[i..], out Rune rune, out int length) != System.Buffers.OperationStatus.Done || !International(rune.Value, isPrivate)) { return false; }
            i += length - 1;
        }

        return true;
    }

    private static bool International(int c, bool isPrivate) =>
        (c >= 0xA0 && c is not (>= 0xE000 and <= 0xF8FF) && c is not (>= 0xFDD0 and <= 0xFDEF) && c is not (>= 0xFFF0 and <= 0xFFFF) && (c & 0xFFFE) != 0xFFFE && c < 0xF0000)
        || (isPrivate && c is (>= 0xE000 and <= 0xF8FF) or (>= 0xF0000 and <= 0xFFFFD) or (>= 0x100000 and <= 0x10FFFD));

    /// <summary>RFC 6570.</summary>
    private static bool UriTemplate(ReadOnlySpan<byte> text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            byte character = text[i];
            if (character == (byte)'{')
            {
                int length = text[i..].IndexOf((byte)'}');
                if (length < 0 || !Expression(text.Slice(i + 1, length - 1))) { return false; }
                i += length;
            }
            else if (character == (byte)'%')
            {
                if (i + 2 >= text.Length || !char.IsAsciiHexDigit((char)text[i + 1]) || !char.IsAsciiHexDigit((char)text[i + 2])) { return false; }
                i += 2;
            }
            else if (character is <= 0x20 or (byte)'"' or (byte)'<' or (byte)'>' or (byte)'\\' or (byte)'^' or (byte)'`' or (byte)'|' or (byte)'}' or 0x7F) { return false; }
        }

        return true;
    }

    private static bool Expression(ReadOnlySpan<byte> text)
    {
        if (text.Length > 0 && "+#./;?&=,!@|"u8.Contains(text[0])) { text = text[1..]; }
        foreach (Range part in text.Split((byte)','))
        {
            ReadOnlySpan<byte> variable = text[part];
            int colon = variable.IndexOf((byte)':');
            if (colon >= 0)
            {
                ReadOnlySpan<byte> digits = variable[(colon + 1)..];
                if (digits.Length is 0 or > 4 || digits[0] == (byte)'0' || !Digits(digits, 0, digits.Length, out _)) { return false; }
                variable = variable[..colon];
            }
            else if (variable.Length > 0 && variable[^1] == (byte)'*') { variable = variable[..^1]; }

            bool dot = true;
            for (int i = 0; i < variable.Length; i++)
            {
                bool isDot = variable[i] == (byte)'.';
                if (isDot ? dot : !(char.IsAsciiLetterOrDigit((char)variable[i]) || variable[i] is (byte)'_' or (byte)'%')) { return false; }
                if (variable[i] == (byte)'%')
                {
                    if (i + 2 >= variable.Length || !char.IsAsciiHexDigit((char)variable[i + 1]) || !char.IsAsciiHexDigit((char)variable[i + 2])) { return false; }
                    i += 2;
                }

                dot = isDot;
            }

            if (dot) { return false; }
        }

        return true;
    }

    private static bool JsonPointer(ReadOnlySpan<byte> text)
    {
        if (text.Length == 0) { return true; }
        if (text[0] != (byte)'/') { return false; }
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == (byte)'~' && (i + 1 == text.Length || text[i + 1] is not ((byte)'0' or (byte)'1'))) { return false; }
        }

        return true;
    }

    private static bool RelativeJsonPointer(ReadOnlySpan<byte> text)
    {
        int digits = 0;
        while (digits < text.Length && char.IsAsciiDigit((char)text[digits])) { digits++; }
        if (digits == 0 || (digits > 1 && text[0] == (byte)'0')) { return false; }
        return text[digits..].SequenceEqual("#"u8) || JsonPointer(text[digits..]);
    }
}
