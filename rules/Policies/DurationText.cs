using System.Globalization;

namespace PolicyStreams.Rules;

/// <summary>Durations as policies write them: <c>90s</c>, <c>15m</c>, <c>4h</c>, <c>7d</c>.</summary>
internal static class DurationText
{
    public static bool TryParse(string text, out TimeSpan span)
    {
        span = default;
        if (text.Length < 2 || !int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out int count)) { return false; }
        long seconds = text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3600, 'd' => 86400, _ => 0 };
        if (seconds == 0 || count * seconds > TimeSpan.MaxValue.Ticks / TimeSpan.TicksPerSecond) { return false; }
        span = TimeSpan.FromSeconds(count * seconds);
        return true;
    }

    /// <summary>The largest unit that divides it.</summary>
    public static string Format(TimeSpan span)
    {
        long seconds = (long)span.TotalSeconds;
        (long unit, string name) = seconds % 86400 == 0 ? (86400L, "d") : seconds % 3600 == 0 ? (3600L, "h") : seconds % 60 == 0 ? (60L, "m") : (1L, "s");
        return (seconds / unit).ToString(CultureInfo.InvariantCulture) + name;
    }
}
