namespace PolicyStreams.Schemas.Patterns;

/// <summary>What stands beside a position: it decides assertions.</summary>
internal enum Re2Context : byte { Edge, Newline, Word, Other }

/// <summary>
/// Runs a program over sets of its steps: all at once, so in time linear in the text whatever the pattern. One a thread while it runs; also builds the table of
/// <see cref="Re2"/>, whose states are such sets.
/// </summary>
internal sealed class Re2Matcher
{
    private readonly Re2Program _program;
    private readonly int[] _marks;
    private readonly int[] _stack;
    private int[] _set;
    private int[] _other;
    private int _mark;

    public Re2Matcher(Re2Program program)
    {
        _program = program;
        _marks = new int[program.Count];
        _stack = new int[program.Count + 1];
        _set = new int[program.Count + 1];
        _other = new int[program.Count + 1];
    }

    public static Re2Context ContextOf(byte octet) => octet == '\n' ? Re2Context.Newline
        : octet < 128 && (char.IsAsciiLetterOrDigit((char)octet) || octet == '_') ? Re2Context.Word : Re2Context.Other;

    public bool IsMatch(ReadOnlySpan<byte> text)
    {
        Span<int> raw = _set;
        int count = 1;
        raw[0] = _program.Start;
        Re2Context previous = Re2Context.Edge;
        for (int i = 0; i < text.Length; i++)
        {
            Re2Context next = ContextOf(text[i]);
            count = Step(_set.AsSpan(0, count), previous, next, text[i], _other, out bool matched);
            if (matched) { return true; }
            if (!_program.Anchored) { _other[count++] = _program.Start; }
            else if (count == 0) { return false; }
            (_set, _other) = (_other, _set);
            previous = next;
        }

        return MatchesAtEnd(_set.AsSpan(0, count), previous);
    }

    /// <summary>Takes one byte. The set in and out is of steps before their assertions are looked at.</summary>
    /// <param name="matched">True where the text so far matches: nothing that follows matters.</param>
    public int Step(ReadOnlySpan<int> raw, Re2Context previous, Re2Context next, byte octet, Span<int> into, out bool matched)
    {
        int depth = Begin(raw);
        int count = 0;
        matched = false;
        while (depth > 0)
        {
            int at = _stack[--depth];
            switch (_program.Op(at))
            {
                case Re2Op.Match:
                    matched = true;
                    return 0;
                case Re2Op.Bytes:
                    int way = Way(_program.Ranges(at), octet);
                    if (way >= 0) { into[count++] = way; }
                    break;
                default:
                    depth = Follow(at, previous, next, depth);
                    break;
            }
        }

        // Two steps may lead to one: a set has it once. The start is added by the caller.
        _mark++;
        int kept = 0;
        for (int i = 0; i < count; i++)
        {
            if (_marks[into[i]] == _mark || (!_program.Anchored && into[i] == _program.Start)) { continue; }
            _marks[into[i]] = _mark;
            into[kept++] = into[i];
        }

        return kept;
    }

    /// <summary>Where a byte leads; -1 for nowhere.</summary>
    internal static int Way(Re2Range[] ranges, byte octet)
    {
        int low = 0, high = ranges.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >> 1;
            if (octet < ranges[middle].From) { high = middle - 1; }
            else if (octet > ranges[middle].To) { low = middle + 1; }
            else { return ranges[middle].Next; }
        }

        return -1;
    }

    public bool MatchesAtEnd(ReadOnlySpan<int> raw, Re2Context previous)
    {
        int depth = Begin(raw);
        while (depth > 0)
        {
            int at = _stack[--depth];
            if (_program.Op(at) == Re2Op.Match) { return true; }
            if (_program.Op(at) != Re2Op.Bytes) { depth = Follow(at, previous, Re2Context.Edge, depth); }
        }

        return false;
    }

    // Every step is pushed once a closure: the stack and the sets never pass the program's size.
    private int Begin(ReadOnlySpan<int> raw)
    {
        if (_mark > int.MaxValue - 8)
        {
            Array.Clear(_marks);
            _mark = 0;
        }

        _mark++;
        int depth = 0;
        foreach (int at in raw) { depth = Push(at, depth); }
        return depth;
    }

    private int Push(int at, int depth)
    {
        if (_marks[at] == _mark) { return depth; }
        _marks[at] = _mark;
        _stack[depth] = at;
        return depth + 1;
    }

    private int Follow(int at, Re2Context previous, Re2Context next, int depth)
    {
        (int x, int y) = _program.Next(at);
        if (_program.Op(at) == Re2Op.Split) { return Push(y, Push(x, depth)); }
        return Holds(_program.Assertion(at), previous, next) ? Push(x, depth) : depth;
    }

    /// <summary>Whether an assertion holds between two neighbours.</summary>
    internal static bool Holds(Re2Kind assertion, Re2Context previous, Re2Context next) =>
        assertion switch
        {
            Re2Kind.BeginText => previous == Re2Context.Edge,
            Re2Kind.EndText => next == Re2Context.Edge,
            Re2Kind.BeginLine => previous is Re2Context.Edge or Re2Context.Newline,
            Re2Kind.EndLine => next is Re2Context.Edge or Re2Context.Newline,
            Re2Kind.WordBoundary => (previous == Re2Context.Word) != (next == Re2Context.Word),
            _ => (previous == Re2Context.Word) == (next == Re2Context.Word),
        };
}
