using System.Globalization;
using PolicyStreams.Processor.Policies;

namespace PolicyStreams.Cli.Approvals;

/// <summary>Small text files that options name.</summary>
internal static class TextFile
{
    /// <exception cref="ApprovalsFailure">It is not there, cannot be read, or is larger than asked for.</exception>
    internal static string Read(string path, string option, int bytesMax)
    {
        try
        {
            byte[] bytes = BoundedFile.Read(path, bytesMax);
            if (bytes.Length > bytesMax) { throw new ApprovalsFailure(ExitCode.CouldNotRun, string.Create(CultureInfo.InvariantCulture, $"`{option}` {path} is larger than {bytesMax} bytes.")); }
            using var reader = new StreamReader(new MemoryStream(bytes));
            return reader.ReadToEnd();
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            throw new ApprovalsFailure(ExitCode.CouldNotRun, $"`{option}` {path} cannot be read: {refused.Message}");
        }
    }
}
