using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Checking;

internal enum CelKind : byte
{
    Dyn, Null, Bool, Int, UInt, Double, String, Bytes, Timestamp, Duration, Decimal, List, Map, Type,
    /// <summary>A record of a schema.</summary>
    Record,
    /// <summary>A named type with parameters: <c>optional_type</c>, <c>net.IP</c>.</summary>
    Opaque,
    /// <summary>A variable of a function's signature, or one made while checking.</summary>
    Param,
}

/// <summary>A type of CEL. Immutable.</summary>
internal sealed class CelType
{
    public const string OptionalName = "optional_type";

    private CelType(CelKind kind, string name, CelType[]? parameters = null, SchemaType? schema = null, bool nullable = false)
    {
        Kind = kind;
        Name = name;
        Parameters = parameters ?? [];
        Schema = schema;
        Nullable = nullable;
    }

    public CelKind Kind { get; }

    /// <summary>As <c>type()</c> and messages name it, parameters left out.</summary>
    public string Name { get; }

    public CelType[] Parameters { get; }

    /// <summary>The schema's type, where the type came from one: a record's fields, an enum's symbols, a decimal's scale.</summary>
    public SchemaType? Schema { get; }

    /// <summary>True where null is a possible value beside the type's own.</summary>
    public bool Nullable { get; }

    public static CelType Dyn { get; } = new(CelKind.Dyn, "dyn");
    public static CelType Null { get; } = new(CelKind.Null, "null_type");
    public static CelType Bool { get; } = new(CelKind.Bool, "bool");
    public static CelType Int { get; } = new(CelKind.Int, "int");
    public static CelType UInt { get; } = new(CelKind.UInt, "uint");
    public static CelType Double { get; } = new(CelKind.Double, "double");
    public static CelType String { get; } = new(CelKind.String, "string");
    public static CelType Bytes { get; } = new(CelKind.Bytes, "bytes");
    public static CelType Timestamp { get; } = new(CelKind.Timestamp, "google.protobuf.Timestamp");
    public static CelType Duration { get; } = new(CelKind.Duration, "google.protobuf.Duration");
    public static CelType Decimal { get; } = new(CelKind.Decimal, "decimal");
    public static CelType Ip { get; } = new(CelKind.Opaque, "net.IP");
    public static CelType Cidr { get; } = new(CelKind.Opaque, "net.CIDR");

    /// <summary>The type of types, without saying of which.</summary>
    public static CelType AnyType { get; } = TypeOf(Dyn);

    public static CelType List(CelType element) => new(CelKind.List, "list", [element]);

    public static CelType Map(CelType key, CelType value) => new(CelKind.Map, "map", [key, value]);

    public static CelType TypeOf(CelType type) => new(CelKind.Type, "type", [type]);

    public static CelType Optional(CelType value) => new(CelKind.Opaque, OptionalName, [value]);

    public static CelType Opaque(string name, params CelType[] parameters) => new(CelKind.Opaque, name, parameters);

    public static CelType Param(string name) => new(CelKind.Param, name);

    public bool IsOptional => Kind == CelKind.Opaque && Name == OptionalName;

    public bool IsNumber => Kind is CelKind.Int or CelKind.UInt or CelKind.Double or CelKind.Decimal;

    /// <summary>Element of a list, value of an optional, or the type of a type.</summary>
    public CelType Element => Parameters[0];

    public CelType Key => Parameters[0];

    public CelType Value => Parameters[1];

    public CelType OrNull(bool nullable = true) => Nullable == nullable || Kind is CelKind.Dyn or CelKind.Null ? this : new CelType(Kind, Name, Parameters, Schema, nullable);

    public CelType WithParameters(CelType[] parameters) => new(Kind, Name, parameters, Schema, Nullable);

    /// <summary>What a value of the schema's type is to a condition.</summary>
    public static CelType FromSchema(SchemaType schema) => FromSchema(schema, 0);

    private static CelType FromSchema(SchemaType schema, int depth)
    {
        // A list that holds itself (a recursive JSON Schema) would have no finite spelling.
        if (depth > 16) { return Dyn; }
        bool nullable = schema.Nullable;
        switch (schema.Kind)
        {
            case ValueKind.Null: return Null;
            case ValueKind.Bool: return Bool.OrNull(nullable);
            case ValueKind.Int: return Int.OrNull(nullable);
            case ValueKind.UInt: return UInt.OrNull(nullable);
            case ValueKind.Double: return Double.OrNull(nullable);
            case ValueKind.String: return schema.Symbols.Count > 0 ? new CelType(CelKind.String, "string", null, schema, nullable) : String.OrNull(nullable);
            case ValueKind.Bytes: return Bytes.OrNull(nullable);
            case ValueKind.Decimal: return new CelType(CelKind.Decimal, "decimal", null, schema, nullable);
            case ValueKind.Timestamp: return Timestamp.OrNull(nullable);
            case ValueKind.Duration: return Duration.OrNull(nullable);
            case ValueKind.CalendarDuration: return new CelType(CelKind.Map, "map", [String, Int], schema, nullable);
            case ValueKind.List: return new CelType(CelKind.List, "list", [Of(schema.Element, depth)], schema, nullable);
            case ValueKind.Map: return new CelType(CelKind.Map, "map", [schema.MapKey is null ? String : Of(schema.MapKey, depth), Of(schema.Element, depth)], schema, nullable);
            case ValueKind.Record: return new CelType(CelKind.Record, schema.FullName ?? "record", null, schema, nullable);
            default: return new CelType(CelKind.Dyn, "dyn", null, schema, true);
        }
    }

    private static CelType Of(SchemaType? schema, int depth) => schema is null ? Dyn : FromSchema(schema, depth + 1);

    /// <summary>The same type but for null.</summary>
    public static bool Same(CelType left, CelType right)
    {
        if (ReferenceEquals(left, right)) { return true; }
        if (left.Kind != right.Kind || left.Parameters.Length != right.Parameters.Length) { return false; }
        if (left.Kind == CelKind.Record) { return ReferenceEquals(left.Schema, right.Schema) || (left.Schema!.FullName is string name && name == right.Schema!.FullName); }
        if (left.Kind is CelKind.Opaque or CelKind.Param && left.Name != right.Name) { return false; }
        for (int i = 0; i < left.Parameters.Length; i++)
        {
            if (!Same(left.Parameters[i], right.Parameters[i])) { return false; }
        }

        return true;
    }

    /// <summary>As messages spell it: <c>list(int)</c>, <c>string or null</c>.</summary>
    public override string ToString()
    {
        string name = Kind switch
        {
            CelKind.Timestamp => "timestamp",
            CelKind.Duration => "duration",
            CelKind.Null => "null",
            CelKind.Record => Schema!.FullName is string full ? $"record {full}" : "record",
            CelKind.Opaque when IsOptional => "optional",
            CelKind.Param => "dyn",
            _ => Name,
        };
        if (Kind is CelKind.List or CelKind.Map or CelKind.Opaque && Parameters.Length > 0) { name = $"{name}({string.Join(", ", Parameters.Select(p => p.ToString()))})"; }
        return Nullable ? $"{name} or null" : name;
    }
}
