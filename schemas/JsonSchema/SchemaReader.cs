using System.Globalization;
using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Patterns;

namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>
/// Reads a JSON Schema and those it refers to into nodes with their references resolved. Every keyword is either understood or refused by name; nothing is fetched.
/// Bounded in text, nesting, and number of schemas; throws <see cref="SchemaException"/> only.
/// </summary>
internal sealed class SchemaReader
{
    /// <summary>UTF-8 bytes of a schema, and of each that it refers to.</summary>
    public const int TextMax = 10 * 1024 * 1024;

    /// <summary>Lists and objects inside one another in a schema's text.</summary>
    public const int NestingMax = 256;

    /// <summary>Schemas in a document and those it refers to.</summary>
    public const int NodesMax = 200_000;

    /// <summary>Schemas of one and the same value that lead to one another by <c>$ref</c>, <c>allOf</c>, and their like.</summary>
    public const int ChainMax = 200;

    private static readonly Dictionary<string, JsonKinds> KindNames = new(StringComparer.Ordinal)
    {
        ["null"] = JsonKinds.Null,
        ["boolean"] = JsonKinds.Bool,
        ["object"] = JsonKinds.Object,
        ["array"] = JsonKinds.Array,
        ["string"] = JsonKinds.String,
        ["integer"] = JsonKinds.Integer,
        ["number"] = JsonKinds.Number,
    };

    private static readonly HashSet<string> Annotations = new(StringComparer.Ordinal)
    {
        "$comment", "title", "description", "examples", "deprecated", "readOnly", "writeOnly", "contentEncoding", "contentMediaType", "contentSchema", "$vocabulary",
        "javaType", "existingJavaType", "javaInterfaces",
    };

    /// <summary>Files that a schema may lead to, directly or not.</summary>
    public const int FilesMax = 1_000;

    private readonly bool _assertFormats;
    private readonly Func<string, string?>? _beside;
    private readonly List<SchemaReferenceText> _found;
    private readonly List<SchemaNode> _nodes = [];
    private readonly Dictionary<string, SchemaResource> _resources = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SchemaResource> _named = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Document, string Pointer), SchemaNode> _byPointer = [];
    private readonly Queue<(SchemaNode Node, string Text, string Document, bool Dynamic)> _references = new();
    private readonly Dictionary<SchemaResource, (string Document, string Pointer)> _roots = [];
    private readonly List<SchemaResource> _all = [];
    private readonly HashSet<string> _metaRead = new(StringComparer.Ordinal);
    private string _document = "";
    private string _base = "";

    private SchemaReader(bool assertFormats, Func<string, string?>? beside, List<SchemaReferenceText> found)
    {
        _assertFormats = assertFormats;
        _beside = beside;
        _found = found;
    }

    /// <param name="references">What the schema may refer to, by the names that <c>$ref</c> spells.</param>
    /// <param name="assertFormats">True where <c>format</c> is checked.</param>
    /// <param name="beside">Gives the text of a file by its path relative to the schema's own; null where there is none. Null: there are no files.</param>
    /// <param name="found">Added to: what was read from files, by the URI that led there.</param>
    public static SchemaGraph Read(string text, IReadOnlyList<SchemaReferenceText> references, bool assertFormats, Func<string, string?>? beside, List<SchemaReferenceText> found)
    {
        var reader = new SchemaReader(assertFormats, beside, found);
        foreach (SchemaReferenceText reference in references) { reader.Document(reference.Name, reference.Text); }
        SchemaNode root = reader.Document("", text);
        reader._base = root.Resource.Uri[..(root.Resource.Uri.LastIndexOf('/') + 1)];
        reader.Resolve();
        reader.CheckChains();
        return new SchemaGraph(root, [.. reader._nodes], [.. reader._all]);
    }

    private SchemaNode Document(string name, string text)
    {
        if (text.Length > TextMax || Encoding.UTF8.GetByteCount(text) > TextMax) { throw Refused(name, "#", $"a schema may have {TextMax / 1024 / 1024} MB"); }
        _document = name;
        JsonDocument document;
        try { document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = NestingMax }); }
        catch (JsonException fault)
        {
            bool deep = fault.Message.Contains("maximum configured depth", StringComparison.OrdinalIgnoreCase);
            string place = string.Create(CultureInfo.InvariantCulture, $"line {(fault.LineNumber ?? 0) + 1}, byte {(fault.BytePositionInLine ?? 0) + 1}");
            throw Refused(name, "#", deep ? $"nested deeper than {NestingMax}" : $"the text is not JSON ({place})");
        }

        using (document)
        {
            try
            {
                SchemaNode root = Root(document.RootElement, name, name.Length == 0 ? null : name);
                return root;
            }
            catch (InvalidOperationException)
            {
                throw Refused(name, "#", "a text in it is not UTF-8, or has half a surrogate pair");
            }
        }
    }

    private SchemaNode Root(JsonElement element, string document, string? alias)
    {
        if (element.ValueKind is not (JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False)) { throw Refused(document, "#", "a schema is an object, or true or false"); }
        Draft draft = DialectOf(element, Draft.Seven, "#");
        var resource = new SchemaResource(_all.Count, alias ?? "");
        SchemaNode root = Node(element, "#", resource, draft, isRoot: true);
        if (alias is not null) { _named.TryAdd(alias, root.Resource); }
        return root;
    }

    private Draft DialectOf(JsonElement element, Draft outer, string pointer)
    {
        if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty("$schema", out JsonElement named)) { return outer; }
        string uri = named.ValueKind == JsonValueKind.String ? named.GetString()!.TrimEnd('#') : "";
        return uri switch
        {
            "http://json-schema.org/draft-07/schema" or "https://json-schema.org/draft-07/schema" => Draft.Seven,
            "https://json-schema.org/draft/2020-12/schema" or "http://json-schema.org/draft/2020-12/schema" => Draft.TwentyTwenty,
            _ => throw Refused(_document, pointer + "/$schema", "this draft is not read", "draft 7 (http://json-schema.org/draft-07/schema#) and 2020-12 (https://json-schema.org/draft/2020-12/schema) are"),
        };
    }

    private SchemaNode Node(JsonElement element, string pointer, SchemaResource resource, Draft draft, bool isRoot = false)
    {
        if (_nodes.Count >= NodesMax) { throw Refused(_document, pointer, $"more than {NodesMax} schemas"); }
        var node = new SchemaNode(_nodes.Count, _document + pointer, resource);
        _nodes.Add(node);
        if (element.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            node.Never = element.ValueKind == JsonValueKind.False;
            node.SaysNothing = !node.Never;
            if (isRoot) { Open(node, resource, pointer); }
            _byPointer[(_document, pointer)] = node;
            return node;
        }

        if (element.ValueKind != JsonValueKind.Object) { throw Refused(_document, pointer, "a schema is an object, or true or false"); }
        if (!isRoot) { draft = DialectOf(element, draft, pointer); }

        // Draft 7: beside `$ref` nothing counts, `$id` included.
        bool alone = draft == Draft.Seven && element.TryGetProperty("$ref", out _);
        if (alone && !isRoot && element.TryGetProperty("$schema", out _)) { throw Refused(_document, pointer, "`$schema` beside `$ref`"); }
        string? id = !alone && element.TryGetProperty("$id", out JsonElement given) ? Text(given, pointer + "/$id") : null;
        string? anchor = null;
        if (id is not null)
        {
            (string uri, string? fragment) = UriReference.Split(id);
            if (fragment is { Length: > 0 })
            {
                if (draft != Draft.Seven || uri.Length > 0) { throw Refused(_document, pointer + "/$id", "an `$id` has no fragment", "`$anchor` names a place in a schema (draft 7: an `$id` of `#name` alone)"); }
                anchor = fragment;
            }
            else if (uri.Length > 0 || isRoot)
            {
                resource = new SchemaResource(_all.Count, UriReference.Resolve(resource.Uri, uri));
                node.Resource = resource;
                Open(node, resource, pointer);
                if (!isRoot || uri.Length > 0) { Register(resource, pointer); }
                isRoot = false;
            }
        }

        if (isRoot)
        {
            Open(node, resource, pointer);
            if (resource.Uri.Length > 0) { Register(resource, pointer); }
        }

        _byPointer[(_document, pointer)] = node;
        if (anchor is not null) { Anchor(resource.Anchors, anchor, node, pointer + "/$id"); }
        new KeywordReader(this, node, pointer, resource, draft, alone).Read(element);
        return node;
    }

    private void Open(SchemaNode node, SchemaResource resource, string pointer)
    {
        resource.Root = node;
        _roots[resource] = (_document, pointer);
        _all.Add(resource);
    }

    private void Register(SchemaResource resource, string pointer)
    {
        if (!_resources.TryAdd(resource.Uri, resource)) { throw Refused(_document, pointer + "/$id", "another schema has this identity already"); }
    }

    private void Anchor(Dictionary<string, SchemaNode> anchors, string name, SchemaNode node, string pointer)
    {
        if (!anchors.TryAdd(name, node)) { throw Refused(_document, pointer, $"`{Shown(name)}` names another schema already"); }
    }

    // References

    private void Resolve()
    {
        while (_references.TryDequeue(out (SchemaNode Node, string Text, string Document, bool Dynamic) reference))
        {
            string keyword = reference.Dynamic ? "$dynamicRef" : "$ref";
            SchemaNode? target = Find(reference.Node, reference.Text, out string fault, out string? dynamicName);
            if (target is null) { throw new SchemaException($"{reference.Node.Pointer}/{keyword}: {fault}"); }
            reference.Node.Reference = target;
            if (reference.Dynamic && dynamicName is not null) { reference.Node.DynamicName = dynamicName; }
        }

        foreach (SchemaNode node in _nodes)
        {
            if (node.DynamicName is { } name) { node.DynamicTargets = [.. _all.Where(resource => resource.DynamicAnchors.ContainsKey(name)).Select(resource => resource.DynamicAnchors[name])]; }
        }
    }

    private SchemaNode? Find(SchemaNode from, string text, out string fault, out string? dynamicName)
    {
        dynamicName = null;
        fault = "";
        (string uri, string? fragment) = UriReference.Split(text);
        string whole = UriReference.Resolve(from.Resource.Uri, uri);
        SchemaResource? resource = uri.Length == 0 ? from.Resource : Resource(whole) ?? _named.GetValueOrDefault(uri) ?? _named.GetValueOrDefault(whole) ?? Beside(from.Resource.Uri, uri, whole);
        if (resource is null)
        {
            string mend = _beside is null ? "register it with this one as a reference of that name"
                : FileOf(from.Resource.Uri, uri, whole) is { } file ? $"there is no file `{Shown(file)}` beside this one"
                : "it is no file beside this one";
            fault = $"`{Shown(text)}` leads to no schema here; schemas are never fetched: {mend}";
            return null;
        }

        if (string.IsNullOrEmpty(fragment)) { return resource.Root; }
        string decoded = Uri.UnescapeDataString(fragment);
        if (decoded[0] != '/')
        {
            if (resource.DynamicAnchors.TryGetValue(decoded, out SchemaNode? dynamic))
            {
                dynamicName = decoded;
                return dynamic;
            }

            if (resource.Anchors.TryGetValue(decoded, out SchemaNode? anchored)) { return anchored; }
            fault = $"there is no anchor `{Shown(decoded)}`";
            return null;
        }

        (string document, string start) = _roots[resource];

        // A pointer is spelled in one way only once its escapes are.
        if (_byPointer.TryGetValue((document, start + decoded), out SchemaNode? node)) { return node; }
        fault = $"`{Shown(text)}` leads to no schema";
        return null;
    }

    private SchemaResource? Resource(string uri)
    {
        if (_resources.TryGetValue(uri, out SchemaResource? known)) { return known; }
        if (MetaSchemas.Text(uri) is not { } text || !_metaRead.Add(uri)) { return null; }
        Document(uri, text);
        return _resources.GetValueOrDefault(uri);
    }

    /// <summary>Reads a schema that lies in a file beside the first one.</summary>
    private SchemaResource? Beside(string from, string uri, string whole)
    {
        if (_beside is null || _found.Count >= FilesMax || FileOf(from, uri, whole) is not { } file || _beside(file) is not { } text) { return null; }
        _found.Add(new SchemaReferenceText(whole, text));
        return Document(whole, text).Resource;
    }

    /// <summary>The file that a reference leads to, relative to the first schema's; null where it is none in or under that folder.</summary>
    private string? FileOf(string from, string uri, string whole)
    {
        if (FileOf(whole) is not { } file) { return null; }
        if (uri.Contains(':', StringComparison.Ordinal)) { return file; }

        // A URI that goes up beyond its root stays at the root: as a file it would be another than the one that was meant.
        int depth = (FileOf(from) ?? "").Count(c => c == '/');
        foreach (string segment in uri.Split('/')[..^1])
        {
            depth += segment == ".." ? -1 : segment == "." ? 0 : 1;
            if (depth < 0) { return null; }
        }

        return file;
    }

    /// <summary>A relative URI as it is, one under the folder of the first schema's <c>$id</c> by what follows; null for every other.</summary>
    private string? FileOf(string uri)
    {
        if (_base.Length > 0 && uri.Length > _base.Length && uri.StartsWith(_base, StringComparison.Ordinal)) { return uri[_base.Length..]; }
        return uri.Length == 0 || uri[0] == '/' || uri.Contains(':', StringComparison.Ordinal) ? null : uri;
    }

    /// <summary>Refuses schemas that come back to themselves without going into the value, and chains that would be too deep to follow.</summary>
    private void CheckChains()
    {
        // 0: not seen; -1: being followed; else one more than the longest chain below.
        int[] heights = new int[_nodes.Count];
        var stack = new Stack<(SchemaNode Node, IEnumerator<SchemaNode> Next)>();
        foreach (SchemaNode start in _nodes)
        {
            if (heights[start.Id] != 0) { continue; }
            heights[start.Id] = -1;
            stack.Push((start, start.InPlace().GetEnumerator()));
            while (stack.TryPeek(out (SchemaNode Node, IEnumerator<SchemaNode> Next) top))
            {
                if (!top.Next.MoveNext())
                {
                    stack.Pop();
                    heights[top.Node.Id] = 1 + top.Node.InPlace().Select(node => heights[node.Id]).DefaultIfEmpty(0).Max();
                    if (heights[top.Node.Id] > ChainMax) { throw new SchemaException($"{top.Node.Pointer}: more than {ChainMax} schemas lead to one another for one value"); }
                    continue;
                }

                SchemaNode next = top.Next.Current;
                if (heights[next.Id] == -1) { throw new SchemaException($"{top.Node.Pointer}: refers to itself through {next.Pointer} without going into the value: no value could ever be judged"); }
                if (heights[next.Id] == 0)
                {
                    heights[next.Id] = -1;
                    stack.Push((next, next.InPlace().GetEnumerator()));
                }
            }
        }
    }

    private string Text(JsonElement element, string pointer) =>
        element.ValueKind == JsonValueKind.String ? element.GetString()! : throw Refused(_document, pointer, "a text is wanted here");

    private static string Shown(string text) => text.Length <= 120 ? new string([.. text.Select(c => char.IsControl(c) ? '?' : c)]) : text[..120] + "…";

    private static SchemaException Refused(string document, string pointer, string why, string? help = null) => new($"{document}{pointer}: {why}{(help is null ? "" : $" ({help})")}");

    private static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    /// <summary>Reads the keywords of one schema.</summary>
    private sealed class KeywordReader(SchemaReader reader, SchemaNode node, string pointer, SchemaResource resource, Draft draft, bool alone)
    {
        private bool _refers;

        public void Read(JsonElement element)
        {
            var names = new HashSet<string>(StringComparer.Ordinal);
            foreach (JsonProperty property in element.EnumerateObject())
            {
                if (!names.Add(property.Name)) { throw Refused($"{pointer}/{Escape(property.Name)}", "this keyword comes twice"); }
            }

            var properties = new List<(string, SchemaNode)>();
            foreach (JsonProperty property in element.EnumerateObject()) { Keyword(property.Name, property.Value, $"{pointer}/{Escape(property.Name)}", properties); }
            if (draft == Draft.Seven && element.TryGetProperty("additionalItems", out JsonElement rest))
            {
                SchemaNode additional = Schema(rest, pointer + "/additionalItems");

                // Without a list of schemas in `items` it says nothing.
                if (node.Prefix.Length > 0 || (element.TryGetProperty("items", out JsonElement items) && items.ValueKind == JsonValueKind.Array)) { node.Items = additional; }
            }

            if (properties.Count > 0 || node.Required.Length > 0) { node.Properties = new PropertyTable(properties, node.Required); }
            if (node.Const is { } constant) { Narrow(constant.Kinds, "const"); }
            if (node.Enum is { } values) { Narrow(values.Kinds, "enum"); }
            if (node.If is null) { (node.Then, node.Else) = (null, null); }
            if (node.Contains is null) { (node.ContainsMin, node.ContainsMax) = (0, long.MaxValue); }
            if (alone) { Clear(); }
            node.SaysNothing = !_refers && SaysNothing();
            node.IsAlias = _refers && node.Tags.Length == 0 && SaysNothing();
        }

        private void Narrow(JsonKinds kinds, string keyword = "type")
        {
            if (!node.HasKinds) { node.KindsKeyword = keyword; }
            node.HasKinds = true;
            node.Kinds &= kinds;
        }

        /// <summary>Draft 7: the schemas beside <c>$ref</c> can be referred to, and that is all.</summary>
        private void Clear()
        {
            (node.HasKinds, node.Kinds, node.Enum, node.Const) = (false, JsonKinds.All, null, null);
            (node.Minimum, node.Maximum, node.ExclusiveMinimum, node.ExclusiveMaximum, node.MultipleOf) = (null, null, null, null, null);
            (node.LengthMin, node.LengthMax, node.Pattern, node.PatternText, node.Format, node.FormatCheck) = (0, long.MaxValue, null, null, null, null);
            (node.Prefix, node.Items, node.Contains, node.ItemsMin, node.ItemsMax, node.UniqueItems) = ([], null, null, 0, long.MaxValue, false);
            (node.Properties, node.Required, node.PatternProperties, node.AdditionalProperties, node.PropertyNames) = (null, [], [], null, null);
            (node.PropertiesMin, node.PropertiesMax, node.DependentRequired, node.DependentSchemas) = (0, long.MaxValue, [], []);
            (node.AllOf, node.AnyOf, node.OneOf, node.Not, node.If, node.Then, node.Else) = ([], [], [], null, null, null, null);
        }

        private bool SaysNothing() =>
            !node.HasKinds && node is
            {
                Minimum: null, Maximum: null, ExclusiveMinimum: null, ExclusiveMaximum: null, MultipleOf: null, LengthMin: 0, LengthMax: long.MaxValue, Pattern: null, FormatCheck: null,
                Prefix.Length: 0, Items: null, Contains: null, ItemsMin: 0, ItemsMax: long.MaxValue, UniqueItems: false, UnevaluatedItems: null, Properties: null, PatternProperties.Length: 0,
                AdditionalProperties: null, PropertyNames: null, UnevaluatedProperties: null, PropertiesMin: 0, PropertiesMax: long.MaxValue, DependentRequired.Length: 0, DependentSchemas.Length: 0,
                AllOf.Length: 0, AnyOf.Length: 0, OneOf.Length: 0, Not: null, If: null,
            };

        private void Keyword(string name, JsonElement value, string at, List<(string, SchemaNode)> properties)
        {
            switch (name)
            {
                case "$schema":
                    if (!ReferenceEquals(resource.Root, node)) { throw Refused(at, "`$schema` stands at the root of a schema"); }
                    break;
                case "$id":
                    break;
                case "$ref":
                    _refers = true;
                    reader._references.Enqueue((node, Text(value, at), reader._document, false));
                    break;
                case "$anchor" when draft == Draft.TwentyTwenty:
                    reader.Anchor(resource.Anchors, AnchorName(value, at), node, at);
                    break;
                case "$dynamicAnchor" when draft == Draft.TwentyTwenty:
                    reader.Anchor(resource.DynamicAnchors, AnchorName(value, at), node, at);
                    break;
                case "$dynamicRef" when draft == Draft.TwentyTwenty:
                    // Both are possible beside each other; the dynamic one is then a schema of its own.
                    SchemaNode holder = new(reader._nodes.Count, reader._document + at, resource);
                    reader._nodes.Add(holder);
                    reader._references.Enqueue((holder, Text(value, at), reader._document, true));
                    node.AllOf = [.. node.AllOf, holder];
                    break;
                case "$defs" or "definitions":
                    foreach (JsonProperty definition in Object(value, at)) { Schema(definition.Value, $"{at}/{Escape(definition.Name)}"); }
                    break;
                case "type":
                    Narrow(value.ValueKind == JsonValueKind.Array ? List(value, at).Aggregate(JsonKinds.None, (kinds, one) => kinds | Kind(one, at)) : Kind(value, at));
                    break;
                case "enum":
                    node.Enum = Constants([.. List(value, at)], at);
                    break;
                case "const":
                    node.Const = Constants([value], at);
                    break;
                case "multipleOf":
                    node.MultipleOf = Divisor(value, at);
                    break;
                case "minimum":
                    node.Minimum = Bound(value, at);
                    break;
                case "maximum":
                    node.Maximum = Bound(value, at);
                    break;
                case "exclusiveMinimum":
                    node.ExclusiveMinimum = Bound(value, at);
                    break;
                case "exclusiveMaximum":
                    node.ExclusiveMaximum = Bound(value, at);
                    break;
                case "minLength":
                    node.LengthMin = Count(value, at);
                    break;
                case "maxLength":
                    node.LengthMax = Count(value, at);
                    break;
                case "pattern":
                    node.PatternText = Text(value, at);
                    node.Pattern = Pattern(node.PatternText, at);
                    break;
                case "format":
                    node.Format = Text(value, at);
                    if (reader._assertFormats) { node.FormatCheck = Formats.Find(node.Format); }
                    break;
                case "items" when value.ValueKind == JsonValueKind.Array && draft == Draft.Seven:
                    node.Prefix = Schemas(value, at, mayBeEmpty: true);
                    break;
                case "items":
                    node.Items = Schema(value, at);
                    break;
                case "prefixItems" when draft == Draft.TwentyTwenty:
                    node.Prefix = Schemas(value, at);
                    break;
                case "additionalItems" when draft == Draft.Seven:
                    break;
                case "contains":
                    node.Contains = Schema(value, at);
                    break;
                case "minContains" when draft == Draft.TwentyTwenty:
                    node.ContainsMin = Count(value, at);
                    break;
                case "maxContains" when draft == Draft.TwentyTwenty:
                    node.ContainsMax = Count(value, at);
                    break;
                case "minItems":
                    node.ItemsMin = Count(value, at);
                    break;
                case "maxItems":
                    node.ItemsMax = Count(value, at);
                    break;
                case "uniqueItems":
                    node.UniqueItems = value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Refused(at, "true or false is wanted here");
                    break;
                case "unevaluatedItems" when draft == Draft.TwentyTwenty:
                    node.UnevaluatedItems = Schema(value, at);
                    break;
                case "properties":
                    foreach (JsonProperty property in Object(value, at)) { properties.Add((property.Name, Schema(property.Value, $"{at}/{Escape(property.Name)}"))); }
                    break;
                case "patternProperties":
                    node.PatternProperties = [.. Object(value, at).Select(property => (Pattern(property.Name, $"{at}/{Escape(property.Name)}"), property.Name, Schema(property.Value, $"{at}/{Escape(property.Name)}")))];
                    break;
                case "additionalProperties":
                    node.AdditionalProperties = Schema(value, at);
                    break;
                case "unevaluatedProperties" when draft == Draft.TwentyTwenty:
                    node.UnevaluatedProperties = Schema(value, at);
                    break;
                case "propertyNames":
                    node.PropertyNames = Schema(value, at);
                    break;
                case "minProperties":
                    node.PropertiesMin = Count(value, at);
                    break;
                case "maxProperties":
                    node.PropertiesMax = Count(value, at);
                    break;
                case "required":
                    node.Required = Names(value, at);
                    break;
                case "dependentRequired" when draft == Draft.TwentyTwenty:
                    DependentRequired(value, at);
                    break;
                case "dependentSchemas" when draft == Draft.TwentyTwenty:
                    DependentSchemas(value, at);
                    break;
                case "dependencies" when draft == Draft.Seven:
                    DependentRequired(value, at);
                    DependentSchemas(value, at);
                    break;
                case "allOf":
                    node.AllOf = [.. node.AllOf, .. Schemas(value, at)];
                    break;
                case "anyOf":
                    node.AnyOf = Schemas(value, at);
                    break;
                case "oneOf":
                    node.OneOf = Schemas(value, at);
                    break;
                case "not":
                    node.Not = Schema(value, at);
                    break;
                case "if":
                    node.If = Schema(value, at);
                    break;
                case "then":
                    node.Then = Schema(value, at);
                    break;
                case "else":
                    node.Else = Schema(value, at);
                    break;
                case "title":
                    node.Title = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
                    break;
                case "default":
                    node.Default = Encoding.UTF8.GetBytes(value.GetRawText());
                    break;
                case "confluent:tags" or "tags":
                    node.Tags = [.. node.Tags.Union(Names(value, at))];
                    break;
                default:
                    if (!Annotations.Contains(name) && !name.StartsWith("x-", StringComparison.Ordinal) && !name.StartsWith("connect.", StringComparison.Ordinal) && !name.StartsWith("confluent:", StringComparison.Ordinal))
                    {
                        throw Refused(at, $"keyword `{Shown(name)}` is not one of {(draft == Draft.Seven ? "draft 7" : "2020-12")}, and nothing that is not understood is passed over", Help(name));
                    }

                    break;
            }
        }

        private string? Help(string name) => name switch
        {
            "prefixItems" or "unevaluatedItems" or "unevaluatedProperties" or "dependentRequired" or "dependentSchemas" or "minContains" or "maxContains" or "$anchor" or "$dynamicRef" or "$dynamicAnchor" when draft == Draft.Seven =>
                "it is of 2020-12: say so with `$schema`",
            "dependencies" => "2020-12 has `dependentRequired` and `dependentSchemas`",
            "additionalItems" => "2020-12 has `prefixItems` and `items`",
            "$recursiveRef" or "$recursiveAnchor" => "of draft 2019-09, which is not read",
            _ => "an annotation of your own begins with `x-`",
        };

        private SchemaNode Schema(JsonElement value, string at) => reader.Node(value, at, resource, draft);

        private SchemaNode[] Schemas(JsonElement value, string at, bool mayBeEmpty = false)
        {
            var schemas = new List<SchemaNode>();
            foreach (JsonElement one in List(value, at)) { schemas.Add(Schema(one, string.Create(CultureInfo.InvariantCulture, $"{at}/{schemas.Count}"))); }
            return schemas.Count > 0 || mayBeEmpty ? [.. schemas] : throw Refused(at, "at least one schema is wanted here");
        }

        private void DependentRequired(JsonElement value, string at)
        {
            var all = new List<(RequiredName, RequiredName[])>();
            foreach (JsonProperty property in Object(value, at))
            {
                if (property.Value.ValueKind == JsonValueKind.Array || draft != Draft.Seven) { all.Add((new RequiredName(property.Name), [.. Names(property.Value, $"{at}/{Escape(property.Name)}").Select(other => new RequiredName(other))])); }
            }

            node.DependentRequired = [.. all];
        }

        private void DependentSchemas(JsonElement value, string at)
        {
            var all = new List<(RequiredName, SchemaNode)>();
            foreach (JsonProperty property in Object(value, at))
            {
                if (property.Value.ValueKind != JsonValueKind.Array || draft != Draft.Seven) { all.Add((new RequiredName(property.Name), Schema(property.Value, $"{at}/{Escape(property.Name)}"))); }
            }

            node.DependentSchemas = [.. all];
        }

        private JsonElement.ObjectEnumerator Object(JsonElement value, string at)
        {
            if (value.ValueKind != JsonValueKind.Object) { throw Refused(at, "an object is wanted here"); }
            var names = new HashSet<string>(StringComparer.Ordinal);
            foreach (JsonProperty property in value.EnumerateObject())
            {
                if (!names.Add(property.Name)) { throw Refused($"{at}/{Escape(property.Name)}", "this name comes twice"); }
            }

            return value.EnumerateObject();
        }

        private JsonElement.ArrayEnumerator List(JsonElement value, string at) => value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : throw Refused(at, "a list is wanted here");

        private string[] Names(JsonElement value, string at)
        {
            var names = new List<string>();
            foreach (JsonElement one in List(value, at)) { names.Add(Text(one, at)); }
            return [.. names.Distinct(StringComparer.Ordinal)];
        }

        private JsonKinds Kind(JsonElement value, string at) =>
            KindNames.TryGetValue(Text(value, at), out JsonKinds kind) ? kind : throw Refused(at, "no type of JSON", "null, boolean, object, array, string, number, integer");

        private ConstantSet Constants(JsonElement[] values, string at)
        {
            try { return new ConstantSet([.. values.Select(value => Encoding.UTF8.GetBytes(value.GetRawText()))]); }
            catch (SchemaException fault) { throw Refused(at, fault.Message); }
        }

        private NumberBound Bound(JsonElement value, string at) => new(Number(value, at));

        private byte[] Number(JsonElement value, string at)
        {
            if (value.ValueKind != JsonValueKind.Number) { throw Refused(at, "a number is wanted here"); }
            string text = value.GetRawText();
            return text.Length <= 1000 ? Encoding.ASCII.GetBytes(text) : throw Refused(at, "a number may have 1000 digits");
        }

        private ExactDivisor Divisor(JsonElement value, string at)
        {
            ExactNumber number = ExactNumber.Of(Number(value, at));
            return number.Count > 0 && !number.Negative ? number.ToDivisor() : throw Refused(at, "a number above zero is wanted here");
        }

        private long Count(JsonElement value, string at)
        {
            ExactNumber number = ExactNumber.Of(Number(value, at));
            return !number.Negative && number.IsInteger ? number.TryInt64(out long count) ? count : long.MaxValue : throw Refused(at, "a whole number, zero or above, is wanted here");
        }

        private Re2 Pattern(string text, string at) => Re2.TryParseEcma(text, out Re2? pattern, out string? mistake) ? pattern : throw Refused(at, $"the pattern cannot be used: {mistake}");

        private string AnchorName(JsonElement value, string at)
        {
            string name = Text(value, at);
            bool good = name.Length > 0 && (char.IsAsciiLetter(name[0]) || name[0] == '_') && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
            return good ? name : throw Refused(at, "an anchor is a letter or `_`, then letters, digits, `-`, `_`, and `.`");
        }

        private string Text(JsonElement value, string at) => reader.Text(value, at);

        private SchemaException Refused(string at, string why, string? help = null) => SchemaReader.Refused(reader._document, at, why, help);
    }
}
