namespace PolicyStreams.Rules.Cel.Checking;

/// <summary>Finds the name that was probably meant.</summary>
internal static class NearestName
{
    /// <summary>The candidate within a third of the name's length in edits, or null. Ties go to the first in ordinal order.</summary>
    public static string? Find(string name, IEnumerable<string> candidates)
    {
        string? best = null;
        int bound = Math.Max(1, name.Length / 3) + 1;
        foreach (string candidate in candidates.Order(StringComparer.Ordinal))
        {
            if (Math.Abs(candidate.Length - name.Length) >= bound) { continue; }
            int distance = string.Equals(candidate, name, StringComparison.OrdinalIgnoreCase) ? 0 : Distance(name, candidate, bound);
            if (distance < bound)
            {
                bound = distance;
                best = candidate;
                if (distance == 0) { break; }
            }
        }

        return best;
    }

    // Optimal string alignment: a swap of neighbours is one edit. Gives up at the bound.
    private static int Distance(string left, string right, int bound)
    {
        if (left.Length > 128 || right.Length > 128) { return bound; }
        var rows = new int[left.Length + 1, right.Length + 1];
        for (int i = 0; i <= left.Length; i++) { rows[i, 0] = i; }
        for (int j = 0; j <= right.Length; j++) { rows[0, j] = j; }
        for (int i = 1; i <= left.Length; i++)
        {
            for (int j = 1; j <= right.Length; j++)
            {
                int cost = left[i - 1] == right[j - 1] ? 0 : 1;
                int edits = Math.Min(Math.Min(rows[i - 1, j] + 1, rows[i, j - 1] + 1), rows[i - 1, j - 1] + cost);
                if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1]) { edits = Math.Min(edits, rows[i - 2, j - 2] + 1); }
                rows[i, j] = edits;
            }
        }

        return rows[left.Length, right.Length];
    }
}
