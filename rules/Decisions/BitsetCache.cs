namespace PolicyStreams.Rules.Decisions;

/// <summary>Values by sets of small numbers. Bounded: beyond <c>EntriesMax</c> values are made and not kept. Not thread-safe.</summary>
internal sealed class BitsetCache<T>(int words) where T : class
{
    private const int EntriesMax = 4096;

    private ulong[] _keys = new ulong[16 * words];
    private T?[] _values = new T?[16];
    private int _count;
    private int _last = -1;

    public int Words => words;

    /// <summary>The value of a set, or null with the slot where <see cref="Add"/> shall put it.</summary>
    public T? Find(ReadOnlySpan<ulong> key)
    {
        // Records of a topic are much alike: the last set is the most likely one.
        if (_last >= 0 && key.SequenceEqual(_keys.AsSpan(_last * words, words))) { return _values[_last]; }
        int mask = _values.Length - 1;
        for (int slot = Hash(key) & mask; _values[slot] is { } value; slot = (slot + 1) & mask)
        {
            if (!key.SequenceEqual(_keys.AsSpan(slot * words, words))) { continue; }
            _last = slot;
            return value;
        }

        return null;
    }

    public void Add(ReadOnlySpan<ulong> key, T value)
    {
        if (_count >= EntriesMax) { return; }
        if (2 * (_count + 1) > _values.Length) { Grow(); }
        Put(key, value);
        _count++;
    }

    private void Put(ReadOnlySpan<ulong> key, T value)
    {
        int mask = _values.Length - 1, slot = Hash(key) & mask;
        while (_values[slot] is not null) { slot = (slot + 1) & mask; }
        key.CopyTo(_keys.AsSpan(slot * words, words));
        _values[slot] = value;
        _last = slot;
    }

    private void Grow()
    {
        (ulong[] keys, T?[] values) = (_keys, _values);
        _keys = new ulong[2 * keys.Length];
        _values = new T?[2 * values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            if (values[i] is { } value) { Put(keys.AsSpan(i * words, words), value); }
        }
    }

    private static int Hash(ReadOnlySpan<ulong> key)
    {
        ulong hash = 0x9E3779B97F4A7C15;
        foreach (ulong word in key) { hash = (hash ^ word) * 0xD6E8FEB86659FD93; }
        return (int)(hash >> 33);
    }
}
