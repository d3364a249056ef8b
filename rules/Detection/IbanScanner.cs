namespace PolicyStreams.Rules.Detection;

/// <summary>International bank account numbers (ISO 13616): a country of the registry, its length, groups of four or none, and a remainder of 1 modulo 97.</summary>
internal static class IbanScanner
{
    private const int LengthMax = 33;

    // The registry's countries with their lengths.
    private static readonly byte[] Lengths = Table(
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 "
        + "IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 "
        + "SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30");

    public static bool Find(ReadOnlySpan<byte> text, int from, out Hit hit)
    {
        for (int at = Glyphs.NextDigit(text, from); at < text.Length; at = Glyphs.NextDigit(text, at + 1))
        {
            // Two letters stand in front of the two check digits.
            int start = at - 2;
            if (start < from || !char.IsAsciiLetter((char)text[start]) || !char.IsAsciiLetter((char)text[start + 1]) || Glyphs.WordBefore(text, start) || !At(text, start, out int end)) { continue; }
            hit = new Hit(start, end);
            return true;
        }

        hit = default;
        return false;
    }

    private static bool At(ReadOnlySpan<byte> text, int start, out int end)
    {
        end = 0;
        int wanted = Lengths[((text[start] & 0x1F) * 32) + (text[start + 1] & 0x1F)];
        if (wanted == 0) { return false; }
        Span<byte> number = stackalloc byte[LengthMax];
        int count = 0, at = start;
        Mark separator = Mark.None;
        for (bool first = true; count < wanted; first = false)
        {
            int group = 0;
            while (count < wanted && at < text.Length && char.IsAsciiLetterOrDigit((char)text[at]) && (separator == Mark.None || group < 4))
            {
                number[count++] = text[at++];
                group++;
            }

            if (count == wanted) { break; }

            // The rest behind a separator: groups of four from the first on.
            Mark mark = Glyphs.MarkAt(text, at, out int taken);
            if (group != 4 || mark is not (Mark.Space or Mark.Dash) || (!first && mark != separator)) { return false; }
            separator = mark;
            at += taken;
        }

        if (Glyphs.WordAt(text, at) || (separator == Mark.Dash && Glyphs.GoesOn(text, at, Mark.Dash)) || IsMixed(number[..count]) || Remainder(number[..count]) != 1) { return false; }
        end = at;
        return true;
    }

    /// <summary>True for letters of both cases, as in base64.</summary>
    private static bool IsMixed(ReadOnlySpan<byte> number) => number.ContainsAnyInRange((byte)'A', (byte)'Z') && number.ContainsAnyInRange((byte)'a', (byte)'z');

    /// <summary>Modulo 97, the first four characters behind the others, letters as 10 to 35.</summary>
    private static int Remainder(ReadOnlySpan<byte> number)
    {
        int remainder = 0;
        for (int i = 0; i < number.Length; i++)
        {
            byte c = number[(i + 4) % number.Length];
            remainder = char.IsAsciiDigit((char)c) ? ((remainder * 10) + c - '0') % 97 : ((remainder * 100) + (c & 0x1F) + 9) % 97;
        }

        return remainder;
    }

    private static byte[] Table(string countries)
    {
        byte[] lengths = new byte[32 * 32];
        foreach (string country in countries.Split(' ')) { lengths[((country[0] & 0x1F) * 32) + (country[1] & 0x1F)] = byte.Parse(country.AsSpan(2), System.Globalization.CultureInfo.InvariantCulture); }
        return lengths;
    }
}
