using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace PolicyStreams.Rules.Cel.Patterns;

/// <summary>A regular expression with RE2's syntax and meaning.</summary>
internal sealed class Re2
{
    private readonly Regex _regex;

    private Re2(Regex regex) => _regex = regex;

    public static bool TryGet(string pattern, [NotNullWhen(true)] out Re2? compiled) => TryParse(pattern, out compiled, out _);

    public static bool TryParse(string pattern, [NotNullWhen(true)] out Re2? compiled, [NotNullWhen(false)] out string? mistake)
    {
        compiled = null;
        mistake = null;
        try { compiled = new Re2(new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant)); }
        catch (ArgumentException) { mistake = "not a pattern"; }
        catch (NotSupportedException) { mistake = "not a pattern"; }
        return compiled is not null;
    }

    public bool IsMatch(string text) => _regex.IsMatch(text);
}
