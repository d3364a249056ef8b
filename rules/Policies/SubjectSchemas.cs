using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>A version of a subject as the registry gave it.</summary>
public sealed record SchemaVersion(int Version, int Id, RecordSchema Schema);

/// <summary>
/// All versions of a binding's subject, oldest first. The last is the checked schema. For a <c>schema: FILE</c> binding or JSON without a schema: one version, id 0;
/// values are then taken as unframed, whatever the binding's framing.
/// </summary>
public sealed record SubjectSchemas(string Subject, IReadOnlyList<SchemaVersion> Versions)
{
    public RecordSchema Checked => Versions[^1].Schema;
}
