using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Policies;

/// <summary>
/// What a policy may say and this processor does not do yet. It is refused by name, at start and at reload: running without it would be failing open.
/// </summary>
internal static class RuntimeSupport
{
    public static IReadOnlyList<Diagnostic> Check(PolicySet set)
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

                if (binding.Seal is not null) { Add($"`seal` of binding `{binding.Name}`", "leave it out, and keep held and rejected topics readable by their owners alone"); }
                if (binding.TombstoneTerms is { } terms) { CheckTerms(terms); }
            }

            foreach (HoldTerms terms in policy.Rules.Select(rule => rule.Hold).Append(policy.OnError).Append(policy.OnSchemaMismatch).OfType<HoldTerms>()) { CheckTerms(terms); }

            void CheckTerms(HoldTerms terms)
            {
                if (terms.Scope == HoldScope.Key) { Add($"`scope: key` of `{terms.Rule}`", "leave it out: only the record itself is then held"); }
            }

            void Add(string what, string help) => found.Add(new Diagnostic(policy.Path, 1, 1, DiagnosticCodes.NotRunYet, Severity.Error, $"{what} is not run by this version", help));
        }

        return found;
    }
}
