namespace PolicyStreams.Rules;

/// <summary>Tags of a registry's metadata, by patterns of full names of fields. Memory of what matched; for load time, not thread-safe.</summary>
/// <remarks>Source: Confluent's data contracts (<c>WildcardMatcher</c>): <c>**</c> is any text, <c>*</c> any without a dot, <c>?</c> one character but a dot.</remarks>
internal sealed class TagPatterns(IReadOnlyDictionary<string, IReadOnlyList<string>> patterns)
{
    private readonly Dictionary<(string, string), IReadOnlyList<string>> _known = [];

    /// <summary>The tags of a field, each once.</summary>
    /// <param name="record">Full name of the record that declares it; null where it has none.</param>
    public IReadOnlyList<string> Of(string? record, string field)
    {
        if (_known.TryGetValue((record ?? "", field), out IReadOnlyList<string>? known)) { return known; }
        string name = record is null ? field : $"{record}.{field}";
        var tags = new List<string>();
        foreach ((string pattern, IReadOnlyList<string> found) in patterns)
        {
            if (Matches(pattern, name)) { tags.AddRange(found.Except(tags)); }
        }

        return _known[(record ?? "", field)] = tags;
    }

    /// <summary>Linear in pattern times name: for each character of the name, the set of places in the pattern where a match may stand.</summary>
    internal static bool Matches(string pattern, string name)
    {
        bool[] at = new bool[pattern.Length + 1];
        at[0] = true;
        Skip(pattern, at);
        foreach (char c in name)
        {
            bool[] next = new bool[at.Length];
            for (int i = 0; i < pattern.Length; i++)
            {
                if (!at[i]) { continue; }
                switch (pattern[i])
                {
                    case '*' when i + 1 < pattern.Length && pattern[i + 1] == '*':
                        next[i] = true;
                        break;
                    case '*':
                        // The second star of a pair is reached only by leaving the pair, which then matches nothing more.
                        next[i] |= c != '.';
                        break;
                    case '?':
                        next[i + 1] |= c != '.';
                        break;
                    default:
                        next[i + 1] |= pattern[i] == c;
                        break;
                }
            }

            at = next;
            Skip(pattern, at);
        }

        return at[^1];
    }

    /// <summary>Stars may match nothing.</summary>
    private static void Skip(string pattern, bool[] at)
    {
        for (int i = 0; i < pattern.Length; i++)
        {
            if (!at[i] || pattern[i] != '*') { continue; }
            bool pair = i + 1 < pattern.Length && pattern[i + 1] == '*';
            at[i + (pair ? 2 : 1)] = true;
        }
    }
}
