using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Avro;

/// <summary>An Avro schema (specification 1.12). Immutable, thread-safe.</summary>
public sealed class AvroSchema : RecordSchema
{
    /// <summary>A frame for walks that capture nothing.</summary>
    [ThreadStatic]
    private static CaptureFrame? _validating;

    private readonly Lazy<AvroProgram> _skip;
    private string? _canonical;

    private AvroSchema(string text, AvroType root, IReadOnlyList<AvroType> records)
    {
        Text = text;
        Root = root;
        Records = records;
        _skip = new Lazy<AvroProgram>(() => AvroProgramBuilder.Build(this, AvroProgramBuilder.EmptyPlan(Type), WalkLimits.Default, []));
    }

    public override SchemaFormat Format => SchemaFormat.Avro;

    public override string Text { get; }

    public override SchemaType Type => Root.View;

    /// <summary>The parsing canonical form: what two schemas have in common that read the same bytes alike.</summary>
    public string CanonicalForm => _canonical ??= AvroCanonicalForm.Of(Root);

    /// <summary>CRC-64-AVRO of <see cref="CanonicalForm"/>.</summary>
    public long Fingerprint64 => AvroCanonicalForm.Crc64(Encoding.UTF8.GetBytes(CanonicalForm));

    internal AvroType Root { get; }

    /// <summary>Every record of the schema and its references, each after those it uses (recursion aside).</summary>
    internal IReadOnlyList<AvroType> Records { get; }

    /// <summary>Parses a schema that refers to no other. Up to 1 MB of text and 10,000 fields.</summary>
    /// <exception cref="SchemaException">Not a schema; the message says where and why.</exception>
    public static AvroSchema Parse(string text) => Parse(text, []);

    /// <summary>Parses a schema whose text may use the named types of others.</summary>
    /// <param name="text">The schema's JSON.</param>
    /// <param name="referencedSchemas">Texts of the schemas it refers to, each after those that it refers to itself.</param>
    /// <exception cref="SchemaException">Not a schema; the message says where and why.</exception>
    public static AvroSchema Parse(string text, IReadOnlyList<string> referencedSchemas)
    {
        ArgumentNullException.ThrowIfNull(referencedSchemas);
        var parser = new AvroSchemaParser();
        AvroType root = parser.Parse(text, referencedSchemas);
        return new AvroSchema(text, root, parser.Records);
    }

    /// <summary>MD5 of <see cref="CanonicalForm"/>, 16 bytes.</summary>
    [SuppressMessage("Security", "CA5351", Justification = "A fingerprint that the Avro specification names; nothing secret rests on it.")]
    public byte[] FingerprintMd5() => MD5.HashData(Encoding.UTF8.GetBytes(CanonicalForm));

    /// <summary>SHA-256 of <see cref="CanonicalForm"/>, 32 bytes.</summary>
    public byte[] FingerprintSha256() => SHA256.HashData(Encoding.UTF8.GetBytes(CanonicalForm));

    public override RecordProgram Compile(CapturePlan plan, WalkLimits limits, ICollection<SchemaMismatch> mismatches)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(limits);
        ArgumentNullException.ThrowIfNull(mismatches);
        return AvroProgramBuilder.Build(this, plan, limits, mismatches);
    }

    /// <summary>Checks every byte of a value against the schema, within the default bounds, and captures nothing.</summary>
    public DecodeOutcome Validate(ReadOnlySpan<byte> value) => _skip.Value.Walk(value, _validating ??= new CaptureFrame());

    public override DecodeOutcome Decode(ReadOnlySpan<byte> value, out object? plain)
    {
        DecodeOutcome outcome = Validate(value);
        plain = outcome == DecodeOutcome.Decoded ? AvroPlainReader.Read(Root, value) : null;
        return outcome;
    }

    public override void EncodeJson(JsonElement json, ByteBuffer output)
    {
        ArgumentNullException.ThrowIfNull(output);
        AvroJsonEncoder.Encode(Root, json, output);
    }

    public override bool TryEncodeJson(ReadOnlySpan<byte> json, ByteBuffer output)
    {
        ArgumentNullException.ThrowIfNull(output);
        return AvroJsonFast.TryEncode(Root, json, output);
    }

    public override DecodeOutcome WriteJson(ReadOnlySpan<byte> value, Utf8JsonWriter writer) => WriteJson(value, writer, forPeople: false);

    public override DecodeOutcome WriteReadable(ReadOnlySpan<byte> value, Utf8JsonWriter writer) => WriteJson(value, writer, forPeople: true);

    private DecodeOutcome WriteJson(ReadOnlySpan<byte> value, Utf8JsonWriter writer, bool forPeople)
    {
        ArgumentNullException.ThrowIfNull(writer);
        DecodeOutcome outcome = Validate(value);
        if (outcome != DecodeOutcome.Decoded) { return outcome; }
        return AvroJsonWriter.Write(Root, value, writer, forPeople) ? DecodeOutcome.Decoded : DecodeOutcome.TooLarge;
    }
}
