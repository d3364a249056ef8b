namespace PolicyStreams.Rules.Detection;

/// <summary>Numbers of payment cards: 14 to 19 digits, in one row or in groups of three and more with one kind of separator; a length that its issuer gives, and a Luhn sum of zero.</summary>
internal static class CardScanner
{
    // 13 digits are the Visa numbers of long ago, and every article number in a shop.
    private const int DigitsMin = 14;
    private const int DigitsMax = 19;
    private const int GroupMin = 3;

    public static bool Find(ReadOnlySpan<byte> text, int from, out Hit hit)
    {
        for (int at = Glyphs.NextDigit(text, from); at < text.Length; at = Glyphs.NextDigit(text, at))
        {
            if (!Glyphs.IsDigit(text, at)) { at++; continue; }
            int runEnd = Glyphs.RunEnd(text, at);

            // Inside a word, behind a decimal point, or in the middle of a row is no place where a number begins.
            if (!Glyphs.WordBefore(text, at) && !Glyphs.ComesFrom(text, at, Mark.Dash, Mark.Dot) && At(text, at, out int end))
            {
                hit = new Hit(at, end);
                return true;
            }

            at = runEnd;
        }

        hit = default;
        return false;
    }

    /// <summary>The longest number that begins here and ends with a group.</summary>
    private static bool At(ReadOnlySpan<byte> text, int start, out int end)
    {
        end = 0;
        Span<byte> digits = stackalloc byte[DigitsMax];
        int count = 0, at = start;
        Mark separator = Mark.None;
        while (true)
        {
            int group = count;
            while (Glyphs.Digit(text, at, out int length) is >= 0 and int digit)
            {
                if (count == DigitsMax) { return end > 0; }
                digits[count++] = (byte)digit;
                at += length;
            }

            if (separator != Mark.None && count - group < GroupMin) { return end > 0; }
            if (count >= DigitsMin && !Glyphs.WordAt(text, at) && !Glyphs.GoesOn(text, at, Mark.Dot, Mark.Dash) && Issued(digits[..count]) && Luhn(digits[..count])) { end = at; }
            Mark mark = Glyphs.MarkAt(text, at, out int taken);
            if (mark is not (Mark.Space or Mark.Dash or Mark.Dot) || (separator != Mark.None && mark != separator) || count < GroupMin || !Glyphs.IsDigit(text, at + taken)) { return end > 0; }
            separator = mark;
            at += taken;
        }
    }

    internal static bool Luhn(ReadOnlySpan<byte> digits)
    {
        int sum = 0;
        for (int i = digits.Length - 1, place = 0; i >= 0; i--, place++)
        {
            int digit = digits[i];
            sum += (place & 1) == 0 ? digit : digit > 4 ? (2 * digit) - 9 : 2 * digit;
        }

        return sum % 10 == 0;
    }

    /// <summary>True where some issuer gives numbers that begin like this, of this length.</summary>
    private static bool Issued(ReadOnlySpan<byte> digits)
    {
        int six = 0;
        foreach (byte digit in digits[..6]) { six = (six * 10) + digit; }
        int two = six / 10_000, three = six / 1_000, four = six / 100, length = digits.Length;
        return two switch
        {
            >= 40 and <= 49 => length is 16 or 19,                                                          // Visa
            >= 51 and <= 55 => length == 16,                                                                // Mastercard
            34 or 37 => length == 15,                                                                       // American Express
            36 or 38 or 39 => length is 14 or 16 or 19,                                                     // Diners Club
            30 => (three is <= 305 or 309) && length is 14 or 16 or 19,
            35 => (four is >= 3528 and <= 3589) && length >= 16,                                            // JCB
            22 => (four is >= 2200 and <= 2204 && length >= 16) || (four >= 2221 && length == 16),          // Mir, Mastercard
            >= 23 and <= 26 => length == 16,                                                                // Mastercard
            27 => four <= 2720 && length == 16,
            62 => length >= 16,                                                                             // UnionPay
            60 or 65 or 81 or 82 => length is 16 or 19,                                                     // Discover, RuPay
            64 => three >= 644 && length is 16 or 19,                                                       // Discover
            50 => (four is 5018 or 5020 or 5038 || three == 508) && length >= 15,                           // Maestro, RuPay
            58 => four == 5893 && length >= 15,
            63 => four == 6304 && length >= 15,
            67 => four is (6759 or 6761 or 6762 or 6763) && length >= 15,
            97 => four == 9792 && length == 16,                                                             // Troy
            _ => false,
        };
    }
}
