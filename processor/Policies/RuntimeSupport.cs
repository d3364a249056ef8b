using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Policies;

/// <summary>
/// What a policy may say and this processor does not do, or not as it was started. It is refused by name, at start and at reload: running without it would be failing open.
/// </summary>
internal static class RuntimeSupport
{
    /// <summary>For policies that are to run.</summary>
    /// <param name="hasHoldKey">Whether held records can be released at all.</param>
    public static IReadOnlyList<Diagnostic> Check(PolicySet set, bool hasHoldKey) => Check(set.Policies, Severity.Error, hasHoldKey);

    /// <param name="severity">An error where the policies are to run; lint, which also looks at policies for later, warns.</param>
    /// <param name="hasHoldKey">Whether held records can be released at all. Lint cannot know, and takes it that they can.</param>
    public static IReadOnlyList<Diagnostic> Check(IReadOnlyList<PolicyDocument> policies, Severity severity, bool hasHoldKey = true)
    {
        var found = new List<Diagnostic>();
        foreach (PolicyDocument policy in policies)
        {
            foreach (BindingDocument binding in policy.Bindings)
            {
                if (binding.Identity is IdentityKind.Jws or IdentityKind.Oidc)
                {
                    Add(binding.PlaceOf("identity"), $"`identity: {(binding.Identity == IdentityKind.Jws ? "jws" : "oidc")}` of binding `{binding.Name}` is not run by this version", "use `identity: { topic: … }` with an ACL that keeps other producers out");
                }

                if (binding.TombstoneTerms is { } terms) { CheckTerms(terms, binding.PlaceOf("tombstones", "hold", "scope")); }
            }

            foreach (RuleDocument rule in policy.Rules)
            {
                if (rule.Hold is { } terms) { CheckTerms(terms, rule.PlaceOf("hold", "scope")); }
            }

            if (policy.OnError is { } onError) { CheckTerms(onError, policy.PlaceOf("on_error", "hold", "scope")); }
            if (policy.OnSchemaMismatch is { } onMismatch) { CheckTerms(onMismatch, policy.PlaceOf("on_schema_mismatch", "hold", "scope")); }

            void CheckTerms(HoldTerms terms, (int, int) place)
            {
                // Records that only wait for an earlier one must be released again, and without the key nothing is.
                if (terms.Scope == HoldScope.Key && !hasHoldKey)
                {
                    Add(place, $"`scope: key` of `{terms.Rule}` needs a hold key: records that wait behind a hold could never be released", "give one: --key hold-key=file:PATH --hold-key hold-key");
                }
            }

            void Add((int Line, int Column) place, string what, string help) => found.Add(new Diagnostic(policy.Path, place.Line, place.Column, DiagnosticCodes.NotRunYet, severity, what, help));
        }

        return found;
    }
}
