using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Protobuf;

namespace PolicyStreams.Schemas;

/// <summary>Parses schemas by the registry's word for their format.</summary>
public static class SchemaParser
{
    /// <param name="type"><c>AVRO</c>, <c>JSON</c>, or <c>PROTOBUF</c>.</param>
    /// <param name="references">The schemas that it refers to, directly or not, those that others need first.</param>
    /// <exception cref="SchemaException">The text is no schema of that type, or schemas of that type are not read yet.</exception>
    public static RecordSchema Parse(string type, string text, IReadOnlyList<SchemaReferenceText> references) => type switch
    {
        "AVRO" => AvroSchema.Parse(text, [.. references.Select(reference => reference.Text)]),
        "JSON" => throw new SchemaException("JSON Schemas are not read yet: a binding of format `json` goes without a subject."),
        "PROTOBUF" => ProtobufSchema.Parse(text, references),
        _ => throw new SchemaException("The schema's type is none of AVRO, JSON, and PROTOBUF."),
    };
}
