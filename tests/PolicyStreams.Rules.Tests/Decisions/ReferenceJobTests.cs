using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Tests;

namespace PolicyStreams.Rules.Tests.Decisions;

/// <summary>The twenty rules of the reference job.</summary>
public class ReferenceJobTests
{
    internal const string Policy = """
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: payments, owner: bench }
        bindings:
          - name: payments
            format: avro
            subject: raw.payments-value
            stamp: none
            partitions: 4
            identity: { topic: { id: bench, groups: [payments-producers] } }
        limits: { record_bytes: 65536 }
        on_error: deny
        on_schema_mismatch: deny
        rules:
          - { id: r2,  when: 'value.amount <= 0.0', deny: { reason: amount } }
          - { id: r3,  when: '!(value.currency in ["EUR", "USD", "GBP", "JPY", "CHF"])', deny: { reason: currency } }
          - { id: r4,  when: 'value.country in ["KP", "IR", "SY", "CU"]', deny: { reason: country } }
          - { id: r5,  when: 'size(value.payment_id) != 36', deny: { reason: payment id } }
          - { id: r6,  when: 'size(value.merchant) == 0', deny: { reason: merchant } }
          - { id: r7,  when: 'size(value.items) == 0 || size(value.items) > 50', deny: { reason: items } }
          - { id: r8,  when: 'value.items.exists(i, i.quantity <= 0)', deny: { reason: quantity } }
          - { id: r9,  when: 'value.customer.age != null && value.customer.age < 18', deny: { reason: age } }
          - { id: r10, when: '!value.card_number.matches("^[0-9]{13,19}$")', deny: { reason: card } }
          - { id: r11, when: 'value.created_at < timestamp("2020-01-01T00:00:00Z")', deny: { reason: created } }
          - { id: r12, when: 'value.note != null && value.note.matches("AKIA[0-9A-Z]{16}")', deny: { reason: secret } }
          - { id: r13, when: 'value.amount > 10000.0', hold: { approvers: [risk], quorum: 1, expires: 4h, on_expiry: deny, reason: large } }
          - { id: r14, when: 'value.channel == "PHONE" && value.amount > 5000.0', hold: { approvers: [risk], quorum: 1, expires: 4h, on_expiry: deny, reason: phone } }
          - { id: r15, when: 'value.country == "NG" && value.amount > 2000.0', hold: { approvers: [risk], quorum: 1, expires: 4h, on_expiry: deny, reason: country amount } }
          - { id: r16, when: 'value.items.exists(i, i.price > 9000.0)', hold: { approvers: [risk], quorum: 1, expires: 4h, on_expiry: deny, reason: item price } }
          - { id: r17, when: 'value.channel == "APP"', tag: { source: mobile } }
          - { id: r18, mask: { field: card_number, keep_last: 4 } }
          - { id: r19, mask: { field: customer.email, hmac: customer-key } }
          - { id: r20, mask: { field: customer.name, constant: "***" } }
        """;

    private static Bench Reference()
    {
        Bench bench = Bench.Of(Policy);
        bench.Principal = bench.Binding.Document.TopicPrincipal;
        return bench;
    }

    [Fact]
    public void Clean_IsAllowedAndMasked()
    {
        Bench bench = Reference();
        JsonElement value = bench.Mask(Bench.Payment);
        Assert.Equal("************1111", value.GetProperty("card_number").GetString());
        Assert.Equal("***", value.GetProperty("customer").GetProperty("name").GetString());
        Assert.Equal(32, value.GetProperty("customer").GetProperty("email").GetString()!.Length);
        Assert.Equal(["r17", "r18", "r19", "r20"], bench.Verdict.Rules);
        Assert.Equal(["card_number", "customer.email", "customer.name"], bench.Verdict.Masked);
        Assert.Equal([new("source", "mobile")], bench.Verdict.Tags);
        Assert.Equal("governed.payments", bench.Verdict.To);
    }

    [Theory]
    [InlineData("\"amount\":120.5", "\"amount\":12000.0", Outcome.Hold, "r13", "large")]
    [InlineData("\"amount\":120.5", "\"amount\":0.0", Outcome.Deny, "r2", "amount")]
    [InlineData("\"EUR\"", "\"XXX\"", Outcome.Deny, "r3", "currency")]
    [InlineData("\"DE\"", "\"IR\"", Outcome.Deny, "r4", "country")]
    [InlineData("2f1c1c56-", "", Outcome.Deny, "r5", "payment id")]
    [InlineData("\"Books\"", "\"\"", Outcome.Deny, "r6", "merchant")]
    [InlineData("\"quantity\":2", "\"quantity\":0", Outcome.Deny, "r8", "quantity")]
    [InlineData("\"age\":36", "\"age\":17", Outcome.Deny, "r9", "age")]
    [InlineData("4111111111111111", "41111111A1111111", Outcome.Deny, "r10", "card")]
    [InlineData("1767225600000", "1500000000000", Outcome.Deny, "r11", "created")]
    [InlineData("\"note\":null", "\"note\":\"key AKIAABCDEFGHIJKLMNOP here\"", Outcome.Deny, "r12", "secret")]
    [InlineData("\"price\":50.0", "\"price\":9500.0", Outcome.Hold, "r16", "item price")]
    public void EachRule_FiresOnItsRecord(string from, string to, Outcome outcome, string rule, string reason)
    {
        Bench bench = Reference();
        byte[] value = bench.Encode(Bench.Payment.Replace(from, to, StringComparison.Ordinal));
        bench.Decide(value);
        Assert.Equal(outcome, bench.Verdict.Outcome);
        Assert.Equal([rule, "r17", "r18", "r19", "r20"], bench.Verdict.Rules);
        Assert.Equal([reason], bench.Verdict.Reasons);
        Assert.False(bench.Verdict.ValueRewritten);
        Assert.Empty(bench.Verdict.Masked);
        Assert.Equal(outcome == Outcome.Hold ? "held.payments" : "rejected.payments", bench.Verdict.To);
    }

    [Fact]
    public void DenyAndHold_TogetherDeny()
    {
        Bench bench = Reference();
        bench.Decide(Bench.Payment.Replace("120.5", "12000.0", StringComparison.Ordinal).Replace("\"DE\"", "\"IR\"", StringComparison.Ordinal));
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal(["r4", "r13", "r17", "r18", "r19", "r20"], bench.Verdict.Rules);
        Assert.Equal(["country"], bench.Verdict.Reasons);
        Assert.Empty(bench.Verdict.Holds);
    }

    [Fact]
    public void Decision_OfAnAllowedRecord_FitsItsBudget()
    {
        Bench bench = Reference();
        bench.Mask(Bench.Payment);
        byte[] digest = new byte[32];
        string plain = bench.Json(after: digest), audited = bench.Json(before: digest, after: digest);

        // A position and seq of a long run, in place of the two digits here.
        int longer = 2 * ("123456789".Length - 2);
        Assert.True(Encoding.UTF8.GetByteCount(plain) + longer <= 480, $"{plain.Length + longer}: {plain}");
        Assert.True(Encoding.UTF8.GetByteCount(audited) + longer <= 540, $"{audited.Length + longer}");
    }

    [Fact]
    public void Decide_OverAndOver_AllocatesNothing()
    {
        Bench bench = Reference();
        byte[] value = bench.Encode(Bench.Payment);
        var json = new ByteBuffer();
        byte[] digest = new byte[32];
        Run(2000);
        Assert.Equal(0, Allocated.By(() => Run(1000)));

        void Run(int count)
        {
            for (int i = 0; i < count; i++)
            {
                bench.Output.Clear();
                json.Clear();
                bench.Judge.Decide(bench.Binding, bench.Input(value), bench.Output, bench.Verdict);
                DecisionWriter.Write(json, bench.Verdict, bench.Principal, new DecisionFacts { Topic = "raw.payments", Offset = i, IdSuffix = "", Event = "decided", Seq = i, TimeMs = i, After = digest });
            }
        }
    }
}
