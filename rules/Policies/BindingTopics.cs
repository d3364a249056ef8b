namespace PolicyStreams.Rules;

/// <summary>Topic names of a binding, defaults filled in.</summary>
public sealed record BindingTopics(string Ingress, string Governed, string Rejected, string Held, string State, string Approvals, string Decisions, IReadOnlyList<string> Routes);
