using System.Globalization;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Faults.Tests.Lab;

/// <summary>
/// Reads everything that is visible, read-committed, and holds it against the ingress topic: every offset has exactly one <c>decided</c> decision and exactly one outcome, in order.
/// Shares no code with the processor.
/// </summary>
internal sealed class Ledger
{
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly List<string> _problems = [];

    public int Records => _entries.Count;

    /// <summary>Decided, and no outcome is there.</summary>
    public int Lost { get; private set; }

    /// <summary>Decided more than once, or with more than one outcome.</summary>
    public int Duplicated { get; private set; }

    public int Undecided { get; private set; }

    /// <summary>Out of order, on another partition, without a record, numbers with gaps.</summary>
    public int Other { get; private set; }

    public Dictionary<string, int> Outcomes { get; } = [];

    /// <summary>Decisions by the code of their first error.</summary>
    public Dictionary<string, int> Errors { get; } = [];

    public bool Clean => Lost == 0 && Duplicated == 0 && Undecided == 0 && Other == 0;

    public string Problems => string.Join('\n', _problems.Take(20));

    /// <param name="earlier">What was read of output topics that are not there any more.</param>
    public static Ledger Read(string bootstrap, PaymentsCase payments, IReadOnlyList<LedgerRecord>? earlier = null, string? clientConfig = null)
    {
        var ledger = new Ledger();
        IReadOnlyList<LedgerRecord> all = ReadAll(bootstrap, clientConfig, payments.Raw, payments.Decisions, payments.Governed, payments.Governed + ".eu", payments.Rejected, payments.Held);
        foreach (LedgerRecord record in all.Where(record => record.Topic == payments.Raw)) { ledger._entries[$"{record.Topic}-{record.Partition}-{record.Offset}"] = new Entry(record.Partition, record.Offset); }
        ledger.TakeDecisions(all.Where(record => record.Topic == payments.Decisions));
        ledger.TakeOutputs([.. earlier ?? [], .. all.Where(record => record.Topic != payments.Raw && record.Topic != payments.Decisions)], payments);
        ledger.Count();
        return ledger;
    }

    /// <summary>Every committed record of some topics, partition by partition, to the ends they have now.</summary>
    public static IReadOnlyList<LedgerRecord> ReadAll(string bootstrap, string? clientConfig, params string[] topics)
    {
        var found = new List<LedgerRecord>();
        var config = new ConsumerConfig
        {
            BootstrapServers = bootstrap,
            GroupId = "ledger",
            EnableAutoCommit = false,
            IsolationLevel = IsolationLevel.ReadCommitted,
            EnablePartitionEof = true,
            AutoOffsetReset = AutoOffsetReset.Error,
            FetchWaitMaxMs = 50,
        };
        foreach (string line in clientConfig is null ? [] : File.ReadAllLines(clientConfig)) { config.Set(line.Split('=')[0], line.Split('=')[1]); }
        var plain = new ConsumerConfig(new Dictionary<string, string>(config)) { IsolationLevel = IsolationLevel.ReadUncommitted };
        using IConsumer<Ignore, Ignore> asker = new ConsumerBuilder<Ignore, Ignore>(plain).SetLogHandler((_, _) => { }).Build();
        using IConsumer<byte[]?, byte[]?> consumer =
            new ConsumerBuilder<byte[]?, byte[]?>(config).SetKeyDeserializer(Deserializers.ByteArray!).SetValueDeserializer(Deserializers.ByteArray!).SetLogHandler((_, _) => { }).Build();
        using IAdminClient admin = new DependentAdminClientBuilder(consumer.Handle).Build();
        var ends = new Dictionary<TopicPartition, long>();
        foreach (string topic in topics)
        {
            foreach (PartitionMetadata partition in admin.GetMetadata(topic, TimeSpan.FromSeconds(20)).Topics[0].Partitions)
            {
                // Without regard to transactions: an open one makes this wait, never miss.
                var which = new TopicPartition(topic, partition.PartitionId);
                WatermarkOffsets marks = asker.QueryWatermarkOffsets(which, TimeSpan.FromSeconds(30));
                if (marks.High > marks.Low) { ends[which] = marks.High.Value; }
            }
        }

        consumer.Assign(ends.Keys.Select(which => new TopicPartitionOffset(which, Offset.Beginning)));
        long deadline = Environment.TickCount64 + 180_000;
        while (ends.Count > 0)
        {
            Assert.True(Environment.TickCount64 < deadline, $"Not read to the end: {string.Join(", ", ends.Keys)}. Is a transaction open?");
            ConsumeResult<byte[]?, byte[]?>? result = consumer.Consume(TimeSpan.FromMilliseconds(500));
            if (result is null) { continue; }
            long reached = result.Offset.Value;
            if (!result.IsPartitionEOF)
            {
                found.Add(new LedgerRecord(result.Topic, result.Partition.Value, result.Offset.Value, result.Message.Key, result.Message.Value, result.Message.Headers, result.Message.Timestamp.UnixTimestampMs));
                reached++;
            }

            if (ends.TryGetValue(result.TopicPartition, out long end) && reached >= end) { ends.Remove(result.TopicPartition); }
        }

        return found;
    }

    private void TakeDecisions(IEnumerable<LedgerRecord> decisions)
    {
        var seqs = new Dictionary<int, long>();
        var last = new Dictionary<int, long>();
        foreach (LedgerRecord record in decisions)
        {
            JsonElement decision = JsonDocument.Parse(record.Value!).RootElement;
            string name = decision.GetProperty("event").GetString()!;
            if (name == "checkpoint") { continue; }
            long seq = decision.GetProperty("seq").GetInt64();
            if (seq != seqs.GetValueOrDefault(record.Partition) + 1) { Wrong($"{record}: seq {seq} after {seqs.GetValueOrDefault(record.Partition)}"); }
            seqs[record.Partition] = seq;
            string id = decision.GetProperty("id").GetString()!;
            if (name is "released" or "refused" or "expired")
            {
                Entry? held = _entries.GetValueOrDefault(id[..id.LastIndexOf('/')]);
                if (held is null || held.Outcome != "hold") { Wrong($"{record}: {id} ends what is not held"); }
                else { held.Ends++; }
            }

            if (name != "decided") { continue; }
            if (!_entries.TryGetValue(id, out Entry? entry))
            {
                Wrong($"{record}: {id} is decided and is not on the ingress topic");
                continue;
            }

            entry.Decided++;
            entry.Outcome = decision.GetProperty("outcome").GetString()!;
            Outcomes[entry.Outcome] = Outcomes.GetValueOrDefault(entry.Outcome) + 1;
            if (decision.TryGetProperty("errors", out JsonElement errors))
            {
                string code = errors[0].GetProperty("code").GetString()!;
                Errors[code] = Errors.GetValueOrDefault(code) + 1;
            }

            if (record.Partition != entry.Partition) { Wrong($"{record}: {id} is decided on another partition"); }
            if (entry.Offset <= last.GetValueOrDefault(entry.Partition, -1)) { Wrong($"{record}: {id} is decided after a later record"); }
            last[entry.Partition] = Math.Max(entry.Offset, last.GetValueOrDefault(entry.Partition, -1));
        }
    }

    private void TakeOutputs(IReadOnlyList<LedgerRecord> outputs, PaymentsCase payments)
    {
        var last = new Dictionary<(string, int), long>();
        foreach (LedgerRecord record in outputs)
        {
            bool held = record.Topic == payments.Held;
            if (held && record.Value is null) { continue; }
            string id = record.Header("ps-decision") ?? "";
            if (!_entries.TryGetValue(id, out Entry? entry))
            {
                Wrong($"{record} has no ingress record ({id})");
                continue;
            }

            string outcome = held ? "hold" : record.Topic == payments.Rejected ? "deny" : "allow";
            if (entry.Outcome == "hold" && !held)
            {
                entry.EndOutputs++;
                continue;
            }

            entry.Outputs++;
            if (outcome != entry.Outcome) { Wrong($"{record}: {id} is decided `{entry.Outcome}`"); }
            if (record.Partition != entry.Partition) { Wrong($"{record}: {id} is on another partition"); }
            if (entry.Offset <= last.GetValueOrDefault((record.Topic, record.Partition), -1)) { Wrong($"{record}: {id} is behind a later record"); }
            last[(record.Topic, record.Partition)] = Math.Max(entry.Offset, last.GetValueOrDefault((record.Topic, record.Partition), -1));
        }
    }

    private void Count()
    {
        foreach ((string id, Entry entry) in _entries)
        {
            if (entry.Decided == 0) { Undecided++; Note($"{id} is undecided"); }
            else if (entry.Outputs == 0 && !(entry.Ends == 1 && entry.Outcome == "hold") || entry.EndOutputs < entry.Ends) { Lost++; Note($"{id} ({entry.Outcome}) has no outcome"); }
            if (entry.Decided > 1 || entry.Outputs > 1 || entry.Ends > 1 || entry.EndOutputs > entry.Ends)
            {
                Duplicated++;
                Note(string.Create(CultureInfo.InvariantCulture, $"{id}: {entry.Decided} decisions, {entry.Outputs} outcomes, {entry.Ends} ends, {entry.EndOutputs} outcomes of ends"));
            }
        }
    }

    private void Wrong(string what)
    {
        Other++;
        Note(what);
    }

    private void Note(string what)
    {
        if (_problems.Count < 100) { _problems.Add(what); }
    }

    private sealed class Entry(int partition, long offset)
    {
        public int Partition { get; } = partition;
        public long Offset { get; } = offset;
        public int Decided { get; set; }
        public int Outputs { get; set; }
        public int Ends { get; set; }
        public int EndOutputs { get; set; }
        public string Outcome { get; set; } = "";
    }
}

/// <summary>A record as a read-committed reader saw it.</summary>
internal sealed record LedgerRecord(string Topic, int Partition, long Offset, byte[]? Key, byte[]? Value, Headers? Headers, long TimestampMs)
{
    public string? Header(string name) => Headers is not null && Headers.TryGetLastBytes(name, out byte[] value) ? Encoding.UTF8.GetString(value) : null;

    public override string ToString() => $"{Topic}-{Partition}-{Offset}";
}
