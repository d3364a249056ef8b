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
        int agreeing = 0, all = 0, refused = 0;
        foreach (string file in Directory.EnumerateFiles(folder!, "*.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            string name = Path.GetRelativePath(folder!, file);
            bool formats = name.Split(Path.DirectorySeparatorChar).Contains("format");
            int inFile = 0, agreed = 0;
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
            foreach (JsonElement group in document.RootElement.EnumerateArray())
            {
                ValidatedJson? schema = null;
                string? refusal = null;
                try { schema = ValidatedJson.Parse(group.GetProperty("schema").GetRawText(), [], formats); }
                catch (SchemaException fault) { refusal = fault.Message; }
                bool isNamed = refusal is not null && unsupported.Any(one => refusal.Contains($"`{one}`", StringComparison.Ordinal));
                foreach (JsonElement test in group.GetProperty("tests").EnumerateArray())
                {
                    inFile++;
                    DecodeOutcome outcome = schema?.Validate(Encoding.UTF8.GetBytes(test.GetProperty("data").GetRawText())) ?? DecodeOutcome.Malformed;
                    bool expected = test.GetProperty("valid").GetBoolean();
                    bool agrees = schema is null ? isNamed : outcome == (expected ? DecodeOutcome.Decoded : DecodeOutcome.Invalid);
                    if (schema is null && isNamed) { refused++; }
                    if (agrees) { agreed++; }
                    else { output.WriteLine($"{name}: {group.GetProperty("description")}: {test.GetProperty("description")}: expected {(expected ? "valid" : "invalid")}, {refusal ?? outcome.ToString()}"); }
                }
            }

            output.WriteLine($"{name}: agree {agreed} of {inFile}");
            agreeing += agreed;
            all += inFile;
        }

        output.WriteLine($"in all: agree {agreeing} of {all}, {refused} of them because their schema is refused by name");
        Assert.Equal(all, agreeing);
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
