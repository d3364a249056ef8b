namespace PolicyStreams.Processor.Holds;

/// <summary>Open holds, as the state topics have them. Thread-safe.</summary>
public interface IHoldView
{
    HoldViewStatus Status { get; }

    /// <summary>Null where no such hold is open.</summary>
    OpenHold? Find(string id);

    /// <summary>At most <paramref name="limit"/> holds that pass the filter, oldest first, after the cursor.</summary>
    IReadOnlyList<OpenHold> Page(HoldCursor? after, int limit, Func<OpenHold, bool> filter);
}

/// <summary>How far the view is.</summary>
/// <param name="Ready">True once everything that the topics held at start has been read. Until then a hold may be missing, or shown that has ended.</param>
/// <param name="Reasons">Why not, or what is amiss although it is ready.</param>
public sealed record HoldViewStatus(bool Ready, IReadOnlyList<string> Reasons);
