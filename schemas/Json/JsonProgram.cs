using System.Buffers.Text;
using System.Text;
using System.Text.Unicode;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Json;

/// <summary>
/// The walk of JSON for one plan. A slot has the kind that the value has at run time: Null, Bool, Double (Aux 1: an integer beyond 2^53, reading it is an error), String;
/// a list or object is Kind List or Map with offset and length of its text, unless the plan wants its elements.
/// </summary>
internal class JsonProgram : RecordProgram
{
    private readonly CapturePlan _plan;
    private readonly WalkLimits _limits;
    private readonly int _depthMax;
    private readonly JsonNode? _root;
    private readonly CaptureMode[] _modes;
    private readonly string[][] _paths;
    private readonly bool _tokens;

    public JsonProgram(CapturePlan plan, WalkLimits limits)
    {
        _plan = plan;
        _limits = limits;
        _depthMax = Math.Clamp(limits.DepthMax, 1, SchemalessJson.DepthMax);
        (_root, _modes) = JsonCompiler.Compile(plan);
        _paths = [.. plan.Selectors.Select(selector => selector.Path is FieldPath { Root: not PathRoot.Header } path ? (string[])[path.ToString()] : [])];
    }

    /// <summary>A walk by nodes that are made already, and that notes every value as a token.</summary>
    protected JsonProgram(CapturePlan plan, WalkLimits limits, JsonNode? root, CaptureMode[] modes, string[][] paths)
    {
        _plan = plan;
        _limits = limits;
        _depthMax = Math.Clamp(limits.DepthMax, 1, SchemalessJson.DepthMax);
        (_root, _modes, _paths, _tokens) = (root, modes, paths, true);
    }

    public override IReadOnlyList<string> SelectedPaths(int selector) => _paths[selector];

    public override string SitePath(in MaskSite site) => _paths[site.Selector][0];

    public override SchemaType SiteType(in MaskSite site) => SchemaType.AnyJson;

    public override DecodeOutcome Walk(ReadOnlySpan<byte> value, CaptureFrame frame)
    {
        frame.Begin(_plan.Root.SlotCount, []);

        // Once over all of it: outside strings the grammar allows ASCII only.
        return Utf8.IsValid(value) ? new JsonWalker(value, frame, _limits, _depthMax, _tokens).Walk(_root) : DecodeOutcome.BadUtf8;
    }

    public override RewriteOutcome Rewrite(ReadOnlySpan<byte> value, CaptureFrame frame, ISiteMasker masker, ByteBuffer output)
    {
        var cut = new JsonCut(value);
        int copied = 0;
        int next = 0;
        while (next < frame.SiteCount)
        {
            ref readonly MaskSite site = ref frame.Sites[next];
            int run = 1;
            while (next + run < frame.SiteCount && frame.Sites[next + run].Start == site.Start && frame.Sites[next + run].End == site.End) { run++; }
            ReadOnlySpan<byte> text = site.TextSource == SlotSource.Record
                ? value.Slice(site.TextStart, site.TextLength)
                : frame.Scratch.AsSpan(site.TextStart, site.TextLength);

            // The mask writes where its text is to stand: behind what is kept, and a quote.
            output.Append(value[copied..site.Start]);
            copied = site.Start;
            output.Append((byte)'"');
            int start = output.Length;
            SiteResult result = masker.Mask(frame.Sites.AsSpan(next, run), text, output);
            next += run;
            if (result.Action != SiteAction.Text) { output.Truncate(start - 1); }
            if (result.Action == SiteAction.Keep) { continue; }

            int from = site.Start;
            copied = site.End;
            if (result.Action == SiteAction.Remove)
            {
                if (!cut.TryAround(ref from, ref copied)) { return RewriteOutcome.MaskFailed; }
                output.Truncate(output.Length - (site.Start - from));
            }

            if (!TryWrite(site, result, frame, output, start)) { return RewriteOutcome.MaskFailed; }
            while (next < frame.SiteCount && frame.Sites[next].Start < site.End) { next++; }
        }

        output.Append(value[copied..]);
        return RewriteOutcome.Written;
    }

    public override object? Materialize(in Slot slot, ReadOnlySpan<byte> value, CaptureFrame frame)
    {
        switch (slot.Kind)
        {
            case ValueKind.Absent:
                return RecordValue.Missing;
            case ValueKind.Null:
                return null;
        }

        CaptureMode mode = _modes[slot.Node];
        if (mode == CaptureMode.Raw || (slot.Kind is ValueKind.List or ValueKind.Map && mode != CaptureMode.Elements))
        {
            return JsonPlain.Read(value.Slice((int)slot.Bits, slot.Aux));
        }

        return slot.Kind switch
        {
            ValueKind.Bool => slot.Bits != 0,
            ValueKind.Double => JsonPlain.Number(slot.Double, slot.Aux == 0),
            ValueKind.String => Encoding.UTF8.GetString(frame.Bytes(slot, value)),
            _ => throw new ArgumentException("A slot that holds a list's rows or a count is no value.", nameof(slot)),
        };
    }

    /// <summary>Writes what stands in a value's place.</summary>
    /// <param name="text">Where a text that the mask appended starts: it needs its end.</param>
    protected virtual bool TryWrite(in MaskSite site, SiteResult result, CaptureFrame frame, ByteBuffer output, int text)
    {
        switch (result.Action)
        {
            case SiteAction.Text:
                return JsonText.TryEndString(output, text, frame.Json!.Replacement);
            case SiteAction.Redact:
                output.Append("null"u8);
                return true;
            case SiteAction.Number when BitConverter.Int64BitsToDouble(result.Bits) is double number && double.IsFinite(number):
                if (!Utf8Formatter.TryFormat(number, output.GetSpan(32), out int written)) { return false; }
                output.Advance(written);
                return true;
            default:
                return result.Action == SiteAction.Remove;
        }
    }
}
