using System.Runtime.CompilerServices;
using System.Text;

namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>
/// Makes the types that rules see. A type says only what every valid record keeps: where schemas leave several kinds of values, or an object's properties to a branch, it is dyn.
/// For load time; not thread-safe.
/// </summary>
internal sealed class TypeBuilder(Locations locations)
{
    /// <summary>Types of one schema; beyond it places are of no fixed type.</summary>
    private const int TypesMax = 50_000;

    private readonly Dictionary<(string Key, bool Nullable, string Tags), SchemaType> _types = [];
    private readonly Dictionary<string, Record> _records = new(StringComparer.Ordinal);
    private readonly HashSet<string> _open = new(StringComparer.Ordinal);
    private int _count;

    private sealed class Record
    {
        public SchemaField[]? Fields { get; set; }

        public List<SchemaType> Waiting { get; } = [];
    }

    /// <param name="nullable">True where the value may not be there, which reads as null.</param>
    /// <param name="tags">Tags of a value that is no field.</param>
    public SchemaType Of(Location place, bool nullable, IReadOnlyList<string>? tags = null)
    {
        JsonKinds kinds = locations.Kinds(place);
        nullable |= (kinds & JsonKinds.Null) != 0;
        var key = (place.Key, nullable, string.Join('\n', tags ?? []));
        if (_types.TryGetValue(key, out SchemaType? known)) { return known; }
        if (!place.IsDeclared || ++_count > TypesMax || !RuntimeHelpers.TryEnsureSufficientExecutionStack()) { return SchemaType.AnyJson; }
        SchemaType type = Make(place, kinds & ~JsonKinds.Null, kinds, nullable, tags ?? []);
        _types[key] = type;
        return type;
    }

    private SchemaType Make(Location place, JsonKinds others, JsonKinds kinds, bool nullable, IReadOnlyList<string> tags)
    {
        ValueConstraints constraints = new LocationConstraints(locations, place, kinds);
        if (others == JsonKinds.None) { return new SchemaType { Kind = kinds == JsonKinds.None ? ValueKind.Dyn : ValueKind.Null, Nullable = true, NativeName = kinds == JsonKinds.None ? "json" : "null" }; }
        if (Single(place, others, nullable, tags, constraints) is { } single) { return single; }

        // Of several kinds: what has fields or elements is told, so that paths and tags lead into it.
        var branches = new List<SchemaType>();
        foreach (JsonKinds kind in (JsonKinds[])[JsonKinds.Object, JsonKinds.Array])
        {
            if ((others & kind) != 0 && HasStructure(place, kind) && Single(place, kind, nullable: false, [], constraints) is { } inside) { branches.Add(inside); }
        }

        if (branches.Count > 0 || others != (JsonKinds.All & ~JsonKinds.Null))
        {
            foreach (JsonKinds kind in (JsonKinds[])[JsonKinds.String, JsonKinds.Number, JsonKinds.Bool, JsonKinds.Object, JsonKinds.Array])
            {
                bool structured = kind is JsonKinds.Object or JsonKinds.Array && HasStructure(place, kind);
                if ((others & kind) != 0 && !structured && others != (JsonKinds.All & ~JsonKinds.Null)) { branches.Add(Single(place, others & kind, nullable: false, [], constraints) ?? SchemaType.AnyJson); }
            }
        }

        return new SchemaType { Kind = ValueKind.Dyn, Nullable = nullable, NativeName = "json", Branches = branches, Constraints = constraints, Tags = tags };
    }

    private bool HasStructure(Location place, JsonKinds kind)
    {
        Location closed = locations.Close(place, kind);
        return kind == JsonKinds.Object
            ? closed.Must.Concat(closed.Maybe).Any(node => node.Properties is { Schemas.Length: > 0 } || node.PatternProperties.Length > 0 || node.AdditionalProperties is { Never: false, SaysNothing: false })
            : closed.Must.Concat(closed.Maybe).Any(node => node.Prefix.Length > 0 || node.Items is { Never: false, SaysNothing: false });
    }

    /// <summary>The type of one kind; null where there are several.</summary>
    private SchemaType? Single(Location place, JsonKinds kind, bool nullable, IReadOnlyList<string> tags, ValueConstraints constraints)
    {
        switch (kind)
        {
            case JsonKinds.Bool:
                return new SchemaType { Kind = ValueKind.Bool, Nullable = nullable, NativeName = "boolean", Constraints = constraints, Tags = tags };
            case JsonKinds.Integer:
                return new SchemaType { Kind = ValueKind.Int, Nullable = nullable, NativeName = "integer", Constraints = constraints, Tags = tags };
            case JsonKinds.Number or JsonKinds.Fraction:
                return new SchemaType { Kind = ValueKind.Double, Nullable = nullable, NativeName = "number", Constraints = constraints, Tags = tags };
            case JsonKinds.String:
                return Text(place, nullable, tags, constraints);
            case JsonKinds.Array:
                return List(place, nullable, tags, constraints);
            case JsonKinds.Object:
                return Object(place, nullable, tags, constraints);
            default:
                return null;
        }
    }

    private SchemaType Text(Location place, bool nullable, IReadOnlyList<string> tags, ValueConstraints constraints)
    {
        Location closed = locations.Close(place, JsonKinds.String);
        string[]? symbols = null;
        foreach (SchemaNode node in closed.Must)
        {
            if ((node.Const ?? node.Enum)?.Symbols() is not { Length: > 0 } found) { continue; }
            symbols = symbols is null ? found : [.. symbols.Intersect(found)];
        }

        if (symbols is { Length: > 0 })
        {
            return new SchemaType { Kind = ValueKind.String, Nullable = nullable, NativeName = "enum", Symbols = symbols, DefaultSymbol = Default(closed, symbols), Constraints = constraints, Tags = tags };
        }

        bool instant = closed.Must.Any(node => node.Format == "date-time");
        return new SchemaType { Kind = instant ? ValueKind.Timestamp : ValueKind.String, Nullable = nullable, NativeName = instant ? "date-time" : "string", Constraints = constraints, Tags = tags };
    }

    private static string? Default(Location closed, string[] symbols)
    {
        foreach (SchemaNode node in closed.Must)
        {
            if (node.Default is { } text && JsonView.Of(text) is { } view && view.Tokens[0].Kind == ValueKind.String && Encoding.UTF8.GetString(view.Text(view.Tokens[0])) is var symbol && symbols.Contains(symbol)) { return symbol; }
        }

        return symbols.Length == 1 ? symbols[0] : null;
    }

    private SchemaType List(Location place, bool nullable, IReadOnlyList<string> tags, ValueConstraints constraints)
    {
        if (!_open.Add(place.Key)) { return SchemaType.AnyJson; }
        int prefix = locations.PrefixLength(place);
        Location rest = locations.Element(place, prefix);
        SchemaType element = prefix == 0 ? Of(rest, nullable: false, locations.Tags(rest)) : SchemaType.AnyJson;
        if (prefix > 0)
        {
            // A tuple's elements are of different types: what they have inside is told, what they are is not.
            var branches = new List<SchemaType>();
            for (int i = 0; i <= Math.Min(prefix, 64); i++)
            {
                if (i < prefix || locations.Kinds(rest) != JsonKinds.None) { branches.Add(Of(locations.Element(place, i), nullable: false)); }
            }

            element = new SchemaType { Kind = ValueKind.Dyn, Nullable = true, NativeName = "json", Branches = branches, Tags = [.. Enumerable.Range(0, Math.Min(prefix, 64) + 1).SelectMany(i => locations.Tags(locations.Element(place, i))).Distinct()] };
        }

        _open.Remove(place.Key);
        return new SchemaType { Kind = ValueKind.List, Nullable = nullable, NativeName = "array", Element = element, Constraints = constraints, Tags = tags };
    }

    private SchemaType Object(Location place, bool nullable, IReadOnlyList<string> tags, ValueConstraints constraints)
    {
        List<string> names = locations.Names(place);
        Location closed = locations.Close(place, JsonKinds.Object);
        if (names.Count == 0) { return Map(place, closed, nullable, tags, constraints); }
        var type = new SchemaType { Kind = ValueKind.Record, Nullable = nullable, NativeName = "object", FullName = closed.Must.Select(node => node.Title).FirstOrDefault(title => title is not null), Constraints = constraints, Tags = tags };
        if (!_records.TryGetValue(place.Key, out Record? record))
        {
            _records.Add(place.Key, record = new Record());
            record.Waiting.Add(type);
            var fields = new SchemaField[names.Count];
            for (int i = 0; i < fields.Length; i++)
            {
                Location inner = locations.Property(place, names[i]);
                bool required = locations.IsRequired(place, names[i]);
                fields[i] = new SchemaField { Name = names[i], Type = Of(inner, !required), Tags = locations.Tags(inner), Removable = !required };
            }

            record.Fields = fields;
            foreach (SchemaType waiting in record.Waiting) { waiting.SetFields(fields); }
        }
        else if (record.Fields is { } fields) { type.SetFields(fields); }
        else { record.Waiting.Add(type); }

        return type;
    }

    private SchemaType Map(Location place, Location closed, bool nullable, IReadOnlyList<string> tags, ValueConstraints constraints)
    {
        if (!_open.Add(place.Key)) { return SchemaType.AnyJson; }
        string[] patterns = [.. closed.Must.Concat(closed.Maybe).SelectMany(node => node.PatternProperties).Select(one => one.Text).Distinct()];
        Location rest = locations.OtherProperty(place, patterns, 0);
        SchemaType element = SchemaType.AnyJson;
        if (patterns.Length == 0) { element = Of(rest, nullable: false, locations.Tags(rest)); }
        else
        {
            var inner = new List<SchemaType>();
            var inside = new List<string>();
            if (locations.Kinds(rest) != JsonKinds.None && rest.IsDeclared) { Add(rest); }
            for (int i = 0; i < Math.Min(patterns.Length, 30); i++) { Add(locations.OtherProperty(place, patterns, 1 << i)); }
            bool closedBut = rest.IsDeclared && locations.Kinds(rest) == JsonKinds.None;
            element = closedBut && patterns.Length == 1 ? Of(locations.OtherProperty(place, patterns, 1), nullable: false, inside)
                : new SchemaType { Kind = ValueKind.Dyn, Nullable = true, NativeName = "json", Branches = rest.IsDeclared ? inner : [.. inner, SchemaType.AnyJson], Tags = inside };

            void Add(Location one)
            {
                inner.Add(Of(one, nullable: false));
                inside.AddRange(locations.Tags(one).Except(inside));
            }
        }

        _open.Remove(place.Key);
        return new SchemaType { Kind = ValueKind.Map, Nullable = nullable, NativeName = "object", Element = element, Constraints = constraints, Tags = tags };
    }
}
