using System.Text;

namespace PolicyStreams.Schemas;

/// <summary>Where a path starts.</summary>
public enum PathRoot : byte { Value, Key, Header }

/// <summary>One step: a field or property name, every element of a list or value of a map (<c>[*]</c>), or one map entry (<c>["ssn"]</c>).</summary>
public readonly record struct PathStep(PathStepKind Kind, string Name)
{
    public static PathStep All { get; } = new(PathStepKind.All, "");
}

public enum PathStepKind : byte { Field, All, MapKey }

/// <summary>
/// A path as policies write it: <c>customer.email</c>, <c>items[*].sku</c>, <c>attributes[*]</c>, <c>attributes["ssn"]</c>, <c>key</c>, <c>key.id</c>, <c>headers["x"]</c>.
/// <see cref="ToString"/> gives that spelling back; it is what decisions name.
/// </summary>
public sealed class FieldPath(PathRoot root, string? header, PathStep[] steps) : IEquatable<FieldPath>
{
    private readonly string _text = Spell(root, header, steps);

    public PathRoot Root { get; } = root;

    /// <summary>The header's name where <see cref="Root"/> is <see cref="PathRoot.Header"/>; else null.</summary>
    public string? Header { get; } = header;

    public ReadOnlyMemory<PathStep> Steps { get; } = steps;

    public bool Equals(FieldPath? other) => other is not null && _text == other._text;

    public override bool Equals(object? obj) => Equals(obj as FieldPath);

    public override int GetHashCode() => _text.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => _text;

    private static string Spell(PathRoot root, string? header, PathStep[] steps)
    {
        var text = new StringBuilder();
        if (root == PathRoot.Key) { text.Append("key"); }
        if (root == PathRoot.Header) { Quoted(text.Append("headers"), header!); }
        foreach (PathStep step in steps)
        {
            switch (step.Kind)
            {
                case PathStepKind.Field when IsPlain(step.Name): text.Append(text.Length > 0 ? "." : "").Append(step.Name); break;
                case PathStepKind.All: text.Append("[*]"); break;
                default: Quoted(text, step.Name); break;
            }
        }

        return text.ToString();
    }

    private static void Quoted(StringBuilder text, string name) =>
        text.Append("[\"").Append(name.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)).Append("\"]");

    /// <summary>True for names that need no quotes: properties of JSON have others too.</summary>
    private static bool IsPlain(string name)
    {
        foreach (char c in name)
        {
            if (!(char.IsLetterOrDigit(c) || c is '_' or '-' or '$')) { return false; }
        }

        return name.Length > 0;
    }
}
