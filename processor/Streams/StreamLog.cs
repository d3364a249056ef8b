using Microsoft.Extensions.Logging;
using PolicyStreams.Processor.Hosting;

namespace PolicyStreams.Processor.Streams;

/// <summary>The stream runtime's log. Positions, ids, and causes; never payload.</summary>
internal static partial class StreamLog
{
    [LoggerMessage(EventIds.Assigned, LogLevel.Information, "{Thread}: assigned {Tasks}")]
    public static partial void Assigned(ILogger logger, string thread, string tasks);

    [LoggerMessage(EventIds.Revoked, LogLevel.Information, "{Thread}: gave up {Tasks}{How}")]
    public static partial void Revoked(ILogger logger, string thread, string tasks, string how);

    [LoggerMessage(EventIds.Restored, LogLevel.Information, "Task {Task} restored in {Milliseconds} ms: {OpenHolds} open holds from {Records} records; next offset {Next}")]
    public static partial void Restored(ILogger logger, string task, long milliseconds, int openHolds, long records, long next);

    [LoggerMessage(EventIds.Restoring, LogLevel.Information, "Task {Task} restores: {Records} records read, {Left} offsets to go, {Milliseconds} ms so far")]
    public static partial void Restoring(ILogger logger, string task, long records, long left, long milliseconds);

    [LoggerMessage(EventIds.LeftOpen, LogLevel.Warning, "{Thread}: its last transaction could not be ended ({Why}). The broker aborts it; its records are read again at the next start, and nothing is lost")]
    public static partial void LeftOpen(ILogger logger, string thread, string why);

    [LoggerMessage(EventIds.TaskStopped, LogLevel.Error, "Task {Task} is stopped: {Why}")]
    public static partial void TaskStopped(ILogger logger, string task, string why);

    [LoggerMessage(EventIds.TaskWaits, LogLevel.Warning, "Task {Task} waits: {Why}")]
    public static partial void TaskWaits(ILogger logger, string task, string why);

    [LoggerMessage(EventIds.ThreadFailed, LogLevel.Error, "{Thread} failed and starts anew: {Why}")]
    public static partial void ThreadFailed(ILogger logger, string thread, string why);

    [LoggerMessage(EventIds.ProducerRebuilt, LogLevel.Warning, "{Thread}: the outcome of a transaction is not known ({Why}); its producer is made anew and its tasks restore")]
    public static partial void ProducerRebuilt(ILogger logger, string thread, string why);

    [LoggerMessage(EventIds.Aborted, LogLevel.Warning, "{Thread}: a transaction was aborted ({Why}); its records are read again")]
    public static partial void Aborted(ILogger logger, string thread, string why);

    [LoggerMessage(EventIds.Client, LogLevel.Warning, "{What}")]
    public static partial void Client(ILogger logger, string what);

    [LoggerMessage(EventIds.RecordRefused, LogLevel.Warning, "The broker refuses what {Position} needs, alone in its transaction: it is denied ({Why})")]
    public static partial void RecordRefused(ILogger logger, string position, string why);

    [LoggerMessage(EventIds.BatchHalved, LogLevel.Information, "{Thread}: the broker refused a record ({Why}); looking for it with at most {Records} steps a transaction")]
    public static partial void BatchHalved(ILogger logger, string thread, string why, int records);

    [LoggerMessage(EventIds.BrokerUnreachable, LogLevel.Warning, "Broker: {Why}; trying again")]
    public static partial void BrokerUnreachable(ILogger logger, string why);

    [LoggerMessage(EventIds.OffsetsAdopted, LogLevel.Warning, "Task {Task} adopts offset {Next} where its head and the group disagreed")]
    public static partial void OffsetsAdopted(ILogger logger, string task, long next);

    [LoggerMessage(EventIds.Alarm, LogLevel.Error, "ALARM {Task}: {What}")]
    public static partial void Alarm(ILogger logger, string task, string what);

    [LoggerMessage(EventIds.HoldEvent, LogLevel.Debug, "Hold {HoldId}: {Event}")]
    public static partial void HoldEvent(ILogger logger, string holdId, string @event);
}
