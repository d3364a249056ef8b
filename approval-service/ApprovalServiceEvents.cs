namespace PolicyStreams.ApprovalService;

/// <summary>Event ids of the approval service: 4200 to 4299.</summary>
internal static class ApprovalServiceEvents
{
    internal const int Failed = 4200;
    internal const int Stated = 4201;
    internal const int NotWritten = 4202;
}
