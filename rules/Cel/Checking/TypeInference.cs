namespace PolicyStreams.Rules.Cel.Checking;

/// <summary>
/// Assignability of types with variables, as cel-go's checker has it. A substitution is only changed by a trial that succeeded.
/// </summary>
internal sealed class TypeInference
{
    private readonly Dictionary<string, CelType> _bound = new(StringComparer.Ordinal);

    // What the trial that is going on has bound, and what was there before.
    private readonly List<(string Name, CelType? Before)> _trial = [];
    private int _fresh;

    public CelType Fresh() => CelType.Param($"_{_fresh++}");

    /// <summary>The same type with the named variables of a signature replaced by fresh ones.</summary>
    public CelType[] Instantiate(CelType[] types)
    {
        Dictionary<string, CelType>? fresh = null;
        var result = new CelType[types.Length];
        for (int i = 0; i < types.Length; i++) { result[i] = Replace(types[i], ref fresh); }
        return result;
    }

    private CelType Replace(CelType type, ref Dictionary<string, CelType>? fresh)
    {
        if (type.Kind == CelKind.Param)
        {
            fresh ??= new Dictionary<string, CelType>(StringComparer.Ordinal);
            if (!fresh.TryGetValue(type.Name, out CelType? variable)) { fresh[type.Name] = variable = Fresh(); }
            return variable;
        }

        if (type.Parameters.Length == 0) { return type; }
        var parameters = new CelType[type.Parameters.Length];
        bool changed = false;
        for (int i = 0; i < parameters.Length; i++)
        {
            parameters[i] = Replace(type.Parameters[i], ref fresh);
            changed |= !ReferenceEquals(parameters[i], type.Parameters[i]);
        }

        return changed ? type.WithParameters(parameters) : type;
    }

    /// <summary>True where a value of type <paramref name="from"/> may stand where <paramref name="to"/> is wanted; variables are then bound.</summary>
    public bool Assign(CelType to, CelType from) => Try(() => Assignable(to, from));

    public bool Assign(ReadOnlySpan<CelType> to, CelType[] from)
    {
        CelType[] wanted = to.ToArray();
        return Try(() =>
        {
            for (int i = 0; i < wanted.Length; i++)
            {
                if (!Assignable(wanted[i], from[i])) { return false; }
            }

            return true;
        });
    }

    /// <summary>The type that holds both: the more general one, else dyn.</summary>
    public CelType Join(CelType? left, CelType right)
    {
        if (left is null) { return right; }
        if (Assign(left, right)) { return MostGeneral(left, right); }
        if (left.Kind == CelKind.Null && right.Kind is not CelKind.Dyn) { return right.OrNull(); }
        return right.Kind == CelKind.Null ? left.OrNull() : CelType.Dyn;
    }

    /// <summary>The type with what is known of its variables put in.</summary>
    /// <param name="final">True makes dyn of those that stayed free.</param>
    public CelType Resolve(CelType type, bool final)
    {
        if (type.Kind == CelKind.Param)
        {
            return _bound.TryGetValue(type.Name, out CelType? bound) ? Resolve(bound, final) : final ? CelType.Dyn : type;
        }

        if (type.Parameters.Length == 0) { return type; }
        var parameters = new CelType[type.Parameters.Length];
        bool changed = false;
        for (int i = 0; i < parameters.Length; i++)
        {
            parameters[i] = Resolve(type.Parameters[i], final);
            changed |= !ReferenceEquals(parameters[i], type.Parameters[i]);
        }

        return changed ? type.WithParameters(parameters) : type;
    }

    private bool Try(Func<bool> trial)
    {
        _trial.Clear();
        if (trial()) { return true; }
        for (int i = _trial.Count - 1; i >= 0; i--)
        {
            (string name, CelType? before) = _trial[i];
            if (before is null) { _bound.Remove(name); }
            else { _bound[name] = before; }
        }

        return false;
    }

    private void Bind(string name, CelType type)
    {
        _trial.Add((name, _bound.GetValueOrDefault(name)));
        _bound[name] = type;
    }

    private bool Assignable(CelType to, CelType from)
    {
        if (from.Kind == CelKind.Param)
        {
            (bool valid, bool bound) = Substitute(to, from);
            if (valid) { return true; }
            if (bound) { return false; }
        }

        if (to.Kind == CelKind.Param) { return Substitute(from, to).Valid; }
        if (to.Kind == CelKind.Dyn || from.Kind == CelKind.Dyn) { return true; }
        if (to.Kind == CelKind.Null) { return TakesNull(from); }
        if (from.Kind == CelKind.Null) { return TakesNull(to); }
        if (to.Kind != from.Kind) { return false; }
        switch (to.Kind)
        {
            case CelKind.Record:
                return CelType.Same(to, from);
            case CelKind.Type:
                return true;
            case CelKind.Opaque when to.Name != from.Name:
                return false;
            default:
                for (int i = 0; i < to.Parameters.Length; i++)
                {
                    if (!Assignable(to.Parameters[i], from.Parameters[i])) { return false; }
                }

                return true;
        }
    }

    private static bool TakesNull(CelType type) => type.Nullable || type.Kind is CelKind.Null or CelKind.Opaque or CelKind.Record or CelKind.Timestamp or CelKind.Duration;

    // Whether `type` may stand for the variable; binds it, or widens what it is bound to.
    private (bool Valid, bool Bound) Substitute(CelType type, CelType variable)
    {
        if (type.Kind == CelKind.Param && type.Name == variable.Name) { return (true, true); }
        if (_bound.TryGetValue(variable.Name, out CelType? bound))
        {
            if (!Assignable(type, bound)) { return (false, true); }
            CelType general = MostGeneral(type, bound);
            if (!Mentions(variable, general)) { Bind(variable.Name, general); }
            return (true, true);
        }

        if (Mentions(variable, type)) { return (false, false); }
        Bind(variable.Name, type);
        return (true, false);
    }

    private bool Mentions(CelType variable, CelType within)
    {
        if (within.Kind == CelKind.Param)
        {
            return within.Name == variable.Name || (_bound.TryGetValue(within.Name, out CelType? bound) && Mentions(variable, bound));
        }

        foreach (CelType parameter in within.Parameters)
        {
            if (Mentions(variable, parameter)) { return true; }
        }

        return false;
    }

    private static CelType MostGeneral(CelType left, CelType right)
    {
        // Null is assignable to some types without a nullable form of their own (optionals, timestamps): the other type says more.
        if (left.Kind == CelKind.Null && right.Kind is not (CelKind.Dyn or CelKind.Param)) { return right.OrNull(); }
        if (right.Kind == CelKind.Null && left.Kind is not (CelKind.Dyn or CelKind.Param)) { return left.OrNull(); }
        CelType general = IsAsGeneral(left, right) ? left : right;
        return left.Nullable || right.Nullable ? general.OrNull() : general;
    }

    private static bool IsAsGeneral(CelType left, CelType right)
    {
        if (left.Kind is CelKind.Dyn or CelKind.Param) { return true; }
        if (right.Kind is CelKind.Dyn or CelKind.Param || left.Kind != right.Kind) { return false; }
        if (left.Kind == CelKind.Type) { return true; }
        if (left.Parameters.Length != right.Parameters.Length) { return false; }
        for (int i = 0; i < left.Parameters.Length; i++)
        {
            if (!IsAsGeneral(left.Parameters[i], right.Parameters[i])) { return false; }
        }

        return left.Parameters.Length > 0 || CelType.Same(left, right);
    }
}
