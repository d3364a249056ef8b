namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>Labels of host names with hyphens in their third and fourth place: reserved, and of international names in ASCII (<c>xn--…</c>).</summary>
internal static class InternationalLabel
{
    /// <summary>True where the label is no reserved one.</summary>
    /// <remarks>TODO</remarks>
    public static bool IsHarmless(ReadOnlySpan<byte> label) => !label.StartsWith("xn--"u8);
}
