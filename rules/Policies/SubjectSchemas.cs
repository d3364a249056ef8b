using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>A version of a subject as the registry gave it.</summary>
public sealed record SchemaVersion(int Version, int Id, RecordSchema Schema)
{
    /// <summary>
    /// Tags from the registry's metadata beside those in the schema's text, by pattern. A pattern is matched with the full name of a field (<c>shop.Customer.email</c>):
    /// <c>**</c> is any text, <c>*</c> any without a dot, <c>?</c> one character but a dot.
    /// </summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Tags { get; init; } = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>Null where the registry gives no GUIDs, or there is none. Records may name the version by it.</summary>
    public Guid? Guid { get; init; }

    /// <summary>True where the registry has deleted the version: nothing may be written by it any more, and its tags go on counting.</summary>
    public bool Deleted { get; init; }

    /// <summary>The writer that refuses the version's records, where no record may be written by it: it was deleted, or is not the record that the subject is named after.</summary>
    internal Writer? Refusal(string? recordName)
    {
        string? why = Deleted ? "not-a-version" : recordName is not null && Schema.Type.FullName != recordName ? "record-name" : null;
        return why is null ? null : new Writer { SchemaId = Id, Version = Version, Refusal = why, RefusedForGood = true };
    }
}

/// <summary>
/// All versions of a binding's subject, oldest first. For a <c>schema: FILE</c> binding or JSON without a schema: one version, id 0;
/// values are then taken as unframed, whatever the binding's framing.
/// </summary>
public sealed record SubjectSchemas(string Subject, IReadOnlyList<SchemaVersion> Versions)
{
    /// <summary>What the versions' ids are numbers of.</summary>
    public SchemaIds Ids { get; init; }

    /// <summary>Number of the version that conditions and paths are checked against; 0: the latest. A running binding keeps it when versions are added to its subject.</summary>
    public int Pinned { get; init; }

    /// <summary>The version that conditions and paths are checked against.</summary>
    public SchemaVersion CheckedVersion
    {
        get
        {
            SchemaVersion latest = Versions[^1];
            foreach (SchemaVersion version in Versions)
            {
                if (version.Version == Pinned) { return version; }
                if (!version.Deleted) { latest = version; }
            }

            return latest;
        }
    }

    public RecordSchema Checked => CheckedVersion.Schema;

    /// <summary>Full name of the record that all versions are seen as, where a schema has several (Protobuf): the one that is named, else the checked version's first. Null elsewhere.</summary>
    public string? RecordOf(string? named) => Checked.Format != SchemaFormat.Protobuf ? null : named ?? Checked.Type.FullName;

    /// <summary>The same versions, each seen as the record of this name; see <see cref="RecordOf"/>.</summary>
    public SubjectSchemas ForRecord(string? named) =>
        RecordOf(named) is { } record ? this with { Versions = [.. Versions.Select(version => version with { Schema = version.Schema.ForRecord(record) })] } : this;

    /// <summary>
    /// The same binding's schemas once the registry has more: versions that were known stay, so that no tag is lost, new ones are added, and the checked version stays what it is.
    /// Returns this instance where there is nothing new.
    /// </summary>
    public SubjectSchemas With(IReadOnlyList<SchemaVersion> found)
    {
        var merged = new SortedDictionary<int, SchemaVersion>();
        foreach (SchemaVersion version in Versions) { merged[version.Version] = version; }
        bool changed = false;
        foreach (SchemaVersion version in found)
        {
            if (!merged.TryGetValue(version.Version, out SchemaVersion? known))
            {
                merged[version.Version] = version;
                changed = true;
            }
            else if (version.Tags.Any(tag => !known.Tags.TryGetValue(tag.Key, out IReadOnlyList<string>? tags) || !tag.Value.All(tags.Contains)))
            {
                // Metadata can be changed on a version that stands: what it tags adds up as well.
                merged[version.Version] = known with { Tags = Union(known.Tags, version.Tags) };
                changed = true;
            }
        }

        return changed ? this with { Versions = [.. merged.Values], Pinned = CheckedVersion.Version } : this;
    }

    /// <summary>The same with those of <paramref name="before"/> that are not there any more, as deleted: their tags go on counting as long as somebody remembers them.</summary>
    public SubjectSchemas Remembering(SubjectSchemas before)
    {
        List<SchemaVersion> gone = [.. before.Versions.Where(version => version.Id > 0 && Versions.All(other => other.Version != version.Version)).Select(version => version with { Deleted = true })];
        return gone.Count == 0 ? this : this with { Versions = [.. Versions.Concat(gone).OrderBy(version => version.Version)] };
    }

    private static Dictionary<string, IReadOnlyList<string>> Union(IReadOnlyDictionary<string, IReadOnlyList<string>> one, IReadOnlyDictionary<string, IReadOnlyList<string>> other)
    {
        var all = new Dictionary<string, IReadOnlyList<string>>(one, StringComparer.Ordinal);
        foreach ((string pattern, IReadOnlyList<string> tags) in other) { all[pattern] = all.TryGetValue(pattern, out IReadOnlyList<string>? known) ? [.. known.Union(tags)] : tags; }
        return all;
    }
}
