using Confluent.Kafka;
using PolicyStreams.Processor.Metrics;
using PolicyStreams.Processor.Tasks;

namespace PolicyStreams.Processor.Streams;

/// <summary>Where a task stands in its life on a thread.</summary>
internal enum TaskPhase
{
    /// <summary>Paused; <see cref="TaskRestore"/> is under way.</summary>
    Restoring,

    Running,

    /// <summary>Paused until the registry answers.</summary>
    Waiting,

    /// <summary>Paused until holds have ended: as many are open as memory allows.</summary>
    Full,

    /// <summary>Paused for a while that grows: the broker refuses what the task must write.</summary>
    BackingOff,

    /// <summary>Paused for good: an operator must act. The partition stays assigned, so that nobody else runs into the same.</summary>
    Stopped,
}

/// <summary>A task on its stream thread: the partition it stands for, its phase, and its restore.</summary>
internal sealed class TaskRunner(TopicPartition ingress, StreamTask task, TaskGauges gauges)
{
    public TopicPartition Ingress { get; } = ingress;

    public TopicPartition Approvals { get; } = new(task.ApprovalsTopic, ingress.Partition);

    public StreamTask Task { get; set; } = task;

    public TaskGauges Gauges { get; } = gauges;

    public TaskPhase Phase { get; set; } = TaskPhase.Restoring;

    public TaskRestore? Restore { get; set; }

    /// <summary>The registry look-up that a waiting task waits for; its result is why there is no answer, null once there is.</summary>
    public Task<string?>? Lookup { get; set; }

    public TimeSpan LookupBackoff { get; set; }

    public long LookupAfter { get; set; }

    /// <summary>How long the task backed off last, and until when it does.</summary>
    public TimeSpan Backoff { get; set; }

    public long BackoffUntil { get; set; }

    /// <summary>Not before this timestamp are statements read again, after one could not be judged; 0 where they are read.</summary>
    public long ApprovalsAfter { get; set; }

    /// <summary>Expiry: the instant whose holds expire, and the end of approvals that must have been consumed first. -1 where nothing is due.</summary>
    public long ExpiryMs { get; set; } = -1;

    public long ExpiryFence { get; set; }

    /// <summary>Next offset of approvals as far as the reader has come, whether or not a statement was there.</summary>
    public long ApprovalsSeen { get; set; }

    /// <summary>True where holds may end: the task has its state, and nothing that it writes is refused just now.</summary>
    public bool MayEnd => Phase is TaskPhase.Running or TaskPhase.Waiting or TaskPhase.Full;

    /// <summary>The partition as the reader names it in the batch at hand: the same object again is the same partition.</summary>
    public TopicPartition? Consumed { get; set; }

    /// <summary>The batch of <see cref="Kafka.RecordReader.Batch"/> whose records are out of date, because the partition was sought elsewhere while they were in hand.</summary>
    public long StaleBatch { get; set; } = -1;

    /// <summary>Where the transaction ended that the broker refused last because of a record of this partition.</summary>
    public long SearchedTo { get; set; } = -1;

    /// <summary>Paused while a refused record of another partition is looked for.</summary>
    public bool SetAside { get; set; }

    public string Component => $"task {Ingress.Topic}-{Ingress.Partition.Value}";

    public override string ToString() => Task.ToString();
}
