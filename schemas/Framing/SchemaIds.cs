namespace PolicyStreams.Schemas;

/// <summary>What the schema ids of frames are numbers of.</summary>
public enum SchemaIds : byte
{
    /// <summary>Of schemas, as the registry's Confluent API numbers them.</summary>
    Registry,
    /// <summary>Of either of Apicurio's two, and nothing says which: only where both are the same number is it told what an id means.</summary>
    Either,
    /// <summary>Of versions: Apicurio's global ids. What its serializers 2.x write unless told otherwise.</summary>
    Global,
    /// <summary>Of texts, whatever versions they are: Apicurio's content ids. What its serializers 3.x write unless told otherwise.</summary>
    Content,
}
