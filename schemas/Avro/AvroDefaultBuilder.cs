using System.Text;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Avro;

/// <summary>Turns the default of a field that a writer lacks into what the walk would have captured.</summary>
internal sealed class AvroDefaultBuilder(ByteBuffer constants, List<object?> objects)
{
    public void Fill(AvroDefault filled, CaptureNode node, object? plain)
    {
        switch (node.Mode)
        {
            case CaptureMode.Raw:
                filled.Slots.Add((node.Slot, Object(plain)));
                break;
            case CaptureMode.Scalar:
                filled.Slots.Add((node.Slot, Scalar(plain)));
                break;
            case CaptureMode.Elements:
                Elements(filled, node, plain);
                break;
        }

        object? inner = plain is UnionValue union ? union.Value : plain;
        foreach ((string name, CaptureNode child) in node.Children)
        {
            if (inner is RecordValue record)
            {
                int index = IndexOf(record.Type, name);
                if (index >= 0) { Fill(filled, child, record.Values[index]); }
            }
            else if (inner is MapValue map && map.TryGetValue(name, out object? entry))
            {
                Fill(filled, child, entry);
            }
        }
    }

    private void Elements(AvroDefault filled, CaptureNode node, object? plain)
    {
        switch (plain is UnionValue union ? union.Value : plain)
        {
            case List<object?> { Count: > 0 } list when node.Row is { SlotCount: > 0 } row:
                var rows = new AvroDefault[list.Count];
                for (int i = 0; i < rows.Length; i++)
                {
                    rows[i] = new AvroDefault();
                    Fill(rows[i], row.Node, list[i]);
                }

                filled.Lists.Add((node.Slot, row.SlotCount, rows));
                break;
            case List<object?> list:
                filled.Slots.Add((node.Slot, new Slot { Kind = ValueKind.List, Aux = list.Count }));
                break;
            case MapValue map:
                filled.Slots.Add((node.Slot, new Slot { Kind = ValueKind.Map, Aux = map.Count }));
                break;
            default:
                filled.Slots.Add((node.Slot, Scalar(plain)));
                break;
        }
    }

    private Slot Scalar(object? plain) => plain switch
    {
        null => new Slot { Kind = ValueKind.Null },
        bool value => new Slot { Kind = ValueKind.Bool, Bits = value ? 1 : 0 },
        long value => new Slot { Kind = ValueKind.Int, Bits = value },
        ulong value => new Slot { Kind = ValueKind.UInt, Bits = (long)value },
        double value => new Slot { Kind = ValueKind.Double, Bits = BitConverter.DoubleToInt64Bits(value) },
        string value => Bytes(ValueKind.String, Encoding.UTF8.GetBytes(value)),
        byte[] value => Bytes(ValueKind.Bytes, value),
        Timestamp value => new Slot { Kind = ValueKind.Timestamp, Bits = value.Seconds, Aux = value.Nanos },
        Duration value => new Slot { Kind = ValueKind.Duration, Bits = value.Seconds, Aux = value.Nanos },
        DecimalValue value => Bytes(ValueKind.Decimal, value.Unscaled.ToByteArray(isBigEndian: true)),
        RecordValue => new Slot { Kind = ValueKind.Record },
        UnionValue union when union.Value is not (RecordValue or MapValue or List<object?>) => Scalar(union.Value),
        _ => Object(plain),
    };

    private Slot Bytes(ValueKind kind, byte[] bytes)
    {
        int start = constants.Length;
        constants.Append(bytes);
        return new Slot { Kind = kind, Bits = start, Aux = bytes.Length, Source = SlotSource.Constant };
    }

    /// <summary>A default that is read whole: Bits is its number among the program's objects, and the node is none of the schema's.</summary>
    private Slot Object(object? plain)
    {
        if (plain is null) { return new Slot { Kind = ValueKind.Null }; }
        objects.Add(plain);
        return new Slot { Kind = KindOf(plain), Bits = objects.Count - 1, Source = SlotSource.Constant, Node = AvroProgram.ObjectNode };
    }

    private static ValueKind KindOf(object? plain) => plain switch
    {
        null => ValueKind.Null,
        bool => ValueKind.Bool,
        long => ValueKind.Int,
        ulong => ValueKind.UInt,
        double => ValueKind.Double,
        string => ValueKind.String,
        byte[] => ValueKind.Bytes,
        Timestamp => ValueKind.Timestamp,
        Duration => ValueKind.Duration,
        DecimalValue => ValueKind.Decimal,
        RecordValue => ValueKind.Record,
        List<object?> => ValueKind.List,
        MapValue => ValueKind.Map,
        UnionValue union => KindOf(union.Value),
        _ => ValueKind.Dyn,
    };

    private static int IndexOf(SchemaType type, string name)
    {
        for (int i = 0; i < type.Fields.Count; i++)
        {
            if (type.Fields[i].Name == name) { return i; }
        }

        return -1;
    }
}
