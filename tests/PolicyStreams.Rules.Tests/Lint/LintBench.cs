using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Rules.Tests.Lint;

/// <summary>Lints one policy of the bench, with schemas and conventions given as text.</summary>
internal static class LintBench
{
    public static ConventionsDocument Conventions(string lines)
    {
        var said = new List<Diagnostic>();
        ConventionsDocument? document = ConventionsDocument.Read(new PolicyFile("c.conventions.yaml", $"apiVersion: policystreams/v1\nkind: Conventions\nmetadata: {{ name: platform }}\n{lines}\n"), said);
        Assert.True(document is not null, string.Join("\n", said));
        return document;
    }

    /// <param name="conventions">Lines of a conventions document; null for none.</param>
    /// <param name="schemas">Versions of the value's subject, oldest first; the bench's payment where there are none.</param>
    public static IReadOnlyList<Diagnostic> Lint(string yaml, string? conventions = null, IReadOnlySet<string>? tested = null, string[]? schemas = null, string? keySchema = null) => PolicyLinter.Lint(
        [new PolicyFile("p.policy.yaml", yaml)],
        (policy, _) =>
        {
            var subjects = new Dictionary<string, SubjectSchemas>();
            foreach (BindingDocument binding in policy.Bindings)
            {
                subjects[binding.Name] = binding.Format == SchemaFormat.Json
                    ? new SubjectSchemas("", [new SchemaVersion(1, 0, SchemalessJson.Instance)])
                    : new SubjectSchemas(binding.Subject!, [.. (schemas ?? [Bench.PaymentSchema]).Select((text, i) => new SchemaVersion(i + 1, i + 1, AvroSchema.Parse(text, [])))]);
                if (keySchema is not null) { subjects[binding.Name + "/key"] = new SubjectSchemas(binding.KeySubject!, [new SchemaVersion(1, 9, AvroSchema.Parse(keySchema, []))]); }
            }

            return subjects;
        },
        conventions: conventions is null ? null : [Conventions(conventions)],
        tested: tested is null ? null : _ => tested);

    /// <summary>Codes, severities, and messages of one code.</summary>
    public static string[] Of(this IReadOnlyList<Diagnostic> found, string code)
    {
        Assert.DoesNotContain(found, diagnostic => diagnostic.Severity == Severity.Error && diagnostic.Code != code && diagnostic.Code is not (DiagnosticCodes.SensitiveLeak or DiagnosticCodes.NobodyApproves));
        return [.. found.Where(diagnostic => diagnostic.Code == code).Select(diagnostic => diagnostic.Message)];
    }
}
