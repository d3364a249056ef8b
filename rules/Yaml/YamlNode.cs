namespace PolicyStreams.Rules.Yaml;

internal enum YamlKind : byte { Scalar, Sequence, Mapping }

internal enum YamlStyle : byte { Plain, SingleQuoted, DoubleQuoted, Literal, Folded }

/// <summary>One entry of a mapping.</summary>
internal readonly record struct YamlEntry(YamlNode Key, YamlNode Value);

/// <summary>A node of a document, with its place in the text. Immutable.</summary>
internal sealed class YamlNode
{
    public required YamlKind Kind { get; init; }

    /// <summary>From 1.</summary>
    public required int Line { get; init; }

    /// <summary>From 1, in characters.</summary>
    public required int Column { get; init; }

    /// <summary>A scalar's text, quotes and escapes resolved; else empty.</summary>
    public string Text { get; init; } = "";

    public YamlStyle Style { get; init; }

    public IReadOnlyList<YamlNode> Items { get; init; } = [];

    public IReadOnlyList<YamlEntry> Entries { get; init; } = [];

    /// <summary>What the text looked like, for positions inside scalars; null for nodes that were made up.</summary>
    public YamlSource? Source { get; init; }

    public bool IsNull => Kind == YamlKind.Scalar && Style == YamlStyle.Plain && Text is "" or "~" or "null" or "Null" or "NULL";

    public string KindName => Kind switch { YamlKind.Scalar => "a value", YamlKind.Sequence => "a list", _ => "a mapping" };

    public YamlNode? Find(string key)
    {
        foreach (YamlEntry entry in Entries)
        {
            if (entry.Key.Text == key) { return entry.Value; }
        }

        return null;
    }

    /// <summary>Where the value under these keys stands, one below the other; the deepest that is there where not all are.</summary>
    public (int Line, int Column) PlaceOf(ReadOnlySpan<string> keys)
    {
        YamlNode at = this;
        foreach (string key in keys)
        {
            if (at.Find(key) is not { } below) { break; }
            at = below;
        }

        return (at.Line, at.Column);
    }

    /// <summary>Where a position inside the scalar's text (line and column from 1) stands in the file, as exactly as the style allows.</summary>
    public (int Line, int Column) Locate(int line, int column)
    {
        if (Source is null) { return (Line, Column); }
        switch (Style)
        {
            case YamlStyle.Plain when line == 1 && !Text.Contains('\n', StringComparison.Ordinal):
                return (Line, Column + column - 1);
            case YamlStyle.SingleQuoted or YamlStyle.DoubleQuoted when line == 1:
                return (Line, Column + 1 + Source.RawOffset(this, column - 1));
            case YamlStyle.Literal:
                int first = Source.FirstContentLine(Line);
                return (first + line - 1, Source.Indent(first) + column);
            default:
                return (Line, Column);
        }
    }
}

/// <summary>The lines of a file, for positions.</summary>
internal sealed class YamlSource(string text)
{
    private readonly string[] _lines = text.Split('\n');

    /// <summary>How many characters of the raw quoted text stand before the given number of resolved ones.</summary>
    public int RawOffset(YamlNode node, int resolved)
    {
        if (node.Line > _lines.Length) { return resolved; }
        string line = _lines[node.Line - 1];
        int start = node.Column, at = start;
        for (int i = 0; i < resolved && at < line.Length; i++)
        {
            if (node.Style == YamlStyle.SingleQuoted && line[at] == '\'') { at += 2; }
            else if (node.Style == YamlStyle.DoubleQuoted && line[at] == '\\') { at += at + 1 < line.Length ? EscapeLength(line[at + 1]) : 1; }
            else { at++; }
        }

        return at - start;
    }

    public int FirstContentLine(int header)
    {
        int line = header + 1;
        while (line < _lines.Length && string.IsNullOrWhiteSpace(_lines[line - 1])) { line++; }
        return line;
    }

    public int Indent(int line)
    {
        if (line > _lines.Length) { return 0; }
        string text = _lines[line - 1];
        return text.Length - text.TrimStart(' ').Length;
    }

    private static int EscapeLength(char escape) => escape switch { 'x' => 4, 'u' => 6, 'U' => 10, _ => 2 };
}
