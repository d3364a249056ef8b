using System.Text.Json;
using BenchmarkDotNet.Attributes;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Bench.Walk;

/// <summary>
/// The record of <see cref="AvroWalkBenchmarks"/> as JSON: the walk that captures 10 of its 25 properties against <see cref="Utf8JsonReader"/> reading to the end, which checks neither
/// UTF-8 nor properties that come twice and captures nothing; and the rewrite of three masked properties against a copy.
/// </summary>
[MemoryDiagnoser]
public class JsonWalkBenchmarks
{
    private static readonly string[] Captured = ["payment_id", "amount", "currency", "country", "merchant", "card_number", "channel", "created_at", "age", "note"];

    private readonly CaptureFrame _frame = new();
    private readonly ByteBuffer _output = new();
    private readonly CaptureFrame _maskedFrame = new();
    private readonly ByteBuffer _replacement = new();
    private readonly ISiteMasker _masks = new LastFour();
    private readonly byte[] _record = """
        {"payment_id":"7c9e6679-7425-40de-944b-e07fc1f90ae7","amount":129.95,"currency":"EUR","country":"DE","merchant":"Northwind Traders","merchant_id":88210045,"card_number":"4111111111111111","card_expiry":"12/29","channel":"APP","created_at":1767323045678,"attempt":1,"recurring":false,"email":"ada.lovelace@example.org","name":"Ada Lovelace","age":36,"street":"12 St James's Square","city":"London","postcode":"SW1Y 4JH","ip":"203.0.113.77","device":"a41f09c2d7e8","score":0.25,"fee":1.25,"batch":5501,"note":"leave the parcel with the neighbour, please","trace":"4bf92f3577b34da6a3ce929d0e0e4736"}
        """u8.ToArray();

    private readonly RecordProgram _check = Program([], []);
    private readonly RecordProgram _walk = Program(Captured, []);
    private readonly RecordProgram _masked = Program(Captured, ["card_number", "email", "name"]);

    public JsonWalkBenchmarks() => _masked.Walk(_record, _maskedFrame);

    public int RecordBytes => _record.Length;

    [Benchmark(Baseline = true)]
    public int ReaderToTheEnd()
    {
        var reader = new Utf8JsonReader(_record);
        int tokens = 0;
        while (reader.Read()) { tokens++; }
        return tokens;
    }

    /// <summary>Every check, nothing captured.</summary>
    [Benchmark]
    public DecodeOutcome Check() => _check.Walk(_record, _frame);

    [Benchmark]
    public DecodeOutcome Walk() => _walk.Walk(_record, _frame);

    [Benchmark]
    public int Copy()
    {
        _output.Clear();
        _output.Append(_record);
        return _output.Length;
    }

    /// <summary>One copy of the record and the three masks' own work.</summary>
    [Benchmark]
    public int CopyAndMasksAlone()
    {
        _output.Clear();
        _output.Append(_record);
        LastFour.AskAlone(_masks, _record, _maskedFrame, _replacement);
        return _output.Length;
    }

    /// <summary>What masking adds to a walk: the new text, written.</summary>
    [Benchmark]
    public int MaskThree()
    {
        _output.Clear();
        _masked.Rewrite(_record, _maskedFrame, _masks, _output);
        return _output.Length;
    }

    [Benchmark]
    public DecodeOutcome WalkWithSites() => _masked.Walk(_record, _frame);

    [Benchmark]
    public int WalkAndMask()
    {
        _output.Clear();
        _masked.Walk(_record, _frame);
        _masked.Rewrite(_record, _frame, _masks, _output);
        return _output.Length;
    }

    private static RecordProgram Program(string[] captured, string[] masked)
    {
        var root = new CaptureRow { Node = new CaptureNode { Type = SchemaType.AnyJson } };
        foreach (string name in captured)
        {
            root.Node.Children.Add(name, new CaptureNode { Type = SchemaType.AnyJson, Mode = CaptureMode.Scalar, Slot = root.Add() });
        }

        MaskSelector[] selectors = [.. masked.Select(name => new MaskSelector(new FieldPath(PathRoot.Value, null, [new PathStep(PathStepKind.Field, name)]), null))];
        return SchemalessJson.Instance.Compile(new CapturePlan { Root = root, Selectors = selectors }, WalkLimits.Default, []);
    }
}
