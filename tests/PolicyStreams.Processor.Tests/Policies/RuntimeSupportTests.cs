using PolicyStreams.Processor.Policies;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Tests.Policies;

public sealed class RuntimeSupportTests
{
    private const string Plain = """
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: payments, owner: risk }
        bindings:
          - name: payments
            format: avro
            subject: raw.payments-value
            IDENTITY
            MORE
        on_error: deny
        on_schema_mismatch: deny
        rules:
          - { id: large, hold: { approvers: [risk], expires: 1h, on_expiry: deny, reason: large SCOPE } }
        """;

    [Theory]
    [InlineData("identity: { topic: { id: checkout, groups: [] } }", "stamp: none", "", null)]
    [InlineData("identity: none", "stamp: none", ", scope: record", null)]
    [InlineData("identity: none", "stamp: none", ", scope: key", "`scope: key`")]
    [InlineData("identity: none", "tombstones: { hold: { approvers: [risk], expires: 1h, on_expiry: deny, reason: gone, scope: key } }", "", "`scope: key` of `ps:tombstone`")]
    [InlineData("identity: none", "seal: seal-key", "", null)]
    [InlineData("identity: { oidc: { issuer: \"https://id.example.com\", audience: payments } }", "stamp: none", "", "`identity: oidc`")]
    [InlineData("identity: none", "key_format: avro", "", "`key_format: avro`")]
    public void Check_WhatIsNotRun_IsRefusedByName(string identity, string more, string scope, string? refused)
    {
        string text = Plain.Replace("IDENTITY", identity, StringComparison.Ordinal).Replace("MORE", more, StringComparison.Ordinal).Replace(" SCOPE", scope, StringComparison.Ordinal);
        PolicyLoad load = PolicySet.Load([new PolicyFile("p.policy.yaml", text)]);
        Assert.True(load.Set is not null, string.Join('\n', load.Diagnostics));

        IReadOnlyList<Diagnostic> found = RuntimeSupport.Check(load.Set, hasHoldKey: false);

        if (refused is null) { Assert.Empty(found); }
        else { Assert.Contains(refused, Assert.Single(found).Message, StringComparison.Ordinal); }
    }

    [Fact]
    public void Check_KeyScopeWithAHoldKey_IsRun()
    {
        string text = Plain.Replace("IDENTITY", "identity: none", StringComparison.Ordinal).Replace("MORE", "stamp: none", StringComparison.Ordinal).Replace(" SCOPE", ", scope: key", StringComparison.Ordinal);

        Assert.Empty(RuntimeSupport.Check(PolicySet.Load([new PolicyFile("p.policy.yaml", text)]).Set!, hasHoldKey: true));
    }
}
