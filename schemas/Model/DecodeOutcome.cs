namespace PolicyStreams.Schemas;

/// <summary>What came of reading a value. Everything but <see cref="Decoded"/> denies the record; the code goes into the decision.</summary>
public enum DecodeOutcome : byte
{
    Decoded = 0,
    /// <summary>No known framing: too short, or the first byte is not the format's.</summary>
    NotFramed,
    /// <summary>A frame, but its header and prefix name different schemas, or a header names one where there is no framing for it.</summary>
    FrameConflict,
    /// <summary>The bytes end inside a value.</summary>
    Truncated,
    /// <summary>Bytes are left over after the value.</summary>
    TrailingBytes,
    /// <summary>A varint longer than its type allows, or overflowing it.</summary>
    BadVarint,
    /// <summary>A union or enum index, or a boolean byte, out of range.</summary>
    BadIndex,
    /// <summary>A length or count that is negative or beyond the end.</summary>
    BadLength,
    BadUtf8,
    /// <summary>Nested deeper than <c>Limits.DepthMax</c>.</summary>
    TooDeep,
    /// <summary>A map key or object property that comes twice.</summary>
    DuplicateKey,
    /// <summary>Not the grammar of the format (JSON syntax, BOM, a second document, Protobuf tags).</summary>
    Malformed,
    /// <summary>A number outside what its type can hold.</summary>
    NumberRange,
    /// <summary>Against the record's own schema (JSON Schema validation, decimal or timestamp size).</summary>
    Invalid,
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
        DecodeOutcome.FrameConflict => "frame-conflict",
        DecodeOutcome.Truncated => "truncated",
        DecodeOutcome.TrailingBytes => "trailing-bytes",
        DecodeOutcome.BadVarint => "bad-varint",
        DecodeOutcome.BadIndex => "bad-index",
        DecodeOutcome.BadLength => "bad-length",
        DecodeOutcome.BadUtf8 => "bad-utf8",
        DecodeOutcome.TooDeep => "too-deep",
        DecodeOutcome.DuplicateKey => "duplicate-key",
        DecodeOutcome.Malformed => "malformed",
        DecodeOutcome.NumberRange => "number-range",
        DecodeOutcome.Invalid => "invalid",
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
