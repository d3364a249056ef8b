using System.Text.RegularExpressions;

namespace PolicyStreams.Rules.Masking;

/// <summary>Compiles the expressions of <c>pattern</c> masks, on the same terms as <c>matches</c> in conditions.</summary>
internal static class Re2Text
{
    public static Regex? Compile(string expression, out string fault)
    {
        try
        {
            fault = "";
            return new Regex(expression, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception wrong) when (wrong is ArgumentException or NotSupportedException)
        {
            fault = wrong.Message;
            return null;
        }
    }
}
