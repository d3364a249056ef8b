namespace PolicyStreams.Rules;

/// <summary>One ingress record as the PDP sees it. Points into buffers of the caller: valid for one call.</summary>
public ref struct RecordInput
{
    /// <summary>Ingress topic.</summary>
    public string Topic;
    public int Partition;
    public long Offset;

    /// <summary>Milliseconds since the Unix epoch, as the broker gave it.</summary>
    public long TimestampMs;

    /// <summary>False for a null key; then <see cref="Key"/> is empty.</summary>
    public bool HasKey;
    public ReadOnlySpan<byte> Key;

    /// <summary>False for a null value (a tombstone); then <see cref="Value"/> is empty.</summary>
    public bool HasValue;

    /// <summary>The value as consumed, framing included.</summary>
    public ReadOnlySpan<byte> Value;

    public RecordHeaders Headers;

    /// <summary>Who produced it, as Identify found; <see cref="Principal.None"/> for identity <c>none</c>.</summary>
    public Principal Principal;
}

/// <summary>Who produced a record.</summary>
/// <param name="Id">The principal's id; empty for none.</param>
/// <param name="Groups">Group names, in the order the identity gave them.</param>
/// <param name="Via">The binding's identity kind: <c>topic</c>, <c>jws</c>, <c>oidc</c>, or <c>none</c>.</param>
/// <param name="OwnGroups">True where the identity itself carried the groups (a token); only then does a decision name them.</param>
public sealed record Principal(string Id, IReadOnlyList<string> Groups, string Via, bool OwnGroups = false)
{
    public static Principal None { get; } = new("", [], "none");
}

/// <summary>Headers of one record, in order, repeats kept. Reused record after record; not thread-safe.</summary>
public sealed class RecordHeaders
{
    private readonly PolicyStreams.Schemas.Capture.ByteBuffer _bytes = new(256);
    private Entry[] _entries = new Entry[8];

    /// <summary>Without a header; never add to it.</summary>
    public static RecordHeaders Empty { get; } = new();

    public int Count { get; private set; }

    /// <summary>Bytes of all names and values.</summary>
    public int Bytes => _bytes.Length;

    public ReadOnlySpan<byte> Name(int index) => _bytes.Slice(_entries[Checked(index)].Start, _entries[index].NameLength);

    /// <summary>The value's bytes; empty for a null value (see <see cref="IsNull"/>).</summary>
    public ReadOnlySpan<byte> Value(int index) =>
        _bytes.Slice(_entries[Checked(index)].Start + _entries[index].NameLength, Math.Max(_entries[index].ValueLength, 0));

    public bool IsNull(int index) => _entries[Checked(index)].ValueLength < 0;

    public void Clear()
    {
        Count = 0;
        _bytes.Clear();
    }

    /// <summary>Adds a header; both spans are copied.</summary>
    public void Add(ReadOnlySpan<byte> nameUtf8, ReadOnlySpan<byte> value, bool isNull = false)
    {
        if (Count == _entries.Length) { Array.Resize(ref _entries, 2 * Count); }
        _entries[Count++] = new Entry(_bytes.Length, nameUtf8.Length, isNull ? -1 : value.Length);
        _bytes.Append(nameUtf8);
        if (!isNull) { _bytes.Append(value); }
    }

    private int Checked(int index) =>
        (uint)index < (uint)Count ? index : throw new ArgumentOutOfRangeException(nameof(index), index, $"There are {Count} headers.");

    private readonly record struct Entry(int Start, int NameLength, int ValueLength);
}
