using System.Text;
using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Library;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Costs;

/// <summary>
/// What evaluating a checked condition costs at most, in units of about one comparison of two numbers; the model is cel-go's: a price an operation, and for what goes over text or elements one
/// by size. Sizes are bounded by the schema and by <c>limits: { record_bytes }</c>; all elements of a list, and all texts in them, share the bytes of the record.
/// </summary>
/// <param name="recordBytes">Most bytes of a value; a key and the headers are taken to have no more.</param>
/// <param name="headers">Most headers of a record.</param>
/// <param name="avro">True where the fewest bytes of an element follow from its type.</param>
internal sealed class ConditionCost(int recordBytes, int headers, bool avro)
{
    /// <summary>What the interpreter takes for a part beside its compiled form: it makes values out of bytes.</summary>
    private const double InterpretedFactor = 12;
    private const double InterpretedBase = 200;

    // Groups come from a policy or a token, not from a record.
    private const double PrincipalBytes = 1024;
    private const double TextByte = 0.05;
    private const double CopiedByte = 0.5;
    private const double PatternByte = 1.5;
    private const double DetectedByte = 3;
    private const double CallBase = 10;

    private readonly Dictionary<LocalVariable, Extent> _locals = [];
    private int _depth;

    /// <summary>How large a value can be.</summary>
    /// <param name="Bytes">Of the value, or of all its elements.</param>
    /// <param name="Count">Elements of a list or entries of a map.</param>
    private readonly record struct Extent(Polynomial Bytes, Polynomial Count);

    /// <summary>Units; infinity for what has no bound that could be written down.</summary>
    /// <param name="interpreted">True where a part of the condition has no compiled form.</param>
    public double Of(Expr condition, bool interpreted) => interpreted ? InterpretedBase + (Cost(condition).Value * InterpretedFactor) : Cost(condition).Value;

    private Polynomial Cost(Expr expr)
    {
        switch (expr)
        {
            case ConstExpr:
                return Polynomial.Zero;
            case IdentExpr:
                return 1;
            case SelectExpr { Operand: IdentExpr { Name: "headers" } }:
                return headers + (double)1;
            case SelectExpr select:
                return IsPath(select.Operand) ? 1 : Cost(select.Operand) + 1;
            case CallExpr call:
                return Call(call);
            case ConditionalExpr conditional:
                return Cost(conditional.Test) + Polynomial.Max(Cost(conditional.Then), Cost(conditional.Otherwise)) + 1;
            case ComprehensionExpr macro:
                return Comprehension(macro);
            case BindExpr bind:
                Polynomial init = Cost(bind.Init);
                _locals[bind.Local!] = Size(bind.Init);
                return init + Cost(bind.Body) + 1;
            case BlockExpr block:
                Polynomial all = Polynomial.Zero;
                for (int i = 0; i < block.Slots.Length; i++)
                {
                    all += Cost(block.Slots[i]);
                    _locals[block.Locals[i]] = Size(block.Slots[i]);
                }

                return all + Cost(block.Result);
            default:
                // Logic, lists, and maps: all of their parts.
                Polynomial sum = expr switch { ListExpr => 10, MapExpr => 30, _ => 1 };
                foreach (Expr child in expr.Children) { sum += Cost(child); }
                return sum;
        }
    }

    private Polynomial Call(CallExpr call)
    {
        ReadOnlySpan<Expr> args = call.Operands;
        Polynomial operands = Polynomial.Zero;
        for (int i = 0; i < args.Length; i++)
        {
            // A list that a value is looked up in is made when the policy is loaded.
            if (call.Function != Operators.In || i == 0 || args[i] is not ListExpr) { operands += Cost(args[i]); }
        }

        switch (call.ResolvedName)
        {
            case Operators.Equal or Operators.NotEqual or Operators.Less or Operators.LessOrEqual or Operators.Greater or Operators.GreaterOrEqual:
                return operands + 1 + (IsSized(args[0]) && IsSized(args[1]) ? Smaller(args[0], args[1]) * TextByte : Polynomial.Zero);
            case Operators.In when args[1] is ListExpr list:
                Polynomial constants = Polynomial.Zero;
                foreach (Expr element in list.Children) { constants += element is ConstExpr ? Size(element).Bytes * TextByte + 0.5 : Cost(element) + Smaller(args[0], element) * TextByte; }
                return operands + 1 + constants;
            case Operators.In:
                Extent searched = Size(args[1]);
                return operands + 1 + (searched.Count * 2) + (searched.Bytes * TextByte);
            case Operators.Index when args[0] is IdentExpr { Name: "headers" }:
                return operands + headers;
            case Operators.Not or Operators.Negate or Operators.Add or Operators.Subtract or Operators.Multiply or Operators.Divide or Operators.Modulo or Operators.Index or Operators.OptionalIndex:
                return operands + 1 + (IsSized(call) && call.Function == Operators.Add ? Sum(args) * CopiedByte : Polynomial.Zero);
            case "size" when args.Length == 1:
                return operands + 1 + (args[0].Type.Kind == CelKind.String ? Size(args[0]).Bytes * TextByte : Polynomial.Zero);
            case "startsWith" or "endsWith":
                return operands + 2 + (Smaller(args[0], args[1]) * TextByte);
            case "contains" when args.Length == 2:
                return operands + 5 + (Size(args[0]).Bytes * 0.1) + (args[1] is ConstExpr ? Polynomial.Zero : Size(args[0]).Bytes * Size(args[1]).Bytes * 0.01);
            case "matches" when args.Length == 2:
                return operands + 20 + (Size(args[0]).Bytes * PatternByte) + (Size(args[1]).Bytes * 0.25);
            case "detected":
                return operands + 10 + (Size(args[0]).Bytes * DetectedByte);
            case "isEmail" or "isUri" or "luhn":
                return operands + 5 + Size(args[0]).Bytes;
            case "isUuid":
                return operands + 40;
            case "dyn" or "has" or "type" or "branch" or "timestamp" or "duration" or "decimal" when args[0] is ConstExpr:
                return 1;
            case "sets.contains" or "sets.equivalent" or "sets.intersects" or "distinct":
                Extent left = Size(args[0]), right = Size(args[^1]);
                return operands + CallBase + (left.Count * right.Count) + (left.Bytes * right.Bytes * TextByte);
            case "sort":
                return operands + CallBase + (Size(args[0]).Count * 20) + (Size(args[0]).Bytes * 20);
            default:
                return operands + CallBase + (Sum(args) * CopiedByte);
        }
    }

    /// <summary>All elements: the macro's own steps, its filter, and its body for each.</summary>
    private Polynomial Comprehension(ComprehensionExpr macro)
    {
        Polynomial range = Cost(macro.Range);
        Extent extent = Size(macro.Range);
        int variable = _depth;
        bool own = variable < Polynomial.VariablesMax;
        Enter(macro, extent, own);
        Polynomial body = Cost(macro.Body) + 3;
        if (macro.Filter is { } filter) { body += Cost(filter); }
        if (macro.Kind == ComprehensionKind.SortBy) { body += 20; }
        if (own) { _depth--; }
        return range + 2 + Times(macro, body, extent, variable, own);
    }

    private void Enter(ComprehensionExpr macro, Extent extent, bool own)
    {
        // An optional's value is the whole, once.
        bool optional = macro.Kind is ComprehensionKind.OptMap or ComprehensionKind.OptFlatMap;
        Polynomial size = own && !optional ? Polynomial.Variable(_depth) : extent.Bytes;
        if (own) { _depth++; }
        var element = new Extent(size, Elements(size, macro.Range.Type.Kind == CelKind.List ? macro.Range.Type.Schema?.Element : null));
        if (macro.Local is { } first) { _locals[first] = element; }
        if (macro.Local2 is { } second) { _locals[second] = element; }
    }

    private static Polynomial Times(ComprehensionExpr macro, Polynomial body, Extent extent, int variable, bool own)
    {
        if (macro.Kind is ComprehensionKind.OptMap or ComprehensionKind.OptFlatMap) { return body; }
        return own ? body.Sum(variable, extent.Count, extent.Bytes) : body * extent.Count;
    }

    /// <summary>The most bytes and elements of a value.</summary>
    private Extent Size(Expr expr)
    {
        switch (expr)
        {
            case ConstExpr constant:
                return new(constant.Value switch { string text => Encoding.UTF8.GetByteCount(text), byte[] given => given.Length, _ => 8 }, Polynomial.Zero);
            case IdentExpr { Reference: LocalReference { Variable: var local } } when _locals.TryGetValue(local, out Extent bound):
                return bound;
            case IdentExpr { Reference: VariableReference { Name: "topic" } }:
                return new(249, Polynomial.Zero);
            case IdentExpr { Reference: VariableReference { Name: "principal" } }:
                return new(PrincipalBytes, PrincipalBytes / 8);
            case IdentExpr { Reference: VariableReference { Name: "headers" } }:
                return new(recordBytes, headers);
            case IdentExpr:
                return Typed(recordBytes, expr.Type);
            case SelectExpr { Test: false } select:
                return Typed(Size(select.Operand).Bytes, expr.Type);
            case CallExpr { Function: Operators.Index or Operators.OptionalIndex } index:
                return Typed(Size(index.Operands[0]).Bytes, expr.Type);
            case ConditionalExpr conditional:
                return Larger(Size(conditional.Then), Size(conditional.Otherwise));
            case ListExpr or MapExpr:
                Polynomial bytes = Polynomial.Zero;
                foreach (Expr child in expr.Children) { bytes += Size(child).Bytes; }
                return new(bytes, expr.Children.Length);
            case BindExpr bind:
                _locals[bind.Local!] = Size(bind.Init);
                return Size(bind.Body);
            case ComprehensionExpr macro:
                return Made(macro);
            case CallExpr call:
                return Made(call);
            default:
                return Typed(IsSized(expr) ? recordBytes : 8, expr.Type);
        }
    }

    private Extent Made(ComprehensionExpr macro)
    {
        Extent range = Size(macro.Range);
        if (macro.Kind is ComprehensionKind.Filter or ComprehensionKind.SortBy) { return range; }
        int variable = _depth;
        bool own = variable < Polynomial.VariablesMax;
        Enter(macro, range, own);
        Polynomial body = Size(macro.Body).Bytes;
        if (own) { _depth--; }
        return new(Times(macro, body, range, variable, own), range.Count);
    }

    private Extent Made(CallExpr call)
    {
        if (!IsSized(call)) { return new(8, Polynomial.Zero); }
        Polynomial sum = Sum(call.Operands);
        return call.ResolvedName switch
        {
            // What these make is bounded by the library alone.
            "replace" or "join" or "format" or "range" or "lists.range" => new(StandardLibrary.SizeMax, StandardLibrary.SizeMax),
            "string" or "base64.encode" or "strings.quote" => new((sum * 2) + 64, Polynomial.Zero),
            _ => new(sum + 64, sum + 1),
        };
    }

    private Extent Typed(Polynomial bytes, CelType type) => type.Kind switch
    {
        CelKind.String when type.Schema is { Symbols.Count: > 0 } symbols => new(symbols.Symbols.Max(symbol => Encoding.UTF8.GetByteCount(symbol)), Polynomial.Zero),
        CelKind.Bool or CelKind.Int or CelKind.UInt or CelKind.Double or CelKind.Timestamp or CelKind.Duration or CelKind.Null => new(8, Polynomial.Zero),
        _ => new(bytes, Elements(bytes, type.Schema?.Element)),
    };

    /// <summary>As many elements as the bytes hold of the shortest.</summary>
    private Polynomial Elements(Polynomial bytes, SchemaType? element) => bytes * (1.0 / (element is null ? 1 : BytesMin(element, avro)));

    /// <summary>The fewest bytes of an element: in Avro by its type; elsewhere one, since fields may be left out.</summary>
    internal static double BytesMin(SchemaType element, bool avro) => avro ? Math.Max(1, Shortest(element, 0)) : 1;

    private static double Shortest(SchemaType type, int depth)
    {
        if (type.Nullable || depth > 8) { return 1; }
        if (type.FixedSize > 0) { return type.FixedSize; }
        return type.Kind switch
        {
            ValueKind.Null => 0,
            ValueKind.Double => type.NativeName == "float" ? 4 : 8,
            ValueKind.Record => type.Fields.Sum(field => Shortest(field.Type, depth + 1)),
            _ => 1,
        };
    }

    private Polynomial Sum(ReadOnlySpan<Expr> args)
    {
        Polynomial sum = Polynomial.Zero;
        foreach (Expr arg in args) { sum += Size(arg).Bytes; }
        return sum;
    }

    /// <summary>A bound of what two texts have in common: the constant's length where one is.</summary>
    private Polynomial Smaller(Expr left, Expr right) => Size(right is ConstExpr ? right : left).Bytes;

    private static Extent Larger(Extent left, Extent right) => new(Polynomial.Max(left.Bytes, right.Bytes), Polynomial.Max(left.Count, right.Count));

    private static bool IsSized(Expr expr) => expr.Type.Kind is not (CelKind.Bool or CelKind.Int or CelKind.UInt or CelKind.Double or CelKind.Timestamp or CelKind.Duration or CelKind.Null or CelKind.Type);

    /// <summary>A path into the record is captured while it is walked: one step, however long.</summary>
    private static bool IsPath(Expr expr) => expr is IdentExpr || (expr is SelectExpr select && IsPath(select.Operand));
}
