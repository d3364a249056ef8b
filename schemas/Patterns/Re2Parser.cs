using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace PolicyStreams.Schemas.Patterns;

/// <summary>Parses RE2's syntax. Bounded in length, nesting, and repetition; throws <see cref="Re2Exception"/> only.</summary>
internal sealed class Re2Parser
{
    /// <summary>UTF-16 units of a pattern.</summary>
    public const int LengthMax = 10_000;

    private const int NestingMax = 200;

    /// <summary>RE2's own bound of a counted repetition.</summary>
    private const int RepeatMax = 1000;

    private static readonly ConcurrentDictionary<string, CodePointSet> Categories = new(StringComparer.Ordinal);

    private static readonly CodePointSet Digit = CodePointSet.Of(('0', '9'));
    private static readonly CodePointSet Word = CodePointSet.Of(('0', '9'), ('A', 'Z'), ('a', 'z'), ('_', '_'));
    private static readonly CodePointSet Space = CodePointSet.Of(('\t', '\n'), ('\f', '\r'), (' ', ' '));
    private static readonly CodePointSet Any = CodePointSet.Of((0, CodePointSet.Last));
    private static readonly CodePointSet NotNewline = CodePointSet.Of(('\n', '\n')).Negate();

    private readonly int[] _pattern;
    private int _at;
    private int _nesting;
    private bool _fold;
    private bool _multiline;
    private bool _dotAll;
    private bool _lazy;
    private int _groups;
    private HashSet<string>? _names;

    private Re2Parser(int[] pattern) => _pattern = pattern;

    public static Re2Node Parse(string pattern)
    {
        if (pattern.Length > LengthMax) { throw new Re2Exception($"a pattern may have {LengthMax} characters"); }
        var parser = new Re2Parser([.. pattern.EnumerateRunes().Select(r => r.Value)]);
        Re2Node node = parser.Alternation();
        return parser._at == parser._pattern.Length ? node : throw new Re2Exception("unexpected `)`");
    }

    private bool More => _at < _pattern.Length;

    private bool Is(int c) => More && _pattern[_at] == c;

    private bool Take(int c)
    {
        if (!Is(c)) { return false; }
        _at++;
        return true;
    }

    private bool Looking(string text)
    {
        if (_at + text.Length > _pattern.Length) { return false; }
        for (int i = 0; i < text.Length; i++)
        {
            if (_pattern[_at + i] != text[i]) { return false; }
        }

        return true;
    }

    private Re2Node Alternation()
    {
        if (++_nesting > NestingMax) { throw new Re2Exception($"nested deeper than {NestingMax}"); }
        var ways = new List<Re2Node> { Sequence() };
        while (Take('|')) { ways.Add(Sequence()); }
        _nesting--;
        return ways.Count == 1 ? ways[0] : new Re2Node(Re2Kind.Alternate, [.. ways]);
    }

    private Re2Node Sequence()
    {
        var parts = new List<Re2Node>();
        while (More && !Is('|') && !Is(')'))
        {
            Re2Node? part = Atom(parts);
            if (part is not null) { parts.Add(Repeated(part)); }
        }

        return parts.Count == 0 ? new Re2Node(Re2Kind.Empty) : parts.Count == 1 ? parts[0] : new Re2Node(Re2Kind.Concat, [.. parts]);
    }

    private Re2Node Repeated(Re2Node part)
    {
        if (!Repetition(out int min, out int max)) { return part; }
        bool lazy = Take('?') != _lazy;
        if (Repetition(out _, out _)) { throw new Re2Exception("two repetitions in a row"); }
        return new Re2Node(Re2Kind.Repeat, part) { Min = min, Max = max, Lazy = lazy };
    }

    private bool Repetition(out int min, out int max)
    {
        (min, max) = (0, -1);
        if (Take('*')) { return true; }
        if (Take('+'))
        {
            min = 1;
            return true;
        }

        if (Take('?'))
        {
            max = 1;
            return true;
        }

        int start = _at;
        if (Take('{') && Number(out min))
        {
            max = min;
            if (Take(','))
            {
                if (!Number(out max)) { max = -1; }
            }

            if (Take('}'))
            {
                if (min > RepeatMax || max > RepeatMax) { throw new Re2Exception($"a repetition may count to {RepeatMax}"); }
                return max < 0 || min <= max ? true : throw new Re2Exception("a repetition's bounds are the wrong way round");
            }
        }

        // A brace that is no repetition is itself.
        _at = start;
        return false;
    }

    private bool Number(out int value)
    {
        value = 0;
        int start = _at;
        while (More && _pattern[_at] is >= '0' and <= '9') { value = Math.Min((value * 10) + _pattern[_at++] - '0', 1_000_000); }
        return _at > start;
    }

    private static Re2Node SetNode(CodePointSet set) => new(Re2Kind.Set) { Set = set };

    private Re2Node Literal(int c)
    {
        CodePointSet set = CodePointSet.Of((c, c));
        return SetNode(_fold ? set.Fold() : set);
    }

    private Re2Node? Atom(List<Re2Node> parts)
    {
        int c = _pattern[_at++];
        switch (c)
        {
            case '(': return Group();
            case '[': return SetNode(Class());
            case '.': return SetNode(_dotAll ? Any : NotNewline);
            case '^': return new Re2Node(_multiline ? Re2Kind.BeginLine : Re2Kind.BeginText);
            case '$': return new Re2Node(_multiline ? Re2Kind.EndLine : Re2Kind.EndText);
            case '*' or '+' or '?': throw new Re2Exception($"nothing in front of `{(char)c}`");
            case '\\': return Escape(parts);
            default: return Literal(c);
        }
    }

    private Re2Node? Group()
    {
        (bool fold, bool multiline, bool dotAll, bool lazy) = (_fold, _multiline, _dotAll, _lazy);
        int number = 0;
        if (!Is('?')) { number = ++_groups; }
        else if (Take('?'))
        {
            if (Take('P') || Is('<'))
            {
                if (!Take('<')) { throw new Re2Exception("unknown group"); }
                int start = _at;
                while (More && (_pattern[_at] == '_' || (_pattern[_at] < 128 && char.IsAsciiLetterOrDigit((char)_pattern[_at])))) { _at++; }
                string name = string.Concat(_pattern[start.._at].Select(unit => (char)unit));
                if (_at == start || !Take('>')) { throw new Re2Exception("a group's name may have letters, digits, and `_`"); }
                if (!(_names ??= new HashSet<string>(StringComparer.Ordinal)).Add(name)) { throw new Re2Exception("two groups of one name"); }
                number = ++_groups;
            }
            else if (Flags())
            {
                return null;
            }
        }

        Re2Node inner = Alternation();
        if (!Take(')')) { throw new Re2Exception("a `(` is not closed"); }
        (_fold, _multiline, _dotAll, _lazy) = (fold, multiline, dotAll, lazy);
        return number == 0 ? inner : new Re2Node(Re2Kind.Group, inner) { Number = number };
    }

    // True for `(?i)`, which lasts to the end of the group around it; false for `(?i:`, whose group follows.
    private bool Flags()
    {
        bool on = true, any = false;
        while (More)
        {
            int c = _pattern[_at++];
            switch (c)
            {
                case 'i': _fold = on; any = true; break;
                case 'm': _multiline = on; any = true; break;
                case 's': _dotAll = on; any = true; break;
                case 'U': _lazy = on; any = true; break;
                case '-' when on:
                    on = false;
                    any = false;
                    break;
                case ':' when on || any: return false;
                case ')' when any: return true;
                default: throw new Re2Exception("unknown group; look-around and back references are not RE2's");
            }
        }

        throw new Re2Exception("a `(` is not closed");
    }

    private Re2Node? Escape(List<Re2Node> parts)
    {
        if (!More) { throw new Re2Exception("a backslash at the end"); }
        int c = _pattern[_at];
        switch (c)
        {
            case 'A': _at++; return new Re2Node(Re2Kind.BeginText);
            case 'z': _at++; return new Re2Node(Re2Kind.EndText);
            case 'b': _at++; return new Re2Node(Re2Kind.WordBoundary);
            case 'B': _at++; return new Re2Node(Re2Kind.NotWordBoundary);
            case 'Q':
                _at++;
                while (More && !Looking("\\E"))
                {
                    Re2Node literal = Literal(_pattern[_at++]);
                    // A repetition behind the quotation is of its last character.
                    if (!More || Looking("\\E"))
                    {
                        if (More) { _at += 2; }
                        return literal;
                    }

                    parts.Add(literal);
                }

                if (More) { _at += 2; }
                return null;
        }

        if (ClassEscape() is { } set) { return SetNode(_fold ? set.Fold() : set); }
        return Literal(CharacterEscape());
    }

    // \d, \W, \pL, \p{Lu}: behind the backslash; null where it is another escape.
    private CodePointSet? ClassEscape()
    {
        int c = _pattern[_at];
        switch (c)
        {
            case 'd': _at++; return Digit;
            case 'D': _at++; return Digit.Negate();
            case 'w': _at++; return Word;
            case 'W': _at++; return Word.Negate();
            case 's': _at++; return Space;
            case 'S': _at++; return Space.Negate();
            case 'p' or 'P':
                _at++;
                if (!More) { throw new Re2Exception("a Unicode class has no name"); }
                var name = new StringBuilder();
                if (Take('{'))
                {
                    while (More && !Is('}')) { name.Append(new Rune(_pattern[_at++])); }
                    if (!Take('}')) { throw new Re2Exception("a Unicode class is not closed"); }
                }
                else { name.Append(new Rune(_pattern[_at++])); }
                bool negate = c == 'P';
                if (name.Length > 0 && name[0] == '^')
                {
                    negate = !negate;
                    name.Remove(0, 1);
                }

                CodePointSet set = Category(name.ToString());
                return negate ? set.Negate() : set;
            default:
                return null;
        }
    }

    /// <summary>The code points of a general category (<c>L</c>, <c>Nd</c>), or of <c>Any</c>.</summary>
    internal static CodePointSet Category(string name)
    {
        if (name == "Any") { return Any; }
        const string Letters = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Zs Zl Zp Cc Cf Cs Co Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Cn";
        string[] codes = Letters.Split(' ');
        if (!(name.Length == 1 && codes.Any(code => code[0] == name[0])) && !codes.Contains(name)) { throw new Re2Exception("unknown Unicode class: general categories are known (\\pL, \\p{Nd}), scripts are not"); }
        return Categories.GetOrAdd(name, static (wanted, all) =>
        {
            var ranges = new List<(int, int)>();
            int start = -1;
            for (int c = 0; c <= CodePointSet.Last + 1; c++)
            {
                // The order of .NET's categories is the order of the codes above.
                bool inside = c <= CodePointSet.Last && all[Ordinal(c)] is var code && (wanted.Length == 1 ? code[0] == wanted[0] && code != "Cn" : code == wanted);
                if (inside && start < 0) { start = c; }
                if (!inside && start >= 0)
                {
                    ranges.Add((start, c - 1));
                    start = -1;
                }
            }

            return CodePointSet.Of([.. ranges]);
        }, codes);
    }

    private static int Ordinal(int codePoint) => (int)CharUnicodeInfo.GetUnicodeCategory(codePoint);

    private int CharacterEscape()
    {
        int c = _pattern[_at++];
        switch (c)
        {
            case 'a': return 7;
            case 'f': return 12;
            case 'n': return 10;
            case 'r': return 13;
            case 't': return 9;
            case 'v': return 11;
            case 'x': return Hexadecimal();
            case >= '1' and <= '7' when !(More && _pattern[_at] is >= '0' and <= '7'):
                throw new Re2Exception("back references are not RE2's");
            case >= '0' and <= '7':
                int octal = c - '0';
                for (int i = 1; i < 3 && More && _pattern[_at] is >= '0' and <= '7'; i++) { octal = (octal * 8) + _pattern[_at++] - '0'; }
                return octal;
            default:
                return c < 128 && !char.IsAsciiLetterOrDigit((char)c) ? c : throw new Re2Exception("unknown escape");
        }
    }

    private int Hexadecimal()
    {
        bool braced = Take('{');
        int value = 0, digits = 0;
        while (More && _pattern[_at] < 128 && char.IsAsciiHexDigit((char)_pattern[_at]) && (braced || digits < 2))
        {
            value = (value * 16) + Convert.ToInt32(((char)_pattern[_at++]).ToString(), 16);
            if (value > CodePointSet.Last) { throw new Re2Exception("not a Unicode code point"); }
            digits++;
        }

        return digits == 0 || (!braced && digits < 2) || (braced && !Take('}')) ? throw new Re2Exception("\\x takes two hexadecimal digits, or any number in braces") : value;
    }

    private CodePointSet Class()
    {
        bool negate = Take('^');
        CodePointSet set = CodePointSet.Of();
        bool first = true;
        while (true)
        {
            if (!More) { throw new Re2Exception("a `[` is not closed"); }
            if (Is(']') && !first)
            {
                _at++;
                break;
            }

            first = false;
            if (Looking("[:"))
            {
                set = set.Add(Posix());
                continue;
            }

            if (Is('\\') && _at + 1 < _pattern.Length)
            {
                _at++;
                if (ClassEscape() is { } known)
                {
                    set = set.Add(known);
                    continue;
                }

                _at--;
            }

            int from = ClassCharacter(), to = from;
            if (Is('-') && _at + 1 < _pattern.Length && _pattern[_at + 1] != ']')
            {
                _at++;
                to = ClassCharacter();
                if (to < from) { throw new Re2Exception("a range in a class is the wrong way round"); }
            }

            set = set.Add(CodePointSet.Of((from, to)));
        }

        if (_fold) { set = set.Fold(); }
        return negate ? set.Negate() : set;
    }

    private int ClassCharacter()
    {
        if (!More) { throw new Re2Exception("a `[` is not closed"); }
        if (!Take('\\')) { return _pattern[_at++]; }
        if (!More) { throw new Re2Exception("a backslash at the end"); }
        return _pattern[_at] is 'd' or 'D' or 'w' or 'W' or 's' or 'S' or 'p' or 'P' ? throw new Re2Exception("a class is no end of a range") : CharacterEscape();
    }

    private CodePointSet Posix()
    {
        _at += 2;
        bool negate = Take('^');
        var name = new StringBuilder();
        while (More && _pattern[_at] is >= 'a' and <= 'z') { name.Append((char)_pattern[_at++]); }
        if (!Looking(":]")) { throw new Re2Exception("unknown class between `[:` and `:]`"); }
        _at += 2;
        CodePointSet set = name.ToString() switch
        {
            "alnum" => CodePointSet.Of(('0', '9'), ('A', 'Z'), ('a', 'z')),
            "alpha" => CodePointSet.Of(('A', 'Z'), ('a', 'z')),
            "ascii" => CodePointSet.Of((0, 127)),
            "blank" => CodePointSet.Of(('\t', '\t'), (' ', ' ')),
            "cntrl" => CodePointSet.Of((0, 31), (127, 127)),
            "digit" => Digit,
            "graph" => CodePointSet.Of(('!', '~')),
            "lower" => CodePointSet.Of(('a', 'z')),
            "print" => CodePointSet.Of((' ', '~')),
            "punct" => CodePointSet.Of(('!', '/'), (':', '@'), ('[', '`'), ('{', '~')),
            "space" => CodePointSet.Of(('\t', '\r'), (' ', ' ')),
            "upper" => CodePointSet.Of(('A', 'Z')),
            "word" => Word,
            "xdigit" => CodePointSet.Of(('0', '9'), ('A', 'F'), ('a', 'f')),
            _ => throw new Re2Exception("unknown class between `[:` and `:]`"),
        };
        return negate ? set.Negate() : set;
    }
}
