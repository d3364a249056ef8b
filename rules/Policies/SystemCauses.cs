namespace PolicyStreams.Rules;

/// <summary>Causes of the system's own, as decisions name them among <c>rules</c>.</summary>
public static class SystemCauses
{
    public const string Undecodable = "ps:undecodable";
    public const string SchemaNotAdmitted = "ps:schema-not-admitted";
    public const string SchemaMismatch = "ps:schema-mismatch";
    public const string Limit = "ps:limit";
    public const string Error = "ps:error";
    public const string Mask = "ps:mask";
    public const string Tombstone = "ps:tombstone";
    public const string OutputRefused = "ps:output-refused";
}
