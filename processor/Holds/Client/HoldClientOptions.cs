using System.ComponentModel.DataAnnotations;

namespace PolicyStreams.Processor.Holds;

/// <summary>How the approval side reaches Kafka, and how much it keeps.</summary>
public sealed class HoldClientOptions
{
    /// <summary>Bindings to serve; at least one.</summary>
    public required IReadOnlyList<HoldTopics> Topics { get; init; }

    /// <summary>librdkafka properties of consumer and producer, <c>bootstrap.servers</c> among them. May hold secrets: never printed.</summary>
    public required IReadOnlyDictionary<string, string> Kafka { get; init; }

    /// <summary>Most open holds in memory. Default 100,000. Holds beyond are not shown until others end, and health says so.</summary>
    [Range(1, 10_000_000)]
    public int HoldsMax { get; init; } = 100_000;

    /// <summary>Most bytes of open holds in memory. Default 512 MiB.</summary>
    [Range(1, long.MaxValue)]
    public long BytesMax { get; init; } = 512L * 1024 * 1024;

    /// <summary>Longest wait for a broker's answer, and for the delivery of a statement. Default 10 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);
}
