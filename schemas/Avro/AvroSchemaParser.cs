using System.Text;
using System.Text.Json;

namespace PolicyStreams.Schemas.Avro;

/// <summary>
/// Parses schema declarations (specification 1.12) into <see cref="AvroType"/>s. Strict where bytes depend on it: names, unions, sizes, defaults; what the specification
/// calls ignorable is ignored (unknown attributes, logical types that do not fit). One use each.
/// </summary>
internal sealed class AvroSchemaParser
{
    public const int TextBytesMax = 1 << 20;
    public const int FieldsMax = 10_000;
    private const int NestingMax = 256;
    private const int DefaultBytesMax = 1 << 20;

    private static readonly JsonDocumentOptions JsonOptions = new() { MaxDepth = 2 * NestingMax, AllowDuplicateProperties = false };

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly Dictionary<string, AvroType> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<string, AvroType> _primitives = new(StringComparer.Ordinal);
    private readonly List<AvroType> _records = [];
    private readonly List<(AvroField Field, JsonElement Default, string Where)> _defaults = [];

    // Tarjan's algorithm rides on the parse, which visits definitions depth first: nesting is the tree edge, a name in use the back or cross edge.
    private readonly List<AvroType> _open = [];
    private readonly List<AvroType> _componentStack = [];
    private readonly Dictionary<AvroType, (int Index, int Low)> _visits = [];
    private int _components;
    private int _fields;
    private long _defaultBytes;

    /// <summary>Records in the order their definitions end; what a record uses of earlier ones is complete.</summary>
    public IReadOnlyList<AvroType> Records => _records;

    public AvroType Parse(string text, IReadOnlyList<string> referencedSchemas)
    {
        ArgumentNullException.ThrowIfNull(text);
        var documents = new List<JsonDocument>();
        try
        {
            long bytes = 0;
            foreach (string referenced in referencedSchemas) { Document(referenced, "a referenced schema", documents, ref bytes); }
            AvroType root = Document(text, "the schema", documents, ref bytes);
            Finish();
            return root;
        }
        catch (Exception e) when (e is InvalidOperationException or EncoderFallbackException)
        {
            throw new SchemaException("A text in the schema is not Unicode: it has half a surrogate pair.");
        }
        finally
        {
            foreach (JsonDocument document in documents) { document.Dispose(); }
        }
    }

    private AvroType Document(string text, string what, List<JsonDocument> documents, ref long bytes)
    {
        // The bound is on all texts together: references must not be a way around it.
        bytes += StrictUtf8.GetByteCount(text);
        if (bytes > TextBytesMax) { throw new SchemaException($"{Upper(what)} is larger than {TextBytesMax} bytes (with its references)."); }

        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(text, JsonOptions);
        }
        catch (JsonException e)
        {
            // A bare name is how some registries hand a primitive over: `string` without quotes. It is not JSON, and not accepted.
            throw new SchemaException($"{Upper(what)} is not JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}. A property that comes twice, or nesting beyond {2 * NestingMax}, is refused too.");
        }

        documents.Add(document);
        return Type(document.RootElement, "", "$", 0);
    }

    private static string Upper(string what) => char.ToUpperInvariant(what[0]) + what[1..];

    private static SchemaException Bad(string where, string why) => new($"Avro schema at {where}: {why}");

    private AvroType Type(JsonElement json, string space, string where, int depth)
    {
        if (depth > NestingMax) { throw Bad(where, $"types are nested deeper than {NestingMax}."); }
        return json.ValueKind switch
        {
            JsonValueKind.String => Named(json.GetString()!, space, where),
            JsonValueKind.Array => Union(json, space, where, depth),
            JsonValueKind.Object => Complex(json, space, where, depth),
            _ => throw Bad(where, "a type is a name, an object, or an array of branches."),
        };
    }

    private AvroType Named(string name, string space, string where)
    {
        if (PrimitiveKind(name) is { } kind) { return Primitive(kind, name); }
        if (!IsFullName(name)) { throw Bad(where, $"{Quote(name)} is not a name."); }
        if (_names.TryGetValue(Qualify(name, space), out AvroType? type) || _names.TryGetValue(name, out type))
        {
            Uses(type);
            return type;
        }

        throw Bad(where, $"the type {Quote(Qualify(name, space))} is not defined before it is used.");
    }

    private AvroType Primitive(AvroKind kind, string name)
    {
        if (_primitives.TryGetValue(name, out AvroType? type)) { return type; }
        type = new AvroType(kind) { NativeName = name };
        type.ZeroSize = kind == AvroKind.Null;
        type.SizeMin = kind switch { AvroKind.Null => 0, AvroKind.Float => 4, AvroKind.Double => 8, _ => 1 };
        type.View = AvroTypeView.Of(type);
        _primitives.Add(name, type);
        return type;
    }

    private AvroType Complex(JsonElement json, string space, string where, int depth)
    {
        if (!json.TryGetProperty("type", out JsonElement kindJson)) { throw Bad(where, "`type` is missing."); }
        if (kindJson.ValueKind is JsonValueKind.Object or JsonValueKind.Array) { return Type(kindJson, space, where + ".type", depth + 1); }
        if (kindJson.ValueKind != JsonValueKind.String) { throw Bad(where, "`type` is a name, an object, or an array of branches."); }

        string kind = kindJson.GetString()!;
        switch (kind)
        {
            case "record" or "error":
                return Record(json, space, where, depth);
            case "enum":
                return Enum(json, space, where);
            case "fixed":
                return Fixed(json, space, where);
            case "array":
                {
                    AvroType items = Type(Required(json, "items", where), space, where + ".items", depth + 1);
                    var array = new AvroType(AvroKind.Array) { Element = items, NativeName = "array", SizeMin = 1 };
                    array.View = AvroTypeView.Of(array);
                    return array;
                }
            case "map":
                {
                    AvroType values = Type(Required(json, "values", where), space, where + ".values", depth + 1);
                    var map = new AvroType(AvroKind.Map) { Element = values, NativeName = "map", SizeMin = 1 };
                    map.View = AvroTypeView.Of(map);
                    return map;
                }
            case "union":
                throw Bad(where, "a union is written as an array of its branches.");
        }

        if (PrimitiveKind(kind) is not { } primitive) { return Named(kind, space, where); }
        AvroType plain = Primitive(primitive, kind);
        if (!json.TryGetProperty("logicalType", out JsonElement logical) || logical.ValueKind != JsonValueKind.String) { return plain; }
        var type = new AvroType(primitive) { NativeName = kind, SizeMin = plain.SizeMin };
        AvroLogicalTypes.Apply(type, logical.GetString()!, json);
        if (type.Logical == AvroLogical.None) { return plain; }
        type.View = AvroTypeView.Of(type);
        return type;
    }

    private AvroType Record(JsonElement json, string space, string where, int depth)
    {
        var type = new AvroType(AvroKind.Record) { NativeName = "record" };
        string own = Define(type, json, space, where);
        type.View = AvroTypeView.Record(type, nullable: false);
        type.NullableView = AvroTypeView.Record(type, nullable: true);
        Enter(type);

        JsonElement fieldsJson = Required(json, "fields", where);
        if (fieldsJson.ValueKind != JsonValueKind.Array) { throw Bad(where, "`fields` is an array."); }
        var fields = new List<AvroField>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonElement fieldJson in fieldsJson.EnumerateArray())
        {
            if (++_fields > FieldsMax) { throw Bad(where, $"the schema has more than {FieldsMax} fields."); }
            fields.Add(Field(fieldJson, own, $"{where}.fields[{fields.Count}]", depth, seen));
        }

        type.Fields = [.. fields];
        type.ZeroSize = fields.TrueForAll(field => field.Type.ZeroSize);
        long sizeMin = 0;
        long weight = 1;
        foreach (AvroField field in type.Fields)
        {
            sizeMin += field.Type.SizeMin;
            weight += WeightOf(field.Type);
        }

        type.SizeMin = (int)Math.Min(sizeMin, int.MaxValue / 2);
        type.Weight = (int)Math.Min(weight, int.MaxValue / 2);
        _records.Add(type);
        Leave(type);
        return type;
    }

    private AvroField Field(JsonElement json, string space, string where, int depth, HashSet<string> seen)
    {
        if (json.ValueKind != JsonValueKind.Object) { throw Bad(where, "a field is an object."); }
        string name = Text(Required(json, "name", where), "name", where);
        if (!IsName(name)) { throw Bad(where, $"{Quote(name)} is not a name: letters, digits, and underscores, not a digit first."); }
        if (!seen.Add(name)) { throw Bad(where, $"the record has two fields named {Quote(name)}."); }
        if (json.TryGetProperty("order", out JsonElement order) && !(order.ValueKind == JsonValueKind.String && order.GetString() is "ascending" or "descending" or "ignore"))
        {
            throw Bad(where, "`order` is ascending, descending, or ignore.");
        }

        AvroType type = Type(Required(json, "type", where), space, where + ".type", depth + 1);
        bool hasDefault = json.TryGetProperty("default", out JsonElement defaultJson);
        var field = new AvroField(name, type)
        {
            Aliases = Names(json, "aliases", where, IsName),
            Tags = Tags(json, where),
            HasDefault = hasDefault,
        };
        if (hasDefault) { _defaults.Add((field, defaultJson, where)); }
        return field;
    }

    private static string[] Tags(JsonElement json, string where)
    {
        var tags = new List<string>();
        foreach (string property in (ReadOnlySpan<string>)["confluent:tags", "tags"])
        {
            if (!json.TryGetProperty(property, out JsonElement value)) { continue; }

            // A tag that is not understood would be a field that is not masked.
            if (value.ValueKind != JsonValueKind.Array) { throw Bad(where, $"`{property}` is an array of strings."); }
            foreach (JsonElement item in value.EnumerateArray())
            {
                if (item.ValueKind != JsonValueKind.String) { throw Bad(where, $"`{property}` is an array of strings."); }
                string tag = item.GetString()!;
                if (!tags.Contains(tag)) { tags.Add(tag); }
            }
        }

        return [.. tags];
    }

    private AvroType Enum(JsonElement json, string space, string where)
    {
        var type = new AvroType(AvroKind.Enum) { NativeName = "enum", SizeMin = 1 };
        Define(type, json, space, where);
        JsonElement symbolsJson = Required(json, "symbols", where);
        if (symbolsJson.ValueKind != JsonValueKind.Array) { throw Bad(where, "`symbols` is an array of names."); }
        var symbols = new List<string>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonElement item in symbolsJson.EnumerateArray())
        {
            string symbol = Text(item, "symbols", where);
            if (!IsName(symbol)) { throw Bad(where, $"the symbol {Quote(symbol)} is not a name."); }
            if (!seen.Add(symbol)) { throw Bad(where, $"the symbol {Quote(symbol)} comes twice."); }
            symbols.Add(symbol);
        }

        type.Symbols = [.. symbols];
        type.SymbolBytes = [.. symbols.Select(Encoding.UTF8.GetBytes)];
        if (json.TryGetProperty("default", out JsonElement defaultJson))
        {
            type.EnumDefault = symbols.IndexOf(Text(defaultJson, "default", where));
            if (type.EnumDefault < 0) { throw Bad(where, "the enum's `default` is not one of its symbols."); }
        }

        type.View = AvroTypeView.Of(type);
        return type;
    }

    private AvroType Fixed(JsonElement json, string space, string where)
    {
        var type = new AvroType(AvroKind.Fixed) { NativeName = "fixed" };
        Define(type, json, space, where);
        JsonElement size = Required(json, "size", where);
        if (size.ValueKind != JsonValueKind.Number || !size.TryGetInt32(out int bytes) || bytes < 0) { throw Bad(where, "`size` is a whole number, 0 to 2147483647."); }
        type.Size = bytes;
        type.SizeMin = bytes;
        type.ZeroSize = bytes == 0;
        if (json.TryGetProperty("logicalType", out JsonElement logical) && logical.ValueKind == JsonValueKind.String)
        {
            AvroLogicalTypes.Apply(type, logical.GetString()!, json);
        }

        type.View = AvroTypeView.Of(type);
        return type;
    }

    private AvroType Union(JsonElement json, string space, string where, int depth)
    {
        var branches = new List<AvroType>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonElement item in json.EnumerateArray())
        {
            string at = $"{where}[{branches.Count}]";
            AvroType branch = Type(item, space, at, depth + 1);
            if (branch.Kind == AvroKind.Union) { throw Bad(at, "a union may not hold a union directly."); }
            if (!seen.Add(branch.Name)) { throw Bad(at, $"the union holds {Quote(branch.Name)} twice."); }
            branches.Add(branch);
        }

        var type = new AvroType(AvroKind.Union) { Branches = [.. branches], NativeName = "union" };
        type.NullBranch = branches.FindIndex(branch => branch.Kind == AvroKind.Null);
        int others = branches.Count - (type.NullBranch >= 0 ? 1 : 0);
        if (others == 1) { type.Single = branches.Find(branch => branch.Kind != AvroKind.Null); }
        type.SizeMin = 1 + (branches.Count == 0 ? 0 : Math.Min(branches.Min(branch => branch.SizeMin), int.MaxValue / 4));
        type.View = AvroTypeView.Of(type);
        return type;
    }

    /// <summary>Names a type and makes the name known; returns the namespace inside its definition.</summary>
    private string Define(AvroType type, JsonElement json, string space, string where)
    {
        string name = Text(Required(json, "name", where), "name", where);
        string own = space;
        if (json.TryGetProperty("namespace", out JsonElement spaceJson) && spaceJson.ValueKind != JsonValueKind.Null)
        {
            own = Text(spaceJson, "namespace", where);
            if (own.Length > 0 && !IsFullName(own)) { throw Bad(where, $"the namespace {Quote(own)} is not a name."); }
        }

        if (!IsFullName(name)) { throw Bad(where, $"{Quote(name)} is not a name: letters, digits, and underscores, not a digit first, parts separated by dots."); }
        int dot = name.LastIndexOf('.');
        if (dot >= 0) { own = name[..dot]; }
        string full = Qualify(name, own);
        if (PrimitiveKind(name[(dot + 1)..]) is not null) { throw Bad(where, $"{Quote(full)} takes the name of a primitive type."); }
        type.FullName = full;
        type.Aliases = [.. Names(json, "aliases", where, IsFullName).Select(alias => Qualify(alias, own))];
        if (!_names.TryAdd(full, type)) { throw Bad(where, $"the type {Quote(full)} is defined twice."); }
        return own;
    }

    private void Enter(AvroType record)
    {
        if (_open.Count > 0) { _open[^1].RecordsBelow.Add(record); }
        _visits.Add(record, (_visits.Count, _visits.Count));
        _open.Add(record);
        _componentStack.Add(record);
    }

    private void Uses(AvroType type)
    {
        if (type.Kind != AvroKind.Record || _open.Count == 0) { return; }
        AvroType user = _open[^1];
        user.RecordsBelow.Add(type);
        if (type.Component >= 0) { return; }
        (int index, int low) = _visits[user];
        _visits[user] = (index, Math.Min(low, _visits[type].Index));
        if (user == type) { type.Recursive = true; }
    }

    private void Leave(AvroType record)
    {
        _open.RemoveAt(_open.Count - 1);
        (int index, int low) = _visits[record];
        if (_open.Count > 0)
        {
            (int outer, int outerLow) = _visits[_open[^1]];
            _visits[_open[^1]] = (outer, Math.Min(outerLow, low));
        }

        if (low != index) { return; }
        int first = _componentStack.LastIndexOf(record);
        bool many = _componentStack.Count - first > 1;
        for (int i = first; i < _componentStack.Count; i++)
        {
            _componentStack[i].Component = _components;
            _componentStack[i].Recursive |= many;
        }

        _componentStack.RemoveRange(first, _componentStack.Count - first);
        _components++;
    }

    private void Finish()
    {
        // Fields as rules see them wait for the defaults; defaults wait for each other (a record's default may leave fields to theirs).
        var pending = new Dictionary<AvroField, (JsonElement Default, string Where)>(_defaults.Count);
        foreach ((AvroField field, JsonElement json, string where) in _defaults) { pending.Add(field, (json, where)); }
        foreach ((AvroField field, JsonElement _, string _) in _defaults) { Default(field, pending, 0); }
        foreach (AvroType record in _records) { AvroTypeView.SetFields(record); }
    }

    private void Default(AvroField field, Dictionary<AvroField, (JsonElement Default, string Where)> pending, int depth)
    {
        if (field.Default is not null) { return; }
        (JsonElement json, string where) = pending[field];
        if (depth > NestingMax) { throw Bad(where, "the default leads back to itself."); }
        string? why = AvroJsonEncoder.TryDefault(field.Type, json, nested => Default(nested, pending, depth + 1), out byte[] bytes);
        if (why is not null) { throw Bad(where, $"the default does not fit the field's type: {why}"); }
        field.Default = bytes;
        _defaultBytes += bytes.Length;
        if (_defaultBytes > DefaultBytesMax) { throw new SchemaException($"The schema's defaults take more than {DefaultBytesMax} bytes."); }
    }

    private static JsonElement Required(JsonElement json, string name, string where) =>
        json.TryGetProperty(name, out JsonElement value) ? value : throw Bad(where, $"`{name}` is missing.");

    private static string Text(JsonElement json, string name, string where) =>
        json.ValueKind == JsonValueKind.String ? json.GetString()! : throw Bad(where, $"`{name}` is text.");

    private static string[] Names(JsonElement json, string property, string where, Func<string, bool> isName)
    {
        if (!json.TryGetProperty(property, out JsonElement value)) { return []; }
        if (value.ValueKind != JsonValueKind.Array) { throw Bad(where, $"`{property}` is an array of names."); }
        var names = new List<string>();
        foreach (JsonElement item in value.EnumerateArray())
        {
            string name = Text(item, property, where);
            if (!isName(name)) { throw Bad(where, $"`{property}` holds {Quote(name)}, which is not a name."); }
            names.Add(name);
        }

        return [.. names];
    }

    private static int WeightOf(AvroType type) => type.Kind switch
    {
        // A record that is still open is met here only through itself: it is recursive, and never unrolled.
        AvroKind.Record => type.Component < 0 || type.Recursive ? int.MaxValue / 4 : Math.Min(type.Weight, int.MaxValue / 4),
        AvroKind.Array or AvroKind.Map => 1 + Math.Min(WeightOf(type.Element), int.MaxValue / 4),
        AvroKind.Union => (int)Math.Min(type.Branches.Sum(branch => 2L + WeightOf(branch)), int.MaxValue / 4),
        _ => 1,
    };

    private static string Qualify(string name, string space) => space.Length == 0 || name.Contains('.', StringComparison.Ordinal) ? name : space + "." + name;

    private static bool IsName(string name)
    {
        if (name.Length == 0 || char.IsAsciiDigit(name[0])) { return false; }
        foreach (char c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c != '_') { return false; }
        }

        return true;
    }

    private static bool IsFullName(string name)
    {
        foreach (Range part in name.AsSpan().Split('.'))
        {
            if (!IsName(name[part])) { return false; }
        }

        return true;
    }

    /// <summary>A name as messages quote it: bounded, without control characters.</summary>
    private static string Quote(string name)
    {
        var text = new StringBuilder("`");
        foreach (char c in name.AsSpan(0, Math.Min(name.Length, 80))) { text.Append(char.IsControl(c) || char.IsSurrogate(c) ? '?' : c); }
        return text.Append(name.Length > 80 ? "…`" : "`").ToString();
    }

    private static AvroKind? PrimitiveKind(string name) => name switch
    {
        "null" => AvroKind.Null,
        "boolean" => AvroKind.Boolean,
        "int" => AvroKind.Int,
        "long" => AvroKind.Long,
        "float" => AvroKind.Float,
        "double" => AvroKind.Double,
        "bytes" => AvroKind.Bytes,
        "string" => AvroKind.String,
        _ => null,
    };
}
