using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>
/// What <see cref="Judge.Decide"/> found of one record: reused by the judge, so valid until its next call. Lists name rules in document order.
/// A decision's JSON is written from it by <see cref="DecisionWriter"/>.
/// </summary>
public sealed class Verdict
{
    public CompiledBinding Binding { get; internal set; } = null!;

    public Outcome Outcome { get; internal set; }

    /// <summary>Ids of the rules and system causes that fired, enforced ones only (no shadow).</summary>
    public List<string> Rules { get; } = [];

    /// <summary>Rules in shadow mode that fired.</summary>
    public List<string> Shadow { get; } = [];

    public List<DecisionError> Errors { get; } = [];

    /// <summary>Reasons of the deny or hold effects that decided, in document order; the policy's own words.</summary>
    public List<string> Reasons { get; } = [];

    /// <summary>Paths that masks changed in the bytes written; empty unless something was rewritten.</summary>
    public List<string> Masked { get; } = [];

    /// <summary>Ids of mask keys used.</summary>
    public List<string> Keys { get; } = [];

    /// <summary>Tag headers that the fired rules add: name without the <c>ps-tag-</c> prefix, and value.</summary>
    public List<KeyValuePair<string, string>> Tags { get; } = [];

    /// <summary>Terms of every hold effect that fired, where <see cref="Outcome"/> is Hold; all of them must be met.</summary>
    public List<HoldTerms> Holds { get; } = [];

    /// <summary>Topic that the record goes to: governed or a route, held, or rejected.</summary>
    public string To { get; internal set; } = "";

    /// <summary>Schema id of the value, or null where there is none.</summary>
    public int? SchemaId { get; internal set; }

    /// <summary>True where the value that is published differs from the ingress bytes; it is then in the buffer given to the judge.</summary>
    public bool ValueRewritten { get; internal set; }

    /// <summary>Where the rewritten value (framing included) lies in the buffer given to the judge.</summary>
    public int ValueStart { get; internal set; }

    public int ValueLength { get; internal set; }

    /// <summary>True where a mask changed the key; it is then in the buffer given to the judge.</summary>
    public bool KeyRewritten { get; internal set; }

    public int KeyStart { get; internal set; }

    public int KeyLength { get; internal set; }

    /// <summary>True where a mask replaced the key by null.</summary>
    public bool KeyNulled { get; internal set; }

    /// <summary>The producer's own headers that go out where the record is allowed: binding's choice and header masks applied, <c>ps-</c> ones removed. Without the processor's own.</summary>
    public RecordHeaders Headers { get; } = new();

    /// <summary>The buffer that rewritten bytes are in.</summary>
    public ByteBuffer Output { get; internal set; } = null!;

    /// <summary>Turns a release's verdict into one that holds again, under the terms in <see cref="Holds"/>.</summary>
    /// <param name="heldTopic">Where the record stays.</param>
    public void MarkHeld(string heldTopic)
    {
        Outcome = Outcome.Hold;
        To = heldTopic;
        Masked.Clear();
        Keys.Clear();
        Tags.Clear();
        ValueRewritten = KeyRewritten = KeyNulled = false;
    }

    /// <summary>Sets the verdict of a hold that ended without being judged again: refused, or expired and denied.</summary>
    public void SetEnded(CompiledBinding binding, IReadOnlyList<string> rules, IReadOnlyList<string> reasons, int? schemaId, string to)
    {
        MarkHeld(to);
        Binding = binding;
        Outcome = Outcome.Deny;
        Rules.Clear();
        Rules.AddRange(rules);
        Shadow.Clear();
        Errors.Clear();
        Reasons.Clear();
        Reasons.AddRange(reasons);
        Holds.Clear();
        SchemaId = schemaId;
        Headers.Clear();
    }
}
