using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Cel;

/// <summary>Reads a key whose format is not plain text, number, or bytes (Avro, JSON). Never throws on bytes.</summary>
/// <returns>False where the bytes are not the format's; reading <c>key</c> is then an evaluation error.</returns>
public delegate bool KeyReader(ReadOnlySpan<byte> key, out object? plain);

/// <summary>What a condition is evaluated over: one record, walked. Points into buffers of the caller, so it is valid for one call.</summary>
public ref struct ConditionInput
{
    /// <summary>The value's bytes that <see cref="Frame"/> was walked from, framing off.</summary>
    public ReadOnlySpan<byte> Value;
    public CaptureFrame Frame;

    /// <summary>Reads raw slots; may be null where no condition captures any.</summary>
    public RecordProgram Program;

    /// <summary>The key's bytes; empty where <see cref="HasKey"/> is false.</summary>
    public ReadOnlySpan<byte> Key;
    public bool HasKey;

    /// <summary>The key as a plain value where the caller has decoded it already; else null.</summary>
    public object? KeyPlain;

    /// <summary>Decodes the key when a condition reads it; null where the key's bytes are themselves text (UTF-8), a long (8 bytes, big-endian), or bytes.</summary>
    public KeyReader? KeyReader;
    public RecordHeaders Headers;
    public Principal Principal;
    public string Topic;
    public int Partition;
    public long Offset;

    /// <summary>Milliseconds since the Unix epoch.</summary>
    public long TimestampMs;
    public int SchemaId;
    public string Subject;
    public int SchemaVersion;
}
