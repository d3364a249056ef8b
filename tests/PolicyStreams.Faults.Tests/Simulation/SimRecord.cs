using System.Buffers.Binary;
using System.Text;

namespace PolicyStreams.Faults.Tests.Simulation;

/// <summary>What a record of a schedule is there to show.</summary>
internal enum SimKind { Clean, Eu, Sanctioned, Large, Phone, LargePhone, NoteMissing, Truncated, Trailing, NotFramed, Empty, Tombstone, UnknownSchema, TooBig, TooManyHeaders }

/// <summary>
/// A record of a schedule: plain fields, and the bytes they have on the wire, by an encoder of its own. Fields that policies mask carry <see cref="Canary"/>.
/// </summary>
internal sealed class SimRecord
{
    /// <summary>Stands in every text that a policy masks: it must be on no topic but those of original bytes.</summary>
    public const string Canary = "CANARY";

    public const int SchemaId = 7;

    public const string SchemaText = """
        {"type":"record","name":"Payment","fields":[
          {"name":"id","type":"string"},
          {"name":"amount","type":"double"},
          {"name":"country","type":"string"},
          {"name":"card","type":"string","confluent:tags":["PAN"]},
          {"name":"email","type":["null","string"],"default":null},
          {"name":"note","type":["null","string"],"default":null}]}
        """;

    private SimRecord(SimKind kind, int number)
    {
        Kind = kind;
        Id = $"p-{number}";
        Card = $"{Canary}{number:000000}1111";
        Email = number % 3 == 0 ? null : $"{Canary}{number}@example.com";
    }

    public SimKind Kind { get; }
    public string Id { get; }
    public double Amount { get; private init; } = 10;
    public string Country { get; private init; } = "US";
    public string Card { get; }
    public string? Email { get; }
    public string? Note { get; private init; } = "ok";
    public string? Key { get; private init; }
    public byte[]? KeyBytes => Key is null ? null : Encoding.UTF8.GetBytes(Key);
    public byte[]? Value { get; private set; }
    public List<KeyValuePair<string, byte[]?>> Headers { get; } = [];
    public long TimestampMs { get; private init; }

    /// <summary>True where the bytes are a record that the policy's rules can see.</summary>
    public bool Decodes => Kind is not (SimKind.Truncated or SimKind.Trailing or SimKind.NotFramed or SimKind.Empty or SimKind.Tombstone or SimKind.UnknownSchema or SimKind.TooBig or SimKind.TooManyHeaders);

    /// <param name="unknownSchema">An id that nobody has asked for yet.</param>
    public static SimRecord Make(SimKind kind, int number, int key, int unknownSchema)
    {
        var record = new SimRecord(kind, number)
        {
            Amount = kind switch { SimKind.Large or SimKind.LargePhone => 5000, SimKind.Phone => 700, _ => 10 + (number % 90) },
            Country = kind switch { SimKind.Sanctioned => "KP", SimKind.Eu => "DE", _ => "US" },
            Note = kind == SimKind.NoteMissing ? null : kind is SimKind.Phone or SimKind.LargePhone ? "tel:1" : "ok",
            Key = key == 0 ? null : $"{Canary}-k{key}",
            TimestampMs = 1_700_000_000_000 + number,
        };
        record.Headers.Add(new("trace", Encoding.UTF8.GetBytes($"t-{number}")));
        record.Headers.Add(new("ssn", Encoding.UTF8.GetBytes($"{Canary}-{number}")));
        if (number % 4 == 0) { record.Headers.Add(new("ps-decision", "forged"u8.ToArray())); }
        if (kind == SimKind.TooManyHeaders)
        {
            for (int i = 0; i < 10; i++) { record.Headers.Add(new($"h{i}", [])); }
        }

        byte[] body = record.Body(record.Card, record.Email);
        record.Value = kind switch
        {
            SimKind.Truncated => Framed(SchemaId, body.AsSpan(0, 1 + record.Id.Length + 4)),
            SimKind.Trailing => Framed(SchemaId, [.. body, 0]),
            SimKind.NotFramed => Encoding.UTF8.GetBytes($"{{\"card\":\"{record.Card}\"}}"),
            SimKind.Empty => [],
            SimKind.Tombstone => null,
            SimKind.UnknownSchema => Framed(unknownSchema, body),
            SimKind.TooBig => Framed(SchemaId, [.. body, .. new byte[2000]]),
            _ => Framed(SchemaId, body),
        };
        return record;
    }

    /// <summary>The framed value with other texts in the masked fields.</summary>
    public byte[] ValueWith(string card, string? email) => Framed(SchemaId, Body(card, email));

    public override string ToString() => $"{Kind} {Id}";

    private byte[] Body(string card, string? email)
    {
        var output = new List<byte>();
        Text(output, Id);
        Span<byte> amount = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(amount, Amount);
        output.AddRange(amount);
        Text(output, Country);
        Text(output, card);
        Optional(output, email);
        Optional(output, Note);
        return [.. output];
    }

    private static void Optional(List<byte> output, string? text)
    {
        output.Add(text is null ? (byte)0 : (byte)2);
        if (text is not null) { Text(output, text); }
    }

    private static void Text(List<byte> output, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        for (uint n = (uint)bytes.Length << 1; ; n >>= 7)
        {
            output.Add((byte)(n > 0x7F ? (n & 0x7F) | 0x80 : n));
            if (n <= 0x7F) { break; }
        }

        output.AddRange(bytes);
    }

    private static byte[] Framed(int schema, ReadOnlySpan<byte> body)
    {
        byte[] value = new byte[5 + body.Length];
        BinaryPrimitives.WriteInt32BigEndian(value.AsSpan(1), schema);
        body.CopyTo(value.AsSpan(5));
        return value;
    }
}
