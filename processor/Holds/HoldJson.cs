using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Holds;

/// <summary>
/// Strict reading and canonical writing of the JSON that holds travel in. A document that is not what is expected throws
/// <see cref="HoldFormatException"/> inside this room and becomes an error text or an outcome at its edge.
/// </summary>
internal static class HoldJson
{
    // A masked view nests as deep as its schema does: the bound only stops what no schema allows. The parser does not recurse.
    private const int DepthMax = 1024;

    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true, MaxDepth = DepthMax };

    private static readonly ByteBuffer Idle = new();

    [ThreadStatic]
    private static Utf8JsonWriter? _writer;

    /// <summary>This thread's writer, set to append to <paramref name="output"/>. Flush it, then <see cref="Return"/> it.</summary>
    internal static Utf8JsonWriter Rent(ByteBuffer output)
    {
        Utf8JsonWriter writer = _writer ?? new Utf8JsonWriter(output, WriterOptions);
        _writer = null;
        writer.Reset(output);
        return writer;
    }

    internal static void Return(Utf8JsonWriter writer)
    {
        // The writer must not keep a caller's buffer alive. Nothing is ever written to the idle one.
        writer.Reset(Idle);
        _writer = writer;
    }

    /// <summary>Parses exactly one JSON object that fills <paramref name="json"/> and has no name twice.</summary>
    /// <exception cref="HoldFormatException">Too large, not UTF-8, not JSON, or not an object.</exception>
    internal static JsonDocument ParseObject(ReadOnlySpan<byte> json, int bytesMax)
    {
        if (json.Length > bytesMax) { throw new HoldFormatException(string.Create(CultureInfo.InvariantCulture, $"it is larger than {bytesMax} bytes")); }

        // The JSON reader lets invalid UTF-8 pass inside strings.
        if (!Utf8.IsValid(json)) { throw new HoldFormatException("it is not UTF-8"); }
        JsonDocument? document = null;
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = DepthMax });
            document = JsonDocument.ParseValue(ref reader);
            if (document.RootElement.ValueKind != JsonValueKind.Object) { throw new HoldFormatException("it is not a JSON object"); }
            if (reader.Read()) { throw new HoldFormatException("something follows the JSON object"); }
            RefuseRepeats(document.RootElement, "it");
            return document;
        }
        catch (JsonException)
        {
            // The parser's message may quote the text.
            document?.Dispose();
            throw new HoldFormatException("it is not JSON");
        }
        catch (HoldFormatException)
        {
            document?.Dispose();
            throw;
        }
    }

    /// <summary>Refuses an object that says one of its names twice: which one a reader takes would be the reader's choice.</summary>
    internal static void RefuseRepeats(JsonElement element, string what)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonProperty property in element.EnumerateObject())
        {
            if (!names.Add(Text(() => property.Name, what))) { throw new HoldFormatException($"{what} has a name twice"); }
        }
    }

    internal static JsonElement Required(JsonElement parent, string name, JsonValueKind kind)
    {
        if (!parent.TryGetProperty(name, out JsonElement element)) { throw new HoldFormatException($"`{name}` is missing"); }
        return element.ValueKind == kind ? element : throw new HoldFormatException($"`{name}` is not {Words(kind)}");
    }

    internal static bool Optional(JsonElement parent, string name, JsonValueKind kind, out JsonElement element)
    {
        if (!parent.TryGetProperty(name, out element) || element.ValueKind == JsonValueKind.Null) { return false; }
        return element.ValueKind == kind ? true : throw new HoldFormatException($"`{name}` is not {Words(kind)}");
    }

    internal static string String(JsonElement parent, string name, int charactersMax, bool mayBeEmpty = false) =>
        Bounded(Required(parent, name, JsonValueKind.String), name, charactersMax, mayBeEmpty);

    internal static string? OptionalString(JsonElement parent, string name, int charactersMax) =>
        Optional(parent, name, JsonValueKind.String, out JsonElement element) ? Bounded(element, name, charactersMax, mayBeEmpty: false) : null;

    internal static string Bounded(JsonElement element, string name, int charactersMax, bool mayBeEmpty)
    {
        string text = Text(() => element.GetString()!, $"`{name}`");
        if (text.Length == 0 && !mayBeEmpty) { throw new HoldFormatException($"`{name}` is empty"); }
        return text.Length <= charactersMax ? text : throw new HoldFormatException(string.Create(CultureInfo.InvariantCulture, $"`{name}` is longer than {charactersMax} characters"));
    }

    internal static IReadOnlyList<string> Strings(JsonElement parent, string name, int countMax, int charactersMax)
    {
        JsonElement array = Required(parent, name, JsonValueKind.Array);
        int count = Count(array, name, countMax);
        var texts = new string[count];
        int index = 0;
        foreach (JsonElement item in array.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.String) { throw new HoldFormatException($"`{name}` has an item that is not a string"); }
            texts[index++] = Bounded(item, name, charactersMax, mayBeEmpty: true);
        }
        return texts;
    }

    internal static int Count(JsonElement array, string name, int countMax)
    {
        int count = array.GetArrayLength();
        return count <= countMax ? count : throw new HoldFormatException(string.Create(CultureInfo.InvariantCulture, $"`{name}` has more than {countMax} items"));
    }

    internal static long Integer(JsonElement parent, string name, long min, long max)
    {
        JsonElement element = Required(parent, name, JsonValueKind.Number);
        return element.TryGetInt64(out long value) && value >= min && value <= max
            ? value
            : throw new HoldFormatException(string.Create(CultureInfo.InvariantCulture, $"`{name}` is not an integer from {min} to {max}"));
    }

    internal static bool Boolean(JsonElement parent, string name)
    {
        if (!parent.TryGetProperty(name, out JsonElement element)) { throw new HoldFormatException($"`{name}` is missing"); }
        return element.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw new HoldFormatException($"`{name}` is not true or false"),
        };
    }

    /// <summary>Reads <c>2026-01-02T03:04:05.678Z</c>: UTC, milliseconds, nothing else.</summary>
    internal static long Instant(JsonElement parent, string name)
    {
        string text = String(parent, name, 32);
        return DateTimeOffset.TryParseExact(text, InstantFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset instant)
            ? instant.ToUnixTimeMilliseconds()
            : throw new HoldFormatException($"`{name}` is not an instant such as 2026-01-02T03:04:05.678Z");
    }

    internal static void WriteInstant(Utf8JsonWriter writer, string name, long unixMs)
    {
        Span<char> text = stackalloc char[24];
        _ = DateTimeOffset.FromUnixTimeMilliseconds(unixMs).TryFormat(text, out int written, InstantFormat, CultureInfo.InvariantCulture);
        writer.WriteString(name, text[..written]);
    }

    /// <summary>A SHA-256 or HMAC-SHA-256 in base64url without padding: 43 characters.</summary>
    internal static string Digest(JsonElement parent, string name) => CheckedDigest(String(parent, name, 43), name);

    internal static string? OptionalDigest(JsonElement parent, string name) => OptionalString(parent, name, 43) is { } text ? CheckedDigest(text, name) : null;

    internal static void WriteStrings(Utf8JsonWriter writer, string name, IReadOnlyList<string> texts)
    {
        writer.WriteStartArray(name);
        for (int i = 0; i < texts.Count; i++) { writer.WriteStringValue(texts[i]); }
        writer.WriteEndArray();
    }

    private const string InstantFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    private static string CheckedDigest(string text, string name)
    {
        bool fits = text.Length == 43;
        for (int i = 0; fits && i < text.Length; i++) { fits = char.IsAsciiLetterOrDigit(text[i]) || text[i] is '-' or '_'; }
        return fits ? text : throw new HoldFormatException($"`{name}` is not a SHA-256 in base64url");
    }

    // An escaped lone surrogate is JSON, but no text: the library says so by throwing.
    private static string Text(Func<string> read, string what)
    {
        try { return read(); }
        catch (InvalidOperationException) { throw new HoldFormatException($"{what} is not Unicode text"); }
    }

    private static string Words(JsonValueKind kind) => kind switch
    {
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Array => "a list",
        JsonValueKind.Object => "an object",
        _ => "what it must be",
    };
}

/// <summary>What is wrong with a document of this room, in words that quote none of it.</summary>
[SuppressMessage("Design", "CA1064:Exceptions should be public", Justification = "Never leaves the room: its edge turns it into an outcome.")]
internal sealed class HoldFormatException(string message) : Exception(message);
