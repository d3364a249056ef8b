using System.Text;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Tests.Policies;

public class PolicyLoadTests
{
    private static IReadOnlyList<Diagnostic> Load(string yaml) => PolicySet.Load([new PolicyFile("p.policy.yaml", yaml)]).Diagnostics;

    private static PolicyDocument Document(string yaml)
    {
        PolicyLoad load = PolicySet.Load([new PolicyFile("p.policy.yaml", yaml)]);
        Assert.True(load.Set is not null, string.Join("\n", load.Diagnostics));
        return load.Set.Policies[0];
    }

    private static string Minimal(string binding = "", string top = "", string rules = "") => Bench.Yaml(rules.Length > 0 ? rules : "[]", binding, top);

    private static string MinimalAvroKey(string binding) => Minimal(binding).Replace("key_format: string", "key_format: avro", StringComparison.Ordinal);

    [Fact]
    public void Load_DesignsExample_HasEverythingInIt()
    {
        PolicyDocument policy = Document("""
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: payments, owner: risk-platform }
            bindings:
              - name: payments
                format: avro
                subject: raw.payments-value
                key_format: string
                identity: { topic: { id: checkout, groups: [payments-producers] } }
                headers: keep
                tombstones: deny
                topics: { routes: [governed.payments.eu] }
                partitions: 6
            limits: { record_bytes: 65536, headers: 32 }
            on_error: deny
            on_schema_mismatch: { hold: { approvers: [data-platform], expires: 72h, on_expiry: deny } }
            rules:
              - id: sanctioned
                when: value.country in ["KP", "IR", "SY", "CU"]
                deny: { reason: country is under embargo }
              - id: card-number
                mask: { tag: PAN, keep_last: 4 }
              - id: customer-email
                mask: { field: customer.email, hmac: customer-key }
              - id: large-payment
                when: value.amount > 10000.0
                hold: { approvers: [risk], quorum: 2, expires: 4h, on_expiry: deny, reason: large payment }
              - id: eu-residency
                when: value.country in ["DE", "FR"]
                route: { to: governed.payments.eu }
              - id: mobile
                when: value.channel == "APP"
                tag: { source: mobile }
              - id: night-limit
                when: value.amount > 5000.0 && value.created_at.getHours() < 6
                deny: { reason: large payment at night }
                mode: shadow
            """);
        BindingDocument binding = policy.Bindings.Single();
        Assert.Equal(new Principal("checkout", binding.TopicPrincipal.Groups, "topic"), binding.TopicPrincipal);
        Assert.Equal(["payments-producers"], binding.TopicPrincipal.Groups);
        Assert.Equal(("raw.payments", "governed.payments", "rejected.payments", "held.payments", "state.payments", "approvals.payments", "decisions"),
            (binding.Topics.Ingress, binding.Topics.Governed, binding.Topics.Rejected, binding.Topics.Held, binding.Topics.State, binding.Topics.Approvals, binding.Topics.Decisions));
        Assert.Equal(["governed.payments.eu"], binding.Topics.Routes);
        Assert.Equal(6, binding.Partitions);
        Assert.Equal(["customer-key"], binding.KeyNames);
        Assert.Equal(65536, binding.RecordBytesMax);
        Assert.Equal(32, binding.HeadersMax);
        Assert.Null(policy.OnError);
        Assert.Equal(TimeSpan.FromHours(72), policy.OnSchemaMismatch!.Expires);
        Assert.Equal([Effect.Deny, Effect.Mask, Effect.Mask, Effect.Hold, Effect.Route, Effect.Tag, Effect.Deny], policy.Rules.Select(rule => rule.Effect));
        Assert.True(policy.Rules[^1].Shadow);
        Assert.True(binding.Stamp);
    }

    [Fact]
    public void Load_Minimal_FillsInDefaults()
    {
        PolicyDocument policy = Document("apiVersion: policystreams/v1\nkind: Policy\nmetadata: { name: a }\nbindings: [{ name: a, format: avro }, { name: j, format: json }]\n");
        BindingDocument avro = policy.Bindings[0], json = policy.Bindings[1];
        Assert.Equal("raw.a-value", avro.Subject);
        Assert.Equal(PolicyStreams.Schemas.Framing.Confluent, avro.Framing);
        Assert.Null(json.Subject);
        Assert.Equal(PolicyStreams.Schemas.Framing.None, json.Framing);
        Assert.Equal((KeyFormat.Bytes, IdentityKind.None, HeaderChoice.Keep, TombstoneChoice.Deny), (avro.KeyFormat, avro.Identity, avro.Headers, avro.Tombstones));
        Assert.Equal((1_048_576, 64), (policy.RecordBytesMax, policy.HeadersMax));
        Assert.Same(Principal.None, avro.TopicPrincipal);
    }

    [Fact]
    public void Load_ManyMistakes_SaysThemAllWithPlaces()
    {
        IReadOnlyList<Diagnostic> diagnostics = Load("""
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: payments, ownr: x }
            bindings:
              - name: payments
                format: avr
            limits: { record_bytes: 0 }
            rules:
              - id: a
                deny: {}
                hold: {}
              - id: b
                when: [1]
                mask: { feild: x, keep_last: -1 }
              - id: c
                bindings: [paymnts]
                route: { to: nowhere }
            """);
        string all = string.Join("\n", diagnostics);
        Assert.Contains("p.policy.yaml:3:29: PS0100 error: unknown key `ownr` in `metadata`\n  help: did you mean `owner`?", all, StringComparison.Ordinal);
        Assert.Contains("p.policy.yaml:6:13: PS0103 error: `format` of binding `payments` is `avro` or `json` or `protobuf`, not `avr`\n  help: did you mean `avro`?", all, StringComparison.Ordinal);
        Assert.Contains("p.policy.yaml:7:25: PS0103 error:", all, StringComparison.Ordinal);
        Assert.Contains("p.policy.yaml:11:5: PS0108 error: rule `a` has more than one effect", all, StringComparison.Ordinal);
        Assert.Contains("p.policy.yaml:13:11: PS0102 error: `when` of rule `b` is a condition, not a list", all, StringComparison.Ordinal);
        Assert.Contains("p.policy.yaml:14:13: PS0100 error: unknown key `feild` in the mask of rule `b`\n  help: did you mean `field`?", all, StringComparison.Ordinal);
        Assert.Contains("p.policy.yaml:14:34: PS0103 error: `keep_last`", all, StringComparison.Ordinal);
        Assert.Contains("p.policy.yaml:16:16: PS0106 error: rule `c` names binding `paymnts`, which the policy does not have\n  help: did you mean `payments`?", all, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("framing: magic", "PS0103")]
    [InlineData("framing: apicurio4\nschema_ids: both", "PS0103")]
    [InlineData("schema_ids: global", "PS0103")]
    [InlineData("headers: some", "PS0103")]
    [InlineData("headers: [ps-x]", "PS0103")]
    [InlineData("headers: []", "PS0103")]
    [InlineData("tombstones: hold", "PS0115")]
    [InlineData("tombstones: maybe", "PS0103")]
    [InlineData("identity: { topic: { id: a }, jws: { key: x } }", "PS0103")]
    [InlineData("identity: { topic: { groups: [a] } }", "PS0101")]
    [InlineData("identity: everybody", "PS0103")]
    [InlineData("identity: { oidc: {} }", "PS0102")]
    [InlineData("topics: { ingress: 'no spaces' }", "PS0104")]
    [InlineData("topics: { governed: raw.payments }", "PS0110")]
    [InlineData("topics: { routes: [held.payments] }", "PS0110")]
    [InlineData("topics: { routs: [a] }", "PS0100")]
    [InlineData("partitions: 0", "PS0103")]
    [InlineData("partitions: many", "PS0103")]
    [InlineData("stamp: yes", "PS0103")]
    [InlineData("seal: 'a b'", "PS0104")]
    [InlineData("schema: a.avsc", "PS0103")]
    [InlineData("key_subject: x", "PS0103")]
    [InlineData("key_framing: none", "PS0103")]
    public void Load_BadBinding_IsSaid(string binding, string code) => Assert.Contains(Load(Minimal(binding)), diagnostic => diagnostic.Code == code);

    [Theory]
    [InlineData("identity: { jws: { header: x-sig, keys: [a, b] } }")]
    [InlineData("identity: { oidc: { issuer: 'https://id.example', audience: kafka } }")]
    [InlineData("identity: none")]
    [InlineData("stamp: none")]
    [InlineData("framing: apicurio8")]
    [InlineData("framing: apicurio8\nschema_ids: content")]
    [InlineData("seal: vault")]
    [InlineData("headers: [a, b]")]
    [InlineData("tombstones: allow")]
    [InlineData("topics: { ingress: in, governed: out, decisions: log }")]
    public void Load_GoodBinding_IsTaken(string binding) => Assert.Empty(Load(Minimal(binding)));

    [Theory]
    [InlineData("key_subject: ''", "PS0103")]
    [InlineData("key_subject: { naming: record }", "PS0101")]
    [InlineData("key_subject: { naming: records, record: A }", "PS0103")]
    [InlineData("key_subject: { naming: topic, record: shop.A }", "PS0103")]
    [InlineData("key_subject: { naming: record, record: 'no name' }", "PS0104")]
    [InlineData("key_subject: { namin: record, record: shop.A }", "PS0100")]
    [InlineData("key_subject: a\nkey_schema: b.avsc", "PS0103")]
    [InlineData("key_schema: b.avsc\nkey_framing: confluent", "PS0103")]
    public void Load_BadKeySchema_IsSaid(string binding, string code) => Assert.Contains(Load(MinimalAvroKey(binding)), diagnostic => diagnostic.Code == code);

    [Theory]
    [InlineData("")]
    [InlineData("key_subject: { naming: topic-record, record: shop.A }\nkey_framing: apicurio4")]
    [InlineData("key_framing: apicurio8\nschema_ids: global")]
    [InlineData("key_schema: b.avsc")]
    public void Load_GoodKeySchema_IsTaken(string binding) => Assert.Empty(Load(MinimalAvroKey(binding)));

    [Theory]
    [InlineData("", SchemaIds.Registry, SchemaIds.Registry)]
    [InlineData("framing: apicurio4", SchemaIds.Either, SchemaIds.Either)]
    [InlineData("framing: apicurio4\nkey_framing: confluent", SchemaIds.Either, SchemaIds.Registry)]
    [InlineData("framing: apicurio8\nschema_ids: global", SchemaIds.Global, SchemaIds.Global)]
    [InlineData("key_framing: apicurio8\nschema_ids: content", SchemaIds.Registry, SchemaIds.Content)]
    public void Load_SchemaIds_AreOfWhatIsFramedAsApicurioDoes(string binding, SchemaIds ids, SchemaIds keyIds)
    {
        BindingDocument document = Document(MinimalAvroKey(binding)).Bindings[0];
        Assert.Equal((ids, keyIds), (document.SchemaIds, document.KeySchemaIds));
    }

    [Theory]
    [InlineData("subject: { naming: topic }", "raw.payments-value", null)]
    [InlineData("subject: { naming: record, record: shop.Payment }", "shop.Payment", "shop.Payment")]
    [InlineData("subject: { naming: topic-record, record: shop.Payment }", "raw.payments-shop.Payment", "shop.Payment")]
    [InlineData("subject: { naming: topic-record, record: shop.Payment }\ntopics: { ingress: in }", "in-shop.Payment", "shop.Payment")]
    public void Load_SubjectByNaming_IsNamedAsSerializersDo(string binding, string subject, string? record)
    {
        BindingDocument document = Document(Minimal(binding).Replace("    subject: raw.payments-value\n", "", StringComparison.Ordinal)).Bindings[0];
        Assert.Equal((subject, record), (document.Subject, document.RecordName));
    }

    [Theory]
    [InlineData("- { id: a, deny: {} }\n- { id: a, deny: {} }", "PS0105")]
    [InlineData("- { id: 'ps:x', deny: {} }", "PS0104")]
    [InlineData("- { deny: {} }", "PS0101")]
    [InlineData("- { id: a }", "PS0108")]
    [InlineData("- { id: a, when: '', deny: {} }", "")]
    [InlineData("- { id: a, when: , deny: {} }", "PS0103")]
    [InlineData("- { id: a, mode: dark, deny: {} }", "PS0103")]
    [InlineData("- { id: a, hold: { expires: 4h } }", "PS0101")]
    [InlineData("- { id: a, hold: { approvers: [] } }", "PS0103")]
    [InlineData("- { id: a, hold: { approvers: [x], quorum: 17 } }", "PS0103")]
    [InlineData("- { id: a, hold: { approvers: [x], expires: 91d } }", "PS0103")]
    [InlineData("- { id: a, hold: { approvers: [x], expires: 4 } }", "PS0103")]
    [InlineData("- { id: a, hold: { approvers: [x], on_expiry: release } }", "PS0103")]
    [InlineData("- { id: a, hold: { approvers: x } }", "PS0102")]
    [InlineData("- { id: a, route: { to: nowhere } }", "PS0111")]
    [InlineData("- { id: a, route: {} }", "PS0101")]
    [InlineData("- { id: a, tag: {} }", "PS0102")]
    [InlineData("- { id: a, tag: { x: 7 } }", "PS0103")]
    [InlineData("- { id: a, tag: { x: true } }", "PS0103")]
    [InlineData("- { id: a, mask: { field: x } }", "PS0108")]
    [InlineData("- { id: a, mask: { redact: true } }", "PS0108")]
    [InlineData("- { id: a, mask: { field: x, tag: y, redact: true } }", "PS0108")]
    [InlineData("- { id: a, mask: { field: x, redact: true, constant: y } }", "PS0108")]
    [InlineData("- { id: a, mask: { field: 'a..b', redact: true } }", "PS0112")]
    [InlineData("- { id: a, mask: { field: 'a[0]', redact: true } }", "PS0112")]
    [InlineData("- { id: a, mask: { field: 'headers[\"x\"].y', redact: true } }", "PS0112")]
    [InlineData("- { id: a, mask: { field: x, redact: false } }", "PS0103")]
    [InlineData("- { id: a, mask: { field: x, constant: 7 } }", "PS0103")]
    [InlineData("- { id: a, mask: { field: x, bucket: 0 } }", "PS0103")]
    [InlineData("- { id: a, mask: { field: x, date: week } }", "PS0103")]
    [InlineData("- { id: a, mask: { field: x, pattern: { match: a } } }", "PS0101")]
    public void Load_BadRule_IsSaid(string rules, string code)
    {
        IReadOnlyList<Diagnostic> diagnostics = Load(Minimal(rules: rules));
        if (code.Length == 0) { return; }
        Assert.Contains(diagnostics, diagnostic => diagnostic.Code == code);
    }

    [Theory]
    [InlineData("kind: Pol", "kind: Policy", "PS0114")]
    [InlineData("policystreams/v2", "policystreams/v1", "PS0114")]
    public void Load_OtherKind_IsSaid(string bad, string good, string code) => Assert.Equal(code, Load(Minimal().Replace(good, bad, StringComparison.Ordinal)).Single().Code);

    [Fact]
    public void Load_TwoPolicies_MayNotShareNamesOrTopics()
    {
        string a = Minimal(), b = Minimal();
        IReadOnlyList<Diagnostic> diagnostics = PolicySet.Load([new PolicyFile("a.policy.yaml", a), new PolicyFile("b.policy.yaml", b)]).Diagnostics;
        Assert.Contains(diagnostics, diagnostic => diagnostic.Code == DiagnosticCodes.DuplicateName && diagnostic.File == "b.policy.yaml");
        Assert.Contains(diagnostics, diagnostic => diagnostic.Code == DiagnosticCodes.DuplicateIngress && diagnostic.Message.Contains("raw.payments", StringComparison.Ordinal));
        string c = Minimal().Replace("name: payments", "name: cards", StringComparison.Ordinal);
        Assert.NotNull(PolicySet.Load([new PolicyFile("a.policy.yaml", a), new PolicyFile("c.policy.yaml", c)]).Set);
    }

    [Fact]
    public void Load_HundredThousandRules_IsRefusedInTime()
    {
        var rules = new StringBuilder();
        for (int i = 0; i < 100_000; i++) { rules.Append("\n  - { id: r").Append(i).Append(", deny: {} }"); }
        string yaml = Minimal().Replace("  []", rules.ToString(), StringComparison.Ordinal);
        Assert.Contains(Load(yaml), diagnostic => diagnostic.Code is DiagnosticCodes.TooMany or DiagnosticCodes.FileTooLarge);
    }

    [Fact]
    public void Load_ManyMistakes_AreCutOffWithACount()
    {
        var rules = new StringBuilder();
        for (int i = 0; i < 5_000; i++) { rules.Append("\n  - { id: r").Append(i).Append(" }"); }
        IReadOnlyList<Diagnostic> diagnostics = Load(Minimal().Replace("  []", rules.ToString(), StringComparison.Ordinal));
        Assert.Equal(DiagnosticCodes.TooManyDiagnostics, diagnostics[^1].Code);
        Assert.InRange(diagnostics.Count, 200, 201);
    }

    [Fact]
    public void Load_AnyMutation_NeverThrows()
    {
        const int Seed = 4711;
        var random = new Random(Seed);
        string text = Decisions.ReferenceJobTests.Policy;
        const string Alphabet = "{}[]:,-'\"#&*!|>%@`\n \tA0.\\\u0000é\uD800";
        for (int round = 0; round < 800; round++)
        {
            var mutated = new StringBuilder(text);
            for (int edits = random.Next(1, 6); edits > 0; edits--)
            {
                int at = random.Next(mutated.Length);
                switch (random.Next(3))
                {
                    case 0: mutated[at] = Alphabet[random.Next(Alphabet.Length)]; break;
                    case 1: mutated.Insert(at, Alphabet[random.Next(Alphabet.Length)]); break;
                    default: mutated.Remove(at, Math.Min(random.Next(40), mutated.Length - at)); break;
                }
            }

            try
            {
                PolicyLoad load = PolicySet.Load([new PolicyFile("p.policy.yaml", mutated.ToString())]);
                Assert.True(load.Set is not null || load.Diagnostics.Count > 0);
            }
            catch (Exception fault) when (fault is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"seed {Seed}, round {round}: {fault}");
            }
        }
    }
}
