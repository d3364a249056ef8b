namespace PolicyStreams.Schemas.Registry;

/// <summary>How to reach a registry. Holds credentials: <see cref="ToString"/> shows none.</summary>
public sealed class RegistryClientOptions
{
    /// <summary>Base addresses of one registry, in order of preference, with path where it has one (<c>http://host/apis/ccompat/v7</c>). At least one; <c>http</c> or <c>https</c>. <c>user:password@</c> in the first is taken as basic credentials.</summary>
    public required IReadOnlyList<string> Urls { get; init; }

    /// <summary>Basic authentication; null for none.</summary>
    public string? BasicUser { get; init; }

    public string? BasicPassword { get; init; }

    /// <summary>Bearer authentication: asked before each request, so it may renew the token; null for none. Not together with basic.</summary>
    public Func<CancellationToken, ValueTask<string>>? BearerToken { get; init; }

    /// <summary>Headers sent with every request (<c>target-sr-cluster</c>, <c>Confluent-Identity-Pool-Id</c>).</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>PEM file of the authorities that alone are trusted for TLS; null for the system's.</summary>
    public string? CaFile { get; init; }

    /// <summary>PEM file of a client certificate with its chain; null for none.</summary>
    public string? ClientCertificateFile { get; init; }

    /// <summary>PEM file of the client certificate's key; null where it is in <see cref="ClientCertificateFile"/>.</summary>
    public string? ClientKeyFile { get; init; }

    /// <summary>Password of the client key; null where it is not encrypted.</summary>
    public string? ClientKeyPassword { get; init; }

    /// <summary>Longest wait for one answer of one URL, body included. Default 5 s.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How often all URLs are tried again before the registry counts as unreachable. Default 3; 0 to 20.</summary>
    public int Retries { get; init; } = 3;

    /// <summary>First pause between tries; doubles each time, and each pause is a random part (half to all) of it. Default 100 ms.</summary>
    public TimeSpan BackoffBase { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Longest pause between tries. Default 2 s.</summary>
    public TimeSpan BackoffMax { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long "not found" and "not a version of that subject" are believed: an id may be registered a moment later. What is found never expires. Default 5 s.</summary>
    public TimeSpan NegativeTtl { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Largest answer that is read. Default 8 MiB.</summary>
    public int ResponseBytesMax { get; init; } = 8 * 1024 * 1024;

    /// <summary>Schemas that one schema may refer to, directly or not. Default 256.</summary>
    public int ReferencesMax { get; init; } = 256;

    /// <summary>Versions of one subject. Default 4,096.</summary>
    public int VersionsMax { get; init; } = 4096;

    public override string ToString() => $"{Urls.Count} registry URL(s)";
}
