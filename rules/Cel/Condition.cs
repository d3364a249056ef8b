using PolicyStreams.Rules.Cel.Compilation;
using PolicyStreams.Rules.Cel.Evaluation;

namespace PolicyStreams.Rules.Cel;

/// <summary>A condition checked against its schema and compiled. Immutable, thread-safe.</summary>
public sealed class Condition
{
    private readonly Node _interpreted;
    private readonly BoolNode _compiled;
    private readonly int _locals;
    private ConditionBranch[]? _branches;

    /// <summary>Paths of the value that the condition reads, as <see cref="PolicyStreams.Schemas.FieldPath"/> spells them, list and map steps as <c>[*]</c>; sorted.</summary>
    public IReadOnlyList<string> FieldsRead { get; init; } = [];

    /// <summary>True where <c>key</c> is read.</summary>
    public bool ReadsKey { get; init; }

    /// <summary>Paths into the key that are read, see <see cref="KeyReads"/>.</summary>
    internal IReadOnlyList<PolicyStreams.Schemas.PathStep[]> KeyPathsRead { get; init; } = [];

    /// <summary>The checked expression, for proofs about it.</summary>
    internal Syntax.Expr Syntax { get; init; } = null!;

    /// <summary>For lint: what is legal and probably meant otherwise.</summary>
    public IReadOnlyList<CelDiagnostic> Notes { get; init; } = [];

    /// <summary>What an evaluation costs at most, in units of about one comparison of two numbers; infinity where nothing bounds it.</summary>
    public double Cost { get; init; }

    /// <summary>The expression spelled canonically: see <see cref="CelPrinter"/>.</summary>
    public string Canonical { get; init; } = "";

    /// <summary>The boolean sub-expressions that decide which way an evaluation goes, the whole condition first. Spelled when they are asked for.</summary>
    public IReadOnlyList<ConditionBranch> Branches => _branches ??= [.. BranchSyntax.Select(Spelled)];

    internal IReadOnlyList<Syntax.Expr> BranchSyntax { get; init; } = [];

    /// <summary>What positions of the syntax are in.</summary>
    internal Syntax.CelSource Source { get; init; } = null!;

    internal Condition(Node interpreted, BoolNode compiled, int locals)
    {
        _compiled = compiled;
        _interpreted = interpreted;
        _locals = locals;
    }

    /// <summary>The condition's steps, to be emitted.</summary>
    internal BoolNode Steps => _compiled;

    /// <summary>Boolean parts that have no compiled form and are left to the interpreter. Zero for what evaluates without allocation.</summary>
    internal int InterpretedParts { get; init; }

    /// <summary>Evaluates. Never throws on any record; allocates nothing where every part is compiled.</summary>
    /// <param name="error"><see cref="EvalError.None"/> unless the result is <see cref="Truth.Error"/>.</param>
    public Truth Evaluate(ref ConditionInput input, out EvalError error)
    {
        CompiledState state = default;
        Truth truth = _compiled.Eval(ref input, ref state);
        error = truth == Truth.Error ? state.Error : EvalError.None;
        return truth;
    }

    /// <summary>Evaluates by the interpreter and marks in <paramref name="coverage"/> which way each branch went. For policy tests, not for the record path.</summary>
    public Truth Evaluate(ref ConditionInput input, BranchCoverage coverage, out EvalError error) => Interpret(ref input, coverage, out error);

    private ConditionBranch Spelled(Syntax.Expr branch)
    {
        (int line, int column) = Source.Locate(branch.Position);
        return new ConditionBranch(line, column, CelPrinter.Print(branch));
    }

    internal Truth Interpret(ref ConditionInput input, BranchCoverage? coverage, out EvalError error)
    {
        EvalState state = EvalState.Rent(_locals);
        state.Coverage = coverage;
        object? value = Values.Unwrap(_interpreted.Eval(ref input, state));
        state.Return();
        error = value switch
        {
            bool => EvalError.None,
            ErrorValue failed => failed.Code,
            null => EvalError.NullUse,
            _ => EvalError.Type,
        };
        return value is bool flag ? (flag ? Truth.True : Truth.False) : Truth.Error;
    }
}

/// <summary>A boolean sub-expression: an operand of <c>&amp;&amp;</c>, <c>||</c>, <c>!</c>, a test of <c>?:</c>, a predicate of a macro, or the whole.</summary>
/// <param name="Line">From 1, inside the expression.</param>
/// <param name="Column">From 1, in characters, inside the expression.</param>
/// <param name="Text">Its canonical spelling.</param>
public readonly record struct ConditionBranch(int Line, int Column, string Text);

/// <summary>Which ways the branches of one condition went, over any number of evaluations. Not thread-safe.</summary>
public sealed class BranchCoverage
{
    private readonly byte[] _seen;

    /// <param name="condition">The condition whose <see cref="Condition.Branches"/> are counted, in that order.</param>
    public BranchCoverage(Condition condition) => _seen = new byte[condition.BranchSyntax.Count];

    /// <summary>True where the branch came to <paramref name="truth"/> at least once.</summary>
    public bool Seen(int branch, Truth truth) => (_seen[branch] & (1 << (int)truth)) != 0;

    internal void Mark(int branch, Truth truth) => _seen[branch] |= (byte)(1 << (int)truth);
}
