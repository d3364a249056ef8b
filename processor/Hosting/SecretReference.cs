using PolicyStreams.Processor.Policies;

namespace PolicyStreams.Processor.Hosting;

/// <summary>Secrets come by reference: <c>file:PATH</c> or <c>env:VARIABLE</c>, never on a command line or in a policy.</summary>
public static class SecretReference
{
    // A key or token is short; a larger file is the wrong file.
    private const int BytesMax = 65_536;

    /// <summary>Takes `NAME=file:PATH` or `NAME=env:VARIABLE` apart. False for anything else, which must not be said again: it may be the secret.</summary>
    public static bool TrySplit(string text, out string name, out string reference)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        name = equals > 0 ? text[..equals] : "";
        reference = equals > 0 ? text[(equals + 1)..] : "";
        return equals > 0 && (reference.StartsWith("file:", StringComparison.Ordinal) || reference.StartsWith("env:", StringComparison.Ordinal));
    }

    /// <summary>Reads the bytes that a reference names.</summary>
    /// <param name="what">What it is for, as the message shall name it: <c>key `customer-key`</c>.</param>
    /// <exception cref="IOException">It cannot be read; the message names the reference and never the secret.</exception>
    public static byte[] Read(string reference, string what)
    {
        if (reference.StartsWith("file:", StringComparison.Ordinal))
        {
            string path = reference["file:".Length..];
            if (!File.Exists(path)) { throw new IOException($"{what}: file `{path}` is not there."); }
            try
            {
                byte[] secret = BoundedFile.Read(path, BytesMax);
                return secret.Length <= BytesMax ? secret : throw new IOException($"{what}: file `{path}` is larger than {BytesMax} bytes.");
            }
            catch (UnauthorizedAccessException)
            {
                throw new IOException($"{what}: file `{path}` may not be read by this user.");
            }
        }

        if (reference.StartsWith("env:", StringComparison.Ordinal))
        {
            string variable = reference["env:".Length..];
            string? value = Environment.GetEnvironmentVariable(variable);
            return string.IsNullOrEmpty(value) ? throw new IOException($"{what}: variable `{variable}` is not set.") : System.Text.Encoding.UTF8.GetBytes(value);
        }

        throw new IOException($"{what}: a secret is given as `file:PATH` or `env:VARIABLE`, never itself.");
    }

    /// <summary>Reads a secret that is text, without a final newline.</summary>
    public static string ReadText(string reference, string what) => System.Text.Encoding.UTF8.GetString(Read(reference, what)).TrimEnd('\r', '\n');
}
