namespace PolicyStreams.Processor.Hosting;

/// <summary>Event ids of the processor's log, in one place so that none is used twice.</summary>
internal static class EventIds
{
    public const int Started = 1;
    public const int Stopping = 2;
    public const int Stopped = 3;
    public const int Slot = 4;
    public const int HoldsWithoutKeys = 5;

    public const int PolicyInForce = 100;
    public const int PolicyRejected = 101;
    public const int PolicyUnreadable = 102;
    public const int RegistryUnreachable = 103;
    public const int RegistryConflict = 104;
    public const int VersionTaken = 105;
    public const int VersionRefused = 106;
    public const int VersionWarning = 107;
    public const int PolicyWarning = 108;
    public const int NotRefreshed = 109;

    public const int Assigned = 200;
    public const int Revoked = 201;
    public const int Restored = 202;
    public const int TaskStopped = 203;
    public const int TaskWaits = 204;
    public const int ThreadFailed = 205;
    public const int ProducerRebuilt = 206;
    public const int Aborted = 207;
    public const int Client = 208;
    public const int RecordRefused = 209;
    public const int BatchHalved = 210;
    public const int BrokerUnreachable = 211;
    public const int OffsetsAdopted = 212;
    public const int Restoring = 213;
    public const int LeftOpen = 214;
    public const int ThreadLeft = 215;

    public const int Alarm = 300;
    public const int HoldEvent = 301;

    public const int TopicsWarning = 400;
}
