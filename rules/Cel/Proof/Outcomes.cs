using System.Numerics;
using PolicyStreams.Rules.Cel.Syntax;

namespace PolicyStreams.Rules.Cel.Proof;

/// <summary>What a value may be where an atom about it comes to true, to false, and to an error. Each at least what is possible.</summary>
internal sealed record Outcomes(Domain True, Domain False, Domain Error)
{
    // Beyond it an integer and a double that are written differently may compare as equal.
    private static readonly BigInteger ExactMax = BigInteger.One << 53;

    private static readonly Domain NoValue = new() { Null = true, Error = true };

    /// <summary>A value that is a condition itself.</summary>
    public static Outcomes OfBool { get; } = new(new Domain { True = true }, new Domain { False = true }, Domain.Anything with { True = false, False = false });

    /// <summary><c>has(x)</c>: there and not null.</summary>
    public static Outcomes OfHas { get; } = new(Domain.AnyValue, NoValue, new Domain { Error = true });

    public Domain Of(Claim claim) => claim switch { Claim.True => True, Claim.False => False, Claim.NotTrue => False.Or(Error), _ => True.Or(Error) };

    /// <summary><c>x == null</c> and <c>x != null</c>, which fail only where x does.</summary>
    public static Outcomes OfNull(string function) => Turned(function, new Domain { Null = true }, Domain.AnyValue, new Domain { Error = true });

    public static Outcomes OfFlag(string function, bool flag) =>
        Turned(function, new Domain { True = flag, False = !flag }, Domain.AnyValue with { True = !flag, False = flag }, NoValue with { Other = true });

    public static Outcomes OfText(string function, string text) =>
        Turned(function, new Domain { Texts = new HashSet<string> { text } }, Domain.AnyValue with { Texts = new HashSet<string> { text } }, NoValue with { Other = true });

    public static Outcomes OfList(IReadOnlyList<Rational> numbers, IReadOnlySet<string> texts) => new(
        new Domain { Numbers = [.. numbers.Select(Interval.Point)], Texts = texts },

        // Whether null is looked for in an empty list at all is nothing to build on.
        numbers.Count == 0 && texts.Count == 0 ? Domain.Anything : Domain.AnyValue with { Numbers = Between(numbers), Texts = texts },
        NoValue with { Other = true });

    /// <summary>Null where comparing with the number is not exact, or it is none.</summary>
    public static Outcomes? OfNumber(string function, object? constant)
    {
        if (Exact(constant) is not { } at) { return null; }
        Interval below = new(null, true, at, true), above = new(at, true, null, true), point = Interval.Point(at);
        if (function is Operators.Equal or Operators.NotEqual) { return Turned(function, new Domain { Numbers = [point] }, Domain.AnyValue with { Numbers = [below, above] }, NoValue with { Other = true }); }
        (Interval[] yes, Interval[] no) = function switch
        {
            Operators.Less => ((Interval[])[below], (Interval[])[point, above]),
            Operators.LessOrEqual => ([below, point], [above]),
            Operators.Greater => ([above], [below, point]),
            _ => ([point, above], [below]),
        };

        // NaN is not less, not greater, and not equal; values of other types do not compare.
        return new Outcomes(new Domain { Numbers = yes }, new Domain { Numbers = no, NaN = true }, Domain.Anything with { Numbers = [], NaN = false });
    }

    /// <summary>The number, where comparing it is exact whatever the other's type.</summary>
    public static Rational? Exact(object? constant) => Rational.Of(constant) is { } at && (constant is not (long or ulong or double) || BigInteger.Abs(at.Over / at.Under) < ExactMax) ? at : null;

    private static Outcomes Turned(string function, Domain equal, Domain unequal, Domain error) =>
        function == Operators.Equal ? new Outcomes(equal, unequal, error) : new Outcomes(unequal, equal, error);

    /// <summary>Everything but these points.</summary>
    private static List<Interval> Between(IReadOnlyList<Rational> points)
    {
        var gaps = new List<Interval>();
        Rational? from = null;
        foreach (Rational point in points.Order())
        {
            gaps.Add(new Interval(from, true, point, true));
            from = point;
        }

        gaps.Add(new Interval(from, true, null, true));
        return gaps;
    }
}
