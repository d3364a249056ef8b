using PolicyStreams.Rules.Masking;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Decisions;

/// <summary>Answers a rewrite: which mask holds for a value, and what it makes of it. One a judge and binding; set up anew for each record.</summary>
/// <param name="key">True for the masks of keys: decisions spell their paths with <c>key</c> in front.</param>
internal sealed class SiteMasker(CompiledMask[] masks, TextMasker texts, MaskEntries entries, bool key = false) : ISiteMasker
{
    private string _topic = "";
    private int _partition;
    private long _offset;
    private RecordProgram _program = null!;

    /// <summary>By selector: the mask's rule applies to this record.</summary>
    public bool[] Enabled { get; } = new bool[masks.Length];

    /// <summary>Why a mask could not be applied, and whose; empty code where the encoding refused it.</summary>
    public string FailCode { get; private set; } = "";

    public CompiledMask? Failed { get; private set; }

    public int Applied { get; private set; }

    public void Begin(in RecordInput input, RecordProgram program)
    {
        (_topic, _partition, _offset) = (input.Topic, input.Partition, input.Offset);
        _program = program;
        FailCode = "";
        Failed = null;
        Applied = 0;
    }

    /// <summary>True where the rewrite would be asked about a value that some mask changes.</summary>
    public bool HasWork(CaptureFrame frame)
    {
        foreach (ref readonly MaskSite site in frame.Sites.AsSpan(0, frame.SiteCount))
        {
            if (site.Kind != ValueKind.Null && Enabled[site.Selector]) { return true; }
        }

        return false;
    }

    public SiteResult Mask(ReadOnlySpan<MaskSite> sites, ReadOnlySpan<byte> text, ByteBuffer replacement)
    {
        foreach (ref readonly MaskSite site in sites)
        {
            // Null stays null, whatever the mask.
            if (site.Kind == ValueKind.Null) { return new SiteResult(SiteAction.Keep); }
            if (!Enabled[site.Selector]) { continue; }
            return Apply(masks[site.Selector], site, text, replacement);
        }

        return new SiteResult(SiteAction.Keep);
    }

    private SiteResult Apply(CompiledMask mask, in MaskSite site, ReadOnlySpan<byte> text, ByteBuffer replacement)
    {
        int entry = entries.OfSite(mask, _program, site, masks.Length, key);
        Failed = mask;
        switch (mask.Method)
        {
            case MaskMethod.Redact:
                return Done(entry, new SiteResult(SiteAction.Redact));
            case MaskMethod.Remove:
                return Done(entry, new SiteResult(SiteAction.Remove));
            case MaskMethod.Bucket when site.Kind == ValueKind.Double && site.Aux != 0:
                // An integer of JSON that a double does not hold: its bucket may be another one.
                return Fail("mask-value");
            case MaskMethod.Bucket:
                return Bucket(mask, site) is { } bucket ? Done(entry, new SiteResult(SiteAction.Number, bucket)) : Fail("mask-type");
            case MaskMethod.Date when site.Kind == ValueKind.Timestamp:
                return DateMask.InUnit(DateMask.Cut(site.Bits, mask.Document.Date), _program.SiteType(site).NativeName) is { } cut
                    ? Done(entry, new SiteResult(SiteAction.Number, cut)) : Fail("mask-type");
            default:
                if (site.Kind != ValueKind.String) { return Fail("mask-type"); }
                int start = replacement.Length;
                var place = new MaskPlace { Topic = _topic, Partition = _partition, Offset = _offset, Path = entries.Path(entry) };
                if (!texts.TryMask(mask, text, place, replacement, out bool changed)) { return Fail("mask-value"); }
                if (changed) { return Done(entry, new SiteResult(SiteAction.Text)); }
                replacement.Truncate(start);
                Failed = null;
                return new SiteResult(SiteAction.Keep);
        }
    }

    private SiteResult Done(int entry, SiteResult result)
    {
        entries.Mark(entry);
        Applied++;
        return result;
    }

    private SiteResult Fail(string code)
    {
        FailCode = code;
        return new SiteResult(SiteAction.Fail);
    }

    /// <summary>The start of the bucket that a number lies in: the greatest multiple of the width that is not above it.</summary>
    internal static long? Bucket(CompiledMask mask, in MaskSite site)
    {
        switch (site.Kind)
        {
            case ValueKind.Int:
                return mask.Document.WholeBucket is { } whole ? FloorTo(site.Bits, whole) : null;
            case ValueKind.UInt:
                return mask.Document.WholeBucket is { } steps ? (long)((ulong)site.Bits - ((ulong)site.Bits % (ulong)steps)) : null;
            case ValueKind.Double:
                double width = mask.Document.Bucket;
                double start = Math.Floor(BitConverter.Int64BitsToDouble(site.Bits) / width) * width;
                return double.IsFinite(start) ? BitConverter.DoubleToInt64Bits(start) : null;
            default:
                return null;
        }
    }

    internal static long? FloorTo(long value, long width)
    {
        long rest = value % width;
        if (rest < 0) { rest += width; }
        return value < long.MinValue + rest ? null : value - rest;
    }
}
