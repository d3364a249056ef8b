using System.Buffers;
using System.Text;
using PolicyStreams.Rules.Yaml;
using YamlDotNet.Core;

namespace PolicyStreams.Rules;

/// <summary>
/// Rewrites a policy in canonical style: keys in the documented order, two spaces of indentation, short mappings on one line, quotes only where needed. Comments are kept.
/// </summary>
public static class PolicyFormatter
{
    // One pass for most files and one that shows that nothing moves any more.
    private const int PassesMax = 8;

    /// <summary>Formats one policy.</summary>
    /// <param name="diagnostics">Says why a file cannot be formatted: it is not YAML, or not a mapping.</param>
    /// <returns>The new text, the same one where nothing changes; null where the file cannot be formatted.</returns>
    public static string? Format(PolicyFile file, ICollection<Diagnostic> diagnostics)
    {
        var bag = new DiagnosticBag(file.Path);
        YamlNode? root = YamlReader.Read(file.Text, bag);
        if (root is not null && root.Kind != YamlKind.Mapping) { bag.Error(root, DiagnosticCodes.WrongShape, $"a policy is a mapping, not {root.KindName}"); }
        if (bag.ErrorCount > 0)
        {
            foreach (Diagnostic diagnostic in bag.ToList()) { diagnostics.Add(diagnostic); }
            return null;
        }

        // Printed until it stays as it is: where a comment moves out of a value, that value may take fewer lines the next time.
        string text = file.Text;
        List<FormatComment> comments = Comments(text);
        for (int pass = 0; pass < PassesMax; pass++)
        {
            string printed = new PolicyPrinter(text, comments).Print(root!);
            if (printed == text) { return text; }

            // What was printed must mean what was read, comment for comment: else the file stays as it is.
            YamlNode? again = YamlReader.Read(printed, bag);
            if (again is null || !Same(root!, again)) { break; }
            List<FormatComment> kept = Comments(printed);
            if (!kept.Select(comment => comment.Text).Order(StringComparer.Ordinal).SequenceEqual(comments.Select(comment => comment.Text).Order(StringComparer.Ordinal))) { break; }
            (text, root, comments) = (printed, again, kept);
        }

        diagnostics.Add(new Diagnostic(file.Path, 1, 1, DiagnosticCodes.YamlSyntax, Severity.Error, "the file cannot be formatted without loss, and is left as it is", "move comments out of the middle of values"));
        return null;
    }

    private static List<FormatComment> Comments(string text)
    {
        var comments = new List<FormatComment>();
        var scanner = new Scanner(new StringReader(text), skipComments: false);
        string[] lines = text.Split('\n');
        while (scanner.MoveNext())
        {
            if (scanner.Current is not YamlDotNet.Core.Tokens.Comment comment) { continue; }
            int line = (int)comment.Start.Line, column = (int)comment.Start.Column;
            string before = line <= lines.Length ? lines[line - 1][..Math.Min(column - 1, lines[line - 1].Length)] : "";
            comments.Add(new FormatComment(line, column, !string.IsNullOrWhiteSpace(before), comment.Value.TrimEnd()));
        }

        return comments;
    }

    private static bool Same(YamlNode a, YamlNode b)
    {
        if (a.Kind != b.Kind) { return false; }
        switch (a.Kind)
        {
            case YamlKind.Scalar:
                return a.Text == b.Text && CoreScalar.TypeOf(a) == CoreScalar.TypeOf(b);
            case YamlKind.Sequence:
                return a.Items.Count == b.Items.Count && a.Items.Zip(b.Items).All(pair => Same(pair.First, pair.Second));
            default:
                return a.Entries.Count == b.Entries.Count && a.Entries.All(entry => b.Find(entry.Key.Text) is { } other && Same(entry.Value, other));
        }
    }
}

/// <summary>A comment of the source: its text without <c>#</c>, and whether something stands before it on its line.</summary>
internal readonly record struct FormatComment(int Line, int Column, bool Inline, string Text);

/// <summary>Prints a document with its comments.</summary>
internal sealed class PolicyPrinter(string source, List<FormatComment> comments)
{
    private const int WidthMax = 140;

    private static readonly string[] Order =
    [
        "apiVersion", "kind", "name", "id", "metadata", "owner", "description", "mode", "format", "subject", "naming", "record", "schema", "formats", "message", "unknown_fields", "framing", "schema_ids", "key_format", "key_subject", "key_schema", "key_framing", "identity", "headers", "stamp", "tombstones", "topics",
        "ingress", "governed", "rejected", "held", "state", "approvals", "decisions", "routes", "partitions", "seal", "limits", "record_bytes", "on_error", "on_schema_mismatch", "when", "bindings",
        "deny", "hold", "mask", "route", "tag", "rules", "approvers", "quorum", "expires", "on_expiry", "scope", "own_group_may_approve", "reason", "field",
    ];

    private readonly string[] _lines = source.Split('\n');
    private readonly StringBuilder _out = new();
    private readonly bool[] _used = new bool[comments.Count];
    private readonly int[] _owner = new int[comments.Count];

    public string Print(YamlNode root)
    {
        var starts = new SortedSet<int>();
        Starts(root, starts);
        for (int i = 0; i < comments.Count; i++)
        {
            // A comment on lines of its own speaks of what begins next, wherever that is printed; the last ones of the last thing, or of the file.
            _owner[i] = starts.GetViewBetween(comments[i].Line + 1, int.MaxValue) is { Count: > 0 } later ? later.Min : int.MaxValue;
        }

        // What stands above everything stays above everything.
        int firstLine = root.Entries.Count > 0 ? root.Entries.Min(entry => entry.Key.Line) : 0, firstPrinted = root.Entries.Count > 0 ? Sorted(root, top: true).First().Key.Line : 0;
        for (int i = 0; i < comments.Count; i++)
        {
            if (comments[i].Line < firstLine) { _owner[i] = firstPrinted; }
        }

        Mapping(root, 0, top: true);
        for (int i = 0; i < comments.Count; i++)
        {
            if (!_used[i]) { Comment(i, 0); }
        }

        return _out.ToString();
    }

    private static void Starts(YamlNode node, SortedSet<int> starts)
    {
        foreach (YamlEntry entry in node.Entries)
        {
            starts.Add(entry.Key.Line);
            Starts(entry.Value, starts);
        }

        foreach (YamlNode item in node.Items)
        {
            starts.Add(item.Line);
            Starts(item, starts);
        }
    }

    private void Mapping(YamlNode node, int indent, bool top = false, bool inItem = false)
    {
        // Comments before the first entry belong to what is printed first, whichever key that is; all others to the key below them.
        bool first = true;
        foreach (YamlEntry entry in Sorted(node, top))
        {
            if (!(inItem && first))
            {
                Lead(entry.Key.Line, indent, first, force: top && Block(entry.Value, indent, entry.Key.Text.Length));
                _out.Append(' ', indent);
            }

            first = false;
            _out.Append(Key(entry.Key)).Append(':');
            Value(entry.Value, indent, entry.Key.Text.Length + 1, entry.Key.Line);
        }
    }

    private static IEnumerable<YamlEntry> Sorted(YamlNode node, bool top)
    {
        // In a tag or an identity's settings the keys are the author's own: they stay as they are.
        if (!top && !node.Entries.Any(entry => entry.Key.Text is "name" or "id" or "approvers" or "routes" or "field")) { return node.Entries; }
        string[] topOrder = ["apiVersion", "kind", "metadata", "mode", "bindings", "limits", "on_error", "on_schema_mismatch", "rules"];
        string[] itemOrder = top ? topOrder : node.Find("id") is null ? Order : ["id", "description", "when", "bindings", "deny", "hold", "mask", "route", "tag", "mode", .. Order];
        return node.Entries.Select((entry, i) => (entry, i)).OrderBy(pair => Array.IndexOf(itemOrder, pair.entry.Key.Text) is >= 0 and int at ? at : itemOrder.Length).ThenBy(pair => pair.i).Select(pair => pair.entry);
    }

    private void Value(YamlNode value, int indent, int used, int keyLine)
    {
        int first = FirstLine(value);
        bool plain = value.Items.Count + value.Entries.Count == 0;
        if (!Block(value, indent, used) && (plain || !HasComment(keyLine, first)))
        {
            string flow = Flow(value, inFlow: false);
            _out.Append(flow.Length > 0 ? " " : "").Append(flow);
            Trail(keyLine, LastLine(value));
            _out.Append('\n');
            return;
        }

        // What stands behind the key, where its value begins in a later line, speaks of the whole.
        switch (value.Kind)
        {
            case YamlKind.Mapping:
                Trail(keyLine, first - 1);
                _out.Append('\n');
                Mapping(value, indent + 2);
                break;
            case YamlKind.Sequence:
                Trail(keyLine, first - 1);
                _out.Append('\n');
                Sequence(value, indent + 2);
                break;
            default:
                Literal(value, indent + 2);
                break;
        }
    }

    private void Sequence(YamlNode node, int indent)
    {
        bool first = true;
        foreach (YamlNode item in node.Items)
        {
            Lead(item.Line, indent, first);
            first = false;

            // The key that is printed behind the dash may have come later in the source, with comments of its own.
            bool block = item.Kind == YamlKind.Mapping && item.Entries.Count > 0 && Block(item, indent, 2);
            if (block) { Lead(Sorted(item, top: false).First().Key.Line, indent, first: true); }
            _out.Append(' ', indent).Append("- ");
            if (block) { Mapping(item, indent + 2, inItem: true); }
            else
            {
                _out.Append(Flow(item, inFlow: false));
                Trail(item.Line, LastLine(item));
                _out.Append('\n');
            }
        }
    }

    private void Literal(YamlNode node, int indent)
    {
        string text = node.Text;
        _out.Append(text.EndsWith('\n') ? text.EndsWith("\n\n", StringComparison.Ordinal) ? " |+" : " |" : " |-");
        Trail(node.Line, node.Line);
        _out.Append('\n');
        foreach (string line in text.TrimEnd('\n').Split('\n')) { _out.Append(line.Length > 0 ? new string(' ', indent) : "").Append(line).Append('\n'); }
        for (int i = text.TrimEnd('\n').Length + 1; i < text.Length; i++) { _out.Append('\n'); }
    }

    /// <summary>True where the value takes lines of its own.</summary>
    private bool Block(YamlNode node, int indent, int used)
    {
        switch (node.Kind)
        {
            case YamlKind.Scalar:
                return node.Text.Contains('\n', StringComparison.Ordinal) && !node.Text.StartsWith(' ') && !node.Text.StartsWith('\n') && node.Text.Trim('\n').Length > 0 && !HasControl(node.Text);
            case YamlKind.Mapping when node.Entries.Count == 0:
            case YamlKind.Sequence when node.Items.Count == 0:
                return false;
            case YamlKind.Mapping when node.Find("id") is { Kind: YamlKind.Scalar } && node.Entries.Any(entry => entry.Key.Text is "deny" or "hold" or "mask" or "route" or "tag"):
            case YamlKind.Mapping when node.Find("format") is not null && node.Find("name") is not null:
                return true;
            case YamlKind.Sequence when node.Items.Any(item => item.Kind == YamlKind.Mapping):
                return true;
            default:
                return HasComment(node) || Flow(node, inFlow: false).Length + indent + used + 1 > WidthMax || Any(node, child => child.Kind == YamlKind.Scalar && child.Text.Contains('\n', StringComparison.Ordinal));
        }
    }

    private static bool Any(YamlNode node, Func<YamlNode, bool> test) =>
        test(node) || node.Items.Any(item => Any(item, test)) || node.Entries.Any(entry => Any(entry.Value, test));

    /// <summary>True where a comment that is not yet printed stands between the node's first and last line: it needs a line to stand on.</summary>
    private bool HasComment(YamlNode node) => HasComment(node.Line, LastLine(node));

    /// <summary>True where a comment that is not yet printed stands in these lines, the last one left out.</summary>
    private bool HasComment(int from, int to)
    {
        for (int i = 0; i < comments.Count; i++)
        {
            if (!_used[i] && comments[i].Line >= from && comments[i].Line < to) { return true; }
        }

        return false;
    }

    private static string Flow(YamlNode node, bool inFlow) => node.Kind switch
    {
        YamlKind.Mapping => node.Entries.Count == 0 ? "{}" : "{ " + string.Join(", ", Sorted(node, top: false).Select(entry => $"{Key(entry.Key)}: {Flow(entry.Value, inFlow: true)}")) + " }",
        YamlKind.Sequence => "[" + string.Join(", ", node.Items.Select(item => Flow(item, inFlow: true))) + "]",
        _ => Scalar(node, inFlow),
    };

    // A key that is not there at all is a colon on its own, which readers place anywhere: it is written as the empty text that it is taken for.
    private static string Key(YamlNode key) => key.Text.Length == 0 ? "\"\"" : Scalar(key, inFlow: true);

    private static string Scalar(YamlNode node, bool inFlow)
    {
        string text = node.Text;
        if (node.Style == YamlStyle.Plain && CoreScalar.TypeOf(node) != CoreType.Text) { return text; }

        // What begins like a number and was quoted stays quoted: 0.0.0.0, 08:30.
        bool numeric = node.Style != YamlStyle.Plain && text.Length > 0 && char.IsAsciiDigit(text[0]);
        if (!numeric && !NeedsQuotes(text, inFlow)) { return text; }
        if (HasControl(text) || text.Contains('\n', StringComparison.Ordinal)) { return Escaped(text); }
        return text.Contains('"', StringComparison.Ordinal) || text.Contains('\\', StringComparison.Ordinal) ? $"'{text.Replace("'", "''", StringComparison.Ordinal)}'" : $"\"{text}\"";
    }

    // Some readers take U+2028 and U+2029 for ends of lines, as they do U+0085.
    private static bool HasControl(string text) => text.Any(c => (char.IsControl(c) && c != '\n') || c is '\u2028' or '\u2029' or '\uFEFF');

    private static string Escaped(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (char c in text)
        {
            if (c is '"' or '\\') { quoted.Append('\\').Append(c); }
            else if (c == '\n') { quoted.Append("\\n"); }
            else if (c < 0x100 && char.IsControl(c)) { quoted.Append("\\x").Append(((int)c).ToString("x2", System.Globalization.CultureInfo.InvariantCulture)); }
            else if (c is '\u2028' or '\u2029' or '\uFEFF') { quoted.Append("\\u").Append(((int)c).ToString("x4", System.Globalization.CultureInfo.InvariantCulture)); }
            else { quoted.Append(c); }
        }

        return quoted.Append('"').ToString();
    }

    private static bool NeedsQuotes(string text, bool inFlow)
    {
        if (text.Length == 0 || text[0] == ' ' || text[^1] == ' ' || text.Contains('\n', StringComparison.Ordinal) || HasControl(text)) { return true; }
        var plain = new YamlNode { Kind = YamlKind.Scalar, Line = 1, Column = 1, Text = text };
        if (CoreScalar.TypeOf(plain) != CoreType.Text) { return true; }

        // Other readers take these for true and false.
        if (text.ToUpperInvariant() is "YES" or "NO" or "ON" or "OFF" or "Y" or "N") { return true; }
        if ("?,[]{}#&*!|>'\"%@`".Contains(text[0], StringComparison.Ordinal) || (text[0] is '-' or ':' && (text.Length == 1 || text[1] == ' ')) || text.StartsWith("---", StringComparison.Ordinal) || text.StartsWith("...", StringComparison.Ordinal)) { return true; }
        if (text.Contains(": ", StringComparison.Ordinal) || text.Contains(" #", StringComparison.Ordinal) || text[^1] == ':' || text.Contains('\t', StringComparison.Ordinal)) { return true; }
        return inFlow && text.AsSpan().ContainsAny(Reserved);
    }

    private static readonly SearchValues<char> Reserved = SearchValues.Create(",[]{}?:");

    /// <summary>Comments on lines of their own before a line, and blank lines.</summary>
    private void Lead(int line, int indent, bool first, bool force = false)
    {
        List<int> lead = [];
        for (int i = 0; i < comments.Count; i++)
        {
            if (!_used[i] && _owner[i] == line && !comments[i].Inline) { lead.Add(i); }
        }

        bool blank = !first && (force || KeepBlank(lead.Count > 0 ? comments[lead[0]].Line : line) > 0);
        if (blank && _out.Length > 0) { _out.Append('\n'); }
        for (int i = 0; i < lead.Count; i++)
        {
            Comment(lead[i], indent);
            int next = i + 1 < lead.Count ? comments[lead[i + 1]].Line : line;
            if (next > comments[lead[i]].Line + 1 && KeepBlank(next) > 0) { _out.Append('\n'); }
        }
    }

    /// <summary>Comments behind something on lines that the value took.</summary>
    private void Trail(int from, int to)
    {
        bool any = false;
        for (int i = 0; i < comments.Count; i++)
        {
            if (_used[i] || !comments[i].Inline || comments[i].Line < from || comments[i].Line > to) { continue; }

            // Comments that were put under one another stay so.
            int width = Width();
            _out.Append(' ', any ? 1 : Math.Clamp(comments[i].Column - 1 - width, 2, 60)).Append("# ").Append(Body(comments[i].Text));
            any = _used[i] = true;
        }
    }

    private int Width()
    {
        int width = 0;
        for (int i = _out.Length - 1; i >= 0 && _out[i] != '\n'; i--) { width++; }
        return width;
    }

    private void Comment(int i, int indent)
    {
        string body = Body(comments[i].Text);
        _out.Append(' ', indent).Append('#').Append(body.Length > 0 ? " " : "").Append(body).Append('\n');
        _used[i] = true;
    }

    private static string Body(string text) => text.TrimStart(' ');

    private int KeepBlank(int line) => line >= 2 && line - 2 < _lines.Length && string.IsNullOrWhiteSpace(_lines[line - 2]) ? 1 : 0;

    /// <summary>Where what is inside begins; of a plain value and of one with nothing in it, where it begins itself.</summary>
    private static int FirstLine(YamlNode node) => node.Items.Count > 0 ? node.Items[0].Line : node.Entries.Count > 0 ? node.Entries[0].Key.Line : node.Line;

    private static int LastLine(YamlNode node)
    {
        int last = node.Line;
        foreach (YamlNode item in node.Items) { last = Math.Max(last, LastLine(item)); }
        foreach (YamlEntry entry in node.Entries) { last = Math.Max(last, LastLine(entry.Value)); }
        return last;
    }
}
