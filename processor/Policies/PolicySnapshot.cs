using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Policies;

/// <summary>All policies in force, compiled. Immutable; a stream thread reads the current one once a transaction.</summary>
internal sealed class PolicySnapshot
{
    public PolicySnapshot(IReadOnlyList<CompiledPolicy> policies)
    {
        Policies = policies;
        ByIngressTopic = policies.SelectMany(policy => policy.Bindings.Values).ToDictionary(binding => binding.Document.Topics.Ingress, StringComparer.Ordinal);
    }

    public IReadOnlyList<CompiledPolicy> Policies { get; }

    public IReadOnlyDictionary<string, CompiledBinding> ByIngressTopic { get; }
}
