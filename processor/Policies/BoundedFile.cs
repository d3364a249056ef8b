namespace PolicyStreams.Processor.Policies;

/// <summary>Reads files that a person names. They may be pipes, which have no length, and larger than anybody wants to hold.</summary>
public static class BoundedFile
{
    /// <summary>Reads a file or pipe to its end, or one byte beyond the bound: more than <paramref name="bytesMax"/> bytes say that it is larger.</summary>
    /// <exception cref="IOException">It is not there, or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It is a folder, or this user may not read it.</exception>
    public static byte[] Read(string path, int bytesMax)
    {
        using FileStream stream = File.OpenRead(path);
        byte[] bytes = new byte[stream.CanSeek ? (int)Math.Min(stream.Length, bytesMax) + 1 : Math.Min(65_536, bytesMax + 1)];
        int length = 0;
        while (true)
        {
            int read = stream.Read(bytes, length, bytes.Length - length);
            length += read;
            if (read == 0 || length > bytesMax) { return bytes[..length]; }
            if (length == bytes.Length) { Array.Resize(ref bytes, (int)Math.Min(2L * length, bytesMax + 1L)); }
        }
    }
}
