using System.Text.Json;

namespace PolicyStreams.Rules;

/// <summary>Compares what a test expects with what came: of an object the members that are expected, of everything else the whole.</summary>
internal static class JsonCompare
{
    public static void Within(JsonElement want, JsonElement got, string path, List<string> failures)
    {
        if (want.ValueKind == JsonValueKind.Object && got.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty member in want.EnumerateObject())
            {
                if (got.TryGetProperty(member.Name, out JsonElement other)) { Within(member.Value, other, $"{path}.{member.Name}", failures); }
                else { failures.Add($"{path}.{member.Name}: expected {member.Value.GetRawText()}, and it is not there"); }
            }

            return;
        }

        if (want.ValueKind == JsonValueKind.Array && got.ValueKind == JsonValueKind.Array && want.GetArrayLength() == got.GetArrayLength())
        {
            for (int i = 0; i < want.GetArrayLength(); i++) { Within(want[i], got[i], $"{path}[{i}]", failures); }
            return;
        }

        if (!Same(want, got)) { failures.Add($"{path}: expected {want.GetRawText()}, got {got.GetRawText()}"); }
    }

    private static bool Same(JsonElement want, JsonElement got)
    {
        if (want.ValueKind != got.ValueKind) { return false; }
        return want.ValueKind switch
        {
            JsonValueKind.Number => want.GetRawText() == got.GetRawText()
                || (want.TryGetDecimal(out decimal a) && got.TryGetDecimal(out decimal b) ? a == b : want.GetDouble() == got.GetDouble()),
            JsonValueKind.String => want.GetString() == got.GetString(),
            JsonValueKind.Array => false,
            _ => true,
        };
    }
}
