using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Unicode;
using BenchmarkDotNet.Attributes;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Protobuf;

namespace PolicyStreams.Bench.Walk;

/// <summary>
/// The record of <see cref="AvroWalkBenchmarks"/> as a Protobuf message of 25 fields: the walk that captures 10 of them against a decoder written by hand for this one message, a switch over tags as generated code has it,
/// with the same checks and without; and the rewrite of three masked fields against a copy of the record.
/// </summary>
[MemoryDiagnoser]
public class ProtobufWalkBenchmarks
{
    private const string Schema = """
        syntax = "proto3";
        package shop;
        import "google/protobuf/timestamp.proto";
        message Payment {
          string payment_id = 1; double amount = 2; string currency = 3; string country = 4; string merchant = 5; int64 merchant_id = 6; string card_number = 7; optional string card_expiry = 8;
          Channel channel = 9; google.protobuf.Timestamp created_at = 10; int32 attempt = 11; bool recurring = 12; optional string email = 13; string name = 14; optional int32 age = 15;
          string street = 16; string city = 17; string postcode = 18; string ip = 19; string device = 20; float score = 21; double fee = 22; int64 batch = 23; optional string note = 24; string trace = 25;
        }
        enum Channel { WEB = 0; APP = 1; PHONE = 2; }
        """;

    private const string Record = """
        {"payment_id":"7c9e6679-7425-40de-944b-e07fc1f90ae7","amount":129.95,"currency":"EUR","country":"DE","merchant":"Northwind Traders","merchant_id":88210045,
         "card_number":"4111111111111111","card_expiry":"12/29","channel":"APP","created_at":"2026-01-02T03:04:05.678Z","attempt":1,"recurring":true,"email":"ada.lovelace@example.org",
         "name":"Ada Lovelace","age":36,"street":"12 St James's Square","city":"London","postcode":"SW1Y 4JH","ip":"203.0.113.77","device":"a41f09c2d7e8","score":0.25,"fee":1.25,
         "batch":5501,"note":"leave the parcel with the neighbour, please","trace":"4bf92f3577b34da6a3ce929d0e0e4736"}
        """;

    private static readonly string[] Captured = ["payment_id", "amount", "currency", "country", "merchant", "card_number", "channel", "created_at", "age", "note"];

    private readonly CaptureFrame _frame = new();
    private readonly CaptureFrame _maskedFrame = new();
    private readonly CaptureFrame _byHand = new();
    private readonly ByteBuffer _output = new();
    private readonly ByteBuffer _replacement = new();
    private readonly ISiteMasker _masks = new LastFour();
    private readonly byte[] _record;
    private readonly RecordProgram _walk;
    private readonly RecordProgram _masked;

    public ProtobufWalkBenchmarks()
    {
        ProtobufSchema schema = ProtobufSchema.Parse(Schema, []);
        var bytes = new ByteBuffer();
        using (JsonDocument json = JsonDocument.Parse(Record)) { schema.EncodeJson(json.RootElement, bytes); }
        _record = bytes.Written.ToArray();
        _walk = schema.Compile(Plan(schema, []), WalkLimits.Default, []);
        _masked = schema.Compile(Plan(schema, ["card_number", "email", "name"]), WalkLimits.Default, []);
        _masked.Walk(_record, _maskedFrame);
        _walk.Walk(_record, _byHand);
    }

    public int RecordBytes => _record.Length;

    /// <summary>No checks but the ends of the bytes and unknown tags: what generated code does at its best.</summary>
    [Benchmark(Baseline = true)]
    public long HandWritten() => ByTags(_record, check: false);

    /// <summary>The same with the walk's checks: UTF-8, fields that come twice, numbers that do not fit.</summary>
    [Benchmark]
    public long HandWrittenChecked() => ByTags(_record, check: true);

    [Benchmark]
    public DecodeOutcome Walk() => _walk.Walk(_record, _frame);

    /// <summary>True where the decoder written by hand and the walk capture the same.</summary>
    public bool Agree()
    {
        Walk();
        HandWrittenChecked();
        for (int i = 0; i < Captured.Length; i++)
        {
            Slot walked = _frame.Slots[i], read = _byHand.Slots[i];
            bool same = walked.Kind == read.Kind && (walked.Source == SlotSource.Constant ? read.Source == SlotSource.Constant && walked.Aux == read.Aux : walked.Bits == read.Bits && walked.Aux == read.Aux);
            if (!same) { return false; }
        }

        return true;
    }

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

    private static CapturePlan Plan(ProtobufSchema schema, string[] masked)
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

    private long ByTags(byte[] record, bool check)
    {
        ReadOnlySpan<byte> data = record;
        Slot[] slots = _byHand.Slots;
        int pos = 0;
        uint seen = 0;
        while (pos < data.Length)
        {
            uint tag = (uint)Varint(data, ref pos);
            if (check)
            {
                uint bit = 1u << (int)(tag >> 3);
                if ((seen & bit) != 0) { throw new InvalidOperationException(); }
                seen |= bit;
            }

            switch (tag)
            {
                case (1 << 3) | 2:
                    Text(data, ref pos, check, ref slots[0]);
                    break;
                case (2 << 3) | 1:
                    slots[1] = new Slot { Kind = ValueKind.Double, Bits = BitConverter.ToInt64(data[pos..]) };
                    pos += 8;
                    break;
                case (3 << 3) | 2:
                    Text(data, ref pos, check, ref slots[2]);
                    break;
                case (4 << 3) | 2:
                    Text(data, ref pos, check, ref slots[3]);
                    break;
                case (5 << 3) | 2:
                    Text(data, ref pos, check, ref slots[4]);
                    break;
                case (7 << 3) | 2:
                    Text(data, ref pos, check, ref slots[5]);
                    break;
                case 9 << 3:
                    ulong symbol = Varint(data, ref pos);
                    if (check && symbol > 2) { throw new InvalidOperationException(); }
                    slots[6] = new Slot { Kind = ValueKind.String, Bits = (long)symbol * 3, Aux = 3, Source = SlotSource.Constant };
                    break;
                case (10 << 3) | 2:
                    Instant(data, ref pos, check, ref slots[7]);
                    break;
                case 15 << 3:
                    long age = (long)Varint(data, ref pos);
                    if (check && age != (int)age) { throw new InvalidOperationException(); }
                    slots[8] = new Slot { Kind = ValueKind.Int, Bits = age };
                    break;
                case (24 << 3) | 2:
                    Text(data, ref pos, check, ref slots[9]);
                    break;
                case 11 << 3:
                    long attempt = (long)Varint(data, ref pos);
                    if (check && attempt != (int)attempt) { throw new InvalidOperationException(); }
                    break;
                case 12 << 3:
                    if (Varint(data, ref pos) > 1 && check) { throw new InvalidOperationException(); }
                    break;
                case 6 << 3:
                case 23 << 3:
                    Varint(data, ref pos);
                    break;
                case (21 << 3) | 5:
                    pos += 4;
                    break;
                case (22 << 3) | 1:
                    pos += 8;
                    break;
                case (8 << 3) | 2:
                case (13 << 3) | 2:
                case (14 << 3) | 2:
                case (16 << 3) | 2:
                case (17 << 3) | 2:
                case (18 << 3) | 2:
                case (19 << 3) | 2:
                case (20 << 3) | 2:
                case (25 << 3) | 2:
                    int length = (int)Varint(data, ref pos);
                    if (check && !Utf8.IsValid(data.Slice(pos, length))) { throw new InvalidOperationException(); }
                    pos += length;
                    break;
                default:
                    throw new InvalidOperationException();
            }
        }

        if (pos != data.Length) { throw new InvalidOperationException(); }
        return pos;
    }

    private static void Instant(ReadOnlySpan<byte> data, ref int pos, bool check, ref Slot slot)
    {
        int length = (int)Varint(data, ref pos), end = pos + length;
        long seconds = 0, nanos = 0;
        while (pos < end)
        {
            ulong tag = Varint(data, ref pos);
            if (tag == 1 << 3) { seconds = (long)Varint(data, ref pos); }
            else if (tag == 2 << 3) { nanos = (long)Varint(data, ref pos); }
            else { throw new InvalidOperationException(); }
        }

        if (check && (seconds is < -62_135_596_800 or > 253_402_300_799 || nanos is < 0 or > 999_999_999)) { throw new InvalidOperationException(); }
        slot = new Slot { Kind = ValueKind.Timestamp, Bits = seconds, Aux = (int)nanos };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Varint(ReadOnlySpan<byte> data, ref int pos)
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

        return value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Text(ReadOnlySpan<byte> data, ref int pos, bool check, ref Slot slot)
    {
        int length = (int)Varint(data, ref pos);
        if (check && !Utf8.IsValid(data.Slice(pos, length))) { throw new InvalidOperationException(); }
        slot = new Slot { Kind = ValueKind.String, Bits = pos, Aux = length };
        pos += length;
    }
}
