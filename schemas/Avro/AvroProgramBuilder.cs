using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Avro;

/// <summary>
/// Compiles a writer schema for a plan. Values that nobody wants become bare checks; a record that is used in many places, or in itself, becomes a block that is called.
/// Where something is wanted the walk is made for the path, so that a site can say where it is; a recursive record is made once for each way into the recursion, and a site in
/// it bears the path of its first occurrence.
/// </summary>
internal sealed class AvroProgramBuilder
{
    /// <summary>Records of more operations than this are called where nothing in them is wanted.</summary>
    private const int InlineMax = 24;

    /// <summary>Beyond this, records that say the same are shared between paths: schemas of records of records would else unfold without bound.</summary>
    private const int SharingOpsMin = 100_000;
    private const int NodesMax = AvroProgram.ObjectNode;

    private readonly AvroSchema _schema;
    private readonly CapturePlan _plan;
    private readonly WalkLimits _limits;
    private readonly ICollection<SchemaMismatch> _mismatches;
    private readonly int _depthMax;

    private readonly List<AvroOp> _ops = [];
    private readonly List<AvroNode> _nodes = [];
    private readonly List<AvroLoop> _loops = [];
    private readonly List<int[]> _jumps = [];
    private readonly List<AvroDefault> _defaults = [];
    private readonly List<object?> _objects = [];
    private readonly ByteBuffer _constants = new(64);
    private readonly Dictionary<AvroType, int> _enumTables = [];
    private readonly List<int[]> _enums = [];

    /// <summary>Blocks by what they do; -1 until they are made. Calls are pointed at them in the end.</summary>
    private readonly Dictionary<string, int> _blockIds = new(StringComparer.Ordinal);
    private readonly List<int> _blockStarts = [];
    private readonly Queue<(int Id, AvroType Type, Want Want, bool Skip)> _toMake = new();
    private readonly Dictionary<object, int> _ids = new(ReferenceEqualityComparer.Instance);

    private readonly Dictionary<string, ushort[]> _selectorsByTag = new(StringComparer.Ordinal);
    private readonly HashSet<string> _tagPrefixes = new(StringComparer.Ordinal);
    private readonly Dictionary<AvroField, HashSet<string>> _tagsInRecursion = [];
    private readonly HashSet<AvroType> _tagged = [];
    private readonly List<string>[] _selected;
    private readonly HashSet<(int Selector, string Path)> _isSelected = [];
    private readonly HashSet<SchemaMismatch> _said = [];

    /// <summary>Value that each path was found to hold here: to compare masks' targets with the checked schema's.</summary>
    private readonly Dictionary<string, AvroType> _selectedTypes = new(StringComparer.Ordinal);
    private bool _conditional;

    private AvroProgramBuilder(AvroSchema schema, CapturePlan plan, WalkLimits limits, ICollection<SchemaMismatch> mismatches)
    {
        _schema = schema;
        _plan = plan;
        _limits = limits;
        _mismatches = mismatches;
        _depthMax = Math.Clamp(limits.DepthMax, 1, AvroProgram.DepthCap);
        _selected = new List<string>[plan.Selectors.Count];
        for (int i = 0; i < _selected.Length; i++) { _selected[i] = []; }
    }

    /// <summary>What is wanted of a value and below it.</summary>
    /// <param name="Capture">Conditions' node, or null.</param>
    /// <param name="Paths">Explicit paths that have led here, with the steps that are left.</param>
    /// <param name="TagPath">The value's path where tags by path may be below it, else null.</param>
    /// <param name="Path">The path as decisions spell it.</param>
    /// <param name="Entry">The path at which the recursion that this value is in was entered; empty outside.</param>
    /// <param name="Component">The recursion's number; -1 outside.</param>
    private readonly record struct Want(CaptureNode? Capture, (ushort Selector, int Step)[] Paths, string? TagPath, string Path, string Entry, int Component)
    {
        public static Want Nothing { get; } = new(null, [], null, "", "", -1);
    }

    /// <summary>Where a value stands: what a rewrite may do with it.</summary>
    private enum Place : byte { Elsewhere, ListElement, MapEntry }

    public static CapturePlan EmptyPlan(SchemaType type) => new()
    {
        Root = new CaptureRow { Node = new CaptureNode { Type = type } },
        Selectors = [],
    };

    public static AvroProgram Build(AvroSchema schema, CapturePlan plan, WalkLimits limits, ICollection<SchemaMismatch> mismatches) =>
        new AvroProgramBuilder(schema, plan, limits, mismatches).Build();

    private AvroProgram Build()
    {
        FindTags();
        var paths = new List<(ushort, int)>();
        for (int i = 0; i < _plan.Selectors.Count; i++)
        {
            if (_plan.Selectors[i].Path is { Root: PathRoot.Value }) { paths.Add(((ushort)i, 0)); }
        }

        CaptureNode root = _plan.Root.Node;
        var want = new Want(root, [.. paths], _tagPrefixes.Count > 0 ? "" : null, "", "", -1);
        _nodes.Add(new AvroNode { Type = _schema.Root, Path = "" });      // Slots with node 0 are no raw ones.
        Value(_schema.Root, want, [], Place.Elsewhere, 0);
        Emit(AvroOpCode.End);
        while (_toMake.TryDequeue(out (int Id, AvroType Type, Want Want, bool Skip) block))
        {
            _blockStarts[block.Id] = _ops.Count;
            if (block.Skip) { SkipRecord(block.Type, 0); }
            else { Record(block.Type, block.Want, -1, 0, 0); }
            Emit(AvroOpCode.End);
        }

        AvroOp[] ops = [.. _ops];
        for (int i = 0; i < ops.Length; i++)
        {
            if (ops[i].Code == AvroOpCode.Call) { ops[i].Arg = _blockStarts[ops[i].Arg]; }
        }

        CompareSelected();
        return new AvroProgram(_schema, ops, [.. _nodes], [.. _loops], [.. _jumps], [.. _enums], _enumTables, [.. _defaults], [.. _objects], _constants.Written.ToArray(),
            [.. _selected.Select(found => found.ToArray())], Math.Max(_plan.Root.SlotCount, 0), _limits, _depthMax);
    }

    // Tags

    private void FindTags()
    {
        for (int i = 0; i < _plan.Selectors.Count; i++)
        {
            if (_plan.Selectors[i].Tag is { } tag)
            {
                _selectorsByTag[tag] = [.. _selectorsByTag.GetValueOrDefault(tag, []), (ushort)i];
            }
        }

        if (_selectorsByTag.Count == 0) { return; }
        foreach ((string path, IReadOnlySet<string> tags) in _plan.TagsByPath)
        {
            if (!tags.Any(_selectorsByTag.ContainsKey)) { continue; }
            for (int at = path.IndexOfAny(['.', '['], 1); at > 0; at = path.IndexOfAny(['.', '['], at + 1)) { _tagPrefixes.Add(path[..at]); }
            _tagPrefixes.Add(path);

            // Paths can name a field of a recursive record only so deep; its tag is meant for every depth.
            if (FieldAt(_schema.Root, path, 0) is { } field)
            {
                if (!_tagsInRecursion.TryGetValue(field, out HashSet<string>? known)) { _tagsInRecursion.Add(field, known = new HashSet<string>(StringComparer.Ordinal)); }
                known.UnionWith(tags);
            }
        }

        // A record is tagged where a field of its own is, or of a record below it. Components come with those they lead to first.
        var byComponent = new List<List<AvroType>>();
        foreach (AvroType record in _schema.Records.OrderBy(record => record.Component))
        {
            while (byComponent.Count <= record.Component) { byComponent.Add([]); }
            byComponent[record.Component].Add(record);
        }

        foreach (List<AvroType> component in byComponent)
        {
            if (component.Exists(record => record.Fields.Any(field => Tags(field, null).Any(_selectorsByTag.ContainsKey)) || record.RecordsBelow.Exists(_tagged.Contains)))
            {
                _tagged.UnionWith(component);
            }
        }
    }

    /// <summary>The field of a recursive record at a path of tags, or null.</summary>
    private static AvroField? FieldAt(AvroType type, string path, int at)
    {
        while (true)
        {
            if (type.Kind == AvroKind.Union)
            {
                foreach (AvroType branch in type.Branches)
                {
                    if (branch.Kind is AvroKind.Record or AvroKind.Array or AvroKind.Map && FieldAt(branch, path, at) is { } found) { return found; }
                }

                return null;
            }

            if (at < path.Length && path[at] == '[')
            {
                if (type.Kind is not (AvroKind.Array or AvroKind.Map)) { return null; }
                at = path.IndexOf(']', at) + 1;
                if (at == 0) { return null; }
                type = type.Element;
                continue;
            }

            if (at < path.Length && path[at] == '.') { at++; }
            int end = path.IndexOfAny(['.', '['], at);
            if (end < 0) { end = path.Length; }
            if (type.Kind != AvroKind.Record || type.FieldIndex(path[at..end]) is not (>= 0 and var index)) { return null; }
            if (end == path.Length) { return type.Recursive ? type.Fields[index] : null; }
            type = type.Fields[index].Type;
            at = end;
        }
    }

    private IEnumerable<string> Tags(AvroField field, string? path)
    {
        IEnumerable<string> tags = field.Tags;
        if (_tagsInRecursion.TryGetValue(field, out HashSet<string>? more)) { tags = tags.Concat(more); }
        if (path is not null && _plan.TagsByPath.TryGetValue(path, out IReadOnlySet<string>? byPath)) { tags = tags.Concat(byPath); }
        return tags;
    }

    /// <summary>True where a tagged field is somewhere below, by the schema's own word.</summary>
    private bool Tagged(AvroType type) => _tagged.Count > 0 && type.Kind switch
    {
        AvroKind.Record => _tagged.Contains(type),
        AvroKind.Array or AvroKind.Map => Tagged(type.Element),
        AvroKind.Union => Array.Exists(type.Branches, Tagged),
        _ => false,
    };

    private bool Wanted(in Want want, AvroType type) => want.Capture is not null || want.Paths.Length > 0 || want.TagPath is not null || Tagged(type);

    // Values

    private void Value(AvroType type, Want want, ushort[] selectors, Place place, int level, int depth = 0)
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack()) { throw new SchemaException("The schema's types are nested too deep to be compiled."); }
        want = want with { Capture = Checked(want, type) };
        foreach (ushort selector in selectors)
        {
            if (_isSelected.Add((selector, want.Path))) { _selected[selector].Add(want.Path); }
            _selectedTypes[want.Path] = type;
        }

        if (!Wanted(want, type) && selectors.Length == 0)
        {
            Skip(type, level, depth);
            return;
        }

        CaptureNode? capture = want.Capture;
        CaptureMode mode = capture?.Mode ?? CaptureMode.None;
        ValueKind kind = AvroTypeView.KindOf(type);
        bool dyn = kind == ValueKind.Dyn;
        bool encodingOnly = kind is ValueKind.CalendarDuration or ValueKind.List or ValueKind.Map;
        bool raw = mode == CaptureMode.Raw || (mode == CaptureMode.Scalar && (encodingOnly || dyn));
        int slot = mode == CaptureMode.None || (raw && !(dyn && mode == CaptureMode.Scalar)) ? -1 : capture!.Slot;
        if (!raw && selectors.Length == 0)
        {
            Body(type, want, slot, level, depth);
            return;
        }

        ushort node = AddNode(new AvroNode
        {
            Type = type,
            Path = want.Path,
            Selectors = selectors,
            ListElement = place == Place.ListElement,
            MapEntry = place == Place.MapEntry,
            RawSlot = raw ? capture!.Slot : -1,
            RawUnlessScalar = raw && dyn && mode == CaptureMode.Scalar,
        });
        Emit(AvroOpCode.Begin, node: node);
        Body(type, want, slot, level, depth);
        Emit(AvroOpCode.Finish, node: node);
    }

    /// <summary>The capture where the type here is what the checked schema says it is, else null and a mismatch.</summary>
    private CaptureNode? Checked(in Want want, AvroType type)
    {
        CaptureNode? capture = want.Capture;
        if (capture is null || !Reads(capture)) { return null; }
        SchemaType expected = capture.Type;
        if (expected.Kind == ValueKind.Dyn && (expected.Branches.Count == 0 || _conditional)) { return capture; }
        SchemaType found = type.View;
        string name = want.Path.Length == 0 ? "value" : want.Path;
        if (found.Kind != expected.Kind) { return Mismatch(name, $"is {Words(found)} here, {Words(expected)} in the checked schema"); }
        if (found.Nullable && !expected.Nullable) { return Mismatch(name, "may be null here, not in the checked schema"); }
        if (found.Kind == ValueKind.Decimal && found.Scale != expected.Scale)
        {
            return Mismatch(name, string.Create(CultureInfo.InvariantCulture, $"is a decimal of scale {found.Scale} here, {expected.Scale} in the checked schema"));
        }

        return capture;
    }

    private CaptureNode? Mismatch(string path, string why)
    {
        _mismatches.Add(new SchemaMismatch(path, why, OlderIsFine: false));
        return null;
    }

    private static string Words(SchemaType type) => type.Kind switch
    {
        ValueKind.Dyn => "a union",
        ValueKind.Null => "null",
        _ => $"of type {(type.NativeName.Length > 0 ? type.NativeName : type.Kind.ToString())}",
    };

    private static bool Reads(CaptureNode node)
    {
        if (node.Mode != CaptureMode.None || node.Row is not null) { return true; }
        foreach (CaptureNode child in node.Children.Values)
        {
            if (Reads(child)) { return true; }
        }

        return false;
    }

    private void Body(AvroType type, in Want want, int slot, int level, int depth, byte nullable = 0)
    {
        int at = _ops.Count;
        switch (type.Kind)
        {
            case AvroKind.Union when type.Single is not null && type.NullBranch >= 0:
                Body(type.Single, want, slot, level, depth, (byte)(type.NullBranch + 1));
                return;
            case AvroKind.Union:
                Union(type, want, slot, level, depth);
                return;
            case AvroKind.Record when !Shared(type, want, slot, level, nullable):
                Record(type, want, slot, level, depth, nullable);
                break;
            case AvroKind.Record:
                break;
            case AvroKind.Array:
                List(type, want, slot, level, depth, nullable);
                return;
            case AvroKind.Map:
                Map(type, want, slot, level, depth, nullable);
                return;
            default:
                Scalar(type, slot, nullable);
                return;
        }

        if (nullable != 0) { SetNext(at); }
    }

    private void Scalar(AvroType type, int slot, byte nullable)
    {
        (AvroOpCode code, int arg) = type.Logical switch
        {
            AvroLogical.Decimal => (type.Kind == AvroKind.Fixed ? AvroOpCode.FixedDecimal : AvroOpCode.Bytes, type.Precision),
            AvroLogical.Uuid when type.Kind == AvroKind.Fixed => (AvroOpCode.FixedUuid, 0),
            _ => type.Kind switch
            {
                AvroKind.Null => (AvroOpCode.Null, 0),
                AvroKind.Boolean => (AvroOpCode.Boolean, 0),
                AvroKind.Int => (AvroOpCode.Int, 0),
                AvroKind.Long => (AvroOpCode.Long, 0),
                AvroKind.Float => (AvroOpCode.Float, 0),
                AvroKind.Double => (AvroOpCode.Double, 0),
                AvroKind.String => (AvroOpCode.String, 0),
                AvroKind.Bytes => (AvroOpCode.Bytes, 0),
                AvroKind.Enum => (AvroOpCode.Enum, EnumTable(type)),
                _ => (AvroOpCode.Fixed, type.Size),
            },
        };

        // A number that nobody reads is the same walk whatever it means.
        if (slot >= 0)
        {
            code = type.Logical switch
            {
                AvroLogical.Date => AvroOpCode.Date,
                AvroLogical.TimestampMillis => AvroOpCode.TimestampMillis,
                AvroLogical.TimestampMicros => AvroOpCode.TimestampMicros,
                AvroLogical.TimestampNanos => AvroOpCode.TimestampNanos,
                AvroLogical.TimeMillis => AvroOpCode.TimeMillis,
                AvroLogical.TimeMicros => AvroOpCode.TimeMicros,
                _ => code,
            };
        }

        if (type.ZeroSize && nullable == 0 && slot < 0) { return; }
        ushort node = type.Logical == AvroLogical.Decimal && (slot >= 0 || type.Kind == AvroKind.Fixed) ? AddNode(new AvroNode { Type = type, Path = "", ScaleOnly = true }) : (ushort)0;
        Emit(code, slot, arg, nullable, node);
        SetNext(_ops.Count - 1);
    }

    private void Union(AvroType type, in Want want, int slot, int level, int depth)
    {
        int[] jumps = new int[type.Branches.Length];
        Emit(AvroOpCode.Union, slot, _jumps.Count);
        _jumps.Add(jumps);
        var exits = new List<int>();
        bool outer = _conditional;
        _conditional |= type.Single is null;
        for (int i = 0; i < jumps.Length; i++)
        {
            AvroType branch = type.Branches[i];
            jumps[i] = _ops.Count;
            if (branch.Kind == AvroKind.Null)
            {
                if (slot >= 0) { Emit(AvroOpCode.Null, slot); }
            }
            else if (Wanted(want, branch) || slot >= 0)
            {
                bool scalar = branch.Kind is not (AvroKind.Record or AvroKind.Array or AvroKind.Map) && branch.Logical != AvroLogical.Duration;
                int own = want.Capture?.Mode == CaptureMode.Scalar && !scalar && type.Single is null ? -1 : slot;
                if (!Wanted(want with { Capture = null }, branch) && own < 0 && scalar) { Skip(branch, level + 1, depth + 1); }
                else { Body(branch, want, branch.Logical == AvroLogical.Duration ? -1 : own, level + 1, depth + 1); }
            }
            else
            {
                Skip(branch, level + 1, depth + 1);
            }

            exits.Add(_ops.Count);
            Emit(AvroOpCode.Jump);
        }

        _conditional = outer;
        foreach (int exit in exits) { Set(exit, op => op with { Arg = _ops.Count }); }
    }

    private void Record(AvroType type, Want want, int slot, int level, int depth, byte nullable = 0)
    {
        if (depth > _depthMax)
        {
            Emit(AvroOpCode.TooDeep, slot, 0, nullable);
            return;
        }

        level++;
        Emit(AvroOpCode.Record, slot, level, nullable);
        CaptureNode? capture = want.Capture;
        foreach (AvroField field in type.Fields)
        {
            string path = want.Path.Length == 0 ? field.Name : want.Path + "." + field.Name;
            string? tagPath = want.TagPath is null ? null : want.TagPath.Length == 0 ? field.Name : want.TagPath + "." + field.Name;
            var selectors = new SortedSet<ushort>();
            if (_selectorsByTag.Count > 0)
            {
                foreach (string tag in Tags(field, tagPath))
                {
                    if (_selectorsByTag.TryGetValue(tag, out ushort[]? byTag)) { selectors.UnionWith(byTag); }
                }
            }

            (ushort, int)[] paths = Step(want.Paths, PathStepKind.Field, field.Name, selectors);
            CaptureNode? child = null;
            capture?.Children.TryGetValue(field.Name, out child);
            if (tagPath is not null && !_tagPrefixes.Contains(tagPath)) { tagPath = null; }
            Value(field.Type, new Want(child, paths, tagPath, path, want.Entry, want.Component), selectors.Count == 0 ? [] : [.. selectors], Place.Elsewhere, level, depth + 1);
        }

        if (capture is not null) { Missing(type, capture, want.Path); }
    }

    /// <summary>Reads of fields that this writer lacks: the checked schema's defaults.</summary>
    private void Missing(AvroType type, CaptureNode capture, string path)
    {
        if (capture.Type.Kind != ValueKind.Record) { return; }
        foreach ((string name, CaptureNode child) in capture.Children)
        {
            if (type.FieldIndex(name) >= 0 || !Reads(child)) { continue; }
            SchemaField? field = capture.Type.Field(name);
            string full = path.Length == 0 ? name : path + "." + name;
            if (field is null || !field.HasDefault)
            {
                _mismatches.Add(new SchemaMismatch(full, "is not in this schema, and the checked schema gives it no default", OlderIsFine: false));
                continue;
            }

            var filled = new AvroDefault();
            new AvroDefaultBuilder(_constants, _objects).Fill(filled, child, field.Default);
            if (filled.Slots.Count == 0 && filled.Lists.Count == 0) { continue; }
            Emit(AvroOpCode.Default, -1, _defaults.Count);
            _defaults.Add(filled);
        }
    }

    /// <summary>Calls a block in place of the record's own operations where it is recursive or the program has grown large; true where it did.</summary>
    private bool Shared(AvroType type, in Want want, int slot, int level, byte nullable)
    {
        bool many = _ops.Count > SharingOpsMin;
        if (!type.Recursive && !many) { return false; }

        // Inside a recursion its entry stands for the path; what is wanted below is what tells blocks apart.
        Want inside = type.Recursive && type.Component != want.Component ? want with { Entry = want.Path, Component = type.Component } : want;
        string key = Key(type, inside, _conditional);
        int id = Block(key, type, inside, skip: false);
        if (slot >= 0 || nullable != 0)
        {
            // The slot is the caller's: one block serves several.
            Emit(AvroOpCode.Record, slot, level + 1, nullable);
        }

        Emit(AvroOpCode.Call, -1, id, 0, (ushort)Math.Min(level, ushort.MaxValue));
        return true;
    }

    private int Block(string key, AvroType type, in Want want, bool skip)
    {
        if (_blockIds.TryGetValue(key, out int id)) { return id; }
        id = _blockStarts.Count;
        _blockStarts.Add(-1);
        _blockIds.Add(key, id);
        _toMake.Enqueue((id, type, want, skip));
        return id;
    }

    private string Key(AvroType type, in Want want, bool conditional)
    {
        var key = new StringBuilder();
        key.Append(Id(type)).Append('/').Append(want.Capture is null ? 0 : Id(want.Capture)).Append('/').Append(want.TagPath ?? "-").Append('/');
        foreach ((ushort selector, int step) in want.Paths) { key.Append(selector).Append(':').Append(step).Append(','); }
        key.Append('/').Append(conditional ? '1' : '0').Append('/').Append(_ops.Count > 4 * SharingOpsMin ? "" : want.Entry);
        return key.ToString();
    }

    private int Id(object thing)
    {
        if (!_ids.TryGetValue(thing, out int id)) { _ids.Add(thing, id = _ids.Count + 1); }
        return id;
    }

    private void List(AvroType type, in Want want, int slot, int level, int depth, byte nullable)
    {
        CaptureRow? row = want.Capture?.Row;
        if (row is { SlotCount: 0 } || (row is not null && !Reads(row.Node))) { row = null; }
        var selectors = new SortedSet<ushort>();
        (ushort, int)[] paths = Step(want.Paths, PathStepKind.All, "", selectors);
        string? tagPath = want.TagPath is null ? null : want.TagPath + "[*]";
        if (tagPath is not null && !_tagPrefixes.Contains(tagPath)) { tagPath = null; }
        var inner = new Want(row?.Node, paths, tagPath, want.Path + "[*]", want.Entry, want.Component);
        var loop = new AvroLoop { Level = level, Stride = row?.SlotCount ?? 0, ItemBytesMin = type.Element.SizeMin };
        int at = _ops.Count;
        Emit(AvroOpCode.Array, slot, _loops.Count, nullable);
        _loops.Add(loop);
        bool outer = _conditional;
        _conditional = false;
        loop.Body = BodyOf(type.Element, inner, selectors, Place.ListElement, depth, out loop.Sites);
        _conditional = outer;
        SetNext(at);
    }

    private void Map(AvroType type, in Want want, int slot, int level, int depth, byte nullable)
    {
        var selectors = new SortedSet<ushort>();
        (ushort, int)[] paths = Step(want.Paths, PathStepKind.All, "", selectors);
        string? tagPath = want.TagPath is null ? null : want.TagPath + "[*]";
        if (tagPath is not null && !_tagPrefixes.Contains(tagPath)) { tagPath = null; }
        var loop = new AvroLoop { Level = level, ItemBytesMin = 1 + Math.Min(type.Element.SizeMin, int.MaxValue / 4) };
        int at = _ops.Count;
        Emit(AvroOpCode.Map, slot, _loops.Count, nullable);
        _loops.Add(loop);
        bool outer = _conditional;
        _conditional = false;
        loop.Body = BodyOf(type.Element, new Want(null, paths, tagPath, want.Path + "[*]", want.Entry, want.Component), selectors, Place.MapEntry, depth, out loop.Sites);

        // Keys that are named get a block of their own, which does for them what is done for all as well.
        var keys = new SortedSet<string>(StringComparer.Ordinal);
        if (want.Capture is not null) { keys.UnionWith(want.Capture.Children.Where(child => Reads(child.Value)).Select(child => child.Key)); }
        foreach ((ushort selector, int step) in want.Paths)
        {
            PathStep next = _plan.Selectors[selector].Path!.Steps.Span[step];
            if (next.Kind == PathStepKind.MapKey) { keys.Add(next.Name); }
        }

        var bodies = new List<(byte[], int)>();
        foreach (string key in keys)
        {
            var ownSelectors = new SortedSet<ushort>();
            (ushort, int)[] own = Step(want.Paths, PathStepKind.MapKey, key, ownSelectors);
            CaptureNode? child = null;
            want.Capture?.Children.TryGetValue(key, out child);
            string path = own.Length + ownSelectors.Count > 0 ? new FieldPath(PathRoot.Value, null, [new PathStep(PathStepKind.MapKey, key)]).ToString() : "[*]";
            ownSelectors.UnionWith(selectors);
            int body = BodyOf(type.Element, new Want(child, [.. paths, .. own], tagPath, want.Path + path, want.Entry, want.Component), ownSelectors, Place.MapEntry, depth, out bool sites);
            loop.Sites |= sites;
            bodies.Add((Encoding.UTF8.GetBytes(key), body));
        }

        loop.Keys = [.. bodies];
        _conditional = outer;
        SetNext(at);
    }

    /// <summary>Makes the block of an element in place, with a jump around it; its start.</summary>
    private int BodyOf(AvroType type, in Want want, SortedSet<ushort> selectors, Place place, int depth, out bool sites)
    {
        int around = _ops.Count;
        Emit(AvroOpCode.Jump);
        int start = _ops.Count;
        Value(type, want, selectors.Count == 0 ? [] : [.. selectors], place, 0, depth + 1);
        Emit(AvroOpCode.End);
        Set(around, op => op with { Arg = _ops.Count });
        sites = selectors.Count > 0 || want.Paths.Length > 0 || want.TagPath is not null || Tagged(type);
        return start;
    }

    /// <summary>Explicit paths after one more step; those that end with it go to <paramref name="selectors"/>.</summary>
    private (ushort, int)[] Step((ushort Selector, int Step)[] paths, PathStepKind kind, string name, SortedSet<ushort> selectors)
    {
        if (paths.Length == 0) { return []; }
        var left = new List<(ushort, int)>();
        foreach ((ushort selector, int step) in paths)
        {
            ReadOnlySpan<PathStep> steps = _plan.Selectors[selector].Path!.Steps.Span;
            if (step >= steps.Length || steps[step].Kind != kind || (kind != PathStepKind.All && steps[step].Name != name)) { continue; }
            if (step + 1 == steps.Length) { selectors.Add(selector); }
            else { left.Add((selector, step + 1)); }
        }

        return [.. left];
    }

    // Values that nobody wants

    private void Skip(AvroType type, int level, int depth, byte nullable = 0)
    {
        if (type.ZeroSize && nullable == 0) { return; }
        int at = _ops.Count;
        switch (type.Kind)
        {
            case AvroKind.Union when type.Single is not null && type.NullBranch >= 0:
                Skip(type.Single, level, depth, (byte)(type.NullBranch + 1));
                return;
            case AvroKind.Union:
                Union(type, Want.Nothing, -1, level, depth);
                return;
            case AvroKind.Record:
                if (type.Recursive || type.Weight > InlineMax)
                {
                    int id = Block("skip/" + Id(type), type, Want.Nothing, skip: true);
                    if (nullable != 0) { Emit(AvroOpCode.Record, -1, level + 1, nullable); }
                    Emit(AvroOpCode.Call, -1, id, 0, (ushort)Math.Min(level, ushort.MaxValue));
                }
                else
                {
                    SkipRecord(type, level, nullable);
                }

                break;
            case AvroKind.Array:
                List(type, Want.Nothing, -1, level, depth, nullable);
                return;
            case AvroKind.Map:
                Map(type, Want.Nothing, -1, level, depth, nullable);
                return;
            default:
                Scalar(type, -1, nullable);
                return;
        }

        if (nullable != 0) { SetNext(at); }
    }

    private void SkipRecord(AvroType type, int level, byte nullable = 0)
    {
        level++;
        Emit(AvroOpCode.Record, -1, level, nullable);
        foreach (AvroField field in type.Fields) { Skip(field.Type, level, 0); }
    }

    // Parts

    private ushort AddNode(AvroNode node)
    {
        if (_nodes.Count >= NodesMax) { throw new SchemaException($"The schema has more than {NodesMax} places that masks select or conditions read."); }
        _nodes.Add(node);
        return (ushort)(_nodes.Count - 1);
    }

    /// <summary>Numbers an enum's table: offset and length of each symbol among the constants.</summary>
    private int EnumTable(AvroType type)
    {
        if (!_enumTables.TryGetValue(type, out int number))
        {
            int[] table = new int[2 * type.Symbols.Length];
            for (int i = 0; i < type.Symbols.Length; i++)
            {
                table[2 * i] = _constants.Length;
                table[(2 * i) + 1] = type.SymbolBytes[i].Length;
                _constants.Append(type.SymbolBytes[i]);
            }

            _enumTables.Add(type, number = _enums.Count);
            _enums.Add(table);
        }

        return number;
    }

    private void Emit(AvroOpCode code, int slot = -1, int arg = 0, byte nullable = 0, ushort node = 0) =>
        _ops.Add(new AvroOp { Code = code, Slot = slot, Arg = arg, Null = nullable, Node = node, Next = _ops.Count + 1 });

    /// <summary>Where the walk goes on after a null at <paramref name="op"/>: here.</summary>
    private void SetNext(int op)
    {
        if (op < _ops.Count) { Set(op, old => old with { Next = _ops.Count }); }
    }

    private void Set(int op, Func<AvroOp, AvroOp> change) => _ops[op] = change(_ops[op]);

    // What masks have lost

    /// <summary>Adds a mismatch for each value that a selector selects in the checked schema, and that is not here or is of another type.</summary>
    private void CompareSelected()
    {
        SchemaType root = _plan.Root.Node.Type;
        for (int i = 0; i < _plan.Selectors.Count; i++)
        {
            MaskSelector selector = _plan.Selectors[i];
            if (selector.Path is { Root: PathRoot.Value } path) { Compare(i, root, path.Steps.ToArray(), 0, ""); }
            else if (selector.Tag is { } tag) { Compare(i, root, tag, "", []); }
        }
    }

    private void Compare(int selector, SchemaType type, PathStep[] steps, int step, string path)
    {
        if (step == steps.Length)
        {
            Found(selector, path, type);
            return;
        }

        PathStep next = steps[step];
        string name = next.Kind == PathStepKind.Field ? (path.Length == 0 ? next.Name : path + "." + next.Name) : path + new FieldPath(PathRoot.Value, null, [next]);
        foreach (SchemaType at in Alternatives(type))
        {
            if (next.Kind == PathStepKind.Field && at.Field(next.Name) is { } field) { Compare(selector, field.Type, steps, step + 1, name); }
            if (next.Kind == PathStepKind.All && at.Element is { } element) { Compare(selector, element, steps, step + 1, name); }
            if (next.Kind == PathStepKind.MapKey && at is { Kind: ValueKind.Map, Element: { } entry }) { Compare(selector, entry, steps, step + 1, name); }
        }
    }

    private void Compare(int selector, SchemaType type, string tag, string path, HashSet<string> inside)
    {
        foreach (SchemaType at in Alternatives(type))
        {
            if (at.Element is { } element) { Compare(selector, element, tag, path + "[*]", inside); }

            // A record inside itself says nothing new, and one that is met at very many paths has said enough.
            if (at.Kind != ValueKind.Record || inside.Count > _depthMax || ++_compared > SharingOpsMin || !inside.Add(at.FullName ?? path)) { continue; }
            foreach (SchemaField field in at.Fields)
            {
                string name = path.Length == 0 ? field.Name : path + "." + field.Name;
                if (field.Tags.Contains(tag) || (_plan.TagsByPath.TryGetValue(name, out IReadOnlySet<string>? tags) && tags.Contains(tag))) { Found(selector, name, field.Type); }
                Compare(selector, field.Type, tag, name, inside);
            }

            inside.Remove(at.FullName ?? path);
        }
    }

    private int _compared;

    private void Found(int selector, string path, SchemaType type)
    {
        if (!_isSelected.Contains((selector, path)))
        {
            // Where paths are shared, in recursion or in huge programs, the value is found under its first path.
            if (_ops.Count > SharingOpsMin && _selected[selector].Count > 0) { return; }
            Once(new SchemaMismatch(path, "is masked, and not in this schema", OlderIsFine: true));
        }
        else if (_selectedTypes.TryGetValue(path, out AvroType? here) && here.View.Kind != type.Kind)
        {
            Once(new SchemaMismatch(path, $"is masked, and {Words(here.View)} here, {Words(type)} in the checked schema", OlderIsFine: true));
        }
    }

    private void Once(SchemaMismatch mismatch)
    {
        if (_said.Add(mismatch)) { _mismatches.Add(mismatch); }
    }

    private static IEnumerable<SchemaType> Alternatives(SchemaType type) => type.Kind == ValueKind.Dyn ? type.Branches : [type];
}
