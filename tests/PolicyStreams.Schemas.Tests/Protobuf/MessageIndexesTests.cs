using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Protobuf;

namespace PolicyStreams.Schemas.Tests.Protobuf;

/// <summary>Which message a frame names, where clients count alike and where they do not.</summary>
public sealed class MessageIndexesTests
{
    private const string Text = "message A { map<int32, int32> m = 1; message In { message Deep {} } optional group G = 2 {} message Out {} } message B { message In {} }";

    [Theory]
    [InlineData("A", "00")]
    [InlineData("B", "0202")]
    [InlineData("B.In", "040200")]
    [InlineData("A.Out", "040006")]              // Descriptors count the entry of the map and the group in front of it: nothing else has so high an index.
    public void Append_OfAMessage_IsReadAsIt(string message, string expected)
    {
        var schema = (ProtobufSchema)ProtobufSchema.Parse(Text, []).ForRecord(message);
        var output = new ByteBuffer();
        schema.Indexes.Append(Framing.Confluent, output);
        Assert.Equal(expected, Convert.ToHexStringLower(output.Written));
        Assert.Equal(DecodeOutcome.Decoded, schema.Indexes.Read(Framing.Confluent, output.Written, out int length, out bool other));
        Assert.Equal((output.Length, false), (length, other));
    }

    [Theory]
    [InlineData("040000")]                       // The map's entry, or In.
    [InlineData("040002")]                       // In, or Out.
    [InlineData("06000000")]                     // Deep to those who leave the entry out; the others find nothing in it.
    [InlineData("06000200")]                     // Deep to those who count the entry; nothing to the others, who have Out there: it has nothing inside.
    public void Read_ListThatClientsReadDifferently_IsRefusedUnlessOneAloneHasIt(string hex)
    {
        var schema = ProtobufSchema.Parse(Text, []);
        DecodeOutcome outcome = schema.Indexes.Read(Framing.Confluent, Convert.FromHexString(hex), out int _, out bool other);
        Assert.Equal(hex.Length == 8 ? (DecodeOutcome.Decoded, true) : (DecodeOutcome.MessageIndex, false), (outcome, other));
    }

    [Fact]
    public void Append_MessageThatNoListMeansToAll_Throws()
    {
        var schema = (ProtobufSchema)ProtobufSchema.Parse(Text, []).ForRecord("A.In");
        var output = new ByteBuffer();
        Assert.Contains("`A.In`", Assert.Throws<SchemaException>(() => schema.Indexes.Append(Framing.Confluent, output)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_RandomBytes_NeverThrows()
    {
        var random = new Random(3);
        var indexes = ProtobufSchema.Parse(Text, []).Indexes;
        byte[] bytes = new byte[20];
        for (int i = 0; i < 100_000; i++)
        {
            random.NextBytes(bytes);
            ReadOnlySpan<byte> some = bytes.AsSpan(0, random.Next(bytes.Length + 1));
            foreach (Framing framing in (Framing[])[Framing.Confluent, Framing.Apicurio4])
            {
                DecodeOutcome outcome = indexes.Read(framing, some, out int length, out bool _);
                Assert.True(outcome is DecodeOutcome.Decoded or DecodeOutcome.MessageIndex && length <= some.Length);
            }
        }
    }
}
