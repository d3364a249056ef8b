using System.Runtime.CompilerServices;

namespace PolicyStreams.Schemas.Capture;

/// <summary>
/// Scratch of one stream thread, reused record after record: slots, mask sites, unescaped text. It points into the record, so it is valid only while the record's bytes are.
/// Not thread-safe. Grows to what records need, within <see cref="WalkLimits"/>.
/// </summary>
public sealed class CaptureFrame
{
    /// <summary>Root row first, rows of lists after it.</summary>
    public Slot[] Slots = new Slot[64];
    public int SlotsUsed;

    /// <summary>Selected values in the order of their offsets; an enclosing one comes before those inside it.</summary>
    public MaskSite[] Sites = new MaskSite[16];
    public int SiteCount;

    /// <summary>Unescaped text that slots with <see cref="SlotSource.Scratch"/> point into.</summary>
    public byte[] Scratch = new byte[256];
    public int ScratchUsed;

    /// <summary>The program's constants that slots with <see cref="SlotSource.Constant"/> point into. Set by the walk.</summary>
    public byte[] Constants = [];

    /// <summary>What JSON's walk needs beside; null until the first one.</summary>
    internal Json.JsonScratch? Json;

    /// <summary>Clears what the last record left and makes the root row of <paramref name="rootSlots"/> absent slots.</summary>
    public void Begin(int rootSlots, byte[] constants)
    {
        if (Slots.Length < rootSlots) { Slots = new Slot[Math.Max(rootSlots, 2 * Slots.Length)]; }
        Array.Clear(Slots, 0, rootSlots);
        SlotsUsed = rootSlots;
        SiteCount = 0;
        ScratchUsed = 0;
        MustRewrite = false;
        Constants = constants;
    }

    /// <summary>The bytes of a String, Bytes, or Decimal slot.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ReadOnlySpan<byte> Bytes(in Slot slot, ReadOnlySpan<byte> record) =>
        slot.Source == SlotSource.Record ? record.Slice((int)slot.Bits, slot.Aux)
        : slot.Source == SlotSource.Constant ? Constants.AsSpan((int)slot.Bits, slot.Aux)
        : Scratch.AsSpan((int)slot.Bits, slot.Aux);

    /// <summary>What Avro's walk keeps beside all this; made by its first walk.</summary>
    internal Avro.AvroScratch? AvroScratch;

    /// <summary>The same of Protobuf's.</summary>
    internal Protobuf.ProtoScratch? ProtoScratch;

    /// <summary>True where the walked value holds something that must not go out, mask or none: unknown fields that are dropped. The value is then rewritten.</summary>
    public bool MustRewrite;
}

/// <summary>
/// One value of the record that a mask's selector selects. Offsets are into the value as handed to the walk.
/// The same value may be selected by several selectors: one site each, next to each other, in the order of selectors.
/// </summary>
public struct MaskSite
{
    /// <summary>Start of the encoding that a rewrite may replace, a nullable union's index (Avro) included.</summary>
    public int Start;
    /// <summary>End of the encoding, exclusive.</summary>
    public int End;
    /// <summary>Start and length of the content: the UTF-8 text of a string or enum symbol (in <see cref="TextSource"/>), the bytes of bytes or fixed. For other kinds the encoding itself.</summary>
    public int TextStart;
    public int TextLength;
    public SlotSource TextSource;
    public ValueKind Kind;
    /// <summary>Index into <see cref="CapturePlan.Selectors"/>.</summary>
    public ushort Selector;
    /// <summary>The program's own: which node of the writer schema this is.</summary>
    public ushort Node;
    /// <summary>The value of numbers, timestamps, and durations, as in <see cref="Slot"/>.</summary>
    public long Bits;
    public int Aux;
}

/// <summary>Bounds of one walk: beyond them the record is denied, never truncated.</summary>
public sealed record WalkLimits
{
    /// <summary>Records, lists, maps, and unions inside one another. Default 64.</summary>
    public int DepthMax { get; init; } = 64;

    /// <summary>Slots of one record, list rows included. Default 65,536.</summary>
    public int SlotsMax { get; init; } = 65_536;

    /// <summary>Mask sites of one record. Default 65,536.</summary>
    public int SitesMax { get; init; } = 65_536;

    public static WalkLimits Default { get; } = new();
}
