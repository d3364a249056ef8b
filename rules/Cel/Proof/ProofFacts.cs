using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Evaluation;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Proof;

/// <summary>Something that a condition reads or computes, by its canonical spelling: the same spelling has the same value within one record.</summary>
/// <param name="Natural">What it may be before anything is known.</param>
/// <param name="Whole">True where its numbers are whole.</param>
internal sealed record Term(string Spelling, Domain Natural, bool Whole);

/// <summary>What a binding says of what conditions read, before any condition is looked at.</summary>
/// <param name="closedEnums">True where a text beside an enum's symbols cannot be: Avro's.</param>
/// <param name="symbols">Symbols of enums in other versions of the subject: what a writer of those may send.</param>
/// <param name="mayFail">True where reading even a field that is always there may fail: a number of JSON.</param>
/// <param name="hasIsPresence">True where <c>has(x.f)</c> says whether <c>x.f</c> is there and not null, and nothing else.</param>
/// <param name="principal">Who produces every record of the binding; null where it is told by the record.</param>
internal sealed class ProofFacts(bool closedEnums, IReadOnlySet<string> symbols, bool mayFail, bool hasIsPresence, Principal? principal)
{
    public Principal? Principal => principal;

    public bool HasIsPresence => hasIsPresence;

    /// <summary>What a binding's document and schemas say.</summary>
    /// <param name="withPrincipal">Whether the principal of <c>identity: topic</c> is taken as known.</param>
    /// <param name="laterToo">True where the proof is to hold for versions that the subject has not got yet: they may have more symbols.</param>
    public static ProofFacts Of(CompiledBinding binding, bool withPrincipal, bool laterToo = false)
    {
        var symbols = new HashSet<string>(StringComparer.Ordinal);
        foreach (SchemaVersion version in binding.Subject.Versions)
        {
            if (version.Version != binding.Subject.CheckedVersion.Version) { AddSymbols(version.Schema.Type, symbols, []); }
        }

        SchemaFormat format = binding.Document.Format;
        Principal? principal = withPrincipal && binding.Document.Identity == IdentityKind.Topic ? binding.Document.TopicPrincipal : null;
        return new ProofFacts(closedEnums: format == SchemaFormat.Avro && !laterToo, symbols, mayFail: format == SchemaFormat.Json, hasIsPresence: format != SchemaFormat.Protobuf, principal);
    }

    private static void AddSymbols(SchemaType type, HashSet<string> symbols, HashSet<object> open)
    {
        symbols.UnionWith(type.Symbols);
        if (type.Element is { } element) { AddSymbols(element, symbols, open); }
        foreach (SchemaType branch in type.Branches) { AddSymbols(branch, symbols, open); }
        if (type.Fields.Count == 0 || !open.Add(type.Fields)) { return; }
        foreach (SchemaField field in type.Fields) { AddSymbols(field.Type, symbols, open); }
    }

    public Term Of(Expr expr) => new(CelPrinter.Print(expr), Natural(expr), expr.Type.Kind is CelKind.Int or CelKind.UInt);

    /// <summary>A literal's value, folded as far as signs and the constructors of instants, durations, and decimals go.</summary>
    public static bool TryConstant(Expr expr, out object? value)
    {
        value = null;
        switch (expr)
        {
            case ConstExpr constant:
                value = constant.Value;
                return true;
            case CallExpr { Function: Operators.Negate } negate when TryConstant(negate.Children[0], out object? inner) && inner is long or double:
            case CallExpr { ResolvedName: "timestamp" or "duration" or "decimal" } when AllConstant(expr):
                ConditionInput none = default;
                EvalState state = EvalState.Rent(0);
                value = new Planner(new CelEnvironment(), null, null).Plan(expr).Eval(ref none, state);
                state.Return();
                return value is not ErrorValue;
            default:
                return false;
        }
    }

    private static bool AllConstant(Expr expr)
    {
        foreach (Expr operand in ((CallExpr)expr).Operands)
        {
            if (operand is not ConstExpr) { return false; }
        }

        return true;
    }

    private Domain Natural(Expr expr)
    {
        CelType type = expr.Type;
        var domain = new Domain { Null = type.Nullable || type.Kind is CelKind.Null or CelKind.Dyn, Error = MayFail(expr) };
        switch (type.Kind)
        {
            case CelKind.Dyn or CelKind.Param:
                return Domain.Anything;
            case CelKind.Null:
                return domain;
            case CelKind.Bool:
                return domain with { True = true, False = true };
            case CelKind.Int or CelKind.UInt:
                return domain with { Numbers = [Range(expr)] };
            case CelKind.Double:
                return domain with { Numbers = [Interval.All], NaN = true };
            case CelKind.Decimal or CelKind.Timestamp or CelKind.Duration:
                return domain with { Numbers = [Interval.All] };
            case CelKind.String when principal is not null && expr is SelectExpr { Test: false, Field: "id" or "via", Operand: IdentExpr { Reference: VariableReference { Name: "principal" } } } own:
                return domain with { Texts = new HashSet<string> { own.Field == "id" ? principal.Id : principal.Via } };
            case CelKind.String when closedEnums && type.Schema is { Symbols.Count: > 0 } schema:
                return domain with { Texts = new HashSet<string>(schema.Symbols.Concat(symbols), StringComparer.Ordinal) };
            case CelKind.String:
                return domain with { AllTextsBut = true };
            default:
                return domain with { Other = true };
        }
    }

    /// <summary>Whole numbers that the language itself bounds.</summary>
    private static Interval Range(Expr expr)
    {
        Interval NotBelowZero(long? most = null) => new(new Rational(0), false, most is { } to ? new Rational(to) : null, false);
        switch (expr)
        {
            case IdentExpr { Reference: VariableReference { Name: "partition" or "offset" } }:
            case CallExpr { ResolvedName: "size" }:
                return NotBelowZero();
            case CallExpr call when call.ResolvedMember && call.Operands.Length > 0 && call.Operands[0].Type.Kind == CelKind.Timestamp:
                long? most = call.ResolvedName switch
                {
                    "getHours" => 23,
                    "getMinutes" or "getSeconds" => 59,
                    "getMilliseconds" => 999,
                    "getMonth" => 11,
                    "getDate" => 31,
                    "getDayOfMonth" => 30,
                    "getDayOfWeek" => 6,
                    "getDayOfYear" => 365,
                    _ => null,
                };
                return most is null ? Interval.All : NotBelowZero(most);
            default:
                return expr.Type.Kind == CelKind.UInt ? NotBelowZero() : Interval.All;
        }
    }

    private bool MayFail(Expr expr)
    {
        if (mayFail) { return true; }
        switch (expr)
        {
            case IdentExpr { Reference: VariableReference { Name: var name } }:
                return name == "key";
            case SelectExpr { Test: false, Optional: false, Reference: null } select:
                return select.Operand.Type is not { Kind: CelKind.Record, Nullable: false } || select.Type.Kind is CelKind.Timestamp or CelKind.Duration || MayFail(select.Operand);
            case CallExpr { ResolvedName: "size", Operands.Length: 1 } call:
                return call.Operands[0].Type is not { Kind: CelKind.String or CelKind.Bytes or CelKind.List or CelKind.Map, Nullable: false } || MayFail(call.Operands[0]);
            default:
                return true;
        }
    }
}
