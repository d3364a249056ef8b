using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Cel;

/// <summary>
/// Checks conditions against a binding's types and compiles them. What they read is added to the capture plan whose root row is <paramref name="root"/>,
/// so conditions are evaluated over frames of programs that were compiled after the last condition. For load time; not thread-safe.
/// </summary>
/// <param name="valueType">The checked schema's type.</param>
/// <param name="keyType">String, Int, Bytes, or what the key's schema says. The variable <c>key</c> may be null whatever <see cref="SchemaType.Nullable"/> says.</param>
/// <param name="root">Root row of the plan being built; its node has <paramref name="valueType"/>.</param>
public sealed class ConditionCompiler(SchemaType valueType, SchemaType keyType, CaptureRow root)
{
    public SchemaType ValueType { get; } = valueType;

    public SchemaType KeyType { get; } = keyType;

    public CaptureRow Root { get; } = root;

    /// <summary>Compiles one condition.</summary>
    /// <param name="diagnostics">Every mistake found is added, in the order of the text.</param>
    /// <returns>Null where there was one. The result's type is bool, or only known at run time.</returns>
    public Condition? Compile(string expression, ICollection<CelDiagnostic> diagnostics) => throw new NotImplementedException();
}
