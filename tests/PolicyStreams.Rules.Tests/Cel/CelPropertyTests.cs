using System.Diagnostics;
using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Cel.Compilation;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Tests;

namespace PolicyStreams.Rules.Tests.Cel;

/// <summary>What holds of every expression: compiled and interpreted agree, printing keeps meaning, no text makes the parser fail otherwise than by a diagnostic.</summary>
public sealed class CelPropertyTests
{
    [Fact]
    public void Evaluate_RandomWellTypedConditions_CompiledAgreesWithInterpreter()
    {
        // Longer on demand: POLICYSTREAMS_FUZZ_SECONDS, and one seed again: POLICYSTREAMS_FUZZ_SEED.
        int seed = Fuzz.Seed();
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("POLICYSTREAMS_FUZZ_SECONDS"), out int seconds) ? Math.Max(500, 150 * seconds) : 500;
        var random = new Random(seed);
        int compiledWhole = 0, errors = 0, evaluated = 0, plain = 0;
        for (int i = 0; i < rounds; i++)
        {
            CaptureRow plan = Payments.Plan();
            var compiler = new ConditionCompiler(Payments.Type, Payments.Text, plan);
            var conditions = new List<Condition>();
            var reprinted = new List<Condition>();
            for (int j = 0; j < 4; j++)
            {
                string expression = Bool(random, 4, []);
                var diagnostics = new List<CelDiagnostic>();
                Condition? condition = compiler.Compile(expression, diagnostics);
                // A constant that can never work is refused, and rightly.
                if (condition is null && diagnostics.TrueForAll(one => one.Code == CelCodes.Constant)) { continue; }
                Assert.True(condition is not null, $"seed {seed}: {expression}: {string.Join("; ", diagnostics)}");
                Assert.True(Trees.Same(condition.Syntax, Parsed(condition.Canonical)), $"seed {seed}: {expression}: printed as {condition.Canonical}");
                conditions.Add(condition);
                reprinted.Add(compiler.Compile(condition.Canonical, [])!);
                compiledWhole += condition.InterpretedParts == 0 ? 1 : 0;
            }

            var records = new PlainRecords(plan);
            EmittedConditions? emitted = ConditionEmitter.Works ? ConditionEmitter.Emit([.. conditions.Select(condition => condition.Steps)], plan.SlotCount) : null;
            for (int j = 0; j < 3; j++)
            {
                ConditionInput input = records.Input(records.Fill(Record(random)));
                ulong holds = 0, unsure = ulong.MaxValue;
                emitted?.Invoke(ref input, out holds, out unsure);
                for (int k = 0; k < conditions.Count; k++)
                {
                    // Emitted code says what is plainly true or false, or nothing.
                    if ((unsure & (1UL << k)) != 0) { continue; }
                    plain++;
                    Truth truth = conditions[k].Evaluate(ref input, out _);
                    Assert.True(truth == ((holds & (1UL << k)) != 0 ? Truth.True : Truth.False), $"seed {seed}: {conditions[k].Canonical}: {truth}, emitted {(holds & (1UL << k)) != 0}");
                }

                foreach ((Condition condition, Condition again) in conditions.Zip(reprinted))
                {
                    Truth compiled = condition.Evaluate(ref input, out EvalError error);
                    Truth interpreted = condition.Interpret(ref input, null, out EvalError interpretedError);
                    Assert.True((compiled, error) == (interpreted, interpretedError), $"seed {seed}: {condition.Canonical}: {compiled} {error}, interpreted {interpreted} {interpretedError}");
                    Assert.True((compiled, error) == (again.Evaluate(ref input, out EvalError printedError), printedError), $"seed {seed}: {condition.Canonical}: {compiled} {error}, otherwise where it is printed");
                    errors += compiled == Truth.Error ? 1 : 0;
                    evaluated++;
                }
            }
        }

        // The property is worth something only where both forms ran and some evaluations failed.
        Assert.InRange(compiledWhole, rounds / 3, (4 * rounds) - 1);
        Assert.InRange(errors, evaluated / 100, evaluated * 9 / 10);
        Assert.True(plain > rounds || !ConditionEmitter.Works, $"{plain} by emitted code");
    }

    private static Expr? Parsed(string text) => CelParser.Parse(new CelSource(text), []);

    // Every kind of node, each part in parentheses: what the printer leaves out of them must not be needed.
    [Fact]
    public void Print_RandomTrees_ParsesToTheSameTree()
    {
        int seed = Fuzz.Seed();
        var random = new Random(seed);
        for (int i = 0; i < 20_000; i++)
        {
            string text = Any(random, 4);
            Expr? expr = Parsed(text);
            Assert.True(expr is not null, $"seed {seed}: {text}");
            string printed = CelPrinter.Print(expr);
            Assert.True(Trees.Same(expr, Parsed(printed)), $"seed {seed}: {text}: printed as {printed}");
            Assert.Equal(printed, CelPrinter.Canonical(printed, []));
        }
    }

    private static string Any(Random random, int depth)
    {
        string One() => Any(random, depth - 1);
        string Field() => Pick(random, "f", "`a-b`", "for", "in_");
        switch (random.Next(depth > 0 ? 33 : 10))
        {
            case 0 or 1: return Pick(random, "a", "b", ".a", ".a.b", "in_", "cel.index(0)", "cel.iterVar(0, 1)");
            case 2: return Pick(random, "0", "1", "-1", "(-1)", "-9223372036854775808", "9223372036854775807", "0x1F", "-0x1F");
            case 3: return Pick(random, "0u", "18446744073709551615u", "(1u)");
            case 4: return Pick(random, "0.0", "-0.0", "1.5", "-1.5", "(-1.5)", "1e300", "-1e-300", "5e-324", "100000.0", "0.1");
            case 5: return Pick(random, "''", "'a'", "\"a\\\"\\'\\\\\"", "'\\n\\r\\t\\x00\\x7f\\u0085\\u2028'", "r'\\d'", "'\U0001F600'", "'\\`\\?'", "\"\"\"a\"b\nc\"\"\"");
            case 6: return Pick(random, "b''", "b'\\xff\\x00\"\\\\'", "b'é'", "rb'\\d'");
            case 7: return Pick(random, "true", "false", "null", "[]", "{}");
            case 8 or 9: return "a.b.c";
            case 10: return $"({One()}) {Pick(random, "==", "!=", "<", "<=", ">", ">=", "in")} ({One()})";
            case 11 or 12: return $"({One()}) {Pick(random, "+", "-")} ({One()})";
            case 13 or 14: return $"({One()}) {Pick(random, "*", "/", "%")} ({One()})";
            case 15 or 16: return $"({One()}) {Pick(random, "&&", "||")} ({One()})";
            case 17 or 18: return $"{Pick(random, "-", "!", "--", "!!", "---")}({One()})";
            case 19 or 20: return $"({One()}) ? ({One()}) : ({One()})";
            case 21: return $"({One()}).{Pick(random, "", "?")}{Field()}";
            case 22: return $"({One()})[{Pick(random, "", "?")}{One()}]";
            case 23: return $"has(({One()}).{Pick(random, "", "?")}{Field()})";
            case 24: return $"({One()}).f({One()}, {One()})";
            case 25: return $"{Pick(random, "f", ".f", "a.b.f")}({One()})";
            case 26: return $"[{Pick(random, "", "?")}{One()}, {Pick(random, "", "?")}{One()}]";
            case 27: return $"{{{Pick(random, "", "?")}{One()}: {One()}, {Pick(random, "", "?")}{One()}: {One()}}}";
            case 28 when random.Next(2) == 0: return $"({One()}).{Pick(random, "all", "exists", "exists_one", "existsOne", "filter", "map", "sortBy", "optMap", "optFlatMap")}(x, {One()})";
            case 28: return $"({One()}).{Pick(random, "all", "exists", "exists_one", "existsOne", "transformList", "transformMap", "transformMapEntry")}(x, y, {One()})";
            case 29: return $"({One()}).{Pick(random, "map(x, ", "transformList(x, y, ", "transformMap(x, y, ", "transformMapEntry(x, y, ")}{One()}, {One()})";
            case 30: return $"cel.bind(x, {One()}, {One()})";
            case 31: return $"cel.block([{One()}, {One()}], {One()})";
            default: return $"a.b{{f: {One()}, `a-b`: {One()}}}";
        }
    }

    private static string Pick(Random random, params string[] from) => from[random.Next(from.Length)];

    internal static string Bool(Random random, int depth, string[] rows)
    {
        string row = rows.Length > 0 ? rows[random.Next(rows.Length)] : "";
        switch (random.Next(depth > 0 ? 32 : 8))
        {
            case 0: return $"{Text(random, rows)} {Pick(random, "==", "!=", "<", "<=", ">", ">=")} {Text(random, rows)}";
            case 1: return $"{Int(random, depth - 1, rows)} {Pick(random, "==", "!=", "<", "<=", ">", ">=")} {Int(random, depth - 1, rows)}";
            case 2: return $"{Double(random, depth - 1, rows)} {Pick(random, "==", "!=", "<", "<=", ">", ">=")} {(random.Next(3) == 0 ? Int(random, depth - 1, rows) : Double(random, depth - 1, rows))}";
            case 3: return $"{Text(random, rows)} in [{Text(random, [])}, 'DE', 'NG']";
            case 4: return $"{Pick(random, "value.note", "value.customer.age", "value.customer.email", "value.billing")} {Pick(random, "==", "!=")} null";
            case 5: return $"{Text(random, rows)}.{Pick(random, "startsWith", "endsWith", "contains")}({Text(random, rows)})";
            case 6: return Pick(random, "value.flag", "has(value.note)", "has(value.billing.city)", "has(value.attributes.ssn)", "'k' in value.attributes", "true", "value.any == null", "value.tags == ['x']");
            case 7: return $"value.created_at {Pick(random, "<", ">=", "==")} {Pick(random, "timestamp('2025-01-01T00:00:00Z')", "timestamp", "timestamp(0)", "value.created_at + duration('1s')")}";
            case 8 or 9 or 10: return $"({Bool(random, depth - 1, rows)} && {Bool(random, depth - 1, rows)})";
            case 11 or 12 or 13: return $"({Bool(random, depth - 1, rows)} || {Bool(random, depth - 1, rows)} || {Bool(random, 0, rows)})";
            case 14: return $"!({Bool(random, depth - 1, rows)})";
            case 15: return $"({Bool(random, depth - 1, rows)} ? {Bool(random, depth - 1, rows)} : {Bool(random, depth - 1, rows)})";
            case 16 when random.Next(2) == 0: return $"value.fee {Pick(random, "==", "!=", "<", "<=", ">", ">=")} {Pick(random, "1", "decimal('1.5')", "decimal('-0.001')", "decimal('123456789012345678901234567890.5')", "9223372036854775807")}";
            case 16: return $"({Bool(random, depth - 1, rows)}) == ({Bool(random, 0, rows)})";
            case 17: return $"{Text(random, rows)}.matches('^[a-z0-9]+$')";
            case 18: return $"{List(random, depth - 1, rows)} {Pick(random, "==", "!=")} {List(random, depth - 1, rows)}";
            case 19: return $"{Int(random, depth - 1, rows)} in {List(random, depth - 1, rows)}";
            case 20: return $"{Instant(random)} {Pick(random, "<", "<=", "==", "!=", ">", ">=")} {Instant(random)}";
            case 21: return $"{Span(random, depth - 1, rows)} {Pick(random, "<", "<=", "==", "!=", ">", ">=")} {Span(random, depth - 1, rows)}";
            case 22: return $"{UInt(random, depth - 1, rows)} {Pick(random, "<", "==", ">=")} {(random.Next(2) == 0 ? UInt(random, depth - 1, rows) : Int(random, depth - 1, rows))}";
            case 23: return $"{Bytes(random, rows)} {Pick(random, "==", "!=", "<", ">")} {Bytes(random, rows)}";
            case 24: return $"type({Pick(random, "value.amount", "value.any", "value.customer", "value.items", Int(random, depth - 1, rows), Text(random, rows))}) {Pick(random, "==", "!=")} {Pick(random, "int", "double", "string", "null_type", "list", "map", "bool")}";
            case 25: return $"{List(random, depth - 1, rows)}.{Pick(random, "all", "exists", "exists_one")}(n{depth}, n{depth} {Pick(random, "<", "==", "!=")} {Int(random, depth - 1, rows)})";
            case 26: return $"{List(random, depth - 1, rows)}.{Pick(random, "all", "exists")}(k{depth}, n{depth}, k{depth} {Pick(random, "<", ">=")} n{depth})";
            case 27: return $"cel.bind(b{depth}, {Int(random, depth - 1, rows)}, b{depth} {Pick(random, "<", "==")} b{depth} + 1)";
            case 28: return $"bool({Pick(random, "'true'", "'false'", "value.country")})";
            case 29 when random.Next(2) == 0: return $"detected({Text(random, rows)}, '{Pick(random, [.. PolicyStreams.Rules.Detection.Detectors.Names])}')";
            case 29: return $"{Text(random, rows)}.{Pick(random, "isEmail", "isUri", "isUuid", "luhn")}()";
            case 30: return $"sets.{Pick(random, "contains", "equivalent", "intersects")}({List(random, depth - 1, rows)}, {List(random, depth - 1, rows)})";
            case 31 when random.Next(2) == 0: return $"isCIDR({Text(random, rows)})";
            case 31: return $"size({List(random, depth - 1, rows)}.transformMapEntry(k{depth}, v{depth}, {{v{depth}: k{depth}}})) {Pick(random, "<", "==", ">=")} {Int(random, depth - 1, rows)}";
            default:
                string variable = $"i{rows.Length}";
                return $"value.items.{Pick(random, "all", "exists", "exists_one")}({variable}, {Bool(random, depth - 1, [.. rows, variable])})";
        }
    }

    private static string Int(Random random, int depth, string[] rows)
    {
        switch (random.Next(depth > 0 ? 20 : 7))
        {
            case 11: return $"int({Pick(random, Double(random, depth - 1, rows), UInt(random, depth - 1, rows), Text(random, rows), Instant(random))})";
            case 12: return $"({Bool(random, depth - 1, rows)} ? {Int(random, depth - 1, rows)} : {Int(random, depth - 1, rows)})";
            case 13: return $"size({List(random, depth - 1, rows)})";
            case 14: return $"{List(random, depth - 1, rows)}[{Pick(random, "0", "1", "7", "-1")}]";
            case 15: return $"{{'a': {Int(random, depth - 1, rows)}, 'b': 2}}[{Pick(random, "'a'", "'b'", "'c'", "value.country")}]";
            case 16: return $"[{Int(random, depth - 1, rows)}][?{Pick(random, "0", "1")}].orValue({Int(random, depth - 1, rows)})";
            case 18: return $"{List(random, depth - 1, rows)}.{Pick(random, "first", "last")}().orValue({Int(random, depth - 1, rows)})";
            case 17: return $"{Text(random, rows)}.{Pick(random, "indexOf", "lastIndexOf")}({Text(random, rows)})";
            case 0: return Pick(random, "0", "1", "2", "-1", "9223372036854775807");
            case 1: return "size(value.items)";
            case 2: return $"size({Text(random, rows)})";
            case 3: return "value.customer.age";
            case 4 or 5: return rows.Length > 0 ? rows[random.Next(rows.Length)] + ".quantity" : "size(value.tags)";
            case 6: return $"value.created_at.{Pick(random, "getHours", "getMonth", "getDayOfWeek", "getFullYear", "getMilliseconds", "getDayOfYear")}()";
            case 7: return $"-({Int(random, depth - 1, rows)})";
            default: return $"({Int(random, depth - 1, rows)} {Pick(random, "+", "-", "*", "/", "%")} {Int(random, depth - 1, rows)})";
        }
    }

    private static string UInt(Random random, int depth, string[] rows) => random.Next(depth > 0 ? 5 : 2) switch
    {
        0 or 1 => Pick(random, "0u", "1u", "18446744073709551615u"),
        2 => $"uint({Int(random, depth - 1, rows)})",
        _ => $"({UInt(random, depth - 1, rows)} {Pick(random, "+", "-", "*", "/", "%")} {UInt(random, depth - 1, rows)})",
    };

    private static string List(Random random, int depth, string[] rows) => random.Next(depth > 0 ? 14 : 2) switch
    {
        0 => Pick(random, "[]", "[1]", "[1, 2, 3]", "[-1, 9223372036854775807]"),
        1 => "value.items.map(m, m.quantity)",
        2 => $"[{Int(random, depth - 1, rows)}, {Int(random, depth - 1, rows)}]",
        3 => $"({List(random, depth - 1, rows)} + {List(random, depth - 1, rows)})",
        4 => $"{List(random, depth - 1, rows)}.filter(x{depth}, x{depth} {Pick(random, "<", ">")} {Int(random, depth - 1, rows)})",
        5 => $"{List(random, depth - 1, rows)}.map(x{depth}, x{depth} {Pick(random, "+", "*", "/")} {Int(random, depth - 1, rows)})",
        7 => $"{List(random, depth - 1, rows)}.{Pick(random, "distinct", "sort", "reverse")}()",
        8 => $"{List(random, depth - 1, rows)}.sortBy(s{depth}, {Pick(random, $"-s{depth}", $"s{depth} % 2", $"math.sqrt(0 + s{depth})", $"string(0 + s{depth})")})",
        9 => $"{List(random, depth - 1, rows)}.slice({Pick(random, "0", "1", "-1")}, {Int(random, depth - 1, rows)})",
        10 => $"[{List(random, depth - 1, rows)}, {List(random, depth - 1, rows)}].flatten({Pick(random, "", "0", "1", "2")})",
        11 => $"lists.range({Pick(random, "0", "3", "-1", "size(value.items)")})",
        12 => $"optional.unwrap([optional.of({Int(random, depth - 1, rows)}), optional.none()])",
        13 => $"[{List(random, depth - 1, rows)}.first(), {List(random, depth - 1, rows)}.last()].unwrapOpt()",
        _ => $"{List(random, depth - 1, rows)}.transformList(p{depth}, x{depth}, p{depth} + x{depth})",
    };

    private static string Instant(Random random) => Pick(random, "value.created_at", "timestamp", "timestamp(0)", "timestamp('2025-01-01T00:00:00Z')", "value.created_at + duration('1h')", "value.created_at - duration('200000h')", "timestamp(value.country)");

    private static string Span(Random random, int depth, string[] rows) => random.Next(4) switch
    {
        0 => Pick(random, "duration('1s')", "duration('-3h4m')", "duration('100000h')"),
        1 => $"({Instant(random)} - {Instant(random)})",
        2 when depth > 0 => $"({Span(random, depth - 1, rows)} + {Span(random, depth - 1, rows)})",
        _ => "duration(value.country)",
    };

    private static string Bytes(Random random, string[] rows) => Pick(random, "b''", "b'\\xff\\x00'", "b'DE'", $"bytes({Text(random, rows)})", "base64.decode('REU=')", "base64.decode(value.country)");

    private static string Double(Random random, int depth, string[] rows) => random.Next(depth > 0 ? 7 : 4) switch
    {
        4 => $"math.sqrt({(random.Next(2) == 0 ? Int(random, depth - 1, rows) : Double(random, depth - 1, rows))})",
        0 => Pick(random, "0.0", "120.5", "-1e300", "1e308"),
        1 or 2 => rows.Length > 0 ? rows[random.Next(rows.Length)] + ".price" : "value.amount",
        3 => $"double({Int(random, depth - 1, rows)})",
        _ => $"({Double(random, depth - 1, rows)} {Pick(random, "+", "-", "*", "/")} {Double(random, depth - 1, rows)})",
    };

    private static string Text(Random random, string[] rows) => random.Next(8) switch
    {
        0 => Pick(random, "''", "'DE'", "'é'", "'a'"),
        1 => "value.country",
        2 => "value.note",
        3 => "value.channel",
        4 => "value.attributes['k']",
        5 => "value.billing.city",
        6 => Pick(random, "headers['x']", "key"),
        _ => rows.Length > 0 ? rows[random.Next(rows.Length)] + ".sku" : "value.merchant",
    };

    internal static RecordValue Record(Random random)
    {
        T Any<T>(params T[] from) => from[random.Next(from.Length)];
        return Payments.Sample(f =>
        {
            f["amount"] = Any(0.0, 120.5, -3.25, double.NaN, double.PositiveInfinity, 1e18);
            f["country"] = Any("DE", "NG", "", "é\U0001F600");
            f["note"] = Any<object?>(null, "a", "DE");
            f["created_at"] = Any(new Timestamp(0, 0), new Timestamp(-1, 999_000_000), new Timestamp(1_735_689_600, 5_000_000), new Timestamp(long.MaxValue / 1000, 0));
            f["billing"] = Any<object?>(null, new RecordValue(Payments.Type.Field("billing")!.Type, ["a", null]));
            f["attributes"] = Any(new MapValue(), new MapValue { ["k"] = "DE" }, new MapValue { ["ssn"] = "x" });
            f["customer"] = new RecordValue(Payments.Customer, ["c", "n", Any<object?>(null, "e"), Any<object?>(null, 0L, 17L, long.MaxValue)]);
            f["items"] = new List<object?>(Enumerable.Range(0, random.Next(4)).Select(_ => (object?)new RecordValue(Payments.Item, [Any("a", "é", ""), Any(0L, 1L, -7L, long.MinValue), Any(0.0, 120.5)])));
            f["fee"] = new DecimalValue(Any(150, -1, 0, System.Numerics.BigInteger.Pow(-7, 40), long.MaxValue, 100), 2);
            f["flag"] = Any(true, false);
        });
    }

    [Theory]
    [InlineData("a&&b", "a && b")]
    [InlineData(" ( a ) && ( ( b && c ) ) // why", "a && b && c")]
    [InlineData("'x' == \"x\"", "\"x\" == \"x\"")]
    [InlineData("r'\\d' == '''\\\\d'''", "\"\\\\d\" == \"\\\\d\"")]
    [InlineData("0x10 + 1.50 - -1", "16 + 1.5 - -1")]
    [InlineData("-(1)", "-(1)")]
    [InlineData("-(-1)", "-(-1)")]
    [InlineData("!!a", "a")]
    [InlineData("(a ? b : c) ? d : e", "(a ? b : c) ? d : e")]
    [InlineData("a ? b : (c ? d : e)", "a ? b : c ? d : e")]
    [InlineData("a - (b - c)", "a - (b - c)")]
    [InlineData("(a == b) == c", "a == b == c")]
    [InlineData("a in [1,2,]", "a in [1, 2]")]
    [InlineData("x.existsOne(i, i > 1)", "x.exists_one(i, i > 1)")]
    [InlineData("{'a':1}.`b-c`", "{\"a\": 1}.`b-c`")]
    [InlineData("b'\\xff' + B\"a\"", "b\"\\xff\" + b\"a\"")]
    [InlineData("x[?0].?y.optMap(z, z)", "x[?0].?y.optMap(z, z)")]
    [InlineData("1e3 == 1000.0", "1000.0 == 1000.0")]
    public void Canonical_SpellingsOfOneExpression_AreOne(string expression, string canonical)
    {
        Assert.Equal(canonical, CelPrinter.Canonical(expression, []));
        Assert.Equal(canonical, CelPrinter.Canonical(canonical, []));
    }

    [Fact]
    public void Parse_RandomText_NeverFailsOtherwiseThanByADiagnostic()
    {
        int seed = Fuzz.Seed();
        var random = new Random(seed);
        string[] parts =
        [
            "value", ".", "items", "(", ")", "[", "]", "{", "}", "?", ":", ",", "&&", "||", "!", "-", "==", "<", "in", "1", "2u", "1.5", "0x", "'a'", "\"", "'''", "r'", "b'\\", "\\", "exists", "has", "map",
            "i", "null", "true", "`a`", "`", "//", "\n", "é", "\uD800", "\0", "cel.bind", "cel.block", "cel.index(0)", "1e", "..", "=", "&", " ", "size", "matches", "timestamp",
        ];
        var clock = Stopwatch.StartNew();
        int parsed = 0;
        for (int i = 0; i < 40_000 && clock.Elapsed < TimeSpan.FromSeconds(5); i++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(1, 20)).Select(_ => parts[random.Next(parts.Length)]));
            var diagnostics = new List<CelDiagnostic>();
            Expr? expr = CelParser.Parse(new CelSource(text), diagnostics);
            Assert.True(expr is null == diagnostics.Count > 0, $"seed {seed}: {text}");
            new ConditionCompiler(Payments.Type, Payments.Text, Payments.Plan()).Compile(text, diagnostics);
            if (expr is null) { continue; }
            parsed++;
            string printed = CelPrinter.Print(expr);
            Assert.True(Trees.Same(expr, Parsed(printed)), $"seed {seed}: {text}: {printed}");
        }

        Assert.True(parsed > 100, $"seed {seed}: only {parsed} texts parsed");
    }

    [Theory]
    [InlineData("(", ")")]
    [InlineData("[", "]")]
    [InlineData("!(", ")")]
    [InlineData("{1: ", "}")]
    [InlineData("size(", ")")]
    [InlineData("true ? 1 : ", "")]
    [InlineData("true ? ", " : 1")]
    [InlineData("a.exists(i, ", ")")]
    [InlineData("-", "")]
    [InlineData("!", "")]
    [InlineData("1 + ", "")]
    [InlineData("a.", "")]
    [InlineData("a[0]", "")]
    [InlineData("a && ", "")]
    [InlineData("a < ", "")]
    public void Compile_TenThousandDeep_IsADiagnosticOrWorks(string open, string close)
    {
        string text = string.Concat(Enumerable.Repeat(open, 10_000)) + "1" + string.Concat(Enumerable.Repeat(close, 10_000));
        var diagnostics = new List<CelDiagnostic>();
        new ConditionCompiler(Payments.Type, Payments.Text, Payments.Plan()).Compile(text, diagnostics);
        Assert.NotEmpty(diagnostics);
    }

    [Fact]
    public void Evaluate_ExpressionsThatGrow_AreStopped()
    {
        string doubled = "'" + new string('x', 1000) + "'";
        for (int i = 0; i < 30; i++) { doubled = $"cel.bind(a{i}, {doubled}, a{i} + a{i})"; }
        Assert.Equal((Truth.Error, EvalError.TooLarge), Payments.Evaluate($"size({doubled}) > 0", Payments.Sample()));
        Assert.Equal((Truth.Error, EvalError.TooLarge), Payments.Evaluate("lists.range(2000).all(i, lists.range(2000).all(j, i >= 0))", Payments.Sample()));
        Assert.Equal((Truth.Error, EvalError.TooLarge), Payments.Evaluate("lists.range(9999999) == []", Payments.Sample()));
    }
}
