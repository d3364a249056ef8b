using System.Buffers.Binary;
using System.Text;

namespace PolicyStreams.Rules.Tests.Protobuf;

/// <summary>Writes Protobuf bytes by hand, good and bad ones: knows nothing of schemas, and nothing of the code under test.</summary>
internal sealed class Wire
{
    private readonly List<byte> _bytes = [];

    public static byte[] Framed(int id, Wire payload, params byte[] indexes)
    {
        byte[] prefix = new byte[5];
        BinaryPrimitives.WriteInt32BigEndian(prefix.AsSpan(1), id);
        return [.. prefix, .. indexes.Length == 0 ? [0] : indexes, .. payload.Bytes];
    }

    public byte[] Bytes => [.. _bytes];

    public Wire Raw(params byte[] bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public Wire Number(ulong value)
    {
        for (; value >= 0x80; value >>= 7) { _bytes.Add((byte)(value | 0x80)); }
        _bytes.Add((byte)value);
        return this;
    }

    public Wire Tag(int number, int wire) => Number(((ulong)number << 3) | (uint)wire);

    public Wire Int(int number, long value) => Tag(number, 0).Number((ulong)value);

    public Wire Double(int number, double value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(bytes, value);
        return Tag(number, 1).Raw(bytes);
    }

    public Wire Text(int number, string value) => Data(number, Encoding.UTF8.GetBytes(value));

    public Wire Data(int number, byte[] value) => Tag(number, 2).Number((ulong)value.Length).Raw(value);

    public Wire In(int number, Wire message) => Data(number, message.Bytes);
}
