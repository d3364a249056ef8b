namespace PolicyStreams.Rules.Cel.Syntax;

/// <summary>An expression's text, for positions.</summary>
internal sealed class CelSource(string text)
{
    public string Text { get; } = text;

    /// <summary>Line and column, both from 1, the column in characters (code points).</summary>
    public (int Line, int Column) Locate(int position)
    {
        int line = 1, column = 1;
        for (int i = 0; i < position && i < Text.Length; i++)
        {
            if (Text[i] == '\n')
            {
                line++;
                column = 1;
            }
            else if (!char.IsLowSurrogate(Text[i])) { column++; }
        }

        return (line, column);
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
