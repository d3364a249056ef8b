namespace PolicyStreams.Rules.Cel.Proof;

/// <summary>What the proofs about one policy may take together. Beyond it nothing more is proven, and lint says less. Not thread-safe.</summary>
internal sealed class ProofBudget
{
    // Some seconds. A proof about two conditions of ten parts each takes some dozen steps.
    private const long StepsMax = 50_000_000;

    private long _steps;

    /// <summary>Takes the steps of a proof; false where nothing is left.</summary>
    public bool Spend(int steps) => (_steps += steps) < StepsMax;
}
