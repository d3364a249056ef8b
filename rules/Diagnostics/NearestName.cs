namespace PolicyStreams.Rules;

/// <summary>Offers the name that was probably meant.</summary>
internal static class NearestName
{
    private const int LengthMax = 128;

    /// <summary>The candidate with the fewest edits, where they are few against its length; else null.</summary>
    public static string? Find(string name, IEnumerable<string> candidates)
    {
        string? best = null;
        int bestDistance = int.MaxValue;
        if (name.Length > LengthMax) { return null; }
        foreach (string candidate in candidates)
        {
            if (candidate.Length > LengthMax) { continue; }
            int distance = Distance(name, candidate);
            if (distance < bestDistance)
            {
                best = candidate;
                bestDistance = distance;
            }
        }

        return best is not null && bestDistance <= Math.Max(1, Math.Max(name.Length, best.Length) / 3) ? best : null;
    }

    /// <summary><c>did you mean `x`?</c>, or what is there where nothing is near.</summary>
    public static string? Help(string name, IReadOnlyCollection<string> candidates, string among)
    {
        string? nearest = Find(name, candidates);
        if (nearest is not null) { return $"did you mean `{nearest}`?"; }
        return candidates.Count is > 0 and <= 24 ? $"{among}: {string.Join(", ", candidates)}" : null;
    }

    private static int Distance(string a, string b)
    {
        // Optimal string alignment without regard to case: one swap of neighbours is one edit.
        int[] before = new int[b.Length + 1], last = new int[b.Length + 1], now = new int[b.Length + 1];
        for (int j = 0; j <= b.Length; j++) { last[j] = j; }
        for (int i = 1; i <= a.Length; i++)
        {
            now[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                char x = char.ToLowerInvariant(a[i - 1]), y = char.ToLowerInvariant(b[j - 1]);
                now[j] = Math.Min(Math.Min(now[j - 1] + 1, last[j] + 1), last[j - 1] + (x == y ? 0 : 1));
                if (i > 1 && j > 1 && x == char.ToLowerInvariant(b[j - 2]) && char.ToLowerInvariant(a[i - 2]) == y) { now[j] = Math.Min(now[j], before[j - 2] + 1); }
            }

            (before, last, now) = (last, now, before);
        }

        return last[b.Length];
    }
}
