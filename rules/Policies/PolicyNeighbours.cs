namespace PolicyStreams.Rules;

/// <summary>What policies of one folder may not have in common.</summary>
internal static class PolicyNeighbours
{
    public static void Check(IReadOnlyList<PolicyDocument> policies, IReadOnlyList<DiagnosticBag> bags)
    {
        var names = new Dictionary<string, PolicyDocument>(StringComparer.Ordinal);
        var bindings = new Dictionary<string, BindingDocument>(StringComparer.Ordinal);
        var ingress = new Dictionary<string, BindingDocument>(StringComparer.Ordinal);
        var own = new Dictionary<string, (BindingDocument Binding, string Role)>(StringComparer.Ordinal);
        foreach (PolicyDocument policy in policies)
        {
            DiagnosticBag bag = bags.First(b => b.File == policy.Path);
            if (policy.Name.Length > 0 && !names.TryAdd(policy.Name, policy))
            {
                bag.Error(policy.NameNode, DiagnosticCodes.DuplicateName, $"policy `{policy.Name}` is in `{names[policy.Name].Path}` too");
            }

            foreach (BindingDocument binding in policy.Bindings)
            {
                if (!bindings.TryAdd(binding.Name, binding) && bindings[binding.Name].PolicyName != policy.Name)
                {
                    bag.Error(binding.Node, DiagnosticCodes.DuplicateName, $"binding `{binding.Name}` is in policy `{bindings[binding.Name].PolicyName}` too");
                }

                if (!ingress.TryAdd(binding.Topics.Ingress, binding))
                {
                    bag.Error(binding.Node, DiagnosticCodes.DuplicateIngress, $"ingress topic `{binding.Topics.Ingress}` of binding `{binding.Name}` is claimed by binding `{ingress[binding.Topics.Ingress].Name}` too", "an ingress topic is in one binding only");
                }

                foreach ((string role, string topic) in binding.OwnTopics())
                {
                    if (own.TryAdd(topic, (binding, role))) { continue; }
                    (BindingDocument other, string otherRole) = own[topic];
                    if (ReferenceEquals(other, binding) || binding.Name == other.Name) { continue; }
                    bag.Error(binding.Node, DiagnosticCodes.TopicClash, $"topic `{topic}` is `{role}` of binding `{binding.Name}` and `{otherRole}` of binding `{other.Name}`", "held, state, and approvals topics belong to one binding each");
                }
            }
        }

        foreach (PolicyDocument policy in policies)
        {
            DiagnosticBag bag = bags.First(b => b.File == policy.Path);
            foreach (BindingDocument binding in policy.Bindings)
            {
                // A pipeline may read what another binding governs; it may not read what only the processor's own bookkeeping is in.
                if (own.TryGetValue(binding.Topics.Ingress, out (BindingDocument Binding, string Role) owner))
                {
                    bag.Error(binding.Node, DiagnosticCodes.TopicClash, $"ingress topic `{binding.Topics.Ingress}` is `{owner.Role}` of binding `{owner.Binding.Name}`");
                }
            }
        }
    }
}
