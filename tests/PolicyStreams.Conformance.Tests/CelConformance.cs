using System.Globalization;
using System.Text;
using System.Text.Json;
using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Evaluation;
using PolicyStreams.Rules.Cel.Library;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Rules.Tests.Cel;
using PolicyStreams.Schemas;

namespace PolicyStreams.Conformance.Tests;

/// <summary>cel-spec's own cases, from the folder that POLICYSTREAMS_CEL_CASES names. Every file and every case.</summary>
public sealed partial class CelConformance(ITestOutputHelper output)
{
    private const string Variable = "POLICYSTREAMS_CEL_CASES";

    [Fact]
    public void Evaluate_CasesOfCelSpec_Agrees()
    {
        string? folder = Environment.GetEnvironmentVariable(Variable);
        Assert.SkipWhen(string.IsNullOrEmpty(folder), $"{Variable} names no folder of cases.");
        string[] files = [.. Directory.GetFiles(folder!, "*.json").Order(StringComparer.Ordinal)];
        Assert.NotEmpty(files);
        var forms = new FormTally();
        int cases;
        int disagreeing;
        using (var tally = new CaseTally(Say))
        {
            foreach (string file in files)
            {
                tally.Group(Path.GetFileName(file), () =>
                {
                    using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
                    foreach (JsonElement test in document.RootElement.EnumerateArray())
                    {
                        tally.Case($"{Path.GetFileName(file)} {test.GetProperty("section")}/{test.GetProperty("name")}: {test.GetProperty("expr")}", () => Run(test, Path.GetFileName(file), forms));
                    }
                });
                tally.EndFile(Path.GetFileName(file));
            }

            foreach (string refusal in forms.Refusals) { Say($"refused: {refusal}"); }
            Say($"compiled: {forms.Agreed} of {forms.Compared} the same; {forms.Whole} of their {forms.Questions} questions with no part left to the interpreter; {forms.Refused} cases are refused, {forms.Checked} only checked");
            (cases, disagreeing) = (tally.Cases, tally.Disagreeing);
        }

        Assert.True(cases > 0, "The folder has no case.");
        Assert.Equal(0, disagreeing);
        Assert.Equal((forms.Compared, cases), (forms.Agreed, forms.Compared + forms.Refused + forms.Checked));
    }

    private void Say(string line)
    {
        output.WriteLine(line);
        Console.WriteLine(line);
    }

    // Null where the case agrees.
    private static string? Run(JsonElement test, string file, FormTally forms)
    {
        var variables = new Dictionary<string, object?>(StringComparer.Ordinal);
        CelEnvironment environment = EnvironmentOf(test, variables);
        bool strict = !Flag(test, "disableCheck");
        bool wantsError = test.TryGetProperty("evalError", out _);
        var source = new CelSource(test.GetProperty("expr").GetString()!);
        var diagnostics = new List<CelDiagnostic>();
        if (CelParser.Parse(source, diagnostics) is not { } expr || !CelChecker.Check(expr, environment, source, diagnostics, strict, out int locals))
        {
            forms.Refused++;
            return wantsError ? forms.Refuse(file, source.Text, diagnostics[0]) : $"does not compile: {diagnostics[0].Message}";
        }

        if (test.TryGetProperty("typedResult", out JsonElement typed) && typed.TryGetProperty("deducedType", out JsonElement deduced))
        {
            CelType wanted = TypeOf(deduced);
            if (expr.Type.OrNull(false).ToString() != wanted.ToString()) { return $"type {expr.Type}, not {wanted}"; }
        }

        if (Flag(test, "checkOnly"))
        {
            forms.Checked++;
            return null;
        }

        Node node = new Planner(environment, null, null).Plan(expr);
        EvalState state = EvalState.Rent(locals);
        state.Variables = variables;
        ConditionInput input = default;
        object? result = Values.Unwrap(node.Eval(ref input, state));
        state.Return();
        if (CelPrinter.Print(expr) is var printed && !Trees.Same(expr, CelParser.Parse(new CelSource(printed), diagnostics))) { return $"printed as {printed}, which is another tree"; }
        if (wantsError) { return result is ErrorValue ? Differs(expr, environment, variables, strict, result, forms) : $"{Spell(result)}, not an error"; }
        if (result is ErrorValue error) { return $"fails with {EvalErrors.Code(error.Code)}"; }
        JsonElement value = test.TryGetProperty("value", out JsonElement given) ? given
            : typed.ValueKind == JsonValueKind.Object && typed.TryGetProperty("result", out JsonElement typedValue) ? typedValue : default;
        object? expected = value.ValueKind == JsonValueKind.Undefined ? true : ValueOf(value);
        // Two expected values were made by a tool that does not know protobuf's text escape `\?`: in cel-spec's file they are a question mark alone.
        bool misread = test.GetProperty("section").GetString() == "bytes_literals" && test.GetProperty("name").GetString()!.EndsWith("quoted_unescaped_punctuation", StringComparison.Ordinal)
            && value.GetRawText().Contains("IFw/ICIgJyBgIA==", StringComparison.Ordinal);
        if (misread) { expected = " ? \" ' ` "u8.ToArray(); }
        return Same(expected, result) ? Differs(expr, environment, variables, strict, result, forms) : $"{Spell(result)}, not {Spell(expected)}";
    }

    private static bool Flag(JsonElement test, string name) => test.TryGetProperty(name, out JsonElement flag) && flag.GetBoolean();

    private static CelEnvironment EnvironmentOf(JsonElement test, Dictionary<string, object?> variables)
    {
        FunctionTable functions = StandardLibrary.Functions;
        string section = test.GetProperty("section").GetString()!;
        if (test.TryGetProperty("typeEnv", out JsonElement declarations) || section.StartsWith("strong_", StringComparison.Ordinal)) { functions = functions.Extend(); }
        var environment = new CelEnvironment { Functions = functions, Container = test.TryGetProperty("container", out JsonElement container) ? container.GetString()! : "" };
        if (test.TryGetProperty("bindings", out JsonElement bindings))
        {
            foreach (JsonProperty binding in bindings.EnumerateObject())
            {
                variables[binding.Name] = ValueOf(binding.Value.GetProperty("value"));
                environment.Variables[binding.Name] = CelType.Dyn;
            }
        }

        if (declarations.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement declaration in declarations.EnumerateArray())
            {
                string name = declaration.GetProperty("name").GetString()!;
                if (declaration.TryGetProperty("ident", out JsonElement ident)) { environment.Variables[name] = TypeOf(ident.GetProperty("type")); }
                if (declaration.TryGetProperty("function", out JsonElement function)) { Declare(functions, name, function); }
            }
        }

        AddEnums(environment, functions, strong: section.StartsWith("strong_", StringComparison.Ordinal));
        return environment;
    }

    // The enum of the specification's test messages: as ints, or as a type of its own.
    private static void AddEnums(CelEnvironment environment, FunctionTable functions, bool strong)
    {
        foreach (string package in new[] { "cel.expr.conformance.proto2", "cel.expr.conformance.proto3" })
        {
            string name = $"{package}.GlobalEnum";
            CelType type = CelType.Opaque(name);
            foreach ((string symbol, long number) in new[] { ("GOO", 0L), ("GAR", 1L), ("GAZ", 2L) })
            {
                environment.Constants[$"{name}.{symbol}"] = strong ? (type, new NamedValue(type, number)) : (CelType.Int, number);
            }

            if (strong) { functions.Add("int", new Overload { Member = false, Signature = [type, CelType.Int], Implementation = a => ((NamedValue)a[0]!).Number }); }
        }
    }

    private static void Declare(FunctionTable functions, string name, JsonElement function)
    {
        foreach (JsonElement overload in function.GetProperty("overloads").EnumerateArray())
        {
            CelType[] signature = [.. overload.TryGetProperty("params", out JsonElement parameters) ? parameters.EnumerateArray().Select(TypeOf) : [], TypeOf(overload.GetProperty("resultType"))];
            functions.Add(name, new Overload { Member = Flag(overload, "isInstanceFunction"), Signature = signature });
        }
    }

    private static CelType TypeOf(JsonElement type)
    {
        JsonProperty kind = type.EnumerateObject().First();
        JsonElement inner = kind.Value;
        return kind.Name switch
        {
            "primitive" => inner.GetString() switch
            {
                "BOOL" => CelType.Bool,
                "INT64" => CelType.Int,
                "UINT64" => CelType.UInt,
                "DOUBLE" => CelType.Double,
                "STRING" => CelType.String,
                _ => CelType.Bytes,
            },
            "wellKnown" => inner.GetString() switch { "TIMESTAMP" => CelType.Timestamp, "DURATION" => CelType.Duration, _ => CelType.Dyn },
            "wrapper" => TypeOf(JsonDocument.Parse($"{{\"primitive\":{inner.GetRawText()}}}").RootElement).OrNull(),
            "null" => CelType.Null,
            "listType" => CelType.List(inner.TryGetProperty("elemType", out JsonElement element) ? TypeOf(element) : CelType.Dyn),
            "mapType" => CelType.Map(TypeOf(inner.GetProperty("keyType")), TypeOf(inner.GetProperty("valueType"))),
            "typeParam" => CelType.Param(inner.GetString()!),
            "type" => CelType.TypeOf(inner.EnumerateObject().Any() ? TypeOf(inner) : CelType.Dyn),
            "abstractType" => inner.GetProperty("name").GetString() == CelType.OptionalName
                ? CelType.Optional(TypeOf(inner.GetProperty("parameterTypes")[0]))
                : CelType.Opaque(inner.GetProperty("name").GetString()!, [.. inner.TryGetProperty("parameterTypes", out JsonElement parameters) ? parameters.EnumerateArray().Select(TypeOf) : []]),
            _ => CelType.Dyn,
        };
    }

    private static object? ValueOf(JsonElement value)
    {
        JsonProperty kind = value.EnumerateObject().First();
        JsonElement inner = kind.Value;
        switch (kind.Name)
        {
            case "nullValue": return null;
            case "boolValue": return inner.GetBoolean();
            case "int64Value": return long.Parse(inner.GetString()!, CultureInfo.InvariantCulture);
            case "uint64Value": return ulong.Parse(inner.GetString()!, CultureInfo.InvariantCulture);
            case "doubleValue":
                return inner.ValueKind == JsonValueKind.Number ? inner.GetDouble()
                    : inner.GetString() switch { "NaN" => double.NaN, "Infinity" => double.PositiveInfinity, "-Infinity" => double.NegativeInfinity, var text => double.Parse(text!, CultureInfo.InvariantCulture) };
            case "stringValue": return inner.GetString();
            case "bytesValue": return inner.GetBytesFromBase64();
            case "typeValue": return StandardLibrary.TypeNames.TryGetValue(inner.GetString()!, out CelType? type) ? type : CelType.Opaque(inner.GetString()!);
            case "listValue": return (List<object?>)[.. inner.TryGetProperty("values", out JsonElement values) ? values.EnumerateArray().Select(ValueOf) : []];
            case "mapValue":
                var map = new MapValue();
                if (inner.TryGetProperty("entries", out JsonElement entries))
                {
                    foreach (JsonElement entry in entries.EnumerateArray()) { map[ValueOf(entry.GetProperty("key"))!] = ValueOf(entry.GetProperty("value")); }
                }

                return map;
            default:
                return new UnsupportedValue(kind.Name);
        }
    }

    // Stricter than CEL's equality: of the same type, NaN equal to itself.
    private static bool Same(object? expected, object? result)
    {
        result = Values.Unwrap(result);
        switch (expected)
        {
            case double number: return result is double other && (number.Equals(other) || number == other);
            case List<object?> list: return result is List<object?> otherList && list.Count == otherList.Count && list.Zip(otherList).All(pair => Same(pair.First, pair.Second));
            case MapValue map: return result is MapValue otherMap && map.Count == otherMap.Count && map.All(entry => otherMap.TryGetValue(entry.Key, out object? other) && Same(entry.Value, other));
            default: return Values.KindOf(expected) == Values.KindOf(result) && Values.Equal(expected, result) == true;
        }
    }

    private static string Spell(object? value)
    {
        switch (value)
        {
            case null: return "null";
            case List<object?> list: return $"[{string.Join(", ", list.Select(Spell))}]";
            case MapValue map: return $"{{{string.Join(", ", map.Select(entry => $"{Spell(entry.Key)}: {Spell(entry.Value)}"))}}}";
            case byte[] bytes: return Convert.ToHexString(bytes);
            case string text: return $"\"{text}\"";
            default: return string.Create(CultureInfo.InvariantCulture, $"{value} ({value.GetType().Name})");
        }
    }

    private sealed record UnsupportedValue(string Kind);
}
