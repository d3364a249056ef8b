using System.Diagnostics;
using System.Globalization;
using System.Text;
using Confluent.Kafka;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Bench.Restore;

/// <summary>
/// Writes what a task writes that held and ended many records: the very records of its state and held topics, made by the task itself and a clock that runs ahead. What it would write
/// elsewhere is dropped. A processor that is then started on these topics restores from them.
/// </summary>
internal static class HoldFill
{
    private const int Batch = 1000;
    private static readonly TimeSpan Ahead = TimeSpan.FromDays(2);

    /// <summary>Runs <c>fill-holds BOOTSTRAP POLICY HOLD_KEY_FILE GROUP ENDED OPEN</c>: the policy's first binding, JSON without a schema.</summary>
    public static int Run(string[] arguments)
    {
        if (arguments.Length != 6) { throw new ArgumentException("fill-holds BOOTSTRAP POLICY HOLD_KEY_FILE GROUP ENDED OPEN"); }
        long ended = long.Parse(arguments[4], CultureInfo.InvariantCulture);
        long open = long.Parse(arguments[5], CultureInfo.InvariantCulture);
        var keys = new KeyRing();
        keys.Add("hold-key", File.ReadAllBytes(arguments[2]));
        _ = keys.TryGet("hold-key", out ReadOnlyMemory<byte> holdKey, out _);
        PolicySet set = PolicySet.Load([new PolicyFile(arguments[1], File.ReadAllText(arguments[1]))]).Set ?? throw new ArgumentException("The policy does not load.");
        string name = set.Policies[0].Bindings[0].Name;
        var diagnostics = new List<Diagnostic>();
        CompiledPolicy policy = CompiledPolicy.Compile(set.Policies[0], new Dictionary<string, SubjectSchemas> { [name] = new("", [new SchemaVersion(1, 0, SchemalessJson.Instance)]) }, keys, diagnostics)
            ?? throw new ArgumentException(string.Join('\n', diagnostics));
        CompiledBinding binding = policy.Bindings[name];
        using var sink = new FillSink(arguments[0], binding.Document.Topics);
        var clock = new FillClock(TimeProvider.System.GetUtcNow() - (((ended / Batch) + 2) * Ahead));
        using var context = new TaskContext(sink, sink, clock, new TaskKeys(default, holdKey, null), sink, arguments[3], "fill", new TaskLimits(int.MaxValue, long.MaxValue));
        using var task = new StreamTask(context, binding, 0, "");
        task.Start(new TaskPosition(0, 0, ""), Processor.Audit.ChainState.Start);
        long start = Stopwatch.GetTimestamp();
        for (long offset = 0; offset < ended + open; offset++)
        {
            byte[] value = sink.Value(offset);
            task.Process(new RecordInput
            {
                Topic = binding.Document.Topics.Ingress,
                Partition = 0,
                Offset = offset,
                TimestampMs = 1_760_000_000_000,
                HasKey = true,
                Key = sink.Key(offset),
                HasValue = true,
                Value = value,
                Headers = RecordHeaders.Empty,
                Principal = binding.Document.TopicPrincipal,
            });
            if ((offset + 1) % Batch != 0 && offset + 1 != ended && offset + 1 != ended + open) { continue; }
            Commit(task, sink);
            if (offset >= ended) { continue; }

            // All that is open by now has expired; approvals were read to their end, which is where they began.
            clock.Advance(Ahead);
            task.EndHolds(clock.GetUtcNow().ToUnixTimeMilliseconds(), int.MaxValue);
            Commit(task, sink);
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{{\"ended\":{ended},\"open\":{task.OpenHolds},\"records\":{sink.Records},\"megabytes\":{sink.Bytes >> 20},\"seconds\":{Stopwatch.GetElapsedTime(start).TotalSeconds:F1}}}"));
        return 0;
    }

    private static void Commit(StreamTask task, FillSink sink)
    {
        task.EndTransaction();
        sink.Flush();
        task.Commit();
    }

    /// <summary>At the end of the run it is about now: the broker takes no record of the future, and what stays open must not have expired when the processor starts.</summary>
    private sealed class FillClock(DateTimeOffset start) : TimeProvider
    {
        private DateTimeOffset _now = start;

        public override DateTimeOffset GetUtcNow() => _now;

        public void Advance(TimeSpan by) => _now += by;
    }

    private sealed class FillSink : IRecordSink, IHeldReader, ITaskObserver, IDisposable
    {
        private readonly IProducer<byte[]?, byte[]?> _producer;
        private readonly BindingTopics _topics;
        private Exception? _failed;

        public FillSink(string bootstrap, BindingTopics topics)
        {
            _topics = topics;
            _producer = new ProducerBuilder<byte[]?, byte[]?>(new ProducerConfig
            {
                BootstrapServers = bootstrap,
                EnableIdempotence = true,
                LingerMs = 20,
                BatchSize = 1_000_000,
                QueueBufferingMaxMessages = 1_000_000,
                QueueBufferingMaxKbytes = 1_048_576,
            }).Build();
        }

        public long Records { get; private set; }

        public long Bytes { get; private set; }

        public byte[] Key(long offset) => Encoding.UTF8.GetBytes($"c-{offset % 50_000}");

        /// <summary>About 700 bytes, no two alike.</summary>
        public byte[] Value(long offset) => Encoding.UTF8.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"id":"p-{{offset}}","amount":{{20_000 + (offset % 977)}}.25,"country":"DE","card":"4111111111{{offset % 1_000_000:D6}}","email":"person{{offset}}@example.com","note":"{{new string((char)('a' + (offset % 26)), 520)}}"}"""));

        public void Send(in OutputRecord record, Placement? placed = null)
        {
            if (record.Topic != _topics.State && record.Topic != _topics.Held) { return; }
            Records++;
            Bytes += record.Key.Length + record.Value.Length;
            _producer.Produce(new TopicPartition(record.Topic, record.Partition), ConfluentMessages.Of(record), report =>
            {
                if (placed is not null) { placed.Offset = report.Offset.Value; }
                if (report.Error.IsError) { _failed = new KafkaException(report.Error); }
            });
        }

        public void Flush()
        {
            _producer.Flush(TimeSpan.FromSeconds(60));
            if (_failed is not null) { throw _failed; }
        }

        // What was held is what the record was: it need not be read back.
        public bool TryRead(string heldTopic, int partition, TaskHold hold, HeldRecord into, out bool found)
        {
            into.HasKey = into.HasValue = found = true;
            into.Key = Key(hold.Offset);
            into.Value = Value(hold.Offset);
            into.TimestampMs = 1_760_000_000_000;
            into.Headers.Clear();
            into.Hmac = Encoding.ASCII.GetBytes(hold.State.Record!);
            into.SealedBy = "";
            return true;
        }

        public bool TryReadState(string stateTopic, int partition, TaskHold hold, out byte[]? value)
        {
            value = null;
            return true;
        }

        public void Decided(Verdict verdict)
        {
        }

        public void HoldEvent(string eventName, string holdId)
        {
        }

        public void Alarm(string what) => throw new InvalidOperationException(what);

        public void Dispose() => _producer.Dispose();
    }
}
