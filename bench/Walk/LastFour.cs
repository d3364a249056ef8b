using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Bench.Walk;

/// <summary>The mask of the tables: stars, and the last four characters. Sixteen bytes, whatever stood there.</summary>
internal sealed class LastFour : ISiteMasker
{
    public SiteResult Mask(ReadOnlySpan<MaskSite> sites, ReadOnlySpan<byte> text, ByteBuffer replacement)
    {
        replacement.Append("************"u8);
        replacement.Append(text[^4..]);
        return new SiteResult(SiteAction.Text);
    }

    /// <summary>Asks a masker about every site of a record as a rewrite does, of the same texts and through the same interface, and writes nothing: the masks' own work.</summary>
    public static void AskAlone(ISiteMasker masker, ReadOnlySpan<byte> record, CaptureFrame frame, ByteBuffer replacement)
    {
        for (int i = 0; i < frame.SiteCount; i++)
        {
            replacement.Clear();
            masker.Mask(frame.Sites.AsSpan(i, 1), record.Slice(frame.Sites[i].TextStart, frame.Sites[i].TextLength), replacement);
        }
    }
}
