using PolicyStreams.Processor.Holds;

namespace PolicyStreams.Processor.Tasks;

/// <summary>A hold that a task has open. Its record's bytes stay on the held topic; here are its terms, statements, and where to find them.</summary>
internal sealed class TaskHold(long offset, HoldState state)
{
    /// <summary>Offset of the record on the ingress topic: orders holds of a task.</summary>
    public long Offset { get; } = offset;

    /// <summary>As on the state topic.</summary>
    public HoldState State { get; set; } = state;

    /// <summary>Offset of the record on the held topic; -1 until it is known (after its transaction).</summary>
    public long HeldOffset { get; set; } = -1;

    /// <summary>True while its held record is in the open transaction, where it cannot be read back.</summary>
    public bool InTransaction { get; set; }

    /// <summary>Set where the held record failed its check: never released.</summary>
    public bool Altered { get; set; }

    public override string ToString() => State.Id;
}
