namespace PolicyStreams.Schemas.Protobuf;

/// <summary>One parsed file, its names not resolved yet.</summary>
internal sealed class ProtoFile(string name)
{
    /// <summary>As others import it; empty for the schema itself.</summary>
    public string Name { get; } = name;

    public bool Proto3 { get; set; }

    public string Package { get; set; } = "";

    public List<(string Name, bool Public, ProtoToken At)> Imports { get; } = [];

    /// <summary>Messages at the top, in declared order.</summary>
    public List<ProtoMessage> Messages { get; } = [];

    /// <summary>Messages and enums by full name, nested ones among them.</summary>
    public Dictionary<string, object> Types { get; } = new(StringComparer.Ordinal);

    /// <summary>Every message of the file, those around others first.</summary>
    public List<(ProtoMessage Message, ProtoToken At)> All { get; } = [];

    /// <summary>Fields whose type is a name, with the full name of the message they are in.</summary>
    public List<(ProtoField Field, string Scope)> Named { get; } = [];

    /// <summary>What is extended, by the name as it is spelled, where, and whether one of the extensions carries tags.</summary>
    public List<(string Name, string Scope, ProtoToken At, bool Tagged)> Extended { get; } = [];

    /// <summary>Says where a fault is.</summary>
    public required ProtoLexer Lexer { get; init; }
}
