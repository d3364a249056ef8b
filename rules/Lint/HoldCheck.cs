namespace PolicyStreams.Rules;

/// <summary>Holds that nobody can approve: then every one of them ends by its expiry alone.</summary>
internal static class HoldCheck
{
    public static void Check(PolicyDocument policy, IReadOnlyList<ConventionsDocument> conventions, DiagnosticBag bag)
    {
        if (policy.OnError is { } onError) { Terms(onError, policy.PlaceOf("on_error", "hold", "approvers"), "`on_error`", policy.Bindings); }
        if (policy.OnSchemaMismatch is { } onMismatch) { Terms(onMismatch, policy.PlaceOf("on_schema_mismatch", "hold", "approvers"), "`on_schema_mismatch`", policy.Bindings); }
        foreach (BindingDocument binding in policy.Bindings)
        {
            if (binding.TombstoneTerms is { } terms && binding.Whole.Find("tombstones")?.Find("hold") is not null) { Terms(terms, binding.PlaceOf("tombstones", "hold", "approvers"), $"`tombstones` of binding `{binding.Name}`", [binding]); }
        }

        foreach (RuleDocument rule in policy.Rules)
        {
            if (rule is { Hold: { } terms, Incomplete: false }) { Terms(terms, rule.PlaceOf("hold", "approvers"), $"rule `{rule.Id}`", [.. policy.Bindings.Where(binding => rule.AppliesTo(binding.Name))]); }
        }

        void Terms(HoldTerms terms, (int Line, int Column) place, string what, IReadOnlyList<BindingDocument> bindings)
        {
            if (terms.Approvers.Count == 0) { return; }
            foreach (BindingDocument binding in bindings)
            {
                // Who produced the record is known before there is one, where a topic has one producer.
                IReadOnlyList<string> own = terms.OwnGroupMayApprove || binding.Identity != IdentityKind.Topic ? [] : binding.TopicPrincipal.Groups;
                if (terms.Approvers.All(own.Contains))
                {
                    Say($"nobody can approve the hold of {what}: its approvers are groups of `{binding.TopicPrincipal.Id}`, who produces the records of binding `{binding.Name}`", "name a group that the producer is not in, or write own_group_may_approve: true");
                    return;
                }

                foreach (ConventionsDocument one in conventions)
                {
                    if (one.Groups is not { } groups) { continue; }
                    if (terms.Approvers.FirstOrDefault(approver => !groups.ContainsKey(approver)) is { } unknown)
                    {
                        Say($"group `{Yaml.YamlReader.Shown(unknown)}` of the hold of {what} is not there{ConventionsCheck.By(one)}", NearestName.Help(unknown, [.. groups.Keys], "groups"));
                        return;
                    }

                    long people = terms.Approvers.Except(own).Sum(approver => (long)groups[approver]);
                    if (people >= terms.Quorum) { continue; }
                    Say($"the hold of {what} asks for {ConventionsDocument.Number(terms.Quorum)} people, and there are {people.ToString(System.Globalization.CultureInfo.InvariantCulture)} in {string.Join(", ", terms.Approvers.Except(own))}{ConventionsCheck.By(one)}", "name groups with more people, or lower the quorum");
                    return;
                }
            }

            void Say(string message, string? help) => bag.Add(place.Line, place.Column, DiagnosticCodes.NobodyApproves, Severity.Error, message, help);
        }
    }
}
