namespace PolicyStreams.Rules.Cel.Proof;

/// <summary>Numbers between two bounds; a bound that is null is none.</summary>
internal readonly record struct Interval(Rational? From, bool FromOpen, Rational? To, bool ToOpen)
{
    public static Interval All { get; } = new(null, true, null, true);

    public static Interval Point(Rational at) => new(at, false, at, false);

    public Interval With(in Interval other)
    {
        Interval both = this;
        if (other.From is { } from && (From is not { } mine || from.CompareTo(mine) is var order && (order > 0 || (order == 0 && other.FromOpen)))) { both = both with { From = from, FromOpen = other.FromOpen }; }
        if (other.To is { } to && (To is not { } own || to.CompareTo(own) is var end && (end < 0 || (end == 0 && other.ToOpen)))) { both = both with { To = to, ToOpen = other.ToOpen }; }
        return both;
    }

    /// <param name="whole">True where only whole numbers count.</param>
    public bool IsEmpty(bool whole)
    {
        if (From is not { } from || To is not { } to) { return false; }
        if (whole)
        {
            System.Numerics.BigInteger first = from.Floor() + (from.IsWhole && !FromOpen ? 0 : 1), last = to.Floor() - (to.IsWhole && ToOpen ? 1 : 0);
            return first > last;
        }

        int order = from.CompareTo(to);
        return order > 0 || (order == 0 && (FromOpen || ToOpen));
    }
}

/// <summary>
/// What a part of a condition may evaluate to, as far as the proof tells things apart: numbers, texts, booleans, null, everything else, and an error in place of a value. Immutable.
/// Always at least what is possible: what a proof leaves out was shown to be impossible.
/// </summary>
internal sealed record Domain
{
    public IReadOnlyList<Interval> Numbers { get; init; } = [];

    public bool NaN { get; init; }

    public IReadOnlySet<string> Texts { get; init; } = new HashSet<string>();

    /// <summary>True where <see cref="Texts"/> are those that it cannot be.</summary>
    public bool AllTextsBut { get; init; }

    public bool True { get; init; }

    public bool False { get; init; }

    public bool Null { get; init; }

    /// <summary>Reading it fails.</summary>
    public bool Error { get; init; }

    /// <summary>A list, a map, a record, bytes, or a number of JSON that cannot be read.</summary>
    public bool Other { get; init; }

    public static Domain Nothing { get; } = new();

    public static Domain Anything { get; } = new() { Numbers = [Interval.All], NaN = true, AllTextsBut = true, True = true, False = true, Null = true, Error = true, Other = true };

    /// <summary>Every value; no null and no error.</summary>
    public static Domain AnyValue { get; } = Anything with { Null = false, Error = false };

    public Domain With(Domain other, bool whole)
    {
        var numbers = new List<Interval>();
        foreach (Interval one in Numbers)
        {
            foreach (Interval two in other.Numbers)
            {
                if (one.With(two) is var both && !both.IsEmpty(whole)) { numbers.Add(both); }
            }
        }

        (IReadOnlySet<string> texts, bool but) = (AllTextsBut, other.AllTextsBut) switch
        {
            (false, false) => (Set(Texts.Where(other.Texts.Contains)), false),
            (false, true) => (Set(Texts.Where(text => !other.Texts.Contains(text))), false),
            (true, false) => (Set(other.Texts.Where(text => !Texts.Contains(text))), false),
            _ => (Set(Texts.Concat(other.Texts)), true),
        };
        return new Domain
        {
            Numbers = numbers,
            NaN = NaN && other.NaN,
            Texts = texts,
            AllTextsBut = but,
            True = True && other.True,
            False = False && other.False,
            Null = Null && other.Null,
            Error = Error && other.Error,
            Other = Other && other.Other,
        };
    }

    public Domain Or(Domain other)
    {
        (IReadOnlySet<string> texts, bool but) = (AllTextsBut, other.AllTextsBut) switch
        {
            (false, false) => (Set(Texts.Concat(other.Texts)), false),
            (false, true) => (Set(other.Texts.Where(text => !Texts.Contains(text))), true),
            (true, false) => (Set(Texts.Where(text => !other.Texts.Contains(text))), true),
            _ => (Set(Texts.Where(other.Texts.Contains)), true),
        };
        return new Domain
        {
            Numbers = [.. Numbers, .. other.Numbers],
            NaN = NaN || other.NaN,
            Texts = texts,
            AllTextsBut = but,
            True = True || other.True,
            False = False || other.False,
            Null = Null || other.Null,
            Error = Error || other.Error,
            Other = Other || other.Other,
        };
    }

    /// <param name="whole">True where only whole numbers count.</param>
    public bool IsEmpty(bool whole)
    {
        if (NaN || AllTextsBut || Texts.Count > 0 || True || False || Null || Error || Other) { return false; }
        foreach (Interval interval in Numbers)
        {
            if (!interval.IsEmpty(whole)) { return false; }
        }

        return true;
    }

    private static HashSet<string> Set(IEnumerable<string> texts) => new(texts, StringComparer.Ordinal);
}
