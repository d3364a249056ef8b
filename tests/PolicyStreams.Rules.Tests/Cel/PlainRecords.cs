using System.Text;
using PolicyStreams.Rules.Cel;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Tests.Cel;

/// <summary>A record program over plain values: fills the slots of a plan as a walk of real bytes would.</summary>
internal sealed class PlainRecords(CaptureRow root) : RecordProgram
{
    private readonly List<object?> _raw = [];
    private readonly ByteBuffer _text = new();

    public CaptureFrame Frame { get; } = new();

    public byte[] Fill(object? value)
    {
        _raw.Clear();
        _text.Clear();
        Frame.Begin(root.SlotCount, []);
        Fill(root.Node, value, 0);
        return _text.Written.ToArray();
    }

    public ConditionInput Input(byte[] value) => new()
    {
        Value = value,
        Frame = Frame,
        Program = this,
        Headers = RecordHeaders.Empty,
        Principal = Principal.None,
        Topic = "raw.payments",
        Subject = "raw.payments-value",
    };

    private void Fill(CaptureNode node, object? value, int row)
    {
        if (ReferenceEquals(value, RecordValue.Missing)) { return; }
        if (node.Mode != CaptureMode.None) { Put(node, value, row + node.Slot); }
        foreach ((string name, CaptureNode child) in node.Children)
        {
            switch (value)
            {
                case RecordValue record:
                    int field = record.Type.Fields.ToList().FindIndex(f => f.Name == name);
                    if (field >= 0) { Fill(child, record.Values[field], row); }
                    break;
                case MapValue map when map.TryGetValue(name, out object? entry):
                    Fill(child, entry, row);
                    break;
            }
        }
    }

    private void Put(CaptureNode node, object? value, int at)
    {
        ref Slot slot = ref Frame.Slots[at];
        slot = default;
        slot.Kind = value switch
        {
            null => ValueKind.Null,
            bool => ValueKind.Bool,
            long => ValueKind.Int,
            ulong => ValueKind.UInt,
            double => ValueKind.Double,
            string => ValueKind.String,
            byte[] => ValueKind.Bytes,
            Timestamp => ValueKind.Timestamp,
            DecimalValue => ValueKind.Decimal,
            List<object?> => ValueKind.List,
            MapValue => ValueKind.Map,
            _ => ValueKind.Record,
        };
        if (value is null) { return; }
        if (node.Mode == CaptureMode.Raw)
        {
            slot.Bits = _raw.Count;
            _raw.Add(value);
            return;
        }

        switch (value)
        {
            case bool flag: slot.Bits = flag ? 1 : 0; break;
            case long number: slot.Bits = number; break;
            case ulong number: slot.Bits = (long)number; break;
            case double number: slot.Bits = BitConverter.DoubleToInt64Bits(number); break;
            case string text: PutBytes(ref slot, Encoding.UTF8.GetBytes(text)); break;
            case byte[] bytes: PutBytes(ref slot, bytes); break;
            case DecimalValue number: PutBytes(ref slot, number.Unscaled.ToByteArray(isBigEndian: true)); break;
            case Timestamp instant:
                slot.Bits = instant.Seconds;
                slot.Aux = instant.Nanos;
                break;
            case List<object?> list:
                slot.Aux = list.Count;
                slot.Bits = Frame.SlotsUsed;
                if (node.Row is not { SlotCount: > 0 } row) { break; }
                int first = Frame.SlotsUsed;
                Frame.SlotsUsed += list.Count * row.SlotCount;
                while (Frame.Slots.Length < Frame.SlotsUsed) { Array.Resize(ref Frame.Slots, 2 * Frame.Slots.Length); }
                Array.Clear(Frame.Slots, first, list.Count * row.SlotCount);
                for (int i = 0; i < list.Count; i++) { Fill(row.Node, list[i], first + (i * row.SlotCount)); }
                break;
        }
    }

    private void PutBytes(ref Slot slot, byte[] bytes)
    {
        slot.Bits = _text.Length;
        slot.Aux = bytes.Length;
        _text.Append(bytes);
    }

    public override object? Materialize(in Slot slot, ReadOnlySpan<byte> value, CaptureFrame frame) => _raw[(int)slot.Bits];

    public override IReadOnlyList<string> SelectedPaths(int selector) => [];

    public override string SitePath(in MaskSite site) => "";

    public override SchemaType SiteType(in MaskSite site) => SchemaType.AnyJson;

    public override DecodeOutcome Walk(ReadOnlySpan<byte> value, CaptureFrame frame) => DecodeOutcome.Decoded;

    public override RewriteOutcome Rewrite(ReadOnlySpan<byte> value, CaptureFrame frame, ISiteMasker masker, ByteBuffer output) => RewriteOutcome.MaskFailed;
}

/// <summary>The reference job's payment, and conditions over it.</summary>
internal static class Payments
{
    public static SchemaType Text { get; } = new() { Kind = ValueKind.String };

    public static SchemaType MaybeText { get; } = new() { Kind = ValueKind.String, Nullable = true };

    public static SchemaType Item { get; } = Record("bench.Item", ("sku", Text), ("quantity", Of(ValueKind.Int)), ("price", Of(ValueKind.Double)));

    public static SchemaType Customer { get; } = Record("bench.Customer", ("id", Text), ("name", Text), ("email", MaybeText), ("age", new SchemaType { Kind = ValueKind.Int, Nullable = true }));

    public static SchemaType Type { get; } = Record("bench.Payment",
        ("payment_id", Text), ("created_at", Of(ValueKind.Timestamp)), ("amount", Of(ValueKind.Double)), ("currency", Text), ("country", Text),
        ("channel", new SchemaType { Kind = ValueKind.String, FullName = "bench.Channel", Symbols = ["WEB", "POS", "APP", "PHONE"] }), ("card_number", Text), ("customer", Customer),
        ("merchant", Text), ("note", MaybeText), ("items", new SchemaType { Kind = ValueKind.List, Element = Item }),
        ("attributes", new SchemaType { Kind = ValueKind.Map, Element = Text }), ("fee", new SchemaType { Kind = ValueKind.Decimal, Scale = 2 }), ("any", SchemaType.AnyJson), ("flag", Of(ValueKind.Bool)),
        ("tags", new SchemaType { Kind = ValueKind.List, Element = Text }), ("billing", new SchemaType { Kind = ValueKind.Record, FullName = "bench.Billing", Nullable = true }));

    public static readonly string[] Conditions =
    [
        "value.amount <= 0.0",
        "!(value.currency in [\"EUR\", \"USD\", \"GBP\", \"JPY\", \"CHF\"])",
        "value.country in [\"KP\", \"IR\", \"SY\", \"CU\"]",
        "size(value.payment_id) != 36",
        "size(value.merchant) == 0",
        "size(value.items) == 0 || size(value.items) > 50",
        "value.items.exists(i, i.quantity <= 0)",
        "value.customer.age != null && value.customer.age < 18",
        "!value.card_number.matches(\"^[0-9]{13,19}$\")",
        "value.created_at < timestamp(\"2020-01-01T00:00:00Z\")",
        "value.note != null && value.note.matches(\"AKIA[0-9A-Z]{16}\")",
        "value.amount > 10000.0",
        "value.channel == \"PHONE\" && value.amount > 5000.0",
        "value.country == \"NG\" && value.amount > 2000.0",
        "value.items.exists(i, i.price > 9000.0)",
        "value.channel == \"APP\"",
    ];

    static Payments() => Type.Field("billing")!.Type.SetFields([new SchemaField { Name = "city", Type = Text }, new SchemaField { Name = "zip", Type = MaybeText }]);

    private static SchemaType Of(ValueKind kind) => new() { Kind = kind };

    private static SchemaType Record(string name, params (string Name, SchemaType Type)[] fields)
    {
        var type = new SchemaType { Kind = ValueKind.Record, FullName = name };
        type.SetFields([.. fields.Select(f => new SchemaField { Name = f.Name, Type = f.Type })]);
        return type;
    }

    public static RecordValue Sample(Action<Dictionary<string, object?>>? change = null)
    {
        var fields = new Dictionary<string, object?>
        {
            ["payment_id"] = "0191f6b2-7c1a-7d00-8000-0123456789ab",
            ["created_at"] = new Timestamp(1_735_689_600, 0),
            ["amount"] = 120.5,
            ["currency"] = "EUR",
            ["country"] = "DE",
            ["channel"] = "WEB",
            ["card_number"] = "4111111111111111",
            ["customer"] = new RecordValue(Customer, ["c-1", "Ann", null, null]),
            ["merchant"] = "Café",
            ["note"] = null,
            ["items"] = new List<object?> { new RecordValue(Item, ["a", 1L, 20.0]), new RecordValue(Item, ["b", 2L, 50.25]) },
            ["attributes"] = new MapValue { ["ssn"] = "123-45", ["k"] = "v" },
            ["fee"] = new DecimalValue(150, 2),
            ["any"] = null,
            ["flag"] = true,
            ["tags"] = new List<object?> { "x", "y" },
            ["billing"] = null,
        };
        change?.Invoke(fields);
        return new RecordValue(Type, [.. Type.Fields.Select(f => fields[f.Name])]);
    }

    public static CaptureRow Plan() => new() { Node = new CaptureNode { Type = Type } };

    /// <summary>Evaluates one condition over one record, by the compiled form and by the interpreter, which must agree.</summary>
    public static (Truth Truth, EvalError Error) Evaluate(string expression, RecordValue record)
    {
        CaptureRow plan = Plan();
        var diagnostics = new List<CelDiagnostic>();
        Condition? condition = new ConditionCompiler(Type, Text, plan).Compile(expression, diagnostics);
        Assert.True(condition is not null, string.Join("; ", diagnostics));
        var records = new PlainRecords(plan);
        ConditionInput input = records.Input(records.Fill(record));
        Truth compiled = condition.Evaluate(ref input, out EvalError error);
        Truth interpreted = condition.Interpret(ref input, null, out EvalError interpretedError);
        Assert.Equal((interpreted, interpretedError), (compiled, error));
        return (compiled, error);
    }
}
