using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>What a binding makes of one writer schema, of values or of keys: a program, or why its records are not judged by rules. Immutable.</summary>
internal sealed class Writer
{
    public required int SchemaId { get; init; }

    public int Version { get; init; }

    public RecordSchema? Schema { get; init; }

    public RecordProgram? Program { get; init; }

    /// <summary>How a framed value says which message of the schema it is; null for formats that have one record a schema.</summary>
    public Schemas.Protobuf.MessageIndexes? Indexes { get; init; }

    /// <summary>Decodes keys for conditions, as the checked schema has them; null for values.</summary>
    public Cel.KeyReader? KeyReader { get; init; }

    /// <summary>What the policy names and this version lost or retyped, beyond what an older one may lack. Not empty: <c>on_schema_mismatch</c> decides.</summary>
    public IReadOnlyList<SchemaMismatch> Mismatches { get; init; } = [];

    /// <summary>The detail of <c>ps:schema-not-admitted</c> where the schema may not write here; null where it may.</summary>
    public string? Refusal { get; init; }

    /// <summary>True where no schema has the id or GUID, as far as the registry says.</summary>
    public bool Absent { get; init; }

    /// <summary>True where asking the registry again cannot lift the refusal: it is the policy's, or the version's own.</summary>
    public bool RefusedForGood { get; init; }
}
