using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>
/// Keys of several versions of one schema, as conditions see them: all of them as the checked version has them. What a condition names and a version lost is a mismatch,
/// what it merely lacks reads as its default.
/// </summary>
internal static class KeyTypes
{
    /// <summary>Adds a mismatch for each thing on a path, and below its end, that a writer's keys do not have as the checked schema has it.</summary>
    public static void Compare(SchemaType expected, SchemaType found, ReadOnlySpan<PathStep> steps, ICollection<SchemaMismatch> mismatches) =>
        Compare(expected, found, steps, "key", [], mismatches);

    /// <summary>A key of another version as one of the checked schema: fields by name, missing ones by their default.</summary>
    public static object? Conform(object? plain, SchemaType expected)
    {
        switch (plain)
        {
            case RecordValue record when expected.Kind == ValueKind.Record:
                object?[] values = new object?[expected.Fields.Count];
                for (int i = 0; i < values.Length; i++)
                {
                    SchemaField field = expected.Fields[i];
                    int at = IndexOf(record.Type, field.Name);
                    values[i] = at >= 0 ? Conform(record.Values[at], field.Type) : field.HasDefault ? field.Default : RecordValue.Missing;
                }

                return new RecordValue(expected, values);
            case List<object?> list when expected.Element is { } element:
                return list.ConvertAll(item => Conform(item, element));
            case MapValue map when expected is { Kind: ValueKind.Map, Element: { } element }:
                var conformed = new MapValue();
                foreach ((object key, object? value) in map) { conformed[key] = Conform(value, element); }
                return conformed;
            case UnionValue union:
                SchemaType? branch = expected.Branches.FirstOrDefault(one => one.FullName == union.Branch);
                return branch is null ? union : union with { Value = Conform(union.Value, branch) };
            default:
                return plain;
        }
    }

    private static int IndexOf(SchemaType type, string name)
    {
        for (int i = 0; i < type.Fields.Count; i++)
        {
            if (type.Fields[i].Name == name) { return i; }
        }

        return -1;
    }

    private static void Compare(SchemaType expected, SchemaType found, ReadOnlySpan<PathStep> steps, string path, HashSet<(SchemaType, SchemaType)> open, ICollection<SchemaMismatch> mismatches)
    {
        if (expected.Kind != found.Kind || (found.Nullable && !expected.Nullable && path != "key"))
        {
            mismatches.Add(new SchemaMismatch(path, $"is {SchemaPaths.Say(found)}{(found.Nullable ? " or null" : "")} here, {SchemaPaths.Say(expected)} in the checked schema", OlderIsFine: false));
            return;
        }

        if (!open.Add((expected, found))) { return; }
        string? only = steps.Length > 0 && steps[0].Kind != PathStepKind.All ? steps[0].Name : null;
        ReadOnlySpan<PathStep> rest = steps.Length > 0 ? steps[1..] : steps;
        if (expected.Element is { } element && found.Element is { } other) { Compare(element, other, rest, path + "[*]", open, mismatches); }
        foreach (SchemaField field in expected.Fields)
        {
            if (only is not null && field.Name != only) { continue; }
            string inner = $"{path}.{field.Name}";
            if (found.Field(field.Name) is { } here) { Compare(field.Type, here.Type, rest, inner, open, mismatches); }
            else if (!field.HasDefault) { mismatches.Add(new SchemaMismatch(inner, "is not in this schema, and the checked schema gives it no default", OlderIsFine: false)); }
        }

        open.Remove((expected, found));
    }
}
