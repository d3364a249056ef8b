using PolicyStreams.Rules.Cel.Library;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Checking;

/// <summary>
/// Resolves names and infers types, as cel-spec and cel-go do, with nullable types as cel-go's wrappers are: a nullable value goes wherever its type goes,
/// and fails at run time where it is null. Every mistake is reported, not the first alone.
/// </summary>
internal sealed class CelChecker
{
    // Each is looked up, spelled, and compared with every name that may be meant: a condition of thousands of mistakes has a readable answer too.
    private const int MistakesMax = 100;

    private readonly CelEnvironment _environment;
    private readonly CelSource _source;
    private readonly ICollection<CelDiagnostic> _diagnostics;
    private readonly bool _strict;
    private readonly TypeInference _types = new();
    private readonly List<LocalVariable> _scope = [];
    private readonly List<(Expr Expr, CelType Type)> _inferred = [];
    private int _locals;
    private bool _failed;

    private CelChecker(CelEnvironment environment, CelSource source, ICollection<CelDiagnostic> diagnostics, bool strict)
    {
        _environment = environment;
        _source = source;
        _diagnostics = diagnostics;
        _strict = strict;
    }

    /// <summary>Checks and annotates a tree.</summary>
    /// <param name="strict">False resolves names only: what does not fit then fails at run time.</param>
    /// <param name="locals">How many variables the macros bind.</param>
    /// <returns>False after a mistake.</returns>
    public static bool Check(Expr expr, CelEnvironment environment, CelSource source, ICollection<CelDiagnostic> diagnostics, bool strict, out int locals)
    {
        var checker = new CelChecker(environment, source, diagnostics, strict);
        checker.Infer(expr);
        foreach ((Expr node, CelType type) in checker._inferred) { node.Type = checker._types.Resolve(type, final: true); }
        locals = checker._locals;
        return !checker._failed;
    }

    private CelType Infer(Expr expr)
    {
        CelType type = expr switch
        {
            ConstExpr constant => TypeOf(constant.Value),
            IdentExpr ident => Ident(ident),
            SelectExpr select => Select(select),
            CallExpr call => Call(call),
            LogicExpr logic => Logic(logic),
            ConditionalExpr conditional => Conditional(conditional),
            ListExpr list => List(list),
            MapExpr map => Map(map),
            ComprehensionExpr comprehension => Comprehension(comprehension),
            BindExpr bind => Bind(bind),
            BlockExpr block => Block(block),
            StructExpr construct => Struct(construct),
            _ => throw new InvalidOperationException($"A node of type {expr.GetType().Name} is not checked."),
        };
        _inferred.Add((expr, type));
        return type;
    }

    private void Fail(int position, string code, string message, string? help = null)
    {
        if (!_strict) { return; }
        _failed = true;
        if (Enough) { return; }
        _diagnostics.Add(_source.At(position, code, message, help));
    }

    /// <summary>True where no more mistakes are told.</summary>
    private bool Enough => !_strict || _diagnostics.Count >= MistakesMax;

    private CelType Resolved(CelType type) => _types.Resolve(type, final: false);

    private static CelType TypeOf(object? value) => value switch
    {
        null => CelType.Null,
        bool => CelType.Bool,
        long => CelType.Int,
        ulong => CelType.UInt,
        double => CelType.Double,
        string => CelType.String,
        byte[] => CelType.Bytes,
        _ => CelType.Dyn,
    };

    private LocalVariable? FindLocal(string name)
    {
        for (int i = _scope.Count - 1; i >= 0; i--)
        {
            if (_scope[i].Name == name) { return _scope[i]; }
        }

        return null;
    }

    private LocalVariable Push(string name, CelType type)
    {
        var variable = new LocalVariable(name, _locals++) { Type = type };
        _scope.Add(variable);
        return variable;
    }

    private CelType Ident(IdentExpr ident)
    {
        if (!ident.Absolute && FindLocal(ident.Name) is { } local)
        {
            ident.Reference = new LocalReference { Type = local.Type, Variable = local };
            return local.Type;
        }

        ident.Reference = _environment.Resolve(ident.Name, ident.Absolute);
        if (ident.Reference is { } found) { return found.Type; }
        string? near = Enough ? null : NearestName.Find(ident.Name, _environment.Variables.Keys.Concat(_scope.Select(v => v.Name).Where(n => n[0] != '@')).Order(StringComparer.Ordinal));
        Fail(ident.Position, CelCodes.UnknownVariable, $"unknown variable `{Spelled(ident.Name)}`", near is null ? null : $"did you mean `{near}`?");
        return CelType.Dyn;
    }

    private static string Spelled(string name) => name.StartsWith("@index", StringComparison.Ordinal) ? $"cel.index({name[6..]})" : name;

    // A chain of names, as far as it may be one qualified name: not under a local variable.
    private string? Qualified(Expr expr, out bool absolute)
    {
        absolute = false;
        switch (expr)
        {
            case IdentExpr ident:
                absolute = ident.Absolute;
                return !absolute && FindLocal(ident.Name) is not null ? null : ident.Name;
            case SelectExpr { Test: false, Optional: false } select:
                string? head = Qualified(select.Operand, out absolute);
                return head is null ? null : $"{head}.{select.Field}";
            default:
                return null;
        }
    }

    private CelType Select(SelectExpr select)
    {
        if (!select.Test && Qualified(select, out bool absolute) is { } name && _environment.Resolve(name, absolute) is { } reference)
        {
            select.Reference = reference;
            return reference.Type;
        }

        CelType operand = Resolved(Infer(select.Operand));
        bool optional = select.Optional;
        if (operand.IsOptional)
        {
            optional = true;
            operand = Resolved(operand.Element);
        }

        CelType field = Field(select, operand);
        return select.Test ? CelType.Bool : optional ? CelType.Optional(field) : field;
    }

    private CelType Field(SelectExpr select, CelType operand)
    {
        switch (operand.Kind)
        {
            case CelKind.Record:
                if (operand.Schema!.Field(select.Field) is { } field) { return CelType.FromSchema(field.Type); }
                string path = PathText(select.Operand) is { } prefix ? $"{prefix}.{select.Field}" : select.Field;
                string? near = Enough ? null : NearestName.Find(select.Field, operand.Schema.Fields.Select(f => f.Name));
                string? help = Enough ? null : near is null ? NestedField(select, operand.Schema) : PathText(select.Operand) is { } head ? $"did you mean `{head}.{near}`?" : $"did you mean `{near}`?";
                Fail(select.Position, CelCodes.UnknownField, $"unknown field `{path}`", help);
                return CelType.Dyn;
            case CelKind.Map:
                if (operand.Key.Kind is not (CelKind.String or CelKind.Dyn or CelKind.Param)) { Fail(select.Position, CelCodes.Type, $"a map with keys of type {operand.Key} has no fields", "index it: m[key]"); }
                return operand.Value;
            case CelKind.Dyn or CelKind.Param:
                return CelType.Dyn;
            default:
                Fail(select.Position, CelCodes.Type, $"a value of type {operand} has no field `{select.Field}`");
                return CelType.Dyn;
        }
    }

    // Someone who writes `value.email` for `value.customer.email` is told where it is.
    private static string? NestedField(SelectExpr select, SchemaType record)
    {
        string head = PathText(select.Operand) is { } path ? path + "." : "";
        foreach (SchemaField field in record.Fields)
        {
            if (field.Type.Kind == ValueKind.Record && field.Type.Field(select.Field) is not null) { return $"did you mean `{head}{field.Name}.{select.Field}`?"; }
        }

        return null;
    }

    internal static string? PathText(Expr expr) => expr switch
    {
        IdentExpr ident => ident.Name,
        SelectExpr { Test: false } select => PathText(select.Operand) is { } head ? $"{head}.{select.Field}" : null,
        CallExpr { Function: Operators.Index } index => PathText(index.Children[0]) is { } head ? $"{head}[{(index.Children[1] is ConstExpr { Value: string key } ? $"\"{key}\"" : "*")}]" : null,
        _ => null,
    };

    private CelType Call(CallExpr call)
    {
        ReadOnlySpan<Expr> children = call.Children;
        IReadOnlyList<Overload>? overloads = null;
        if (call.HasTarget && Qualified(children[0], out bool absolute) is { } space)
        {
            foreach (string candidate in _environment.Candidates($"{space}.{call.Function}", absolute))
            {
                if (_environment.Functions.Find(candidate) is not { } found || found.All(o => o.Member)) { continue; }
                overloads = found;
                call.ResolvedName = candidate;
                call.ResolvedMember = false;
                break;
            }
        }
        else if (!call.HasTarget)
        {
            bool rooted = call.Function[0] == '.';
            foreach (string candidate in _environment.Candidates(rooted ? call.Function[1..] : call.Function, rooted))
            {
                if (_environment.Functions.Find(candidate) is not { } found) { continue; }
                overloads = found;
                call.ResolvedName = candidate;
                break;
            }
        }

        overloads ??= _environment.Functions.Find(call.Function);
        ReadOnlySpan<Expr> operands = call.Operands;
        var arguments = new CelType[operands.Length];
        for (int i = 0; i < arguments.Length; i++) { arguments[i] = Infer(operands[i]); }
        if (overloads is null)
        {
            string? near = Enough ? null : NearestName.Find(call.Function, _environment.Functions.Names.Where(n => char.IsAsciiLetter(n[0])).Concat(MacroNames).Order(StringComparer.Ordinal));
            Fail(call.Position, CelCodes.UnknownFunction, $"unknown function `{call.Function}`", near is null ? null : $"did you mean `{near}`?");
            return CelType.Dyn;
        }

        return Dispatch(call, overloads, arguments);
    }

    internal static readonly string[] MacroNames =
        ["has", "all", "exists", "exists_one", "existsOne", "map", "filter", "transformList", "transformMap", "transformMapEntry", "sortBy", "optMap", "optFlatMap"];

    private CelType Dispatch(CallExpr call, IReadOnlyList<Overload> overloads, CelType[] arguments)
    {
        if (call.Function is Operators.Equal or Operators.NotEqual)
        {
            CelType left = Resolved(arguments[0]), right = Resolved(arguments[1]);
            if (left.Kind == CelKind.Null || right.Kind == CelKind.Null || (left.IsNumber && right.IsNumber)) { return CelType.Bool; }
        }

        if (call.Function == Operators.In && Resolved(arguments[0]) is { IsNumber: true } && Resolved(arguments[1]) is { Kind: CelKind.List or CelKind.Map } container && Resolved(container.Parameters[0]).IsNumber) { return CelType.Bool; }
        if (call.Function == Operators.In && Resolved(arguments[0]) is { Kind: CelKind.Null } && Resolved(arguments[1]) is { Kind: CelKind.List }) { return CelType.Bool; }
        CelType? result = null;
        foreach (Overload overload in overloads)
        {
            if (overload.Member != call.ResolvedMember || !overload.Takes(arguments.Length)) { continue; }
            CelType[] signature = _types.Instantiate(overload.Signature);
            if (overload.Variadic && arguments.Length != overload.Arity)
            {
                CelType repeated = signature[^2];
                signature = [.. signature[..^2], .. Enumerable.Repeat(repeated, arguments.Length - overload.Arity + 1), signature[^1]];
            }

            if (!_types.Assign(signature.AsSpan(..^1), arguments)) { continue; }
            CelType returned = Resolved(signature[^1]);
            // Several overloads fit where an argument's type is not known: then neither is the result's.
            result = result is null || CelType.Same(result, returned) ? returned : CelType.Dyn;
        }

        if (result is not null) { return result; }
        string given = string.Join(", ", arguments.Skip(call.ResolvedMember ? 1 : 0).Select(a => Resolved(a).ToString()));
        string name = Operators.Sign(call.Function) is { } sign && arguments.Length == 2
            ? $"`{sign}` does not take {Resolved(arguments[0])} and {Resolved(arguments[1])}"
            : call.Function switch
            {
                Operators.Not => $"`!` does not take {Resolved(arguments[0])}",
                Operators.Negate => $"`-` does not take {Resolved(arguments[0])}",
                Operators.Index or Operators.OptionalIndex => $"a value of type {Resolved(arguments[0])} cannot be indexed by {Resolved(arguments[1])}",
                _ when call.ResolvedMember => $"`{call.Function}` on a value of type {Resolved(arguments[0])} does not take ({given})",
                _ => $"`{call.ResolvedName}` does not take ({given})",
            };
        Fail(call.Position, CelCodes.Type, name, Mend(call, arguments, overloads));
        return overloads.Count > 0 && overloads.All(o => CelType.Same(o.Signature[^1], overloads[0].Signature[^1])) && overloads[0].Signature[^1].Kind != CelKind.Param ? overloads[0].Signature[^1] : CelType.Dyn;
    }

    private string? Mend(CallExpr call, CelType[] arguments, IReadOnlyList<Overload> overloads)
    {
        if (arguments.Length == 2 && Resolved(arguments[0]).IsNumber && Resolved(arguments[1]).IsNumber && Operators.Precedence(call.Function) > 3)
        {
            return "numbers of different types do not mix in arithmetic: convert one, as in double(x)";
        }

        if (call.HasTarget && !overloads.Any(o => o.Member)) { return $"write {call.Function}(...)"; }
        if (!call.HasTarget && !overloads.Any(o => !o.Member)) { return $"write x.{call.Function}(...)"; }
        return null;
    }

    private CelType Logic(LogicExpr logic)
    {
        foreach (Expr operand in logic.Children)
        {
            CelType type = Infer(operand);
            if (!_types.Assign(CelType.Bool, type)) { Fail(operand.Position, CelCodes.Type, $"`{(logic.And ? "&&" : "||")}` takes bool, not {Resolved(type)}"); }
        }

        return CelType.Bool;
    }

    private CelType Conditional(ConditionalExpr conditional)
    {
        CelType test = Infer(conditional.Test);
        if (!_types.Assign(CelType.Bool, test)) { Fail(conditional.Test.Position, CelCodes.Type, $"the test of `?:` is {Resolved(test)}, not bool"); }
        CelType then = Infer(conditional.Then), otherwise = Infer(conditional.Otherwise);
        if (_types.Assign(CelType.Bool, test) && _types.Assign([_types.Fresh()], [then]))
        {
            CelType joined = _types.Join(then, otherwise);
            if (joined.Kind != CelKind.Dyn || Resolved(then).Kind == CelKind.Dyn || Resolved(otherwise).Kind == CelKind.Dyn) { return joined; }
        }

        Fail(conditional.Position, CelCodes.Type, $"the two ways of `?:` are {Resolved(then)} and {Resolved(otherwise)}", "make them one type, or wrap one in dyn()");
        return CelType.Dyn;
    }

    private CelType List(ListExpr list)
    {
        CelType? element = null;
        for (int i = 0; i < list.Children.Length; i++)
        {
            CelType type = Infer(list.Children[i]);
            if (list.IsOptional(i)) { type = Unwrapped(list.Children[i], type); }
            element = element?.Kind == CelKind.Dyn ? element : _types.Join(element, type);
        }

        return CelType.List(element ?? _types.Fresh());
    }

    private CelType Map(MapExpr map)
    {
        CelType? key = null, value = null;
        for (int i = 0; i < map.Count; i++)
        {
            Expr keyExpr = map.Children[2 * i], valueExpr = map.Children[(2 * i) + 1];
            CelType keyType = Resolved(Infer(keyExpr));
            if (keyType.Kind is not (CelKind.String or CelKind.Int or CelKind.UInt or CelKind.Bool or CelKind.Dyn or CelKind.Param)) { Fail(keyExpr.Position, CelCodes.Type, $"a map's key may be string, int, uint, or bool, not {keyType}"); }
            CelType valueType = Infer(valueExpr);
            if (map.IsOptional(i)) { valueType = Unwrapped(valueExpr, valueType); }
            key = _types.Join(key, keyType);
            value = _types.Join(value, valueType);
        }

        return CelType.Map(key ?? _types.Fresh(), value ?? _types.Fresh());
    }

    private CelType Unwrapped(Expr expr, CelType type)
    {
        CelType inner = _types.Fresh();
        if (_types.Assign(CelType.Optional(inner), type)) { return Resolved(inner); }
        Fail(expr.Position, CelCodes.Type, $"`?` takes an optional, not {Resolved(type)}");
        return CelType.Dyn;
    }

    private CelType Bind(BindExpr bind)
    {
        CelType init = Infer(bind.Init);
        bind.Local = Push(bind.Variable, init);
        CelType body = Infer(bind.Body);
        _scope.RemoveAt(_scope.Count - 1);
        return body;
    }

    private CelType Block(BlockExpr block)
    {
        int scope = _scope.Count;
        var locals = new LocalVariable[block.Slots.Length];
        for (int i = 0; i < locals.Length; i++)
        {
            CelType slot = Infer(block.Slots[i]);
            locals[i] = Push($"@index{i}", slot);
        }

        block.Locals = locals;
        CelType result = Infer(block.Result);
        _scope.RemoveRange(scope, _scope.Count - scope);
        return result;
    }

    private CelType Struct(StructExpr construct)
    {
        foreach (Expr value in construct.Children) { Infer(value); }
        Fail(construct.Position, CelCodes.Type, $"a record (`{construct.TypeName}{{…}}`) cannot be made in a condition", "write a map: {\"field\": value}");
        return CelType.Dyn;
    }

    private CelType Comprehension(ComprehensionExpr macro)
    {
        CelType range = Resolved(Infer(macro.Range));
        if (macro.Kind is ComprehensionKind.OptMap or ComprehensionKind.OptFlatMap) { return OptionalMap(macro, range); }
        CelType first, second = CelType.Dyn;
        switch (range.Kind)
        {
            case CelKind.List:
                first = macro.Variable2 is null ? range.Element : CelType.Int;
                second = range.Element;
                break;
            case CelKind.Map:
                first = range.Key;
                second = range.Value;
                break;
            case CelKind.Param:
                CelType element = _types.Fresh();
                _types.Assign(range, CelType.Dyn);
                first = macro.Variable2 is null ? element : CelType.Dyn;
                second = element;
                break;
            default:
                if (range.Kind != CelKind.Dyn) { Fail(macro.Range.Position, CelCodes.Type, $"`{macro.Macro}` goes over a list or a map, not {range}"); }
                first = CelType.Dyn;
                break;
        }

        if (macro.Kind == ComprehensionKind.SortBy && range.Kind == CelKind.Map) { Fail(macro.Range.Position, CelCodes.Type, "`sortBy` takes a list"); }
        int scope = _scope.Count;
        macro.Local = Push(macro.Variable, first);
        if (macro.Variable2 is not null) { macro.Local2 = Push(macro.Variable2, second); }
        if (macro.Filter is { } filter) { Predicate(macro, filter, Infer(filter)); }
        CelType body = Infer(macro.Body);
        _scope.RemoveRange(scope, _scope.Count - scope);
        switch (macro.Kind)
        {
            case ComprehensionKind.All or ComprehensionKind.Exists or ComprehensionKind.ExistsOne:
                Predicate(macro, macro.Body, body);
                return CelType.Bool;
            case ComprehensionKind.Filter:
                Predicate(macro, macro.Body, body);
                return CelType.List(first);
            case ComprehensionKind.Map or ComprehensionKind.TransformList:
                return CelType.List(body);
            case ComprehensionKind.TransformMap:
                return CelType.Map(range.Kind == CelKind.Map ? range.Key : range.Kind == CelKind.List ? CelType.Int : CelType.Dyn, body);
            case ComprehensionKind.TransformMapEntry:
                if (Resolved(body).Kind is not (CelKind.Map or CelKind.Dyn)) { Fail(macro.Body.Position, CelCodes.Type, $"`{macro.Macro}` makes entries of maps, not of {Resolved(body)}"); }
                return body;
            default:
                if (Resolved(body).Kind is CelKind.List or CelKind.Map or CelKind.Record or CelKind.Null or CelKind.Type or CelKind.Opaque) { Fail(macro.Body.Position, CelCodes.Type, $"`sortBy` cannot order {Resolved(body)}"); }
                return range.Kind == CelKind.List ? range : CelType.List(CelType.Dyn);
        }
    }

    private CelType OptionalMap(ComprehensionExpr macro, CelType range)
    {
        CelType inner = _types.Fresh();
        if (!_types.Assign(CelType.Optional(inner), range)) { Fail(macro.Range.Position, CelCodes.Type, $"`{macro.Macro}` takes an optional, not {range}"); }
        macro.Local = Push(macro.Variable, Resolved(inner));
        CelType body = Infer(macro.Body);
        _scope.RemoveAt(_scope.Count - 1);
        if (macro.Kind == ComprehensionKind.OptMap) { return CelType.Optional(body); }
        CelType result = CelType.Optional(_types.Fresh());
        if (!_types.Assign(result, body)) { Fail(macro.Body.Position, CelCodes.Type, $"`optFlatMap` makes an optional, not {Resolved(body)}"); }
        return result;
    }

    private void Predicate(ComprehensionExpr macro, Expr predicate, CelType type)
    {
        if (!_types.Assign(CelType.Bool, type)) { Fail(predicate.Position, CelCodes.Type, $"the test of `{macro.Macro}` is {Resolved(type)}, not bool"); }
    }
}
