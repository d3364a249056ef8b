using System.Globalization;
using System.Text;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>
/// Merges what a plan captures and selects with what the writer's schema says of each place into nodes for the walk. A place that comes again inside itself, where only tags are wanted,
/// is the same node, which bears the path of its first occurrence.
/// </summary>
internal sealed class SchemaCompiler
{
    /// <summary>Patterns of one object whose every combination has a node; beyond, a value that matches one is treated as if it matched all.</summary>
    private const int PatternsMax = 4;
    private const int PrefixMax = 1_000;

    /// <summary>Beyond so many nodes, places that say the same are shared between paths.</summary>
    private const int SharingMin = 1_000;

    private readonly Locations _locations;
    private readonly TypeBuilder _types;
    private readonly CapturePlan _plan;
    private readonly ICollection<SchemaMismatch> _mismatches;
    private readonly List<JsonNode> _nodes = [];
    private readonly Dictionary<string, JsonNode> _shared = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ushort[]> _byTag = new(StringComparer.Ordinal);
    private readonly bool[] _reachesTag;
    private readonly List<string>[] _selected;
    private readonly HashSet<SchemaMismatch> _said = [];

    private SchemaCompiler(Locations locations, TypeBuilder types, CapturePlan plan, ICollection<SchemaMismatch> mismatches)
    {
        _locations = locations;
        _types = types;
        _plan = plan;
        _mismatches = mismatches;
        _selected = [.. plan.Selectors.Select(_ => new List<string>())];
        for (int i = 0; i < plan.Selectors.Count; i++)
        {
            if (plan.Selectors[i].Tag is { } tag) { _byTag[tag] = [.. _byTag.GetValueOrDefault(tag, []), (ushort)i]; }
        }

        _reachesTag = Reaching();
    }

    /// <summary>A selector, and what is left of a path that it selects.</summary>
    private readonly record struct Place(ushort Selector, PathStep[] Steps, int At);

    /// <summary>The root's node, null where the plan wants nothing; and all by number.</summary>
    public static (JsonNode? Root, JsonNode[] Nodes, string[][] Paths) Compile(Locations locations, TypeBuilder types, CapturePlan plan, ICollection<SchemaMismatch> mismatches)
    {
        var compiler = new SchemaCompiler(locations, types, plan, mismatches);
        var places = new List<Place>();
        for (int i = 0; i < plan.Selectors.Count; i++)
        {
            if (plan.Selectors[i].Path is { Root: not PathRoot.Header } path) { places.Add(new Place((ushort)i, path.Steps.ToArray(), 0)); }
        }

        // Tags by path: of other versions, and of the registry's metadata.
        foreach ((string text, IReadOnlySet<string> tags) in plan.TagsByPath)
        {
            foreach (string tag in tags)
            {
                foreach (ushort selector in compiler._byTag.GetValueOrDefault(tag, [])) { places.Add(new Place(selector, PathSteps(text), 0)); }
            }
        }

        JsonNode? root = compiler.Node(Location.Of(locations.Graph.Root), plan.Root.Node, places, [], "", [], entangled: false);
        compiler.CompareSelected();
        return (root, [.. compiler._nodes], [.. compiler._selected.Select(paths => paths.ToArray())]);
    }

    private JsonNode? Node(Location place, CaptureNode? capture, List<Place> places, List<ushort> selectors, string path, List<(string Key, JsonNode Node)> around, bool entangled)
    {
        if (capture is not null) { capture = Checked(place, capture, path); }
        bool tags = _byTag.Count > 0 && Reaches(place);
        if (capture is null && places.Count == 0 && selectors.Count == 0 && !tags) { return null; }
        string key = $"{place.Key}/{entangled}/{string.Join(',', selectors)}";
        bool tagsOnly = capture is null && places.TrueForAll(one => one.At == one.Steps.Length);
        if (tagsOnly)
        {
            foreach ((string other, JsonNode same) in around)
            {
                if (other == key) { return same; }
            }

            if (_nodes.Count > SharingMin && _shared.TryGetValue(key, out JsonNode? shared)) { return shared; }
        }

        if (_nodes.Count >= ushort.MaxValue || around.Count > 600) { throw new SchemaException($"The policy's paths and tags need more than {ushort.MaxValue} nodes, or lie too deep."); }
        foreach (ushort selector in selectors)
        {
            if (!_selected[selector].Contains(path)) { _selected[selector].Add(path); }
        }

        JsonNode node = Make(place, capture, places, selectors, path, entangled);
        _nodes.Add(node);
        if (tagsOnly) { _shared.TryAdd(key, node); }
        around.Add((key, node));
        bool inside = entangled || Entangles(place);
        Properties(node, place, capture, places, path, around, inside, tags);
        Elements(node, place, capture, places, path, around, inside);
        around.RemoveAt(around.Count - 1);
        return node;
    }

    private JsonNode Make(Location place, CaptureNode? capture, List<Place> places, List<ushort> selectors, string path, bool entangled)
    {
        bool rows = capture is { Mode: CaptureMode.Elements, Row: not null };
        bool undeclared = !place.IsDeclared && places.Exists(one => one.At < one.Steps.Length);
        bool list = undeclared && places.Exists(one => one.At < one.Steps.Length && one.Steps[one.At].Kind == PathStepKind.All);
        SchemaType type = _types.Of(place, nullable: false);
        return new JsonNode
        {
            Id = (ushort)_nodes.Count,
            Slot = capture is null || capture.Mode == CaptureMode.None ? -1 : capture.Slot,
            Mode = capture?.Mode ?? CaptureMode.None,
            Selectors = [.. selectors.Distinct().Order()],
            HasRows = rows,
            RowSlots = rows ? capture!.Row!.SlotCount : 0,
            RowsNest = rows && Nests(capture!.Row!.Node),
            Typed = new TypedNode
            {
                Type = type,
                Path = path,
                Expected = capture is null ? (type.Kind == ValueKind.Int ? ValueKind.Int : ValueKind.Absent) : capture.Type.Kind == ValueKind.Dyn ? ValueKind.Absent : capture.Type.Kind,
                ExpectedType = capture?.Type,
                ListOnly = list,
                ObjectOnly = undeclared && (list || places.Exists(one => one.At < one.Steps.Length && one.Steps[one.At].Kind != PathStepKind.All)),
                Redacted = selectors.Count == 0 ? null : !place.IsDeclared ? "null"u8.ToArray() : (type.Constraints as LocationConstraints)?.Redacted ?? (type.Constraints is null ? "null"u8.ToArray() : null),
                TakesAnyText = selectors.Count > 0 && !entangled && TakesAnyText(place),
                Entangled = entangled || _locations.Graph.IsDynamic || (selectors.Count > 0 && _locations.Close(place, JsonKinds.All).Maybe.Length > 0),
            },
        };
    }

    private void Properties(JsonNode node, Location place, CaptureNode? capture, List<Place> places, string path, List<(string, JsonNode)> around, bool entangled, bool tags)
    {
        Location closed = _locations.Close(place, JsonKinds.Object);
        var names = new HashSet<string>(capture is null ? [] : capture.Children.Keys, StringComparer.Ordinal);
        foreach (Place one in places)
        {
            if (one.At < one.Steps.Length && one.Steps[one.At].Kind != PathStepKind.All) { names.Add(one.Steps[one.At].Name); }
        }

        if (tags || places.Count > 0) { names.UnionWith(_locations.Names(place)); }

        // Names that nothing tells of, by which patterns they match.
        string[] patterns = [.. closed.Must.Concat(closed.Maybe).SelectMany(one => one.PatternProperties).Select(one => one.Text).Distinct().Take(PatternsMax)];
        var byPattern = new JsonNode?[1 << patterns.Length];
        List<Place> any = Advance(places, null, out List<ushort> anySelected);
        for (int matching = 0; matching < byPattern.Length; matching++)
        {
            Location inner = _locations.OtherProperty(place, patterns, matching);
            byPattern[matching] = Node(inner, null, any, [.. anySelected, .. Tagged(inner)], path + "[*]", around, entangled);
        }

        bool others = Array.Exists(byPattern, one => one is not null);
        if (others)
        {
            node.Typed!.Patterns = [.. patterns.Select(text => closed.Must.Concat(closed.Maybe).SelectMany(one => one.PatternProperties).First(one => one.Text == text).Pattern)];
            node.Typed.ByPattern = byPattern;
        }

        var children = new List<(byte[], JsonNode)>();
        foreach (string name in names.Order(StringComparer.Ordinal))
        {
            CaptureNode? inner = null;
            capture?.Children.TryGetValue(name, out inner);
            Location at = _locations.Property(place, name);
            List<Place> left = Advance(places, name, out List<ushort> selected);
            bool named = places.Exists(one => one.At < one.Steps.Length && one.Steps[one.At].Kind == PathStepKind.MapKey && one.Steps[one.At].Name == name);
            bool entry = _types.Of(place, nullable: false).Kind == ValueKind.Map || capture?.Type.Kind == ValueKind.Map;
            string spelled = !entry ? Below(path, name) : named ? path + new FieldPath(PathRoot.Value, null, [new PathStep(PathStepKind.MapKey, name)]) : path + "[*]";
            selected.AddRange(Tagged(at));
            JsonNode? child = Node(at, inner, left, selected, spelled, around, entangled);
            if (child is not null || others) { children.Add((Encoding.UTF8.GetBytes(name), child ?? Nothing())); }
        }

        node.SetChildren(children);
    }

    private void Elements(JsonNode node, Location place, CaptureNode? capture, List<Place> places, string path, List<(string, JsonNode)> around, bool entangled)
    {
        CaptureNode? row = capture is { Mode: CaptureMode.Elements, Row: { } rows } ? rows.Node : null;
        int prefix = Math.Min(_locations.PrefixLength(place), PrefixMax);
        var nodes = new JsonNode?[prefix];
        for (int i = 0; i <= prefix; i++)
        {
            Location at = _locations.Element(place, i);
            List<Place> left = Advance(places, null, out List<ushort> selected);
            JsonNode? element = Node(at, row, left, [.. selected, .. Tagged(at)], path + "[*]", around, entangled);
            if (i < prefix) { nodes[i] = element; }
            else { node.Element = element; }
        }

        node.Typed!.Prefix = nodes;
    }

    private JsonNode Nothing()
    {
        var node = new JsonNode { Id = (ushort)Math.Min(_nodes.Count, ushort.MaxValue), Typed = new TypedNode { Type = SchemaType.AnyJson, Path = "" } };
        _nodes.Add(node);
        return node;
    }

    /// <summary>Where paths stand one step on: by a property's name, or, for null, by a list's element or any entry of a map.</summary>
    private static List<Place> Advance(List<Place> places, string? name, out List<ushort> selected)
    {
        var next = new List<Place>();
        selected = [];
        foreach (Place place in places)
        {
            if (place.At == place.Steps.Length) { continue; }
            PathStep step = place.Steps[place.At];
            if (step.Kind != PathStepKind.All && step.Name != name) { continue; }
            if (place.At + 1 == place.Steps.Length) { selected.Add(place.Selector); }
            else { next.Add(place with { At = place.At + 1 }); }
        }

        return next;
    }

    private List<ushort> Tagged(Location place)
    {
        if (_byTag.Count == 0) { return []; }
        return [.. _locations.Tags(place).SelectMany(tag => _byTag.GetValueOrDefault(tag, []))];
    }

    private static string Below(string path, string name)
    {
        string step = new FieldPath(PathRoot.Value, null, [new PathStep(PathStepKind.Field, name)]).ToString();
        return path.Length == 0 || step[0] == '[' ? path + step : $"{path}.{step}";
    }

    private static bool Nests(CaptureNode node) => node.Row is not null || node.Children.Values.Any(Nests);

    private static bool Reads(CaptureNode node) => node.Mode != CaptureMode.None || node.Row is not null || node.Children.Values.Any(Reads);

    // What schemas around a value judge of it

    /// <summary>True where schemas of a place say of what is in it more than where it is.</summary>
    private bool Entangles(Location place)
    {
        Location closed = _locations.Close(place, JsonKinds.All);
        return closed.Must.Concat(closed.Maybe).Any(node => node.Enum is not null || node.Const is not null || node.UniqueItems || node.Not is not null || node.If is not null
            || node.AnyOf.Length + node.OneOf.Length > 0 || node.Contains is not null || node.DependentSchemas.Length > 0 || node.DynamicTargets.Length > 0);
    }

    private bool TakesAnyText(Location place)
    {
        if (_locations.Graph.IsDynamic || (_locations.Kinds(place) & JsonKinds.String) == 0 || Entangles(place)) { return false; }
        Location closed = _locations.Close(place, JsonKinds.All);

        // What may apply counts as what does, its kinds too.
        return closed.Must.Concat(closed.Maybe).All(node => (_locations.Kinds(node) & JsonKinds.String) != 0 && node is { LengthMin: 0, LengthMax: long.MaxValue, Pattern: null, FormatCheck: null });
    }

    // Tags

    private bool Reaches(Location place) => Array.Exists(place.Must, node => _reachesTag[node.Id]) || Array.Exists(place.Maybe, node => _reachesTag[node.Id]);

    /// <summary>By node: a tag that is selected is on it, in its place, or below.</summary>
    private bool[] Reaching()
    {
        SchemaNode[] nodes = _locations.Graph.Nodes;
        bool[] reaches = new bool[nodes.Length];
        if (_byTag.Count == 0) { return reaches; }
        var into = new List<int>?[nodes.Length];
        var queue = new Queue<int>();
        foreach (SchemaNode node in nodes)
        {
            foreach (SchemaNode next in node.InPlace().Concat(node.Below())) { (into[next.Id] ??= []).Add(node.Id); }
            if (!node.Tags.Any(_byTag.ContainsKey)) { continue; }
            reaches[node.Id] = true;
            queue.Enqueue(node.Id);
        }

        while (queue.TryDequeue(out int id))
        {
            foreach (int from in into[id] ?? [])
            {
                if (reaches[from]) { continue; }
                reaches[from] = true;
                queue.Enqueue(from);
            }
        }

        return reaches;
    }

    /// <summary>A path as <see cref="FieldPath"/> spells it, back in steps.</summary>
    private static PathStep[] PathSteps(string text)
    {
        var steps = new List<PathStep>();
        int at = 0;
        while (at < text.Length)
        {
            if (text.AsSpan(at).StartsWith("[*]"))
            {
                steps.Add(PathStep.All);
                at += 3;
            }
            else if (text.AsSpan(at).StartsWith("[\""))
            {
                var name = new StringBuilder();
                for (at += 2; at < text.Length && text[at] != '"'; at++)
                {
                    if (text[at] == '\\') { at++; }
                    if (at < text.Length) { name.Append(text[at]); }
                }

                steps.Add(new PathStep(PathStepKind.MapKey, name.ToString()));
                at += 2;
            }
            else
            {
                if (text[at] == '.') { at++; }
                int end = text.IndexOfAny(['.', '['], at);
                if (end < 0) { end = text.Length; }
                steps.Add(new PathStep(PathStepKind.Field, text[at..end]));
                at = end;
            }
        }

        return [.. steps];
    }

    // What this version lacks of what the policy was checked against

    /// <summary>The capture where the place holds what conditions were checked against; else null and a mismatch.</summary>
    private CaptureNode? Checked(Location place, CaptureNode capture, string path)
    {
        if (!Reads(capture)) { return null; }
        SchemaType expected = capture.Type;
        if (expected.Kind is ValueKind.Dyn or ValueKind.Null) { return capture; }
        string name = path.Length == 0 ? "value" : path;
        if (!place.IsDeclared || (_locations.Kinds(place) & ~JsonKinds.Null) == 0)
        {
            if (!expected.Nullable) { Say(new SchemaMismatch(name, "is not in this schema, and the checked schema requires it", OlderIsFine: false)); }
            return expected.Nullable ? capture : null;
        }

        SchemaType found = _types.Of(place, nullable: false);
        bool same = found.Kind == expected.Kind || (expected.Kind == ValueKind.Double && found.Kind == ValueKind.Int) || (expected.Kind == ValueKind.String && found.Kind == ValueKind.Timestamp);
        if (!same)
        {
            Say(new SchemaMismatch(name, $"is {Words(found)} here, {Words(expected)} in the checked schema", OlderIsFine: false));
            return null;
        }

        if (found.Nullable && !expected.Nullable)
        {
            Say(new SchemaMismatch(name, "may be null here, not in the checked schema", OlderIsFine: false));
            return null;
        }

        if (expected.Kind != ValueKind.Record) { return capture; }
        foreach ((string child, CaptureNode inner) in capture.Children)
        {
            if (!inner.Type.Nullable && Reads(inner) && !_locations.IsRequired(place, child) && _locations.Property(place, child).IsDeclared)
            {
                Say(new SchemaMismatch(path.Length == 0 ? child : $"{path}.{child}", "may be absent here, not in the checked schema", OlderIsFine: false));
            }
        }

        return capture;
    }

    private void Say(SchemaMismatch mismatch)
    {
        if (_said.Add(mismatch)) { _mismatches.Add(mismatch); }
    }

    private static string Words(SchemaType type) => type.Kind switch
    {
        ValueKind.Dyn => "of no fixed type",
        _ => $"of type {type.NativeName}",
    };

    private void CompareSelected()
    {
        SchemaType here = _types.Of(Location.Of(_locations.Graph.Root), nullable: false);
        SchemaType expected = _plan.Root.Node.Type;
        if (ReferenceEquals(here, expected)) { return; }
        for (int i = 0; i < _plan.Selectors.Count; i++)
        {
            MaskSelector selector = _plan.Selectors[i];
            if (selector.Path is { Root: not PathRoot.Header } path) { Compare(path.ToString(), path.Steps.ToArray(), expected, here); }
            foreach ((string text, IReadOnlySet<string> tags) in _plan.TagsByPath)
            {
                if (selector.Tag is { } tag && tags.Contains(tag)) { Compare(text, PathSteps(text), expected, here); }
            }
        }
    }

    private void Compare(string path, PathStep[] steps, SchemaType expected, SchemaType here)
    {
        List<SchemaType> wanted = Types([expected], steps), found = Types([here], steps);
        if (wanted.Count == 0) { return; }
        if (found.Count == 0) { Say(new SchemaMismatch(path, "is masked, and not in this schema", OlderIsFine: true)); }
        else if (!found.Exists(one => wanted.Exists(other => other.Kind == one.Kind || IsAny(other) || IsAny(one) || (Texts(one) && Texts(other)) || (Numbers(one) && Numbers(other)))))
        {
            Say(new SchemaMismatch(path, $"is masked, and {Words(found[0])} here, {Words(wanted[0])} in the checked schema", OlderIsFine: true));
        }
    }

    private static bool IsAny(SchemaType type) => type.Kind == ValueKind.Dyn && type.Branches.Count == 0;

    private static bool Texts(SchemaType type) => type.Kind is ValueKind.String or ValueKind.Timestamp;

    private static bool Numbers(SchemaType type) => type.Kind is ValueKind.Int or ValueKind.Double;

    private static List<SchemaType> Types(List<SchemaType> types, PathStep[] steps)
    {
        foreach (PathStep step in steps)
        {
            var next = new List<SchemaType>();
            foreach (SchemaType type in types.SelectMany(Flat))
            {
                if (IsAny(type)) { next.Add(type); }
                else if (type.Element is { } element && (step.Kind == PathStepKind.All || type.Kind == ValueKind.Map)) { next.Add(element); }
                else if (step.Kind != PathStepKind.All && type.Field(step.Name) is { } field) { next.Add(field.Type); }
            }

            types = next;
        }

        return [.. types.SelectMany(Flat)];
    }

    private static IEnumerable<SchemaType> Flat(SchemaType type) => type.Kind != ValueKind.Dyn || type.Branches.Count == 0 ? [type] : type.Branches.SelectMany(Flat);
}
