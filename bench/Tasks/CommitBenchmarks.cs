using System.Text;
using BenchmarkDotNet.Attributes;
using PolicyStreams.Bench.Decisions;
using PolicyStreams.Bench.Quick;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Rules;

namespace PolicyStreams.Bench.Tasks;

/// <summary>
/// The reference job's record on the task's whole way, in transactions of a thousand records and of one: what is between them is the task's own end of a transaction, which writes its head twice and the checkpoint. The clients' part is not in it.
/// </summary>
[MemoryDiagnoser]
public class CommitBenchmarks : IDisposable
{
    private const int Large = 1000;

    // A record's share of what a transaction allocates, and nothing of its own.
    private const int BytesMax = 16;

    private readonly byte[] _record = ReferenceJob.Framed();
    private readonly CompiledBinding _binding = ReferenceJob.Compile(ReferenceJob.Policy);
    private readonly TaskContext _context;
    private readonly StreamTask _task;
    private long _offset;

    public CommitBenchmarks()
    {
        var sink = new NoSink();
        _context = new TaskContext(sink, sink, TimeProvider.System, new TaskKeys(Encoding.UTF8.GetBytes("audit-key-0123456789-0123456789-0"), default, null), sink, "bench", "bench");
        _task = new StreamTask(_context, _binding, 0, "");
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Large)]
    public long ThousandRecords()
    {
        for (int i = 0; i < Large; i++) { Process(); }
        Commit();
        return _offset;
    }

    [Benchmark]
    public long OneRecord()
    {
        Process();
        Commit();
        return _offset;
    }

    public void Dispose()
    {
        _task.Dispose();
        _context.Dispose();
        GC.SuppressFinalize(this);
    }

    internal static QuickTable Table(List<string> faults)
    {
        var bench = new CommitBenchmarks();
        if (bench.ThousandRecords() != Large || bench._task.CommittedIngress != Large) { faults.Add("commit: a wrong result"); }
        for (int i = 0; i < 20; i++) { bench.ThousandRecords(); }
        long bytes = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20; i++) { bench.ThousandRecords(); }
        bytes = GC.GetAllocatedBytesForCurrentThread() - bytes;
        if (bytes > 20 * Large * BytesMax) { faults.Add($"commit: {bytes} bytes allocated for {20 * Large} records"); }
        int left = 0;
        return new QuickTable("commit", "A record of the reference job on the task's whole way, digests included",
            new QuickRow("a record of a transaction of 1,000", () =>
            {
                bench.Process();
                if (++left % Large == 0) { bench.Commit(); }
                return bench._offset;
            }, Allocates: true),
            new QuickRow("a record and the end of its transaction", bench.OneRecord, Allocates: true));
    }

    private void Process() => _task.Process(ReferenceJob.Input(_binding, _record) with { Offset = _offset++ });

    private void Commit()
    {
        _task.EndTransaction();
        _task.Commit();
    }
}
