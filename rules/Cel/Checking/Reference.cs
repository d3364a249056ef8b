namespace PolicyStreams.Rules.Cel.Checking;

/// <summary>What a name stands for.</summary>
internal abstract class Reference
{
    public required CelType Type { get; init; }
}

/// <summary>A variable of the environment.</summary>
internal sealed class VariableReference : Reference
{
    public required string Name { get; init; }
}

/// <summary>A name for a constant: a type, or an enum's value.</summary>
internal sealed class ConstantReference : Reference
{
    public required object? Value { get; init; }
}

/// <summary>A variable that a macro binds.</summary>
internal sealed class LocalReference : Reference
{
    public required LocalVariable Variable { get; init; }
}

/// <summary>One binding of one macro.</summary>
internal sealed class LocalVariable(string name, int index)
{
    public string Name { get; } = name;

    /// <summary>Index among the expression's locals: no two bindings share one.</summary>
    public int Index { get; } = index;

    public CelType Type { get; set; } = CelType.Dyn;
}
