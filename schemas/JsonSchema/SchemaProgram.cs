using System.Buffers.Text;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>
/// The walk of JSON that a schema validates. Slots have the checked schema's kinds: integers are Int, instants Timestamp; a value of another kind, and one that the kind does not hold, is
/// a Double with Aux 1, so that reading it is an error. What masks write is judged by the schema again, unless the schema takes anything there.
/// </summary>
internal sealed class SchemaProgram : JsonProgram
{
    private readonly SchemaGraph _graph;
    private readonly JsonNode[] _nodes;
    private readonly WalkLimits _limits;
    private readonly int _depthMax;

    public SchemaProgram(SchemaGraph graph, CapturePlan plan, WalkLimits limits, JsonNode? root, JsonNode[] nodes, string[][] paths)
        : base(plan, limits, root, [.. nodes.Select(node => node.Mode)], paths)
    {
        _graph = graph;
        _nodes = nodes;
        _limits = limits;
        _depthMax = Math.Clamp(limits.DepthMax, 1, SchemalessJson.DepthMax);
    }

    public override string SitePath(in MaskSite site) => _nodes[site.Node].Typed!.Path;

    public override SchemaType SiteType(in MaskSite site) => _nodes[site.Node].Typed!.Type;

    public override DecodeOutcome Walk(ReadOnlySpan<byte> value, CaptureFrame frame)
    {
        if (frame.Json?.Validator is { } before) { before.Refusal = null; }
        DecodeOutcome outcome = base.Walk(value, frame);
        return outcome == DecodeOutcome.Decoded ? Judge(value, frame) : outcome;
    }

    private DecodeOutcome Judge(ReadOnlySpan<byte> value, CaptureFrame frame)
    {
        JsonScratch scratch = frame.Json!;
        var text = new TokenText(value, frame.Scratch, scratch.Tokens.AsSpan(0, scratch.TokenCount));
        return new Validator(_graph, text, scratch.Validator ??= new ValidatorScratch()).Judge(_graph.Root);
    }

    public override RewriteOutcome Rewrite(ReadOnlySpan<byte> value, CaptureFrame frame, ISiteMasker masker, ByteBuffer output)
    {
        JsonScratch scratch = frame.Json!;
        int start = output.Length;
        scratch.JudgeAgain = false;
        RewriteOutcome outcome = base.Rewrite(value, frame, masker, output);
        if (outcome != RewriteOutcome.Written || !scratch.JudgeAgain) { return outcome; }

        // The rest of the record was judged with the values that are gone: what goes out is judged as what came in was.
        CaptureFrame again = scratch.Again ??= new CaptureFrame();
        again.Begin(0, []);
        ReadOnlySpan<byte> written = output.Written[start..];
        DecodeOutcome judged = new JsonWalker(written, again, _limits, _depthMax, tokens: true).Walk(null);
        if (judged == DecodeOutcome.Decoded) { judged = Judge(written, again); }
        Array.Clear(again.Scratch, 0, again.ScratchUsed);
        return judged == DecodeOutcome.Decoded ? RewriteOutcome.Written : RewriteOutcome.NotOfSchema;
    }

    protected override bool TryWrite(in MaskSite site, SiteResult result, CaptureFrame frame, ByteBuffer output, int text)
    {
        TypedNode node = _nodes[site.Node].Typed!;
        JsonScratch scratch = frame.Json!;
        switch (result.Action)
        {
            case SiteAction.Redact:
                if (node.Redacted is null) { return false; }
                output.Append(node.Redacted);
                scratch.JudgeAgain |= node.Entangled;
                return true;
            case SiteAction.Number when site.Kind == ValueKind.Int:
                scratch.JudgeAgain = true;
                if (!Utf8Formatter.TryFormat(result.Bits, output.GetSpan(24), out int written)) { return false; }
                output.Advance(written);
                return true;
            case SiteAction.Text:
                scratch.JudgeAgain |= !node.TakesAnyText;
                break;
            default:
                scratch.JudgeAgain = true;
                break;
        }

        return base.TryWrite(site, result, frame, output, text);
    }

    public override object? Materialize(in Slot slot, ReadOnlySpan<byte> value, CaptureFrame frame)
    {
        JsonNode node = _nodes[slot.Node];
        bool raw = node.Mode == CaptureMode.Raw || (slot.Kind is ValueKind.List or ValueKind.Map or ValueKind.Record && node.Mode != CaptureMode.Elements);
        if (!raw || slot.Kind is ValueKind.Null or ValueKind.Absent) { return base.Materialize(slot, value, frame); }
        var inner = new CaptureFrame();
        inner.Begin(0, []);
        ReadOnlySpan<byte> json = value.Slice((int)slot.Bits, slot.Aux);
        if (new JsonWalker(json, inner, _limits, SchemalessJson.DepthMax, tokens: true).Walk(null) != DecodeOutcome.Decoded) { return InexactNumber.Instance; }
        return TypedJson.Read(node.Typed!.ExpectedType ?? SchemaType.AnyJson, new TokenText(json, inner.Scratch, inner.Json!.Tokens.AsSpan(0, inner.Json.TokenCount)), 0);
    }
}
