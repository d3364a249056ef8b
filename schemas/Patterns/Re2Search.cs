namespace PolicyStreams.Schemas.Patterns;

/// <summary>
/// Finds where RE2's match of a pattern is, and its groups: the leftmost, and of those the one that a backtracking search would take first. All ways are walked at once, in order
/// of preference, so one search is linear in the text. One a thread while it runs.
/// </summary>
internal sealed class Re2Search
{
    private readonly Re2Program _program;
    private readonly int _slots;
    private readonly int[] _marks;
    private readonly int[] _places;
    private (int At, int Slot, int Place)[] _stack;
    private Ways _now;
    private Ways _next;
    private int _mark;

    /// <param name="root">The parsed pattern.</param>
    /// <param name="groups">The highest group that is asked for; 0 for the whole match alone.</param>
    /// <exception cref="Re2Exception">The program would be too large.</exception>
    public Re2Search(Re2Node root, int groups)
    {
        _program = Re2Program.Compile(root, groups);
        _slots = 2 * (groups + 1);
        _marks = new int[_program.Count];
        _places = new int[_slots];
        _stack = new (int, int, int)[2 * _program.Count];
        _now = new Ways(_program.Count, _slots);
        _next = new Ways(_program.Count, _slots);
    }

    /// <summary>The first match that begins at or after a position of a code point.</summary>
    /// <param name="text">Valid UTF-8; what stands before <paramref name="from"/> counts for assertions.</param>
    /// <param name="places">Begin and end of the match and of each group asked for; -1 for a group that took no part.</param>
    /// <param name="work">Steps left to spend; below zero the search ended undone.</param>
    /// <returns>False where there is none, or where the work was used up.</returns>
    public bool Find(ReadOnlySpan<byte> text, int from, Span<int> places, ref long work)
    {
        bool found = false;
        _now.Count = 0;
        if (_mark > int.MaxValue - text.Length - 8)
        {
            Array.Clear(_marks);
            _mark = 0;
        }

        // The marks of the ways that this position has already, since the start is added behind them.
        _mark++;
        for (int i = from; ; i++)
        {
            bool last = i >= text.Length;
            if (!found && (last || (text[i] & 0xC0) != 0x80) && (!_program.Anchored || i == 0))
            {
                _places.AsSpan().Fill(-1);
                _places[0] = i;
                work -= Add(_now, _program.Start, text, i);
            }

            if (_now.Count == 0 && (found || last || _program.Anchored)) { return found; }
            if (work < 0) { return false; }
            _mark++;
            _next.Count = 0;
            for (int way = 0; way < _now.Count; way++)
            {
                int at = _now.At[way];
                if (_program.Op(at) == Re2Op.Match)
                {
                    // Whatever is less preferred than this way does not matter any more.
                    _now.PlacesOf(way).CopyTo(places);
                    places[1] = i;
                    found = true;
                    break;
                }

                if (last) { continue; }
                int onward = Re2Matcher.Way(_program.Ranges(at), text[i]);
                work--;
                if (onward < 0) { continue; }
                _now.PlacesOf(way).CopyTo(_places);
                work -= Add(_next, onward, text, i + 1);
            }

            if (last) { return found; }
            (_now, _next) = (_next, _now);
        }
    }

    /// <summary>Adds the steps that a step leads to without taking a byte, in order of preference. Gives the work that it was.</summary>
    private int Add(Ways ways, int start, ReadOnlySpan<byte> text, int position)
    {
        int depth = 0, work = 0;
        Push(ref depth, start, -1, 0);
        while (depth > 0)
        {
            (int at, int slot, int place) = _stack[--depth];
            if (slot >= 0)
            {
                _places[slot] = place;
                continue;
            }

            if (_marks[at] == _mark) { continue; }
            _marks[at] = _mark;
            work++;
            (int x, int y) = _program.Next(at);
            switch (_program.Op(at))
            {
                case Re2Op.Split:
                    Push(ref depth, y, -1, 0);
                    Push(ref depth, x, -1, 0);
                    break;
                case Re2Op.Save:
                    // Ways behind this one know nothing of its group.
                    Push(ref depth, 0, y, _places[y]);
                    _places[y] = position;
                    Push(ref depth, x, -1, 0);
                    break;
                case Re2Op.Assert:
                    if (Re2Matcher.Holds(_program.Assertion(at), ContextAt(text, position - 1), ContextAt(text, position))) { Push(ref depth, x, -1, 0); }
                    break;
                default:
                    ways.At[ways.Count] = at;
                    _places.CopyTo(ways.PlacesOf(ways.Count++));
                    work += _slots / 4;
                    break;
            }
        }

        return work;
    }

    private void Push(ref int depth, int at, int slot, int place)
    {
        if (depth == _stack.Length) { Array.Resize(ref _stack, 2 * depth); }
        _stack[depth++] = (at, slot, place);
    }

    private static Re2Context ContextAt(ReadOnlySpan<byte> text, int at) => at < 0 || at >= text.Length ? Re2Context.Edge : Re2Matcher.ContextOf(text[at]);

    /// <summary>The ways at one position, the preferred first.</summary>
    private sealed class Ways(int steps, int slots)
    {
        private readonly int[] _places = new int[steps * slots];

        public int[] At { get; } = new int[steps];

        public int Count { get; set; }

        public Span<int> PlacesOf(int way) => _places.AsSpan(way * slots, slots);
    }
}
