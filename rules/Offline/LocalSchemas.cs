using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Json;
using PolicyStreams.Schemas.JsonSchema;
using PolicyStreams.Schemas.Protobuf;

namespace PolicyStreams.Rules;

/// <summary>
/// Schemas of bindings from files, for work without a registry. A subject is one file, <c>SUBJECT.avsc</c>, whose values are unframed; or several versions of it,
/// <c>SUBJECT.v1.avsc</c>, <c>SUBJECT.v2.avsc</c>, … without a gap, whose numbers are their ids as well.
/// </summary>
public static class LocalSchemas
{
    private const int VersionsMax = 1_000;
    private const int ImportsMax = 1_000;

    /// <summary>Where the schema of a binding's values may be, relative to the policy's folder, first choice first. Empty where it needs none.</summary>
    public static IReadOnlyList<string> Candidates(BindingDocument binding) => Candidates(binding.SchemaFile, binding.Subject, binding.Format);

    /// <summary>The same for its keys.</summary>
    public static IReadOnlyList<string> KeyCandidates(BindingDocument binding) =>
        binding.KeyFormat == KeyFormat.Avro ? Candidates(binding.KeySchemaFile, binding.KeySubject, SchemaFormat.Avro) : [];

    /// <summary>One version, id 0: its values are unframed.</summary>
    /// <param name="text">The schema's text; ignored for JSON without a schema.</param>
    /// <param name="read">Gives the text of a file that a Protobuf schema imports or a JSON Schema refers to, by its path relative to the policy's folder; null where there is none.</param>
    /// <exception cref="SchemaException">The text is no schema of the binding's format.</exception>
    public static SubjectSchemas Single(BindingDocument binding, string? text, Func<string, string?>? read = null)
    {
        RecordSchema schema = binding.Format == SchemaFormat.Json && binding.Subject is null && binding.SchemaFile is null && text is null
            ? SchemalessJson.Instance : Parse(binding.Format, text ?? "", Imports(binding.SchemaFile ?? "", read));
        return new SubjectSchemas(binding.Subject ?? "", [new SchemaVersion(1, 0, schema)]);
    }

    /// <summary>The same for a binding's Avro keys.</summary>
    /// <exception cref="SchemaException">The text is no Avro schema.</exception>
    public static SubjectSchemas SingleKey(BindingDocument binding, string text) => new(binding.KeySubject ?? "", [new SchemaVersion(1, 0, Parse(SchemaFormat.Avro, text))]);

    /// <summary>Several versions, oldest first; ids are numbers of versions, from 1.</summary>
    /// <exception cref="SchemaException">A text is no schema of the format; the message names the version.</exception>
    public static SubjectSchemas Several(string subject, SchemaFormat format, IReadOnlyList<string> texts, Func<string, string?>? read = null)
    {
        var versions = new List<SchemaVersion>();
        foreach (string text in texts)
        {
            try { versions.Add(new SchemaVersion(versions.Count + 1, versions.Count + 1, Parse(format, text, read))); }
            catch (SchemaException fault) { throw new SchemaException($"version {versions.Count + 1}: {fault.Message}"); }
        }

        return new SubjectSchemas(subject, versions);
    }

    /// <summary>
    /// The schemas of a policy's bindings, each from the first file that is there; those of Avro keys under <c>NAME/key</c>.
    /// </summary>
    /// <param name="read">Gives a file's text by its path relative to the policy's folder; null where there is none.</param>
    /// <param name="diagnostics">Says what is missing or cannot be used.</param>
    public static IReadOnlyDictionary<string, SubjectSchemas> Load(PolicyDocument policy, Func<string, string?> read, ICollection<Diagnostic> diagnostics)
    {
        var bag = new DiagnosticBag(policy.Path);
        var found = new Dictionary<string, SubjectSchemas>(StringComparer.Ordinal);
        foreach (BindingDocument binding in policy.Bindings)
        {
            Find(binding.Name, binding.Format, binding.Subject ?? "", Candidates(binding), binding, "");
            if (binding.KeyFormat == KeyFormat.Avro) { Find(binding.Name + "/key", SchemaFormat.Avro, binding.KeySubject ?? "", KeyCandidates(binding), binding, "keys of "); }
        }

        foreach (Diagnostic diagnostic in bag.ToList()) { diagnostics.Add(diagnostic); }
        return found;

        void Find(string name, SchemaFormat format, string subject, IReadOnlyList<string> candidates, BindingDocument binding, string of)
        {
            if (candidates.Count == 0)
            {
                found[name] = Single(binding, null);
                return;
            }

            foreach (string candidate in candidates)
            {
                string? single = read(candidate);
                List<string> several = candidate == binding.SchemaFile || candidate == binding.KeySchemaFile ? [] : Versions(candidate, read);
                if (single is null && several.Count == 0) { continue; }
                if (single is not null && several.Count > 0)
                {
                    bag.Error(binding.Node, DiagnosticCodes.SchemaUnusable, $"`{candidate}` and `{Numbered(candidate, 1)}` are both there, for {of}binding `{binding.Name}`", "one file is the subject's only version; or every version has its number");
                    return;
                }

                try { found[name] = single is null ? Several(subject, format, several, Imports(candidate, read)) : new SubjectSchemas(subject, [new SchemaVersion(1, 0, Parse(format, single, Imports(candidate, read)))]); }
                catch (SchemaException fault) { bag.Error(binding.Node, DiagnosticCodes.SchemaUnusable, $"schema `{candidate}` of {of}binding `{binding.Name}`: {fault.Message}"); }
                return;
            }

            bag.Error(binding.Node, DiagnosticCodes.SchemaMissing, $"no schema for {of}binding `{binding.Name}`: there is no file {string.Join(" or ", candidates.Select(candidate => $"`{candidate}`"))}", "give one, or ask a registry: --registry URL");
        }
    }

    private static string[] Candidates(string? file, string? subject, SchemaFormat format)
    {
        if (file is not null) { return [file]; }
        if (subject is null) { return []; }
        string ending = format switch { SchemaFormat.Avro => ".avsc", SchemaFormat.Json => ".json", _ => ".proto" };

        // A context or a slash in a subject's name is no folder of ours.
        string name = string.Concat(subject.Select(c => c is '/' or '\\' or ':' ? '_' : c));
        return [name + ending, $"schemas/{name}{ending}", $"../schemas/{name}{ending}"];
    }

    private static List<string> Versions(string candidate, Func<string, string?> read)
    {
        var texts = new List<string>();
        while (texts.Count < VersionsMax && read(Numbered(candidate, texts.Count + 1)) is { } text) { texts.Add(text); }
        return texts;
    }

    private static string Numbered(string candidate, int version)
    {
        int dot = candidate.LastIndexOf('.');
        return $"{candidate[..dot]}.v{version}{candidate[dot..]}";
    }

    /// <summary>Finds what a schema imports or refers to beside its file, else from the policy's folder on; never outside of them.</summary>
    private static Func<string, string?>? Imports(string file, Func<string, string?>? read)
    {
        if (read is null) { return null; }
        string folder = file[..(file.LastIndexOf('/') + 1)];
        return import => import.StartsWith('/') || import.Contains('\\', StringComparison.Ordinal) || import.Split('/').Contains("..") ? null : read(folder + import) ?? read(import);
    }

    private static ProtobufSchema Protobuf(string text, Func<string, string?>? read)
    {
        var references = new List<SchemaReferenceText>();
        var asked = new HashSet<string>(StringComparer.Ordinal);
        var open = new Queue<string>([text]);
        while (read is not null && open.TryDequeue(out string? next))
        {
            foreach (string import in ProtobufSchema.Imports(next))
            {
                if (!asked.Add(import) || asked.Count > ImportsMax || read(import) is not { } found) { continue; }
                references.Add(new SchemaReferenceText(import, found));
                open.Enqueue(found);
            }
        }

        return ProtobufSchema.Parse(text, references);
    }

    private static RecordSchema Parse(SchemaFormat format, string text, Func<string, string?>? read = null) => format switch
    {
        SchemaFormat.Avro => AvroSchema.Parse(text, []),
        SchemaFormat.Json => read is null ? ValidatedJson.Parse(text) : ValidatedJson.Parse(text, read),
        _ => Protobuf(text, read),
    };
}
