namespace PolicyStreams.Rules.Detection;

/// <summary>
/// Telephone numbers: with + (or 00) and an assigned country code; North American ones in groups of 3, 3, and 4; national ones that begin with 0 and are in groups;
/// and any 7 to 15 digits behind a word for a telephone.
/// </summary>
internal static class PhoneScanner
{
    private const int DigitsMax = 15;
    private const int GroupsMax = 10;

    private static readonly string[] Words = ["tel", "telephone", "phone", "phones", "ph", "mobile", "mob", "cell", "fax", "call", "sms", "whatsapp", "telefon", "mobil", "handy", "festnetz", "fon", "telefono", "movil", "portable"];

    /// <summary>Where each country code of two digits is one; in the others of the first digits are those of three.</summary>
    private static ReadOnlySpan<byte> TwoDigitCodes => "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98"u8;

    private static ReadOnlySpan<byte> ThreeDigitStarts => "21 22 23 24 25 26 29 35 37 38 42 50 59 67 68 69 80 85 87 88 96 97 99"u8;

    public static bool Find(ReadOnlySpan<byte> text, int from, out Hit hit)
    {
        for (int at = Glyphs.NextDigit(text, from); at < text.Length; at = Glyphs.NextDigit(text, at))
        {
            if (!Glyphs.IsDigit(text, at)) { at++; continue; }
            int runEnd = Glyphs.RunEnd(text, at), start = at;

            // A plus, a bracket, or both belong to the number.
            bool open = Glyphs.MarkBefore(text, start, out int before) == Mark.Open && before >= from;
            if (open) { start = before; }
            bool plus = Glyphs.MarkBefore(text, start, out before) == Mark.Plus && before >= from;
            if (plus)
            {
                start = before;
                if (!open && Glyphs.MarkBefore(text, start, out before) == Mark.Open && before >= from) { (start, open) = (before, true); }
            }

            if (!Glyphs.WordBefore(text, start) && !Glyphs.ComesFrom(text, start, Mark.Dash, Mark.Dot, Mark.Slash, Mark.Plus) && At(text, start, at, plus, open, out int end))
            {
                hit = new Hit(start, end);
                return true;
            }

            at = runEnd;
        }

        hit = default;
        return false;
    }

    private static bool At(ReadOnlySpan<byte> text, int start, int at, bool plus, bool open, out int end)
    {
        var row = new Row(text, at, stackalloc byte[DigitsMax], stackalloc Group[GroupsMax], open);
        end = 0;
        if (row.Count == 0) { return false; }
        int length = row.Groups[0].Digits;
        ReadOnlySpan<byte> digits = row.Digits;
        if (plus) { return International(row, digits, 0, out end); }

        // A number behind another one and a blank begins nowhere: it is the rest of an account's or a card's.
        bool inRow = Glyphs.ComesFrom(text, start, Mark.Space);
        if (!inRow && length > 3 && digits[0] == 0 && digits[1] == 0) { return row.Count > 1 && International(row, digits, 2, out end); }
        if (NorthAmerican(row, digits, open, inRow, out end)) { return true; }
        if (!inRow && (National(row, digits, open, out end) || (Glyphs.AfterWord(text, start, Words) && row.Longest(7, DigitsMax, out end)))) { return true; }
        return false;
    }

    /// <summary>Behind + or 00: a country code that is assigned, and as many digits as it may have.</summary>
    private static bool International(in Row row, ReadOnlySpan<byte> digits, int skip, out int end)
    {
        end = 0;
        // A row that begins with two zeros is more often one of an account than a number abroad is short.
        int least = skip == 0 ? 8 : 9;
        if (digits.Length < skip + least) { return false; }
        digits = digits[skip..];
        if (digits[0] == 1)
        {
            // North America: ten digits behind the 1, neither of the first two parts with a 0 or 1 in front.
            return digits.Length >= 11 && digits[1] > 1 && digits[4] > 1 && row.Longest(skip + 11, skip + 11, out end);
        }

        int two = (digits[0] * 10) + digits[1];
        bool known = digits[0] == 7 || In(TwoDigitCodes, digits[0], digits[1]) || In(ThreeDigitStarts, digits[0], digits[1]);
        if (!known) { return false; }
        (int min, int max) = two switch { >= 70 and <= 79 => (11, 11), 33 or 32 or 31 or 45 or 47 => (10, 12), 44 => (11, 13), 34 or 61 or 64 => (10, 12), 86 => (11, 13), 91 => (12, 12), _ => (least, DigitsMax) };
        return row.Longest(skip + min, Math.Min(DigitsMax, skip + max), out end);
    }

    private static bool In(ReadOnlySpan<byte> codes, int first, int second)
    {
        for (int i = 0; i < codes.Length; i += 3)
        {
            if (codes[i] - '0' == first && codes[i + 1] - '0' == second) { return true; }
        }

        return false;
    }

    /// <summary>(415) 555-2671, 415-555-2671, 1-415-555-2671: area and exchange begin with 2 to 9, and are no service's number (x11).</summary>
    private static bool NorthAmerican(in Row row, ReadOnlySpan<byte> digits, bool open, bool inRow, out int end)
    {
        end = 0;
        int first = !open && row.Groups[0].Digits == 1 && digits[0] == 1 ? 1 : 0;
        if (row.Count < first + 3 || row.Groups[first].Digits != 3 || row.Groups[first + 1].Digits != 3 || row.Groups[first + 2].Digits != 4 || !row.Ends(first + 2)) { return false; }
        Mark between = row.Groups[first].Behind, last = row.Groups[first + 1].Behind;
        bool bracket = between == Mark.Close;
        if (bracket ? last is not (Mark.Dash or Mark.Dot or Mark.Space) : between != last || between is not (Mark.Dash or Mark.Dot or Mark.Space)) { return false; }
        if (inRow && between == Mark.Space) { return false; }
        ReadOnlySpan<byte> number = digits[first..];
        if (number[0] < 2 || number[3] < 2 || (number[1] == 1 && number[2] == 1) || (number[4] == 1 && number[5] == 1)) { return false; }
        end = row.Groups[first + 2].End;
        return true;
    }

    /// <summary>030 1234567, (0171) 123 45 67, 020 7946 0958, 01 23 45 67 89: a zero, then an area that begins with none, 9 to 12 digits in groups.</summary>
    private static bool National(in Row row, ReadOnlySpan<byte> digits, bool open, out int end)
    {
        end = 0;
        int length = row.Groups[0].Digits;
        if (length is < 2 or > 6 || digits[0] != 0 || digits[1] == 0 || row.Count < 2) { return false; }
        if (open && row.Groups[0].Behind != Mark.Close) { return false; }
        if (length == 2 && !open)
        {
            // Two digits in front are a day or an hour as well: only the two ways of writing that have them are taken, with one separator.
            Mark separator = row.Groups[0].Behind;
            ReadOnlySpan<byte> pairs = [2, 2, 2, 2, 2], fours = [2, 4, 4];
            if (separator is not (Mark.Space or Mark.Dot or Mark.Dash)) { return false; }
            return Shape(row, pairs, separator, out end) || (separator == Mark.Space && Shape(row, fours, separator, out end));
        }

        int total = length, best = 0;
        for (int i = 1; i < row.Count && i < 6; i++)
        {
            // Pairs are followed by pairs: 3, 2, and 4 digits are a social security number.
            if (row.Groups[i].Digits < 2 || (i > 1 && row.Groups[i - 1].Digits == 2 && row.Groups[i].Digits != 2)) { best = 0; break; }
            if (i > 1 && row.Groups[i - 1].Behind is not (Mark.Space or Mark.Dash or Mark.Dot)) { break; }
            total += row.Groups[i].Digits;
            if (total > 12) { break; }
            if (total >= 9 && row.Ends(i)) { best = i; }
        }

        if (best == 0) { return false; }
        end = row.Groups[best].End;
        return true;
    }

    private static bool Shape(in Row row, ReadOnlySpan<byte> lengths, Mark separator, out int end)
    {
        end = 0;
        if (row.Count < lengths.Length) { return false; }
        for (int i = 0; i < lengths.Length; i++)
        {
            if (row.Groups[i].Digits != lengths[i] || (i < lengths.Length - 1 && row.Groups[i].Behind != separator)) { return false; }
        }

        if (!row.Ends(lengths.Length - 1) || (row.Count > lengths.Length && row.Groups[lengths.Length - 1].Behind == separator)) { return false; }
        end = row.Groups[lengths.Length - 1].End;
        return true;
    }

    private struct Group
    {
        public int Digits;
        public int End;

        /// <summary>What leads to the next group; none where there is none.</summary>
        public Mark Behind;

        /// <summary>What leads there is a word or another kind of number: the group ends nothing.</summary>
        public bool Inside;
    }

    /// <summary>Groups of digits with what people write between them, up to 15 digits.</summary>
    private readonly ref struct Row
    {
        public Row(ReadOnlySpan<byte> text, int at, Span<byte> digits, Span<Group> groups, bool open)
        {
            int count = 0, total = 0;
            while (count < groups.Length)
            {
                int begun = total;
                while (Glyphs.Digit(text, at, out int length) is >= 0 and int digit)
                {
                    if (total == digits.Length)
                    {
                        // The group is cut: it is none.
                        total = begun;
                        goto done;
                    }

                    digits[total++] = (byte)digit;
                    at += length;
                }

                ref Group group = ref groups[count++];
                group = new Group { Digits = total - begun, End = at, Inside = Glyphs.WordAt(text, at) };
                group.Behind = Between(text, ref at, ref open);
                if (group.Behind == Mark.None) { break; }
            }

        done:
            Digits = digits[..total];
            Groups = groups[..count];
        }

        public ReadOnlySpan<byte> Digits { get; }

        public ReadOnlySpan<Group> Groups { get; }

        public int Count => Groups.Length;

        /// <summary>True where a number may end with this group: what follows is no letter, and at most a blank before more digits.</summary>
        public bool Ends(int group) => !Groups[group].Inside && Groups[group].Behind is Mark.None or Mark.Space or Mark.Open;

        /// <summary>The most groups whose digits are that many.</summary>
        public bool Longest(int min, int max, out int end)
        {
            end = 0;
            int total = 0;
            for (int i = 0; i < Count; i++)
            {
                total += Groups[i].Digits;
                if (total > max) { break; }
                if (total >= min && Ends(i)) { end = Groups[i].End; }
            }

            return end > 0;
        }

        /// <summary>What stands between two groups, named by what is most telling; at most a bracket and two blanks or hyphens.</summary>
        private static Mark Between(ReadOnlySpan<byte> text, ref int at, ref bool open)
        {
            Mark behind = Mark.None;
            int next = at;
            for (int i = 0; i < 3; i++)
            {
                Mark mark = Glyphs.MarkAt(text, next, out int length);
                if (mark is Mark.None or Mark.Plus) { break; }
                if (mark == Mark.Close)
                {
                    if (!open) { break; }
                    open = false;
                    behind = Mark.Close;
                }
                else if (mark == Mark.Open)
                {
                    if (open) { break; }
                    open = true;
                    behind = Mark.Open;
                }
                else if (behind is Mark.None or Mark.Space) { behind = mark; }
                else if (mark != Mark.Space && behind != Mark.Close) { break; }
                next += length;
            }

            if (behind == Mark.None || !Glyphs.IsDigit(text, next)) { return Mark.None; }
            at = next;
            return behind;
        }
    }
}
