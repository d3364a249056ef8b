using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Compilation;
using PolicyStreams.Rules.Cel.Evaluation;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Rules.Tests.Cel;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Conformance.Tests;

/// <summary>
/// The compiled form, the emitted code, and the interpreter over every case that compiles. Conditions are bool, so an expression E of another type is asked as <c>E == E</c>
/// and as <c>E == its value</c>; a case's variables become fields of a record, so that they are read as those of records are.
/// </summary>
public sealed partial class CelConformance
{
    private sealed class FormTally
    {
        public int Compared { get; set; }

        public int Agreed { get; set; }

        public int Questions { get; set; }

        public int Whole { get; set; }

        public int Refused { get; set; }

        public int Checked { get; set; }

        public List<string> Refusals { get; } = [];

        // A case that wants an error agrees by being refused, but not because its function or grammar is not known here.
        public string? Refuse(string file, string expression, CelDiagnostic mistake)
        {
            Refusals.Add($"{file} {mistake.Code}: {expression}");
            return mistake.Code is CelCodes.UnknownFunction or CelCodes.Syntax ? $"refused as {mistake.Code}: {mistake.Message}" : null;
        }
    }

    // Null where the forms agree with each other, and with the result over plain variables.
    private static string? Differs(Expr expr, CelEnvironment environment, Dictionary<string, object?> variables, bool strict, object? result, FormTally forms)
    {
        forms.Compared++;
        var type = new SchemaType { Kind = ValueKind.Record, FullName = "Case" };
        type.SetFields([.. variables.Select(variable => new SchemaField { Name = variable.Key, Type = SchemaOf(variable.Value) })]);
        var record = new RecordValue(type, [.. variables.Values]);
        var typed = new CelEnvironment { Functions = environment.Functions, Container = environment.Container };
        foreach ((string name, (CelType Type, object? Value) constant) in environment.Constants) { typed.Constants[name] = constant; }
        foreach ((string name, CelType declared) in environment.Variables.Where(variable => !variables.ContainsKey(variable.Key))) { typed.Variables[name] = declared; }
        typed.Variables["value"] = CelType.FromSchema(type);

        Expr Again() => OverRecord(expr, variables);
        List<(Expr Question, string? Answer)> questions = [(Again(), TruthOf(result))];
        if (expr.Type.Kind != CelKind.Bool)
        {
            questions.Add((Equal(Again(), Again()), result is ErrorValue ? TruthOf(result) : null));
            if (result is not ErrorValue && Literal(result) is { } literal) { questions.Add((Equal(Again(), literal), null)); }
            // What has another type than bool is refused as a condition: it is asked by its value alone.
            if (expr.Type.Kind != CelKind.Dyn) { questions.RemoveAt(0); }
        }

        foreach ((Expr question, string? answer) in questions)
        {
            if (Differs(question, typed, record, strict, answer, forms) is { } difference) { return $"asked as {CelPrinter.Print(question)}: {difference}"; }
        }

        forms.Agreed++;
        return null;
    }

    private static string? Differs(Expr question, CelEnvironment environment, RecordValue record, bool strict, string? answer, FormTally forms)
    {
        forms.Questions++;
        var diagnostics = new List<CelDiagnostic>();
        if (!CelChecker.Check(question, environment, new CelSource(""), diagnostics, strict, out int locals)) { return $"does not compile: {diagnostics[0].Message}"; }
        var root = new CaptureRow { Node = new CaptureNode { Type = record.Type } };
        var paths = new CapturePaths(record.Type, root);
        Node interpreter = new Planner(environment, paths, null).Plan(question);
        var compiler = new TypedCompiler(paths, part => new Planner(environment, paths, null).Plan(part), locals);
        BoolNode steps = compiler.Bool(question);
        if (compiler.Interpreted == 0) { forms.Whole++; }
        var records = new PlainRecords(root);
        ConditionInput input = records.Input(records.Fill(record));

        EvalState state = EvalState.Rent(locals);
        string interpreted = TruthOf(interpreter.Eval(ref input, state));
        state.Return();
        if (answer is not null && interpreted != answer) { return $"{interpreted} over a record, {answer} over plain variables"; }
        CompiledState scratch = default;
        Truth truth = steps.Eval(ref input, ref scratch);
        string compiled = truth == Truth.Error ? EvalErrors.Code(scratch.Error) : truth.ToString();
        if (compiled != interpreted) { return $"compiled gives {compiled}, interpreted {interpreted}"; }
        if (!ConditionEmitter.Works) { return null; }
        // Emitted code says what is plainly true or false, or nothing.
        ConditionEmitter.Emit([steps], root.SlotCount)(ref input, out ulong holds, out ulong unsure);
        return unsure != 0 || compiled == (holds != 0 ? nameof(Truth.True) : nameof(Truth.False)) ? null : $"emitted gives {holds}, interpreted {interpreted}";
    }

    private static string TruthOf(object? value) => Values.Unwrap(value) switch
    {
        true => nameof(Truth.True),
        false => nameof(Truth.False),
        ErrorValue failed => EvalErrors.Code(failed.Code),
        null => EvalErrors.Code(EvalError.NullUse),
        _ => EvalErrors.Code(EvalError.Type),
    };

    private static CallExpr Equal(Expr left, Expr right) => new(0, Operators.Equal, false, left, right);

    // A fresh tree, in which what was resolved to a variable of the case is a field of the record.
    private static Expr OverRecord(Expr expr, Dictionary<string, object?> variables)
    {
        Reference? reference = expr switch { IdentExpr ident => ident.Reference, SelectExpr select => select.Reference, _ => null };
        return reference is VariableReference variable && variables.ContainsKey(variable.Name)
            ? new SelectExpr(0, new IdentExpr(0, "value", absolute: true), variable.Name)
            : expr.WithChildren([.. expr.Children.ToArray().Select(child => OverRecord(child, variables))]);
    }

    // Null for a value that has no literal.
    private static Expr? Literal(object? value)
    {
        switch (Values.Unwrap(value))
        {
            case null or bool or long or ulong or double or string or byte[]:
                return new ConstExpr(0, Values.Unwrap(value));
            case List<object?> list:
                Expr?[] elements = [.. list.Select(Literal)];
                return elements.Contains(null) ? null : new ListExpr(0, elements!);
            case MapValue map:
                Expr?[] entries = [.. map.SelectMany(entry => (Expr?[])[Literal(entry.Key), Literal(entry.Value)])];
                return entries.Contains(null) ? null : new MapExpr(0, entries!);
            default:
                return null;
        }
    }

    private static SchemaType SchemaOf(object? value) => value switch
    {
        bool => new SchemaType { Kind = ValueKind.Bool },
        long => new SchemaType { Kind = ValueKind.Int },
        ulong => new SchemaType { Kind = ValueKind.UInt },
        double => new SchemaType { Kind = ValueKind.Double },
        string => new SchemaType { Kind = ValueKind.String },
        byte[] => new SchemaType { Kind = ValueKind.Bytes },
        List<object?> list => new SchemaType { Kind = ValueKind.List, Element = list.Count > 0 ? SchemaOf(list[0]) : SchemaType.AnyJson },
        MapValue map => new SchemaType { Kind = ValueKind.Map, Element = map.Count > 0 ? SchemaOf(map.First().Value) : SchemaType.AnyJson },
        _ => SchemaType.AnyJson,
    };
}
