using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules;

/// <summary>Reads the terms of a hold.</summary>
internal static class HoldReader
{
    public const int QuorumMax = 16;
    public const int ApproversMax = 64;
    public static readonly TimeSpan ExpiresMin = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan ExpiresMax = TimeSpan.FromDays(90);
    public static readonly TimeSpan ExpiresDefault = TimeSpan.FromHours(24);

    public static readonly string[] Keys = ["approvers", "quorum", "expires", "on_expiry", "scope", "own_group_may_approve", "reason"];

    public static HoldTerms? Read(YamlNode node, DiagnosticBag bag, string what, string rule)
    {
        var section = new Section(node, bag, what, Keys);
        if (node.Kind != YamlKind.Mapping) { return null; }
        section.Require("approvers");
        return new HoldTerms
        {
            Rule = rule,
            Approvers = section.Texts("approvers", ApproversMax) ?? [],
            Quorum = section.Int("quorum", 1, QuorumMax) ?? 1,
            Expires = section.Duration("expires", ExpiresMin, ExpiresMax) ?? ExpiresDefault,
            OnExpiry = section.Word("on_expiry", "deny", "allow") == 1 ? OnExpiry.Allow : OnExpiry.Deny,
            Scope = section.Word("scope", "record", "key") == 1 ? HoldScope.Key : HoldScope.Record,
            OwnGroupMayApprove = section.Bool("own_group_may_approve") ?? false,
            Reason = section.Text("reason", ""),
        };
    }
}
