using System.Globalization;
using System.Text;

namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>
/// Labels of international host names, as Unicode and as ASCII (<c>xn--…</c>). Categories are the platform's; scripts, directions, and joining are known for the scripts that contextual rules
/// speak of, and a label that needs more is refused.
/// </summary>
/// <remarks>Source: IDNA 2008 (RFC 5890 to 5893), Punycode (RFC 3492).</remarks>
internal static class InternationalLabel
{
    private const int LabelMax = 63;

    private static readonly int[] Viramas =
    [
        0x94D, 0x9CD, 0xA4D, 0xACD, 0xB4D, 0xBCD, 0xC4D, 0xCCD, 0xD3B, 0xD3C, 0xD4D, 0xDCA, 0xE3A, 0xEBA, 0xF84, 0x1039, 0x103A, 0x1714, 0x1734, 0x17D2, 0x1A60, 0x1B44, 0x1BAA, 0x1BAB, 0x1BF2, 0x1BF3,
        0x2D7F, 0xA806, 0xA8C4, 0xA953, 0xA9C0, 0xAAF6, 0xABED, 0x10A3F, 0x11046, 0x1107F, 0x110B9, 0x11133, 0x11134, 0x111C0, 0x11235, 0x112EA, 0x1134D, 0x11442, 0x114C2, 0x115BF, 0x1163F, 0x116B6,
    ];

    /// <summary>Blocks of characters that stand for others (ligatures, widths, styles), or change when they are normalized.</summary>
    private static readonly (int From, int To)[] Compatible =
    [
        (0xAA, 0xAA), (0xBA, 0xBA), (0x132, 0x133), (0x149, 0x149), (0x17F, 0x17F), (0x2B0, 0x2B8), (0x2E0, 0x2E4), (0x340, 0x341), (0x343, 0x345), (0x374, 0x374), (0x3D0, 0x3D6), (0x3F0, 0x3F5), (0x587, 0x587),
        (0x675, 0x678), (0x958, 0x95F), (0x9DC, 0x9DD), (0x9DF, 0x9DF), (0xE33, 0xE33), (0xEB3, 0xEB3), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x1D2C, 0x1D6A), (0x1D78, 0x1D78), (0x1D9B, 0x1DBF), (0x1E9A, 0x1E9B),
        (0x2070, 0x209F), (0x2100, 0x2188), (0x2C7C, 0x2C7D), (0x309F, 0x309F), (0x30FF, 0x30FF), (0x3131, 0x33FF), (0xA69C, 0xA69D), (0xA770, 0xA770), (0xA7F2, 0xA7F9), (0xAB5C, 0xAB5F), (0xF900, 0xFAFF),
        (0xFB00, 0xFDFF), (0xFE00, 0xFFFF), (0x1D400, 0x1D7FF), (0x1EE00, 0x1EEFF), (0x2F800, 0x2FA1F), (0xE0000, 0xE0FFF),
    ];

    private enum Direction : byte { Left, Right, ArabicNumber, EuropeanNumber, Mark, Neutral }

    /// <summary>True for a label in ASCII, hyphens in its third and fourth place, that is an international one.</summary>
    public static bool IsHarmless(ReadOnlySpan<byte> label)
    {
        if (label.Length > LabelMax || !Ascii.EqualsIgnoreCase(label[..4], "xn--"u8)) { return false; }
        return Decode(label[4..]) is { } runes && Array.Exists(runes, rune => rune >= 128) && Encode(runes) is { } again && Ascii.EqualsIgnoreCase(label[4..], again) && IsLabel(runes) && Bidi(runes);
    }

    /// <summary>True for a host name whose labels may be of any script.</summary>
    public static bool IsName(ReadOnlySpan<byte> text)
    {
        var labels = new List<int[]>();
        var label = new List<int>();
        int length = 0;
        foreach (Rune rune in Encoding.UTF8.GetString(text).EnumerateRunes())
        {
            if (++length > 253) { return false; }
            if (rune.Value is not ('.' or 0x3002 or 0xFF0E or 0xFF61))
            {
                label.Add(rune.Value);
                continue;
            }

            labels.Add([.. label]);
            label.Clear();
        }

        labels.Add([.. label]);
        int octets = labels.Count - 1;
        for (int i = 0; i < labels.Count; i++)
        {
            int[] runes = labels[i];
            if (runes.Length == 0 || runes[0] == '-' || runes[^1] == '-') { return false; }
            if (Array.TrueForAll(runes, rune => rune < 128))
            {
                byte[] ascii = [.. runes.Select(rune => (byte)rune)];
                if (ascii.Length > LabelMax || !Array.TrueForAll(ascii, octet => char.IsAsciiLetterOrDigit((char)octet) || octet == '-')) { return false; }
                octets += ascii.Length;
                if (ascii.Length < 4 || ascii[2] != '-' || ascii[3] != '-') { continue; }
                if (!IsHarmless(ascii)) { return false; }
                labels[i] = Decode(ascii.AsSpan(4))!;
                continue;
            }

            if (!IsLabel(runes) || Encode(runes) is not { } encoded || encoded.Length + 4 > LabelMax) { return false; }
            octets += encoded.Length + 4;
        }

        return octets <= 253 && (!labels.Exists(runes => Array.Exists(runes, rune => Of(rune) is Direction.Right or Direction.ArabicNumber)) || labels.TrueForAll(Ruled));
    }

    private static bool IsLabel(int[] runes)
    {
        if (runes.Length == 0 || runes[0] == '-' || runes[^1] == '-' || (runes.Length > 3 && runes[2] == '-' && runes[3] == '-')) { return false; }
        if (Array.Exists(runes, rune => !Rune.IsValid(rune))) { return false; }
        if (CharUnicodeInfo.GetUnicodeCategory(runes[0]) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark) { return false; }
        for (int i = 0; i < runes.Length; i++)
        {
            if (!Allowed(runes, i)) { return false; }
        }

        return true;
    }

    private static bool Allowed(int[] runes, int at)
    {
        int rune = runes[at];
        int before = at > 0 ? runes[at - 1] : 0, after = at + 1 < runes.Length ? runes[at + 1] : 0;
        switch (rune)
        {
            case '-' or (>= '0' and <= '9') or (>= 'a' and <= 'z') or 0xDF or 0x3C2 or 0x6FD or 0x6FE or 0xF0B or 0x3007:
                return true;
            case < 128 or 0x640 or 0x7FA or 0x302E or 0x302F or (>= 0x3031 and <= 0x3035) or 0x303B:
                return false;
            case 0xB7:
                return before == 'l' && after == 'l';
            case 0x375:
                return after is (>= 0x370 and <= 0x3FF) or (>= 0x1F00 and <= 0x1FFF);
            case 0x5F3 or 0x5F4:
                return before is >= 0x591 and <= 0x5F4;
            case 0x30FB:
                return Array.Exists(runes, other => other is (>= 0x3041 and <= 0x309F) or (>= 0x30A1 and <= 0x30FA) or (>= 0x30FC and <= 0x30FF) or 0x3005 or 0x3007 or (>= 0x3400 and <= 0x4DBF) or (>= 0x4E00 and <= 0x9FFF) or (>= 0x20000 and <= 0x3FFFF));
            case >= 0x660 and <= 0x669:
                return !Array.Exists(runes, other => other is >= 0x6F0 and <= 0x6F9);
            case >= 0x6F0 and <= 0x6F9:
                return !Array.Exists(runes, other => other is >= 0x660 and <= 0x669);
            case 0x200D:
                return Array.IndexOf(Viramas, before) >= 0;
            case 0x200C:
                return Array.IndexOf(Viramas, before) >= 0 || Joins(runes, at);
            case (>= 0x1100 and <= 0x11FF) or (>= 0xA960 and <= 0xA97F) or (>= 0xD7B0 and <= 0xD7FF):
                return false;
        }

        bool letter = CharUnicodeInfo.GetUnicodeCategory(rune) is UnicodeCategory.LowercaseLetter or UnicodeCategory.OtherLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.NonSpacingMark
            or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.DecimalDigitNumber;
        return letter && !Array.Exists(Compatible, range => rune >= range.From && rune <= range.To);
    }

    /// <summary>A zero-width non-joiner between letters that would be joined; known of Arabic.</summary>
    private static bool Joins(int[] runes, int at)
    {
        int before = at - 1, after = at + 1;
        while (before >= 0 && CharUnicodeInfo.GetUnicodeCategory(runes[before]) == UnicodeCategory.NonSpacingMark) { before--; }
        while (after < runes.Length && CharUnicodeInfo.GetUnicodeCategory(runes[after]) == UnicodeCategory.NonSpacingMark) { after++; }
        return before >= 0 && after < runes.Length && JoinsNext(runes[before]) && (JoinsNext(runes[after]) || JoinsLast(runes[after]));
    }

    private static bool JoinsLast(int rune) => rune is (>= 0x622 and <= 0x625) or 0x627 or 0x629 or (>= 0x62F and <= 0x632) or 0x648 or (>= 0x671 and <= 0x673) or (>= 0x675 and <= 0x677) or (>= 0x688 and <= 0x699)
        or 0x6C0 or (>= 0x6C3 and <= 0x6CB) or 0x6CD or 0x6CF or 0x6D2 or 0x6D3 or 0x6D5 or 0x6EE or 0x6EF;

    private static bool JoinsNext(int rune) => rune is (>= 0x620 and <= 0x64A and not 0x621) or 0x66E or 0x66F or (>= 0x678 and <= 0x6D3) or (>= 0x6FA and <= 0x6FC) && !JoinsLast(rune);

    // Directions

    private static Direction Of(int rune) => rune switch
    {
        (>= 0x660 and <= 0x669) or 0x66B or 0x66C or 0x6DD or (>= 0x10E60 and <= 0x10E7E) => Direction.ArabicNumber,
        (>= '0' and <= '9') or (>= 0x6F0 and <= 0x6F9) => Direction.EuropeanNumber,
        _ when CharUnicodeInfo.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark => Direction.Mark,
        (>= 0x590 and <= 0x8FF) or (>= 0xFB1D and <= 0xFDFF) or (>= 0xFE70 and <= 0xFEFF) or (>= 0x10800 and <= 0x10FFF) or (>= 0x1E800 and <= 0x1EFFF) => Direction.Right,
        '-' or 0xB7 or 0x375 or 0x200C or 0x200D or 0x30FB => Direction.Neutral,
        _ => Direction.Left,
    };

    private static bool Bidi(int[] runes) => !Array.Exists(runes, rune => Of(rune) is Direction.Right or Direction.ArabicNumber) || Ruled(runes);

    /// <summary>RFC 5893's rule for a label of a name that has some from right to left.</summary>
    private static bool Ruled(int[] runes)
    {
        Direction first = Of(runes[0]);
        if (first is not (Direction.Left or Direction.Right)) { return false; }
        int last = runes.Length - 1;
        while (last > 0 && Of(runes[last]) == Direction.Mark) { last--; }
        if (first == Direction.Left)
        {
            return Array.TrueForAll(runes, rune => Of(rune) is not (Direction.Right or Direction.ArabicNumber)) && Of(runes[last]) is Direction.Left or Direction.EuropeanNumber;
        }

        bool both = Array.Exists(runes, rune => Of(rune) == Direction.ArabicNumber) && Array.Exists(runes, rune => Of(rune) == Direction.EuropeanNumber);
        return !both && Array.TrueForAll(runes, rune => Of(rune) != Direction.Left) && Of(runes[last]) is Direction.Right or Direction.EuropeanNumber or Direction.ArabicNumber;
    }

    // Punycode

    private static int[]? Decode(ReadOnlySpan<byte> text)
    {
        var runes = new List<int>();
        int delimiter = text.LastIndexOf((byte)'-');
        for (int i = 0; i < Math.Max(delimiter, 0); i++) { runes.Add(text[i]); }
        long number = 128, index = 0;
        int bias = 72;
        for (int at = delimiter > 0 ? delimiter + 1 : delimiter == 0 ? 1 : 0; at < text.Length;)
        {
            long before = index, weight = 1;
            for (int step = 36; ; step += 36)
            {
                if (at == text.Length) { return null; }
                int digit = text[at] is >= (byte)'0' and <= (byte)'9' ? text[at] - '0' + 26 : (text[at] | 0x20) is >= 'a' and <= 'z' ? (text[at] | 0x20) - 'a' : -1;
                at++;
                if (digit < 0) { return null; }
                index += digit * weight;
                int threshold = Math.Clamp(step - bias, 1, 26);
                if (digit < threshold) { break; }
                weight *= 36 - threshold;
                if (index > int.MaxValue || weight > int.MaxValue) { return null; }
            }

            bias = Adapt(index - before, runes.Count + 1, before == 0);
            number += index / (runes.Count + 1);
            index %= runes.Count + 1;
            if (number > 0x10FFFF || !Rune.IsValid((int)number)) { return null; }
            runes.Insert((int)index++, (int)number);
        }

        return [.. runes];
    }

    /// <summary>The part behind <c>xn--</c>; null for a label that is far too long.</summary>
    private static byte[]? Encode(int[] runes)
    {
        if (runes.Length > LabelMax) { return null; }
        var output = new List<byte>(runes.Where(rune => rune < 128).Select(rune => (byte)rune));
        int done = output.Count, basic = done;
        if (basic > 0) { output.Add((byte)'-'); }
        long number = 128, delta = 0;
        int bias = 72;
        while (done < runes.Length)
        {
            int next = runes.Where(rune => rune >= number).Min();
            delta += (next - number) * (done + 1);
            number = next;
            foreach (int rune in runes)
            {
                if (rune < number) { delta++; }
                if (rune != number) { continue; }
                long left = delta;
                for (int step = 36; ; step += 36)
                {
                    int threshold = Math.Clamp(step - bias, 1, 26);
                    if (left < threshold) { break; }
                    output.Add(Digit((int)(threshold + ((left - threshold) % (36 - threshold)))));
                    left = (left - threshold) / (36 - threshold);
                }

                output.Add(Digit((int)left));
                bias = Adapt(delta, done + 1, done == basic);
                delta = 0;
                done++;
            }

            delta++;
            number++;
        }

        return [.. output];
    }

    private static byte Digit(int value) => (byte)(value < 26 ? 'a' + value : '0' + value - 26);

    private static int Adapt(long delta, int count, bool first)
    {
        delta = first ? delta / 700 : delta / 2;
        delta += delta / count;
        int steps = 0;
        for (; delta > 455; steps += 36) { delta /= 35; }
        return steps + (int)(36 * delta / (delta + 38));
    }
}
