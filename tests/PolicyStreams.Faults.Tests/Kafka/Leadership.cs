using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace PolicyStreams.Faults.Tests.Kafka;

/// <summary>Moves leaders: the order of each partition's replicas is turned (AlterPartitionReassignments, which the client does not offer, spelled by hand), then its first one elected.</summary>
internal static class Leadership
{
    private const short AlterPartitionReassignments = 45;

    public static async Task MoveAsync(string broker, IAdminClient admin, IReadOnlyList<TopicPartition> partitions, int turn)
    {
        int[] order = [.. Enumerable.Range(0, 3).Select(i => 1 + ((i + turn + 1) % 3))];
        string[] address = broker.Split(':');
        using var client = new TcpClient();
        await client.ConnectAsync(address[0], int.Parse(address[1], CultureInfo.InvariantCulture));
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync(Request(partitions, order));
        byte[] size = new byte[4];
        await stream.ReadExactlyAsync(size);
        byte[] answer = new byte[BinaryPrimitives.ReadInt32BigEndian(size)];
        await stream.ReadExactlyAsync(answer);

        // Behind the correlation id, the header's tags, and the throttle time: the error of the whole.
        short error = BinaryPrimitives.ReadInt16BigEndian(answer.AsSpan(9));
        Assert.True(error == 0, $"AlterPartitionReassignments: error {error}");
        try
        {
            await admin.ElectLeadersAsync(ElectionType.Preferred, partitions, new ElectLeadersOptions { RequestTimeout = TimeSpan.FromSeconds(20), OperationTimeout = TimeSpan.FromSeconds(20) });
        }
        catch (ElectLeadersException)
        {
            // Of some partition the first replica leads already, or is not in sync yet.
        }
    }

    private static byte[] Request(IReadOnlyList<TopicPartition> partitions, int[] order)
    {
        var body = new MemoryStream();
        Int16(body, AlterPartitionReassignments);
        Int16(body, 0);
        Int32(body, 1);
        Int16(body, 6);
        body.Write("faults"u8);
        body.WriteByte(0);
        Int32(body, 20_000);
        List<IGrouping<string, TopicPartition>> topics = [.. partitions.GroupBy(partition => partition.Topic)];
        Compact(body, topics.Count);
        foreach (IGrouping<string, TopicPartition> topic in topics)
        {
            byte[] name = Encoding.UTF8.GetBytes(topic.Key);
            Compact(body, name.Length);
            body.Write(name);
            Compact(body, topic.Count());
            foreach (TopicPartition partition in topic)
            {
                Int32(body, partition.Partition.Value);
                Compact(body, order.Length);
                foreach (int replica in order) { Int32(body, replica); }
                body.WriteByte(0);
            }

            body.WriteByte(0);
        }

        body.WriteByte(0);
        byte[] frame = new byte[4 + body.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, (int)body.Length);
        body.ToArray().CopyTo(frame, 4);
        return frame;
    }

    private static void Compact(MemoryStream to, int count)
    {
        for (uint n = (uint)count + 1; ; n >>= 7)
        {
            to.WriteByte((byte)(n > 0x7F ? (n & 0x7F) | 0x80 : n));
            if (n <= 0x7F) { return; }
        }
    }

    private static void Int16(MemoryStream to, short number)
    {
        Span<byte> bytes = stackalloc byte[2];
        BinaryPrimitives.WriteInt16BigEndian(bytes, number);
        to.Write(bytes);
    }

    private static void Int32(MemoryStream to, int number)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, number);
        to.Write(bytes);
    }
}
