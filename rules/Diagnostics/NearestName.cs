namespace PolicyStreams.Rules;

/// <summary>Offers the name that was probably meant, wherever a name is not known: keys, fields, functions, bindings, options. Thread-safe.</summary>
public static class NearestName
{
    // Longer names are nobody's typing.
    private const int LengthMax = 128;

    /// <summary>The candidate with the fewest edits, where they are at most a third of the longer name; else null.</summary>
    /// <param name="name">What was written. Case counts for nothing; a swap of neighbours is one edit.</param>
    /// <param name="candidates">Of several as near, the first is given.</param>
    public static string? Find(string name, IEnumerable<string> candidates)
    {
        if (name.Length > LengthMax) { return null; }
        string? best = null;
        int bestDistance = int.MaxValue;
        foreach (string candidate in candidates)
        {
            if (candidate.Length > LengthMax) { continue; }
            int most = Math.Min(bestDistance - 1, Math.Max(1, Math.Max(name.Length, candidate.Length) / 3));
            if (Math.Abs(candidate.Length - name.Length) > most) { continue; }
            int distance = Distance(name, candidate, most);
            if (distance > most) { continue; }
            best = candidate;
            bestDistance = distance;
            if (distance == 0) { break; }
        }

        return best;
    }

    /// <summary><c>did you mean `x`?</c>, or what is there where nothing is near; null where that is too much to list.</summary>
    public static string? Help(string name, IReadOnlyCollection<string> candidates, string among)
    {
        string? nearest = Find(name, candidates);
        if (nearest is not null) { return $"did you mean `{nearest}`?"; }
        return candidates.Count is > 0 and <= 24 ? $"{among}: {string.Join(", ", candidates)}" : null;
    }

    /// <summary>Optimal string alignment; gives up with more than <paramref name="most"/> once no fewer edits can come of it.</summary>
    private static int Distance(string a, string b, int most)
    {
        int[] before = new int[b.Length + 1], last = new int[b.Length + 1], now = new int[b.Length + 1];
        for (int j = 0; j <= b.Length; j++) { last[j] = j; }
        for (int i = 1; i <= a.Length; i++)
        {
            int least = now[0] = i;
            char x = char.ToLowerInvariant(a[i - 1]), previous = i > 1 ? char.ToLowerInvariant(a[i - 2]) : '\0';
            for (int j = 1; j <= b.Length; j++)
            {
                char y = char.ToLowerInvariant(b[j - 1]);
                now[j] = Math.Min(Math.Min(now[j - 1] + 1, last[j] + 1), last[j - 1] + (x == y ? 0 : 1));
                if (i > 1 && j > 1 && x == char.ToLowerInvariant(b[j - 2]) && previous == y) { now[j] = Math.Min(now[j], before[j - 2] + 1); }
                least = Math.Min(least, now[j]);
            }

            // A swap looks two rows back: only where the row before is past it too is there no way back.
            if (least > most + 1) { return most + 1; }
            (before, last, now) = (last, now, before);
        }

        return last[b.Length];
    }
}
