namespace PolicyStreams.Rules.Cel.Syntax;

/// <summary>An expression's text, for positions.</summary>
internal sealed class CelSource(string text)
{
    // A long condition is asked for thousands of places: one pass notes where every so many units stand.
    private const int Stride = 256;

    private (int Line, int Column)[]? _marks;

    public string Text { get; } = text;

    /// <summary>Line and column, both from 1, the column in characters (code points).</summary>
    public (int Line, int Column) Locate(int position)
    {
        position = Math.Min(position, Text.Length);
        _marks ??= Marks();
        int mark = position / Stride;
        return Walk(_marks[mark], mark * Stride, position);
    }

    private (int Line, int Column)[] Marks()
    {
        var marks = new (int Line, int Column)[(Text.Length / Stride) + 1];
        marks[0] = (1, 1);
        for (int i = 1; i < marks.Length; i++) { marks[i] = Walk(marks[i - 1], (i - 1) * Stride, i * Stride); }
        return marks;
    }

    private (int Line, int Column) Walk((int Line, int Column) at, int from, int to)
    {
        for (int i = from; i < to; i++)
        {
            if (Text[i] == '\n') { at = (at.Line + 1, 1); }
            else if (!char.IsLowSurrogate(Text[i])) { at.Column++; }
        }

        return at;
    }

    public CelDiagnostic At(int position, string code, string message, string? help = null)
    {
        (int line, int column) = Locate(position);
        return new CelDiagnostic(line, column, code, message, help);
    }
}

/// <summary>Ends a parse or a check. Never leaves the room.</summary>
internal sealed class CelException(int position, string code, string message, string? help = null) : Exception(message)
{
    public int Position { get; } = position;

    public string Code { get; } = code;

    public string? Help { get; } = help;
}
