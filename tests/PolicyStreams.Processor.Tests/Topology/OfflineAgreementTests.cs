using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using PolicyStreams.Processor.Testing;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Tests.Topology;

/// <summary>
/// What <c>policystreams decide</c> says of a record is what the processor decides: the same bytes published, and the same decision, byte for byte, but that <c>decide</c> writes
/// every list and counts <c>seq</c> by lines.
/// </summary>
public sealed class OfflineAgreementTests
{
    private const string MoreRules = Payments.Rules + """

          - { id: odd, when: value.email.startsWith("x"), tag: { odd: "yes" } }
          - { id: watched, when: value.amount > 5.0, deny: { reason: only looked at }, mode: shadow }
          - { id: key-holder, when: 'principal.id == "checkout" && "payments-producers" in principal.groups', tag: { by: checkout } }
          - { id: late, when: offset > 3 && timestamp.getFullYear() == 2026, tag: { late: "1" } }
        """;

    [Theory]
    [InlineData("", "deny")]
    [InlineData("headers: drop", "{ hold: { approvers: [risk], expires: 1h, reason: look } }")]
    public void Judge_EveryKindOfRecord_DecidesAsTheProcessor(string binding, string onError)
    {
        var clock = new TestClock();
        CompiledPolicy policy = Payments.Policy(MoreRules + "\non_error: " + onError, binding, withOnError: false);
        using var driver = new TopologyDriver(policy, clock);
        using var offline = new OfflineJudge(policy.Bindings["payments"], timeMs: clock.GetUtcNow().ToUnixTimeMilliseconds());
        byte[] good = Payments.Value();
        byte[][] records =
        [
            good, Payments.Value(country: "KP"), Payments.Value(amount: 5000), Payments.Value(amount: 5000, country: "KP"), Payments.Value(id: "app-7", country: "DE"), Payments.Value(email: null), Payments.Value(card: ""),
            Payments.Value(card: "1234", email: "x@example.com"), [], [0], good[..^1], [.. good, 0], [0, 0, 0, 0, 99, .. good[5..]], [7, .. good[1..]], new byte[2_000_000], Payments.Value(card: "\u00e4\u00f6\U0001D11E"), [.. good[..9], 0, 0, 0, 0, 0, 0, 0xF8, 0x7F, .. good[17..]],
        ];
        for (int i = 0; i < records.Length; i++)
        {
            driver.Pipe(Payments.Ingress, null, records[i]);
            var answers = new ByteBuffer();
            Assert.Null(offline.Judge(Encoding.ASCII.GetBytes(Convert.ToHexStringLower(records[i])), RecordLineFormat.Hex, i, answers));
            JsonNode answer = JsonNode.Parse(answers.Written)!;
            DriverRecord written = driver.Read("decisions").Single(record => record.KeyText == $"raw.payments-0-{i}");
            JsonNode online = JsonNode.Parse(written.Value!)!;
            JsonNode decision = answer["decision"]!;
            Assert.Equal(i, (int)decision["seq"]!);
            decision["seq"] = (int)online["seq"]!;
            Assert.Equal(online.ToJsonString(), WithoutEmptyLists(decision).ToJsonString());
            string outcome = (string)decision["outcome"]!;
            DriverRecord? published = driver.Read((string)decision["to"]!).LastOrDefault(record => record.Header("ps-decision") == $"raw.payments-0-{i}");
            Assert.NotNull(published);
            if (outcome != "allow")
            {
                Assert.Null(answer["hex"]);
                Assert.Null(answer["value"]);
                Assert.Equal(records[i], published.Value);
                continue;
            }

            Assert.Equal(Convert.ToHexStringLower(published.Value!), (string?)answer["hex"]);
            Assert.Equal(Payments.Read(published.Value!).GetProperty("card").GetString(), (string?)answer["value"]!["card"]);
        }

        string[] outcomes = [.. driver.Decisions().Select(decision => decision.GetProperty("outcome").GetString()!).Distinct()];
        Assert.Equal(["allow", "deny", "hold"], outcomes.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Judge_Answer_HasEveryListAndNothingElseBeyondTheProcessors()
    {
        CompiledPolicy policy = Payments.Policy();
        using var offline = new OfflineJudge(policy.Bindings["payments"], timeMs: 1_767_323_045_678);
        var answers = new ByteBuffer();
        Assert.Null(offline.Judge(Encoding.ASCII.GetBytes(Convert.ToHexStringLower(Payments.Value(email: null, card: ""))), RecordLineFormat.Hex, 3, answers));
        using JsonDocument answer = JsonDocument.Parse(answers.Written.ToArray());
        Assert.Equal(["decision", "value", "hex"], answer.RootElement.EnumerateObject().Select(member => member.Name));
        Assert.Equal(
            ["v", "id", "seq", "event", "outcome", "time", "policy", "digest", "rules", "shadow", "reasons", "errors", "principal", "schema", "tags", "masked", "keys", "to", "after"],
            answer.RootElement.GetProperty("decision").EnumerateObject().Select(member => member.Name));
        Assert.Equal("2026-01-02T03:04:05.678Z", answer.RootElement.GetProperty("decision").GetProperty("time").GetString());
    }

    [Theory]
    [InlineData("zz", RecordLineFormat.Hex, "malformed")]
    [InlineData("0", RecordLineFormat.Hex, "malformed")]
    [InlineData("{", RecordLineFormat.Json, "malformed")]
    [InlineData("", RecordLineFormat.Json, "malformed")]
    [InlineData("{} {}", RecordLineFormat.Json, "malformed")]
    [InlineData("{\"id\":7}", RecordLineFormat.Json, "invalid")]
    [InlineData("null", RecordLineFormat.Json, "invalid")]
    [InlineData("{\"\\ud800\":7}", RecordLineFormat.Json, "invalid")]
    [InlineData("{\"id\":\"\\ud800\"}", RecordLineFormat.Json, "invalid")]
    [InlineData("\u0001\u00ff", RecordLineFormat.Json, "malformed")]
    public void Judge_LineWithoutARecord_IsADecisionAllTheSame(string line, RecordLineFormat format, string code)
    {
        CompiledPolicy policy = Payments.Policy();
        using var offline = new OfflineJudge(policy.Bindings["payments"]);
        var answers = new ByteBuffer();
        Assert.NotNull(offline.Judge(Encoding.Latin1.GetBytes(line), format, 8, answers));
        JsonNode decision = JsonNode.Parse(answers.Written)!["decision"]!;
        Assert.Equal("raw.payments-0-8 deny ps:undecodable rejected.payments", $"{decision["id"]} {decision["outcome"]} {decision["rules"]![0]} {decision["to"]}");
        Assert.Equal(code, (string?)decision["errors"]![0]!["code"]);

        // A verdict leaves nothing behind for the next line.
        answers.Clear();
        Assert.Null(offline.Judge(Encoding.ASCII.GetBytes(Convert.ToHexStringLower(Payments.Value())), RecordLineFormat.Hex, 9, answers));
        Assert.Equal("allow", (string?)JsonNode.Parse(answers.Written)!["decision"]!["outcome"]);
    }

    /// <summary>The decision as the processor writes it: lists that are empty, and groups that are the binding's own, left out.</summary>
    private static JsonObject WithoutEmptyLists(JsonNode decision)
    {
        JsonObject plain = decision.AsObject();
        foreach (string name in plain.Where(member => member.Value is JsonArray { Count: 0 } or JsonObject { Count: 0 }).Select(member => member.Key).ToArray()) { plain.Remove(name); }
        plain["principal"]!.AsObject().Remove("groups");
        return plain;
    }
}
