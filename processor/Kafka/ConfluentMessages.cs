using System.Text;
using Confluent.Kafka;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Kafka;

/// <summary>Between the client's messages and ours.</summary>
internal static class ConfluentMessages
{
    /// <summary>The managed form of an output record.</summary>
    public static Message<byte[]?, byte[]?> Of(in OutputRecord record) => new()
    {
        Key = record.HasKey ? record.Key.ToArray() : null,
        Value = record.HasValue ? record.Value.ToArray() : null,
        Timestamp = new Confluent.Kafka.Timestamp(record.TimestampMs, TimestampType.CreateTime),
        Headers = record.Headers is { Count: > 0 } headers ? Of(headers) : null,
    };

    /// <summary>Copies the headers that are not under the system's prefix: a producer cannot speak for the system.</summary>
    public static void CopyProducers(Headers? from, RecordHeaders to)
    {
        to.Clear();
        if (from is null || from.Count == 0) { return; }
        Span<byte> small = stackalloc byte[256];
        for (int i = 0; i < from.Count; i++)
        {
            IHeader header = from[i];
            if (header.Key.StartsWith(HeaderNames.Prefix, StringComparison.Ordinal)) { continue; }
            int bytes = Encoding.UTF8.GetByteCount(header.Key);
            Span<byte> name = bytes <= small.Length ? small[..bytes] : new byte[bytes];
            Encoding.UTF8.GetBytes(header.Key, name);
            byte[]? value = header.GetValueBytes();
            to.Add(name, value, value is null);
        }
    }

    private static Headers Of(RecordHeaders headers)
    {
        var result = new Headers();
        for (int i = 0; i < headers.Count; i++)
        {
            result.Add(Encoding.UTF8.GetString(headers.Name(i)), headers.IsNull(i) ? null : headers.Value(i).ToArray());
        }

        return result;
    }
}

/// <summary>Names of the headers that the system writes. Fixed; other programs read them.</summary>
internal static class HeaderNames
{
    public const string Prefix = "ps-";

    /// <summary>The decision's id: on held and rejected records, and on governed ones unless the binding says <c>stamp: none</c>.</summary>
    public static ReadOnlySpan<byte> Decision => "ps-decision"u8;

    /// <summary>Prefix of tags.</summary>
    public static ReadOnlySpan<byte> Tag => "ps-tag-"u8;

    /// <summary>Rule ids, comma separated: on held and rejected records.</summary>
    public static ReadOnlySpan<byte> Rules => "ps-rules"u8;

    /// <summary>Reasons in the policy's words, separated by <c>; </c>: on held and rejected records.</summary>
    public static ReadOnlySpan<byte> Reason => "ps-reason"u8;

    /// <summary>The original key of a held record.</summary>
    public static ReadOnlySpan<byte> Key => "ps-key"u8;

    /// <summary><c>1</c> on a held record whose original value is null.</summary>
    public static ReadOnlySpan<byte> Null => "ps-null"u8;

    /// <summary>The record's own timestamp, milliseconds since the Unix epoch: on a rejected record whose timestamp the broker refuses.</summary>
    public static ReadOnlySpan<byte> Timestamp => "ps-timestamp"u8;

    /// <summary>Id of the key that a held or rejected value is sealed with: <c>seal-key@2</c>. Absent where the value is as the producer wrote it.</summary>
    public static ReadOnlySpan<byte> Seal => "ps-seal"u8;

    /// <summary>HMAC by the hold key over id, key, headers, value, timestamp, and terms of a held record, base64url.</summary>
    public static ReadOnlySpan<byte> Hmac => "ps-hmac"u8;
}
