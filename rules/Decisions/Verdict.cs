using PolicyStreams.Rules.Decisions;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>
/// What <see cref="Judge.Decide"/> found of one record: reused by the judge, so valid until its next call. Lists name rules in document order; they are filled when first read.
/// A decision's JSON is written from it by <see cref="DecisionWriter"/>.
/// </summary>
public sealed class Verdict
{
    private readonly List<string> _rules = [];
    private readonly List<string> _shadow = [];
    private readonly List<string> _reasons = [];
    private readonly List<string> _masked = [];
    private readonly List<string> _keys = [];
    private readonly List<KeyValuePair<string, string>> _tags = [];
    private readonly List<HoldTerms> _holds = [];
    private FiredSet _fired = null!;
    private MaskedSet _maskedSet = MaskedSet.None;
    private bool _filled;

    public CompiledBinding Binding { get; internal set; } = null!;

    public Outcome Outcome => _fired.Outcome;

    /// <summary>Ids of the rules and system causes that fired, enforced ones only (no shadow).</summary>
    public List<string> Rules { get { Fill(); return _rules; } }

    /// <summary>Rules in shadow mode that fired.</summary>
    public List<string> Shadow { get { Fill(); return _shadow; } }

    public List<DecisionError> Errors { get; } = [];

    /// <summary>Reasons of the deny or hold effects that decided, in document order; the policy's own words.</summary>
    public List<string> Reasons { get { Fill(); return _reasons; } }

    /// <summary>Paths that masks changed in the bytes written; empty unless something was rewritten. In the order of the masks' rules.</summary>
    public List<string> Masked { get { Fill(); return _masked; } }

    /// <summary>Ids of mask keys used.</summary>
    public List<string> Keys { get { Fill(); return _keys; } }

    /// <summary>Tag headers that the fired rules add: name without the <c>ps-tag-</c> prefix, and value. One value a name: the first rule's.</summary>
    public List<KeyValuePair<string, string>> Tags { get { Fill(); return _tags; } }

    /// <summary>Terms of every hold effect that fired, where <see cref="Outcome"/> is Hold; all of them must be met.</summary>
    public List<HoldTerms> Holds { get { Fill(); return _holds; } }

    /// <summary>Topic that the record goes to: governed or a route, held, or rejected.</summary>
    public string To => _fired.To;

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

    /// <summary>
    /// Sets the verdict of a hold that ended denied without being judged again: refused by an approver, or expired. What fired is what fired when it was held.
    /// </summary>
    /// <param name="to">The rejected topic.</param>
    public void SetEnded(CompiledBinding binding, IReadOnlyList<string> rules, IReadOnlyList<string> reasons, int? schemaId, string to)
    {
        Begin(binding, Output);
        SchemaId = schemaId;
        Fired = new FiredSet { Outcome = Outcome.Deny, Rules = [.. rules], Shadow = [], Reasons = [.. reasons], Tags = [], Holds = [], To = to }.Spelled();
    }

    /// <summary>
    /// Makes the verdict a hold: the record waits behind an earlier one of its key. What fired stays; of its effects only holds keep theirs, since masks, routes, and denials
    /// are judged again when its turn comes.
    /// </summary>
    /// <param name="to">The held topic.</param>
    public void HoldBehind(string to)
    {
        Fired = _fired.Behind(to);
        ValueRewritten = KeyRewritten = KeyNulled = false;
        ValueStart = ValueLength = KeyStart = KeyLength = 0;
        MaskedSet = MaskedSet.None;
        if (Headers.Count > 0) { Headers.Clear(); }
    }

    internal FiredSet Fired
    {
        get => _fired;
        set
        {
            _fired = value;
            _filled = false;
        }
    }

    internal MaskedSet MaskedSet
    {
        get => _maskedSet;
        set
        {
            _maskedSet = value;
            _filled = false;
        }
    }

    internal void Begin(CompiledBinding binding, ByteBuffer output)
    {
        Binding = binding;
        Output = output;
        SchemaId = null;
        ValueRewritten = KeyRewritten = KeyNulled = _filled = false;
        ValueStart = ValueLength = KeyStart = KeyLength = 0;
        _maskedSet = MaskedSet.None;
        if (Errors.Count > 0) { Errors.Clear(); }
        if (Headers.Count > 0) { Headers.Clear(); }
    }

    private void Fill()
    {
        if (_filled) { return; }
        _filled = true;
        Copy(_rules, _fired.Rules);
        Copy(_shadow, _fired.Shadow);
        Copy(_reasons, _fired.Reasons);
        Copy(_tags, _fired.Tags);
        Copy(_holds, _fired.Holds);
        Copy(_masked, _maskedSet.Paths);
        Copy(_keys, _maskedSet.Keys);
    }

    private static void Copy<T>(List<T> list, T[] items)
    {
        list.Clear();
        list.AddRange(items);
    }
}
