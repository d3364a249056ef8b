using Microsoft.Extensions.Logging;

namespace PolicyStreams.Processor.Holds;

public sealed partial class HoldView
{
    [LoggerMessage(HoldClientEvents.Ready, LogLevel.Information, "Holds are up to date: {Open} open, from {Partitions} partitions that were not empty")]
    private static partial void HoldViewReady(ILogger logger, int open, int partitions);

    [LoggerMessage(HoldClientEvents.Paused, LogLevel.Warning, "Holds cannot be read, trying again: {Reason}")]
    private static partial void HoldViewPaused(ILogger logger, string reason);

    [LoggerMessage(HoldClientEvents.Full, LogLevel.Error, "More holds are open than the {HoldsMax} (or their {BytesMax} bytes) that are kept: some are not shown until others end")]
    private static partial void HoldViewFull(ILogger logger, int holdsMax, long bytesMax);

    [LoggerMessage(HoldClientEvents.Unreadable, LogLevel.Error, "The record at {Topic}-{Partition}-{Offset} is not shown. {Reason}")]
    private static partial void UnreadableState(ILogger logger, string topic, int partition, long offset, string reason);

    [LoggerMessage(HoldClientEvents.Client, LogLevel.Debug, "Kafka client, {Facility}: {Text}")]
    private static partial void ClientLog(ILogger logger, string facility, string text);
}
