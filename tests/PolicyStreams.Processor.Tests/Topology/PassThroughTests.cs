using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Processor.Testing;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Tests.Topology;

/// <summary>A record in which nothing is masked is handed over where it lies: in the client library's own memory, and in none of ours.</summary>
public sealed unsafe class PassThroughTests : IDisposable
{
    private const string Rules = """
          - { id: sanctioned, when: 'value.country == "KP"', deny: { reason: country is under embargo } }
          - { id: card, mask: { tag: PAN, keep_last: 4 }, when: 'value.country == "DE"' }
          - { id: large, when: value.amount > 1000.0, hold: { approvers: [risk], expires: 1h, on_expiry: deny, reason: large payment } }
        """;

    private readonly Sink _sink = new();
    private readonly DriverLog _log = new();
    private readonly TaskContext _context;
    private readonly StreamTask _task;
    private byte* _memory;
    private int _length;

    public PassThroughTests()
    {
        _context = new TaskContext(_sink, _log, new TestClock(), new TaskKeys(Payments.AuditKey, Payments.HoldKey, null), _log, "driver", "writer");
        _task = new StreamTask(_context, Payments.Policy(Rules).Bindings["payments"], 0, "id");
    }

    public void Dispose()
    {
        _task.Dispose();
        _context.Dispose();
        NativeMemory.Free(_memory);
    }

    [Fact]
    public void Process_NoMaskFires_HandsOverTheSameMemory()
    {
        Process(Payments.Value(), 0);

        Assert.Equal(("governed.payments", (nint)_memory, _length), _sink.Last);
    }

    [Fact]
    public void Process_Denied_HandsOverTheSameMemory()
    {
        Process(Payments.Value(country: "KP"), 0);

        Assert.Equal(("rejected.payments", (nint)_memory, _length), _sink.Last);
    }

    [Fact]
    public void Process_Held_HandsOverTheSameMemory()
    {
        Process(Payments.Value(amount: 5000), 0);

        Assert.Equal(("held.payments", (nint)_memory, _length), _sink.Last);
    }

    [Fact]
    public void Process_AMaskFires_HandsOverAnother()
    {
        Process(Payments.Value(country: "DE"), 0);

        Assert.Equal("governed.payments", _sink.Last.Topic);
        Assert.NotEqual((nint)_memory, _sink.Last.Value);
    }

    /// <summary>On the task's whole way, decision and digests with it.</summary>
    [Theory]
    [InlineData("US")]
    [InlineData("DE")]
    public void Process_AllowedRecord_AllocatesNothingForIt(string country)
    {
        const int records = 4_000;
        byte[] value = Payments.Value(country: country);
        for (int i = 0; i < records; i++) { Process(value, i); }
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = records; i < 2 * records; i++) { Process(value, i); }
        long bytes = GC.GetAllocatedBytesForCurrentThread() - before;

        // A chain of decisions grows as they come: a few arrays for all of them.
        Assert.True(bytes <= 16 * records, $"{bytes} bytes for {records} records");
    }

    private void Process(byte[] value, long offset)
    {
        if (_length != value.Length)
        {
            NativeMemory.Free(_memory);
            _memory = (byte*)NativeMemory.Alloc((nuint)value.Length);
            _length = value.Length;
        }

        value.CopyTo(new Span<byte>(_memory, _length));
        TaskStep step = _task.Process(new RecordInput
        {
            Topic = Payments.Ingress,
            Offset = offset,
            TimestampMs = 1_760_000_000_000,
            HasValue = true,
            Value = new ReadOnlySpan<byte>(_memory, _length),
            Headers = RecordHeaders.Empty,
            Principal = Principal.None,
        });
        if (step != TaskStep.Done) { Assert.Fail($"{step}"); }
    }

    private sealed class Sink : IRecordSink
    {
        /// <summary>Topic, address, and length of the last value that is not a decision or state.</summary>
        public (string Topic, nint Value, int Length) Last { get; private set; }

        public void Send(in OutputRecord record, Placement? placed = null)
        {
            if (record.Topic is "decisions" or "state.payments") { return; }
            Last = (record.Topic, (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(record.Value)), record.Value.Length);
        }
    }
}
