using PolicyStreams.Rules.Cel.Library;

namespace PolicyStreams.Rules.Cel.Checking;

/// <summary>The names that an expression may use. Immutable once an expression is checked against it.</summary>
internal sealed class CelEnvironment
{
    /// <summary>Variables by their full name.</summary>
    public Dictionary<string, CelType> Variables { get; } = new(StringComparer.Ordinal);

    /// <summary>Constants beside the names of types, by their full name.</summary>
    public Dictionary<string, (CelType Type, object? Value)> Constants { get; } = new(StringComparer.Ordinal);

    public FunctionTable Functions { get; init; } = StandardLibrary.Functions;

    /// <summary>Namespace that names are looked up in first (<c>com.example</c>); empty for none.</summary>
    public string Container { get; init; } = "";

    /// <summary>The name inside the container, then inside each namespace around it, then as it is.</summary>
    public IEnumerable<string> Candidates(string name, bool absolute)
    {
        if (!absolute)
        {
            for (string container = Container; container.Length > 0; container = container[..Math.Max(container.LastIndexOf('.'), 0)])
            {
                yield return $"{container}.{name}";
            }
        }

        yield return name;
    }

    public Reference? Resolve(string name, bool absolute)
    {
        foreach (string candidate in Candidates(name, absolute))
        {
            if (Variables.TryGetValue(candidate, out CelType? type)) { return new VariableReference { Name = candidate, Type = type }; }
            if (Constants.TryGetValue(candidate, out (CelType Type, object? Value) constant)) { return new ConstantReference { Type = constant.Type, Value = constant.Value }; }
            if (StandardLibrary.TypeNames.TryGetValue(candidate, out CelType? named)) { return new ConstantReference { Type = CelType.TypeOf(named), Value = named }; }
        }

        return null;
    }
}
