namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>A schema and everything it refers to, read and resolved. Immutable.</summary>
internal sealed class SchemaGraph(SchemaNode root, SchemaNode[] nodes, SchemaResource[] resources)
{
    public SchemaNode Root { get; } = root;

    /// <summary>By number.</summary>
    public SchemaNode[] Nodes { get; } = nodes;

    /// <summary>By number.</summary>
    public SchemaResource[] Resources { get; } = resources;

    /// <summary>True where some <c>$dynamicRef</c> depends on the way that led to it.</summary>
    public bool IsDynamic { get; } = Array.Exists(nodes, node => node.DynamicName is not null);
}
