using System.Diagnostics.CodeAnalysis;

namespace PolicyStreams.Schemas.Registry;

/// <summary>What a registry said, or that it did not.</summary>
public enum RegistryAnswerKind : byte
{
    Found,
    /// <summary>The registry itself says that it has no such schema or subject (its error codes 40401 to 40403). A verdict may rest on it.</summary>
    NotFound,
    /// <summary>No usable answer from any URL: down, slow, refusing, or talking nonsense. Pause and ask again; never a verdict.</summary>
    Unreachable,
    /// <summary>The registry gave another schema for an id that is known already. Alarm; nothing that it says of the id is used.</summary>
    Conflict,
}

/// <summary>An answer of a registry.</summary>
/// <param name="Value">Set where <paramref name="Kind"/> is Found, else null.</param>
/// <param name="Reason">Why there is none, in one sentence for logs and health; empty where found. Holds no credential and no schema text.</param>
public readonly record struct RegistryAnswer<T>(RegistryAnswerKind Kind, T? Value, string Reason)
    where T : class
{
    [MemberNotNullWhen(true, nameof(Value))]
    public bool IsFound => Kind == RegistryAnswerKind.Found;

    public static RegistryAnswer<T> Found(T value) => new(RegistryAnswerKind.Found, value, "");

    public static RegistryAnswer<T> NotFound(string reason) => new(RegistryAnswerKind.NotFound, null, reason);

    public static RegistryAnswer<T> Unreachable(string reason) => new(RegistryAnswerKind.Unreachable, null, reason);

    public static RegistryAnswer<T> Conflict(string reason) => new(RegistryAnswerKind.Conflict, null, reason);

    /// <summary>The same failure for another type of value.</summary>
    public RegistryAnswer<TOther> As<TOther>()
        where TOther : class =>
        IsFound ? throw new InvalidOperationException("Only a failure can be passed on as another type.") : new(Kind, null, Reason);
}
