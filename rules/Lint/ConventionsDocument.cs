using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>
/// What a platform team permits the policies beside its <c>kind: Conventions</c> document beyond what lint lets pass of itself. It changes what lint says, never what a policy does.
/// </summary>
public sealed class ConventionsDocument
{
    private readonly bool _everywhere;
    private readonly IReadOnlyList<string> _policies;

    private ConventionsDocument(bool everywhere, IReadOnlyList<string> policies)
    {
        _everywhere = everywhere;
        _policies = policies;
    }

    /// <summary>True where holds of this policy may let their records through when they expire.</summary>
    public bool PermitsExpiryAllow(string policy) => _everywhere || _policies.Contains(policy);

    /// <summary>Reads one document. Never throws on any text.</summary>
    /// <returns>Null where a diagnostic of severity error was added: then nothing is permitted.</returns>
    public static ConventionsDocument? Read(PolicyFile file, ICollection<Diagnostic> diagnostics)
    {
        var bag = new DiagnosticBag(file.Path);
        ConventionsDocument? document = Read(file.Text, bag);
        foreach (Diagnostic diagnostic in bag.ToList()) { diagnostics.Add(diagnostic); }
        return bag.ErrorCount > 0 ? null : document;
    }

    private static ConventionsDocument? Read(string text, DiagnosticBag bag)
    {
        if (YamlReader.Read(text, bag) is not { } root) { return null; }
        var section = new Section(root, bag, "the conventions", ["apiVersion", "kind", "metadata", "permit"]);
        if (root.Kind != YamlKind.Mapping || !DocumentReader.IsKind(section, "Conventions", bag)) { return null; }
        if (section.Require("metadata") is { } metadataNode)
        {
            var metadata = new Section(metadataNode, bag, "`metadata`", ["name", "owner", "description"]);
            metadata.Name(metadata.Require("name"), "name");
            metadata.Text("owner", "");
        }

        if (section.Find("permit") is not { } permitNode) { return new ConventionsDocument(false, []); }
        var permit = new Section(permitNode, bag, "`permit`", ["on_expiry_allow"]);
        return permit.Find("on_expiry_allow") switch
        {
            null => new ConventionsDocument(false, []),
            { Kind: YamlKind.Scalar } => new ConventionsDocument(permit.Bool("on_expiry_allow") ?? false, []),
            _ => new ConventionsDocument(false, permit.Texts("on_expiry_allow", 1_000) ?? []),
        };
    }
}
