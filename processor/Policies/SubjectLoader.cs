using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Json;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Processor.Policies;

/// <summary>What fetching the schemas of a policy's bindings came to.</summary>
/// <param name="Subjects">By binding name, those of Avro keys under <c>NAME/key</c>; null where one is missing, which the diagnostics say, or could not be fetched.</param>
/// <param name="Unreachable">Why the registry could not answer; null where it could. Asking again may help.</param>
/// <param name="Conflict">True where the reason is that the registry gives another schema under a known id.</param>
public sealed record SubjectLoad(IReadOnlyDictionary<string, SubjectSchemas>? Subjects, string? Unreachable, bool Conflict);

/// <summary>Fetches the schemas that policies name: subjects from the registry, files from beside the policy. Subjects that several bindings share are asked for once.</summary>
/// <param name="registry">Null where there is none: a binding that needs it is then a diagnostic.</param>
public sealed class SubjectLoader(ISchemaRegistry? registry)
{
    private readonly Dictionary<(string Subject, SchemaIds Ids), RegistryAnswer<IReadOnlyList<RegisteredSchema>>> _answers = [];

    /// <summary>Fetches what one policy needs.</summary>
    /// <param name="diagnostics">Added to: what is missing, and what cannot be used, by subject and version.</param>
    public async Task<SubjectLoad> LoadAsync(PolicyDocument policy, ICollection<Diagnostic> diagnostics, CancellationToken cancellationToken)
    {
        var found = new Dictionary<string, SubjectSchemas>(StringComparer.Ordinal);
        bool missing = false;
        foreach (BindingDocument binding in policy.Bindings)
        {
            foreach (bool key in (bool[])[false, true])
            {
                if (key && binding.KeyFormat != KeyFormat.Avro) { continue; }
                string? subject = key ? binding.KeySubject : binding.Subject;
                SubjectSchemas? schemas;
                if (subject is null) { schemas = FromFile(policy, binding, key, diagnostics); }
                else
                {
                    RegistryAnswer<IReadOnlyList<RegisteredSchema>>? answer = await AskAsync(subject, key ? binding.KeySchemaIds : binding.SchemaIds, cancellationToken).ConfigureAwait(false);
                    if (answer is { Kind: RegistryAnswerKind.Unreachable or RegistryAnswerKind.Conflict } failure) { return new SubjectLoad(null, failure.Reason, failure.Kind == RegistryAnswerKind.Conflict); }
                    schemas = FromRegistry(policy, binding, key, subject, answer, diagnostics);
                }

                if (schemas is null) { missing = true; }
                else { found[key ? binding.Name + "/key" : binding.Name] = schemas; }
            }
        }

        return new SubjectLoad(missing ? null : found, null, false);
    }

    /// <summary>A registered schema as a version of its subject.</summary>
    /// <param name="format">The binding's: a version of another is none of its writers.</param>
    /// <exception cref="SchemaException">It cannot be parsed, is of another format, or what it refers to is not there.</exception>
    public static SchemaVersion Parse(RegisteredSchema schema, SchemaFormat format)
    {
        if (schema.Unusable is { } why) { throw new SchemaException(why); }
        RecordSchema parsed = SchemaParser.Parse(schema.Type, schema.Text, [.. schema.References.Select(reference => new SchemaReferenceText(reference.Name, reference.Text))]);
        if (parsed.Format != format) { throw new SchemaException($"it is of format {schema.Type}, and the binding's is {format.ToString().ToUpperInvariant()}"); }
        return new SchemaVersion(schema.Version, schema.Id, parsed) { Guid = schema.Guid, Tags = schema.Tags, Deleted = schema.Deleted };
    }

    private async Task<RegistryAnswer<IReadOnlyList<RegisteredSchema>>?> AskAsync(string subject, SchemaIds ids, CancellationToken cancellationToken)
    {
        if (registry is null) { return null; }
        if (_answers.TryGetValue((subject, ids), out RegistryAnswer<IReadOnlyList<RegisteredSchema>> known)) { return known; }
        RegistryAnswer<IReadOnlyList<RegisteredSchema>> answer = await registry.By(ids).GetSubjectAsync(subject, cancellationToken).ConfigureAwait(false);
        if (answer.Kind is RegistryAnswerKind.Found or RegistryAnswerKind.NotFound) { _answers[(subject, ids)] = answer; }
        return answer;
    }

    private static SubjectSchemas? FromRegistry(
        PolicyDocument policy, BindingDocument binding, bool key, string subject, RegistryAnswer<IReadOnlyList<RegisteredSchema>>? answer, ICollection<Diagnostic> diagnostics)
    {
        string what = key ? $"keys of binding `{binding.Name}`" : $"binding `{binding.Name}`";
        if (answer is null)
        {
            diagnostics.Add(Of(policy, DiagnosticCodes.SchemaMissing, $"{what} {(key ? "have" : "has")} subject `{subject}`, and no registry is given", $"give --registry URL, or a schema file with `{(key ? "key_schema" : "schema")}:` for work offline"));
            return null;
        }

        if (!answer.Value.IsFound)
        {
            diagnostics.Add(Of(policy, DiagnosticCodes.SchemaMissing, $"the registry has no subject `{subject}`, which {what} {(key ? "name" : "names")}", "register its schema first, or name the subject that producers use"));
            return null;
        }

        var versions = new List<SchemaVersion>();
        bool sound = true;
        foreach (RegisteredSchema registered in answer.Value.Value)
        {
            try { versions.Add(Parse(registered, key ? SchemaFormat.Avro : binding.Format)); }
            catch (SchemaException fault)
            {
                diagnostics.Add(Of(policy, DiagnosticCodes.SchemaUnusable, $"version {registered.Version} of subject `{subject}` cannot be used: {fault.Message}", $"{what} {(key ? "take" : "takes")} every version of its subject: mend it, or delete the version"));
                sound = false;
            }
        }

        return sound ? new SubjectSchemas(subject, versions) { Ids = key ? binding.KeySchemaIds : binding.SchemaIds } : null;
    }

    private static SubjectSchemas? FromFile(PolicyDocument policy, BindingDocument binding, bool key, ICollection<Diagnostic> diagnostics)
    {
        string? file = key ? binding.KeySchemaFile : binding.SchemaFile;
        if (file is null) { return new SubjectSchemas("", [new SchemaVersion(1, 0, SchemalessJson.Instance)]); }
        string what = key ? $"keys of binding `{binding.Name}`" : $"binding `{binding.Name}`";
        try
        {
            string folder = Path.GetDirectoryName(Path.GetFullPath(policy.Path)) ?? ".";
            string text = File.ReadAllText(Path.Combine(folder, file));
            return key ? LocalSchemas.SingleKey(binding, text) : LocalSchemas.Single(binding, text, imported => File.Exists(Path.Combine(folder, imported)) ? File.ReadAllText(Path.Combine(folder, imported)) : null);
        }
        catch (SchemaException fault)
        {
            diagnostics.Add(Of(policy, DiagnosticCodes.SchemaUnusable, $"schema `{file}` of {what} cannot be used: {fault.Message}", null));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or ArgumentException)
        {
            diagnostics.Add(Of(policy, DiagnosticCodes.SchemaMissing, $"schema file `{file}` of {what} cannot be read: {fault.Message}", "it is relative to the policy's folder"));
        }

        return null;
    }

    private static Diagnostic Of(PolicyDocument policy, string code, string message, string? help) => new(policy.Path, 1, 1, code, Severity.Error, message, help);
}
