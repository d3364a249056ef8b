namespace PolicyStreams.Rules;

/// <summary>What the judge came to. Answer what it needs by <see cref="CompiledBinding.Answer"/>, and ask again.</summary>
/// <param name="NeededSchemaId">Where not decided: the schema id to fetch; 0 where the record names its schema by <see cref="NeededSchemaGuid"/>.</param>
public readonly record struct JudgeResult(bool Decided, int NeededSchemaId)
{
    public static JudgeResult Done => new(true, 0);

    /// <summary>Where not decided and <see cref="NeededSchemaId"/> is 0: the GUID of the schema to fetch; else null.</summary>
    public Guid? NeededSchemaGuid { get; init; }

    /// <summary>Where not decided: true where the record's key names the schema, false where its value does.</summary>
    public bool OfKey { get; init; }
}
