using System.Numerics;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Decisions;

/// <summary>Numbers the (mask, path) pairs that one judge meets in one binding, and keeps which of them the current record had. Not thread-safe.</summary>
internal sealed class MaskEntries
{
    private readonly List<(CompiledMask Mask, string Path)> _entries = [];
    private readonly Dictionary<(CompiledMask, string), int> _numbers = [];
    private readonly Dictionary<RecordProgram, int[][]> _bySite = new(ReferenceEqualityComparer.Instance);
    private BitsetCache<MaskedSet> _sets = new(1);
    private ulong[] _bits = new ulong[1];
    private RecordProgram? _lastProgram;
    private int[][] _lastTable = [];

    public void Begin() => Array.Clear(_bits);

    /// <summary>The number of a site's mask and path: from a table after the first time.</summary>
    public int OfSite(CompiledMask mask, RecordProgram program, in MaskSite site, int selectors, bool key = false)
    {
        if (!ReferenceEquals(program, _lastProgram))
        {
            if (!_bySite.TryGetValue(program, out int[][]? table)) { _bySite[program] = table = new int[selectors][]; }
            (_lastProgram, _lastTable) = (program, table);
        }

        ref int[] row = ref _lastTable[site.Selector];
        if (row is null || row.Length <= site.Node) { Array.Resize(ref row, site.Node + 1); }
        ref int number = ref row[site.Node];
        if (number == 0) { number = Of(mask, key ? KeyCodec.KeyPath(program.SitePath(site)) : program.SitePath(site)) + 1; }
        return number - 1;
    }

    /// <summary>The number of a mask that has one place only.</summary>
    public int Of(CompiledMask mask, string path)
    {
        if (_numbers.TryGetValue((mask, path), out int number)) { return number; }
        number = _entries.Count;
        _entries.Add((mask, path));
        _numbers[(mask, path)] = number;
        if (_entries.Count > 64 * _bits.Length)
        {
            Array.Resize(ref _bits, 2 * _bits.Length);
            _sets = new BitsetCache<MaskedSet>(_bits.Length);
        }

        return number;
    }

    public string Path(int number) => _entries[number].Path;

    public void Mark(int number) => _bits[number >> 6] |= 1UL << (number & 63);

    /// <summary>What the marked entries come to: the same for the same marks, whatever the order in which they were met.</summary>
    public MaskedSet Set()
    {
        if (!_bits.AsSpan().ContainsAnyExcept(0UL)) { return MaskedSet.None; }
        if (_sets.Find(_bits) is { } found) { return found; }
        var marked = new List<(CompiledMask Mask, string Path)>();
        for (int i = 0; i < _bits.Length; i++)
        {
            for (ulong rest = _bits[i]; rest != 0; rest &= rest - 1) { marked.Add(_entries[(64 * i) + BitOperations.TrailingZeroCount(rest)]); }
        }

        marked.Sort(static (a, b) => a.Mask.Rule != b.Mask.Rule ? a.Mask.Rule.CompareTo(b.Mask.Rule) : string.CompareOrdinal(a.Path, b.Path));
        var set = new MaskedSet(
            [.. marked.Select(entry => entry.Path).Distinct()],
            [.. marked.Select(entry => entry.Mask.KeyId).Where(id => id.Length > 0).Distinct()],
            [.. marked.Select(entry => (entry.Path, entry.Mask.Rule))]);
        _sets.Add(_bits, set);
        return set;
    }
}
