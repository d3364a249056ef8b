using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace PolicyStreams.Schemas.Avro;

/// <summary>Reads bytes that a walk has found good as plain values (see <see cref="PlainValues"/>). Recursion is as deep as the walk allowed.</summary>
internal static class AvroPlainReader
{
    public static object? Read(AvroType type, ReadOnlySpan<byte> value)
    {
        int pos = 0;
        return Read(type, value, ref pos);
    }

    public static object? Read(AvroType type, ReadOnlySpan<byte> value, ref int pos)
    {
        if (type.ZeroSize) { return Zero(type); }
        switch (type.Kind)
        {
            case AvroKind.Boolean:
                return value[pos++] != 0;
            case AvroKind.Int or AvroKind.Long:
                return Number(type, AvroBytes.Number(value, ref pos));
            case AvroKind.Float:
                pos += 4;
                return (double)BinaryPrimitives.ReadSingleLittleEndian(value[(pos - 4)..]);
            case AvroKind.Double:
                pos += 8;
                return BinaryPrimitives.ReadDoubleLittleEndian(value[(pos - 8)..]);
            case AvroKind.String:
                return Encoding.UTF8.GetString(Take(value, ref pos, AvroBytes.Number(value, ref pos)));
            case AvroKind.Bytes:
                return Binary(type, Take(value, ref pos, AvroBytes.Number(value, ref pos)));
            case AvroKind.Fixed:
                return Binary(type, Take(value, ref pos, type.Size));
            case AvroKind.Enum:
                return type.Symbols[(int)AvroBytes.Number(value, ref pos)];
            case AvroKind.Record:
                {
                    object?[] fields = new object?[type.Fields.Length];
                    for (int i = 0; i < fields.Length; i++) { fields[i] = Read(type.Fields[i].Type, value, ref pos); }
                    return new RecordValue(type.View, fields);
                }
            case AvroKind.Array:
                {
                    var items = new List<object?>();
                    for (long count = Block(value, ref pos); count > 0; count = Block(value, ref pos))
                    {
                        for (long i = 0; i < count; i++) { items.Add(Read(type.Element, value, ref pos)); }
                    }

                    return items;
                }
            case AvroKind.Map:
                {
                    var entries = new MapValue();
                    for (long count = Block(value, ref pos); count > 0; count = Block(value, ref pos))
                    {
                        for (long i = 0; i < count; i++)
                        {
                            string key = Encoding.UTF8.GetString(Take(value, ref pos, AvroBytes.Number(value, ref pos)));
                            entries.Add(key, Read(type.Element, value, ref pos));
                        }
                    }

                    return entries;
                }
            default:
                {
                    AvroType branch = type.Branches[(int)AvroBytes.Number(value, ref pos)];
                    object? inner = Read(branch, value, ref pos);
                    return branch.Kind == AvroKind.Null || type.Single is not null ? inner : new UnionValue(branch.Name, inner);
                }
        }
    }

    /// <summary>Number of items in the next block; 0 at the end.</summary>
    public static long Block(ReadOnlySpan<byte> value, ref int pos)
    {
        long count = AvroBytes.Number(value, ref pos);
        if (count >= 0) { return count; }
        AvroBytes.Number(value, ref pos);
        return -count;
    }

    public static ReadOnlySpan<byte> Take(ReadOnlySpan<byte> value, ref int pos, long length)
    {
        ReadOnlySpan<byte> taken = value.Slice(pos, (int)length);
        pos += (int)length;
        return taken;
    }

    public static string Uuid(ReadOnlySpan<byte> bytes) => new Guid(bytes, bigEndian: true).ToString();

    private static object Number(AvroType type, long value)
    {
        if (type.Logical == AvroLogical.None) { return value; }
        (long seconds, int nanos) = AvroTime.Split(type.Logical, value);
        return AvroTypeView.KindOf(type) == ValueKind.Timestamp ? new Timestamp(seconds, nanos) : new Duration(seconds, nanos);
    }

    private static object Binary(AvroType type, ReadOnlySpan<byte> bytes) => type.Logical switch
    {
        AvroLogical.Decimal => new DecimalValue(new BigInteger(bytes, isBigEndian: true), type.Scale),
        AvroLogical.Uuid => Uuid(bytes),
        AvroLogical.Duration => new MapValue
        {
            ["months"] = (long)BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            ["days"] = (long)BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
            ["millis"] = (long)BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]),
        },
        _ => bytes.ToArray(),
    };

    private static object? Zero(AvroType type)
    {
        if (type.Kind == AvroKind.Null) { return null; }
        if (type.ZeroPlain is { } known) { return known; }
        object made = type.Kind == AvroKind.Fixed ? System.Array.Empty<byte>()
            : new RecordValue(type.View, [.. type.Fields.Select(field => Zero(field.Type))]);
        return type.ZeroPlain = made;
    }
}
