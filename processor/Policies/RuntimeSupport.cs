using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Policies;

/// <summary>
/// What a policy may say and this processor does not do yet. It is refused by name, at start and at reload: running without it would be failing open.
/// </summary>
internal static class RuntimeSupport
{
    public static IReadOnlyList<Diagnostic> Check(PolicySet set) => Check(set.Policies, Severity.Error);

    /// <param name="severity">An error where the policies are to run; lint, which also looks at policies for later, warns.</param>
    public static IReadOnlyList<Diagnostic> Check(IReadOnlyList<PolicyDocument> policies, Severity severity)
    {
        var found = new List<Diagnostic>();
        foreach (PolicyDocument policy in policies)
        {
            foreach (BindingDocument binding in policy.Bindings)
            {
                if (binding.Identity is IdentityKind.Jws or IdentityKind.Oidc)
                {
                    Add(binding.PlaceOf("identity"), $"`identity: {(binding.Identity == IdentityKind.Jws ? "jws" : "oidc")}` of binding `{binding.Name}`", "use `identity: { topic: … }` with an ACL that keeps other producers out");
                }

                if (binding.Seal is not null) { Add(binding.PlaceOf("seal"), $"`seal` of binding `{binding.Name}`", "leave it out, and keep held and rejected topics readable by their owners alone"); }
                if (binding.TombstoneTerms is { } terms) { CheckTerms(terms, binding.PlaceOf("tombstones", "hold", "scope")); }
                if (binding.KeyFormat == KeyFormat.Avro && binding.Subject is not null) { Add(binding.PlaceOf("key_format"), $"`key_format: avro` of binding `{binding.Name}`", "use `bytes`, or `string` where keys are text"); }
            }

            foreach (RuleDocument rule in policy.Rules)
            {
                if (rule.Hold is { } terms) { CheckTerms(terms, rule.PlaceOf("hold", "scope")); }
            }

            if (policy.OnError is { } onError) { CheckTerms(onError, policy.PlaceOf("on_error", "hold", "scope")); }
            if (policy.OnSchemaMismatch is { } onMismatch) { CheckTerms(onMismatch, policy.PlaceOf("on_schema_mismatch", "hold", "scope")); }

            void CheckTerms(HoldTerms terms, (int, int) place)
            {
                if (terms.Scope == HoldScope.Key) { Add(place, $"`scope: key` of `{terms.Rule}`", "leave it out: only the record itself is then held"); }
            }

            void Add((int Line, int Column) place, string what, string help) => found.Add(new Diagnostic(policy.Path, place.Line, place.Column, DiagnosticCodes.NotRunYet, severity, $"{what} is not run by this version", help));
        }

        return found;
    }
}
