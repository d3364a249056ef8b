using System.Text;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>What the schemas of one place say of its values.</summary>
internal sealed class LocationConstraints(Locations locations, Location place, JsonKinds kinds) : ValueConstraints
{
    private const int RedactDepthMax = 32;

    private (byte[]? Json, string? Fault)? _redacted;

    /// <summary>What redaction writes: null where it may be null, else the empty value of its kind that the schema takes; null where there is none.</summary>
    public byte[]? Redacted => Redaction().Json;

    public override string? RedactFault => Redaction().Fault;

    public override string? RefusesText(ReadOnlySpan<byte> utf8)
    {
        var json = new ByteBuffer(utf8.Length + 16);
        JsonText.AppendString(json, utf8);
        return Refuses(json.Written.ToArray());
    }

    public override string? RefusesAll(IReadOnlyList<TextRun> shape)
    {
        if (locations.Graph.IsDynamic) { return null; }
        if ((kinds & JsonKinds.String) == 0) { return place.Must.Length > 0 ? place.Must[0].At("type") : null; }
        long shortest = shape.Sum(run => (long)run.Min);
        long longest = shape.Any(run => run.Max < 0) ? long.MaxValue : shape.Sum(run => (long)run.Max);
        lock (locations)
        {
            foreach (SchemaNode node in locations.Close(place, JsonKinds.String).Must)
            {
                if (longest < node.LengthMin) { return node.At("minLength"); }
                if (shortest > node.LengthMax) { return node.At("maxLength"); }
                if (node.Pattern is { } pattern && !pattern.MayMatch(shape)) { return node.At("pattern"); }
                foreach ((ConstantSet? values, string keyword) in ((ConstantSet?, string)[])[(node.Enum, "enum"), (node.Const, "const")])
                {
                    if (values?.Symbols() is { } symbols && !symbols.Any(symbol => Fits(symbol, shape))) { return node.At(keyword); }
                }

                if (node.FormatCheck is { } format && shape.All(run => run.Alphabet is TextAlphabet.Star or TextAlphabet.LowerHex or TextAlphabet.Base64Url) && !Samples(shape).Any(sample => format(sample))) { return node.At("format"); }
            }
        }

        return null;
    }

    private static bool Fits(string symbol, IReadOnlyList<TextRun> shape)
    {
        var pattern = new StringBuilder("^");
        foreach (TextRun run in shape)
        {
            pattern.Append(run.Alphabet switch { TextAlphabet.Star => "\\*", TextAlphabet.LowerHex => "[0-9a-f]", TextAlphabet.Base64Url => "[0-9A-Za-z_-]", _ => "[^]" });
            pattern.Append(System.Globalization.CultureInfo.InvariantCulture, $"{{{Math.Min(run.Min, 1000)},{(run.Max is < 0 or > 1000 ? "" : run.Max)}}}");
        }

        return !Patterns.Re2.TryParseEcma(pattern.Append('$').ToString(), out Patterns.Re2? compiled, out _) || compiled.IsMatch(symbol);
    }

    /// <summary>Texts of a shape. Formats tell texts apart by their structure, which all texts of such a shape share.</summary>
    private static IEnumerable<byte[]> Samples(IReadOnlyList<TextRun> shape)
    {
        for (int seed = 0; seed < 64; seed++)
        {
            var text = new StringBuilder();
            uint state = (uint)seed;
            foreach (TextRun run in shape)
            {
                string alphabet = run.Alphabet switch { TextAlphabet.Star => "*", TextAlphabet.LowerHex => "0123456789abcdef", _ => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" };
                int length = run.Min + Next((run.Max < 0 ? run.Min + 64 : run.Max) - run.Min + 1);
                for (int i = 0; i < length; i++) { text.Append(alphabet[Next(alphabet.Length)]); }
            }

            yield return Encoding.ASCII.GetBytes(text.ToString());

            // The same texts in every run.
            int Next(int below)
            {
                state = (state * 1_664_525) + 1_013_904_223;
                return (int)((state >> 8) % (uint)below);
            }
        }
    }

    private string? Refuses(byte[] json)
    {
        // Where a reference depends on the way that led here, only the whole record tells.
        if (locations.Graph.IsDynamic) { return null; }
        JsonView view = JsonView.Of(json);
        var scratch = new ValidatorScratch();
        foreach (SchemaNode node in place.Must)
        {
            if (new Validator(locations.Graph, view.Source, scratch).Judge(node) == DecodeOutcome.Invalid) { return scratch.Refusal; }
        }

        return null;
    }

    private (byte[]? Json, string? Fault) Redaction()
    {
        if (_redacted is { } known) { return known; }
        lock (locations) { return (_redacted = Redact(0)).Value; }
    }

    private (byte[]? Json, string? Fault) Redact(int depth)
    {
        if (!place.IsDeclared || (kinds & JsonKinds.Null) != 0 && Refuses("null"u8.ToArray()) is null) { return ("null"u8.ToArray(), null); }
        string? fault = null;
        foreach (byte[] candidate in Candidates(depth, text => fault ??= text))
        {
            if (Refuses(candidate) is not { } refusal) { return (candidate, null); }
            fault ??= $"the schema refuses its empty value ({refusal})";
        }

        return (null, fault ?? "it has no empty value");
    }

    private IEnumerable<byte[]> Candidates(int depth, Action<string> fault)
    {
        if ((kinds & JsonKinds.String) != 0)
        {
            Location closed = locations.Close(place, JsonKinds.String);
            bool listed = false;
            foreach (SchemaNode node in closed.Must)
            {
                listed |= node.Enum is not null || node.Const is not null;
                if (node.Default is { } text && text[0] == (byte)'"') { yield return text; }
                if (node.Const is { Values.Length: 1 } constant && constant.Symbols() is [var only]) { yield return Quoted(only); }
            }

            if (listed) { fault("it is an enum without a default, and has no empty value"); }
            string? format = closed.Must.Select(node => node.Format).FirstOrDefault(name => name is not null);
            yield return Quoted(format switch { "date-time" => "1970-01-01T00:00:00Z", "date" => "1970-01-01", "time" => "00:00:00Z", "uuid" => "00000000-0000-0000-0000-000000000000", _ => "" });
        }

        if ((kinds & JsonKinds.Number) != 0) { yield return "0"u8.ToArray(); }
        if ((kinds & JsonKinds.Bool) != 0) { yield return "false"u8.ToArray(); }
        if ((kinds & JsonKinds.Array) != 0) { yield return "[]"u8.ToArray(); }
        if ((kinds & JsonKinds.Object) != 0 && Object(depth, fault) is { } json) { yield return json; }
    }

    /// <summary>What must be there, field by field.</summary>
    private byte[]? Object(int depth, Action<string> fault)
    {
        if (depth == RedactDepthMax)
        {
            fault("it contains itself, and has no empty value");
            return null;
        }

        var json = new ByteBuffer();
        json.Append((byte)'{');
        foreach (string name in locations.Close(place, JsonKinds.Object).Must.SelectMany(node => node.Required).Distinct(StringComparer.Ordinal))
        {
            Location inner = locations.Property(place, name);
            (byte[]? value, string? why) = new LocationConstraints(locations, inner, locations.Kinds(inner)).Redact(depth + 1);
            if (value is null)
            {
                fault($"its field `{name}` has no empty value: {why}");
                return null;
            }

            if (json.Length > 1) { json.Append((byte)','); }
            JsonText.AppendString(json, Encoding.UTF8.GetBytes(name));
            json.Append((byte)':');
            json.Append(value);
        }

        json.Append((byte)'}');
        return json.Written.ToArray();
    }

    private static byte[] Quoted(string text)
    {
        var json = new ByteBuffer(text.Length + 2);
        JsonText.AppendString(json, Encoding.UTF8.GetBytes(text));
        return json.Written.ToArray();
    }
}
