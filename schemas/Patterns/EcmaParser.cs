using System.Text;

namespace PolicyStreams.Schemas.Patterns;

/// <summary>
/// Parses ECMAScript's regular expressions as JSON Schema uses them: with the flag <c>u</c>, on code points. What needs more than an automaton (look-around, back references) is
/// refused, or only checked where a text is merely to be a pattern. Bounded in length, nesting, and repetition; throws <see cref="Re2Exception"/> only.
/// </summary>
/// <remarks>Source: ECMA-262, 22.2.1. More lenient than it in one place, since schemas in use are: any ASCII punctuation may be escaped.</remarks>
internal sealed class EcmaParser
{
    private const int NestingMax = 200;
    private const int RepeatMax = 1000;

    private static readonly CodePointSet Digit = CodePointSet.Of(('0', '9'));
    private static readonly CodePointSet Word = CodePointSet.Of(('0', '9'), ('A', 'Z'), ('a', 'z'), ('_', '_'));
    private static readonly CodePointSet LineEnd = CodePointSet.Of(('\n', '\n'), ('\r', '\r'), (0x2028, 0x2029));
    private static readonly CodePointSet Space = CodePointSet.Of(('\t', '\r'), (' ', ' '), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF));

    private static readonly Dictionary<string, string> LongCategories = Names(
        "Letter L Cased_Letter LC Uppercase_Letter Lu Lowercase_Letter Ll Titlecase_Letter Lt Modifier_Letter Lm Other_Letter Lo Mark M Combining_Mark M Nonspacing_Mark Mn Spacing_Mark Mc Enclosing_Mark Me "
        + "Number N Decimal_Number Nd digit Nd Letter_Number Nl Other_Number No Punctuation P punct P Connector_Punctuation Pc Dash_Punctuation Pd Open_Punctuation Ps Close_Punctuation Pe "
        + "Initial_Punctuation Pi Final_Punctuation Pf Other_Punctuation Po Symbol S Math_Symbol Sm Currency_Symbol Sc Modifier_Symbol Sk Other_Symbol So Separator Z Space_Separator Zs "
        + "Line_Separator Zl Paragraph_Separator Zp Other C Control Cc cntrl Cc Format Cf Surrogate Cs Private_Use Co Unassigned Cn");

    private readonly int[] _pattern;

    /// <summary>True where the text need only be a pattern: everything of ECMAScript's is taken, and nothing that is not.</summary>
    private readonly bool _checking;
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly List<string> _referred = [];
    private int _at;
    private int _nesting;
    private int _groups;
    private int _backReference;

    private EcmaParser(string pattern, bool checking)
    {
        if (pattern.Length > Re2Parser.LengthMax) { throw new Re2Exception($"a pattern may have {Re2Parser.LengthMax} characters"); }
        _pattern = [.. pattern.EnumerateRunes().Select(rune => rune.Value)];
        _checking = checking;
    }

    public static Re2Node Parse(string pattern) => new EcmaParser(pattern, checking: false).Whole();

    /// <summary>True where a text is a pattern of ECMAScript's, whatever time it takes.</summary>
    public static bool IsPattern(string pattern)
    {
        try
        {
            new EcmaParser(pattern, checking: true).Whole();
            return true;
        }
        catch (Re2Exception)
        {
            return false;
        }
    }

    private bool More => _at < _pattern.Length;

    private Re2Node Whole()
    {
        Re2Node node = Alternation();
        if (More) { throw new Re2Exception("unexpected `)`"); }
        if (_backReference > _groups || _referred.Exists(name => !_names.Contains(name))) { throw new Re2Exception("a back reference to no group"); }
        return node;
    }

    private bool Take(int c)
    {
        if (!More || _pattern[_at] != c) { return false; }
        _at++;
        return true;
    }

    private bool Take(string text)
    {
        if (_at + text.Length > _pattern.Length) { return false; }
        for (int i = 0; i < text.Length; i++)
        {
            if (_pattern[_at + i] != text[i]) { return false; }
        }

        _at += text.Length;
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
        while (More && _pattern[_at] is not ('|' or ')')) { parts.Add(Term()); }
        return parts.Count == 0 ? new Re2Node(Re2Kind.Empty) : parts.Count == 1 ? parts[0] : new Re2Node(Re2Kind.Concat, [.. parts]);
    }

    private Re2Node Term()
    {
        Re2Node atom = Atom();
        int before = _at;
        if (!Repetition(out int min, out int max)) { return atom; }
        if (atom.Kind is Re2Kind.BeginText or Re2Kind.EndText or Re2Kind.WordBoundary or Re2Kind.NotWordBoundary) { throw new Re2Exception("nothing to repeat"); }
        bool lazy = Take('?');
        int after = _at;
        if (Repetition(out _, out _)) { throw new Re2Exception("two repetitions in a row"); }
        _at = after;
        return before == after ? atom : new Re2Node(Re2Kind.Repeat, atom) { Min = min, Max = max, Lazy = lazy };
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

        if (!Take('{')) { return false; }
        if (!Number(out min)) { throw new Re2Exception("a `{` that counts nothing is written `\\{`"); }
        max = min;
        if (Take(',') && !Number(out max)) { max = -1; }
        if (!Take('}')) { throw new Re2Exception("a `{` is not closed"); }
        if (!_checking && (min > RepeatMax || max > RepeatMax)) { throw new Re2Exception($"a repetition may count to {RepeatMax}"); }
        return max < 0 || min <= max ? true : throw new Re2Exception("a repetition's bounds are the wrong way round");
    }

    private bool Number(out int value)
    {
        value = 0;
        int start = _at;
        while (More && _pattern[_at] is >= '0' and <= '9') { value = Math.Min((value * 10) + _pattern[_at++] - '0', 1_000_000); }
        return _at > start;
    }

    private static Re2Node Set(CodePointSet set) => new(Re2Kind.Set) { Set = set };

    private static Re2Node Literal(int c) => Set(CodePointSet.Of((c, c)));

    private Re2Node Atom()
    {
        int c = _pattern[_at++];
        switch (c)
        {
            case '(': return Group();
            case '[': return Set(Class());
            case '.': return Set(LineEnd.Negate());
            case '^': return new Re2Node(Re2Kind.BeginText);
            case '$': return new Re2Node(Re2Kind.EndText);
            case '*' or '+' or '?' or '{': throw new Re2Exception($"nothing in front of `{(char)c}`");
            case ']' or '}' when _checking: throw new Re2Exception($"`{(char)c}` is written `\\{(char)c}`");
            case '\\': return Escape();
            default: return Literal(c);
        }
    }

    private Re2Node Group()
    {
        if (!Take('?'))
        {
            int number = ++_groups;
            Re2Node group = Inner();
            return new Re2Node(Re2Kind.Group, group) { Number = number };
        }

        if (Take(':')) { return Inner(); }
        if (Take('=') || Take('!') || Take("<=") || Take("<!"))
        {
            if (!_checking) { throw new Re2Exception("look-around is not matched in linear time"); }
            Inner();
            return new Re2Node(Re2Kind.Empty);
        }

        if (!Take('<')) { throw new Re2Exception("unknown group"); }
        string name = GroupName();
        if (!_names.Add(name)) { throw new Re2Exception("two groups of one name"); }
        int named = ++_groups;
        return new Re2Node(Re2Kind.Group, Inner()) { Number = named };
    }

    private Re2Node Inner()
    {
        Re2Node inner = Alternation();
        return Take(')') ? inner : throw new Re2Exception("a `(` is not closed");
    }

    private string GroupName()
    {
        var name = new StringBuilder();
        while (More && _pattern[_at] != '>')
        {
            var rune = new Rune(_pattern[_at++]);
            bool letter = Rune.IsLetter(rune) || rune.Value is '$' or '_';
            if (!letter && !(name.Length > 0 && Rune.IsLetterOrDigit(rune))) { throw new Re2Exception("a group's name has letters, digits, `$`, and `_`"); }
            name.Append(rune);
        }

        return name.Length > 0 && Take('>') ? name.ToString() : throw new Re2Exception("a group's name is not closed");
    }

    private Re2Node Escape()
    {
        if (!More) { throw new Re2Exception("a backslash at the end"); }
        if (Take('b')) { return new Re2Node(Re2Kind.WordBoundary); }
        if (Take('B')) { return new Re2Node(Re2Kind.NotWordBoundary); }
        if (_pattern[_at] is >= '1' and <= '9')
        {
            if (!_checking) { throw new Re2Exception("back references are not matched in linear time"); }
            Number(out int group);
            _backReference = Math.Max(_backReference, group);
            return new Re2Node(Re2Kind.Empty);
        }

        if (Take('k'))
        {
            if (!_checking) { throw new Re2Exception("back references are not matched in linear time"); }
            if (!Take('<')) { throw new Re2Exception("`\\k` names a group"); }
            _referred.Add(GroupName());
            return new Re2Node(Re2Kind.Empty);
        }

        return ClassEscape() is { } set ? Set(set) : Literal(CharacterEscape(inClass: false));
    }

    /// <summary>Behind the backslash; null where it is another escape.</summary>
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
                CodePointSet set = Property();
                return c == 'P' ? set.Negate() : set;
            default:
                return null;
        }
    }

    private CodePointSet Property()
    {
        if (!Take('{')) { throw new Re2Exception("a Unicode class is named in braces"); }
        var text = new StringBuilder();
        while (More && _pattern[_at] != '}') { text.Append(new Rune(_pattern[_at++])); }
        if (!Take('}')) { throw new Re2Exception("a Unicode class is not closed"); }
        string name = text.ToString();
        foreach (string prefix in (string[])["General_Category=", "gc="])
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal)) { name = name[prefix.Length..]; }
        }

        name = LongCategories.GetValueOrDefault(name, name);
        switch (name)
        {
            case "LC": return Re2Parser.Category("Lu").Add(Re2Parser.Category("Ll")).Add(Re2Parser.Category("Lt"));
            case "ASCII": return CodePointSet.Of((0, 127));
            case "Any": return Re2Parser.Category("Any");
        }

        try { return Re2Parser.Category(name); }
        catch (Re2Exception) when (_checking && name.Length > 0 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '='))
        {
            // A script, or a property: a pattern all the same.
            return CodePointSet.Of();
        }
    }

    private int CharacterEscape(bool inClass)
    {
        int c = _pattern[_at++];
        switch (c)
        {
            case 'f': return 12;
            case 'n': return 10;
            case 'r': return 13;
            case 't': return 9;
            case 'v': return 11;
            case '0': return More && _pattern[_at] is >= '0' and <= '9' ? throw new Re2Exception("octal escapes are not of ECMAScript") : 0;
            case 'c':
                if (!More || _pattern[_at] >= 128 || !char.IsAsciiLetter((char)_pattern[_at])) { throw new Re2Exception("`\\c` takes a letter"); }
                return _pattern[_at++] & 31;
            case 'x': return Hexadecimal(2);
            case 'u': return Unit();
        }

        bool allowed = c is '^' or '$' or '\\' or '.' or '*' or '+' or '?' or '(' or ')' or '[' or ']' or '{' or '}' or '|' or '/' || (inClass && c == '-');
        if (!allowed && (_checking || c >= 128 || char.IsAsciiLetterOrDigit((char)c))) { throw new Re2Exception("unknown escape"); }
        return c;
    }

    private int Unit()
    {
        if (Take('{'))
        {
            int value = 0, digits = 0;
            while (More && _pattern[_at] < 128 && char.IsAsciiHexDigit((char)_pattern[_at]))
            {
                value = (value * 16) + HexDigit(_pattern[_at++]);
                digits++;
                if (value > CodePointSet.Last) { throw new Re2Exception("not a Unicode code point"); }
            }

            return digits > 0 && Take('}') ? value : throw new Re2Exception("`\\u{` takes hexadecimal digits");
        }

        int unit = Hexadecimal(4);
        if (unit is < 0xD800 or > 0xDBFF || !Take("\\u")) { return unit; }
        int low = Hexadecimal(4);
        return low is >= 0xDC00 and <= 0xDFFF ? 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00) : throw new Re2Exception("half a surrogate pair");
    }

    private int Hexadecimal(int digits)
    {
        int value = 0;
        for (int i = 0; i < digits; i++)
        {
            if (!More || _pattern[_at] >= 128 || !char.IsAsciiHexDigit((char)_pattern[_at])) { throw new Re2Exception($"an escape takes {digits} hexadecimal digits"); }
            value = (value * 16) + HexDigit(_pattern[_at++]);
        }

        return value;
    }

    private static int HexDigit(int c) => c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;

    private CodePointSet Class()
    {
        bool negate = Take('^');
        CodePointSet set = CodePointSet.Of();
        while (!Take(']'))
        {
            if (!More) { throw new Re2Exception("a `[` is not closed"); }
            CodePointSet? known = ClassAtom(out int from);
            if (!Dash())
            {
                set = set.Add(known ?? CodePointSet.Of((from, from)));
                continue;
            }

            CodePointSet? end = ClassAtom(out int to);
            if (known is not null || end is not null) { throw new Re2Exception("a class is no end of a range"); }
            if (to < from) { throw new Re2Exception("a range in a class is the wrong way round"); }
            set = set.Add(CodePointSet.Of((from, to)));
        }

        return negate ? set.Negate() : set;
    }

    /// <summary>Takes a dash that makes a range.</summary>
    private bool Dash()
    {
        if (_at + 1 >= _pattern.Length || _pattern[_at] != '-' || _pattern[_at + 1] == ']') { return false; }
        _at++;
        return true;
    }

    private CodePointSet? ClassAtom(out int character)
    {
        character = 0;
        if (!More) { throw new Re2Exception("a `[` is not closed"); }
        if (!Take('\\'))
        {
            character = _pattern[_at++];
            return null;
        }

        if (!More) { throw new Re2Exception("a backslash at the end"); }
        if (ClassEscape() is { } known) { return known; }
        character = Take('b') ? 8 : CharacterEscape(inClass: true);
        return null;
    }

    private static Dictionary<string, string> Names(string text)
    {
        string[] words = text.Split(' ');
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        for (int i = 0; i < words.Length; i += 2) { names[words[i]] = words[i + 1]; }
        return names;
    }
}
