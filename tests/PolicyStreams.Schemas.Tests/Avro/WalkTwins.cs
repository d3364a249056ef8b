using System.Runtime.InteropServices;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Tests.Avro;

/// <summary>The emitted walk and the interpreter: the same outcome for the same bytes, and where it is good the same frame.</summary>
internal static class WalkTwins
{
    private static readonly CaptureFrame _reused = new();

    /// <summary>Null where they agree, else what differs. <paramref name="accepted"/>: the emitted walk took the value, and did not leave it to the interpreter.</summary>
    public static string? Disagreement(RecordProgram walk, ReadOnlySpan<byte> value, out bool accepted)
    {
        var program = (AvroProgram)walk;
        accepted = program.Emit() && program.WalkEmitted(value, new CaptureFrame());
        var interpreted = new CaptureFrame();
        DecodeOutcome expected = program.Interpret(value, interpreted);

        // A frame that was used before, by any program, and a fresh one, which has to grow.
        lock (_reused)
        {
            return Compare(program, value, expected, interpreted, _reused) ?? Compare(program, value, expected, interpreted, new CaptureFrame());
        }
    }

    private static string? Compare(AvroProgram program, ReadOnlySpan<byte> value, DecodeOutcome expected, CaptureFrame interpreted, CaptureFrame frame)
    {
        // As a Protobuf record that lost unknown fields leaves a frame: the next record's walk starts anew, whatever its format.
        frame.MustRewrite = true;
        DecodeOutcome outcome = program.Walk(value, frame);
        if (frame.MustRewrite) { return "still to be rewritten, as the record before"; }
        if (outcome != expected) { return $"{outcome}, interpreted {expected}"; }
        if (outcome != DecodeOutcome.Decoded) { return null; }
        if (frame.SlotsUsed != interpreted.SlotsUsed) { return $"{frame.SlotsUsed} slots, interpreted {interpreted.SlotsUsed}"; }
        for (int i = 0; i < frame.SlotsUsed; i++)
        {
            if (!Same(frame.Slots[i], interpreted.Slots[i])) { return $"slot {i}: {Text(frame.Slots[i])}, interpreted {Text(interpreted.Slots[i])}"; }
        }

        if (frame.SiteCount != interpreted.SiteCount) { return $"{frame.SiteCount} sites, interpreted {interpreted.SiteCount}"; }
        for (int i = 0; i < frame.SiteCount; i++)
        {
            MaskSite a = frame.Sites[i], b = interpreted.Sites[i];
            if ((a.Start, a.End, a.TextStart, a.TextLength, a.TextSource, a.Kind, a.Selector, a.Node, a.Bits, a.Aux) != (b.Start, b.End, b.TextStart, b.TextLength, b.TextSource, b.Kind, b.Selector, b.Node, b.Bits, b.Aux)) { return $"site {i}"; }
            if (frame.AvroScratch!.Extras[i].SitesEnd != interpreted.AvroScratch!.Extras[i].SitesEnd) { return $"end of site {i}"; }
        }

        if (frame.AvroScratch!.BlockCount != interpreted.AvroScratch!.BlockCount) { return "blocks"; }
        for (int i = 0; i < frame.AvroScratch.BlockCount; i++)
        {
            if (!Same(frame.AvroScratch.Blocks[i], interpreted.AvroScratch.Blocks[i])) { return $"block {i}"; }
        }

        return frame.Scratch.AsSpan(0, frame.ScratchUsed).SequenceEqual(interpreted.Scratch.AsSpan(0, interpreted.ScratchUsed)) && ReferenceEquals(frame.Constants, interpreted.Constants) ? null : "texts";
    }

    private static bool Same<T>(T a, T b) where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in a)).SequenceEqual(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in b)));

    private static string Text(in Slot slot) => $"{slot.Kind} {slot.Bits} {slot.Aux} {slot.Source} {slot.Node}";
}
