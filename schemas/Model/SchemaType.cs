namespace PolicyStreams.Schemas;

/// <summary>
/// The type of a value as rules see it, the same for every format. Built once by a schema's parser; immutable to everybody else.
/// Types may be recursive: a record's fields may lead back to the record (the same instance), so walk it with a visited set.
/// </summary>
public sealed class SchemaType
{
    private SchemaField[] _fields = [];

    public required ValueKind Kind { get; init; }

    /// <summary>True where null is a possible value (<c>["null", T]</c>, a JSON property that may be null, a field with presence).</summary>
    public bool Nullable { get; init; }

    /// <summary>Full name of a record, enum, or fixed; else null.</summary>
    public string? FullName { get; init; }

    /// <summary>Fields of a <see cref="ValueKind.Record"/> in declared order; else empty. Set once by the parser after construction, for recursion's sake.</summary>
    public IReadOnlyList<SchemaField> Fields => _fields;

    /// <summary>Element type of a list, value type of a map; else null.</summary>
    public SchemaType? Element { get; init; }

    /// <summary>Key type of a map; null means string.</summary>
    public SchemaType? MapKey { get; init; }

    /// <summary>Symbols of an enum (which is a <see cref="ValueKind.String"/>), in declared order; else empty.</summary>
    public IReadOnlyList<string> Symbols { get; init; } = [];

    /// <summary>The default symbol of an Avro enum, which redaction writes; null where the enum has none.</summary>
    public string? DefaultSymbol { get; init; }

    /// <summary>Digits after the point of a <see cref="ValueKind.Decimal"/>; 0 or greater.</summary>
    public int Scale { get; init; }

    /// <summary>Size in bytes of an Avro fixed; 0 where the size is not fixed.</summary>
    public int FixedSize { get; init; }

    /// <summary>True where a field of this type may be left out of its record (Protobuf): then <c>remove</c> takes it.</summary>
    public bool Removable { get; init; }

    /// <summary>What a <see cref="ValueKind.Dyn"/> union may hold (null left out; see <see cref="Nullable"/>); empty for schemaless JSON.</summary>
    public IReadOnlyList<SchemaType> Branches { get; init; } = [];

    /// <summary>The format's own words for the type (<c>timestamp-millis</c>, <c>int</c>, <c>uuid</c>): for messages and for what depends on the encoding, never for typing.</summary>
    public string NativeName { get; init; } = "";

    /// <summary>Any JSON value: what schemaless JSON has at every path.</summary>
    public static SchemaType AnyJson { get; } = new() { Kind = ValueKind.Dyn, Nullable = true, NativeName = "json" };

    /// <summary>Sets the fields of a record. For parsers, once.</summary>
    public void SetFields(SchemaField[] fields) => _fields = fields;

    /// <summary>The field of this name, or null. Linear: for load time.</summary>
    public SchemaField? Field(string name)
    {
        foreach (SchemaField field in _fields)
        {
            if (field.Name == name) { return field; }
        }

        return null;
    }
}

/// <summary>A field of a record type.</summary>
public sealed class SchemaField
{
    /// <summary>The name that paths use.</summary>
    public required string Name { get; init; }

    /// <summary>Protobuf's field number, by which records know the field whatever its name; 0 in other formats.</summary>
    public int Number { get; init; }

    public required SchemaType Type { get; init; }

    /// <summary>Values of <c>confluent:tags</c> (or <c>tags</c>) on the field, in order; empty where there are none.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Other names that the schema gives the field (Avro's <c>aliases</c>); empty where there are none. Nothing is read by them.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>True where the schema gives a default, so a writer that lacks the field reads as it.</summary>
    public bool HasDefault { get; init; }

    /// <summary>The default as a plain value (see <see cref="PlainValues"/>), null for null or where there is none.</summary>
    public object? Default { get; init; }
}

/// <summary>
/// How a whole value is represented outside the record path (interpreter, tests, views): <c>null</c>, <see cref="bool"/>, <see cref="long"/>, <see cref="ulong"/>,
/// <see cref="double"/>, <see cref="string"/>, <see cref="byte"/>[], <see cref="Timestamp"/>, <see cref="Duration"/>, <see cref="DecimalValue"/>,
/// <c>List&lt;object?&gt;</c>, <see cref="MapValue"/> (maps, calendar durations, JSON objects), <see cref="RecordValue"/>, <see cref="UnionValue"/> (only where <see cref="ValueKind.Dyn"/> has named branches).
/// </summary>
public static class PlainValues;

/// <summary>An instant: seconds since the Unix epoch (negative before) and 0 to 999,999,999 nanoseconds after them.</summary>
public readonly record struct Timestamp(long Seconds, int Nanos);

/// <summary>A span: seconds and nanoseconds, of the same sign where neither is zero.</summary>
public readonly record struct Duration(long Seconds, int Nanos);

/// <summary><paramref name="Unscaled"/> × 10^-<paramref name="Scale"/>.</summary>
public readonly record struct DecimalValue(System.Numerics.BigInteger Unscaled, int Scale);

/// <summary>A value of a union with several branches beside null. <paramref name="Branch"/> is the branch's full name (<c>long</c>, <c>shop.Card</c>).</summary>
public sealed record UnionValue(string Branch, object? Value);

/// <summary>A map in the order of its entries. Keys are string, bool, long, or ulong.</summary>
public sealed class MapValue : Dictionary<object, object?>;

/// <summary>A record: one value a field of its type, in declared order. A field that is absent (JSON Schema, Protobuf presence) is <see cref="Missing"/>.</summary>
public sealed class RecordValue(SchemaType type, object?[] values)
{
    /// <summary>Stands for a property that is not in the record at all, as against null.</summary>
    public static object Missing { get; } = new();

    public SchemaType Type { get; } = type;

    public object?[] Values { get; } = values;
}
