namespace PolicyStreams.Schemas.Avro;

/// <summary>The fourteen types of the specification.</summary>
internal enum AvroKind : byte
{
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Record,
    Enum,
    Array,
    Map,
    Union,
    Fixed,
}

/// <summary>Logical types that are understood. Others, and these where their attributes do not fit, are ignored, as the specification says.</summary>
internal enum AvroLogical : byte
{
    None,
    Decimal,
    Uuid,
    Date,
    TimeMillis,
    TimeMicros,
    TimestampMillis,
    TimestampMicros,
    TimestampNanos,
    Duration,
}

/// <summary>A type of a parsed schema. Named types are one instance however often they are named, so the graph may have cycles. Immutable once the parser is done.</summary>
internal sealed class AvroType(AvroKind kind)
{
    public AvroKind Kind { get; } = kind;

    public AvroLogical Logical { get; set; }

    /// <summary>The schema's own word for the logical type where it is understood (<c>local-timestamp-millis</c>), else the type's.</summary>
    public string NativeName { get; set; } = "";

    public int Precision { get; set; }

    public int Scale { get; set; }

    /// <summary>Full name of a record, enum, or fixed; else null.</summary>
    public string? FullName { get; set; }

    /// <summary>Full names that a reader of this type also answers to.</summary>
    public string[] Aliases { get; set; } = [];

    public AvroField[] Fields { get; set; } = [];

    public string[] Symbols { get; set; } = [];

    /// <summary>Symbols in UTF-8, for masks that answer with text.</summary>
    public byte[][] SymbolBytes { get; set; } = [];

    /// <summary>Index of the enum's default symbol, or -1.</summary>
    public int EnumDefault { get; set; } = -1;

    /// <summary>Size of a fixed.</summary>
    public int Size { get; set; }

    /// <summary>Items of an array, values of a map.</summary>
    public AvroType Element { get; set; } = null!;

    public AvroType[] Branches { get; set; } = [];

    /// <summary>Index of a union's null branch, or -1.</summary>
    public int NullBranch { get; set; } = -1;

    /// <summary>The only branch of a union beside null, where there is exactly one: such a union is transparent to rules.</summary>
    public AvroType? Single { get; set; }

    /// <summary>Never more than the fewest bytes that a value takes; 0 only for types without bytes (and records that can only hold themselves).</summary>
    public int SizeMin { get; set; }

    /// <summary>True for types whose values take no bytes at all: null, a fixed of size 0, a record of nothing else.</summary>
    public bool ZeroSize { get; set; }

    /// <summary>The one plain value of a type without bytes, shared: records of records of nothing would else unfold without bound.</summary>
    public object? ZeroPlain { get; set; }

    /// <summary>Records: the strongly connected component, numbered so that a record's fields lead only to components of the same or a lower number.</summary>
    public int Component { get; set; } = -1;

    /// <summary>Records: true where a field leads back to the record.</summary>
    public bool Recursive { get; set; }

    /// <summary>Records: operations of its walk when nothing in it is wanted, nested ones included; saturated.</summary>
    public int Weight { get; set; }

    /// <summary>Records that the fields of this record name, through arrays, maps, and unions.</summary>
    public List<AvroType> RecordsBelow { get; } = [];

    /// <summary>The type as rules see it.</summary>
    public SchemaType View { get; set; } = null!;

    /// <summary>Records: <see cref="View"/> where null is possible too.</summary>
    public SchemaType NullableView { get; set; } = null!;

    /// <summary>What redaction writes for it whatever the value was, or null where there is nothing to write. Found on first use; benign to find twice.</summary>
    public byte[]? Redacted { get; set; }

    public bool RedactedKnown { get; set; }

    /// <summary>What <c>branch(x)</c> calls it, and what schemas call it.</summary>
    public string Name => FullName ?? Kind switch
    {
        AvroKind.Null => "null",
        AvroKind.Boolean => "boolean",
        AvroKind.Int => "int",
        AvroKind.Long => "long",
        AvroKind.Float => "float",
        AvroKind.Double => "double",
        AvroKind.Bytes => "bytes",
        AvroKind.String => "string",
        AvroKind.Array => "array",
        AvroKind.Map => "map",
        _ => "union",
    };

    public int FieldIndex(string name)
    {
        for (int i = 0; i < Fields.Length; i++)
        {
            if (Fields[i].Name == name) { return i; }
        }

        return -1;
    }
}

/// <summary>A field of an Avro record.</summary>
internal sealed class AvroField(string name, AvroType type)
{
    public string Name { get; } = name;

    public byte[] NameBytes { get; } = System.Text.Encoding.UTF8.GetBytes(name);

    /// <summary>The name as JSON spells it.</summary>
    public System.Text.Json.JsonEncodedText JsonName { get; } = System.Text.Json.JsonEncodedText.Encode(name, System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping);

    public AvroType Type { get; } = type;

    public string[] Aliases { get; init; } = [];

    public string[] Tags { get; init; } = [];

    public bool HasDefault { get; init; }

    /// <summary>The default's binary encoding under the field's type, once the schema is checked; null where there is none.</summary>
    public byte[]? Default { get; set; }
}
