using System.Globalization;
using BenchmarkDotNet.Attributes;
using PolicyStreams.Bench.Decisions;
using PolicyStreams.Bench.Quick;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Bench.Masks;

/// <summary>Each method of masking, alone in its policy, on the same record from its bytes to its verdict; against the record in which nothing is masked.</summary>
[MemoryDiagnoser]
public class MaskBenchmarks
{
    private const string Nothing = "nothing masked";

    private const string Schema = """
        {"type":"record","name":"Customer","namespace":"bench","fields":[
         {"name":"id","type":"string"},{"name":"card","type":"string"},{"name":"name","type":["null","string"],"default":null},{"name":"email","type":"string"},
         {"name":"phone","type":"string"},{"name":"note","type":"string"},{"name":"amount","type":"double"},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
         {"name":"born","type":"string"},{"name":"attributes","type":{"type":"map","values":"string"}}]}
        """;

    private const string Record = """
        {"id":"c-000123","card":"4111111111111111","name":"Ada Lovelace","email":"ada.lovelace@example.com","phone":"+44 20 7946 0123","note":"call +44 20 7946 0123 before noon, or write to ada@example.com",
         "amount":129.95,"at":1767323045678,"born":"1815-12-10","attributes":{"ssn":"078-05-1120","plan":"gold"}}
        """;

    private static readonly (string Name, string Rule)[] s_methods =
    [
        (Nothing, "when: value.amount < 0.0, tag: { a: b }"),
        ("redact", "mask: { field: name, redact: true }"),
        ("constant", "mask: { field: name, constant: \"***\" }"),
        ("keep_last", "mask: { field: card, keep_last: 4 }"),
        ("keep_first", "mask: { field: card, keep_first: 6 }"),
        ("hmac", "mask: { field: email, hmac: k }"),
        ("encrypt", "mask: { field: email, encrypt: k }"),
        ("email", "mask: { field: email, email: { keep_first: 1, keep_domain: true } }"),
        ("pattern", "mask: { field: note, pattern: { match: \"[0-9]{4}\", replace: \"#\" } }"),
        ("detect", "mask: { detect: [phone, email], in: note }"),
        ("bucket", "mask: { field: amount, bucket: 50 }"),
        ("date of an instant", "mask: { field: at, date: month }"),
        ("date of a text", "mask: { field: born, date: year }"),
        ("token", "mask: { field: phone, token: k }"),
        ("remove", "mask: { field: 'attributes[\"ssn\"]', remove: true }"),
    ];

    private readonly Judge _judge = new();
    private readonly Verdict _verdict = new();
    private readonly ByteBuffer _output = new();
    private readonly byte[] _record = OneRule.Record(Schema, Record);
    private CompiledBinding _nothing = null!;
    private CompiledBinding _masked = null!;

    public static IEnumerable<string> Methods => s_methods.Skip(1).Select(method => method.Name);

    [ParamsSource(nameof(Methods))]
    public string Method { get; set; } = "keep_last";

    [GlobalSetup]
    public void Compile()
    {
        _nothing = Compile(Nothing);
        _masked = Compile(Method);
    }

    [Benchmark(Baseline = true)]
    public Outcome NothingMasked() => Decide(_nothing);

    [Benchmark]
    public Outcome Masked() => Decide(_masked);

    internal static QuickTable Table(List<string> faults)
    {
        byte[] record = OneRule.Record(Schema, Record);
        var rows = new List<QuickRow>();
        foreach ((string name, string _) in s_methods)
        {
            CompiledBinding binding = Compile(name);
            var judge = new Judge();
            var verdict = new Verdict();
            var output = new ByteBuffer();
            long Decide()
            {
                output.Clear();
                judge.Decide(binding, ReferenceJob.Input(binding, record), output, verdict);
                return verdict.Outcome == Outcome.Allow && verdict.ValueRewritten == (name != Nothing) ? 1 : 0;
            }

            if (Decide() == 0) { faults.Add($"masks: {name}: a wrong result"); }
            rows.Add(new QuickRow(name, Decide));
        }

        return new QuickTable("masks", string.Create(CultureInfo.InvariantCulture, $"One mask on a record of {record.Length} bytes, from bytes to verdict"), [.. rows]);
    }

    private Outcome Decide(CompiledBinding binding)
    {
        _output.Clear();
        _judge.Decide(binding, ReferenceJob.Input(binding, _record), _output, _verdict);
        return _verdict.Outcome;
    }

    private static CompiledBinding Compile(string name) => OneRule.Compile(Schema, s_methods.Single(method => method.Name == name).Rule);
}
