using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Bench.Transcode;

/// <summary>
/// A payment of the reference job from JSON into the bytes that a serializer of another format writes for it, framed with schema id 1: with a JSON Schema the same text, in Protobuf the message of
/// <c>bench/reference-job/payment.proto</c>, fields in order and those at their zero left out. Written by hand for this one message: nothing of what is measured takes part. Not thread-safe.
/// </summary>
internal sealed class PaymentTranscoder(bool protobuf)
{
    private static readonly byte[] Frame = [0, 0, 0, 0, 1];

    private readonly ByteBuffer _message = new();
    private readonly ByteBuffer _inner = new();
    private readonly ByteBuffer _text = new();

    /// <summary>Writes the record's new value.</summary>
    /// <param name="value">The payment's JSON. Where it is cut short, what is written is too: a reader that checks finds neither whole.</param>
    /// <exception cref="InvalidDataException">A whole JSON object with a property that payments do not have.</exception>
    public void Write(ReadOnlySpan<byte> value, ByteBuffer output)
    {
        output.Append(Frame);
        if (!protobuf)
        {
            output.Append(value);
            return;
        }

        // Message index 0, in its short form.
        output.Append(0);
        _message.Clear();
        bool whole = true;
        try { Payment(value); }
        catch (JsonException) { whole = false; }
        ReadOnlySpan<byte> written = _message.Written;
        output.Append(whole ? written : written[..CutShort(written)]);
    }

    /// <summary>Where to cut a message near its half, inside a field: cut between two it would be a message of its own, with fewer fields.</summary>
    private static int CutShort(ReadOnlySpan<byte> message)
    {
        // What was read of a record that was cut short begins with its id, a text of 36 bytes: tag, length, text.
        int at = 0;
        while (true)
        {
            int length = message[at] switch
            {
                0x19 => 9,
                0x30 => 2,
                _ => 2 + message[at + 1],
            };
            if (at + length > message.Length / 2 && length > 2) { return Math.Max(at + 2, Math.Min(message.Length / 2, at + length - 1)); }
            at += length;
        }
    }

    private void Payment(ReadOnlySpan<byte> value)
    {
        var reader = new Utf8JsonReader(value);
        Expect(reader.Read() && reader.TokenType == JsonTokenType.StartObject);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadOnlySpan<byte> name = reader.ValueSpan;
            if (name.SequenceEqual("payment_id"u8)) { Text(ref reader, _message, 1); }
            else if (name.SequenceEqual("created_at"u8)) { Instant(ref reader); }
            else if (name.SequenceEqual("amount"u8)) { Double(ref reader, _message, 3); }
            else if (name.SequenceEqual("currency"u8)) { Text(ref reader, _message, 4); }
            else if (name.SequenceEqual("country"u8)) { Text(ref reader, _message, 5); }
            else if (name.SequenceEqual("channel"u8)) { Channel(ref reader); }
            else if (name.SequenceEqual("card_number"u8)) { Text(ref reader, _message, 7); }
            else if (name.SequenceEqual("customer"u8)) { Customer(ref reader); }
            else if (name.SequenceEqual("merchant"u8)) { Text(ref reader, _message, 9); }
            else if (name.SequenceEqual("note"u8)) { Text(ref reader, _message, 10, presence: true); }
            else if (name.SequenceEqual("items"u8)) { Items(ref reader); }
            else { throw new InvalidDataException("no such property of a payment: " + Encoding.UTF8.GetString(name)); }
        }

        Expect(reader.TokenType == JsonTokenType.EndObject);
        Expect(!reader.Read());
    }

    private void Customer(ref Utf8JsonReader reader)
    {
        Expect(reader.Read() && reader.TokenType == JsonTokenType.StartObject);
        _inner.Clear();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadOnlySpan<byte> name = reader.ValueSpan;
            if (name.SequenceEqual("id"u8)) { Text(ref reader, _inner, 1); }
            else if (name.SequenceEqual("name"u8)) { Text(ref reader, _inner, 2); }
            else if (name.SequenceEqual("email"u8)) { Text(ref reader, _inner, 3, presence: true); }
            else if (name.SequenceEqual("age"u8)) { Int(ref reader, _inner, 4, presence: true); }
            else { throw new InvalidDataException("no such property of a customer: " + Encoding.UTF8.GetString(name)); }
        }

        Lengthy(_message, 8, _inner.Written);
    }

    private void Items(ref Utf8JsonReader reader)
    {
        Expect(reader.Read() && reader.TokenType == JsonTokenType.StartArray);
        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
        {
            _inner.Clear();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                ReadOnlySpan<byte> name = reader.ValueSpan;
                if (name.SequenceEqual("sku"u8)) { Text(ref reader, _inner, 1); }
                else if (name.SequenceEqual("quantity"u8)) { Int(ref reader, _inner, 2); }
                else if (name.SequenceEqual("price"u8)) { Double(ref reader, _inner, 3); }
                else { throw new InvalidDataException("no such property of an item: " + Encoding.UTF8.GetString(name)); }
            }

            Lengthy(_message, 11, _inner.Written);
        }
    }

    private void Instant(ref Utf8JsonReader reader)
    {
        reader.Read();
        long milliseconds = reader.GetInt64();
        (long seconds, long rest) = (Math.DivRem(milliseconds, 1000).Quotient, milliseconds % 1000);
        if (rest < 0) { (seconds, rest) = (seconds - 1, rest + 1000); }
        _inner.Clear();
        if (seconds != 0) { Varint(_inner, 1, (ulong)seconds); }
        if (rest != 0) { Varint(_inner, 2, (ulong)rest * 1_000_000); }
        Lengthy(_message, 2, _inner.Written);
    }

    private void Channel(ref Utf8JsonReader reader)
    {
        reader.Read();
        int symbol = reader.ValueSpan switch
        {
            [(byte)'W', ..] => 0,
            [(byte)'P', (byte)'O', ..] => 1,
            [(byte)'A', ..] => 2,
            _ => 3,
        };
        if (symbol != 0) { Varint(_message, 6, (ulong)symbol); }
    }

    private void Text(ref Utf8JsonReader reader, ByteBuffer output, int number, bool presence = false)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) { return; }
        _text.Clear();
        Span<byte> text = _text.GetSpan(reader.ValueSpan.Length);
        int length = reader.CopyString(text);
        if (length > 0 || presence) { Lengthy(output, number, text[..length]); }
    }

    private static void Int(ref Utf8JsonReader reader, ByteBuffer output, int number, bool presence = false)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) { return; }
        int value = reader.GetInt32();
        if (value != 0 || presence) { Varint(output, number, (ulong)(long)value); }
    }

    private static void Double(ref Utf8JsonReader reader, ByteBuffer output, int number)
    {
        reader.Read();
        double value = reader.GetDouble();
        if (BitConverter.DoubleToInt64Bits(value) == 0) { return; }
        output.Append((byte)((number << 3) | 1));
        BinaryPrimitives.WriteDoubleLittleEndian(output.GetSpan(8), value);
        output.Advance(8);
    }

    private static void Lengthy(ByteBuffer output, int number, ReadOnlySpan<byte> value)
    {
        output.Append((byte)((number << 3) | 2));
        Varint(output, (ulong)value.Length);
        output.Append(value);
    }

    private static void Varint(ByteBuffer output, int number, ulong value)
    {
        output.Append((byte)(number << 3));
        Varint(output, value);
    }

    private static void Varint(ByteBuffer output, ulong value)
    {
        for (; value >= 0x80; value >>= 7) { output.Append((byte)(value | 0x80)); }
        output.Append((byte)value);
    }

    private static void Expect(bool so)
    {
        if (!so) { throw new JsonException("not a payment"); }
    }
}
