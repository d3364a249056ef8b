using System.Text.Json;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Protobuf;

/// <summary>A Protobuf schema (proto2 or proto3), seen as one of its messages. Immutable, thread-safe.</summary>
public sealed class ProtobufSchema : RecordSchema
{
    /// <summary>A frame for walks that capture nothing.</summary>
    [ThreadStatic]
    private static CaptureFrame? _validating;

    private readonly ProtoFile _file;
    private readonly ProtoMessage _root;
    private readonly Lazy<ProtoProgram> _skip;
    private readonly Lazy<MessageIndexes> _indexes;

    private ProtobufSchema(string text, string wholeText, ProtoFile file, ProtoMessage root)
    {
        Text = text;
        WholeText = wholeText;
        _file = file;
        _root = root;
        _skip = new Lazy<ProtoProgram>(() => ProtoProgramBuilder.Build(root, EmptyPlan(root.View), WalkLimits.Default, []));
        _indexes = new Lazy<MessageIndexes>(() => new MessageIndexes(file, root));
    }

    public override SchemaFormat Format => SchemaFormat.Protobuf;

    public override string Text { get; }

    public override string WholeText { get; }

    public override SchemaType Type => _root.View;

    /// <summary>Full names of the messages at the top of the file, in declared order: 1 or more.</summary>
    public IReadOnlyList<string> MessageNames => [.. _file.Messages.Select(message => message.FullName)];

    /// <summary>How records say that they are this message.</summary>
    public MessageIndexes Indexes => _indexes.Value;

    /// <summary>Parses a schema, and sees it as its first message. Up to 1 MiB of text a file and 10,000 fields in all.</summary>
    /// <param name="references">What it imports, directly or not, by the names of the imports; well-known types need none.</param>
    /// <exception cref="SchemaException">Not a schema; the message says line, column, and how to mend it.</exception>
    public static ProtobufSchema Parse(string text, IReadOnlyList<SchemaReferenceText> references)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(references);
        ProtoFile file = new ProtoLinker(references).Link(text);
        if (file.Messages.Count == 0) { throw file.Lexer.Fault(1, 1, "the schema has no message: a record is one"); }
        string whole = string.Join('\n', references.OrderBy(reference => reference.Name, StringComparer.Ordinal).Select(reference => $"{reference.Name}\n{reference.Text}").Prepend(text));
        return new ProtobufSchema(text, whole, file, file.Messages[0]);
    }

    /// <summary>Checks a text that others may import: it need not have a message.</summary>
    /// <exception cref="SchemaException">Not a schema; the message says line, column, and how to mend it.</exception>
    public static void Check(string text, IReadOnlyList<SchemaReferenceText> references)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(references);
        new ProtoLinker(references).Link(text);
    }

    /// <summary>Names of the files that a schema imports, the well-known ones left out: for who has to find them.</summary>
    /// <exception cref="SchemaException">Not a schema.</exception>
    public static IReadOnlyList<string> Imports(string text) =>
        [.. ProtoParser.Parse(text, "").Imports.Select(import => import.Name).Where(name => ProtoWellKnownFiles.Text(name) is null)];

    /// <summary>The same schema, seen as another of its messages; this one where it has none of that full name.</summary>
    public override RecordSchema ForRecord(string? fullName)
    {
        if (fullName is null || fullName == _root.FullName) { return this; }
        return _file.Types.GetValueOrDefault(fullName) is ProtoMessage { OfGroup: false } other ? new ProtobufSchema(Text, WholeText, _file, other) : this;
    }

    public override RecordProgram Compile(CapturePlan plan, WalkLimits limits, ICollection<SchemaMismatch> mismatches)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(limits);
        ArgumentNullException.ThrowIfNull(mismatches);
        return ProtoProgramBuilder.Build(_root, plan, limits, mismatches);
    }

    /// <summary>Checks every byte of a value within the default bounds, and captures nothing; fields that the schema does not have are passed over.</summary>
    public DecodeOutcome Validate(ReadOnlySpan<byte> value) => _skip.Value.Walk(value, _validating ??= new CaptureFrame());

    public override DecodeOutcome Decode(ReadOnlySpan<byte> value, out object? plain)
    {
        DecodeOutcome outcome = Validate(value);
        plain = outcome == DecodeOutcome.Decoded ? ProtoPlainReader.Message(_root, value) : null;
        return outcome;
    }

    /// <summary>Encodes Protobuf's JSON form: names as the schema spells them or as JSON does, 64-bit integers as numbers or texts, bytes in base64, enums by name or number.</summary>
    public override void EncodeJson(JsonElement json, ByteBuffer output)
    {
        ArgumentNullException.ThrowIfNull(output);
        ProtoJsonEncoder.Encode(_root, json, output);
    }

    /// <summary>Writes Protobuf's JSON form, names as the schema spells them; fields that are absent and may be null as null, all others with their zero.</summary>
    public override DecodeOutcome WriteJson(ReadOnlySpan<byte> value, Utf8JsonWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        DecodeOutcome outcome = Validate(value);
        if (outcome == DecodeOutcome.Decoded) { ProtoJsonWriter.Write(_root, ProtoPlainReader.Message(_root, value), writer); }
        return outcome;
    }

    private static CapturePlan EmptyPlan(SchemaType type) => new()
    {
        Root = new CaptureRow { Node = new CaptureNode { Type = type } },
        Selectors = [],
        UnknownFields = UnknownFields.Keep,
    };
}
