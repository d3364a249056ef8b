using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using PolicyStreams.Rules.Yaml;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>
/// What a policy was reviewed with: its digest, the fingerprints of its schemas' versions, and their fields. A file beside the policy, written by <c>policystreams lock</c> and read in a diff.
/// </summary>
public static class PolicyLock
{
    private const int FieldsMax = 20_000;

    /// <summary><c>payments.policy.yaml</c> is locked by <c>payments.policy.lock</c>.</summary>
    public static string PathOf(string policyPath)
    {
        foreach (string ending in (string[])[".yaml", ".yml"])
        {
            if (policyPath.EndsWith(ending, StringComparison.Ordinal)) { return policyPath[..^ending.Length] + ".lock"; }
        }

        return policyPath + ".lock";
    }

    /// <summary>The lock of a policy as it is now. The same policy and schemas give the same text.</summary>
    /// <param name="diagnostics">Added to: schemas with more fields than a lock holds.</param>
    /// <returns>Null where an error was added.</returns>
    public static string? Write(CompiledPolicy policy, ICollection<Diagnostic> diagnostics)
    {
        var text = new StringBuilder();
        text.Append("# What this policy was reviewed with, written by `policystreams lock`. A change here wants the same eyes as a change of the policy.\n");
        text.Append("apiVersion: ").Append(DocumentReader.ApiVersion).Append("\nkind: Lock\npolicy: ").Append(Quoted(policy.Document.Name)).Append("\ndigest: ").Append(Quoted(Digest(policy.Document))).Append("\nschemas:");
        bool any = false;
        foreach (Locked now in Subjects(policy))
        {
            any = true;
            text.Append("\n  ").Append(Quoted(now.Name)).Append(":\n    subject: ").Append(Quoted(now.Subject.Subject)).Append("\n    versions:");
            foreach (SchemaVersion version in now.Subject.Versions)
            {
                text.Append("\n      - { version: ").Append(ConventionsDocument.Number(version.Version)).Append(", fingerprint: ").Append(Quoted(Fingerprint(version.Schema))).Append(" }");
            }

            if (Fields(now) is not { } fields)
            {
                diagnostics.Add(TooMany(policy.Document, now));
                return null;
            }

            text.Append("\n    fields:").Append(fields.Count == 0 ? " {}" : "");
            foreach ((string path, Field field) in fields)
            {
                text.Append("\n      ").Append(Quoted(path)).Append(": { type: ").Append(field.Types.Count == 1 ? Quoted(field.Types.Min!) : $"[{string.Join(", ", field.Types.Select(Quoted))}]");
                text.Append(field.Tags.Count > 0 ? $", tags: [{string.Join(", ", field.Tags.Select(Quoted))}] }}" : " }");
            }
        }

        return text.Append(any ? "\n" : " {}\n").ToString();
    }

    /// <summary>Says what is not as it was locked.</summary>
    /// <param name="document">The whole policy.</param>
    /// <param name="policy">The same, compiled.</param>
    /// <param name="file">The lock; null where there is none.</param>
    internal static void Check(PolicyDocument document, CompiledPolicy policy, PolicyFile? file, DiagnosticBag bag, ICollection<Diagnostic> ofLock)
    {
        const string Help = "review it, then run: policystreams lock PATH";
        if (file is null)
        {
            bag.Error(document.NameNode, DiagnosticCodes.LockMissing, $"policy `{document.Name}` has no lock", "review it and its schemas, then run: policystreams lock PATH");
            return;
        }

        var own = new DiagnosticBag(file.Path);
        Dictionary<string, LockedSubject>? locked = Read(file.Text, own, out string digest);
        foreach (Diagnostic diagnostic in own.ToList()) { ofLock.Add(diagnostic); }
        if (locked is null || own.ErrorCount > 0)
        {
            bag.Error(document.NameNode, DiagnosticCodes.LockMissing, $"the lock of policy `{document.Name}` cannot be read", "run: policystreams lock PATH");
            return;
        }

        if (digest != Digest(document)) { bag.Error(document.NameNode, DiagnosticCodes.LockDiffers, $"policy `{document.Name}` is not the one that was locked", Help); }
        foreach (Locked now in Subjects(policy))
        {
            if (!locked.TryGetValue(now.Name, out LockedSubject? before))
            {
                bag.Error(now.At, DiagnosticCodes.LockDiffers, $"the schemas of {now.What} are not in the lock of policy `{document.Name}`", Help);
                continue;
            }

            Compare(document, now, before, bag);
        }
    }

    private static void Compare(PolicyDocument document, Locked now, LockedSubject before, DiagnosticBag bag)
    {
        if (Fields(now) is not { } all)
        {
            Diagnostic much = TooMany(document, now);
            bag.Error(now.At, much.Code, much.Message);
            return;
        }

        foreach (SchemaVersion version in now.Subject.Versions)
        {
            if (version.Deleted || before.Fingerprints.Contains(Fingerprint(version.Schema))) { continue; }
            string what = version.Id == 0 ? $"the schema of {now.What}" : $"version {ConventionsDocument.Number(version.Version)} of subject `{now.Subject.Subject}`";
            bool said = false;
            foreach ((string path, Field field) in Fields(now with { Subject = now.Subject with { Versions = [version] } }) ?? [])
            {
                string type = field.Types.Min!;
                if (!before.Fields.TryGetValue(path, out Field? known)) { bag.Error(now.At, DiagnosticCodes.FieldNotReviewed, $"field `{path}` ({type}) of {what} is not in the lock: nobody has looked at it", "tag it, and mask it where it must not leave; then run: policystreams lock PATH"); }
                else if (!known.Types.Contains(type)) { bag.Error(now.At, DiagnosticCodes.FieldNotReviewed, $"field `{path}` of {what} is {type}, and was {string.Join(", ", known.Types)} when it was looked at", "review it, then run: policystreams lock PATH"); }
                else { continue; }
                said = true;
            }

            if (!said) { bag.Error(now.At, DiagnosticCodes.LockDiffers, $"{what} is not in the lock", "review it, then run: policystreams lock PATH"); }
        }

        foreach ((string path, Field field) in before.Fields)
        {
            // A field that no version has any more has nothing to lose.
            if (!all.TryGetValue(path, out Field? here)) { continue; }
            foreach (string tag in field.Tags.Except(here.Tags)) { bag.Error(now.At, DiagnosticCodes.TagLost, $"field `{path}` of {now.What} had tag `{tag}` when it was locked, and no version has it any more", "give it back; or review what the tag's masks did, then run: policystreams lock PATH"); }
        }
    }

    /// <summary>The schemas of a binding's values, or of its keys.</summary>
    private sealed record Locked(string Name, string What, YamlNode At, SubjectSchemas Subject, IReadOnlyDictionary<string, IReadOnlySet<string>> Tags);

    private sealed record Field(SortedSet<string> Types, SortedSet<string> Tags);

    private sealed record LockedSubject(HashSet<string> Fingerprints, Dictionary<string, Field> Fields);

    private static string Digest(PolicyDocument document) => Base64Url.EncodeToString(SHA256.HashData(CanonicalForm.Write(document)));

    private static Diagnostic TooMany(PolicyDocument document, Locked now) =>
        new(document.Path, now.At.Line, now.At.Column, DiagnosticCodes.LockMissing, Severity.Error, $"the schemas of {now.What} have more than {ConventionsDocument.Number(FieldsMax)} fields, more than a lock holds");

    private static IEnumerable<Locked> Subjects(CompiledPolicy policy)
    {
        foreach (BindingDocument binding in policy.Document.Bindings)
        {
            if (!policy.Bindings.TryGetValue(binding.Name, out CompiledBinding? compiled)) { continue; }
            if (compiled.CheckedSchema.Text.Length > 0) { yield return new Locked(binding.Name, $"binding `{binding.Name}`", binding.Node, compiled.Subject, compiled.Plan.TagsByPath); }
            if (compiled.Key.Subject is { } keys && keys.Checked.Text.Length > 0) { yield return new Locked(binding.Name + "/key", $"the keys of binding `{binding.Name}`", binding.Node, keys, compiled.Key.Tags); }
        }
    }

    /// <summary>Fields of all versions, by path; null where there are too many.</summary>
    private static SortedDictionary<string, Field>? Fields(Locked now)
    {
        var fields = new SortedDictionary<string, Field>(StringComparer.Ordinal);
        int budget = FieldsMax;
        foreach (SchemaVersion version in now.Subject.Versions) { Walk(version.Schema.Type, [], [], now.Tags, fields, ref budget); }
        return budget < 0 ? null : fields;
    }

    private static void Walk(SchemaType type, List<PathStep> steps, List<object> open, IReadOnlyDictionary<string, IReadOnlySet<string>> tags, SortedDictionary<string, Field> fields, ref int budget)
    {
        if (steps.Count > PathText.StepsMax || budget < 0) { return; }
        switch (type.Kind)
        {
            case ValueKind.List or ValueKind.Map:
                Below(PathStep.All, type.Element!, [], ref budget);
                break;
            case ValueKind.Dyn:
                foreach (SchemaType branch in type.Branches) { Walk(branch, steps, open, tags, fields, ref budget); }
                break;
            case ValueKind.Record:
                if (open.Count(one => ReferenceEquals(one, type.Fields)) > 1) { return; }
                open.Add(type.Fields);
                foreach (SchemaField field in type.Fields) { Below(new PathStep(PathStepKind.Field, field.Name), field.Type, field.Tags, ref budget); }
                open.RemoveAt(open.Count - 1);
                break;
        }

        void Below(PathStep step, SchemaType below, IReadOnlyList<string> own, ref int left)
        {
            left--;
            steps.Add(step);
            string path = new FieldPath(PathRoot.Value, null, [.. steps]).ToString();
            if (!fields.TryGetValue(path, out Field? field)) { fields[path] = field = new Field(new SortedSet<string>(StringComparer.Ordinal), new SortedSet<string>(StringComparer.Ordinal)); }
            field.Types.Add(Spell(below));
            field.Tags.UnionWith(own);
            if (tags.TryGetValue(path, out IReadOnlySet<string>? all)) { field.Tags.UnionWith(all); }
            Walk(below, steps, open, tags, fields, ref left);
            steps.RemoveAt(steps.Count - 1);
        }
    }

    private static string Spell(SchemaType type)
    {
        string name = type.Kind == ValueKind.Dyn && type.Branches.Count > 0 ? $"union of {string.Join(", ", type.Branches.Select(Spell))}"
            : type.Symbols.Count > 0 ? "enum"
            : type.NativeName.Length > 0 ? type.NativeName : type.Kind.ToString().ToLowerInvariant();
        return type.Nullable && type.Kind is not (ValueKind.Null or ValueKind.Dyn) ? name + " or null" : name;
    }

    /// <summary>SHA-256 over the schema's text, base64url. Of JSON neither blanks nor the order of keys count: registries write it anew.</summary>
    private static string Fingerprint(RecordSchema schema)
    {
        byte[] bytes;
        try
        {
            using JsonDocument json = JsonDocument.Parse(schema.Text, new JsonDocumentOptions { MaxDepth = 512 });
            var buffer = new ByteBuffer();
            using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { MaxDepth = 1_000, SkipValidation = true })) { Sorted(json.RootElement, writer); }
            bytes = buffer.Written.ToArray();
        }
        catch (JsonException) { bytes = Encoding.UTF8.GetBytes(schema.Text.ReplaceLineEndings("\n").TrimEnd('\n')); }
        return Base64Url.EncodeToString(SHA256.HashData(bytes));
    }

    private static void Sorted(JsonElement json, Utf8JsonWriter writer)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (JsonProperty member in json.EnumerateObject().OrderBy(member => member.Name, StringComparer.Ordinal))
                {
                    writer.WritePropertyName(member.Name);
                    Sorted(member.Value, writer);
                }

                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (JsonElement item in json.EnumerateArray()) { Sorted(item, writer); }
                writer.WriteEndArray();
                break;
            default:
                json.WriteTo(writer);
                break;
        }
    }

    private static Dictionary<string, LockedSubject>? Read(string text, DiagnosticBag bag, out string digest)
    {
        digest = "";
        if (YamlReader.Read(text, bag) is not { } root) { return null; }
        var section = new Section(root, bag, "the lock", ["apiVersion", "kind", "policy", "digest", "schemas"]);
        if (root.Kind != YamlKind.Mapping || !DocumentReader.IsKind(section, "Lock", bag)) { return null; }
        section.Require("policy");
        digest = section.Require("digest") is { } digestNode ? section.Text(digestNode, "digest") ?? "" : "";
        var all = new Dictionary<string, LockedSubject>(StringComparer.Ordinal);
        foreach (YamlEntry entry in section.Require("schemas")?.Entries ?? [])
        {
            string what = $"`{YamlReader.Shown(entry.Key.Text)}` of the lock";
            var subject = new Section(entry.Value, bag, what, ["subject", "versions", "fields"]);
            var locked = new LockedSubject(new HashSet<string>(StringComparer.Ordinal), new Dictionary<string, Field>(StringComparer.Ordinal));
            foreach (YamlNode version in subject.Require("versions")?.Items ?? [])
            {
                var one = new Section(version, bag, $"a version in {what}", ["version", "fingerprint"]);
                if (one.Require("fingerprint") is { } print && one.Text(print, "fingerprint") is { } fingerprint) { locked.Fingerprints.Add(fingerprint); }
            }

            foreach (YamlEntry field in subject.Require("fields")?.Entries ?? [])
            {
                var one = new Section(field.Value, bag, $"field `{YamlReader.Shown(field.Key.Text)}` in {what}", ["type", "tags"]);
                if (one.Require("type") is not { } type) { continue; }
                IReadOnlyList<string> types = type.Kind == YamlKind.Sequence ? [.. type.Items.Select(item => item.Text)] : [type.Text];
                locked.Fields[field.Key.Text] = new Field(new SortedSet<string>(types, StringComparer.Ordinal), new SortedSet<string>(one.Texts("tags", 1_000) ?? [], StringComparer.Ordinal));
            }

            all[entry.Key.Text] = locked;
        }

        return all;
    }

    private static string Quoted(string text) => "\"" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) + "\"";
}
