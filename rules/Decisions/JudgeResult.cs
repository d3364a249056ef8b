namespace PolicyStreams.Rules;

/// <summary>What the judge came to.</summary>
/// <param name="NeededSchemaId">Where not decided: the schema id to fetch; 0 where the record names its schema by <see cref="NeededSchemaGuid"/>.</param>
public readonly record struct JudgeResult(bool Decided, int NeededSchemaId)
{
    public static JudgeResult Done => new(true, 0);

    /// <summary>Where not decided and <see cref="NeededSchemaId"/> is 0: the GUID of the schema to fetch; else null.</summary>
    public Guid? NeededSchemaGuid { get; init; }
}
