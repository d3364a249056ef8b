using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using PolicyStreams.Processor.Testing;

namespace PolicyStreams.Faults.Tests.Simulation;

/// <summary>A promise was broken, and how.</summary>
internal sealed class PromiseBrokenException(string promise, string how) : Exception($"{promise}: {how}");

/// <summary>A statement as the schedule made it.</summary>
/// <param name="Form">Why it cannot count whatever the hold says: <c>unknown-key</c>, <c>malformed</c>; empty for a good one.</param>
/// <param name="Says">The hold that it speaks of; its key may name another.</param>
/// <param name="Seen">Digests of record, policy, and view that it was made for.</param>
/// <param name="ClockMax">The furthest that the clock had been when it was appended.</param>
internal sealed record SimStatement(string HoldId, string Says, string Form, bool Approves, string Person, string Group, (string? Record, string Policy, string View) Seen, long AppendedMs, long ClockMax);

/// <summary>A hold that the model knows to be open.</summary>
internal sealed class SimHold
{
    public required int Partition { get; init; }
    public required int Offset { get; init; }
    public required string Id { get; init; }
    public required SimRecord Record { get; init; }
    public IReadOnlyList<SimTerms> Terms { get; set; } = [];

    /// <summary>Never, where it only waits behind another.</summary>
    public long ExpiresMs { get; set; }

    public List<(bool Approves, string Person, string Group)> Counted { get; } = [];

    /// <summary>Digests as the state topic shows them to an approver.</summary>
    public (string? Record, string Policy, string View) Seen { get; set; }

    /// <summary>Open holds of its key in the order of their records, itself among them; null where nobody waits behind it and it waits behind nobody.</summary>
    public List<SimHold>? Queue { get; set; }

    public bool Waits => Queue is not null && Queue[0] != this;

    public SimHold? Before => Queue is null || Queue[0] == this ? null : Queue[Queue.IndexOf(this) - 1];

    public bool Rejected => Counted.Exists(statement => !statement.Approves);

    public bool Met => !Rejected && Terms.All(terms => Counted.Where(statement => statement.Approves && terms.Admits(statement.Group)).Select(statement => statement.Person).Distinct().Count() >= terms.Quorum);
}

/// <summary>
/// What must be true of everything that the processor makes visible, checked transaction by transaction. It knows policies, masks, holds, and the audit chain by code of its own: of
/// the processor it has only what was written.
/// </summary>
internal sealed class SimModel
{
    private static readonly byte[] s_canary = Encoding.UTF8.GetBytes(SimRecord.Canary);
    private static readonly string[] s_outputs = [SimPolicy.Governed, SimPolicy.GovernedEu, SimPolicy.Rejected, SimPolicy.Held];

    private readonly Part[] _parts;

    public SimModel(int partitions, SimPolicy policy)
    {
        Policy = policy;
        _parts = [.. Enumerable.Range(0, partitions).Select(_ => new Part())];
    }

    /// <summary>In force when the transactions that come next were made.</summary>
    public SimPolicy Policy { get; set; }

    public long NowMs { get; set; }

    public long ClockMax { get; set; }

    public int Transactions { get; private set; }

    /// <summary>How often each thing came up, so that a run can say what it has looked at.</summary>
    public Dictionary<string, int> Seen { get; } = [];

    /// <summary>Decisions of event <c>decided</c> without time and number, with the version of the policy that took them.</summary>
    public List<(int Partition, int Offset, int Version, string Text)> Decided { get; } = [];

    public IReadOnlyList<SimRecord> Ingress(int partition) => _parts[partition].Ingress;

    public void Appended(int partition, SimRecord record) => _parts[partition].Ingress.Add(record);

    public void Appended(int partition, SimStatement statement) => _parts[partition].Statements.Add(statement);

    public IReadOnlyList<SimHold> OpenHolds => [.. _parts.SelectMany(part => part.Holds.Values).OrderBy(hold => hold.Partition).ThenBy(hold => hold.Offset)];

    public int DecidedNext(int partition) => _parts[partition].DecidedNext;

    /// <summary>Takes in what became visible, in the order of the transactions.</summary>
    public void Take(IReadOnlyList<DriverRecord> news, Func<int, (long Ingress, long Approvals)> committed)
    {
        foreach (IGrouping<int, DriverRecord> transaction in news.GroupBy(record => record.Transaction))
        {
            Transactions++;
            foreach (DriverRecord record in transaction) { SearchCanary(record); }
            foreach (IGrouping<int, DriverRecord> partition in transaction.GroupBy(record => record.Partition)) { Take(partition.Key, [.. partition]); }
        }

        for (int p = 0; p < _parts.Length; p++)
        {
            if (!_parts[p].Seen) { continue; }
            Require(committed(p) == (_parts[p].DecidedNext, _parts[p].ApprovalsNext), "P1", $"partition {p}: the group has committed {committed(p)}, and what is visible ends at {(_parts[p].DecidedNext, _parts[p].ApprovalsNext)}");
        }
    }

    /// <summary>After everything was delivered and done: nothing waits that need not.</summary>
    public void RequireSettled()
    {
        for (int p = 0; p < _parts.Length; p++)
        {
            Part part = _parts[p];
            Require(part.DecidedNext == part.Ingress.Count, "P1", $"partition {p}: {part.Ingress.Count - part.DecidedNext} of {part.Ingress.Count} records are undecided");
            Require(part.ApprovalsNext == part.Statements.Count, "P1", $"partition {p}: {part.Statements.Count - part.ApprovalsNext} statements are without a decision");
            foreach (SimHold hold in part.Holds.Values)
            {
                if (hold.Waits) { continue; }
                Require(!hold.Met && !hold.Rejected, "P1", $"{hold.Id} is {(hold.Met ? "met" : "rejected")} and has not ended");
                Require(hold.ExpiresMs > NowMs, "P1", $"{hold.Id} has expired and not ended");
            }
        }
    }

    /// <summary>Compares the compacted topics with what the model has open.</summary>
    public void RequireState(IReadOnlyList<DriverRecord> state, IReadOnlyList<DriverRecord> held)
    {
        string[] open = [.. OpenHolds.Select(hold => hold.Id).Order(StringComparer.Ordinal)];
        Require(Live(state).Where(key => key != "head").SequenceEqual(open), "P1", "the state topic has other holds than are open");
        Require(Live(held).SequenceEqual(open), "P1", "the held topic has other holds than are open");

        static IEnumerable<string> Live(IReadOnlyList<DriverRecord> records) =>
            records.GroupBy(record => record.KeyText).Where(key => key.Last().Value is not null).Select(key => key.Key).Order(StringComparer.Ordinal);
    }

    private void Take(int partition, List<DriverRecord> records)
    {
        Part part = _parts[partition];
        part.Seen = true;
        var expected = s_outputs.ToDictionary(topic => topic, _ => new List<Expected>());
        var ended = new HashSet<string>();
        var written = new HashSet<string>();
        var leaves = new List<byte[]>();
        bool closed = false;
        foreach (DriverRecord record in records.Where(record => record.Topic == SimPolicy.Decisions))
        {
            Require(!closed, "P1", $"partition {partition}: a decision behind the transaction's checkpoint");
            JsonElement decision = JsonDocument.Parse(record.Value!).RootElement;
            string name = decision.GetProperty("event").GetString()!;
            if (name == "checkpoint")
            {
                closed = true;
                Checkpoint(part, partition, record, decision, leaves);
                continue;
            }

            leaves.Add(record.Value!);
            part.Seq++;
            Require(decision.GetProperty("seq").GetInt64() == part.Seq, "P1", $"partition {partition}: seq {decision.GetProperty("seq")} where {part.Seq} follows");
            Require(record.KeyText == decision.GetProperty("id").GetString(), "P1", $"{record} is not under its id");
            Saw(name);
            switch (name)
            {
                case "policy":
                    Require(decision.GetProperty("digest").GetString() == Policy.Digest && part.Announced != Policy.Digest, "P1", $"{record}: announces a policy that is not new");
                    part.Announced = Policy.Digest;
                    break;
                case "decided":
                    OnDecided(part, partition, decision, expected, written);
                    break;
                case "approval":
                    OnApproval(part, partition, decision, written);
                    break;
                default:
                    OnEnd(part, partition, name, decision, expected, ended, written);
                    break;
            }
        }

        Require(closed == leaves.Count > 0, "P1", $"partition {partition}: decisions without a checkpoint");
        foreach ((string topic, List<Expected> wanted) in expected) { Compare(topic, partition, wanted, [.. records.Where(record => record.Topic == topic && (topic != SimPolicy.Held || record.Value is not null))]); }
        CompareState(part, partition, records, ended, written);
    }

    private void OnDecided(Part part, int partition, JsonElement decision, Dictionary<string, List<Expected>> expected, HashSet<string> written)
    {
        int offset = part.DecidedNext;
        string id = $"{SimPolicy.Ingress}-{partition}-{offset}";
        Require(decision.GetProperty("id").GetString() == id, "P1", $"{decision.GetProperty("id")} is decided where {id} is next: one was passed over, repeated, or overtaken");
        Require(offset < part.Ingress.Count, "P1", $"{id} is decided and is not on the ingress topic");
        part.DecidedNext++;
        SimRecord record = part.Ingress[offset];
        SimVerdict verdict = Policy.Judge(record);
        List<SimHold>? queue = record.Key is null ? null : part.Queues.GetValueOrDefault(record.Key);
        string outcome = queue is null ? verdict.Outcome : "hold";
        RequireVerdict(id, decision, verdict, outcome);
        RequireBehind(id, decision, queue?[^1]);
        Decided.Add((partition, offset, Policy.Version, Plain(decision)));
        Expected output = outcome switch
        {
            "allow" => new Expected(id, verdict.Key, verdict.Value, verdict.HeaderSsn, verdict.Tag, record),
            "deny" => new Expected(id, record.KeyBytes, record.Value, null, null, record),
            _ => new Expected(id, Encoding.UTF8.GetBytes(id), record.Value, null, null, record),
        };
        expected[outcome == "hold" ? SimPolicy.Held : verdict.To].Add(output);
        if (outcome != "hold") { return; }
        IReadOnlyList<SimTerms> terms = verdict.Outcome == "hold" ? verdict.Terms : [];
        var hold = new SimHold { Partition = partition, Offset = offset, Id = id, Record = record, Terms = terms, ExpiresMs = Expiry(decision, terms) };
        part.Holds[offset] = hold;
        if (queue is not null || (record.Key is not null && terms.Any(term => term.ByKey))) { part.Join(hold); }
        written.Add(id);
    }

    private static long Expiry(JsonElement decision, IReadOnlyList<SimTerms> terms) =>
        terms.Count == 0 ? long.MaxValue : decision.GetProperty("time").GetDateTimeOffset().ToUnixTimeMilliseconds() + terms.Min(term => term.ExpiresMs);

    private void RequireBehind(string id, JsonElement decision, SimHold? before)
    {
        string? behind = decision.TryGetProperty("behind", out JsonElement said) ? said.GetString() : null;
        Saw(behind is null ? "first" : "behind");
        Require(behind == before?.Id, "P3", $"{id} is behind `{behind}` where `{before?.Id}` is right");
    }

    private void OnApproval(Part part, int partition, JsonElement decision, HashSet<string> written)
    {
        int offset = part.ApprovalsNext++;
        Require(offset < part.Statements.Count, "P1", $"{decision.GetProperty("id")} speaks of a statement that is not there");
        SimStatement statement = part.Statements[offset];
        string id = statement.HoldId.StartsWith($"{SimPolicy.Ingress}-{partition}-", StringComparison.Ordinal) ? $"{statement.HoldId}/a-{offset}" : $"{SimPolicy.Approvals}-{partition}-{offset}";
        Require(decision.GetProperty("id").GetString() == id, "P1", $"{decision.GetProperty("id")} where {id} is next");
        SimHold? hold = part.Holds.Values.FirstOrDefault(open => open.Id == statement.HoldId);
        string why = Weigh(statement, hold);
        bool counted = decision.GetProperty("counted").GetBoolean();
        string said = counted ? "" : decision.GetProperty("why").GetString()!;
        Require(said == why, "P1", $"{id} says `{said}` where `{why}` is right");
        Saw(counted ? "counted" : why);
        if (!counted) { return; }
        hold!.Counted.Add((statement.Approves, statement.Person, statement.Group));
        written.Add(hold.Id);
    }

    private static string Weigh(SimStatement statement, SimHold? hold)
    {
        if (statement.Form.Length > 0) { return statement.Form; }
        if (hold is null) { return "unknown-hold"; }
        if (statement.Says != hold.Id) { return "wrong-hold"; }
        if (statement.Seen != hold.Seen) { return "digest-mismatch"; }
        if (statement.AppendedMs >= hold.ExpiresMs) { return "late"; }
        if (!hold.Terms.Any(terms => terms.Admits(statement.Group))) { return "unentitled"; }
        return hold.Counted.Contains((statement.Approves, statement.Person, statement.Group)) || hold.Counted.Exists(earlier => earlier.Person == statement.Person && earlier.Approves == statement.Approves) ? "repeat" : "";
    }

    private void OnEnd(Part part, int partition, string name, JsonElement decision, Dictionary<string, List<Expected>> expected, HashSet<string> ended, HashSet<string> written)
    {
        string full = decision.GetProperty("id").GetString()!;
        string id = full[..full.LastIndexOf('/')];
        SimHold? hold = part.Holds.Values.FirstOrDefault(open => open.Id == id);
        Require(hold is not null, "P1", $"{full} ({name}) ends a hold that is not open");
        Require(!hold.Waits, "P3", $"{full} ({name}) before {hold.Before?.Id}, which is of the same key");
        bool expired = !hold.Met && !hold.Rejected;
        if (expired)
        {
            Require(ClockMax >= hold.ExpiresMs, "P1", $"{full} ({name}) before it was met and before its time");
            int unread = part.Statements.FindIndex(part.ApprovalsNext, statement => statement.HoldId == id && statement.AppendedMs < hold.ExpiresMs && statement.ClockMax < hold.ExpiresMs);
            Require(unread < 0, "P1", $"{full} ({name}) although statement {unread} had come in time");
        }

        SimVerdict again = Policy.Judge(hold.Record);
        SimVerdict release = Policy.Judge(hold.Record, release: true);
        bool deniedByTerms = hold.Rejected || (expired && hold.Terms.Any(terms => !terms.AllowOnExpiry));
        string wanted = deniedByTerms ? (hold.Rejected ? "refused" : "expired")
            : again.Outcome == "deny" ? "refused"
            : again.Outcome == "hold" && !again.Terms.SequenceEqual(hold.Terms) ? "reheld"
            : expired ? "expired" : "released";
        Require(name == wanted, "P1", $"{full} is `{name}` where `{wanted}` is right");
        if (name == "reheld")
        {
            Require(full == $"{id}/r-{part.Seq}", "P1", $"{full} where {id}/r-{part.Seq} is right");
            RequireVerdict(full, decision, again, "hold");
            bool byKey = hold.Record.Key is not null && again.Terms.Any(term => term.ByKey);
            if (hold.Queue is null && byKey) { part.Join(hold); }
            else if (hold.Queue is { } queue && queue[^1] == hold && !byKey) { part.Leave(hold); }

            RequireBehind(full, decision, hold.Before);
            expected[SimPolicy.Held].Add(new Expected(id, Encoding.UTF8.GetBytes(id), hold.Record.Value, null, null, hold.Record));
            hold.Terms = again.Terms;
            hold.ExpiresMs = Expiry(decision, again.Terms);
            hold.Counted.Clear();
            hold.Seen = (null, "", "");
            written.Add(id);
            return;
        }

        Require(full == id + "/end", "P1", $"{full} where {id}/end is right");
        bool published = !deniedByTerms && release.Outcome == "allow";
        Require(decision.GetProperty("outcome").GetString() == (published ? "allow" : "deny"), "P1", $"{full}: outcome {decision.GetProperty("outcome")}");
        expected[published ? release.To : SimPolicy.Rejected].Add(published
            ? new Expected(id, release.Key, release.Value, release.HeaderSsn, release.Tag, hold.Record)
            : new Expected(id, hold.Record.KeyBytes, hold.Record.Value, null, null, hold.Record));
        part.Holds.Remove(hold.Offset);
        part.Leave(hold);
        ended.Add(id);
        written.Remove(id);
    }

    private void RequireVerdict(string id, JsonElement decision, SimVerdict verdict, string outcome)
    {
        string promise = verdict.Error is null ? "P1" : "P4";
        Require(decision.GetProperty("outcome").GetString() == outcome, promise, $"{id}: outcome {decision.GetProperty("outcome")} where {outcome} is right");
        Require(decision.GetProperty("digest").GetString() == Policy.Digest, "P1", $"{id}: decided by another policy than the one in force");
        string rules = decision.TryGetProperty("rules", out JsonElement list) ? string.Join(',', list.EnumerateArray().Select(rule => rule.GetString())) : "";
        Require(rules == verdict.Rules, promise, $"{id}: rules {rules} where {verdict.Rules} is right");
        string? error = decision.TryGetProperty("errors", out JsonElement errors) ? errors[0].GetProperty("code").GetString() : null;
        Require(error == verdict.Error, "P4", $"{id}: error {error} where {verdict.Error} is right");
    }

    private static void Compare(string topic, int partition, List<Expected> wanted, DriverRecord[] found)
    {
        for (int i = 0; i < Math.Max(wanted.Count, found.Length); i++)
        {
            if (i >= wanted.Count) { throw new PromiseBrokenException("P1", $"{found[i]} is on {topic} without a decision in its transaction"); }
            if (i >= found.Length) { throw new PromiseBrokenException("P1", $"{wanted[i].Id} is decided for {topic}-{partition} and is not there in the same transaction"); }
            Expected want = wanted[i];
            DriverRecord record = found[i];
            Require(record.Header("ps-decision") == want.Id, "P3", $"{record} is {record.Header("ps-decision")} where {want.Id} is next");
            Require(record.Headers.Count(header => header.Key == "ps-decision") == 1, "P1", $"{record}: a producer's ps-decision was passed on");
            Require(Same(record.Key, want.Key), "P2", $"{record}: not the key that must be written");
            Require(Same(record.Value, topic == SimPolicy.Held ? want.Value ?? [] : want.Value), "P2", $"{record}: not the value that must be written");
            Require(record.TimestampMs == want.Record.TimestampMs, "P1", $"{record}: not the ingress record's timestamp");
            Require(record.Header("trace") == $"t-{want.Record.Id[2..]}", "P1", $"{record}: the producer's header is lost");
            Require(record.Header("ssn") == (want.Ssn ?? $"{SimRecord.Canary}-{want.Record.Id[2..]}"), "P2", $"{record}: header `ssn` is not what must be written");
            Require(record.Header("ps-tag-source") == want.Tag, "P1", $"{record}: another tag");
        }
    }

    private static string Stand(DriverRecord head)
    {
        JsonElement text = JsonDocument.Parse(head.Value!).RootElement;
        return $"{text.GetProperty("next")} {text.GetProperty("seq")} {text.GetProperty("checkpoint")}";
    }

    private void CompareState(Part part, int partition, List<DriverRecord> records, HashSet<string> ended, HashSet<string> written)
    {
        DriverRecord[] state = [.. records.Where(record => record.Topic == SimPolicy.State)];
        DriverRecord? head = state.LastOrDefault();
        int heads = state.Count(record => record.KeyText == "head");
        Require(head?.KeyText == "head" && heads <= 2, "P1", $"partition {partition}: the transaction does not end with its head");

        JsonElement text = JsonDocument.Parse(head.Value!).RootElement;
        JsonElement next = text.GetProperty("next");
        Require((next.GetProperty("ingress").GetInt64(), next.GetProperty("approvals").GetInt64()) == (part.DecidedNext, part.ApprovalsNext), "P1", $"{head}: {next} where {(part.DecidedNext, part.ApprovalsNext)} is right");
        Require(text.GetProperty("seq").GetInt64() == part.Seq && text.GetProperty("checkpoint").GetString() == part.Checkpoint, "P1", $"{head}: not the chain that was written");

        // It may also begin with one: that of the transaction before.
        Require(heads < 2 || (state[0].KeyText == "head" && (part.Head is null || part.Head == Stand(state[0]))), "P1", $"partition {partition}: the transaction begins with another head than the last one's");
        part.Head = Stand(head);
        foreach (string id in ended)
        {
            Require(state.LastOrDefault(record => record.KeyText == id) is { Value: null }, "P1", $"{id} has ended, and the state topic still has it");
            Require(records.LastOrDefault(record => record.Topic == SimPolicy.Held && record.KeyText == id) is { Value: null }, "P1", $"{id} has ended, and the held topic still has it");
        }

        foreach (string id in written)
        {
            DriverRecord? last = state.LastOrDefault(record => record.KeyText == id);
            Require(last?.Value is not null, "P1", $"{id} changed, and the state topic does not say so");
            JsonElement shown = JsonDocument.Parse(last.Value).RootElement;
            SimHold hold = part.Holds.Values.First(open => open.Id == id);
            Require(shown.GetProperty("statements").GetArrayLength() == hold.Counted.Count, "P1", $"{id}: the state topic has {shown.GetProperty("statements").GetArrayLength()} statements where {hold.Counted.Count} counted");
            long expires = shown.TryGetProperty("expires", out JsonElement at) ? at.GetDateTimeOffset().ToUnixTimeMilliseconds() : long.MaxValue;
            Require(expires == hold.ExpiresMs, "P1", $"{id}: another expiry than its terms give");
            hold.Seen = (shown.TryGetProperty("record", out JsonElement record) ? record.GetString() : null, shown.GetProperty("digest").GetString()!, shown.GetProperty("view_digest").GetString()!);
        }
    }

    private static void Checkpoint(Part part, int partition, DriverRecord record, JsonElement checkpoint, List<byte[]> leaves)
    {
        Require(record.KeyText == $"checkpoint/{SimPolicy.Ingress}-{partition}", "P1", $"{record}: a checkpoint under another key");
        Require(checkpoint.GetProperty("from").GetInt64() == part.Seq - leaves.Count + 1 && checkpoint.GetProperty("to").GetInt64() == part.Seq, "P1", $"{record}: not the range of its decisions");
        Require(checkpoint.GetProperty("root").GetString() == Base64Url.EncodeToString(Merkle.Root(leaves, 0, leaves.Count)), "P1", $"{record}: not the Merkle root of its decisions");
        Require(checkpoint.GetProperty("previous").GetString() == part.Checkpoint, "P1", $"{record}: does not follow the checkpoint before it");
        part.Checkpoint = Base64Url.EncodeToString(SHA256.HashData(record.Value!));
    }

    private void Saw(string what) => Seen[what] = Seen.GetValueOrDefault(what) + 1;

    /// <summary>Masked text may be only where original bytes are.</summary>
    private static void SearchCanary(DriverRecord record)
    {
        if (record.Topic is SimPolicy.Held or SimPolicy.Rejected) { return; }
        bool found = Has(record.Key) || Has(record.Value) || record.Headers.Any(header => Has(header.Value));
        Require(!found, "P2", $"{record}: plaintext of a masked field");

        static bool Has(byte[]? bytes) => bytes is not null && bytes.AsSpan().IndexOf(s_canary) >= 0;
    }

    /// <summary>The decision's own text without what may differ: when, and its number.</summary>
    public static string Plain(JsonElement decision) =>
        string.Join('\n', decision.EnumerateObject().Where(member => member.Name is not ("time" or "seq")).Select(member => $"{member.Name}={member.Value.GetRawText()}"));

    private static bool Same(byte[]? some, byte[]? others) => some is null ? others is null : others is not null && some.AsSpan().SequenceEqual(others);

    private static void Require([System.Diagnostics.CodeAnalysis.DoesNotReturnIf(false)] bool holds, string promise, [System.Runtime.CompilerServices.InterpolatedStringHandlerArgument(nameof(holds))] ref BrokenText how)
    {
        if (!holds) { throw new PromiseBrokenException(promise, how.ToString()); }
    }

    private static void Require([System.Diagnostics.CodeAnalysis.DoesNotReturnIf(false)] bool holds, string promise, string how)
    {
        if (!holds) { throw new PromiseBrokenException(promise, how); }
    }

    private sealed record Expected(string Id, byte[]? Key, byte[]? Value, string? Ssn, string? Tag, SimRecord Record);

    private sealed class Part
    {
        public List<SimRecord> Ingress { get; } = [];
        public List<SimStatement> Statements { get; } = [];
        public Dictionary<int, SimHold> Holds { get; } = [];
        public Dictionary<string, List<SimHold>> Queues { get; } = [];
        public int DecidedNext { get; set; }
        public int ApprovalsNext { get; set; }
        public long Seq { get; set; }
        public string Checkpoint { get; set; } = "";
        public string? Head { get; set; }
        public string Announced { get; set; } = "";
        public bool Seen { get; set; }

        public void Join(SimHold hold)
        {
            if (!Queues.TryGetValue(hold.Record.Key!, out List<SimHold>? queue)) { Queues[hold.Record.Key!] = queue = []; }
            queue.Insert(queue.Count(other => other.Offset < hold.Offset), hold);
            hold.Queue = queue;
        }

        public void Leave(SimHold hold)
        {
            if (hold.Queue is not { } queue) { return; }
            queue.Remove(hold);
            if (queue.Count == 0) { Queues.Remove(hold.Record.Key!); }
            hold.Queue = null;
        }
    }
}

/// <summary>The text of a broken promise, spelled only where one is.</summary>
[System.Runtime.CompilerServices.InterpolatedStringHandler]
internal ref struct BrokenText
{
    private System.Runtime.CompilerServices.DefaultInterpolatedStringHandler _text;

    public BrokenText(int literals, int holes, bool holds, out bool spell)
    {
        spell = !holds;
        _text = holds ? default : new System.Runtime.CompilerServices.DefaultInterpolatedStringHandler(literals, holes, CultureInfo.InvariantCulture);
    }

    public void AppendLiteral(string text) => _text.AppendLiteral(text);

    public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);

    public override readonly string ToString() => _text.ToString();
}
