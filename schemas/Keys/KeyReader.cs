using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace PolicyStreams.Schemas;

/// <summary>Reads record keys of the formats that a binding's <c>key_format</c> may name, beside <c>bytes</c>. Thread-safe; never throws on bytes. A null key is not read at all.</summary>
public static class KeyReader
{
    /// <summary>A key of format <c>string</c>: any UTF-8, as Kafka's StringSerializer writes it. Allocates nothing.</summary>
    public static DecodeOutcome CheckString(ReadOnlySpan<byte> key) => Utf8.IsValid(key) ? DecodeOutcome.Decoded : DecodeOutcome.BadUtf8;

    /// <summary>A key of format <c>string</c> as text.</summary>
    public static DecodeOutcome ReadString(ReadOnlySpan<byte> key, out string text)
    {
        DecodeOutcome outcome = CheckString(key);
        text = outcome == DecodeOutcome.Decoded ? Encoding.UTF8.GetString(key) : "";
        return outcome;
    }

    /// <summary>A key of format <c>long</c>: 8 bytes, big-endian two's complement, as Kafka's LongSerializer writes it. Allocates nothing.</summary>
    public static DecodeOutcome ReadLong(ReadOnlySpan<byte> key, out long value)
    {
        value = key.Length == sizeof(long) ? BinaryPrimitives.ReadInt64BigEndian(key) : 0;
        return key.Length switch
        {
            < sizeof(long) => DecodeOutcome.Truncated,
            > sizeof(long) => DecodeOutcome.TrailingBytes,
            _ => DecodeOutcome.Decoded,
        };
    }

    /// <summary>Writes a key of format <c>long</c>.</summary>
    public static void WriteLong(long value, Span<byte> key) => BinaryPrimitives.WriteInt64BigEndian(key, value);

    /// <summary>A key of format <c>avro</c> or <c>json</c>, its framing taken off, as a plain value.</summary>
    public static DecodeOutcome Read(RecordSchema schema, ReadOnlySpan<byte> key, out object? plain)
    {
        ArgumentNullException.ThrowIfNull(schema);
        return schema.Decode(key, out plain);
    }
}
