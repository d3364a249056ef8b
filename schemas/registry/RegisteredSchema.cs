namespace PolicyStreams.Schemas.Registry;

/// <summary>A place where a schema stands in a registry.</summary>
/// <param name="Version">1 or greater.</param>
public readonly record struct SubjectVersion(string Subject, int Version);

/// <summary>A schema that another one refers to, fetched.</summary>
/// <param name="Name">As the referring schema spells it: a full type name (Avro), a URI (JSON), an import path (Protobuf).</param>
public sealed record ReferencedSchema(string Name, string Subject, int Version, string Text);

/// <summary>A schema as a registry holds it. Immutable.</summary>
public sealed record RegisteredSchema
{
    /// <summary>Version under the subject that was asked for; 0 where no subject was, or the schema is not a version of it.</summary>
    public int Version { get; init; }

    /// <summary>1 or greater; 0 only where it was asked for by GUID and is no version of the subject.</summary>
    public required int Id { get; init; }

    /// <summary>Null where the registry gives no GUIDs.</summary>
    public Guid? Guid { get; init; }

    /// <summary>The registry's word for the format: <c>AVRO</c>, <c>JSON</c>, or <c>PROTOBUF</c>.</summary>
    public string Type { get; init; } = "AVRO";

    public required string Text { get; init; }

    /// <summary>Everything the schema refers to, directly or not, each once, those that others need first. Empty where the schema was asked for with a subject that it is not a version of.</summary>
    public IReadOnlyList<ReferencedSchema> References { get; init; } = [];

    /// <summary>Tags by path from the registry's metadata (<c>metadata.tags</c>), beside those in the text. Paths are as the registry spells them.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Tags { get; init; } = EmptyTags;

    /// <summary>The subjects and versions under which the id stands, as far as was asked: by id all of them, by subject that one.</summary>
    public IReadOnlyList<SubjectVersion> Versions { get; init; } = [];

    /// <summary>True for a version that the registry has deleted softly and still shows: it may not write any more, and its tags go on counting.</summary>
    public bool Deleted { get; init; }

    /// <summary>Null, or why the schema cannot be used though the registry has it: a reference that leads nowhere, or too many of them. Records that name it are denied; asking again does not help.</summary>
    public string? Unusable { get; init; }

    private static Dictionary<string, IReadOnlyList<string>> EmptyTags { get; } = [];

    /// <summary>The schema's latest version under a subject; 0 where it is not a version of it.</summary>
    public int VersionOf(string subject)
    {
        int latest = 0;
        foreach (SubjectVersion place in Versions)
        {
            if (place.Subject == subject && place.Version > latest) { latest = place.Version; }
        }

        return latest;
    }
}
