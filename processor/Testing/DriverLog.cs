using System.Text;
using Confluent.Kafka;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Testing;

/// <summary>The driver's topics: lists in memory, with one open transaction.</summary>
internal sealed class DriverLog : IRecordSink, IHeldReader, ITaskObserver
{
    private readonly Dictionary<(string Topic, int Partition), DriverPartition> _partitions = [];
    private readonly Dictionary<string, List<DriverRecord>> _topics = new(StringComparer.Ordinal);
    private readonly List<DriverRecord> _news = [];
    private readonly List<DriverRecord> _open = [];
    private readonly List<(Placement Placed, long Offset)> _reports = [];
    private readonly List<string> _alarms = [];

    private int _transactions;

    public IReadOnlyList<string> Alarms => _alarms;

    /// <summary>The process ends at this many further sends from now; -1 for never.</summary>
    public int SendsLeft { get; set; } = -1;

    /// <summary>False stands for a held topic that cannot be read now.</summary>
    public bool HeldReadable { get; set; } = true;

    /// <summary>True lets delivery reports come only when the transaction ends, as a client may.</summary>
    public bool ReportsLate { get; set; }

    public DriverRecord Append(string topic, int partition, byte[]? key, byte[]? value, IReadOnlyList<KeyValuePair<string, byte[]?>> headers, long timestampMs)
    {
        var record = new DriverRecord(topic, partition, Partition(topic, partition).Next++, key, value, headers, timestampMs);
        Append(record);
        return record;
    }

    public void Send(in OutputRecord record, Placement? placed = null)
    {
        if (SendsLeft == 0) { throw new DriverCrashException(); }
        if (SendsLeft > 0) { SendsLeft--; }
        var headers = new List<KeyValuePair<string, byte[]?>>();
        for (int i = 0; i < (record.Headers?.Count ?? 0); i++)
        {
            headers.Add(new(Encoding.UTF8.GetString(record.Headers!.Name(i)), record.Headers.IsNull(i) ? null : record.Headers.Value(i).ToArray()));
        }

        // As on a broker: an offset is given when the record arrives, and an aborted one leaves a gap.
        long offset = Partition(record.Topic, record.Partition).Next++;
        if (placed is not null)
        {
            _reports.Add((placed, offset));
            if (!ReportsLate) { Report(); }
        }

        _open.Add(new DriverRecord(record.Topic, record.Partition, offset, record.HasKey ? record.Key.ToArray() : null, record.HasValue ? record.Value.ToArray() : null, headers, record.TimestampMs));
    }

    public void Commit()
    {
        Report();
        if (_open.Count > 0) { _transactions++; }
        foreach (DriverRecord record in _open)
        {
            DriverRecord visible = record with { Transaction = _transactions };
            Append(visible);
            _news.Add(visible);
        }

        End();
    }

    public void Abort()
    {
        Report();
        End();
    }

    public IReadOnlyList<DriverRecord> Read(string topic) => [.. Topic(topic)];

    public IReadOnlyList<DriverRecord> Read(string topic, int partition) => [.. Partition(topic, partition).Records];

    public IReadOnlyList<DriverRecord> From(string topic, int partition, long offset) => [.. Partition(topic, partition).Records.Where(record => record.Offset >= offset)];

    /// <summary>The first record at or behind an offset; null where there is none.</summary>
    public DriverRecord? Next(string topic, int partition, long offset)
    {
        List<DriverRecord> records = Partition(topic, partition).Records;
        int at = IndexOf(records, offset);
        return at < records.Count ? records[at] : null;
    }

    public long End(string topic, int partition) => Partition(topic, partition).Next;

    /// <summary>What transactions made visible since the last call.</summary>
    public IReadOnlyList<DriverRecord> TakeNews()
    {
        DriverRecord[] news = [.. _news];
        _news.Clear();
        return news;
    }

    /// <summary>Keeps the last record of each key, as the broker's cleaner does; offsets stay.</summary>
    public void Compact(string topic, bool dropTombstones)
    {
        foreach (((string name, _), DriverPartition partition) in _partitions)
        {
            if (name != topic) { continue; }
            var last = new Dictionary<string, long>(StringComparer.Ordinal);
            foreach (DriverRecord record in partition.Records) { last[record.KeyText] = record.Offset; }
            partition.Records.RemoveAll(record => last[record.KeyText] != record.Offset || (dropTombstones && record.Value is null));
        }
    }

    public void Take(DriverLog other)
    {
        foreach ((string topic, List<DriverRecord> records) in other._topics)
        {
            foreach (DriverRecord record in records) { Append(record); }
        }

        foreach (((string topic, int partition), DriverPartition found) in other._partitions)
        {
            Partition(topic, partition).Next = found.Next;
        }
    }

    public void Forget(string topic)
    {
        _topics.Remove(topic);
        foreach ((string Topic, int Partition) partition in _partitions.Keys.Where(partition => partition.Topic == topic).ToList()) { _partitions.Remove(partition); }
    }

    public bool TryRead(string heldTopic, int partition, TaskHold hold, HeldRecord into, out bool found)
    {
        found = false;
        if (!HeldReadable) { return false; }
        found = hold.HeldOffset >= 0 && Next(heldTopic, partition, hold.HeldOffset) is { } record && record.Offset == hold.HeldOffset && HeldReader.Decode(Message(record), into);
        return true;
    }

    public bool TryReadState(string stateTopic, int partition, TaskHold hold, out byte[]? value)
    {
        value = null;
        if (!HeldReadable) { return false; }
        value = hold.StateOffset >= 0 && Next(stateTopic, partition, hold.StateOffset) is { } record && record.Offset == hold.StateOffset ? record.Value : null;
        return true;
    }

    public void Decided(Verdict verdict)
    {
    }

    public void HoldEvent(string eventName, string holdId)
    {
    }

    public void Alarm(string what) => _alarms.Add(what);

    public static Message<byte[]?, byte[]?> Message(DriverRecord record)
    {
        var headers = new Headers();
        foreach ((string name, byte[]? value) in record.Headers) { headers.Add(name, value); }
        return new Message<byte[]?, byte[]?> { Key = record.Key, Value = record.Value, Headers = headers, Timestamp = new Confluent.Kafka.Timestamp(record.TimestampMs, TimestampType.CreateTime) };
    }

    public static ConsumeResult<byte[]?, byte[]?> Result(DriverRecord record) => new()
    {
        Topic = record.Topic,
        Partition = record.Partition,
        Offset = record.Offset,
        Message = Message(record),
    };

    private void Report()
    {
        foreach ((Placement placed, long offset) in _reports) { placed.Offset = offset; }
        _reports.Clear();
    }

    // The transaction's marker takes an offset too.
    private void End()
    {
        foreach ((string topic, int partition) in _open.Select(record => (record.Topic, record.Partition)).Distinct()) { Partition(topic, partition).Next++; }
        _open.Clear();
    }

    private void Append(DriverRecord record)
    {
        Partition(record.Topic, record.Partition).Records.Add(record);
        Topic(record.Topic).Add(record);
    }

    private static int IndexOf(List<DriverRecord> records, long offset)
    {
        int low = 0, high = records.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (records[middle].Offset < offset) { low = middle + 1; }
            else { high = middle; }
        }

        return low;
    }

    private DriverPartition Partition(string topic, int partition)
    {
        if (!_partitions.TryGetValue((topic, partition), out DriverPartition? records)) { _partitions[(topic, partition)] = records = new DriverPartition(); }
        return records;
    }

    private List<DriverRecord> Topic(string topic)
    {
        if (!_topics.TryGetValue(topic, out List<DriverRecord>? records)) { _topics[topic] = records = []; }
        return records;
    }
}

/// <summary>One partition: its records by offset, with gaps where compaction took some, and the next offset.</summary>
internal sealed class DriverPartition
{
    public List<DriverRecord> Records { get; } = [];

    public long Next { get; set; }
}

/// <summary>The process of a driver ends here.</summary>
internal sealed class DriverCrashException : Exception;
