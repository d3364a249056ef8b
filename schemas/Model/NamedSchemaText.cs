namespace PolicyStreams.Schemas;

/// <summary>A schema that another one may refer to.</summary>
/// <param name="Name">As the referring schema spells it: a full type name (Avro), a URI (JSON), an import path (Protobuf).</param>
public readonly record struct NamedSchemaText(string Name, string Text);
