using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;

namespace PolicyStreams.Cli.Demo;

/// <summary>The example's records, as <c>generate.py</c> beside them describes a line.</summary>
internal static class DemoRecords
{
    /// <summary>Produces every line through an ordinary producer; returns how many.</summary>
    public static int Produce(string file, string bootstrap, string topic, int schemaId)
    {
        using IProducer<byte[]?, byte[]?> producer = new ProducerBuilder<byte[]?, byte[]?>(new ProducerConfig { BootstrapServers = bootstrap, LingerMs = 1 })
            .SetKeySerializer(Serializers.ByteArray!).SetValueSerializer(Serializers.ByteArray!).SetLogHandler((_, _) => { }).Build();
        int count = 0;
        foreach (string line in File.ReadLines(file))
        {
            if (line.Length == 0) { continue; }
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement record = document.RootElement;
            var headers = new Headers();
            foreach (JsonProperty header in record.GetProperty("headers").EnumerateObject()) { headers.Add(header.Name, Encoding.UTF8.GetBytes(header.Value.GetString()!)); }
            producer.Produce(new TopicPartition(topic, record.GetProperty("partition").GetInt32()), new Message<byte[]?, byte[]?>
            {
                Key = record.GetProperty("key").GetString() is { } key ? Encoding.UTF8.GetBytes(key) : null,
                Value = Value(record, schemaId),
                Headers = headers,
            });
            count++;
        }

        producer.Flush(TimeSpan.FromSeconds(10));
        return count;
    }

    private static byte[]? Value(JsonElement record, int schemaId)
    {
        if (record.GetProperty("value").GetString() is not { } hex) { return null; }
        byte[] value = Convert.FromHexString(hex);
        JsonElement frame = record.GetProperty("frame");
        if (frame.ValueKind == JsonValueKind.Null) { return value; }
        byte[] framed = new byte[5 + value.Length];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), frame.ValueKind == JsonValueKind.Number ? frame.GetInt32() : schemaId);
        value.CopyTo(framed, 5);
        return framed;
    }
}
