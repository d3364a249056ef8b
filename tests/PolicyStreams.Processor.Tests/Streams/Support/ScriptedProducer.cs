using Confluent.Kafka;
using PolicyStreams.Processor.Kafka;

namespace PolicyStreams.Processor.Tests.Streams.Support;

/// <summary>A transaction that was ended, as the test sees it.</summary>
internal sealed record ScriptedTransaction(IReadOnlyList<ScriptedRecord> Records, IReadOnlyList<TopicPartitionOffset> Offsets, IConsumerGroupMetadata Group, TransactionOutcome Outcome);

/// <summary>A transactional producer of a <see cref="ScriptedCluster"/>, whose transactions end as the test says.</summary>
internal sealed class ScriptedProducer(ScriptedCluster cluster) : OutputProducer
{
    private readonly List<(ScriptedRecord Record, Placement? Placed)> _open = [];

    public bool IsDisposed { get; private set; }

    public override string Id => "scripted";

    public override void Initialize(TimeSpan timeout) => cluster.Calls.Add("initialize");

    public override void Settle(TimeSpan rest) => cluster.Calls.Add($"settle {rest.TotalMilliseconds:0}");

    public override void Begin()
    {
        _open.Clear();
        Forget();
    }

    public override void Send(in OutputRecord record, Placement? placed = null)
    {
        Count(record);
        var headers = new List<(string, byte[]?)>();
        for (int i = 0; i < (record.Headers?.Count ?? 0); i++) { headers.Add((System.Text.Encoding.UTF8.GetString(record.Headers!.Name(i)), record.Headers.Value(i).ToArray())); }
        _open.Add((new ScriptedRecord(-1, record.HasKey ? record.Key.ToArray() : null, record.HasValue ? record.Value.ToArray() : null, headers, record.TimestampMs) { Topic = record.Topic, Partition = record.Partition }, placed));
    }

    public override void SendNow() => cluster.Calls.Add("send now");

    public override TransactionOutcome Commit(IReadOnlyList<TopicPartitionOffset> offsets, IConsumerGroupMetadata group)
    {
        TransactionOutcome outcome = cluster.Outcomes.TryDequeue(out TransactionOutcome said) ? said
            : _open.Exists(sent => cluster.Refuses(sent.Record)) ? TransactionOutcome.Refused
            : TransactionOutcome.Committed;
        cluster.Calls.Add("commit");
        cluster.BeginCommit();
        cluster.Transactions.Add(new ScriptedTransaction([.. _open.Select(sent => sent.Record)], offsets, group, outcome));
        if (outcome != TransactionOutcome.Committed && !(outcome == TransactionOutcome.Unknown && cluster.CommitsAlthoughUnknown))
        {
            ScriptedRecord? refused = _open.Find(sent => cluster.Refuses(sent.Record)).Record;
            LastError = $"{refused?.Topic}: {outcome}";
            RefusedPartition = refused?.Partition ?? -1;

            // A report that comes although its transaction is aborted.
            foreach ((ScriptedRecord _, Placement? placed) in _open)
            {
                if (placed is not null) { placed.Offset = 999_999; }
            }

            return outcome;
        }

        foreach ((ScriptedRecord record, Placement? placed) in _open)
        {
            long offset = cluster.Append(record.Topic, record.Partition, record.Key, record.Value, record.Headers, record.TimestampMs);
            if (placed is null) { continue; }
            placed.Offset = offset;
            placed.AppendedMs = cluster.StateKeepsBrokerTime ? cluster.BrokerMs : -1;
        }

        foreach (TopicPartitionOffset offset in offsets) { cluster.Committed[offset.TopicPartition] = offset.Offset.Value; }
        return outcome;
    }

    public override TransactionOutcome Abort()
    {
        cluster.Calls.Add("abort");
        return cluster.AbortOutcome;
    }

    public override void Poll()
    {
    }

    public override void Dispose() => IsDisposed = true;
}
