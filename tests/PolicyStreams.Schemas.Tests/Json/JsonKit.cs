using System.Text;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Schemas.Tests;

/// <summary>A plan, its program, and its frame, built by a test.</summary>
internal sealed class JsonKit
{
    private readonly List<MaskSelector> _selectors = [];
    private RecordProgram? _program;

    public CaptureRow Root { get; } = new() { Node = new CaptureNode { Type = SchemaType.AnyJson } };

    public WalkLimits Limits { get; init; } = WalkLimits.Default;

    public CaptureFrame Frame { get; } = new();

    public RecordProgram Program => _program ??= SchemalessJson.Instance.Compile(new CapturePlan { Root = Root, Selectors = _selectors }, Limits, []);

    public static FieldPath Path(string path) =>
        new(PathRoot.Value, null, [.. path.Replace("[*]", ".*", StringComparison.Ordinal).Split('.', StringSplitOptions.RemoveEmptyEntries)
            .Select(step => step == "*" ? PathStep.All : new PathStep(PathStepKind.Field, step))]);

    public static CaptureNode Child(CaptureNode node, params string[] names)
    {
        foreach (string name in names)
        {
            if (!node.Children.TryGetValue(name, out CaptureNode? child)) { node.Children.Add(name, child = new CaptureNode { Type = SchemaType.AnyJson }); }
            node = child;
        }

        return node;
    }

    public static int Capture(CaptureRow row, CaptureMode mode, params string[] names)
    {
        CaptureNode node = Child(row.Node, names);
        node.Mode = mode;
        return node.Slot = row.Add();
    }

    public static CaptureRow Rows(CaptureRow row, params string[] names)
    {
        Capture(row, CaptureMode.Elements, names);
        return Child(row.Node, names).Row = new CaptureRow { Node = new CaptureNode { Type = SchemaType.AnyJson } };
    }

    public int Capture(CaptureMode mode, params string[] names) => Capture(Root, mode, names);

    public JsonKit Select(params string[] paths)
    {
        _selectors.AddRange(paths.Select(path => new MaskSelector(Path(path), null)));
        return this;
    }

    public DecodeOutcome Walk(string json) => Walk(Encoding.UTF8.GetBytes(json));

    public DecodeOutcome Walk(byte[] json) => Program.Walk(json, Frame);

    public string Text(int slot, string json) => Encoding.UTF8.GetString(Frame.Bytes(Frame.Slots[slot], Encoding.UTF8.GetBytes(json)));

    /// <summary>Null where the rewrite failed.</summary>
    public string? Rewrite(string json, ISiteMasker masker)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(json);
        Assert.Equal(DecodeOutcome.Decoded, Walk(bytes));
        var output = new ByteBuffer();
        return Program.Rewrite(bytes, Frame, masker, output) == RewriteOutcome.Written ? Encoding.UTF8.GetString(output.Written) : null;
    }
}

/// <summary>Answers each site by a delegate of its path index and text.</summary>
internal sealed class ScriptedMasker(Func<MaskSite, string, (SiteResult Result, string Text)> answer) : ISiteMasker
{
    public static ScriptedMasker Always(SiteAction action, string text = "", long bits = 0) => new((_, _) => (new SiteResult(action, bits), text));

    public SiteResult Mask(ReadOnlySpan<MaskSite> sites, ReadOnlySpan<byte> text, ByteBuffer replacement)
    {
        (SiteResult result, string masked) = answer(sites[0], Encoding.UTF8.GetString(text));
        replacement.Append(Encoding.UTF8.GetBytes(masked));
        return result;
    }
}
