namespace PolicyStreams.Processor.Holds;

/// <summary>Where signed statements go. Thread-safe.</summary>
public interface IStatementSink
{
    /// <summary>Returns once the broker has the statement on all in-sync replicas.</summary>
    /// <param name="jws">As <see cref="StatementSigner.Sign"/> gives it.</param>
    /// <returns>The statement's offset on the hold's partition of the approvals topic.</returns>
    /// <exception cref="StatementNotWrittenException">It was not written, or nobody knows.</exception>
    Task<long> WriteAsync(OpenHold hold, byte[] jws, CancellationToken cancellation);
}

/// <summary>A statement was not written, or may not have been. Saying it again is safe: what was written twice counts once.</summary>
public sealed class StatementNotWrittenException(string message, Exception? inner = null) : Exception(message, inner);
