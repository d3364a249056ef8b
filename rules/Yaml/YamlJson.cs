using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Yaml;

/// <summary>Turns nodes into JSON by YAML 1.2's core schema. What readers disagree about is an error, never a guess.</summary>
internal static class YamlJson
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>JSON with keys in ordinal order.</summary>
    public static string Canonical(YamlNode node, DiagnosticBag bag)
    {
        var buffer = new ByteBuffer(256);
        using (var writer = new Utf8JsonWriter(buffer, Options)) { Write(node, writer, bag, sorted: true); }
        return Encoding.UTF8.GetString(buffer.Written);
    }

    /// <summary>The node as a JSON value, keys in the order of the text.</summary>
    public static JsonElement ToElement(YamlNode node, DiagnosticBag bag)
    {
        var buffer = new ByteBuffer(256);
        using (var writer = new Utf8JsonWriter(buffer, Options)) { Write(node, writer, bag, sorted: false); }
        using JsonDocument document = JsonDocument.Parse(buffer.Written.ToArray(), new JsonDocumentOptions { MaxDepth = 2 * YamlReader.DepthMax });
        return document.RootElement.Clone();
    }

    private static void Write(YamlNode node, Utf8JsonWriter writer, DiagnosticBag bag, bool sorted)
    {
        switch (node.Kind)
        {
            case YamlKind.Sequence:
                writer.WriteStartArray();
                foreach (YamlNode item in node.Items) { Write(item, writer, bag, sorted); }
                writer.WriteEndArray();
                break;
            case YamlKind.Mapping:
                writer.WriteStartObject();
                IEnumerable<YamlEntry> entries = sorted ? node.Entries.OrderBy(entry => entry.Key.Text, StringComparer.Ordinal) : node.Entries;
                foreach (YamlEntry entry in entries)
                {
                    writer.WritePropertyName(entry.Key.Text);
                    Write(entry.Value, writer, bag, sorted);
                }

                writer.WriteEndObject();
                break;
            default:
                Scalar(node, writer, bag);
                break;
        }
    }

    private static void Scalar(YamlNode node, Utf8JsonWriter writer, DiagnosticBag bag)
    {
        switch (CoreScalar.TypeOf(node))
        {
            case CoreType.Null:
                writer.WriteNullValue();
                break;
            case CoreType.Bool:
                writer.WriteBooleanValue(CoreScalar.IsTrue(node));
                break;
            case CoreType.Int:
                writer.WriteRawValue(node.Text.TrimStart('+'), skipInputValidation: true);
                break;
            case CoreType.Float when CoreScalar.TryDouble(node, out double number):
                // JSON has no word for these: the spelling that typed readers of this project take.
                if (double.IsFinite(number)) { writer.WriteRawValue(Plain(node.Text, number), skipInputValidation: true); }
                else { writer.WriteStringValue(double.IsNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity"); }
                break;
            case CoreType.Unclear:
                bag.Error(node, DiagnosticCodes.BadValue, $"`{YamlReader.Shown(node.Text)}` is read differently by different programs", "write a plain decimal number, or put text in quotes");
                writer.WriteNullValue();
                break;
            default:
                writer.WriteStringValue(node.Text);
                break;
        }
    }

    /// <summary>The author's own digits where they are JSON's grammar too: <c>1.50</c> stays <c>1.50</c>, which decimals care about.</summary>
    private static string Plain(string text, double number)
    {
        string trimmed = text.TrimStart('+');
        int digit = trimmed.StartsWith('-') ? 1 : 0;
        bool json = char.IsAsciiDigit(trimmed[digit]) && !(trimmed[digit] == '0' && digit + 1 < trimmed.Length && char.IsAsciiDigit(trimmed[digit + 1])) && !trimmed.EndsWith('.') && !trimmed.Contains(".e", StringComparison.OrdinalIgnoreCase);
        return json ? trimmed : number.ToString("R", CultureInfo.InvariantCulture);
    }
}
