namespace PolicyStreams.Processor.Holds;

/// <summary>The two topics of a binding that the approval side knows: state to read holds from, approvals to write statements to.</summary>
public sealed record HoldTopics(string State, string Approvals)
{
    private const string StatePrefix = "state.";

    /// <summary>Reads <c>state.payments</c>, whose approvals topic is then <c>approvals.payments</c>, or <c>STATE=APPROVALS</c>.</summary>
    /// <param name="error">What is wrong and what is expected; null where it was read.</param>
    public static HoldTopics? TryParse(string text, out string? error)
    {
        ArgumentNullException.ThrowIfNull(text);
        error = null;
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        string state = (equals < 0 ? text : text[..equals]).Trim();
        string approvals = equals >= 0 ? text[(equals + 1)..].Trim()
            : state.StartsWith(StatePrefix, StringComparison.Ordinal) ? "approvals." + state[StatePrefix.Length..] : "";
        if (IsTopicName(state) && IsTopicName(approvals)) { return new HoldTopics(state, approvals); }
        error = IsTopicName(state) && equals < 0
            ? $"`{text}`: a state topic that is not named state.NAME needs its approvals topic, as STATE=APPROVALS."
            : $"`{text}` names no topics: state.NAME or STATE=APPROVALS is expected.";
        return null;
    }

    private static bool IsTopicName(string name) =>
        name.Length is > 0 and <= 249 && name is not ("." or "..") && name.All(character => char.IsAsciiLetterOrDigit(character) || character is '.' or '_' or '-');
}
