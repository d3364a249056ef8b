namespace PolicyStreams.Rules.Costs;

/// <summary>
/// A bound in terms of the sizes of the elements that macros stand at: a sum of products, each of a number and powers of those sizes. All numbers are at least zero, so that a product or a
/// sum of bounds is one. Immutable.
/// </summary>
internal sealed class Polynomial
{
    /// <summary>Most macros inside one another whose elements have a size of their own.</summary>
    public const int VariablesMax = 16;

    private const int PowerBits = 4;
    private const ulong PowerMax = (1 << PowerBits) - 1;

    // Powers by variable, packed, with their factor.
    private readonly Dictionary<ulong, double> _terms;

    private Polynomial(Dictionary<ulong, double> terms) => _terms = terms;

    public static Polynomial Zero { get; } = new([]);

    public static Polynomial Of(double number) => number == 0 ? Zero : new(new Dictionary<ulong, double> { [0] = number });

    public static Polynomial Variable(int index) => new(new Dictionary<ulong, double> { [1UL << (index * PowerBits)] = 1 });

    public static implicit operator Polynomial(double number) => Of(number);

    /// <summary>The number that it comes to where no variable is left; else infinity.</summary>
    public double Value
    {
        get
        {
            double value = 0;
            foreach ((ulong powers, double factor) in _terms) { value += powers == 0 ? factor : double.PositiveInfinity; }
            return value;
        }
    }

    public static Polynomial operator +(Polynomial left, Polynomial right)
    {
        if (left._terms.Count == 0) { return right; }
        if (right._terms.Count == 0) { return left; }
        var terms = new Dictionary<ulong, double>(left._terms);
        foreach ((ulong powers, double factor) in right._terms) { terms[powers] = terms.GetValueOrDefault(powers) + factor; }
        return new Polynomial(terms);
    }

    public static Polynomial operator *(Polynomial left, Polynomial right)
    {
        var terms = new Dictionary<ulong, double>();
        foreach ((ulong a, double x) in left._terms)
        {
            foreach ((ulong b, double y) in right._terms)
            {
                ulong powers = Multiply(a, b, out bool beyond);
                terms[powers] = terms.GetValueOrDefault(powers) + (beyond ? double.PositiveInfinity : x * y);
            }
        }

        return new Polynomial(terms);
    }

    /// <summary>A bound of both.</summary>
    public static Polynomial Max(Polynomial left, Polynomial right)
    {
        var terms = new Dictionary<ulong, double>(left._terms);
        foreach ((ulong powers, double factor) in right._terms) { terms[powers] = Math.Max(terms.GetValueOrDefault(powers), factor); }
        return new Polynomial(terms);
    }

    /// <summary>
    /// The sum over all elements of a list, of what this is for the one whose size is the variable: what does not hang on the size counts as often as there are elements, and sizes, squares,
    /// and higher powers add up to at most those of the whole.
    /// </summary>
    public Polynomial Sum(int variable, Polynomial count, Polynomial whole)
    {
        Polynomial sum = Zero;
        foreach ((ulong powers, double factor) in _terms)
        {
            ulong power = (powers >> (variable * PowerBits)) & PowerMax;
            var rest = new Polynomial(new Dictionary<ulong, double> { [powers & ~(PowerMax << (variable * PowerBits))] = factor });
            if (power == 0) { rest *= count; }
            for (; power > 0; power--) { rest *= whole; }
            sum += rest;
        }

        return sum;
    }

    private static ulong Multiply(ulong a, ulong b, out bool beyond)
    {
        ulong product = 0;
        beyond = false;
        for (int shift = 0; shift < 64; shift += PowerBits)
        {
            ulong power = ((a >> shift) & PowerMax) + ((b >> shift) & PowerMax);
            beyond |= power > PowerMax;
            product |= Math.Min(power, PowerMax) << shift;
        }

        return product;
    }
}
