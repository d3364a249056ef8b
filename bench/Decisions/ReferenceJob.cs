using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;

namespace PolicyStreams.Bench.Decisions;

/// <summary>The reference job's schema, rules, and a clean record of it: 17 rules that decide (a limit, ten denials, four holds, a tag) and three masks on every record.</summary>
internal static class ReferenceJob
{
    public const string Schema = """
        {"type":"record","name":"Payment","namespace":"bench","fields":[
         {"name":"payment_id","type":"string"},
         {"name":"created_at","type":{"type":"long","logicalType":"timestamp-millis"}},
         {"name":"amount","type":"double"},
         {"name":"currency","type":"string"},
         {"name":"country","type":"string"},
         {"name":"channel","type":{"type":"enum","name":"Channel","symbols":["WEB","POS","APP","PHONE"]}},
         {"name":"card_number","type":"string","confluent:tags":["PAN"]},
         {"name":"customer","type":{"type":"record","name":"Customer","fields":[
           {"name":"id","type":"string"},
           {"name":"name","type":"string","confluent:tags":["PII"]},
           {"name":"email","type":["null","string"],"default":null,"confluent:tags":["PII"]},
           {"name":"age","type":["null","int"],"default":null}]}},
         {"name":"merchant","type":"string"},
         {"name":"note","type":["null","string"],"default":null},
         {"name":"items","type":{"type":"array","items":{"type":"record","name":"Item","fields":[
           {"name":"sku","type":"string"},{"name":"quantity","type":"int"},{"name":"price","type":"double"}]}}}
        ]}
        """;

    /// <summary>A clean payment of 290 bytes that no rule but the masks and the tag speaks of, and whose note is looked through.</summary>
    public const string Record = """
        {"payment_id":"2f1c1c56-8f3a-4c1b-9d53-0a51c3d4e5f6","created_at":1767225600000,"amount":120.5,"currency":"EUR","country":"DE","channel":"APP","card_number":"4111111111111111",
         "customer":{"id":"c-000123","name":"Ada Lovelace","email":"ada.lovelace@example.com","age":36},"merchant":"Northwind Books","note":"leave the parcel with the neighbour if nobody answers the door, please",
         "items":[{"sku":"SKU-10021","quantity":1,"price":20.5},{"sku":"SKU-20417","quantity":2,"price":50.0},{"sku":"SKU-31999","quantity":3,"price":9.99}]}
        """;

    private const string Head = """
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: payments, owner: bench }
        bindings:
          - name: payments
            format: avro
            subject: raw.payments-value
            stamp: none
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
        """;

    /// <summary>All twenty rules.</summary>
    public static string Policy => Masks("");

    /// <summary>All twenty rules; the masks are in shadow: what they would mask is found and recorded, and nothing is written.</summary>
    public static string PolicyMasksInShadow => Masks(", mode: shadow");

    /// <summary>The seventeen rules that decide.</summary>
    public static string PolicyWithoutMasks => Head + "\n";

    public static CompiledBinding Compile(string policy)
    {
        var keys = new KeyRing();
        keys.Add("customer-key", "bench-key-0123456789-0123456789-01"u8);
        PolicyLoad load = PolicySet.Load([new PolicyFile("payments.policy.yaml", policy)]);
        var diagnostics = new List<Diagnostic>(load.Diagnostics);
        CompiledPolicy? compiled = load.Set is null ? null
            : CompiledPolicy.Compile(load.Set.Policies[0], new Dictionary<string, SubjectSchemas> { ["payments"] = new("raw.payments-value", [new SchemaVersion(1, 1, AvroSchema.Parse(Schema))]) }, keys, diagnostics);
        return compiled?.Bindings["payments"] ?? throw new InvalidOperationException(string.Join('\n', diagnostics));
    }

    /// <summary>The record as consumed: framed, with schema id 1.</summary>
    public static byte[] Framed(string json = Record) => OneRule.Record(Schema, json);

    public static RecordInput Input(CompiledBinding binding, byte[] value) => new()
    {
        Topic = "raw.payments",
        Partition = 0,
        Offset = 42,
        TimestampMs = 1_767_225_600_000,
        HasValue = true,
        Value = value,
        Headers = RecordHeaders.Empty,
        Principal = binding.Document.TopicPrincipal,
    };

    private static string Masks(string mode) => Head + $$"""

          - { id: r18, mask: { field: card_number, keep_last: 4 }{{mode}} }
          - { id: r19, mask: { field: customer.email, hmac: customer-key }{{mode}} }
          - { id: r20, mask: { field: customer.name, constant: "***" }{{mode}} }

        """;
}
