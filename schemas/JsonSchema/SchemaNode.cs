using PolicyStreams.Schemas.Json;
using PolicyStreams.Schemas.Patterns;

namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>Drafts of JSON Schema.</summary>
internal enum Draft : byte { Seven, TwentyTwenty }

/// <summary>Kinds of JSON values as schemas tell them apart.</summary>
[Flags]
internal enum JsonKinds : byte
{
    None = 0,
    Null = 1,
    Bool = 2,
    Object = 4,
    Array = 8,
    String = 16,

    /// <summary>A number without a fraction: <c>1.0</c> is one.</summary>
    Integer = 32,
    Fraction = 64,
    Number = Integer | Fraction,
    All = 127,
}

/// <summary>A schema that has an identity: the document's root, or one with <c>$id</c>.</summary>
internal sealed class SchemaResource(int number, string uri)
{
    public int Number { get; } = number;

    public string Uri { get; } = uri;

    public SchemaNode Root { get; set; } = null!;

    /// <summary>What <c>$anchor</c>, <c>$dynamicAnchor</c>, and draft 7's <c>$id: "#name"</c> name.</summary>
    public Dictionary<string, SchemaNode> Anchors { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, SchemaNode> DynamicAnchors { get; } = new(StringComparer.Ordinal);
}

/// <summary>One schema of a document with its keywords, read. Set up by the parser, then immutable.</summary>
internal sealed class SchemaNode(int id, string pointer, SchemaResource resource)
{
    /// <summary>Longest pointer that a refusal names; of a longer one the end.</summary>
    private const int RefusalMax = 200;

    /// <summary>Number among all nodes.</summary>
    public int Id { get; } = id;

    /// <summary>Where it is in its document, as a JSON pointer with <c>#</c> in front; with the document's name where it is a referenced one.</summary>
    public string Pointer { get; } = pointer;

    public SchemaResource Resource { get; set; } = resource;

    /// <summary>Of the schema <c>false</c>.</summary>
    public bool Never { get; set; }

    /// <summary>True where <c>type</c>, <c>const</c>, or <c>enum</c> leave fewer kinds than there are.</summary>
    public bool HasKinds { get; set; }
    public JsonKinds Kinds { get; set; } = JsonKinds.All;

    /// <summary>The keyword that <see cref="Kinds"/> comes from.</summary>
    public string KindsKeyword { get; set; } = "type";

    /// <summary>Of <c>enum</c> and <c>const</c>: either may be there.</summary>
    public ConstantSet? Enum { get; set; }
    public ConstantSet? Const { get; set; }

    // Numbers
    public NumberBound? Minimum { get; set; }
    public NumberBound? Maximum { get; set; }
    public NumberBound? ExclusiveMinimum { get; set; }
    public NumberBound? ExclusiveMaximum { get; set; }
    public ExactDivisor? MultipleOf { get; set; }

    // Strings
    public long LengthMin { get; set; }
    public long LengthMax { get; set; } = long.MaxValue;
    public Re2? Pattern { get; set; }
    public string? PatternText { get; set; }
    public string? Format { get; set; }

    /// <summary>The assertion of <see cref="Format"/>; null where it is an annotation.</summary>
    public FormatCheck? FormatCheck { get; set; }

    // Lists
    public SchemaNode[] Prefix { get; set; } = [];

    /// <summary>Of the elements behind the prefix.</summary>
    public SchemaNode? Items { get; set; }
    public SchemaNode? Contains { get; set; }
    public long ContainsMin { get; set; } = 1;
    public long ContainsMax { get; set; } = long.MaxValue;
    public long ItemsMin { get; set; }
    public long ItemsMax { get; set; } = long.MaxValue;
    public bool UniqueItems { get; set; }
    public SchemaNode? UnevaluatedItems { get; set; }

    // Objects
    public PropertyTable? Properties { get; set; }

    /// <summary>Names that must be there, in the order of their numbers in <see cref="PropertyTable"/>.</summary>
    public string[] Required { get; set; } = [];
    public (Re2 Pattern, string Text, SchemaNode Schema)[] PatternProperties { get; set; } = [];
    public SchemaNode? AdditionalProperties { get; set; }
    public SchemaNode? PropertyNames { get; set; }
    public SchemaNode? UnevaluatedProperties { get; set; }
    public long PropertiesMin { get; set; }
    public long PropertiesMax { get; set; } = long.MaxValue;

    /// <summary>By a property's name: others that must then be there.</summary>
    public (RequiredName Name, RequiredName[] Others)[] DependentRequired { get; set; } = [];
    public (RequiredName Name, SchemaNode Schema)[] DependentSchemas { get; set; } = [];

    // In place
    public SchemaNode? Reference { get; set; }

    /// <summary>Name of the dynamic anchor that <c>$dynamicRef</c> may lead to elsewhere; null where it is a plain reference.</summary>
    public string? DynamicName { get; set; }

    /// <summary>Everything that <see cref="DynamicName"/> may lead to.</summary>
    public SchemaNode[] DynamicTargets { get; set; } = [];
    public SchemaNode[] AllOf { get; set; } = [];
    public SchemaNode[] AnyOf { get; set; } = [];
    public SchemaNode[] OneOf { get; set; } = [];
    public SchemaNode? Not { get; set; }
    public SchemaNode? If { get; set; }
    public SchemaNode? Then { get; set; }
    public SchemaNode? Else { get; set; }

    // Annotations that mean something here
    public string? Title { get; set; }
    public string[] Tags { get; set; } = [];

    /// <summary>Text of <c>default</c>; null where there is none.</summary>
    public byte[]? Default { get; set; }

    /// <summary>True for a schema that says nothing of any value.</summary>
    public bool SaysNothing { get; set; }

    /// <summary>True for a schema that is a reference and nothing else.</summary>
    public bool IsAlias { get; set; }

    /// <summary>Its keywords' pointers as refusals name them; made when first needed, as many as the schema has keywords.</summary>
    private Dictionary<string, string>? _refusals;

    public string At(string keyword)
    {
        lock (Pointer)
        {
            _refusals ??= new Dictionary<string, string>(StringComparer.Ordinal);
            if (!_refusals.TryGetValue(keyword, out string? text))
            {
                text = keyword.Length == 0 ? Pointer : $"{Pointer}/{keyword}";
                _refusals[keyword] = text = text.Length <= RefusalMax ? text : "…" + text[^RefusalMax..];
            }

            return text;
        }
    }

    /// <summary>Schemas of the same value.</summary>
    public IEnumerable<SchemaNode> InPlace()
    {
        if (Reference is not null) { yield return Reference; }
        foreach (SchemaNode node in DynamicTargets) { yield return node; }
        foreach (SchemaNode node in AllOf) { yield return node; }
        foreach (SchemaNode node in AnyOf) { yield return node; }
        foreach (SchemaNode node in OneOf) { yield return node; }
        if (Not is not null) { yield return Not; }
        if (If is not null) { yield return If; }
        if (Then is not null) { yield return Then; }
        if (Else is not null) { yield return Else; }
        foreach ((_, SchemaNode node) in DependentSchemas) { yield return node; }
    }

    /// <summary>Schemas of values inside.</summary>
    public IEnumerable<SchemaNode> Below()
    {
        foreach (SchemaNode node in Prefix) { yield return node; }
        if (Items is not null) { yield return Items; }
        if (Contains is not null) { yield return Contains; }
        if (UnevaluatedItems is not null) { yield return UnevaluatedItems; }
        foreach (SchemaNode node in Properties?.Schemas ?? []) { yield return node; }
        foreach ((_, _, SchemaNode node) in PatternProperties) { yield return node; }
        if (AdditionalProperties is not null) { yield return AdditionalProperties; }
        if (UnevaluatedProperties is not null) { yield return UnevaluatedProperties; }
        if (PropertyNames is not null) { yield return PropertyNames; }
    }
}

/// <summary>A property's name that is looked for.</summary>
internal sealed class RequiredName(string name)
{
    public string Text { get; } = name;

    public byte[] Bytes { get; } = System.Text.Encoding.UTF8.GetBytes(name);

    public uint Hash { get; } = JsonHash.Of(System.Text.Encoding.UTF8.GetBytes(name));
}

/// <summary>Finds properties by name: those with schemas, and those that are required.</summary>
internal sealed class PropertyTable
{
    private readonly byte[][] _names;
    private readonly uint[] _hashes;
    private readonly int[] _table;

    /// <param name="properties">By name, in the schema's order.</param>
    /// <param name="required">Names that must be there.</param>
    public PropertyTable(IReadOnlyList<(string Name, SchemaNode Schema)> properties, IReadOnlyList<string> required)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach ((string name, _) in properties) { numbers.TryAdd(name, numbers.Count); }
        foreach (string name in required) { numbers.TryAdd(name, numbers.Count); }
        Names = [.. numbers.Keys];
        Schemas = [.. properties.Select(property => property.Schema)];
        RequiredNumbers = new int[Names.Length];
        RequiredNumbers.AsSpan().Fill(-1);
        for (int i = 0; i < required.Count; i++) { RequiredNumbers[numbers[required[i]]] = i; }
        int size = 2;
        while (size < 2 * Names.Length) { size *= 2; }
        _names = [.. Names.Select(System.Text.Encoding.UTF8.GetBytes)];
        _hashes = [.. _names.Select(name => JsonHash.Of(name))];
        _table = new int[size];
        for (int i = 0; i < _names.Length; i++)
        {
            int at = (int)_hashes[i] & (size - 1);
            while (_table[at] != 0) { at = (at + 1) & (size - 1); }
            _table[at] = i + 1;
        }
    }

    /// <summary>Names with schemas first.</summary>
    public string[] Names { get; }

    /// <summary>Of the first names.</summary>
    public SchemaNode[] Schemas { get; }

    /// <summary>By a name's number: which of the required names it is, or -1.</summary>
    public int[] RequiredNumbers { get; }

    public SchemaNode? Schema(string name)
    {
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(name);
        return Find(JsonHash.Of(bytes), bytes) is >= 0 and var at && at < Schemas.Length ? Schemas[at] : null;
    }

    public bool Requires(string name)
    {
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(name);
        return Find(JsonHash.Of(bytes), bytes) is >= 0 and var at && RequiredNumbers[at] >= 0;
    }

    /// <summary>Number of a name; -1 for another one.</summary>
    public int Find(uint hash, ReadOnlySpan<byte> name)
    {
        int[] table = _table;
        for (int at = (int)hash & (table.Length - 1); table[at] != 0; at = (at + 1) & (table.Length - 1))
        {
            int index = table[at] - 1;
            if (_hashes[index] == hash && name.SequenceEqual(_names[index])) { return index; }
        }

        return -1;
    }
}

/// <summary>The values of <c>enum</c> or <c>const</c>, as tokens over their own text.</summary>
internal sealed class ConstantSet
{
    private readonly Dictionary<uint, int[]> _strings = [];

    /// <param name="values">Texts of sound JSON.</param>
    /// <exception cref="SchemaException">A value would be refused in a record as well.</exception>
    public ConstantSet(IReadOnlyList<byte[]> values)
    {
        Values = new JsonView[values.Count];
        var byHash = new Dictionary<uint, List<int>>();
        for (int i = 0; i < values.Count; i++)
        {
            JsonView view = Values[i] = JsonView.Of(values[i]);
            Kinds |= view.Kinds(0);
            if (view.Tokens[0].Kind != ValueKind.String) { continue; }
            uint hash = JsonHash.Of(view.Text(view.Tokens[0]));
            if (!byHash.TryGetValue(hash, out List<int>? same)) { byHash.Add(hash, same = []); }
            same.Add(i);
        }

        foreach ((uint hash, List<int> same) in byHash) { _strings.Add(hash, [.. same]); }
    }

    public JsonView[] Values { get; }

    public JsonKinds Kinds { get; }

    /// <summary>True where a text is among them.</summary>
    public bool HasText(ReadOnlySpan<byte> text)
    {
        if (!_strings.TryGetValue(JsonHash.Of(text), out int[]? same)) { return false; }
        foreach (int i in same)
        {
            if (text.SequenceEqual(Values[i].Text(Values[i].Tokens[0]))) { return true; }
        }

        return false;
    }

    /// <summary>Its texts, in order; null where some value is no text (null aside).</summary>
    public string[]? Symbols()
    {
        var symbols = new List<string>();
        foreach (JsonView view in Values)
        {
            if (view.Tokens[0].Kind == ValueKind.Null) { continue; }
            if (view.Tokens[0].Kind != ValueKind.String) { return null; }
            symbols.Add(System.Text.Encoding.UTF8.GetString(view.Text(view.Tokens[0])));
        }

        return [.. symbols.Distinct()];
    }
}
