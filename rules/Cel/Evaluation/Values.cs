using System.Globalization;
using System.Numerics;
using System.Text;
using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Library;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Evaluation;

/// <summary>A failed evaluation, as a value: every operation hands it on. One instance a code.</summary>
internal sealed class ErrorValue
{
    private static readonly ErrorValue[] All = [.. Enum.GetValues<EvalError>().Select(code => new ErrorValue(code))];

    private ErrorValue(EvalError code) => Code = code;

    public EvalError Code { get; }

    public static ErrorValue Of(EvalError code) => All[(int)code];

    public static ErrorValue Type { get; } = Of(EvalError.Type);
    public static ErrorValue Overflow { get; } = Of(EvalError.Overflow);
    public static ErrorValue NullUse { get; } = Of(EvalError.NullUse);
    public static ErrorValue NoSuchField { get; } = Of(EvalError.NoSuchField);
    public static ErrorValue NoSuchKey { get; } = Of(EvalError.NoSuchKey);
    public static ErrorValue Index { get; } = Of(EvalError.Index);
    public static ErrorValue Conversion { get; } = Of(EvalError.Conversion);
    public static ErrorValue Argument { get; } = Of(EvalError.Argument);
    public static ErrorValue TooLarge { get; } = Of(EvalError.TooLarge);
}

/// <summary>An optional; null <see cref="HasValue"/> is <see cref="None"/>.</summary>
internal sealed class OptionalValue
{
    private OptionalValue(bool hasValue, object? value)
    {
        HasValue = hasValue;
        Value = value;
    }

    public bool HasValue { get; }

    public object? Value { get; }

    public static OptionalValue None { get; } = new(false, null);

    public static OptionalValue Of(object? value) => new(true, value);
}

/// <summary>A value of a named type beside CEL's own: an enum's constant.</summary>
internal sealed record NamedValue(CelType Type, long Number);

/// <summary>Equality, order, and kinds of values: plain values, <see cref="CelType"/>, <see cref="OptionalValue"/>, addresses, and errors.</summary>
internal static class Values
{
    public static readonly UTF8Encoding StrictUtf8 = new(false, true);

    public static object True { get; } = true;

    public static object False { get; } = false;

    public static object Boxed(bool value) => value ? True : False;

    /// <summary>The value that an operation works on: of a union its branch's, of a JSON number that no double holds the error of reading it.</summary>
    public static object? Unwrap(object? value) => value switch
    {
        UnionValue union => Unwrap(union.Value),
        InexactNumber => ErrorValue.Of(EvalError.NumberRange),
        _ => value,
    };

    public static CelKind? KindOf(object? value) => value switch
    {
        null => CelKind.Null,
        bool => CelKind.Bool,
        long => CelKind.Int,
        ulong => CelKind.UInt,
        double => CelKind.Double,
        string => CelKind.String,
        byte[] => CelKind.Bytes,
        Timestamp => CelKind.Timestamp,
        Duration => CelKind.Duration,
        DecimalValue => CelKind.Decimal,
        List<object?> => CelKind.List,
        MapValue => CelKind.Map,
        RecordValue => CelKind.Record,
        CelType => CelKind.Type,
        OptionalValue or IpValue or CidrValue or NamedValue => CelKind.Opaque,
        _ => null,
    };

    /// <summary>The type that <c>type()</c> gives.</summary>
    public static CelType? TypeOf(object? value) => value switch
    {
        null => CelType.Null,
        bool => CelType.Bool,
        long => CelType.Int,
        ulong => CelType.UInt,
        double => CelType.Double,
        string => CelType.String,
        byte[] => CelType.Bytes,
        Timestamp => CelType.Timestamp,
        Duration => CelType.Duration,
        DecimalValue => CelType.Decimal,
        List<object?> => CelType.List(CelType.Dyn),
        MapValue => CelType.Map(CelType.Dyn, CelType.Dyn),
        RecordValue record => CelType.FromSchema(record.Type).OrNull(false),
        CelType => CelType.AnyType,
        OptionalValue => CelType.Optional(CelType.Dyn),
        IpValue => CelType.Ip,
        CidrValue => CelType.Cidr,
        NamedValue named => named.Type,
        _ => null,
    };

    /// <summary>True where the value may be given to a parameter of the type.</summary>
    public static bool Fits(CelType type, object? value)
    {
        switch (type.Kind)
        {
            case CelKind.Dyn or CelKind.Param: return true;
            case CelKind.Null: return value is null;
            case CelKind.Bool: return value is bool;
            case CelKind.Int: return value is long;
            case CelKind.UInt: return value is ulong;
            case CelKind.Double: return value is double;
            case CelKind.String: return value is string;
            case CelKind.Bytes: return value is byte[];
            case CelKind.Timestamp: return value is Timestamp;
            case CelKind.Duration: return value is Duration;
            case CelKind.Decimal: return value is DecimalValue;
            case CelKind.List: return value is List<object?>;
            case CelKind.Map: return value is MapValue;
            case CelKind.Type: return value is CelType;
            case CelKind.Record: return value is RecordValue;
            default: return value switch { OptionalValue => type.IsOptional, IpValue => type.Name == CelType.Ip.Name, CidrValue => type.Name == CelType.Cidr.Name, NamedValue named => type.Name == named.Type.Name, _ => false };
        }
    }

    /// <summary>CEL's equality: numbers by value whatever their type, other types only with their own. Null where a part is an error.</summary>
    public static bool? Equal(object? left, object? right)
    {
        left = Unwrap(left);
        right = Unwrap(right);
        if (left is ErrorValue || right is ErrorValue) { return null; }
        if (left is null || right is null) { return left is null && right is null; }
        switch (left)
        {
            case string text: return right is string other && text == other;
            case bool flag: return right is bool otherFlag && flag == otherFlag;
            case long or ulong or double or DecimalValue:
                return IsNumber(right) && CompareNumbers(left, right) == 0;
            case byte[] bytes: return right is byte[] otherBytes && bytes.AsSpan().SequenceEqual(otherBytes);
            case List<object?> list: return right is List<object?> otherList ? EqualLists(list, otherList) : false;
            case MapValue map: return right is MapValue otherMap ? EqualMaps(map, otherMap) : false;
            case RecordValue record: return right is RecordValue otherRecord && CelType.Same(TypeOf(record)!, TypeOf(otherRecord)!) ? EqualRecords(record, otherRecord) : false;
            case CelType type: return right is CelType otherType && type.Kind == otherType.Kind && type.Name == otherType.Name;
            case OptionalValue optional:
                return right is not OptionalValue otherOptional ? false
                    : optional.HasValue != otherOptional.HasValue ? false
                    : !optional.HasValue ? true : Equal(optional.Value, otherOptional.Value);
            default: return left.Equals(right);
        }
    }

    /// <summary>Why <see cref="Equal"/> could not say: what lies inside that cannot be compared.</summary>
    public static ErrorValue WhyUnequal(object? left, object? right) => Uncomparable(left) ?? Uncomparable(right) ?? ErrorValue.Type;

    private static ErrorValue? Uncomparable(object? value)
    {
        value = Unwrap(value);
        IEnumerable<object?> inside = value switch
        {
            ErrorValue failed => [failed],
            List<object?> list => list,
            MapValue map => map.Values,
            RecordValue record => record.Values,
            OptionalValue { HasValue: true } optional => [optional.Value],
            _ => [],
        };
        return value as ErrorValue ?? inside.Select(Uncomparable).FirstOrDefault(found => found is not null);
    }

    private static bool? EqualLists(List<object?> left, List<object?> right)
    {
        if (left.Count != right.Count) { return false; }
        bool? all = true;
        for (int i = 0; i < left.Count; i++)
        {
            bool? same = Equal(left[i], right[i]);
            if (same == false) { return false; }
            all = same is null ? null : all;
        }

        return all;
    }

    private static bool? EqualMaps(MapValue left, MapValue right)
    {
        if (left.Count != right.Count) { return false; }
        bool? all = true;
        foreach ((object key, object? value) in left)
        {
            if (!TryGet(right, key, out object? other)) { return false; }
            bool? same = Equal(value, other);
            if (same == false) { return false; }
            all = same is null ? null : all;
        }

        return all;
    }

    private static bool? EqualRecords(RecordValue left, RecordValue right)
    {
        bool? all = true;
        for (int i = 0; i < left.Values.Length && i < right.Values.Length; i++)
        {
            object? a = left.Values[i], b = right.Values[i];
            bool? same = ReferenceEquals(a, RecordValue.Missing) || ReferenceEquals(b, RecordValue.Missing) ? ReferenceEquals(a, b) : Equal(a, b);
            if (same == false) { return false; }
            all = same is null ? null : all;
        }

        return all;
    }

    public static bool IsNumber(object? value) => value is long or ulong or double or DecimalValue;

    /// <summary>Order of two numbers by value; null where one is NaN.</summary>
    public static int? CompareNumbers(object left, object right)
    {
        switch (left, right)
        {
            case (long a, long b): return a.CompareTo(b);
            case (ulong a, ulong b): return a.CompareTo(b);
            case (double a, double b): return CompareDoubles(a, b);
            case (long a, ulong b): return a < 0 ? -1 : ((ulong)a).CompareTo(b);
            case (ulong a, long b): return b < 0 ? 1 : a.CompareTo((ulong)b);
            case (double a, long b): return -CompareIntDouble(b, a);
            case (long a, double b): return CompareIntDouble(a, b);
            case (double a, ulong b): return -CompareUIntDouble(b, a);
            case (ulong a, double b): return CompareUIntDouble(a, b);
            case (double a, DecimalValue b): return -CompareDecimalDouble(b, a);
            case (DecimalValue a, double b): return CompareDecimalDouble(a, b);
            default: return CompareDecimals(ToDecimal(left), ToDecimal(right));
        }
    }

    /// <summary>The integer as the nearest double, as cel-spec's cases want it: 2^63 - 1 equals the double 2^63.</summary>
    public static int? CompareIntDouble(long left, double right) => CompareDoubles(left, right);

    public static int? CompareUIntDouble(ulong left, double right) => CompareDoubles(left, right);

    private static int? CompareDoubles(double left, double right) => double.IsNaN(left) || double.IsNaN(right) ? null : left < right ? -1 : left > right ? 1 : 0;

    public static int? CompareDecimalDouble(DecimalValue left, double right)
    {
        if (double.IsNaN(right)) { return null; }
        if (double.IsInfinity(right)) { return right > 0 ? -1 : 1; }
        // A double is an integer times a power of two; both sides are scaled to integers.
        long bits = BitConverter.DoubleToInt64Bits(right);
        int exponent = (int)((bits >> 52) & 0x7FF);
        long mantissa = bits & 0xFFFFFFFFFFFFFL;
        if (exponent == 0) { exponent++; }
        else { mantissa |= 1L << 52; }
        exponent -= 1075;
        BigInteger numerator = bits < 0 ? -mantissa : mantissa;
        BigInteger other = left.Unscaled;
        numerator *= BigInteger.Pow(10, left.Scale);
        if (exponent > 0) { numerator <<= exponent; }
        else { other <<= -exponent; }
        return other.CompareTo(numerator);
    }

    private static DecimalValue ToDecimal(object value) => value switch
    {
        DecimalValue number => number,
        long number => new DecimalValue(number, 0),
        _ => new DecimalValue((ulong)value, 0),
    };

    public static int CompareDecimals(DecimalValue left, DecimalValue right)
    {
        int scale = Math.Max(left.Scale, right.Scale);
        BigInteger a = left.Scale == scale ? left.Unscaled : left.Unscaled * BigInteger.Pow(10, scale - left.Scale);
        BigInteger b = right.Scale == scale ? right.Unscaled : right.Unscaled * BigInteger.Pow(10, scale - right.Scale);
        return a.CompareTo(b);
    }

    /// <summary>Order of two values of types that <c>&lt;</c> takes.</summary>
    /// <param name="order">Null beside true: not ordered (NaN).</param>
    /// <returns>False where the types do not compare.</returns>
    public static bool TryCompare(object? left, object? right, out int? order)
    {
        order = null;
        switch (left, right)
        {
            case (string a, string b): order = CompareText(a, b); return true;
            case (bool a, bool b): order = a.CompareTo(b); return true;
            case (byte[] a, byte[] b): order = a.AsSpan().SequenceCompareTo(b); return true;
            case (Timestamp a, Timestamp b): order = a.Seconds != b.Seconds ? a.Seconds.CompareTo(b.Seconds) : a.Nanos.CompareTo(b.Nanos); return true;
            case (Duration a, Duration b): order = a.Seconds != b.Seconds ? a.Seconds.CompareTo(b.Seconds) : a.Nanos.CompareTo(b.Nanos); return true;
            default:
                if (!IsNumber(left) || !IsNumber(right)) { return false; }
                order = CompareNumbers(left!, right!);
                return true;
        }
    }

    /// <summary>By code points, which is the order of the UTF-8 bytes and not always of UTF-16.</summary>
    public static int CompareText(string left, string right)
    {
        int length = Math.Min(left.Length, right.Length);
        for (int i = 0; i < length; i++)
        {
            char a = left[i], b = right[i];
            if (a == b) { continue; }
            bool highA = char.IsSurrogate(a), highB = char.IsSurrogate(b);
            return highA != highB ? (highA ? 1 : -1) : a.CompareTo(b);
        }

        return left.Length.CompareTo(right.Length);
    }

    /// <summary>The value under a key; numbers of different types are one key.</summary>
    public static bool TryGet(MapValue map, object? key, out object? value)
    {
        switch (key)
        {
            case string or bool:
                return map.TryGetValue(key, out value);
            case long number:
                return map.TryGetValue(key, out value) || (number >= 0 && map.TryGetValue((ulong)number, out value));
            case ulong number:
                return map.TryGetValue(key, out value) || (number <= long.MaxValue && map.TryGetValue((long)number, out value));
            case double number when number >= -9223372036854775808.0 && number < 9223372036854775808.0 && Math.Truncate(number) == number:
                return TryGet(map, (long)number, out value);
            case double number when number >= 0 && number < 18446744073709551616.0 && Math.Truncate(number) == number:
                return TryGet(map, (ulong)number, out value);
            default:
                value = null;
                return false;
        }
    }

    public static bool IsKey(object? value) => value is string or bool or long or ulong;

    /// <summary>True where the value is its type's empty one: what <c>optional.ofNonZeroValue</c> drops.</summary>
    public static bool IsZero(object? value) => value switch
    {
        null => true,
        bool flag => !flag,
        long number => number == 0,
        ulong number => number == 0,
        double number => number == 0,
        string text => text.Length == 0,
        byte[] bytes => bytes.Length == 0,
        List<object?> list => list.Count == 0,
        MapValue map => map.Count == 0,
        DecimalValue number => number.Unscaled.IsZero,
        Duration span => span is { Seconds: 0, Nanos: 0 },
        Timestamp instant => instant is { Seconds: 0, Nanos: 0 },
        _ => false,
    };

    public static int CodePoints(string text)
    {
        int count = text.Length;
        foreach (char c in text)
        {
            if (char.IsLowSurrogate(c)) { count--; }
        }

        return count;
    }

    public static string Format(double value) => GoNumbers.Shortest(value);

    public static string Format(DecimalValue value)
    {
        string digits = BigInteger.Abs(value.Unscaled).ToString(CultureInfo.InvariantCulture);
        if (value.Scale > 0)
        {
            digits = digits.PadLeft(value.Scale + 1, '0');
            digits = $"{digits[..^value.Scale]}.{digits[^value.Scale..]}";
        }

        return value.Unscaled.Sign < 0 ? "-" + digits : digits;
    }
}
