using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.JsonSchema;

namespace PolicyStreams.Conformance.Tests;

/// <summary>
/// Validation by JSON Schema: the cases of the folder that POLICYSTREAMS_JSON_SCHEMA_CASES names, formats asserted for those in <c>format/</c>. A case agrees where the verdict is the expected one;
/// and where its schema is refused at load for a keyword or format that docs/reference/json-schema.md names as not supported.
/// </summary>
public class JsonSchemaConformance(ITestOutputHelper output)
{
    [Fact]
    public void Validate_EveryCase_Agrees()
    {
        string? folder = Environment.GetEnvironmentVariable("POLICYSTREAMS_JSON_SCHEMA_CASES");
        Assert.SkipWhen(string.IsNullOrEmpty(folder), "POLICYSTREAMS_JSON_SCHEMA_CASES is not set.");
        string[] unsupported = Unsupported();
        int refused = 0;
        using var tally = new CaseTally(output.WriteLine);
        foreach (string file in Directory.EnumerateFiles(folder!, "*.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            string name = Path.GetRelativePath(folder!, file);
            bool formats = name.Split(Path.DirectorySeparatorChar).Contains("format");
            tally.Group(name, () =>
            {
                using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
                foreach (JsonElement group in document.RootElement.EnumerateArray())
                {
                    tally.Group($"{name}: {group.GetProperty("description")}", () => refused += Group(name, group, formats, unsupported, tally));
                }
            });
            tally.EndFile(name);
        }

        output.WriteLine($"{refused} of them agree because their schema is refused by name");
        Assert.Equal(0, tally.Disagreeing);
    }

    /// <summary>How many cases agree because the group's schema is refused for what the reference says is not supported.</summary>
    private static int Group(string name, JsonElement group, bool formats, string[] unsupported, CaseTally tally)
    {
        ValidatedJson? schema = null;
        string? refusal = null;
        try { schema = ValidatedJson.Parse(group.GetProperty("schema").GetRawText(), [], formats); }
        catch (SchemaException fault) { refusal = fault.Message; }
        bool isNamed = refusal is not null && unsupported.Any(one => refusal.Contains($"`{one}`", StringComparison.Ordinal));
        int refused = 0;
        foreach (JsonElement test in group.GetProperty("tests").EnumerateArray())
        {
            tally.Case($"{name}: {group.GetProperty("description")}: {test.GetProperty("description")}", () =>
            {
                bool expected = test.GetProperty("valid").GetBoolean();
                if (schema is null)
                {
                    if (isNamed) { refused++; }
                    return isNamed ? null : $"expected {(expected ? "valid" : "invalid")}, {refusal}";
                }

                DecodeOutcome outcome = schema.Validate(Encoding.UTF8.GetBytes(test.GetProperty("data").GetRawText()));
                return outcome == (expected ? DecodeOutcome.Decoded : DecodeOutcome.Invalid) ? null : $"expected {(expected ? "valid" : "invalid")}, {outcome}";
            });
        }

        return refused;
    }

    /// <summary>What the reference lists under "Not supported": names in code at the beginning of its rows.</summary>
    private static string[] Unsupported()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "PolicyStreams.sln"))) { folder = Path.GetDirectoryName(folder); }
        string page = Path.Combine(folder!, "docs", "reference", "json-schema.md");
        if (!File.Exists(page)) { return []; }
        return [.. File.ReadLines(page).SkipWhile(line => line != "## Not supported").Skip(1).TakeWhile(line => !line.StartsWith("## ", StringComparison.Ordinal))
            .Where(line => line.StartsWith("| `", StringComparison.Ordinal)).Select(line => line[3..line.IndexOf('`', 3)])];
    }
}
