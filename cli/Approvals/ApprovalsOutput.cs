using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Spectre.Console;

namespace PolicyStreams.Cli.Approvals;

/// <summary>Shows what the service answered, to people. Texts of records and people never steer the terminal.</summary>
internal sealed class ApprovalsOutput
{
    private const int RedirectedWidth = 200;
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = 1024 };
    private readonly TextWriter _writer;
    private readonly IAnsiConsole _console;
    private readonly TimeProvider _time;

    internal ApprovalsOutput(TextWriter writer, TimeProvider time)
    {
        _writer = writer;
        _time = time;
        var output = new AnsiConsoleOutput(writer);
        _console = AnsiConsole.Create(new AnsiConsoleSettings { Out = output, ColorSystem = output.IsTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors });
        if (!output.IsTerminal) { _console.Profile.Width = RedirectedWidth; }
    }

    /// <summary>The text with control characters, and those that turn the direction of writing, made visible as U+FFFD.</summary>
    internal static string Plain(string text)
    {
        StringBuilder? plain = null;
        for (int i = 0; i < text.Length; i++)
        {
            bool steers = (char.IsControl(text[i]) && text[i] != '\n') || text[i] is (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069') or '\u200e' or '\u200f' or '\u061c';
            if (steers && plain is null) { plain = new StringBuilder(text, 0, i, text.Length); }
            plain?.Append(steers ? '\ufffd' : text[i]);
        }
        return plain?.ToString() ?? text;
    }

    internal void Json(JsonElement answer) => _writer.WriteLine(Pretty(answer));

    internal void List(IReadOnlyList<JsonElement> holds, bool more)
    {
        if (holds.Count == 0)
        {
            _writer.WriteLine("No hold is open that you may see.");
            return;
        }
        Table table = NewTable("hold", "policy", "why", "waits for", "expires", "key");
        foreach (JsonElement hold in holds)
        {
            table.AddRow(Cell(hold, "id"), Cell(hold, "policy"), Cell(string.Join("; ", Why(hold))), Cell(WaitsFor(hold)), Cell(Expires(hold)), Cell(hold, "key"));
        }
        _console.Write(table);
        _writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{holds.Count} {(holds.Count == 1 ? "hold" : "holds")}{(more ? ", and more: raise --limit" : "")}."));
    }

    internal void Show(JsonElement hold)
    {
        Table facts = new Table().Border(TableBorder.None).HideHeaders().AddColumn("").AddColumn("");
        void Fact(string name, string text)
        {
            if (text.Length > 0) { facts.AddRow(new Text(name), new Text(Plain(text))); }
        }
        Fact("hold", Of(hold, "id"));
        Fact("binding", Of(hold, "binding"));
        Fact("policy", $"{Of(hold, "policy")} {Of(hold, "digest")}");
        Fact("rules", string.Join(", ", Texts(hold, "rules")));
        Fact("why", string.Join("; ", Why(hold)));
        if (hold.TryGetProperty("principal", out JsonElement producer)) { Fact("producer", $"{Of(producer, "id")} ({string.Join(", ", Texts(producer, "groups"))}) by {Of(producer, "via")}"); }
        Fact("key", Of(hold, "key"));
        Fact("decided", Of(hold, "decided"));
        Fact("expires", $"{Of(hold, "expires")} ({Expires(hold)})");
        Fact("behind", Of(hold, "behind"));
        Fact("view digest", Of(hold, "view_digest"));
        Fact("you", hold.TryGetProperty("may_decide", out JsonElement may) && may.ValueKind == JsonValueKind.True ? "may decide it" : "may see it only");
        _console.Write(facts);

        Table terms = NewTable("rule", "approvers", "approved", "on expiry");
        foreach (JsonElement term in Items(hold, "terms"))
        {
            terms.AddRow(Cell(term, "rule"), Cell(string.Join(", ", Texts(term, "approvers"))), Cell($"{Of(term, "approved")} of {Of(term, "quorum")}"), Cell(term, "on_expiry"));
        }
        _console.Write(terms);
        if (Items(hold, "statements").Any())
        {
            Table statements = NewTable("who", "said", "groups", "at");
            foreach (JsonElement statement in Items(hold, "statements"))
            {
                statements.AddRow(Cell($"{Of(statement, "subject")} ({Of(statement, "issuer")})"), Cell(statement, "verdict"), Cell(string.Join(", ", Texts(statement, "groups"))), Cell(statement, "time"));
            }
            _console.Write(statements);
        }
        if (hold.TryGetProperty("view", out JsonElement view)) { _writer.WriteLine(Pretty(view)); }
    }

    internal void Stated(JsonElement stated) =>
        _writer.WriteLine(Plain($"{(Of(stated, "verdict") == "reject" ? "Rejected" : "Approved")} {Of(stated, "hold")}: statement {Of(stated, "statement")} is written. What it is worth is the processor's to decide, as {Of(stated, "decision")}."));

    private static string Pretty(JsonElement json)
    {
        try
        {
            return Plain(JsonSerializer.Serialize(json, Indented));
        }
        catch (Exception odd) when (odd is InvalidOperationException or ArgumentException or JsonException)
        {
            // A lone surrogate in an escape is JSON, but cannot be written anew.
            return Plain(json.GetRawText());
        }
    }

    private static Table NewTable(params string[] columns)
    {
        Table table = new Table().Border(TableBorder.Simple);
        foreach (string column in columns) { table.AddColumn(column); }
        return table;
    }

    private static IEnumerable<string> Why(JsonElement hold)
    {
        string[] reasons = [.. Texts(hold, "reasons")];
        return reasons.Length > 0 ? reasons : Texts(hold, "rules");
    }

    private static string WaitsFor(JsonElement hold)
    {
        string terms = string.Join("; ", Items(hold, "terms").Select(term => $"{string.Join(" or ", Texts(term, "approvers"))} {Of(term, "approved")}/{Of(term, "quorum")}"));
        return terms.Length > 0 ? terms : Of(hold, "behind") is { Length: > 0 } behind ? "behind " + behind : "";
    }

    private string Expires(JsonElement hold)
    {
        if (!DateTimeOffset.TryParse(Of(hold, "expires"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset expires)) { return ""; }
        TimeSpan left = expires - _time.GetUtcNow();
        return left switch
        {
            { Ticks: <= 0 } => "due",
            { TotalHours: < 1 } => string.Create(CultureInfo.InvariantCulture, $"in {(int)Math.Ceiling(left.TotalMinutes)} min"),
            { TotalDays: < 2 } => string.Create(CultureInfo.InvariantCulture, $"in {(int)left.TotalHours} h {left.Minutes} min"),
            _ => string.Create(CultureInfo.InvariantCulture, $"in {(int)left.TotalDays} days"),
        };
    }

    private static Text Cell(JsonElement parent, string name) => Cell(Of(parent, name));

    // A Text is no markup: brackets in it stay brackets.
    private static Text Cell(string text) => new(Plain(text));

    private static JsonElement.ArrayEnumerator Items(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out JsonElement array) && array.ValueKind == JsonValueKind.Array ? array.EnumerateArray() : default;

    private static IEnumerable<string> Texts(JsonElement parent, string name) => Items(parent, name).Select(item => item.ToString());

    private static string Of(JsonElement parent, string name) => parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out JsonElement element) ? element.ToString() : "";
}
