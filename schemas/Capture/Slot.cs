using System.Runtime.CompilerServices;

namespace PolicyStreams.Schemas.Capture;

/// <summary>
/// One captured value, 16 bytes. What <see cref="Bits"/> and <see cref="Aux"/> mean goes by <see cref="Kind"/>:
/// Bool 0 or 1; Int the value; UInt the bits; Double its IEEE bits; Timestamp and Duration seconds with nanos in Aux;
/// String, Bytes, and Decimal the offset in Bits and the length in bytes in Aux (see <see cref="CaptureFrame.Bytes"/>; a Decimal's scale is static, in its type);
/// List the index of the first row's first slot in Bits and the number of rows in Aux (row i starts at Bits + i × stride);
/// Record, Map, CalendarDuration, Dyn (and anything captured <see cref="CaptureMode.Raw"/>): offset and length of its encoding in the record, to be read by <see cref="RecordProgram.Materialize"/>.
/// </summary>
public struct Slot
{
    public long Bits;
    public int Aux;
    public ValueKind Kind;
    /// <summary>Where String, Bytes, and Decimal bytes are.</summary>
    public SlotSource Source;
    /// <summary>For raw captures: which node of the program reads it. The program's own.</summary>
    public ushort Node;

    public readonly double Double
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => BitConverter.Int64BitsToDouble(Bits);
    }
}

/// <summary>Where a slot's bytes lie.</summary>
public enum SlotSource : byte
{
    /// <summary>In the record's value.</summary>
    Record = 0,
    /// <summary>In the program's constants: enum symbols, defaults of missing fields.</summary>
    Constant,
    /// <summary>In the frame's scratch: unescaped JSON text.</summary>
    Scratch,
}
