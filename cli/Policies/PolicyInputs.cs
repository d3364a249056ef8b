using System.CommandLine;
using System.Text;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Policies;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Cli.Policies;

/// <summary>What the commands that work on policies offline have in common: schemas from files or a registry, keys by reference.</summary>
internal sealed class PolicyInputs
{
    // The largest bound of all that is read here, a JSON Schema's. What is larger is not read to its end, and refused by whoever takes the text, since it is beyond the bound of each.
    private const int FileBytesMax = 10 * 1024 * 1024;

    public Option<string> Registry { get; } = new("--registry") { Description = "Ask this schema registry for subjects, in place of files beside the policy", HelpName = "URL" };

    public Option<string> RegistryUser { get; } = new("--registry-user") { Description = "User for basic authentication at the registry", HelpName = "NAME" };

    public Option<string> RegistryPassword { get; } = new("--registry-password") { Description = "Where that user's password is: never itself", HelpName = "file:PATH|env:VARIABLE" };

    public Option<string> RegistryToken { get; } = new("--registry-token") { Description = "Where the registry's bearer token is: never itself", HelpName = "file:PATH|env:VARIABLE" };

    public Option<string> RegistryCa { get; } = new("--registry-ca") { Description = "PEM file of the authorities that alone are trusted for the registry's TLS [default: the system's]", HelpName = "FILE" };

    public Option<string> RegistryCertificate { get; } = new("--registry-certificate") { Description = "PEM file of a client certificate with its chain, shown to the registry", HelpName = "FILE" };

    public Option<string> RegistryCertificateKey { get; } = new("--registry-certificate-key") { Description = "PEM file of that certificate's key [default: in the same file]", HelpName = "FILE" };

    public Option<string[]> Key { get; } = new("--key") { Description = "A key by name, from a file or a variable; may be repeated", HelpName = "NAME=file:PATH|env:VARIABLE" };

    public void AddRegistryTo(Command command)
    {
        foreach (Option option in (Option[])[Registry, RegistryUser, RegistryPassword, RegistryToken, RegistryCa, RegistryCertificate, RegistryCertificateKey]) { command.Options.Add(option); }
    }

    /// <summary>Reads a text file, or a pipe, within bounds; bytes that are not UTF-8 become U+FFFD, which the loader refuses.</summary>
    public static PolicyFile Read(string path)
    {
        if (Directory.Exists(path)) { throw new IOException($"`{path}` is a folder: name a file in it."); }
        return new PolicyFile(path, Encoding.UTF8.GetString(BoundedFile.Read(path, FileBytesMax)));
    }

    /// <summary>A file's text by a path relative to a folder; null where there is none.</summary>
    public static Func<string, string?> Beside(string folder) => relative =>
    {
        string path = Path.Combine(folder, relative);
        return File.Exists(path) ? Read(path).Text : null;
    };

    /// <summary>The folder that relative paths in a file start from.</summary>
    public static string FolderOf(string file) => Path.GetDirectoryName(Path.GetFullPath(file)) ?? ".";

    /// <exception cref="IOException">A key cannot be read, or is no key.</exception>
    public KeyRing Keys(ParseResult parsed)
    {
        var keys = new KeyRing();
        foreach (string pair in parsed.GetValue(Key) ?? [])
        {
            if (!SecretReference.TrySplit(pair, out string name, out string reference)) { throw new IOException("--key takes NAME=file:PATH or NAME=env:VARIABLE"); }
            if (keys.Add(name, SecretReference.Read(reference, $"key `{name}`")) is { } fault) { throw new IOException(fault); }
        }

        return keys;
    }

    /// <summary>The registry that the options name; null without a URL.</summary>
    public RegistryClient? Client(ParseResult parsed) => RegistryOf(parsed) is not { } url ? null : Commands.RunCommand.MakeRegistry(new ProcessorOptions
    {
        Registry = url,
        RegistryUser = parsed.GetValue(RegistryUser) ?? "",
        RegistryPassword = parsed.GetValue(RegistryPassword) ?? "",
        RegistryToken = parsed.GetValue(RegistryToken) ?? "",
        RegistryCa = parsed.GetValue(RegistryCa) ?? "",
        RegistryCertificate = parsed.GetValue(RegistryCertificate) ?? "",
        RegistryCertificateKey = parsed.GetValue(RegistryCertificateKey) ?? "",
    });

    /// <summary>Schemas of a policy's bindings: subjects from the registry where there is one, everything else from files beside the policy.</summary>
    /// <exception cref="IOException">The registry cannot be reached.</exception>
    public static async Task<IReadOnlyDictionary<string, SubjectSchemas>> SchemasAsync(PolicyDocument policy, ISchemaRegistry? registry, ICollection<Diagnostic> diagnostics, CancellationToken cancellationToken)
    {
        if (registry is null) { return LocalSchemas.Load(policy, Beside(FolderOf(policy.Path)), diagnostics); }
        SubjectLoad load = await new SubjectLoader(registry).LoadAsync(policy, diagnostics, cancellationToken).ConfigureAwait(false);
        if (load.Unreachable is { } why) { throw new IOException(why); }
        return load.Subjects ?? new Dictionary<string, SubjectSchemas>();
    }

    private string? RegistryOf(ParseResult parsed) => parsed.GetValue(Registry) is { Length: > 0 } url ? url : null;
}
