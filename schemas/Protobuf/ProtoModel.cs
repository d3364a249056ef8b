using System.Text.Json;

namespace PolicyStreams.Schemas.Protobuf;

/// <summary>Types of fields, as the language names them; a group is a message without a length.</summary>
internal enum ProtoType : byte
{
    Double,
    Float,
    Int32,
    Int64,
    UInt32,
    UInt64,
    SInt32,
    SInt64,
    Fixed32,
    Fixed64,
    SFixed32,
    SFixed64,
    Bool,
    String,
    Bytes,
    Enum,
    Message,
    Group,
}

/// <summary>Messages that rules see as something else.</summary>
internal enum ProtoWellKnown : byte
{
    None,
    Timestamp,
    Duration,
    /// <summary>A message around one scalar: null or that scalar.</summary>
    Wrapper,
}

/// <summary>How values lie in the bytes: the low three bits of a tag.</summary>
internal static class ProtoWire
{
    public const int Varint = 0;
    public const int Fixed64 = 1;
    public const int Length = 2;
    public const int StartGroup = 3;
    public const int EndGroup = 4;
    public const int Fixed32 = 5;

    public static int Of(ProtoType type) => type switch
    {
        ProtoType.Double or ProtoType.Fixed64 or ProtoType.SFixed64 => Fixed64,
        ProtoType.Float or ProtoType.Fixed32 or ProtoType.SFixed32 => Fixed32,
        ProtoType.String or ProtoType.Bytes or ProtoType.Message => Length,
        ProtoType.Group => StartGroup,
        _ => Varint,
    };
}

/// <summary>A message type. One instance however often it is named, so the graph may have cycles. Immutable once the schema is linked.</summary>
internal sealed class ProtoMessage(string fullName, string name)
{
    public string FullName { get; } = fullName;

    public string Name { get; } = name;

    /// <summary>In declared order.</summary>
    public List<ProtoField> Fields { get; } = [];

    public List<ProtoOneof> Oneofs { get; } = [];

    /// <summary>Messages declared inside, groups among them, in declared order; null stands for the entry type that a map field declares.</summary>
    public List<ProtoMessage?> Nested { get; } = [];

    /// <summary>True for the type of a group.</summary>
    public bool OfGroup { get; set; }

    public ProtoWellKnown WellKnown { get; set; }

    /// <summary>Numbers that no field may have: reserved ones, and those left to extensions. Last one included.</summary>
    public List<(int First, int Last, bool Extensions)> Ranges { get; } = [];

    public HashSet<string> ReservedNames { get; } = new(StringComparer.Ordinal);

    /// <summary>True where a field leads back to the message.</summary>
    public bool Recursive { get; set; }

    /// <summary>Number of the strongly connected component, shared by the messages that lead to one another.</summary>
    public int Component { get; set; } = -1;

    /// <summary>The type as rules see it.</summary>
    public SchemaType View { get; set; } = null!;

    /// <summary><see cref="View"/> where the message may be absent.</summary>
    public SchemaType NullableView { get; set; } = null!;

    /// <summary>Fields in the order of their numbers.</summary>
    public ProtoField[] ByNumber { get; set; } = [];

    /// <summary>What an empty value of it has to hold (proto2's required fields); null where there is none of reasonable size. Found on first use; benign to find twice.</summary>
    public byte[]? Empty { get; set; }

    public bool EmptyKnown { get; set; }

    public ProtoField? Find(int number)
    {
        int low = 0, high = ByNumber.Length - 1;
        while (low <= high)
        {
            int at = (low + high) >> 1;
            int there = ByNumber[at].Number;
            if (there == number) { return ByNumber[at]; }
            if (there < number) { low = at + 1; }
            else { high = at - 1; }
        }

        return null;
    }
}

internal sealed class ProtoOneof(string name)
{
    public string Name { get; } = name;

    public List<ProtoField> Members { get; } = [];
}

internal sealed class ProtoEnum(string fullName)
{
    public string FullName { get; } = fullName;

    /// <summary>In declared order; with <c>allow_alias</c> a number may come again.</summary>
    public List<(string Name, int Number)> Values { get; } = [];

    public HashSet<string> ReservedNames { get; } = new(StringComparer.Ordinal);

    public List<(int First, int Last)> Reserved { get; } = [];

    public bool AllowAlias { get; set; }

    /// <summary>The first name of each number.</summary>
    public Dictionary<int, int> IndexOf { get; } = [];

    /// <summary>First names in declared order, and their numbers and UTF-8.</summary>
    public string[] Symbols { get; private set; } = [];

    public int[] Numbers { get; private set; } = [];

    public byte[][] SymbolBytes { get; private set; } = [];

    public void Close()
    {
        var symbols = new List<string>();
        var numbers = new List<int>();
        foreach ((string name, int number) in Values)
        {
            if (!IndexOf.TryAdd(number, symbols.Count)) { continue; }
            symbols.Add(name);
            numbers.Add(number);
        }

        Symbols = [.. symbols];
        Numbers = [.. numbers];
        SymbolBytes = [.. symbols.Select(System.Text.Encoding.UTF8.GetBytes)];
    }

    /// <summary>Number of a name, an alias among them; null where there is none.</summary>
    public int? NumberOf(string name)
    {
        foreach ((string known, int number) in Values)
        {
            if (known == name) { return number; }
        }

        return null;
    }
}

internal sealed class ProtoField
{
    private JsonEncodedText? _encoded;

    public required string Name { get; init; }

    public required int Number { get; init; }

    public string JsonName { get; set; } = "";

    /// <summary>The name as JSON spells it.</summary>
    public JsonEncodedText EncodedName => _encoded ??= JsonEncodedText.Encode(Name);

    /// <summary>Its place among the message's fields as they are declared.</summary>
    public int Index { get; set; }

    /// <summary>Where its declaration begins.</summary>
    public ProtoToken At { get; init; }

    public ProtoType Type { get; set; }

    /// <summary>The type's name as it is spelled, until it is resolved; null for scalars.</summary>
    public string? TypeName { get; init; }

    public ProtoMessage? Message { get; set; }

    public ProtoEnum? Enum { get; set; }

    public bool Repeated { get; init; }

    public bool Required { get; init; }

    /// <summary>True where the bytes tell an absent field from one with the type's zero.</summary>
    public bool Presence { get; set; }

    public ProtoOneof? Oneof { get; init; }

    /// <summary>Of a map: its key and value, numbered 1 and 2.</summary>
    public ProtoField? MapKey { get; init; }

    public ProtoField? MapValue { get; init; }

    public bool IsMap => MapKey is not null;

    /// <summary>Whether a repeated field is packed when it is written here; both forms are read.</summary>
    public bool Packed { get; set; }

    /// <summary>proto2's explicit default as a plain value; null where there is none.</summary>
    public object? Default { get; set; }

    public object? DefaultLiteral { get; init; }

    public string[] Tags { get; init; } = [];

    /// <summary>The type of one value: an element of a repeated field.</summary>
    public SchemaType View { get; set; } = null!;

    public bool Packable => Type is not (ProtoType.String or ProtoType.Bytes or ProtoType.Message or ProtoType.Group);

    public int Wire => ProtoWire.Of(Type);
}
