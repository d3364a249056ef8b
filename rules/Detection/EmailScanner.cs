using System.Buffers;

namespace PolicyStreams.Rules.Detection;

/// <summary>E-mail addresses: at most 64 bytes before the @, a domain of two labels or more whose last has letters only and is no file's extension.</summary>
internal static class EmailScanner
{
    private const int LocalMax = 64;
    private const int DomainMax = 255;
    private const int LabelMax = 63;

    private static readonly SearchValues<byte> Local = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+-_~^"u8);

    // What follows an @ in a file's name is no domain: icon@2x.png.
    private static readonly string[] Extensions = ["png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "bmp", "tiff", "pdf", "css", "js", "jsx", "ts", "tsx", "json", "xml", "html", "htm", "yaml", "yml", "txt", "csv", "log", "jar", "exe", "dll", "tgz", "gz"];

    public static bool Find(ReadOnlySpan<byte> text, int from, out Hit hit)
    {
        for (int search = from; search < text.Length;)
        {
            int at = text[search..].IndexOf((byte)'@');
            if (at < 0) { break; }
            at += search;
            int start = Start(text, at, from), end = End(text, at + 1);
            if (start < at && end > at + 1)
            {
                hit = new Hit(start, end);
                return true;
            }

            search = at + 1;
        }

        hit = default;
        return false;
    }

    /// <summary>Where the part before the @ starts; the @ itself where there is none.</summary>
    private static int Start(ReadOnlySpan<byte> text, int at, int from)
    {
        int start = at;
        while (start > from && at - start <= LocalMax && (Local.Contains(text[start - 1]) || IsLatin(text, start - 1))) { start--; }
        if (at - start > LocalMax || text[at > 0 ? at - 1 : 0] == '.') { return at; }

        // An address begins with a letter, a digit, or an underscore: what is before it are quotes and signs of a query.
        while (start < at && !char.IsAsciiLetterOrDigit((char)text[start]) && text[start] != '_' && text[start] < 0xC3) { start++; }
        return start;
    }

    /// <summary>Where the domain ends; its start where it is none.</summary>
    private static int End(ReadOnlySpan<byte> text, int from)
    {
        int at = from, label = from, labels = 0, end = from;
        while (at < text.Length && at - from <= DomainMax && (char.IsAsciiLetterOrDigit((char)text[at]) || text[at] is (byte)'-' or (byte)'.' || IsLatin(text, at)))
        {
            if (text[at] != '.') { at++; continue; }
            if (!Label(text[label..at])) { break; }
            labels++;
            if (labels > 1 && IsTop(text[label..at])) { end = at; }
            label = ++at;
        }

        if (at - from > DomainMax) { return from; }
        if (at > label && labels > 0 && Label(text[label..at]) && IsTop(text[label..at])) { end = at; }
        return end;
    }

    private static bool Label(ReadOnlySpan<byte> label) => label.Length is > 0 and <= LabelMax && label[0] != '-' && label[^1] != '-';

    private static bool IsTop(ReadOnlySpan<byte> label)
    {
        if (label.StartsWith("xn--"u8)) { return true; }
        foreach (byte b in label)
        {
            if (!char.IsAsciiLetter((char)b) && b < 0x80) { return false; }
        }

        if (label.Length < 2) { return false; }
        foreach (string extension in Extensions)
        {
            if (Glyphs.Is(label, extension)) { return false; }
        }

        return true;
    }

    /// <summary>A byte of a Latin letter beyond ASCII, U+00C0 to U+024F.</summary>
    private static bool IsLatin(ReadOnlySpan<byte> text, int at) =>
        text[at] is >= 0xC3 and <= 0xC9 || (text[at] is >= 0x80 and <= 0xBF && at > 0 && text[at - 1] is >= 0xC3 and <= 0xC9);
}
