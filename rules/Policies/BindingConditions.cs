using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Cel.Compilation;

namespace PolicyStreams.Rules;

/// <summary>The conditions of a binding's rules as code, 64 rules a part; parts are made one by one once the binding has seen some records. Thread-safe.</summary>
internal sealed class BindingConditions
{
    /// <summary>Records before the first part is made, and between one part and the next: compiling takes milliseconds a part.</summary>
    private const int RecordsBeforeEmit = 64;

    private readonly CompiledRule[] _rules;
    private readonly int _rootSlots;
    private readonly Part[] _parts;
    private int _records;
    private int _made;

    public BindingConditions(CompiledRule[] rules, int rootSlots)
    {
        _rules = rules;
        _rootSlots = rootSlots;
        _parts = new Part[(rules.Length + ConditionEmitter.ConditionsMax - 1) / ConditionEmitter.ConditionsMax];
        for (int i = 0; i < _parts.Length; i++) { _parts[i] = new Part(rules.AsSpan(i * ConditionEmitter.ConditionsMax)); }
        if (!ConditionEmitter.Works) { _made = _parts.Length; }
    }

    public Part[] Parts => _parts;

    /// <summary>Counts a record, and makes the next part where it is time.</summary>
    public void Seen()
    {
        if (_made >= _parts.Length || ++_records < RecordsBeforeEmit) { return; }
        _records = 0;
        Make(_made);
        _made++;
    }

    /// <summary>Makes all parts now, where code can be made.</summary>
    internal bool Emit()
    {
        for (int i = 0; i < _parts.Length && ConditionEmitter.Works; i++) { Make(i); }
        _made = _parts.Length;
        return ConditionEmitter.Works;
    }

    private void Make(int index)
    {
        // Two threads may make one part twice; either is good.
        if (index >= _parts.Length || _parts[index].Emitted is not null) { return; }
        ReadOnlySpan<CompiledRule> rules = _rules.AsSpan(index * ConditionEmitter.ConditionsMax);
        var steps = new BoolNode?[Math.Min(rules.Length, ConditionEmitter.ConditionsMax)];
        for (int i = 0; i < steps.Length; i++)
        {
            // What the interpreter does whole is not worth a way in and out of emitted code.
            steps[i] = rules[i].When?.Steps is InterpretedBool ? null : rules[i].When?.Steps ?? new BoolConst(true);
        }

        _parts[index].Emitted = ConditionEmitter.Emit(steps, _rootSlots);
    }

    /// <summary>Up to 64 rules.</summary>
    internal sealed class Part
    {
        private EmittedConditions? _emitted;

        public Part(ReadOnlySpan<CompiledRule> rules)
        {
            for (int i = 0; i < Math.Min(rules.Length, ConditionEmitter.ConditionsMax); i++)
            {
                if (rules[i].Mask is not null) { Masks |= 1UL << i; }
            }
        }

        /// <summary>Rules that are masks.</summary>
        public ulong Masks { get; }

        public EmittedConditions? Emitted
        {
            get => _emitted;
            set => Volatile.Write(ref _emitted, value);
        }
    }
}
