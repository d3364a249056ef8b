using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace PolicyStreams.Schemas.Protobuf;

/// <summary>Reads bytes that a walk has found good to plain values (see <see cref="PlainValues"/>). Absent fields are null or their default; unknown ones are passed over.</summary>
internal static class ProtoPlainReader
{
    public static RecordValue Message(ProtoMessage message, ReadOnlySpan<byte> content)
    {
        object?[] values = new object?[message.Fields.Count];
        for (int i = 0; i < values.Length; i++)
        {
            ProtoField field = message.Fields[i];
            values[i] = field.IsMap ? new MapValue() : field.Repeated ? new List<object?>() : field.View.Nullable || field.Required ? null : field.Default ?? ProtoTypeView.Zero(field);
        }

        for (int pos = 0; pos < content.Length;)
        {
            int number = ProtoBytes.Field(content, ref pos, out int wire, out int start, out int end);
            if (message.Find(number) is { } field) { values[field.Index] = Add(field, wire, content[start..end], values[field.Index]); }
        }

        return new RecordValue(message.View, values);
    }

    /// <summary>A repeated field or map of a message, by itself.</summary>
    public static object Field(ProtoField field, ReadOnlySpan<byte> content)
    {
        object value = field.IsMap ? new MapValue() : new List<object?>();
        for (int pos = 0; pos < content.Length;)
        {
            if (ProtoBytes.Field(content, ref pos, out int wire, out int start, out int end) == field.Number) { Add(field, wire, content[start..end], value); }
        }

        return value;
    }

    private static object? Add(ProtoField field, int wire, ReadOnlySpan<byte> content, object? before)
    {
        if (field.IsMap)
        {
            object key = ProtoTypeView.Zero(field.MapKey!)!;
            object? value = Empty(field.MapValue!);
            for (int pos = 0; pos < content.Length;)
            {
                int number = ProtoBytes.Field(content, ref pos, out int _, out int start, out int end);
                if (number == 1) { key = Value(field.MapKey!, content[start..end])!; }
                else if (number == 2) { value = Value(field.MapValue!, content[start..end]); }
            }

            ((MapValue)before!)[key] = value;
            return before;
        }

        if (!field.Repeated) { return Value(field, content); }
        var list = (List<object?>)before!;
        if (wire != ProtoWire.Length || !field.Packable)
        {
            list.Add(Value(field, content));
            return before;
        }

        while (!content.IsEmpty)
        {
            int size = 0;
            if (field.Wire == ProtoWire.Fixed32) { size = 4; }
            else if (field.Wire == ProtoWire.Fixed64) { size = 8; }
            else { ProtoBytes.Varint(content, ref size); }
            list.Add(Value(field, content[..size]));
            content = content[size..];
        }

        return before;
    }

    private static object? Empty(ProtoField field) => field.Message is { WellKnown: ProtoWellKnown.None } message ? Message(message, []) : ProtoTypeView.Zero(field);

    private static object? Value(ProtoField field, ReadOnlySpan<byte> content)
    {
        int pos = 0;
        switch (field.Type)
        {
            case ProtoType.Double: return BinaryPrimitives.ReadDoubleLittleEndian(content);
            case ProtoType.Float: return (double)BinaryPrimitives.ReadSingleLittleEndian(content);
            case ProtoType.Fixed32: return (ulong)BinaryPrimitives.ReadUInt32LittleEndian(content);
            case ProtoType.Fixed64: return BinaryPrimitives.ReadUInt64LittleEndian(content);
            case ProtoType.SFixed32: return (long)BinaryPrimitives.ReadInt32LittleEndian(content);
            case ProtoType.SFixed64: return BinaryPrimitives.ReadInt64LittleEndian(content);
            case ProtoType.String: return Encoding.UTF8.GetString(content);
            case ProtoType.Bytes: return content.ToArray();
            case ProtoType.Group: return Message(field.Message!, content);
            case ProtoType.Message: return field.Message!.WellKnown == ProtoWellKnown.None ? Message(field.Message, content) : Known(field.Message, content);
        }

        ulong raw = ProtoBytes.Varint(content, ref pos);
        switch (field.Type)
        {
            case ProtoType.Bool: return raw != 0;
            case ProtoType.UInt32 or ProtoType.UInt64: return raw;
            case ProtoType.SInt32 or ProtoType.SInt64: return ProtoBytes.UnZigZag(raw);
            case ProtoType.Int64: return (long)raw;
            case ProtoType.Enum:
                int number = (int)raw;
                return field.Enum!.IndexOf.TryGetValue(number, out int symbol) ? field.Enum.Symbols[symbol] : number.ToString(CultureInfo.InvariantCulture);
            default: return (long)(int)raw;
        }
    }

    private static object? Known(ProtoMessage message, ReadOnlySpan<byte> content)
    {
        object? value = ProtoTypeView.Zero(message.Fields[0]);
        long nanos = 0;
        for (int pos = 0; pos < content.Length;)
        {
            int number = ProtoBytes.Field(content, ref pos, out int _, out int start, out int end);
            object? read = Value(message.Find(number)!, content[start..end]);
            if (number == 1) { value = read; }
            else { nanos = (long)read!; }
        }

        return message.WellKnown switch
        {
            ProtoWellKnown.Timestamp => new Timestamp((long)value!, (int)nanos),
            ProtoWellKnown.Duration => new Duration((long)value!, (int)nanos),
            _ => value,
        };
    }
}
