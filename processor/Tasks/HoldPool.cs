using System.Globalization;
using System.Text;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Tasks;

/// <summary>
/// Makes equal parts of open holds one object: thousands of holds under one rule share its terms, rules, reasons, and principal. One a stream thread; not thread-safe.
/// </summary>
internal sealed class HoldPool
{
    // Principals may be many: beyond this the pool begins anew, and holds only weigh more.
    private const int PartsMax = 20_000;
    private readonly Dictionary<string, object> _parts = new(StringComparer.Ordinal);
    private readonly StringBuilder _text = new();

    public HoldState Share(HoldState state)
    {
        if (_parts.Count > PartsMax) { _parts.Clear(); }
        return state with
        {
            Binding = Text(state.Binding),
            Policy = Text(state.Policy),
            Digest = Text(state.Digest),
            Rules = Texts(state.Rules),
            Reasons = Texts(state.Reasons),
            Terms = Terms(state.Terms),
            Principal = Who(state.Principal),
        };
    }

    private string Text(string text)
    {
        _text.Clear();
        Add('t', text);
        return Share(text);
    }

    private IReadOnlyList<string> Texts(IReadOnlyList<string> texts)
    {
        if (texts.Count == 0) { return []; }
        _text.Clear().Append('l');
        AddAll(texts);
        return Share(texts);
    }

    private IReadOnlyList<HoldTerms> Terms(IReadOnlyList<HoldTerms> terms)
    {
        if (terms.Count == 0) { return []; }
        _text.Clear().Append('h');
        foreach (HoldTerms one in terms)
        {
            Add('r', one.Rule);
            AddAll(one.Approvers);
            Add('w', one.Reason);
            _text.Append(CultureInfo.InvariantCulture, $"{one.Quorum} {one.Expires.Ticks} {(int)one.OnExpiry} {(int)one.Scope} {one.OwnGroupMayApprove}");
        }

        return Share(terms);
    }

    private Principal Who(Principal principal)
    {
        _text.Clear();
        Add('p', principal.Id);
        Add('v', principal.Via);
        AddAll(principal.Groups);
        _text.Append(principal.OwnGroups);
        return Share(principal);
    }

    // Lengths first, so that no two lists run together to the same text.
    private void Add(char kind, string text) => _text.Append(kind).Append(CultureInfo.InvariantCulture, $"{text.Length}:").Append(text);

    private void AddAll(IReadOnlyList<string> texts)
    {
        _text.Append(CultureInfo.InvariantCulture, $"{texts.Count}[");
        for (int i = 0; i < texts.Count; i++) { Add('i', texts[i]); }
    }

    private T Share<T>(T part)
        where T : class
    {
        string text = _text.ToString();
        if (_parts.TryGetValue(text, out object? found)) { return (T)found; }
        _parts.Add(text, part);
        return part;
    }
}
