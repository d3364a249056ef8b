using System.Collections.Concurrent;

namespace PolicyStreams.Processor.Hosting;

/// <summary>What stands in the way of being ready, by component. Reasons carry no payload. Thread-safe.</summary>
public sealed class Health
{
    private readonly ConcurrentDictionary<string, string> _reasons = new(StringComparer.Ordinal);

    /// <summary>Components that are not well, and why; empty where all are.</summary>
    public IReadOnlyDictionary<string, string> Reasons => _reasons;

    public bool Ready => _reasons.IsEmpty;

    /// <summary>Says that a component is not well. Returns true where that is news.</summary>
    public bool Bad(string component, string reason)
    {
        bool news = !_reasons.TryGetValue(component, out string? before) || before != reason;
        _reasons[component] = reason;
        return news;
    }

    /// <summary>Says that a component is well again. Returns true where that is news.</summary>
    public bool Good(string component) => _reasons.TryRemove(component, out _);
}
