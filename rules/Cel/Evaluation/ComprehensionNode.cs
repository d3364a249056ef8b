using PolicyStreams.Rules.Cel.Library;
using PolicyStreams.Rules.Cel.Syntax;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Cel.Evaluation;

/// <summary>A macro that goes over a list or a map, or over the captured rows of a list.</summary>
/// <param name="range">Null where <paramref name="rows"/> gives the elements.</param>
/// <param name="local">Index of the first variable; the element's where there is one variable.</param>
/// <param name="local2">Index of the second variable, or -1.</param>
internal sealed class ComprehensionNode(ComprehensionKind kind, Node? range, CaptureSlot? rows, int local, int local2, Node? filter, Node body) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        IReadOnlyList<object?>? first = null, second = null;
        int count, start = 0, stride = 0;
        if (rows is { } captured)
        {
            ref Slot slot = ref input.Frame.Slots[captured.Slot + (captured.Row is null ? 0 : state.Rows[captured.Row.Index])];
            if (slot.Kind != ValueKind.List)
            {
                return slot.Kind == ValueKind.Null ? ErrorValue.NullUse : slot.Kind != ValueKind.Absent ? ErrorValue.Type : ErrorValue.Of(captured.Absent);
            }

            count = slot.Aux;
            start = (int)slot.Bits;
            stride = captured.Node.Row?.SlotCount ?? 0;
        }
        else
        {
            object? value = Values.Unwrap(range!.Eval(ref input, state));
            switch (value)
            {
                case List<object?> list:
                    second = list;
                    first = local2 < 0 ? list : null;
                    count = list.Count;
                    break;
                case MapValue map:
                    first = [.. map.Keys];
                    second = [.. map.Values];
                    count = map.Count;
                    break;
                default:
                    return value is ErrorValue ? value : value is null ? ErrorValue.NullUse : ErrorValue.Type;
            }
        }

        return Fold(ref input, state, first, second, count, start, stride);
    }

    private object? Fold(ref ConditionInput input, EvalState state, IReadOnlyList<object?>? first, IReadOnlyList<object?>? second, int count, int start, int stride)
    {
        object? failed = null;
        int found = 0;
        List<object?>? list = kind is ComprehensionKind.Map or ComprehensionKind.Filter or ComprehensionKind.TransformList or ComprehensionKind.SortBy ? [] : null;
        List<object?>? source = kind == ComprehensionKind.SortBy ? [] : null;
        MapValue? map = kind is ComprehensionKind.TransformMap or ComprehensionKind.TransformMapEntry ? [] : null;
        for (int i = 0; i < count; i++)
        {
            if (++state.Steps > EvalState.StepsMax) { return ErrorValue.TooLarge; }
            object? index = i;
            if (rows is not null)
            {
                // The element's variable is the second of two; the interpreter reads it from its row.
                state.Rows[local2 < 0 ? local : local2] = start + (i * stride);
                if (local2 >= 0) { state.Locals[local] = index = (long)i; }
            }
            else
            {
                state.Locals[local] = index = first is null ? (long)i : first[i];
                if (local2 >= 0) { state.Locals[local2] = second![i]; }
            }

            if (filter is not null)
            {
                object? passes = Values.Unwrap(filter.Eval(ref input, state));
                if (passes is not bool pass) { return Failure(passes); }
                if (!pass) { continue; }
            }

            object? value = body.Eval(ref input, state);
            switch (kind)
            {
                case ComprehensionKind.All or ComprehensionKind.Exists:
                    value = Values.Unwrap(value);
                    if (value is not bool flag) { failed ??= Failure(value); }
                    else if (flag == (kind == ComprehensionKind.Exists)) { return Values.Boxed(flag); }
                    break;
                case ComprehensionKind.ExistsOne:
                    value = Values.Unwrap(value);
                    if (value is not bool one) { return Failure(value); }
                    if (one) { found++; }
                    break;
                case ComprehensionKind.Filter:
                    value = Values.Unwrap(value);
                    if (value is not bool keep) { return Failure(value); }
                    if (keep) { list!.Add(index); }
                    break;
                case ComprehensionKind.TransformMap:
                    if (value is ErrorValue) { return value; }
                    map![Values.Unwrap(index)!] = value;
                    break;
                case ComprehensionKind.TransformMapEntry:
                    value = Values.Unwrap(value);
                    if (value is not MapValue entries) { return Failure(value); }
                    foreach ((object key, object? entry) in entries)
                    {
                        if (Values.TryGet(map!, key, out _)) { return ErrorValue.Of(EvalError.DuplicateKey); }
                        map![key] = entry;
                    }

                    break;
                default:
                    if (value is ErrorValue) { return value; }
                    list!.Add(value);
                    source?.Add(index);
                    break;
            }
        }

        return kind switch
        {
            ComprehensionKind.All => failed ?? Values.True,
            ComprehensionKind.Exists => failed ?? Values.False,
            ComprehensionKind.ExistsOne => Values.Boxed(found == 1),
            ComprehensionKind.SortBy => StandardLibrary.Sorted(source!, list!),
            _ => (object?)map ?? list,
        };
    }

    private static ErrorValue Failure(object? value) => value as ErrorValue ?? (value is null ? ErrorValue.NullUse : ErrorValue.Type);
}

/// <summary><c>optional.optMap(x, e)</c> and <c>optFlatMap</c>.</summary>
internal sealed class OptionalMapNode(Node range, int local, Node body, bool flat) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        object? value = Values.Unwrap(range.Eval(ref input, state));
        if (value is not OptionalValue optional) { return value as ErrorValue ?? ErrorValue.Type; }
        if (!optional.HasValue) { return OptionalValue.None; }
        state.Locals[local] = optional.Value;
        object? result = body.Eval(ref input, state);
        return result is ErrorValue || flat ? (result is ErrorValue or OptionalValue ? result : ErrorValue.Type) : OptionalValue.Of(result);
    }
}
