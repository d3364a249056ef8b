using System.Reflection;
using PolicyStreams.Rules.Cel;
using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Evaluation;
using PolicyStreams.Rules.Cel.Library;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Tests;

namespace PolicyStreams.Rules.Tests.Cel;

/// <summary>What each function and macro means, as cel-spec and cel-go's extensions have it: lists and sets are in no file of conformance cases. Every row is evaluated compiled and interpreted.</summary>
public sealed class ExtensionTests
{
    [Theory]
    // lists
    [InlineData("lists.range(4) == [0, 1, 2, 3] && lists.range(0) == []")]
    [InlineData("[5, 1, 2, 3].reverse() == [3, 2, 1, 5] && [].reverse() == [] && [1].reverse() == [1]")]
    [InlineData("[1, 2, 3, 4].slice(0, 4) == [1, 2, 3, 4] && [1, 2, 3, 4].slice(1, 3) == [2, 3]")]
    [InlineData("[1, 2, 3, 4].slice(0, 0) == [] && [1, 2, 3, 4].slice(1, 1) == [] && [1, 2, 3, 4].slice(4, 4) == [] && [].slice(0, 0) == []")]
    [InlineData("dyn([]).flatten() == [] && dyn([1, 2]).flatten() == [1, 2] && [1, 2, [], [], [3, 4]].flatten() == [1, 2, 3, 4]")]
    [InlineData("[1, [2, [3, 4]]].flatten() == [1, 2, [3, 4]] && [1, [2, [3, [4]]]].flatten(2) == [1, 2, 3, [4]]")]
    [InlineData("[1, [2]].flatten(0) == [1, [2]] && [1, [2, [3]]].flatten(9223372036854775807) == [1, 2, 3] && [[null], null].flatten() == [null, null]")]
    [InlineData("[].sort() == [] && [1].sort() == [1] && [4, 3, 2, 1].sort() == [1, 2, 3, 4] && ['d', 'a', 'c'].sort() == ['a', 'c', 'd']")]
    [InlineData("[3u, 1u].sort() == [1u, 3u] && [1.5, -1.0].sort() == [-1.0, 1.5] && [true, false].sort() == [false, true] && [b'b', b'\\xff', b'a'].sort() == [b'a', b'b', b'\\xff']")]
    [InlineData("[duration('2s'), duration('-1s')].sort() == [duration('-1s'), duration('2s')] && [timestamp(2), timestamp(1)].sort() == [timestamp(1), timestamp(2)]")]
    [InlineData("['\\U0001F600', '\\uFFFD'].sort() == ['\\uFFFD', '\\U0001F600']")]
    [InlineData("[].sortBy(e, e) == [] && ['a'].sortBy(e, e) == ['a'] && [-3, 1, -5, -2, 4].sortBy(e, -(e * e)) == [-5, 4, -3, -2, 1]")]
    [InlineData("['a', 'c', 'b', 'first'].sortBy(e, e == 'first' ? '' : e) == ['first', 'a', 'b', 'c'] && ['b1', 'a1', 'b0'].sortBy(e, e.substring(0, 1)) == ['a1', 'b1', 'b0']")]
    [InlineData("value.items.sortBy(i, -i.price)[0].sku == 'b' && value.items.sortBy(i, i.sku).map(i, i.quantity) == [1, 2]")]
    [InlineData("[].distinct() == [] && [-2, 5, -2, 1, 1, 5].distinct() == [-2, 5, 1] && ['c', 'a', 'a', 'c'].distinct() == ['c', 'a']")]
    [InlineData("[1, 2.0, 'c', 3, 'c', 1].distinct() == [1, 2.0, 'c', 3] && [1, 1.0, 2u, 2].distinct() == [1, 2] && [[1], [1], [2]].distinct() == [[1], [2]] && [null, null].distinct() == [null]")]
    [InlineData("value.tags.reverse() == ['y', 'x'] && value.tags.slice(1, 2) == ['y'] && value.tags.distinct() == value.tags && value.tags.reverse().sort() == value.tags && [value.tags].flatten() == value.tags")]
    [InlineData("[1, 2].first() == optional.of(1) && [1, 2].last() == optional.of(2) && [].first() == optional.none() && [].last() == optional.none() && value.tags.last().orValue('') == 'y'")]
    // sets
    [InlineData("sets.contains([], []) && sets.contains([1], []) && sets.contains([1], [1, 1]) && sets.contains([1, 1], [1]) && sets.contains([1, 2, 3, 4], [2, 3]) && sets.contains([1, 2.0, 3u], [1.0, 2u, 3])")]
    [InlineData("!sets.contains([], [1]) && !sets.contains([1], [1, 2]) && !sets.contains([1], ['1', 1]) && !sets.contains([1], [1.1, 1u]) && sets.contains([[1], [2, 3]], [[2, 3.0]])")]
    [InlineData("sets.equivalent([], []) && sets.equivalent([1], [1, 1]) && sets.equivalent([1, 1], [1]) && sets.equivalent([1], [1u, 1.0]) && sets.equivalent([1, 2, 3], [3u, 2.0, 1]) && sets.equivalent([[1.0], [2, 3]], [[1], [2, 3.0]])")]
    [InlineData("!sets.equivalent([2, 1], [1]) && !sets.equivalent([1], [1, 2]) && !sets.equivalent([1, 2], [2u, 2, 2.0]) && !sets.equivalent([], [1]) && !sets.equivalent([1, 2], [1u, 2, 2.3])")]
    [InlineData("sets.intersects([1], [1, 2]) && sets.intersects([1], [1.0, 2]) && sets.intersects([[1], [2, 3]], [[1, 2], [2, 3.0]]) && sets.intersects([null], [null]) && sets.intersects(value.tags, ['z', 'y'])")]
    [InlineData("!sets.intersects([], []) && !sets.intersects([1], []) && !sets.intersects([1], ['1', 2]) && !sets.intersects([1], [1.1, 2u]) && !sets.intersects(value.tags, ['z'])")]
    // math
    [InlineData("math.sqrt(81) == 9.0 && math.sqrt(985.25) > 31.388692 && math.sqrt(985.25) < 31.388693 && math.sqrt(4u) == 2.0 && math.isNaN(math.sqrt(-15)) && math.sqrt(0.0) == 0.0")]
    [InlineData("math.greatest(1, 3, 2) == 3 && math.greatest([-42.0, -21.5]) == -21.5 && math.least(1u, 2u) == 1u && math.least([3, 1, 2]) == 1 && math.greatest(1) == 1")]
    [InlineData("math.ceil(1.2) == 2.0 && math.floor(-1.2) == -2.0 && math.round(1.5) == 2.0 && math.round(-1.5) == -2.0 && math.trunc(-1.9) == -1.0 && math.abs(-1) == 1 && math.sign(-42.0) == -1.0")]
    [InlineData("math.isInf(1.0 / 0.0) && !math.isInf(1.0) && !math.isFinite(0.0 / 0.0) && math.isFinite(1.5)")]
    [InlineData("math.bitAnd(3, 2) == 2 && math.bitOr(1u, 2u) == 3u && math.bitXor(3, 5) == 6 && math.bitNot(-1) == 0 && math.bitShiftLeft(1, 2) == 4 && math.bitShiftRight(-1, 63) == 1 && math.bitShiftLeft(1, 64) == 0")]
    // optionals
    [InlineData("optional.unwrap([optional.of(42), optional.none(), optional.of(1)]) == [42, 1] && [optional.none(), optional.of('a')].unwrapOpt() == ['a'] && optional.unwrap([]) == []")]
    [InlineData("optional.ofNonZeroValue(0) == optional.none() && optional.ofNonZeroValue('a').value() == 'a' && !optional.none().hasValue() && optional.none().or(optional.of(2)).value() == 2 && optional.of(1).orValue(2) == 1")]
    [InlineData("optional.of(2).optMap(x, x * 2) == optional.of(4) && optional.none().optMap(x, x + 1) == optional.none() && optional.of(2).optFlatMap(x, x > 1 ? optional.of(x) : optional.none()) == optional.of(2)")]
    // macros
    [InlineData("[1, 2].all(x, x > 0) && [1, 2].exists(x, x > 1) && [1, 2].exists_one(x, x > 1) && [1, 2].existsOne(i, x, i + x == 3) && [1, 2].map(x, x * 2) == [2, 4] && [1, 2].map(x, x > 1, x) == [2] && [1, 2].filter(x, x > 1) == [2]")]
    [InlineData("[1, 2].transformList(i, x, i * x) == [0, 2] && [1, 2].transformList(i, x, i > 0, x) == [2] && {'a': 1}.transformMap(k, v, v + 1) == {'a': 2} && {'a': 1, 'b': 2}.transformMap(k, v, k == 'b', v) == {'b': 2}")]
    [InlineData("{'greeting': 'hello'}.transformMapEntry(k, v, {v: k}) == {'hello': 'greeting'} && [1, 2].transformMapEntry(i, x, {x: i}) == {1: 0, 2: 1} && {'a': 1, 'b': 2}.transformMapEntry(k, v, v > 1, {v: k}) == {2: 'b'} && {'a': 1}.transformMapEntry(k, v, {}) == {}")]
    [InlineData("has(value.merchant) && cel.bind(x, 2, x * x) == 4 && cel.block([1, cel.index(0) + 1], cel.index(1)) == 2 && [1].map(cel.iterVar(0, 0), cel.iterVar(0, 0) + 1) == [2]")]
    // network
    [InlineData("isCIDR('192.168.0.0/24') && isCIDR('192.168.0.1/24') && isCIDR('::1/128') && isCIDR('0.0.0.0/0') && !isCIDR('192.168.0.0') && !isCIDR('192.168.0.0/33') && !isCIDR('::1/129') && !isCIDR('192.168.0.0/-1') && !isCIDR('')")]
    [InlineData("isIP('192.168.0.1') && isIP('2001:db8::1') && !isIP('192.168.0.256') && !isIP('192.168.0.01') && !isIP('::1%eth0') && ip('::1').isLoopback() && ip('127.0.0.1').family() == 4 && ip.isCanonical('2001:db8::1') && !ip.isCanonical('2001:DB8::1')")]
    [InlineData("ip('0.0.0.0').isUnspecified() && ip('8.8.8.8').isGlobalUnicast() && ip('224.0.0.1').isLinkLocalMulticast() && ip('169.254.1.1').isLinkLocalUnicast()")]
    [InlineData("cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.0.0.0/8').containsCIDR('0.0.0.0/0') && cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.0.0.0/8').prefixLength() == 8")]
    // strings and encoders
    [InlineData("'tacocat'.charAt(3) == 'o' && 'hello mellow'.indexOf('ello', 2) == 7 && 'hello mellow'.lastIndexOf('ello', 6) == 1 && 'TacoCÆt'.lowerAscii() == 'tacocÆt' && 'TacoCÆt'.upperAscii() == 'TACOCÆT'")]
    [InlineData("'hello hello'.replace('he', 'we', 1) == 'wello hello' && 'a b c'.split(' ', 2) == ['a', 'b c'] && 'tacocat'.substring(0, 4) == 'taco' && ' \\ttrim\\n '.trim() == 'trim' && ['a', 'b'].join('-') == 'a-b' && 'gums'.reverse() == 'smug'")]
    [InlineData("'%s is %d'.format(['x', 1]) == 'x is 1' && strings.quote('a\"\\n') == '\"a\\\\\"\\\\n\"' && base64.encode(b'hello') == 'aGVsbG8=' && base64.decode('aGVsbG8=') == b'hello'")]
    // the standard, and what policies need
    [InlineData("size('é') == 1 && type(1) == int && dyn(1) == 1 && bool('true') && int('1') == 1 && uint(1) == 1u && double(1) == 1.0 && string(1) == '1' && bytes('a') == b'a' && timestamp(0) < timestamp(1) && duration('1m') == duration('60s')")]
    [InlineData("'abc'.startsWith('a') && 'abc'.endsWith('c') && 'abc'.contains('b') && 'abc'.matches('^a')")]
    [InlineData("timestamp('2026-02-03T04:05:06.789Z').getFullYear() == 2026 && timestamp('2026-02-03T04:05:06.789Z').getMonth() == 1 && timestamp('2026-02-03T04:05:06Z').getDate() == 3 && timestamp('2026-02-03T04:05:06Z').getDayOfMonth() == 2")]
    [InlineData("timestamp('2026-02-03T04:05:06Z').getDayOfWeek() == 2 && timestamp('2026-02-03T04:05:06Z').getDayOfYear() == 33 && timestamp('2026-02-03T04:05:06Z').getHours('+02:00') == 6 && timestamp('2026-02-03T04:05:06Z').getMinutes() == 5 && timestamp('2026-02-03T04:05:06.789Z').getSeconds() == 6 && timestamp('2026-02-03T04:05:06.789Z').getMilliseconds() == 789")]
    [InlineData("'a@b.c'.isEmail() && 'urn:a'.isUri() && value.payment_id.isUuid() && '4111111111111111'.luhn() && '10.0.0.1'.inCidr('10.0.0.0/8') && detected('mail a@b.com', 'email') && decimal('1.5') > decimal(1) && branch(value.any) == 'null' && headerValues('none') == []")]
    public void Evaluate_FunctionsAndMacros_GiveWhatTheyMean(string expression) => Assert.Equal((Truth.True, EvalError.None), Payments.Evaluate(expression, Payments.Sample()));

    [Theory]
    [InlineData("lists.range(-1) == []", EvalError.Argument)]
    [InlineData("lists.range(9223372036854775807) == []", EvalError.TooLarge)]
    [InlineData("[1, 2, 3, 4].slice(3, 0) == []", EvalError.Argument)]
    [InlineData("[1, 2, 3, 4].slice(0, 10) == []", EvalError.Index)]
    [InlineData("[1, 2, 3, 4].slice(-5, 10) == []", EvalError.Index)]
    [InlineData("[1, 2, 3, 4].slice(-5, -3) == []", EvalError.Index)]
    [InlineData("[1, 2, 3, 4].slice(9223372036854775807, 9223372036854775807) == []", EvalError.Index)]
    [InlineData("[1, [2, [3, [4]]]].flatten(-1) == []", EvalError.Argument)]
    [InlineData("['d', 3, 2, 'c'].sort() == []", EvalError.Type)]
    [InlineData("[1, 2.0].sort() == []", EvalError.Type)]
    [InlineData("[dyn([1]), [2]].sort() == []", EvalError.Type)]
    [InlineData("[dyn([1])].sort() == []", EvalError.Type)]
    [InlineData("[dyn(null), null].sort() == []", EvalError.Type)]
    [InlineData("[1, 2].sortBy(e, 1 / (e - 1)) == []", EvalError.DivideByZero)]
    [InlineData("[1.0, 0.0 / 0.0].sort() == []", EvalError.Argument)]
    [InlineData("[1, 2].sortBy(e, math.sqrt(-e)) == []", EvalError.Argument)]
    [InlineData("[dyn([1, 2])].flatten().exists(x, x / 0 == 1)", EvalError.DivideByZero)]
    [InlineData("[1].transformMapEntry(i, x, {'a': x}.transformMapEntry(k, v, {v: 1 / i})) == {}", EvalError.DivideByZero)]
    [InlineData("[1, 2].transformMapEntry(i, x, {'same': x}) == {}", EvalError.DuplicateKey)]
    [InlineData("optional.none().value() == 1", EvalError.Argument)]
    [InlineData("[].first().value() == 1", EvalError.Argument)]
    [InlineData("optional.unwrap(dyn([1])) == [1]", EvalError.Type)]
    [InlineData("math.greatest(dyn('a')) == 1", EvalError.Type)]
    [InlineData("math.greatest([]) == 1", EvalError.Argument)]
    [InlineData("cidr('10.0.0.0/8').containsIP(value.country)", EvalError.Conversion)]
    // One call compares 16,777,216 times: 4,096 with 4,096 elements, or each of 5,793 with those before it.
    [InlineData("size(lists.range(5794).distinct()) > 0", EvalError.TooLarge)]
    [InlineData("size(lists.range(5793).distinct()) == 5793", EvalError.None)]
    [InlineData("sets.contains(lists.range(4096), lists.range(4096).reverse())", EvalError.None)]
    [InlineData("sets.contains(lists.range(4096), lists.range(4097))", EvalError.TooLarge)]
    [InlineData("sets.equivalent(lists.range(20000), lists.range(20000))", EvalError.TooLarge)]
    [InlineData("sets.intersects(lists.range(20000), [-1, -2].map(x, x)) || sets.intersects(lists.range(20000), lists.range(20000).map(x, -1 - x))", EvalError.TooLarge)]
    public void Evaluate_WhatAFunctionDoesNotTake_IsAnErrorWithItsCode(string expression, EvalError code) =>
        Assert.Equal((code == EvalError.None ? Truth.True : Truth.Error, code), Payments.Evaluate(expression, Payments.Sample()));

    [Theory]
    [InlineData("['a'].slice('a', 1) == []")]
    [InlineData("[1].sortBy(e, [e]) == []")]
    [InlineData("{'a': 1}.sortBy(e, e) == []")]
    [InlineData("{'a': 1}.transformMapEntry(k, v, v) == {}")]
    [InlineData("[1].transformMapEntry(x, {x: x}) == {}")]
    [InlineData("sets.contains([1])")]
    [InlineData("sets.contains(1, [1])")]
    [InlineData("math.greatest() == 1")]
    [InlineData("math.sqrt('4') == 2.0")]
    [InlineData("optional.unwrap([1]) == [1]")]
    [InlineData("isCIDR(1)")]
    [InlineData("lists.range(1.0) == []")]
    public void Compile_WhatAFunctionDoesNotTake_IsRefused(string expression) => Assert.Null(new ConditionCompiler(Payments.Type, Payments.Text, Payments.Plan()).Compile(expression, []));

    // A number of JSON that no double holds is an error wherever it would have to be compared, unless what could be compared decides.
    [Theory]
    [InlineData("sets.contains(value.l, [7])", Truth.Error)]
    [InlineData("sets.contains(value.l, [1])", Truth.True)]
    [InlineData("sets.equivalent(value.l, [1])", Truth.Error)]
    [InlineData("sets.intersects(value.l, [7])", Truth.Error)]
    [InlineData("sets.intersects(value.l, [1])", Truth.True)]
    [InlineData("value.l.distinct() == []", Truth.Error)]
    [InlineData("value.l.sort() == []", Truth.Error)]
    public void Evaluate_ListsWithANumberThatIsNotRead_FailOrAreSure(string expression, Truth truth)
    {
        var plan = new CaptureRow { Node = new CaptureNode { Type = SchemaType.AnyJson } };
        Condition condition = new ConditionCompiler(SchemaType.AnyJson, Payments.Text, plan).Compile(expression, [])!;
        var records = new PlainRecords(plan);
        ConditionInput input = records.Input(records.Fill(new MapValue { ["l"] = new List<object?> { 1.0, InexactNumber.Instance } }));
        Assert.Equal((truth, truth == Truth.Error ? EvalError.NumberRange : EvalError.None), (condition.Evaluate(ref input, out EvalError error), error));
    }

    [Fact]
    public void Sort_OfManyKeys_IsStableAndNeverThrows()
    {
        int seed = Fuzz.Seed();
        var random = new Random(seed);
        for (int round = 0; round < 1_000; round++)
        {
            List<object?> keys = [.. Enumerable.Range(0, random.Next(17, 201)).Select(_ => (object?)(double)random.Next(20))];
            List<object?> places = [.. Enumerable.Range(0, keys.Count).Select(i => (object?)i)];
            Assert.True(places.OrderBy(i => (double)keys[(int)i!]!).SequenceEqual((List<object?>)StandardLibrary.Sorted(places, keys)), $"seed {seed}, round {round}");
            // NaN has no place in an order.
            for (int i = random.Next(1, keys.Count); i > 0; i--) { keys[random.Next(keys.Count)] = double.NaN; }
            Assert.True(StandardLibrary.Sorted(places, keys) == ErrorValue.Argument, $"seed {seed}, round {round}");
        }
    }

    [Fact]
    public void Functions_AndMacros_HaveEachARow()
    {
        var called = new HashSet<string>(StringComparer.Ordinal);
        foreach (InlineDataAttribute row in typeof(ExtensionTests).GetMethod(nameof(Evaluate_FunctionsAndMacros_GiveWhatTheyMean))!.GetCustomAttributes<InlineDataAttribute>()) { Collect(CelParser.Parse(new CelSource((string)row.Data[0]!), [])!); }
        string[] names = [.. StandardLibrary.Functions.Names.Where(name => char.IsAsciiLetter(name[0])), .. CelChecker.MacroNames, "cel.bind", "cel.block"];
        Assert.Equal("", string.Join(", ", names.Where(name => !called.Contains(name))));

        void Collect(Expr expr)
        {
            called.Add(expr switch
            {
                CallExpr { HasTarget: true } call when call.Children[0] is IdentExpr space && StandardLibrary.Functions.Find($"{space.Name}.{call.Function}") is not null => $"{space.Name}.{call.Function}",
                CallExpr call => call.Function,
                ComprehensionExpr macro => macro.Macro,
                SelectExpr { Test: true } => "has",
                BindExpr => "cel.bind",
                BlockExpr => "cel.block",
                _ => "",
            });
            foreach (Expr child in expr.Children) { Collect(child); }
        }
    }
}
