using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Evaluation;

namespace PolicyStreams.Rules.Cel.Library;

internal static partial class StandardLibrary
{
    private static void AddCollections(FunctionTable table)
    {
        table.Add("lists.range", "(int)list<int>", a => Range((long)a[0]!));
        table.Add("reverse", "list<A>.()list<A>", a => (List<object?>)[.. Enumerable.Reverse((List<object?>)a[0]!)]);
        table.Add("slice", "list<A>.(int, int)list<A>", a => Slice((List<object?>)a[0]!, (long)a[1]!, (long)a[2]!));
        table.Add("distinct", "list<A>.()list<A>", a => Distinct((List<object?>)a[0]!));
        table.Add("sort", "list<A>.()list<A>", a => Sorted((List<object?>)a[0]!, (List<object?>)a[0]!));
        table.Add("first", "list<A>.()optional<A>", a => (List<object?>)a[0]! is [var first, ..] ? OptionalValue.Of(first) : OptionalValue.None);
        table.Add("last", "list<A>.()optional<A>", a => (List<object?>)a[0]! is [.., var last] ? OptionalValue.Of(last) : OptionalValue.None);
        table.Add("flatten", "list<dyn>.()list<dyn>; list<dyn>.(int)list<dyn>", a => Flatten((List<object?>)a[0]!, a.Length == 2 ? (long)a[1]! : 1));
        table.Add("sets.contains", "(list<A>, list<A>)bool", a => Contains((List<object?>)a[0]!, (List<object?>)a[1]!, new Comparisons()));
        table.Add("sets.equivalent", "(list<A>, list<A>)bool", a => Equivalent((List<object?>)a[0]!, (List<object?>)a[1]!));
        table.Add("sets.intersects", "(list<A>, list<A>)bool", a => Intersects((List<object?>)a[0]!, (List<object?>)a[1]!));
    }

    // Comparing each element with each is quadratic: bounded, so that two long lists of a record cannot take minutes.
    private sealed class Comparisons
    {
        private int _left = ComparisonsMax;

        /// <summary>True or false as a value, or why the list cannot be searched to its end.</summary>
        public object Has(List<object?> list, object? item)
        {
            if ((_left -= list.Count) < 0) { return ErrorValue.TooLarge; }
            return In(item, list);
        }
    }

    private static object Contains(List<object?> list, List<object?> items, Comparisons comparisons)
    {
        object? failed = null;
        foreach (object? item in items)
        {
            object has = comparisons.Has(list, item);
            if (has is ErrorValue { Code: EvalError.TooLarge } || has is false) { return has; }
            if (has is ErrorValue) { failed ??= has; }
        }

        return failed ?? Values.True;
    }

    private static object Equivalent(List<object?> left, List<object?> right)
    {
        var comparisons = new Comparisons();
        object first = Contains(left, right, comparisons);
        return first is true ? Contains(right, left, comparisons) : first is false || Contains(right, left, comparisons) is not false ? first : Values.False;
    }

    private static object Intersects(List<object?> left, List<object?> right)
    {
        var comparisons = new Comparisons();
        object? failed = null;
        foreach (object? item in left)
        {
            object has = comparisons.Has(right, item);
            if (has is ErrorValue { Code: EvalError.TooLarge } || has is true) { return has; }
            if (has is ErrorValue) { failed ??= has; }
        }

        return failed ?? Values.False;
    }

    private static object Range(long size) =>
        size < 0 ? ErrorValue.Argument : size > SizeMax ? ErrorValue.TooLarge : (List<object?>)[.. Enumerable.Range(0, (int)size).Select(i => (object?)(long)i)];

    private static object Slice(List<object?> list, long start, long end) =>
        start < 0 || end < 0 ? ErrorValue.Index : start > end ? ErrorValue.Argument : end > list.Count ? ErrorValue.Index : list.GetRange((int)start, (int)(end - start));

    private static object Distinct(List<object?> list)
    {
        var comparisons = new Comparisons();
        var kept = new List<object?>();
        foreach (object? item in list)
        {
            object has = comparisons.Has(kept, item);
            if (has is ErrorValue) { return has; }
            if (has is false) { kept.Add(item); }
        }

        return kept;
    }

    /// <summary>The list in the order of its keys, which are of one type that has one; equal keys keep theirs.</summary>
    internal static object Sorted(List<object?> list, List<object?> keys)
    {
        ErrorValue? failed = null;
        for (int i = 0; i < keys.Count; i++)
        {
            object? key = Values.Unwrap(keys[i]);
            if (key is ErrorValue error) { return error; }
            // NaN has no place in an order.
            if (key is double.NaN) { failed ??= ErrorValue.Argument; }
            if (!Values.TryCompare(Values.Unwrap(keys[0]), key, out _) || Values.KindOf(Values.Unwrap(keys[0])) != Values.KindOf(key)) { failed = ErrorValue.Type; }
        }

        if (failed is not null) { return failed; }
        int[] order = [.. Enumerable.Range(0, list.Count)];
        Array.Sort(order, (a, b) =>
        {
            Values.TryCompare(Values.Unwrap(keys[a]), Values.Unwrap(keys[b]), out int? result);
            return result is int known and not 0 ? known : a.CompareTo(b);
        });
        return (List<object?>)[.. order.Select(i => list[i])];
    }

    private static object Flatten(List<object?> list, long depth)
    {
        if (depth < 0) { return ErrorValue.Argument; }
        var flat = new List<object?>();
        return Flatten(list, depth, flat) ? flat : ErrorValue.TooLarge;
    }

    private static bool Flatten(List<object?> list, long depth, List<object?> into)
    {
        foreach (object? item in list)
        {
            if (depth > 0 && Values.Unwrap(item) is List<object?> inner)
            {
                if (!Flatten(inner, depth - 1, into)) { return false; }
            }
            else { into.Add(item); }
        }

        return into.Count <= SizeMax;
    }
}
