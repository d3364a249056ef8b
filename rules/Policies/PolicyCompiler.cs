using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using PolicyStreams.Rules.Cel.Compilation;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>Compiles a document binding by binding.</summary>
internal sealed class PolicyCompiler(PolicyDocument document, IReadOnlyDictionary<string, SubjectSchemas> subjects, KeyRing keys, DiagnosticBag bag, bool running = false)
{
    public CompiledPolicy? Compile()
    {
        var bindings = new Dictionary<string, CompiledBinding>(StringComparer.Ordinal);
        var ids = new Dictionary<string, IReadOnlyList<int>>(StringComparer.Ordinal);
        var patterns = new PatternTable();
        byte[] canonical = CanonicalForm.Write(document);
        using var whole = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        whole.AppendData(canonical);
        foreach (BindingDocument binding in document.Bindings)
        {
            if (!subjects.TryGetValue(binding.Name, out SubjectSchemas? subject) || subject.Versions.Count == 0)
            {
                bag.Error(binding.Node, DiagnosticCodes.SchemaMissing, $"binding `{binding.Name}` has no schema", binding.Subject is null ? null : $"register one under subject `{binding.Subject}`");
                continue;
            }

            if (subject.Checked.Format != binding.Format)
            {
                bag.Error(binding.Node, DiagnosticCodes.SchemaFormatMismatch, $"binding `{binding.Name}` has format {Word(binding.Format)}, and its schema is {Word(subject.Checked.Format)}");
                continue;
            }

            subject = subject.ForRecord(binding.Message ?? binding.RecordName);
            if (binding.AssertFormats) { subject = subject with { Versions = [.. subject.Versions.Select(version => version with { Schema = version.Schema.AssertingFormats() })] }; }
            subjects.TryGetValue($"{binding.Name}/key", out SubjectSchemas? keySubject);
            ids[binding.Name] = [.. subject.Versions.Select(version => version.Id)];
            AppendIds(whole, binding.Name, subject);
            if (keySubject is not null)
            {
                ids[$"{binding.Name}/key"] = [.. keySubject.Versions.Select(version => version.Id)];
                AppendIds(whole, $"{binding.Name}/key", keySubject);
            }

            if (new BindingCompiler(document, binding, subject, keySubject, keys, patterns, bag, running).Compile() is { } compiled) { bindings[binding.Name] = compiled; }
        }

        if (bag.ErrorCount > 0) { return null; }
        var policy = new CompiledPolicy
        {
            Document = document,
            Digest = Base64Url.EncodeToString(whole.GetHashAndReset()),
            CanonicalDigest = Base64Url.EncodeToString(SHA256.HashData(canonical)),
            SchemaIds = ids,
            Bindings = bindings,
            Subjects = subjects,
        };
        foreach (CompiledBinding binding in bindings.Values) { binding.Attach(policy); }
        return policy;
    }

    private static void AppendIds(IncrementalHash hash, string name, SubjectSchemas subject)
    {
        var text = new StringBuilder("\n").Append(name).Append('=');
        foreach (SchemaVersion version in subject.Versions)
        {
            text.Append(version.Id).Append(',');
            if (version.Deleted) { text.Append("deleted,"); }
            foreach ((string pattern, IReadOnlyList<string> tags) in version.Tags.OrderBy(tag => tag.Key, StringComparer.Ordinal))
            {
                text.Append(pattern).Append(':').AppendJoin('|', tags.Order(StringComparer.Ordinal)).Append(',');
            }

            // A file has no id that would tell its content.
            if (version.Id == 0) { text.Append(Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(version.Schema.WholeText)))).Append(','); }
        }

        // What it is checked against is the latest, unless versions were added while it runs.
        if (subject.Pinned != 0 && subject.Pinned != subject.Versions[^1].Version) { text.Append("checked=").Append(subject.Pinned); }
        hash.AppendData(Encoding.UTF8.GetBytes(text.ToString()));
    }

    private static string Word(SchemaFormat format) => format switch { SchemaFormat.Avro => "avro", SchemaFormat.Json => "json", _ => "protobuf" };
}
