using System.Globalization;
using System.Text;
using PolicyStreams.Processor.Audit;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Processor.Tasks;

/// <summary>Release and Expire: what ends a hold, exactly once.</summary>
internal sealed partial class StreamTask
{
    private readonly Dictionary<string, TaskHold> _holds = new(StringComparer.Ordinal);

    // What the open transaction changed: the hold as it was before, null where there was none. Undone backwards.
    private readonly List<(string Id, TaskHold? Hold, HoldState? State, long HeldOffset)> _journal = [];

    // By expiry. An entry whose hold is gone or was held again is passed over.
    private readonly PriorityQueue<string, long> _expiries = new();

    // Holds that are met, rejected, or expired, whose end could not be written yet (their bytes could not be read).
    private readonly SortedDictionary<long, string> _ending = [];

    // Holds that expire at or before this have expired: the clock was past it, and approvals had been consumed to an end fetched after that.
    private long _expiredMs;

    /// <summary>Holds open as of the open transaction.</summary>
    public int OpenHolds => _holds.Count;

    /// <summary>When the next hold may expire; null where none is open.</summary>
    public long? NextExpiryMs
    {
        get
        {
            while (_expiries.TryPeek(out string? id, out long expires))
            {
                if (_holds.TryGetValue(id, out TaskHold? hold) && hold.State.ExpiresMs == expires) { return expires; }
                _expiries.Dequeue();
            }

            return null;
        }
    }

    /// <summary>True where a hold's end waits to be written.</summary>
    public bool HasEnding => _ending.Count > 0;

    /// <summary>A schema that a release needs and the binding does not know yet; null for none. Cleared by <see cref="EndHolds"/>.</summary>
    public JudgeResult? ReleaseNeeds { get; private set; }

    /// <summary>Puts back a hold read from the state topic. For restore, before <see cref="Start"/> has been left.</summary>
    public void RestoreHold(TaskHold hold)
    {
        _holds[hold.State.Id] = hold;
        if (hold.State.ExpiresMs is { } expires) { _expiries.Enqueue(hold.State.Id, expires); }
        if (HoldTally.Standing(hold.State) != HoldStanding.Open) { _ending[hold.Offset] = hold.State.Id; }
    }

    /// <summary>Judges one statement from the approvals topic: counted or not, it is a decision, and it may end its hold.</summary>
    /// <param name="appendedMs">The broker's LogAppendTime.</param>
    public TaskStep Statement(long offset, long appendedMs, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (offset < _now.NextApprovals) { return TaskStep.Skipped; }
        long nowMs = _context.Time.GetUtcNow().ToUnixTimeMilliseconds();
        Touch();
        string holdId = HoldIdOf(key);
        TaskHold? hold = holdId.Length > 0 ? _holds.GetValueOrDefault(holdId) : null;
        Statement? statement = null;
        string why;
        if (_context.Approvals is null)
        {
            why = "no-approval-keys";
        }
        else
        {
            StatementOutcome checkedAs = _context.Approvals.Verify(value, out statement);
            if (checkedAs != StatementOutcome.Valid)
            {
                why = checkedAs.Code();
                statement = null;
                _context.Observer.Alarm($"statement {_topics.Approvals}-{Partition}-{offset} was not counted: {why}");
            }
            else if (hold is null)
            {
                why = TallyOutcome.UnknownHold.Code();
            }
            else
            {
                TallyOutcome tally = HoldTally.Check(hold.State, statement!, holdId, appendedMs);
                why = tally == TallyOutcome.Counted && hold.State.Record is null && statement!.Verdict == StatementVerdict.Approve ? "no-hold-key"
                    : tally == TallyOutcome.Counted ? "" : tally.Code();
            }
        }

        bool counted = why.Length == 0;
        WriteApproval(holdId, offset, nowMs, hold, statement, counted, why);
        _now = _now with { NextApprovals = offset + 1 };
        if (!counted) { return TaskStep.Done; }
        Journal(hold!);
        hold!.State = HoldTally.Add(hold.State, statement!, offset, appendedMs);
        _context.Observer.HoldEvent("approval", holdId);
        if (HoldTally.Standing(hold.State) == HoldStanding.Open)
        {
            WriteHold(hold, nowMs);
            return TaskStep.Done;
        }

        // What is met may wait for its bytes; were the process to end before, a restore finds it met again.
        WriteHold(hold, nowMs);
        _ending[hold.Offset] = hold.State.Id;
        return TaskStep.Done;
    }

    /// <summary>
    /// Ends holds that are met or rejected, and those expired at <paramref name="expiredMs"/>, an instant after which the task has consumed approvals to an end
    /// offset fetched later (0 for none). At most <paramref name="most"/> at a time; stops early where a held record cannot be read now.
    /// </summary>
    /// <returns>How many were looked at.</returns>
    public int EndHolds(long expiredMs, int most)
    {
        _expiredMs = Math.Max(_expiredMs, expiredMs);
        ReleaseNeeds = null;
        while (_expiries.TryPeek(out string? id, out long expires) && expires <= expiredMs)
        {
            _expiries.Dequeue();
            if (_holds.TryGetValue(id, out TaskHold? hold) && hold.State.ExpiresMs == expires) { _ending[hold.Offset] = id; }
        }

        int ended = 0;
        while (ended < most && _ending.Count > 0)
        {
            (long offset, string id) = _ending.First();
            if (!_holds.TryGetValue(id, out TaskHold? hold))
            {
                _ending.Remove(offset);
                continue;
            }

            if (hold.InTransaction || !_context.HeldReader.TryRead(_topics.Held, Partition, hold, _context.Held, out bool found)) { break; }
            _ending.Remove(offset);
            ended++;
            if (!End(hold, found)) { break; }
        }

        return ended;
    }

    /// <summary>False where the release waits for a schema.</summary>
    private bool End(TaskHold hold, bool found)
    {
        long nowMs = _context.Time.GetUtcNow().ToUnixTimeMilliseconds();
        Touch();
        HeldRecord held = _context.Held;
        HeldCheck check = Check(hold, held, found);
        if (check is HeldCheck.Missing or HeldCheck.Altered && !hold.Altered)
        {
            hold.Altered = true;
            _context.Observer.Alarm($"held record of {hold.State.Id} {(found ? "fails its check: it was altered" : "is not on the held topic")}; it is never released");
        }

        bool expired = hold.State.ExpiresMs <= _expiredMs && HoldTally.Standing(hold.State) == HoldStanding.Open;
        if (check != HeldCheck.Good)
        {
            // Met or not, what cannot be checked is never released: it stays until it expires, and is then refused with what was found.
            if (hold.State.ExpiresMs > _expiredMs && HoldTally.Standing(hold.State) != HoldStanding.Rejected) { return true; }
            string code = check == HeldCheck.NoKey ? "no-hold-key" : "held-record-altered";
            bool denies = hold.State.Terms.Any(term => term.OnExpiry == OnExpiry.Deny);
            EndDenied(hold, HeldInput(hold, held, found), hold.State.ExpiresMs <= _expiredMs ? "expired" : "refused", nowMs, check == HeldCheck.NoKey && denies ? null : new DecisionError("ps:hold", code));
            return true;
        }

        RecordInput input = HeldInput(hold, held, found);
        HoldStanding standing = HoldTally.Standing(hold.State);
        if (standing == HoldStanding.Rejected)
        {
            EndDenied(hold, input, "refused", nowMs, null);
        }
        else if (expired && hold.State.Terms.Any(term => term.OnExpiry == OnExpiry.Deny))
        {
            EndDenied(hold, input, "expired", nowMs, null);
        }
        else if (standing == HoldStanding.Met || expired)
        {
            return Release(hold, input, expired ? "expired" : "released", nowMs);
        }

        return true;
    }

    /// <summary>The policy in force judges again: deny refuses; allow, or the same terms now met, publishes; other terms hold again.</summary>
    private bool Release(TaskHold hold, in RecordInput input, string eventName, long nowMs)
    {
        TaskContext context = _context;
        Verdict verdict = context.Verdict;
        context.Output.Clear();
        JudgeResult judged = context.Judge.Decide(_binding, input, context.Output, verdict);
        if (judged.Decided && verdict.Outcome == Outcome.Hold && SameTerms(verdict.Holds, hold.State.Terms))
        {
            context.Output.Clear();
            judged = context.Judge.Release(_binding, input, context.Output, verdict);
        }

        if (!judged.Decided)
        {
            // The registry is asked; the hold ends once it has answered.
            ReleaseNeeds = judged;
            _ending[hold.Offset] = hold.State.Id;
            return false;
        }

        if (verdict.Outcome == Outcome.Deny)
        {
            ReadOnlySpan<byte> rejected = SendRejected(input, verdict);
            WriteDecision(input, verdict, "refused", "/end", nowMs, rejected);
            RemoveHold(hold, "refused", nowMs);
            return true;
        }

        if (verdict.Outcome == Outcome.Hold)
        {
            HoldAgain(hold, input, verdict, nowMs);
            return true;
        }

        ReadOnlySpan<byte> published = SendGoverned(input, verdict);
        WriteDecision(input, verdict, eventName, "/end", nowMs, published);
        RemoveHold(hold, eventName, nowMs);
        return true;
    }

    private void HoldAgain(TaskHold hold, in RecordInput input, Verdict verdict, long nowMs)
    {
        Journal(hold);
        HoldTerms[] terms = [.. verdict.Holds];
        _context.Text.Clear(zero: true);
        _context.Judge.WriteMaskedView(_binding, input, verdict, _context.Text, out string? key);
        byte[] view = _context.Text.Length is 0 or > ViewBytesMax ? "null"u8.ToArray() : _context.Text.Written.ToArray();
        long expires = nowMs + (long)terms.Min(term => term.Expires).TotalMilliseconds;
        hold.State = hold.State with
        {
            Digest = _binding.Policy.Digest,
            Policy = _binding.Policy.Document.Name,
            Rules = [.. verdict.Rules],
            Reasons = [.. verdict.Reasons],
            Terms = terms,
            DecidedMs = nowMs,
            ExpiresMs = expires,
            Key = key,
            Reheld = hold.State.Reheld + 1,
            View = view,
            ViewDigest = HoldState.DigestOf(view),
            Record = _context.HoldHmac?.Compute(hold.State.Id, input.HasKey, input.Key, input.Headers, input.HasValue, input.Value, input.TimestampMs, terms),
            Statements = [],
        };
        SendHeldRecord(input, hold, verdict.Rules, verdict.Reasons);

        // Announced first: the announcement takes a number of its own, and the id carries the decision's.
        AnnouncePolicy(nowMs);
        WriteDecision(input, verdict, "reheld", string.Create(CultureInfo.InvariantCulture, $"/r-{_chain.NextSeq}"), nowMs, input.Value);
        WriteHold(hold, nowMs);
        _expiries.Enqueue(hold.State.Id, expires);
        _context.Observer.HoldEvent("reheld", hold.State.Id);
    }

    private void EndDenied(TaskHold hold, in RecordInput input, string eventName, long nowMs, DecisionError? error)
    {
        Verdict verdict = _context.Verdict;
        verdict.SetEnded(_binding, hold.State.Rules, hold.State.Reasons, hold.State.Schema, _topics.Rejected);
        if (error is { } found) { verdict.Errors.Add(found); }
        ReadOnlySpan<byte> rejected = SendRejected(input, verdict);
        WriteDecision(input, verdict, eventName, "/end", nowMs, rejected);
        RemoveHold(hold, eventName, nowMs);
    }

    private void RemoveHold(TaskHold hold, string eventName, long nowMs)
    {
        Journal(hold);
        _holds.Remove(hold.State.Id);
        byte[] key = DigestText.Utf8(hold.State.Id);
        SendState(key, default, nowMs, tombstone: true);
        _context.Sink.Send(new Kafka.OutputRecord { Topic = _topics.Held, Partition = Partition, HasKey = true, Key = key, TimestampMs = nowMs });
        _context.Observer.HoldEvent(eventName, hold.State.Id);
    }

    private void PutHold(TaskHold hold, long nowMs)
    {
        _journal.Add((hold.State.Id, null, null, -1));
        _holds[hold.State.Id] = hold;
        if (hold.State.ExpiresMs is { } expires) { _expiries.Enqueue(hold.State.Id, expires); }
        WriteHold(hold, nowMs);
        _context.Observer.HoldEvent("held", hold.State.Id);
    }

    private void WriteHold(TaskHold hold, long nowMs)
    {
        _context.State.Clear();
        hold.State.Write(_context.State);
        SendState(DigestText.Utf8(hold.State.Id), _context.State.Written, nowMs);
    }

    private void WriteApproval(string holdId, long offset, long nowMs, TaskHold? hold, Statement? statement, bool counted, string why)
    {
        AnnouncePolicy(nowMs);
        string position = string.Create(CultureInfo.InvariantCulture, $"{_topics.Approvals}-{Partition}-{offset}");
        string id = holdId.Length > 0 ? string.Create(CultureInfo.InvariantCulture, $"{holdId}/a-{offset}") : position;
        ByteBuffer text = _context.Decision;
        text.Clear();
        _json.Reset(text);
        _json.WriteStartObject();
        _json.WriteNumber("v", 1);
        _json.WriteString("id", id);
        _json.WriteNumber("seq", _chain.NextSeq);
        _json.WriteString("event", "approval");
        if (hold is not null) { _json.WriteString("outcome", "hold"); }
        HoldJson.WriteInstant(_json, "time", nowMs);
        _json.WriteString("policy", hold?.State.Policy ?? _binding.Policy.Document.Name);
        _json.WriteString("digest", hold?.State.Digest ?? _binding.Policy.Digest);
        if (statement is not null)
        {
            _json.WriteString("verdict", statement.Verdict.Word());
            _json.WriteStartObject("approver");
            _json.WriteString("issuer", statement.Issuer);
            _json.WriteString("subject", statement.Subject);
            _json.WriteEndObject();
        }

        _json.WriteBoolean("counted", counted);
        if (!counted) { _json.WriteString("why", why); }
        _json.WriteEndObject();
        _json.Flush();
        SendDecision(DigestText.Utf8(id), text.Written, nowMs);
    }

    private RecordInput HeldInput(TaskHold hold, HeldRecord held, bool found) => new()
    {
        Topic = _topics.Ingress,
        Partition = Partition,
        Offset = hold.Offset,
        TimestampMs = found ? held.TimestampMs : hold.State.DecidedMs,
        HasKey = found && held.HasKey,
        Key = found ? held.Key : default,
        HasValue = found && held.HasValue,
        Value = found ? held.Value : default,
        Headers = found ? held.Headers : RecordHeaders.Empty,
        Principal = hold.State.Principal,
    };

    private enum HeldCheck { Good, NoKey, Altered, Missing }

    private HeldCheck Check(TaskHold hold, HeldRecord held, bool found)
    {
        if (!found) { return HeldCheck.Missing; }
        if (_context.HoldHmac is not { } key || hold.State.Record is not { } hmac) { return HeldCheck.NoKey; }
        if (!HoldHmac.Same(hmac, held.Hmac)) { return HeldCheck.Altered; }
        string computed = key.Compute(hold.State.Id, held.HasKey, held.Key, held.Headers, held.HasValue, held.Value, held.TimestampMs, hold.State.Terms);
        return HoldHmac.Same(computed, held.Hmac) ? HeldCheck.Good : HeldCheck.Altered;
    }

    /// <summary>The key of an approvals record where it is the id of a record of this partition; else empty. Nothing else of it is ever written down.</summary>
    private string HoldIdOf(ReadOnlySpan<byte> key)
    {
        if (key.Length > 512) { return ""; }
        string prefix = string.Create(CultureInfo.InvariantCulture, $"{_topics.Ingress}-{Partition}-");
        string text = Encoding.UTF8.GetString(key);
        return text.StartsWith(prefix, StringComparison.Ordinal)
            && long.TryParse(text.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long offset)
            && text.Length == prefix.Length + offset.ToString(CultureInfo.InvariantCulture).Length
            ? text
            : "";
    }

    private static bool SameTerms(List<HoldTerms> now, IReadOnlyList<HoldTerms> then)
    {
        if (now.Count != then.Count) { return false; }
        for (int i = 0; i < now.Count; i++)
        {
            if (!now[i].Equals(then[i])) { return false; }
        }

        return true;
    }

    private void Journal(TaskHold hold) => _journal.Add((hold.State.Id, hold, hold.State, hold.InTransaction ? -1 : hold.HeldOffset));

    private void CommitHolds()
    {
        foreach ((string id, _, _, _) in _journal)
        {
            if (_holds.TryGetValue(id, out TaskHold? hold)) { hold.InTransaction = false; }
        }

        _journal.Clear();
    }

    private void RollbackHolds()
    {
        for (int i = _journal.Count - 1; i >= 0; i--)
        {
            (string id, TaskHold? hold, HoldState? state, long heldOffset) = _journal[i];
            if (hold is null)
            {
                if (_holds.Remove(id, out TaskHold? dropped)) { _ending.Remove(dropped.Offset); }
                continue;
            }

            hold.State = state!;
            hold.HeldOffset = heldOffset;
            hold.InTransaction = false;
            _holds[id] = hold;
            if (state!.ExpiresMs is { } expires) { _expiries.Enqueue(id, expires); }
        }

        _journal.Clear();

        // Statements of the transaction are read again, so nothing has expired for certain any more.
        _expiredMs = 0;
        foreach (string id in _ending.Values)
        {
            if (_holds.TryGetValue(id, out TaskHold? hold) && hold.State.ExpiresMs is { } expires) { _expiries.Enqueue(id, expires); }
        }

        _ending.Clear();
        foreach (TaskHold hold in _holds.Values)
        {
            if (hold.State.Statements.Count > 0 && HoldTally.Standing(hold.State) != HoldStanding.Open) { _ending[hold.Offset] = hold.State.Id; }
        }
    }
}
