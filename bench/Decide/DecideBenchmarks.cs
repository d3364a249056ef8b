using System.Text;
using BenchmarkDotNet.Attributes;
using PolicyStreams.Bench.Decisions;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Bench.Decide;

/// <summary>What `policystreams decide` does for one line, from its text to its answer's: read, judged by the reference job's twenty rules, masked, and written out as JSON and hex.</summary>
[MemoryDiagnoser]
public sealed class DecideBenchmarks : IDisposable
{
    private readonly OfflineJudge _judge;
    private readonly Judge _core = new();
    private readonly Verdict _verdict = new();
    private readonly CompiledBinding _binding = ReferenceJob.Compile(ReferenceJob.Policy);
    private readonly ByteBuffer _answers = new();
    private readonly ByteBuffer _output = new();
    private readonly byte[] _record = ReferenceJob.Framed();
    private readonly byte[] _hex;
    private readonly byte[] _json = Encoding.UTF8.GetBytes(ReferenceJob.Record.Replace("\n", "", StringComparison.Ordinal));

    public DecideBenchmarks()
    {
        _judge = new OfflineJudge(_binding);
        _hex = Encoding.ASCII.GetBytes(Convert.ToHexStringLower(_record));
    }

    /// <summary>The decision and masks alone.</summary>
    [Benchmark(Baseline = true)]
    public Outcome Judge()
    {
        _output.Clear();
        _core.Decide(_binding, ReferenceJob.Input(_binding, _record), _output, _verdict);
        return _verdict.Outcome;
    }

    [Benchmark]
    public int HexLine() => Line(_hex, RecordLineFormat.Hex);

    [Benchmark]
    public int JsonLine() => Line(_json, RecordLineFormat.Json);

    public void Dispose() => _judge.Dispose();

    private int Line(byte[] line, RecordLineFormat format)
    {
        _answers.Clear();
        return _judge.Judge(line, format, 42, _answers) is null ? _answers.Length : -1;
    }
}
