namespace PolicyStreams.Schemas;

/// <summary>What came of reading a value. Everything but <see cref="Decoded"/> denies the record; the code goes into the decision.</summary>
public enum DecodeOutcome : byte
{
    Decoded = 0,
    /// <summary>No known framing: the first byte is not the format's, an id below 1, or a header that is no frame.</summary>
    NotFramed,
    /// <summary>No bytes at all where there must be a frame or a JSON text.</summary>
    EmptyValue,
    /// <summary>The first byte of a frame, and no schema id behind it.</summary>
    MissingId,
    /// <summary>The bytes end inside a frame's schema id or GUID.</summary>
    TruncatedId,
    /// <summary>A frame, but its header and prefix name different schemas, or a header names one where there is no framing for it.</summary>
    FrameConflict,
    /// <summary>The bytes end inside a value.</summary>
    Truncated,
    /// <summary>Bytes are left over after the value.</summary>
    TrailingBytes,
    /// <summary>JSON: behind the value another one begins.</summary>
    SecondDocument,
    /// <summary>A varint of more bytes than its type takes: 10 for a long, 5 for an Avro int.</summary>
    VarintTooLong,
    /// <summary>A varint of more bits than its type has.</summary>
    VarintOverflow,
    /// <summary>Avro: a union index that no branch has.</summary>
    BadUnionIndex,
    /// <summary>An enum's index (Avro) or number (Protobuf) that no symbol has.</summary>
    BadEnumIndex,
    /// <summary>A boolean other than 0 and 1.</summary>
    BadBoolean,
    /// <summary>A length below 0.</summary>
    NegativeLength,
    /// <summary>A length or count above 2^31-1, which no record's can be.</summary>
    LengthTooLarge,
    /// <summary>A length or count that the bytes left cannot hold.</summary>
    LengthBeyondEnd,
    /// <summary>Avro: a block's size in bytes that is not that of its items.</summary>
    BadLength,
    /// <summary>Avro: an array or map whose blocks do not end: the bytes do, where the next block must begin.</summary>
    EndlessBlock,
    BadUtf8,
    /// <summary>JSON: an escape that is half of a surrogate pair.</summary>
    LoneSurrogate,
    /// <summary>Nested deeper than <c>Limits.DepthMax</c>.</summary>
    TooDeep,
    /// <summary>JSON: an object's property that comes twice, in whatever spelling.</summary>
    DuplicateKey,
    /// <summary>Avro and Protobuf: a map's key that comes twice.</summary>
    DuplicateMapKey,
    /// <summary>Not the grammar of the format (JSON syntax, Protobuf tags), for no reason that has an outcome of its own.</summary>
    Malformed,
    /// <summary>JSON: a byte order mark before the text.</summary>
    ByteOrderMark,
    /// <summary>JSON: <c>NaN</c> or <c>Infinity</c>.</summary>
    NotANumber,
    /// <summary>JSON: a comment.</summary>
    Comment,
    /// <summary>A number outside what its type can hold.</summary>
    NumberRange,
    /// <summary>Refused by its JSON Schema.</summary>
    Invalid,
    /// <summary>Avro: a decimal without a byte, or of more digits than its precision.</summary>
    DecimalSize,
    /// <summary>More captured elements, strings, or mask sites than the walk's bounds allow.</summary>
    TooLarge,
    /// <summary>Protobuf: which message of its schema a record is. A list of indexes that is negative, endless, cut short, or leads to no message, or means different messages to different clients.</summary>
    MessageIndex,
    /// <summary>Protobuf: a field that may be there once, and is there again: parsers differ in which they take.</summary>
    RepeatedField,
    /// <summary>Protobuf: two members of one oneof.</summary>
    OneofConflict,
    /// <summary>Protobuf: a known field in another encoding than its type's.</summary>
    WireType,
    /// <summary>Protobuf: a field that the writer's schema does not have.</summary>
    UnknownField,
    /// <summary>Protobuf: a required field that is not there.</summary>
    MissingField,
    /// <summary>Judging the value by its JSON Schema would take more steps than a record may.</summary>
    TooComplex,
}

/// <summary>The spelling of outcomes in decisions: <c>errors: [{rule, code}]</c>. Fixed; other programs read it.</summary>
public static class DecodeOutcomes
{
    public static string Code(DecodeOutcome outcome) => outcome switch
    {
        DecodeOutcome.Decoded => "decoded",
        DecodeOutcome.NotFramed => "not-framed",
        DecodeOutcome.EmptyValue => "empty-value",
        DecodeOutcome.MissingId => "missing-id",
        DecodeOutcome.TruncatedId => "truncated-id",
        DecodeOutcome.FrameConflict => "frame-conflict",
        DecodeOutcome.Truncated => "truncated",
        DecodeOutcome.TrailingBytes => "trailing-bytes",
        DecodeOutcome.SecondDocument => "second-document",
        DecodeOutcome.VarintTooLong => "varint-too-long",
        DecodeOutcome.VarintOverflow => "varint-overflow",
        DecodeOutcome.BadUnionIndex => "bad-union-index",
        DecodeOutcome.BadEnumIndex => "bad-enum-index",
        DecodeOutcome.BadBoolean => "bad-boolean",
        DecodeOutcome.NegativeLength => "negative-length",
        DecodeOutcome.LengthTooLarge => "length-too-large",
        DecodeOutcome.LengthBeyondEnd => "length-beyond-end",
        DecodeOutcome.BadLength => "bad-length",
        DecodeOutcome.EndlessBlock => "endless-block",
        DecodeOutcome.BadUtf8 => "bad-utf8",
        DecodeOutcome.LoneSurrogate => "lone-surrogate",
        DecodeOutcome.TooDeep => "too-deep",
        DecodeOutcome.DuplicateKey => "duplicate-key",
        DecodeOutcome.DuplicateMapKey => "duplicate-map-key",
        DecodeOutcome.Malformed => "malformed",
        DecodeOutcome.ByteOrderMark => "byte-order-mark",
        DecodeOutcome.NotANumber => "not-a-number",
        DecodeOutcome.Comment => "comment",
        DecodeOutcome.NumberRange => "number-range",
        DecodeOutcome.Invalid => "invalid",
        DecodeOutcome.DecimalSize => "decimal-size",
        DecodeOutcome.TooLarge => "too-large",
        DecodeOutcome.MessageIndex => "message-index",
        DecodeOutcome.RepeatedField => "repeated-field",
        DecodeOutcome.OneofConflict => "oneof-conflict",
        DecodeOutcome.WireType => "wire-type",
        DecodeOutcome.UnknownField => "unknown-field",
        DecodeOutcome.MissingField => "missing-field",
        DecodeOutcome.TooComplex => "too-complex",
        _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, "Not a decode outcome."),
    };
    /// <summary>The same of a record's key: <c>key-truncated</c>.</summary>
    public static string KeyCode(DecodeOutcome outcome) => KeyCodes[(int)outcome];

    private static readonly string[] KeyCodes = [.. Enum.GetValues<DecodeOutcome>().Select(outcome => "key-" + Code(outcome))];
}
