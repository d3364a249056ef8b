using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Schemas;

/// <summary>From a registry's words for a schema to the schema.</summary>
public static class SchemaParser
{
    /// <summary>Parses a schema.</summary>
    /// <param name="type">As registries say it: <c>AVRO</c> (also where empty), <c>JSON</c>, <c>PROTOBUF</c>.</param>
    /// <param name="text">The schema's text.</param>
    /// <param name="references">Texts of the schemas it refers to, those that others need first.</param>
    /// <exception cref="SchemaException">The text is not a schema, or the type is not one that can be read.</exception>
    public static RecordSchema Parse(string type, string text, IReadOnlyList<string> references) => type switch
    {
        "AVRO" or "" => AvroSchema.Parse(text, references),
        _ => throw new SchemaException($"schemas of type {type} cannot be read by this version"),
    };
}
