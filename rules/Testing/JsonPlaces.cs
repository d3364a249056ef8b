using System.Text.Json;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>Finds what a path of a policy leads to in a value as JSON.</summary>
internal static class JsonPlaces
{
    /// <summary>True where there is something at the path, null included: with <c>[*]</c>, in any element or entry.</summary>
    public static bool IsThere(JsonElement value, ReadOnlySpan<PathStep> steps)
    {
        if (steps.IsEmpty) { return true; }
        PathStep step = steps[0];
        if (step.Kind != PathStepKind.All)
        {
            return value.ValueKind == JsonValueKind.Object && value.TryGetProperty(step.Name, out JsonElement member) && IsThere(member, steps[1..]);
        }

        if (value.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement element in value.EnumerateArray())
            {
                if (IsThere(element, steps[1..])) { return true; }
            }
        }
        else if (value.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty entry in value.EnumerateObject())
            {
                if (IsThere(entry.Value, steps[1..])) { return true; }
            }
        }

        return false;
    }
}
