using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Syntax;

namespace PolicyStreams.Rules.Cel.Proof;

/// <summary>What an expression is taken to come to. Beside true and false there are errors: not true is false or an error.</summary>
internal enum Claim : byte { True, False, NotTrue, NotFalse }

/// <summary>
/// Asks whether claims about conditions can all hold of one record. The answer "no" is a proof, over every record, null, NaN, and failed read; "yes" means only that none was found.
/// What is understood: <c>&amp;&amp;</c>, <c>||</c>, <c>!</c>, <c>?:</c>, comparisons and <c>in</c> with literals, <c>has()</c>, comparisons of two values; everything else is told apart by its spelling alone.
/// </summary>
/// <param name="budget">What all proofs that belong together may take; null where each is bounded alone.</param>
internal sealed class Prover(ProofFacts facts, ProofBudget? budget = null)
{
    private const int StepsMax = 20_000;
    private const int DepthMax = 200;

    private readonly Dictionary<Expr, Term> _terms = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, (Domain Domain, bool Whole)> _known = new(StringComparer.Ordinal);
    private int _steps;

    /// <summary>False only where no record makes all of them hold. True where the work would pass its bound.</summary>
    public bool CanHold(params IEnumerable<(Expr Expr, Claim Claim)> claims)
    {
        if (budget?.Spend(0) == false) { return true; }
        _steps = 0;
        _known.Clear();
        bool possible = Search(new Stack<(Expr, Claim)>(claims), [], 0);
        budget?.Spend(_steps);
        return possible;
    }

    private bool Search(Stack<(Expr Expr, Claim Claim)> open, List<(Expr Expr, Claim Claim)> choices, int depth)
    {
        // What every record must satisfy comes first; choices are tried when nothing else is left.
        var undo = new List<(string Key, (Domain, bool)? Before)>();
        bool possible = Settle(open, choices, undo);
        if (possible && choices.Count > 0 && depth < DepthMax && _steps < StepsMax)
        {
            (Expr expr, Claim claim) = choices[^1];
            possible = false;
            foreach ((Expr, Claim)[] way in Ways(expr, claim))
            {
                if (!Search(new Stack<(Expr, Claim)>(way), [.. choices[..^1]], depth + 1)) { continue; }
                possible = true;
                break;
            }
        }

        foreach ((string key, (Domain, bool)? before) in Enumerable.Reverse(undo))
        {
            if (before is { } known) { _known[key] = known; }
            else { _known.Remove(key); }
        }

        return possible;
    }

    /// <summary>False where what must hold cannot.</summary>
    private bool Settle(Stack<(Expr Expr, Claim Claim)> open, List<(Expr Expr, Claim Claim)> choices, List<(string, (Domain, bool)?)> undo)
    {
        while (open.TryPop(out (Expr Expr, Claim Claim) next))
        {
            if (++_steps > StepsMax) { return true; }
            (Expr expr, Claim claim) = next;
            switch (expr)
            {
                case CallExpr { Function: Operators.Not } not:
                    open.Push((not.Children[0], Opposite(claim)));
                    continue;
                case LogicExpr logic when logic.And == claim is Claim.True or Claim.NotFalse:
                    foreach (Expr child in logic.Children) { open.Push((child, claim)); }
                    continue;
                case LogicExpr or ConditionalExpr:
                    choices.Add(next);
                    continue;
            }

            foreach ((Term term, Domain allowed) in Restrictions(expr, claim))
            {
                bool has = _known.TryGetValue(term.Spelling, out (Domain Domain, bool Whole) known);
                bool whole = term.Whole || (has && known.Whole);
                Domain both = (has ? known.Domain.With(term.Natural, whole) : term.Natural).With(allowed, whole);
                undo.Add((term.Spelling, has ? known : null));
                _known[term.Spelling] = (both, whole);
                if (both.IsEmpty(whole)) { return false; }
            }
        }

        return true;
    }

    private static Claim Opposite(Claim claim) => claim switch { Claim.True => Claim.False, Claim.False => Claim.True, Claim.NotTrue => Claim.NotFalse, _ => Claim.NotTrue };

    /// <summary>The ways in which a choice may hold; at least all of them.</summary>
    private static IEnumerable<(Expr, Claim)[]> Ways(Expr expr, Claim claim)
    {
        if (expr is ConditionalExpr conditional)
        {
            bool orFails = claim is Claim.NotTrue or Claim.NotFalse;
            yield return [(conditional.Test, Claim.True), (conditional.Then, claim)];
            yield return [(conditional.Test, Claim.False), (conditional.Otherwise, claim)];
            if (orFails) { yield return [(conditional.Test, Claim.NotTrue), (conditional.Test, Claim.NotFalse)]; }
            yield break;
        }

        foreach ((Expr, Claim)[] way in ((LogicExpr)expr).Children.ToArray().Select(child => ((Expr, Claim)[])[(child, claim)])) { yield return way; }
    }

    /// <summary>What an atom's coming to this says of the terms in it. Nothing where nothing is known.</summary>
    private IEnumerable<(Term, Domain)> Restrictions(Expr expr, Claim claim)
    {
        (Term term, Outcomes outcomes)? atom = expr switch
        {
            ConstExpr { Value: bool flag } => (new Term(flag ? "true" : "false", Domain.Nothing with { True = flag, False = !flag }, false), Outcomes.OfBool),
            SelectExpr { Test: true } test when facts.HasIsPresence => (TermOf(new SelectExpr(test.Position, test.Operand, test.Field) { Type = CelType.Dyn }), Outcomes.OfHas),
            CallExpr { Function: Operators.Equal or Operators.NotEqual or Operators.Less or Operators.LessOrEqual or Operators.Greater or Operators.GreaterOrEqual } call => Comparison(call),
            CallExpr { Function: Operators.In } call => Membership(call),
            _ => (TermOf(expr), Outcomes.OfBool),
        };
        if (atom is not { } found) { yield break; }
        yield return (found.term, found.outcomes.Of(claim));
    }

    private (Term, Outcomes)? Comparison(CallExpr call)
    {
        (Expr left, Expr right, string function) = (call.Operands[0], call.Operands[1], call.Function);
        bool leftConstant = ProofFacts.TryConstant(left, out object? leftValue), rightConstant = ProofFacts.TryConstant(right, out object? rightValue);
        if (leftConstant && rightConstant)
        {
            // Both known: compared as a variable that is the left one's value.
            return Rational.Of(leftValue) is { } at && Rational.Of(rightValue) is not null && Outcomes.OfNumber(function, rightValue) is { } outcome
                ? (new Term(CelPrinter.Print(left), new Domain { Numbers = [Interval.Point(at)] }, false), outcome) : (TermOf(call), Outcomes.OfBool);
        }

        if (leftConstant) { (left, right, rightValue, function) = (right, left, leftValue, Mirrored(function)); }
        if (leftConstant || rightConstant)
        {
            Outcomes? outcomes = rightValue switch
            {
                null when function is Operators.Equal or Operators.NotEqual => Outcomes.OfNull(function),
                bool flag when function is Operators.Equal or Operators.NotEqual => Outcomes.OfFlag(function, flag),
                string text when function is Operators.Equal or Operators.NotEqual => Outcomes.OfText(function, text),
                _ => Outcomes.OfNumber(function, rightValue),
            };
            return outcomes is null ? (TermOf(call), Outcomes.OfBool) : (TermOf(left), outcomes);
        }

        // Two values: their order is a term of its own, -1, 0, or 1, and NaN where they have none.
        if (!Ordered(left.Type) || !Ordered(right.Type)) { return (TermOf(call), Outcomes.OfBool); }
        (Term one, Term two) = (TermOf(left), TermOf(right));
        if (string.CompareOrdinal(one.Spelling, two.Spelling) > 0) { (one, two, function) = (two, one, Mirrored(function)); }
        bool same = one.Spelling == two.Spelling;
        var order = new Domain
        {
            Numbers = same ? [Interval.Point(new Rational(0))] : [new Interval(new Rational(-1), false, new Rational(1), false)],
            NaN = one.Natural.NaN || two.Natural.NaN,
            Error = one.Natural.Null || one.Natural.Error || two.Natural.Null || two.Natural.Error,
        };
        return (new Term($"{one.Spelling} <=> {two.Spelling}", order, true), Outcomes.OfNumber(function, 0L)!);
    }

    private (Term, Outcomes)? Membership(CallExpr call)
    {
        (Expr value, Expr list) = (call.Operands[0], call.Operands[1]);
        if (list is ListExpr literal)
        {
            var numbers = new List<Rational>();
            var texts = new HashSet<string>(StringComparer.Ordinal);
            bool understood = true;
            for (int i = 0; i < literal.Children.Length; i++)
            {
                if (literal.IsOptional(i) || !ProofFacts.TryConstant(literal.Children[i], out object? item)) { understood = false; }
                else if (item is string text) { texts.Add(text); }
                else if (Outcomes.Exact(item) is { } number) { numbers.Add(number); }
                else { understood = false; }
            }

            if (understood) { return (TermOf(value), Outcomes.OfList(numbers, texts)); }
        }
        else if (facts.Principal is { } principal && value is ConstExpr { Value: string group } && list is SelectExpr { Test: false, Field: "groups", Operand: IdentExpr { Reference: VariableReference { Name: "principal" } } })
        {
            bool member = principal.Groups.Contains(group);
            return (new Term(CelPrinter.Print(call), Domain.Nothing with { True = member, False = !member }, false), Outcomes.OfBool);
        }

        return (TermOf(call), Outcomes.OfBool);
    }

    private Term TermOf(Expr expr)
    {
        if (!_terms.TryGetValue(expr, out Term? term)) { _terms[expr] = term = facts.Of(expr); }
        return term;
    }

    private static bool Ordered(CelType type) => type.Kind is CelKind.Int or CelKind.UInt or CelKind.Double or CelKind.Decimal or CelKind.String or CelKind.Timestamp or CelKind.Duration;

    private static string Mirrored(string function) => function switch
    {
        Operators.Less => Operators.Greater,
        Operators.LessOrEqual => Operators.GreaterOrEqual,
        Operators.Greater => Operators.Less,
        Operators.GreaterOrEqual => Operators.LessOrEqual,
        _ => function,
    };
}
