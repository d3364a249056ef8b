using System.Text;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Tests.Decisions;

public class JudgeTests
{
    // By `Card` a value that is framed with its id is a card's number; by `Numbers` the same bytes, prefix included, are five small numbers and a text.
    private const string Card = """{"type":"record","name":"P","fields":[{"name":"pan","type":"string","confluent:tags":["PAN"]}]}""";
    private const string Numbers = """{"type":"record","name":"P","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"},{"name":"c","type":"int"},{"name":"d","type":"int"},{"name":"e","type":"int"},{"name":"note","type":"string"}]}""";
    private const string CardValue = """{"pan":"4111111111111111"}""";

    private const string Hold = "{ approvers: [risk], quorum: 2, expires: 4h, on_expiry: deny, reason: look }";

    [Fact]
    public void Rule_WithoutCondition_AlwaysFires()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: never, deny: { reason: closed } }"));
        bench.Decide(Bench.Payment);
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal(["never"], bench.Verdict.Rules);
        Assert.Equal(["closed"], bench.Verdict.Reasons);
    }

    [Fact]
    public void Hold_GivesTermsOfEveryHoldThatFired()
    {
        Bench bench = Bench.Of(Bench.Yaml($$"""
            - { id: a, when: value.amount > 100.0, hold: {{Hold}} }
            - { id: b, hold: { approvers: [ops, risk], expires: 90s, scope: key, own_group_may_approve: true, on_expiry: allow } }
            """));
        bench.Decide(Bench.Payment);
        Assert.Equal(Outcome.Hold, bench.Verdict.Outcome);
        Assert.Equal("held.payments", bench.Verdict.To);
        Assert.Equal(
            [
                new HoldTerms { Rule = "a", Approvers = ["risk"], Quorum = 2, Expires = TimeSpan.FromHours(4), Reason = "look" },
                new HoldTerms { Rule = "b", Approvers = ["ops", "risk"], Expires = TimeSpan.FromSeconds(90), OnExpiry = OnExpiry.Allow, Scope = HoldScope.Key, OwnGroupMayApprove = true },
            ],
            bench.Verdict.Holds);
    }

    [Fact]
    public void Release_OfHeld_PublishesWithMasksAndRoute()
    {
        Bench bench = Bench.Of(Bench.Yaml(
            $$"""
            - { id: a, hold: {{Hold}} }
            - { id: m, mask: { field: merchant, constant: x } }
            - { id: r, route: { to: elsewhere } }
            """, "topics: { routes: [elsewhere] }"));
        bench.Decide(Bench.Payment);
        Assert.False(bench.Verdict.ValueRewritten);
        bench.Release(Bench.Payment);
        Assert.Equal(Outcome.Allow, bench.Verdict.Outcome);
        Assert.Equal("elsewhere", bench.Verdict.To);
        Assert.Equal(["a", "m", "r"], bench.Verdict.Rules);
        Assert.Equal(["merchant"], bench.Verdict.Masked);
        Assert.True(bench.Verdict.ValueRewritten);
        Assert.Empty(bench.Verdict.Holds);
    }

    [Fact]
    public void MaskedView_IsWhatAReleaseWouldPublish()
    {
        Bench bench = Bench.Of(Bench.Yaml($$"""
            - { id: a, hold: {{Hold}} }
            - { id: m, mask: { tag: PAN, keep_last: 4 } }
            """));
        byte[] value = bench.Encode(Bench.Payment);
        bench.Decide(value);
        var json = new ByteBuffer();
        bench.Judge.WriteMaskedView(bench.Binding, bench.Input(value), bench.Verdict, json);
        string view = Encoding.UTF8.GetString(json.Written);
        Assert.Contains("\"card_number\":\"************1111\"", view, StringComparison.Ordinal);
        Assert.Equal(Outcome.Hold, bench.Verdict.Outcome);
    }

    [Fact]
    public void MaskedView_WhereAMaskFails_IsNull()
    {
        Bench bench = Bench.Of(Bench.JsonYaml($$"""
            - { id: a, hold: {{Hold}} }
            - { id: m, mask: { field: card, keep_last: 4 } }
            """));
        byte[] value = "{\"card\":1}"u8.ToArray();
        bench.Decide(value);
        var json = new ByteBuffer();
        bench.Judge.WriteMaskedView(bench.Binding, bench.Input(value), bench.Verdict, json);
        Assert.Equal("null", Encoding.UTF8.GetString(json.Written));
        bench.Release("{\"card\":1}");
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal(["a", "m", "ps:mask"], bench.Verdict.Rules);
    }

    [Fact]
    public void FailingRule_OnErrorDeny_DeniesAndNamesTheCode()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: bad, when: value.customer.age > 1, tag: { a: b } }"));
        bench.Decide(Bench.Payment.Replace("\"age\":36", "\"age\":null", StringComparison.Ordinal));
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal(["ps:error"], bench.Verdict.Rules);
        Assert.Equal([new DecisionError("bad", "null-use")], bench.Verdict.Errors);
    }

    [Fact]
    public void FailingRule_OnErrorHold_HoldsOnItsTerms()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: bad, when: value.customer.age > 1, tag: { a: b } }", top: "on_error: { hold: { approvers: [ops], expires: 1h } }"));
        string json = Bench.Payment.Replace("\"age\":36", "\"age\":null", StringComparison.Ordinal);
        bench.Decide(json);
        Assert.Equal(Outcome.Hold, bench.Verdict.Outcome);
        Assert.Equal("ps:error", bench.Verdict.Holds.Single().Rule);
        bench.Release(json);
        Assert.Equal(Outcome.Allow, bench.Verdict.Outcome);
    }

    [Fact]
    public void FailingMaskCondition_IsNeverReleased()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, when: value.customer.age > 1, mask: { field: merchant, constant: x } }", top: "on_error: { hold: { approvers: [ops], expires: 1h } }"));
        string json = Bench.Payment.Replace("\"age\":36", "\"age\":null", StringComparison.Ordinal);
        bench.Decide(json);
        Assert.Equal(Outcome.Hold, bench.Verdict.Outcome);
        bench.Release(json);
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Contains("ps:mask", bench.Verdict.Rules);
    }

    [Fact]
    public void FailingRule_DoesNotHideADeny()
    {
        Bench bench = Bench.Of(Bench.Yaml(
            """
            - { id: bad, when: value.customer.age > 1, tag: { a: b } }
            - { id: no, deny: { reason: closed } }
            """, top: "on_error: { hold: { approvers: [ops], expires: 1h } }"));
        bench.Decide(Bench.Payment.Replace("\"age\":36", "\"age\":null", StringComparison.Ordinal));
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal(["no", "ps:error"], bench.Verdict.Rules);
        Assert.Equal(["closed"], bench.Verdict.Reasons);
    }

    // Deny beats hold, hold beats allow, whatever the order of rules; masks and tags accumulate.
    [Theory]
    [InlineData("deny hold tag route mask", Outcome.Deny, "rejected.payments", "closed")]
    [InlineData("hold tag route mask", Outcome.Hold, "held.payments", "look")]
    [InlineData("tag route mask", Outcome.Allow, "elsewhere", "")]
    public void Outcome_AnyOrderOfRules_DenyBeatsHoldBeatsAllow(string effects, Outcome outcome, string to, string reasons)
    {
        var rules = new Dictionary<string, string>
        {
            ["deny"] = "deny: { reason: closed }",
            ["hold"] = "hold: { approvers: [risk], expires: 1h, reason: look }",
            ["tag"] = "tag: { a: b }",
            ["route"] = "route: { to: elsewhere }",
            ["mask"] = "mask: { field: merchant, constant: x }",
        };
        foreach (string[] order in Orders(effects.Split(' ')))
        {
            Bench bench = Bench.Of(Bench.Yaml(string.Join("\n", order.Select(effect => $"- {{ id: {effect}, {rules[effect]} }}")), "topics: { routes: [elsewhere] }"));
            Verdict verdict = bench.Decide(Bench.Payment);
            string where = string.Join(",", order);
            Assert.True((outcome, to, reasons) == (verdict.Outcome, verdict.To, string.Join(",", verdict.Reasons)), $"{where}: {verdict.Outcome} {verdict.To} {string.Join(",", verdict.Reasons)}");
            Assert.Equal(order, verdict.Rules);
            Assert.Equal([new("a", "b")], verdict.Tags);
            Assert.Equal(outcome == Outcome.Hold ? ["hold"] : [], verdict.Holds.Select(terms => terms.Rule));
            Assert.Equal(outcome == Outcome.Allow, verdict.ValueRewritten);
        }

        static IEnumerable<string[]> Orders(string[] items) =>
            items.Length < 2 ? [items] : items.SelectMany(first => Orders([.. items.Where(item => item != first)]).Select(rest => (string[])[first, .. rest]));
    }

    [Fact]
    public void Hold_ByARuleAndByOnError_AsksForBoth()
    {
        Bench bench = Bench.Of(Bench.Yaml(
            """
            - { id: bad, when: value.customer.age > 1, tag: { a: b } }
            - { id: big, hold: { approvers: [risk], expires: 2h, reason: big } }
            """, top: "on_error: { hold: { approvers: [ops], expires: 1h, reason: look } }"));
        bench.Decide(Bench.Payment.Replace("\"age\":36", "\"age\":null", StringComparison.Ordinal));
        Assert.Equal(Outcome.Hold, bench.Verdict.Outcome);
        Assert.Equal(["big", "ps:error"], bench.Verdict.Rules);
        Assert.Equal(["big risk", "ps:error ops"], bench.Verdict.Holds.Select(terms => $"{terms.Rule} {terms.Approvers.Single()}"));
        Assert.Equal(["big", "look"], bench.Verdict.Reasons);
    }

    [Fact]
    public void MaskWhen_False_LetsTheNextApply()
    {
        Bench bench = Bench.Of(Bench.Yaml("""
            - { id: a, when: value.amount > 1000.0, mask: { field: merchant, constant: big } }
            - { id: b, mask: { field: merchant, constant: small } }
            """));
        Assert.Equal("small", bench.Mask(Bench.Payment).GetProperty("merchant").GetString());
        Assert.Equal(["b"], bench.Verdict.Rules);
        Assert.Equal("big", bench.Mask(Bench.Payment.Replace("120.5", "5000.0", StringComparison.Ordinal)).GetProperty("merchant").GetString());
        Assert.Equal(["a", "b"], bench.Verdict.Rules);
    }

    [Fact]
    public void ShadowRule_IsRecordedNotEnforced()
    {
        Bench bench = Bench.Of(Bench.Yaml("""
            - { id: no, deny: { reason: closed }, mode: shadow }
            - { id: bad, when: value.customer.age > 1, deny: {}, mode: shadow }
            """));
        bench.Decide(Bench.Payment.Replace("\"age\":36", "\"age\":null", StringComparison.Ordinal));
        Assert.Equal(Outcome.Allow, bench.Verdict.Outcome);
        Assert.Empty(bench.Verdict.Rules);
        Assert.Equal(["no"], bench.Verdict.Shadow);
        Assert.Equal([new DecisionError("bad", "null-use")], bench.Verdict.Errors);
    }

    [Fact]
    public void ShadowPolicy_EnforcesNothing()
    {
        Bench bench = Bench.Of(Bench.Yaml(
            """
            - { id: no, deny: { reason: closed } }
            - { id: m, mask: { field: merchant, constant: x } }
            """, top: "mode: shadow"));
        bench.Decide(Bench.Payment);
        Assert.Equal(Outcome.Allow, bench.Verdict.Outcome);
        Assert.Equal(["no", "m"], bench.Verdict.Shadow);
        Assert.False(bench.Verdict.ValueRewritten);
    }

    // A policy in shadow mode publishes what it can read: what its rules say, and that one of them fails, is only recorded. What the rules do not say still denies.
    [Fact]
    public void ShadowPolicy_ARuleThatFails_LeavesOnErrorAside()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: bad, when: value.customer.age > 1, deny: {} }\n- { id: m, when: value.customer.age > 1, mask: { tag: PAN, redact: true } }", top: "mode: shadow\non_error: { hold: { approvers: [ops], expires: 1h } }"));
        bench.Decide(Bench.Payment.Replace("\"age\":36", "\"age\":null", StringComparison.Ordinal));
        Assert.Equal((Outcome.Allow, false), (bench.Verdict.Outcome, bench.Verdict.ValueRewritten));
        Assert.Equal([new DecisionError("bad", "null-use"), new DecisionError("m", "null-use")], bench.Verdict.Errors);
        Assert.Empty(bench.Verdict.Rules);
    }

    [Theory]
    [InlineData("record-bytes", "ps:limit")]
    [InlineData("headers", "ps:limit")]
    [InlineData("not-framed", "ps:undecodable")]
    [InlineData("endless-block", "ps:undecodable")]
    [InlineData("unknown-schema-id", "ps:schema-not-admitted")]
    [InlineData("null-value", "ps:tombstone")]
    [InlineData("merchant", "ps:schema-mismatch")]
    public void ShadowPolicy_WhatIsNoRules_StillDenies(string code, string cause)
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { field: merchant, constant: x } }", top: "mode: shadow\nlimits: { record_bytes: 500, headers: 0 }"));
        AvroSchema later = AvroSchema.Parse(Bench.PaymentSchema.Replace("\"merchant\"", "\"shop\"", StringComparison.Ordinal), []);
        bench.Binding.AddWriter(8, WriterAdmission.Admitted, new SchemaVersion(2, 8, later));
        bench.Binding.AddWriter(99, WriterAdmission.UnknownId, null);
        byte[] value = bench.Encode(Bench.Payment);
        if (code == "headers") { bench.Headers.Add("a"u8, "1"u8); }
        bench.Decide(code switch
        {
            "record-bytes" => new byte[501],
            "not-framed" => [2],
            "endless-block" => value[..^1],
            "unknown-schema-id" => bench.Encode(Bench.Payment, id: 99),
            "null-value" => null,
            "merchant" => bench.Encode(Bench.Payment.Replace("\"merchant\"", "\"shop\"", StringComparison.Ordinal), later, 8),
            _ => value,
        });
        Assert.Equal((Outcome.Deny, cause, code), (bench.Verdict.Outcome, bench.Verdict.Rules.Single(), bench.Verdict.Errors.Single().Code));
    }

    [Fact]
    public void Routes_FirstThatFiredWins()
    {
        Bench bench = Bench.Of(Bench.Yaml(
            """
            - { id: a, when: value.amount > 1000.0, route: { to: one } }
            - { id: b, route: { to: two } }
            - { id: c, route: { to: one } }
            """, "topics: { routes: [one, two] }"));
        bench.Decide(Bench.Payment);
        Assert.Equal("two", bench.Verdict.To);
        Assert.Equal(["b", "c"], bench.Verdict.Rules);
    }

    [Fact]
    public void Tags_Accumulate_AndTheFirstOfAnameHolds()
    {
        Bench bench = Bench.Of(Bench.Yaml("""
            - { id: a, tag: { source: mobile, region: eu } }
            - { id: b, tag: { source: other, team: "7" } }
            """));
        bench.Decide(Bench.Payment);
        Assert.Equal([new("source", "mobile"), new("region", "eu"), new("team", "7")], bench.Verdict.Tags);
    }

    [Theory]
    [InlineData("tombstones: deny", Outcome.Deny, "ps:tombstone")]
    [InlineData("", Outcome.Deny, "ps:tombstone")]
    [InlineData("tombstones: allow", Outcome.Allow, "")]
    [InlineData("tombstones: { hold: { approvers: [ops], expires: 1h } }", Outcome.Hold, "ps:tombstone")]
    public void Tombstone_GetsWhatTheBindingSays(string binding, Outcome outcome, string rules)
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: big, when: value.amount > 1.0, deny: {} }", binding));
        bench.Decide((byte[]?)null);
        Assert.Equal(outcome, bench.Verdict.Outcome);
        Assert.Equal(rules, string.Join(",", bench.Verdict.Rules));
        Assert.Null(bench.Verdict.SchemaId);
    }

    [Fact]
    public void Tombstone_Allowed_StillMeetsRulesThatDoNotReadTheValue_AndKeyMasks()
    {
        Bench bench = Bench.Of(Bench.Yaml(
            """
            - { id: who, when: 'principal.id != "checkout"', deny: {} }
            - { id: k, mask: { field: key, constant: masked } }
            """, "tombstones: allow"));
        bench.Decide((byte[]?)null);
        Assert.Equal(Outcome.Allow, bench.Verdict.Outcome);
        Assert.Equal("masked", bench.KeyText());
        bench.Principal = new Principal("mallory", [], "topic");
        bench.Decide((byte[]?)null);
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
    }

    [Fact]
    public void TombstonesHold_PlainWord_BorrowsTheTermsOfOnError()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: t, tag: { a: b } }", "tombstones: hold", "on_error: { hold: { approvers: [ops], expires: 1h } }"));
        bench.Decide((byte[]?)null);
        Assert.Equal(["ops"], bench.Verdict.Holds.Single().Approvers);
        Assert.Equal("ps:tombstone", bench.Verdict.Holds.Single().Rule);
    }

    [Fact]
    public void Limits_DenyBeforeAnythingIsRead()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: t, tag: { a: b } }", top: "limits: { record_bytes: 100, headers: 1 }"));
        bench.Decide(new byte[101]);
        Assert.Equal([new DecisionError("ps:limit", "record-bytes")], bench.Verdict.Errors);
        Assert.Equal(["ps:limit"], bench.Verdict.Rules);
        bench.Headers.Add("a"u8, "1"u8);
        bench.Headers.Add("b"u8, "1"u8);
        bench.Decide(new byte[10]);
        Assert.Equal([new DecisionError("ps:limit", "headers")], bench.Verdict.Errors);
    }

    // `record_bytes` is of the value with its framing, as it is on the topic.
    [Theory]
    [InlineData(0, 2, 2, "")]
    [InlineData(-1, 2, 2, "record-bytes")]
    [InlineData(-5, 2, 2, "record-bytes")]
    [InlineData(0, 0, 0, "")]
    [InlineData(0, 0, 1, "headers")]
    [InlineData(0, 2, 3, "headers")]
    public void Limits_AtTheBound_AreAllowed(int bytes, int headersMax, int headers, string code)
    {
        byte[] value = Bench.Of(Bench.Yaml("[]")).Encode(Bench.Payment);
        Bench bench = Bench.Of(Bench.Yaml("- { id: t, tag: { a: b } }", top: $"limits: {{ record_bytes: {value.Length + bytes}, headers: {headersMax} }}"));
        for (int i = 0; i < headers; i++) { bench.Headers.Add("a"u8, "1"u8); }
        bench.Decide(value);
        Assert.Equal(code.Length == 0 ? Outcome.Allow : Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal(code.Length == 0 ? "t" : "ps:limit", bench.Verdict.Rules.Single());
        Assert.Equal(code, string.Join(",", bench.Verdict.Errors.Select(error => error.Code)));
    }

    [Theory]
    [InlineData("", "empty-value")]
    [InlineData("00", "missing-id")]
    [InlineData("00000000", "truncated-id")]
    [InlineData("0500000007", "not-framed")]
    [InlineData("0000000007", "truncated")]
    public void Undecodable_IsDeniedWithItsCode(string hex, string code)
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: t, tag: { a: b } }"));
        bench.Decide(Convert.FromHexString(hex));
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal(["ps:undecodable"], bench.Verdict.Rules);
        Assert.Equal([new DecisionError("ps:undecodable", code)], bench.Verdict.Errors);
    }

    [Fact]
    public void TrailingBytes_AreDenied()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: t, tag: { a: b } }"));
        bench.Decide([.. bench.Encode(Bench.Payment), 0]);
        Assert.Equal("trailing-bytes", bench.Verdict.Errors.Single().Code);
        Assert.Equal(7, bench.Verdict.SchemaId);
    }

    [Theory]
    [InlineData("apicurio4", "0000000007")]
    [InlineData("apicurio8", "000000000000000007")]
    public void ApicurioFrame_IsReadByItsId_AndStandsBeforeWhatIsMasked(string framing, string prefix)
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: large, when: value.amount > 100.0, tag: { size: large } }\n- { id: pan, mask: { tag: PAN, keep_last: 4 } }", $"framing: {framing}"));
        byte[] payload = bench.Encode(Bench.Payment)[FrameReader.IdPrefixLength..];
        byte[] frame = Convert.FromHexString(prefix);
        bench.Decide([.. frame, .. payload]);
        Assert.Equal(["large", "pan"], bench.Verdict.Rules);
        Assert.Equal(7, bench.Verdict.SchemaId);
        byte[] written = bench.Verdict.Output.Slice(bench.Verdict.ValueStart, bench.Verdict.ValueLength).ToArray();
        Assert.Equal([.. frame, .. bench.Encode(Bench.Payment.Replace("411111111111", "************", StringComparison.Ordinal))[FrameReader.IdPrefixLength..]], written);

        bench.Decide([.. frame, .. payload[..^1]]);
        Assert.Equal([new DecisionError("ps:undecodable", "endless-block")], bench.Verdict.Errors);
        bench.Decide(frame[..^1]);
        Assert.Equal([new DecisionError("ps:undecodable", "truncated-id")], bench.Verdict.Errors);
    }

    [Theory]
    [InlineData("0000000080000007", "unknown-schema-id")]
    [InlineData("0000000100000007", "unknown-schema-id")]
    [InlineData("7FFFFFFFFFFFFFFF", "unknown-schema-id")]
    [InlineData("0000000000000000", "not-framed")]
    [InlineData("FFFFFFFF00000007", "not-framed")]
    public void ApicurioId_OfMoreThan31Bits_IsNeverAskedForByItsLowerHalf(string id, string code)
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: t, tag: { a: b } }", "framing: apicurio8"));
        bench.Decide([0, .. Convert.FromHexString(id), .. bench.Encode(Bench.Payment)[FrameReader.IdPrefixLength..]]);
        Assert.Equal(code, Assert.Single(bench.Verdict.Errors).Code);
    }

    [Theory]
    [InlineData(WriterAdmission.UnknownId, "unknown-schema-id")]
    [InlineData(WriterAdmission.NotAdmitted, "not-a-version")]
    [InlineData(WriterAdmission.Unusable, "unusable-schema")]
    [InlineData(WriterAdmission.OtherFormat, "other-format")]
    public void UnknownSchemaId_IsAskedForThenRefused(WriterAdmission admission, string code)
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: t, tag: { a: b } }"));
        byte[] value = bench.Encode(Bench.Payment, id: 999);
        JudgeResult first = bench.Judge.Decide(bench.Binding, bench.Input(value), bench.Output, bench.Verdict);
        Assert.False(first.Decided);
        Assert.Equal(999, first.NeededSchemaId);
        bench.Binding.AddWriter(999, admission, null);
        bench.Decide(value);
        Assert.Equal(["ps:schema-not-admitted"], bench.Verdict.Rules);
        Assert.Equal([new DecisionError("ps:schema-not-admitted", code)], bench.Verdict.Errors);
        bench.Binding.ForgetRefusals();
        Assert.False(bench.Judge.Decide(bench.Binding, bench.Input(value), bench.Output, bench.Verdict).Decided);
    }

    [Theory]
    [InlineData(true, 8, "x")]
    [InlineData(true, 7, "frame-conflict")]
    [InlineData(true, 99, "frame-conflict")]
    [InlineData(false, 8, "x")]
    [InlineData(false, 7, "frame-conflict")]
    public void Frame_WithAnIdAndAGuid_IsOfOneSchemaOrRefused(bool idInFront, int other, string expected)
    {
        Bench bench = CardBench();
        byte[] payload = bench.Encode(CardValue)[5..];
        bench.Headers.Add(FrameReader.ValueHeader, idInFront ? Bench.GuidFrame(other) : Bench.Framed(other, []));
        byte[] front = idInFront ? Bench.Framed(8, []) : Bench.GuidFrame(8);
        bench.Decide([.. front, .. payload]);
        if (expected == "frame-conflict")
        {
            Assert.Equal((Outcome.Deny, "ps:undecodable"), (bench.Verdict.Outcome, Assert.Single(bench.Verdict.Rules)));
            Assert.Equal([new DecisionError("ps:undecodable", expected)], bench.Verdict.Errors);
            return;
        }

        Assert.Equal(Outcome.Allow, bench.Verdict.Outcome);
        byte[] published = [.. front, 2, (byte)'x'];
        Assert.Equal(published, bench.Output.Written.ToArray());
    }

    [Theory]
    [InlineData("header")]
    [InlineData("prefix")]
    public void Frame_WithAGuidAlone_IsReadAndMasked(string where)
    {
        Bench bench = CardBench();
        byte[] payload = bench.Encode(CardValue)[5..], front = where == "prefix" ? Bench.GuidFrame(8) : [];
        if (where == "header") { bench.Headers.Add(FrameReader.ValueHeader, Bench.GuidFrame(8)); }
        bench.Decide([.. front, .. payload]);
        Assert.Equal((Outcome.Allow, 8), (bench.Verdict.Outcome, bench.Verdict.SchemaId));
        byte[] published = [.. front, 2, (byte)'x'];
        Assert.Equal(published, bench.Output.Written.ToArray());
    }

    [Theory]
    [InlineData(WriterAdmission.UnknownId, null)]
    [InlineData(WriterAdmission.NotAdmitted, "frame-conflict")]
    [InlineData(WriterAdmission.Unusable, "frame-conflict")]
    [InlineData(WriterAdmission.Admitted, "frame-conflict")]
    public void Header_OfAGuid_OverWhatMayBeAnId_AsksWhoseItIs(WriterAdmission admission, string? code)
    {
        Bench bench = CardBench();
        byte[] value = bench.Encode(CardValue, id: 9);
        bench.Headers.Add(FrameReader.ValueHeader, Bench.GuidFrame(7));
        JudgeResult needed = bench.Judge.Decide(bench.Binding, bench.Input(value), bench.Output, bench.Verdict);
        Assert.Equal((false, 9, (Guid?)null), (needed.Decided, needed.NeededSchemaId, needed.NeededSchemaGuid));
        bench.Binding.Answer(needed, 9, admission, admission == WriterAdmission.Admitted ? new SchemaVersion(3, 9, AvroSchema.Parse(Card)) { Guid = Bench.GuidOf(9) } : null);
        bench.Decide(value);
        Assert.Equal(code, bench.Verdict.Errors.Select(error => error.Code).SingleOrDefault());

        // Nobody's id: the bytes are a value of the header's schema, which begins with zeros.
        if (code is null) { Assert.Equal((Outcome.Allow, 7, 0), (bench.Verdict.Outcome, bench.Verdict.SchemaId, bench.Output.Length)); }
    }

    [Fact]
    public void Header_OfAGuid_OverAnIdThatWasNobodys_IsAskedAboutAgain()
    {
        Bench bench = CardBench();
        byte[] value = bench.Encode(CardValue, id: 9);
        bench.Headers.Add(FrameReader.ValueHeader, Bench.GuidFrame(7));
        bench.Binding.AddWriter(9, WriterAdmission.UnknownId, null);
        Assert.Equal(Outcome.Allow, bench.Decide(value).Outcome);
        bench.Binding.ForgetRefusals();
        Assert.Equal(9, bench.Judge.Decide(bench.Binding, bench.Input(value), bench.Output, bench.Verdict).NeededSchemaId);
    }

    [Fact]
    public void Header_OfAnIdThatNobodyWasAskedAbout_OverItsOwnGuid_IsAskedForAndRead()
    {
        Bench bench = CardBench();
        byte[] value = [.. Bench.GuidFrame(9), .. bench.Encode(CardValue)[5..]];
        bench.Headers.Add(FrameReader.ValueHeader, Bench.Framed(9, []));
        JudgeResult needed = bench.Judge.Decide(bench.Binding, bench.Input(value), bench.Output, bench.Verdict);
        Assert.Equal((false, 9), (needed.Decided, needed.NeededSchemaId));
        bench.Binding.Answer(needed, 9, WriterAdmission.Admitted, new SchemaVersion(3, 9, AvroSchema.Parse(Card)) { Guid = Bench.GuidOf(9) });
        bench.Decide(value);
        Assert.Equal((Outcome.Allow, 9), (bench.Verdict.Outcome, bench.Verdict.SchemaId));
        byte[] published = [.. Bench.GuidFrame(9), 2, (byte)'x'];
        Assert.Equal(published, bench.Output.Written.ToArray());
    }

    [Fact]
    public void Framing_None_ReadsByTheCheckedVersion_AndRefusesASchemaHeader()
    {
        Bench bench = CardBench("framing: none");
        byte[] value = bench.Encode(CardValue)[5..];
        bench.Decide(value);
        Assert.Equal((Outcome.Allow, 8, 2), (bench.Verdict.Outcome, bench.Verdict.SchemaId, bench.Verdict.ValueLength));

        // By an older version's bytes, or with a prefix, it is no value of the checked version.
        Assert.Equal(Outcome.Deny, bench.Decide(Bench.Framed(8, value)).Outcome);
        foreach (byte[] header in (byte[][])[Bench.Framed(8, []), Bench.Framed(7, []), Bench.GuidFrame(8), []])
        {
            bench.Headers.Clear();
            bench.Headers.Add(FrameReader.ValueHeader, header);
            Assert.Equal([new DecisionError("ps:undecodable", "frame-conflict")], bench.Decide(value).Errors);
        }
    }

    [Fact]
    public void JsonWithoutASchema_UnderASchemaHeader_IsRefused()
    {
        Bench bench = Bench.Of(Bench.JsonYaml("- { id: t, tag: { a: b } }"));
        Assert.Equal(Outcome.Allow, bench.Decide("{}").Outcome);
        bench.Headers.Add(FrameReader.ValueHeader, Bench.GuidFrame(7));
        Assert.Equal([new DecisionError("ps:undecodable", "frame-conflict")], bench.Decide("{}").Errors);
    }

    [Fact]
    public void JsonText_Null_IsAValueNotATombstone()
    {
        Bench bench = Bench.Of(Bench.JsonYaml("- { id: nothing, when: value == null, tag: { a: b } }", "tombstones: deny"));
        bench.Decide("null"u8.ToArray());
        Assert.Equal((Outcome.Allow, false, "governed.payments"), (bench.Verdict.Outcome, bench.Verdict.ValueRewritten, bench.Verdict.To));
        Assert.Equal(["nothing"], bench.Verdict.Rules);
        Assert.Equal(["ps:tombstone"], bench.Decide((byte[]?)null).Rules);
    }

    [Fact]
    public void NewVersion_AddedAtRunTime_IsJudgedAndItsTagsMask()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: pan, mask: { tag: PAN, constant: x } }"));
        string later = Bench.PaymentSchema.Replace("{\"name\":\"merchant\",\"type\":\"string\"}", "{\"name\":\"merchant\",\"type\":\"string\"},{\"name\":\"iban\",\"type\":\"string\",\"confluent:tags\":[\"PAN\"],\"default\":\"\"}", StringComparison.Ordinal);
        AvroSchema schema = AvroSchema.Parse(later, []);
        bench.Binding.AddWriter(8, WriterAdmission.Admitted, new SchemaVersion(2, 8, schema));
        byte[] value = bench.Encode(Bench.Payment.Replace("\"merchant\":\"Books\"", "\"merchant\":\"Books\",\"iban\":\"DE00\"", StringComparison.Ordinal), schema, 8);
        bench.Decide(value);
        Assert.Equal(["card_number", "iban"], bench.Verdict.Masked);
        Assert.Equal(8, bench.Verdict.SchemaId);
    }

    [Fact]
    public void Tags_AreTheUnionOverVersions_AnUntaggedLaterVersionDoesNotUnmask()
    {
        string untagged = Bench.PaymentSchema.Replace(",\"confluent:tags\":[\"PAN\"]", "", StringComparison.Ordinal);
        Bench bench = Bench.Of(Bench.Yaml("- { id: pan, mask: { tag: PAN, constant: x } }"), (7, Bench.PaymentSchema), (8, untagged));
        Assert.Equal("x", bench.Mask(Bench.Payment).GetProperty("card_number").GetString());
    }

    [Fact]
    public void LaterVersion_WithoutAMaskedField_IsAMismatch()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { field: merchant, constant: x } }", top: $"on_schema_mismatch: {{ hold: {Hold} }}"));
        AvroSchema schema = AvroSchema.Parse(Bench.PaymentSchema.Replace("\"merchant\"", "\"shop\"", StringComparison.Ordinal), []);
        bench.Binding.AddWriter(8, WriterAdmission.Admitted, new SchemaVersion(2, 8, schema));
        byte[] value = bench.Encode(Bench.Payment.Replace("\"merchant\"", "\"shop\"", StringComparison.Ordinal), schema, 8);
        bench.Decide(value);
        Assert.Equal(Outcome.Hold, bench.Verdict.Outcome);
        Assert.Equal(["ps:schema-mismatch"], bench.Verdict.Rules);
        Assert.Equal("ps:schema-mismatch", bench.Verdict.Holds.Single().Rule);

        // What cannot be masked is never released, whoever approves.
        Assert.True(bench.Judge.Release(bench.Binding, bench.Input(value), bench.Output, bench.Verdict).Decided);
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        var view = new ByteBuffer();
        bench.Judge.WriteMaskedView(bench.Binding, bench.Input(value), bench.Verdict, view);
        Assert.Equal("null", Encoding.UTF8.GetString(view.Written));
    }

    [Fact]
    public void OlderVersion_WithoutAMaskedField_IsFine()
    {
        string older = Bench.PaymentSchema.Replace("{\"name\":\"note\",\"type\":[\"null\",\"string\"],\"default\":null},", "", StringComparison.Ordinal);
        Bench bench = Bench.Of(Bench.Yaml("""
            - { id: m, mask: { field: note, constant: x } }
            - { id: n, when: value.note != null, deny: {} }
            """), (6, older), (7, Bench.PaymentSchema));
        byte[] value = bench.Encode(Bench.Payment.Replace("\"note\":null,", "", StringComparison.Ordinal), AvroSchema.Parse(older, []), 6);
        bench.Decide(value);
        Assert.Equal(Outcome.Allow, bench.Verdict.Outcome);
        Assert.Equal(6, bench.Verdict.SchemaId);
        Assert.Empty(bench.Verdict.Rules);
    }

    [Fact]
    public void Deny_OfTheSystem_NamesItsCause()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { field: merchant, constant: x } }"));
        byte[] value = bench.Encode(Bench.Payment);
        bench.Decide(value);
        bench.Judge.Deny(bench.Binding, bench.Input(value), SystemCauses.OutputRefused, "too-large", bench.Verdict);
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal(["ps:output-refused"], bench.Verdict.Rules);
        Assert.Equal([new DecisionError("ps:output-refused", "too-large")], bench.Verdict.Errors);
        Assert.False(bench.Verdict.ValueRewritten);
        Assert.Equal(7, bench.Verdict.SchemaId);
        Assert.Equal("rejected.payments", bench.Verdict.To);
    }

    [Fact]
    public void UntouchedRecord_GoesOutAsItCame()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, when: value.amount > 1000.0, mask: { field: merchant, constant: x } }"));
        bench.Decide(Bench.Payment);
        Assert.False(bench.Verdict.ValueRewritten);
        Assert.Equal(0, bench.Output.Length);
    }

    [Fact]
    public void ManySets_OfFiredRules_AreEachRight()
    {
        // More rules than a machine word has bits, and more combinations than are cached at first.
        const int Seed = 20260102;
        string rules = string.Join("\n", Enumerable.Range(0, 70).Select(i => $"- {{ id: r{i}, when: 'headers[\"b\"].contains(\"<{i}>\")', tag: {{ t{i}: x }} }}"));
        Bench bench = Bench.Of(Bench.Yaml(rules));
        var random = new Random(Seed);
        byte[] value = bench.Encode(Bench.Payment);
        for (int round = 0; round < 400; round++)
        {
            int[] on = [.. Enumerable.Range(0, 70).Where(_ => random.Next(5) == 0)];
            bench.Headers.Clear();
            bench.Headers.Add("b"u8, Encoding.UTF8.GetBytes("." + string.Concat(on.Select(i => $"<{i}>"))));
            bench.Decide(value);
            Assert.True(bench.Verdict.Rules.SequenceEqual(on.Select(i => $"r{i}")), $"seed {Seed}, round {round}: {string.Join(",", bench.Verdict.Errors)}");
        }
    }

    /// <summary>Versions 7, of <see cref="Numbers"/>, and 8, of <see cref="Card"/>, which is the checked one: card numbers are masked.</summary>
    private static Bench CardBench(string binding = "") => Bench.Of(Bench.Yaml("- { id: pan, mask: { tag: PAN, constant: x } }", binding), (7, Numbers), (8, Card));
}
