using System.Security.Cryptography;
using System.Text;
using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;

namespace PolicyStreams.Faults.Tests.Simulation;

/// <summary>Terms of a hold as the model knows them.</summary>
internal sealed record SimTerms(string Rule, string Approvers, int Quorum, long ExpiresMs, bool AllowOnExpiry, bool ByKey = false)
{
    public bool Admits(string group) => Approvers.Split(' ').Contains(group);
}

/// <summary>What a policy says of a record, by plain code that knows nothing of the policy's compiler.</summary>
internal sealed record SimVerdict(string Outcome, string Rules, string To, IReadOnlyList<SimTerms> Terms, byte[]? Value, byte[]? Key, string? HeaderSsn, string? Tag, string? Error = null);

/// <summary>
/// The policies that schedules switch between: for each the document that the processor compiles, and the same written as plain code for the model.
/// </summary>
internal sealed class SimPolicy
{
    public const string Ingress = "raw.payments";
    public const string Governed = "governed.payments";
    public const string GovernedEu = "governed.payments.eu";
    public const string Rejected = "rejected.payments";
    public const string Held = "held.payments";
    public const string State = "state.payments";
    public const string Approvals = "approvals.payments";
    public const string Decisions = "decisions";

    private static readonly byte[] s_maskKey = "customer-key-0123456789-0123456789"u8.ToArray();
    private static readonly SimTerms s_phone = new("phone", "fraud risk", 1, 600_000, AllowOnExpiry: true);

    private readonly SimTerms? _large;
    private readonly double _above;
    private readonly bool _closed;
    private readonly bool _starCard;

    private SimPolicy(int version, SimTerms? large, double above, bool closed, bool starCard)
    {
        Version = version;
        _large = large;
        _above = above;
        _closed = closed;
        _starCard = starCard;
        Compiled = Compile();
    }

    public int Version { get; }

    public CompiledPolicy Compiled { get; }

    public string Digest => Compiled.Digest;

    /// <summary>True where later records of a held record's key wait behind it.</summary>
    public bool ByKey => _large is { ByKey: true };

    /// <summary>A set of its own: a compiled policy learns schema ids, and simulations run side by side.</summary>
    public static IReadOnlyList<SimPolicy> MakeAll() =>
    [
        new(0, new SimTerms("large", "risk", 2, 3_600_000, false), 1000, closed: false, starCard: false),
        new(1, new SimTerms("large", "board", 1, 1_800_000, false), 500, closed: false, starCard: false),
        new(2, null, 0, closed: true, starCard: false),
        new(3, new SimTerms("large", "risk", 2, 3_600_000, false), 1000, closed: false, starCard: true),
        new(4, new SimTerms("large", "risk board", 1, 2_000, false), 1000, closed: false, starCard: true),
        new(5, new SimTerms("large", "risk", 1, 3_600_000, false, ByKey: true), 1000, closed: false, starCard: false),
        new(6, new SimTerms("large", "risk board", 1, 5_000, false, ByKey: true), 50, closed: false, starCard: true),
    ];

    /// <summary>What the policy says of a record when it comes, or (<paramref name="release"/>) when a hold of it ends: then its own hold terms stand for met.</summary>
    public SimVerdict Judge(SimRecord record, bool release = false)
    {
        string? limit = record.Kind switch { SimKind.TooBig => "record-bytes", SimKind.TooManyHeaders => "headers", _ => null };
        if (limit is not null) { return Denied("ps:limit", limit); }
        if (record.Kind == SimKind.Tombstone) { return Denied("ps:tombstone", "null-value"); }
        if (record.Kind == SimKind.UnknownSchema) { return Denied("ps:schema-not-admitted", "unknown-schema-id"); }
        if (!record.Decodes) { return Denied("ps:undecodable", record.Kind switch { SimKind.Trailing => "trailing-bytes", SimKind.Truncated => "truncated", SimKind.Empty => "empty-value", _ => "not-framed" }); }

        var rules = new List<string>();
        bool deny = false;
        if (record.Country == "KP") { rules.Add("sanctioned"); deny = true; }
        if (_closed && record.Amount > 4000) { rules.Add("closed"); deny = true; }
        rules.Add("card");
        if (record.Email is not null) { rules.Add("email"); }
        if (record.Key is not null) { rules.Add("key"); }
        rules.Add("ssn");
        var terms = new List<SimTerms>();
        if (_large is not null && record.Amount > _above) { rules.Add("large"); terms.Add(_large); }
        if (record.Note is not null && record.Note.StartsWith("tel:", StringComparison.Ordinal)) { rules.Add("phone"); terms.Add(s_phone); }
        bool eu = record.Country == "DE";
        if (eu) { rules.Add("eu"); }
        bool mobile = record.Id.EndsWith('5');
        if (mobile) { rules.Add("mobile"); }
        if (record.Note is null) { return Denied(string.Join(',', [.. rules, "ps:error"]), "null-use"); }
        if (deny) { return Denied(string.Join(',', rules), null); }
        string card = _starCard ? "***" : new string('*', record.Card.Length - 4) + record.Card[^4..];
        byte[] value = record.ValueWith(card, record.Email is null ? null : Hmac(record.Email));
        byte[]? key = record.Key is null ? null : Encoding.UTF8.GetBytes(Hmac(record.Key));
        bool hold = terms.Count > 0 && !release;
        return new SimVerdict(hold ? "hold" : "allow", string.Join(',', rules), hold ? Held : eu ? GovernedEu : Governed, terms, value, key, "***", mobile ? "mobile" : null);
    }

    private static SimVerdict Denied(string rules, string? error) => new("deny", rules, Rejected, [], null, null, null, null, error);

    private static string Hmac(string text) => Convert.ToHexStringLower(HMACSHA256.HashData(s_maskKey, Encoding.UTF8.GetBytes(text)).AsSpan(0, 16));

    /// <summary>The document, as an operator would write it.</summary>
    public string Text()
    {
        var rules = new List<string>
        {
            "{ id: sanctioned, when: 'value.country == \"KP\"', deny: { reason: country is under embargo } }",
            _starCard ? "{ id: card, mask: { tag: PAN, constant: '***' } }" : "{ id: card, mask: { tag: PAN, keep_last: 4 } }",
            "{ id: email, mask: { field: email, hmac: customer-key } }",
            "{ id: key, mask: { field: key, hmac: customer-key } }",
            "{ id: ssn, mask: { field: 'headers[\"ssn\"]', constant: '***' } }",
        };
        if (_closed) { rules.Insert(1, "{ id: closed, when: value.amount > 4000.0, deny: { reason: closed } }"); }
        if (_large is not null)
        {
            rules.Add(FormattableString.Invariant(
                $"{{ id: large, when: value.amount > {_above:0.0}, hold: {{ approvers: [{_large.Approvers.Replace(' ', ',')}], quorum: {_large.Quorum}, expires: {_large.ExpiresMs / 1000}s, on_expiry: deny, reason: large payment{(_large.ByKey ? ", scope: key" : "")} }} }}"));
        }

        rules.Add("{ id: phone, when: 'value.note.startsWith(\"tel:\")', hold: { approvers: [fraud, risk], expires: 600s, on_expiry: allow } }");
        rules.Add("{ id: eu, when: 'value.country == \"DE\"', route: { to: governed.payments.eu } }");
        rules.Add("{ id: mobile, when: 'value.id.endsWith(\"5\")', tag: { source: mobile } }");
        return $$"""
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: payments, owner: risk-platform }
            bindings:
              - name: payments
                format: avro
                subject: raw.payments-value
                key_format: string
                identity: { topic: { id: checkout, groups: [payments-producers] } }
                topics: { routes: [governed.payments.eu] }
                partitions: 2
            limits: { record_bytes: 1024, headers: 8 }
            on_error: deny
            on_schema_mismatch: deny
            rules:
            {{string.Join('\n', rules.Select(rule => "  - " + rule))}}

            """;
    }

    public static string MaskKey => Encoding.UTF8.GetString(s_maskKey);

    private CompiledPolicy Compile()
    {
        PolicyLoad load = PolicySet.Load([new PolicyFile("payments.policy.yaml", Text())]);
        Assert.True(load.Set is not null, string.Join('\n', load.Diagnostics));
        var keys = new KeyRing();
        Assert.Null(keys.Add("customer-key", s_maskKey));
        var diagnostics = new List<Diagnostic>();
        var schemas = new Dictionary<string, SubjectSchemas> { ["payments"] = new("raw.payments-value", [new SchemaVersion(1, SimRecord.SchemaId, AvroSchema.Parse(SimRecord.SchemaText))]) };
        CompiledPolicy? policy = CompiledPolicy.Compile(load.Set.Policies[0], schemas, keys, diagnostics);
        Assert.True(policy is not null, string.Join('\n', diagnostics));
        return policy;
    }
}
