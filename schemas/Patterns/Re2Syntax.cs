namespace PolicyStreams.Schemas.Patterns;

internal enum Re2Kind : byte { Empty, Set, Concat, Alternate, Repeat, BeginText, EndText, BeginLine, EndLine, WordBoundary, NotWordBoundary, Group }

/// <summary>A node of a parsed pattern. Greediness and groups matter to where a match is and what is in it, not to whether there is one.</summary>
internal sealed class Re2Node(Re2Kind kind, params Re2Node[] children)
{
    public Re2Kind Kind { get; } = kind;

    public Re2Node[] Children { get; } = children;

    /// <summary>Of a set: the code points.</summary>
    public CodePointSet? Set { get; init; }

    /// <summary>Of a repetition: how often at least, and at most (-1 for no bound).</summary>
    public int Min { get; init; }

    public int Max { get; init; }

    /// <summary>Of a repetition: as few as can be before more.</summary>
    public bool Lazy { get; init; }

    /// <summary>Of a group: its number, from 1 by opening brackets.</summary>
    public int Number { get; init; }
}

/// <summary>Why a pattern is refused. Never leaves the room.</summary>
internal sealed class Re2Exception(string message) : Exception(message);

/// <summary>Code points as sorted ranges that do not touch.</summary>
internal sealed class CodePointSet
{
    public const int Last = 0x10FFFF;

    private List<(int From, int To)> _ranges = [];

    public IReadOnlyList<(int From, int To)> Ranges => _ranges;

    public static CodePointSet Of(params (int From, int To)[] ranges)
    {
        var set = new CodePointSet();
        foreach ((int from, int to) in ranges) { set._ranges.Add((from, to)); }
        set.Normalize();
        return set;
    }

    public CodePointSet Add(CodePointSet other)
    {
        var set = new CodePointSet { _ranges = [.. _ranges, .. other._ranges] };
        set.Normalize();
        return set;
    }

    public CodePointSet Negate()
    {
        var set = new CodePointSet();
        int next = 0;
        foreach ((int from, int to) in _ranges)
        {
            if (from > next) { set._ranges.Add((next, from - 1)); }
            next = to + 1;
        }

        if (next <= Last) { set._ranges.Add((next, Last)); }
        return set;
    }

    /// <summary>With every code point that differs in case alone.</summary>
    public CodePointSet Fold()
    {
        var ranges = new List<(int From, int To)>(_ranges);
        foreach (int[] orbit in CaseOrbits.All.Value)
        {
            if (Array.Exists(orbit, Contains)) { ranges.AddRange(orbit.Select(c => (c, c))); }
        }

        var set = new CodePointSet { _ranges = ranges };
        set.Normalize();
        return set;
    }

    public bool Contains(int codePoint)
    {
        int low = 0, high = _ranges.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (codePoint < _ranges[middle].From) { high = middle - 1; }
            else if (codePoint > _ranges[middle].To) { low = middle + 1; }
            else { return true; }
        }

        return false;
    }

    private void Normalize()
    {
        _ranges.Sort();
        int kept = 0;
        for (int i = 0; i < _ranges.Count; i++)
        {
            if (kept > 0 && _ranges[i].From <= _ranges[kept - 1].To + 1) { _ranges[kept - 1] = (_ranges[kept - 1].From, Math.Max(_ranges[kept - 1].To, _ranges[i].To)); }
            else { _ranges[kept++] = _ranges[i]; }
        }

        _ranges.RemoveRange(kept, _ranges.Count - kept);
    }

    // Code points of one letter: k, K, and the Kelvin sign.
    private static class CaseOrbits
    {
        public static Lazy<int[][]> All { get; } = new(() =>
        {
            var orbits = new Dictionary<int, List<int>>();
            for (int c = 0; c < 0x1F000; c++)
            {
                if (c is >= 0xD800 and <= 0xDFFF) { continue; }
                var rune = new System.Text.Rune(c);
                int key = System.Text.Rune.ToUpperInvariant(System.Text.Rune.ToLowerInvariant(rune)).Value;
                if (!orbits.TryGetValue(key, out List<int>? orbit)) { orbits[key] = orbit = []; }
                orbit.Add(c);
            }

            return [.. orbits.Values.Where(o => o.Count > 1).Select(o => o.ToArray())];
        });
    }
}
