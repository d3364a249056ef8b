using BenchmarkDotNet.Attributes;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Json;
using PolicyStreams.Schemas.JsonSchema;

namespace PolicyStreams.Bench.Walk;

/// <summary>
/// The record of <see cref="JsonWalkBenchmarks"/> with a JSON Schema of its 25 properties: the walk that validates it and captures 10 of them against the walk without a schema, which captures the same;
/// and the rewrite of three masked properties.
/// </summary>
[MemoryDiagnoser]
public class JsonSchemaWalkBenchmarks
{
    private const string Schema = """
        {
          "$schema": "http://json-schema.org/draft-07/schema#", "title": "Payment", "type": "object", "additionalProperties": false,
          "required": ["payment_id", "amount", "currency", "country", "merchant", "card_number", "channel", "created_at", "name"],
          "properties": {
            "payment_id": {"type": "string", "minLength": 36, "maxLength": 36}, "amount": {"type": "number", "minimum": 0}, "currency": {"type": "string", "enum": ["EUR", "USD", "GBP", "JPY", "CHF"]},
            "country": {"type": "string", "pattern": "^[A-Z]{2}$"}, "merchant": {"type": "string", "minLength": 1}, "merchant_id": {"type": "integer"},
            "card_number": {"type": "string", "confluent:tags": ["PAN"]}, "card_expiry": {"type": ["string", "null"]}, "channel": {"type": "string", "enum": ["WEB", "APP", "PHONE"]},
            "created_at": {"type": "integer"}, "attempt": {"type": "integer", "minimum": 1}, "recurring": {"type": "boolean"}, "email": {"type": ["string", "null"]}, "name": {"type": "string"},
            "age": {"type": ["integer", "null"], "minimum": 0, "maximum": 150}, "street": {"type": "string"}, "city": {"type": "string"}, "postcode": {"type": "string"}, "ip": {"type": "string"},
            "device": {"type": "string"}, "score": {"type": "number"}, "fee": {"type": "number"}, "batch": {"type": "integer"}, "note": {"type": ["string", "null"]}, "trace": {"type": "string"}
          }
        }
        """;

    private static readonly string[] Captured = ["payment_id", "amount", "currency", "country", "merchant", "card_number", "channel", "created_at", "age", "note"];
    private static readonly string[] MaskedNames = ["card_number", "email", "name"];

    private readonly CaptureFrame _frame = new();
    private readonly CaptureFrame _maskedFrame = new();
    private readonly ByteBuffer _output = new();
    private readonly ConstantMask _mask = new();
    private readonly byte[] _record = """
        {"payment_id":"7c9e6679-7425-40de-944b-e07fc1f90ae7","amount":129.95,"currency":"EUR","country":"DE","merchant":"Northwind Traders","merchant_id":88210045,"card_number":"4111111111111111","card_expiry":"12/29","channel":"APP","created_at":1767323045678,"attempt":1,"recurring":false,"email":"ada.lovelace@example.org","name":"Ada Lovelace","age":36,"street":"12 St James's Square","city":"London","postcode":"SW1Y 4JH","ip":"203.0.113.77","device":"a41f09c2d7e8","score":0.25,"fee":1.25,"batch":5501,"note":"leave the parcel with the neighbour, please","trace":"4bf92f3577b34da6a3ce929d0e0e4736"}
        """u8.ToArray();

    private readonly RecordProgram _schemaless = Program(SchemalessJson.Instance, Captured, []);
    private readonly RecordProgram _validate = Program(ValidatedJson.Parse(Schema), [], []);
    private readonly RecordProgram _walk = Program(ValidatedJson.Parse(Schema), Captured, []);
    private readonly RecordProgram _masked = Program(ValidatedJson.Parse(Schema), Captured, MaskedNames);

    public JsonSchemaWalkBenchmarks() => _masked.Walk(_record, _maskedFrame);

    public int RecordBytes => _record.Length;

    /// <summary>The walk that checks the text and captures the same, and validates nothing.</summary>
    [Benchmark(Baseline = true)]
    public DecodeOutcome Schemaless() => _schemaless.Walk(_record, _frame);

    /// <summary>Validated, nothing captured.</summary>
    [Benchmark]
    public DecodeOutcome Validate() => _validate.Walk(_record, _frame);

    [Benchmark]
    public DecodeOutcome Walk() => _walk.Walk(_record, _frame);

    /// <summary>True where a record that lacks a required property is refused.</summary>
    public bool Refuses() => _walk.Walk("{}"u8, new CaptureFrame()) == DecodeOutcome.Invalid;

    [Benchmark]
    public int Copy()
    {
        _output.Clear();
        _output.Append(_record);
        return _output.Length;
    }

    /// <summary>What masking adds to a walk: the new text, written and judged where the schema asks for it.</summary>
    [Benchmark]
    public int MaskThree()
    {
        _output.Clear();
        _masked.Rewrite(_record, _maskedFrame, _mask, _output);
        return _output.Length;
    }

    [Benchmark]
    public int WalkAndMask()
    {
        _output.Clear();
        _masked.Walk(_record, _frame);
        _masked.Rewrite(_record, _frame, _mask, _output);
        return _output.Length;
    }

    private static RecordProgram Program(RecordSchema schema, string[] captured, string[] masked)
    {
        var root = new CaptureRow { Node = new CaptureNode { Type = schema.Type } };
        foreach (string name in captured)
        {
            root.Node.Children.Add(name, new CaptureNode { Type = schema.Type.Field(name)?.Type ?? SchemaType.AnyJson, Mode = CaptureMode.Scalar, Slot = root.Add() });
        }

        MaskSelector[] selectors = [.. masked.Select(name => new MaskSelector(new FieldPath(PathRoot.Value, null, [new PathStep(PathStepKind.Field, name)]), null))];
        return schema.Compile(new CapturePlan { Root = root, Selectors = selectors }, WalkLimits.Default, []);
    }

    private sealed class ConstantMask : ISiteMasker
    {
        public SiteResult Mask(ReadOnlySpan<MaskSite> sites, ReadOnlySpan<byte> text, ByteBuffer replacement)
        {
            replacement.Append("***"u8);
            return new SiteResult(SiteAction.Text);
        }
    }
}
