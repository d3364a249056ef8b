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

    // By expiry. An entry whose hold is gone or was held again is passed over.
    private readonly PriorityQueue<string, long> _expiries = new();

    // Holds that are met, rejected, or expired, and whose turn it is: their end is to be written. By offset.
    private readonly SortedDictionary<long, string> _ending = [];

    // Of those, the ones whose record is in the open transaction, where it cannot be read back: they end in the next.
    private readonly List<TaskHold> _endAfterCommit = [];

    // Holds that expire at or before this have expired: the clock was past it, and approvals had been consumed to an end fetched after that.
    private long _expiredMs;
    private long _expiredCommittedMs;

    private string _refusedEnd = "";
    private long _refusedStatement = -1;

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

    /// <summary>The hold that <see cref="EndHolds"/> ended last, or tried to; empty before the first.</summary>
    public string LastEnd { get; private set; } = "";

    /// <summary>True where no more holds may be opened.</summary>
    public bool IsFull => _holds.Count >= _context.Limits.HoldsMax;

    /// <summary>True once enough holds have ended after <see cref="IsFull"/> that taking records again is worth while.</summary>
    public bool HasRoom => _holds.Count <= _context.Limits.HoldsMax - Math.Max(1, _context.Limits.HoldsMax / 20);

    /// <summary>A schema that a release needs and the binding does not know yet; null for none. Cleared by <see cref="EndHolds"/>.</summary>
    public JudgeResult? ReleaseNeeds { get; private set; }

    /// <summary>Says that the broker refused what ends this hold, alone in its transaction: it is ended as denied for that.</summary>
    /// <returns>False where it was denied for that already, and what is refused is the denial.</returns>
    public bool RefuseEnd(string holdId)
    {
        bool again = _refusedEnd == holdId;
        _refusedEnd = holdId;
        return RefuseTime(again);
    }

    /// <summary>The same for a statement, whose hold grew too large for the state topic by it: it is not counted.</summary>
    public bool RefuseStatement(long offset)
    {
        if (_refusedStatement == offset) { return false; }
        _refusedStatement = offset;
        return true;
    }

    /// <summary>The state with those parts shared that other holds have as well.</summary>
    public HoldState Share(HoldState state) => _context.Pool.Share(state);

    /// <summary>Puts back a hold read from the state topic. For restore, before <see cref="Start"/>, in the order of their offsets.</summary>
    /// <param name="key">Digest of its record's key, where it is one of a queue.</param>
    public void RestoreHold(TaskHold hold, UInt128? key)
    {
        _holds[hold.State.Id] = hold;
        if (hold.State.Ordered && key is { } of)
        {
            if (!_queues.TryGetValue(of, out KeyQueue? queue)) { _queues[of] = queue = new KeyQueue(of); }
            queue.Link(hold);
        }

        KeepView(hold);
    }

    /// <summary>Judges one statement from the approvals topic: counted or not, it is a decision, and it may end its hold.</summary>
    /// <param name="appendedMs">The broker's LogAppendTime.</param>
    /// <returns><see cref="TaskStep.NotNow"/> where the hold's state cannot be read back now: nothing was done.</returns>
    public TaskStep Statement(long offset, long appendedMs, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (offset < _now.NextApprovals) { return TaskStep.Skipped; }
        long nowMs = _context.Time.GetUtcNow().ToUnixTimeMilliseconds();
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
                    : tally == TallyOutcome.Counted ? offset == _refusedStatement ? "output-refused" : "" : tally.Code();
            }
        }

        bool counted = why.Length == 0;
        HoldState? whole = null;
        if (counted && !TryWhole(hold!, out whole)) { return TaskStep.NotNow; }
        Touch();
        WriteApproval(holdId, offset, nowMs, hold, statement, counted, why);
        _now = _now with { NextApprovals = offset + 1 };
        if (!counted) { return TaskStep.Done; }
        Change(hold!, HoldTally.Add(whole!, statement!, offset, appendedMs));
        _context.Observer.HoldEvent("approval", holdId);

        // What is met may wait for its bytes, or its turn; were the process to end before, a restore finds it met again.
        WriteHold(hold!, nowMs);
        if (HoldTally.Standing(hold!.State) != HoldStanding.Open && !hold.Waits) { AddEnding(hold); }
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
        while (_expiries.TryPeek(out string? id, out long expires) && expires <= _expiredMs)
        {
            _expiries.Dequeue();
            if (!_holds.TryGetValue(id, out TaskHold? hold) || hold.State.ExpiresMs != expires) { continue; }
            _journal.Add(new HoldChange(ChangeKind.ExpiryTaken, hold, Number: expires));

            // One that waits behind another is looked at again when its turn comes.
            if (!hold.Waits) { AddEnding(hold); }
        }

        int ended = 0;
        while (ended < most && _ending.Count > 0)
        {
            (long offset, string id) = _ending.First();
            if (!_holds.TryGetValue(id, out TaskHold? hold) || hold.Waits)
            {
                RemoveEnding(offset, id);
                continue;
            }

            if (hold.HeldAt is not null)
            {
                RemoveEnding(offset, id);
                _endAfterCommit.Add(hold);
                continue;
            }

            if (!_context.HeldReader.TryRead(_topics.Held, Partition, hold, _context.Held, out bool found)) { break; }
            RemoveEnding(offset, id);
            LastEnd = id;
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
        if (check is HeldCheck.Missing or HeldCheck.Altered or HeldCheck.NoSealKey && !hold.Alarmed)
        {
            hold.Alarmed = true;
            string where = string.Create(CultureInfo.InvariantCulture, $"{_topics.Held}-{Partition}-{hold.HeldOffset}");
            _context.Observer.Alarm(check switch
            {
                HeldCheck.Missing => $"the held record of {hold.State.Id} is not on {_topics.Held}; it is never released",
                HeldCheck.NoSealKey => $"the held record of {hold.State.Id} ({where}) is sealed with key `{held.SealedBy}`, which is not given; it is not released until --key {held.SealedBy}=… gives it and the processor is started again",
                _ => $"the held record of {hold.State.Id} ({where}) fails its check: it was altered, or written by somebody else; it is never released",
            });
        }

        bool expired = hold.State.ExpiresMs <= _expiredMs;
        HoldStanding standing = HoldTally.Standing(hold.State);
        RecordInput input = HeldInput(hold, held, found);
        if (check != HeldCheck.Good)
        {
            // Met or not, what cannot be checked is never released: it stays until it expires, and is then refused with what was found.
            // What only waited behind another has no time of its own: it waits for a key that is not given, and no longer for bytes that are lost.
            bool keyIsMissing = check is HeldCheck.NoKey or HeldCheck.NoSealKey;
            bool stays = hold.State.ExpiresMs is null ? keyIsMissing : !expired && standing != HoldStanding.Rejected;
            if (stays) { return true; }
            string code = check switch { HeldCheck.NoKey => "no-hold-key", HeldCheck.NoSealKey => "no-seal-key", _ => "held-record-altered" };
            bool denies = hold.State.Terms.Any(term => term.OnExpiry == OnExpiry.Deny);
            EndDenied(hold, input, expired ? "expired" : "refused", nowMs, check == HeldCheck.NoKey && denies ? null : new DecisionError("ps:hold", code), held.SealedBy);
            return true;
        }

        if (hold.State.Id == _refusedEnd)
        {
            Verdict verdict = _context.Verdict;
            _context.Judge.Deny(_binding, input, "ps:output-refused", "refused-by-broker", verdict);
            Refuse(hold, input, verdict, nowMs);
        }
        else if (standing == HoldStanding.Rejected)
        {
            EndDenied(hold, input, "refused", nowMs, null);
        }
        else if (standing == HoldStanding.Open && expired && hold.State.Terms.Any(term => term.OnExpiry == OnExpiry.Deny))
        {
            EndDenied(hold, input, "expired", nowMs, null);
        }
        else if (standing == HoldStanding.Met || expired)
        {
            return Release(hold, input, standing == HoldStanding.Met ? "released" : "expired", nowMs);
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
            AddEnding(hold);
            return false;
        }

        if (verdict.Outcome == Outcome.Deny)
        {
            Refuse(hold, input, verdict, nowMs);
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

    private void Refuse(TaskHold hold, in RecordInput input, Verdict verdict, long nowMs)
    {
        ReadOnlySpan<byte> rejected = SendRejected(input, verdict, withOwnTime: hold.State.Id == _refusedEnd && _refusedTime);
        WriteDecision(input, verdict, "refused", "/end", nowMs, rejected);
        RemoveHold(hold, "refused", nowMs);
    }

    private void HoldAgain(TaskHold hold, in RecordInput input, Verdict verdict, long nowMs)
    {
        HoldTerms[] terms = [.. verdict.Holds];
        byte[] view = MaskedView(input, verdict, out string? key);

        // Its turn has come: it waits behind nobody. Records of its key wait behind it while there are some, or while its terms say so.
        bool keyScoped = input.HasKey && IsKeyScoped(terms);
        if (hold.Queue is null && keyScoped) { Join(hold, QueueOfKey(KeyQueue.KeyOf(input.Key))); }
        else if (hold.Queue is { } queue && queue.Last == hold && !keyScoped) { Leave(hold); }

        // An earlier hold of the key may be open: then it waits behind that one now.
        Change(hold, _context.Pool.Share(hold.State with
        {
            Digest = _binding.Policy.Digest,
            Policy = _binding.Policy.Document.Name,
            Rules = [.. verdict.Rules],
            Reasons = [.. verdict.Reasons],
            Terms = terms,
            DecidedMs = nowMs,
            ExpiresMs = ExpiryOf(terms, nowMs),
            Behind = hold.Before?.State.Id,
            Ordered = hold.Queue is not null,
            Key = key,
            Reheld = hold.State.Reheld + 1,
            View = view,
            ViewDigest = HoldState.DigestOf(view),
            Record = _context.HoldHmac?.Compute(hold.State.Id, input.HasKey, input.Key, input.Headers, input.HasValue, input.Value, input.TimestampMs, terms),
            Statements = [],
        }));
        ReadOnlySpan<byte> written = SendHeldRecord(input, hold, verdict.Rules, verdict.Reasons);

        // Announced first: the announcement takes a number of its own, and the id carries the decision's.
        AnnouncePolicy(nowMs);
        WriteDecision(input, verdict, "reheld", string.Create(CultureInfo.InvariantCulture, $"/r-{_chain.NextSeq}"), nowMs, written, hold.State.Behind);
        WriteHold(hold, nowMs);
        if (hold.State.ExpiresMs is { } expires) { _expiries.Enqueue(hold.State.Id, expires); }
        _context.Observer.HoldEvent("reheld", hold.State.Id);
    }

    private void EndDenied(TaskHold hold, in RecordInput input, string eventName, long nowMs, DecisionError? error, string sealedBy = "")
    {
        Verdict verdict = _context.Verdict;
        verdict.SetEnded(_binding, hold.State.Rules, hold.State.Reasons, hold.State.Schema, _topics.Rejected);
        if (error is { } found) { verdict.Errors.Add(found); }
        ReadOnlySpan<byte> rejected = SendRejected(input, verdict, sealedBy);
        WriteDecision(input, verdict, eventName, "/end", nowMs, rejected);
        RemoveHold(hold, eventName, nowMs);
    }

    private void RemoveHold(TaskHold hold, string eventName, long nowMs)
    {
        _journal.Add(new HoldChange(ChangeKind.Removed, hold));
        _holds.Remove(hold.State.Id);
        DropView(hold);
        TaskHold? next = hold.Next;
        Leave(hold);
        if (next is not null && (HoldTally.Standing(next.State) != HoldStanding.Open || next.State.ExpiresMs <= _expiredMs)) { AddEnding(next); }
        byte[] key = DigestText.Utf8(hold.State.Id);
        SendState(key, default, nowMs, tombstone: true);
        _context.Sink.Send(new Kafka.OutputRecord { Topic = _topics.Held, Partition = Partition, HasKey = true, Key = key, TimestampMs = nowMs, OwnTime = true });
        _context.Observer.HoldEvent(eventName, hold.State.Id);
    }

    private void PutHold(TaskHold hold, KeyQueue? queue, long nowMs)
    {
        _journal.Add(new HoldChange(ChangeKind.Added, hold));
        _holds[hold.State.Id] = hold;
        if (queue is not null) { Join(hold, queue); }
        if (hold.State.ExpiresMs is { } expires) { _expiries.Enqueue(hold.State.Id, expires); }
        WriteHold(hold, nowMs);
        _context.Observer.HoldEvent("held", hold.State.Id);
    }

    private void WriteHold(TaskHold hold, long nowMs)
    {
        _context.State.Clear();
        hold.State.Write(_context.State);
        hold.StateAt = new Kafka.Placement();
        _placed.Add(hold);
        SendState(DigestText.Utf8(hold.State.Id), _context.State.Written, nowMs, hold.StateAt);
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

    private enum HeldCheck { Good, NoKey, NoSealKey, Altered, Missing }

    /// <summary>Opens the held record where it is sealed, and checks that it is what was held.</summary>
    private HeldCheck Check(TaskHold hold, HeldRecord held, bool found)
    {
        if (!found) { return HeldCheck.Missing; }
        if (held.SealedBy.Length > 0)
        {
            switch (_context.Seals.TryOpen(held.SealedBy, DigestText.Utf8(hold.State.Id), held.Value, out byte[] open))
            {
                case SealOutcome.NoKey: return HeldCheck.NoSealKey;
                case SealOutcome.Damaged: return HeldCheck.Altered;
            }

            held.Value = open;
            held.SealedBy = "";
        }

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
}
