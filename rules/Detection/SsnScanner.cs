namespace PolicyStreams.Rules.Detection;

/// <summary>Social security numbers of the United States: 3, 2, and 4 digits with hyphens or blanks, or nine in a row behind a word for them; in the ranges that are given out.</summary>
internal static class SsnScanner
{
    private static readonly string[] Words = ["ssn", "ssns", "social", "socsec"];

    public static bool Find(ReadOnlySpan<byte> text, int from, out Hit hit)
    {
        for (int at = Glyphs.NextDigit(text, from); at < text.Length; at = Glyphs.NextDigit(text, at))
        {
            if (!Glyphs.IsDigit(text, at)) { at++; continue; }
            int runEnd = Glyphs.RunEnd(text, at);
            bool inWord = Glyphs.WordBefore(text, at) || (Glyphs.MarkBefore(text, at, out int dash) is Mark.Dash or Mark.Dot or Mark.Slash && Glyphs.WordBefore(text, dash));
            if (!inWord && At(text, at, out int end))
            {
                hit = new Hit(at, end);
                return true;
            }

            at = runEnd;
        }

        hit = default;
        return false;
    }

    private static bool At(ReadOnlySpan<byte> text, int at, out int end)
    {
        int start = at, number = 0;
        Mark separator = Mark.None;
        end = 0;
        for (int digits = 0; digits < 9; digits++)
        {
            if (digits is 3 or 5)
            {
                Mark mark = Glyphs.MarkAt(text, at, out int taken);
                if (digits == 3 && mark is Mark.Dash or Mark.Space) { separator = mark; }
                else if (mark != separator) { return false; }
                if (separator != Mark.None) { at += taken; }
            }

            int digit = Glyphs.Digit(text, at, out int length);
            if (digit < 0) { return false; }
            number = (number * 10) + digit;
            at += length;
        }

        int area = number / 1_000_000, group = number / 10_000 % 100, serial = number % 10_000;
        if (area is 0 or 666 or >= 900 || group == 0 || serial == 0) { return false; }

        // Printed on a wallet's insert, and on a leaflet: never anybody's.
        if (number is 078_05_1120 or 219_09_9999) { return false; }
        if (Glyphs.WordAt(text, at) || Glyphs.GoesOn(text, at, Mark.Dash, Mark.Dot, Mark.Slash) || (separator == Mark.Space && (Glyphs.GoesOn(text, at, Mark.Space) || Glyphs.ComesFrom(text, start, Mark.Space)))) { return false; }
        if (separator == Mark.None && !Glyphs.AfterWord(text, start, Words)) { return false; }
        end = at;
        return true;
    }
}
