using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using PolicyStreams.Rules.Cel.Patterns;

namespace PolicyStreams.Rules.Masking;

/// <summary>
/// Compiles the expressions of <c>pattern</c> masks: RE2's syntax and meaning, run in linear time by the platform's non-backtracking engine. The parsed tree is spelled anew, so
/// that no construct can mean one thing to RE2 and another to that engine.
/// </summary>
internal static class Re2Text
{
    /// <summary>Null with what is wrong. Every repetition takes as much as it can; the lazy ones and word boundaries are refused.</summary>
    public static Regex? Compile(string expression, out string fault)
    {
        fault = "";
        if (HasLazy(expression))
        {
            fault = "a lazy repetition (`*?`) is not supported in masks: they cover as much as they can";
            return null;
        }

        try
        {
            // Its bounds on size hold here too.
            if (!Re2.TryParse(expression, out _, out string? mistake))
            {
                fault = mistake;
                return null;
            }

            var text = new StringBuilder();
            Write(Re2Parser.Parse(expression), text);
            return new Regex(text.ToString(), RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Re2Exception refused)
        {
            fault = refused.Message;
        }
        catch (Exception wrong) when (wrong is ArgumentException or NotSupportedException)
        {
            fault = "it is too large";
        }

        return null;
    }

    private static bool HasLazy(string expression)
    {
        bool inClass = false;
        for (int i = 0; i < expression.Length; i++)
        {
            char c = expression[i];
            if (c == '\\') { i++; }
            else if (inClass) { inClass = c != ']' || expression[i - 1] == '[' || (expression[i - 1] == '^' && expression[i - 2] == '['); }
            else if (c == '[') { inClass = true; }
            else if (c is '*' or '+' or '?' or '}' && i + 1 < expression.Length && expression[i + 1] == '?') { return true; }
        }

        return false;
    }

    private static void Write(Re2Node node, StringBuilder text)
    {
        switch (node.Kind)
        {
            case Re2Kind.Empty:
                text.Append("(?:)");
                break;
            case Re2Kind.Set:
                Set(node.Set!, text);
                break;
            case Re2Kind.Concat or Re2Kind.Alternate:
                text.Append("(?:");
                for (int i = 0; i < node.Children.Length; i++)
                {
                    if (i > 0 && node.Kind == Re2Kind.Alternate) { text.Append('|'); }
                    Write(node.Children[i], text);
                }

                text.Append(')');
                break;
            case Re2Kind.Repeat:
                text.Append("(?:");
                Write(node.Children[0], text);
                text.Append(CultureInfo.InvariantCulture, $"){{{node.Min},");
                if (node.Max >= 0) { text.Append(CultureInfo.InvariantCulture, $"{node.Max}"); }
                text.Append('}');
                break;
            case Re2Kind.BeginText:
                text.Append(@"\A");
                break;
            case Re2Kind.EndText:
                text.Append(@"\z");
                break;
            case Re2Kind.BeginLine:
                text.Append("(?m:^)");
                break;
            case Re2Kind.EndLine:
                text.Append("(?m:$)");
                break;
            default:
                throw new Re2Exception("word boundaries (`\\b`) are not supported in masks");
        }
    }

    /// <summary>Code points as UTF-16 sees them: beyond the first plane a pair of surrogates each.</summary>
    private static void Set(CodePointSet set, StringBuilder text)
    {
        var plane = new StringBuilder();
        var pairs = new List<string>();
        foreach ((int from, int to) in set.Ranges)
        {
            Range(plane, from, Math.Min(to, 0xD7FF));
            Range(plane, Math.Max(from, 0xE000), Math.Min(to, 0xFFFF));
            if (to >= 0x10000) { Pairs(Math.Max(from, 0x10000), to, pairs); }
        }

        if (plane.Length > 0) { pairs.Insert(0, $"[{plane}]"); }
        if (pairs.Count == 0) { text.Append(@"[^\s\S]"); }
        else { text.Append("(?:").AppendJoin('|', pairs).Append(')'); }
    }

    private static void Pairs(int from, int to, List<string> pairs)
    {
        (int high, int low, int highEnd, int lowEnd) = (0xD800 + ((from - 0x10000) >> 10), 0xDC00 + (from & 0x3FF), 0xD800 + ((to - 0x10000) >> 10), 0xDC00 + (to & 0x3FF));
        if (high == highEnd)
        {
            pairs.Add($"{Unit(high)}[{Unit(low)}-{Unit(lowEnd)}]");
            return;
        }

        if (low != 0xDC00) { pairs.Add($"{Unit(high++)}[{Unit(low)}-{Unit(0xDFFF)}]"); }
        if (lowEnd != 0xDFFF) { pairs.Add($"{Unit(highEnd--)}[{Unit(0xDC00)}-{Unit(lowEnd)}]"); }
        if (high <= highEnd) { pairs.Add($"[{Unit(high)}-{Unit(highEnd)}][{Unit(0xDC00)}-{Unit(0xDFFF)}]"); }
    }

    private static void Range(StringBuilder text, int from, int to)
    {
        if (from <= to) { text.Append(Unit(from)).Append('-').Append(Unit(to)); }
    }

    private static string Unit(int unit) => string.Create(CultureInfo.InvariantCulture, $"\\u{unit:X4}");
}
