using System.Text;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>Reads sound JSON to plain values by a type: integers as int, instants as such, objects with fields as records.</summary>
internal static class TypedJson
{
    public static object? Read(SchemaType type, in TokenText text, int at)
    {
        ref readonly JsonToken token = ref text.Tokens[at];
        if (token.Kind == ValueKind.Null) { return null; }
        switch (type.Kind)
        {
            case ValueKind.Bool when token.Kind == ValueKind.Bool:
                return token.End - token.Start == 4;
            case ValueKind.Int when token.Kind == ValueKind.Double:
                return ExactNumber.Of(text.Number(token)).TryInt64(out long whole) ? whole : InexactNumber.Instance;
            case ValueKind.Double when token.Kind == ValueKind.Double:
                return Number(text, token);
            case ValueKind.String when token.Kind == ValueKind.String:
                return Encoding.UTF8.GetString(text.Text(token));
            case ValueKind.Timestamp when token.Kind == ValueKind.String && InstantText.TryRead(text.Text(token), out long seconds, out int nanos):
                return new Timestamp(seconds, nanos);
            case ValueKind.List when token.Kind == ValueKind.List:
                return List(type.Element!, text, at);
            case ValueKind.Map when token.Kind == ValueKind.Map:
                return Map(type.Element!, text, at);
            case ValueKind.Record when token.Kind == ValueKind.Map:
                return Record(type, text, at);
            case ValueKind.Dyn:
                return Any(text, at);
            default:
                // A value that its schema did not promise: reading it is an error.
                return InexactNumber.Instance;
        }
    }

    private static object Number(in TokenText text, in JsonToken token)
    {
        double value = JsonText.Number(text.Number(token), token.Plain, out bool exact);
        return JsonPlain.Number(value, exact);
    }

    private static object? Any(in TokenText text, int at)
    {
        ref readonly JsonToken token = ref text.Tokens[at];
        return token.Kind switch
        {
            ValueKind.Null => null,
            ValueKind.Bool => token.End - token.Start == 4,
            ValueKind.Double => Number(text, token),
            ValueKind.String => Encoding.UTF8.GetString(text.Text(token)),
            ValueKind.List => List(SchemaType.AnyJson, text, at),
            _ => Map(SchemaType.AnyJson, text, at),
        };
    }

    private static List<object?> List(SchemaType element, in TokenText text, int at)
    {
        var list = new List<object?>(text.Tokens[at].Length);
        for (int inner = at + 1; inner < text.Tokens[at].Next; inner = text.Tokens[inner].Next) { list.Add(Read(element, text, inner)); }
        return list;
    }

    private static MapValue Map(SchemaType element, in TokenText text, int at)
    {
        var map = new MapValue();
        for (int inner = at + 1; inner < text.Tokens[at].Next; inner = text.Tokens[inner].Next) { map.Add(Encoding.UTF8.GetString(text.Name(text.Tokens[inner])), Read(element, text, inner)); }
        return map;
    }

    private static RecordValue Record(SchemaType type, in TokenText text, int at)
    {
        var values = new object?[type.Fields.Count];
        values.AsSpan().Fill(RecordValue.Missing);
        for (int inner = at + 1; inner < text.Tokens[at].Next; inner = text.Tokens[inner].Next)
        {
            string name = Encoding.UTF8.GetString(text.Name(text.Tokens[inner]));
            for (int i = 0; i < values.Length; i++)
            {
                if (type.Fields[i].Name == name) { values[i] = Read(type.Fields[i].Type, text, inner); }
            }
        }

        return new RecordValue(type, values);
    }
}
