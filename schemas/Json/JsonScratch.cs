using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Json;

/// <summary>A property name of an object that the walk is in.</summary>
internal struct JsonName
{
    public uint Hash;
    public int Start;
    public int Length;

    /// <summary>True where the name had escapes: its plain form is in the frame's scratch.</summary>
    public bool InScratch;
}

/// <summary>Names of the objects that a walk is inside of, as a stack: an object's names lie behind those of the objects around it. Part of a frame.</summary>
internal sealed class JsonScratch
{
    public JsonName[] Names = new JsonName[64];
    public int NamesUsed;

    /// <summary>Hash tables over the names of large objects, stacked likewise: 1-based index from the object's first name, 0 where free.</summary>
    public int[] Table = [];
    public int TableUsed;

    public ByteBuffer Replacement { get; } = new(256);
}
