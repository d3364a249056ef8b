using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Evaluation;

/// <summary>Scratch of one evaluation by the interpreter. One a thread, reused.</summary>
internal sealed class EvalState
{
    /// <summary>Elements that macros may visit in one evaluation.</summary>
    public const int StepsMax = 1_000_000;

    [ThreadStatic]
    private static EvalState? s_spare;

    public object?[] Locals = new object?[8];

    /// <summary>First slot of the row that a macro's variable stands for.</summary>
    public int[] Rows = new int[8];

    public int Steps;

    /// <summary>Variables by name, where the expression is not a policy's condition.</summary>
    public IReadOnlyDictionary<string, object?>? Variables;

    public BranchCoverage? Coverage;

    /// <summary>The headers as a map, once they were read.</summary>
    public MapValue? Headers;

    /// <summary>The key as a value in a box of one, once it was read.</summary>
    public object?[]? Key;

    public static EvalState Rent(int locals)
    {
        EvalState state = s_spare ?? new EvalState();
        s_spare = null;
        if (state.Locals.Length < locals)
        {
            state.Locals = new object?[locals];
            state.Rows = new int[locals];
        }

        return state;
    }

    /// <summary>Gives it back without what it held of the record.</summary>
    public void Return()
    {
        Array.Clear(Locals);
        Steps = 0;
        Variables = null;
        Coverage = null;
        Headers = null;
        Key = null;
        s_spare = this;
    }
}
