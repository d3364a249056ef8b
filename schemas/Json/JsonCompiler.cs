using System.Globalization;
using System.Text;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Json;

/// <summary>
/// Merges what a plan captures and selects into one automaton over property names and list elements, so that the walk follows a single node whatever the number of
/// paths: <c>a[*].b</c>, <c>a[*].c</c>, and the rows of <c>a</c> meet in the node of its elements.
/// </summary>
internal sealed class JsonCompiler(CapturePlan plan)
{
    private readonly Dictionary<string, JsonNode> _nodes = new(StringComparer.Ordinal);
    private readonly Dictionary<CaptureNode, int> _captureIds = new(ReferenceEqualityComparer.Instance);

    /// <summary>The root's node, null where the plan wants nothing, and the mode of each node by its id.</summary>
    /// <exception cref="SchemaException">The paths need more nodes than a program may have.</exception>
    public static (JsonNode? Root, CaptureMode[] Modes) Compile(CapturePlan plan)
    {
        var places = new List<Place>();
        for (int i = 0; i < plan.Selectors.Count; i++)
        {
            // A plan is for values or for keys, whole: a path starts at whichever is walked. Tags have no meaning without a schema.
            if (plan.Selectors[i].Path is FieldPath path && path.Root != PathRoot.Header) { places.Add(new Place(i, 0)); }
        }

        var compiler = new JsonCompiler(plan);
        JsonNode? root = compiler.Node(plan.Root.Node, places);
        return (root, [.. compiler._nodes.Values.OrderBy(node => node.Id).Select(node => node.Mode)]);
    }

    private JsonNode? Node(CaptureNode? capture, List<Place> places)
    {
        bool captures = capture is not null && (capture.Slot >= 0 || capture.Children.Count > 0 || capture.Row is not null);
        if (!captures) { capture = null; }
        if (capture is null && places.Count == 0) { return null; }
        string identity = Identity(capture, places);
        if (_nodes.TryGetValue(identity, out JsonNode? known)) { return known; }
        if (_nodes.Count > ushort.MaxValue) { throw new SchemaException($"The policy's paths need more than {ushort.MaxValue} nodes."); }

        bool rows = capture is { Mode: CaptureMode.Elements, Row: not null };
        var node = new JsonNode
        {
            Id = (ushort)_nodes.Count,
            Slot = capture is null || capture.Mode == CaptureMode.None ? -1 : capture.Slot,
            Mode = capture?.Mode ?? CaptureMode.None,
            Selectors = [.. places.Where(place => place.Step == Steps(place).Length).Select(place => (ushort)place.Selector).Order()],
            HasRows = rows,
            RowSlots = rows ? capture!.Row!.SlotCount : 0,
            RowsNest = rows && Nests(capture!.Row!.Node),
        };
        _nodes.Add(identity, node);

        var names = new SortedSet<string>(capture is null ? [] : capture.Children.Keys, StringComparer.Ordinal);
        foreach (Place place in places)
        {
            if (place.Step < Steps(place).Length && Steps(place)[place.Step] is { Kind: not PathStepKind.All } step) { names.Add(step.Name); }
        }

        var children = new List<(byte[], JsonNode)>(names.Count);
        foreach (string name in names)
        {
            CaptureNode? inner = null;
            capture?.Children.TryGetValue(name, out inner);
            if (Node(inner, Advance(places, name)) is JsonNode child) { children.Add((Encoding.UTF8.GetBytes(name), child)); }
        }

        node.SetChildren(children);
        node.Element = Node(rows ? capture!.Row!.Node : null, Advance(places, name: null));
        return node;
    }

    /// <summary>Where the selectors stand one step on: by a property of this name, or, for null, by a list's element (<c>[*]</c>: without a schema an object is no map).</summary>
    private List<Place> Advance(List<Place> places, string? name)
    {
        var next = new List<Place>();
        foreach (Place place in places)
        {
            ReadOnlySpan<PathStep> steps = Steps(place);
            if (place.Step == steps.Length) { continue; }
            PathStep step = steps[place.Step];
            if (name is null ? step.Kind == PathStepKind.All : step.Kind != PathStepKind.All && step.Name == name) { next.Add(place with { Step = place.Step + 1 }); }
        }

        return next;
    }

    private ReadOnlySpan<PathStep> Steps(Place place) => plan.Selectors[place.Selector].Path!.Steps.Span;

    private static bool Nests(CaptureNode node) => node.Row is not null || node.Children.Values.Any(Nests);

    private string Identity(CaptureNode? capture, List<Place> places)
    {
        var text = new StringBuilder();
        if (capture is not null)
        {
            if (!_captureIds.TryGetValue(capture, out int id)) { _captureIds.Add(capture, id = _captureIds.Count); }
            text.Append(CultureInfo.InvariantCulture, $"{id}");
        }

        foreach (Place place in places) { text.Append(CultureInfo.InvariantCulture, $";{place.Selector}.{place.Step}"); }
        return text.ToString();
    }

    /// <summary>A selector of the plan, and how many of its steps are behind it.</summary>
    private readonly record struct Place(int Selector, int Step);
}
