using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

public sealed partial class Judge
{
    /// <summary>
    /// Judges a held record again, its holds granted: as <see cref="Decide"/>, but hold effects do not hold. They are listed in <see cref="Verdict.Holds"/>, so that the
    /// caller can compare their terms with those that were met; the outcome is Allow or Deny, and masks, route, tags, and headers are those of a release.
    /// </summary>
    public JudgeResult DecideRelease(CompiledBinding binding, in RecordInput input, ByteBuffer output, Verdict verdict) => throw new NotImplementedException();
}
