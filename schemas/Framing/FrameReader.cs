using System.Buffers.Binary;

namespace PolicyStreams.Schemas;

/// <summary>Reads what frames a payload. Thread-safe; allocates nothing; never throws on bytes.</summary>
/// <remarks>
/// Source: Confluent's wire format (<c>SchemaId</c>: byte 0 and a 4-byte id, byte 1 and a 16-byte GUID, both big-endian; the header holds the same bytes as the prefix) and
/// Apicurio's (<c>Default4ByteIdHandler</c>, <c>DefaultIdHandler</c>: byte 0 and a 4- or 8-byte id).
/// </remarks>
public static class FrameReader
{
    /// <summary>Length of a prefix with a 4-byte id.</summary>
    public const int IdPrefixLength = 5;

    /// <summary>Length of a prefix with a GUID, and of the header that serializers write.</summary>
    public const int GuidPrefixLength = 17;

    private const byte MagicId = 0;
    private const byte MagicGuid = 1;
    private const int LongIdPrefixLength = 9;

    /// <summary>Header that names the value's schema.</summary>
    public static ReadOnlySpan<byte> ValueHeader => "__value_schema_id"u8;

    /// <summary>Header that names the key's schema.</summary>
    public static ReadOnlySpan<byte> KeyHeader => "__key_schema_id"u8;

    /// <summary>Finds the schema that a value (or key) names, and its payload.</summary>
    /// <param name="value">The bytes as consumed, any length. Not copied, not kept.</param>
    /// <param name="schemaHeader">The last header's value that is named <see cref="ValueHeader"/> (for a key <see cref="KeyHeader"/>); empty where there is none, or it is null.</param>
    /// <param name="schemaHeaders">How many headers have that name. More than one is a conflict: consumers differ in which they take.</param>
    /// <param name="frame"><c>default</c> unless decoded.</param>
    /// <param name="rivals">
    /// Settles whether a value that has a header too begins with a prefix of the other kind. Where a schema has the id, the GUID must be that schema's; where none has it, the value's first bytes are payload;
    /// where nobody was asked, the frame is <see cref="SchemaFrame.Unsettled"/>. Null: such a value is refused.
    /// </param>
    /// <param name="indexed">True for Protobuf: behind the id or GUID, in value and header alike, come message indexes, which are not read here.</param>
    /// <returns>
    /// <see cref="DecodeOutcome.Decoded"/>; <see cref="DecodeOutcome.NotFramed"/> for another first byte, an id below 1, or a header that is no frame;
    /// <see cref="DecodeOutcome.EmptyValue"/>, <see cref="DecodeOutcome.MissingId"/>, or <see cref="DecodeOutcome.TruncatedId"/> for too few bytes;
    /// <see cref="DecodeOutcome.FrameConflict"/> where prefix and header name different schemas, or a header names one and the binding's framing has no room for it.
    /// </returns>
    public static DecodeOutcome Read(
        Framing framing, ReadOnlySpan<byte> value, ReadOnlySpan<byte> schemaHeader, int schemaHeaders, out SchemaFrame frame, IFrameRivals? rivals = null, bool indexed = false)
    {
        frame = default;
        if (framing == Framing.Confluent)
        {
            return schemaHeaders == 0 ? ReadPrefix(value, out frame) : ReadHeader(value, schemaHeader, schemaHeaders, rivals, indexed, out frame);
        }

        // A header-first consumer would read these bytes by the header's schema, which nothing here has checked.
        if (schemaHeaders != 0) { return DecodeOutcome.FrameConflict; }
        switch (framing)
        {
            case Framing.None:
                return DecodeOutcome.Decoded;
            case Framing.Apicurio4:
                return value.Length >= IdPrefixLength && value[0] == MagicId ? ReadPrefix(value, out frame) : NoPrefix(value, guids: false);
            case Framing.Apicurio8:
                if (value.Length < LongIdPrefixLength || value[0] != MagicId) { return NoPrefix(value, guids: false); }
                long id = BinaryPrimitives.ReadInt64BigEndian(value[1..]);
                if (id < 1) { return DecodeOutcome.NotFramed; }
                frame = new SchemaFrame(SchemaRef.ById(id), LongIdPrefixLength);
                return DecodeOutcome.Decoded;
            default:
                throw new ArgumentOutOfRangeException(nameof(framing), framing, "Not a framing.");
        }
    }

    private static DecodeOutcome ReadPrefix(ReadOnlySpan<byte> bytes, out SchemaFrame frame)
    {
        frame = default;
        if (bytes.Length >= IdPrefixLength && bytes[0] == MagicId)
        {
            int id = BinaryPrimitives.ReadInt32BigEndian(bytes[1..]);
            if (id < 1) { return DecodeOutcome.NotFramed; }
            frame = new SchemaFrame(SchemaRef.ById(id), IdPrefixLength);
            return DecodeOutcome.Decoded;
        }

        if (bytes.Length >= GuidPrefixLength && bytes[0] == MagicGuid)
        {
            frame = new SchemaFrame(SchemaRef.ByGuid(new Guid(bytes.Slice(1, 16), bigEndian: true)), GuidPrefixLength);
            return DecodeOutcome.Decoded;
        }

        return NoPrefix(bytes, guids: true);
    }

    /// <summary>What bytes lack that begin with no whole prefix.</summary>
    private static DecodeOutcome NoPrefix(ReadOnlySpan<byte> bytes, bool guids)
    {
        if (bytes.IsEmpty) { return DecodeOutcome.EmptyValue; }
        if (bytes[0] != MagicId && !(guids && bytes[0] == MagicGuid)) { return DecodeOutcome.NotFramed; }
        return bytes.Length == 1 ? DecodeOutcome.MissingId : DecodeOutcome.TruncatedId;
    }

    /// <summary>Stock readers take the header first and then the whole value as payload, or know only the prefix: a record that means different things to the two is refused.</summary>
    private static DecodeOutcome ReadHeader(ReadOnlySpan<byte> value, ReadOnlySpan<byte> header, int headers, IFrameRivals? rivals, bool indexed, out SchemaFrame frame)
    {
        frame = default;
        if (headers > 1) { return DecodeOutcome.FrameConflict; }
        if (ReadPrefix(header, out SchemaFrame named) != DecodeOutcome.Decoded || (named.PayloadStart != header.Length && !indexed)) { return DecodeOutcome.NotFramed; }
        if (ReadPrefix(value, out SchemaFrame prefix) != DecodeOutcome.Decoded)
        {
            frame = new SchemaFrame(named.Schema, 0);
            return DecodeOutcome.Decoded;
        }

        if (prefix.Schema == named.Schema)
        {
            frame = prefix;
            return DecodeOutcome.Decoded;
        }

        if (prefix.Schema.Kind == named.Schema.Kind || rivals is null) { return DecodeOutcome.FrameConflict; }
        bool idInFront = prefix.Schema.Kind == SchemaRefKind.Id;
        (SchemaRef byId, SchemaRef byGuid) = idInFront ? (prefix.Schema, named.Schema) : (named.Schema, prefix.Schema);
        switch (rivals.Standing((int)byId.Id, out Guid? guid))
        {
            // A reader that knows only the prefix would read by the schema that has the id, whichever subject it is of: the registry says whether there is one.
            case SchemaIdStanding.Unknown:
                frame = new SchemaFrame(byId, 0) { Unsettled = true };
                return DecodeOutcome.Decoded;
            case SchemaIdStanding.Absent when idInFront:
                frame = new SchemaFrame(named.Schema, 0);
                return DecodeOutcome.Decoded;
            case SchemaIdStanding.Present when guid == byGuid.Guid:
                frame = prefix;
                return DecodeOutcome.Decoded;
            default:
                return DecodeOutcome.FrameConflict;
        }
    }
}
