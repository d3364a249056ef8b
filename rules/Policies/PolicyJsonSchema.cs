using System.Reflection;

namespace PolicyStreams.Rules;

/// <summary>The JSON Schemas (draft 2020-12) of policy and conventions documents, for editors that complete and check.</summary>
public static class PolicyJsonSchema
{
    /// <summary>The schema of policies, as text.</summary>
    public static string Text { get; } = Read("policy");

    /// <summary>The schema of conventions, as text.</summary>
    public static string Conventions { get; } = Read("conventions");

    private static string Read(string kind)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"PolicyStreams.Rules.{kind}.schema.json")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
