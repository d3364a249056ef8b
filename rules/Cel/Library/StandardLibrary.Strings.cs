using System.Globalization;
using System.Text;
using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Evaluation;
using PolicyStreams.Schemas.Patterns;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Library;

internal static partial class StandardLibrary
{
    private static void AddStrings(FunctionTable table)
    {
        table.Add("startsWith", "string.(string)bool", a => Bool(((string)a[0]!).StartsWith((string)a[1]!, StringComparison.Ordinal)));
        table.Add("endsWith", "string.(string)bool", a => Bool(((string)a[0]!).EndsWith((string)a[1]!, StringComparison.Ordinal)));
        table.Add("contains", "string.(string)bool", a => Bool(((string)a[0]!).Contains((string)a[1]!, StringComparison.Ordinal)));
        table.Add("matches", "string.(string)bool; (string, string)bool", a => Re2.TryGet((string)a[1]!, out Re2? pattern) ? Bool(pattern.IsMatch((string)a[0]!)) : ErrorValue.Argument);
        table.Add("charAt", "string.(int)string", a => CharAt((string)a[0]!, (long)a[1]!));
        table.Add("indexOf", "string.(string)int; string.(string, int)int", a => IndexOf((string)a[0]!, (string)a[1]!, a.Length == 3 ? (long)a[2]! : 0));
        table.Add("lastIndexOf", "string.(string)int; string.(string, int)int", a => LastIndexOf((string)a[0]!, (string)a[1]!, a.Length == 3 ? (long)a[2]! : null));
        table.Add("lowerAscii", "string.()string", a => string.Create(((string)a[0]!).Length, (string)a[0]!, static (to, from) => Ascii.ToLower(from, to, char.ToLowerInvariant)));
        table.Add("upperAscii", "string.()string", a => string.Create(((string)a[0]!).Length, (string)a[0]!, static (to, from) => Ascii.ToLower(from, to, char.ToUpperInvariant)));
        table.Add("replace", "string.(string, string)string; string.(string, string, int)string", a => Replace((string)a[0]!, (string)a[1]!, (string)a[2]!, a.Length == 4 ? (long)a[3]! : -1));
        table.Add("split", "string.(string)list<string>; string.(string, int)list<string>", a => Split((string)a[0]!, (string)a[1]!, a.Length == 3 ? (long)a[2]! : -1));
        table.Add("substring", "string.(int)string; string.(int, int)string", a => Substring((string)a[0]!, (long)a[1]!, a.Length == 3 ? (long)a[2]! : null));
        table.Add("trim", "string.()string", a => Trim((string)a[0]!));
        table.Add("join", "list<string>.()string; list<string>.(string)string", a => Join((List<object?>)a[0]!, a.Length == 2 ? (string)a[1]! : ""));
        table.Add("strings.quote", "(string)string", a => Quote((string)a[0]!));
        table.Add("reverse", "string.()string", a => ReverseText((string)a[0]!));
        table.Add("format", "string.(list<dyn>)string", a => CelFormat.Format((string)a[0]!, (List<object?>)a[1]!));
        table.Add("base64.encode", "(bytes)string", a => Convert.ToBase64String((byte[])a[0]!));
        table.Add("base64.decode", "(string)bytes", a => Decode((string)a[0]!));
    }

    // Offsets of CEL are in code points; these find the UTF-16 offset, or -1 beyond the end.
    private static int Offset(string text, long codePoint)
    {
        if (codePoint < 0) { return -1; }
        int at = 0;
        for (; codePoint > 0; codePoint--)
        {
            if (at >= text.Length) { return -1; }
            at += char.IsHighSurrogate(text[at]) && at + 1 < text.Length ? 2 : 1;
        }

        return at;
    }

    private static object CharAt(string text, long index)
    {
        int at = Offset(text, index);
        if (at < 0) { return ErrorValue.Index; }
        return at == text.Length ? "" : text.Substring(at, char.IsHighSurrogate(text[at]) && at + 1 < text.Length ? 2 : 1);
    }

    private static object IndexOf(string text, string part, long from)
    {
        int start = Offset(text, from);
        if (start < 0) { return ErrorValue.Index; }
        int found = text.IndexOf(part, start, StringComparison.Ordinal);
        return found < 0 ? -1L : (long)Values.CodePoints(text[..found]);
    }

    private static object LastIndexOf(string text, string part, long? last)
    {
        int end = last is long offset ? Offset(text, offset) : text.Length;
        if (end < 0) { return ErrorValue.Index; }
        if (part.Length > text.Length) { return -1L; }
        for (int at = Math.Min(end, text.Length - part.Length); at >= 0; at--)
        {
            if (string.CompareOrdinal(text, at, part, 0, part.Length) == 0 && (at == text.Length || !char.IsLowSurrogate(text[at]))) { return (long)Values.CodePoints(text[..at]); }
        }

        return -1L;
    }

    private static object Replace(string text, string old, string with, long limit)
    {
        if (limit == 0) { return text; }
        var result = new StringBuilder();
        int at = 0;
        while (limit != 0)
        {
            int found = old.Length > 0 ? text.IndexOf(old, at, StringComparison.Ordinal) : at <= text.Length ? at : -1;
            if (found < 0) { break; }
            result.Append(text, at, found - at).Append(with);
            if (result.Length > SizeMax) { return ErrorValue.TooLarge; }
            at = found + old.Length;
            if (old.Length == 0)
            {
                // Between any two characters, and at both ends.
                if (at == text.Length)
                {
                    at++;
                    break;
                }

                int step = char.IsHighSurrogate(text[at]) && at + 1 < text.Length ? 2 : 1;
                result.Append(text, at, step);
                at += step;
            }

            limit--;
        }

        if (at < text.Length) { result.Append(text, at, text.Length - at); }
        return result.Length > SizeMax ? ErrorValue.TooLarge : result.ToString();
    }

    private static object Split(string text, string separator, long limit)
    {
        var parts = new List<object?>();
        if (limit == 0) { return parts; }
        int at = 0;
        while (limit < 0 || parts.Count < limit - 1)
        {
            int found;
            if (separator.Length > 0) { found = text.IndexOf(separator, at, StringComparison.Ordinal); }
            else
            {
                if (at >= text.Length) { return parts; }
                found = at + (char.IsHighSurrogate(text[at]) && at + 1 < text.Length ? 2 : 1);
                if (found >= text.Length) { break; }
            }

            if (found < 0) { break; }
            parts.Add(text[at..found]);
            if (parts.Count > SizeMax) { return ErrorValue.TooLarge; }
            at = found + separator.Length;
        }

        parts.Add(text[at..]);
        return parts;
    }

    private static object Substring(string text, long start, long? end)
    {
        int from = Offset(text, start);
        int to = end is long last ? Offset(text, last) : text.Length;
        if (from < 0 || to < 0) { return ErrorValue.Index; }
        return from > to ? ErrorValue.Argument : text[from..to];
    }

    private static string Trim(string text)
    {
        static bool IsSpace(char c) => c is (>= '\t' and <= '\r') or ' ' or '\u0085' or '\u00a0' or '\u1680' or (>= '\u2000' and <= '\u200a') or '\u2028' or '\u2029' or '\u202f' or '\u205f' or '\u3000';
        int start = 0, end = text.Length;
        while (start < end && IsSpace(text[start])) { start++; }
        while (end > start && IsSpace(text[end - 1])) { end--; }
        return text[start..end];
    }

    private static object Join(List<object?> parts, string separator)
    {
        var text = new StringBuilder();
        for (int i = 0; i < parts.Count; i++)
        {
            if (Values.Unwrap(parts[i]) is not string part) { return parts[i] as ErrorValue ?? ErrorValue.Type; }
            if (i > 0) { text.Append(separator); }
            text.Append(part);
            if (text.Length > SizeMax) { return ErrorValue.TooLarge; }
        }

        return text.ToString();
    }

    private static string Quote(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (char c in text)
        {
            quoted.Append(c switch
            {
                '\a' => "\\a",
                '\b' => "\\b",
                '\f' => "\\f",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\v' => "\\v",
                '\\' => "\\\\",
                '"' => "\\\"",
                _ => c.ToString(),
            });
        }

        return quoted.Append('"').ToString();
    }

    private static string ReverseText(string text)
    {
        var reversed = new StringBuilder(text.Length);
        for (int i = text.Length - 1; i >= 0; i--)
        {
            if (char.IsLowSurrogate(text[i]) && i > 0 && char.IsHighSurrogate(text[i - 1])) { reversed.Append(text[--i]).Append(text[i + 1]); }
            else { reversed.Append(text[i]); }
        }

        return reversed.ToString();
    }

    private static object Decode(string text)
    {
        string padded = text.TrimEnd('=').Length is var length && text.Length - length <= 2 ? text[..length] : text;
        padded = padded.PadRight((padded.Length + 3) / 4 * 4, '=');
        var bytes = new byte[padded.Length / 4 * 3];
        return !text.AsSpan().ContainsAny(" \t\r\n") && Convert.TryFromBase64String(padded, bytes, out int written) ? bytes[..written] : ErrorValue.Conversion;
    }

    private static class Ascii
    {
        public static void ToLower(string from, Span<char> to, Func<char, char> map)
        {
            for (int i = 0; i < to.Length; i++) { to[i] = char.IsAscii(from[i]) ? map(from[i]) : from[i]; }
        }
    }
}
