using System.Text.Json;
using PolicyStreams.Schemas;

namespace PolicyStreams.Conformance.Tests;

/// <summary>Paths as the shared cases spell them: <c>a.b[*]["a key, \"quoted\""]</c>, keys as JSON strings, or bare.</summary>
internal static class CasePath
{
    public static FieldPath Parse(string path)
    {
        var steps = new List<PathStep>();
        int at = 0;
        while (at < path.Length)
        {
            if (path[at] == '.') { at++; }
            if (path.AsSpan(at).StartsWith("[*]"))
            {
                steps.Add(PathStep.All);
                at += 3;
            }
            else if (path.AsSpan(at).StartsWith("[\""))
            {
                int quote = at + 2;
                while (path[quote] != '"') { quote += path[quote] == '\\' ? 2 : 1; }
                steps.Add(new PathStep(PathStepKind.MapKey, JsonSerializer.Deserialize<string>(path[(at + 1)..(quote + 1)])!));
                at = path[quote + 1] == ']' ? quote + 2 : throw new FormatException($"a key that does not end: {path}");
            }
            else if (path.AsSpan(at).StartsWith("["))
            {
                int close = path.IndexOf(']', at);
                steps.Add(new PathStep(PathStepKind.MapKey, path[(at + 1)..close]));
                at = close + 1;
            }
            else
            {
                int end = path.IndexOfAny(['.', '['], at);
                if (end < 0) { end = path.Length; }
                steps.Add(new PathStep(PathStepKind.Field, path[at..end]));
                at = end;
            }
        }

        return new FieldPath(PathRoot.Value, null, [.. steps]);
    }
}
