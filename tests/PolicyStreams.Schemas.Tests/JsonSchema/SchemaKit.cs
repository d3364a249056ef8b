using System.Text;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.JsonSchema;

namespace PolicyStreams.Schemas.Tests.JsonSchema;

/// <summary>A schema with a plan against it, built by a test.</summary>
internal sealed class SchemaKit(string schema, string? writer = null, bool formats = false)
{
    private readonly List<MaskSelector> _selectors = [];
    private readonly Dictionary<string, IReadOnlySet<string>> _tags = [];
    private RecordProgram? _program;

    public ValidatedJson Checked { get; } = ValidatedJson.Parse(schema, [], formats);

    public CaptureFrame Frame { get; } = new();

    public List<SchemaMismatch> Mismatches { get; } = [];

    private CaptureRow? _root;

    public CaptureRow Root => _root ??= new CaptureRow { Node = new CaptureNode { Type = Checked.Type } };

    public RecordProgram Program => _program ??= (writer is null ? Checked : ValidatedJson.Parse(writer, [], formats))
        .Compile(new CapturePlan { Root = Root, Selectors = _selectors, TagsByPath = _tags }, WalkLimits.Default, Mismatches);

    /// <summary>The slot of a path of properties.</summary>
    public int Capture(CaptureMode mode, params string[] names)
    {
        CaptureNode node = Root.Node;
        foreach (string name in names)
        {
            SchemaType type = node.Type.Kind == ValueKind.Record ? node.Type.Field(name)!.Type : node.Type.Element ?? SchemaType.AnyJson;
            if (!node.Children.TryGetValue(name, out CaptureNode? child)) { node.Children.Add(name, child = new CaptureNode { Type = type }); }
            node = child;
        }

        node.Mode = mode;
        return node.Slot = Root.Add();
    }

    public SchemaKit Select(params string[] paths)
    {
        _selectors.AddRange(paths.Select(path => new MaskSelector(JsonKit.Path(path), null)));
        return this;
    }

    public SchemaKit Tag(string tag, params string[] alsoAt)
    {
        _selectors.Add(new MaskSelector(null, tag));
        foreach (string path in alsoAt) { _tags[path] = new HashSet<string> { tag }; }
        return this;
    }

    public DecodeOutcome Walk(string json) => Program.Walk(Encoding.UTF8.GetBytes(json), Frame);

    public Slot Slot(int slot, string json)
    {
        Assert.Equal(DecodeOutcome.Decoded, Walk(json));
        return Frame.Slots[slot];
    }

    public object? Plain(int slot, string json)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(json);
        Assert.Equal(DecodeOutcome.Decoded, Program.Walk(bytes, Frame));
        return Program.Materialize(Frame.Slots[slot], bytes, Frame);
    }

    /// <summary>The rewritten text, or the name of the outcome.</summary>
    public string Rewrite(string json, ISiteMasker masker)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(json);
        Assert.Equal(DecodeOutcome.Decoded, Program.Walk(bytes, Frame));
        var output = new ByteBuffer();
        RewriteOutcome outcome = Program.Rewrite(bytes, Frame, masker, output);
        return outcome == RewriteOutcome.Written ? Encoding.UTF8.GetString(output.Written) : outcome.ToString();
    }

    public string Mask(string json) => Rewrite(json, ScriptedMasker.Always(SiteAction.Text, "***"));

    public string Redact(string json) => Rewrite(json, ScriptedMasker.Always(SiteAction.Redact));
}
