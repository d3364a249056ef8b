namespace PolicyStreams.Processor.Holds;

/// <summary>Event ids of the approval side's Kafka client: 4100 to 4199.</summary>
internal static class HoldClientEvents
{
    internal const int Ready = 4100;
    internal const int Paused = 4101;
    internal const int Full = 4102;
    internal const int Unreadable = 4103;
    internal const int Client = 4104;
    internal const int SinkRenewed = 4105;
}
