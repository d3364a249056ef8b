namespace PolicyStreams.Rules;

/// <summary>A policy checked against its schemas and compiled. Immutable, thread-safe (the cache of writers inside is concurrent).</summary>
public sealed class CompiledPolicy
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
