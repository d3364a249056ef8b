using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Protobuf;

/// <summary>Where a value stands: what a rewrite may do with it.</summary>
internal enum ProtoPlace : byte
{
    /// <summary>The whole record.</summary>
    Root,
    Singular,
    Element,
    MapValue,
    /// <summary>A repeated field or map as a whole: one occurrence of it is not all of it.</summary>
    Whole,
}

/// <summary>What a program wants of the values at one path.</summary>
internal sealed class ProtoNode
{
    public ushort Id { get; set; }

    public required ProtoField Field { get; init; }

    public required string Path { get; init; }

    public ProtoPlace Place { get; init; }

    /// <summary>Selectors that select the value itself, ascending.</summary>
    public ushort[] Selectors { get; init; } = [];

    /// <summary>Slot in the row; -1 for none.</summary>
    public int Slot { get; init; } = -1;

    public CaptureMode Mode { get; init; }

    /// <summary>What is inside a message; null for scalars, and for messages that rules see as scalars.</summary>
    public ProtoTable? Table { get; set; }

    /// <summary>True where the length around the value may change: masks select something inside.</summary>
    public bool Marks { get; set; }

    public SchemaType View { get; init; } = null!;
}

/// <summary>A field of a message, as a walk meets it.</summary>
internal sealed class ProtoEntry
{
    public required ProtoField Field { get; init; }

    public int Number { get; init; }

    public int Wire { get; init; }

    /// <summary>Bit that says the field was met; of maps a second one behind it says that it was met again.</summary>
    public int SeenBit { get; init; } = -1;

    /// <summary>Bit that says some member of the field's oneof was met; -1 for none.</summary>
    public int OneofBit { get; init; } = -1;

    /// <summary>The singular value, or each element or map value.</summary>
    public required ProtoNode Value { get; init; }

    /// <summary>Of repeated fields and maps: the field as a whole, where something is wanted of it.</summary>
    public ProtoNode? Whole { get; init; }

    /// <summary>Slots of an element's row; 0 where elements share the row outside, or have none.</summary>
    public int RowSlots { get; init; }

    /// <summary>Values of map keys that the policy names.</summary>
    public (byte[] Key, ProtoNode Node)[] Keys { get; init; } = [];

    /// <summary>True where a map's entries may change in length.</summary>
    public bool Marks { get; set; }
}

/// <summary>A message, as a walk meets it at one path.</summary>
internal sealed class ProtoTable(ProtoMessage message)
{
    private const int DirectMax = 128;

    private ProtoEntry?[] _direct = [];
    private ProtoEntry[] _sorted = [];

    public ProtoMessage Message { get; } = message;

    public int SeenWords { get; set; } = 1;

    /// <summary>Bits of required fields.</summary>
    public int[] Required { get; set; } = [];

    /// <summary>Slots that are filled at the message's end, where the field with the bit was not met (-1: where nothing else filled them).</summary>
    public (int SeenBit, int Slot, Slot Value)[] Fills { get; set; } = [];

    /// <summary>Slots of repeated fields and maps that are read from the whole message later.</summary>
    public (int Slot, ushort Node, ValueKind Kind)[] Spans { get; set; } = [];

    public ProtoEntry[] Maps { get; private set; } = [];

    public void SetEntries(List<ProtoEntry> entries)
    {
        entries.Sort(static (a, b) => a.Number.CompareTo(b.Number));
        _sorted = [.. entries];
        Maps = [.. entries.Where(entry => entry.Field.IsMap)];
        int most = entries.Count == 0 ? 0 : Math.Min(entries[^1].Number, DirectMax);
        _direct = new ProtoEntry?[most + 1];
        foreach (ProtoEntry entry in entries)
        {
            if (entry.Number <= most) { _direct[entry.Number] = entry; }
        }
    }

    public ProtoEntry? Find(int number)
    {
        if ((uint)number < (uint)_direct.Length) { return _direct[number]; }
        int low = 0, high = _sorted.Length - 1;
        while (low <= high)
        {
            int at = (low + high) >> 1;
            int there = _sorted[at].Number;
            if (there == number) { return _sorted[at]; }
            if (there < number) { low = at + 1; }
            else { high = at - 1; }
        }

        return null;
    }
}
