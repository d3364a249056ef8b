using System.Text;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Protobuf;

/// <summary>What <c>redact</c> writes where a value cannot just be left out: elements of repeated fields, and required fields.</summary>
internal static class ProtoRedaction
{
    private const int BytesMax = 1 << 20;
    private const int DepthMax = 64;

    /// <summary>The encoding of a message that has only what it requires; null where that has no end.</summary>
    public static byte[]? Of(ProtoMessage message)
    {
        if (!message.EmptyKnown)
        {
            var output = new ByteBuffer(64);
            message.Empty = Write(message, output, 0) ? output.Written.ToArray() : null;
            message.EmptyKnown = true;
        }

        return message.Empty;
    }

    /// <summary>Appends the empty value of a field behind its tag; false where it has none.</summary>
    /// <param name="element">True for an element: its zero is the type's, not the field's default.</param>
    public static bool TryWrite(ByteBuffer output, ProtoField field, bool element) => Value(field, output, 0, element);

    private static bool Write(ProtoMessage message, ByteBuffer output, int depth)
    {
        if (depth > DepthMax || output.Length > BytesMax) { return false; }
        foreach (ProtoField field in message.ByNumber)
        {
            if (!field.Required) { continue; }
            ProtoBytes.WriteTag(output, field.Number, field.Wire);
            if (!Value(field, output, depth + 1, element: false)) { return false; }
        }

        return true;
    }

    private static bool Value(ProtoField field, ByteBuffer output, int depth, bool element)
    {
        object? value = element ? null : field.Default;
        switch (field.Type)
        {
            case ProtoType.Double:
                ProtoBytes.WriteFixed64(output, BitConverter.DoubleToUInt64Bits(value as double? ?? 0));
                return true;
            case ProtoType.Float:
                ProtoBytes.WriteFixed32(output, BitConverter.SingleToUInt32Bits((float)(value as double? ?? 0)));
                return true;
            case ProtoType.Bool:
                output.Append(value is true ? (byte)1 : (byte)0);
                return true;
            case ProtoType.String:
                ProtoBytes.WriteBytes(output, Encoding.UTF8.GetBytes(value as string ?? ""));
                return true;
            case ProtoType.Bytes:
                ProtoBytes.WriteBytes(output, value as byte[] ?? []);
                return true;
            case ProtoType.Enum:
                ProtoBytes.WriteNumber(output, field.Type, field.Enum!.NumberOf(value as string ?? ProtoTypeView.ZeroSymbol(field.Enum)) ?? 0);
                return true;
            case ProtoType.Message:
                {
                    int start = output.Length;
                    if (field.Message!.WellKnown == ProtoWellKnown.None && !Write(field.Message, output, depth + 1)) { return false; }
                    ProtoBytes.WriteLengthBefore(output, start);
                    return true;
                }
            case ProtoType.Group:
                if (!Write(field.Message!, output, depth + 1)) { return false; }
                ProtoBytes.WriteTag(output, field.Number, ProtoWire.EndGroup);
                return true;
            default:
                ProtoBytes.WriteNumber(output, field.Type, value is ulong unsigned ? (long)unsigned : value as long? ?? 0);
                return true;
        }
    }
}
