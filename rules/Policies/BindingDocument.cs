using PolicyStreams.Rules.Yaml;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>How a record's principal is found.</summary>
public enum IdentityKind : byte { None, Topic, Jws, Oidc }

/// <summary>What a null value gets.</summary>
public enum TombstoneChoice : byte { Deny, Allow, Hold }

/// <summary>Which of the producer's headers go out.</summary>
public enum HeaderChoice : byte { Keep, Drop, Names }

/// <summary>What a record's key is.</summary>
public enum KeyFormat : byte { Bytes, String, Long, Avro, Json }

/// <summary>A binding as its author wrote it, defaults filled in. Immutable.</summary>
public sealed class BindingDocument
{
    public required string Name { get; init; }
    public required string PolicyName { get; init; }
    public SchemaFormat Format { get; init; }
    public Framing Framing { get; init; }

    /// <summary>What the ids of framed values are numbers of: with Apicurio's framings what the policy says, else the registry's own.</summary>
    public SchemaIds SchemaIds { get; init; }

    /// <summary>True where a JSON Schema's <c>format</c> is checked (<c>formats: assert</c>); else it is an annotation.</summary>
    public bool AssertFormats { get; init; }

    /// <summary>Subject whose versions writers may use; null where <see cref="SchemaFile"/> is given or the format is JSON without a schema.</summary>
    public string? Subject { get; init; }

    /// <summary>How <see cref="Subject"/> was named; topic where the policy names it outright.</summary>
    public SubjectNaming Naming { get; init; }

    /// <summary>Full name of the record that the subject is named after; null with naming <c>topic</c>. A version that is another record may not write.</summary>
    public string? RecordName { get; init; }

    /// <summary>A schema file beside the policy, for work offline; relative to the policy's folder.</summary>
    public string? SchemaFile { get; init; }

    /// <summary>Full name of the message that values are, of a Protobuf schema with several; null for the first.</summary>
    public string? Message { get; init; }

    /// <summary>What becomes of Protobuf fields that a record's own schema does not have.</summary>
    public UnknownFields UnknownFields { get; init; }

    public KeyFormat KeyFormat { get; init; }

    /// <summary>Subject of the keys' schemas; null unless keys are Avro without a <see cref="KeySchemaFile"/>.</summary>
    public string? KeySubject { get; init; }

    public SubjectNaming KeyNaming { get; init; }

    /// <summary>As <see cref="RecordName"/>, of the keys' subject.</summary>
    public string? KeyRecord { get; init; }

    /// <summary>A schema file for keys beside the policy: keys are then unframed.</summary>
    public string? KeySchemaFile { get; init; }

    /// <summary>Framing of Avro keys; none for keys without a schema.</summary>
    public Framing KeyFraming { get; init; } = Framing.None;

    /// <summary>As <see cref="SchemaIds"/>, of framed keys.</summary>
    public SchemaIds KeySchemaIds { get; init; }

    public IdentityKind Identity { get; init; }

    /// <summary>The principal of identity <c>topic</c>; <see cref="Principal.None"/> otherwise.</summary>
    public Principal TopicPrincipal { get; init; } = Principal.None;

    /// <summary>What <c>identity: { jws: … }</c> or <c>{ oidc: … }</c> says, as JSON with sorted keys; empty otherwise.</summary>
    public string IdentityJson { get; init; } = "";

    public HeaderChoice Headers { get; init; }
    public IReadOnlyList<string> HeaderNames { get; init; } = [];

    /// <summary>False where the binding says <c>stamp: none</c>: governed records then carry no <c>ps-decision</c>.</summary>
    public bool Stamp { get; init; } = true;

    public TombstoneChoice Tombstones { get; init; }

    /// <summary>Terms of <c>tombstones: hold</c>; null otherwise.</summary>
    public HoldTerms? TombstoneTerms { get; init; }

    public required BindingTopics Topics { get; init; }

    /// <summary>Partitions to create where the ingress topic is not there; null where the policy does not say.</summary>
    public int? Partitions { get; init; }

    /// <summary>Name of the key that held and rejected values are encrypted with; null for none.</summary>
    public string? Seal { get; init; }

    /// <summary>Names of all mask and seal keys that the binding's rules may use.</summary>
    public IReadOnlyList<string> KeyNames { get; init; } = [];

    public int RecordBytesMax { get; init; } = 1_048_576;

    /// <summary>Most headers of a record.</summary>
    public int HeadersMax { get; init; } = 64;

    /// <summary>The name, which stands for the binding in what is said of it.</summary>
    internal YamlNode Node { get; init; } = null!;

    /// <summary>The whole binding.</summary>
    internal YamlNode Whole { get; init; } = null!;

    /// <summary>True where the format is not known, so that nothing can be typed.</summary>
    internal bool Untyped { get; init; }

    /// <summary>Where a setting of the binding stands in its file: <c>identity</c>, <c>oidc</c>. The deepest of the keys that is there.</summary>
    public (int Line, int Column) PlaceOf(params ReadOnlySpan<string> keys) => Whole.PlaceOf(keys);

    /// <summary>Topics that hold this binding's own bookkeeping, with their roles.</summary>
    internal IEnumerable<(string Role, string Topic)> OwnTopics() =>
        [("held", Topics.Held), ("state", Topics.State), ("approvals", Topics.Approvals)];
}
