using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Decisions;

/// <summary>
/// Everything that follows from which rules and causes fired: made once for each combination that is met, so that the record path spells and sorts nothing. Immutable.
/// </summary>
internal sealed class FiredSet
{
    public required Outcome Outcome { get; init; }

    public required string[] Rules { get; init; }

    public required string[] Shadow { get; init; }

    public required string[] Reasons { get; init; }

    public required KeyValuePair<string, string>[] Tags { get; init; }

    public required HoldTerms[] Holds { get; init; }

    public required string To { get; init; }

    /// <summary><c>,"rules":[…],"shadow":[…],"reasons":[…]</c>, empty lists left out.</summary>
    public byte[] Lists { get; private set; } = [];

    /// <summary><c>,"tags":{…}</c>, or empty.</summary>
    public byte[] TagsJson { get; private set; } = [];

    /// <summary><c>,"to":"…"</c></summary>
    public byte[] ToJson { get; private set; } = [];

    private FiredSet? _behind;

    /// <summary>The same rules, on a record that is held behind an earlier one of its key whatever they say: only holds of its own keep their terms and reasons. Made once.</summary>
    public FiredSet Behind(string held) => _behind ??= new FiredSet
    {
        Outcome = Outcome.Hold,
        Rules = Rules,
        Shadow = Shadow,
        Reasons = Outcome == Outcome.Hold ? Reasons : [],
        Tags = Tags,
        Holds = Outcome == Outcome.Hold ? Holds : [],
        To = held,
    }.Spelled();

    public FiredSet Spelled()
    {
        var buffer = new ByteBuffer(256);
        List(buffer, ",\"rules\":"u8, Rules);
        List(buffer, ",\"shadow\":"u8, Shadow);
        List(buffer, ",\"reasons\":"u8, Reasons);
        Lists = buffer.Written.ToArray();
        buffer.Clear();
        if (Tags.Length > 0)
        {
            buffer.Append(",\"tags\":"u8);
            AppendTags(buffer, Tags);
            TagsJson = buffer.Written.ToArray();
            buffer.Clear();
        }

        buffer.Append(",\"to\":"u8);
        JsonText.Append(buffer, To);
        ToJson = buffer.Written.ToArray();
        return this;
    }

    public static void AppendTags(ByteBuffer buffer, IReadOnlyList<KeyValuePair<string, string>> tags)
    {
        buffer.Append((byte)'{');
        for (int i = 0; i < tags.Count; i++)
        {
            if (i > 0) { buffer.Append((byte)','); }
            JsonText.Append(buffer, tags[i].Key);
            buffer.Append((byte)':');
            JsonText.Append(buffer, tags[i].Value);
        }

        buffer.Append((byte)'}');
    }

    private static void List(ByteBuffer buffer, ReadOnlySpan<byte> name, string[] texts)
    {
        if (texts.Length == 0) { return; }
        buffer.Append(name);
        JsonText.AppendArray(buffer, texts);
    }
}
