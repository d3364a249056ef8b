namespace PolicyStreams.Processor.Holds;

/// <summary>What came of checking a statement's bytes.</summary>
public enum StatementOutcome : byte
{
    /// <summary>Signed by a key that is trusted, and readable.</summary>
    Valid,
    /// <summary>Not a compact JWS, or what it says is not a statement.</summary>
    Malformed,
    /// <summary>Signed with a key id that the key file does not have.</summary>
    UnknownKey,
    /// <summary>The signature does not fit key and bytes.</summary>
    BadSignature,
    /// <summary>Another algorithm, type, or version.</summary>
    WrongType,
    /// <summary>Larger than <see cref="StatementVerifier.BytesMax"/>.</summary>
    TooLarge,
}

/// <summary>Codes of outcomes as the decision of event <c>approval</c> names them.</summary>
public static class StatementOutcomes
{
    /// <summary>Kebab-case: <c>bad-signature</c>.</summary>
    public static string Code(this StatementOutcome outcome) => outcome switch
    {
        StatementOutcome.Valid => "valid",
        StatementOutcome.Malformed => "malformed",
        StatementOutcome.UnknownKey => "unknown-key",
        StatementOutcome.BadSignature => "bad-signature",
        StatementOutcome.WrongType => "wrong-type",
        StatementOutcome.TooLarge => "too-large",
        _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, "Not an outcome."),
    };
}
