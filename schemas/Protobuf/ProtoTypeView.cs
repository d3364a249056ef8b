namespace PolicyStreams.Schemas.Protobuf;

/// <summary>Protobuf's types as rules see them.</summary>
internal static class ProtoTypeView
{
    public static void Make(ProtoMessage message)
    {
        if (message.WellKnown is ProtoWellKnown.None)
        {
            message.View = new SchemaType { Kind = ValueKind.Record, FullName = message.FullName, NativeName = "message" };
            message.NullableView = new SchemaType { Kind = ValueKind.Record, FullName = message.FullName, NativeName = "message", Nullable = true, Removable = true };
            return;
        }

        message.View = Known(message, nullable: false);
        message.NullableView = Known(message, nullable: true);
    }

    /// <summary>Gives the views of a message and of its fields what they need of others.</summary>
    public static void SetFields(ProtoMessage message)
    {
        var fields = new SchemaField[message.Fields.Count];
        for (int i = 0; i < fields.Length; i++)
        {
            ProtoField field = message.Fields[i];
            field.Index = i;
            SchemaType type = FieldType(field);
            fields[i] = new SchemaField
            {
                Name = field.Name,
                Number = field.Number,
                Type = type,
                Tags = field.Tags,
                HasDefault = !field.Required,
                Default = field.Required ? null : DefaultOf(field, type),
            };
        }

        if (message.WellKnown is not ProtoWellKnown.None) { return; }
        message.View.SetFields(fields);
        message.NullableView.SetFields(fields);
    }

    public static ValueKind KindOf(ProtoField field) => field.Type switch
    {
        ProtoType.Double or ProtoType.Float => ValueKind.Double,
        ProtoType.UInt32 or ProtoType.UInt64 or ProtoType.Fixed32 or ProtoType.Fixed64 => ValueKind.UInt,
        ProtoType.Bool => ValueKind.Bool,
        ProtoType.String or ProtoType.Enum => ValueKind.String,
        ProtoType.Bytes => ValueKind.Bytes,
        ProtoType.Message or ProtoType.Group => KindOf(field.Message!),
        _ => ValueKind.Int,
    };

    public static ValueKind KindOf(ProtoMessage message) => message.WellKnown switch
    {
        ProtoWellKnown.Timestamp => ValueKind.Timestamp,
        ProtoWellKnown.Duration => ValueKind.Duration,
        ProtoWellKnown.Wrapper => KindOf(message.Fields[0]),
        _ => ValueKind.Record,
    };

    /// <summary>What an absent value reads as, where it is not null.</summary>
    public static object? Zero(ProtoField field) => KindOf(field) switch
    {
        ValueKind.Bool => false,
        ValueKind.Int => 0L,
        ValueKind.UInt => 0UL,
        ValueKind.Double => 0.0,
        ValueKind.String => field.Type == ProtoType.Enum ? ZeroSymbol(field.Enum!) : "",
        ValueKind.Bytes => Array.Empty<byte>(),
        ValueKind.Timestamp => new Timestamp(0, 0),
        ValueKind.Duration => new Duration(0, 0),
        _ => null,
    };

    /// <summary>The symbol that an absent enum has: its first, which is 0 in proto3.</summary>
    public static string ZeroSymbol(ProtoEnum type) => type.Symbols[0];

    private static object? DefaultOf(ProtoField field, SchemaType type)
    {
        if (field.IsMap) { return new MapValue(); }
        if (field.Repeated) { return new List<object?>(); }
        return type.Nullable ? null : field.Default ?? Zero(field);
    }

    private static SchemaType FieldType(ProtoField field)
    {
        if (field.IsMap)
        {
            field.MapKey!.View = Value(field.MapKey, nullable: false, removable: false);
            field.MapValue!.View = Value(field.MapValue, nullable: false, removable: false);
            return new SchemaType
            {
                Kind = ValueKind.Map,
                Element = field.View = field.MapValue.View,
                MapKey = field.MapKey.Type == ProtoType.String ? null : field.MapKey.View,
                NativeName = "map",
                Removable = true,
            };
        }

        if (field.Repeated)
        {
            field.View = Value(field, nullable: false, removable: false);
            return new SchemaType { Kind = ValueKind.List, Element = field.View, NativeName = "repeated", Removable = true };
        }

        // A default of its own is what proto2 reads where the field is absent; in a oneof the member that is not set is just not there.
        bool nullable = field.Presence && !field.Required && (field.Default is null || field.Oneof is not null);
        return field.View = Value(field, nullable, removable: !field.Required);
    }

    private static SchemaType Value(ProtoField field, bool nullable, bool removable)
    {
        if (field.Message is { } message) { return nullable ? message.NullableView : message.View; }
        return new SchemaType
        {
            Kind = KindOf(field),
            Nullable = nullable,
            Removable = removable,
            FullName = field.Enum?.FullName,
            Symbols = field.Enum?.Symbols ?? [],
            DefaultSymbol = field.Enum is null ? null : field.Default as string ?? ZeroSymbol(field.Enum),
            NativeName = field.Type == ProtoType.Enum ? "enum" : field.Type.ToString().ToLowerInvariant(),
        };
    }

    private static SchemaType Known(ProtoMessage message, bool nullable) => new()
    {
        Kind = KindOf(message),
        Nullable = nullable,
        Removable = nullable,
        NativeName = message.FullName,
    };
}
