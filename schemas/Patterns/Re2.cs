using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace PolicyStreams.Schemas.Patterns;

/// <summary>
/// A regular expression with RE2's syntax and meaning, over UTF-8: search anywhere, `$` is the end of the text, `\d`, `\w`, and `\b` are ASCII.
/// Patterns of a bounded number of states run from a table, a byte a step; others by their automaton. Both are linear in the text, and allocate nothing
/// (but the automaton's scratch, which is kept). Immutable, thread-safe.
/// </summary>
internal sealed class Re2
{
    private const int StatesMax = 4096;
    private const int TableMax = 1 << 19;
    private const int WorkMax = 4_000_000;
    private const ushort Dead = 0;
    private const ushort Matched = 1;

    private static readonly ConcurrentDictionary<string, Re2> Cache = new(StringComparer.Ordinal);

    private readonly Re2Program _program;
    private readonly bool _tabled;
    private readonly byte[] _classOf = new byte[256];
    private readonly byte[] _prefix;
    private readonly int _classes;

    /// <summary>Of <c>^[0-9]{13,19}$</c> and its like, one run of ASCII from end to end: the characters, and how many.</summary>
    private readonly SearchValues<byte>? _run;
    private readonly int _runMin;
    private readonly int _runMax;

    /// <summary>By state, times the number of classes, and class: the next state, times the number of classes.</summary>
    private int[] _table = [];
    private bool[] _atEnd = [];
    private Re2Matcher? _spare;

    private Re2(Re2Node root)
    {
        _program = Re2Program.Compile(root);
        if (Run(root) is { Children: [{ Set: { } set }] } run)
        {
            _run = SearchValues.Create([.. set.Ranges.SelectMany(range => Enumerable.Range(range.From, range.To - range.From + 1)).Select(character => (byte)character)]);
            (_runMin, _runMax) = (run.Min, run.Max < 0 ? int.MaxValue : run.Max);
        }

        _prefix = _program.LooksAround || _program.Anchored ? [] : Prefix(root);
        _classes = Classify(out byte[] samples);
        _tabled = Build(samples);
    }

    /// <summary>States of the table, built or given up.</summary>
    internal int States { get; private set; }

    /// <summary>How much work it was to make, in steps of the automaton; at most some 4 million. The table has fewer entries than that.</summary>
    internal long Work { get; private set; }

    /// <summary>True where the pattern runs from a table.</summary>
    internal bool IsTabled => _tabled;

    /// <summary>The compiled pattern, from a bounded cache; false where it is no pattern of RE2's.</summary>
    public static bool TryGet(string pattern, [NotNullWhen(true)] out Re2? compiled) => TryGet(pattern, out compiled, out _);

    /// <param name="mistake">What is wrong with it, in a few words.</param>
    public static bool TryGet(string pattern, [NotNullWhen(true)] out Re2? compiled, [NotNullWhen(false)] out string? mistake)
    {
        mistake = null;
        if (Cache.TryGetValue(pattern, out compiled)) { return true; }
        if (!TryParse(pattern, out compiled, out mistake)) { return false; }
        if (Cache.Count < 1000) { Cache[pattern] = compiled; }
        return true;
    }

    /// <summary>Compiles a pattern. Bounded in time and memory.</summary>
    /// <param name="mistake">What is wrong with it, in a few words.</param>
    public static bool TryParse(string pattern, [NotNullWhen(true)] out Re2? compiled, [NotNullWhen(false)] out string? mistake)
    {
        compiled = null;
        mistake = null;
        try { compiled = new Re2(Re2Parser.Parse(pattern)); }
        catch (Re2Exception refused) { mistake = refused.Message; }
        return compiled is not null;
    }

    /// <summary>Compiles a pattern of JSON Schema: ECMAScript's syntax and meaning with the flag <c>u</c>, as far as an automaton has them.</summary>
    /// <param name="mistake">What is wrong with it, or what of it takes more than linear time.</param>
    public static bool TryParseEcma(string pattern, [NotNullWhen(true)] out Re2? compiled, [NotNullWhen(false)] out string? mistake)
    {
        compiled = null;
        mistake = null;
        try { compiled = new Re2(EcmaParser.Parse(pattern)); }
        catch (Re2Exception refused) { mistake = refused.Message; }
        return compiled is not null;
    }

    public bool IsMatch(string text)
    {
        if (text.Length > 256) { return IsMatch(Encoding.UTF8.GetBytes(text)); }
        Span<byte> utf8 = stackalloc byte[768];
        return IsMatch(utf8[..Encoding.UTF8.GetBytes(text, utf8)]);
    }

    /// <summary>True where the pattern matches anywhere in the text.</summary>
    public bool IsMatch(ReadOnlySpan<byte> utf8)
    {
        if (_run is not null) { return utf8.Length >= _runMin && utf8.Length <= _runMax && !utf8.ContainsAnyExcept(_run); }
        if (_prefix.Length > 0)
        {
            int start = utf8.IndexOf(_prefix);
            if (start < 0) { return false; }
            utf8 = utf8[start..];
        }

        if (!_tabled) { return RunAutomaton(utf8); }
        int[] table = _table;
        byte[] classOf = _classOf;
        int matched = Matched * _classes, state = 2 * _classes;
        foreach (byte octet in utf8)
        {
            state = table[state + classOf[octet]];
            if (state <= matched) { return state == matched; }
        }

        return _atEnd[state / _classes];
    }

    /// <summary>False where no text of a shape can match. True where one may, and where the pattern has too many states to tell.</summary>
    public bool MayMatch(IReadOnlyList<TextRun> shape)
    {
        if (!_tabled) { return true; }
        var at = new HashSet<int> { 2 };
        foreach (TextRun run in shape)
        {
            // A code point has one to four bytes: of any alphabet, so many bytes of any kind.
            bool any = run.Alphabet == TextAlphabet.Any;
            int max = run.Max < 0 || run.Max > StatesMax ? -1 : any ? 4 * run.Max : run.Max;
            for (int i = 0; i < Math.Min(run.Min, StatesMax); i++) { at = Step(at, run.Alphabet); }
            HashSet<int> last = at;
            at = [.. at];
            for (int i = Math.Min(run.Min, StatesMax); max < 0 || i < max; i++)
            {
                last = Step(last, run.Alphabet);
                int before = at.Count;
                at.UnionWith(last);
                if (at.Count == before && (max < 0 || last.IsSubsetOf(at)) && i > run.Min + States) { break; }
            }
        }

        return at.Contains(Matched) || at.Any(state => _atEnd[state]);
    }

    private HashSet<int> Step(HashSet<int> states, TextAlphabet alphabet)
    {
        var next = new HashSet<int>();
        foreach (int state in states)
        {
            if (state is Matched or Dead)
            {
                next.Add(state);
                continue;
            }

            for (int octet = 0; octet < 256; octet++)
            {
                bool has = alphabet switch
                {
                    TextAlphabet.Star => octet == '*',
                    TextAlphabet.LowerHex => octet is (>= '0' and <= '9') or (>= 'a' and <= 'f'),
                    TextAlphabet.Base64Url => octet < 128 && (char.IsAsciiLetterOrDigit((char)octet) || octet is '-' or '_'),
                    _ => true,
                };
                if (has) { next.Add(_table[(state * _classes) + _classOf[octet]] / _classes); }
            }
        }

        return next;
    }

    private bool RunAutomaton(ReadOnlySpan<byte> utf8)
    {
        Re2Matcher matcher = Interlocked.Exchange(ref _spare, null) ?? new Re2Matcher(_program);
        bool matches = matcher.IsMatch(utf8);
        _spare = matcher;
        return matches;
    }

    /// <summary>The repetition where a pattern is the start of the text, one repeated set of ASCII, and the end; else null.</summary>
    private static Re2Node? Run(Re2Node root) =>
        root is { Kind: Re2Kind.Concat, Children: [{ Kind: Re2Kind.BeginText }, { Kind: Re2Kind.Repeat, Children: [{ Kind: Re2Kind.Set, Set: { } set }] } run, { Kind: Re2Kind.EndText }] }
            && set.Ranges.All(range => range.To < 128) ? run : null;

    // Text that every match begins with.
    private static byte[] Prefix(Re2Node root)
    {
        var text = new StringBuilder();
        foreach (Re2Node node in root.Kind == Re2Kind.Concat ? root.Children : [root])
        {
            if (node is not { Kind: Re2Kind.Set, Set.Ranges: [(int from, int to)] } || from != to || !Rune.IsValid(from)) { break; }
            text.Append(new Rune(from));
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    // Bytes that no step tells apart are one class.
    private int Classify(out byte[] samples)
    {
        var starts = new bool[257];
        starts[0] = true;
        for (int at = 0; at < _program.Count; at++)
        {
            foreach (Re2Range range in _program.Ranges(at)) { starts[range.From] = starts[range.To + 1] = true; }
        }

        if (_program.LooksAround)
        {
            for (int octet = 1; octet < 256; octet++) { starts[octet] |= Re2Matcher.ContextOf((byte)octet) != Re2Matcher.ContextOf((byte)(octet - 1)); }
        }

        var first = new List<byte>();
        for (int octet = 0; octet < 256; octet++)
        {
            if (starts[octet]) { first.Add((byte)octet); }
            _classOf[octet] = (byte)(first.Count - 1);
        }

        samples = [.. first];
        return first.Count;
    }

    // States are sets of steps with what stood before them. False where there are too many.
    private bool Build(byte[] samples)
    {
        var matcher = new Re2Matcher(_program);
        var numbers = new Dictionary<string, ushort>(StringComparer.Ordinal);
        var states = new List<(int[] Set, Re2Context Previous)> { ([], Re2Context.Edge), ([], Re2Context.Edge) };
        var table = new List<ushort>(new ushort[2 * _classes]);
        Number([_program.Start], Re2Context.Edge);
        var into = new int[_program.Count + 1];
        long work = 16L * _program.Count;
        for (int state = 2; state < states.Count; state++)
        {
            (int[] set, Re2Context previous) = states[state];
            foreach (byte octet in samples)
            {
                work += set.Length + 16;
                Re2Context next = Re2Matcher.ContextOf(octet);
                int count = matcher.Step(set, previous, next, octet, into, out bool matched);
                if (matched)
                {
                    table.Add(Matched);
                    continue;
                }

                if (!_program.Anchored) { into[count++] = _program.Start; }
                if (count == 0)
                {
                    table.Add(Dead);
                    continue;
                }

                table.Add(Number(into[..count], next));
                if (states.Count > StatesMax || table.Count > TableMax || work > WorkMax)
                {
                    Work = work;
                    return false;
                }
            }
        }

        Work = work;
        States = states.Count;
        _table = [.. table.Select(state => state * _classes)];
        _atEnd = [.. states.Select((state, i) => i == Matched || (i > Matched && matcher.MatchesAtEnd(state.Set, state.Previous)))];
        return true;

        ushort Number(int[] set, Re2Context previous)
        {
            Array.Sort(set);
            // Only the start of the text is told from the rest where nothing looks around.
            if (!_program.LooksAround && previous != Re2Context.Edge) { previous = Re2Context.Other; }
            string key = string.Create(set.Length + 1, (set, previous), static (text, state) =>
            {
                // A program has fewer steps than UTF-16 has units.
                for (int i = 0; i < state.set.Length; i++) { text[i] = (char)state.set[i]; }
                text[^1] = (char)state.previous;
            });
            if (!numbers.TryGetValue(key, out ushort number))
            {
                numbers[key] = number = (ushort)states.Count;
                states.Add((set, previous));
            }

            return number;
        }
    }
}
