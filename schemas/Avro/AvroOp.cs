namespace PolicyStreams.Schemas.Avro;

internal enum AvroOpCode : byte
{
    /// <summary>End of a block: back to the caller.</summary>
    End,
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    String,
    /// <summary>Bytes; a decimal's are checked against the precision in Arg where that is above 0.</summary>
    Bytes,
    Enum,
    /// <summary>Fixed of Arg bytes.</summary>
    Fixed,
    FixedDecimal,
    FixedUuid,
    Date,
    TimestampMillis,
    TimestampMicros,
    TimestampNanos,
    TimeMillis,
    TimeMicros,
    /// <summary>Entering a record Arg levels below the block's start.</summary>
    Record,
    /// <summary>A union: Arg is its jump table.</summary>
    Union,
    Jump,
    Array,
    Map,
    /// <summary>Runs the block at Arg, Level levels below this one's start, with the same row.</summary>
    Call,
    /// <summary>Fills slots from the default numbered Arg.</summary>
    Default,
    /// <summary>A value that is selected or kept as bytes starts; Node says which.</summary>
    Begin,
    Finish,
    /// <summary>Nested deeper than the limit allows, whatever the bytes.</summary>
    TooDeep,
}

/// <summary>One step of a walk, 16 bytes.</summary>
internal struct AvroOp
{
    public AvroOpCode Code;

    /// <summary>0, or 1 + the index of the null branch of the nullable union that is read first; on null the walk goes on at <see cref="Next"/>.</summary>
    public byte Null;

    /// <summary>A program's node, of <see cref="AvroOpCode.Begin"/> and <see cref="AvroOpCode.Finish"/>; of a decimal, the node that knows its scale; the level of a <see cref="AvroOpCode.Call"/>.</summary>
    public ushort Node;

    /// <summary>Slot in the row, or -1.</summary>
    public int Slot;
    public int Arg;
    public int Next;
}

/// <summary>An array or map inside a program.</summary>
internal sealed class AvroLoop
{
    /// <summary>Block of an element or of a map's value.</summary>
    public int Body;

    /// <summary>Levels below the start of the block that the loop is in.</summary>
    public int Level;

    /// <summary>Slots of an element's row; 0 where elements share the row outside.</summary>
    public int Stride;

    public int ItemBytesMin;

    /// <summary>True where sites may be inside: then blocks are noted for the rewrite.</summary>
    public bool Sites;

    /// <summary>Map keys with a block of their own.</summary>
    public (byte[] Key, int Body)[] Keys = [];
}

/// <summary>A value of the writer schema, at one path, that a mask selects or a condition reads as bytes.</summary>
internal sealed class AvroNode
{
    public required AvroType Type
    {
        get;
        init
        {
            field = value;
            TextIndexBytes = value.Kind == AvroKind.String ? 0 : value is { Kind: AvroKind.Union, Single.Kind: AvroKind.String } ? 1 : -1;
        }
    }

    /// <summary>Bytes before the length of a text: none, or one of the index where the text may be null. -1 for any other type.</summary>
    public int TextIndexBytes { get; private init; }

    public required string Path { get; init; }

    /// <summary>Selectors that select it, ascending.</summary>
    public ushort[] Selectors { get; init; } = [];

    public bool ListElement { get; init; }

    public bool MapEntry { get; init; }

    /// <summary>Slot for the encoding, or -1.</summary>
    public int RawSlot { get; init; } = -1;

    /// <summary>True where the slot takes the encoding only of what is no scalar at run time.</summary>
    public bool RawUnlessScalar { get; init; }

    /// <summary>True for the node of a decimal's slot: there for its scale, its slot points to the digits and not to an encoding.</summary>
    public bool ScaleOnly { get; init; }
}

/// <summary>What a missing field's default puts into slots, and into rows of lists.</summary>
internal sealed class AvroDefault
{
    public List<(int Slot, Capture.Slot Value)> Slots { get; } = [];

    public List<(int Slot, int Stride, AvroDefault[] Rows)> Lists { get; } = [];
}
