using System.Buffers.Binary;
using System.Text.Json;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>Keys of one binding: which schemas they may have, how conditions read them, and how masks change fields inside them. Thread-safe.</summary>
internal sealed class KeyCodec
{
    public KeyCodec(BindingDocument binding, SubjectSchemas? subject, CapturePlan? plan, CompiledMask[] masks, IReadOnlyList<PathStep[]> reads)
    {
        Format = binding.KeyFormat;
        Framing = binding.KeyFraming;
        Subject = subject;
        Masks = masks;
        if (subject is null) { return; }
        Tags = plan!.TagsByPath;
        Selectors = plan.Selectors;
        Losses = new MaskedLosses(subject, plan, binding.KeyRecord, inKey: true);
        Writers = new WriterTable(version => Compile(binding, subject, version, plan, Losses, reads), pinned: Framing == Framing.None, subject.CheckedVersion.Version);
    }

    public KeyFormat Format { get; }

    public Framing Framing { get; }

    /// <summary>Schemas of keys that have one; for JSON the one that takes any; else null.</summary>
    public SubjectSchemas? Subject { get; }

    /// <summary>Masks of fields inside the key, by selector of the key's plan.</summary>
    public CompiledMask[] Masks { get; }

    /// <summary>What each of <see cref="Masks"/> selects.</summary>
    public IReadOnlyList<MaskSelector> Selectors { get; } = [];

    /// <summary>Tags of fields inside the key, by path from the key: the union over all versions.</summary>
    public IReadOnlyDictionary<string, IReadOnlySet<string>> Tags { get; } = new Dictionary<string, IReadOnlySet<string>>();

    /// <summary>What versions of the keys' subject took away of what is masked; null where keys have no schema.</summary>
    public MaskedLosses? Losses { get; }

    /// <summary>Null where the key's bytes speak for themselves (<c>bytes</c>, <c>string</c>, <c>long</c>): then nothing of them is checked before they are read.</summary>
    public WriterTable? Writers { get; }

    /// <summary>Encodes a key of plain JSON, framed where keys are.</summary>
    /// <param name="version">Null for the checked one.</param>
    /// <exception cref="SchemaException">The JSON does not fit the schema.</exception>
    public byte[] Encode(JsonElement json, SchemaVersion? version)
    {
        var buffer = new ByteBuffer();
        version ??= Subject!.CheckedVersion;
        if (!Writers!.Unframed) { AppendFrame(buffer, Framing, version.Id); }
        version.Schema.EncodeJson(json, buffer);
        return buffer.Written.ToArray();
    }

    /// <summary>Appends the prefix that names a schema, for records that are made offline.</summary>
    public static void AppendFrame(ByteBuffer output, Framing framing, int id)
    {
        output.Append(0);
        if (framing == Framing.Apicurio8) { output.Append([0, 0, 0, 0]); }
        BinaryPrimitives.WriteInt32BigEndian(output.GetSpan(4), id);
        output.Advance(4);
    }

    private static Writer Compile(BindingDocument binding, SubjectSchemas subject, SchemaVersion version, CapturePlan plan, MaskedLosses losses, IReadOnlyList<PathStep[]> reads)
    {
        if (version.Refusal(binding.KeyRecord) is { } refusal) { return refusal; }
        if (version.Schema.Format != subject.Checked.Format) { throw new SchemaException($"The schema's format is {version.Schema.Format}."); }
        var mismatches = new List<SchemaMismatch>();
        RecordProgram program = version.Schema.Compile(plan, WalkLimits.Default, mismatches);
        MaskedPaths.Check(plan, subject.Checked.Type, version.Schema.Type, mismatches);
        for (int i = 0; i < mismatches.Count; i++) { mismatches[i] = mismatches[i] with { Path = KeyPath(mismatches[i].Path) }; }
        bool own = version.Version == subject.CheckedVersion.Version;
        SchemaType expected = subject.Checked.Type;
        if (!own && version.Schema.Format != SchemaFormat.Json)
        {
            foreach (PathStep[] path in reads) { KeyTypes.Compare(expected, version.Schema.Type, path, mismatches); }
        }

        bool older = version.Version < subject.CheckedVersion.Version;
        RecordSchema schema = version.Schema;
        return new Writer
        {
            SchemaId = version.Id,
            Version = version.Version,
            Schema = schema,
            Program = program,
            KeyReader = own ? Decode : DecodeOther,
            Mismatches = losses.AddTo(mismatches.Where(mismatch => !(older && mismatch.OlderIsFine)).Distinct(), version.Version),
        };

        bool Decode(ReadOnlySpan<byte> key, out object? plain) => schema.Decode(key, out plain) == DecodeOutcome.Decoded;

        bool DecodeOther(ReadOnlySpan<byte> key, out object? plain)
        {
            bool decoded = schema.Decode(key, out plain) == DecodeOutcome.Decoded;
            if (decoded) { plain = KeyTypes.Conform(plain, expected); }
            return decoded;
        }
    }

    /// <summary>A path inside the key as decisions spell it.</summary>
    public static string KeyPath(string path) => path.Length == 0 || path[0] == '[' ? "key" + path : "key." + path;
}
