using System.Globalization;

namespace PolicyStreams.Tests;

/// <summary>From which seed tests with random input run, and for how long. The environment says both: a failure is run again by its seed, and longer runs find more.</summary>
internal static class Fuzz
{
    /// <summary>POLICYSTREAMS_FUZZ_SEED, else another one each time: whoever takes it names it in every failure.</summary>
    public static int Seed() => int.TryParse(Environment.GetEnvironmentVariable("POLICYSTREAMS_FUZZ_SEED"), NumberStyles.Integer, CultureInfo.InvariantCulture, out int given) ? given : Environment.TickCount;

    /// <summary>POLICYSTREAMS_FUZZ_SECONDS, else so many seconds.</summary>
    public static TimeSpan Time(double seconds) => TimeSpan.FromSeconds(double.TryParse(Environment.GetEnvironmentVariable("POLICYSTREAMS_FUZZ_SECONDS"), NumberStyles.Float, CultureInfo.InvariantCulture, out double given) ? given : seconds);

    /// <summary>The text with one to four edits: a part put in, some characters taken out, or both.</summary>
    public static string Mutate(Random random, string text, string[] parts)
    {
        for (int edits = random.Next(1, 5); edits > 0; edits--)
        {
            int at = random.Next(text.Length + 1), edit = random.Next(3);
            if (edit > 0) { text = text.Remove(at, Math.Min(random.Next(1, 6), text.Length - at)); }
            if (edit < 2) { text = text.Insert(at, parts[random.Next(parts.Length)]); }
        }

        return text;
    }

    /// <summary>Some parts, one behind the other.</summary>
    public static string Concat(Random random, string[] parts, int most) => string.Concat(Enumerable.Range(0, random.Next(1, most)).Select(_ => parts[random.Next(parts.Length)]));
}
