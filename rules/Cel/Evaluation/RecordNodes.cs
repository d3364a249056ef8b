using System.Buffers.Binary;
using System.Text;
using PolicyStreams.Rules.Cel.Library;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Evaluation;

/// <summary>Variables of a record beside its value.</summary>
internal enum RecordVariable : byte { Key, Headers, Principal, Topic, Partition, Offset, Timestamp, Schema }

/// <summary>Reads a variable of the record as a plain value.</summary>
internal sealed class RecordVariableNode(RecordVariable variable, SchemaType type) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        switch (variable)
        {
            case RecordVariable.Key:
                state.Key ??= [ReadKey(ref input)];
                return state.Key[0];
            case RecordVariable.Headers:
                return state.Headers ??= ReadHeaders(input.Headers);
            case RecordVariable.Principal:
                Principal principal = input.Principal ?? Principal.None;
                return new RecordValue(type, [principal.Id, new List<object?>(principal.Groups), principal.Via]);
            case RecordVariable.Topic:
                return input.Topic;
            case RecordVariable.Partition:
                return (long)input.Partition;
            case RecordVariable.Offset:
                return input.Offset;
            case RecordVariable.Timestamp:
                return RecordReads.Timestamp(input.TimestampMs);
            default:
                return new RecordValue(type, [(long)input.SchemaId, input.Subject ?? "", (long)input.SchemaVersion]);
        }
    }

    private object? ReadKey(ref ConditionInput input)
    {
        if (!input.HasKey) { return null; }
        if (input.KeyPlain is not null) { return input.KeyPlain; }
        if (input.KeyReader is { } reader) { return reader(input.Key, out object? plain) ? plain : ErrorValue.Of(EvalError.KeyFormat); }
        switch (type.Kind)
        {
            case ValueKind.String:
                return RecordReads.Utf8(input.Key) ?? (object)ErrorValue.Of(EvalError.KeyFormat);
            case ValueKind.Int:
                return input.Key.Length == 8 ? BinaryPrimitives.ReadInt64BigEndian(input.Key) : ErrorValue.Of(EvalError.KeyFormat);
            case ValueKind.Bytes:
                return input.Key.ToArray();
            default:
                return ErrorValue.Of(EvalError.KeyFormat);
        }
    }

    // A name's value may be an error: it is one only where it is read.
    private static MapValue ReadHeaders(RecordHeaders? headers)
    {
        var map = new MapValue();
        for (int i = 0; i < (headers?.Count ?? 0); i++)
        {
            string name = RecordReads.Utf8(headers!.Name(i)) ?? Encoding.Latin1.GetString(headers.Name(i)) + "\0";
            if (map.ContainsKey(name))
            {
                map[name] = ErrorValue.Of(EvalError.RepeatedHeader);
                continue;
            }

            map[name] = name.EndsWith('\0') ? ErrorValue.Of(EvalError.HeaderText)
                : headers.IsNull(i) ? ErrorValue.NullUse
                : RecordReads.Utf8(headers.Value(i)) ?? (object)ErrorValue.Of(EvalError.HeaderText);
        }

        return map;
    }
}

/// <summary><c>headerValues(name)</c>: the bytes of every header of the name, in order; a null value is null.</summary>
internal sealed class HeaderValuesNode(Node name) : Node
{
    public override object? Eval(ref ConditionInput input, EvalState state)
    {
        object? wanted = Values.Unwrap(name.Eval(ref input, state));
        if (wanted is not string text) { return wanted as ErrorValue ?? (wanted is null ? ErrorValue.NullUse : ErrorValue.Type); }
        var values = new List<object?>();
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        for (int i = 0; i < (input.Headers?.Count ?? 0); i++)
        {
            if (input.Headers!.Name(i).SequenceEqual(utf8)) { values.Add(input.Headers.IsNull(i) ? null : input.Headers.Value(i).ToArray()); }
        }

        return values;
    }
}

/// <summary>Reads shared by the interpreter and compiled conditions.</summary>
internal static class RecordReads
{
    /// <summary>Milliseconds as an instant, rounded down to the second before the epoch too.</summary>
    public static Timestamp Timestamp(long ms)
    {
        long seconds = Math.DivRem(ms, 1000, out long rest);
        if (rest < 0)
        {
            seconds--;
            rest += 1000;
        }

        return new Timestamp(seconds, (int)rest * 1_000_000);
    }

    /// <summary>The text, or null where the bytes are not UTF-8.</summary>
    public static string? Utf8(ReadOnlySpan<byte> bytes) => System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : null;
}
