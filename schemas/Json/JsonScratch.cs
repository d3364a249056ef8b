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

/// <summary>A value of a record that was walked: where it is, and what of it a schema looks at.</summary>
internal struct JsonToken
{
    public ValueKind Kind;

    /// <summary>Of a number: neither point nor exponent.</summary>
    public bool Plain;

    /// <summary>True where a string's plain form is in the frame's scratch.</summary>
    public bool TextInScratch;
    public bool NameInScratch;

    public int Start;
    public int End;

    /// <summary>Of a string: its plain form. Of a list or object: nothing, and how many values are in it.</summary>
    public int Text;
    public int Length;

    /// <summary>The token behind this value and all that is in it.</summary>
    public int Next;

    /// <summary>Of a property: its plain name.</summary>
    public uint NameHash;
    public int Name;
    public int NameLength;
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

    /// <summary>Every value of the record in the order of their beginnings; filled where a schema is validated.</summary>
    public JsonToken[] Tokens = [];
    public int TokenCount;

    /// <summary>What validation by a schema needs beside; null until the first.</summary>
    public JsonSchema.ValidatorScratch? Validator;

    /// <summary>Set while a record is rewritten: the schema has to judge what was written.</summary>
    public bool JudgeAgain;

    /// <summary>For judging what was written; null until the first time.</summary>
    public CaptureFrame? Again;
}
