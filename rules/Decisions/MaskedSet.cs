using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Decisions;

/// <summary>What follows from which masks changed which paths. Immutable.</summary>
internal sealed class MaskedSet
{
    public static MaskedSet None { get; } = new([], []);

    /// <param name="owners">Each path with the index of the rule whose mask changed it; for who explains a verdict, not for its decision.</param>
    public MaskedSet(string[] paths, string[] keys, (string Path, int Rule)[]? owners = null)
    {
        Owners = owners ?? [];
        Paths = paths;
        Keys = keys;
        var buffer = new ByteBuffer(128);
        if (paths.Length > 0)
        {
            buffer.Append(",\"masked\":"u8);
            JsonText.AppendArray(buffer, paths);
        }

        if (keys.Length > 0)
        {
            buffer.Append(",\"keys\":"u8);
            JsonText.AppendArray(buffer, keys);
        }

        Json = buffer.Written.ToArray();
        buffer.Clear();
        buffer.Append(",\"masked\":"u8);
        JsonText.AppendArray(buffer, paths);
        buffer.Append(",\"keys\":"u8);
        JsonText.AppendArray(buffer, keys);
        JsonFull = buffer.Written.ToArray();
    }

    public string[] Paths { get; }

    public string[] Keys { get; }

    public (string Path, int Rule)[] Owners { get; }

    /// <summary><c>,"masked":[…],"keys":[…]</c>, empty lists left out.</summary>
    public byte[] Json { get; }

    /// <summary>The same with empty lists.</summary>
    public byte[] JsonFull { get; }
}
