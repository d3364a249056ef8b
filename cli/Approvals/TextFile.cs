using System.Globalization;

namespace PolicyStreams.Cli.Approvals;

/// <summary>Small text files that options name.</summary>
internal static class TextFile
{
    /// <exception cref="ApprovalsFailure">It is not there, cannot be read, or is larger than asked for.</exception>
    internal static string Read(string path, string option, int bytesMax)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            if (file.Length > bytesMax) { throw new ApprovalsFailure(ApprovalsFailure.CouldNotRun, string.Create(CultureInfo.InvariantCulture, $"`{option}` {path} is larger than {bytesMax} bytes.")); }
            using var reader = new StreamReader(file);
            return reader.ReadToEnd();
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            throw new ApprovalsFailure(ApprovalsFailure.CouldNotRun, $"`{option}` {path} cannot be read: {refused.Message}");
        }
    }

    /// <summary>librdkafka properties, one <c>name=value</c> a line; <c>#</c> begins a comment line.</summary>
    internal static Dictionary<string, string> ReadProperties(string path, string option)
    {
        var properties = new Dictionary<string, string>(StringComparer.Ordinal);
        int number = 0;
        foreach (string line in Read(path, option, 1024 * 1024).Split('\n'))
        {
            number++;
            string text = line.Trim();
            if (text.Length == 0 || text[0] == '#') { continue; }
            int equals = text.IndexOf('=', StringComparison.Ordinal);

            // The line may hold a password: it is named, not shown.
            if (equals <= 0) { throw new ApprovalsFailure(ApprovalsFailure.CouldNotRun, string.Create(CultureInfo.InvariantCulture, $"`{option}` {path}:{number}: a line `name=value` is expected.")); }
            properties[text[..equals].Trim()] = text[(equals + 1)..].Trim();
        }
        return properties;
    }
}
