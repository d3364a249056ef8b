namespace PolicyStreams.Schemas;

/// <summary>
/// Stands among plain values (see <see cref="PlainValues"/>) for a JSON number that a double cannot hold exactly: an integer beyond 2^53. Reading, comparing, or converting it is an evaluation error; it equals nothing, itself included.
/// In a <see cref="Capture.Slot"/> the same number is a Double with <c>Aux</c> 1.
/// </summary>
public sealed class InexactNumber
{
    private InexactNumber()
    {
    }

    public static InexactNumber Instance { get; } = new();
}
