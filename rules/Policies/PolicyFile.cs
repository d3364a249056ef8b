namespace PolicyStreams.Rules;

/// <summary>A policy or conventions file, already read. <paramref name="Path"/> as diagnostics shall name it.</summary>
public sealed record PolicyFile(string Path, string Text);
