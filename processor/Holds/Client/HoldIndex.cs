namespace PolicyStreams.Processor.Holds;

/// <summary>Open holds in memory, bounded by count and bytes, in the order of <see cref="HoldCursor"/>. Thread-safe.</summary>
internal sealed class HoldIndex(int holdsMax, long bytesMax)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Entry> _byId = new(StringComparer.Ordinal);
    private readonly SortedSet<HoldCursor> _order = new(Comparer<HoldCursor>.Create(static (a, b) =>
    {
        int byTime = a.DecidedMs.CompareTo(b.DecidedMs);
        return byTime != 0 ? byTime : string.CompareOrdinal(a.Id, b.Id);
    }));

    private long _bytes;

    internal int Count
    {
        get { lock (_lock) { return _byId.Count; } }
    }

    /// <summary>True where a fifth of both bounds is free again.</summary>
    internal bool HasRoom
    {
        get { lock (_lock) { return _byId.Count <= holdsMax / 5 * 4 && _bytes <= bytesMax / 5 * 4; } }
    }

    /// <summary>Adds or replaces.</summary>
    /// <param name="bytes">What the hold weighs.</param>
    /// <returns>False at a bound: the hold is then not in the index, in no version.</returns>
    internal bool Put(OpenHold hold, int bytes)
    {
        lock (_lock)
        {
            RemoveCore(hold.State.Id);
            if (_byId.Count >= holdsMax || _bytes + bytes > bytesMax) { return false; }
            _byId.Add(hold.State.Id, new Entry(hold, bytes));
            _order.Add(HoldCursor.Of(hold));
            _bytes += bytes;
            return true;
        }
    }

    internal void Remove(string id)
    {
        lock (_lock) { RemoveCore(id); }
    }

    internal OpenHold? Find(string id)
    {
        lock (_lock) { return _byId.TryGetValue(id, out Entry entry) ? entry.Hold : null; }
    }

    internal IReadOnlyList<OpenHold> Page(HoldCursor? after, int limit, Func<OpenHold, bool> filter)
    {
        var page = new List<OpenHold>();
        lock (_lock)
        {
            if (_order.Count == 0 || limit <= 0) { return page; }
            HoldCursor last = _order.Max;
            if (after is { } place && _order.Comparer.Compare(place, last) >= 0) { return page; }
            foreach (HoldCursor cursor in after is { } from ? _order.GetViewBetween(from, last) : _order)
            {
                if (cursor == after) { continue; }
                OpenHold hold = _byId[cursor.Id].Hold;
                if (!filter(hold)) { continue; }
                page.Add(hold);
                if (page.Count == limit) { break; }
            }
        }
        return page;
    }

    private void RemoveCore(string id)
    {
        if (!_byId.Remove(id, out Entry entry)) { return; }
        _order.Remove(HoldCursor.Of(entry.Hold));
        _bytes -= entry.Bytes;
    }

    private readonly record struct Entry(OpenHold Hold, int Bytes);
}
