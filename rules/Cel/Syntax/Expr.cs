using PolicyStreams.Rules.Cel.Checking;

namespace PolicyStreams.Rules.Cel.Syntax;

/// <summary>
/// A node of an expression. The shape is immutable; the checker annotates <see cref="Type"/> and the references of names.
/// Visitors go through <see cref="Children"/>; rewrites (mutation, folding) through <see cref="WithChildren"/>.
/// </summary>
internal abstract class Expr
{
    private readonly Expr[] _children;

    protected Expr(int position, params Expr[] children)
    {
        Position = position;
        _children = children;
        foreach (Expr child in children)
        {
            Depth = Math.Max(Depth, child.Depth);
            NodeCount += child.NodeCount;
        }

        Depth++;
        NodeCount++;
    }

    /// <summary>Offset into the source, in UTF-16 units.</summary>
    public int Position { get; }

    /// <summary>Sub-expressions in the order of the source.</summary>
    public ReadOnlySpan<Expr> Children => _children;

    /// <summary>1 for a leaf. Bounded by the parser, so that recursion over a tree is safe.</summary>
    public int Depth { get; }

    public int NodeCount { get; }

    /// <summary>What the checker found; dyn before it ran.</summary>
    public CelType Type { get; set; } = CelType.Dyn;

    /// <summary>The same node over other children (as many, in the same order), without the checker's annotations.</summary>
    public abstract Expr WithChildren(Expr[] children);

    protected Expr Child(int index) => _children[index];
}

/// <summary>A literal: null, bool, long, ulong, double, string, or byte[].</summary>
internal sealed class ConstExpr(int position, object? value) : Expr(position)
{
    public object? Value { get; } = value;

    public override Expr WithChildren(Expr[] children) => new ConstExpr(Position, Value);
}

/// <summary>A name. Absolute ones were written with a leading dot and skip container and local variables.</summary>
internal sealed class IdentExpr(int position, string name, bool absolute = false) : Expr(position)
{
    public string Name { get; } = name;

    public bool Absolute { get; } = absolute;

    /// <summary>Set by the checker; null where the name is unknown.</summary>
    public Reference? Reference { get; set; }

    public override Expr WithChildren(Expr[] children) => new IdentExpr(Position, Name, Absolute);
}

/// <summary><c>e.f</c>, <c>e.?f</c> (optional), or <c>has(e.f)</c> (test).</summary>
internal sealed class SelectExpr(int position, Expr operand, string field, bool test = false, bool optional = false) : Expr(position, operand)
{
    public Expr Operand => Child(0);

    public string Field { get; } = field;

    public bool Test { get; } = test;

    public bool Optional { get; } = optional;

    /// <summary>Set by the checker where the whole chain is one qualified name.</summary>
    public Reference? Reference { get; set; }

    public override Expr WithChildren(Expr[] children) => new SelectExpr(Position, children[0], Field, Test, Optional);
}

/// <summary>A function or operator (<c>_+_</c>); with a target, <c>target.f(args)</c>.</summary>
internal sealed class CallExpr : Expr
{
    public CallExpr(int position, string function, bool hasTarget, params Expr[] operands) : base(position, operands)
    {
        Function = function;
        HasTarget = hasTarget;
        ResolvedName = function;
        ResolvedMember = hasTarget;
    }

    public string Function { get; }

    /// <summary>True where the first child is the receiver.</summary>
    public bool HasTarget { get; }

    /// <summary>Set by the checker: the function's full name (<c>math.greatest</c>).</summary>
    public string ResolvedName { get; set; }

    /// <summary>Set by the checker: false where the target was a namespace. Then <see cref="FirstArgument"/> is 1.</summary>
    public bool ResolvedMember { get; set; }

    /// <summary>Index of the first child that is an operand: 1 where the target was a namespace.</summary>
    public int FirstArgument => HasTarget && !ResolvedMember ? 1 : 0;

    public ReadOnlySpan<Expr> Operands => Children[FirstArgument..];

    public override Expr WithChildren(Expr[] children) => new CallExpr(Position, Function, HasTarget, children);
}

/// <summary><c>a &amp;&amp; b &amp;&amp; c</c> or the same with <c>||</c>: flat, since both are associative and absorb errors.</summary>
internal sealed class LogicExpr(int position, bool and, params Expr[] operands) : Expr(position, operands)
{
    public bool And { get; } = and;

    public override Expr WithChildren(Expr[] children) => new LogicExpr(Position, And, children);
}

/// <summary><c>test ? then : otherwise</c>.</summary>
internal sealed class ConditionalExpr(int position, Expr test, Expr then, Expr otherwise) : Expr(position, test, then, otherwise)
{
    public Expr Test => Child(0);

    public Expr Then => Child(1);

    public Expr Otherwise => Child(2);

    public override Expr WithChildren(Expr[] children) => new ConditionalExpr(Position, children[0], children[1], children[2]);
}

/// <summary><c>[a, ?b]</c>.</summary>
internal sealed class ListExpr(int position, Expr[] elements, bool[]? optional = null) : Expr(position, elements)
{
    public bool IsOptional(int index) => optional is not null && optional[index];

    public override Expr WithChildren(Expr[] children) => new ListExpr(Position, children, optional);
}

/// <summary><c>{k: v, ?k: v}</c>: children are key, value, key, value.</summary>
internal sealed class MapExpr(int position, Expr[] entries, bool[]? optional = null) : Expr(position, entries)
{
    public int Count => Children.Length / 2;

    public bool IsOptional(int entry) => optional is not null && optional[entry];

    public override Expr WithChildren(Expr[] children) => new MapExpr(Position, children, optional);
}

/// <summary><c>Type{field: value}</c>. No record of a policy's is ever made, so the checker refuses it.</summary>
internal sealed class StructExpr(int position, string typeName, string[] fields, Expr[] values) : Expr(position, values)
{
    public string TypeName { get; } = typeName;

    public string[] Fields { get; } = fields;

    public override Expr WithChildren(Expr[] children) => new StructExpr(Position, TypeName, Fields, children);
}

/// <summary>The macros that bind variables over elements.</summary>
internal enum ComprehensionKind : byte { All, Exists, ExistsOne, Map, Filter, TransformList, TransformMap, TransformMapEntry, SortBy, OptMap, OptFlatMap }

/// <summary>
/// A macro kept as itself: <c>range.kind(var, body)</c>, <c>range.kind(var, filter, body)</c>, and with two variables (index or key, and value).
/// Children are the range, then the filter where there is one, then the body.
/// </summary>
internal sealed class ComprehensionExpr : Expr
{
    public ComprehensionExpr(int position, string macro, ComprehensionKind kind, string variable, string? variable2, params Expr[] children) : base(position, children)
    {
        Macro = macro;
        Kind = kind;
        Variable = variable;
        Variable2 = variable2;
    }

    /// <summary>As written: <c>exists_one</c> and <c>existsOne</c> are the same kind.</summary>
    public string Macro { get; }

    public ComprehensionKind Kind { get; }

    public string Variable { get; }

    public string? Variable2 { get; }

    public Expr Range => Child(0);

    public Expr? Filter => Children.Length == 3 ? Child(1) : null;

    public Expr Body => Child(Children.Length - 1);

    /// <summary>Set by the checker.</summary>
    public LocalVariable? Local { get; set; }

    /// <summary>Set by the checker.</summary>
    public LocalVariable? Local2 { get; set; }

    public override Expr WithChildren(Expr[] children) => new ComprehensionExpr(Position, Macro, Kind, Variable, Variable2, children);
}

/// <summary><c>cel.bind(name, init, body)</c>.</summary>
internal sealed class BindExpr(int position, string variable, Expr init, Expr body) : Expr(position, init, body)
{
    public string Variable { get; } = variable;

    public Expr Init => Child(0);

    public Expr Body => Child(1);

    /// <summary>Set by the checker.</summary>
    public LocalVariable? Local { get; set; }

    public override Expr WithChildren(Expr[] children) => new BindExpr(Position, Variable, children[0], children[1]);
}

/// <summary><c>cel.block([a, b], result)</c>: children are the slots, then the result. Slots are evaluated when first read.</summary>
internal sealed class BlockExpr(int position, params Expr[] children) : Expr(position, children)
{
    public ReadOnlySpan<Expr> Slots => Children[..^1];

    public Expr Result => Child(Children.Length - 1);

    /// <summary>Set by the checker.</summary>
    public LocalVariable[] Locals { get; set; } = [];

    public override Expr WithChildren(Expr[] children) => new BlockExpr(Position, children);
}
