using System.Diagnostics.CodeAnalysis;
using PolicyStreams.Schemas.Patterns;

namespace PolicyStreams.Rules.Cel.Compilation;

/// <summary>The patterns of a policy's conditions and masks, each made once. One pattern is bounded, and so are all of them together. For load time; not thread-safe.</summary>
internal sealed class PatternTable
{
    /// <summary>Steps of making the patterns' tables, see <see cref="Re2.Work"/>: some seconds, for 100 patterns of the largest kind or tens of thousands of the usual ones.</summary>
    public const long WorkMax = 400_000_000;

    private readonly Dictionary<string, Re2> _made = new(StringComparer.Ordinal);
    private long _work;

    /// <param name="mistake">What is wrong with the pattern, or with all of them, in a few words.</param>
    public bool TryGet(string pattern, [NotNullWhen(true)] out Re2? made, [NotNullWhen(false)] out string? mistake)
    {
        mistake = null;
        if (_made.TryGetValue(pattern, out made)) { return true; }
        if (_work >= WorkMax)
        {
            mistake = "the patterns of the policy, taken together, are too large";
            return false;
        }

        if (!Re2.TryGet(pattern, out made, out mistake)) { return false; }
        _work += made.Work;
        _made[pattern] = made;
        return true;
    }
}
