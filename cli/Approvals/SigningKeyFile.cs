using PolicyStreams.Processor.Holds;

namespace PolicyStreams.Cli.Approvals;

/// <summary>The approval service's key on disk: the private part for the service, the public part for processors.</summary>
internal static class SigningKeyFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Makes a key and writes both files; neither may be there yet.</summary>
    /// <returns>The key's id.</returns>
    internal static string Generate(string path, string publicPath)
    {
        using StatementSigner signer = StatementSigner.Generate();
        WriteNew(path, signer.ExportPem(), OwnerOnly);
        try
        {
            WriteNew(publicPath, signer.PublicJwks(), OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        }
        catch (ApprovalsFailure)
        {
            File.Delete(path);
            throw;
        }
        return signer.KeyId;
    }

    internal static StatementSigner Read(string path)
    {
        string text = TextFile.Read(path, "--signing-key", 65_536);
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & (UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.GroupWrite)) != 0)
        {
            throw new ApprovalsFailure(ExitCode.CouldNotRun, $"`--signing-key` {path} can be read or written by others.", $"Take that away: chmod 600 {path}. Where it was readable, make a new key.");
        }
        return StatementSigner.TryParse(text, out string? error) ?? throw new ApprovalsFailure(ExitCode.CouldNotRun, $"`--signing-key` {path}: {error}");
    }

    private static void WriteNew(string path, string text, UnixFileMode mode)
    {
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };

            // The mode is there from the first byte: no moment in which others could open it.
            if (!OperatingSystem.IsWindows()) { options.UnixCreateMode = mode; }
            using var writer = new StreamWriter(path, options);
            writer.Write(text);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            throw File.Exists(path)
                ? new ApprovalsFailure(ExitCode.CouldNotRun, $"{path} is there already: a key is never overwritten.", "Name another file, or move that one away.")
                : new ApprovalsFailure(ExitCode.CouldNotRun, $"{path} cannot be written: {refused.Message}");
        }
    }
}
