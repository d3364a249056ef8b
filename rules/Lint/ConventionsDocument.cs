using System.Globalization;
using PolicyStreams.Rules.Cel.Patterns;
using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>A tag whose fields must not leave unmasked.</summary>
/// <param name="UnmaskedOn">Topics on which they may all the same; empty for none.</param>
public sealed record SensitiveTag(string Tag, IReadOnlyList<string> UnmaskedOn);

/// <summary>
/// What a platform team asks of the policies beside its <c>kind: Conventions</c> document, and what it permits them beyond what lint lets pass of itself.
/// It changes what lint says, never what a policy does. Immutable.
/// </summary>
public sealed class ConventionsDocument
{
    private static readonly string[] Keys = ["apiVersion", "kind", "metadata", "permit", "require", "topics", "masks", "sensitive", "sensitive_keys", "sensitive_headers", "limits", "groups"];
    internal static readonly string[] RequireKeys = ["owner", "description", "rule_description", "tests"];
    internal static readonly string[] TopicKeys = ["ingress", "governed", "rejected", "held", "state", "approvals", "decisions", "routes"];

    private bool _expiryEverywhere;
    private IReadOnlyList<string> _expiryPolicies = [];
    private bool _keysEverywhere;
    private IReadOnlyList<string> _keysBindings = [];

    private ConventionsDocument()
    {
    }

    /// <summary>The document's name, which diagnostics give.</summary>
    public string Name { get; private set; } = "";

    /// <summary>True where every policy names its owner.</summary>
    public bool RequiresOwner { get; private set; }

    public bool RequiresDescription { get; private set; }

    /// <summary>True where every rule has a description.</summary>
    public bool RequiresRuleDescription { get; private set; }

    /// <summary>True where every rule fires in at least one test of its policy.</summary>
    public bool RequiresTests { get; private set; }

    /// <summary>Methods that may mask fields of a tag, by tag. A tag that is not here may have any.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Masks { get; private set; } = new Dictionary<string, IReadOnlyList<string>>();

    public IReadOnlyList<SensitiveTag> Sensitive { get; private set; } = [];

    /// <summary>Names of headers that must not leave unmasked.</summary>
    public IReadOnlyList<string> SensitiveHeaders { get; private set; } = [];

    /// <summary>Most that <c>limits: { record_bytes }</c> of a policy may be; null for what the format allows.</summary>
    public int? RecordBytesMax { get; private set; }

    public int? HeadersMax { get; private set; }

    /// <summary>Groups that people are in, and how many; null where the document does not say which there are.</summary>
    public IReadOnlyDictionary<string, int>? Groups { get; private set; }

    /// <summary>Patterns that a topic's whole name matches, by role.</summary>
    internal IReadOnlyDictionary<string, (string Text, Re2 Pattern)> Topics { get; private set; } = new Dictionary<string, (string, Re2)>();

    /// <summary>True where holds of this policy may let their records through when they expire.</summary>
    public bool PermitsExpiryAllow(string policy) => _expiryEverywhere || _expiryPolicies.Contains(policy);

    /// <summary>True where the whole key of this binding's records must not leave unmasked.</summary>
    public bool IsKeySensitive(string binding) => _keysEverywhere || _keysBindings.Contains(binding);

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
        var section = new Section(root, bag, "the conventions", Keys);
        if (root.Kind != YamlKind.Mapping || !DocumentReader.IsKind(section, "Conventions", bag)) { return null; }
        var document = new ConventionsDocument();
        if (section.Require("metadata") is { } metadataNode)
        {
            var metadata = new Section(metadataNode, bag, "`metadata`", ["name", "owner", "description"]);
            document.Name = metadata.Name(metadata.Require("name"), "name") ?? "";
            metadata.Text("owner", "");
        }

        if (section.Find("permit") is { } permitNode)
        {
            (document._expiryEverywhere, document._expiryPolicies) = AllOrSome(new Section(permitNode, bag, "`permit`", ["on_expiry_allow"]), "on_expiry_allow");
        }

        (document._keysEverywhere, document._keysBindings) = AllOrSome(section, "sensitive_keys");
        if (section.Find("require") is { } requireNode)
        {
            var require = new Section(requireNode, bag, "`require`", RequireKeys);
            document.RequiresOwner = require.Bool("owner") ?? false;
            document.RequiresDescription = require.Bool("description") ?? false;
            document.RequiresRuleDescription = require.Bool("rule_description") ?? false;
            document.RequiresTests = require.Bool("tests") ?? false;
        }

        if (section.Find("limits") is { } limitsNode)
        {
            var limits = new Section(limitsNode, bag, "`limits`", ["record_bytes", "headers"]);
            document.RecordBytesMax = limits.Int("record_bytes", 1, 104_857_600);
            document.HeadersMax = limits.Int("headers", 0, 10_000);
        }

        document.Topics = ReadTopics(section, bag);
        document.Masks = ReadMasks(section, bag);
        document.Sensitive = ReadSensitive(section, bag);
        document.SensitiveHeaders = section.Texts("sensitive_headers", 1_000) ?? [];
        document.Groups = ReadGroups(section, bag);
        return document;
    }

    /// <summary><c>true</c> for all, or a list of names.</summary>
    private static (bool All, IReadOnlyList<string> Some) AllOrSome(Section section, string key) => section.Find(key) switch
    {
        null => (false, []),
        { Kind: YamlKind.Scalar } => (section.Bool(key) ?? false, []),
        _ => (false, section.Texts(key, 1_000) ?? []),
    };

    private static Dictionary<string, (string, Re2)> ReadTopics(Section section, DiagnosticBag bag)
    {
        var patterns = new Dictionary<string, (string, Re2)>(StringComparer.Ordinal);
        if (section.Find("topics") is not { } node) { return patterns; }
        var topics = new Section(node, bag, "`topics`", TopicKeys);
        foreach (string role in TopicKeys)
        {
            if (topics.Find(role) is not { } value || topics.Text(value, role) is not { } text) { continue; }

            // A pattern speaks of the whole name; alone it must be one too, lest its brackets close ours.
            if (Re2.TryParse(text, out _, out string? mistake) && Re2.TryParse($"^(?:{text})$", out Re2? pattern, out mistake)) { patterns[role] = (text, pattern); }
            else { bag.Error(value, DiagnosticCodes.ConditionPattern, $"`{role}` of `topics` is not a pattern of RE2's: {mistake}"); }
        }

        return patterns;
    }

    private static Dictionary<string, IReadOnlyList<string>> ReadMasks(Section section, DiagnosticBag bag)
    {
        var masks = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        if (section.Find("masks") is not { } node) { return masks; }
        var tags = new Section(node, bag, "`masks`", [.. node.Entries.Select(entry => entry.Key.Text)]);
        foreach (YamlEntry entry in node.Entries)
        {
            IReadOnlyList<string> methods = tags.Texts(entry.Key.Text, MaskDocument.Names.Length) ?? [];
            foreach (string method in methods)
            {
                if (Array.IndexOf(MaskDocument.Names, method) >= 0) { continue; }
                bag.Error(entry.Value.Items.First(item => item.Text == method), DiagnosticCodes.BadValue, $"`{YamlReader.Shown(method)}` of `masks` is no method of a mask", NearestName.Help(method, MaskDocument.Names, "methods"));
            }

            masks[entry.Key.Text] = methods;
        }

        return masks;
    }

    private static List<SensitiveTag> ReadSensitive(Section section, DiagnosticBag bag)
    {
        var all = new List<SensitiveTag>();
        if (section.Find("sensitive") is not { } node) { return all; }
        if (node.Kind != YamlKind.Sequence || node.Items.Count == 0)
        {
            bag.Error(node, DiagnosticCodes.WrongShape, "`sensitive` of the conventions is a list of tags", "write [PII], or [{ tag: PII, unmasked_on: [TOPIC] }]");
            return all;
        }

        foreach (YamlNode item in node.Items)
        {
            string? tag;
            IReadOnlyList<string> on = [];
            if (item.Kind == YamlKind.Mapping)
            {
                var one = new Section(item, bag, "a tag of `sensitive`", ["tag", "unmasked_on"]);
                tag = one.Require("tag") is { } tagNode ? one.Text(tagNode, "tag", 256) : null;
                on = one.Texts("unmasked_on", 1_000) ?? [];
            }
            else { tag = section.Text(item, "sensitive", 256); }

            if (tag is null) { continue; }
            if (tag.Length == 0) { bag.Error(item, DiagnosticCodes.BadValue, "an empty tag in `sensitive` of the conventions"); }
            else if (all.Exists(other => other.Tag == tag)) { bag.Error(item, DiagnosticCodes.DuplicateName, $"tag `{YamlReader.Shown(tag)}` comes twice in `sensitive` of the conventions"); }
            else { all.Add(new SensitiveTag(tag, on)); }
        }

        return all;
    }

    private static Dictionary<string, int>? ReadGroups(Section section, DiagnosticBag bag)
    {
        if (section.Find("groups") is not { } node) { return null; }
        var groups = new Dictionary<string, int>(StringComparer.Ordinal);
        var all = new Section(node, bag, "`groups`", [.. node.Entries.Select(entry => entry.Key.Text)]);
        foreach (YamlEntry entry in node.Entries)
        {
            if (all.Int(entry.Key.Text, 0, 1_000_000) is { } people) { groups[entry.Key.Text] = people; }
        }

        return groups;
    }

    /// <summary>A number as diagnostics write it.</summary>
    internal static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
}
