using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Policies;

/// <summary>
/// What a policy may say and this processor does not do yet. It is refused by name, at start and at reload: running without it would be failing open.
/// </summary>
internal static class RuntimeSupport
{
    /// <param name="hasHoldKey">Whether held records can be released at all.</param>
    public static IReadOnlyList<Diagnostic> Check(PolicySet set, bool hasHoldKey)
    {
        var found = new List<Diagnostic>();
        foreach (PolicyDocument policy in set.Policies)
        {
            foreach (BindingDocument binding in policy.Bindings)
            {
                if (binding.Identity is IdentityKind.Jws or IdentityKind.Oidc)
                {
                    Add($"`identity: {(binding.Identity == IdentityKind.Jws ? "jws" : "oidc")}` of binding `{binding.Name}`", "use `identity: { topic: … }` with an ACL that keeps other producers out");
                }

                if (binding.TombstoneTerms is { } terms) { CheckTerms(terms); }
                if (binding.KeyFormat == KeyFormat.Avro && binding.Subject is not null) { Add($"`key_format: avro` of binding `{binding.Name}`", "use `bytes`, or `string` where keys are text"); }
            }

            foreach (HoldTerms terms in policy.Rules.Select(rule => rule.Hold).Append(policy.OnError).Append(policy.OnSchemaMismatch).OfType<HoldTerms>()) { CheckTerms(terms); }

            void CheckTerms(HoldTerms terms)
            {
                // Records that only wait for an earlier one must be released again, and without the key nothing is.
                if (terms.Scope == HoldScope.Key && !hasHoldKey)
                {
                    found.Add(new Diagnostic(policy.Path, 1, 1, DiagnosticCodes.NotRunYet, Severity.Error, $"`scope: key` of `{terms.Rule}` needs a hold key: records that wait behind a hold could never be released", "give one: --key hold-key=file:PATH --hold-key hold-key"));
                }
            }

            void Add(string what, string help) => found.Add(new Diagnostic(policy.Path, 1, 1, DiagnosticCodes.NotRunYet, Severity.Error, $"{what} is not run by this version", help));
        }

        return found;
    }
}
