using System.Text.Json;
using PolicyStreams.Processor.Audit;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Tasks;

/// <summary>
/// What a task restores from: the record under key <c>head</c> on its partition of the state topic, written in every transaction that touches the task.
/// </summary>
internal sealed record TaskHead
{
    public static ReadOnlySpan<byte> Key => "head"u8;

    public const int Version = 1;

    /// <summary>Ingress topic and its id (a UUID's text; empty where the broker has none): a topic made anew has another id.</summary>
    public required string Topic { get; init; }
    public required string TopicId { get; init; }
    public required int Partition { get; init; }

    /// <summary>Consumer group that owns the offsets.</summary>
    public required string Group { get; init; }

    /// <summary><c>transactional.id</c> of the writer: for the operator, not checked.</summary>
    public required string Writer { get; init; }

    /// <summary>Next offsets to read; equal to the committed ones.</summary>
    public required long NextIngress { get; init; }
    public required long NextApprovals { get; init; }

    public required ChainState Chain { get; init; }

    /// <summary>Digest whose <c>policy</c> event was written last; empty before the first.</summary>
    public required string PolicyDigest { get; init; }

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteNumber("v", Version);
        json.WriteString("event", "head");
        json.WriteString("topic", Topic);
        json.WriteString("topic_id", TopicId);
        json.WriteNumber("partition", Partition);
        json.WriteString("group", Group);
        json.WriteString("writer", Writer);
        json.WriteStartObject("next");
        json.WriteNumber("ingress", NextIngress);
        json.WriteNumber("approvals", NextApprovals);
        json.WriteEndObject();
        json.WriteNumber("seq", Chain.Seq);
        json.WriteNumber("from", Chain.From);
        json.WriteString("root", Chain.Root);
        json.WriteString("checkpoint", Chain.Checkpoint);
        json.WriteString("policy_digest", PolicyDigest);
        json.WriteEndObject();
    }

    /// <summary>Reads a head. Never throws on bytes.</summary>
    /// <param name="why">What is wrong with it, where null is returned.</param>
    public static TaskHead? TryParse(ReadOnlySpan<byte> value, out string why)
    {
        try
        {
            var reader = new Utf8JsonReader(value, new JsonReaderOptions { MaxDepth = 8 });
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            JsonElement head = document.RootElement;
            int version = head.GetProperty("v").GetInt32();
            if (version > Version)
            {
                why = $"it was written by a newer version (v {version}; this one reads v {Version})";
                return null;
            }

            JsonElement next = head.GetProperty("next");
            why = "";
            return new TaskHead
            {
                Topic = Text(head, "topic"),
                TopicId = Text(head, "topic_id"),
                Partition = head.GetProperty("partition").GetInt32(),
                Group = Text(head, "group"),
                Writer = Text(head, "writer"),
                NextIngress = next.GetProperty("ingress").GetInt64(),
                NextApprovals = next.GetProperty("approvals").GetInt64(),
                Chain = new ChainState(head.GetProperty("seq").GetInt64(), Text(head, "checkpoint"), Text(head, "root"), head.GetProperty("from").GetInt64()),
                PolicyDigest = Text(head, "policy_digest"),
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or FormatException or InvalidOperationException)
        {
            why = "it is not a head: " + (e is KeyNotFoundException ? "a field is missing" : "its JSON cannot be read");
            return null;
        }

        static string Text(JsonElement element, string name) => element.GetProperty(name).GetString() ?? "";
    }
}
