using System.Text;
using System.Text.RegularExpressions;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Masking;

/// <summary>The <c>pattern</c> mask: every match of an RE2 expression replaced; <c>\0</c> in the replacement is the match.</summary>
internal sealed class PatternMask
{
    private readonly Regex _regex;
    private readonly MatchEvaluator _replace;

    private PatternMask(Regex regex, string replacement)
    {
        _regex = regex;
        _replace = replacement.Contains('\\', StringComparison.Ordinal) ? match => Expand(match, replacement) : _ => replacement;
    }

    /// <summary>Null with what is wrong.</summary>
    public static PatternMask? Create(string expression, string replacement, out string fault)
    {
        for (int i = 0; i < replacement.Length; i++)
        {
            if (replacement[i] != '\\') { continue; }
            if (i + 1 < replacement.Length && replacement[i + 1] is '0' or '\\') { i++; continue; }
            fault = "`\\` in `replace` comes before `0` (the match) or another `\\`";
            return null;
        }

        if (Re2Text.Compile(expression, out fault) is not { } regex) { return null; }
        return new PatternMask(regex, replacement);
    }

    /// <summary>Appends the text with every match replaced. A text without a match is not changed.</summary>
    public bool TryReplace(ReadOnlySpan<byte> text, ByteBuffer output, out bool changed)
    {
        string before = Encoding.UTF8.GetString(text);
        string after = _regex.Replace(before, _replace);
        changed = !ReferenceEquals(before, after) && before != after;
        Encoding.UTF8.GetBytes(after, output);
        return true;
    }

    private static string Expand(Match match, string replacement)
    {
        var text = new StringBuilder();
        for (int i = 0; i < replacement.Length; i++)
        {
            if (replacement[i] != '\\') { text.Append(replacement[i]); continue; }
            char next = replacement[++i];
            if (next == '\\') { text.Append('\\'); }
            else { text.Append(match.ValueSpan); }
        }

        return text.ToString();
    }
}
