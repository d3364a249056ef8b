namespace PolicyStreams.Schemas.Registry;

/// <summary>A schema registry, as the processor and lint ask it. Thread-safe. Failures are answers: only cancellation throws.</summary>
public interface ISchemaRegistry
{
    /// <summary>The schema of an id that a record named.</summary>
    /// <param name="id">1 or greater.</param>
    /// <param name="subject">The binding's subject: found schemas tell their version under it (0: not admitted), and its context, where it has one, is where the id counts. Null for the default context.</param>
    Task<RegistryAnswer<RegisteredSchema>> GetByIdAsync(int id, string? subject, CancellationToken cancellationToken);

    /// <summary>The schema of a GUID that a record named; otherwise as <see cref="GetByIdAsync"/>. One that is no version of the subject may come with id 0: Confluent's registry does not tell it.</summary>
    Task<RegistryAnswer<RegisteredSchema>> GetByGuidAsync(Guid guid, string? subject, CancellationToken cancellationToken);

    /// <summary>All versions of a subject, oldest first; where found at least one that is not deleted. Deleted ones that the registry still shows are marked so.</summary>
    Task<RegistryAnswer<IReadOnlyList<RegisteredSchema>>> GetSubjectAsync(string subject, CancellationToken cancellationToken);

    /// <summary>The same registry by other ids: it takes and gives those of this kind alone. With Apicurio's a subject has to be named, and schemas of other subjects come without their text.</summary>
    /// <exception cref="NotSupportedException">It knows no ids but its own.</exception>
    ISchemaRegistry By(SchemaIds ids) => ids == SchemaIds.Registry ? this : throw new NotSupportedException("The registry knows no ids but its own.");
}
