using System.Text;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>
/// Parses paths as policies write them: <c>customer.email</c>, <c>items[*].sku</c>, <c>attributes["ssn"]</c>, <c>key</c>, <c>key.id</c>, <c>headers["x"]</c>.
/// A first step in brackets (<c>["key"]</c>) names a field of the value that is called like a root.
/// </summary>
internal static class PathText
{
    public const int StepsMax = 32;

    /// <summary>Null with what is wrong and where (column from 1).</summary>
    public static FieldPath? Parse(string text, out string fault, out int column)
    {
        var steps = new List<PathStep>();
        int at = 0;
        fault = "";
        bool plainRoot = true;
        while (at < text.Length || steps.Count == 0)
        {
            column = at + 1;
            if (steps.Count == StepsMax) { fault = $"more than {StepsMax} steps"; return null; }
            if (at < text.Length && text[at] == '[')
            {
                if (steps.Count == 0) { plainRoot = false; }
                if (Bracket(text, ref at) is not { } step) { fault = "brackets hold `*` or a name in quotes"; return null; }
                steps.Add(step);
                continue;
            }

            if (steps.Count > 0)
            {
                if (text[at] != '.') { fault = "`.` or `[` is wanted here"; return null; }
                at++;
            }

            int start = at;
            while (at < text.Length && (char.IsLetterOrDigit(text[at]) || text[at] is '_' or '-' or '$')) { at++; }
            if (at == start) { fault = "a field name is wanted here"; column = at + 1; return null; }
            steps.Add(new PathStep(PathStepKind.Field, text[start..at]));
        }

        column = 1;
        if (!plainRoot) { return steps[0].Kind == PathStepKind.All ? new FieldPath(PathRoot.Value, null, [.. steps]) : new FieldPath(PathRoot.Value, null, [new PathStep(PathStepKind.Field, steps[0].Name), .. steps.Skip(1)]); }
        if (steps[0].Name == "key") { return new FieldPath(PathRoot.Key, null, [.. steps.Skip(1)]); }
        if (steps[0].Name != "headers" || steps.Count == 1 || steps[1].Kind != PathStepKind.MapKey) { return new FieldPath(PathRoot.Value, null, [.. steps]); }
        if (steps.Count == 2) { return new FieldPath(PathRoot.Header, steps[1].Name, []); }
        fault = "a header has no fields";
        return null;
    }

    private static PathStep? Bracket(string text, ref int at)
    {
        if (text.AsSpan(at).StartsWith("[*]"))
        {
            at += 3;
            return PathStep.All;
        }

        if (at + 1 >= text.Length || text[at + 1] is not ('"' or '\'')) { return null; }
        char quote = text[at + 1];
        var name = new StringBuilder();
        for (int i = at + 2; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 1 < text.Length) { name.Append(text[++i]); }
            else if (text[i] == quote)
            {
                if (i + 1 >= text.Length || text[i + 1] != ']') { return null; }
                at = i + 2;
                return new PathStep(PathStepKind.MapKey, name.ToString());
            }
            else { name.Append(text[i]); }
        }

        return null;
    }
}
