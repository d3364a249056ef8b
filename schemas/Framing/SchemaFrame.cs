namespace PolicyStreams.Schemas;

/// <summary>How a frame names the schema.</summary>
public enum SchemaRefKind : byte
{
    /// <summary>Not at all: the binding pins it.</summary>
    None,
    /// <summary>By the registry's number.</summary>
    Id,
    /// <summary>By the registry's GUID.</summary>
    Guid,
}

/// <summary>Which schema a record says it was written with. <paramref name="Id"/> is 1 or greater where <paramref name="Kind"/> is Id (above 2^31 with Apicurio's 8-byte ids only), else 0.</summary>
public readonly record struct SchemaRef(SchemaRefKind Kind, long Id, Guid Guid)
{
    public static SchemaRef None => default;

    public static SchemaRef ById(long id) => new(SchemaRefKind.Id, id, default);

    public static SchemaRef ByGuid(Guid guid) => new(SchemaRefKind.Guid, 0, guid);

    public override string ToString() => Kind switch
    {
        SchemaRefKind.Id => Id.ToString(System.Globalization.CultureInfo.InvariantCulture),
        SchemaRefKind.Guid => Guid.ToString(),
        _ => "none",
    };
}

/// <summary>What stands around a record's payload.</summary>
/// <param name="Schema">The schema the record names.</param>
/// <param name="PayloadStart">Where the payload begins in the value: 0 where the header alone names the schema. For Protobuf, message indexes come first there.</param>
public readonly record struct SchemaFrame(SchemaRef Schema, int PayloadStart)
{
    /// <summary>True where nothing may be read yet: first somebody says whose id <see cref="Schema"/> is, and then the frame is read again.</summary>
    public bool Unsettled { get; init; }
}

/// <summary>What is known of a schema id.</summary>
public enum SchemaIdStanding : byte
{
    /// <summary>Nobody was asked.</summary>
    Unknown,
    /// <summary>The registry has no schema under it.</summary>
    Absent,
    /// <summary>A schema has it, whoever may use that.</summary>
    Present,
}

/// <summary>
/// What is known of schema ids, for the one question that bytes alone cannot answer: a header names a schema by GUID and the value begins like a prefix with an id
/// (or the other way round). An Avro payload may well begin with a zero byte.
/// </summary>
public interface IFrameRivals
{
    /// <summary>Whether a schema has the id, and which. Called on the record path: must not block.</summary>
    /// <param name="guid">The schema's GUID; null where that is not known.</param>
    SchemaIdStanding Standing(int id, out Guid? guid);
}
