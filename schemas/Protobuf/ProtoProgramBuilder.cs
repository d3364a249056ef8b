using System.Globalization;
using System.Text;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Protobuf;

/// <summary>
/// Compiles a message type for a plan. A field is the checked schema's field by its number, whatever its name: masks take it by either, and what conditions read must agree in both.
/// A table is made for each place where something is wanted, and one for each message type where nothing is; in a recursion, one for each way into it, and a site in it bears the
/// path of its first occurrence.
/// </summary>
internal sealed class ProtoProgramBuilder
{
    private const int NodesMax = 60_000;
    private const int ComparedMax = 100_000;

    private readonly ProtoMessage _root;
    private readonly CapturePlan _plan;
    private readonly WalkLimits _limits;
    private readonly ICollection<SchemaMismatch> _mismatches;

    private readonly List<ProtoNode> _nodes = [];
    private readonly ByteBuffer _constants = new(64);
    private readonly Dictionary<ProtoEnum, int[]> _symbols = [];
    private readonly Dictionary<string, ProtoTable> _tables = new(StringComparer.Ordinal);
    private readonly Queue<(ProtoTable Table, Want Want)> _toMake = new();
    private readonly Dictionary<object, int> _ids = new(ReferenceEqualityComparer.Instance);

    private readonly Dictionary<string, ushort[]> _selectorsByTag = new(StringComparer.Ordinal);
    private readonly HashSet<string> _tagPrefixes = new(StringComparer.Ordinal);
    private readonly Dictionary<ProtoField, HashSet<string>> _tagsInRecursion = [];
    private readonly HashSet<ProtoMessage> _tagged = [];
    private readonly List<string>[] _selected;
    private readonly HashSet<(int Selector, string Path)> _isSelected = [];
    private readonly Dictionary<string, SchemaType> _selectedTypes = new(StringComparer.Ordinal);
    private readonly HashSet<SchemaMismatch> _said = [];
    private int _compared;

    private ProtoProgramBuilder(ProtoMessage root, CapturePlan plan, WalkLimits limits, ICollection<SchemaMismatch> mismatches)
    {
        _root = root;
        _plan = plan;
        _limits = limits;
        _mismatches = mismatches;
        _selected = new List<string>[plan.Selectors.Count];
        for (int i = 0; i < _selected.Length; i++) { _selected[i] = []; }
    }

    /// <summary>What is wanted of a value and below it.</summary>
    /// <param name="Capture">Conditions' node, or null.</param>
    /// <param name="Paths">Explicit paths that have led here, with the steps that are left.</param>
    /// <param name="Checked">The checked schema's type here; null where it has none.</param>
    /// <param name="Path">By this schema's names.</param>
    /// <param name="CheckedPath">By the checked schema's.</param>
    /// <param name="TagPath">True where tags by path may be below.</param>
    /// <param name="Entry">The path at which the recursion that this value is in was entered; empty outside.</param>
    /// <param name="Component">The recursion's number; -1 outside.</param>
    private readonly record struct Want(CaptureNode? Capture, (ushort Selector, int Step)[] Paths, SchemaType? Checked, string Path, string CheckedPath, bool TagPath, string Entry, int Component);

    public static ProtoProgram Build(ProtoMessage root, CapturePlan plan, WalkLimits limits, ICollection<SchemaMismatch> mismatches) =>
        new ProtoProgramBuilder(root, plan, limits, mismatches).Build();

    private ProtoProgram Build()
    {
        FindTags();
        var paths = new List<(ushort, int)>();
        for (int i = 0; i < _plan.Selectors.Count; i++)
        {
            if (_plan.Selectors[i].Path is { Root: PathRoot.Value }) { paths.Add(((ushort)i, 0)); }
        }

        CaptureNode capture = _plan.Root.Node;
        Add(new ProtoNode { Field = new ProtoField { Name = "", Number = 1, Type = ProtoType.Message, Message = _root }, Path = "", Place = ProtoPlace.Root, View = _root.View });
        var want = new Want(Reads(capture) ? capture : null, [.. paths], capture.Type, "", "", _tagPrefixes.Count > 0, "", -1);
        ProtoTable root = Table(_root, want);
        while (_toMake.TryDequeue(out (ProtoTable Table, Want Want) next)) { Fill(next.Table, next.Want); }
        CompareSelected();
        return new ProtoProgram(root, [.. _nodes], _symbols, _constants.Written.ToArray(), [.. _selected.Select(found => found.ToArray())], _root.View, _plan, _limits);
    }

    // Tags

    private void FindTags()
    {
        for (int i = 0; i < _plan.Selectors.Count; i++)
        {
            if (_plan.Selectors[i].Tag is { } tag) { _selectorsByTag[tag] = [.. _selectorsByTag.GetValueOrDefault(tag, []), (ushort)i]; }
        }

        if (_selectorsByTag.Count == 0) { return; }
        foreach ((string path, IReadOnlySet<string> tags) in _plan.TagsByPath)
        {
            if (!tags.Any(_selectorsByTag.ContainsKey)) { continue; }
            for (int at = path.IndexOfAny(['.', '['], 1); at > 0; at = path.IndexOfAny(['.', '['], at + 1)) { _tagPrefixes.Add(path[..at]); }
            _tagPrefixes.Add(path);

            // Paths can name a field of a recursive message only so deep; its tag is meant for every depth.
            if (FieldAt(path) is not { } field) { continue; }
            if (!_tagsInRecursion.TryGetValue(field, out HashSet<string>? known)) { _tagsInRecursion.Add(field, known = new HashSet<string>(StringComparer.Ordinal)); }
            known.UnionWith(tags);
        }

        // A message is tagged where a field of its own is, or of a message below it.
        List<ProtoMessage> reachable = [_root];
        var met = new HashSet<ProtoMessage>(reachable);
        for (int i = 0; i < reachable.Count; i++)
        {
            foreach (ProtoMessage below in ProtoLinker.Below(reachable[i]))
            {
                if (met.Add(below)) { reachable.Add(below); }
            }
        }

        foreach (ProtoMessage message in reachable)
        {
            if (message.Fields.Exists(field => Tags(field, null).Any(_selectorsByTag.ContainsKey))) { _tagged.Add(message); }
        }

        for (bool more = true; more;)
        {
            more = false;
            for (int i = reachable.Count - 1; i >= 0; i--)
            {
                if (!_tagged.Contains(reachable[i]) && ProtoLinker.Below(reachable[i]).Any(_tagged.Contains)) { more |= _tagged.Add(reachable[i]); }
            }
        }
    }

    /// <summary>The field of a recursive message at a path of tags, or null.</summary>
    private ProtoField? FieldAt(string path)
    {
        ProtoMessage? message = _root;
        ProtoField? field = null;
        for (int at = 0; at < path.Length;)
        {
            if (path[at] == '[')
            {
                at = path.IndexOf(']', at) + 1;
                if (at == 0) { return null; }
                continue;
            }

            if (path[at] == '.') { at++; }
            int end = path.IndexOfAny(['.', '['], at);
            if (end < 0) { end = path.Length; }
            string name = path[at..end];
            field = message?.Fields.Find(one => one.Name == name);
            if (field is null) { return null; }
            if (end == path.Length) { return message!.Recursive ? field : null; }
            message = Inside(field);
            at = end;
        }

        return null;
    }

    private static ProtoMessage? Inside(ProtoField field) => field.IsMap ? field.MapValue!.Message : field.Message;

    private IEnumerable<string> Tags(ProtoField field, string? path)
    {
        IEnumerable<string> tags = field.Tags;
        if (_tagsInRecursion.TryGetValue(field, out HashSet<string>? more)) { tags = tags.Concat(more); }
        if (path is not null && _plan.TagsByPath.TryGetValue(path, out IReadOnlySet<string>? byPath)) { tags = tags.Concat(byPath); }
        return tags;
    }

    // Tables

    /// <summary>The table of a message for what is wanted of it: an earlier one where it would be the same.</summary>
    private ProtoTable Table(ProtoMessage message, Want want)
    {
        bool wanted = want.Capture is not null || want.Paths.Length > 0 || want.TagPath || _tagged.Contains(message);
        if (wanted && message.Recursive && message.Component != want.Component) { want = want with { Entry = want.Path, Component = message.Component }; }
        else if (!message.Recursive && want.Component >= 0) { want = want with { Component = -1 }; }
        string key = wanted ? Key(message, want) : $"{Id(message)}";
        if (_tables.TryGetValue(key, out ProtoTable? known)) { return known; }
        var table = new ProtoTable(message);
        _tables.Add(key, table);
        _toMake.Enqueue((table, wanted ? want : new Want(null, [], null, "", "", false, "", -1)));
        return table;
    }

    private string Key(ProtoMessage message, in Want want)
    {
        var key = new StringBuilder();
        key.Append(CultureInfo.InvariantCulture, $"{Id(message)}/{(want.Capture is null ? 0 : Id(want.Capture))}/{(want.Checked is null ? 0 : Id(want.Checked.Fields))}/");
        foreach ((ushort selector, int step) in want.Paths) { key.Append(CultureInfo.InvariantCulture, $"{selector}:{step},"); }

        // Inside a recursion its entry stands for the path, as long as no path of tags tells depths apart.
        key.Append('/').Append(want.TagPath || want.Component < 0 ? want.Path : "@" + want.Entry);
        return key.ToString();
    }

    private int Id(object thing)
    {
        if (!_ids.TryGetValue(thing, out int id)) { _ids.Add(thing, id = _ids.Count + 1); }
        return id;
    }

    private void Fill(ProtoTable table, Want want)
    {
        ProtoMessage message = table.Message;
        var entries = new List<ProtoEntry>(message.Fields.Count);
        var fills = new List<(int, int, Slot)>();
        var spans = new List<(int, ushort, ValueKind)>();
        var required = new List<int>();
        var oneofBits = new Dictionary<ProtoOneof, int>();
        var read = new HashSet<CaptureNode>();
        int bits = 0;
        foreach (ProtoField field in message.Fields)
        {
            SchemaField? known = CheckedField(want.Checked, field);
            string path = Below(want.Path, field.Name), checkedPath = Below(want.CheckedPath, known?.Name ?? field.Name);
            var selectors = new SortedSet<ushort>();
            if (_selectorsByTag.Count > 0)
            {
                foreach (string tag in Tags(field, want.TagPath ? path : null))
                {
                    if (_selectorsByTag.TryGetValue(tag, out ushort[]? byTag)) { selectors.UnionWith(byTag); }
                }
            }

            (ushort, int)[] paths = Step(want.Paths, step => step.Kind == PathStepKind.Field && (step.Name == field.Name || step.Name == known?.Name), selectors);
            CaptureNode? capture = want.Capture is null ? null : CaptureOf(want.Capture, field, known, path);
            if (capture is not null) { read.Add(capture); }
            int seenBit = -1;
            if (!field.Repeated) { seenBit = bits++; }
            if (field.IsMap)
            {
                seenBit = bits;
                bits += 2;
            }

            int oneofBit = -1;
            if (field.Oneof is { } oneof && !oneofBits.TryGetValue(oneof, out oneofBit)) { oneofBits.Add(oneof, oneofBit = bits++); }
            if (field.Required) { required.Add(seenBit); }
            var inner = new Want(capture, paths, known?.Type, path, checkedPath, want.TagPath && _tagPrefixes.Contains(path), want.Entry, want.Component);
            entries.Add(field.Repeated ? Several(field, inner, [.. selectors], seenBit, fills, spans) : One(field, inner, [.. selectors], seenBit, oneofBit, fills));
        }

        if (want.Capture is not null) { Missing(want, read, fills); }
        table.SeenWords = Math.Max(1, (bits + 63) / 64);
        table.Required = [.. required];
        table.Fills = [.. fills];
        table.Spans = [.. spans];
        table.SetEntries(entries);
    }

    private ProtoEntry One(ProtoField field, in Want want, ushort[] selectors, int seenBit, int oneofBit, List<(int, int, Slot)> fills)
    {
        CaptureNode? capture = Agrees(want.Capture, field.View, want.Path);
        ProtoNode node = Node(field, want with { Capture = capture }, selectors, ProtoPlace.Singular, field.View);
        if (node.Slot >= 0) { fills.Add((seenBit, node.Slot, SlotOf(field.View.Nullable || field.Required ? null : field.Default ?? ProtoTypeView.Zero(field)))); }
        return new ProtoEntry { Field = field, Number = field.Number, Wire = field.Wire, SeenBit = seenBit, OneofBit = oneofBit, Value = node };
    }

    private ProtoEntry Several(ProtoField field, in Want want, ushort[] selectors, int seenBit, List<(int, int, Slot)> fills, List<(int, ushort, ValueKind)> spans)
    {
        ValueKind kind = field.IsMap ? ValueKind.Map : ValueKind.List;
        SchemaType view = new() { Kind = kind, Element = field.View, NativeName = field.IsMap ? "map" : "repeated", Removable = true };
        CaptureNode? capture = Agrees(want.Capture, view, want.Path);
        ProtoField element = field.IsMap ? field.MapValue! : field;
        int slot = capture is null || capture.Mode == CaptureMode.None ? -1 : capture.Slot;
        bool elements = capture is { Mode: CaptureMode.Elements };
        ProtoNode? whole = null;
        if (slot >= 0 || selectors.Length > 0)
        {
            whole = Add(new ProtoNode { Field = field, Path = want.Path, Place = ProtoPlace.Whole, Selectors = selectors, Slot = slot, Mode = capture?.Mode ?? CaptureMode.None, View = view });
            Selected(want, selectors, view);
            if (slot >= 0 && elements) { fills.Add((-1, slot, new Slot { Kind = kind })); }
            else if (slot >= 0) { spans.Add((slot, whole.Id, kind)); }
        }

        CaptureRow? row = elements && !field.IsMap ? capture!.Row : null;
        if (row is { SlotCount: 0 } || (row is not null && !Reads(row.Node))) { row = null; }
        var elementSelectors = new SortedSet<ushort>();
        (ushort, int)[] paths = Step(want.Paths, step => step.Kind == PathStepKind.All, elementSelectors);
        string path = want.Path + "[*]";
        bool tagPath = want.TagPath && _tagPrefixes.Contains(path);
        var inner = want with { Capture = Agrees(row?.Node, field.View, path), Paths = paths, Checked = want.Checked?.Element, Path = path, CheckedPath = want.CheckedPath + "[*]", TagPath = tagPath };
        ProtoNode value = Node(element, inner, [.. elementSelectors], field.IsMap ? ProtoPlace.MapValue : ProtoPlace.Element, field.View);
        bool marks = value.Marks || value.Selectors.Length > 0;
        var keys = new List<(byte[], ProtoNode)>();
        foreach (string key in field.IsMap && field.MapKey!.Type == ProtoType.String ? KeysOf(want, capture) : [])
        {
            var ownSelectors = new SortedSet<ushort>();
            (ushort, int)[] own = Step(want.Paths, step => step.Kind == PathStepKind.MapKey && step.Name == key, ownSelectors);
            CaptureNode? child = null;
            capture?.Children.TryGetValue(key, out child);
            string spelled = new FieldPath(PathRoot.Value, null, [new PathStep(PathStepKind.MapKey, key)]).ToString();
            string step = own.Length + ownSelectors.Count > 0 ? spelled : "[*]";
            ownSelectors.UnionWith(elementSelectors);
            ProtoNode node = Node(element, inner with { Capture = Agrees(child, field.View, want.Path + step), Paths = [.. paths, .. own], Path = want.Path + step, CheckedPath = want.CheckedPath + step }, [.. ownSelectors], ProtoPlace.MapValue, field.View);
            marks |= node.Marks || node.Selectors.Length > 0;
            keys.Add((Encoding.UTF8.GetBytes(key), node));
        }

        // A key of another type than string cannot be named, so a path that does is gone astray: nothing would be masked.
        if (field.IsMap && field.MapKey!.Type != ProtoType.String && want.Paths.Any(place => NextOf(place).Kind == PathStepKind.MapKey))
        {
            Once(new SchemaMismatch(want.CheckedPath, "has a masked entry, and its keys are no strings here", OlderIsFine: false));
        }

        return new ProtoEntry
        {
            Field = field,
            Number = field.Number,
            Wire = field.Wire,
            SeenBit = seenBit,
            Value = value,
            Whole = whole,
            RowSlots = row?.SlotCount ?? 0,
            Keys = [.. keys],
            Marks = marks,
        };
    }

    private SortedSet<string> KeysOf(in Want want, CaptureNode? capture)
    {
        var keys = new SortedSet<string>(StringComparer.Ordinal);
        if (capture is not null) { keys.UnionWith(capture.Children.Where(child => Reads(child.Value)).Select(child => child.Key)); }
        foreach ((ushort Selector, int Step) place in want.Paths)
        {
            if (NextOf(place) is { Kind: PathStepKind.MapKey } step) { keys.Add(step.Name); }
        }

        return keys;
    }

    private ProtoNode Node(ProtoField field, in Want want, ushort[] selectors, ProtoPlace place, SchemaType view)
    {
        Selected(want, selectors, view);
        CaptureNode? capture = want.Capture;
        ProtoMessage? message = field.Message is { WellKnown: ProtoWellKnown.None } inside ? inside : null;
        if (message is null && want.Paths.Length > 0)
        {
            // By its number the field is one that masks go into, and here it has no inside.
            Once(new SchemaMismatch(want.CheckedPath, $"is {Words(view)} here, and something in it is masked", OlderIsFine: false));
        }

        ProtoNode node = Add(new ProtoNode
        {
            Field = field,
            Path = want.Path,
            Place = place,
            Selectors = selectors,
            Slot = capture is null || capture.Mode == CaptureMode.None ? -1 : capture.Slot,
            Mode = capture?.Mode ?? CaptureMode.None,
            View = view,
            Marks = message is not null && (want.Paths.Length > 0 || want.TagPath || _tagged.Contains(message)),
        });
        if (field.Enum is not null) { Symbols(field.Enum); }
        if (field.Message is { WellKnown: not ProtoWellKnown.None } known && known.Fields[0].Enum is { } numbers) { Symbols(numbers); }
        if (message is not null) { node.Table = Table(message, want); }
        return node;
    }

    private ProtoNode Add(ProtoNode node)
    {
        if (_nodes.Count >= NodesMax) { throw new SchemaException($"The schema has more than {NodesMax} places where masks or conditions may want something."); }
        node.Id = (ushort)_nodes.Count;
        _nodes.Add(node);
        return node;
    }

    /// <summary>Offset and length of each symbol among the constants.</summary>
    private void Symbols(ProtoEnum type)
    {
        if (_symbols.ContainsKey(type)) { return; }
        int[] table = new int[2 * type.Symbols.Length];
        for (int i = 0; i < type.Symbols.Length; i++)
        {
            table[2 * i] = _constants.Length;
            table[(2 * i) + 1] = type.SymbolBytes[i].Length;
            _constants.Append(type.SymbolBytes[i]);
        }

        _symbols.Add(type, table);
    }

    private void Selected(in Want want, ushort[] selectors, SchemaType type)
    {
        foreach (ushort selector in selectors)
        {
            if (_isSelected.Add((selector, want.CheckedPath)) && !_selected[selector].Contains(want.Path)) { _selected[selector].Add(want.Path); }
            _selectedTypes[want.CheckedPath] = type;
        }
    }

    private PathStep NextOf((ushort Selector, int Step) place) => _plan.Selectors[place.Selector].Path!.Steps.Span[place.Step];

    /// <summary>Explicit paths after one more step; those that end with it go to <paramref name="selectors"/>.</summary>
    private (ushort, int)[] Step((ushort Selector, int Step)[] paths, Func<PathStep, bool> matches, SortedSet<ushort> selectors)
    {
        if (paths.Length == 0) { return []; }
        var left = new List<(ushort, int)>();
        foreach ((ushort Selector, int Step) place in paths)
        {
            if (!matches(NextOf(place))) { continue; }
            if (place.Step + 1 == _plan.Selectors[place.Selector].Path!.Steps.Length) { selectors.Add(place.Selector); }
            else { left.Add((place.Selector, place.Step + 1)); }
        }

        return [.. left];
    }

    // The checked schema

    /// <summary>The checked schema's field of this number; where it has none, the one of this name.</summary>
    private static SchemaField? CheckedField(SchemaType? type, ProtoField field)
    {
        if (type is null) { return null; }
        foreach (SchemaField one in type.Fields)
        {
            if (one.Number == field.Number) { return one; }
        }

        return type.Field(field.Name);
    }

    private CaptureNode? CaptureOf(CaptureNode message, ProtoField field, SchemaField? known, string path)
    {
        if (known is null || !message.Children.TryGetValue(known.Name, out CaptureNode? capture) || !Reads(capture)) { return null; }
        if (known.Number == field.Number) { return capture; }
        _mismatches.Add(new SchemaMismatch(path, string.Create(CultureInfo.InvariantCulture, $"has number {field.Number} here, {known.Number} in the checked schema"), OlderIsFine: false));
        return null;
    }

    /// <summary>The capture where the type here is what the checked schema says it is, else null and a mismatch.</summary>
    private CaptureNode? Agrees(CaptureNode? capture, SchemaType found, string path)
    {
        if (capture is null || !Reads(capture)) { return null; }
        SchemaType expected = capture.Type;
        if (found.Kind != expected.Kind)
        {
            _mismatches.Add(new SchemaMismatch(path, $"is {Words(found)} here, {Words(expected)} in the checked schema", OlderIsFine: false));
            return null;
        }

        if (found.Nullable && !expected.Nullable)
        {
            _mismatches.Add(new SchemaMismatch(path, "may be absent here, and reads as a value of its own in the checked schema", OlderIsFine: false));
            return null;
        }

        return capture;
    }

    /// <summary>Reads of fields that this writer lacks: the checked schema's defaults.</summary>
    private void Missing(in Want want, HashSet<CaptureNode> read, List<(int, int, Slot)> fills)
    {
        CaptureNode message = want.Capture!;
        if (message.Type.Kind != ValueKind.Record) { return; }
        foreach ((string name, CaptureNode child) in message.Children)
        {
            if (!Reads(child) || read.Contains(child)) { continue; }
            SchemaField? field = message.Type.Field(name);
            if (field is null) { continue; }

            // The number is here, under a name or in a form that was said above.
            string path = Below(want.CheckedPath, name);
            if (_mismatches.Any(mismatch => mismatch.Path == path)) { continue; }
            if (!field.HasDefault)
            {
                _mismatches.Add(new SchemaMismatch(path, "is not in this schema, and is required in the checked schema", OlderIsFine: false));
                continue;
            }

            if (child.Slot >= 0 && child.Mode != CaptureMode.None)
            {
                Slot slot = field.Default switch
                {
                    MapValue => new Slot { Kind = ValueKind.Map, Node = ProtoProgram.EmptyMap },
                    List<object?> => new Slot { Kind = ValueKind.List, Node = ProtoProgram.EmptyList },
                    _ => SlotOf(field.Default),
                };
                fills.Add((-1, child.Slot, slot));
            }
        }
    }

    private Slot SlotOf(object? value)
    {
        switch (value)
        {
            case null: return new Slot { Kind = ValueKind.Null };
            case bool truth: return new Slot { Kind = ValueKind.Bool, Bits = truth ? 1 : 0 };
            case long number: return new Slot { Kind = ValueKind.Int, Bits = number };
            case ulong number: return new Slot { Kind = ValueKind.UInt, Bits = (long)number };
            case double number: return new Slot { Kind = ValueKind.Double, Bits = BitConverter.DoubleToInt64Bits(number) };
            case Timestamp instant: return new Slot { Kind = ValueKind.Timestamp, Bits = instant.Seconds, Aux = instant.Nanos };
            case Duration span: return new Slot { Kind = ValueKind.Duration, Bits = span.Seconds, Aux = span.Nanos };
        }

        byte[] bytes = value as byte[] ?? Encoding.UTF8.GetBytes((string)value);
        var slot = new Slot { Kind = value is string ? ValueKind.String : ValueKind.Bytes, Source = SlotSource.Constant, Bits = _constants.Length, Aux = bytes.Length };
        _constants.Append(bytes);
        return slot;
    }

    private static bool Reads(CaptureNode node)
    {
        if (node.Mode != CaptureMode.None || node.Row is not null) { return true; }
        foreach (CaptureNode child in node.Children.Values)
        {
            if (Reads(child)) { return true; }
        }

        return false;
    }

    private static string Below(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    private static string Words(SchemaType type) => $"of type {(type.NativeName.Length > 0 ? type.NativeName : type.Kind.ToString())}";

    // What masks have lost

    /// <summary>Adds a mismatch for each value that a selector selects in the checked schema, and that is not here or is of another type.</summary>
    private void CompareSelected()
    {
        SchemaType root = _plan.Root.Node.Type;
        for (int i = 0; i < _plan.Selectors.Count; i++)
        {
            MaskSelector selector = _plan.Selectors[i];
            if (selector.Path is { Root: PathRoot.Value } path) { Compare(i, root, path.Steps.Span, ""); }
            else if (selector.Tag is { } tag) { Compare(i, root, tag, "", []); }
        }
    }

    private void Compare(int selector, SchemaType type, ReadOnlySpan<PathStep> steps, string path)
    {
        if (steps.IsEmpty)
        {
            Found(selector, path, type);
            return;
        }

        PathStep next = steps[0];
        if (next.Kind == PathStepKind.Field)
        {
            if (type.Field(next.Name) is { } field) { Compare(selector, field.Type, steps[1..], Below(path, next.Name)); }
        }
        else if (type.Element is { } element && (next.Kind == PathStepKind.All || type.Kind == ValueKind.Map)) { Compare(selector, element, steps[1..], path + new FieldPath(PathRoot.Value, null, [next])); }
    }

    private void Compare(int selector, SchemaType type, string tag, string path, HashSet<string> inside)
    {
        if (type.Element is { } element) { Compare(selector, element, tag, path + "[*]", inside); }

        // A message inside itself says nothing new, and one that is met at very many paths has said enough.
        if (type.Kind != ValueKind.Record || ++_compared > ComparedMax || !inside.Add(type.FullName ?? path)) { return; }
        foreach (SchemaField field in type.Fields)
        {
            string name = Below(path, field.Name);
            if (field.Tags.Contains(tag) || (_plan.TagsByPath.TryGetValue(name, out IReadOnlySet<string>? tags) && tags.Contains(tag))) { Found(selector, name, field.Type); }
            Compare(selector, field.Type, tag, name, inside);
        }

        inside.Remove(type.FullName ?? path);
    }

    private void Found(int selector, string path, SchemaType type)
    {
        if (!_isSelected.Contains((selector, path))) { Once(new SchemaMismatch(path, "is masked, and not in this schema", OlderIsFine: true)); }
        else if (_selectedTypes.TryGetValue(path, out SchemaType? here) && here.Kind != type.Kind)
        {
            Once(new SchemaMismatch(path, $"is masked, and {Words(here)} here, {Words(type)} in the checked schema", OlderIsFine: true));
        }
    }

    private void Once(SchemaMismatch mismatch)
    {
        if (_said.Add(mismatch)) { _mismatches.Add(mismatch); }
    }
}
