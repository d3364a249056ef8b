using System.Globalization;
using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>One mapping of a document with the keys it may have: every getter adds its own diagnostic and gives a default in place of what is wrong.</summary>
internal sealed class Section
{
    private readonly DiagnosticBag _bag;
    private readonly string _what;

    /// <param name="what">As messages name it: <c>binding `payments`</c>.</param>
    /// <param name="keys">Null where the names are the author's.</param>
    public Section(YamlNode node, DiagnosticBag bag, string what, string[]? keys)
    {
        Node = node;
        _bag = bag;
        _what = what;
        if (node.Kind != YamlKind.Mapping)
        {
            bag.Error(node, DiagnosticCodes.WrongShape, $"{what} is a mapping, not {node.KindName}");
            return;
        }

        if (keys is null) { return; }
        foreach (YamlEntry entry in node.Entries)
        {
            if (Array.IndexOf(keys, entry.Key.Text) < 0)
            {
                bag.Error(entry.Key, DiagnosticCodes.UnknownKey, $"unknown key `{YamlReader.Shown(entry.Key.Text)}` in {what}", NearestName.Help(entry.Key.Text, keys, "keys here"));
            }
        }
    }

    public YamlNode Node { get; }

    public bool Has(string key) => Node.Find(key) is not null;

    public YamlNode? Find(string key) => Node.Find(key);

    public YamlNode? Require(string key)
    {
        YamlNode? node = Node.Find(key);
        if (node is null && Node.Kind == YamlKind.Mapping) { _bag.Error(Node, DiagnosticCodes.MissingKey, $"{_what} needs `{key}`"); }
        return node;
    }

    public string Text(string key, string otherwise, int lengthMax = 1024) => Node.Find(key) is { } node ? Text(node, key, lengthMax) ?? otherwise : otherwise;

    public string? Text(YamlNode node, string key, int lengthMax = 1024)
    {
        if (!Scalar(node, key)) { return null; }
        switch (CoreScalar.TypeOf(node))
        {
            case CoreType.Text:
                break;
            case CoreType.Null:
                _bag.Error(node, DiagnosticCodes.BadValue, $"`{key}` of {_what} is empty", "write text, or leave the key out");
                return null;
            default:
                _bag.Error(node, DiagnosticCodes.BadValue, $"`{key}` of {_what} is text, and `{YamlReader.Shown(node.Text)}` is not", $"put it in quotes: \"{YamlReader.Shown(node.Text)}\"");
                return null;
        }

        if (node.Text.Length > lengthMax)
        {
            _bag.Error(node, DiagnosticCodes.BadValue, $"`{key}` of {_what} is longer than {lengthMax} characters");
            return null;
        }

        foreach (char c in node.Text)
        {
            if (c >= ' ' && c != '\u007F') { continue; }
            _bag.Error(node, DiagnosticCodes.BadValue, $"`{key}` of {_what} has a control character or more than one line");
            return null;
        }

        return node.Text;
    }

    /// <summary>A name: letters, digits, <c>.</c>, <c>_</c>, <c>-</c>, at most <paramref name="lengthMax"/>.</summary>
    public string? Name(YamlNode? node, string key, int lengthMax = 128)
    {
        if (node is null || Text(node, key) is not { } text) { return null; }
        if (IsName(text, lengthMax)) { return text; }
        _bag.Error(node, DiagnosticCodes.BadName, $"`{YamlReader.Shown(text)}` is no name for `{key}` of {_what}", $"letters, digits, `.`, `_`, and `-`, at most {lengthMax}, beginning with a letter or digit");
        return null;
    }

    public static bool IsName(string text, int lengthMax)
    {
        if (text.Length == 0 || text.Length > lengthMax || !char.IsAsciiLetterOrDigit(text[0])) { return false; }
        foreach (char c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not '.' and not '_' and not '-') { return false; }
        }

        return true;
    }

    /// <summary>A topic's name as Kafka allows it.</summary>
    public string Topic(string key, string otherwise) => Node.Find(key) is { } node ? Topic(node, key) ?? otherwise : otherwise;

    public string? Topic(YamlNode node, string key)
    {
        if (Text(node, key) is not { } text) { return null; }
        bool legal = text.Length is > 0 and <= 249 && text is not "." and not "..";
        foreach (char c in text) { legal &= char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'; }
        if (legal) { return text; }
        _bag.Error(node, DiagnosticCodes.BadName, $"`{YamlReader.Shown(text)}` is no topic name", "letters, digits, `.`, `_`, and `-`, at most 249");
        return null;
    }

    public int? Int(string key, int min, int max) => (int?)Long(key, min, max);

    public long? Long(string key, long min, long max)
    {
        if (Node.Find(key) is not { } node || !Scalar(node, key)) { return null; }
        if (CoreScalar.TryInt(node, out long value) && value >= min && value <= max) { return value; }
        _bag.Error(node, DiagnosticCodes.BadValue, $"`{key}` of {_what} is a whole number from {min.ToString(CultureInfo.InvariantCulture)} to {max.ToString(CultureInfo.InvariantCulture)}");
        return null;
    }

    public bool? Bool(string key)
    {
        if (Node.Find(key) is not { } node || !Scalar(node, key)) { return null; }
        if (CoreScalar.TypeOf(node) == CoreType.Bool) { return CoreScalar.IsTrue(node); }
        _bag.Error(node, DiagnosticCodes.BadValue, $"`{key}` of {_what} is `true` or `false`");
        return null;
    }

    public TimeSpan? Duration(string key, TimeSpan min, TimeSpan max)
    {
        if (Node.Find(key) is not { } node || !Scalar(node, key)) { return null; }
        if (DurationText.TryParse(node.Text, out TimeSpan span) && span >= min && span <= max) { return span; }
        _bag.Error(node, DiagnosticCodes.BadValue, $"`{key}` of {_what} is a duration from {DurationText.Format(min)} to {DurationText.Format(max)}", "for example 90s, 15m, 4h, 7d");
        return null;
    }

    /// <summary>Index of the word, or -1 where it is missing or none of them.</summary>
    public int Word(string key, params string[] words)
    {
        if (Node.Find(key) is not { } node) { return -1; }
        int index = node.Kind == YamlKind.Scalar ? Array.IndexOf(words, node.Text) : -1;
        if (index < 0)
        {
            string got = node.Kind == YamlKind.Scalar ? $", not `{YamlReader.Shown(node.Text)}`" : "";
            _bag.Error(node, DiagnosticCodes.BadValue, $"`{key}` of {_what} is {string.Join(" or ", words.Select(word => $"`{word}`"))}{got}", node.Kind == YamlKind.Scalar && NearestName.Find(node.Text, words) is { } near ? $"did you mean `{near}`?" : null);
        }

        return index;
    }

    /// <summary>A list of texts; one plain text counts as a list of one nowhere: the shape is the document's.</summary>
    public IReadOnlyList<string>? Texts(string key, int countMax, bool mayBeEmpty = false)
    {
        if (Node.Find(key) is not { } node) { return null; }
        if (node.Kind != YamlKind.Sequence)
        {
            _bag.Error(node, DiagnosticCodes.WrongShape, $"`{key}` of {_what} is a list, not {node.KindName}", node.Kind == YamlKind.Scalar ? $"write [{YamlReader.Shown(node.Text)}]" : null);
            return null;
        }

        if (node.Items.Count > countMax || (node.Items.Count == 0 && !mayBeEmpty))
        {
            _bag.Error(node, node.Items.Count == 0 ? DiagnosticCodes.BadValue : DiagnosticCodes.TooMany, node.Items.Count == 0 ? $"`{key}` of {_what} is empty" : $"`{key}` of {_what} has more than {countMax} items");
            return null;
        }

        var texts = new List<string>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (YamlNode item in node.Items)
        {
            if (Text(item, key, 256) is not { } text) { continue; }
            if (text.Length == 0) { _bag.Error(item, DiagnosticCodes.BadValue, $"an empty item in `{key}` of {_what}"); }
            else if (!seen.Add(text)) { _bag.Error(item, DiagnosticCodes.DuplicateName, $"`{YamlReader.Shown(text)}` comes twice in `{key}` of {_what}"); }
            else { texts.Add(text); }
        }

        return texts;
    }

    private bool Scalar(YamlNode node, string key)
    {
        if (node.Kind == YamlKind.Scalar) { return true; }
        _bag.Error(node, DiagnosticCodes.WrongShape, $"`{key}` of {_what} is a plain value, not {node.KindName}");
        return false;
    }
}
