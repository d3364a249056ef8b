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

    /// <summary>An absolute URI of RFC 3986: a scheme, a colon, and characters that a URI may have, with percent signs before two hexadecimal digits.</summary>
    public static bool IsUri(ReadOnlySpan<byte> text)
    {
        int colon = text.IndexOf((byte)':');
        if (colon < 1 || !char.IsAsciiLetter((char)text[0])) { return false; }
        foreach (byte c in text[..colon])
        {
            if (!char.IsAsciiLetterOrDigit((char)c) && !"+-."u8.Contains(c)) { return false; }
        }

        ReadOnlySpan<byte> rest = text[(colon + 1)..];
        bool fragment = false;
        int hostEnd = rest.StartsWith("//"u8) ? rest[2..].IndexOfAny("/?#"u8) is var end && end < 0 ? rest.Length : end + 2 : 0;
        for (int i = 0; i < rest.Length; i++)
        {
            byte c = rest[i];
            if (char.IsAsciiLetterOrDigit((char)c) || "-._~!$&'()*+,;=:@/?"u8.Contains(c)) { continue; }
            if (c == '%' && i + 2 < rest.Length && char.IsAsciiHexDigit((char)rest[i + 1]) && char.IsAsciiHexDigit((char)rest[i + 2])) { i += 2; }
            else if (c == '#' && !fragment) { fragment = true; }
            else if (c is (byte)'[' or (byte)']' && i < hostEnd) { continue; }
            else { return false; }
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
