using System.Buffers;

namespace PolicyStreams.Rules.Detection;

/// <summary>What may stand between digits, or before them.</summary>
internal enum Mark : byte { None, Space, Dash, Dot, Slash, Open, Close, Plus }

/// <summary>Digits and separators as people write and paste them: ASCII, full-width forms, blanks that do not break, and the several dashes.</summary>
internal static class Glyphs
{
    // ASCII digits, and the first byte of U+FF10 to U+FF19.
    private static readonly SearchValues<byte> DigitStarts = SearchValues.Create([.. "0123456789"u8, 0xEF]);

    /// <summary>Where the next digit may be, or the text's end.</summary>
    public static int NextDigit(ReadOnlySpan<byte> text, int at)
    {
        int found = text[at..].IndexOfAny(DigitStarts);
        return found < 0 ? text.Length : at + found;
    }

    /// <summary>0 to 9, or -1.</summary>
    public static int Digit(ReadOnlySpan<byte> text, int at, out int length)
    {
        length = 1;
        if (at >= text.Length) { return -1; }
        int digit = text[at] - '0';
        if ((uint)digit <= 9) { return digit; }
        length = 3;
        return text[at] == 0xEF && at + 2 < text.Length && text[at + 1] == 0xBC && text[at + 2] is >= 0x90 and <= 0x99 ? text[at + 2] - 0x90 : -1;
    }

    public static bool IsDigit(ReadOnlySpan<byte> text, int at) => Digit(text, at, out _) >= 0;

    /// <summary>True where a digit ends right before.</summary>
    public static bool DigitBefore(ReadOnlySpan<byte> text, int at) =>
        at > 0 && (char.IsAsciiDigit((char)text[at - 1]) || (at > 2 && Digit(text, at - 3, out int length) >= 0 && length == 3));

    /// <summary>True where an ASCII letter or a digit ends right before: what follows is the rest of a word. Letters of other scripts need no blank around numbers.</summary>
    public static bool WordBefore(ReadOnlySpan<byte> text, int at) => (at > 0 && char.IsAsciiLetter((char)text[at - 1])) || DigitBefore(text, at);

    public static bool WordAt(ReadOnlySpan<byte> text, int at) => (at < text.Length && char.IsAsciiLetter((char)text[at])) || IsDigit(text, at);

    public static Mark MarkAt(ReadOnlySpan<byte> text, int at, out int length)
    {
        length = 1;
        if (at >= text.Length) { return Mark.None; }
        switch (text[at])
        {
            case (byte)' ' or (byte)'\t': return Mark.Space;
            case (byte)'-': return Mark.Dash;
            case (byte)'.': return Mark.Dot;
            case (byte)'/': return Mark.Slash;
            case (byte)'(': return Mark.Open;
            case (byte)')': return Mark.Close;
            case (byte)'+': return Mark.Plus;
            case 0xC2 when at + 1 < text.Length && text[at + 1] == 0xA0:
                length = 2;
                return Mark.Space;
            case 0xE2 when at + 2 < text.Length:
                length = 3;
                return (text[at + 1], text[at + 2]) switch
                {
                    // U+2007, U+2009, U+202F; U+2010 to U+2013; U+2212.
                    (0x80, 0x87 or 0x89 or 0xAF) => Mark.Space,
                    (0x80, >= 0x90 and <= 0x93) or (0x88, 0x92) => Mark.Dash,
                    _ => Mark.None,
                };
            case 0xE3 when at + 2 < text.Length && text[at + 1] == 0x80 && text[at + 2] == 0x80:
                length = 3;
                return Mark.Space;
            case 0xEF when at + 2 < text.Length && text[at + 1] == 0xBC:
                length = 3;
                return text[at + 2] switch { 0x88 => Mark.Open, 0x89 => Mark.Close, 0x8B => Mark.Plus, 0x8D => Mark.Dash, 0x8E => Mark.Dot, 0x8F => Mark.Slash, _ => Mark.None };
            default:
                return Mark.None;
        }
    }

    /// <summary>The mark that ends right before, and where it starts.</summary>
    public static Mark MarkBefore(ReadOnlySpan<byte> text, int at, out int start)
    {
        for (int length = 1; length <= 3 && length <= at; length++)
        {
            Mark mark = MarkAt(text, at - length, out int taken);
            if (mark == Mark.None || taken != length) { continue; }
            start = at - length;
            return mark;
        }

        start = at;
        return Mark.None;
    }

    /// <summary>True where the text goes on with this mark and a digit: a longer row of numbers.</summary>
    public static bool GoesOn(ReadOnlySpan<byte> text, int at, params ReadOnlySpan<Mark> marks) => marks.Contains(MarkAt(text, at, out int length)) && IsDigit(text, at + length);

    /// <summary>True where a digit and one of these marks stand right before.</summary>
    public static bool ComesFrom(ReadOnlySpan<byte> text, int at, params ReadOnlySpan<Mark> marks) => marks.Contains(MarkBefore(text, at, out int start)) && DigitBefore(text, start);

    /// <summary>Behind the digits that follow one another from here.</summary>
    public static int RunEnd(ReadOnlySpan<byte> text, int at)
    {
        while (Digit(text, at, out int length) >= 0) { at += length; }
        return at;
    }

    /// <summary>
    /// True where one of these words, lower-case, stands shortly before: <c>tel.: </c>, <c>SSN no. </c>.
    /// </summary>
    public static bool AfterWord(ReadOnlySpan<byte> text, int at, string[] words)
    {
        const int Reach = 24;
        int from = Math.Max(0, at - Reach);
        ReadOnlySpan<byte> window = text[from..at];
        for (int end = window.Length; end > 0;)
        {
            while (end > 0 && !char.IsAsciiLetter((char)window[end - 1]))
            {
                // Another number lies between: the word speaks of that one.
                if (char.IsAsciiDigit((char)window[end - 1])) { return false; }
                end--;
            }

            int start = end;
            while (start > 0 && char.IsAsciiLetter((char)window[start - 1])) { start--; }
            foreach (string word in words)
            {
                if (end - start == word.Length && Is(window[start..end], word)) { return start > 0 || from == 0 || !char.IsAsciiLetter((char)text[from - 1]); }
            }

            end = start;
        }

        return false;
    }

    /// <param name="lower">ASCII, lower-case.</param>
    public static bool Is(ReadOnlySpan<byte> text, string lower)
    {
        if (text.Length != lower.Length) { return false; }
        for (int i = 0; i < text.Length; i++)
        {
            if ((text[i] is >= (byte)'A' and <= (byte)'Z' ? text[i] | 0x20 : text[i]) != lower[i]) { return false; }
        }

        return true;
    }
}
