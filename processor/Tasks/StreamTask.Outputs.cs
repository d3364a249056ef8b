using System.Globalization;
using System.Text;
using PolicyStreams.Processor.Audit;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Tasks;

/// <summary>Enforce: what goes to governed, rejected, and held.</summary>
internal sealed partial class StreamTask
{
    // A masked view larger than this is not kept: an approver cannot read it anyway, and the state topic's records stay small.
    private const int ViewBytesMax = 262_144;

    /// <summary>Writes the clean record. Returns the value that was written; empty for a null value.</summary>
    private ReadOnlySpan<byte> SendGoverned(in RecordInput input, Verdict verdict)
    {
        TaskContext context = _context;
        RecordHeaders headers = verdict.Headers;
        if (_binding.Document.Stamp)
        {
            WriteId(input.Offset, "");
            headers.Add(HeaderNames.Decision, context.Key.Written);
        }

        for (int i = 0; i < verdict.Tags.Count; i++)
        {
            context.Text.Clear();
            context.Text.Append(HeaderNames.Tag);
            AppendText(context.Text, verdict.Tags[i].Key);
            int name = context.Text.Length;
            AppendText(context.Text, verdict.Tags[i].Value);
            headers.Add(context.Text.Slice(0, name), context.Text.Slice(name, context.Text.Length - name));
        }

        ReadOnlySpan<byte> value = verdict.ValueRewritten ? context.Output.Slice(verdict.ValueStart, verdict.ValueLength) : input.Value;
        context.Sink.Send(new OutputRecord
        {
            Topic = verdict.To,
            Partition = Partition,
            HasKey = !verdict.KeyNulled && (input.HasKey || verdict.KeyRewritten),
            Key = verdict.KeyRewritten ? context.Output.Slice(verdict.KeyStart, verdict.KeyLength) : input.Key,
            HasValue = input.HasValue,
            Value = value,
            TimestampMs = input.TimestampMs,
            Headers = headers,
        });
        return input.HasValue ? value : default;
    }

    /// <summary>Writes the original bytes, sealed where the binding says so, to the rejected topic, with the reasons in headers. Returns the value that was written.</summary>
    /// <param name="sealedBy">Id of the key that the value is sealed with already, since it could not be opened; empty where it is open.</param>
    /// <param name="withOwnTime">The broker refuses the record's own timestamp: it goes out with the time of now, and its own in the header <c>ps-timestamp</c>.</param>
    private ReadOnlySpan<byte> SendRejected(in RecordInput input, Verdict verdict, string sealedBy = "", bool withOwnTime = false)
    {
        TaskContext context = _context;
        RecordHeaders headers = context.Headers;
        headers.Clear();
        CopyByChoice(input.Headers, headers);
        WriteId(input.Offset, "");
        headers.Add(HeaderNames.Decision, context.Key.Written);
        AddJoined(headers, HeaderNames.Rules, verdict.Rules, ",");
        AddJoined(headers, HeaderNames.Reason, verdict.Reasons, "; ");
        ReadOnlySpan<byte> value = Sealed(input, sealedBy, headers);
        if (withOwnTime) { headers.Add(HeaderNames.Timestamp, DigestText.Utf8(input.TimestampMs.ToString(CultureInfo.InvariantCulture))); }
        context.Sink.Send(new OutputRecord
        {
            Topic = _topics.Rejected,
            Partition = Partition,
            HasKey = input.HasKey,
            Key = input.Key,
            HasValue = input.HasValue,
            Value = value,
            TimestampMs = withOwnTime ? context.Time.GetUtcNow().ToUnixTimeMilliseconds() : input.TimestampMs,
            OwnTime = withOwnTime,
            Headers = headers,
        });
        return value;
    }

    /// <summary>
    /// Writes the original bytes, sealed where the binding says so, to the held topic, and the hold with its terms and masked view to the state topic.
    /// Returns the value that was written.
    /// </summary>
    /// <param name="queue">The open queue of the record's key, which it joins; null for none.</param>
    /// <param name="behind">Id of the hold that it waits behind; null for none.</param>
    private ReadOnlySpan<byte> SendHeld(in RecordInput input, Verdict verdict, long nowMs, KeyQueue? queue, out string? behind)
    {
        string id = $"{_topics.Ingress}-{Partition}-{input.Offset}";
        HoldTerms[] terms = [.. verdict.Holds];
        if (queue is null && input.HasKey && IsKeyScoped(terms)) { queue = new KeyQueue(KeyQueue.KeyOf(input.Key)); }
        behind = queue?.Last?.State.Id;
        byte[] view = MaskedView(input, verdict, out string? key);
        string? hmac = _context.HoldHmac?.Compute(id, input.HasKey, input.Key, input.Headers, input.HasValue, input.Value, input.TimestampMs, terms);
        var state = new HoldState
        {
            Id = id,
            Binding = _binding.Document.Name,
            Policy = _binding.Policy.Document.Name,
            Digest = _binding.Policy.Digest,
            Rules = [.. verdict.Rules],
            Reasons = [.. verdict.Reasons],
            Terms = terms,
            Principal = input.Principal,
            Key = key,
            Schema = verdict.SchemaId,
            DecidedMs = nowMs,
            ExpiresMs = ExpiryOf(terms, nowMs),
            Behind = behind,
            Ordered = queue is not null,
            View = view,
            ViewDigest = HoldState.DigestOf(view),
            Record = hmac,
        };
        var hold = new TaskHold(input.Offset, _context.Pool.Share(state));
        ReadOnlySpan<byte> written = SendHeldRecord(input, hold, verdict.Rules, verdict.Reasons);
        PutHold(hold, queue, nowMs);
        return written;
    }

    private byte[] MaskedView(in RecordInput input, Verdict verdict, out string? key)
    {
        _context.Text.Clear(zero: true);
        _context.Judge.WriteMaskedView(_binding, input, verdict, _context.Text, out key);
        return _context.Text.Length is 0 or > ViewBytesMax ? "null"u8.ToArray() : _context.Text.Written.ToArray();
    }

    private static bool IsKeyScoped(HoldTerms[] terms)
    {
        for (int i = 0; i < terms.Length; i++)
        {
            if (terms[i].Scope == HoldScope.Key) { return true; }
        }

        return false;
    }

    private static long? ExpiryOf(HoldTerms[] terms, long nowMs) => terms.Length == 0 ? null : nowMs + (long)terms.Min(term => term.Expires).TotalMilliseconds;

    private ReadOnlySpan<byte> SendHeldRecord(in RecordInput input, TaskHold hold, IReadOnlyList<string> rules, IReadOnlyList<string> reasons)
    {
        TaskContext context = _context;
        RecordHeaders headers = context.Headers;
        headers.Clear();
        CopyAll(input.Headers, headers);
        WriteId(input.Offset, "");
        headers.Add(HeaderNames.Decision, context.Key.Written);
        AddJoined(headers, HeaderNames.Rules, rules, ",");
        AddJoined(headers, HeaderNames.Reason, reasons, "; ");
        if (input.HasKey) { headers.Add(HeaderNames.Key, input.Key); }
        if (!input.HasValue) { headers.Add(HeaderNames.Null, "1"u8); }
        if (hold.State.Record is { } hmac) { headers.Add(HeaderNames.Hmac, DigestText.Utf8(hmac)); }
        ReadOnlySpan<byte> value = Sealed(input, "", headers);
        hold.HeldAt = new Placement();
        context.Sink.Send(
            new OutputRecord
            {
                Topic = _topics.Held,
                Partition = Partition,
                HasKey = true,
                Key = context.Key.Written,
                HasValue = true,
                Value = value,
                TimestampMs = input.TimestampMs,
                Headers = headers,
            },
            hold.HeldAt);
        return value;
    }

    /// <summary>The value as it goes to held and rejected: sealed where the binding says so, and the header that names the key. A null value stays null.</summary>
    private ReadOnlySpan<byte> Sealed(in RecordInput input, string sealedBy, RecordHeaders headers)
    {
        if (!input.HasValue) { return input.Value; }
        if (sealedBy.Length > 0)
        {
            headers.Add(HeaderNames.Seal, DigestText.Utf8(sealedBy));
            return input.Value;
        }

        if (_binding.Document.Seal is not { } key) { return input.Value; }
        ByteBuffer output = _context.Sealed;
        output.Clear();

        // The id of the record stands in the key scratch: it is the position that the seal is bound to.
        headers.Add(HeaderNames.Seal, DigestText.Utf8(_context.Seals.Seal(key, _context.Key.Written, input.Value, output)));
        return output.Written;
    }

    private void CopyByChoice(RecordHeaders from, RecordHeaders to)
    {
        switch (_binding.Document.Headers)
        {
            case HeaderChoice.Keep:
                CopyAll(from, to);
                break;
            case HeaderChoice.Names:
                for (int i = 0; i < from.Count; i++)
                {
                    if (_binding.Document.HeaderNames.Contains(Encoding.UTF8.GetString(from.Name(i)))) { to.Add(from.Name(i), from.Value(i), from.IsNull(i)); }
                }

                break;
        }
    }

    private static void CopyAll(RecordHeaders from, RecordHeaders to)
    {
        for (int i = 0; i < from.Count; i++) { to.Add(from.Name(i), from.Value(i), from.IsNull(i)); }
    }

    private void AddJoined(RecordHeaders headers, ReadOnlySpan<byte> name, IReadOnlyList<string> texts, string separator)
    {
        ByteBuffer text = _context.Text;
        text.Clear();
        for (int i = 0; i < texts.Count; i++)
        {
            if (i > 0) { AppendText(text, separator); }
            AppendText(text, texts[i]);
        }

        headers.Add(name, text.Written);
    }
}
