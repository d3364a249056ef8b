using System.Globalization;
using System.Text;

namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>A place in a record as its schema sees it: the schemas that a value there is valid by, and those that it may be, by what else is in the record.</summary>
internal sealed class Location(SchemaNode[] must, SchemaNode[] maybe)
{
    private string? _key;

    public SchemaNode[] Must { get; } = must;

    public SchemaNode[] Maybe { get; } = maybe;

    /// <summary>False where the schema says nothing of the place: anything may be there.</summary>
    public bool IsDeclared => Must.Length + Maybe.Length > 0;

    public string Key => _key ??= Spell();

    public static Location Of(SchemaNode root) => Of([root], []);

    public static Location Of(IEnumerable<SchemaNode> must, IEnumerable<SchemaNode> maybe)
    {
        SchemaNode[] sure = [.. must.Select(Target).Distinct().OrderBy(node => node.Id)];
        return new Location(sure, [.. maybe.Select(Target).Distinct().Except(sure).OrderBy(node => node.Id)]);
    }

    /// <summary>What a mere reference leads to, so that a place that comes again inside itself is known.</summary>
    private static SchemaNode Target(SchemaNode node)
    {
        while (node is { IsAlias: true, DynamicName: null, Reference: { } target }) { node = target; }
        return node;
    }

    private string Spell()
    {
        var text = new StringBuilder();
        foreach (SchemaNode node in Must) { text.Append(CultureInfo.InvariantCulture, $"{node.Id},"); }
        text.Append('|');
        foreach (SchemaNode node in Maybe) { text.Append(CultureInfo.InvariantCulture, $"{node.Id},"); }
        return text.ToString();
    }
}

/// <summary>Finds what schemas speak of a place, and of the places in it. For load time; not thread-safe.</summary>
internal sealed class Locations(SchemaGraph graph)
{
    private readonly JsonKinds?[] _kinds = new JsonKinds?[graph.Nodes.Length];
    private readonly Dictionary<(string, JsonKinds), Location> _closed = [];

    public SchemaGraph Graph { get; } = graph;

    /// <summary>Kinds that a schema's keywords leave, those of the schemas in its place included.</summary>
    public JsonKinds Kinds(SchemaNode node)
    {
        if (_kinds[node.Id] is { } known) { return known; }
        JsonKinds kinds = node.Never ? JsonKinds.None : node.Kinds;
        if (node.Reference is not null && node.DynamicName is null) { kinds &= Kinds(node.Reference); }
        foreach (SchemaNode schema in node.AllOf) { kinds &= Kinds(schema); }
        foreach (SchemaNode[] ways in (SchemaNode[][])[node.AnyOf, node.OneOf])
        {
            if (ways.Length > 0) { kinds &= ways.Aggregate(JsonKinds.None, (all, schema) => all | Kinds(schema)); }
        }

        _kinds[node.Id] = kinds;
        return kinds;
    }

    public JsonKinds Kinds(Location location) => location.Must.Aggregate(JsonKinds.All, (kinds, node) => kinds & Kinds(node));

    /// <summary>The same place with all schemas that speak of it, for values of some kinds: where one branch alone admits them, it holds.</summary>
    public Location Close(Location location, JsonKinds kinds)
    {
        if (_closed.TryGetValue((location.Key, kinds), out Location? known)) { return known; }
        var must = new HashSet<SchemaNode>();
        var maybe = new HashSet<SchemaNode>();
        foreach (SchemaNode node in location.Must) { AddMust(node); }
        foreach (SchemaNode node in location.Maybe) { AddMaybe(node); }
        return _closed[(location.Key, kinds)] = Location.Of(must, maybe);

        void AddMust(SchemaNode node)
        {
            if (!must.Add(node)) { return; }
            if (node.Reference is not null && node.DynamicName is null) { AddMust(node.Reference); }
            foreach (SchemaNode schema in node.DynamicTargets) { AddMaybe(schema); }
            foreach (SchemaNode schema in node.AllOf) { AddMust(schema); }
            foreach (SchemaNode[] ways in (SchemaNode[][])[node.AnyOf, node.OneOf])
            {
                SchemaNode[] open = [.. ways.Where(schema => (Kinds(schema) & kinds) != 0)];
                if (open.Length == 1) { AddMust(open[0]); }
                else
                {
                    foreach (SchemaNode schema in open) { AddMaybe(schema); }
                }
            }

            Conditional(node);
        }

        void AddMaybe(SchemaNode node)
        {
            if (must.Contains(node) || !maybe.Add(node)) { return; }
            if (node.Reference is not null) { AddMaybe(node.Reference); }
            foreach (SchemaNode schema in node.DynamicTargets) { AddMaybe(schema); }
            foreach (SchemaNode schema in node.AllOf) { AddMaybe(schema); }
            foreach (SchemaNode schema in node.AnyOf) { AddMaybe(schema); }
            foreach (SchemaNode schema in node.OneOf) { AddMaybe(schema); }
            Conditional(node);
        }

        void Conditional(SchemaNode node)
        {
            if (node.If is not null) { AddMaybe(node.If); }
            if (node.Then is not null) { AddMaybe(node.Then); }
            if (node.Else is not null) { AddMaybe(node.Else); }
            foreach ((_, SchemaNode schema) in node.DependentSchemas) { AddMaybe(schema); }
        }
    }

    /// <summary>Where a property of an object is.</summary>
    public Location Property(Location place, string name)
    {
        Location closed = Close(place, JsonKinds.Object);
        var must = new List<SchemaNode>();
        var maybe = new List<SchemaNode>();
        foreach (SchemaNode node in closed.Must) { Add(node, must); }
        foreach (SchemaNode node in closed.Maybe) { Add(node, maybe); }
        return Location.Of(must, maybe);

        void Add(SchemaNode node, List<SchemaNode> to)
        {
            bool known = false;
            if (node.Properties?.Schema(name) is { } schema)
            {
                known = true;
                to.Add(schema);
            }

            foreach ((Patterns.Re2 pattern, _, SchemaNode matching) in node.PatternProperties)
            {
                if (!pattern.IsMatch(name)) { continue; }
                known = true;
                to.Add(matching);
            }

            Rest(node, known, to, maybe);
        }
    }

    /// <summary>Where a property is that no schema names: it matches some of the patterns and none of the others.</summary>
    public Location OtherProperty(Location place, string[] patterns, int matching)
    {
        Location closed = Close(place, JsonKinds.Object);
        var must = new List<SchemaNode>();
        var maybe = new List<SchemaNode>();
        foreach (SchemaNode node in closed.Must) { Add(node, must); }
        foreach (SchemaNode node in closed.Maybe) { Add(node, maybe); }
        return Location.Of(must, maybe);

        void Add(SchemaNode node, List<SchemaNode> to)
        {
            bool known = false;
            foreach ((_, string text, SchemaNode schema) in node.PatternProperties)
            {
                int number = Array.IndexOf(patterns, text);
                if (number < 0) { maybe.Add(schema); }
                else if ((matching & (1 << number)) != 0)
                {
                    known = true;
                    to.Add(schema);
                }
            }

            Rest(node, known, to, maybe);
        }
    }

    private static void Rest(SchemaNode node, bool known, List<SchemaNode> to, List<SchemaNode> maybe)
    {
        if (!known && node.AdditionalProperties is not null) { to.Add(node.AdditionalProperties); }
        if (!known && node.UnevaluatedProperties is not null) { maybe.Add(node.UnevaluatedProperties); }
    }

    /// <summary>Where an element of a list is.</summary>
    public Location Element(Location place, int index)
    {
        Location closed = Close(place, JsonKinds.Array);
        var must = new List<SchemaNode>();
        var maybe = new List<SchemaNode>();
        foreach (SchemaNode node in closed.Must) { Add(node, must); }
        foreach (SchemaNode node in closed.Maybe) { Add(node, maybe); }
        return Location.Of(must, maybe);

        void Add(SchemaNode node, List<SchemaNode> to)
        {
            if (index < node.Prefix.Length) { to.Add(node.Prefix[index]); }
            else if (node.Items is not null) { to.Add(node.Items); }
            else if (node.UnevaluatedItems is not null) { maybe.Add(node.UnevaluatedItems); }
            if (node.Contains is not null) { maybe.Add(node.Contains); }
        }
    }

    /// <summary>Elements at the front of a list that have schemas of their own.</summary>
    public int PrefixLength(Location place)
    {
        Location closed = Close(place, JsonKinds.Array);
        return closed.Must.Concat(closed.Maybe).Select(node => node.Prefix.Length).DefaultIfEmpty(0).Max();
    }

    /// <summary>Names that schemas of a place give to properties, in their order, those that hold first.</summary>
    public List<string> Names(Location place)
    {
        Location closed = Close(place, JsonKinds.Object);
        return [.. closed.Must.OrderBy(node => node.Id).Concat(closed.Maybe).SelectMany(node => node.Properties is { } table ? table.Names.Take(table.Schemas.Length) : []).Distinct(StringComparer.Ordinal)];
    }

    public bool IsRequired(Location place, string name) => Close(place, JsonKinds.Object).Must.Any(node => node.Properties?.Requires(name) == true);

    /// <summary>Tags on a place, whatever schema carries them.</summary>
    public List<string> Tags(Location place)
    {
        Location closed = Close(place, JsonKinds.All);
        return [.. closed.Must.Concat(closed.Maybe).SelectMany(node => node.Tags).Distinct(StringComparer.Ordinal)];
    }
}
