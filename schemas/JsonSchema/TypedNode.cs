using System.Text;
using PolicyStreams.Schemas.Json;
using PolicyStreams.Schemas.Patterns;

namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>What a schema makes of a node of the walk. Immutable once compiled.</summary>
internal sealed class TypedNode
{
    /// <summary>Of values at the place, by the writer's schema.</summary>
    public required SchemaType Type { get; init; }

    /// <summary>As decisions spell it.</summary>
    public required string Path { get; init; }

    /// <summary>What conditions read here; Absent where they read nothing, or any kind.</summary>
    public ValueKind Expected { get; init; }

    /// <summary>What <see cref="Expected"/> is of: the checked schema's type.</summary>
    public SchemaType? ExpectedType { get; init; }

    /// <summary>
    /// The schema says nothing of the place, and something inside it is masked: whatever else it is would take what is masked along.
    /// </summary>
    public bool ObjectOnly { get; init; }
    public bool ListOnly { get; init; }

    /// <summary>What redaction writes; null where there is no empty value.</summary>
    public byte[]? Redacted { get; init; }

    /// <summary>True where any text is valid here whatever the rest of the record: it need not be judged again once it is masked.</summary>
    public bool TakesAnyText { get; init; }

    /// <summary>True where schemas around judge more of the value than its kind.</summary>
    public bool Entangled { get; init; }

    /// <summary>Of properties that no name is known of: by which patterns match.</summary>
    public Re2[] Patterns { get; set; } = [];
    public JsonNode?[] ByPattern { get; set; } = [];

    /// <summary>Of the first elements of a list.</summary>
    public JsonNode?[] Prefix { get; set; } = [];

    public JsonNode? OtherProperty(ReadOnlySpan<byte> name)
    {
        if (ByPattern.Length == 0) { return null; }
        int matching = 0;
        for (int i = 0; i < Patterns.Length; i++)
        {
            if (Patterns[i].IsMatch(name)) { matching |= 1 << i; }
        }

        return ByPattern[matching];
    }

    public JsonNode? ElementAt(int index, JsonNode? rest) => index < Prefix.Length ? Prefix[index] : rest;

    public bool Admits(ValueKind kind) => !(ObjectOnly || ListOnly) || kind == ValueKind.Null || (ObjectOnly && kind == ValueKind.Map) || (ListOnly && kind == ValueKind.List);

    /// <summary>A whole number as Int; one that 64 bits do not hold stays a Double that must not be read.</summary>
    public static void ToInt(ReadOnlySpan<byte> text, ref ValueKind kind, ref long bits, ref int aux)
    {
        if (ExactNumber.Of(text).TryInt64(out long value)) { (kind, bits, aux) = (ValueKind.Int, value, 0); }
        else { aux = 1; }
    }

    /// <summary>Makes of a value what conditions read. What is not of the kind becomes a number that must not be read, so that reading it is an error whatever reads it.</summary>
    public void ToScalar(ref ValueKind kind, ref long bits, ref int aux, ReadOnlySpan<byte> text)
    {
        if (Expected is ValueKind.Absent || kind == ValueKind.Null) { return; }
        if (Expected == ValueKind.Record)
        {
            kind = kind == ValueKind.Map ? ValueKind.Record : kind;
            return;
        }

        if (Expected == ValueKind.Timestamp && kind == ValueKind.String && InstantText.TryRead(text, out long seconds, out int nanos))
        {
            (kind, bits, aux) = (ValueKind.Timestamp, seconds, nanos);
            return;
        }

        if (kind != Expected) { (kind, bits, aux) = (ValueKind.Double, 0, 1); }
    }
}

/// <summary>Reads instants as RFC 3339 spells them.</summary>
internal static class InstantText
{
    /// <summary>The instant; a leap second is the first of the next minute, and digits beyond nanoseconds are cut. False for any other text.</summary>
    public static bool TryRead(ReadOnlySpan<byte> text, out long seconds, out int nanos)
    {
        seconds = 0;
        nanos = 0;
        if (!Formats.DateTime(text)) { return false; }
        int year = Number(text, 0, 4);
        if (year == 0) { return false; }
        int at = 19;
        if (text[at] == (byte)'.')
        {
            int scale = 100_000_000;
            for (at++; char.IsAsciiDigit((char)text[at]); at++)
            {
                nanos += scale * (text[at] - '0');
                scale /= 10;
            }
        }

        long days = new DateTime(year, Number(text, 5, 2), Number(text, 8, 2), 0, 0, 0, DateTimeKind.Utc).Subtract(DateTime.UnixEpoch).Days;
        seconds = (days * 86_400) + (Number(text, 11, 2) * 3600) + (Number(text, 14, 2) * 60) + Number(text, 17, 2);
        if ((text[at] | 0x20) == (byte)'z') { return true; }
        int offset = (Number(text, at + 1, 2) * 3600) + (Number(text, at + 4, 2) * 60);
        seconds += text[at] == (byte)'-' ? offset : -offset;
        return true;
    }

    private static int Number(ReadOnlySpan<byte> text, int at, int count)
    {
        int value = 0;
        for (int i = at; i < at + count; i++) { value = (10 * value) + (text[i] - '0'); }
        return value;
    }
}
