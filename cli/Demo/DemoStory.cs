using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Cli.Demo;

/// <summary>What the demo shows: records as they are decided, what that came to, and a hold's way from approval to the governed topic.</summary>
internal sealed class DemoStory
{
    // Of each kind of record this many are shown as they come; the rest is counted.
    private const int ShownOfAKind = 2;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly DemoSystem _system;
    private readonly DemoReader _reader;
    private readonly BindingTopics _topics;
    private readonly RecordSchema _schema;
    private readonly Dictionary<string, JsonElement> _decisions = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _shown = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _byTopic = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _byCause = new(StringComparer.Ordinal);
    private readonly List<DemoRecord> _early = [];
    private int _decided;

    private DemoStory(DemoSystem system, DemoReader reader, string example)
    {
        _system = system;
        _reader = reader;
        _topics = system.Binding.Topics;
        _schema = SchemaParser.Parse("AVRO", File.ReadAllText(Path.Combine(example, system.Binding.Subject + ".avsc")), []);
    }

    public static async Task<int> TellAsync(string example, bool stay, CancellationToken cancellationToken)
    {
        long start = TimeProvider.System.GetTimestamp();
        Say("PolicyStreams demo: the payments example, from a raw topic to governed, rejected, and held ones.");
        await using DemoSystem system = await DemoSystem.StartAsync(example, cancellationToken);
        using var reader = new DemoReader(system.Kafka.Bootstrap, system.Binding.Topics);
        var story = new DemoStory(system, reader, example);
        Say($"""

              broker            {system.Kafka.Bootstrap}   librdkafka's mock cluster: in this process, in memory
              schema registry   {system.Registry.Url}   the dev registry
              approval service  {system.ApprovalUrl}   REST; people sign in at the dev issuer
              policy            {Path.Combine(example, "payments.policy.yaml")}

              The embedded broker keeps no transactions, so this demo is at least once: a crash could repeat records. It keeps nothing after it ends,
              compacts nothing, and knows no ACLs. On a real Kafka, `policystreams run` is exactly once: see "On your own Kafka" in README.md.
            """);
        int produced = DemoRecords.Produce(Path.Combine(example, "records.jsonl"), system.Kafka.Bootstrap, system.Binding.Topics.Ingress, system.SchemaId);
        Say($"\n{produced} payments produced to {system.Binding.Topics.Ingress} by an ordinary producer. Some of what becomes of them, as it happens:\n");
        if (!story.FollowUntil(() => story._decided >= produced))
        {
            Say($"Only {story._decided} of {produced} records were decided in {Patience.TotalSeconds:0} s. {string.Join("; ", system.Processor.Health.Reasons.Select(r => $"{r.Key}: {r.Value}"))}");
            return (int)ExitCode.Found;
        }

        story.Summarize(produced);
        bool well = await story.DecideTwo(stay, cancellationToken);
        if (!stay)
        {
            Say($"\nDone in {TimeProvider.System.GetElapsedTime(start).TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture)} s.");
            return (int)(well ? ExitCode.Ok : ExitCode.Found);
        }

        story.Invite();
        while (!cancellationToken.IsCancellationRequested) { story.Take(reader.Next(TimeSpan.FromMilliseconds(200)), always: true); }
        return (int)ExitCode.Ok;
    }

    private bool FollowUntil(Func<bool> done, bool always = false)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (!done())
        {
            if (TimeProvider.System.GetElapsedTime(start) > Patience) { return false; }
            Take(_reader.Next(TimeSpan.FromMilliseconds(100)), always);
        }

        // What belongs to the last decisions may still be on its way.
        while (_reader.Next(TimeSpan.FromMilliseconds(300)) is { } record) { Take(record, always); }
        return true;
    }

    private void Take(DemoRecord? record, bool always)
    {
        if (record is null) { return; }
        if (record.Topic == _topics.Decisions)
        {
            TakeDecision(record, always);
            return;
        }

        if (record.Value is null && record.Topic == _topics.Held) { return; }
        _byTopic[record.Topic] = _byTopic.GetValueOrDefault(record.Topic) + 1;
        if (!Show(record, always)) { _early.Add(record); }
    }

    private void TakeDecision(DemoRecord record, bool always)
    {
        JsonElement decision = JsonDocument.Parse(record.Value!).RootElement;
        string id = Text(decision, "id");
        switch (Text(decision, "event"))
        {
            case "decided":
                _decided++;
                _decisions[id] = decision;
                foreach (JsonElement rule in decision.TryGetProperty("rules", out JsonElement rules) ? rules.EnumerateArray() : default) { _byCause[rule.GetString()!] = _byCause.GetValueOrDefault(rule.GetString()!) + 1; }
                break;
            case "approval" or "released" or "refused" or "expired" or "reheld":
                _decisions[id] = decision;
                if (always) { Say("decision  " + Commands.DecisionsCommand.Describe(decision)); }
                break;
        }

        for (int i = _early.Count - 1; i >= 0; i--)
        {
            if (Show(_early[i], always)) { _early.RemoveAt(i); }
        }
    }

    /// <summary>Shows a record beside its decision. False where the decision has not come yet.</summary>
    private bool Show(DemoRecord record, bool always)
    {
        if (!record.Headers.TryGetValue("ps-decision", out string? id)) { return true; }
        if (!_decisions.TryGetValue(_decisions.ContainsKey(id + "/end") ? id + "/end" : id, out JsonElement decision)) { return false; }

        // A record that was released or refused may come before the decision that says so: until then the hold's is the latest, and it speaks of another topic.
        if (Text(decision, "to") != record.Topic) { return false; }
        bool rejected = record.Topic == _topics.Rejected;
        bool held = record.Topic == _topics.Held;
        string cause = rejected || held ? Causes(decision) : record.Topic + (record.Headers.Keys.Any(name => name.StartsWith("ps-tag-", StringComparison.Ordinal)) ? "+tag" : "");
        int shown = _shown[cause] = _shown.GetValueOrDefault(cause) + 1;
        if (!always && shown > ShownOfAKind) { return true; }
        string what = rejected ? "rejected" : held ? "held    " : "governed";
        string detail = rejected || held ? Why(record, decision) : Masked(record, decision);
        Say($"{what}  {id,-20} {(rejected || held ? "" : "→ " + record.Topic + "  ")}{detail}");
        return true;
    }

    private static string Causes(JsonElement decision) => string.Join(",", decision.GetProperty("rules").EnumerateArray().Select(rule => rule.GetString()).Where(rule => !rule!.StartsWith("card", StringComparison.Ordinal)).Take(2));

    private static string Why(DemoRecord record, JsonElement decision)
    {
        string reason = record.Headers.GetValueOrDefault("ps-reason", "");
        string errors = decision.TryGetProperty("errors", out JsonElement list) ? string.Join(", ", list.EnumerateArray().Select(error => $"{Text(error, "rule")} ({Text(error, "code")})")) : "";
        return reason.Length > 0 ? reason : errors.Length > 0 ? errors : record.Headers.GetValueOrDefault("ps-rules", "");
    }

    /// <summary>The masked fields as a consumer reads them, and the tags.</summary>
    private string Masked(DemoRecord record, JsonElement decision)
    {
        var text = new StringBuilder();
        if (record.Value is { Length: > 5 } value)
        {
            var json = new ByteBuffer();
            using (var writer = new Utf8JsonWriter(json)) { _schema.WriteReadable(value.AsSpan(5), writer); }
            using JsonDocument document = JsonDocument.Parse(json.Written.ToArray());
            if (decision.TryGetProperty("masked", out JsonElement masked))
            {
                foreach (JsonElement path in masked.EnumerateArray())
                {
                    if (At(document.RootElement, path.GetString()!) is { } found) { text.Append(path.GetString()).Append('=').Append(found).Append("  "); }
                }
            }
        }

        foreach ((string name, string tag) in record.Headers)
        {
            if (name.StartsWith("ps-tag-", StringComparison.Ordinal)) { text.Append('[').Append(name).Append(": ").Append(tag).Append(']'); }
        }

        return text.ToString().TrimEnd();
    }

    private static string? At(JsonElement value, string path)
    {
        foreach (string step in path.Replace("[\"", ".", StringComparison.Ordinal).Replace("\"]", "", StringComparison.Ordinal).Split('.'))
        {
            if (value.ValueKind != JsonValueKind.Object || !value.TryGetProperty(step, out value)) { return null; }
        }

        return value.ValueKind == JsonValueKind.String ? value.GetString() : value.GetRawText();
    }

    private void Summarize(int produced)
    {
        int Count(string topic) => _byTopic.GetValueOrDefault(topic);
        string routes = string.Concat(_topics.Routes.Select(route => $", {Count(route)} on {route}"));
        int allowed = Count(_topics.Governed) + _topics.Routes.Sum(Count);
        Say($"""

            What became of the {produced}:

              governed   {allowed,4}   {Count(_topics.Governed)} on {_topics.Governed}{routes}
              rejected   {Count(_topics.Rejected),4}   on {_topics.Rejected}, original bytes, the reasons in headers
              held       {Count(_topics.Held),4}   on {_topics.Held}, until somebody decides or they expire
              decided    {_decided,4}   on {_topics.Decisions}: one for each record, with the policy's digest and every rule that fired

            """);
        Say("  fired      " + string.Join(", ", _byCause.OrderByDescending(pair => pair.Value).Select(pair => $"{pair.Key} {pair.Value}")));
    }

    /// <summary>Approves one hold and refuses another through the REST service, as people would.</summary>
    private async Task<bool> DecideTwo(bool stay, CancellationToken cancellationToken)
    {
        if (stay) { return true; }
        using var http = new HttpClient { BaseAddress = new Uri(_system.ApprovalUrl + "/") };
        string cleo = await File.ReadAllTextAsync(Path.Combine(_system.TokenFolder, "cleo.token"), cancellationToken);
        JsonElement[] holds = [];
        long start = TimeProvider.System.GetTimestamp();
        while (holds.Length < 2 && TimeProvider.System.GetElapsedTime(start) < Patience)
        {
            JsonElement page = await Send(http, HttpMethod.Get, "holds?group=fraud", cleo, null, cancellationToken);
            holds = page.ValueKind == JsonValueKind.Object && page.TryGetProperty("holds", out JsonElement list)
                ? [.. list.EnumerateArray().Where(hold => hold.GetProperty("terms").GetArrayLength() == 1)] : [];
            if (holds.Length < 2) { await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, cancellationToken); }
        }

        if (holds.Length < 2)
        {
            Say("The approval service shows no holds for the group fraud.");
            return false;
        }

        string approved = Text(holds[0], "id"), refused = Text(holds[1], "id");
        Say($"\nThere is nobody at this terminal, so cleo of the group fraud approves {approved} and rejects {refused}:\n");
        await Send(http, HttpMethod.Post, $"holds/{approved}/approve", cleo, "called the customer back, the order is theirs", cancellationToken);
        await Send(http, HttpMethod.Post, $"holds/{refused}/reject", cleo, "the caller could not name the card's holder", cancellationToken);
        bool ended = FollowUntil(() => _decisions.ContainsKey(approved + "/end") && _decisions.ContainsKey(refused + "/end"), always: true);
        bool well = ended && Text(_decisions[approved + "/end"], "event") == "released" && Text(_decisions[refused + "/end"], "event") == "refused";
        if (!well) { Say("The two holds did not end as they should have."); }
        return well;
    }

    private void Invite()
    {
        string ana = Path.Combine(_system.TokenFolder, "ana.token"), cleo = Path.Combine(_system.TokenFolder, "cleo.token");
        Say($"""

            Everything stays up until Ctrl-C. Now decide a hold yourself, in another terminal; what follows from it appears here:

              bin/policystreams approvals list    --url {_system.ApprovalUrl} --token-file {cleo}
              bin/policystreams approvals show    --url {_system.ApprovalUrl} --token-file {cleo} ID
              bin/policystreams approvals approve --url {_system.ApprovalUrl} --token-file {cleo} --reason 'called back' ID
              bin/policystreams approvals reject  --url {_system.ApprovalUrl} --token-file {cleo} --reason 'not theirs' ID

            cleo is in the group fraud, ana and ben are in risk (ana's token: {ana}). A large payment needs two people of risk. The same over REST:

              curl -s -H "Authorization: Bearer $(cat {cleo})" {_system.ApprovalUrl}/holds

            The decisions as they come, and any record with an ordinary client:

              bin/policystreams decisions tail --bootstrap {_system.Kafka.Bootstrap} --from-beginning
              kcat -C -b {_system.Kafka.Bootstrap} -t {_topics.Governed} -o beginning -e

            """);
    }

    private static async Task<JsonElement> Send(HttpClient http, HttpMethod method, string path, string token, string? reason, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (reason is not null) { request.Content = JsonContent.Create(new Dictionary<string, string> { ["reason"] = reason }); }
        using HttpResponseMessage response = await http.SendAsync(request, cancellationToken);
        string body = await response.Content.ReadAsStringAsync(cancellationToken);
        return response.IsSuccessStatusCode && body.Length > 0 ? JsonDocument.Parse(body).RootElement : default;
    }

    private static string Text(JsonElement element, string name) => element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static void Say(string line) => Console.WriteLine(line);
}
