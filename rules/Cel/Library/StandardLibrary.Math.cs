using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Evaluation;

namespace PolicyStreams.Rules.Cel.Library;

internal static partial class StandardLibrary
{
    private static void AddMath(FunctionTable table)
    {
        table.Add("math.greatest", "(list<A>)A; (int...)int; (uint...)uint; (double...)double; (dyn...)dyn", a => Extreme(a, 1));
        table.Add("math.least", "(list<A>)A; (int...)int; (uint...)uint; (double...)double; (dyn...)dyn", a => Extreme(a, -1));
        table.Add("math.ceil", "(double)double", a => Math.Ceiling((double)a[0]!));
        table.Add("math.floor", "(double)double", a => Math.Floor((double)a[0]!));
        table.Add("math.round", "(double)double", a => Math.Round((double)a[0]!, MidpointRounding.AwayFromZero));
        table.Add("math.trunc", "(double)double", a => Math.Truncate((double)a[0]!));
        table.Add("math.sqrt", "(double)double", a => Math.Sqrt((double)a[0]!));
        table.Add("math.sqrt", "(int)double", a => Math.Sqrt((long)a[0]!));
        table.Add("math.sqrt", "(uint)double", a => Math.Sqrt((ulong)a[0]!));
        table.Add("math.abs", "(double)double", a => Math.Abs((double)a[0]!));
        table.Add("math.abs", "(uint)uint", a => a[0]);
        table.Add("math.abs", "(int)int", a => (long)a[0]! == long.MinValue ? ErrorValue.Overflow : Math.Abs((long)a[0]!));
        table.Add("math.sign", "(double)double", a => double.IsNaN((double)a[0]!) ? a[0] : (double)Math.Sign((double)a[0]!));
        table.Add("math.sign", "(int)int", a => (long)Math.Sign((long)a[0]!));
        table.Add("math.sign", "(uint)uint", a => (ulong)a[0]! == 0 ? 0UL : 1UL);
        table.Add("math.isNaN", "(double)bool", a => Bool(double.IsNaN((double)a[0]!)));
        table.Add("math.isInf", "(double)bool", a => Bool(double.IsInfinity((double)a[0]!)));
        table.Add("math.isFinite", "(double)bool", a => Bool(double.IsFinite((double)a[0]!)));
        table.Add("math.bitAnd", "(int, int)int", a => (long)a[0]! & (long)a[1]!);
        table.Add("math.bitAnd", "(uint, uint)uint", a => (ulong)a[0]! & (ulong)a[1]!);
        table.Add("math.bitOr", "(int, int)int", a => (long)a[0]! | (long)a[1]!);
        table.Add("math.bitOr", "(uint, uint)uint", a => (ulong)a[0]! | (ulong)a[1]!);
        table.Add("math.bitXor", "(int, int)int", a => (long)a[0]! ^ (long)a[1]!);
        table.Add("math.bitXor", "(uint, uint)uint", a => (ulong)a[0]! ^ (ulong)a[1]!);
        table.Add("math.bitNot", "(int)int", a => ~(long)a[0]!);
        table.Add("math.bitNot", "(uint)uint", a => ~(ulong)a[0]!);
        table.Add("math.bitShiftLeft", "(int, int)int", a => Shift((long)a[1]!, by => (long)a[0]! << by, 0L));
        table.Add("math.bitShiftLeft", "(uint, int)uint", a => Shift((long)a[1]!, by => (ulong)a[0]! << by, 0UL));
        // Right shifts fill with zeros, also below a sign.
        table.Add("math.bitShiftRight", "(int, int)int", a => Shift((long)a[1]!, by => (long)a[0]! >>> by, 0L));
        table.Add("math.bitShiftRight", "(uint, int)uint", a => Shift((long)a[1]!, by => (ulong)a[0]! >> by, 0UL));
    }

    private static object Shift(long by, Func<int, object> shift, object beyond) => by < 0 ? ErrorValue.Argument : by >= 64 ? beyond : shift((int)by);

    private static object Extreme(object?[] args, int sign)
    {
        IReadOnlyList<object?> numbers = args is [List<object?> list] ? list : args;
        object? extreme = null;
        foreach (object? item in numbers)
        {
            object? number = Values.Unwrap(item);
            if (number is not (long or ulong or double)) { return number as ErrorValue ?? (number is null ? ErrorValue.NullUse : ErrorValue.Type); }
            if (extreme is null || Values.CompareNumbers(number, extreme) is int order && Math.Sign(order) == sign) { extreme = number; }
        }

        return extreme ?? ErrorValue.Argument;
    }
}
