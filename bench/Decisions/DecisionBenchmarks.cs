using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using PolicyStreams.Rules;
using PolicyStreams.Rules.Cel;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Bench.Decisions;

/// <summary>A clean record of the reference job, from its bytes to its verdict, against a method written by hand that decodes the same bytes and makes the same tests; then what comes after a verdict.</summary>
[MemoryDiagnoser]
public class DecisionBenchmarks
{
    private readonly CompiledBinding _plain = ReferenceJob.Compile(ReferenceJob.PolicyWithoutMasks);
    private readonly CompiledBinding _shadow = ReferenceJob.Compile(ReferenceJob.PolicyMasksInShadow);
    private readonly CompiledBinding _masked = ReferenceJob.Compile(ReferenceJob.Policy);
    private readonly Judge _plainJudge = new();
    private readonly Judge _shadowJudge = new();
    private readonly Judge _maskedJudge = new();
    private readonly Verdict _verdict = new();
    private readonly Verdict _maskedVerdict = new();
    private readonly ByteBuffer _output = new();
    private readonly ByteBuffer _json = new();
    private readonly CaptureFrame _frame = new();
    private readonly byte[] _record = ReferenceJob.Framed();
    private readonly byte[] _digest = new byte[32];
    private readonly IncrementalHash _hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, "audit-key-0123456789-0123456789-0"u8);

    public DecisionBenchmarks()
    {
        DecideAndMask();
        Walk();
        _plain.Conditions.Emit();
    }

    public int RecordBytes => _record.Length;

    /// <summary>No checks but the ends of the bytes.</summary>
    [Benchmark(Baseline = true)]
    public int HandWritten() => HandWrittenDecision.Decide(_record, check: false);

    /// <summary>The same with the walk's checks: UTF-8, indexes, lengths.</summary>
    [Benchmark]
    public int HandWrittenChecked() => HandWrittenDecision.Decide(_record, check: true);

    /// <summary>The walk alone, of the seventeen rules' fields.</summary>
    [Benchmark]
    public DecodeOutcome Walk() => _plain.Find(SchemaRef.ById(1)) is { } writer ? writer.Program!.Walk(_record.AsSpan(5), _frame) : DecodeOutcome.Malformed;

    /// <summary>The conditions alone, over what the walk captured.</summary>
    [Benchmark]
    public ulong Conditions()
    {
        var input = new ConditionInput { Value = _record.AsSpan(5), Frame = _frame, Topic = "raw.payments", Principal = Principal.None, Headers = RecordHeaders.Empty };
        _plain.Conditions.Parts[0].Emitted!(ref input, out ulong holds, out ulong unsure);
        return holds | unsure;
    }

    /// <summary>The seventeen rules that decide.</summary>
    [Benchmark]
    public Outcome Decide17()
    {
        _output.Clear();
        _plainJudge.Decide(_plain, ReferenceJob.Input(_plain, _record), _output, _verdict);
        return _verdict.Outcome;
    }

    /// <summary>All twenty: what masks select is found, and not written.</summary>
    [Benchmark]
    public Outcome Decide20()
    {
        _output.Clear();
        _shadowJudge.Decide(_shadow, ReferenceJob.Input(_shadow, _record), _output, _verdict);
        return _verdict.Outcome;
    }

    [Benchmark]
    public Outcome DecideAndMask()
    {
        _output.Clear();
        _maskedJudge.Decide(_masked, ReferenceJob.Input(_masked, _record), _output, _maskedVerdict);
        return _maskedVerdict.Outcome;
    }

    [Benchmark]
    public int DecisionJson()
    {
        _json.Clear();
        var facts = new DecisionFacts { Topic = "raw.payments", Offset = 42, IdSuffix = "", Event = "decided", Seq = 17, TimeMs = 1_767_323_045_678, Before = _digest, After = _digest };
        DecisionWriter.Write(_json, _maskedVerdict, Principal.None, facts);
        return _json.Length;
    }

    /// <summary>One keyed digest of the record, as <c>before</c> and <c>after</c> are.</summary>
    [Benchmark]
    public int Digest()
    {
        _hmac.AppendData(_record);
        return _hmac.GetHashAndReset(_digest);
    }
}
