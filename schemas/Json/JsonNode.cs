using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Json;

/// <summary>What a program wants of the values at one path: where the plan's paths and captures meet.</summary>
internal sealed class JsonNode
{
    private JsonName[] _names = [];
    private byte[][] _spelled = [];
    private JsonNode[] _children = [];
    private int[] _table = [0];

    public ushort Id { get; init; }

    /// <summary>Slot in the row; -1 for none.</summary>
    public int Slot { get; init; } = -1;

    public CaptureMode Mode { get; init; }

    /// <summary>Selectors that select the value itself, ascending.</summary>
    public ushort[] Selectors { get; init; } = [];

    /// <summary>True where a list's elements have rows.</summary>
    public bool HasRows { get; init; }

    /// <summary>Slots of a row.</summary>
    public int RowSlots { get; init; }

    /// <summary>True where a row holds lists with rows of their own: the count of this list's rows must be known before the first is walked, so that they lie together.</summary>
    public bool RowsNest { get; init; }

    /// <summary>Of each list element; null where nothing is wanted.</summary>
    public JsonNode? Element { get; set; }

    /// <summary>What a schema makes of the node beyond its path; null without a schema.</summary>
    public JsonSchema.TypedNode? Typed { get; set; }

    public void SetChildren(IReadOnlyList<(byte[] Name, JsonNode Node)> children)
    {
        int size = 2;
        while (size < 2 * children.Count) { size *= 2; }
        _names = new JsonName[children.Count];
        _spelled = new byte[children.Count][];
        _children = new JsonNode[children.Count];
        _table = new int[size];
        for (int i = 0; i < children.Count; i++)
        {
            (_spelled[i], _children[i]) = children[i];
            _names[i].Hash = JsonHash.Of(_spelled[i]);
            int at = (int)_names[i].Hash & (size - 1);
            while (_table[at] != 0) { at = (at + 1) & (size - 1); }
            _table[at] = i + 1;
        }
    }

    /// <summary>The node of a property, by its plain name; null where nothing is wanted of it.</summary>
    public JsonNode? Property(uint hash, ReadOnlySpan<byte> name)
    {
        int[] table = _table;
        for (int at = (int)hash & (table.Length - 1); table[at] != 0; at = (at + 1) & (table.Length - 1))
        {
            int index = table[at] - 1;
            if (_names[index].Hash == hash && name.SequenceEqual(_spelled[index])) { return _children[index]; }
        }

        return Typed?.OtherProperty(name);
    }
}
