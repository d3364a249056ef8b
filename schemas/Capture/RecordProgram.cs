namespace PolicyStreams.Schemas.Capture;

/// <summary>
/// A walk compiled once a (writer schema, <see cref="CapturePlan"/>): reads a value's bytes once, checks them to the last one, puts what conditions name into slots
/// and what masks select into sites. Immutable and thread-safe; the frame is not.
/// </summary>
public abstract class RecordProgram
{
    /// <summary>Paths that the plan's selector i selects in this writer schema, spelled as decisions do; empty where it selects nothing here.</summary>
    public abstract IReadOnlyList<string> SelectedPaths(int selector);

    /// <summary>The path of a site's node, spelled as decisions do (<c>items[*].sku</c>): static, from the schema, never from the data.</summary>
    public abstract string SitePath(in MaskSite site);

    /// <summary>The static type of a site's node.</summary>
    public abstract SchemaType SiteType(in MaskSite site);

    /// <summary>Walks one value (framing already taken off).</summary>
    /// <returns>Anything but <see cref="DecodeOutcome.Decoded"/> leaves the frame unusable. Never throws, whatever the bytes; allocates nothing once the frame has grown.</returns>
    public abstract DecodeOutcome Walk(ReadOnlySpan<byte> value, CaptureFrame frame);

    /// <summary>Writes the value with some sites replaced, every other byte kept (Avro block sizes and Protobuf lengths around a replaced site are set anew). Valid under the writer's schema.</summary>
    /// <param name="value">The bytes that <paramref name="frame"/> was walked from.</param>
    /// <param name="masker">Asked once for each site that no replaced site encloses, in order; sites of one value are asked together, as a run.</param>
    /// <param name="output">Appended to. Left with partial bytes where the outcome is not <see cref="RewriteOutcome.Written"/>: the caller truncates.</param>
    public abstract RewriteOutcome Rewrite(ReadOnlySpan<byte> value, CaptureFrame frame, ISiteMasker masker, ByteBuffer output);

    /// <summary>Reads a raw slot as a plain value (see <see cref="PlainValues"/>). Allocates; for what is not on the fast path.</summary>
    public abstract object? Materialize(in Slot slot, ReadOnlySpan<byte> value, CaptureFrame frame);
}

/// <summary>What a rewrite came to.</summary>
public enum RewriteOutcome : byte
{
    Written,
    /// <summary>The masker said <see cref="SiteAction.Fail"/>, or the value cannot hold what it said.</summary>
    MaskFailed,
    /// <summary>The record's schema refuses what was written.</summary>
    NotOfSchema,
}

/// <summary>What a mask does with one selected value.</summary>
public enum SiteAction : byte
{
    /// <summary>Leave the bytes as they are.</summary>
    Keep,
    /// <summary>Replace by the text the masker appended (UTF-8; for bytes and fixed: those bytes; a fixed of another size fails). An enum takes only a symbol of its own.</summary>
    Text,
    /// <summary>DESIGN's <c>redact</c>: null where it may be null, else the type's empty value, field by field in a record.</summary>
    Redact,
    /// <summary>Replace a number by <see cref="SiteResult.Bits"/> (int: range-checked; double: IEEE bits; timestamps, dates, times: in the field's own unit).</summary>
    Number,
    /// <summary>Remove the JSON property, map entry, or element; fails elsewhere.</summary>
    Remove,
    /// <summary>The mask cannot be applied: the record is denied.</summary>
    Fail,
}

/// <summary>A masker's answer.</summary>
public readonly record struct SiteResult(SiteAction Action, long Bits = 0);

/// <summary>Decides what happens to selected values during a rewrite. Implemented by masks (in `rules`).</summary>
public interface ISiteMasker
{
    /// <summary>Says what to do with one value.</summary>
    /// <param name="sites">All sites of this value: same Start and End, one a selector, in the order of selectors.</param>
    /// <param name="text">The content (see <see cref="MaskSite.TextStart"/>): UTF-8 text or bytes, unescaped; for other kinds the encoding.</param>
    /// <param name="replacement">Append the new text here where the answer is <see cref="SiteAction.Text"/>; with any other answer what was appended is forgotten. What stands in it before is not the masker's.</param>
    SiteResult Mask(ReadOnlySpan<MaskSite> sites, ReadOnlySpan<byte> text, ByteBuffer replacement);
}
