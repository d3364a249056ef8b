using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Evaluation;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Library;

/// <summary>cel-spec's standard functions and extensions, and those that policies need. Pure: no clock, file, or network.</summary>
internal static partial class StandardLibrary
{
    /// <summary>Bound of text, bytes, and lists that functions make.</summary>
    public const int SizeMax = 1 << 20;

    /// <summary>Bound of what one call compares: distinct and sets look for each element in a list.</summary>
    public const int ComparisonsMax = 1 << 24;

    public static IReadOnlyDictionary<string, CelType> TypeNames { get; } = new Dictionary<string, CelType>(StringComparer.Ordinal)
    {
        ["bool"] = CelType.Bool,
        ["int"] = CelType.Int,
        ["uint"] = CelType.UInt,
        ["double"] = CelType.Double,
        ["string"] = CelType.String,
        ["bytes"] = CelType.Bytes,
        ["list"] = CelType.List(CelType.Dyn),
        ["map"] = CelType.Map(CelType.Dyn, CelType.Dyn),
        ["null_type"] = CelType.Null,
        ["type"] = CelType.AnyType,
        ["google.protobuf.Timestamp"] = CelType.Timestamp,
        ["google.protobuf.Duration"] = CelType.Duration,
        ["optional_type"] = CelType.Optional(CelType.Dyn),
        ["net.IP"] = CelType.Ip,
        ["net.CIDR"] = CelType.Cidr,
    };

    public static FunctionTable Functions { get; } = Build();

    private static FunctionTable Build()
    {
        var table = new FunctionTable();
        AddOperators(table);
        AddConversions(table);
        AddStrings(table);
        AddMath(table);
        AddCollections(table);
        AddOptionals(table);
        AddTime(table);
        AddNetwork(table);
        AddPolicy(table);
        return table;
    }

    private static object Bool(bool value) => Values.Boxed(value);

    private static object Or(bool? value, object? left, object? right) => value is bool known ? Values.Boxed(known) : Values.WhyUnequal(left, right);

    private static void AddOperators(FunctionTable table)
    {
        table.Add(Operators.Equal, "(A, A)bool", a => Or(Values.Equal(a[0], a[1]), a[0], a[1]));
        table.Add(Operators.NotEqual, "(A, A)bool", a => Or(!Values.Equal(a[0], a[1]), a[0], a[1]));
        table.Add(Operators.Not, "(bool)bool", a => Bool(!(bool)a[0]!));
        foreach ((string name, Func<int, bool> test) in new (string, Func<int, bool>)[]
        {
            (Operators.Less, o => o < 0), (Operators.LessOrEqual, o => o <= 0), (Operators.Greater, o => o > 0), (Operators.GreaterOrEqual, o => o >= 0),
        })
        {
            Implementation compare = a => Values.TryCompare(a[0], a[1], out int? order) ? Bool(order is int known && test(known)) : ErrorValue.Type;
            table.Add(name, "(bool, bool)bool; (string, string)bool; (bytes, bytes)bool; (timestamp, timestamp)bool; (duration, duration)bool", compare);
            foreach (string left in new[] { "int", "uint", "double", "decimal" })
            {
                foreach (string right in new[] { "int", "uint", "double", "decimal" }) { table.Add(name, $"({left}, {right})bool", compare); }
            }
        }

        table.Add(Operators.Add, "(int, int)int", a => Checked.Add((long)a[0]!, (long)a[1]!, out long sum) ? sum : ErrorValue.Overflow);
        table.Add(Operators.Add, "(uint, uint)uint", a => Checked.Add((ulong)a[0]!, (ulong)a[1]!, out ulong sum) ? sum : ErrorValue.Overflow);
        table.Add(Operators.Add, "(double, double)double", a => (double)a[0]! + (double)a[1]!);
        table.Add(Operators.Add, "(string, string)string", a => ((string)a[0]!).Length + ((string)a[1]!).Length > SizeMax ? ErrorValue.TooLarge : (string)a[0]! + (string)a[1]!);
        table.Add(Operators.Add, "(bytes, bytes)bytes", a => ((byte[])a[0]!).Length + ((byte[])a[1]!).Length > SizeMax ? ErrorValue.TooLarge : (byte[])[.. (byte[])a[0]!, .. (byte[])a[1]!]);
        table.Add(Operators.Add, "(list<A>, list<A>)list<A>", a => ((List<object?>)a[0]!).Count + ((List<object?>)a[1]!).Count > SizeMax ? ErrorValue.TooLarge : (List<object?>)[.. (List<object?>)a[0]!, .. (List<object?>)a[1]!]);
        table.Add(Operators.Add, "(timestamp, duration)timestamp", a => CelTime.Add((Timestamp)a[0]!, (Duration)a[1]!));
        table.Add(Operators.Add, "(duration, timestamp)timestamp", a => CelTime.Add((Timestamp)a[1]!, (Duration)a[0]!));
        table.Add(Operators.Add, "(duration, duration)duration", a => CelTime.Add((Duration)a[0]!, (Duration)a[1]!));
        table.Add(Operators.Subtract, "(int, int)int", a => Checked.Subtract((long)a[0]!, (long)a[1]!, out long difference) ? difference : ErrorValue.Overflow);
        table.Add(Operators.Subtract, "(uint, uint)uint", a => (ulong)a[0]! >= (ulong)a[1]! ? (ulong)a[0]! - (ulong)a[1]! : ErrorValue.Overflow);
        table.Add(Operators.Subtract, "(double, double)double", a => (double)a[0]! - (double)a[1]!);
        table.Add(Operators.Subtract, "(timestamp, timestamp)duration", a => CelTime.Subtract((Timestamp)a[0]!, (Timestamp)a[1]!));
        table.Add(Operators.Subtract, "(timestamp, duration)timestamp", a => CelTime.Add((Timestamp)a[0]!, CelTime.Negate((Duration)a[1]!)));
        table.Add(Operators.Subtract, "(duration, duration)duration", a => CelTime.Add((Duration)a[0]!, CelTime.Negate((Duration)a[1]!)));
        table.Add(Operators.Multiply, "(int, int)int", a => Checked.Multiply((long)a[0]!, (long)a[1]!, out long product) ? product : ErrorValue.Overflow);
        table.Add(Operators.Multiply, "(uint, uint)uint", a => Checked.Multiply((ulong)a[0]!, (ulong)a[1]!, out ulong product) ? product : ErrorValue.Overflow);
        table.Add(Operators.Multiply, "(double, double)double", a => (double)a[0]! * (double)a[1]!);
        table.Add(Operators.Divide, "(int, int)int", a => Checked.Divide((long)a[0]!, (long)a[1]!, out long quotient) is var error && error == EvalError.None ? quotient : ErrorValue.Of(error));
        table.Add(Operators.Divide, "(uint, uint)uint", a => (ulong)a[1]! == 0 ? ErrorValue.Of(EvalError.DivideByZero) : (ulong)a[0]! / (ulong)a[1]!);
        table.Add(Operators.Divide, "(double, double)double", a => (double)a[0]! / (double)a[1]!);
        table.Add(Operators.Modulo, "(int, int)int", a => Checked.Modulo((long)a[0]!, (long)a[1]!, out long rest) is var error && error == EvalError.None ? rest : ErrorValue.Of(error));
        table.Add(Operators.Modulo, "(uint, uint)uint", a => (ulong)a[1]! == 0 ? ErrorValue.Of(EvalError.DivideByZero) : (ulong)a[0]! % (ulong)a[1]!);
        table.Add(Operators.Negate, "(int)int", a => (long)a[0]! == long.MinValue ? ErrorValue.Overflow : -(long)a[0]!);
        table.Add(Operators.Negate, "(double)double", a => -(double)a[0]!);
        table.Add(Operators.Negate, "(duration)duration", a => CelTime.Negate((Duration)a[0]!));
        table.Add(Operators.In, "(A, list<A>)bool", a => In(a[0], (List<object?>)a[1]!));
        table.Add(Operators.In, "(A, map<A, B>)bool", a => Bool(Values.TryGet((MapValue)a[1]!, Values.Unwrap(a[0]), out _)));
        table.Add(Operators.Index, "(list<A>, int)A; (list<A>, uint)A; (list<A>, double)A", a => ListAt((List<object?>)a[0]!, a[1]));
        table.Add(Operators.Index, "(map<A, B>, A)B", a => MapAt((MapValue)a[0]!, a[1]));
        // A constant number of another type is still the key: {1: 'a'}[1.0].
        table.Add(Operators.Index, "(map<int, B>, double)B; (map<int, B>, uint)B; (map<uint, B>, double)B; (map<uint, B>, int)B", a => MapAt((MapValue)a[0]!, a[1]));
        table.Add(Operators.Index, "(optional<list<A>>, int)optional<A>; (optional<map<A, B>>, A)optional<B>", a => OptionalAt(a[0], a[1], strict: false));
        table.Add(Operators.OptionalIndex, "(list<A>, int)optional<A>; (map<A, B>, A)optional<B>; (optional<list<A>>, int)optional<A>; (optional<map<A, B>>, A)optional<B>", a => OptionalAt(a[0], a[1], strict: false));
        table.Add("size", "(string)int; string.()int", a => (long)Values.CodePoints((string)a[0]!));
        table.Add("size", "(bytes)int; bytes.()int", a => (long)((byte[])a[0]!).Length);
        table.Add("size", "(list<A>)int; list<A>.()int", a => (long)((List<object?>)a[0]!).Count);
        table.Add("size", "(map<A, B>)int; map<A, B>.()int", a => (long)((MapValue)a[0]!).Count);
    }

    private static object In(object? item, List<object?> list)
    {
        object? failed = null;
        foreach (object? element in list)
        {
            bool? same = Values.Equal(item, element);
            if (same == true) { return Values.True; }
            if (same is null) { failed = Values.WhyUnequal(element, item); }
        }

        return failed ?? Values.False;
    }

    private static object? ListAt(List<object?> list, object? index)
    {
        index = Values.Unwrap(index);
        long at;
        switch (index)
        {
            case long number: at = number; break;
            case ulong number when number <= int.MaxValue: at = (long)number; break;
            case double number when Math.Truncate(number) == number && Math.Abs(number) <= int.MaxValue: at = (long)number; break;
            case ulong or double: return ErrorValue.Index;
            case null: return ErrorValue.NullUse;
            default: return ErrorValue.Type;
        }

        return at >= 0 && at < list.Count ? list[(int)at] : ErrorValue.Index;
    }

    private static object? MapAt(MapValue map, object? key) => Values.TryGet(map, Values.Unwrap(key), out object? value) ? value : ErrorValue.NoSuchKey;

    private static object? OptionalAt(object? operand, object? index, bool strict)
    {
        operand = Values.Unwrap(operand);
        if (operand is OptionalValue optional)
        {
            if (!optional.HasValue) { return OptionalValue.None; }
            operand = Values.Unwrap(optional.Value);
        }

        object? value = operand switch
        {
            List<object?> list => ListAt(list, index),
            MapValue map => MapAt(map, index),
            null => ErrorValue.NullUse,
            _ => ErrorValue.Type,
        };
        return value is ErrorValue { Code: EvalError.Index or EvalError.NoSuchKey } error ? (strict ? error : OptionalValue.None)
            : value is ErrorValue ? value : OptionalValue.Of(value);
    }

    private static void AddOptionals(FunctionTable table)
    {
        table.Add("optional.of", "(A)optional<A>", a => OptionalValue.Of(a[0]));
        table.Add("optional.ofNonZeroValue", "(A)optional<A>", a => Values.IsZero(Values.Unwrap(a[0])) ? OptionalValue.None : OptionalValue.Of(a[0]));
        table.Add("optional.none", "()optional<A>", _ => OptionalValue.None);
        table.Add("optional.unwrap", "(list<optional<A>>)list<A>", a => Unwrapped((List<object?>)a[0]!));
        table.Add("unwrapOpt", "list<optional<A>>.()list<A>", a => Unwrapped((List<object?>)a[0]!));
        table.Add("hasValue", "optional<A>.()bool", a => Bool(((OptionalValue)a[0]!).HasValue));
        table.Add("value", "optional<A>.()A", a => a[0] is OptionalValue { HasValue: true } optional ? optional.Value : ErrorValue.Argument);
        // or() and orValue() are evaluated by the interpreter, which leaves the argument alone where it is not needed.
        table.Add("or", "optional<A>.(optional<A>)optional<A>", a => a[0] is OptionalValue { HasValue: true } ? a[0] : a[1]);
        table.Add("orValue", "optional<A>.(A)A", a => a[0] is OptionalValue { HasValue: true } optional ? optional.Value : a[1]);
    }

    private static object Unwrapped(List<object?> list)
    {
        var values = new List<object?>(list.Count);
        foreach (object? element in list)
        {
            if (element is not OptionalValue optional) { return ErrorValue.Type; }
            if (optional.HasValue) { values.Add(optional.Value); }
        }

        return values;
    }
}

/// <summary>Arithmetic that says when a result does not fit.</summary>
internal static class Checked
{
    public static bool Add(long a, long b, out long sum)
    {
        sum = unchecked(a + b);
        return ((a ^ sum) & (b ^ sum)) >= 0;
    }

    public static bool Add(ulong a, ulong b, out ulong sum)
    {
        sum = unchecked(a + b);
        return sum >= a;
    }

    public static bool Subtract(long a, long b, out long difference)
    {
        difference = unchecked(a - b);
        return ((a ^ b) & (a ^ difference)) >= 0;
    }

    public static bool Multiply(long a, long b, out long product)
    {
        long high = Math.BigMul(a, b, out product);
        return high == product >> 63;
    }

    public static bool Multiply(ulong a, ulong b, out ulong product) => Math.BigMul(a, b, out product) == 0;

    public static EvalError Divide(long a, long b, out long quotient)
    {
        quotient = 0;
        if (b == 0) { return EvalError.DivideByZero; }
        if (b == -1 && a == long.MinValue) { return EvalError.Overflow; }
        quotient = a / b;
        return EvalError.None;
    }

    public static EvalError Modulo(long a, long b, out long rest)
    {
        rest = 0;
        if (b == 0) { return EvalError.DivideByZero; }
        if (b == -1) { return a == long.MinValue ? EvalError.Overflow : EvalError.None; }
        rest = a % b;
        return EvalError.None;
    }
}
