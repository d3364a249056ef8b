using System.Security.Cryptography;
using System.Text;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Policies;

/// <summary>Policy files on disk: a folder of <c>*.policy.yaml</c> (or <c>.yml</c>), or one file.</summary>
public static class PolicyFolder
{
    /// <summary>Reads all policy files under a path, in the order of their names. Tests beside them (<c>*.tests.yaml</c>) are left out.</summary>
    /// <exception cref="IOException">The path is not there, cannot be read, or holds no policy file; the message says which and how to mend it.</exception>
    public static IReadOnlyList<PolicyFile> Read(string path)
    {
        if (File.Exists(path)) { return [ReadFile(path)]; }
        if (!Directory.Exists(path)) { throw new IOException($"`{path}` is neither a folder of policy files nor a policy file."); }
        var files = Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Where(IsPolicy).Order(StringComparer.Ordinal).Select(ReadFile).ToList();
        return files.Count > 0 ? files : throw new IOException($"There is no policy file in `{path}`: a policy's name ends in `.policy.yaml`.");
    }

    /// <summary>A text that changes with any byte of any file: to see that something is new without parsing.</summary>
    public static string Stamp(IReadOnlyList<PolicyFile> files)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (PolicyFile file in files)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(file.Path + "\0" + file.Text + "\0"));
        }

        return Convert.ToHexString(hash.GetHashAndReset());
    }

    private static bool IsPolicy(string path) =>
        (path.EndsWith(".policy.yaml", StringComparison.Ordinal) || path.EndsWith(".policy.yml", StringComparison.Ordinal)) && !Path.GetFileName(path).StartsWith('.');

    // A text that is larger than a policy may be is not read to its end, and the loader refuses it by what was read.
    private static PolicyFile ReadFile(string path) => new(path, Encoding.UTF8.GetString(BoundedFile.Read(path, PolicyFile.BytesMax)));
}
