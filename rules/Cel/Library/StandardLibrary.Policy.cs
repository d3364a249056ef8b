using System.Globalization;
using System.Numerics;
using System.Text;
using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Evaluation;
using PolicyStreams.Rules.Detection;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Library;

/// <summary>What policies need beside cel-spec: formats of text, networks, decimals, and union branches.</summary>
internal static partial class StandardLibrary
{
    private static void AddPolicy(FunctionTable table)
    {
        table.Add("isEmail", "string.()bool", a => Bool(TextFormats.IsEmail(Encoding.UTF8.GetBytes((string)a[0]!))));
        table.Add("isUri", "string.()bool", a => Bool(TextFormats.IsUri(Encoding.UTF8.GetBytes((string)a[0]!))));
        table.Add("isUuid", "string.()bool", a => Bool(TextFormats.IsUuid(Encoding.UTF8.GetBytes((string)a[0]!))));
        table.Add("luhn", "string.()bool", a => Bool(TextFormats.IsLuhn(Encoding.UTF8.GetBytes((string)a[0]!))));
        // Which detector is checked when the policy is loaded: it is a constant.
        table.Add("detected", "(string, string)bool", a => Detectors.TryParse((string)a[1]!, out Detector detector) ? Bool(Detectors.Find(detector, Encoding.UTF8.GetBytes((string)a[0]!), 0, out _)) : ErrorValue.Argument);
        table.Add("inCidr", "string.(string)bool; string.(list<string>)bool", a => InCidr((string)a[0]!, a[1]));
        table.Add("decimal", "(decimal)decimal", a => a[0]);
        table.Add("decimal", "(int)decimal", a => new DecimalValue((long)a[0]!, 0));
        table.Add("decimal", "(uint)decimal", a => new DecimalValue((ulong)a[0]!, 0));
        table.Add("decimal", "(string)decimal", a => TryDecimal((string)a[0]!, out DecimalValue value) ? value : ErrorValue.Conversion);
        table.Add("branch", "(dyn)string", a => a[0] switch
        {
            UnionValue union => union.Branch,
            null => "null",
            _ => ErrorValue.Type,
        });
        // headerValues(name) reads the record's headers, so the interpreter answers it.
        table.Add("headerValues", "(string)list<bytes>", _ => ErrorValue.Type);
    }

    // An address that is none is in no network; a network that is none is an error.
    private static object InCidr(string address, object? networks)
    {
        IReadOnlyList<object?> list = networks is List<object?> several ? several : [networks];
        bool known = IpValue.TryParse(address, out IpValue? ip), inside = false;
        foreach (object? item in list)
        {
            if (Values.Unwrap(item) is not string text) { return item as ErrorValue ?? ErrorValue.Type; }
            if (!CidrValue.TryParse(text, out CidrValue? cidr)) { return ErrorValue.Argument; }
            inside |= known && cidr!.Contains(ip!);
        }

        return Bool(inside);
    }

    /// <summary>Digits with at most one point and a sign in front; no exponent; at most 1,000 characters.</summary>
    internal static bool TryDecimal(string text, out DecimalValue value)
    {
        value = default;
        if (text.Length is 0 or > 1000) { return false; }
        int start = text[0] is '-' or '+' ? 1 : 0, point = -1, digits = 0;
        for (int i = start; i < text.Length; i++)
        {
            if (text[i] == '.' && point < 0) { point = i; }
            else if (char.IsAsciiDigit(text[i])) { digits++; }
            else { return false; }
        }

        if (digits == 0 || point == text.Length - 1 || point == start) { return false; }
        string plain = point < 0 ? text : text.Remove(point, 1);
        value = new DecimalValue(BigInteger.Parse(plain, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture), point < 0 ? 0 : text.Length - point - 1);
        return true;
    }
}
