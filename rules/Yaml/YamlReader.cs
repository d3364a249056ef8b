using System.Text;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace PolicyStreams.Rules.Yaml;

/// <summary>
/// Reads one YAML document into nodes, within bounds: size and bytes are checked before the parser sees the text, nesting while it is pulled event by event
/// (the parser is lazy: what lies beyond a refused event is never read), and what could multiply the text (anchors, aliases, merge keys) is refused.
/// </summary>
internal static class YamlReader
{
    public const int DepthMax = 64;

    /// <summary>Null where an error was added. Never throws on any text.</summary>
    public static YamlNode? Read(string text, DiagnosticBag bag)
    {
        if (!Scan(text, bag)) { return null; }
        try
        {
            return new Builder(text, bag).Document();
        }
        catch (YamlException fault)
        {
            bag.Add((int)fault.Start.Line, (int)fault.Start.Column, DiagnosticCodes.YamlSyntax, Severity.Error, $"not YAML: {FirstSentence(fault.Message)}");
        }
#pragma warning disable CA1031 // The parser is not ours, and a policy file must never end the process: whatever it throws says that the text is not YAML.
        catch (Exception fault) when (fault is not OutOfMemoryException)
#pragma warning restore CA1031
        {
            bag.Add(1, 1, DiagnosticCodes.YamlSyntax, Severity.Error, "not YAML: the text cannot be parsed");
        }

        return null;
    }

    private static string FirstSentence(string message)
    {
        // Some of the parser's messages lead with its own position, which the diagnostic has already.
        int position = message.IndexOf("): ", StringComparison.Ordinal);
        string plain = message.StartsWith('(') && position > 0 ? message[(position + 3)..] : message;
        return plain.TrimEnd('.');
    }

    private static bool Scan(string text, DiagnosticBag bag)
    {
        if (text.Length > PolicyFile.BytesMax || Encoding.UTF8.GetByteCount(text) > PolicyFile.BytesMax)
        {
            bag.Add(0, 0, DiagnosticCodes.FileTooLarge, Severity.Error, $"the file is larger than {PolicyFile.BytesMax} bytes");
            return false;
        }

        int line = 1, lineStart = 0;
        bool indentation = true;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (c == '\n')
            {
                line++;
                lineStart = i + 1;
                indentation = true;
                continue;
            }

            if (c == '\t' && indentation && !BlankToEnd(text, i))
            {
                bag.Add(line, i - lineStart + 1, DiagnosticCodes.TabIndentation, Severity.Error, "a tab in indentation", "indent with spaces");
                return false;
            }

            if (c is not ' ' and not '\t') { indentation = false; }
            string? fault = c switch
            {
                '\uFEFF' => "a byte order mark",
                '\0' => "a NUL character: is the file UTF-16?",
                '\uFFFD' => "bytes that are not UTF-8",
                '\u0085' or '\u2028' or '\u2029' => "a line separator other than a newline",
                _ when c < ' ' && c is not '\t' and not '\r' => "a control character",
                _ when c is >= '\u007F' and < '\u00A0' => "a control character",
                _ when char.IsHighSurrogate(c) && (i + 1 == text.Length || !char.IsLowSurrogate(text[i + 1])) => "half a surrogate pair",
                _ when char.IsLowSurrogate(c) && (i == 0 || !char.IsHighSurrogate(text[i - 1])) => "half a surrogate pair",
                _ => null,
            };
            if (fault is null) { continue; }
            bag.Add(line, i - lineStart + 1, DiagnosticCodes.NotText, Severity.Error, fault, "save the file as UTF-8 without a byte order mark");
            return false;
        }

        return true;
    }

    private static bool BlankToEnd(string text, int i)
    {
        while (i < text.Length && text[i] is ' ' or '\t' or '\r') { i++; }
        return i == text.Length || text[i] == '\n';
    }

    private sealed class Builder(string text, DiagnosticBag bag)
    {
        private readonly YamlSource _source = new(text);
        private readonly Parser _parser = new(new Scanner(new StringReader(text), skipComments: true));

        public YamlNode? Document()
        {
            Next();
            if (!Next() || _parser.Current is StreamEnd)
            {
                bag.Add(1, 1, DiagnosticCodes.EmptyDocument, Severity.Error, "the file is empty");
                return null;
            }

            if (_parser.Current is DocumentStart start && (start.Version is not null || start.Tags is { Count: > 0 } tags && tags.Any(tag => !IsDefaultTag(tag))))
            {
                Refuse(start, "a directive");
                return null;
            }

            Next();
            if (Node(0) is not { } root) { return null; }
            Next();
            Next();
            if (_parser.Current is DocumentStart second)
            {
                bag.Add((int)second.Start.Line, (int)second.Start.Column, DiagnosticCodes.SeveralDocuments, Severity.Error, "a second document in one file", "give each policy a file of its own");
                return null;
            }

            if (!root.IsNull) { return root; }
            bag.Add(1, 1, DiagnosticCodes.EmptyDocument, Severity.Error, "the file is empty");
            return null;
        }

        private static bool IsDefaultTag(YamlDotNet.Core.Tokens.TagDirective tag) => tag.Handle is "!" or "!!" && tag.Prefix is "!" or "tag:yaml.org,2002:";

        private bool Next() => _parser.MoveNext();

        /// <summary>The node that the current event begins, the parser on its last event; null where an error ends the reading.</summary>
        private YamlNode? Node(int depth)
        {
            if (depth > DepthMax)
            {
                Mark at = _parser.Current!.Start;
                bag.Add((int)at.Line, (int)at.Column, DiagnosticCodes.TooDeep, Severity.Error, $"nested deeper than {DepthMax} levels");
                return null;
            }

            switch (_parser.Current)
            {
                case AnchorAlias alias:
                    return Refuse(alias, "an alias");
                case NodeEvent { Anchor.IsEmpty: false } anchored:
                    return Refuse(anchored, "an anchor");
                case NodeEvent { Tag.IsEmpty: false } tagged when tagged is not Scalar { IsPlainImplicit: true } and not Scalar { IsQuotedImplicit: true }:
                    return Refuse(tagged, "a tag");
                case Scalar scalar:
                    return new YamlNode
                    {
                        Kind = YamlKind.Scalar,
                        Line = (int)scalar.Start.Line,
                        Column = (int)scalar.Start.Column,
                        Text = scalar.Value,
                        Style = Style(scalar.Style),
                        Source = _source,
                    };
                case SequenceStart sequence:
                    return Sequence(sequence, depth);
                case MappingStart mapping:
                    return Mapping(mapping, depth);
                default:
                    return Refuse(_parser.Current!, "something unexpected");
            }
        }

        private YamlNode? Sequence(SequenceStart start, int depth)
        {
            var items = new List<YamlNode>();
            for (Next(); _parser.Current is not SequenceEnd; Next())
            {
                if (Node(depth + 1) is not { } item) { return null; }
                items.Add(item);
            }

            return new YamlNode { Kind = YamlKind.Sequence, Line = (int)start.Start.Line, Column = (int)start.Start.Column, Items = items, Source = _source };
        }

        private YamlNode? Mapping(MappingStart start, int depth)
        {
            var entries = new List<YamlEntry>();
            var seen = new HashSet<string>(StringComparer.Ordinal);
            for (Next(); _parser.Current is not MappingEnd; Next())
            {
                if (Node(depth + 1) is not { } key) { return null; }
                if (key.Kind != YamlKind.Scalar)
                {
                    bag.Error(key, DiagnosticCodes.WrongShape, "a key is plain text, not a list or mapping");
                    return null;
                }

                if (key.Style == YamlStyle.Plain && key.Text == "<<")
                {
                    bag.Error(key, DiagnosticCodes.YamlFeature, "a merge key is not allowed", "write the entries out");
                    return null;
                }

                if (!seen.Add(key.Text)) { bag.Error(key, DiagnosticCodes.DuplicateKey, $"`{Shown(key.Text)}` comes twice"); }
                Next();
                if (Node(depth + 1) is not { } value) { return null; }
                entries.Add(new YamlEntry(key, value));
            }

            return new YamlNode { Kind = YamlKind.Mapping, Line = (int)start.Start.Line, Column = (int)start.Start.Column, Entries = entries, Source = _source };
        }

        private YamlNode? Refuse(ParsingEvent at, string what)
        {
            bag.Add((int)at.Start.Line, (int)at.Start.Column, DiagnosticCodes.YamlFeature, Severity.Error, $"{what} is not allowed", "write the value out");
            return null;
        }

        private static YamlStyle Style(ScalarStyle style) => style switch
        {
            ScalarStyle.SingleQuoted => YamlStyle.SingleQuoted,
            ScalarStyle.DoubleQuoted => YamlStyle.DoubleQuoted,
            ScalarStyle.Literal => YamlStyle.Literal,
            ScalarStyle.Folded => YamlStyle.Folded,
            _ => YamlStyle.Plain,
        };
    }

    /// <summary>A piece of the file for a message: short, on one line.</summary>
    public static string Shown(string text)
    {
        string line = text.ReplaceLineEndings(" ");
        return line.Length <= 60 ? line : string.Concat(line.AsSpan(0, 57), "...");
    }
}
