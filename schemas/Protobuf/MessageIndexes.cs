using System.Text;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Protobuf;

/// <summary>
/// How a frame says which message of its schema a record is. Confluent: the indexes of the message and of those around it, zigzag varints with their count in front, a single 0 for the
/// first message. Apicurio: a message with a length in front, whose field 1 is the message's name.
/// </summary>
/// <remarks>
/// Sources: Confluent's serializers (<c>MessageIndexes</c>), Apicurio's (<c>Ref</c>). Of messages inside others, some clients count the entry types that maps declare as well, and some
/// leave out groups: a list that is one message to these and another to those is refused. Thread-safe; allocates nothing; never throws on bytes.
/// </remarks>
public sealed class MessageIndexes
{
    private const int DepthMax = 64;

    private readonly ProtoMessage _message;
    private readonly byte[] _fullName;
    private readonly byte[] _shortName;

    /// <summary>Messages as descriptors count them, and as they are declared.</summary>
    private readonly Place _descriptors;
    private readonly Place _declared;

    internal MessageIndexes(ProtoFile file, ProtoMessage message)
    {
        _message = message;
        _fullName = Encoding.UTF8.GetBytes(message.FullName);
        _shortName = Encoding.UTF8.GetBytes(message.Name);
        _descriptors = new Place(null, [.. file.Messages.Select(one => Tree(one, declared: false))]);
        _declared = new Place(null, [.. file.Messages.Select(one => Tree(one, declared: true))]);
    }

    private sealed record Place(ProtoMessage? Message, Place[] Nested);

    /// <summary>Reads what stands between a frame and its payload.</summary>
    /// <param name="bytes">From behind the schema's id or GUID on.</param>
    /// <param name="length">How many bytes it takes; 0 unless decoded.</param>
    /// <param name="other">True where the record is another message of the schema than this one.</param>
    /// <returns><see cref="DecodeOutcome.Decoded"/>, or <see cref="DecodeOutcome.MessageIndex"/>.</returns>
    public DecodeOutcome Read(Framing framing, ReadOnlySpan<byte> bytes, out int length, out bool other) =>
        framing == Framing.Confluent ? ReadIndexes(bytes, out length, out other) : ReadName(bytes, out length, out other);

    /// <summary>Appends what a record of this message has behind its frame.</summary>
    /// <exception cref="SchemaException">No list of indexes means this message to every client.</exception>
    public void Append(Framing framing, ByteBuffer output)
    {
        ArgumentNullException.ThrowIfNull(output);
        if (framing != Framing.Confluent)
        {
            int start = output.Length;
            ProtoBytes.WriteTag(output, 1, ProtoWire.Length);
            ProtoBytes.WriteBytes(output, _shortName);
            ProtoBytes.WriteLengthBefore(output, start);
            return;
        }

        foreach (Place tree in (Place[])[_descriptors, _declared])
        {
            var path = new List<int>();
            if (!Find(tree, path)) { continue; }
            int start = output.Length;
            if (path is [0]) { output.Append(0); }
            else
            {
                ProtoBytes.WriteVarint(output, ProtoBytes.ZigZag(path.Count));
                foreach (int index in path) { ProtoBytes.WriteVarint(output, ProtoBytes.ZigZag(index)); }
            }

            if (ReadIndexes(output.Written[start..], out int _, out bool other) == DecodeOutcome.Decoded && !other) { return; }
            output.Truncate(start);
        }

        throw new SchemaException($"Clients count the messages around `{_message.FullName}` differently, and no list of indexes means it to all of them: move it to the top of the file.");
    }

    private DecodeOutcome ReadIndexes(ReadOnlySpan<byte> bytes, out int length, out bool other)
    {
        length = 0;
        other = false;
        int pos = 0;
        if (!TryIndex(bytes, ref pos, out int count) || count > DepthMax) { return DecodeOutcome.MessageIndex; }
        Place? one = _descriptors, two = _declared;
        for (int i = 0; i < Math.Max(count, 1); i++)
        {
            int index = 0;
            if (count > 0 && !TryIndex(bytes, ref pos, out index)) { return DecodeOutcome.MessageIndex; }
            one = one is not null && index < one.Nested.Length ? one.Nested[index] : null;
            two = two is not null && index < two.Nested.Length ? two.Nested[index] : null;
        }

        ProtoMessage? named = one?.Message ?? two?.Message;
        if (named is null || (one?.Message is { } first && two?.Message is { } second && first != second) || (one is { Message: null } && two is not null)) { return DecodeOutcome.MessageIndex; }
        length = pos;
        other = named != _message;
        return DecodeOutcome.Decoded;
    }

    /// <summary>A zigzag varint of at most five bytes that is not negative.</summary>
    private static bool TryIndex(ReadOnlySpan<byte> bytes, ref int pos, out int index)
    {
        int start = pos;
        index = 0;
        if (ProtoBytes.ReadVarint(bytes, ref pos, bytes.Length, out ulong raw) != DecodeOutcome.Decoded || pos - start > 5 || raw > uint.MaxValue || (raw & 1) != 0) { return false; }
        index = (int)(raw >> 1);
        return true;
    }

    private DecodeOutcome ReadName(ReadOnlySpan<byte> bytes, out int length, out bool other)
    {
        length = 0;
        other = false;
        int pos = 0;
        if (ProtoBytes.ReadLength(bytes, ref pos, bytes.Length, out int end) != DecodeOutcome.Decoded) { return DecodeOutcome.MessageIndex; }
        ReadOnlySpan<byte> name = default;
        bool named = false;
        while (pos < end)
        {
            if (named || ProtoBytes.ReadTag(bytes, ref pos, end, out int number, out int wire) != DecodeOutcome.Decoded || number != 1 || wire != ProtoWire.Length
                || ProtoBytes.ReadLength(bytes, ref pos, end, out int textEnd) != DecodeOutcome.Decoded) { return DecodeOutcome.MessageIndex; }
            name = bytes[pos..textEnd];
            pos = textEnd;
            named = true;
        }

        // Without a name it is the first message of the schema.
        other = name.IsEmpty ? _descriptors.Nested[0].Message != _message : !name.SequenceEqual(_fullName) && (!name.SequenceEqual(_shortName) || !IsOnly(_descriptors));
        length = end;
        return DecodeOutcome.Decoded;
    }

    /// <summary>True where no other message of the schema has the short name.</summary>
    private bool IsOnly(Place place) => (place.Message is null || place.Message == _message || place.Message.Name != _message.Name) && Array.TrueForAll(place.Nested, IsOnly);

    private bool Find(Place place, List<int> path)
    {
        if (place.Message == _message) { return true; }
        for (int i = 0; i < place.Nested.Length; i++)
        {
            path.Add(i);
            if (Find(place.Nested[i], path)) { return true; }
            path.RemoveAt(path.Count - 1);
        }

        return false;
    }

    private static Place Tree(ProtoMessage message, bool declared) =>
        new(message, [.. message.Nested.Where(nested => !declared || nested is { OfGroup: false }).Select(nested => nested is null ? new Place(null, []) : Tree(nested, declared))]);
}
