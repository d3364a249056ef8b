using System.Globalization;
using PolicyStreams.Rules.Cel.Compilation;
using PolicyStreams.Schemas.Patterns;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Masking;

/// <summary>
/// The <c>pattern</c> mask: every match of an RE2 expression replaced, as RE2's own GlobalReplace does it; <c>\0</c> in the replacement is the match, <c>\1</c> to <c>\9</c> its groups.
/// Immutable; its scratch is kept between texts. Thread-safe.
/// </summary>
internal sealed class PatternMask
{
    // One search is linear in the text; a text of many matches, each of which looks far ahead, would not be. It costs a bounded time all the same.
    private const long WorkBase = 10_000_000;
    private const long WorkPerByte = 100;

    private readonly Re2 _matches;
    private readonly Re2Node _root;
    private readonly byte[] _replacement;
    private readonly int _groups;
    private Re2Search? _spare;

    private PatternMask(Re2 matches, Re2Node root, string replacement, int groups)
    {
        _matches = matches;
        _root = root;
        _replacement = System.Text.Encoding.UTF8.GetBytes(replacement);
        _groups = groups;
        _spare = new Re2Search(root, groups);
    }

    /// <summary>Null with what is wrong.</summary>
    public static PatternMask? Create(string expression, string replacement, PatternTable patterns, out string fault)
    {
        fault = "";
        try
        {
            Re2Node root = Re2Parser.Parse(expression);
            int there = Groups(root), used = 0;
            for (int i = 0; i < replacement.Length; i++)
            {
                if (replacement[i] != '\\') { continue; }
                char next = ++i < replacement.Length ? replacement[i] : '\0';
                if (next is not '\\' and not (>= '0' and <= '9'))
                {
                    fault = "`\\` in `replace` comes before a digit (`\\0` is the match, `\\1` its first group) or another `\\`";
                    return null;
                }

                if (next != '\\') { used = Math.Max(used, next - '0'); }
            }

            if (used > there)
            {
                fault = string.Create(CultureInfo.InvariantCulture, $"`replace` speaks of group {used}, and `match` has {there}");
                return null;
            }

            if (patterns.TryGet(expression, out Re2? matches, out string? mistake)) { return new PatternMask(matches, root, replacement, used); }
            fault = mistake;
        }
        catch (Re2Exception refused)
        {
            fault = refused.Message;
        }

        return null;
    }

    /// <summary>Appends the text with every match replaced. A text without a match is not changed.</summary>
    /// <param name="text">Valid UTF-8.</param>
    /// <returns>False where the text takes more work than it may; partial output may be left.</returns>
    public bool TryReplace(ReadOnlySpan<byte> text, ByteBuffer output, out bool changed)
    {
        changed = false;
        if (!_matches.IsMatch(text))
        {
            output.Append(text);
            return true;
        }

        int start = output.Length;
        Re2Search search = Interlocked.Exchange(ref _spare, null) ?? new Re2Search(_root, _groups);
        long work = WorkBase + (WorkPerByte * text.Length);
        bool done = Replace(search, text, output, ref work);
        _spare = search;
        changed = !done || !output.Written[start..].SequenceEqual(text);
        return done;
    }

    private bool Replace(Re2Search search, ReadOnlySpan<byte> text, ByteBuffer output, ref long work)
    {
        Span<int> places = stackalloc int[2 * (_groups + 1)];
        int at = 0, lastEnd = -1;
        while (at <= text.Length && search.Find(text, at, places, ref work))
        {
            (int begin, int end) = (places[0], places[1]);
            output.Append(text[at..begin]);
            at = begin;
            if (begin == end && begin == lastEnd)
            {
                // A match of nothing right behind the last match is none: on by one code point.
                if (at == text.Length) { break; }
                int length = 1;
                while (at + length < text.Length && (text[at + length] & 0xC0) == 0x80) { length++; }
                output.Append(text.Slice(at, length));
                at += length;
                continue;
            }

            Expand(text, places, output);
            at = lastEnd = end;
        }

        if (work < 0) { return false; }
        if (at < text.Length) { output.Append(text[at..]); }
        return true;
    }

    private void Expand(ReadOnlySpan<byte> text, ReadOnlySpan<int> places, ByteBuffer output)
    {
        ReadOnlySpan<byte> replacement = _replacement;
        for (int i = 0; i < replacement.Length; i++)
        {
            int run = replacement[i..].IndexOf((byte)'\\');
            if (run != 0)
            {
                output.Append(run < 0 ? replacement[i..] : replacement.Slice(i, run));
                if (run < 0) { return; }
                i += run;
            }

            byte next = replacement[++i];
            if (next == '\\') { output.Append((byte)'\\'); }
            else if (places[2 * (next - '0')] is >= 0 and int begin) { output.Append(text[begin..places[(2 * (next - '0')) + 1]]); }
        }
    }

    private static int Groups(Re2Node node)
    {
        int most = node.Number;
        foreach (Re2Node child in node.Children) { most = Math.Max(most, Groups(child)); }
        return most;
    }
}
