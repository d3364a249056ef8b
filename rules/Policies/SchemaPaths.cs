using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>What a path leads to in a schema: one type for each union branch that matches.</summary>
/// <param name="Path">The path with steps spelled as the types are: a field for a record or JSON object, a key for a map.</param>
/// <param name="ParentKind">Kind of what the last step selects from: says whether the value can be removed.</param>
internal sealed record ResolvedPath(FieldPath Path, IReadOnlyList<SchemaType> Types, ValueKind ParentKind, bool UnderDyn);

/// <summary>Finds paths and tags in schema types.</summary>
internal static class SchemaPaths
{
    private const int PathsMax = 20_000;

    /// <summary>Null with a diagnostic's message and help where the path leads nowhere.</summary>
    public static ResolvedPath? Resolve(SchemaType root, FieldPath path, out string message, out string? help)
    {
        message = "";
        help = null;
        List<SchemaType> types = [root];
        ReadOnlySpan<PathStep> steps = path.Steps.Span;
        var spelled = new PathStep[steps.Length];
        ValueKind parent = ValueKind.Absent;
        bool underDyn = false;
        for (int i = 0; i < steps.Length; i++)
        {
            PathStep step = steps[i];
            var next = new List<SchemaType>();
            var names = new List<string>();
            PathStepKind kind = step.Kind;
            foreach (SchemaType type in Flat(types))
            {
                parent = type.Kind;
                switch (type.Kind)
                {
                    case ValueKind.Dyn:
                        underDyn = true;
                        next.Add(SchemaType.AnyJson);
                        if (kind == PathStepKind.MapKey) { kind = PathStepKind.Field; }
                        break;
                    case ValueKind.Record when step.Kind != PathStepKind.All:
                        names.AddRange(type.Fields.Select(field => field.Name));
                        if (type.Field(step.Name) is { } found) { next.Add(found.Type); kind = PathStepKind.Field; }
                        break;
                    case ValueKind.Map when step.Kind == PathStepKind.All:
                        next.Add(type.Element!);
                        break;
                    case ValueKind.Map:
                        next.Add(type.Element!);
                        kind = PathStepKind.MapKey;
                        break;
                    case ValueKind.List when step.Kind == PathStepKind.All:
                        next.Add(type.Element!);
                        break;
                    default:
                        break;
                }
            }

            spelled[i] = step with { Kind = kind };
            if (next.Count > 0)
            {
                types = next;
                continue;
            }

            string whole = path.ToString(), before = new FieldPath(path.Root, path.Header, [.. spelled[..i]]).ToString();
            SchemaType at = Flat(types).FirstOrDefault() ?? root;
            if (names.Count > 0 && step.Kind != PathStepKind.All)
            {
                message = $"unknown field `{whole}`";
                string? near = NearestName.Find(step.Name, names);
                help = near is not null
                    ? $"did you mean `{new FieldPath(path.Root, path.Header, [.. spelled[..i], step with { Name = near, Kind = PathStepKind.Field }, .. steps[(i + 1)..]])}`?"
                    : i == 0 && step.Name == "value" ? "paths of masks start inside the value: leave `value.` out"
                    : names.Count <= 24 ? $"fields here: {string.Join(", ", names)}" : null;
            }
            else if (at.Kind == ValueKind.List)
            {
                message = $"`{before}` is a list";
                help = $"every element is `{before}[*]`";
            }
            else
            {
                message = before.Length == 0 ? $"`{whole}` leads nowhere: the value is {Say(at)}" : $"`{before}` is {Say(at)}, and has nothing below it that `{whole}` could select";
            }

            return null;
        }

        return new ResolvedPath(new FieldPath(path.Root, path.Header, spelled), [.. Flat(types)], parent, underDyn);
    }

    /// <summary>Tags by path, spelled as <see cref="FieldPath"/> does. A recursive type is walked into once more below itself: deeper levels are the programs'.</summary>
    /// <param name="patterns">Tags beside those of the schema, by patterns of fields' full names: see <see cref="SchemaVersion.Tags"/>.</param>
    public static void AddTags(SchemaType root, Dictionary<string, IReadOnlySet<string>> tags, IReadOnlyDictionary<string, IReadOnlyList<string>>? patterns = null)
    {
        int budget = PathsMax;
        Walk(root, [], [], tags, patterns is { Count: > 0 } ? new TagPatterns(patterns) : null, ref budget);
    }

    /// <summary>All types that stand where a tagged field of this path stands.</summary>
    public static string Say(SchemaType type) => type.Kind switch
    {
        ValueKind.Bool => "a boolean",
        ValueKind.Int or ValueKind.UInt => "an integer",
        ValueKind.Double => "a floating-point number",
        ValueKind.String when type.Symbols.Count > 0 => "an enum",
        ValueKind.String => "a string",
        ValueKind.Bytes => "bytes",
        ValueKind.Decimal => "a decimal",
        ValueKind.Timestamp => type.NativeName == "date" ? "a date" : "a timestamp",
        ValueKind.Duration => type.NativeName == "google.protobuf.Duration" ? "a duration" : "a time of day",
        ValueKind.CalendarDuration => "a duration",
        ValueKind.List => "a list",
        ValueKind.Map => "a map",
        ValueKind.Record => "a record",
        _ => "of no fixed type",
    };

    private static void Walk(SchemaType type, List<PathStep> steps, List<SchemaType> open, Dictionary<string, IReadOnlySet<string>> tags, TagPatterns? patterns, ref int budget)
    {
        if (steps.Count > PathText.StepsMax || budget <= 0) { return; }
        switch (type.Kind)
        {
            case ValueKind.List or ValueKind.Map:
                steps.Add(PathStep.All);
                Walk(type.Element!, steps, open, tags, patterns, ref budget);
                steps.RemoveAt(steps.Count - 1);
                break;
            case ValueKind.Dyn:
                foreach (SchemaType branch in type.Branches) { Walk(branch, steps, open, tags, patterns, ref budget); }
                break;
            case ValueKind.Record:
                if (open.Count(other => ReferenceEquals(other.Fields, type.Fields)) > 1) { return; }
                open.Add(type);
                foreach (SchemaField field in type.Fields)
                {
                    steps.Add(new PathStep(PathStepKind.Field, field.Name));
                    budget--;
                    IReadOnlyList<string> own = patterns is null ? field.Tags : [.. field.Tags, .. patterns.Of(type.FullName, field.Name)];
                    if (own.Count > 0)
                    {
                        string path = new FieldPath(PathRoot.Value, null, [.. steps]).ToString();
                        if (!tags.TryGetValue(path, out IReadOnlySet<string>? set)) { tags[path] = set = new SortedSet<string>(StringComparer.Ordinal); }
                        foreach (string tag in own) { ((SortedSet<string>)set).Add(tag); }
                    }

                    Walk(field.Type, steps, open, tags, patterns, ref budget);
                    steps.RemoveAt(steps.Count - 1);
                }

                open.RemoveAt(open.Count - 1);
                break;
            default:
                break;
        }
    }

    /// <summary>Types with the branches of unions in their place.</summary>
    private static IEnumerable<SchemaType> Flat(IEnumerable<SchemaType> types)
    {
        foreach (SchemaType type in types)
        {
            if (type.Kind != ValueKind.Dyn || type.Branches.Count == 0) { yield return type; continue; }
            foreach (SchemaType branch in Flat(type.Branches)) { yield return branch; }
        }
    }
}
