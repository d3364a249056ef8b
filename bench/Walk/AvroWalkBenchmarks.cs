using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Unicode;
using BenchmarkDotNet.Attributes;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Bench.Walk;

/// <summary>
/// A 300-byte record of 25 fields: the walk that captures 10 of them against a straight-line decoder written by hand for this one schema, with the same checks and without any;
/// and the rewrite of three masked fields against a copy of the record.
/// </summary>
[MemoryDiagnoser]
public class AvroWalkBenchmarks
{
    private const string Schema = """
        {"type":"record","name":"Payment","namespace":"shop","fields":[
          {"name":"payment_id","type":"string"},{"name":"amount","type":"double"},{"name":"currency","type":"string"},
          {"name":"country","type":"string"},{"name":"merchant","type":"string"},{"name":"merchant_id","type":"long"},
          {"name":"card_number","type":"string"},{"name":"card_expiry","type":["null","string"],"default":null},
          {"name":"channel","type":{"type":"enum","name":"Channel","symbols":["WEB","APP","PHONE"]}},
          {"name":"created_at","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"attempt","type":"int"},
          {"name":"recurring","type":"boolean"},{"name":"email","type":["null","string"],"default":null},{"name":"name","type":"string"},
          {"name":"age","type":["null","int"],"default":null},{"name":"street","type":"string"},{"name":"city","type":"string"},
          {"name":"postcode","type":"string"},{"name":"ip","type":"string"},{"name":"device","type":"string"},
          {"name":"score","type":"float"},{"name":"fee","type":"double"},{"name":"batch","type":"long"},{"name":"note","type":["null","string"],"default":null},
          {"name":"trace","type":"string"}]}
        """;

    private const string Record = """
        {"payment_id":"7c9e6679-7425-40de-944b-e07fc1f90ae7","amount":129.95,"currency":"EUR","country":"DE","merchant":"Northwind Traders","merchant_id":88210045,
         "card_number":"4111111111111111","card_expiry":"12/29","channel":"APP","created_at":1767323045678,"attempt":1,"recurring":false,"email":"ada.lovelace@example.org",
         "name":"Ada Lovelace","age":36,"street":"12 St James's Square","city":"London","postcode":"SW1Y 4JH","ip":"203.0.113.77","device":"a41f09c2d7e8","score":0.25,"fee":1.25,
         "batch":5501,"note":"leave the parcel with the neighbour, please","trace":"4bf92f3577b34da6a3ce929d0e0e4736"}
        """;

    private static readonly string[] Captured = ["payment_id", "amount", "currency", "country", "merchant", "card_number", "channel", "created_at", "age", "note"];

    private readonly CaptureFrame _frame = new();
    private readonly ByteBuffer _output = new();
    private readonly CaptureFrame _maskedFrame = new();
    private readonly ByteBuffer _replacement = new();
    private readonly ISiteMasker _masks = new LastFour();
    private readonly byte[] _record;
    private readonly RecordProgram _walk;
    private readonly RecordProgram _masked;

    public AvroWalkBenchmarks()
    {
        AvroSchema schema = AvroSchema.Parse(Schema);
        var bytes = new ByteBuffer();
        using (JsonDocument json = JsonDocument.Parse(Record)) { schema.EncodeJson(json.RootElement, bytes); }
        _record = bytes.Written.ToArray();
        _walk = schema.Compile(Plan(schema, []), WalkLimits.Default, []);
        _masked = schema.Compile(Plan(schema, ["card_number", "email", "name"]), WalkLimits.Default, []);
        _masked.Walk(_record, _maskedFrame);
    }

    public int RecordBytes => _record.Length;

    /// <summary>No checks but the ends of the bytes: what a serializer's generated code does at its best.</summary>
    [Benchmark(Baseline = true)]
    public long HandWritten() => Straight(_record, check: false);

    /// <summary>The same with the walk's checks: UTF-8, indexes, booleans, lengths.</summary>
    [Benchmark]
    public long HandWrittenChecked() => Straight(_record, check: true);

    [Benchmark]
    public DecodeOutcome Walk() => _walk.Walk(_record, _frame);

    [Benchmark]
    public int Copy()
    {
        _output.Clear();
        _output.Append(_record);
        return _output.Length;
    }

    /// <summary>One copy of the record and the three masks' own work: what masking three fields must not cost more than.</summary>
    [Benchmark]
    public int CopyAndMasksAlone()
    {
        _output.Clear();
        _output.Append(_record);
        LastFour.AskAlone(_masks, _record, _maskedFrame, _replacement);
        return _output.Length;
    }

    /// <summary>What masking adds to a walk: the new value, written.</summary>
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
    public int WalkAndMaskThree()
    {
        _masked.Walk(_record, _frame);
        _output.Clear();
        _masked.Rewrite(_record, _frame, _masks, _output);
        return _output.Length;
    }

    private static CapturePlan Plan(AvroSchema schema, string[] masked)
    {
        var root = new CaptureRow { Node = new CaptureNode { Type = schema.Type } };
        foreach (string name in Captured)
        {
            root.Node.Children.Add(name, new CaptureNode { Type = schema.Type.Field(name)!.Type, Mode = CaptureMode.Scalar, Slot = root.Add() });
        }

        return new CapturePlan
        {
            Root = root,
            Selectors = [.. masked.Select(name => new MaskSelector(new FieldPath(PathRoot.Value, null, [new PathStep(PathStepKind.Field, name)]), null))],
        };
    }

    private long Straight(byte[] record, bool check)
    {
        ReadOnlySpan<byte> data = record;
        Slot[] slots = _frame.Slots;
        int pos = 0;
        Text(data, ref pos, check, ref slots[0]);
        slots[1] = new Slot { Kind = ValueKind.Double, Bits = BitConverter.ToInt64(data[pos..]) };
        pos += 8;
        Text(data, ref pos, check, ref slots[2]);
        Text(data, ref pos, check, ref slots[3]);
        Text(data, ref pos, check, ref slots[4]);
        Long(data, ref pos);
        Text(data, ref pos, check, ref slots[5]);
        if (Long(data, ref pos) != 0) { SkipText(data, ref pos, check); }
        long symbol = Long(data, ref pos);
        if (check && (ulong)symbol > 2) { throw new InvalidOperationException(); }
        slots[6] = new Slot { Kind = ValueKind.String, Bits = symbol * 3, Aux = 3, Source = SlotSource.Constant };
        long created = Long(data, ref pos);
        slots[7] = new Slot { Kind = ValueKind.Timestamp, Bits = created / 1000, Aux = (int)(created % 1000) * 1_000_000 };
        Long(data, ref pos);
        if (data[pos++] > 1 && check) { throw new InvalidOperationException(); }
        if (Long(data, ref pos) != 0) { SkipText(data, ref pos, check); }
        SkipText(data, ref pos, check);
        slots[8] = Long(data, ref pos) != 0 ? new Slot { Kind = ValueKind.Int, Bits = Long(data, ref pos) } : new Slot { Kind = ValueKind.Null };
        for (int i = 0; i < 5; i++) { SkipText(data, ref pos, check); }
        pos += 12;
        Long(data, ref pos);
        if (Long(data, ref pos) != 0) { Text(data, ref pos, check, ref slots[9]); }
        SkipText(data, ref pos, check);
        if (pos != data.Length) { throw new InvalidOperationException(); }
        return pos;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long Long(ReadOnlySpan<byte> data, ref int pos)
    {
        ulong value = data[pos++];
        if (value >= 0x80)
        {
            value &= 0x7F;
            for (int shift = 7; ; shift += 7)
            {
                ulong part = data[pos++];
                value |= (part & 0x7F) << shift;
                if (part < 0x80) { break; }
            }
        }

        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Text(ReadOnlySpan<byte> data, ref int pos, bool check, ref Slot slot)
    {
        int length = (int)Long(data, ref pos);
        if (check && !Utf8.IsValid(data.Slice(pos, length))) { throw new InvalidOperationException(); }
        slot = new Slot { Kind = ValueKind.String, Bits = pos, Aux = length };
        pos += length;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SkipText(ReadOnlySpan<byte> data, ref int pos, bool check)
    {
        int length = (int)Long(data, ref pos);
        if (check && !Utf8.IsValid(data.Slice(pos, length))) { throw new InvalidOperationException(); }
        pos += length;
    }
}
