using System.Globalization;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>
/// Protobuf fields go by their numbers: one that has another name in another version is the same field in the bytes, and its tags are those of all its names.
/// </summary>
internal static class SchemaNumbers
{
    private const int PathsMax = 20_000;

    /// <summary>Gives each path the tags of every path that is the same field by its numbers, in any version.</summary>
    public static void Unite(IReadOnlyList<SchemaVersion> versions, Dictionary<string, IReadOnlySet<string>> tags)
    {
        if (tags.Count == 0) { return; }
        foreach (IReadOnlySet<string> same in Same(versions))
        {
            SortedSet<string> all = new([.. same.SelectMany(path => tags.GetValueOrDefault(path) ?? Enumerable.Empty<string>())], StringComparer.Ordinal);
            if (all.Count == 0) { continue; }
            foreach (string path in same) { tags[path] = all; }
        }
    }

    /// <summary>Paths that are one field by its numbers, where it has several names. Nothing for other formats.</summary>
    public static IReadOnlyList<IReadOnlySet<string>> Same(IReadOnlyList<SchemaVersion> versions)
    {
        if (versions.Count < 2 || versions[^1].Schema.Format != SchemaFormat.Protobuf) { return []; }
        var names = new Dictionary<string, SortedSet<string>>(StringComparer.Ordinal);
        foreach (SchemaVersion version in versions)
        {
            int budget = PathsMax;
            Walk(version.Schema.Type, "", "", [], ref budget, names);
        }

        return [.. names.Values.Where(same => same.Count > 1)];
    }

    private static void Walk(SchemaType type, string numbers, string path, List<SchemaType> open, ref int budget, Dictionary<string, SortedSet<string>> names)
    {
        if (type.Element is { } element) { Walk(element, numbers + "[*]", path + "[*]", open, ref budget, names); }
        if (type.Kind != ValueKind.Record || open.Count > PathText.StepsMax || open.Count(one => ReferenceEquals(one.Fields, type.Fields)) > 1) { return; }
        open.Add(type);
        foreach (SchemaField field in type.Fields)
        {
            if (--budget <= 0) { break; }
            string own = string.Create(CultureInfo.InvariantCulture, $"{numbers}.{field.Number}");
            string spelled = path.Length == 0 ? field.Name : $"{path}.{field.Name}";
            if (!names.TryGetValue(own, out SortedSet<string>? known)) { names.Add(own, known = new SortedSet<string>(StringComparer.Ordinal)); }
            known.Add(spelled);
            Walk(field.Type, own, spelled, open, ref budget, names);
        }

        open.RemoveAt(open.Count - 1);
    }
}
