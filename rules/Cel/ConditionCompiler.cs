using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Compilation;
using PolicyStreams.Rules.Cel.Evaluation;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Rules.Costs;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Cel;

/// <summary>
/// Checks conditions against a binding's types and compiles them. What they read is added to the capture plan whose root row is <see cref="Root"/>,
/// so conditions are evaluated over frames of programs that were compiled after the last condition. For load time; not thread-safe.
/// </summary>
public sealed class ConditionCompiler
{
    private static readonly SchemaType PrincipalType = RecordOf("principal", ("id", Text), ("groups", new SchemaType { Kind = ValueKind.List, Element = Text }), ("via", Text));
    private static readonly SchemaType SchemaRecordType = RecordOf("schema", ("id", Number), ("subject", Text), ("version", Number));

    private readonly CelEnvironment _environment = new();
    private readonly Dictionary<string, (RecordVariable Variable, SchemaType Type)> _record;

    /// <param name="valueType">The checked schema's type.</param>
    /// <param name="keyType">String, Int, Bytes, or what the key's schema says. The variable <c>key</c> may be null whatever <see cref="SchemaType.Nullable"/> says.</param>
    /// <param name="root">Root row of the plan being built; its node has <paramref name="valueType"/>.</param>
    public ConditionCompiler(SchemaType valueType, SchemaType keyType, CaptureRow root)
    {
        ValueType = valueType;
        KeyType = keyType;
        Root = root;
        _record = new Dictionary<string, (RecordVariable Variable, SchemaType Type)>(StringComparer.Ordinal)
        {
            ["key"] = (RecordVariable.Key, keyType),
            ["headers"] = (RecordVariable.Headers, new SchemaType { Kind = ValueKind.Map, Element = Text }),
            ["principal"] = (RecordVariable.Principal, PrincipalType),
            ["topic"] = (RecordVariable.Topic, Text),
            ["partition"] = (RecordVariable.Partition, Number),
            ["offset"] = (RecordVariable.Offset, Number),
            ["timestamp"] = (RecordVariable.Timestamp, new SchemaType { Kind = ValueKind.Timestamp }),
            ["schema"] = (RecordVariable.Schema, SchemaRecordType),
        };
        _environment.Variables["value"] = CelType.FromSchema(valueType);
        foreach ((string name, (RecordVariable Variable, SchemaType Type) variable) in _record) { _environment.Variables[name] = CelType.FromSchema(variable.Type); }
        _environment.Variables["key"] = CelType.FromSchema(keyType).OrNull();
    }

    /// <summary>Most bytes of a value, for <see cref="Condition.Cost"/>. Default 1,048,576, as policies have it.</summary>
    public int RecordBytesMax { get; init; } = 1_048_576;

    /// <summary>Most headers, likewise. Default 64.</summary>
    public int HeadersMax { get; init; } = 64;

    /// <summary>True where values are Avro: their types then say how short they can be.</summary>
    public bool Avro { get; init; }

    /// <summary>The patterns of all conditions that belong together.</summary>
    internal PatternTable Patterns { get; init; } = new();

    public SchemaType ValueType { get; }

    public SchemaType KeyType { get; }

    public CaptureRow Root { get; }

    private static SchemaType Text => new() { Kind = ValueKind.String, NativeName = "string" };

    private static SchemaType Number => new() { Kind = ValueKind.Int, NativeName = "long" };

    /// <summary>Compiles one condition.</summary>
    /// <param name="diagnostics">Every mistake found is added, in the order of the text.</param>
    /// <returns>Null where there was one. The result's type is bool, or only known at run time.</returns>
    public Condition? Compile(string expression, ICollection<CelDiagnostic> diagnostics)
    {
        var source = new CelSource(expression);
        var found = new List<CelDiagnostic>();
        Condition? condition = Compile(source, found);
        foreach (CelDiagnostic diagnostic in found.OrderBy(d => d.Line).ThenBy(d => d.Column)) { diagnostics.Add(diagnostic); }
        return condition;
    }

    private Condition? Compile(CelSource source, List<CelDiagnostic> found)
    {
        if (CelParser.Parse(source, found) is not { } expr || !CelChecker.Check(expr, _environment, source, found, strict: true, out int locals)) { return null; }
        if (expr.Type.Kind is not (CelKind.Bool or CelKind.Dyn))
        {
            found.Add(source.At(expr.Position, CelCodes.NotBool, $"a condition is bool; this is {expr.Type}"));
            return null;
        }

        var notes = new List<CelDiagnostic>();
        int before = found.Count;
        new ConditionLint(_environment, source, Patterns, found, notes).Run(expr);
        if (found.Count > before) { return null; }
        var paths = new CapturePaths(ValueType, Root);
        var planner = new Planner(_environment, paths, _record);
        Node node = planner.PlanWhole(expr);
        var compiler = new TypedCompiler(paths, part => new Planner(_environment, paths, _record).Plan(part), locals, Patterns);
        BoolNode compiled = compiler.Bool(expr);
        return new Condition(node, compiled, locals)
        {
            InterpretedParts = compiler.Interpreted,
            FieldsRead = [.. paths.Read],
            ReadsKey = planner.ReadsKey,
            KeyPathsRead = KeyReads.Of(expr),
            Notes = notes,
            Cost = new ConditionCost(RecordBytesMax, HeadersMax, Avro).Of(expr, compiler.Interpreted > 0),
            BranchSyntax = planner.Branches,
            Source = source,
            Canonical = CelPrinter.Print(expr),
            Syntax = expr,
        };
    }

    private static SchemaType RecordOf(string name, params (string Name, SchemaType Type)[] fields)
    {
        var type = new SchemaType { Kind = ValueKind.Record, FullName = name };
        type.SetFields([.. fields.Select(f => new SchemaField { Name = f.Name, Type = f.Type })]);
        return type;
    }
}
