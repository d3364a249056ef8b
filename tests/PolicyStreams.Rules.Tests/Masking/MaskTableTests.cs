using System.Globalization;
using System.Text;
using System.Text.Json;

namespace PolicyStreams.Rules.Tests.Masking;

/// <summary>
/// The table of types and methods in <c>docs/reference/masks.md</c>, cell by cell: what it says can be loaded loads and does what the method says, under null, in unions, under
/// <c>when</c>, in shadow, and on release; what it says cannot is refused with PS0305.
/// </summary>
public class MaskTableTests
{
    internal const string Instant = "2026-03-04T15:16:17Z";
    private const string Digits = "2026-03-04 15.16.17";
    private const string Uuid = "2f1c1c56-8f3a-4c1b-9d53-0a51c3d4e5f6";

    // By row: the field's type, its value as JSON, and how a policy selects it.
    private static readonly Dictionary<string, (string Type, string Value)[]> Rows = new(StringComparer.Ordinal)
    {
        ["string"] = [("\"string\"", $"\"{Instant}\"")],
        ["uuid, of a string"] = [("{\"type\":\"string\",\"logicalType\":\"uuid\"}", $"\"{Uuid}\"")],
        ["uuid, of a fixed"] = [("{\"type\":\"fixed\",\"name\":\"U\",\"size\":16,\"logicalType\":\"uuid\"}", $"\"{Uuid}\"")],
        ["enum with a default"] = [("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"],\"default\":\"A\"}", "\"B\"")],
        ["enum"] = [("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "\"B\"")],
        ["boolean"] = [("\"boolean\"", "true")],
        ["int, long"] = [("\"int\"", "127"), ("\"long\"", "-127")],
        ["float, double"] = [("\"float\"", "1.5"), ("\"double\"", "127.5")],
        ["bytes, fixed"] = [("\"bytes\"", "{\"$bytes\":\"AP8=\"}"), ("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "{\"$bytes\":\"AP8=\"}")],
        ["decimal"] = [("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2}", "\"12.50\"")],
        ["date, timestamp"] =
        [
            ("{\"type\":\"int\",\"logicalType\":\"date\"}", "\"2026-03-04\""), ("{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", $"\"{Instant}\""),
            ("{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}", $"\"{Instant}\""), ("{\"type\":\"long\",\"logicalType\":\"local-timestamp-millis\"}", "\"2026-03-04T15:16:17\""),
        ],
        ["time of day"] = [("{\"type\":\"int\",\"logicalType\":\"time-millis\"}", "\"15:16:17\""), ("{\"type\":\"long\",\"logicalType\":\"time-micros\"}", "\"15:16:17\"")],
        ["Avro duration"] = [("{\"type\":\"fixed\",\"name\":\"D\",\"size\":12,\"logicalType\":\"duration\"}", "\"P1M\"")],
        ["list, map, record"] =
        [
            ("{\"type\":\"array\",\"items\":\"string\"}", "[\"a\"]"), ("{\"type\":\"map\",\"values\":\"string\"}", "{\"k\":\"a\"}"),
            ("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x\",\"type\":\"string\"}]}", "{\"x\":\"a\"}"),
        ],
        ["union of int and string"] = [("[\"int\",\"string\"]", $"\"{Instant}\""), ("[\"null\",\"int\",\"string\"]", $"\"{Instant}\"")],
        ["list element, map entry (string)"] = [("{\"type\":\"array\",\"items\":\"string\"}", $"[\"{Instant}\"]"), ("{\"type\":\"map\",\"values\":\"string\"}", $"{{\"k\":\"{Instant}\"}}")],
        ["JSON without a schema"] = [("", $"\"{Instant}\"")],
        ["header"] = [("", "")],
        ["key, string"] = [("key_format: string", Instant)],
        ["key, long"] = [("key_format: long", "127")],
        ["key, bytes"] = [("key_format: bytes", Instant)],
    };

    internal static readonly Dictionary<string, string> Methods = new(StringComparer.Ordinal)
    {
        ["redact"] = "true",
        ["constant"] = "\"***\"",
        ["keep_last"] = "4",
        ["keep_first"] = "4",
        ["hmac"] = "customer-key",
        ["encrypt"] = "other-key",
        ["email"] = "{}",
        ["pattern"] = "{ match: '[0-9]', replace: '#' }",
        ["bucket"] = "50",
        ["date"] = "year",
        ["remove"] = "true",
        ["token"] = "customer-key",
    };

    public static TheoryData<string, string, string> Cells() => Cells("| type | redact");

    /// <summary>Rows, methods, and cells of the table of the page whose first line begins so.</summary>
    internal static TheoryData<string, string, string> Cells(string begins)
    {
        string[] lines = File.ReadAllLines(Path.Combine(Root(), "docs", "reference", "masks.md"));
        int head = Array.FindIndex(lines, line => line.StartsWith(begins, StringComparison.Ordinal));
        string[] methods = Split(lines[head])[1..];
        var cells = new TheoryData<string, string, string>();
        for (int i = head + 2; lines[i].StartsWith('|'); i++)
        {
            string[] row = Split(lines[i]);
            for (int j = 1; j < row.Length; j++) { cells.Add(row[0], methods[j - 1], row[j]); }
        }

        return cells;

        static string[] Split(string line) => [.. line.Trim('|', ' ').Split('|').Select(cell => cell.Trim())];
    }

    [Fact]
    public void Table_HasEveryTypeAndEveryMethod()
    {
        var cells = Cells().Select(cell => cell.Data).ToList();
        Assert.Equal(Rows.Keys.Order(StringComparer.Ordinal), cells.Select(cell => cell.Item1).Distinct().Order(StringComparer.Ordinal));
        Assert.Equal(MaskDocument.Names, cells.Select(cell => cell.Item2).Distinct());
        Assert.Equal(Rows.Count * Methods.Count, cells.Count);
    }

    [Theory]
    [MemberData(nameof(Cells))]
    public void Mask_OnType_DoesWhatTheTableSays(string row, string method, string says)
    {
        foreach ((string type, string value) in Rows[row])
        {
            string argument = says == "symbol" ? "A" : Methods[method];
            if (row.StartsWith("key", StringComparison.Ordinal)) { Key(method, argument, says, type, value); }
            else if (row == "header") { Header(method, argument, says); }
            else if (row == "JSON without a schema") { Json(method, argument); }
            else { Field(row, method, argument, says, type, type.Contains("\"int\",", StringComparison.Ordinal) && method == "bucket" ? "127" : value.Replace(Instant, Given(method), StringComparison.Ordinal)); }
        }
    }

    /// <summary>A text that the method takes.</summary>
    internal static string Given(string method) => method == "token" ? Digits : Instant;

    private static void Field(string row, string method, string argument, string says, string type, string value)
    {
        string field = row.StartsWith("list element", StringComparison.Ordinal) ? "'f[*]'" : "f";
        string rule = $"- {{ id: m, mask: {{ field: {field}, {method}: {argument} }} }}";
        bool isUnion = type.StartsWith('[');
        foreach (bool nullable in (bool[])[false, true])
        {
            if (nullable && isUnion) { continue; }
            string schema = $$"""{"type":"record","name":"T","fields":[{"name":"before","type":"string"},{"name":"f","type":{{(nullable ? $"[\"null\",{type}]" : type)}}},{"name":"after","type":"long"}]}""";
            string record = $$"""{"before":"b","f":{{value}},"after":7}""";

            // An enum without a default has an empty value where it may be null.
            bool fits = says is "yes" or "symbol" || (nullable && row == "enum" && method == "redact");
            Bench? bench = Bench.TryOf(Bench.Yaml(rule), [(7, schema)], out IReadOnlyList<Diagnostic> diagnostics);
            if (!fits)
            {
                Assert.True(bench is null, $"{type} {method} loads");
                Assert.Equal(DiagnosticCodes.MaskType, Assert.Single(diagnostics).Code);
                continue;
            }

            Assert.True(bench is not null, $"{type} {method}: {string.Join("\n", diagnostics)}");
            JsonElement masked = bench.Mask(record);
            Assert.Equal(("b", 7), (masked.GetProperty("before").GetString(), masked.GetProperty("after").GetInt64()));
            Assert.Equal(["m"], bench.Verdict.Rules);
            Assert.Equal([field.Trim('\'')], bench.Verdict.Masked);
            JsonElement f = masked.GetProperty("f");
            if (method == "redact" && nullable && field == "f") { Assert.Equal(JsonValueKind.Null, f.ValueKind); }
            else { Check(row, method, f, value); }

            // The published bytes are valid under the writer's schema, and masking them again finds values of the same types.
            Assert.DoesNotContain("ps:undecodable", bench.Decide([.. bench.Verdict.Output.Written]).Rules);

            // Null stays null: the mask does not fire.
            if (nullable)
            {
                Assert.Equal(JsonValueKind.Null, bench.Mask(record.Replace($"\"f\":{value}", "\"f\":null", StringComparison.Ordinal)).GetProperty("f").ValueKind);
                Assert.Empty(bench.Verdict.Rules);
                Assert.False(bench.Verdict.ValueRewritten);
            }

            Around(method, argument, field, schema, record);
        }

        // A branch of the union that the method does not take denies the record; the code of it is among the errors.
        if (!isUnion || says == "no") { return; }
        Bench other = Bench.Of(Bench.Yaml(rule), (7, $$"""{"type":"record","name":"T","fields":[{"name":"f","type":{{type}}}]}"""));
        other.Decide(method == "bucket" ? "{\"f\":\"x\"}" : "{\"f\":5}");
        if (method == "redact") { Assert.Equal(Outcome.Allow, other.Verdict.Outcome); }
        else
        {
            Assert.Equal(Outcome.Deny, other.Verdict.Outcome);
            Assert.Equal([new DecisionError("m", "mask-type")], other.Verdict.Errors);
            Assert.Equal(["m", "ps:mask"], other.Verdict.Rules);
            Assert.Equal(0, other.Output.Length);
        }
    }

    /// <summary>The same mask under a condition that is false, one that fails, in shadow, and on a record that is held first.</summary>
    private static void Around(string method, string argument, string field, string schema, string record)
    {
        string mask = $"mask: {{ field: {field}, {method}: {argument} }}";
        Bench off = Bench.Of(Bench.Yaml($"- {{ id: m, when: value.after > 100, {mask} }}"), (7, schema));
        off.Decide(record);
        Assert.Equal((false, 0), (off.Verdict.ValueRewritten, off.Verdict.Rules.Count));

        Bench shadow = Bench.Of(Bench.Yaml($"- {{ id: m, {mask}, mode: shadow }}"), (7, schema));
        shadow.Decide(record);
        Assert.Equal((false, "m"), (shadow.Verdict.ValueRewritten, string.Join(",", shadow.Verdict.Shadow)));

        Bench failing = Bench.Of(Bench.Yaml($"- {{ id: m, when: 1 / (value.after - 7) > 0, {mask} }}", top: "on_error: { hold: { approvers: [x], expires: 1h } }"), (7, schema));
        failing.Decide(record);
        Assert.Equal(Outcome.Hold, failing.Verdict.Outcome);
        Assert.Equal([new DecisionError("m", "divide-by-zero")], failing.Verdict.Errors);
        failing.Release(record);
        Assert.Equal(Outcome.Deny, failing.Verdict.Outcome);

        Bench held = Bench.Of(Bench.Yaml($"- {{ id: h, hold: {{ approvers: [x], expires: 1h }} }}\n- {{ id: m, {mask} }}"), (7, schema)), plain = Bench.Of(Bench.Yaml($"- {{ id: m, {mask} }}"), (7, schema));
        held.Decide(record);
        Assert.Equal((Outcome.Hold, false), (held.Verdict.Outcome, held.Verdict.ValueRewritten));
        held.Release(record);
        plain.Decide(record);
        Assert.Equal(plain.Output.Written.ToArray(), held.Output.Written.ToArray());
    }

    private static void Check(string row, string method, JsonElement f, string value)
    {
        if (row.StartsWith("list element", StringComparison.Ordinal))
        {
            bool list = f.ValueKind == JsonValueKind.Array;
            if (method == "remove") { Assert.Equal(0, list ? f.GetArrayLength() : f.EnumerateObject().Count()); }
            else { Text(method, (list ? f[0] : f.GetProperty("k")).GetString()!); }
            return;
        }

        switch (method)
        {
            case "redact":
                Assert.Contains(f.GetRawText(), (string[])["\"\"", "0", "0.0", "false", "[]", "{}", "\"A\"", "\"00000000-0000-0000-0000-000000000000\"", "{\"$bytes\":\"\"}", "{\"$bytes\":\"AAA=\"}", "{\"$bytes\":\"AA==\"}", "{\"$bytes\":\"AAAAAAAAAAAAAAAA\"}", "{\"x\":\"\"}", "null", "{\"months\":0,\"days\":0,\"millis\":0}"]);
                break;
            case "constant" when row.StartsWith("enum", StringComparison.Ordinal):
                Assert.Equal("A", f.GetString());
                break;
            case "bucket":
                Assert.Equal(Math.Floor(double.Parse(value, CultureInfo.InvariantCulture) / 50) * 50, f.GetDouble());
                break;
            case "date" when f.ValueKind == JsonValueKind.Number:
                // 2026-01-01 in days, milliseconds, or microseconds.
                Assert.Contains(f.GetInt64(), (long[])[20_454, 1_767_225_600_000, 1_767_225_600_000_000]);
                break;
            default:
                if (row.StartsWith("uuid", StringComparison.Ordinal) && method != "constant" && method != "hmac") { Assert.NotEqual(Uuid, f.GetString()); }
                else { Text(method, f.GetString()!); }
                break;
        }
    }

    internal static void Text(string method, string masked)
    {
        switch (method)
        {
            case "redact": Assert.Equal("", masked); break;
            case "constant": Assert.Equal("***", masked); break;
            case "keep_last": Assert.Equal("****************:17Z", masked); break;
            case "keep_first": Assert.Equal("2026****************", masked); break;
            case "hmac": Assert.Matches("^[0-9a-f]{32}$", masked); break;
            case "encrypt":
                Assert.True(MaskedText.TryDecrypt(masked, Bench.Keys(), out string text));
                Assert.Equal(Instant, text);
                break;
            case "email": Assert.Equal(new string('*', Instant.Length), masked); break;
            case "pattern": Assert.Equal("####-##-##T##:##:##Z", masked); break;
            case "date": Assert.Equal("2026-01-01T00:00:00Z", masked); break;
            case "token":
                Assert.Matches("^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}\\.[0-9]{2}\\.[0-9]{2}$", masked);
                Assert.NotEqual(Digits, masked);
                break;
            default: Assert.Fail(method); break;
        }
    }

    private static void Json(string method, string argument)
    {
        string value = method == "bucket" ? "127" : $"\"{Given(method)}\"";
        Bench bench = Bench.Of(Bench.JsonYaml($"- {{ id: m, mask: {{ field: f, {method}: {argument} }} }}"));
        byte[] record = Encoding.UTF8.GetBytes($$"""{ "a":1.50, "f" : {{value}} ,"z":[1] }""");
        bench.Decide(record);
        Assert.Equal((Outcome.Allow, "f"), (bench.Verdict.Outcome, string.Join(",", bench.Verdict.Masked)));
        string text = Encoding.UTF8.GetString(bench.Output.Written);
        Assert.StartsWith("{ \"a\":1.50", text);
        Assert.EndsWith("\"z\":[1] }", text);
        JsonElement published = bench.Published(record);
        if (method == "remove") { Assert.False(published.TryGetProperty("f", out _)); }
        else if (method == "bucket") { Assert.Equal(100, published.GetProperty("f").GetInt32()); }
        else if (method == "redact") { Assert.Contains(published.GetProperty("f").GetRawText(), (string[])["null", "\"\""]); }
        else { Text(method, published.GetProperty("f").GetString()!); }

        // Null stays null, what is missing stays missing, and another type denies.
        foreach (string untouched in (string[])["{\"f\":null}", "{\"g\":1}"])
        {
            bench.Decide(untouched);
            Assert.Equal((Outcome.Allow, false, 0), (bench.Verdict.Outcome, bench.Verdict.ValueRewritten, bench.Verdict.Rules.Count));
        }

        bench.Decide("{\"f\":true}");
        Assert.Equal(method is "redact" or "remove" ? Outcome.Allow : Outcome.Deny, bench.Verdict.Outcome);
        if (bench.Verdict.Outcome == Outcome.Deny) { Assert.Equal([new DecisionError("m", "mask-type")], bench.Verdict.Errors); }
    }

    private static void Header(string method, string argument, string says)
    {
        Bench? bench = Bench.TryOf(Bench.Yaml($"- {{ id: m, mask: {{ field: 'headers[\"x\"]', {method}: {argument} }} }}"), [], out IReadOnlyList<Diagnostic> diagnostics);
        if (says == "no")
        {
            Assert.Null(bench);
            Assert.Equal(DiagnosticCodes.MaskType, Assert.Single(diagnostics).Code);
            return;
        }

        Assert.True(bench is not null, string.Join("\n", diagnostics));
        bench.Headers.Add("x"u8, Encoding.UTF8.GetBytes(Given(method)));
        bench.Headers.Add("y"u8, "kept"u8);
        bench.Headers.Add("x"u8, default, isNull: true);
        bench.Decide(Bench.Payment);
        IReadOnlyList<string> got = HeaderTests.Texts(bench.Verdict.Headers);
        Assert.Contains("y=kept", got);
        if (method == "remove") { Assert.Equal(2, got.Count); }
        else if (method == "redact") { Assert.True(bench.Verdict.Headers.IsNull(0)); }
        else { Text(method, got[0]["x=".Length..]); }
        Assert.True(bench.Verdict.Headers.IsNull(bench.Verdict.Headers.Count - 1));
        if (method is "redact" or "remove" or "constant") { return; }
        bench.Headers.Clear();
        bench.Headers.Add("x"u8, [0xFF]);
        bench.Decide(Bench.Payment);
        Assert.Equal([new DecisionError("m", "mask-value")], bench.Verdict.Errors);
    }

    private static void Key(string method, string argument, string says, string format, string value)
    {
        string yaml = Bench.Yaml($"- {{ id: m, mask: {{ field: key, {method}: {argument} }} }}").Replace("key_format: string", format, StringComparison.Ordinal);
        Bench? bench = Bench.TryOf(yaml, [], out IReadOnlyList<Diagnostic> diagnostics);
        if (says == "no")
        {
            Assert.Null(bench);
            Assert.Equal(DiagnosticCodes.MaskType, Assert.Single(diagnostics).Code);
            return;
        }

        Assert.True(bench is not null, string.Join("\n", diagnostics));
        bench.Key = format.EndsWith("long", StringComparison.Ordinal) ? [0, 0, 0, 0, 0, 0, 0, byte.Parse(value, CultureInfo.InvariantCulture)] : Encoding.UTF8.GetBytes(value == Instant ? Given(method) : value);
        bench.Decide(Bench.Payment);
        Assert.Equal((Outcome.Allow, "key"), (bench.Verdict.Outcome, string.Join(",", bench.Verdict.Masked)));
        if (method == "redact") { Assert.True(bench.Verdict.KeyNulled); }
        else if (method == "bucket") { Assert.Equal(100, bench.Output.Slice(bench.Verdict.KeyStart, bench.Verdict.KeyLength)[7]); }
        else { Text(method, bench.KeyText()); }
        bench.Key = null;
        bench.Decide(Bench.Payment);
        Assert.Equal((Outcome.Allow, 0, false), (bench.Verdict.Outcome, bench.Verdict.Rules.Count, bench.Verdict.KeyNulled));
    }

    private static string Root()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "PolicyStreams.sln"))) { folder = Path.GetDirectoryName(folder)!; }
        return folder;
    }
}
