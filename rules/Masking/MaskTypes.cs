using System.Text;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Masking;

/// <summary>Whether a mask's output can stand where the masked value stands.</summary>
internal static class MaskTypes
{
    private const string NotWhole = "it is an integer, and the width of its buckets is no whole number below 2^63";

    public static void Check(MaskDocument mask, string path, IReadOnlyList<SchemaType> types, ValueKind parent, string what, DiagnosticBag bag, Severity severity = Severity.Error)
    {
        // In a union the mask must fit at least one branch; a value of another branch denies its record.
        string? fault = null, help = null;
        foreach (SchemaType type in types)
        {
            fault = Fault(mask, type, parent, out help);
            if (fault is null) { return; }
        }

        if (fault is not null) { bag.Add(mask.MethodNode.Line, mask.MethodNode.Column, DiagnosticCodes.MaskType, severity, $"`{mask.MethodName}` of {what} cannot mask `{path}`: {fault}", help); }
    }

    public static void CheckHeader(MaskDocument mask, string what, DiagnosticBag bag)
    {
        if (mask.Method == MaskMethod.Bucket) { bag.Error(mask.MethodNode, DiagnosticCodes.MaskType, $"`bucket` of {what} cannot mask a header: a header is text"); }
    }

    public static void CheckKey(MaskDocument mask, KeyFormat format, string what, DiagnosticBag bag)
    {
        string? fault = (mask.Method, format) switch
        {
            (MaskMethod.Redact, _) => null,
            (MaskMethod.Remove, _) => "a key is not removed; `redact` makes it null",
            (MaskMethod.Bucket, KeyFormat.Long) => mask.WholeBucket is null ? NotWhole : null,
            (MaskMethod.Bucket, _) => "the key is no number",
            (_, KeyFormat.String) => null,
            _ => "a mask of texts takes keys of `key_format: string`",
        };
        if (fault is not null) { bag.Error(mask.MethodNode, DiagnosticCodes.MaskType, $"`{mask.MethodName}` of {what} cannot mask `key`: {fault}"); }
    }

    private static string? Fault(MaskDocument mask, SchemaType type, ValueKind parent, out string? help)
    {
        help = null;
        bool any = type.Kind == ValueKind.Dyn;
        switch (mask.Method)
        {
            case MaskMethod.Redact when type.Constraints is { } constraints:
                return constraints.RedactFault;
            case MaskMethod.Redact:
                return RedactFault(type, []);
            case MaskMethod.Remove:
                if (parent is ValueKind.List or ValueKind.Map or ValueKind.Dyn || type.Removable) { return null; }
                help = "use `redact`";
                return parent == ValueKind.Record ? "a field of a record cannot be removed" : "there is nothing to remove it from";
            case MaskMethod.Bucket:
                if (any || type.Kind is ValueKind.Int or ValueKind.UInt or ValueKind.Double)
                {
                    return type.Kind is ValueKind.Int or ValueKind.UInt && mask.WholeBucket is null ? NotWhole : null;
                }

                return $"it is {SchemaPaths.Say(type)}, not a number";
            case MaskMethod.Date:
                if (any || (type.Kind == ValueKind.Timestamp && (type.NativeName == "date-time" || DateMask.InUnit(0, type.NativeName) is not null)) || (type.Kind == ValueKind.String && type.Symbols.Count == 0 && type.FixedSize == 0 && type.NativeName != "uuid")) { return null; }
                return $"it is {SchemaPaths.Say(type)}, not an instant, a date, or a text of one";
            default:
                if (any) { return null; }
                if (type.Kind != ValueKind.String && type.NativeName != "date-time")
                {
                    help = type.Kind is ValueKind.Record or ValueKind.List or ValueKind.Map ? "`redact` empties it; or select the texts inside" : "`redact` takes every type";
                    return $"it is {SchemaPaths.Say(type)}, not a string";
                }

                if (type.Symbols.Count > 0)
                {
                    help = $"symbols: {string.Join(", ", type.Symbols.Take(24))}";
                    return mask.Method == MaskMethod.Constant && type.Symbols.Contains(mask.Constant) ? null : mask.Method == MaskMethod.Constant ? "the constant is no symbol of the enum" : "it is an enum, and takes only its own symbols";
                }

                if (mask.Method is MaskMethod.Token or MaskMethod.Detect && type.NativeName == "uuid") { return mask.Method == MaskMethod.Token ? "it is a uuid, which is no row of digits" : "it is a uuid, which is no free text"; }
                return type.FixedSize > 0 ? "it is a text of fixed size" : type.Constraints is { } said ? Refused(mask, said, out help) : null;
        }
    }

    /// <summary>What the schema's own keywords say of everything the mask can write; null where some of it may pass, and each record is judged again.</summary>
    private static string? Refused(MaskDocument mask, ValueConstraints constraints, out string? help)
    {
        help = "`redact` writes what the schema takes, where there is such a value; or mend the schema";
        string? refusal = mask.Method switch
        {
            MaskMethod.Constant => constraints.RefusesText(Encoding.UTF8.GetBytes(mask.Constant)),
            MaskMethod.Hmac => constraints.RefusesAll([new TextRun(TextAlphabet.LowerHex, 2 * TextMasker.HmacBytes, 2 * TextMasker.HmacBytes)]),
            MaskMethod.Encrypt => constraints.RefusesAll([new TextRun(TextAlphabet.Any, 10, -1), new TextRun(TextAlphabet.Base64Url, 38, -1)]),

            // A text as long as what is kept, or shorter, is masked whole.
            MaskMethod.KeepLast => Both(constraints, mask.Keep, [new TextRun(TextAlphabet.Star, 1, -1), new TextRun(TextAlphabet.Any, mask.Keep, mask.Keep)]),
            MaskMethod.KeepFirst => Both(constraints, mask.Keep, [new TextRun(TextAlphabet.Any, mask.Keep, mask.Keep), new TextRun(TextAlphabet.Star, 1, -1)]),
            _ => null,
        };
        return refusal is null ? null : mask.Method == MaskMethod.Constant ? $"the schema refuses the constant (`{refusal}`)" : $"the schema refuses whatever it writes (`{refusal}`)";
    }

    private static string? Both(ValueConstraints constraints, int keep, TextRun[] longer) =>
        constraints.RefusesAll(longer) is { } refusal && constraints.RefusesAll([new TextRun(TextAlphabet.Star, 0, keep)]) is not null ? refusal : null;

    /// <summary>Everything has an empty value but what is made of fields that have none: an enum without a default, a record that contains itself, a union without null.</summary>
    private static string? RedactFault(SchemaType type, List<SchemaType> open)
    {
        if (type.Nullable) { return null; }
        switch (type.Kind)
        {
            case ValueKind.Record:
                if (open.Exists(other => ReferenceEquals(other.Fields, type.Fields))) { return "it contains itself, and has no empty value"; }
                open.Add(type);
                foreach (SchemaField field in type.Fields)
                {
                    if (RedactFault(field.Type, open) is { } fault) { return $"its field `{field.Name}` has no empty value: {fault}"; }
                }

                open.RemoveAt(open.Count - 1);
                return null;
            case ValueKind.String when type.Symbols.Count > 0:
                return type.DefaultSymbol is null ? "it is an enum without a default, and has no empty value" : null;
            default:
                return null;
        }
    }
}
