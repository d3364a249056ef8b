using System.Net;

namespace PolicyStreams.Rules.Cel.Library;

/// <summary>Tests of formats over UTF-8. Linear; allocate nothing.</summary>
internal static class TextFormats
{
    /// <summary>HTML's rule for e-mail addresses (the one that browsers use), with at most 64 characters before the @ and 254 in all.</summary>
    public static bool IsEmail(ReadOnlySpan<byte> text)
    {
        if (text.Length > 254) { return false; }
        int at = text.IndexOf((byte)'@');
        if (at is < 1 or > 64) { return false; }
        foreach (byte c in text[..at])
        {
            if (!char.IsAsciiLetterOrDigit((char)c) && !".!#$%&'*+/=?^_`{|}~-"u8.Contains(c)) { return false; }
        }

        ReadOnlySpan<byte> domain = text[(at + 1)..];
        while (true)
        {
            int dot = domain.IndexOf((byte)'.');
            if (!IsLabel(dot < 0 ? domain : domain[..dot])) { return false; }
            if (dot < 0) { return true; }
            domain = domain[(dot + 1)..];
        }
    }

    private static bool IsLabel(ReadOnlySpan<byte> label)
    {
        if (label.Length is 0 or > 63 || label[0] == '-' || label[^1] == '-') { return false; }
        foreach (byte c in label)
        {
            if (!char.IsAsciiLetterOrDigit((char)c) && c != '-') { return false; }
        }

        return true;
    }

    /// <summary>An absolute URI of RFC 3986: a scheme and a colon; an authority behind two slashes, or none; a path, a query, and a fragment.</summary>
    public static bool IsUri(ReadOnlySpan<byte> text)
    {
        int colon = text.IndexOf((byte)':');
        if (colon < 1 || !char.IsAsciiLetter((char)text[0])) { return false; }
        foreach (byte c in text[..colon])
        {
            if (!char.IsAsciiLetterOrDigit((char)c) && !"+-."u8.Contains(c)) { return false; }
        }

        ReadOnlySpan<byte> rest = text[(colon + 1)..];
        if (rest.StartsWith("//"u8))
        {
            rest = rest[2..];
            int end = rest.IndexOfAny("/?#"u8);
            if (!IsAuthority(end < 0 ? rest : rest[..end])) { return false; }
            rest = end < 0 ? [] : rest[end..];
        }

        int fragment = rest.IndexOf((byte)'#');
        return fragment < 0 ? HasOnly(rest, ":@/?"u8) : HasOnly(rest[..fragment], ":@/?"u8) && HasOnly(rest[(fragment + 1)..], ":@/?"u8);
    }

    // [user@]host[:port], where a host in brackets is an address.
    private static bool IsAuthority(ReadOnlySpan<byte> text)
    {
        int at = text.IndexOf((byte)'@');
        if (at >= 0 && !HasOnly(text[..at], ":"u8)) { return false; }
        text = text[(at + 1)..];
        bool bracket = text.StartsWith("["u8);
        int end = text.IndexOf((byte)(bracket ? ']' : ':'));
        if (bracket && (end < 0 || !IsAddress(text[1..end]))) { return false; }
        if (!bracket && !HasOnly(end < 0 ? text : text[..end], ""u8)) { return false; }
        ReadOnlySpan<byte> port = end < 0 ? [] : text[(bracket ? end + 1 : end)..];
        return port.IsEmpty || (port[0] == ':' && !port[1..].ContainsAnyExceptInRange((byte)'0', (byte)'9'));
    }

    // IPv6 without a zone, or of a version to come: v1.text.
    private static bool IsAddress(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty || text[0] is not ((byte)'v' or (byte)'V')) { return text.Contains((byte)':') && !text.ContainsAny("%/[]"u8) && IPAddress.IsValidUtf8(text); }
        int dot = text.IndexOf((byte)'.');
        if (dot < 2 || dot == text.Length - 1) { return false; }
        foreach (byte c in text[1..dot])
        {
            if (!char.IsAsciiHexDigit((char)c)) { return false; }
        }

        return !text.Contains((byte)'%') && HasOnly(text[(dot + 1)..], ":"u8);
    }

    // RFC 3986's unreserved characters and sub-delimiters, percent signs before two hexadecimal digits, and those of `also`.
    private static bool HasOnly(ReadOnlySpan<byte> text, ReadOnlySpan<byte> also)
    {
        for (int i = 0; i < text.Length; i++)
        {
            byte c = text[i];
            if (char.IsAsciiLetterOrDigit((char)c) || "-._~!$&'()*+,;="u8.Contains(c) || also.Contains(c)) { continue; }
            if (c != '%' || i + 2 >= text.Length || !char.IsAsciiHexDigit((char)text[i + 1]) || !char.IsAsciiHexDigit((char)text[i + 2])) { return false; }
            i += 2;
        }

        return true;
    }

    /// <summary>8-4-4-4-12 hexadecimal digits, of either case.</summary>
    public static bool IsUuid(ReadOnlySpan<byte> text)
    {
        if (text.Length != 36) { return false; }
        for (int i = 0; i < text.Length; i++)
        {
            if (i is 8 or 13 or 18 or 23 ? text[i] != '-' : !char.IsAsciiHexDigit((char)text[i])) { return false; }
        }

        return true;
    }

    /// <summary>Two digits or more whose Luhn sum is a multiple of ten; blanks and hyphens between digits are skipped.</summary>
    public static bool IsLuhn(ReadOnlySpan<byte> text)
    {
        int sum = 0, digits = 0;
        for (int i = text.Length - 1; i >= 0; i--)
        {
            byte c = text[i];
            if (c is (byte)' ' or (byte)'-') { continue; }
            int digit = c - '0';
            if ((uint)digit > 9) { return false; }
            if ((digits++ & 1) == 1)
            {
                digit *= 2;
                if (digit > 9) { digit -= 9; }
            }

            sum += digit;
        }

        return digits >= 2 && sum % 10 == 0;
    }
}
