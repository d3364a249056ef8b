using System.Diagnostics;
using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Cli.Costs;

/// <summary>
/// What rules take on sample records: the binding is judged without a rule, with each rule alone, and with all, in turns. A rule's time is what it takes beyond the fastest of these: what a
/// record takes anyway. Of the rounds the fastest counts: a slower one says what else the machine did.
/// </summary>
internal sealed class CostMeasurement
{
    // Short, so that some slices see nothing of what else the machine does.
    private const double SliceSeconds = 0.001;
    private const int RoundsMin = 12;
    private const int WarmRecords = 2_000;

    private readonly byte[][] _records;
    private readonly Principal _principal;

    /// <param name="records">Values as they are on the topic; at least one.</param>
    private CostMeasurement(byte[][] records, Principal principal)
    {
        _records = records;
        _principal = principal;
    }

    /// <summary>Nanoseconds that a record takes anyway.</summary>
    public double Anyway { get; private set; }

    /// <summary>Nanoseconds a record with all rules.</summary>
    public double All { get; private set; }

    /// <summary>Nanoseconds a record that each rule adds, in the order of the binding's rules.</summary>
    public IReadOnlyList<double> Rules { get; private set; } = [];

    /// <param name="seconds">How long it may take, about.</param>
    public static CostMeasurement Of(CompiledBinding binding, IReadOnlyList<string> rules, KeyRing keys, byte[][] records, double seconds)
    {
        var measurement = new CostMeasurement(records, binding.Document.TopicPrincipal);
        string name = binding.Document.Name;
        CompiledPolicy whole = binding.Policy;
        var variants = new List<Variant> { new(Compile(null)), new(binding) };
        foreach (string rule in rules) { variants.Add(new(Compile(rule))); }
        foreach (Variant variant in variants)
        {
            for (int judged = 0; judged < WarmRecords; judged += records.Length) { measurement.Pass(variant); }
        }

        // The runtime compiles what is hot once more after a while: the first third warms up.
        int rounds = (int)Math.Clamp(seconds / (SliceSeconds * variants.Count), RoundsMin, 100_000);
        for (int round = 0; round < rounds; round++)
        {
            foreach (Variant variant in variants)
            {
                if (round == rounds / 3) { variant.Best = double.MaxValue; }
                measurement.Slice(variant, SliceSeconds);
            }
        }

        measurement.Anyway = variants.Min(variant => variant.Best);
        measurement.All = variants[1].Best;
        measurement.Rules = [.. variants.Skip(2).Select(variant => variant.Best - measurement.Anyway)];
        return measurement;

        CompiledBinding Compile(string? rule)
        {
            var said = new List<Diagnostic>();
            return CompiledPolicy.Compile(whole.Document.OnlyRule(name, rule), whole.Subjects, keys, said)?.Bindings[name] ?? throw new IOException(string.Join('\n', said));
        }
    }

    private void Slice(Variant variant, double seconds)
    {
        long start = Stopwatch.GetTimestamp();
        int passes = 0;
        do
        {
            Pass(variant);
            passes++;
        }
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds);
        variant.Best = Math.Min(variant.Best, Stopwatch.GetElapsedTime(start).TotalNanoseconds / passes / _records.Length);
    }

    private void Pass(Variant variant)
    {
        for (int i = 0; i < _records.Length; i++)
        {
            variant.Output.Clear();
            var input = new RecordInput
            {
                Topic = variant.Binding.Document.Topics.Ingress,
                Offset = i,
                HasValue = true,
                Value = _records[i],
                Headers = RecordHeaders.Empty,
                Principal = _principal,
            };
            while (variant.Judge.Decide(variant.Binding, input, variant.Output, variant.Verdict) is { Decided: false } needed) { variant.Binding.AnswerUnknown(needed); }
        }
    }

    private sealed class Variant(CompiledBinding binding)
    {
        public CompiledBinding Binding => binding;

        public Judge Judge { get; } = new();

        public Verdict Verdict { get; } = new();

        public ByteBuffer Output { get; } = new();

        public double Best { get; set; } = double.MaxValue;
    }
}
