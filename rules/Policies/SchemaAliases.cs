using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>
/// Fields that a schema says have, or had, other names. Records are read by their writer's schema, so aliases change nothing of what is read; but a field that calls itself a copy of
/// a masked one is not to go out unmasked.
/// </summary>
internal static class SchemaAliases
{
    private const int PathsMax = 20_000;
    private const int OthersMax = 16;

    /// <summary>Calls back for each field that has other names: its path, and the paths that it and the records around it may also be known by.</summary>
    public static void Walk(SchemaType root, Action<string, IReadOnlyList<string>> found)
    {
        int budget = PathsMax;
        Walk(root, "", [], [], ref budget, found);
    }

    private static void Walk(SchemaType type, string path, List<string> others, List<SchemaType> open, ref int budget, Action<string, IReadOnlyList<string>> found)
    {
        switch (type.Kind)
        {
            case ValueKind.List or ValueKind.Map:
                Walk(type.Element!, path + "[*]", others.ConvertAll(other => other + "[*]"), open, ref budget, found);
                break;
            case ValueKind.Dyn:
                foreach (SchemaType branch in type.Branches) { Walk(branch, path, others, open, ref budget, found); }
                break;
            case ValueKind.Record:
                if (open.Count > PathText.StepsMax || open.Count(one => ReferenceEquals(one.Fields, type.Fields)) > 1) { return; }
                open.Add(type);
                foreach (SchemaField field in type.Fields)
                {
                    if (--budget <= 0) { break; }
                    string own = Below(path, field.Name);
                    var also = new List<string>();
                    foreach (string alias in field.Aliases) { also.Add(Below(path, alias)); }
                    foreach (string other in others)
                    {
                        also.Add(Below(other, field.Name));
                        foreach (string alias in field.Aliases) { also.Add(Below(other, alias)); }
                    }

                    also.RemoveAll(other => other == own);
                    if (also.Count > OthersMax) { also.RemoveRange(OthersMax, also.Count - OthersMax); }
                    if (also.Count > 0) { found(own, also); }
                    Walk(field.Type, own, also, open, ref budget, found);
                }

                open.RemoveAt(open.Count - 1);
                break;
        }
    }

    private static string Below(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";
}
