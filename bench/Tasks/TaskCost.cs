using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using PolicyStreams.Processor.Audit;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Bench.Tasks;

/// <summary>
/// What a task costs without its clients: one allowed, masked payment of the reference job, processed again and again into a sink that drops it. One JSON line a stage, each with all the
/// stages before it, so that their differences sum to the whole.
/// </summary>
internal static class TaskCost
{
    private const int Records = 1_000_000;
    private const int Warmup = 200_000;
    private const int TransactionRecords = 5000;

    /// <summary>Runs <c>task POLICY SCHEMA</c>: the reference job's policy and Avro schema.</summary>
    public static int Run(string[] arguments)
    {
        if (arguments.Length != 2) { throw new ArgumentException("task POLICY SCHEMA"); }
        AvroSchema schema = AvroSchema.Parse(File.ReadAllText(arguments[1]));
        var keys = new KeyRing();
        keys.Add("customer-key", "bench-key-0123456789-0123456789-01"u8);
        PolicySet set = PolicySet.Load([new PolicyFile(arguments[0], File.ReadAllText(arguments[0]))]).Set ?? throw new ArgumentException("The policy does not load.");
        var diagnostics = new List<Diagnostic>();
        CompiledPolicy policy = CompiledPolicy.Compile(set.Policies[0], new Dictionary<string, SubjectSchemas> { ["payments"] = new("raw.payments-value", [new SchemaVersion(1, 1, schema)]) }, keys, diagnostics)
            ?? throw new ArgumentException(string.Join('\n', diagnostics));
        CompiledBinding binding = policy.Bindings["payments"];
        byte[] value = Payment(schema);
        byte[] key = "c-000123"u8.ToArray();

        var judge = new Judge(key => Sha256Digest.Keyed(RecordPath.Native, key));
        var verdict = new Verdict();
        var output = new ByteBuffer();
        var decision = new ByteBuffer();
        Say("judge with masks", value, offset =>
        {
            output.Clear();
            judge.Decide(binding, Input(key, value, offset), output, verdict);
        });
        Say("and the decision's JSON", value, offset =>
        {
            output.Clear();
            judge.Decide(binding, Input(key, value, offset), output, verdict);
            decision.Clear();
            DecisionWriter.Write(decision, verdict, Principal.None, new DecisionFacts { Topic = "raw.payments", Partition = 0, Offset = offset, Event = "decided", IdSuffix = "", Seq = offset, TimeMs = 1 });
        });
        foreach ((string name, bool audit, RecordPath path) in new[]
        {
            ("and the task: chain, headers, sink (no audit key)", false, RecordPath.Native), ("and digests with an audit key", true, RecordPath.Native),
            ("the same on .NET's hashes", true, RecordPath.Managed),
        })
        {
            var sink = new NoSink();
            using var context = new TaskContext(sink, sink, TimeProvider.System, new TaskKeys(audit ? Encoding.UTF8.GetBytes("audit-key-0123456789-0123456789-0") : default, default, null), sink, "bench", "bench", recordPath: path);
            using var task = new StreamTask(context, binding, 0, "");
            Say(name, value, offset =>
            {
                task.Process(Input(key, value, offset));
                if (offset % TransactionRecords != 0) { return; }
                task.EndTransaction();
                task.Commit();
            });
        }

        return 0;
    }

    private static void Say(string stage, byte[] value, Action<long> process)
    {
        long offset = 0;
        for (; offset < Warmup; offset++) { process(offset); }
        long bytes = GC.GetAllocatedBytesForCurrentThread();
        TimeSpan cpu = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        for (; offset < Warmup + Records; offset++) { process(offset); }
        TimeSpan took = Stopwatch.GetElapsedTime(start);
        cpu = Environment.CpuUsage.TotalTime - cpu;
        bytes = GC.GetAllocatedBytesForCurrentThread() - bytes;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{{\"stage\":\"{stage}\",\"value_bytes\":{value.Length},\"us_per_record\":{took.TotalMicroseconds / Records:0.00},\"cpu_us_per_record\":{cpu.TotalMicroseconds / Records:0.00},\"allocated_bytes_per_record\":{(double)bytes / Records:0.0}}}"));
    }

    private static RecordInput Input(byte[] key, byte[] value, long offset) => new()
    {
        Topic = "raw.payments",
        Offset = offset,
        TimestampMs = 1_760_000_000_000,
        HasKey = true,
        Key = key,
        HasValue = true,
        Value = value,
        Headers = RecordHeaders.Empty,
        Principal = Principal.None,
    };

    private static byte[] Payment(AvroSchema schema)
    {
        var output = new ByteBuffer();
        output.Append([0, 0, 0, 0, 0]);
        schema.EncodeJson(JsonDocument.Parse("""
            {"payment_id":"1f028639-3a11-4695-a3dd-9806c8733beb","created_at":1760000000000,"amount":1234.5,"currency":"EUR","country":"DE","channel":"WEB","card_number":"4111111111111111",
             "customer":{"id":"c-000123","name":"Ada Lovelace","email":"ada.lovelace@example.com","age":36},"merchant":"Corner Tea House","note":"please ring twice before noon",
             "items":[{"sku":"tea-250","quantity":2,"price":12.5},{"sku":"mug-blue","quantity":1,"price":8.0}]}
            """).RootElement, output);
        byte[] value = output.Written.ToArray();
        BinaryPrimitives.WriteInt32BigEndian(value.AsSpan(1), 1);
        return value;
    }
}
