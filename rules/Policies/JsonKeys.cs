using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>The schema of keys with <c>key_format: json</c>: any JSON.</summary>
internal static class JsonKeys
{
    public static RecordSchema? Schema => null;
}
