using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Kafka;

namespace PolicyStreams.Processor.Tasks;

/// <summary>A hold that a task has open. Its record's bytes stay on the held topic; here are its terms, statements, and where to find them.</summary>
internal sealed class TaskHold(long offset, HoldState state)
{
    /// <summary>Offset of the record on the ingress topic: orders holds of a task.</summary>
    public long Offset { get; } = offset;

    /// <summary>As on the state topic; without view and key where <see cref="Bare"/>.</summary>
    public HoldState State { get; set; } = state;

    /// <summary>True where view and key are not in memory: they are read back from the state topic when the state is written again.</summary>
    public bool Bare { get; set; }

    /// <summary>True where the view's bytes are among those that the task counts.</summary>
    public bool ViewCounted { get; set; }

    /// <summary>Offset of the record on the held topic, and of its state on the state topic; -1 where there is none.</summary>
    public long HeldOffset { get; set; } = -1;

    public long StateOffset { get; set; } = -1;

    /// <summary>Set while what was written of the hold is in the open transaction, where nobody can read it yet.</summary>
    public Placement? HeldAt { get; set; }

    public Placement? StateAt { get; set; }

    /// <summary>The queue of its key; null for a hold that nobody waits behind and that waits behind nobody.</summary>
    public KeyQueue? Queue { get; set; }

    public TaskHold? Before { get; set; }

    public TaskHold? Next { get; set; }

    /// <summary>True while an earlier hold of its key is open: it does not end before that one.</summary>
    public bool Waits => Queue is { } queue && queue.First != this;

    /// <summary>What an operator was alarmed of, once: the held record was altered, is gone, or is sealed with a key that is not given.</summary>
    public bool Alarmed { get; set; }

    public override string ToString() => State.Id;
}
