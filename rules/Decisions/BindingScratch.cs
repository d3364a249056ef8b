using PolicyStreams.Rules.Masking;

namespace PolicyStreams.Rules.Decisions;

/// <summary>What one judge keeps for one binding, reused record after record. Not thread-safe.</summary>
internal sealed class BindingScratch
{
    private readonly CompiledBinding _binding;
    private readonly BitsetCache<FiredSet> _sets;
    private readonly Dictionary<(string Cause, bool Held), FiredSet> _causes = [];
    private readonly ulong[] _bits;

    public BindingScratch(CompiledBinding binding, KeyedHashFactory hashes)
    {
        _binding = binding;
        Texts = new TextMasker(hashes);
        RuleCount = binding.Rules.Length;
        int words = (RuleCount + 4 + 63) / 64;
        _bits = new ulong[words];
        _sets = new BitsetCache<FiredSet>(words);
        Values = new SiteMasker(binding.Masks, Texts, Entries);
        Keys = new SiteMasker(binding.Key.Masks, Texts, Entries, key: true);
        MaskHolds = new bool[RuleCount];
    }

    public int RuleCount { get; }

    /// <summary>The writer of the last record that named its schema by id, where it was admitted.</summary>
    public Writer? LastWriter { get; set; }

    public TextMasker Texts { get; }

    public MaskEntries Entries { get; } = new();

    public SiteMasker Values { get; }

    public SiteMasker Keys { get; }

    /// <summary>By rule: a mask whose condition holds for the record, in shadow or not.</summary>
    public bool[] MaskHolds { get; }

    /// <summary>A mask whose condition failed: whether it applies is unknown, so nothing may be published.</summary>
    public bool MaskUnknown { get; set; }

    // Causes have numbers behind the rules'.
    public int ErrorBit => RuleCount;

    public int MaskBit => RuleCount + 1;

    public int TombstoneBit => RuleCount + 2;

    /// <summary>Hold terms are met: holds no longer hold.</summary>
    public int ReleaseBit => RuleCount + 3;

    public void Begin()
    {
        Array.Clear(_bits);
        MaskUnknown = false;
    }

    public void Set(int bit) => _bits[bit >> 6] |= 1UL << (bit & 63);

    /// <summary>Sets 64 bits' worth of rules.</summary>
    public void SetWord(int word, ulong bits) => _bits[word] |= bits;

    public bool IsSet(int bit) => (_bits[bit >> 6] & (1UL << (bit & 63))) != 0;

    /// <summary>What the bits come to.</summary>
    public FiredSet Fired()
    {
        if (_sets.Find(_bits) is { } found) { return found; }
        FiredSet made = Make();
        _sets.Add(_bits, made);
        return made;
    }

    /// <summary>A verdict of one cause alone: denied, or held on its terms.</summary>
    public FiredSet Cause(string cause, HoldTerms? terms)
    {
        if (_causes.TryGetValue((cause, terms is not null), out FiredSet? found)) { return found; }
        BindingTopics topics = _binding.Document.Topics;
        return _causes[(cause, terms is not null)] = new FiredSet
        {
            Outcome = terms is null ? Outcome.Deny : Outcome.Hold,
            Rules = [cause],
            Shadow = [],
            Reasons = terms is { Reason.Length: > 0 } ? [terms.Reason] : [],
            Tags = [],
            Holds = terms is null ? [] : [terms],
            To = terms is null ? topics.Rejected : topics.Held,
        }.Spelled();
    }

    private FiredSet Make()
    {
        var fired = new List<RuleDocument>();
        var shadow = new List<string>();
        foreach (CompiledRule rule in _binding.Rules)
        {
            if (!IsSet(rule.Index)) { continue; }
            if (rule.Document.Shadow) { shadow.Add(rule.Document.Id); }
            else { fired.Add(rule.Document); }
        }

        PolicyDocument policy = _binding.PolicyDocument;
        BindingDocument binding = _binding.Document;
        HoldTerms? errorTerms = IsSet(ErrorBit) ? policy.OnError : null;
        bool deny = fired.Exists(rule => rule.Effect == Effect.Deny) || IsSet(MaskBit) || (IsSet(ErrorBit) && errorTerms is null);
        List<HoldTerms> holds = [.. fired.Where(rule => rule.Effect == Effect.Hold).Select(rule => rule.Hold!)];
        if (errorTerms is not null) { holds.Add(errorTerms); }
        if (IsSet(TombstoneBit)) { holds.Add(binding.TombstoneTerms!); }
        bool hold = holds.Count > 0 && !deny && !IsSet(ReleaseBit);
        List<string> rules = [.. fired.Select(rule => rule.Id)];
        if (IsSet(TombstoneBit)) { rules.Add(SystemCauses.Tombstone); }
        if (IsSet(ErrorBit)) { rules.Add(SystemCauses.Error); }
        if (IsSet(MaskBit)) { rules.Add(SystemCauses.Mask); }
        IEnumerable<string> reasons = deny ? fired.Where(rule => rule.Effect == Effect.Deny).Select(rule => rule.Reason) : hold ? holds.Select(terms => terms.Reason) : [];
        var tags = new List<KeyValuePair<string, string>>();
        foreach (RuleDocument rule in fired)
        {
            foreach (KeyValuePair<string, string> tag in rule.Tags)
            {
                if (!tags.Exists(other => other.Key == tag.Key)) { tags.Add(tag); }
            }
        }

        return new FiredSet
        {
            Outcome = deny ? Outcome.Deny : hold ? Outcome.Hold : Outcome.Allow,
            Rules = [.. rules],
            Shadow = [.. shadow],
            Reasons = [.. reasons.Where(reason => reason.Length > 0)],
            Tags = [.. tags],
            Holds = hold ? [.. holds] : [],
            To = deny ? binding.Topics.Rejected : hold ? binding.Topics.Held : fired.Find(rule => rule.Effect == Effect.Route)?.RouteTo ?? binding.Topics.Governed,
        }.Spelled();
    }
}
