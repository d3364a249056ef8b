namespace PolicyStreams.Schemas;

/// <summary>A schema that another one refers to.</summary>
/// <param name="Name">As the referring schema spells it: a full type name (Avro), a URI (JSON), an import path (Protobuf).</param>
public sealed record SchemaReferenceText(string Name, string Text);
