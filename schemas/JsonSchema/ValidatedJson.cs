using System.Runtime.InteropServices;
using System.Text.Json;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>
/// JSON (RFC 8259, as strictly read as <see cref="SchemalessJson"/>) that a JSON Schema validates: draft 7, or 2020-12 where <c>$schema</c> says so. Immutable, thread-safe.
/// </summary>
public sealed class ValidatedJson : RecordSchema
{
    [ThreadStatic]
    private static CaptureFrame? _validating;

    private readonly IReadOnlyList<SchemaReferenceText> _references;
    private readonly SchemaGraph _graph;
    private readonly Locations _locations;
    private readonly TypeBuilder _types;
    private readonly SchemaProgram _check;
    private readonly Lazy<ValidatedJson> _asserting;

    private ValidatedJson(string text, IReadOnlyList<SchemaReferenceText> references, bool assertFormats, Func<string, string?>? beside = null)
    {
        Text = text;
        AssertsFormats = assertFormats;
        var found = new List<SchemaReferenceText>();
        _graph = SchemaReader.Read(text, references, assertFormats, beside, found);
        _references = [.. references, .. found];
        WholeText = string.Join('\n', _references.OrderBy(reference => reference.Name, StringComparer.Ordinal).Select(reference => $"{reference.Name}\n{reference.Text}").Prepend(text));
        _locations = new Locations(_graph);
        _types = new TypeBuilder(_locations);
        Type = _types.Of(Location.Of(_graph.Root), nullable: false);
        var nothing = new CapturePlan { Root = new CaptureRow { Node = new CaptureNode { Type = Type } }, Selectors = [] };
        _check = new SchemaProgram(_graph, nothing, WalkLimits.Default, null, [], []);
        _asserting = new Lazy<ValidatedJson>(() => new ValidatedJson(Text, _references, assertFormats: true));
    }

    public override SchemaFormat Format => SchemaFormat.Json;

    public override string Text { get; }

    public override string WholeText { get; }

    /// <summary>The schemas that it was parsed with or that were found for it, by the names or URIs that lead to them; those that it only might have needed included.</summary>
    public IReadOnlyList<SchemaReferenceText> References => _references;

    public override SchemaType Type { get; }

    /// <summary>True where <c>format</c> is checked; else it is an annotation.</summary>
    public bool AssertsFormats { get; }

    /// <summary>Parses a schema. Up to 10 MB of text.</summary>
    /// <param name="references">Schemas that <c>$ref</c> may name beside its own; others are never fetched.</param>
    /// <param name="assertFormats">True where <c>format</c> is checked.</param>
    /// <exception cref="SchemaException">Not a schema, or not one that is understood whole; the message says where and why.</exception>
    public static ValidatedJson Parse(string text, IReadOnlyList<SchemaReferenceText>? references = null, bool assertFormats = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new ValidatedJson(text, references ?? [], assertFormats);
    }

    /// <summary>Parses a schema that lies in a file, and what it refers to in other files.</summary>
    /// <param name="beside">
    /// Gives a file's text by its path relative to the schema's own; null where there is none. It is asked for what a <c>$ref</c> names relatively, or by a URI under the folder of the schema's <c>$id</c>, never for
    /// what would lie above that folder. At most 1,000 files.
    /// </param>
    /// <exception cref="SchemaException">As above.</exception>
    public static ValidatedJson Parse(string text, Func<string, string?> beside)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(beside);
        return new ValidatedJson(text, [], assertFormats: false, beside);
    }

    /// <summary>The same schema with <c>format</c> checked.</summary>
    public override RecordSchema AssertingFormats() => AssertsFormats ? this : _asserting.Value;

    public override RecordProgram Compile(CapturePlan plan, WalkLimits limits, ICollection<SchemaMismatch> mismatches)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(limits);
        ArgumentNullException.ThrowIfNull(mismatches);
        lock (_locations)
        {
            (JsonNode? root, JsonNode[] nodes, string[][] paths) = SchemaCompiler.Compile(_locations, _types, plan, mismatches);
            return new SchemaProgram(_graph, plan, limits, root, nodes, paths);
        }
    }

    /// <summary>Checks a value against the schema, within the default bounds.</summary>
    public DecodeOutcome Validate(ReadOnlySpan<byte> value) => Validate(value, out _);

    /// <summary>The same, and which keyword refused it: a pointer into the schema; null where none did.</summary>
    public DecodeOutcome Validate(ReadOnlySpan<byte> value, out string? refusal)
    {
        CaptureFrame frame = _validating ??= new CaptureFrame();
        DecodeOutcome outcome = _check.Walk(value, frame);
        refusal = outcome == DecodeOutcome.Invalid ? frame.Refusal : null;
        return outcome;
    }

    public override DecodeOutcome Decode(ReadOnlySpan<byte> value, out object? plain)
    {
        plain = null;
        var frame = new CaptureFrame();
        DecodeOutcome outcome = _check.Walk(value, frame);
        if (outcome == DecodeOutcome.Decoded) { plain = TypedJson.Read(Type, new TokenText(value, frame.Scratch, frame.Json!.Tokens.AsSpan(0, frame.Json.TokenCount)), 0); }
        return outcome;
    }

    public override void EncodeJson(JsonElement json, ByteBuffer output)
    {
        ArgumentNullException.ThrowIfNull(output);
        ReadOnlySpan<byte> text = JsonMarshal.GetRawUtf8Value(json);
        DecodeOutcome outcome = Validate(text, out string? refusal);
        if (outcome != DecodeOutcome.Decoded) { throw new SchemaException(refusal is null ? $"The JSON would be refused as a record: {DecodeOutcomes.Code(outcome)}." : $"The schema refuses the JSON: {refusal}."); }
        output.Append(text);
    }

    public override DecodeOutcome WriteJson(ReadOnlySpan<byte> value, Utf8JsonWriter writer)
    {
        DecodeOutcome outcome = Validate(value);
        return outcome == DecodeOutcome.Decoded ? SchemalessJson.Instance.WriteJson(value, writer) : outcome;
    }
}
