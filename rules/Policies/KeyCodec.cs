using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>Keys of one binding: how conditions read them, and how masks change fields inside them. Immutable, thread-safe.</summary>
internal sealed class KeyCodec
{
    private readonly Dictionary<int, (RecordSchema Schema, RecordProgram? Program)> _versions = [];
    private readonly RecordSchema? _only;
    private readonly RecordProgram? _onlyProgram;

    public KeyCodec(KeyFormat format, RecordSchema? schema, SubjectSchemas? subject, CapturePlan? plan, CompiledMask[] masks)
    {
        Format = format;
        Masks = masks;
        if (schema is null) { return; }
        Reader = Decode;
        if (format == KeyFormat.Json || subject is null || subject.Versions[^1].Id == 0)
        {
            _only = schema;
            _onlyProgram = plan is null ? null : schema.Compile(plan, WalkLimits.Default, []);
            return;
        }

        foreach (SchemaVersion version in subject.Versions)
        {
            _versions[version.Id] = (version.Schema, plan is null ? null : version.Schema.Compile(plan, WalkLimits.Default, []));
        }
    }

    public KeyFormat Format { get; }

    /// <summary>Masks of fields inside the key, by selector of the key's plan.</summary>
    public CompiledMask[] Masks { get; }

    /// <summary>Decodes keys for conditions; null where the key's bytes speak for themselves.</summary>
    public Cel.KeyReader? Reader { get; }

    /// <summary>The program that finds masked fields in a key, and where its payload begins. False for a key that is not of its format.</summary>
    public bool TryProgram(ReadOnlySpan<byte> key, out RecordProgram program, out int start)
    {
        program = _onlyProgram!;
        start = 0;
        if (_only is not null) { return program is not null; }
        if (!TryVersion(key, out (RecordSchema Schema, RecordProgram? Program) version, out start)) { return false; }
        program = version.Program!;
        return program is not null;
    }

    /// <summary>Encodes a key of plain JSON by the checked schema, framed where keys are.</summary>
    /// <exception cref="SchemaException">The JSON does not fit the schema.</exception>
    public byte[] Encode(System.Text.Json.JsonElement json)
    {
        var buffer = new ByteBuffer();
        RecordSchema? schema = _only;
        foreach ((int id, (RecordSchema version, _)) in _versions)
        {
            buffer.Clear();
            schema = version;
            buffer.Append(0);
            System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(buffer.GetSpan(4), id);
            buffer.Advance(4);
        }

        schema!.EncodeJson(json, buffer);
        return buffer.Written.ToArray();
    }

    private bool Decode(ReadOnlySpan<byte> key, out object? plain)
    {
        plain = null;
        if (_only is not null) { return _only.Decode(key, out plain) == DecodeOutcome.Decoded; }
        return TryVersion(key, out (RecordSchema Schema, RecordProgram? Program) version, out int start) && version.Schema.Decode(key[start..], out plain) == DecodeOutcome.Decoded;
    }

    private bool TryVersion(ReadOnlySpan<byte> key, out (RecordSchema Schema, RecordProgram? Program) version, out int start)
    {
        version = default;
        start = 0;
        if (FrameReader.Read(Framing.Confluent, key, default, 0, out SchemaFrame frame) != DecodeOutcome.Decoded || frame.Schema.Kind != SchemaRefKind.Id) { return false; }
        start = frame.PayloadStart;
        return _versions.TryGetValue((int)frame.Schema.Id, out version);
    }
}
