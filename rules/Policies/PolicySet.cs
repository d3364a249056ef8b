namespace PolicyStreams.Rules;

/// <summary>What came of loading policy files: every diagnostic, and the set where none is an error.</summary>
public sealed record PolicyLoad(IReadOnlyList<Diagnostic> Diagnostics, PolicySet? Set)
{
    /// <summary>What could be read of each file, in the order of files. Where <see cref="Set"/> is null these are for checks alone: none of them compiles.</summary>
    public IReadOnlyList<PolicyDocument> Documents { get; init; } = [];
}

/// <summary>All policies of a folder, parsed and checked as far as that goes without schemas. Immutable.</summary>
public sealed class PolicySet
{
    public IReadOnlyList<PolicyDocument> Policies { get; }

    /// <summary>Bindings of all policies, in order of files and then of the document. No two have one ingress topic.</summary>
    public IReadOnlyList<BindingDocument> Bindings { get; }

    internal PolicySet(IReadOnlyList<PolicyDocument> policies)
    {
        Policies = policies;
        Bindings = [.. policies.SelectMany(policy => policy.Bindings)];
    }

    /// <summary>Parses and checks. Never throws on any text.</summary>
    public static PolicyLoad Load(IReadOnlyList<PolicyFile> files)
    {
        var diagnostics = new List<Diagnostic>();
        var policies = new List<PolicyDocument>();
        var bags = new List<DiagnosticBag>();
        foreach (PolicyFile file in files)
        {
            var bag = new DiagnosticBag(file.Path);
            bags.Add(bag);
            if (new DocumentReader(bag).Read(file.Text) is { } policy) { policies.Add(policy); }
        }

        PolicyNeighbours.Check(policies, bags);
        foreach (DiagnosticBag bag in bags) { diagnostics.AddRange(bag.ToList()); }
        bool bad = bags.Any(bag => bag.ErrorCount > 0);
        foreach (PolicyDocument policy in policies) { policy.HasErrors = bad; }
        return new PolicyLoad(diagnostics, bad ? null : new PolicySet(policies)) { Documents = policies };
    }
}
