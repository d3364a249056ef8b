namespace PolicyStreams.Rules;

/// <summary>A policy checked against its schemas and compiled. Immutable, thread-safe (the cache of writers inside is concurrent).</summary>
public sealed class CompiledPolicy
{
    public required PolicyDocument Document { get; init; }

    /// <summary>SHA-256 over the canonical form and the schema ids it was resolved with, base64url without padding: 43 characters.</summary>
    public required string Digest { get; init; }

    /// <summary>SHA-256 of the canonical form alone, base64url.</summary>
    public required string CanonicalDigest { get; init; }

    /// <summary>Schema ids that each binding was resolved with, by binding name (<c>NAME/key</c> for those of Avro keys), oldest first.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<int>> SchemaIds { get; init; }

    public required IReadOnlyDictionary<string, CompiledBinding> Bindings { get; init; }

    /// <summary>The schemas it was resolved with, as <see cref="Compile"/> was given them.</summary>
    public IReadOnlyDictionary<string, SubjectSchemas> Subjects { get; init; } = new Dictionary<string, SubjectSchemas>();

    /// <summary>
    /// The same policy resolved with more versions of its subjects (<see cref="SubjectSchemas.With"/>): tags that they bring count for all versions, older ones too, and conditions go on
    /// being checked against the version they were checked against. A new version that the policy cannot deal with has its records denied; it never stops the policy.
    /// </summary>
    /// <param name="diagnostics">Added to: what the new versions lack or cannot have, as warnings.</param>
    /// <returns>Null where it cannot be compiled at all: the policy must then not go on reading the new versions.</returns>
    public CompiledPolicy? Resolved(IReadOnlyDictionary<string, SubjectSchemas> subjects, KeyRing keys, ICollection<Diagnostic> diagnostics)
    {
        var bag = new DiagnosticBag(Document.Path);
        CompiledPolicy? policy = new PolicyCompiler(Document, subjects, keys, bag, running: true).Compile();
        foreach (Diagnostic diagnostic in bag.ToList()) { diagnostics.Add(diagnostic); }
        if (bag.ErrorCount > 0 || policy is null) { return null; }
        foreach ((string name, CompiledBinding binding) in policy.Bindings) { binding.Succeed(Bindings[name]); }
        return policy;
    }

    /// <summary>Checks a policy against its bindings' schemas, and compiles it.</summary>
    /// <param name="subjects">By binding name; one for each binding. A binding with <c>key_format: avro</c> has its key's subject under <c>NAME/key</c>.</param>
    /// <param name="keys">Supplied by the host; a name that is missing is a diagnostic.</param>
    /// <returns>Null where a diagnostic of severity error was added, or the document's own file had one.</returns>
    public static CompiledPolicy? Compile(PolicyDocument document, IReadOnlyDictionary<string, SubjectSchemas> subjects, KeyRing keys, ICollection<Diagnostic> diagnostics)
    {
        var bag = new DiagnosticBag(document.Path);
        CompiledPolicy? policy = new PolicyCompiler(document, subjects, keys, bag).Compile();
        foreach (Diagnostic diagnostic in bag.ToList()) { diagnostics.Add(diagnostic); }
        return bag.ErrorCount > 0 || document.HasErrors ? null : policy;
    }
}
