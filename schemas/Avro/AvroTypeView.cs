namespace PolicyStreams.Schemas.Avro;

/// <summary>Avro's types as rules see them: DESIGN's table.</summary>
internal static class AvroTypeView
{
    public static SchemaType Of(AvroType type) => type.Kind switch
    {
        AvroKind.Record => type.View,
        AvroKind.Union => Union(type),
        _ => Simple(type, nullable: false),
    };

    public static SchemaType Record(AvroType type, bool nullable) =>
        new() { Kind = ValueKind.Record, FullName = type.FullName, NativeName = "record", Nullable = nullable };

    /// <summary>Gives a complete record's views their fields.</summary>
    public static void SetFields(AvroType record)
    {
        var fields = new SchemaField[record.Fields.Length];
        for (int i = 0; i < fields.Length; i++)
        {
            AvroField field = record.Fields[i];
            fields[i] = new SchemaField
            {
                Name = field.Name,
                Type = field.Type.View,
                Tags = field.Tags,
                Aliases = field.Aliases,
                HasDefault = field.HasDefault,
                Default = field.Default is null ? null : AvroPlainReader.Read(field.Type, field.Default),
            };
        }

        record.View.SetFields(fields);
        record.NullableView.SetFields(fields);
    }

    public static ValueKind KindOf(AvroType type) => type.Logical switch
    {
        AvroLogical.Decimal => ValueKind.Decimal,
        AvroLogical.Uuid => ValueKind.String,
        AvroLogical.Date or AvroLogical.TimestampMillis or AvroLogical.TimestampMicros or AvroLogical.TimestampNanos => ValueKind.Timestamp,
        AvroLogical.TimeMillis or AvroLogical.TimeMicros => ValueKind.Duration,
        AvroLogical.Duration => ValueKind.CalendarDuration,
        _ => type.Kind switch
        {
            AvroKind.Null => ValueKind.Null,
            AvroKind.Boolean => ValueKind.Bool,
            AvroKind.Int or AvroKind.Long => ValueKind.Int,
            AvroKind.Float or AvroKind.Double => ValueKind.Double,
            AvroKind.Bytes or AvroKind.Fixed => ValueKind.Bytes,
            AvroKind.String or AvroKind.Enum => ValueKind.String,
            AvroKind.Record => ValueKind.Record,
            AvroKind.Array => ValueKind.List,
            AvroKind.Map => ValueKind.Map,
            _ => type.Single is null ? ValueKind.Dyn : KindOf(type.Single),
        },
    };

    private static SchemaType Simple(AvroType type, bool nullable) => new()
    {
        Kind = KindOf(type),
        Nullable = nullable || type.Kind == AvroKind.Null,
        FullName = type.FullName,
        Element = type.Element?.View,
        Symbols = type.Symbols,
        DefaultSymbol = type.EnumDefault < 0 ? null : type.Symbols[type.EnumDefault],
        Scale = type.Scale,
        FixedSize = type.Size,
        NativeName = type.NativeName,
    };

    private static SchemaType Union(AvroType union)
    {
        bool nullable = union.NullBranch >= 0;
        if (union.Single is { } single)
        {
            if (!nullable) { return single.View; }
            return single.Kind == AvroKind.Record ? single.NullableView : Simple(single, nullable: true);
        }

        if (union.Branches is [{ Kind: AvroKind.Null } only]) { return only.View; }
        return new SchemaType
        {
            Kind = ValueKind.Dyn,
            Nullable = nullable,
            NativeName = "union",
            Branches = [.. union.Branches.Where(branch => branch.Kind != AvroKind.Null).Select(branch => branch.View)],
        };
    }
}
