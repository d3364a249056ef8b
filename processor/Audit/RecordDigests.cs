using PolicyStreams.Processor.Hosting;

namespace PolicyStreams.Processor.Audit;

/// <summary>
/// The digests in decisions: <c>before</c> and <c>after</c> are HMAC-SHA-256 with the audit key; without one <c>before</c> is left out, since a plain
/// digest of the original would undo the masks by enumeration, and <c>after</c> is plain SHA-256. One a stream thread; not thread-safe.
/// </summary>
public sealed class RecordDigests : IDisposable
{
    private readonly Sha256Digest _digest;
    private readonly byte[] _before = new byte[32];
    private readonly byte[] _after = new byte[32];

    /// <param name="auditKey">The audit key's bytes, or empty for none.</param>
    /// <param name="recordPath">How they are computed; the result is the same.</param>
    public RecordDigests(ReadOnlySpan<byte> auditKey, RecordPath recordPath = RecordPath.Native)
    {
        Keyed = !auditKey.IsEmpty;
        _digest = Keyed ? Sha256Digest.Keyed(recordPath, auditKey) : Sha256Digest.Plain(recordPath);
    }

    /// <summary>True where an audit key is set.</summary>
    public bool Keyed { get; }

    /// <summary>The digest of the ingress value; empty without an audit key. Valid until the next call.</summary>
    public ReadOnlySpan<byte> Before(ReadOnlySpan<byte> value)
    {
        if (!Keyed) { return default; }
        _digest.Compute(value, _before);
        return _before;
    }

    /// <summary>The digest of the value that was written. Valid until the next call.</summary>
    public ReadOnlySpan<byte> After(ReadOnlySpan<byte> value)
    {
        _digest.Compute(value, _after);
        return _after;
    }

    public void Dispose() => _digest.Dispose();
}
