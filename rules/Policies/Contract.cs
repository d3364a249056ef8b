using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>A policy or conventions file, already read. <paramref name="Path"/> as diagnostics shall name it.</summary>
public sealed record PolicyFile(string Path, string Text);

/// <summary>A version of a subject as the registry gave it.</summary>
public sealed record SchemaVersion(int Version, int Id, RecordSchema Schema);

/// <summary>All versions of a binding's subject, oldest first. The last is the checked schema. For a <c>schema: FILE</c> binding or JSON without a schema: one version, id 0.</summary>
public sealed record SubjectSchemas(string Subject, IReadOnlyList<SchemaVersion> Versions)
{
    public RecordSchema Checked => Versions[^1].Schema;
}

/// <summary>Topic names of a binding, defaults filled in.</summary>
public sealed record BindingTopics(string Ingress, string Governed, string Rejected, string Held, string State, string Approvals, string Decisions, IReadOnlyList<string> Routes);

/// <summary>What came of loading policy files: every diagnostic, and the set where none is an error.</summary>
public sealed record PolicyLoad(IReadOnlyList<Diagnostic> Diagnostics, PolicySet? Set);

/// <summary>All policies of a folder, parsed and checked as far as that goes without schemas. Immutable.</summary>
public sealed partial class PolicySet
{
    public IReadOnlyList<PolicyDocument> Policies { get; }

    /// <summary>Bindings of all policies, in order of files and then of the document. No two have one ingress topic.</summary>
    public IReadOnlyList<BindingDocument> Bindings { get; }

    internal PolicySet(IReadOnlyList<PolicyDocument> policies)
    {
        Policies = policies;
        Bindings = [.. policies.SelectMany(policy => policy.Bindings)];
    }

    /// <summary>Parses and checks. Never throws on any text.</summary>
    public static PolicyLoad Load(IReadOnlyList<PolicyFile> files) => throw new NotImplementedException();
}

/// <summary>A policy as its author wrote it, defaults filled in. Immutable.</summary>
public sealed partial class PolicyDocument
{
    public required string Path { get; init; }
    public required string Name { get; init; }
    public string Owner { get; init; } = "";
    public required IReadOnlyList<BindingDocument> Bindings { get; init; }
}

/// <summary>How a record's principal is found.</summary>
public enum IdentityKind : byte { None, Topic, Jws, Oidc }

public enum TombstoneChoice : byte { Deny, Allow, Hold }

public enum HeaderChoice : byte { Keep, Drop, Names }

/// <summary>A binding as its author wrote it, defaults filled in. Immutable.</summary>
public sealed partial class BindingDocument
{
    public required string Name { get; init; }
    public required string PolicyName { get; init; }
    public SchemaFormat Format { get; init; }
    public Framing Framing { get; init; }

    /// <summary>Subject whose versions writers may use; null where <see cref="SchemaFile"/> is given or the format is JSON without a schema.</summary>
    public string? Subject { get; init; }

    /// <summary>A schema file beside the policy, for work offline; relative to the policy's folder.</summary>
    public string? SchemaFile { get; init; }

    public IdentityKind Identity { get; init; }

    /// <summary>The principal of identity <c>topic</c>; <see cref="Principal.None"/> otherwise.</summary>
    public Principal TopicPrincipal { get; init; } = Principal.None;

    public HeaderChoice Headers { get; init; }
    public IReadOnlyList<string> HeaderNames { get; init; } = [];

    /// <summary>False where the binding says <c>stamp: none</c>: governed records then carry no <c>ps-decision</c>.</summary>
    public bool Stamp { get; init; } = true;

    public TombstoneChoice Tombstones { get; init; }
    public required BindingTopics Topics { get; init; }

    /// <summary>Partitions to create where the ingress topic is not there; null where the policy does not say.</summary>
    public int? Partitions { get; init; }

    /// <summary>Name of the key that held and rejected values are encrypted with; null for none.</summary>
    public string? Seal { get; init; }

    /// <summary>Names of all mask and seal keys that the binding's rules may use.</summary>
    public IReadOnlyList<string> KeyNames { get; init; } = [];

    public int RecordBytesMax { get; init; } = 1_048_576;
}

/// <summary>A policy checked against its schemas and compiled. Immutable, thread-safe (the cache of writers inside is concurrent).</summary>
public sealed partial class CompiledPolicy
{
    public required PolicyDocument Document { get; init; }

    /// <summary>SHA-256 over the canonical form and the schema ids it was resolved with, base64url without padding: 43 characters.</summary>
    public required string Digest { get; init; }

    /// <summary>SHA-256 of the canonical form alone, base64url.</summary>
    public required string CanonicalDigest { get; init; }

    /// <summary>Schema ids that each binding was resolved with, by binding name, oldest first.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<int>> SchemaIds { get; init; }

    public required IReadOnlyDictionary<string, CompiledBinding> Bindings { get; init; }

    /// <summary>Checks a policy against its bindings' schemas, and compiles it.</summary>
    /// <param name="subjects">By binding name; one for each binding.</param>
    /// <param name="keys">Supplied by the host; a name that is missing is a diagnostic.</param>
    /// <returns>Null where a diagnostic of severity error was added.</returns>
    public static CompiledPolicy? Compile(PolicyDocument document, IReadOnlyDictionary<string, SubjectSchemas> subjects, KeyRing keys, ICollection<Diagnostic> diagnostics) => throw new NotImplementedException();
}

/// <summary>What the registry says of a schema id, once it is known.</summary>
public enum WriterAdmission : byte
{
    /// <summary>A version of the binding's subject.</summary>
    Admitted,
    /// <summary>The registry has it, under other subjects only.</summary>
    NotAdmitted,
    /// <summary>The registry does not know the id.</summary>
    UnknownId,
    /// <summary>The registry's schema for the id cannot be parsed.</summary>
    Unusable,
}

/// <summary>A binding of a compiled policy: the rules that apply to it, its capture plan, and its programs by writer schema.</summary>
public sealed partial class CompiledBinding
{
    public required BindingDocument Document { get; init; }

    public CompiledPolicy Policy { get; internal set; } = null!;

    /// <summary>Tells the binding of a schema id met at run time. Idempotent; thread-safe. Versions known at compile time are there already.</summary>
    public void AddWriter(int schemaId, WriterAdmission admission, SchemaVersion? version) => throw new NotImplementedException();
}

/// <summary>What the judge came to.</summary>
public readonly record struct JudgeResult(bool Decided, int NeededSchemaId)
{
    public static JudgeResult Done => new(true, 0);
}

/// <summary>
/// The policy decision point: one a stream thread, reused record after record (it owns the scratch). Pure: no clock, file, or network.
/// </summary>
public sealed partial class Judge
{
    /// <summary>Judges one record; masks included. The same input and policy give the same verdict and bytes.</summary>
    /// <param name="output">Rewritten bytes are appended here.</param>
    /// <param name="verdict">Overwritten.</param>
    /// <returns>Not decided only where the record's schema id is not known to the binding yet: fetch it, call <see cref="CompiledBinding.AddWriter"/>, ask again.</returns>
    public JudgeResult Decide(CompiledBinding binding, in RecordInput input, ByteBuffer output, Verdict verdict) => throw new NotImplementedException();

    /// <summary>A verdict of the system's own: denied for one cause (<c>ps:output-refused</c>).</summary>
    public void Deny(CompiledBinding binding, in RecordInput input, string cause, string code, Verdict verdict) => throw new NotImplementedException();

    /// <summary>
    /// The masked view of the record that <paramref name="verdict"/> speaks of: what a release would publish, as plain JSON; written for holds.
    /// Where the masks cannot be applied or the record cannot be read, writes <c>null</c>.
    /// </summary>
    public void WriteMaskedView(CompiledBinding binding, in RecordInput input, Verdict verdict, ByteBuffer json) => throw new NotImplementedException();
}

/// <summary>What a decision says beside its verdict.</summary>
public ref struct DecisionFacts
{
    /// <summary>Ingress position: gives the id, with <see cref="IdSuffix"/> behind it.</summary>
    public string Topic;
    public int Partition;
    public long Offset;

    /// <summary>Empty for <c>decided</c>; else <c>/end</c>, <c>/r-SEQ</c>.</summary>
    public string IdSuffix;

    /// <summary><c>decided</c>, <c>reheld</c>, <c>released</c>, <c>refused</c>, <c>expired</c>.</summary>
    public string Event;
    public long Seq;
    public long TimeMs;

    /// <summary>The hold that an earlier record of the key is under; null for none.</summary>
    public string? Behind;

    /// <summary>32 bytes, or empty where there is no audit key.</summary>
    public ReadOnlySpan<byte> Before;

    /// <summary>32 bytes, or empty where nothing was written.</summary>
    public ReadOnlySpan<byte> After;
}

/// <summary>Writes decisions as DESIGN's JSON, from parts that were spelled when the policy was compiled.</summary>
public static partial class DecisionWriter
{
    /// <summary>Appends one decision. The verdict gives outcome, policy, rules, and the rest.</summary>
    /// <param name="full">True writes also empty lists (for <c>policystreams decide</c>).</param>
    public static void Write(ByteBuffer output, Verdict verdict, Principal principal, in DecisionFacts facts, bool full = false) => throw new NotImplementedException();
}

/// <summary>Keys by name, supplied by the host. Never printed: <see cref="ToString"/> names no key bytes.</summary>
public sealed partial class KeyRing
{
    public static KeyRing Empty { get; } = new();

    /// <summary>Adds a key from its file's or variable's bytes (one final newline dropped, <c>base64:</c> decoded).</summary>
    /// <returns>Null, or what is wrong with it (too short, not base64); never the key.</returns>
    public string? Add(string name, ReadOnlySpan<byte> material) => throw new NotImplementedException();

    public bool Contains(string name) => throw new NotImplementedException();

    /// <summary>The current key's bytes, 32 or more, and its id: for hold keys, audit keys, seals.</summary>
    public bool TryGet(string name, out ReadOnlyMemory<byte> key, out string id) => throw new NotImplementedException();
}
