namespace PolicyStreams.Processor.Holds;

/// <summary>A hold that is open as far as the reader of the state topics has come.</summary>
/// <param name="Partition">Its partition on state, and so on approvals.</param>
/// <param name="Version">SHA-256 (base64url) over what a statement on it speaks of: record, policy, and view. Another one is another thing to approve.</param>
public sealed record OpenHold(HoldState State, HoldTopics Topics, int Partition, string Version)
{
    public OpenHold(HoldState state, HoldTopics topics, int partition)
        : this(state, topics, partition, VersionOf(state)) { }

    public override string ToString() => State.Id;

    private static string VersionOf(HoldState state) =>
        HoldState.DigestOf(System.Text.Encoding.UTF8.GetBytes($"{state.Record}\n{state.Digest}\n{state.ViewDigest}"));
}
