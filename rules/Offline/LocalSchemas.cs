using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Rules;

/// <summary>Schemas of bindings from files, for work without a registry.</summary>
public static class LocalSchemas
{
    /// <summary>Where the schema of a binding may be, relative to the policy's folder, first choice first. Empty where it needs none.</summary>
    public static IReadOnlyList<string> Candidates(BindingDocument binding)
    {
        if (binding.SchemaFile is { } file) { return [file]; }
        if (binding.Subject is not { } subject) { return []; }
        string ending = binding.Format switch { SchemaFormat.Avro => ".avsc", SchemaFormat.Json => ".json", _ => ".proto" };
        return [subject + ending, $"schemas/{subject}{ending}", $"../schemas/{subject}{ending}"];
    }

    /// <summary>One version, id 0: its values are unframed.</summary>
    /// <param name="text">The schema's text; ignored for JSON without a schema.</param>
    /// <exception cref="SchemaException">The text is no schema of the binding's format.</exception>
    public static SubjectSchemas Single(BindingDocument binding, string? text)
    {
        RecordSchema schema = binding.Format switch
        {
            SchemaFormat.Json when binding.Subject is null && binding.SchemaFile is null && text is null => SchemalessJson.Instance,
            SchemaFormat.Avro => AvroSchema.Parse(text ?? "", []),
            SchemaFormat.Json => throw new SchemaException("schemas for JSON are not supported yet; leave `subject` and `schema` out"),
            _ => throw new SchemaException("format protobuf is not supported yet"),
        };
        return new SubjectSchemas(binding.Subject ?? "", [new SchemaVersion(1, 0, schema)]);
    }

    /// <summary>
    /// The schemas of a policy's bindings, each from the first file that is there.
    /// </summary>
    /// <param name="read">Gives a file's text by its path relative to the policy's folder; null where there is none.</param>
    /// <param name="diagnostics">Says what is missing or cannot be used.</param>
    public static IReadOnlyDictionary<string, SubjectSchemas> Load(PolicyDocument policy, Func<string, string?> read, ICollection<Diagnostic> diagnostics)
    {
        var bag = new DiagnosticBag(policy.Path);
        var found = new Dictionary<string, SubjectSchemas>(StringComparer.Ordinal);
        foreach (BindingDocument binding in policy.Bindings)
        {
            IReadOnlyList<string> candidates = Candidates(binding);
            string? text = null;
            string from = "";
            foreach (string candidate in candidates)
            {
                if ((text = read(candidate)) is null) { continue; }
                from = candidate;
                break;
            }

            if (text is null && candidates.Count > 0)
            {
                bag.Error(binding.Node, DiagnosticCodes.SchemaMissing, $"no schema for binding `{binding.Name}`: there is no file {string.Join(" or ", candidates.Select(candidate => $"`{candidate}`"))}", "give one, or ask a registry: --registry URL");
                continue;
            }

            try { found[binding.Name] = Single(binding, text); }
            catch (SchemaException fault) { bag.Error(binding.Node, DiagnosticCodes.SchemaUnusable, from.Length > 0 ? $"schema `{from}` of binding `{binding.Name}`: {fault.Message}" : $"binding `{binding.Name}`: {fault.Message}"); }
        }

        foreach (Diagnostic diagnostic in bag.ToList()) { diagnostics.Add(diagnostic); }
        return found;
    }
}
