namespace PolicyStreams.Schemas.Registry;

/// <summary>How the dev registry runs.</summary>
public sealed class DevRegistryOptions
{
    /// <summary>
    /// Folder of schema files that are registered at start, in order of name; null for none. A file's name is its subject: <c>raw.payments-value.avsc</c> (Avro),
    /// <c>.json</c> (JSON Schema), <c>.proto</c>. Several versions of a subject end in <c>.v1</c>, <c>.v2</c>, … before that: <c>raw.payments-value.v2.avsc</c>. Other files are left alone,
    /// but for what these import or refer to by a path in the folder: files of folders below are registered under that path.
    /// </summary>
    public string? Folder { get; init; }

    /// <summary>Port on 127.0.0.1; 0, the default, takes a free one.</summary>
    public int Port { get; init; }

    /// <summary>Compatibility of subjects that set none: NONE, BACKWARD, FORWARD, FULL, or one of these with _TRANSITIVE. Default BACKWARD.</summary>
    public string Compatibility { get; init; } = "BACKWARD";

    /// <summary>Largest request body. Default 2 MiB.</summary>
    public int BodyBytesMax { get; init; } = 2 * 1024 * 1024;

    /// <summary>Schemas it keeps; more are refused. Default 10,000.</summary>
    public int SchemasMax { get; init; } = 10_000;
}
