namespace PolicyStreams.Schemas.Capture;

/// <summary>How a node's value is put into its slot.</summary>
public enum CaptureMode : byte
{
    /// <summary>Nothing of the node itself, only of what is below it.</summary>
    None,
    /// <summary>A scalar of the checked type (Bool, Int, UInt, Double, String, Bytes, Decimal, Timestamp, Duration), or Null. For a Record: only whether it is there (Kind Record or Null).</summary>
    Scalar,
    /// <summary>A list: its rows, or with no <see cref="CaptureNode.Row"/> its length only. For a map: the number of entries only. Kind is List (Map for a map).</summary>
    Elements,
    /// <summary>Offset and length of the encoding, read later by <see cref="RecordProgram.Materialize"/>; and its run-time Kind.</summary>
    Raw,
}

/// <summary>
/// What conditions want of the value at one path. Nodes form a tree beside the checked schema's type; a union that is nullable is transparent:
/// the node speaks of the value in it. A slot whose record is null or missing stays <see cref="ValueKind.Absent"/>.
/// </summary>
public sealed class CaptureNode
{
    /// <summary>The checked type here; <see cref="SchemaType.AnyJson"/> below schemaless JSON.</summary>
    public required SchemaType Type { get; init; }

    public CaptureMode Mode { get; set; }

    /// <summary>Slot in the row (see <see cref="CaptureRow"/>) for this node's own value; -1 where <see cref="Mode"/> is None.</summary>
    public int Slot { get; set; } = -1;

    /// <summary>Named fields, JSON properties, or constant map keys (<c>attributes["ssn"]</c>) below this node.</summary>
    public Dictionary<string, CaptureNode> Children { get; } = new(StringComparer.Ordinal);

    /// <summary>What is wanted of each element of a list; null where nothing is.</summary>
    public CaptureRow? Row { get; set; }
}

/// <summary>A row of slots: the root's, or one element's of a list. Rows of one list lie one behind the other, <see cref="SlotCount"/> apart.</summary>
public sealed class CaptureRow
{
    public required CaptureNode Node { get; init; }

    /// <summary>Slots in a row; 1 or greater once anything is captured.</summary>
    public int SlotCount { get; private set; }

    public int Add() => SlotCount++;
}

/// <summary>
/// Everything that a policy wants of a binding's values: what conditions read, and what masks select. Made once a (policy, binding, checked schema);
/// compiled with each writer schema to a <see cref="RecordProgram"/> that fills the same slots.
/// </summary>
public sealed class CapturePlan
{
    /// <summary>The root row: slot numbers of conditions outside comprehensions index <see cref="CaptureFrame.Slots"/> directly.</summary>
    public required CaptureRow Root { get; init; }

    /// <summary>Explicit paths (root Value) and tags that masks select, in document order; a site names its selector by index.</summary>
    public required IReadOnlyList<MaskSelector> Selectors { get; init; }

    /// <summary>Tags by path, the union over all versions of the subject: <c>customer.email</c> → PII. Paths are spelled as <see cref="FieldPath"/> does, list and map steps as <c>[*]</c>.</summary>
    public IReadOnlyDictionary<string, IReadOnlySet<string>> TagsByPath { get; init; } = new Dictionary<string, IReadOnlySet<string>>();

    /// <summary>What becomes of fields that a Protobuf record has and its writer schema has not.</summary>
    public UnknownFields UnknownFields { get; init; }
}

/// <summary>What becomes of Protobuf fields that the writer's schema does not have: nothing says what they hold.</summary>
public enum UnknownFields : byte
{
    /// <summary>The record is denied.</summary>
    Deny,
    /// <summary>They go out as they came, unseen by any rule or mask.</summary>
    Keep,
    /// <summary>They are cut out of what is published.</summary>
    Drop,
}

/// <summary>What one mask rule selects: exactly one of the two is set.</summary>
public sealed record MaskSelector(FieldPath? Path, string? Tag);
