using System.Text.Json;

namespace PolicyStreams.Schemas.Registry;

/// <summary>A reference as a registry writes it.</summary>
internal readonly record struct SchemaReference(string Name, string Subject, int Version);

/// <summary>A schema object of a registry's answer, references not fetched.</summary>
internal sealed record SchemaBody(
    int Id, string Subject, int Version, Guid? Guid, string Type, string Text, IReadOnlyList<SchemaReference> References, IReadOnlyDictionary<string, IReadOnlyList<string>> Tags);

/// <summary>The two numbers that Apicurio has for a version, each 1 or greater.</summary>
internal sealed record ApicurioIds(int Global, int Content);

/// <summary>Reads a registry's answers. Null for anything that is not what the endpoint answers; unknown members are ignored.</summary>
internal static class RegistryJson
{
    private static readonly Dictionary<string, IReadOnlyList<string>> _noTags = [];

    public static SchemaBody? Schema(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object || Text(root, "schema") is not string text) { return null; }
        if (!TryInt(root, "id", out int id) || !TryInt(root, "version", out int version)) { return null; }
        if (!TryReferences(root, out List<SchemaReference> references)) { return null; }
        Guid? guid = Text(root, "guid") is string given && System.Guid.TryParse(given, out Guid parsed) ? parsed : null;
        return new SchemaBody(id, Text(root, "subject") ?? "", version, guid, (Text(root, "schemaType") ?? "AVRO").ToUpperInvariant(), text, references, Tags(root));
    }

    public static List<int>? Numbers(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Array) { return null; }
        var numbers = new List<int>(root.GetArrayLength());
        foreach (JsonElement element in root.EnumerateArray())
        {
            if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt32(out int number) || number < 1) { return null; }
            numbers.Add(number);
        }

        return numbers;
    }

    public static List<SubjectVersion>? SubjectVersions(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Array) { return null; }
        var places = new List<SubjectVersion>(root.GetArrayLength());
        foreach (JsonElement element in root.EnumerateArray())
        {
            if (element.ValueKind != JsonValueKind.Object || Text(element, "subject") is not string subject || !TryInt(element, "version", out int version) || version < 1) { return null; }
            places.Add(new SubjectVersion(subject, version));
        }

        return places;
    }

    public static ApicurioIds? Apicurio(JsonElement root) =>
        root.ValueKind == JsonValueKind.Object && TryInt(root, "globalId", out int global) && TryInt(root, "contentId", out int content) && global > 0 && content > 0
            ? new ApicurioIds(global, content)
            : null;

    private static string? Text(JsonElement element, string name)
    {
        if (!element.TryGetProperty(name, out JsonElement value) || value.ValueKind != JsonValueKind.String) { return null; }
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            // Bytes that are not UTF-8, or half a surrogate pair.
            return null;
        }
    }

    /// <summary>True where the member is an int or not there (then 0).</summary>
    private static bool TryInt(JsonElement element, string name, out int value)
    {
        value = 0;
        return !element.TryGetProperty(name, out JsonElement member) || member.ValueKind == JsonValueKind.Null
            || (member.ValueKind == JsonValueKind.Number && member.TryGetInt32(out value));
    }

    private static bool TryReferences(JsonElement root, out List<SchemaReference> references)
    {
        references = [];
        if (!root.TryGetProperty("references", out JsonElement list) || list.ValueKind == JsonValueKind.Null) { return true; }
        if (list.ValueKind != JsonValueKind.Array) { return false; }
        foreach (JsonElement element in list.EnumerateArray())
        {
            if (element.ValueKind != JsonValueKind.Object || Text(element, "name") is not string name || Text(element, "subject") is not string subject
                || !TryInt(element, "version", out int version))
            {
                return false;
            }

            references.Add(new SchemaReference(name, subject, version));
        }

        return true;
    }

    private static Dictionary<string, IReadOnlyList<string>> Tags(JsonElement root)
    {
        if (!root.TryGetProperty("metadata", out JsonElement metadata) || metadata.ValueKind != JsonValueKind.Object
            || !metadata.TryGetProperty("tags", out JsonElement tags) || tags.ValueKind != JsonValueKind.Object)
        {
            return _noTags;
        }

        var byPath = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        foreach (JsonProperty path in tags.EnumerateObject())
        {
            if (path.Value.ValueKind != JsonValueKind.Array) { continue; }
            var names = new List<string>();
            foreach (JsonElement name in path.Value.EnumerateArray())
            {
                if (name.ValueKind == JsonValueKind.String) { names.Add(name.GetString()!); }
            }

            byPath[path.Name] = names;
        }

        return byPath;
    }
}
