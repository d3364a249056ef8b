using System.Reflection;

namespace PolicyStreams.Rules;

/// <summary>The JSON Schema (draft 2020-12) of policy documents, for editors that complete and check.</summary>
public static class PolicyJsonSchema
{
    /// <summary>The schema's text.</summary>
    public static string Text { get; } = Read();

    private static string Read()
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("PolicyStreams.Rules.policy.schema.json")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
