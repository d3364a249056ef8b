namespace PolicyStreams.Schemas.Patterns;

internal enum Re2Op : byte { Bytes, Split, Assert, Match, Save }

/// <summary>One way on: a byte of the range leads to the step.</summary>
internal readonly record struct Re2Range(byte From, byte To, int Next);

/// <summary>A non-deterministic automaton over UTF-8 bytes.</summary>
internal sealed class Re2Program
{
    /// <summary>Steps of one pattern: a repetition of large classes beyond it is refused.</summary>
    public const int SizeMax = 20_000;

    private readonly List<Re2Op> _ops = [];
    private readonly List<Re2Range[]> _ranges = [];
    private readonly List<(int X, int Y)> _next = [];
    private readonly List<Re2Kind> _assertions = [];

    private int _size;
    private int _groupsKept = -1;

    private Re2Program()
    {
    }

    public int Count => _ops.Count;

    public int Start { get; private set; }

    /// <summary>True where a match can only begin at the start of the text.</summary>
    public bool Anchored { get; private set; }

    /// <summary>True where `\b` or the ends of lines matter, so that neighbours do.</summary>
    public bool LooksAround { get; private set; }

    public Re2Op Op(int at) => _ops[at];

    /// <summary>Of a step that takes a byte: ranges in order, none touching another.</summary>
    public Re2Range[] Ranges(int at) => _ranges[at];

    /// <summary>Of a split: the way that is tried first, and the other. Of a save: what follows, and the slot of the position.</summary>
    public (int X, int Y) Next(int at) => _next[at];

    public Re2Kind Assertion(int at) => _assertions[at];

    /// <param name="groupsKept">The highest group whose place is kept, 0 for the whole match; -1 keeps none.</param>
    public static Re2Program Compile(Re2Node root, int groupsKept = -1)
    {
        var program = new Re2Program { _groupsKept = groupsKept };
        int match = program.Add(Re2Op.Match);
        program.Start = program.Emit(root, match);
        program.Anchored = IsAnchored(root);
        return program;
    }

    private static bool IsAnchored(Re2Node node) => node.Kind switch
    {
        Re2Kind.BeginText => true,
        Re2Kind.Concat => IsAnchored(node.Children[0]),
        Re2Kind.Alternate => Array.TrueForAll(node.Children, IsAnchored),
        Re2Kind.Repeat => node.Min > 0 && IsAnchored(node.Children[0]),
        Re2Kind.Group => IsAnchored(node.Children[0]),
        _ => false,
    };

    private int Add(Re2Op op, int x = 0, int y = 0, Re2Range[]? ranges = null, Re2Kind assertion = Re2Kind.Empty)
    {
        _size += 1 + ((ranges?.Length ?? 0) / 4);
        if (_size >= SizeMax) { throw new Re2Exception("the pattern is too large once its repetitions are written out"); }
        _ops.Add(op);
        _ranges.Add(ranges ?? []);
        _next.Add((x, y));
        _assertions.Add(assertion);
        return _ops.Count - 1;
    }

    // Emits backwards: what comes after is known.
    private int Emit(Re2Node node, int next)
    {
        switch (node.Kind)
        {
            case Re2Kind.Empty:
                return next;
            case Re2Kind.Set:
                return EmitSet(node.Set!, next);
            case Re2Kind.Concat:
                for (int i = node.Children.Length - 1; i >= 0; i--) { next = Emit(node.Children[i], next); }
                return next;
            case Re2Kind.Alternate:
                int way = Emit(node.Children[^1], next);
                for (int i = node.Children.Length - 2; i >= 0; i--) { way = Add(Re2Op.Split, Emit(node.Children[i], next), way); }
                return way;
            case Re2Kind.Repeat:
                return EmitRepeat(node, next);
            case Re2Kind.Group when node.Number > _groupsKept:
                return Emit(node.Children[0], next);
            case Re2Kind.Group:
                return Add(Re2Op.Save, Emit(node.Children[0], Add(Re2Op.Save, next, (2 * node.Number) + 1)), 2 * node.Number);
            default:
                LooksAround |= node.Kind is not (Re2Kind.BeginText or Re2Kind.EndText);
                return Add(Re2Op.Assert, next, assertion: node.Kind);
        }
    }

    private int EmitRepeat(Re2Node node, int next)
    {
        Re2Node inner = node.Children[0];
        int copies = node.Min;
        if (node.Max < 0)
        {
            int loop = Add(Re2Op.Split, 0, next), start = Emit(inner, loop);
            _next[loop] = node.Lazy ? (next, start) : (start, next);

            // x{2,} is xx+. Where x may match nothing, x* is (x+)?: else one round of nothing would hide the ways behind it, and RE2 takes them.
            if (copies > 0) { copies--; }
            if (node.Min > 0) { next = start; }
            else { next = IsEmptyable(inner) ? Choice(start, next, node.Lazy) : loop; }
        }
        else
        {
            // x{2,4} is xx(x(x)?)?: each optional one leads straight to the end.
            int end = next;
            for (int i = node.Min; i < node.Max; i++) { next = Choice(Emit(inner, next), end, node.Lazy); }
        }

        for (int i = 0; i < copies; i++) { next = Emit(inner, next); }
        return next;
    }

    private int Choice(int more, int end, bool lazy) => lazy ? Add(Re2Op.Split, end, more) : Add(Re2Op.Split, more, end);

    /// <summary>True where the node can match without taking a byte.</summary>
    private static bool IsEmptyable(Re2Node node) => node.Kind switch
    {
        Re2Kind.Set => false,
        Re2Kind.Concat => Array.TrueForAll(node.Children, IsEmptyable),
        Re2Kind.Alternate => Array.Exists(node.Children, IsEmptyable),
        Re2Kind.Repeat => node.Min == 0 || IsEmptyable(node.Children[0]),
        Re2Kind.Group => IsEmptyable(node.Children[0]),
        _ => true,
    };

    private int EmitSet(CodePointSet set, int next)
    {
        var sequences = new List<(byte From, byte To)[]>();
        foreach ((int from, int to) in set.Ranges) { sequences.AddRange(Utf8Ranges(from, to)); }
        return EmitSequences(sequences, 0, next, new Dictionary<string, int>(StringComparer.Ordinal));
    }

    // Of code points in order, first bytes are the same range or apart: so the ways on are a tree, and alike parts of it are one.
    private int EmitSequences(List<(byte From, byte To)[]> sequences, int depth, int next, Dictionary<string, int> known)
    {
        var ranges = new List<Re2Range>();
        sequences.Sort((a, b) => a[depth].From.CompareTo(b[depth].From));
        for (int i = 0; i < sequences.Count;)
        {
            (byte from, byte to) = sequences[i][depth];
            var rest = new List<(byte From, byte To)[]>();
            for (; i < sequences.Count && sequences[i][depth] == (from, to); i++)
            {
                if (sequences[i].Length > depth + 1) { rest.Add(sequences[i]); }
            }

            int way = rest.Count == 0 ? next : EmitSequences(rest, depth + 1, next, known);
            if (ranges.Count > 0 && ranges[^1].Next == way && ranges[^1].To + 1 == from) { ranges[^1] = ranges[^1] with { To = to }; }
            else { ranges.Add(new Re2Range(from, to, way)); }
        }

        string key = string.Join(' ', ranges);
        if (!known.TryGetValue(key, out int at)) { known[key] = at = Add(Re2Op.Bytes, ranges: [.. ranges]); }
        return at;
    }

    /// <summary>The sequences of byte ranges that spell the code points of a range, surrogates left out.</summary>
    private static IEnumerable<(byte From, byte To)[]> Utf8Ranges(int from, int to)
    {
        var pending = new Stack<(int From, int To)>();
        pending.Push((from, to));
        while (pending.TryPop(out (int From, int To) range))
        {
            (from, to) = range;
            if (from > to) { continue; }
            if (from <= 0xDFFF && to >= 0xD800)
            {
                pending.Push((0xE000, to));
                pending.Push((from, 0xD7FF));
                continue;
            }

            int boundary = from <= 0x7F ? 0x7F : from <= 0x7FF ? 0x7FF : from <= 0xFFFF ? 0xFFFF : CodePointSet.Last;
            if (to > boundary)
            {
                pending.Push((boundary + 1, to));
                pending.Push((from, boundary));
                continue;
            }

            int length = from <= 0x7F ? 1 : from <= 0x7FF ? 2 : from <= 0xFFFF ? 3 : 4;
            bool split = false;
            for (int i = 1; i < length && !split; i++)
            {
                int mask = (1 << (6 * i)) - 1;
                if ((from & ~mask) == (to & ~mask)) { continue; }
                if ((from & mask) != 0)
                {
                    pending.Push(((from | mask) + 1, to));
                    pending.Push((from, from | mask));
                    split = true;
                }
                else if ((to & mask) != mask)
                {
                    pending.Push((to & ~mask, to));
                    pending.Push((from, (to & ~mask) - 1));
                    split = true;
                }
            }

            if (split) { continue; }
            var sequence = new (byte From, byte To)[length];
            for (int i = length - 1; i >= 1; i--)
            {
                sequence[i] = ((byte)(0x80 | (from & 0x3F)), (byte)(0x80 | (to & 0x3F)));
                from >>= 6;
                to >>= 6;
            }

            int lead = length switch { 1 => 0, 2 => 0xC0, 3 => 0xE0, _ => 0xF0 };
            sequence[0] = ((byte)(lead | from), (byte)(lead | to));
            yield return sequence;
        }
    }
}
