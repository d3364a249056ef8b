using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Avro;

/// <summary>What <c>redact</c> writes for a type: null where it may be null, else zero, epoch, nil uuid, empty or zero-filled bytes, the enum's default, an empty list or map, a record of these.</summary>
internal static class AvroRedaction
{
    /// <summary>Largest redacted value: records of records could else unfold without bound.</summary>
    private const int BytesMax = 1 << 20;
    private const int StepsMax = 1_000_000;

    private static readonly byte[] NilUuid = "00000000-0000-0000-0000-000000000000"u8.ToArray();

    /// <summary>The encoding, or null where the type has no empty value (an enum without default, an empty union) or none of reasonable size.</summary>
    public static byte[]? Of(AvroType type)
    {
        if (!type.RedactedKnown)
        {
            var output = new ByteBuffer(64);
            int steps = StepsMax;
            type.Redacted = Write(type, output, 0, ref steps) ? output.Written.ToArray() : null;
            type.RedactedKnown = true;
        }

        return type.Redacted;
    }

    private static bool Write(AvroType type, ByteBuffer output, int depth, ref int steps)
    {
        if (type.ZeroSize) { return true; }
        if (output.Length > BytesMax || depth > 64 || --steps < 0) { return false; }
        switch (type.Kind)
        {
            case AvroKind.Boolean or AvroKind.Int or AvroKind.Long or AvroKind.Bytes when type.Logical != AvroLogical.Decimal:
            case AvroKind.Array or AvroKind.Map:
                output.Append(0);
                return true;
            case AvroKind.Bytes:
                AvroBytes.WriteBytes(output, [0]);
                return true;
            case AvroKind.String:
                AvroBytes.WriteBytes(output, type.Logical == AvroLogical.Uuid ? NilUuid : []);
                return true;
            case AvroKind.Float:
                AvroBytes.WriteFloat(output, 0);
                return true;
            case AvroKind.Double:
                AvroBytes.WriteDouble(output, 0);
                return true;
            case AvroKind.Fixed:
                if (type.Size > BytesMax) { return false; }
                output.GetSpan(type.Size)[..type.Size].Clear();
                output.Advance(type.Size);
                return true;
            case AvroKind.Enum:
                if (type.EnumDefault < 0) { return false; }
                AvroBytes.WriteLong(output, type.EnumDefault);
                return true;
            case AvroKind.Record:
                foreach (AvroField field in type.Fields)
                {
                    if (!Write(field.Type, output, depth + 1, ref steps)) { return false; }
                }

                return true;
            case AvroKind.Union:
                {
                    if (type.NullBranch >= 0)
                    {
                        AvroBytes.WriteLong(output, type.NullBranch);
                        return true;
                    }

                    int start = output.Length;
                    for (int i = 0; i < type.Branches.Length; i++)
                    {
                        AvroBytes.WriteLong(output, i);
                        if (Write(type.Branches[i], output, depth + 1, ref steps)) { return true; }
                        output.Truncate(start);
                    }

                    return false;
                }
            default:
                return true;
        }
    }
}
