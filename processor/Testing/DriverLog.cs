using System.Text;
using Confluent.Kafka;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Testing;

/// <summary>The driver's topics: lists in memory, with one open transaction.</summary>
internal sealed class DriverLog : IRecordSink, IHeldReader, ITaskObserver
{
    private readonly Dictionary<(string Topic, int Partition), List<DriverRecord>> _partitions = [];
    private readonly Dictionary<string, List<DriverRecord>> _topics = new(StringComparer.Ordinal);
    private readonly List<(DriverRecord Record, Placement? Placed)> _open = [];
    private readonly List<string> _alarms = [];

    public IReadOnlyList<string> Alarms => _alarms;

    public DriverRecord Append(string topic, int partition, byte[]? key, byte[]? value, IReadOnlyList<KeyValuePair<string, byte[]?>> headers, long timestampMs)
    {
        List<DriverRecord> records = Partition(topic, partition);
        var record = new DriverRecord(topic, partition, records.Count, key, value, headers, timestampMs);
        records.Add(record);
        Topic(topic).Add(record);
        return record;
    }

    public void Send(in OutputRecord record, Placement? placed = null)
    {
        var headers = new List<KeyValuePair<string, byte[]?>>();
        for (int i = 0; i < (record.Headers?.Count ?? 0); i++)
        {
            headers.Add(new(Encoding.UTF8.GetString(record.Headers!.Name(i)), record.Headers.IsNull(i) ? null : record.Headers.Value(i).ToArray()));
        }

        _open.Add((new DriverRecord(record.Topic, record.Partition, -1, record.HasKey ? record.Key.ToArray() : null, record.HasValue ? record.Value.ToArray() : null, headers, record.TimestampMs), placed));
    }

    public void Commit()
    {
        foreach ((DriverRecord record, Placement? placed) in _open)
        {
            DriverRecord appended = Append(record.Topic, record.Partition, record.Key, record.Value, record.Headers, record.TimestampMs);
            if (placed is not null) { placed.Offset = appended.Offset; }
        }

        _open.Clear();
    }

    public void Abort() => _open.Clear();

    public IReadOnlyList<DriverRecord> Read(string topic) => [.. Topic(topic)];

    public IReadOnlyList<DriverRecord> Read(string topic, int partition) => [.. Partition(topic, partition)];

    public IReadOnlyList<DriverRecord> From(string topic, int partition, long offset) => [.. Partition(topic, partition).Skip((int)offset)];

    public void Take(DriverLog other)
    {
        foreach ((string topic, List<DriverRecord> records) in other._topics)
        {
            foreach (DriverRecord record in records) { Append(topic, record.Partition, record.Key, record.Value, record.Headers, record.TimestampMs); }
        }
    }

    public void Forget(string topic)
    {
        _topics.Remove(topic);
        foreach ((string Topic, int Partition) partition in _partitions.Keys.Where(partition => partition.Topic == topic).ToList()) { _partitions.Remove(partition); }
    }

    public bool TryRead(string heldTopic, int partition, TaskHold hold, HeldRecord into, out bool found)
    {
        List<DriverRecord> records = Partition(heldTopic, partition);
        found = hold.HeldOffset >= 0 && hold.HeldOffset < records.Count && HeldReader.Decode(Message(records[(int)hold.HeldOffset]), into);
        return true;
    }

    public bool TryReadState(string stateTopic, int partition, TaskHold hold, out byte[]? value)
    {
        List<DriverRecord> records = Partition(stateTopic, partition);
        value = hold.StateOffset >= 0 && hold.StateOffset < records.Count ? records[(int)hold.StateOffset].Value : null;
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

    private List<DriverRecord> Partition(string topic, int partition)
    {
        if (!_partitions.TryGetValue((topic, partition), out List<DriverRecord>? records)) { _partitions[(topic, partition)] = records = []; }
        return records;
    }

    private List<DriverRecord> Topic(string topic)
    {
        if (!_topics.TryGetValue(topic, out List<DriverRecord>? records)) { _topics[topic] = records = []; }
        return records;
    }
}
