namespace PolicyStreams.Rules;

/// <summary>What a decision says beside its verdict.</summary>
public ref struct DecisionFacts
{
    /// <summary>Ingress position: gives the id, with <see cref="IdSuffix"/> behind it.</summary>
    public string Topic;
    public int Partition;
    public long Offset;

    /// <summary>Empty for <c>decided</c>; else <c>/end</c>, <c>/r-SEQ</c>.</summary>
    public string IdSuffix;

    /// <summary><c>decided</c>, <c>reheld</c>, <c>released</c>, <c>refused</c>, <c>expired</c>.</summary>
    public string Event;
    public long Seq;
    public long TimeMs;

    /// <summary>The hold that an earlier record of the key is under; null for none.</summary>
    public string? Behind;

    /// <summary>32 bytes, or empty where there is no audit key.</summary>
    public ReadOnlySpan<byte> Before;

    /// <summary>32 bytes, or empty where nothing was written.</summary>
    public ReadOnlySpan<byte> After;
}
