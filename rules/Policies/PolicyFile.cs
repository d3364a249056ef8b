namespace PolicyStreams.Rules;

/// <summary>A policy or conventions file, already read. <paramref name="Path"/> as diagnostics shall name it.</summary>
public sealed record PolicyFile(string Path, string Text)
{
    /// <summary>Most bytes, in UTF-8, of a policy, conventions, test, or lock file: 4 MiB.</summary>
    public const int BytesMax = 4 * 1024 * 1024;
}
